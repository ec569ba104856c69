//! Packets that no honest host sends, each kind by its name; and sources that do not belong where they come from.

use super::attacks::{end, ip, ping, protected, question};
use super::firewall::{Connection, Firewall};
use crate::endpoint::Address;
use crate::guard::{OriginRule, Protection, Screen};
use crate::policy::AddressRange;
use crate::verdict::DropReason;
use crate::wire::build::{Packet, icmp, udp};
use crate::wire::tcp::SYN;

/// With this kind of packet dropped, or let through.
fn screening(screen: Screen, on: bool) -> Firewall {
    let mut protection = Protection::default();
    protection.screens.set(screen, on);
    protected(protection)
}

/// An IPv4 packet's frame with these options, whose number must be a multiple of four.
pub(super) fn with_options(packet: &Packet, options: &[u8]) -> Vec<u8> {
    let mut frame = packet.frame();
    frame.splice(34..34, options.iter().copied());
    frame[14] += options.len() as u8 / 4;
    let length = (frame.len() - 14) as u16;
    frame[16..18].copy_from_slice(&length.to_be_bytes());
    frame[24..26].fill(0);
    let header = 20 + options.len();
    let sum = crate::wire::checksum::Sum::default().octets(&frame[14..14 + header]).finish();
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// A packet that is dropped where the screen is on, and passes where it is off.
#[track_caller]
fn screened(screen: Screen, packet: &Packet, reason: DropReason) {
    let mut on = screening(screen, true);
    on.out(packet).drops(reason);
    on.moved(&[("packets_received", 1), (reason.counter(), 1)]);
    let fate = screening(screen, false).out(packet);
    if packet.fragment.1 { fate.waits() } else { fate.passes() }
}

#[test]
fn each_kind_of_packet_has_its_name_and_its_switch() {
    let land = udp(end("10.0.0.1:7"), end("10.0.0.1:7"), b"x");
    screened(Screen::Land, &land, DropReason::Land);
    screened(Screen::BadSource, &udp(end("224.0.0.1:7"), end("10.0.0.1:7"), b"x"), DropReason::BadAddress);
    let xmas = Connection::new("10.0.0.1:4000", "192.0.2.1:80").tcp(0, 0x29, &[]).packet();
    let mut on = screening(Screen::TcpFlags, true);
    on.out(&xmas).drops(DropReason::BadTcpFlags);
    on.moved(&[("packets_received", 1), ("drop_bad_tcp_flags", 1)]);
    let mut dead = question();
    dead.hop_limit = 0;
    screened(Screen::TtlZero, &dead, DropReason::TtlZero);
    let mut dead = udp(end("[2001:db8::1]:1"), end("[2001:db8::2]:2"), b"x");
    dead.hop_limit = 0;
    screened(Screen::TtlZero, &dead, DropReason::TtlZero);
    screened(Screen::Smurf, &ping("255.255.255.255"), DropReason::Smurf);
    let chargen = udp(end("10.0.0.1:7"), end("255.255.255.255:19"), b"x");
    screened(Screen::Fraggle, &chargen, DropReason::Fraggle);
    screened(
        Screen::UnknownProtocol,
        &Packet::new(ip("10.0.0.1"), ip("192.0.2.1"), 200, vec![0; 20]),
        DropReason::UnknownProtocol,
    );
    screened(
        Screen::LargeIcmp,
        &icmp(ip("10.0.0.1"), ip("192.0.2.1"), (8, 0), [0; 4], &[0; 1200]),
        DropReason::LargeIcmp,
    );
    screened(Screen::IcmpFragment, &ping("192.0.2.1").fragment(9, true, 0), DropReason::IcmpFragment);
    let mut syn = Connection::new("10.0.0.1:4000", "192.0.2.1:80").tcp(0, SYN, &[0; 12]);
    syn.options.clear();
    screened(Screen::SynFragment, &syn.packet().fragment(9, true, 0), DropReason::SynFragment);
    let mut routed = udp(end("[2001:db8::1]:1"), end("[2001:db8::2]:2"), b"x");
    routed.extensions = Some((43, vec![17, 0, 0, 0, 0, 0, 0, 0]));
    screened(Screen::SourceRoute, &routed, DropReason::SourceRoute);
}

#[test]
fn ip_options_are_told_apart() {
    for (options, screen, reason) in [
        (&[131, 7, 4, 192, 0, 2, 9, 0][..], Screen::SourceRoute, DropReason::SourceRoute),
        (&[1, 137, 7, 4, 192, 0, 2, 9], Screen::SourceRoute, DropReason::SourceRoute),
        (&[7, 7, 4, 0, 0, 0, 0, 0], Screen::RecordRoute, DropReason::RecordRoute),
        (&[68, 8, 5, 0, 0, 0, 0, 0], Screen::IpTimestamp, DropReason::IpTimestamp),
        (&[130, 4, 0, 0], Screen::IpOption, DropReason::IpOption),
        (&[7, 9, 4, 0, 0, 0, 0, 0], Screen::BadIpOption, DropReason::BadIpOption),
        (&[7, 1, 4, 0], Screen::BadIpOption, DropReason::BadIpOption),
    ] {
        let frame = with_options(&question(), options);
        let mut on = screening(screen, true);
        on.send_bytes(super::firewall::INSIDE, &frame).drops(reason);
        on.moved(&[("packets_received", 1), (reason.counter(), 1)]);
        screening(screen, false).send_bytes(super::firewall::INSIDE, &frame).passes();
    }
    // What IGMP and RSVP send, and padding.
    let mut all = Protection::default();
    for screen in [Screen::RecordRoute, Screen::IpTimestamp, Screen::IpOption] {
        all.screens.set(screen, true);
    }
    let frame = with_options(&question(), &[148, 4, 0, 0, 1, 1, 0, 0]);
    protected(all).send_bytes(super::firewall::INSIDE, &frame).passes();
}

#[test]
fn redirects_are_refused_where_asked_for() {
    for on in [false, true] {
        let mut firewall = screening(Screen::IcmpRedirect, on);
        firewall.out(&question()).passes();
        let redirect = icmp(ip("192.0.2.254"), ip("10.0.0.1"), (5, 1), [10, 0, 0, 9], &question().ip()[..28]);
        let mut neighbour = icmp(ip("fe80::1"), ip("fe80::2"), (137, 0), [0; 4], &[0; 32]);
        neighbour.hop_limit = 255;
        for packet in [redirect, neighbour] {
            let fate = firewall.back(&packet);
            if on { fate.drops(DropReason::IcmpRedirect) } else { fate.passes() }
        }
    }
}

fn range(first: &str, last: &str) -> AddressRange {
    AddressRange { first: Address::from(ip(first)), last: Address::from(ip(last)) }
}

pub(super) fn bound() -> Firewall {
    let networks = vec![range("10.0.0.0", "10.0.255.255")];
    let inside = OriginRule { networks: networks.clone(), ..OriginRule::default() };
    let outside = OriginRule { elsewhere: networks, drop_bogons: true, ..OriginRule::default() };
    protected(Protection { origins: vec![inside, outside], ..Protection::default() })
}

#[test]
fn a_source_belongs_to_its_zone() {
    let mut firewall = bound();
    firewall.out(&question()).passes();
    firewall.out(&udp(end("198.18.0.1:9"), end("192.0.2.1:9"), b"x")).drops(DropReason::Spoofed);
    firewall.back(&udp(end("10.0.7.1:9"), end("10.0.0.1:9"), b"x")).drops(DropReason::Spoofed);
    firewall.back(&udp(end("192.168.0.1:9"), end("10.0.0.1:9"), b"x")).drops(DropReason::Bogon);
    firewall.back(&udp(end("8.8.8.8:9"), end("10.0.0.1:9"), b"x")).passes();
    // A packet of a session that comes in on the other side, the broadcast address of the zone's network.
    firewall.back(&question()).drops(DropReason::Spoofed);
    firewall.back(&icmp(ip("8.8.8.8"), ip("10.0.255.255"), (8, 0), [0; 4], &[])).drops(DropReason::Smurf);
    // The server's answer, then its imitation from inside.
    let answer = udp(end("192.0.2.1:5001"), end("10.0.0.1:5000"), b"answer");
    firewall.back(&answer).passes();
    firewall.out(&answer).drops(DropReason::Spoofed);
    firewall.moved(&[
        ("packets_received", 9),
        ("packets_forwarded", 3),
        ("sessions_opened", 2),
        ("sessions_active", 2),
        ("table_entries", 2),
        ("drop_spoofed", 4),
        ("drop_bogon", 1),
        ("drop_smurf", 1),
    ]);
}
