//! The mappings against a slow twin, and packets against such as were built anew.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use proptest::prelude::*;

use super::{End, Inside, Inward, Kind, Layout, Nat, Payload, PoolId, PoolSource, Refusal, Rewrite, Translation};
use crate::endpoint::{Address, Endpoint};
use crate::flow::Realm;
use crate::policy::{AddressRange, PortRange};
use crate::time::Nanos;
use crate::wire::build::{self, Packet, Tcp};
use crate::wire::checksum::Sum;

fn pool(addresses: u8, first: u16, last: u16, limit: Option<u16>, hold: u64) -> PoolSource {
    let range = AddressRange { first: Address::v4([198, 51, 100, 1]), last: Address::v4([198, 51, 100, addresses]) };
    PoolSource {
        addresses: vec![range],
        ports: PortRange { first, last },
        ports_per_host: limit.and_then(NonZeroU16::new),
        hold: Duration::from_secs(hold),
    }
}

/// What the twin knows of a mapping.
#[derive(Clone, Debug)]
struct Known {
    outside: Translation,
    /// Slots of its sessions.
    slots: BTreeSet<usize>,
    free_at: Option<Nanos>,
}

/// An inside endpoint, so that it can be a key.
type Key = (u8, u16, u8, u32);

#[derive(Clone, Debug)]
enum Step {
    Open { slot: usize, host: u8, port: u16, kind: u8, realm: u16 },
    End { slot: usize },
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..SLOTS, 0..4_u8, 0..12_u16, 0..3_u8, 0..2_u16)
            .prop_map(|(slot, host, port, kind, realm)| Step::Open { slot, host, port, kind, realm }),
        3 => (0..SLOTS).prop_map(|slot| Step::End { slot }),
        1 => (0..9_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

const SLOTS: usize = 24;
const HOLD: u64 = 10;

proptest! {
    /// Ports are given out, held and freed as by a twin that keeps everything in plain maps, and none is ever lost.
    #[test]
    fn no_port_is_leaked_shared_or_given_out_too_early(
        limit in prop::option::of(1..6_u16),
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let source = pool(2, 5000, 5006, limit, HOLD);
        let mut nat = Nat::new(std::slice::from_ref(&source), SLOTS);
        let mut twin: BTreeMap<Key, Known> = BTreeMap::new();
        let mut now = Nanos::from_parts(1_000, 0);
        for step in steps {
            match step {
                Step::Open { slot, host, port, kind, realm } if nat.binding(slot).is_none() => {
                    let kind = Kind::ALL[usize::from(kind)];
                    let realm = Realm::new(0, realm, 0);
                    let inside = Inside { address: [10, 0, 0, host], port, kind, pool: PoolId(0), realm };
                    let key = (host, port, kind as u8, u32::from(realm.svlan()));
                    let same_host = |other: &Key| other.0 == key.0 && other.3 == key.3;
                    let address = twin.iter().find(|(other, _)| same_host(other)).map(|(_, known)| known.outside.address);
                    let ports = twin.keys().filter(|other| same_host(other) && other.2 == key.2).count();
                    let taken = |address| {
                        let of_kind = twin.iter().filter(|(other, _)| other.2 == key.2);
                        of_kind.filter(|(_, known)| known.outside.address == address).count()
                    };
                    let addresses = [[198, 51, 100, 1], [198, 51, 100, 2]];
                    let full = addresses.map(|address| taken(address) == 7);
                    let bound = nat.bind(inside);
                    match (twin.get_mut(&key), bound) {
                        (Some(known), Ok(id)) => {
                            prop_assert_eq!(nat.outside(id), known.outside, "the same inside endpoint keeps its outside one");
                            known.free_at = None;
                            known.slots.insert(slot);
                            nat.attach(slot, id);
                        }
                        (Some(_), Err(refusal)) => prop_assert!(false, "{refusal:?} of what was there"),
                        (None, Err(Refusal::Limit)) => prop_assert!(limit.is_some_and(|limit| ports >= usize::from(limit))),
                        (None, Err(Refusal::Exhausted)) => {
                            // Of a new host one of two addresses is chosen, so that both may have been the same.
                            let of = |address| full[addresses.iter().position(|it| *it == address).unwrap()];
                            prop_assert!(address.map_or(full[0] || full[1], of));
                        }
                        (None, Ok(id)) => {
                            let outside = nat.outside(id);
                            prop_assert!(limit.is_none_or(|limit| ports < usize::from(limit)));
                            prop_assert!((5000..=5006).contains(&outside.port));
                            prop_assert!(address.is_none_or(|address| address == outside.address), "addresses are paired");
                            let used = twin.iter().any(|(other, known)| other.2 == key.2 && known.outside == outside);
                            prop_assert!(!used, "a port in use or held is nobody else's");
                            prop_assert_eq!(nat.inward(Some(kind), outside.endpoint()), Inward::To(id));
                            prop_assert_eq!(nat.inside(id), inside);
                            twin.insert(key, Known { outside, slots: BTreeSet::from([slot]), free_at: None });
                            nat.attach(slot, id);
                        }
                    }
                }
                Step::Open { .. } => {}
                Step::End { slot } => {
                    nat.detach(now, slot);
                    for known in twin.values_mut() {
                        if known.slots.remove(&slot) && known.slots.is_empty() {
                            known.free_at = Some(now + Duration::from_secs(HOLD));
                        }
                    }
                }
                Step::Wait { seconds } => now = now + Duration::from_secs(seconds),
            }
            nat.expire(now, 1_000);
            twin.retain(|_, known| known.free_at.is_none_or(|at| at > now));
            nat.assert_consistent();
            let usage = &nat.usage().pools()[0];
            for kind in Kind::ALL {
                let count = twin.keys().filter(|key| key.2 == kind as u8).count();
                prop_assert_eq!(usage.ports(kind), count as u64);
            }
            prop_assert_eq!(usage.ports_held(), twin.values().filter(|known| known.free_at.is_some()).count() as u64);
            let hosts: BTreeSet<_> = twin.keys().map(|key| (key.0, key.3)).collect();
            prop_assert_eq!(usage.hosts(), hosts.len() as u64);
        }
        // Everything ends, and after the time of being held all is free again.
        for slot in 0..SLOTS {
            nat.detach(now, slot);
        }
        nat.expire(now + Duration::from_secs(HOLD), 1_000);
        nat.assert_consistent();
        prop_assert_eq!(nat.usage().pools()[0].hosts(), 0);
        prop_assert!(Kind::ALL.iter().all(|kind| nat.usage().pools()[0].ports(*kind) == 0));
    }

    /// What is rewritten equals what is built anew with the other endpoint, checksums and all.
    #[test]
    fn a_rewritten_packet_is_as_if_it_had_been_built_so(
        inside in any::<([u8; 4], u16)>(),
        outside in any::<([u8; 4], u16)>(),
        server in any::<([u8; 4], u16)>(),
        kind in 0..3_u8,
        outward in any::<bool>(),
        payload in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let (before, after) = (packet(kind, inside, server, outward, &payload), packet(kind, outside, server, outward, &payload));
        let rewrite = rewrite(outside, outward);
        let mut frame = before.frame();
        rewrite.apply(&mut frame, layout(payload_of(kind)));
        assert_same(&frame, &after.frame());
        // And as what an ICMP error quotes, which goes the other way; some quote the header and 8 octets only.
        for quoted in [usize::MAX, 28] {
            let router = server.0;
            let error = |packet: &Packet, to| {
                let quotation = packet.ip();
                let quotation = &quotation[..quotation.len().min(quoted)];
                let (from, to) = if outward { (Ipv4Addr::from(router), to) } else { (to, Ipv4Addr::from(router)) };
                build::icmp(from.into(), to.into(), (3, 1), [0; 4], quotation)
            };
            let expected = error(&after, Ipv4Addr::from(outside.0)).frame();
            let mut frame = error(&before, Ipv4Addr::from(inside.0)).frame();
            let end = if outward { End::Destination } else { End::Source };
            Rewrite { end, ..rewrite }.apply(&mut frame, layout(Payload::Error));
            assert_same(&frame, &expected);
        }
    }
}

fn packet(kind: u8, client: ([u8; 4], u16), server: ([u8; 4], u16), outward: bool, payload: &[u8]) -> Packet {
    let (a, b) = (SocketAddr::from(client), SocketAddr::from(server));
    let (source, destination) = if outward { (a, b) } else { (b, a) };
    match kind {
        0 => Tcp {
            source,
            destination,
            flags: 0x18,
            sequence: 7,
            acknowledgment: 9,
            window: 100,
            options: vec![],
            payload: payload.to_vec(),
        }
        .packet(),
        1 => build::udp(source, destination, payload),
        _ => {
            let [high, low] = client.1.to_be_bytes();
            let kind = if outward { 8 } else { 0 };
            build::icmp(source.ip(), destination.ip(), (kind, 0), [high, low, 0, 1], payload)
        }
    }
}

fn rewrite(outside: ([u8; 4], u16), outward: bool) -> Rewrite {
    let end = if outward { End::Source } else { End::Destination };
    Rewrite { end, to: Translation { address: outside.0, port: outside.1 } }
}

fn payload_of(kind: u8) -> Payload {
    [Payload::Tcp, Payload::Udp, Payload::Query][usize::from(kind)]
}

fn layout(payload: Payload) -> Layout {
    Layout { network: 14, transport: 34, payload }
}

/// Equal, but for the two forms that a sum of zero has.
#[track_caller]
fn assert_same(frame: &[u8], expected: &[u8]) {
    assert_eq!(frame.len(), expected.len());
    let differ = frame.chunks(2).zip(expected.chunks(2)).filter(|(a, b)| a != b);
    let zeros = |word: &[u8]| word == [0, 0] || word == [0xff, 0xff];
    for (a, b) in differ {
        assert!(zeros(a) && zeros(b), "{a:x?} {b:x?}\n{frame:x?}\n{expected:x?}");
    }
    assert_eq!(Sum::default().octets(&frame[14..34]).finish(), 0);
}

#[test]
fn udp_without_a_checksum_stays_without() {
    let mut frame = packet(1, ([10, 0, 0, 1], 4000), ([192, 0, 2, 1], 53), true, b"abc").frame();
    frame[40..42].fill(0);
    rewrite(([198, 51, 100, 1], 5000), true).apply(&mut frame, layout(Payload::Udp));
    assert_eq!(frame[40..42], [0, 0]);
    assert_eq!((&frame[26..30], &frame[34..36]), (&[198, 51, 100, 1][..], &5000_u16.to_be_bytes()[..]));
}

#[test]
fn a_udp_sum_of_zero_is_sent_as_ones() {
    // Look for a port with which the sum comes out as 0.
    for port in 0..=u16::MAX {
        let built = packet(1, ([198, 51, 100, 1], port), ([192, 0, 2, 1], 53), true, b"abcd").frame();
        if built[40..42] == [0, 0] {
            let mut frame = packet(1, ([10, 0, 0, 1], 4000), ([192, 0, 2, 1], 53), true, b"abcd").frame();
            rewrite(([198, 51, 100, 1], port), true).apply(&mut frame, layout(Payload::Udp));
            assert_eq!(frame[40..42], [0xff, 0xff]);
            return;
        }
    }
    panic!("one of 65,536 ports must do");
}

#[test]
fn short_frames_are_left_alone() {
    let whole = packet(0, ([10, 0, 0, 1], 4000), ([192, 0, 2, 1], 53), true, b"abc").frame();
    for length in 0..whole.len() {
        for payload in [Payload::Tcp, Payload::Udp, Payload::Query, Payload::Error, Payload::None] {
            let mut frame = whole[..length].to_vec();
            rewrite(([198, 51, 100, 1], 5000), true).apply(&mut frame, layout(payload));
            assert_eq!(frame.len(), length);
        }
    }
}

#[test]
fn hosts_are_spread_over_the_addresses() {
    let mut nat = Nat::new(&[pool(8, 1024, 65_535, None, 60)], 4_000);
    let mut hosts: BTreeMap<[u8; 4], u32> = BTreeMap::new();
    for host in 0..4_000_u16 {
        let [high, low] = host.to_be_bytes();
        let inside = Inside {
            address: [10, 0, high, low],
            port: 1,
            kind: Kind::Udp,
            pool: PoolId(0),
            realm: Realm::new(0, 0, 0),
        };
        let id = nat.bind(inside).unwrap();
        nat.attach(usize::from(host), id);
        *hosts.entry(nat.outside(id).address).or_default() += 1;
    }
    // The better of two at random leaves none far from the mean of 500.
    assert_eq!(hosts.len(), 8);
    assert!(hosts.values().all(|count| (450..550).contains(count)), "{hosts:?}");
}

#[test]
fn memory_for_mappings_that_is_used_up_refuses() {
    let mut nat = Nat::new(&[pool(1, 1024, 65_535, None, 60)], 2);
    let inside =
        |port| Inside { address: [10, 0, 0, 1], port, kind: Kind::Udp, pool: PoolId(0), realm: Realm::new(0, 0, 0) };
    let now = Nanos::from_parts(1_000, 0);
    for port in 0..4 {
        let id = nat.bind(inside(port)).unwrap();
        nat.release(now, id);
    }
    assert_eq!(nat.bind(inside(4)), Err(Refusal::Exhausted));
    assert!(nat.bind(inside(0)).is_ok());
    nat.expire(now + Duration::from_secs(60), 10);
    assert!(nat.bind(inside(4)).is_ok());
    assert_eq!((nat.usage().pools()[0].exhausted(), nat.usage().pools()[0].mappings()), (1, 5));
    let elsewhere = Endpoint { address: Address::v4([198, 51, 100, 9]), port: 1 };
    assert_eq!(nat.inward(Some(Kind::Udp), elsewhere), Inward::NotOurs);
    let unknown = Endpoint { address: Address::v4([198, 51, 100, 1]), port: 1 };
    assert_eq!(nat.inward(Some(Kind::Udp), unknown), Inward::Unknown);
    assert_eq!(nat.inward(None, unknown), Inward::Unknown);
}
