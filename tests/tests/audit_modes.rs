//! What is kept here and what goes to log hosts: event and stream mode, connections for a record only, and nothing in clear.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{program, qq, skip};
use rustix::process::Signal;
use serde_json::Value;

/// Sessions to port 9 are logged, and messengers; nothing else that hosts say by themselves.
fn policy(audit: &str) -> Policy {
    let only = |service: &str, more: &str| format!("service = [\"{service}\"]\naction = \"permit\"\n{more}");
    let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
        .rule("discard", &only("udp/9", "session-logging = true\n"))
        .rule("chat", &only("udp/8000", "application = [\"qq\"]\nsession-logging = true\n"));
    policy.full = true;
    policy.audit = audit.to_owned();
    policy.rest += "[[audit.file]]\nname = \"all\"\nselect = [\"any/debug\"]\n";
    policy
}

/// Opens sessions, and waits until the firewall has seen them all.
fn open_sessions(lab: &Lab, firewall: &Firewall, count: u64) {
    let before = firewall.counter("sessions_opened");
    inside(&lab.client, || {
        for _ in 0..count {
            let socket = UdpSocket::bind((CLIENT, 0)).unwrap();
            // Nobody listens there.
            let _ = socket.send_to(b"hello", (SERVER, 9));
        }
    });
    wait_for("the sessions", || (firewall.counter("sessions_opened") >= before + count).then_some(()));
}

/// What a file of the trail has: lines as they are, and those that are records.
fn stored(folder: &Path, file: &str) -> Vec<Value> {
    let trail = folder.join("audit");
    let output = program::run(["audit", "export", "--file", file, "--directory", trail.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Numbers of records, in JSON or as rsyslog has them.
fn numbers<'a>(records: impl Iterator<Item = &'a Value>) -> BTreeSet<u64> {
    let number = |record: &Value| match &record["seq"] {
        Value::String(text) => text.parse().unwrap(),
        number => number.as_u64().unwrap(),
    };
    records.map(number).collect()
}

fn is_session(record: &Value) -> bool {
    record["event"] == "session"
}

/// Runs with a day's traffic, and gives what the trail's file of all records has, and what rsyslog has.
fn run(audit: &str) -> Option<(Vec<Value>, Vec<Value>, Vec<Value>)> {
    let lab = Lab::build()?;
    if !skip::has_programs(&["rsyslogd"]) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let host = "transport = \"tcp\"\nformat = \"syslog\"";
    let policy = policy(audit).host("siem", rsyslog.tcp, host);
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    open_sessions(&lab, &firewall, 50);
    qq::sign_on_and_off(&lab);
    firewall.wait_until_sent();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();
    Some((stored(folder.path(), "all"), stored(folder.path(), "audit"), rsyslog.records()))
}

#[test]
fn b09_event_mode_both_have_the_same_numbers() {
    let Some((all, trail, sent)) = run("mode = \"event\"\n") else { return };
    let (here, there) = (numbers(all.iter()), numbers(sent.iter()));
    assert_eq!(here, there);
    assert_eq!(here, (1..=here.len() as u64).collect(), "no gap");
    assert!(all.iter().filter(|record| is_session(record)).count() >= 100, "begin and end of each session");
    let audit = sent.iter().filter(|record| record["event"] == "audit");
    assert_eq!(numbers(trail.iter()), numbers(audit), "the trail's own file has its class, and nothing else");
}

#[test]
fn b10_stream_mode_forwards_sessions_only() {
    let Some((all, trail, sent)) = run("mode = \"stream\"\n") else { return };
    assert!(!all.iter().any(is_session), "sessions go to hosts only");
    assert!(sent.iter().filter(|record| is_session(record)).count() >= 100);
    let others = sent.iter().filter(|record| !is_session(record));
    assert_eq!(numbers(all.iter()), numbers(others), "everything else is on both sides");
    let kinds: BTreeSet<&str> = all.iter().filter_map(|record| record["event"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["audit", "signon"]));
    assert!(!trail.is_empty());
}

/// Sockets of the firewall's namespace to a port, in whatever state, as `ss` has them.
fn sockets(lab: &Lab, port: u16) -> Vec<String> {
    let output = lab.firewall("ss").args(["-Htan", "dst", &format!("127.0.0.1:{port}")]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn state(firewall: &Firewall, host: &str) -> Value {
    firewall.show("log-hosts").into_iter().find(|row| row["name"] == host).unwrap()["state"].clone()
}

#[test]
fn b11_no_socket_before_the_first_event() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["rsyslogd", "ss"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let records = "format = \"syslog\"\nrecords = [\"session\"]";
    let tls = format!("transport = \"tls\"\nssl-policy = \"collector\"\nconnect = \"on-event\"\n{records}");
    let policy = policy("").tls(&certificates).host("event", rsyslog.tls, &tls).host(
        "keep",
        rsyslog.tcp,
        &format!("transport = \"tcp\"\n{records}"),
    );
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    wait_for("the host that is kept", || (state(&firewall, "keep") == "up").then_some(()));
    assert!(sockets(&lab, rsyslog.tcp).iter().any(|line| line.starts_with("ESTAB")));
    assert_eq!(state(&firewall, "event"), "idle");
    assert_eq!(sockets(&lab, rsyslog.tls), [""; 0]);
    open_sessions(&lab, &firewall, 1);
    wait_for("the other host", || (state(&firewall, "event") == "up").then_some(()));
    assert!(sockets(&lab, rsyslog.tls).iter().any(|line| line.starts_with("ESTAB")));
    firewall.wait_until_sent();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();
    let records = rsyslog.records();
    let of = |input: &str| numbers(records.iter().filter(|record| record["input"] == input));
    assert_eq!(of("imtcp"), of("imptcp"), "both have all");
    assert_eq!(of("imtcp").len(), 2, "begin and end of a session");
}

/// How many frames of a capture hold to a filter of tshark.
fn frames(capture: &Path, port: u16, filter: &str) -> usize {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(capture).args(["-d", &format!("tcp.port=={port},tls"), "-Y", filter]);
    let output = tshark.stdin(Stdio::null()).output().unwrap();
    // A capture that was cut short at its end is read all the same.
    String::from_utf8(output.stdout).unwrap().lines().count()
}

#[test]
fn b20_nothing_in_clear_on_the_wire() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["rsyslogd", "tcpdump", "tshark"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let capture = folder.path().join("wire.pcap");
    let log = folder.path().join("tcpdump.log");
    let mut tcpdump = lab.firewall("tcpdump");
    // On any: the loopback goes down in between.
    tcpdump.args(["-i", "any", "-U", "-B", "16384", "-s", "0", "-Z", "root", "-w"]).arg(&capture);
    tcpdump.args(["tcp", "port", &rsyslog.tls.to_string(), "or", "port", &rsyslog.tcp.to_string()]);
    let mut tcpdump = Running::start(tcpdump.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()));
    wait_for("tcpdump to listen", || std::fs::read_to_string(&log).unwrap().contains("listening").then_some(()));
    let tls = "transport = \"tls\"\nssl-policy = \"collector\"\nformat = \"syslog\"";
    let policy = policy("")
        .tls(&certificates)
        .host("siem", rsyslog.tls, tls)
        // What the capture would show, were it not for TLS.
        .host("clear", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"");
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    let account = qq::sign_on_and_off(&lab);
    firewall.wait_until_sent();
    let link = |state: &str| assert!(lab.firewall("ip").args(["link", "set", "lo", state]).status().unwrap().success());
    // A short cut, which TCP outlives, and one that ends the connection.
    for is_long in [false, true] {
        let sent = |key: &str| {
            let hosts = firewall.statistics()["hosts"].clone();
            let siem = hosts.as_array().unwrap().iter().find(|host| host["name"] == "siem").unwrap().clone();
            siem["classes"].as_array().unwrap().iter().map(|class| class[key].as_u64().unwrap()).sum::<u64>()
        };
        link("down");
        qq::sign_on_and_off(&lab);
        wait_for("records to wait", || (sent("queued") > 0).then_some(()));
        if is_long {
            wait_for("the host to be given up", || (state(&firewall, "siem") != "up").then_some(()));
        }
        link("up");
        firewall.wait_until_sent();
    }
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();
    tcpdump.signal(Signal::INT);
    wait_for("tcpdump to write", || tcpdump.ended());
    let (tls, tcp) = (rsyslog.tls, rsyslog.tcp);
    let over_tls = rsyslog.records().into_iter().filter(|record| record["input"] == "imtcp").collect::<Vec<_>>();
    let sign_ons = over_tls.iter().filter(|record| record["account"] == account.as_str()).count();
    assert!(sign_ons >= 6, "three logins and logouts came: {sign_ons}");
    assert!(frames(&capture, tls, &format!("tcp.port == {tls} && tls.app_data")) > 0);
    for word in ["AUDIT_START", "SYSTEM_START", "CHANNEL_UP", "IM_LOGIN", "ostiary@32473", "fw1 ostiary", &account] {
        let holds = |port: u16| frames(&capture, tls, &format!("tcp.port == {port} && frame contains \"{word}\""));
        assert_eq!(holds(tls), 0, "{word}");
        assert!(holds(tcp) > 0, "{word}: the capture shows what is in clear");
    }
}
