//! What lies around and between the headers: tags, PPPoE, SNAP, extension headers, padding, frames cut short.

use super::firewall::{Connection, Firewall, INSIDE, OUTSIDE, outbound, policy, settings};
use crate::pipeline::Room;
use crate::pipeline::{Frame, Settings};
use crate::policy::PortId;
use crate::verdict::{DropReason, Verdict};
use crate::wire::build::{Shim, udp};
use crate::wire::protocol;
use crate::wire::tcp::{ACK, SYN};

const QINQ: [Shim; 2] = [Shim::Tag(0x88a8, 100), Shim::Tag(0x8100, 10)];

#[test]
fn sessions_live_in_their_vlans() {
    let mut firewall = Firewall::with(vec![outbound()]);
    for shims in
        [&[][..], &[Shim::Tag(0x8100, 10)], &[Shim::Tag(0x9100, 100)], &QINQ, &[QINQ[0], QINQ[1], Shim::Pppoe(5)]]
    {
        let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
        firewall.out(&web.client(SYN, &[]).within(shims)).passes();
        firewall.back(&web.server(SYN | ACK, &[]).within(shims)).passes();
    }
    // The last is the one before in PPPoE: the same realm, so its SYN was a repetition.
    let vlans: Vec<_> = firewall.session_events().iter().map(|e| (e.tuple.svlan, e.tuple.cvlan)).collect();
    assert_eq!(vlans, [(0, 0), (10, 0), (100, 0), (100, 10)]);
    firewall.moved(&[
        ("packets_received", 10),
        ("packets_forwarded", 10),
        ("sessions_opened", 4),
        ("sessions_active", 4),
        ("table_entries", 4),
        ("session_events", 4),
    ]);
}

#[test]
fn pppoe_carries_both_families() {
    let mut firewall = Firewall::with(vec![outbound()]);
    for (client, server) in [("10.0.0.1:1", "192.0.2.1:2"), ("[2001:db8::1]:1", "[2001:db8:f::1]:2")] {
        let packet = udp(client.parse().unwrap(), server.parse().unwrap(), b"abc").within(&[Shim::Pppoe(5)]);
        firewall.out(&packet).passes();
        // PPPoE's own length is shorter than the packet's.
        let mut short = packet.frame();
        short[19] -= 1;
        firewall.send_bytes(INSIDE, &short).drops(DropReason::Truncated);
    }
    assert_eq!(firewall.changes(), ["create", "create"]);
}

#[test]
fn snap_does_not_hide_a_packet_from_the_policy() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let packet = udp("192.0.2.1:5000".parse().unwrap(), "10.0.0.1:5000".parse().unwrap(), b"abc");
    firewall.back(&packet.within(&[Shim::Snap])).drops(DropReason::ImplicitDeny);
}

#[test]
fn what_is_not_ip_passes_unjudged() {
    let mut firewall = Firewall::with(vec![]);
    let frame = |ether_type: [u8; 2]| [&[0xff; 12][..], &ether_type, &[0; 46]].concat();
    // ARP, LLDP, PPPoE discovery, EAPOL, IEEE 802.3 with LLC.
    for ether_type in [[0x08, 0x06], [0x88, 0xcc], [0x88, 0x63], [0x88, 0x8e], [0x00, 0x2e]] {
        firewall.send_bytes(INSIDE, &frame(ether_type)).passes();
        firewall.send_bytes(OUTSIDE, &frame(ether_type)).passes();
    }
    // PPP's own control within a PPPoE session: LCP.
    let lcp = [&[0xff; 12][..], &[0x88, 0x64, 0x11, 0, 0, 5, 0, 6, 0xc0, 0x21, 1, 1, 0, 4]].concat();
    firewall.send_bytes(INSIDE, &lcp).passes();
    firewall.moved(&[("packets_received", 11), ("packets_forwarded", 11), ("passed_non_ip", 11)]);
}

#[test]
fn a_third_tag_and_a_strange_port_are_refused() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let packet = udp("10.0.0.1:1".parse().unwrap(), "192.0.2.1:2".parse().unwrap(), b"abc");
    let three = packet.clone().within(&[QINQ[0], QINQ[1], Shim::Tag(0x8100, 1)]);
    firewall.out(&three).drops(DropReason::TooManyTags);
    firewall.send_bytes(PortId(7), &packet.frame()).drops(DropReason::NoWire);
    firewall.moved(&[("packets_received", 2), ("drop_too_many_tags", 1), ("drop_no_wire", 1)]);
}

#[test]
fn extension_headers_lead_to_the_transport() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut packet = udp("[2001:db8::1]:5000".parse().unwrap(), "[2001:db8:f::1]:5001".parse().unwrap(), b"abc");
    let chain = [[protocol::ROUTING, 0, 0, 0, 0, 0, 0, 0], [protocol::UDP, 0, 2, 0, 0, 0, 0, 0]].concat();
    packet.extensions = Some((protocol::HOP_BY_HOP, chain));
    firewall.out(&packet).passes();
    assert_eq!(firewall.session_events()[0].tuple.server.port, 5001);
    let endless = [protocol::DESTINATION, 0, 0, 0, 0, 0, 0, 0].repeat(20);
    packet.extensions = Some((protocol::DESTINATION, endless));
    firewall.out(&packet).drops(DropReason::BadExtensionChain);
}

#[test]
fn octets_are_those_of_ip_and_padding_is_none() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut frame = udp("10.0.0.1:1".parse().unwrap(), "192.0.2.1:2".parse().unwrap(), b"abc").frame();
    frame.resize(60, 0);
    firewall.send_bytes(INSIDE, &frame).passes();
    firewall.wait(std::time::Duration::from_secs(40));
    let to_server = firewall.session_events()[1].to_server;
    assert_eq!(to_server.octets, 31);
}

#[test]
fn a_frame_cut_by_a_capture_counts_in_full() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut whole = udp("10.0.0.1:1".parse().unwrap(), "192.0.2.1:2".parse().unwrap(), &[0; 1000]).frame();
    let length = whole.len() as u32;
    let mut verdicts = Default::default();
    let frame = Frame::new(INSIDE, &mut whole[..64], length);
    firewall.pipeline.process(firewall.now, &mut [frame], &mut verdicts);
    assert_eq!(verdicts[0], Verdict::Forward(OUTSIDE));
    // Cut within the UDP header, and cut on the wire itself.
    let mut again = whole.clone();
    let cut = Frame::new(INSIDE, &mut whole[..40], length);
    let short = Frame::new(INSIDE, &mut again[..64], 64);
    firewall.pipeline.process(firewall.now, &mut [cut, short], &mut verdicts);
    assert_eq!(verdicts.as_slice(), [Verdict::Drop(DropReason::Truncated); 2]);
    firewall.wait(std::time::Duration::from_secs(40));
    let to_server = firewall.session_events()[1].to_server;
    assert_eq!(to_server.octets, 1028);
}

#[test]
fn headers_that_contradict_themselves_have_names() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let good = udp("10.0.0.1:1".parse().unwrap(), "192.0.2.1:2".parse().unwrap(), b"abc").frame();
    // Where a frame is spoiled, by what, and what it is called then.
    for (at, octet, reason) in [
        (14, 0x65, DropReason::BadIpHeader),
        (14, 0x44, DropReason::BadIpHeader),
        (17, 19, DropReason::BadIpHeader),
        (17, 200, DropReason::BadIpChecksum),
        (26, 127, DropReason::BadIpChecksum),
    ] {
        let mut frame = good.clone();
        frame[at] = octet;
        firewall.send_bytes(INSIDE, &frame).drops(reason);
    }
    let mut udp_length = good.clone();
    udp_length[39] = 200;
    firewall.send_bytes(INSIDE, &udp_length).drops(DropReason::BadTransportHeader);
    firewall.send_bytes(INSIDE, &good[..13]).drops(DropReason::Truncated);
    firewall.send_bytes(INSIDE, &good[..33]).drops(DropReason::Truncated);
    for source in ["127.0.0.1:1", "224.0.0.1:1", "255.255.255.255:1"] {
        let packet = udp(source.parse().unwrap(), "192.0.2.1:2".parse().unwrap(), b"abc");
        firewall.out(&packet).drops(DropReason::BadAddress);
    }
    for source in ["[::1]:1", "[ff02::1]:1"] {
        let packet = udp(source.parse().unwrap(), "[2001:db8::2]:2".parse().unwrap(), b"abc");
        firewall.out(&packet).drops(DropReason::BadAddress);
    }
    firewall.moved(&[
        ("packets_received", 13),
        ("drop_bad_ip_header", 3),
        ("drop_bad_ip_checksum", 2),
        ("drop_bad_transport_header", 1),
        ("drop_truncated", 2),
        ("drop_bad_address", 5),
    ]);
}

#[test]
fn a_capture_at_a_sender_has_neither_length_nor_checksum() {
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    let mut frame = web.client(ACK, &[7; 3000]).frame();
    frame[16..18].fill(0);
    let mut firewall = Firewall::with(vec![outbound()]);
    firewall.send_bytes(INSIDE, &frame).drops(DropReason::BadIpChecksum);
    crate::wire::ipv4::write_checksum(&mut frame[14..]);
    firewall.send_bytes(INSIDE, &frame).drops(DropReason::BadIpHeader);
    let settings = Settings { verify_checksums: false, ..settings() };
    let mut replay = Firewall::set_up(settings, policy(vec![outbound()]), Default::default());
    frame[24..26].fill(0);
    replay.send_bytes(INSIDE, &frame).passes();
    replay.pipeline.shutdown(replay.now, Room::Regardless);
    let to_server = replay.session_events()[1].to_server;
    assert_eq!(to_server.octets, 3040);
}
