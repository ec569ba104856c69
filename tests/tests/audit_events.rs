//! Row B18 of the audit functions: every event that the page of the trail names is made by the built program, here or in the
//! test that is named for it; and every requirement of the protection profile has one.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::commits::ostiary;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{free_port, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::trail::{records, say, say_failure, wait_for_record};
use ostiary_tests::{program, skip};
use serde_json::Value;

/// Events that another test sees, with its file and name.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("config-lock", "tests/tests/commit_confirm.rs", "a_lock_keeps_other_terminals_out_and_ends_with_its_own"),
    ("config-unlock", "tests/tests/commit_confirm.rs", "a_lock_keeps_other_terminals_out_and_ends_with_its_own"),
    (
        "signature-update",
        "tests/tests/commit_audit.rs",
        "an_update_of_signatures_is_told_and_so_is_one_that_is_refused",
    ),
    ("audit-full", "tests/tests/audit_store.rs", "a_full_disk_costs_records_that_are_all_counted_and_told"),
    ("audit-space", "control/src/audit/desk/tests.rs", "without_room_new_records_are_dropped_and_counted_to_the_last"),
    ("audit-tampered", "control/src/audit/live.rs", "what_was_tampered_with_is_said_at_the_start_and_stays_readable"),
    ("account-changed", "control/src/audit/sources/accounts.rs", "accounts_and_passwords_that_change_are_told_by_name"),
    ("link-change", "control/src/runtime/house/watch.rs", "links_that_change_are_found"),
    ("overload", "control/src/runtime/house/watch.rs", "an_overload_has_a_beginning_and_an_end"),
];

/// Needs the right to set the clock, which containers do not have.
const CLOCK: (&str, &str, &str) =
    ("clock-changed", "control/src/audit/sources/clock.rs", "a_step_back_is_told_with_both_times_after_two_seconds");

/// Requirements that are answered by records of other classes, see control/records.md.
const OTHER_CLASSES: &[&str] = &["FAU_STG_EXT.2", "FFW_RUL_EXT.1"];

/// The cells of the rows of a table of the page, by its heading.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn script(folder: &Path, name: &str, body: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// What sshd, login and others say of one another, each line as root says it.
const SAID: &[(&str, &str)] = &[
    ("sshd", "Server listening on 127.0.0.1 port 830."),
    ("sshd", "Connection from 192.0.2.1 port 4000 on 192.0.2.9 port 830 rdomain \"\""),
    ("sshd", "Failed password for mon from 192.0.2.1 port 4000 ssh2"),
    ("sshd", "error: maximum authentication attempts exceeded for mon from 192.0.2.1 port 4000 ssh2 [preauth]"),
    ("sshd", "Connection from 192.0.2.1 port 4001 on 192.0.2.9 port 830 rdomain \"\""),
    (
        "sshd",
        "Unable to negotiate with 192.0.2.1 port 4001: no matching cipher found. Their offer: aes128-cbc [preauth]",
    ),
    ("sshd", "Connection from 192.0.2.1 port 4002 on 192.0.2.9 port 830 rdomain \"\""),
    ("sshd", "Connection closed by 192.0.2.1 port 4002 [preauth]"),
    ("sshd", "Connection from 192.0.2.1 port 4003 on 192.0.2.9 port 830 rdomain \"\""),
    ("sshd", "Accepted publickey for root from 192.0.2.1 port 4003 ssh2: ED25519 SHA256:x"),
    ("sshd", "Starting session: command for root from 192.0.2.1 port 4003 id 0"),
    ("sshd", "Starting session: subsystem 'netconf' for root from 192.0.2.1 port 4003 id 1"),
    ("sshd", "Close session: user root from 192.0.2.1 port 4003 id 0"),
    ("sshd", "Received disconnect from 192.0.2.1 port 4003:11: disconnected by user"),
    ("sshd", "Disconnected from user root 192.0.2.1 port 4003"),
    ("passwd", "pam_unix(passwd:chauthtok): password changed for mon"),
    ("chronyd", "Could not step system clock"),
];

/// Asks for something at the management socket, waits for the first line of the answer, and goes.
fn ask(socket: &Path, request: &str) {
    let mut stream = UnixStream::connect(socket).unwrap();
    writeln!(stream, "{request}").unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert!(!line.contains("error"), "{request}: {line}");
}

/// Asks for something as a user who has no role.
fn ask_as_nobody(socket: &Path) {
    // It may be told before it has asked.
    const SCRIPT: &str = r#"use Socket; $SIG{PIPE} = "IGNORE"; socket(S, PF_UNIX, SOCK_STREAM, 0); connect(S, pack_sockaddr_un($ARGV[0])) or die $!;
        syswrite(S, "{\"show\":\"statistics\"}\n"); sysread(S, $said, 4096); print $said"#;
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "perl", "-e", SCRIPT];
    let output = Command::new("setpriv").args(nobody).arg(socket).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("access-denied"), "{output:?}");
}

/// Sets the clock to what it shows; whether that is allowed here.
fn set_clock() -> bool {
    use rustix::time::{ClockId, clock_gettime, clock_settime};
    clock_settime(ClockId::Realtime, clock_gettime(ClockId::Realtime)).is_ok()
}

#[test]
fn b18_every_row_of_the_fau_table_has_a_producer() {
    if !skip::is_root() || !skip::has_programs(&["rsyslogd", "openssl", "setpriv", "perl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let certificates = Certificates::make(folder);
    let mut rsyslog = Rsyslog::start(folder, &certificates);
    let mut policy = Policy::new("net_null0", "net_null1").rule("rest", "action = \"permit\"\n");
    policy.im = false;
    policy.management = "roles = { administrator = [0] }\n".to_owned();
    policy.system = format!("state-directory = \"{}\"\n", folder.join("state").display());
    // The second archive cannot be sent.
    let sftp = script(folder, "sftp", &format!("test ! -e {0}/once && touch {0}/once", folder.display()));
    policy.audit = format!(
        "syslog-socket = \"{}\"\ncheckpoint-interval = \"1 s\"\n[audit.sftp]\nprogram = \"{sftp}\"\n[[audit.file]]\n\
         name = \"audit\"\narchive = {{ files = 1, sites = [\"sftp://box@archive.example.net\"] }}\n",
        folder.join("log").display()
    );
    policy.rest += "[[respond]]\nname = \"rotate\"\non = [\"login-failed\"]\nwhere = { user = \"rotate\" }\nlimit = \"2/h\"\n\
        then = [{ run = \"rotate\" }, { raise = \"notice\" }, { program = [\"/nowhere/program\"] }]\n";
    let policy = policy.host("up", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"\n").host(
        "never",
        free_port(),
        "transport = \"tcp\"\nformat = \"syslog\"\n",
    );
    fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
    let firewall = Firewall::start(folder, &policy);
    let run = |arguments: &[&str]| ostiary(&firewall.socket(), arguments);
    let is = |action: &'static str| move |record: &Value| record["action"] == action;
    wait_for_record(folder, "a host", is("channel-up"));

    for (tag, text) in SAID {
        say(folder, tag, text);
    }
    let may_set_clock = set_clock();
    run(&["set", "rule[rest].action", "deny"]).done();
    run(&["discard"]).done();
    run(&["rescue", "save"]).done();
    run(&["set", "rule[rest].action", "deny"]).done();
    run(&["commit", "--confirm", "10m"]).done();
    run(&["confirm"]).done();
    run(&["set", "rule[rest].action", "permit"]).done();
    run(&["commit", "--confirm", "10m"]).done();
    run(&["cancel"]).done();
    run(&["rescue", "load"]).done();
    run(&["set", "rule[rest].action", "sometimes"]).done();
    run(&["commit"]).refused();
    run(&["discard"]).done();
    run(&["reset", "statistics", "log", "--yes"]).done();
    run(&["set", "rule[rest].action", "deny"]).done();
    run(&["commit", "--at", "+1h"]).done();
    run(&["cancel"]).done();
    run(&["discard"]).done();
    run(&["reload"]).done();
    run(&["show", "sessions"]).done();
    ask_as_nobody(&firewall.socket());
    ask(&firewall.socket(), r#"{"do":"session","via":"netconf","origin":"192.0.2.1:4003"}"#);
    ask(&firewall.socket(), r#"{"do":"subscribe","stream":"audit"}"#);
    for action in ["audit-checkpoint", "clock-refused", "password-changed", "subscription-end"] {
        wait_for_record(folder, action, is(action));
    }
    if may_set_clock {
        let step = wait_for_record(folder, "the clock", is("clock-changed"));
        assert_eq!(step["cause"], "operator", "{step}");
        say(folder, "chronyd", "System clock was stepped by 0.000001 seconds");
        set_clock();
        wait_for_record(folder, "the clock, by a program", |record| record["cause"] == "ntp");
    }
    // The oldest archive is deleted by the second rotation, with what is in it.
    let mut all = records(folder);
    for serial in [1, 2] {
        say_failure(folder, "rotate", "192.0.2.9");
        wait_for_record(folder, "the rotation", |record| {
            record["action"] == "audit-rotated" && record["serial"] == serial
        });
        all.extend(records(folder));
    }
    say_failure(folder, "rotate", "192.0.2.9");
    rsyslog.stop();
    for action in [
        "response-limited",
        "response-failed",
        "channel-down",
        "channel-failed",
        "audit-upload-failed",
        "audit-deleted",
    ] {
        let is_there = || all.iter().chain(&records(folder)).any(is(action)).then_some(());
        wait_for(action, is_there);
    }
    all.extend(records(folder));
    firewall.kill();
    let firewall = Firewall::start_again(folder);
    wait_for_record(folder, "the start after a crash", is("audit-recovered"));
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    all.extend(records(folder));
    let seen: BTreeSet<&str> = all.iter().filter_map(|record| record["action"].as_str()).collect();

    let output = program::run(["records", "--audit"]);
    let page = String::from_utf8(output.stdout).unwrap();
    let page_of_checkout = fs::read_to_string(program::root().join("control/audit.md")).unwrap();
    assert_eq!(page, page_of_checkout, "control/audit.md is what the program prints");
    let mut elsewhere = ELSEWHERE.to_vec();
    if !may_set_clock {
        elsewhere.push(CLOCK);
    }
    for (event, file, name) in elsewhere.iter().chain([&CLOCK]) {
        let text = fs::read_to_string(program::root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(&format!("fn {name}()")), "{file} has no test {name}, which is to see {event}");
    }
    let is_covered = |event: &str| seen.contains(event) || elsewhere.iter().any(|(other, ..)| *other == event);
    let events = table(&page, "Events");
    assert!(events.len() > 50, "{}", events.len());
    let unseen: Vec<&str> = events.iter().map(|row| row[0].as_str()).filter(|event| !is_covered(event)).collect();
    assert!(unseen.is_empty(), "nobody saw {unseen:?}");
    for row in table(&page, "Requirements") {
        let (requirement, events) = (row[0].as_str(), row[2].as_str());
        let is_answered = events.split(", ").any(is_covered);
        assert!(is_answered || OTHER_CLASSES.contains(&requirement), "nothing answers {requirement}");
    }
}
