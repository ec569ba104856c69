//! The action `reset`: both ends are told, by frames that they would believe.

use std::net::IpAddr;

use super::firewall::{Connection, Firewall, INSIDE, OUTSIDE, outbound, policy, rule};
use crate::pipeline::Reply;
use crate::policy::Action;
use crate::verdict::DropReason;
use crate::wire::build::{CLIENT_MAC, Packet, SERVER_MAC, Shim, icmp, transport_sum, udp};
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::Ipv6;
use crate::wire::tcp::{ACK, RST, SYN, Tcp};
use crate::wire::{be16, protocol};

/// What a reply says, its lengths and checksums verified: addresses, protocol, transport header and what follows.
fn read(reply: &Reply, at: usize) -> (IpAddr, IpAddr, u8, Vec<u8>) {
    let packet = &reply.bytes[at..];
    let (source, destination, number, transport) = if packet[0] >> 4 == 4 {
        let header = Ipv4::read(packet).unwrap();
        assert!(header.checksum_holds());
        (header.source, header.destination, header.protocol, &packet[20..usize::from(header.total_length)])
    } else {
        let header = Ipv6::read(packet).unwrap();
        (header.source, header.destination, header.next_header, &packet[40..40 + usize::from(header.payload_length)])
    };
    let (source, destination) = (source.ip(), destination.ip());
    assert_eq!(transport_sum(source, destination, number, transport).finish(), 0);
    (source, destination, number, transport.to_vec())
}

fn numbers(reply: &Reply, at: usize) -> (u16, u16, u8, u32, u32) {
    let tcp = Tcp::read(&read(reply, at).3).unwrap();
    (tcp.source, tcp.destination, tcp.flags, tcp.sequence, tcp.acknowledgment)
}

fn macs(reply: &Reply) -> ([u8; 6], [u8; 6]) {
    (reply.bytes[0..6].try_into().unwrap(), reply.bytes[6..12].try_into().unwrap())
}

#[test]
fn a_syn_is_answered_as_by_a_closed_port() {
    for (client, server) in [("10.0.0.1:40000", "192.0.2.1:80"), ("[2001:db8::1]:40000", "[2001:db8:f::1]:80")] {
        for (shims, at) in
            [(&[][..], 14), (&[Shim::Tag(0x88a8, 100), Shim::Tag(0x8100, 10)], 22), (&[Shim::Pppoe(5)], 22)]
        {
            let mut firewall = Firewall::with(vec![rule(Action::Reset)]);
            let mut web = Connection::new(client, server);
            let syn = web.client(SYN, &[]).within(shims);
            let fate = firewall.out(&syn);
            fate.drops(DropReason::PolicyReset);
            let [reply] = fate.replies.as_slice() else { panic!("one reply") };
            assert_eq!(reply.port, INSIDE);
            assert_eq!(macs(reply), (CLIENT_MAC, SERVER_MAC));
            assert_eq!(
                reply.bytes[12..at],
                syn.frame()[12..at]
                    .iter()
                    .enumerate()
                    .map(|(i, octet)| {
                        // PPPoE's length is the reply's own.
                        if shims == [Shim::Pppoe(5)] && (i == 6 || i == 7) { reply.bytes[12 + i] } else { *octet }
                    })
                    .collect::<Vec<_>>()
            );
            let (source, destination, number, _) = read(reply, at);
            assert_eq!((source, destination, number), (web.server.ip(), web.client.ip(), protocol::TCP));
            assert_eq!(numbers(reply, at), (80, 40000, RST | ACK, 0, 1001));
            firewall.moved(&[("packets_received", 1), ("replies", 1), ("drop_policy_reset", 1)]);
        }
    }
}

#[test]
fn pppoe_of_a_reply_has_its_own_length() {
    let mut firewall = Firewall::with(vec![rule(Action::Reset)]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:80");
    let fate = firewall.out(&web.client(SYN, &[]).within(&[Shim::Pppoe(5)]));
    assert_eq!(be16(&fate.replies[0].bytes, 18), Some(2 + 20 + 20));
}

#[test]
fn a_session_that_is_reset_later_is_reset_at_both_ends() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:80");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
    firewall.commit(policy(vec![rule(Action::Reset)]));
    let fate = firewall.out(&web.client(ACK, b"GET /"));
    fate.drops(DropReason::PolicyReset);
    let [to_client, to_server] = fate.replies.as_slice() else { panic!("two replies") };
    assert_eq!((to_client.port, to_server.port), (INSIDE, OUTSIDE));
    assert_eq!(macs(to_server), (SERVER_MAC, CLIENT_MAC));
    assert_eq!(numbers(to_client, 14), (80, 40000, RST, 500_001, 0));
    assert_eq!(numbers(to_server, 14), (40000, 80, RST | ACK, 1001, 500_001));
    assert_eq!(firewall.changes(), ["create", "close policy"]);
}

#[test]
fn a_rst_is_never_answered() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:80");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.commit(policy(vec![rule(Action::Reset)]));
    let fate = firewall.out(&web.client(RST, &[]));
    fate.drops(DropReason::PolicyReset);
    assert!(fate.replies.is_empty());
}

#[test]
fn other_protocols_are_told_by_icmp() {
    for (client, server, number, kind, quoted) in [
        ("10.0.0.1:5000", "192.0.2.1:53", protocol::ICMP, [3, 13], 28),
        ("[2001:db8::1]:5000", "[2001:db8:f::1]:53", protocol::ICMPV6, [1, 1], 48),
    ] {
        let mut firewall = Firewall::with(vec![rule(Action::Reset)]);
        let packet = udp(client.parse().unwrap(), server.parse().unwrap(), b"question");
        let fate = firewall.out(&packet);
        fate.drops(DropReason::PolicyReset);
        let [reply] = fate.replies.as_slice() else { panic!("one reply") };
        assert_eq!((reply.port, macs(reply)), (INSIDE, (CLIENT_MAC, SERVER_MAC)));
        let (source, destination, found, message) = read(reply, 14);
        assert_eq!((source, destination, found), (packet.destination, packet.source, number));
        assert_eq!(message[..2], kind);
        assert_eq!(message[8..], packet.ip()[..quoted]);
    }
}

#[test]
fn what_must_not_be_answered_is_not() {
    let mut firewall = Firewall::with(vec![rule(Action::Reset)]);
    let quiet = |firewall: &mut Firewall, packet: &Packet| {
        let fate = firewall.out(packet);
        fate.drops(DropReason::PolicyReset);
        assert!(fate.replies.is_empty());
    };
    for destination in ["224.0.0.1:5", "255.255.255.255:5"] {
        quiet(&mut firewall, &udp("10.0.0.1:5000".parse().unwrap(), destination.parse().unwrap(), b"hello"));
    }
    quiet(&mut firewall, &udp("[2001:db8::1]:5".parse().unwrap(), "[ff02::1]:6".parse().unwrap(), b"hello"));
    quiet(&mut firewall, &udp("0.0.0.0:68".parse().unwrap(), "10.0.0.2:67".parse().unwrap(), b"hello"));
    let mut broadcast = udp("10.0.0.1:5000".parse().unwrap(), "10.255.255.255:5".parse().unwrap(), b"hello");
    broadcast.macs.1 = [0xff; 6];
    quiet(&mut firewall, &broadcast);
    firewall.moved(&[("packets_received", 5), ("drop_policy_reset", 5)]);
}

#[test]
fn replies_have_a_limit() {
    let mut firewall = Firewall::with(vec![rule(Action::Reset)]);
    for number in 0..1100_u16 {
        let mut web = Connection::new(&format!("10.0.0.1:{}", 2000 + number), "192.0.2.1:80");
        firewall.out(&web.client(SYN, &[])).drops(DropReason::PolicyReset);
    }
    firewall.moved(&[
        ("packets_received", 1100),
        ("drop_policy_reset", 1100),
        ("replies", 1000),
        ("replies_limited", 100),
    ]);
    // 10 ms are good for another hundred.
    firewall.wait(std::time::Duration::from_millis(10));
    for number in 0..101_u16 {
        let echo =
            icmp("10.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap(), (8, 0), [0, 0, 0, number as u8], b"");
        firewall.out(&echo).drops(DropReason::PolicyReset);
    }
    firewall.moved(&[("packets_received", 101), ("drop_policy_reset", 101), ("replies", 100), ("replies_limited", 1)]);
}
