//! Roles at the management socket: users of the system with their groups, the built program, and the table of what each may.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::{program, skip};
use serde_json::Value;

/// Groups by number: nobody of this machine is in them.
const ROLES: &str = "[management.roles]\nread-only = [71001]\nauditor = [71002]\noperator = [71003]\n\
                     administrator = [71004]\n";

/// A user that this machine does not have.
const USER: u32 = 71_000;

/// Requests that change nothing, with who is served: read-only, auditor, operator, administrator.
const TABLE: &[(&str, [bool; 4])] = &[
    (r#"{"show":"statistics"}"#, [true, true, true, true]),
    (r#"{"show":"counters"}"#, [true, true, true, true]),
    (r#"{"show":"ports"}"#, [true, true, true, true]),
    (r#"{"show":"interfaces"}"#, [true, true, true, true]),
    (r#"{"show":"routes"}"#, [true, true, true, true]),
    (r#"{"show":"neighbours"}"#, [true, true, true, true]),
    (r#"{"show":"policy"}"#, [true, true, true, true]),
    (r#"{"show":"nat"}"#, [true, true, true, true]),
    (r#"{"show":"sigdb"}"#, [true, true, true, true]),
    (r#"{"show":"log-hosts"}"#, [true, true, true, true]),
    (r#"{"show":"log-statistics"}"#, [true, true, true, true]),
    (r#"{"show":"log-buffer"}"#, [true, true, true, true]),
    (r#"{"show":"sessions-netconf"}"#, [true, true, true, true]),
    (r#"{"show":"access","view":"statistics"}"#, [true, true, true, true]),
    (r#"{"show":"sessions"}"#, [false, false, true, true]),
    (r#"{"show":"im"}"#, [false, false, true, true]),
    (r#"{"show":"users"}"#, [false, false, true, true]),
    (r#"{"show":"access","view":"buffer","packet":0}"#, [false, false, true, true]),
    (r#"{"show":"trace","port":"inside"}"#, [false, false, true, true]),
    (r#"{"show":"configuration"}"#, [true, false, true, true]),
    (r#"{"show":"generations"}"#, [true, false, true, true]),
    (r#"{"do":"reset-statistics","class":"access"}"#, [false, false, true, true]),
    (r#"{"do":"reset-log-statistics"}"#, [false, false, true, true]),
    (r#"{"do":"audit-rotate","file":"none"}"#, [false, false, true, true]),
    (r#"{"do":"audit-upload","file":"none"}"#, [false, false, true, true]),
    (r#"{"do":"session","via":"netconf"}"#, [true, true, true, true]),
    (r#"{"do":"kill-session","id":4000000}"#, [false, false, false, true]),
    (r#"{"do":"subscribe","stream":"NETCONF"}"#, [true, true, true, true]),
    (r#"{"do":"subscribe","stream":"audit"}"#, [false, true, false, true]),
    (r#"{"do":"subscribe","stream":"records"}"#, [false, true, true, true]),
    (r#"{"do":"check"}"#, [false, false, false, true]),
    (r#"{"do":"reload"}"#, [false, false, false, true]),
    (r#"{"do":"commit"}"#, [false, false, false, true]),
    (r#"{"do":"confirm"}"#, [false, false, false, true]),
    (r#"{"do":"cancel"}"#, [false, false, false, true]),
    (r#"{"do":"rollback","back":60000}"#, [false, false, false, true]),
    (r#"{"do":"rescue","what":"load"}"#, [false, false, false, true]),
    (r#"{"do":"lock"}"#, [false, false, false, true]),
    (r#"{"do":"unlock"}"#, [false, false, false, true]),
    (r#"{"do":"edit","operations":[]}"#, [false, false, false, true]),
    (r#"{"do":"load","text":"x ="}"#, [false, false, false, true]),
    (r#"{"do":"discard"}"#, [false, false, false, true]),
];

/// The first line of the answer to a request, asked by a process of [`USER`] with this group beside its own.
fn ask(socket: &Path, group: Option<u32>, request: &str) -> Value {
    let groups = group.map_or_else(|| "--clear-groups".to_owned(), |group| format!("--groups={group}"));
    let (user, own) = (format!("--reuid={USER}"), format!("--regid={USER}"));
    ask_as(&["setpriv", &user, &own, &groups], socket, request)
}

/// Likewise, asked behind this command.
fn ask_as(before: &[&str], socket: &Path, request: &str) -> Value {
    // Of the base system, so that any user may run it.
    let script = "use Socket; alarm 20; $SIG{PIPE} = 'IGNORE'; socket(S, PF_UNIX, SOCK_STREAM, 0); \
                  connect(S, pack_sockaddr_un($ARGV[0])) or die; syswrite(S, qq($ARGV[1]\n)); print scalar <S>";
    let words = before.iter().copied().chain(["/usr/bin/perl", "-e", script]).collect::<Vec<_>>();
    let mut command = Command::new(words[0]);
    let output = command.args(&words[1..]).arg(socket).arg(request).stdin(Stdio::null()).output().unwrap();
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("{request}: {output:?}"))
}

fn is_denied(answer: &Value) -> bool {
    answer["error"]["tag"] == "access-denied"
}

/// Waits until everybody may connect. The folder is the test's own; anybody has to reach the socket in it.
fn open_to_all(socket: &Path) {
    for folder in
        socket.ancestors().skip(1).take_while(|folder| *folder != Path::new("/tmp") && folder.parent().is_some())
    {
        let mode = std::fs::metadata(folder).unwrap().permissions().mode();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode | 0o711)).unwrap();
    }
    wait_for("the socket is for all", || {
        let mode = std::fs::metadata(socket).unwrap().permissions().mode();
        (mode & 0o777 == 0o666).then_some(())
    });
}

/// What a program came to that [`USER`] ran, with this group.
fn run(group: Option<u32>, words: &[&OsStr]) -> (bool, String) {
    let groups = group.map_or_else(|| "--clear-groups".to_owned(), |group| format!("--groups={group}"));
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={USER}"), format!("--regid={USER}"), groups]).args(words);
    let output = command.env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn b15_the_trail_is_read_by_auditors_only() {
    if !skip::is_root() || !skip::has_programs(&["setpriv", "perl"]) {
        return;
    }
    let mut policy = Policy::new("net_null0", "net_null1").rule("all", "action = \"permit\"");
    policy.rest.push_str(ROLES);
    policy.audit = "group = 71002\n".to_owned();
    let folder = tempfile::tempdir().unwrap();
    let firewall = Firewall::start(folder.path(), &policy);
    let socket = firewall.socket();
    open_to_all(&socket);
    // The program where that user reaches it.
    let program = folder.path().join("ostiary");
    std::fs::copy(program::path(), &program).unwrap();
    let trail = folder.path().join("audit");
    let file = trail.join("audit.jsonl");
    let (cat, show) = (["cat".as_ref(), file.as_os_str()], ["audit", "show", "--directory"].map(OsStr::new));
    let show = [&[program.as_os_str()], &show[..], &[trail.as_os_str()]].concat();

    // Nobody's group, the group of those who read the configuration, that of administrators of the firewall alone.
    for group in [None, Some(71_001), Some(71_004)] {
        for words in [&cat[..], &show] {
            let (read, said) = run(group, words);
            assert!(!read && said.contains("ermission denied") && !said.contains("system-start"), "{group:?}: {said}");
        }
    }
    for words in [&cat[..], &show] {
        let (read, said) = run(Some(71_002), words);
        assert!(read && said.contains("system-start"), "{said}");
    }
    // Reads, and no more.
    let write = format!("echo '{{}}' >> {}", file.display());
    assert!(!run(Some(71_002), &["sh".as_ref(), "-c".as_ref(), write.as_ref()]).0);
    assert!(!run(Some(71_002), &["rm".as_ref(), "-f".as_ref(), file.as_ref()]).0 && file.is_file());

    // Over the socket too; and who asked is in the trail.
    let subscribe = r#"{"do":"subscribe","stream":"audit","from":"2026-01-01T00:00:00Z"}"#;
    assert!(ask(&socket, Some(71_002), subscribe)["subscribed"].is_object());
    for group in [None, Some(71_001), Some(71_003)] {
        assert!(is_denied(&ask(&socket, group, subscribe)), "{group:?}");
    }
    let told = wait_for("the denials to be told", || {
        let (_, text) = run(Some(71_002), &cat);
        let lines = text.lines().filter(|line| line.contains("\"access-denied\""));
        let told: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        (told.len() == 3).then_some(told)
    });
    for (record, role) in told.iter().zip(["none", "read-only", "operator"]) {
        assert_eq!((&record["uid"], &record["role"]), (&USER.into(), &role.into()), "{record}");
    }
}

#[test]
fn every_request_times_every_role() {
    if !skip::is_root() || !skip::has_programs(&["setpriv", "perl"]) {
        return;
    }
    let mut policy = Policy::new("net_null0", "net_null1").rule("all", "action = \"permit\"");
    policy.rest.push_str(ROLES);
    let folder = tempfile::tempdir().unwrap();
    let firewall = Firewall::start(folder.path(), &policy);
    let socket = firewall.socket();
    let socket = socket.as_path();
    open_to_all(socket);
    for (request, served) in TABLE {
        for (role, served) in served.iter().enumerate() {
            let answer = ask(socket, Some(71_001 + role as u32), request);
            assert_eq!(is_denied(&answer), !served, "{request} of role {role}: {answer}");
        }
    }
    for (request, _) in TABLE.iter().take(3) {
        assert!(is_denied(&ask(socket, None, request)), "{request}");
        assert!(is_denied(&ask(socket, Some(71_009), request)), "{request}");
    }
    // Who runs the firewall needs no role. Each word that it is offered is in the table.
    let offered = ask_as(&[], socket, r#"{"do":"session","via":"netconf"}"#);
    for word in offered["session"]["capabilities"].as_array().unwrap() {
        let (kind, word) = word.as_str().unwrap().split_once(' ').unwrap();
        let known = ["call-status", "diff", "replay"].contains(&word)
            || TABLE.iter().any(|(request, _)| request.contains(&format!("\"{kind}\":\"{word}\"")));
        assert!(known, "{kind} {word}");
    }
}
