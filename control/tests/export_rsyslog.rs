//! Records at a real rsyslog, over UDP, TCP in both framings, and TLS with certificates good and bad.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::fs;

use control::export::{Format, Framing, HostConfig, TlsPolicy, TlsVersion, Transport};
use control::record::{Class, Record};
use export_lab::{Pki, Rig, Rsyslog, have, host, login, loopback, one_of_each, parameter, wait};
use serde_json::Value;

fn sd(line: &Value, name: &str) -> Option<String> {
    parameter(line["sd"].as_str().unwrap(), name)
}

/// Sends one record of each kind and checks what rsyslog made of each.
fn deliver(config: HostConfig, collector: &Rsyslog) -> Rig {
    let mut rig = Rig::new(vec![config]);
    let records = one_of_each();
    records.iter().for_each(|record| rig.push(record));
    rig.until_sent("siem");
    wait("rsyslog to write", || collector.lines().len() >= records.len());
    let lines = collector.lines();
    assert_eq!(lines.len(), records.len());
    records.iter().zip(&lines).for_each(|(record, line)| agrees(record, line));
    let logout = &lines[7];
    assert_eq!((sd(logout, "account"), sd(logout, "online").as_deref()), (None, Some("61.005")));
    assert_eq!(sd(logout, "server").as_deref(), Some("[2001:db8::2]:443"));
    assert_eq!(sd(&lines[9], "account").as_deref(), Some("a\"b\\c]d␊企鹅"));
    let outside = ["nat-source-address", "nat-source-port"].map(|name| sd(&lines[11], name));
    assert_eq!(outside, [Some("198.51.100.10".into()), Some("40123".into())]);
    let close = &lines[2];
    assert_eq!(sd(close, "to-client-octets").as_deref(), Some("6000"));
    assert_eq!(sd(close, "start").as_deref(), Some("2026-03-01T08:15:20.000125Z"));
    rig
}

fn agrees(record: &Record, line: &Value) {
    const IDS: [&str; 12] = [
        "SESSION_CREATE",
        "SESSION_CREATE",
        "SESSION_CLOSE",
        "SESSION_CLOSE",
        "SESSION_DENY",
        "SESSION_DENY",
        "IM_LOGIN",
        "IM_LOGOUT",
        "IM_RESULT",
        "IM_SEEN",
        "SESSION_CREATE",
        "SESSION_CLOSE",
    ];
    assert_eq!(line["id"], IDS[record.sequence as usize - 1]);
    assert_eq!(line["host"], "fw1");
    assert_eq!(line["app"], "ostiary");
    assert_eq!(line["pid"], std::process::id().to_string());
    assert_eq!(line["time"], "2026-03-01T08:15:30.000125Z");
    assert_eq!(sd(line, "sequenceId"), Some(record.sequence.to_string()));
    assert_eq!(sd(line, "seq"), Some(record.sequence.to_string()));
    assert_eq!(sd(line, "rule").as_deref(), Some("staff-im"));
    assert!(line["msg"].as_str().unwrap().is_ascii());
}

#[test]
fn over_udp() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let collector = Rsyslog::udp();
    deliver(host("siem", loopback(collector.port), Transport::Udp, Format::Syslog), &collector);
}

#[test]
fn over_tcp_with_octet_counting() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let collector = Rsyslog::tcp();
    deliver(host("siem", loopback(collector.port), Transport::Tcp, Format::Syslog), &collector);
}

#[test]
fn over_tcp_with_line_feeds() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let collector = Rsyslog::tcp();
    let config = host("siem", loopback(collector.port), Transport::Tcp, Format::Syslog);
    deliver(HostConfig { framing: Framing::Lf, ..config }, &collector);
}

#[test]
fn over_relp_and_relp_tls_with_a_clean_end() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let pki = Pki::new();
    let beds =
        [(Rsyslog::relp(), Transport::Relp), (Rsyslog::relp_tls(&pki, "server"), Transport::RelpTls(pki.policy()))];
    for (mut collector, transport) in beds {
        let mut rig = deliver(host("siem", loopback(collector.port), transport, Format::Syslog), &collector);
        assert_eq!(rig.counts("siem", Class::Im).acknowledged, 4);
        let left = rig.exporters.drain(std::time::Instant::now() + std::time::Duration::from_secs(20));
        assert!(left.is_empty());
        let own = collector.terminate();
        assert!(!own.contains("error"), "{own}");
    }
}

#[test]
fn over_tls_with_a_client_certificate_and_a_clean_end() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let pki = Pki::new();
    let cases = [(TlsVersion::V1_3, "TLSv1_3", None), (TlsVersion::V1_2, "TLSv1_2", Some("collector.test".to_owned()))];
    for (version, said, server_name) in cases {
        let mut collector = Rsyslog::tls(&pki, "server");
        // Without a name, the certificate is checked against the address.
        let policy = TlsPolicy { versions: (version, version), server_name, ..pki.policy() };
        let mut rig =
            deliver(host("siem", loopback(collector.port), Transport::Tls(policy), Format::Syslog), &collector);
        assert_eq!(rig.noticed("siem", said), 1, "{:?}", rig.notices);
        let left = rig.exporters.drain(std::time::Instant::now() + std::time::Duration::from_secs(20));
        assert!(left.is_empty());
        assert_eq!(collector.lines().len(), 12);
        let own = collector.terminate();
        // -110: the TLS connection was not properly terminated.
        assert!(!own.contains("-110") && !own.contains("error"), "{own}");
    }
}

/// A policy that must fail with that reason, again and again, until `mend` makes its files right.
fn refused_until_mended(collector: &Rsyslog, policy: TlsPolicy, reason: &str, mend: impl FnOnce()) {
    let before = collector.lines().len();
    let mut rig = Rig::new(vec![host("siem", loopback(collector.port), Transport::Tls(policy), Format::Syslog)]);
    rig.push(&login(1, "10001"));
    rig.until(reason, |rig| rig.noticed("siem", reason) >= 2);
    assert!(rig.status("siem").last_error.is_some_and(|error| error.contains(reason)), "{:?}", rig.notices);
    assert_eq!(collector.lines().len(), before, "nothing went to a host that was refused");
    mend();
    rig.until_sent("siem");
    wait("rsyslog to write", || collector.lines().len() > before);
    assert_eq!(rig.counts("siem", Class::Im).dropped(), 0);
}

#[test]
fn bad_certificates_are_refused_with_the_reason_and_tried_again() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let pki = Pki::new();
    let collector = Rsyslog::tls(&pki, "server");
    let copy = |from: &str, to: &str| {
        fs::copy(pki.path(from), pki.path(to)).unwrap();
    };

    copy("other-ca.pem", "a.pem");
    let policy = TlsPolicy { ca: pki.path("a.pem"), crl: Vec::new(), ..pki.policy() };
    refused_until_mended(&collector, policy, "signed by no authority", || copy("ca.pem", "a.pem"));

    copy("revoked.crl", "a.crl");
    let policy = TlsPolicy { crl: vec![pki.path("a.crl")], ..pki.policy() };
    refused_until_mended(&collector, policy, "it is revoked", || copy("good.crl", "a.crl"));

    fs::write(pki.path("b.pem"), "no PEM\n").unwrap();
    let policy = TlsPolicy { ca: pki.path("b.pem"), ..pki.policy() };
    refused_until_mended(&collector, policy, "holds no certificate", || copy("ca.pem", "b.pem"));

    let policy = TlsPolicy { client: Some((pki.path("c.pem"), pki.path("client.key"))), ..pki.policy() };
    refused_until_mended(&collector, policy, "c.pem", || copy("client.pem", "c.pem"));
}

#[test]
fn a_wrong_name_is_refused_with_the_reason() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let pki = Pki::new();
    let collector = Rsyslog::tls(&pki, "server");
    let policy = TlsPolicy { server_name: Some("other.test".into()), ..pki.policy() };
    let mut rig = Rig::new(vec![host("siem", loopback(collector.port), Transport::Tls(policy), Format::Syslog)]);
    rig.push(&login(1, "10001"));
    rig.until("the reason, twice", |rig| rig.noticed("siem", "it is for another name") >= 2);
    assert_eq!(rig.counts("siem", Class::Im).queued, 1);
    assert!(collector.lines().is_empty());
}

#[test]
fn an_expired_certificate_is_refused_until_the_host_renews_it() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let pki = Pki::new();
    let mut collector = Rsyslog::tls(&pki, "expired");
    let config = host("siem", loopback(collector.port), Transport::Tls(pki.policy()), Format::Syslog);
    let mut rig = Rig::new(vec![config]);
    rig.push(&login(1, "10001"));
    rig.until("the reason, twice", |rig| rig.noticed("siem", "it has expired") >= 2);
    collector.kill();
    fs::copy(pki.path("server.pem"), pki.path("expired.pem")).unwrap();
    fs::copy(pki.path("server.key"), pki.path("expired.key")).unwrap();
    collector.restart();
    rig.until_sent("siem");
    wait("rsyslog to write", || collector.lines().len() == 1);
}

#[test]
fn a_host_that_wants_a_client_certificate_says_so_and_nothing_is_lost() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let pki = Pki::new();
    let collector = Rsyslog::tls(&pki, "server");
    let policy = TlsPolicy { client: None, versions: (TlsVersion::V1_2, TlsVersion::V1_2), ..pki.policy() };
    let mut rig = Rig::new(vec![host("siem", loopback(collector.port), Transport::Tls(policy), Format::Syslog)]);
    rig.push(&login(1, "10001"));
    rig.until("two refusals", |rig| rig.notices.iter().filter(|n| n.text.contains("trying again")).count() >= 2);
    assert!(collector.lines().is_empty());
}

/// In TLS 1.3 the client's handshake is over before the host has judged its certificate: what was written until then goes
/// nowhere, though each write succeeded.
#[test]
fn records_written_before_the_host_refused_our_certificate_are_written_again() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let pki = Pki::new();
    let collector = Rsyslog::tls(&pki, "server");
    let copy = |from: &str| {
        fs::copy(pki.path(&format!("{from}.pem")), pki.path("a.pem")).unwrap();
        fs::copy(pki.path(&format!("{from}.key")), pki.path("a.key")).unwrap();
    };
    copy("stranger");
    let client = Some((pki.path("a.pem"), pki.path("a.key")));
    let policy = TlsPolicy { client, versions: (TlsVersion::V1_3, TlsVersion::V1_3), ..pki.policy() };
    let mut rig = Rig::new(vec![host("siem", loopback(collector.port), Transport::Tls(policy), Format::Syslog)]);
    rig.push(&login(1, "10001"));
    rig.until("two refusals", |rig| rig.notices.iter().filter(|n| n.text.contains("trying again")).count() >= 2);
    assert!(collector.lines().is_empty());
    copy("client");
    let before = rig.status("siem").reconnects;
    rig.until("the record", |rig| rig.status("siem").reconnects > before && collector.lines().len() == 1);
    assert!(rig.counts("siem", Class::Im).resent > 0);
}
