//! NETCONF through a real sshd, by clients that are not ours: ncclient, netconf-console2, and plain `ssh -s`.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ostiary_tests::firewall::Firewall;
use ostiary_tests::netconf::{data, succeed, tool};
use ostiary_tests::policy::Policy;
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
    succeed(command.arg(sshd.key("ed25519")));
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
