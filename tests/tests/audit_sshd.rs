//! A real sshd whose lines the firewall hears: what becomes of logins, failures and connections that come to nothing.
//!
//! Rows B4 and B19 of the audit functions. sshd and its clients run in a mount and network namespace of their own, where
//! `/dev/log` is the firewall's socket, the accounts are a test's, and port 830 is free.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::Path;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::consoles::{Consoles, can_run};
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip::has_programs;
use ostiary_tests::trail::{records, wait_for_record};
use serde_json::Value;

/// A firewall that hears the folder's socket, and sends the trail to rsyslog too.
fn firewall(folder: &Path, rsyslog: &Rsyslog, mode: &str) -> Firewall {
    let mut policy = Policy::new("net_null0", "net_null1").rule("rest", "action = \"permit\"\n");
    policy.im = false;
    policy.audit = format!("mode = \"{mode}\"\nsyslog-socket = \"{}\"\n", folder.join("log").display());
    let policy = policy.host("siem", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"\nrecords = [\"audit\"]\n");
    Firewall::start(folder, &policy)
}

/// `action user reason` of the records that are about SSH, in order.
fn told(records: &[Value]) -> Vec<String> {
    let of_ssh = |record: &&Value| record["service"] == "sshd";
    let said = |record: &Value| {
        let words = ["action", "user", "method", "what", "reason"].map(|name| record[name].as_str());
        words.into_iter().flatten().collect::<Vec<_>>().join(" | ")
    };
    records.iter().filter(of_ssh).map(said).collect()
}

fn logins(told: &[String]) -> Vec<&str> {
    told.iter().map(String::as_str).filter(|line| line.starts_with("log")).collect()
}

#[test]
fn b19_two_failures_a_login_and_a_logout_are_four_records_here_and_at_rsyslog() {
    if !can_run() {
        return;
    }
    for mode in ["event", "stream"] {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(folder.path());
        let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
        let firewall = firewall(folder.path(), &rsyslog, mode);
        let mut lab = Consoles::start(folder.path(), "");
        lab.password("mon", "wrong");
        lab.password("mon", "wrong");
        lab.password("mon", "right");
        wait_for_record(folder.path(), "the logout", |record| record["action"] == "logout");
        drop(lab);
        firewall.stop();
        rsyslog.stop();
        let expected = [
            "login-failed | mon | password | wrong password",
            "login-failed | mon | password | wrong password",
            "login | mon | password",
            "logout | mon | disconnected by user",
        ];
        let local = records(folder.path());
        assert_eq!(logins(&told(&local)), expected, "{mode}");
        let remote = told(&rsyslog.records());
        assert_eq!(logins(&remote), expected, "{mode}");
        let login = local.iter().find(|record| record["action"] == "login").unwrap();
        assert!(login["origin"].as_str().unwrap().starts_with("127.0.0.1:"), "{login}");
        assert_eq!((&login["via"], &login["outcome"]), (&"ssh".into(), &"success".into()), "{login}");
    }
}

/// Without sshd's own comings and goings.
fn of_clients(told: &[String]) -> Vec<&str> {
    let is_of_clients = |line: &&str| !line.starts_with("ssh-connect") && !line.starts_with("ssh-server");
    told.iter().map(String::as_str).filter(is_of_clients).collect()
}

#[test]
fn b04_each_kind_of_event_is_told_once_with_its_reason() {
    if !can_run() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let rsyslog = Rsyslog::start(folder.path(), &certificates);
    let firewall = firewall(folder.path(), &rsyslog, "event");
    let mut lab = Consoles::start(folder.path(), "MaxAuthTries 2\nAllowUsers mon locked stranger root\n");
    let place = folder.path().display().to_string();
    let key = |name: &str| format!("-o BatchMode=yes -i {place}/{name}");
    lab.password("stranger", "x");
    lab.password("locked", "x");
    lab.ssh("", &key("bad"), "mon@127.0.0.1 true");
    lab.ssh("", "-o BatchMode=yes -c aes128-cbc", "mon@127.0.0.1 true");
    lab.ssh("", &key("good"), "-s mon@127.0.0.1 netconf");
    lab.ssh("", &key("good"), "-s mon@127.0.0.1 nosuch");
    // One who tries too often.
    lab.ssh("", &format!("{} -i {place}/host", key("bad")), "mon@127.0.0.1 true");
    // One who says a name and goes, one who speaks another protocol.
    lab.run("exec 9<>/dev/tcp/127.0.0.1/830; printf 'SSH-2.0-x\\r\\n' >&9; head -c 4 <&9; exec 9<&-");
    lab.run("exec 9<>/dev/tcp/127.0.0.1/830; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&9; cat <&9; exec 9<&-");
    // One whose machine is gone in the middle of a session.
    lab.run(&format!(
        "ssh -F none -p 830 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes {} mon@127.0.0.1 \
         'echo there; sleep 60' > there & until grep -qs there there; do sleep 0.1; done; kill -9 $!; wait $!",
        key("good")
    ));
    wait_for_record(folder.path(), "the session that broke off", |record| {
        record["action"] == "logout" && record["reason"] != "disconnected by user"
    });
    drop(lab);
    wait_for_record(folder.path(), "the server's end", |record| {
        record["action"] == "ssh-server" && record["state"] == "ended"
    });
    firewall.stop();
    let told = told(&records(folder.path()));
    assert_eq!(
        of_clients(&told),
        [
            "login-failed | stranger | password | unknown user",
            "login-failed | locked | password | account is locked",
            "login-failed | mon | publickey | key not accepted",
            "ssh-negotiation-failed | no matching cipher found",
            "login | mon | publickey",
            "subsystem-start | mon | netconf",
            "session-end | mon | subsystem 'netconf'",
            "logout | mon | disconnected by user",
            "login | mon | publickey",
            "subsystem-start | mon | nosuch | subsystem not found",
            "logout | mon | connection closed",
            "login-failed | mon | publickey | key not accepted",
            "login-failed | mon | publickey | key not accepted",
            "login-threshold | mon | maximum authentication attempts exceeded",
            "ssh-disconnected | connection reset",
            "ssh-negotiation-failed | client sent invalid protocol identifier \"GET / HTTP/1.0\"",
            "login | mon | publickey",
            "session-start | mon | command",
            "session-end | mon | command",
            "logout | mon | connection closed",
        ]
    );
}

/// sshd ends a connection that takes too long to log in without a word (OpenSSH 9.2 as Debian has it).
#[test]
fn ssh_grace_without_a_line_is_told() {
    if !can_run() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let rsyslog = Rsyslog::start(folder.path(), &certificates);
    let firewall = firewall(folder.path(), &rsyslog, "event");
    let mut lab = Consoles::start(folder.path(), "LoginGraceTime 2\n");
    lab.run("exec 9<>/dev/tcp/127.0.0.1/830; printf 'SSH-2.0-x\\r\\n' >&9; cat <&9 > /dev/null; exec 9<&-");
    let grace =
        wait_for_record(folder.path(), "the connection that vanished", |record| record["reason"] == "login-grace");
    assert_eq!((&grace["action"], &grace["outcome"]), (&"ssh-disconnected".into(), &"failure".into()), "{grace}");
    assert!(grace["origin"].as_str().unwrap().starts_with("127.0.0.1:"), "{grace}");
    drop(lab);
    firewall.stop();
    let told = told(&records(folder.path()));
    assert_eq!(of_clients(&told), ["ssh-disconnected | login-grace"]);
}

/// `su` speaks as whoever calls it: only the system's own is believed, and the caller is whom the kernel names.
#[test]
fn su_is_told_with_its_caller_and_not_whoever_says_the_same() {
    if !can_run() || !has_programs(&["su", "setpriv", "logger"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let rsyslog = Rsyslog::start(folder.path(), &certificates);
    let firewall = firewall(folder.path(), &rsyslog, "event");
    let mut lab = Consoles::start(folder.path(), "");
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    let opened = "pam_unix(su:session): session opened for user root(uid=0) by nobody(uid=65534)";
    lab.run(&format!("{nobody} logger -t su '{opened}'"));
    lab.run(&format!("echo wrong | {nobody} su mon -c true"));
    lab.run(&format!("echo right | {nobody} su mon -c 'sleep 1'"));
    wait_for_record(folder.path(), "the end of su", |record| record["service"] == "su" && record["action"] == "logout");
    drop(lab);
    firewall.stop();
    let all = records(folder.path());
    let of_su = all.iter().filter(|record| record["service"] == "su");
    let told: Vec<String> = of_su
        .map(|record| {
            assert_eq!((&record["uid"], &record["via"]), (&65_534.into(), &"console".into()), "{record}");
            let words = ["action", "user", "as", "reason"].map(|name| record[name].as_str());
            words.into_iter().flatten().collect::<Vec<_>>().join(" | ")
        })
        .collect();
    assert_eq!(told, ["login-failed | nobody | mon | wrong password", "login | nobody | mon", "logout | nobody | mon"]);
}
