//! Source NAT: what leaves, what may come back, what ends.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use super::firewall::{Connection, Firewall, INSIDE, OUTSIDE, outbound, policy, rule, settings};
use crate::command::Command;
use crate::endpoint::Address;
use crate::event::{SessionChange, SessionEvent};
use crate::guard::{Floods, Limit, OriginRule, Protection};
use crate::nat::{Kind, PoolId, PoolSource, Translation};
use crate::pipeline::{Frame, Room, Settings};
use crate::policy::{Action, AddressRange, PortRange, RuleSource};
use crate::verdict::{DropReason, Verdict};
use crate::wire::build::{Packet, icmp, transport_sum, udp};
use crate::wire::checksum::Sum;
use crate::wire::protocol;
use crate::wire::tcp::{ACK, FIN, RST, SYN};

const POOL: [u8; 4] = [198, 51, 100, 10];

pub(super) fn pool(ports: (u16, u16)) -> PoolSource {
    PoolSource {
        addresses: vec![AddressRange { first: Address::v4(POOL), last: Address::v4(POOL) }],
        ports: PortRange { first: ports.0, last: ports.1 },
        ports_per_host: None,
        hold: Duration::from_secs(120),
    }
}

pub(super) fn translated() -> RuleSource {
    RuleSource { source_nat: Some(PoolId(0)), ..outbound() }
}

fn firewall() -> Firewall {
    with(pool((1024, 65_535)), vec![translated()])
}

fn with(pool: PoolSource, rules: Vec<RuleSource>) -> Firewall {
    Firewall::set_up(Settings { nat: vec![pool], ..settings() }, policy(rules), sigdb::Database::default())
}

/// A frame that came out, read back.
pub(super) struct Seen {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    bytes: Vec<u8>,
}

/// Sends a frame, which passes, and looks at what comes out: its checksums hold.
#[track_caller]
fn pass(firewall: &mut Firewall, from: crate::policy::PortId, packet: &Packet) -> Seen {
    let mut bytes = packet.frame();
    let length = bytes.len() as u32;
    let mut frames = [Frame::new(from, &mut bytes, length)];
    let mut verdicts = arrayvec::ArrayVec::new();
    firewall.pipeline.process(firewall.now, &mut frames, &mut verdicts);
    assert_eq!(verdicts[0], Verdict::Forward(if from == INSIDE { OUTSIDE } else { INSIDE }));
    assert!(frames[0].edited);
    read(&bytes)
}

#[track_caller]
pub(super) fn read(bytes: &[u8]) -> Seen {
    assert_eq!(Sum::default().octets(&bytes[14..34]).finish(), 0, "the header's checksum");
    let address = |at: usize| -> [u8; 4] { bytes[at..at + 4].try_into().unwrap() };
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let (source, destination) = (address(26), address(30));
    let length = usize::from(port(16));
    let is_whole = port(20) & 0x3fff == 0;
    if is_whole {
        let sum = transport_sum(source.into(), destination.into(), bytes[23], &bytes[34..14 + length]);
        assert_eq!(sum.finish(), 0, "the transport's checksum");
    }
    let ports = if bytes[23] == protocol::ICMP { (port(38), 0) } else { (port(34), port(36)) };
    let bytes = bytes.to_vec();
    Seen { source: (source, ports.0).into(), destination: (destination, ports.1).into(), bytes }
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn translation_of(event: &SessionEvent) -> Option<SocketAddr> {
    event.translation.map(|translation| translation.endpoint().socket())
}

#[test]
fn a_connection_leaves_by_the_pool_and_comes_back() {
    let mut firewall = firewall();
    let mut connection = Connection::new("10.0.0.1:4000", "192.0.2.1:443");
    let syn = pass(&mut firewall, INSIDE, &connection.client(SYN, &[]));
    let outside = syn.source;
    assert_eq!((outside.ip().to_string(), syn.destination), ("198.51.100.10".into(), socket("192.0.2.1:443")));
    // The other side speaks to the pool address.
    let mut theirs = connection.clone();
    theirs.client = outside;
    let answer = pass(&mut firewall, OUTSIDE, &theirs.server(SYN | ACK, &[]));
    assert_eq!((answer.source, answer.destination), (socket("192.0.2.1:443"), socket("10.0.0.1:4000")));
    connection.next = theirs.next;
    for (flags, payload) in [(ACK, &b""[..]), (ACK, b"GET /"), (FIN | ACK, b"")] {
        assert_eq!(pass(&mut firewall, INSIDE, &connection.client(flags, payload)).source, outside);
    }
    theirs.next = connection.next;
    pass(&mut firewall, OUTSIDE, &theirs.server(FIN | ACK, b"bye"));
    connection.next = theirs.next;
    pass(&mut firewall, INSIDE, &connection.client(ACK, &[]));
    firewall.moved(&[
        ("packets_received", 7),
        ("packets_forwarded", 7),
        ("sessions_opened", 1),
        ("sessions_translated", 1),
        ("sessions_closed", 1),
        ("table_entries", 1),
        ("session_events", 2),
    ]);
    let events = firewall.session_events();
    assert!(
        matches!(events[0].change, SessionChange::Create) && matches!(events[1].change, SessionChange::Close { .. })
    );
    for event in &events {
        assert_eq!(event.tuple.client.socket(), socket("10.0.0.1:4000"));
        assert_eq!(translation_of(event), Some(outside));
    }
}

#[test]
fn a_mapping_is_the_same_for_every_destination_and_only_who_was_asked_may_answer() {
    let mut firewall = firewall();
    let inside = socket("10.0.0.1:4000");
    let (first, second) = (socket("192.0.2.1:53"), socket("203.0.113.9:9999"));
    let outside = pass(&mut firewall, INSIDE, &udp(inside, first, b"a")).source;
    assert_eq!(pass(&mut firewall, INSIDE, &udp(inside, second, b"b")).source, outside);
    assert_eq!(pass(&mut firewall, OUTSIDE, &udp(second, outside, b"c")).destination, inside);
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_opened", 2),
        ("sessions_translated", 2),
        ("sessions_active", 2),
        ("table_entries", 2),
        ("session_events", 2),
    ]);
    // Another address, another port of the same address, a port that nobody has, and ICMP that asks the pool.
    firewall.back(&udp(socket("203.0.113.10:9999"), outside, b"d")).drops(DropReason::NatUnsolicited);
    firewall.back(&udp(socket("203.0.113.9:9998"), outside, b"d")).drops(DropReason::NatUnsolicited);
    let nobody = SocketAddr::new(outside.ip(), outside.port() ^ 1);
    firewall.back(&udp(second, nobody, b"d")).drops(DropReason::NatUnsolicited);
    let ping = icmp(second.ip(), outside.ip(), (8, 0), [0, 1, 0, 1], b"ping");
    firewall.back(&ping).drops(DropReason::NatUnsolicited);
    // Who was asked, but not by the pool address; and somebody who says to be the pool.
    firewall.back(&udp(second, inside, b"d")).drops(DropReason::NatUnsolicited);
    firewall.back(&udp(outside, inside, b"d")).drops(DropReason::BadAddress);
    // A neighbour inside calls the pool address: there is no hairpin.
    firewall.out(&udp(socket("10.0.0.2:4000"), outside, b"d")).drops(DropReason::NatUnsolicited);
    firewall.moved(&[("packets_received", 7), ("drop_nat_unsolicited", 6), ("drop_bad_address", 1)]);
}

#[test]
fn a_ping_is_translated_by_its_identifier() {
    let mut firewall = firewall();
    let (host, server) = ("10.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
    let echo = pass(&mut firewall, INSIDE, &icmp(host, server, (8, 0), [0, 77, 0, 1], b"ping"));
    let [high, low] = echo.source.port().to_be_bytes();
    let reply = icmp(server, echo.source.ip(), (0, 0), [high, low, 0, 1], b"ping");
    let reply = pass(&mut firewall, OUTSIDE, &reply);
    assert_eq!((reply.destination.ip(), reply.source.port()), (host, 77));
    assert_eq!(pass(&mut firewall, INSIDE, &icmp(host, server, (8, 0), [0, 77, 0, 2], b"ping")).source, echo.source);
}

#[test]
fn errors_are_translated_with_what_they_quote() {
    let mut firewall = firewall();
    let (inside, server) = (socket("10.0.0.1:4000"), socket("192.0.2.1:53"));
    let query = udp(inside, server, b"question");
    let seen = pass(&mut firewall, INSIDE, &query);
    // A router on the way says that it cannot deliver what left.
    let router = "203.0.113.254".parse().unwrap();
    let error = icmp(router, seen.source.ip(), (3, 1), [0; 4], &seen.bytes[14..]);
    let told = pass(&mut firewall, OUTSIDE, &error);
    assert_eq!((told.source.ip(), told.destination.ip()), (router, inside.ip()));
    assert_eq!(told.bytes[42..], query.ip(), "it quotes what the host sent");
    // The host says that nobody listens for the answer.
    let answer = udp(server, seen.source, b"answer");
    let arrived = pass(&mut firewall, OUTSIDE, &answer);
    let error = icmp(inside.ip(), server.ip(), (3, 3), [0; 4], &arrived.bytes[14..42]);
    let told = pass(&mut firewall, INSIDE, &error);
    assert_eq!((told.source.ip(), told.destination.ip()), (seen.source.ip(), server.ip()));
    assert_eq!(told.bytes[42..], answer.ip()[..28], "it quotes what the server sent");
    // About a port that nobody has, and about somebody else's session.
    let other = udp(SocketAddr::new(seen.source.ip(), seen.source.port() ^ 1), server, b"x");
    firewall.back(&icmp(router, seen.source.ip(), (3, 1), [0; 4], &other.ip())).drops(DropReason::NatUnsolicited);
    let other = udp(seen.source, socket("192.0.2.77:53"), b"x");
    firewall.back(&icmp(router, seen.source.ip(), (3, 1), [0; 4], &other.ip())).drops(DropReason::IcmpUnknownFlow);
}

#[test]
fn fragments_get_the_address_of_their_first() {
    let mut firewall = firewall();
    let (inside, server) = (socket("10.0.0.1:5000"), socket("192.0.2.1:5001"));
    let cut = |whole: &Packet, at: usize, more| {
        let mut piece = whole.clone();
        piece.transport = whole.transport[at..at + 1000].to_vec();
        piece.fragment(9, more, at as u16)
    };
    let whole = udp(inside, server, &[7; 1992]);
    firewall.out(&cut(&whole, 1000, false)).waits();
    let fate = firewall.out(&cut(&whole, 0, true));
    let [(_, first), (_, second)] = &fate.sent[..] else { panic!("{fate:?}") };
    let outside = std::net::IpAddr::from(<[u8; 4]>::try_from(&first[26..30]).unwrap());
    assert!(outside != inside.ip() && first[26..34] == second[26..34]);
    let port = u16::from_be_bytes([first[34], first[35]]);
    let outside = SocketAddr::new(outside, port);
    // Together they are the datagram that the pool address would have sent: the checksum is in the first.
    let rebuilt = [&first[34..], &second[34..]].concat();
    assert_eq!(rebuilt, udp(outside, server, &[7; 1992]).transport);
    // And the other way.
    let whole = udp(server, outside, &[8; 1992]);
    firewall.back(&cut(&whole, 1000, false)).waits();
    let fate = firewall.back(&cut(&whole, 0, true));
    let [(_, first), (_, second)] = &fate.sent[..] else { panic!("{fate:?}") };
    let rebuilt = [&first[34..], &second[34..]].concat();
    assert_eq!(rebuilt, udp(server, inside, &[8; 1992]).transport);
    assert_eq!(first[30..34], second[30..34]);
}

#[test]
fn an_exhausted_pool_drops_by_name_until_ports_were_held_long_enough() {
    let mut firewall = with(pool((5000, 5001)), vec![translated()]);
    let server = socket("192.0.2.1:53");
    let from = |port: u16| udp(SocketAddr::from(([10, 0, 0, 1], port)), server, b"x");
    pass(&mut firewall, INSIDE, &from(1));
    pass(&mut firewall, INSIDE, &from(2));
    firewall.out(&from(3)).drops(DropReason::NatExhausted);
    let usage = firewall.pipeline.nat_usage().unwrap().clone();
    let usage = &usage.pools()[0];
    assert_eq!((usage.size(), usage.ports(Kind::Udp), usage.ports_held(), usage.exhausted()), (2, 2, 0, 1));
    // 30 s: the sessions are over; their ports are held for 120 s more.
    firewall.wait(Duration::from_secs(31));
    assert_eq!((usage.ports(Kind::Udp), usage.ports_held(), usage.hosts()), (2, 2, 1));
    firewall.out(&from(3)).drops(DropReason::NatExhausted);
    // Who had a port takes it up again.
    pass(&mut firewall, INSIDE, &from(2));
    assert_eq!(usage.ports_held(), 1);
    firewall.wait(Duration::from_secs(121));
    pass(&mut firewall, INSIDE, &from(3));
    assert_eq!((usage.ports(Kind::Udp), usage.ports_held(), usage.mappings()), (2, 1, 3));
}

#[test]
fn every_place_of_the_table_is_translated() {
    let mut firewall = firewall();
    // More sessions, one after the other, than the table has places: the reserve for handshakes has its turn too.
    for port in 1..=1200 {
        let client = SocketAddr::from(([10, 0, 0, 1], port));
        let mut connection = Connection::new(&client.to_string(), "192.0.2.1:443");
        assert_eq!(pass(&mut firewall, INSIDE, &connection.client(SYN, &[])).source.ip().to_string(), "198.51.100.10");
        firewall.wait(Duration::from_secs(25));
    }
    let nat = firewall.pipeline.nat.as_ref().unwrap();
    nat.assert_consistent();
    assert_eq!(nat.usage().pools()[0].ports(Kind::Tcp), nat.usage().pools()[0].ports_held(), "none is kept for ever");
}

#[test]
fn a_host_has_no_more_ports_than_it_may() {
    let limited = PoolSource { ports_per_host: NonZeroU16::new(2), ..pool((1024, 65_535)) };
    let mut firewall = with(limited, vec![translated()]);
    let server = socket("192.0.2.1:53");
    let from = |host: u8, port: u16| udp(SocketAddr::from(([10, 0, 0, host], port)), server, b"x");
    pass(&mut firewall, INSIDE, &from(1, 1));
    pass(&mut firewall, INSIDE, &from(1, 2));
    firewall.out(&from(1, 3)).drops(DropReason::NatHostLimit);
    pass(&mut firewall, INSIDE, &from(2, 3));
    // Another protocol has a limit of its own; a second destination needs no second port.
    pass(&mut firewall, INSIDE, &Connection::new("10.0.0.1:3", "192.0.2.1:80").client(SYN, &[]));
    pass(&mut firewall, INSIDE, &udp(socket("10.0.0.1:2"), socket("192.0.2.9:53"), b"x"));
    assert_eq!(firewall.pipeline.nat_usage().unwrap().pools()[0].limited(), 1);
}

#[test]
fn what_has_no_port_is_refused_and_ipv6_is_left_alone() {
    let mut firewall = firewall();
    let esp = Packet::new("10.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap(), 50, vec![0; 20]);
    firewall.out(&esp).drops(DropReason::NatProtocol);
    let odd = icmp("10.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap(), (40, 0), [0; 4], b"");
    firewall.out(&odd).drops(DropReason::NatProtocol);
    firewall.out(&udp(socket("[2001:db8::1]:4000"), socket("[2001:db8:f::1]:53"), b"x")).passes();
    assert_eq!(translation_of(&firewall.session_events()[0]), None);
}

#[test]
fn a_rule_without_a_pool_leaves_its_sessions_alone() {
    let plain = RuleSource { destination: vec![range("203.0.113.0", "203.0.113.255")], ..outbound() };
    let mut firewall = with(pool((1024, 65_535)), vec![plain, translated()]);
    let packet = udp(socket("10.0.0.1:4000"), socket("203.0.113.1:53"), b"x");
    let mut bytes = packet.frame();
    let length = bytes.len() as u32;
    let mut frames = [Frame::new(INSIDE, &mut bytes, length)];
    firewall.pipeline.process(firewall.now, &mut frames, &mut arrayvec::ArrayVec::new());
    assert!(!frames[0].edited);
    assert_eq!(bytes, packet.frame());
    firewall.back(&udp(socket("203.0.113.1:53"), socket("10.0.0.1:4000"), b"x")).passes();
    // The same port towards another server is translated; the untranslated session's server may not use that.
    let outside = pass(&mut firewall, INSIDE, &udp(socket("10.0.0.1:4000"), socket("192.0.2.1:53"), b"x")).source;
    firewall.back(&udp(socket("203.0.113.1:53"), outside, b"x")).drops(DropReason::NatUnsolicited);
}

fn range(first: &str, last: &str) -> AddressRange {
    let address = |text: &str| Address::from(text.parse::<std::net::IpAddr>().unwrap());
    AddressRange { first: address(first), last: address(last) }
}

#[test]
fn a_policy_that_translates_otherwise_ends_the_session() {
    let mut firewall = firewall();
    let (inside, server) = (socket("10.0.0.1:4000"), socket("192.0.2.1:53"));
    let outside = pass(&mut firewall, INSIDE, &udp(inside, server, b"x")).source;
    // The same rule in another policy: the mapping stays.
    firewall.commit(policy(vec![rule(Action::Deny), translated()].split_off(1)));
    assert_eq!(pass(&mut firewall, OUTSIDE, &udp(server, outside, b"x")).destination, inside);
    firewall.changes();
    firewall.commit(policy(vec![outbound()]));
    firewall.back(&udp(server, outside, b"x")).drops(DropReason::NatChanged);
    assert_eq!(firewall.changes(), ["close policy"]);
    firewall.back(&udp(server, outside, b"x")).drops(DropReason::NatUnsolicited);
    firewall.out(&udp(inside, server, b"x")).passes();
    firewall.back(&udp(server, inside, b"x")).passes();
    // And back again: what the client itself sends opens the other session at once.
    firewall.changes();
    firewall.commit(policy(vec![translated()]));
    firewall.forget();
    assert_eq!(pass(&mut firewall, INSIDE, &udp(inside, server, b"x")).source, outside, "its mapping was held");
    assert_eq!(firewall.changes(), ["close policy", "create"]);
    firewall.moved(&[
        ("packets_received", 1),
        ("packets_forwarded", 1),
        ("sessions_rejudged", 1),
        ("sessions_closed", 1),
        ("sessions_opened", 1),
        ("sessions_translated", 1),
        ("session_events", 2),
    ]);
}

#[test]
fn resets_towards_the_outside_come_from_the_pool() {
    let mut firewall = firewall();
    let mut connection = Connection::new("10.0.0.1:4000", "192.0.2.1:443");
    let outside = pass(&mut firewall, INSIDE, &connection.client(SYN, &[])).source;
    let mut theirs = connection.clone();
    theirs.client = outside;
    pass(&mut firewall, OUTSIDE, &theirs.server(SYN | ACK, &[]));
    connection.next = theirs.next;
    firewall.commit(policy(vec![rule(Action::Reset)]));
    let fate = firewall.out(&connection.client(ACK, b"more"));
    fate.drops(DropReason::PolicyReset);
    let [to_client, to_server] = &fate.replies[..] else { panic!("two resets") };
    let (back, on) = (read(&to_client.bytes), read(&to_server.bytes));
    assert_eq!((to_client.port, back.source, back.destination), (INSIDE, connection.server, connection.client));
    assert_eq!((to_server.port, on.source, on.destination), (OUTSIDE, outside, connection.server));
    assert_eq!(on.bytes[47] & RST, RST);
    // What the server still sends is answered by the address that it speaks to.
    theirs.next = connection.next;
    let fate = firewall.back(&theirs.server(ACK, b"late"));
    fate.drops(DropReason::PolicyReset);
    let answer = read(&fate.replies[0].bytes);
    assert_eq!((answer.source, answer.destination), (outside, connection.server));
}

#[test]
fn a_listing_shows_the_outside_endpoint() {
    let mut firewall = firewall();
    let outside = pass(&mut firewall, INSIDE, &udp(socket("10.0.0.1:4000"), socket("192.0.2.1:53"), b"x")).source;
    let (sender, views) = crossbeam::channel::bounded(10);
    firewall.pipeline.command(firewall.now, Command::Dump(sender));
    firewall.wait(Duration::ZERO);
    let view = views.try_recv().unwrap();
    assert_eq!(view.translation.map(Translation::endpoint).unwrap().socket(), outside);
}

#[test]
fn protection_knows_hosts_by_their_inside_addresses() {
    let networks = vec![range("10.0.0.0", "10.0.255.255")];
    let inside = OriginRule { networks: networks.clone(), ..OriginRule::default() };
    let outside = OriginRule { elsewhere: networks, drop_bogons: true, ..OriginRule::default() };
    let limit = Limit { source: 2, destination: 3 };
    let floods = Floods { udp: limit, ..Floods::default() };
    let protection = Protection { origins: vec![inside, outside], floods, ..Protection::default() };
    let settings = Settings { nat: vec![pool((1024, 65_535))], protection, ..settings() };
    let mut firewall = Firewall::set_up(settings, policy(vec![translated()]), sigdb::Database::default());
    // What comes back is of a session, and from its server's side.
    let (client, server) = (socket("10.0.0.1:4000"), socket("8.8.8.8:53"));
    let outside = pass(&mut firewall, INSIDE, &udp(client, server, b"x")).source;
    assert_eq!(pass(&mut firewall, OUTSIDE, &udp(server, outside, b"x")).destination, client);
    firewall.out(&udp(server, outside, b"x")).drops(DropReason::Spoofed);
    firewall.back(&udp(client, server, b"x")).drops(DropReason::Spoofed);
    // Both hosts have one address outside, and a limit each: two of the first, one more of the second until the server
    // has its three.
    let from = |host: u8, port: u16| udp(SocketAddr::from(([10, 0, 0, host], port)), server, b"x");
    pass(&mut firewall, INSIDE, &from(1, 4001));
    firewall.out(&from(1, 4002)).drops(DropReason::UdpFlood);
    pass(&mut firewall, INSIDE, &from(2, 4000));
    firewall.out(&from(2, 4001)).drops(DropReason::UdpFlood);
    // An attacker outside that says to be the very host that it calls by its pool address.
    firewall.back(&udp(client, outside, b"x")).drops(DropReason::NatUnsolicited);
}

#[test]
fn every_entry_of_the_table_can_have_a_mapping() {
    let mut firewall = firewall();
    let server = socket("192.0.2.1:53");
    // There are more places than max-sessions: those that wait for their answer have a reserve.
    let places = settings().max_sessions + crate::guard::reserve(settings().max_sessions);
    for port in 1..=places as u16 + 50 {
        pass(&mut firewall, INSIDE, &udp(SocketAddr::from(([10, 0, 0, 1], port)), server, b"x"));
        firewall.session_events();
    }
    let nat = firewall.pipeline.nat.as_ref().unwrap();
    nat.assert_consistent();
    let usage = &nat.usage().pools()[0];
    assert_eq!((usage.ports(Kind::Udp) - usage.ports_held()) as usize, places);
    firewall.pipeline.shutdown(firewall.now, Room::Regardless);
    let nat = firewall.pipeline.nat.as_ref().unwrap();
    nat.assert_consistent();
    let usage = &nat.usage().pools()[0];
    assert_eq!(usage.ports(Kind::Udp), usage.ports_held());
}

#[test]
fn a_session_that_is_refused_gives_its_port_back_at_once() {
    // In a table full of young handshakes a SYN has to be repeated.
    let settings = Settings { nat: vec![pool((5000, 5000))], max_sessions: 16, ..settings() };
    let source = vec![range("10.0.0.0", "10.0.0.255")];
    let rules = vec![RuleSource { source, ..translated() }, outbound()];
    let mut firewall = Firewall::set_up(settings, policy(rules), sigdb::Database::default());
    for port in 1..=18 {
        firewall.out(&Connection::new(&format!("10.1.0.1:{port}"), "192.0.2.1:443").client(SYN, &[])).passes();
    }
    let usage = firewall.pipeline.nat_usage().unwrap().clone();
    let usage = &usage.pools()[0];
    let used = || (usage.ports(Kind::Tcp), usage.ports(Kind::Udp), usage.ports_held(), usage.hosts());
    let syn = Connection::new("10.0.0.1:4000", "192.0.2.1:443").client(SYN, &[]);
    firewall.out(&syn).drops(DropReason::SynFlood);
    assert_eq!(used(), (0, 0, 0, 0));
    firewall.pipeline.nat.as_ref().unwrap().assert_consistent();
    pass(&mut firewall, INSIDE, &syn);
    assert_eq!(used(), (1, 0, 0, 1));
    // Who has the port already keeps it, whatever becomes of another session of his.
    let other = Connection::new("10.0.0.1:4000", "192.0.2.2:443").client(SYN, &[]);
    firewall.out(&other).drops(DropReason::SynFlood);
    assert_eq!(used(), (1, 0, 0, 1));
    firewall.pipeline.nat.as_ref().unwrap().assert_consistent();
}
