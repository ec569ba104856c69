//! Source NAT between interfaces: the pool on the network of the outside one.

use super::firewall::settings;
use super::routing::{CLIENT, GATEWAY, INSIDE, OUR_INSIDE, OUR_OUTSIDE, OUTSIDE, Router, address, config};
use super::translation::{pool, read, translated};
use crate::nat::PoolSource;
use crate::pipeline::Settings;
use crate::policy::AddressRange;
use crate::route::{Arp, Mac};
use crate::verdict::{DropReason, Verdict};
use crate::wire::build::{icmp, udp};

const POOL: &str = "192.0.2.10";

fn router() -> Router {
    let addresses = vec![AddressRange { first: address(POOL), last: address("192.0.2.11") }];
    let nat = vec![PoolSource { addresses, ..pool((1024, 65_535)) }];
    let settings = Settings { wires: vec![], routing: config(), nat, ..settings() };
    let mut router = Router::set_up(vec![translated()], settings);
    for (port, neighbour, mac) in [(INSIDE, "10.0.0.1", CLIENT), (OUTSIDE, "192.0.2.254", GATEWAY)] {
        router.asks_for_us(port, neighbour, mac);
    }
    router.sent.clear();
    router
}

#[test]
fn a_session_is_routed_by_what_its_packets_are_inside() {
    let mut router = router();
    let (client, server) = ("10.0.0.1:4000".parse().unwrap(), "198.51.100.7:53".parse().unwrap());
    let (verdict, frame) = router.send(INSIDE, &udp(client, server, b"question"));
    assert_eq!(verdict, Verdict::Forward(OUTSIDE));
    let left = read(&frame);
    assert!([POOL, "192.0.2.11"].contains(&&*left.source.ip().to_string()) && left.destination == server);
    assert_eq!((&frame[..6], &frame[6..12], frame[22]), (&GATEWAY.0[..], &OUR_OUTSIDE.0[..], 63));
    // The answer finds the host by its inside address.
    let (verdict, frame) = router.send(OUTSIDE, &udp(server, left.source, b"answer"));
    assert_eq!(verdict, Verdict::Forward(INSIDE));
    let arrived = read(&frame);
    assert_eq!((arrived.source, arrived.destination, &frame[..6]), (server, client, &CLIENT.0[..]));
    // So does what a router on the way has to say of it.
    let quoted = udp(left.source, server, b"question").ip();
    let told = icmp("198.51.100.1".parse().unwrap(), left.source.ip(), (11, 0), [0; 4], &quoted);
    let (verdict, frame) = router.send(OUTSIDE, &told);
    assert_eq!((verdict, &frame[..6]), (Verdict::Forward(INSIDE), &CLIENT.0[..]));
    assert_eq!(frame[42..], udp(client, server, b"question").ip());
    // Nobody else, and nobody inside, reaches a pool address.
    router.drops(OUTSIDE, &udp("198.51.100.8:53".parse().unwrap(), left.source, b"x"), DropReason::NatUnsolicited);
    router.drops(INSIDE, &udp(client, left.source, b"x"), DropReason::NatUnsolicited);
}

#[test]
fn a_packet_that_is_too_large_is_refused_to_its_sender_as_he_knows_it() {
    let mut router = router();
    let (client, server) = ("10.0.0.1:4000".parse().unwrap(), "198.51.100.7:53".parse().unwrap());
    let (_, frame) = router.send(INSIDE, &udp(client, server, b"question"));
    let outside = read(&frame).source;
    let large = udp(client, server, &[0; 1450]);
    let mut whole = large.frame();
    whole[..6].copy_from_slice(&OUR_INSIDE.0);
    whole[20] |= 0x40;
    crate::wire::ipv4::write_checksum(&mut whole[14..]);
    assert_eq!(router.bytes(INSIDE, &whole).0, Verdict::Drop(DropReason::MtuExceeded));
    let (port, error) = router.said();
    assert_eq!((port, &error[30..34], error[34..36].to_vec()), (INSIDE, &[10, 0, 0, 1][..], vec![3, 4]));
    assert_eq!(error[54..58], [10, 0, 0, 1], "it quotes what the host sent");
    // Without DF it is cut, each piece with the pool's address.
    assert_eq!(router.send(INSIDE, &large).0, Verdict::Taken);
    assert_eq!(router.sent.len(), 2);
    for (port, piece) in router.sent.drain(..) {
        let Some(std::net::IpAddr::V4(outside)) = Some(outside.ip()) else { panic!("the pool is of IPv4") };
        assert_eq!((port, &piece[26..30]), (OUTSIDE, &outside.octets()[..]));
    }
}

#[test]
fn whoever_asks_for_a_pool_address_on_its_network_gets_our_answer() {
    let mut router = router();
    let mut arp =
        Arp { asks: true, sender: (GATEWAY, address("192.0.2.254")), target: (Mac::default(), address(POOL)) };
    assert_eq!(router.bytes(OUTSIDE, &arp.frame(Mac::BROADCAST)).0, Verdict::Taken);
    let (port, answer) = router.said();
    let expected = Arp { asks: false, sender: (OUR_OUTSIDE, arp.target.1), target: arp.sender };
    assert_eq!((port, Arp::read(&answer)), (OUTSIDE, Some(expected)));
    // Beside the pool, and on another network.
    arp.target.1 = address("192.0.2.12");
    assert_eq!((router.bytes(OUTSIDE, &arp.frame(Mac::BROADCAST)).0, router.sent.len()), (Verdict::Taken, 0));
    let elsewhere = Arp { sender: (CLIENT, address("10.0.0.1")), target: (Mac::default(), address(POOL)), ..arp };
    assert_eq!((router.bytes(INSIDE, &elsewhere.frame(Mac::BROADCAST)).0, router.sent.len()), (Verdict::Taken, 0));
    // Whoever claims one is told otherwise.
    let claim = Arp { sender: (GATEWAY, address(POOL)), ..arp };
    assert_eq!(router.bytes(OUTSIDE, &claim.frame(Mac::BROADCAST)).0, Verdict::Drop(DropReason::AddressConflict));
    let (_, defence) = router.said();
    assert_eq!(Arp::read(&defence).map(|arp| arp.sender), Some((OUR_OUTSIDE, address(POOL))));
}

/// What an ICMP error quotes, checksums and all.
fn quoted(error: &[u8]) -> Vec<u8> {
    assert_eq!(crate::wire::checksum::Sum::default().octets(&error[34..]).finish(), 0, "the error's checksum");
    error[42..].to_vec()
}

#[test]
fn who_is_told_that_a_host_is_unreachable_knows_the_packet() {
    let mut router = router();
    // Nobody answers outside: the host inside is told of what it sent, when it waited in vain and when it need not wait.
    let (client, server) = ("10.0.0.1:4000".parse().unwrap(), "192.0.2.7:53".parse().unwrap());
    let question = udp(client, server, b"question");
    assert_eq!(router.send(INSIDE, &question).0, Verdict::Taken);
    router.sent.clear();
    router.wait(4);
    let (port, waited) = router.sent.pop().unwrap();
    router.sent.clear();
    router.drops(INSIDE, &question, DropReason::NeighbourUnresolved);
    for (port, error) in [(port, waited), router.said()] {
        assert_eq!((port, &error[..6], &error[34..36]), (INSIDE, &CLIENT.0[..], &[3, 1][..]));
        assert_eq!(error[30..34], [10, 0, 0, 1]);
        assert_eq!(quoted(&error), question.ip());
    }
    // Nobody answers inside any more: whoever outside answers hears of the pool address, and of no other.
    let (client, server) = ("10.0.0.5:4000".parse().unwrap(), "198.51.100.7:53".parse().unwrap());
    let (_, frame) = router.send(INSIDE, &udp(client, server, b"question"));
    let answer = udp(server, read(&frame).source, b"answer");
    assert_eq!(router.send(OUTSIDE, &answer).0, Verdict::Taken);
    router.sent.clear();
    router.wait(4);
    let (port, waited) = router.sent.pop().unwrap();
    router.sent.clear();
    router.drops(OUTSIDE, &answer, DropReason::NeighbourUnresolved);
    for (port, error) in [(port, waited), router.said()] {
        assert_eq!((port, &error[..6], &error[34..36]), (OUTSIDE, &GATEWAY.0[..], &[3, 1][..]));
        assert_eq!(error[30..34], [198, 51, 100, 7]);
        assert_eq!(quoted(&error), answer.ip());
    }
}
