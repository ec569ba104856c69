//! ICMP: queries are sessions, errors belong to the flow that they quote, the link's own messages pass.

use std::net::IpAddr;

use super::firewall::{Connection, Firewall, outbound, rule};
use crate::policy::{Action, PortRange, ServiceMatch};
use crate::verdict::DropReason;
use crate::wire::build::{Packet, icmp, udp};
use crate::wire::protocol;
use crate::wire::tcp::SYN;

const ECHO: [u8; 4] = [0x12, 0x34, 0, 1];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn an_echo_and_its_reply_are_one_session_named_by_the_identifier() {
    for (a, b, request, reply) in [("10.0.0.1", "192.0.2.1", 8, 0), ("2001:db8::1", "2001:db8:f::1", 128, 129)] {
        let mut firewall = Firewall::with(vec![outbound()]);
        firewall.back(&icmp(ip(b), ip(a), (reply, 0), ECHO, b"abc")).drops(DropReason::IcmpUnknownFlow);
        firewall.out(&icmp(ip(a), ip(b), (request, 0), ECHO, b"abc")).passes();
        firewall.back(&icmp(ip(b), ip(a), (reply, 0), ECHO, b"abc")).passes();
        firewall.moved(&[
            ("packets_received", 3),
            ("packets_forwarded", 2),
            ("sessions_opened", 1),
            ("sessions_active", 1),
            ("table_entries", 1),
            ("session_events", 1),
            ("drop_icmp_unknown_flow", 1),
        ]);
        let tuple = firewall.session_events()[0].tuple;
        assert_eq!((tuple.client.port, tuple.server.port), (0x1234, 0));
        firewall.wait(std::time::Duration::from_secs(12));
        assert_eq!(firewall.changes(), ["close timeout"]);
    }
}

#[test]
fn a_rule_can_tell_queries_by_type() {
    let echo = PortRange { first: 8 << 8, last: 8 << 8 | 0xff };
    let service = ServiceMatch { protocol: Some(protocol::ICMP), source: PortRange::ANY, destination: echo };
    let mut firewall = Firewall::with(vec![crate::policy::RuleSource { service: vec![service], ..outbound() }]);
    let (a, b) = (ip("10.0.0.1"), ip("192.0.2.1"));
    firewall.out(&icmp(a, b, (8, 0), ECHO, b"")).passes();
    firewall.out(&icmp(a, b, (13, 0), ECHO, &[0; 12])).drops(DropReason::ImplicitDeny);
}

/// An error from a router on the way, about this packet.
fn error(about: &Packet, to: &str) -> Packet {
    let quoted = about.ip();
    match about.source {
        IpAddr::V4(_) => icmp(ip("198.51.100.9"), ip(to), (3, 4), [0, 0, 5, 0], &quoted[..28]),
        IpAddr::V6(_) => icmp(ip("2001:db8:9::9"), ip(to), (2, 0), [0, 0, 5, 0], &quoted),
    }
}

#[test]
fn an_error_passes_with_the_flow_that_it_quotes() {
    for (client, server) in [("10.0.0.1", "192.0.2.1"), ("2001:db8::1", "2001:db8:f::1")] {
        let mut firewall = Firewall::with(vec![outbound()]);
        let end = |ip: &str, port| std::net::SocketAddr::new(ip.parse().unwrap(), port);
        let asked = udp(end(client, 5000), end(server, 5001), b"question");
        firewall.back(&error(&asked, client)).drops(DropReason::IcmpUnknownFlow);
        firewall.out(&asked).passes();
        firewall.back(&error(&asked, client)).passes();
        // It tells somebody else, or quotes what nobody sent.
        firewall.back(&error(&asked, server)).drops(DropReason::IcmpUnknownFlow);
        let unsent = udp(end(client, 5000), end(server, 5002), b"question");
        firewall.back(&error(&unsent, client)).drops(DropReason::IcmpUnknownFlow);
        firewall.moved(&[
            ("packets_received", 5),
            ("packets_forwarded", 2),
            ("icmp_errors", 1),
            ("sessions_opened", 1),
            ("sessions_active", 1),
            ("table_entries", 1),
            ("session_events", 1),
            ("drop_icmp_unknown_flow", 3),
        ]);
        // The error does not count in the session, nor keep it alive.
        firewall.wait(std::time::Duration::from_secs(20));
        firewall.back(&error(&asked, client)).passes();
        firewall.wait(std::time::Duration::from_secs(15));
        assert_eq!(firewall.changes(), ["create", "close timeout"]);
    }
}

#[test]
fn an_error_about_an_echo_or_a_syn_finds_its_flow() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let echo = icmp(ip("10.0.0.1"), ip("192.0.2.1"), (8, 0), ECHO, b"abc");
    let syn = Connection::new("10.0.0.1:4000", "192.0.2.1:80").client(SYN, &[]);
    for packet in [echo, syn] {
        firewall.out(&packet).passes();
        firewall.back(&error(&packet, "10.0.0.1")).passes();
    }
}

#[test]
fn neighbour_and_listener_discovery_pass_without_any_rule() {
    let mut firewall = Firewall::with(vec![rule(Action::Deny)]);
    let (a, b) = (ip("fe80::1"), ip("ff02::1:ff00:2"));
    let mut solicitation = icmp(a, b, (135, 0), [0; 4], &[0; 16]);
    solicitation.hop_limit = 255;
    firewall.out(&solicitation).passes();
    let mut report = icmp(a, ip("ff02::16"), (143, 0), [0; 4], &[0; 20]);
    report.hop_limit = 1;
    firewall.out(&report).passes();
    // What came over a router is not the link's own.
    solicitation.hop_limit = 254;
    firewall.out(&solicitation).drops(DropReason::Policy);
    report.source = ip("2001:db8::1");
    firewall.out(&report).drops(DropReason::Policy);
    firewall.moved(&[
        ("packets_received", 4),
        ("packets_forwarded", 2),
        ("passed_link_control", 2),
        ("drop_policy", 2),
    ]);
}
