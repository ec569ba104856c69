//! The firewall as a RADIUS accounting server: FreeRADIUS's radclient tells it of users, and waits for its answers.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use ostiary_tests::access;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{free_port, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;
use serde_json::Value;

const SECRET: &str = "s3cret";
const ALICE: &str = "User-Name = \"alice@isp\", NAS-Identifier = \"bras1\", NAS-Port-Id = \"eth 1/0:101\", Acct-Session-Id = \"00a7\", \
                     Framed-IP-Address = 10.99.0.10, Calling-Station-Id = \"02-00-00-00-c0-01\", Proxy-State = 0x766961";

/// What radclient does with one request: it sends it three times at most, and fails where nobody answers.
fn radclient(port: u16, secret: &str, attributes: &str) -> Output {
    radclient_with(port, "acct", secret, attributes)
}

fn radclient_with(port: u16, kind: &str, secret: &str, attributes: &str) -> Output {
    let mut command = Command::new("radclient");
    command.args(["-x", "-t", "1", "-r", "3", &format!("127.0.0.1:{port}"), kind, secret]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(attributes.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn is_answered(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // It verifies the authenticator, and drops what is not right.
    assert!(said.contains("Received Accounting-Response"), "{said}");
    assert!(said.contains("Proxy-State = 0x766961"), "{said}");
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

#[test]
fn access_servers_account_to_the_firewall_itself() {
    if !skip::has_programs(&["radclient", "rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rsyslog = Rsyslog::start(folder.path(), &Certificates::make(folder.path()));
    let secret = folder.path().join("bras1");
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let port = free_port();
    let mut policy = Policy::new("net_null0", "net_null1").rule("all", "action = \"permit\"\n").host(
        "siem",
        rsyslog.udp,
        "transport = \"udp\"\nformat = \"syslog\"\nrecords = [\"access\", \"call-status\"]\n",
    );
    policy.rest += &format!(
        "[log.access]\nenable = true\ntype = \"syslog\"\n[access.receiver]\nlisten = \"127.0.0.1:{port}\"\n\
         [[access.nas]]\nname = \"bras1\"\naddress = [\"127.0.0.1\"]\nsecret-file = \"{}\"\n",
        secret.display()
    );
    let firewall = Firewall::start(folder.path(), &policy);

    let start = format!("Acct-Status-Type = Start, {ALICE}\n");
    is_answered(&radclient(port, SECRET, &start));
    // Again, with another authenticator: it is answered, and the user is signed on already.
    is_answered(&radclient(port, SECRET, &format!("Acct-Delay-Time = 3, {start}")));
    // Who does not know the secret gets no answer, and signs nobody off.
    let stop =
        format!("Acct-Status-Type = Stop, Acct-Terminate-Cause = User-Request, Acct-Session-Time = 60, {ALICE}\n");
    let forged = radclient(port, "wrong", &stop);
    assert!(!forged.status.success(), "{}", String::from_utf8_lossy(&forged.stdout));
    is_answered(&radclient(port, SECRET, &stop));
    // Whether it is there (RFC 5997) it says to those who know the secret.
    let status = "Message-Authenticator = 0x00, Proxy-State = 0x766961, Response-Packet-Type = Accounting-Response\n";
    is_answered(&radclient_with(port, "status", SECRET, status));
    assert!(!radclient_with(port, "status", "wrong", status).status.success());
    // It lets nobody in: that is for another server.
    let access = "User-Name = \"alice@isp\", User-Password = \"wonder\", Response-Packet-Type = Access-Accept\n";
    assert!(!radclient_with(port, "auth", SECRET, access).status.success());

    let statistics = access::show(&firewall, &["access", "statistics"]).remove(0);
    let receiver = &statistics["receiver"];
    let counts =
        ["requests", "status", "answers", "unsent", "unknown", "refused"].map(|key| receiver[key].as_u64().unwrap());
    // Whoever gets no answer asks again, three times in all; who asks again late is answered again.
    assert_eq!(
        (counts[0] + receiver["repeated"].as_u64().unwrap() + counts[1], &counts[3..]),
        (counts[2], &[0; 3][..]),
        "{receiver}"
    );
    assert!(counts[0] == 3 && counts[1] >= 1 && receiver["forged"] == 6 && receiver["malformed"] == 3, "{receiver}");
    assert_eq!(receiver["listen"], format!("127.0.0.1:{port}"));
    let said = access::said(&firewall, &["access", "statistics"]);
    assert!(said.contains("RECEIVER") && said.contains(&format!("127.0.0.1:{port}")), "{said}");
    // Begun again, they are 0.
    assert!(access::ask(&firewall, &["reset", "statistics", "access", "--yes"]).status.success());
    let receiver = access::show(&firewall, &["access", "statistics"]).remove(0)["receiver"].clone();
    assert_eq!(["requests", "answers", "forged"].map(|key| receiver[key].as_u64().unwrap()), [0; 3], "{receiver}");
    wait_for("two records", || (rsyslog.records().len() >= 2).then_some(()));
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();

    let records = rsyslog.records();
    let actions: Vec<_> = records.iter().map(|record| (text(record, "action"), text(record, "reason"))).collect();
    assert_eq!(actions, [("login", "message"), ("logout", "user-request")], "{records:#?}");
    for record in &records {
        assert_eq!((text(record, "application"), text(record, "class")), ("radius", "access"));
        assert_eq!((text(record, "account"), text(record, "user")), ("alice@isp", "alice@isp"));
        assert_eq!((text(record, "ipv4"), text(record, "mac")), ("10.99.0.10", "02:00:00:00:c0:01"));
        assert_eq!((text(record, "nas-id"), text(record, "nas-port-id")), ("bras1", "eth 1/0:101"));
        assert_eq!((text(record, "trust"), text(record, "session-id")), ("verified", "00a7"));
    }
}
