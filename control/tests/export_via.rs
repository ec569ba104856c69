//! The way to a log host: names that are looked up aside, source address, interface, namespace and DSCP.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::io::Read as _;
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use control::export::{Format, HostConfig, Patience, Target, Transport, Via, namespace_path};
use control::record::Class;
use export_lab::{Bed, Collector, Namespace, Program, Rig, Way, free_port, have, host, login, loopback, wait};

fn tcp(name: &str, port: u16) -> HostConfig {
    host(name, loopback(port), Transport::Tcp, Format::Syslog)
}

fn push(rig: &mut Rig, records: u64) {
    (1..=records).for_each(|sequence| rig.push(&login(sequence, "10001")));
}

#[test]
fn a_host_may_have_a_name() {
    let collector = Collector::listen(loopback(0), true);
    let target = Target::Name { name: "localhost".into(), port: collector.address.port() };
    let mut rig = Rig::new(vec![HostConfig { target, ..tcp("named", 1) }]);
    push(&mut rig, 10);
    // Where it has an IPv6 address too, that one has its turn, and nobody listens there.
    rig.until_sent("named");
    assert_eq!(rig.status("named").target, format!("localhost:{}", collector.address.port()));
    drop(rig);
    assert_eq!(export_lab::messages(&collector.end().concat()).len(), 10);
}

#[test]
fn a_name_server_that_does_not_answer_holds_up_nobody() {
    let Some(namespace) = Namespace::new() else { return };
    // What goes to the name server goes round to where nobody has its address.
    namespace.run("ip route add default dev lo");
    let collector = Collector::listen(loopback(0), true);
    let patience = Patience { setup: Duration::from_secs(1), ..Patience::default() };
    let via = Via { namespace: Some(namespace.path()), ..Via::default() };
    let target = Target::Name { name: "collector.example.net".into(), port: 514 };
    let named = HostConfig { target, via, patience, ..tcp("named", 1) };
    let mut rig = Rig::new(vec![named, tcp("well", collector.address.port())]);
    push(&mut rig, 1_000);
    rig.until_sent("well");
    rig.until("the look-up to fail", |rig| rig.noticed("named", "cannot look up collector.example.net") > 0);
    assert_eq!(rig.counts("named", Class::Im).queued, 1_000);
}

#[test]
fn a_host_sees_the_source_address_and_the_interface_is_bound_to() {
    let listener = TcpListener::bind(loopback(0)).unwrap();
    let source: IpAddr = "127.0.0.9".parse().unwrap();
    let via = Via { source: Some(source), interface: Some("lo".into()), ..Via::default() };
    // So patient that only the kernel's own word, asked by interface, tells that records arrived.
    let patience = Patience { user_timeout: Duration::from_secs(600), ..Patience::default() };
    let port = listener.local_addr().unwrap().port();
    let mut rig = Rig::new(vec![HostConfig { via, patience, ..tcp("siem", port) }]);
    push(&mut rig, 10);
    rig.until_sent("siem");
    let (mut stream, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip(), source);
    drop(rig);
    let mut octets = Vec::new();
    let _ = stream.read_to_end(&mut octets);
    assert_eq!(export_lab::messages(&octets).len(), 10);
}

#[test]
fn packets_carry_the_codepoint_and_leave_from_the_namespace() {
    if !have(&["rsyslogd", "ip", "nft"]) {
        return;
    }
    let Some(mut bed) = Bed::new(Program::Rsyslog, Way::Tcp) else { return };
    let count = |name: &str| {
        let rules = bed.namespace.command(Path::new("nft")).args(["list", "chain", "inet", "marks", "seen"]).output();
        let rules = String::from_utf8(rules.unwrap().stdout).unwrap();
        let rule = rules.lines().find(|line| line.contains(name)).unwrap().to_owned();
        rule.split_whitespace().skip_while(|word| *word != "packets").nth(1).unwrap().parse::<u64>().unwrap()
    };
    let rule =
        |of: &str| bed.namespace.run(&format!("nft add rule inet marks seen tcp dport {} {of} counter", Bed::PORT));
    bed.namespace.run("nft add table inet marks");
    bed.namespace.run("nft add chain inet marks seen { type filter hook input priority 0 ; }");
    rule("ip dscp af21");
    rule("ip dscp != af21");
    let mut config = bed.host("siem");
    config.via.dscp = Some(18);
    let mut rig = Rig::new(vec![config]);
    push(&mut rig, 10);
    rig.until_sent("siem");
    // The first packet too.
    assert!(count("ip dscp af21") > 2);
    assert_eq!(count("ip dscp != af21"), 0);
    wait("rsyslog to write", || bed.tally().len() == 10);
}

#[test]
fn a_way_that_is_not_there_is_said() {
    let ways = [
        (Via { interface: Some("nosuch0".into()), ..Via::default() }, "cannot bind to interface nosuch0"),
        (Via { namespace: Some(namespace_path("nosuch")), ..Via::default() }, "/run/netns/nosuch"),
        (Via { source: Some("192.0.2.77".parse().unwrap()), ..Via::default() }, "cannot send from 192.0.2.77"),
    ];
    for (via, words) in ways {
        let mut rig = Rig::new(vec![HostConfig { via, ..tcp("siem", free_port()) }]);
        rig.until(words, |rig| rig.noticed("siem", words) > 1);
    }
    let target = Target::Name { name: "no-such-host.invalid".into(), port: 514 };
    let mut rig = Rig::new(vec![HostConfig { target, ..tcp("siem", 1) }]);
    rig.until("the look-up to fail", |rig| rig.noticed("siem", "cannot look up no-such-host.invalid") > 0);
}
