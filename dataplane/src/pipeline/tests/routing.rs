//! Stories of interfaces: clients on port 0 (10.0.0.0/24, 2001:db8:1::/64), servers behind a router on port 1
//! (192.0.2.0/24 and 2001:db8:2::/64, MTU 1400), zone 9 the firewall itself.

use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::firewall::{Connection, Firewall, outbound, policy, rule, settings};
use crate::endpoint::Address;
use crate::pipeline::{Frame, Settings};
use crate::policy::{Action, PortId, RuleSource, ZoneId};
use crate::route::{Arp, Config, Interface, Kind, Mac, Ndp, Read, StaticRoute};
use crate::verdict::{DropReason, Verdict};
use crate::wire::build::{Packet, Shim, icmp, udp};
use crate::wire::tcp::{ACK, SYN};
use crate::wire::{be16, checksum::Sum};

pub(super) const INSIDE: PortId = PortId(0);
pub(super) const OUTSIDE: PortId = PortId(1);
pub(super) const OWN: PortId = PortId(2);
pub(super) const OUR_INSIDE: Mac = Mac([2, 0, 0, 0, 1, 0]);
pub(super) const OUR_OUTSIDE: Mac = Mac([2, 0, 0, 0, 1, 1]);
pub(super) const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 1]);
pub(super) const GATEWAY: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
pub(super) const KERNEL: Mac = Mac([2, 0, 0, 0, 9, 9]);

pub(super) fn address(text: &str) -> Address {
    text.parse::<IpAddr>().unwrap().into()
}

pub(super) fn config() -> Config {
    let interface = |port, mac, mtu, addresses: &[(&str, u8)]| Interface {
        port,
        mac,
        mtu,
        addresses: addresses.iter().map(|(own, length)| (address(own), *length)).collect(),
        reverse_path: true,
    };
    let via = |network, length, gateway| StaticRoute {
        network: address(network),
        length,
        via: Some((OUTSIDE, address(gateway))),
    };
    Config {
        interfaces: vec![
            interface(INSIDE, OUR_INSIDE, 1500, &[("10.0.0.254", 24), ("2001:db8:1::fe", 64)]),
            interface(OUTSIDE, OUR_OUTSIDE, 1400, &[("192.0.2.1", 24), ("2001:db8:2::1", 64)]),
        ],
        routes: vec![
            via("198.51.100.0", 24, "192.0.2.254"),
            StaticRoute { network: address("203.0.113.0"), length: 24, via: None },
            via("2001:db8:9::", 48, "2001:db8:2::fe"),
        ],
        own: Some(OWN),
        management: None,
        neighbours: 64,
    }
}

pub(super) struct Router {
    pub(super) firewall: Firewall,
    /// What the firewall sent of its own since it was last looked at.
    pub(super) sent: Vec<(PortId, Vec<u8>)>,
}

impl Router {
    pub(super) fn with(rules: Vec<RuleSource>, routing: Config) -> Self {
        Self::set_up(rules, Settings { wires: vec![], routing, ..settings() })
    }

    pub(super) fn set_up(rules: Vec<RuleSource>, settings: Settings) -> Self {
        let mut source = policy(rules);
        source.zones.push(ZoneId(9));
        let mut router = Self { firewall: Firewall::set_up(settings, source, Default::default()), sent: Vec::new() };
        // The announcements of the start.
        router.wait(3);
        router.sent.clear();
        router.firewall.forget();
        router
    }

    /// Clients may go out, ping us, and have everything that they ask for by their neighbours known.
    pub(super) fn usual() -> Self {
        let to_us = RuleSource { to: vec![ZoneId(9)], ..rule(Action::Permit) };
        let mut router = Self::with(vec![outbound(), to_us], config());
        for (port, neighbour, mac) in [(INSIDE, "10.0.0.1", CLIENT), (OUTSIDE, "192.0.2.254", GATEWAY)] {
            router.asks_for_us(port, neighbour, mac);
        }
        router.sent.clear();
        router.firewall.forget();
        router
    }

    pub(super) fn asks_for_us(&mut self, port: PortId, neighbour: &str, mac: Mac) {
        let ours = if port == INSIDE { "10.0.0.254" } else { "192.0.2.1" };
        let arp = Arp { asks: true, sender: (mac, address(neighbour)), target: (Mac::default(), address(ours)) };
        assert_eq!(self.bytes(port, &arp.frame(Mac::BROADCAST)).0, Verdict::Taken);
    }

    /// What becomes of a frame, and what it is afterwards.
    pub(super) fn bytes(&mut self, port: PortId, bytes: &[u8]) -> (Verdict, Vec<u8>) {
        let mut bytes = bytes.to_vec();
        let length = bytes.len() as u32;
        let mut verdicts = ArrayVec::new();
        self.firewall.pipeline.process(self.firewall.now, &mut [Frame::new(port, &mut bytes, length)], &mut verdicts);
        self.collect();
        (verdicts[0], bytes)
    }

    pub(super) fn send(&mut self, port: PortId, packet: &Packet) -> (Verdict, Vec<u8>) {
        let mut packet = packet.clone();
        packet.macs = if port == INSIDE { (CLIENT.0, OUR_INSIDE.0) } else { (GATEWAY.0, OUR_OUTSIDE.0) };
        self.bytes(port, &packet.frame())
    }

    #[track_caller]
    pub(super) fn drops(&mut self, port: PortId, packet: &Packet, reason: DropReason) {
        assert_eq!(self.send(port, packet).0, Verdict::Drop(reason));
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.firewall.now = self.firewall.now + Duration::from_millis(100);
            self.firewall.pipeline.turn(self.firewall.now);
            self.collect();
        }
    }

    fn collect(&mut self) {
        let firewall = &mut self.firewall;
        self.sent.extend(firewall.pipeline.originated().map(|(port, frame)| (port, frame.to_vec())));
        self.sent.extend(firewall.pipeline.replies().map(|reply| (reply.port, reply.bytes.to_vec())));
        self.firewall.pipeline.clear_originated();
    }

    /// The only frame sent.
    #[track_caller]
    pub(super) fn said(&mut self) -> (PortId, Vec<u8>) {
        assert_eq!(self.sent.len(), 1, "{:?}", self.sent);
        self.sent.remove(0)
    }

    pub(super) fn counter(&self, name: &str) -> u64 {
        let read = self.firewall.pipeline.counters().read();
        read.into_iter().find(|(known, _)| *known == name).expect("a counter").1
    }
}

pub(super) fn question(destination: &str) -> Packet {
    udp("10.0.0.1:4000".parse().unwrap(), destination.parse().unwrap(), b"question")
}

#[test]
fn a_session_goes_out_by_the_route_and_back() {
    let mut router = Router::usual();
    let mut web = Connection::new("10.0.0.1:40000", "198.51.100.7:443");
    let syn = web.client(SYN, &[]);
    let (verdict, frame) = router.send(INSIDE, &syn);
    assert_eq!(verdict, Verdict::Forward(OUTSIDE));
    assert_eq!((&frame[..6], &frame[6..12]), (&GATEWAY.0[..], &OUR_OUTSIDE.0[..]));
    // One hop less, the header's checksum still right, and nothing else changed.
    assert_eq!((frame[22], Sum::default().octets(&frame[14..34]).finish()), (63, 0));
    assert_eq!(frame[34..], syn.frame()[34..]);
    let (verdict, frame) = router.send(OUTSIDE, &web.server(SYN | ACK, &[]));
    assert_eq!((verdict, &frame[..6], &frame[6..12]), (Verdict::Forward(INSIDE), &CLIENT.0[..], &OUR_INSIDE.0[..]));
    router.firewall.moved(&[
        ("packets_received", 2),
        ("packets_forwarded", 2),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
    ]);
    let [create] = router.firewall.session_events().try_into().unwrap();
    assert_eq!(create.ports, (0, 1));
}

#[test]
fn what_the_policy_denies_is_not_routed() {
    let mut router = Router::usual();
    let unasked = udp("198.51.100.7:5300".parse().unwrap(), "10.0.0.1:4000".parse().unwrap(), b"unasked");
    router.drops(OUTSIDE, &unasked, DropReason::ImplicitDeny);
    assert_eq!(router.sent, []);
}

#[test]
fn packets_wait_for_their_neighbour_and_leave_in_order() {
    let mut router = Router::usual();
    for number in 0..3_u8 {
        let mut packet = question("192.0.2.7:53");
        packet.fragment = (u16::from(number), false, 0);
        assert_eq!(router.send(INSIDE, &packet).0, Verdict::Taken);
    }
    let (port, asked) = router.said();
    let arp =
        Arp { asks: true, sender: (OUR_OUTSIDE, address("192.0.2.1")), target: (Mac::default(), address("192.0.2.7")) };
    assert_eq!((port, Arp::read(&asked)), (OUTSIDE, Some(arp)));
    assert_eq!(asked[..6], [0xff; 6]);
    let host = Mac([2, 0, 0, 0, 0, 7]);
    let reply = Arp { asks: false, sender: (host, address("192.0.2.7")), target: arp.sender };
    assert_eq!(router.bytes(OUTSIDE, &reply.frame(OUR_OUTSIDE)).0, Verdict::Taken);
    let sent: Vec<_> = std::mem::take(&mut router.sent);
    for (number, (port, frame)) in sent.iter().enumerate() {
        assert_eq!((*port, &frame[..6], be16(frame, 18), frame[22]), (OUTSIDE, &host.0[..], Some(number as u16), 63));
    }
    assert_eq!((sent.len(), router.send(INSIDE, &question("192.0.2.7:53")).0), (3, Verdict::Forward(OUTSIDE)));
    router.firewall.moved(&[
        ("packets_received", 5),
        ("packets_taken", 4),
        ("packets_forwarded", 1),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
        ("neighbour_questions", 1),
        ("neighbour_held", 3),
        ("neighbour_released", 3),
    ]);
}

#[test]
fn a_host_that_does_not_answer_is_reported_unreachable() {
    let mut router = Router::usual();
    assert_eq!(router.send(INSIDE, &question("192.0.2.7:53")).0, Verdict::Taken);
    router.sent.clear();
    router.wait(4);
    // Two more questions, then the error to whoever asked.
    assert_eq!(router.sent.len(), 3);
    let (port, error) = router.sent.pop().unwrap();
    assert_eq!((port, &error[..6], &error[34..36]), (INSIDE, &CLIENT.0[..], &[3, 1][..]));
    assert_eq!((&error[26..30], &error[30..34]), (&[10, 0, 0, 254][..], &[10, 0, 0, 1][..]));
    // Quoted as it was sent, all hops included.
    assert_eq!(error[42..], question("192.0.2.7:53").ip());
    router.sent.clear();
    router.drops(INSIDE, &question("192.0.2.7:53"), DropReason::NeighbourUnresolved);
    let (_, error) = router.said();
    assert_eq!((&error[34..36], &error[42..]), (&[3, 1][..], &question("192.0.2.7:53").ip()[..]));
    assert_eq!(router.counter("neighbour_lost"), 1);
}

#[test]
fn whoever_sends_is_told_why_it_goes_no_further() {
    let mut router = Router::usual();
    let mut dying = question("198.51.100.7:33434");
    dying.hop_limit = 1;
    router.drops(INSIDE, &dying, DropReason::TtlExpired);
    let (port, error) = router.said();
    assert_eq!((port, &error[34..36], &error[26..30]), (INSIDE, &[11, 0][..], &[10, 0, 0, 254][..]));
    // What it quotes is what was sent.
    let mut sent = dying.clone();
    sent.macs = (CLIENT.0, OUR_INSIDE.0);
    assert_eq!(error[42..], sent.frame()[14..]);
    router.drops(INSIDE, &question("9.9.9.9:53"), DropReason::NoRoute);
    assert_eq!(router.said().1[34..36], [3, 0]);
    // A route that discards says nothing, nor is anything said about an error, a group, or a later fragment.
    router.drops(INSIDE, &question("203.0.113.9:53"), DropReason::DiscardRoute);
    router.drops(INSIDE, &question("224.0.0.5:53"), DropReason::GroupDestination);
    router.drops(INSIDE, &question("192.0.2.255:53"), DropReason::GroupDestination);
    let (source, nowhere) = ("10.0.0.1".parse().unwrap(), "9.9.9.9".parse().unwrap());
    router.drops(INSIDE, &icmp(source, nowhere, (3, 1), [0; 4], &question("8.8.8.8:1").ip()), DropReason::NoRoute);
    assert_eq!(router.send(INSIDE, &question("9.9.9.9:53").fragment(1, false, 64)).0, Verdict::Taken);
    assert_eq!(router.sent, []);
    assert_eq!(router.counter("icmp_errors_sent"), 2);
}

#[test]
fn errors_are_limited() {
    let mut router = Router::usual();
    for _ in 0..150 {
        router.drops(INSIDE, &question("9.9.9.9:53"), DropReason::NoRoute);
    }
    assert_eq!((router.sent.len(), router.counter("icmp_errors_limited")), (100, 50));
}

#[test]
fn ipv6_is_routed_resolved_and_answered() {
    let mut router = Router::usual();
    let (client, server) = ("2001:db8:1::1", "2001:db8:9::7");
    let packet = |payload: usize| {
        let (from, to) = (format!("[{client}]:4000"), format!("[{server}]:53"));
        udp(from.parse().unwrap(), to.parse().unwrap(), &vec![1; payload])
    };
    assert_eq!(router.send(INSIDE, &packet(5)).0, Verdict::Taken);
    let (port, asked) = router.said();
    let Read::Message(solicitation) = Ndp::read(&asked, 14, 54) else { panic!() };
    assert_eq!(
        (port, solicitation.target, solicitation.kind),
        (OUTSIDE, address("2001:db8:2::fe"), Kind::Solicitation)
    );
    assert_eq!(asked[..6], [0x33, 0x33, 0xff, 0, 0, 0xfe]);
    let kind = Kind::Advertisement { solicited: true, overrides: true };
    let (source, destination) = (solicitation.target, solicitation.source);
    let answer = Ndp { source, destination, target: source, mac: Some(GATEWAY), kind };
    assert_eq!(router.bytes(OUTSIDE, &answer.frame(GATEWAY, OUR_OUTSIDE)).0, Verdict::Taken);
    assert_eq!((router.said().0, router.send(INSIDE, &packet(5)).0), (OUTSIDE, Verdict::Forward(OUTSIDE)));
    // Nobody but the sender fragments IPv6.
    router.drops(INSIDE, &packet(1400), DropReason::MtuExceeded);
    let (port, error) = router.said();
    assert_eq!((port, &error[54..56], &error[58..62]), (INSIDE, &[2, 0][..], &[0, 0, 0x05, 0x78][..]));
    let mut dying = packet(5);
    dying.hop_limit = 1;
    router.drops(INSIDE, &dying, DropReason::TtlExpired);
    assert_eq!(router.said().1[54..56], [3, 0]);
    // Our own address, and whether a host may have it too.
    for (asker, to) in [(address(client), CLIENT), (Address::default(), Mac([0x33, 0x33, 0, 0, 0, 1]))] {
        let target = address("2001:db8:1::fe");
        let destination = address("ff02::1:ff00:fe");
        let mac = (asker != Address::default()).then_some(CLIENT);
        let ask = Ndp { source: asker, destination, target, mac, kind: Kind::Solicitation };
        let mut frame = ask.frame(CLIENT, Mac([0x33, 0x33, 0xff, 0, 0, 0xfe])).to_vec();
        if mac.is_none() {
            // Without the option: the checksum changes by it, and by the length.
            frame.truncate(78);
            frame[18..20].copy_from_slice(&24_u16.to_be_bytes());
            frame[56..58].fill(0);
            let sum = crate::wire::ipv6::pseudo_header(&frame[14..54], 58, 24).octets(&frame[54..]).finish();
            frame[56..58].copy_from_slice(&sum.to_be_bytes());
        }
        assert_eq!(router.bytes(INSIDE, &frame).0, Verdict::Taken);
        let (port, said) = router.said();
        let Read::Message(answer) = Ndp::read(&said, 14, 54) else { panic!() };
        assert_eq!((port, answer.target, answer.mac, &said[..6]), (INSIDE, target, Some(OUR_INSIDE), &to.0[..]));
    }
}

#[test]
fn a_packet_too_large_is_cut_or_its_sender_told() {
    let mut router = Router::usual();
    let large = udp("10.0.0.1:4000".parse().unwrap(), "198.51.100.7:53".parse().unwrap(), &[7; 1472]);
    assert_eq!(router.send(INSIDE, &large).0, Verdict::Taken);
    let sent = std::mem::take(&mut router.sent);
    let lengths: Vec<_> = sent.iter().map(|(port, frame)| (*port, be16(frame, 16).unwrap())).collect();
    assert_eq!(lengths, [(OUTSIDE, 1396), (OUTSIDE, 124)]);
    assert!(sent.iter().all(|(_, frame)| frame[..6] == GATEWAY.0 && frame[22] == 63));
    // The same, not to be fragmented: 20 octets of header, DF.
    let mut frame = large.frame();
    frame[..6].copy_from_slice(&OUR_INSIDE.0);
    frame[20] |= 0x40;
    crate::wire::ipv4::write_checksum(&mut frame[14..]);
    assert_eq!(router.bytes(INSIDE, &frame).0, Verdict::Drop(DropReason::MtuExceeded));
    let (port, error) = router.said();
    assert_eq!((port, &error[34..36], &error[38..42]), (INSIDE, &[3, 4][..], &[0, 0, 0x05, 0x78][..]));
    assert_eq!((router.counter("packets_fragmented"), router.counter("fragments_made")), (1, 2));
}

#[test]
fn what_waits_is_cut_when_it_leaves() {
    let mut router = Router::usual();
    let large = udp("10.0.0.1:4000".parse().unwrap(), "192.0.2.7:53".parse().unwrap(), &[7; 1472]);
    // The pool of those that wait has room for the larger of both MTUs.
    assert_eq!(router.send(INSIDE, &large).0, Verdict::Taken);
    router.sent.clear();
    let host = Mac([2, 0, 0, 0, 0, 7]);
    let reply = Arp { asks: false, sender: (host, address("192.0.2.7")), target: (OUR_OUTSIDE, address("192.0.2.1")) };
    router.bytes(OUTSIDE, &reply.frame(OUR_OUTSIDE));
    assert_eq!(router.sent.len(), 2);
    assert!(router.sent.iter().all(|(_, frame)| frame[..6] == host.0));
}

#[test]
fn what_the_link_gave_to_all_goes_no_further() {
    let mut router = Router::usual();
    for group in [Mac::BROADCAST, Mac([1, 0, 0x5e, 0, 0, 1])] {
        for destination in ["198.51.100.7:53", "10.0.0.254:53"] {
            let mut packet = question(destination);
            packet.macs = (CLIENT.0, group.0);
            let dropped = Verdict::Drop(DropReason::GroupDestination);
            assert_eq!(router.bytes(INSIDE, &packet.frame()).0, dropped, "{destination}");
        }
    }
    assert_eq!(router.sent, []);
}

#[test]
fn zones_cannot_be_forged() {
    let mut router = Router::usual();
    // A source that is routed elsewhere, one of ours, and frames that are for others.
    let spoofed = udp("198.51.100.9:1".parse().unwrap(), "192.0.2.9:2".parse().unwrap(), b"x");
    router.drops(INSIDE, &spoofed, DropReason::ReversePath);
    let ours = udp("192.0.2.1:1".parse().unwrap(), "198.51.100.7:2".parse().unwrap(), b"x");
    router.drops(INSIDE, &ours, DropReason::BadAddress);
    router.drops(INSIDE, &question("198.51.100.7:53").within(&[Shim::Tag(0x8100, 5)]), DropReason::NotForUs);
    router.drops(INSIDE, &question("198.51.100.7:53").within(&[Shim::Pppoe(5)]), DropReason::NotForUs);
    assert_eq!(router.bytes(INSIDE, &question("198.51.100.7:53").frame()).0, Verdict::Drop(DropReason::NotForUs));
    // A packet of a session of clients, sent by the other side.
    assert_eq!(router.send(INSIDE, &question("198.51.100.7:53")).0, Verdict::Forward(OUTSIDE));
    router.drops(OUTSIDE, &question("198.51.100.7:53"), DropReason::WrongZone);
    assert_eq!(router.sent, []);
}

#[test]
fn a_rule_that_resets_tells_both_ends_by_their_neighbours() {
    let mut router = Router::with(vec![outbound()], config());
    for (port, neighbour, mac) in [(INSIDE, "10.0.0.1", CLIENT), (OUTSIDE, "192.0.2.254", GATEWAY)] {
        router.asks_for_us(port, neighbour, mac);
    }
    let mut web = Connection::new("10.0.0.1:40000", "198.51.100.7:443");
    router.send(INSIDE, &web.client(SYN, &[]));
    router.send(OUTSIDE, &web.server(SYN | ACK, &[]));
    let mut source = policy(vec![RuleSource { action: Action::Reset, ..outbound() }]);
    source.zones.push(ZoneId(9));
    router.firewall.commit(source);
    router.sent.clear();
    router.drops(INSIDE, &web.client(ACK, b"data"), DropReason::PolicyReset);
    let ends: Vec<_> =
        router.sent.iter().map(|(port, frame)| (*port, frame[..6].to_vec(), frame[6..12].to_vec())).collect();
    assert_eq!(
        ends,
        [(INSIDE, CLIENT.0.to_vec(), OUR_INSIDE.0.to_vec()), (OUTSIDE, GATEWAY.0.to_vec(), OUR_OUTSIDE.0.to_vec()),]
    );
    router.sent.clear();
    router.drops(INSIDE, &question("198.51.100.7:53"), DropReason::PolicyReset);
    assert_eq!((router.said().1[34..36].to_vec(), router.sent.len()), (vec![3, 13], 0));
}

#[test]
fn every_frame_that_comes_in_goes_out_is_taken_or_is_dropped_by_name() {
    let mut router = Router::with(vec![outbound(), rule(Action::Permit)], Config { neighbours: 8, ..config() });
    router.asks_for_us(INSIDE, "10.0.0.1", CLIENT);
    router.firewall.forget();
    router.sent.clear();
    let mut held_frames = 0;
    for round in 0..40_u8 {
        // Hosts that do not answer push each other out of a table of eight.
        for host in 2..30 {
            router.send(INSIDE, &question(&format!("192.0.2.{}:53", host + round)));
        }
        router.send(OUTSIDE, &udp("192.0.2.9:1".parse().unwrap(), "10.0.0.1:2".parse().unwrap(), &[7; 9]));
        router.send(INSIDE, &question("203.0.113.1:53"));
        router.send(INSIDE, &question("8.8.8.8:53"));
        let large = udp("10.0.0.1:5000".parse().unwrap(), "198.51.100.7:53".parse().unwrap(), &[1; 1420]);
        router.send(INSIDE, &large);
        router.bytes(INSIDE, &[0; 9]);
        router.bytes(PortId(7), &question("192.0.2.7:53").frame());
        if round == 20 {
            router.asks_for_us(OUTSIDE, "192.0.2.254", GATEWAY);
        }
        router.firewall.pipeline.turn(router.firewall.now);
        if round % 7 == 0 {
            router.wait(1);
        }
        let count = |name: &str| router.counter(name);
        let drops: u64 = crate::verdict::DropReason::ALL.iter().map(|reason| count(reason.counter())).sum();
        assert_eq!(count("packets_received"), count("packets_forwarded") + count("packets_taken") + drops);
        let places = 0..router.firewall.pipeline.router.neighbour_places();
        let views = places.filter_map(|place| router.firewall.pipeline.router.neighbour(place));
        let waiting: u64 = views.map(|view| u64::from(view.waiting)).sum();
        let done = count("neighbour_released") + count("neighbour_lost");
        assert_eq!(count("neighbour_held"), done + waiting);
        held_frames = count("neighbour_held");
    }
    assert!(held_frames > 100 && router.counter("neighbour_lost") > 50 && router.counter("neighbour_released") > 0);
}

#[test]
fn what_a_router_refuses_in_the_ordinary_is_no_attack() {
    let mut router = Router::usual();
    let mut dying = question("198.51.100.7:33434");
    dying.hop_limit = 1;
    router.drops(INSIDE, &dying, DropReason::TtlExpired);
    router.drops(INSIDE, &question("8.8.8.8:53"), DropReason::NoRoute);
    router.drops(INSIDE, &question("203.0.113.1:53"), DropReason::DiscardRoute);
    router.wait(3);
    assert_eq!(router.firewall.changes(), [""; 0]);
}
