//! NETCONF through a real sshd, by clients that are not ours: ncclient, netconf-console2, and plain `ssh -s`.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use ostiary_tests::firewall::Firewall;
use ostiary_tests::netconf::{Session, data, leaf, succeed, tool};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, wait_for};
use ostiary_tests::sshd::{Sshd, USER};

const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

/// A firewall with two rules, and an sshd that serves it.
fn start(folder: &Path, password: bool) -> Option<(Firewall, Sshd)> {
    let mut policy = Policy::new("net_null0", "net_null1")
        .rule("staff", "source = [\"office\"]\naction = \"permit\"\n")
        .rule("all", "action = \"deny\"\n");
    policy.system = format!("state-directory = \"{}\"\n", folder.join("state").display());
    policy.rest = "[address]\noffice = [\"10.1.0.0/16\", \"2001:db8:1::/48\"]\n".to_owned();
    std::fs::create_dir(folder.join("state")).unwrap();
    let firewall = Firewall::start(folder, &policy);
    let sshd = Sshd::start(folder, &firewall.socket(), password)?;
    Some((firewall, sshd))
}

/// What the server says to these messages of NETCONF 1.0.
fn ssh(sshd: &Sshd, user: &str, key: &str, messages: &[String]) -> Output {
    let mut command = sshd.ssh(user, key);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for message in messages {
        // Where the user is not let in, nobody reads it.
        let _ = input.write_all(format!("{message}]]>]]>").as_bytes());
    }
    drop(input);
    child.wait_with_output().unwrap()
}

fn rpc(operation: &str) -> String {
    format!("<rpc xmlns='{BASE}' message-id='7'>{operation}</rpc>")
}

fn hello() -> String {
    let capability = "<capability>urn:ietf:params:netconf:base:1.0</capability>";
    format!("<hello xmlns='{BASE}'><capabilities>{capability}</capabilities></hello>")
}

#[test]
fn ncclient_does_every_operation() {
    let Some(python) = tool("python") else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some((_firewall, sshd)) = start(folder.path(), false) else { return };
    let mut command = Command::new(python);
    command.arg(data("ncclient_session.py")).args(["127.0.0.1", &sshd.port().to_string(), "root"]);
    succeed(command.arg(sshd.key("ed25519")).arg("--kill"));
}

#[test]
fn ssh_alone_speaks_the_old_framing() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_firewall, sshd)) = start(folder.path(), false) else { return };
    let get = rpc("<get-config><source><running/></source></get-config>");
    for messages in [vec![hello(), get.clone(), rpc("<close-session/>")], vec![get]] {
        let output = ssh(&sshd, "root", "ed25519", &messages);
        let text = String::from_utf8(output.stdout).unwrap();
        let parts: Vec<&str> = text.split("]]>]]>").collect();
        // Ours, a reply for each request, and nothing behind the last end.
        let requests = messages.iter().filter(|message| message.starts_with("<rpc")).count();
        assert_eq!(parts.len(), requests + 2, "{text}");
        assert!(parts[0].contains("<session-id>") && parts[1].contains("message-id=\"7\""), "{text}");
        assert!(
            parts[1].contains("<rule><name>staff</name><source>office</source><action>permit</action></rule>"),
            "{text}"
        );
        assert_eq!(parts[requests + 1].trim(), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn ncclient_subscribes_replays_and_is_killed() {
    let Some(python) = tool("python") else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some((_firewall, sshd)) = start(folder.path(), false) else { return };
    let mut command = Command::new(python);
    command.arg(data("ncclient_events.py")).args(["127.0.0.1", &sshd.port().to_string(), "root"]);
    succeed(command.arg(sshd.key("ed25519")));
}

/// Locks the candidate and lets it go, which is told, until somebody has heard of it.
fn lock_until<T>(session: &mut Session, what: &str, heard: impl Fn() -> Option<T>) -> T {
    wait_for(what, || {
        for word in ["lock", "unlock"] {
            assert!(session.ask(&format!("<{word}><target><candidate/></target></{word}>")).contains("<ok/>"));
        }
        heard()
    })
}

#[test]
fn b03_ncclient_netconf_console_and_ssh_receive_the_stream() {
    let (Some(python), Some(console)) = (tool("python"), tool("netconf-console2")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some((_firewall, sshd)) = start(folder.path(), false) else { return };
    let mut editor = Session::open(&mut sshd.ssh("root", "rsa"));

    // ncclient, in a program of one line.
    let program = "import sys; from ncclient import manager; m = manager.connect(host='127.0.0.1', port=int(sys.argv[1]), \
                   username='root', key_filename=sys.argv[2], hostkey_verify=False, allow_agent=False, \
                   look_for_keys=False); m.create_subscription(stream_name='audit'); \
                   print(m.take_notification(timeout=60).notification_xml)";
    let mut command = Command::new(python);
    command.args(["-c", program, &sshd.port().to_string()]).arg(sshd.key("ed25519"));
    let (heard, _ncclient) = listen(&mut command);
    lock_until(&mut editor, "ncclient's event", || heard("<action>config-lock</action>").then_some(()));

    // netconf-console2, which goes on while it sleeps.
    let mut command = Command::new(console);
    command.args(["--host", "127.0.0.1", "--port", &sshd.port().to_string(), "-u", "root", "--ssh-config"]);
    command.arg(sshd.client("ed25519")).args(["--create-subscription", "audit", "--sleep", "120"]);
    let (heard, _console) = listen(command.env("PYTHONUNBUFFERED", "1"));
    lock_until(&mut editor, "netconf-console2's event", || heard("<action>config-lock</action>").then_some(()));

    // ssh, with the framing of 1.0.
    let mut plain = Session::open(&mut sshd.ssh("root", "ed25519"));
    plain.subscribe("audit", "");
    assert!(editor.ask("<lock><target><candidate/></target></lock>").contains("<ok/>"));
    let event = plain.next();
    assert!(event.contains("<notification") && event.contains("<action>config-lock</action>"), "{event}");
    assert!(editor.ask("<unlock><target><candidate/></target></unlock>").contains("<ok/>"));

    // And ssh as collectors of syslog events do: no hello, no number.
    let mut command = sshd.ssh("root", "ed25519");
    let (client, mut input, output) = Running::start_with_pipes(&mut command);
    let heard = follow(output);
    let event = "<stream>messages</stream><event>CONFIG_LOCK</event>";
    input.write_all(format!("<rpc><get-syslog-events>{event}</get-syslog-events></rpc>]]>]]>").as_bytes()).unwrap();
    let text = lock_until(&mut editor, "the event as a line of syslog", || {
        let text = heard.lock().unwrap().clone();
        text.contains("</syslog-event>").then_some(text)
    });
    let message = leaf(&text, "message").unwrap();
    assert!(
        message.starts_with("&lt;") && message.contains(" ostiary ") && message.contains(" CONFIG_LOCK ["),
        "{text}"
    );
    assert!(text.contains("<rpc-reply") && !text.contains("CONFIG_UNLOCK"), "{text}");
    drop(client);
}

/// What a program writes, as it comes.
fn follow(mut output: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let heard = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&heard);
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    heard
}

/// Runs a program; whether it wrote something, and what it runs as.
fn listen(command: &mut Command) -> (impl Fn(&str) -> bool, Running) {
    let (running, _input, output) = Running::start_with_pipes(command);
    let heard = follow(output);
    (move |text: &str| heard.lock().unwrap().contains(text), running)
}

#[test]
fn b07_the_collector_connects_to_the_firewall() {
    let folder = tempfile::tempdir().unwrap();
    let Some((firewall, sshd)) = start(folder.path(), false) else { return };
    let mut collector = Session::open(&mut sshd.ssh("root", "ed25519"));
    collector.subscribe("audit", "");
    // The answer, and what the lock makes: in either order.
    let operation = "<lock><target><candidate/></target></lock>";
    collector.send(&format!("<rpc xmlns='{BASE}' message-id='9'>{operation}</rpc>"));
    let said = [collector.next(), collector.next()];
    assert!(said.iter().any(|message| message.contains("message-id=\"9\"") && message.contains("<ok/>")), "{said:?}");
    assert!(said.iter().any(|message| message.contains("<action>config-lock</action>")), "{said:?}");
    // While events flow, the firewall itself has no socket but those of this machine.
    let own: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", firewall.pid()))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    assert!(!own.is_empty(), "it listens for managers");
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = std::fs::read_to_string(format!("/proc/{}/net/{table}", firewall.pid())).unwrap_or_default();
        let inodes = text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9));
        let outward: Vec<&str> = inodes.filter(|inode| own.iter().any(|own| own == inode)).collect();
        assert!(outward.is_empty(), "{table}: {text}");
    }
}

#[test]
fn b08_rsa_and_ed25519_keys_open_and_a_password_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let Some((firewall, sshd)) = start(folder.path(), false) else { return };
    std::fs::set_permissions(firewall.socket(), std::fs::Permissions::from_mode(0o666)).unwrap();
    for (user, key) in [("root", "rsa"), ("root", "ed25519"), (USER.0, "rsa"), (USER.0, "ed25519")] {
        let output = ssh(&sshd, user, key, &[hello(), rpc("<close-session/>")]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("<ok/>"), "{user} {key}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut command = Command::new("sshpass");
    command.args(["-p", USER.2, "ssh", "-F", "/dev/null", "-T", "-p", &sshd.port().to_string()]);
    command.args([
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "PubkeyAuthentication=no",
    ]);
    let output = command.arg(format!("{}@127.0.0.1", USER.0)).args(["-s", "netconf"]).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}

#[test]
fn whatever_a_client_asks_for_is_netconf() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_firewall, sshd)) = start(folder.path(), false) else { return };
    let mut command = Command::new("ssh");
    command.arg("-F").arg(sshd.client("ed25519")).args(["-T", "-p", &sshd.port().to_string(), "root@127.0.0.1"]);
    let output = command.arg("id -u").stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("<hello") && !text.contains("uid="), "{text}");
}

#[test]
fn netconf_console_edits_and_commits() {
    let Some(console) = tool("netconf-console2") else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some((firewall, sshd)) = start(folder.path(), true) else { return };
    std::fs::set_permissions(firewall.socket(), std::fs::Permissions::from_mode(0o666)).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&console);
        command.args(["--host", "127.0.0.1", "--port", &sshd.port().to_string(), "-u", USER.0, "-p", USER.2]);
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let hello = run(&["--hello"]);
    assert!(hello.contains("capability:candidate:1.0"), "{hello}");
    let before = run(&["--get-config"]);
    assert!(before.contains("<name>staff</name>"), "{before}");
    // Its default target is running, which is not written.
    let refused = run(&["--set", "/firewall/rule[name='all']/action=permit"]);
    assert!(refused.contains("operation-not-supported") && refused.contains("--db candidate"), "{refused}");
    for arguments in [
        &["--db", "candidate", "--set", "/firewall/rule[name='all']/action=permit"][..],
        &["--db", "candidate", "--delete", "/firewall/rule[name='staff']"],
        &["--commit"],
    ] {
        let said = run(arguments);
        assert!(said.contains("<ok"), "{arguments:?}: {said}");
    }
    let after = run(&["--get-config"]);
    assert!(!after.contains("staff") && after.contains("<action>permit</action>"), "{after}");
}
