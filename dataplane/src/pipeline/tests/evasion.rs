//! What is meant to show the engine something else than the receiver gets.

use sigdb::Sighting;

use super::applications::{app, framed, naming, set_up, sightings, signatures};
use super::firewall::{Connection, Firewall, policy, rule, settings};
use crate::guard::{Protection, Screen};
use crate::pipeline::Settings;
use crate::policy::Action;
use crate::verdict::DropReason;
use crate::wire::tcp::{ACK, SYN};

/// QQ is denied, everything else permitted.
fn without_qq() -> Firewall {
    set_up(policy(vec![naming(Action::Deny, &["qq"]), rule(Action::Permit)]))
}

fn open(firewall: &mut Firewall) -> Connection {
    let mut tcp = Connection::new("10.0.0.1:4000", "192.0.2.8:8000");
    firewall.out(&tcp.client(SYN, &[])).passes();
    firewall.back(&tcp.server(SYN | ACK, &[])).passes();
    firewall.out(&tcp.client(ACK, &[])).passes();
    tcp
}

#[test]
fn what_contradicts_octets_that_nobody_acknowledged_is_dropped() {
    let mut firewall = without_qq();
    let mut tcp = open(&mut firewall);
    // Something harmless that never arrives, and in its place a login.
    let harmless = b"SSH-2.0-harmless, and nobody looks at it further".to_vec();
    firewall.out(&tcp.tcp(0, ACK, &harmless).packet()).passes();
    firewall.out(&tcp.tcp(0, ACK, &framed(0x0828)).packet()).drops(DropReason::TcpOverlap);
    firewall.out(&tcp.tcp(0, ACK, &harmless).packet()).passes();
    // What its receiver has, nothing changes any more.
    tcp.client(ACK, &harmless);
    firewall.back(&tcp.server(ACK, &[])).passes();
    let mut late = tcp.tcp(0, ACK, &framed(0x0828));
    late.sequence = late.sequence.wrapping_sub(harmless.len() as u32);
    firewall.out(&late.packet()).passes();
    assert!(sightings(&mut firewall).is_empty());
    assert_eq!(firewall.pipeline.counters().drops(DropReason::TcpOverlap), 1);
}

#[test]
fn contradictions_pass_where_they_may_and_the_first_octets_count() {
    let mut protection = Protection::default();
    protection.screens.set(Screen::TcpOverlap, false);
    let rules = vec![naming(Action::Permit, &["qq"])];
    let mut firewall = Firewall::set_up(Settings { protection, ..settings() }, policy(rules), signatures());
    let mut tcp = open(&mut firewall);
    let login = framed(0x0828);
    firewall.out(&tcp.tcp(0, ACK, &login[..20]).packet()).passes();
    firewall.out(&tcp.tcp(0, ACK, &[0xee; 20]).packet()).passes();
    firewall.out(&tcp.client(ACK, &login)).passes();
    firewall.back(&tcp.server(ACK, &login)).passes();
    assert!(sightings(&mut firewall).contains(&(Sighting::Login, true)));
}

#[test]
fn a_flow_is_watched_until_what_named_it_has_arrived() {
    // It fits nothing on either side: given up at once, but what it was given up for is not there yet.
    let mut firewall = without_qq();
    let mut tcp = open(&mut firewall);
    firewall.back(&tcp.server(ACK, b"SSH-2.0-server\r\n")).passes();
    firewall.out(&tcp.tcp(0, ACK, b"SSH-2.0-client\r\n").packet()).passes();
    assert_eq!(firewall.pipeline.counters().value(crate::counters::Counter::AppidGaveUp), 1);
    firewall.out(&tcp.tcp(0, ACK, &framed(0x0828)).packet()).drops(DropReason::TcpOverlap);
    tcp.client(ACK, b"SSH-2.0-client\r\n");
    firewall.back(&tcp.server(ACK, &[])).passes();
    assert_eq!(firewall.pipeline.inspector.in_use(), (0, 0));
}

#[test]
fn data_with_a_syn_are_seen() {
    let mut firewall = without_qq();
    let tcp = Connection::new("10.0.0.1:4000", "192.0.2.8:8000");
    firewall.out(&tcp.tcp(0, SYN, &framed(0x0828)).packet()).drops(DropReason::Policy);

    // Harmless data with it, and other data with the segment that takes their place.
    let mut firewall = without_qq();
    let mut tcp = Connection::new("10.0.0.1:4000", "192.0.2.8:8000");
    firewall.out(&tcp.tcp(0, SYN, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").packet()).passes();
    tcp.client(SYN, &[]);
    firewall.back(&tcp.server(SYN | ACK, &[])).passes();
    firewall.out(&tcp.tcp(0, ACK, &framed(0x0828)).packet()).drops(DropReason::TcpOverlap);

    // Or with another connection between the same ports, whose SYN was not answered.
    let mut firewall = without_qq();
    let mut tcp = Connection::new("10.0.0.1:4000", "192.0.2.8:8000");
    firewall.out(&tcp.tcp(0, SYN, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").packet()).passes();
    tcp.next[0] += 77_777;
    firewall.out(&tcp.client(SYN, &[])).passes();
    firewall.back(&tcp.server(SYN | ACK, &[])).passes();
    firewall.out(&tcp.client(ACK, &framed(0x0828))).drops(DropReason::Policy);
}

#[test]
fn data_with_syns_do_not_take_the_last_slots() {
    let rules = vec![naming(Action::Permit, &["qq"])];
    let mut firewall = Firewall::set_up(Settings { inspection_slots: 8, ..settings() }, policy(rules), signatures());
    let syn = |port: u16, payload: &[u8]| {
        Connection::new(&format!("10.0.0.1:{port}"), "192.0.2.8:8000").tcp(0, SYN, payload).packet()
    };
    for port in 1..=7 {
        firewall.out(&syn(port, b"?")).passes();
    }
    firewall.out(&syn(8, b"?")).drops(DropReason::SynFlood);
    firewall.out(&syn(8, b"")).passes();
    assert_eq!(firewall.pipeline.inspector.in_use().0, 7);
}

#[test]
fn a_syn_within_a_connection_moves_nothing() {
    let mut firewall = set_up(policy(vec![naming(Action::Permit, &["qq"])]));
    let mut tcp = open(&mut firewall);
    let login = framed(0x0828);
    firewall.out(&tcp.client(ACK, &login[..9])).passes();
    let mut forged = tcp.tcp(0, SYN, &[]);
    forged.sequence = 4_000_000_000;
    firewall.out(&forged.packet()).passes();
    firewall.out(&tcp.client(ACK, &login[9..])).passes();
    firewall.back(&tcp.server(ACK, &login)).passes();
    assert!(sightings(&mut firewall).contains(&(Sighting::Login, true)));
    assert!(firewall.session_events().iter().any(|event| event.application == app("qq")));
}
