//! The short lane against the whole way: two firewalls that differ in nothing else are told the same, and whatever comes,
//! they answer, report and count the same.

use std::net::SocketAddr;

use arrayvec::ArrayVec;
use proptest::prelude::*;

use super::any_bytes::{any_frame, policies, signatures};
use super::firewall::{Firewall, INSIDE, OUTSIDE, outbound, policy, rule, settings};
use super::translation::pool;
use crate::endpoint::Address;
use crate::flow::Window;
use crate::guard::{OriginRule, Protection, Screens};
use crate::nat::PoolId;
use crate::packet::{self, Parsed, Plain};
use crate::pipeline::{BURST, Frame, Midstream, Room, Settings, Timeouts};
use crate::policy::{Action, AddressRange, PolicySource, RuleSource};
use crate::verdict::Verdict;
use crate::wire::build::{Packet, Shim, Tcp, udp};
use crate::wire::tcp::{ACK, FIN, PSH, RST, SYN};

/// A frame, whether it comes from inside, and by how much the wire saw more of it than is at hand.
pub(super) type Sent = (Vec<u8>, bool, u32);

/// Ends of few flows, so that most packets meet one that is known.
fn ends() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    // The last two are what source NAT makes of the first two, where there is a pool.
    let v4 = ["10.0.0.1:40000", "10.0.0.2:40001", "198.51.100.10:5000", "198.51.100.10:5001"];
    let v6 = ["[2001:db8::1]:40000", "[2001:db8::1]:40001"];
    let usual = (any::<bool>(), 0..4_usize).prop_map(move |(is_v4, which)| {
        if is_v4 { (v4[which], "192.0.2.1:443") } else { (v6[which % 2], "[2001:db8:f::1]:443") }
    });
    // Groups, loopback, itself, and somebody else's network.
    let odd = prop::sample::select(vec![
        ("224.0.0.5:40000", "192.0.2.1:443"),
        ("127.0.0.1:40000", "192.0.2.1:443"),
        ("192.0.2.1:443", "192.0.2.1:443"),
        ("203.0.113.1:40000", "192.0.2.1:443"),
        ("[ff02::1]:40000", "[2001:db8:f::1]:443"),
        ("[::1]:40000", "[2001:db8:f::1]:443"),
        ("[2001:db8:f::1]:443", "[2001:db8:f::1]:443"),
    ]);
    prop_oneof![12 => usual, 1 => odd].prop_map(|(client, server)| (client.parse().unwrap(), server.parse().unwrap()))
}

/// Hops that are left, mostly enough.
fn hops() -> impl Strategy<Value = u8> {
    prop_oneof![12 => Just(64), 1 => Just(0), 1 => Just(1)]
}

fn shims() -> impl Strategy<Value = Vec<Shim>> {
    let tag = |number: u16| prop_oneof![Just(0x8100), Just(0x88a8)].prop_map(move |kind| Shim::Tag(kind, number));
    prop_oneof![6 => Just(vec![]), 1 => tag(0x3007).prop_map(|tag| vec![tag]), 1 => (tag(5), tag(6)).prop_map(|(a, b)| vec![a, b])]
}

/// A segment that lies near where the connection is, or somewhat beside.
fn segment() -> impl Strategy<Value = Sent> {
    let flags = prop_oneof![
        8 => Just(ACK),
        4 => Just(ACK | PSH),
        2 => Just(SYN),
        2 => Just(SYN | ACK),
        1 => Just(FIN | ACK),
        1 => Just(RST),
        1 => any::<u8>(),
    ];
    let number = || prop_oneof![4 => 0..4_u32, 1 => 0..200_000_u32, 1 => any::<u32>()];
    let options = prop_oneof![3 => Just(vec![]), 1 => Just(vec![1, 3, 3, 7]), 1 => Just(vec![0; 40])];
    (ends(), any::<bool>(), flags, number(), number(), any::<u16>(), options, 0..40_usize, (hops(), shims())).prop_map(
        |((client, server), inside, flags, sequence, acknowledgment, window, options, length, (hops, shims))| {
            let (source, destination) = if inside { (client, server) } else { (server, client) };
            let payload = vec![0x16; length];
            let tcp = Tcp { source, destination, flags, sequence, acknowledgment, window, options, payload };
            let packet = Packet { hop_limit: hops, ..tcp.packet() };
            (packet.within(&shims).frame(), inside, 0)
        },
    )
}

fn datagram() -> impl Strategy<Value = Sent> {
    // IP may hold more than UDP says that it is.
    let slack = prop_oneof![4 => Just(0), 1 => 1..9_usize];
    // Sign-ons of access users, where they are looked for.
    let payload = prop_oneof![
        3 => (0..40_usize).prop_map(|length| vec![9; length]),
        1 => (prop::sample::select(vec![1, 2, 3, 4, 5]), 0..2_u8).prop_map(|(code, id)| radius(code, id)),
    ];
    (ends(), any::<bool>(), payload, slack, hops(), shims()).prop_map(
        |((client, server), inside, payload, slack, hops, shims)| {
            let (source, destination) = if inside { (client, server) } else { (server, client) };
            let mut packet = Packet { hop_limit: hops, ..udp(source, destination, &payload) };
            packet.transport.extend(vec![0xee; slack]);
            (packet.within(&shims).frame(), inside, 0)
        },
    )
}

/// A RADIUS message whose authenticator says nothing: of a user, and of an accounting Start.
fn radius(code: u8, id: u8) -> Vec<u8> {
    let attributes = [1, 4, b'm', b'e', 40, 6, 0, 0, 0, 1];
    [&[code, id, 0, 30][..], &[id; 16], &attributes].concat()
}

/// Any of those with octets changed, cut or padded; and anything at all.
pub(super) fn sent() -> impl Strategy<Value = Sent> {
    let change = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    let spoiled = (prop_oneof![segment(), datagram()], change, prop::option::weighted(0.1, 0..100_usize), 0..9_usize);
    let spoiled = spoiled.prop_map(|((mut frame, inside, more), change, cut, padding)| {
        if let Some((at, octet)) = change {
            let at = at.index(frame.len());
            frame[at] = octet;
        }
        frame.truncate(cut.unwrap_or(frame.len()));
        frame.resize(frame.len() + padding, 0);
        (frame, inside, more)
    });
    let any = (any_frame(), any::<bool>(), 0..50_u32);
    // Now and then one comes in on the other side.
    (prop_oneof![4 => prop_oneof![segment(), datagram()], 4 => spoiled, 1 => any], prop::bool::weighted(0.05))
        .prop_map(|((frame, inside, more), strays)| (frame, inside ^ strays, more))
}

/// Those, and one that just permits and logs: of it most sessions take the short lane.
pub(super) fn lane_policies() -> impl Iterator<Item = PolicySource> {
    let both_ways = RuleSource { session_logging: true, ..rule(Action::Permit) };
    policies().into_iter().chain([policy(vec![outbound()]), policy(vec![both_ways])])
}

/// What comes from inside has an address of there, what comes from outside has not.
pub(super) fn origins() -> Vec<OriginRule> {
    let end = |text: &str| Address::from(text.parse::<std::net::IpAddr>().unwrap());
    let range = |first, last| AddressRange { first: end(first), last: end(last) };
    let networks = vec![
        range("10.0.0.0", "10.255.255.255"),
        range("192.0.2.0", "192.0.2.255"),
        range("2001:db8::", "2001:db8::ff"),
    ];
    vec![
        OriginRule { networks: networks.clone(), ..OriginRule::default() },
        OriginRule { elsewhere: vec![networks[0], networks[2]], ..OriginRule::default() },
    ]
}

/// Every second rule that permits translates.
pub(super) fn translating(mut policy: PolicySource) -> PolicySource {
    for rule in policy.rules.iter_mut().filter(|rule| rule.action == Action::Permit).step_by(2) {
        rule.source_nat = Some(PoolId(0));
    }
    policy
}

/// All that an observer sees of a firewall's answer to a burst.
fn answer(firewall: &mut Firewall, burst: &[Sent]) -> String {
    let mut frames = burst.to_vec();
    let mut frames: Vec<_> = frames
        .iter_mut()
        .map(|(bytes, inside, more)| {
            let length = bytes.len() as u32 + *more;
            Frame::new(if *inside { INSIDE } else { OUTSIDE }, bytes, length)
        })
        .collect();
    let mut verdicts = ArrayVec::new();
    let common = firewall.pipeline.process(firewall.now, &mut frames, &mut verdicts);
    // The worker sends the whole burst by that port, without looking at the verdicts.
    let to = verdicts.first().copied();
    let alike = to.filter(|to| matches!(to, Verdict::Forward(_)) && verdicts.iter().all(|verdict| verdict == to));
    assert!(common.is_none_or(|port| alike == Some(Verdict::Forward(port))), "{common:?} {verdicts:?}");
    let replies: Vec<_> = firewall.pipeline.replies().collect();
    let frames: Vec<_> = frames.iter().map(|frame| (&*frame.bytes, frame.edited)).collect();
    let sent: Vec<_> = firewall.pipeline.originated().collect();
    let told = format!("{verdicts:?} {common:?} {replies:?} {frames:?} {sent:?}");
    firewall.pipeline.clear_originated();
    told + &format!("{:?} {:?}", firewall.session_events(), firewall.sign_ons())
        + &format!("{:?} {:?}", firewall.access_events(), firewall.pipeline.counters().read())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_answer_the_same(
        bursts in prop::collection::vec((prop::collection::vec(sent(), 1..BURST), 0..200_u64, 0..12_usize), 1..8),
        verify_checksums: bool,
        policy in 0..5_usize,
        permit: bool,
        translates: bool,
        is_bound: bool,
        watches: bool,
        tcp_window in prop::sample::select(vec![Window::Strict, Window::Loose, Window::Off]),
    ) {
        let midstream = if permit { Midstream::Permit } else { Midstream::Drop };
        let origins = if is_bound { origins() } else { vec![] };
        let protection = Protection { origins, tcp_window, ..Protection::default() };
        let timeouts = Timeouts { tcp_established: std::time::Duration::from_secs(150), ..Timeouts::default() };
        let settings = Settings { protection, timeouts, ..settings() };
        let settings = Settings { max_sessions: 6, inspection_slots: 2, fragment_slots: 8, verify_checksums, midstream, ..settings };
        let nat = if translates { vec![pool((5000, 5001))] } else { vec![] };
        let settings = Settings { nat, ..settings };
        let policies = || lane_policies().map(|policy| if translates { translating(policy) } else { policy });
        let [mut short, mut whole] = [true, false].map(|short_lane| {
            let policy = policies().nth(policy).unwrap();
            let mut firewall = Firewall::set_up_shared(settings.clone(), policy, signatures());
            if watches {
                firewall = firewall.watching(super::radius::settings(&[443]));
            }
            firewall.pipeline.short_lane = short_lane;
            firewall
        });
        if let (Some(short), Some(whole)) = (&short.pipeline.nat, &mut whole.pipeline.nat) {
            whole.draw_like(short);
        }
        for (frames, seconds, commit) in &bursts {
            prop_assert_eq!(answer(&mut short, frames), answer(&mut whole, frames));
            for firewall in [&mut short, &mut whole] {
                firewall.now = firewall.now + std::time::Duration::from_secs(*seconds);
                if let Some(policy) = policies().nth(*commit) {
                    firewall.commit(policy);
                }
            }
        }
        let end = |mut firewall: Firewall| {
            firewall.pipeline.shutdown(firewall.now, Room::Regardless);
            if let Some(nat) = &firewall.pipeline.nat {
                nat.assert_consistent();
            }
            format!("{:?} {:?}", firewall.session_events(), firewall.pipeline.counters().read())
        };
        prop_assert_eq!(end(short), end(whole));
    }

    #[test]
    fn a_usual_packet_is_described_as_the_parser_does((mut bytes, _, more) in sent(), verify: bool) {
        let length = bytes.len() as u32 + more;
        let mut plain = Plain::default();
        let described = plain.read(&bytes, length, 3, verify).map(|()| format!("{:?}", plain.describe(&bytes)));
        let parsed = packet::parse(&Frame::new(INSIDE, &mut bytes, length), 3, verify, Screens::default());
        if let Some(described) = described {
            let Ok(Parsed::Packet(info)) = parsed else { panic!("{parsed:?} is not usual") };
            prop_assert_eq!(described, format!("{info:?}"));
        }
    }
}

#[test]
fn what_is_usual_takes_the_short_lane() {
    let (client, server) = ("10.0.0.1:4000".parse().unwrap(), "192.0.2.1:53".parse().unwrap());
    let (client6, server6) = ("[2001:db8::1]:4000".parse().unwrap(), "[2001:db8:f::1]:53".parse().unwrap());
    for (client, server) in [(client, server), (client6, server6)] {
        for shims in [vec![], vec![Shim::Tag(0x8100, 7)], vec![Shim::Tag(0x88a8, 7), Shim::Tag(0x8100, 9)]] {
            let options = vec![1; 8];
            let mut tcp = super::firewall::Connection::new("10.0.0.1:1", "192.0.2.1:2").tcp(0, ACK, &[1; 9]);
            (tcp.source, tcp.destination, tcp.options) = (client, server, options);
            for packet in [udp(client, server, &[]), tcp.packet()] {
                let frame = packet.within(&shims).frame();
                assert!(Plain::default().read(&frame, frame.len() as u32, 0, true).is_some());
            }
        }
    }
}
