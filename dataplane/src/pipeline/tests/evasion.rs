//! What is meant to show the engine something else than the receiver gets.

use sigdb::Sighting;

use super::applications::{app, framed, naming, set_up, sightings, signatures};
use super::firewall::{Connection, Firewall, INSIDE, outbound, policy, rule, settings};
use crate::command::Retired;
use crate::guard::{Protection, Screen};
use crate::pipeline::{Frame, Settings};
use crate::policy::Action;
use crate::verdict::DropReason;
use crate::wire::build::{Packet, udp};
use crate::wire::tcp::{ACK, RST, SYN, URG};

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
    firewall.back(&tcp.server(ACK, b"0 server of nobody\r\n")).passes();
    firewall.out(&tcp.tcp(0, ACK, b"0 client of nobody\r\n").packet()).passes();
    assert_eq!(firewall.pipeline.counters().value(crate::counters::Counter::AppidGaveUp), 1);
    firewall.out(&tcp.tcp(0, ACK, &framed(0x0828)).packet()).drops(DropReason::TcpOverlap);
    tcp.client(ACK, b"0 client of nobody\r\n");
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

/// Spoils a packet's transport checksum.
fn spoiled(mut packet: Packet) -> Packet {
    let at = if packet.protocol == crate::wire::protocol::TCP { 16 } else { 6 };
    packet.transport[at] ^= 0x5a;
    packet
}

#[test]
fn what_its_receiver_would_not_take_is_not_shown() {
    for (client, server) in [("10.0.0.1:4000", "192.0.2.8:8000"), ("[2001:db8::1]:4000", "[2001:db8:f::1]:8000")] {
        let mut firewall = set_up(policy(vec![naming(Action::Permit, &["qq"])]));
        let mut tcp = Connection::new(client, server);
        firewall.out(&tcp.client(SYN, &[])).passes();
        firewall.back(&tcp.server(SYN | ACK, &[])).passes();
        let login = framed(0x0828);
        firewall.out(&spoiled(tcp.tcp(0, ACK, &[0xee; 40]).packet())).drops(DropReason::BadTransportChecksum);
        // Nor does a reset with a wrong checksum end anything.
        firewall.out(&spoiled(tcp.tcp(0, RST, &[]).packet())).drops(DropReason::BadTransportChecksum);
        firewall.out(&tcp.client(ACK, &login[..9])).passes();
        let mut short_lived = tcp.tcp(0, ACK, &[0xee; 40]).packet();
        short_lived.hop_limit = 5;
        firewall.out(&short_lived).drops(DropReason::TtlAnomaly);
        firewall.out(&tcp.client(ACK, &login[9..])).passes();
        firewall.back(&tcp.server(ACK, &login)).passes();
        assert!(sightings(&mut firewall).contains(&(Sighting::Login, true)));
        // UDP likewise; without a checksum it is not asked.
        let mut asked = udp("10.0.0.1:4001".parse().unwrap(), "192.0.2.8:8000".parse().unwrap(), b"hello");
        firewall.out(&spoiled(asked.clone())).drops(DropReason::BadTransportChecksum);
        asked.transport[6..8].fill(0);
        firewall.out(&asked).passes();
    }
}

#[test]
fn checksums_of_what_nobody_looks_into_are_nobodys_business() {
    let mut firewall = Firewall::with(vec![outbound()]);
    firewall.out(&spoiled(udp("10.0.0.1:1".parse().unwrap(), "192.0.2.8:2".parse().unwrap(), b"x"))).passes();
    let settings = Settings { verify_checksums: false, ..settings() };
    let mut replay = Firewall::set_up(settings, policy(vec![naming(Action::Permit, &["qq"])]), signatures());
    replay.out(&spoiled(udp("10.0.0.1:1".parse().unwrap(), "192.0.2.8:2".parse().unwrap(), b"x"))).passes();
}

#[test]
fn an_urgent_pointer_is_taken_off() {
    let mut firewall = without_qq();
    let tcp = open(&mut firewall);
    let mut frame = tcp.tcp(0, ACK | URG, b"urgent").packet().frame();
    frame[14 + 20 + 19] = 3;
    // The pointer was not in the sum.
    let sum = crate::wire::checksum::replace(u16::from_be_bytes([frame[50], frame[51]]), 0, 3);
    frame[50..52].copy_from_slice(&sum.to_be_bytes());
    let length = frame.len() as u32;
    let mut verdicts = Default::default();
    let mut frames = [Frame::new(INSIDE, &mut frame, length)];
    firewall.pipeline.process(firewall.now, &mut frames, &mut verdicts);
    assert!(frames[0].edited);
    assert_eq!(frame, tcp.tcp(0, ACK, b"urgent").packet().frame());
    assert_eq!(firewall.pipeline.counters().value(crate::counters::Counter::UrgentCleared), 1);
}

#[test]
fn a_flow_ends_on_the_database_that_it_began_on() {
    let mut firewall = set_up(policy(vec![naming(Action::Permit, &["qq"])]));
    let mut tcp = open(&mut firewall);
    let login = framed(0x0828);
    firewall.out(&tcp.client(ACK, &login[..9])).passes();
    let (retired, old) = crossbeam::channel::bounded(1);
    let rules = policy(vec![naming(Action::Permit, &["qq"]), rule(Action::Permit)]);
    let newer = std::sync::Arc::new(sigdb::Database::default().with_generation(sigdb::Generation(1)));
    let command = crate::command::Command::Policy {
        policy: std::sync::Arc::new(crate::policy::Policy::compile(rules)),
        database: Some(newer),
        retired,
    };
    firewall.pipeline.command(firewall.now, command);
    firewall.wait(std::time::Duration::from_secs(1));
    assert_eq!(firewall.pipeline.inspector.in_use().0, 1);
    firewall.out(&tcp.client(ACK, &login[9..])).passes();
    firewall.back(&tcp.server(ACK, &login)).passes();
    let events = firewall.sign_ons();
    assert!(events.iter().any(|event| event.sign_on.sighting == Sighting::Login));
    assert!(events.iter().all(|event| event.sign_on.database == sigdb::Generation(0)));
    // Control takes the policy out of the channel, so that the database finds room when its last flow ends.
    firewall.out(&tcp.client(RST, &[])).passes();
    firewall.wait(std::time::Duration::from_secs(1));
    assert!(matches!(old.try_recv(), Ok(Retired::Policy(_))));
    firewall.wait(std::time::Duration::from_secs(1));
    assert!(matches!(old.try_recv(), Ok(Retired::Database(old)) if old.generation() == sigdb::Generation(0)));
}
