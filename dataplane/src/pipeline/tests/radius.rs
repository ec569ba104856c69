//! RADIUS as it crosses the firewall: who is shown to whom, what control learns, and what is not believed.

use std::sync::Arc;
use std::time::Duration;

use super::firewall::{Connection, Firewall, outbound, policy, rule};
use crate::access::{AccessEvent, AccessKind, AccessSettings, Source, Text};
use crate::command::Command;
use crate::policy::{Action, RuleSource};
use crate::verdict::DropReason;
use crate::wire::build::{Packet, Shim, udp};
use crate::wire::tcp::{ACK, SYN};

const NAS: &str = "10.0.0.1:40000";
const SERVER: &str = "192.0.2.1:1812";

/// RADIUS is looked for at these ports, whoever speaks it.
pub(super) fn settings(ports: &[u16]) -> AccessSettings {
    AccessSettings {
        sources: vec![Source::Radius],
        ports: ports.to_vec(),
        believes_unknown: true,
        seed: 1,
        ..AccessSettings::default()
    }
}

fn firewall(rules: Vec<RuleSource>) -> Firewall {
    Firewall::with(rules).watching(settings(&[1812]))
}

fn message(code: u8, id: u8, attributes: &[u8]) -> Vec<u8> {
    [&[code, id, 0, 20 + attributes.len() as u8][..], &[id; 16], attributes].concat()
}

fn asks(id: u8, name: &[u8]) -> Packet {
    let attributes = [&[1, name.len() as u8 + 2], name].concat();
    udp(NAS.parse().unwrap(), SERVER.parse().unwrap(), &message(1, id, &attributes))
}

fn accepts(id: u8) -> Packet {
    udp(SERVER.parse().unwrap(), NAS.parse().unwrap(), &message(2, id, &[]))
}

/// An accounting message of that status.
fn accounts(id: u8, status: u8) -> Packet {
    let attributes = [40, 6, 0, 0, 0, status, 44, 3, b's'];
    udp(NAS.parse().unwrap(), SERVER.parse().unwrap(), &message(4, id, &attributes))
}

/// What happened, and to whom.
fn told(firewall: &mut Firewall) -> Vec<(AccessKind, String)> {
    let name = |event: &AccessEvent| String::from_utf8_lossy(event.texts.get(Text::User)).into_owned();
    firewall.access_events().iter().map(|event| (event.kind, name(event))).collect()
}

const LET_IN: AccessKind = AccessKind::Result { success: true };

#[test]
fn an_answer_tells_who_was_let_in_and_where() {
    for shims in [vec![], vec![Shim::Tag(0x8100, 7)], vec![Shim::Tag(0x88a8, 7), Shim::Tag(0x8100, 9)]] {
        let mut firewall = firewall(vec![outbound()]);
        firewall.out(&asks(1, b"alice").within(&shims)).passes();
        firewall.back(&accepts(1).within(&shims)).passes();
        let events = firewall.access_events();
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((event.kind, event.texts.get(Text::User)), (LET_IN, &b"alice"[..]));
        assert_eq!((event.ports, event.header.sequence()), ((0, 1), 1));
        let vlans = [(0, 0), (7, 0), (7, 9)][shims.len()];
        assert_eq!((event.svlan, event.cvlan), vlans);
        firewall.moved(&[
            ("packets_received", 2),
            ("packets_forwarded", 2),
            ("sessions_opened", 1),
            ("sessions_active", 1),
            ("table_entries", 1),
            ("session_events", 1),
            ("radius_requests", 1),
            ("radius_answers", 1),
            ("access_events", 1),
        ]);
    }
}

#[test]
fn what_the_policy_drops_or_nobody_asked_for_is_not_believed() {
    let mut denying = firewall(vec![rule(Action::Deny)]);
    denying.out(&accounts(1, 1)).drops(DropReason::Policy);
    assert_eq!(told(&mut denying), []);
    let mut firewall = firewall(vec![outbound()]);
    firewall.out(&asks(1, b"bob")).passes();
    firewall.back(&accepts(2)).passes();
    firewall.out(&udp(NAS.parse().unwrap(), SERVER.parse().unwrap(), &[1, 2, 3])).passes();
    assert_eq!(told(&mut firewall), []);
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
        ("radius_requests", 1),
        ("radius_unmatched", 1),
        ("access_malformed", 1),
    ]);
}

#[test]
fn a_flow_that_goes_on_is_shown_whole_and_others_are_not() {
    let mut firewall = firewall(vec![outbound()]);
    for id in 0..50 {
        firewall.out(&asks(id, b"carol")).passes();
        firewall.back(&accepts(id)).passes();
    }
    assert_eq!(told(&mut firewall), vec![(LET_IN, "carol".to_owned()); 50]);
    let other = |packet: Packet, port: u16| {
        let mut packet = packet;
        packet.transport[2..4].copy_from_slice(&port.to_be_bytes());
        udp(NAS.parse().unwrap(), format!("192.0.2.1:{port}").parse().unwrap(), &packet.transport[8..])
    };
    firewall.out(&other(accounts(1, 1), 1814)).passes();
    assert_eq!(told(&mut firewall), []);
}

#[test]
fn in_fragments_it_is_read_whole() {
    let mut firewall = firewall(vec![outbound()]);
    let mut attributes = vec![40, 6, 0, 0, 0, 1, 1, 255];
    attributes.extend([b'n'; 253]);
    let mut octets = message(4, 1, &[]);
    octets.extend(&attributes);
    let length = octets.len() as u16;
    octets[2..4].copy_from_slice(&length.to_be_bytes());
    let whole = udp(NAS.parse().unwrap(), SERVER.parse().unwrap(), &octets);
    let piece = |from: usize, to: usize, more| {
        let mut packet = whole.clone();
        packet.transport = whole.transport[from..to].to_vec();
        packet.fragment(7, more, from as u16)
    };
    let (first, last) = (piece(0, 48, true), piece(48, whole.transport.len(), false));
    firewall.out(&last).waits();
    firewall.out(&first).releases(&[&first, &last]);
    assert_eq!(told(&mut firewall), [(AccessKind::Login { more: false }, "n".repeat(253))]);
}

#[test]
fn a_full_queue_loses_the_latest_and_says_how_many() {
    let mut firewall = firewall(vec![outbound()]);
    for id in 0..70 {
        firewall.out(&accounts(id, 1)).passes();
    }
    assert_eq!(firewall.events.access_waiting(), 64);
    assert_eq!((firewall.events.lost().access, firewall.events.lost().sign_on), (6, 0));
    let counters = firewall.pipeline.counters().read();
    let count = |name| counters.iter().find(|(other, _)| *other == name).unwrap().1;
    assert_eq!((count("access_events"), count("access_events_lost")), (64, 6));
    let sequences: Vec<_> = firewall.access_events().iter().map(|event| event.header.sequence()).collect();
    assert_eq!(sequences, (1..=64).collect::<Vec<_>>());
    firewall.out(&accounts(100, 1)).passes();
    assert_eq!(firewall.access_events()[0].header.sequence(), 71);
}

#[test]
fn silence_is_told_by_the_clock() {
    let mut firewall = firewall(vec![outbound()]);
    for _ in 0..4 {
        firewall.out(&asks(1, b"dave")).passes();
        firewall.now = firewall.now + Duration::from_secs(5);
    }
    assert_eq!(told(&mut firewall), []);
    firewall.now = firewall.now + Duration::from_secs(15);
    for _ in 0..64 {
        firewall.pipeline.turn(firewall.now);
    }
    assert_eq!(told(&mut firewall), [(AccessKind::Result { success: false }, "dave".into())]);
}

#[test]
fn what_is_looked_for_from_now_on_is_seen_in_flows_that_are_open() {
    let mut firewall = Firewall::with(vec![outbound()]);
    firewall.pipeline = firewall.pipeline.watching(Arc::default());
    firewall.out(&asks(1, b"erin")).passes();
    firewall.back(&accepts(1)).passes();
    let (retired, _) = crossbeam::channel::bounded(1);
    let settings = Arc::new(settings(&[1812]));
    firewall.pipeline.command(firewall.now, Command::Access { settings, retired });
    firewall.commit(policy(vec![outbound()]));
    firewall.out(&asks(2, b"erin")).passes();
    firewall.back(&accepts(2)).passes();
    assert_eq!(told(&mut firewall), [(LET_IN, "erin".into())]);
}

/// The mark of a watched flow is also that of a connection seen from its first SYN.
#[test]
fn a_connection_to_a_watched_port_is_not_shown() {
    let mut firewall = firewall(vec![outbound()]);
    let mut connection = Connection::new(NAS, SERVER);
    firewall.out(&connection.client(SYN, &[])).passes();
    firewall.back(&connection.server(SYN | ACK, &[])).passes();
    firewall.out(&connection.client(ACK, &message(4, 1, &[40, 6, 0, 0, 0, 1]))).passes();
    assert_eq!(told(&mut firewall), []);
    assert!(firewall.pipeline.counters().read().iter().all(|(name, value)| !name.starts_with("radius") || *value == 0));
}
