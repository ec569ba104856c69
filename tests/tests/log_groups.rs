//! Log hosts of a running firewall that stand for each other.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{skip, stories};
use serde_json::Value;

/// A firewall that plays a day of sign-ons at its start.
fn policy(folder: &Path) -> (Policy, usize) {
    let mut story = catalogue::find("wechat_legacy_day").unwrap().tell(3);
    story.compress(Duration::from_millis(1));
    let capture = stories::write(&story, Layout::PLAIN, folder, "story.pcap");
    let nothing = Story { begins: 0, frames: Vec::new(), expected: Default::default() };
    let empty = stories::write(&nothing, Layout::PLAIN, folder, "empty.pcap");
    let device = |number, from: &Path| {
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", from.display(), folder.join(format!("out{number}")).display())
    };
    let mut policy = Policy::new(device(0, &capture), device(1, &empty))
        .rule("all", "action = \"permit\"\nsession-logging = true\n");
    policy.full = true;
    (policy, story.frames.len())
}

fn row(firewall: &Firewall, host: &str) -> Value {
    firewall.show("log-hosts").into_iter().find(|row| row["name"] == host).unwrap()
}

fn is(firewall: &Firewall, host: &str, role: &str) -> bool {
    let row = row(firewall, host);
    row["group"] == "noc" && row["role"] == role
}

/// A counter of a log host, over its classes.
fn sum(firewall: &Firewall, host: &str, key: &str) -> u64 {
    let statistics = firewall.statistics();
    let host = statistics["hosts"].as_array().unwrap().iter().find(|row| row["name"] == host).unwrap();
    host["classes"].as_array().unwrap().iter().map(|class| class[key].as_u64().unwrap()).sum()
}

fn seen_all(firewall: &Firewall, frames: usize) {
    wait_for("the firewall to see every frame", || {
        (firewall.counter("packets_received") == frames as u64).then_some(())
    });
}

fn numbers(rsyslog: &Rsyslog) -> BTreeSet<u64> {
    rsyslog.records().iter().map(|record| record["seq"].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn records_go_to_the_second_until_the_first_is_back() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let certificates = Certificates::make(folders[0].path());
    let mut first = Rsyslog::start(folders[1].path(), &certificates);
    let mut second = Rsyslog::start(folders[2].path(), &certificates);
    first.stop();
    let (mut policy, frames) = policy(folders[0].path());
    for (name, port) in [("first", first.tcp), ("second", second.tcp)] {
        policy = policy.host(name, port, "transport = \"tcp\"\nformat = \"syslog\"\n");
    }
    policy.rest += "[[log-group]]\nname = \"noc\"\nmode = \"failover\"\nhosts = [\"first\", \"second\"]\n";
    policy.rest += "return-after = \"1 s\"\n";
    let firewall = Firewall::start(folders[0].path(), &policy);
    seen_all(&firewall, frames);
    wait_for("the second to have everything", || {
        let made = sum(&firewall, "second", "acknowledged");
        let waits = sum(&firewall, "first", "queued") + sum(&firewall, "second", "queued");
        (is(&firewall, "second", "active") && is(&firewall, "first", "standby") && waits == 0 && made > 0).then_some(())
    });
    let made = sum(&firewall, "second", "acknowledged");
    assert_eq!(sum(&firewall, "first", "records"), sum(&firewall, "first", "handed-over"));
    first.resume();
    wait_for("the first to be preferred again", || is(&firewall, "first", "active").then_some(()));
    assert!(is(&firewall, "second", "standby"));
    // The end makes a record of each session that is still open.
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    first.stop();
    second.stop();
    let (mut all, one) = (numbers(&second), numbers(&first));
    // That the first is back is recorded while the second is still active.
    let last = all.len() as u64;
    assert!(last >= made, "{last} of {made}");
    assert_eq!(all, (1..=last).collect());
    assert!(one.iter().all(|number| *number > last), "what came after the return, and nothing else: {one:?}");
    assert!(!one.is_empty(), "the end of sessions, and of the run");
    all.extend(one);
    assert_eq!(all, (1..=all.len() as u64).collect());
}

#[test]
fn hosts_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let (mut policy, frames) = policy(folder.path());
    for (name, socket) in ["first", "second"].into_iter().zip(&sockets) {
        policy = policy.host(name, socket.local_addr().unwrap().port(), "format = \"binary\"\n");
    }
    policy.rest += "[[log-group]]\nname = \"noc\"\nmode = \"round-robin\"\nhosts = [\"first\", \"second\"]\n";
    let firewall = Firewall::start(folder.path(), &policy);
    seen_all(&firewall, frames);
    wait_for("all to be sent", || {
        let waits = sum(&firewall, "first", "queued") + sum(&firewall, "second", "queued");
        (waits == 0 && sum(&firewall, "second", "acknowledged") > 0).then_some(())
    });
    let (one, two) = (sum(&firewall, "first", "records"), sum(&firewall, "second", "records"));
    assert!(one.abs_diff(two) <= 16 && two > 16, "{one} and {two}");
    assert!(is(&firewall, "first", "active") && is(&firewall, "second", "active"));
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    for socket in &sockets {
        socket.set_nonblocking(true).unwrap();
        let mut message = [0; 2_048];
        let (octets, _) = socket.recv_from(&mut message).unwrap();
        assert_eq!((&message[..2], octets > 16), (&[0, 10][..], true), "an IPFIX message");
    }
}
