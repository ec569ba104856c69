//! Access users who sign on by PPPoE and 802.1X across a wire, untagged, in a VLAN and in QinQ.

use std::sync::Arc;

use super::firewall::{Firewall, INSIDE, OUTSIDE, outbound};
use crate::access::{AccessEvent, AccessKind, AccessSettings, Source, Text};
use crate::endpoint::Mac;
use crate::policy::PortId;
use crate::verdict::DropReason;
use crate::wire::build::{CLIENT_MAC, SERVER_MAC, Shim, udp};

const VLAN: [Shim; 1] = [Shim::Tag(0x8100, 100)];
const QINQ: [Shim; 2] = [Shim::Tag(0x88a8, 100), Shim::Tag(0x8100, 10)];
const ACCEPTED: AccessKind = AccessKind::Result { success: true };
const LOGIN: AccessKind = AccessKind::Login { more: false };

fn watching() -> Firewall {
    let mut firewall = Firewall::with(vec![outbound()]);
    let sources = vec![Source::Pppoe, Source::Dot1x];
    let settings = AccessSettings { sources, seed: 7, ..AccessSettings::default() };
    firewall.pipeline = firewall.pipeline.watching(Arc::new(settings));
    firewall
}

/// A frame that came in by a port, padded as Ethernet does.
fn frame(port: PortId, tags: &[Shim], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let (from, to) = if port == INSIDE { (CLIENT_MAC, SERVER_MAC) } else { (SERVER_MAC, CLIENT_MAC) };
    let mut octets = [to, from].concat();
    for tag in tags {
        if let Shim::Tag(ether_type, id) = tag {
            octets.extend([ether_type.to_be_bytes(), id.to_be_bytes()].concat());
        }
    }
    octets.extend(ether_type.to_be_bytes());
    octets.extend(payload);
    octets.resize(octets.len().max(60), 0);
    octets
}

/// The frames of a session up to its user's sign-on: by which port, EtherType, payload.
fn dial(id: u8) -> Vec<(PortId, u16, Vec<u8>)> {
    let discovery = |port, code, id| (port, 0x8863, vec![0x11, code, 0, id, 0, 0]);
    let session = |port, protocol: u16, packet: &[u8]| {
        let header = [0x11, 0, 0, id, 0, packet.len() as u8 + 2];
        (port, 0x8864, [&header[..], &protocol.to_be_bytes(), packet].concat())
    };
    vec![
        discovery(INSIDE, 0x19, 0),
        discovery(OUTSIDE, 0x65, id),
        session(INSIDE, 0xc023, b"\x01\x01\0\x0c\x05alice\x01x"),
        session(OUTSIDE, 0xc023, b"\x02\x01\0\x05\0"),
        session(OUTSIDE, 0x8021, &[1, 1, 0, 10, 3, 6, 10, 9, 0, 1]),
        session(INSIDE, 0x8021, &[2, 1, 0, 10, 3, 6, 10, 9, 0, 1]),
        session(INSIDE, 0x8021, &[1, 2, 0, 10, 3, 6, 10, 9, 0, 10]),
        session(OUTSIDE, 0x8021, &[2, 2, 0, 10, 3, 6, 10, 9, 0, 10]),
    ]
}

fn send(firewall: &mut Firewall, tags: &[Shim], frames: &[(PortId, u16, Vec<u8>)]) {
    for (port, ether_type, payload) in frames {
        firewall.send_bytes(*port, &frame(*port, tags, *ether_type, payload)).passes();
    }
}

fn events(firewall: &mut Firewall) -> Vec<AccessEvent> {
    firewall.pipeline.turn(firewall.now);
    std::iter::from_fn(|| firewall.events.access()).collect()
}

#[test]
fn pppoe_is_followed_in_every_kind_of_tag() {
    for (tags, vlans) in [(&[][..], (0, 0)), (&VLAN, (100, 0)), (&QINQ, (100, 10))] {
        let mut firewall = watching();
        send(&mut firewall, tags, &dial(17));
        let told = events(&mut firewall);
        assert_eq!(told.iter().map(|event| event.kind).collect::<Vec<_>>(), [ACCEPTED, LOGIN]);
        for event in &told {
            assert_eq!((event.svlan, event.cvlan, event.ports), (vlans.0, vlans.1, (INSIDE.0, OUTSIDE.0)));
            assert_eq!((event.texts.get(Text::User), event.mac), (&b"alice"[..], Some(Mac(CLIENT_MAC))));
        }
        assert_eq!(told[1].ipv4, Some([10, 9, 0, 10]));
        // What the user sends is judged and passes as before.
        let packet = udp("10.9.0.10:5000".parse().unwrap(), "192.0.2.1:5000".parse().unwrap(), b"abc");
        firewall.out(&packet.within(&[tags, &[Shim::Pppoe(17)]].concat())).passes();
        send(&mut firewall, tags, &[(OUTSIDE, 0x8863, vec![0x11, 0xa7, 0, 17, 0, 0])]);
        let told = events(&mut firewall);
        assert_eq!((told.len(), told[0].kind, told[0].ports), (1, AccessKind::Logout, (INSIDE.0, OUTSIDE.0)));
        firewall.moved(&[
            ("packets_received", 10),
            ("packets_forwarded", 10),
            ("passed_non_ip", 9),
            ("pppoe_control", 9),
            ("access_events", 3),
            ("sessions_opened", 1),
            ("sessions_active", 1),
            ("table_entries", 1),
            ("session_events", 1),
        ]);
    }
}

#[test]
fn the_same_number_in_another_vlan_is_another_session() {
    let mut firewall = watching();
    send(&mut firewall, &VLAN, &dial(17));
    send(&mut firewall, &QINQ, &dial(17));
    send(&mut firewall, &QINQ, &[(INSIDE, 0x8863, vec![0x11, 0xa7, 0, 17, 0, 0])]);
    let told = events(&mut firewall);
    let [_, first, _, second, end] = &told[..] else { panic!("{told:?}") };
    assert_eq!((first.kind, second.kind, end.kind), (LOGIN, LOGIN, AccessKind::Logout));
    assert!(first.session != second.session && second.session == end.session);
}

#[test]
fn a_supplicant_is_followed_behind_a_tag() {
    for (tags, vlan) in [(&[][..], 0), (&VLAN, 100)] {
        let mut firewall = watching();
        let frames = [
            (INSIDE, 0x888e, vec![2, 1, 0, 0]),
            (OUTSIDE, 0x888e, vec![2, 0, 0, 5, 1, 1, 0, 5, 1]),
            (INSIDE, 0x888e, b"\x02\0\0\x0a\x02\x01\0\x0a\x01alice".to_vec()),
            (OUTSIDE, 0x888e, vec![2, 0, 0, 4, 3, 1, 0, 4]),
            (OUTSIDE, 0x888e, vec![2, 0, 0, 4, 3, 1, 0, 4]),
            (INSIDE, 0x888e, vec![2, 2, 0, 0]),
        ];
        send(&mut firewall, tags, &frames);
        let told = events(&mut firewall);
        let seen: Vec<_> = told.iter().map(|event| (event.kind, event.svlan, event.ports)).collect();
        let ports = (INSIDE.0, OUTSIDE.0);
        assert_eq!(seen, [(ACCEPTED, vlan, ports), (AccessKind::Logout, vlan, ports)]);
        assert!(told.iter().all(|event| event.texts.get(Text::User) == b"alice"));
        firewall.moved(&[
            ("packets_received", 6),
            ("packets_forwarded", 6),
            ("passed_non_ip", 6),
            ("eapol_frames", 6),
            ("access_events", 2),
        ]);
    }
}

#[test]
fn what_is_dropped_or_cut_off_is_not_believed() {
    let mut firewall = watching();
    let deep = [QINQ[0], QINQ[1], Shim::Tag(0x8100, 1)];
    for (port, ether_type, payload) in dial(17) {
        firewall.send_bytes(port, &frame(port, &deep, ether_type, &payload)).drops(DropReason::TooManyTags);
    }
    let count = dial(17).len() as i64;
    firewall.moved(&[("packets_received", count), ("drop_too_many_tags", count)]);
    for (port, ether_type, payload) in dial(17) {
        let whole = frame(port, &QINQ, ether_type, &payload);
        for length in 22..22 + payload.len() {
            firewall.send_bytes(port, &whole[..length]).passes();
        }
    }
    assert!(events(&mut firewall).is_empty());
    assert!(
        firewall.pipeline.counters().read().into_iter().any(|(name, count)| name == "access_malformed" && count > 0)
    );
}

#[test]
fn without_settings_nothing_is_followed() {
    let mut firewall = Firewall::with(vec![]);
    send(&mut firewall, &[], &dial(17));
    assert!(events(&mut firewall).is_empty());
    let count = dial(17).len() as i64;
    firewall.moved(&[("packets_received", count), ("packets_forwarded", count), ("passed_non_ip", count)]);
}
