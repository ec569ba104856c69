//! Who may do what by NETCONF, with users who log in by key.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::Path;
use std::process::Command;

use ostiary_tests::firewall::Firewall;
use ostiary_tests::netconf::{Session, data, leaf, succeed, tool};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::program;
use ostiary_tests::sshd::{Sshd, USER};
use serde_json::Value;

/// The records of the trail.
fn records(folder: &Path) -> Vec<Value> {
    let trail = folder.join("audit");
    let words = ["audit", "export", "--directory"].map(std::ffi::OsStr::new);
    let output = program::run(words.into_iter().chain([trail.as_os_str()]));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn b06_monitor_may_listen_and_not_edit() {
    let Some(python) = tool("python") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut policy = Policy::new("net_null0", "net_null1").rule("all", "action = \"deny\"\n");
    policy.im = false;
    policy.system = format!("state-directory = \"{}\"\n", folder.path().join("state").display());
    // The group of the test's user, and one that nobody is in.
    let (_, user, _) = USER;
    policy.rest = format!("[management.roles]\nread-only = [{user}]\nadministrator = [71004]\n");
    policy.audit = format!("syslog-socket = \"{}\"\n", folder.path().join("log").display());
    let firewall = Firewall::start(folder.path(), &policy);
    let Some(sshd) = Sshd::start_heard(folder.path(), &firewall.socket(), &folder.path().join("log")) else { return };

    let mut root = Session::open(&mut sshd.ssh("root", "rsa"));
    let sessions = "<get><filter><netconf-state xmlns='urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring'><sessions/>\
                    </netconf-state></filter></get>";
    let listed = root.ask(sessions);
    let session = leaf(&listed, "session-id").unwrap();
    assert_eq!(
        (leaf(&listed, "source-host"), leaf(&listed, "username")),
        (Some("127.0.0.1"), Some("root")),
        "{listed}"
    );
    let mut command = Command::new(python);
    command.arg(data("ncclient_monitor.py")).args(["127.0.0.1", &sshd.port().to_string(), USER.0]);
    succeed(command.arg(sshd.key("ed25519")).arg(session));
    // Root's session was not ended, and may edit.
    assert!(root.ask("<lock><target><candidate/></target></lock>").contains("<ok/>"));

    let denied = wait_for("what was denied to be told", || {
        let all = records(folder.path());
        let denied: Vec<Value> = all.into_iter().filter(|record| record["action"] == "access-denied").collect();
        (denied.len() == 13).then_some(denied)
    });
    for record in &denied {
        assert_eq!((&record["uid"], &record["role"]), (&USER.1.into(), &"read-only".into()), "{record}");
        assert_eq!(record["outcome"], "failure", "{record}");
    }
    for request in ["do edit", "do load", "do check", "do lock", "do commit", "do kill-session", "do subscribe"] {
        assert!(denied.iter().any(|record| record["request"] == request), "{request}: {denied:?}");
    }
    // In its session, and from where sshd says that it came.
    let edit = denied.iter().find(|record| record["request"] == "do edit").unwrap();
    assert!(edit["session"].is_u64() && edit["via"] == "netconf", "{edit}");
    assert!(edit["origin"].as_str().unwrap().starts_with("127.0.0.1:"), "{edit}");
    let started = records(folder.path()).into_iter().filter(|record| record["action"] == "netconf-session-start");
    for record in started {
        assert!(record["claims"].is_null() && record["origin"].is_string(), "{record}");
    }
}
