//! What is meant for the firewall itself, and what it says unasked.

use super::firewall::{Connection, Firewall, outbound, policy, rule, settings};
use super::routing::{CLIENT, GATEWAY, INSIDE, KERNEL, OUR_INSIDE, OUTSIDE, OWN, Router, address, config, question};
use crate::pipeline::Settings;
use crate::policy::{Action, RuleSource, ZoneId};
use crate::route::{Arp, Config, Mac};
use crate::verdict::{DropReason, Verdict};
use crate::wire::build::{icmp, udp};
use crate::wire::tcp::{ACK, SYN};

#[test]
fn echo_to_our_own_addresses_is_judged_and_answered() {
    let ping = |to: &str| icmp("10.0.0.1".parse().unwrap(), to.parse().unwrap(), (8, 0), [0, 7, 0, 1], b"hello");
    let mut router = Router::usual();
    // The other interface's too.
    for own in ["10.0.0.254", "192.0.2.1"] {
        assert_eq!(router.send(INSIDE, &ping(own)).0, Verdict::Taken);
        let (port, answer) = router.said();
        assert_eq!((port, &answer[..6], answer[34]), (INSIDE, &CLIENT.0[..], 0));
    }
    router.drops(INSIDE, &question("10.0.0.254:53"), DropReason::NoLocalService);
    assert_eq!(router.counter("echo_replies"), 2);
    // Where no rule lets it through it is not answered.
    let mut silent = Router::with(vec![outbound()], config());
    silent.drops(INSIDE, &ping("10.0.0.254"), DropReason::ImplicitDeny);
    assert_eq!(silent.sent, []);
}

#[test]
fn whoever_asks_for_us_gets_an_answer_and_a_liar_does_not() {
    let mut router = Router::usual();
    let mut arp =
        Arp { asks: true, sender: (CLIENT, address("10.0.0.1")), target: (Mac::default(), address("10.0.0.254")) };
    assert_eq!(router.bytes(INSIDE, &arp.frame(Mac::BROADCAST)).0, Verdict::Taken);
    let (port, answer) = router.said();
    let expected = Arp { asks: false, sender: (OUR_INSIDE, arp.target.1), target: arp.sender };
    assert_eq!((port, Arp::read(&answer)), (INSIDE, Some(expected)));
    // Another's address is not ours to answer for.
    arp.target.1 = address("10.0.0.9");
    assert_eq!((router.bytes(INSIDE, &arp.frame(Mac::BROADCAST)).0, router.sent.len()), (Verdict::Taken, 0));
    // From a network that is not there.
    arp.sender.1 = address("192.0.2.254");
    let bad = Verdict::Drop(DropReason::BadNeighbourMessage);
    assert_eq!(router.bytes(INSIDE, &arp.frame(Mac::BROADCAST)).0, bad);
    // One that claims our own: it is told otherwise, not too often.
    arp.sender.1 = address("10.0.0.254");
    for _ in 0..3 {
        let conflict = Verdict::Drop(DropReason::AddressConflict);
        assert_eq!(router.bytes(INSIDE, &arp.frame(Mac::BROADCAST)).0, conflict);
    }
    let (_, defence) = router.said();
    assert_eq!(Arp::read(&defence).map(|arp| arp.sender), Some((OUR_INSIDE, address("10.0.0.254"))));
    // A neighbour's address claimed by another: everybody is asked, and the old one used until someone answers.
    router.wait(2);
    let forged = Mac([2, 0, 0, 0, 6, 6]);
    let known = Arp { asks: false, sender: (CLIENT, address("10.0.0.1")), target: (OUR_INSIDE, address("10.0.0.254")) };
    router.send(OUTSIDE, &icmp("198.51.100.7".parse().unwrap(), "192.0.2.1".parse().unwrap(), (8, 0), [0; 4], &[]));
    router.sent.clear();
    let mut web = Connection::new("10.0.0.1:40000", "198.51.100.7:443");
    router.send(INSIDE, &web.client(SYN, &[]));
    router.send(OUTSIDE, &web.server(SYN | ACK, &[]));
    router.wait(1);
    assert_eq!(router.bytes(INSIDE, &known.frame(OUR_INSIDE)).0, Verdict::Taken);
    router.wait(2);
    router.sent.clear();
    let claim = Arp { sender: (forged, address("10.0.0.1")), ..known };
    router.bytes(INSIDE, &claim.frame(OUR_INSIDE));
    assert_eq!((router.said().1[..6].to_vec(), router.counter("neighbour_conflicts")), (vec![0xff; 6], 1));
    let (_, frame) = router.send(OUTSIDE, &web.server(SYN | ACK, &[]));
    assert_eq!(frame[..6], CLIENT.0);
}

#[test]
fn our_addresses_are_announced_at_the_start() {
    let settings = Settings { wires: vec![], routing: config(), ..settings() };
    let firewall = Firewall::set_up(settings, policy(vec![]), Default::default());
    let mut router = Router { firewall, sent: Vec::new() };
    router.wait(5);
    let arp = router.sent.iter().filter_map(|(_, frame)| Arp::read(frame)).map(|arp| arp.sender.1).collect::<Vec<_>>();
    assert_eq!(arp, ["10.0.0.254", "192.0.2.1", "10.0.0.254", "192.0.2.1"].map(address));
    // Two addresses of IPv6 and two that are link-local, twice.
    assert_eq!((router.sent.len(), router.counter("neighbour_announcements")), (12, 12));
}

#[test]
fn the_kernel_serves_our_addresses_where_there_is_a_management_port() {
    let to_us = RuleSource { to: vec![ZoneId(9)], ..rule(Action::Permit) };
    let from_us = RuleSource { from: vec![ZoneId(9)], ..rule(Action::Permit) };
    let mut router = Router::with(vec![to_us, from_us], Config { management: Some(KERNEL), ..config() });
    for (port, neighbour, mac) in [(INSIDE, "10.0.0.1", CLIENT), (OUTSIDE, "192.0.2.254", GATEWAY)] {
        router.asks_for_us(port, neighbour, mac);
    }
    router.sent.clear();
    let mut ssh = Connection::new("10.0.0.1:40000", "10.0.0.254:22");
    let (verdict, frame) = router.send(INSIDE, &ssh.client(SYN, &[]));
    assert_eq!((verdict, &frame[..6], &frame[6..12]), (Verdict::Forward(OWN), &KERNEL.0[..], &OUR_INSIDE.0[..]));
    // The kernel asks for the client, and answers: its packet has made no hop.
    let arp =
        Arp { asks: true, sender: (KERNEL, address("10.0.0.254")), target: (Mac::default(), address("10.0.0.1")) };
    assert_eq!(router.bytes(OWN, &arp.frame(Mac::BROADCAST)).0, Verdict::Taken);
    assert_eq!(Arp::read(&router.said().1).map(|arp| arp.sender), Some((OUR_INSIDE, address("10.0.0.1"))));
    let mut answer = ssh.server(SYN | ACK, &[]);
    answer.macs = (KERNEL.0, OUR_INSIDE.0);
    let (verdict, frame) = router.bytes(OWN, &answer.frame());
    assert_eq!((verdict, &frame[..6], frame[22]), (Verdict::Forward(INSIDE), &CLIENT.0[..], 64));
    // It speaks for our addresses only.
    let mut forged = question("198.51.100.7:53");
    forged.macs = (KERNEL.0, OUR_INSIDE.0);
    assert_eq!(router.bytes(OWN, &forged.frame()).0, Verdict::Drop(DropReason::BadAddress));
    let mut query = udp("192.0.2.1:5353".parse().unwrap(), "198.51.100.7:53".parse().unwrap(), b"q");
    query.macs = (KERNEL.0, OUR_INSIDE.0);
    assert_eq!(router.bytes(OWN, &query.frame()).0, Verdict::Forward(OUTSIDE));
}
