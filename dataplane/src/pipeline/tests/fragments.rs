//! Fragments follow their first, or go nowhere.

use std::time::Duration;

use super::firewall::{Connection, Firewall, INSIDE, outbound, settings};
use crate::pipeline::Settings;
use crate::verdict::DropReason;
use crate::wire::build::{Packet, udp};
use crate::wire::protocol;
use crate::wire::tcp::SYN;

/// A datagram of 3 × 1,000 octets cut into three IPv4 fragments.
fn three(identification: u16) -> [Packet; 3] {
    let whole = udp("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:5001".parse().unwrap(), &[7; 2992]);
    let piece = |at: usize, more| {
        let mut packet = whole.clone();
        packet.transport = whole.transport[at..at + 1000].to_vec();
        packet.fragment(identification, more, at as u16)
    };
    [piece(0, true), piece(1000, true), piece(2000, false)]
}

/// The same over IPv6.
fn three_v6(identification: u32) -> [Packet; 3] {
    let whole = udp("[2001:db8::1]:5000".parse().unwrap(), "[2001:db8:f::1]:5001".parse().unwrap(), &[7; 2992]);
    let piece = |at: usize, more: bool| {
        let mut packet = whole.clone();
        packet.transport = whole.transport[at..at + 1000].to_vec();
        let mut header = vec![protocol::UDP, 0];
        header.extend((at as u16 | u16::from(more)).to_be_bytes());
        header.extend(identification.to_be_bytes());
        packet.extensions = Some((protocol::FRAGMENT, header));
        packet
    };
    [piece(0, true), piece(1000, true), piece(2000, false)]
}

#[test]
fn later_fragments_follow_the_first_in_any_order() {
    for [first, second, third] in [three(1), three_v6(1)] {
        let mut firewall = Firewall::with(vec![outbound()]);
        firewall.out(&second).drops(DropReason::FragmentUnknown);
        firewall.out(&first).passes();
        firewall.out(&third).passes();
        firewall.out(&second).passes();
        // All came: the datagram is forgotten, and the number free for the next.
        firewall.out(&second).drops(DropReason::FragmentUnknown);
        firewall.out(&first).passes();
        firewall.moved(&[
            ("packets_received", 6),
            ("packets_forwarded", 4),
            ("fragments", 4),
            ("sessions_opened", 1),
            ("sessions_active", 1),
            ("table_entries", 1),
            ("session_events", 1),
            ("drop_fragment_unknown", 2),
        ]);
    }
}

#[test]
fn the_volume_counts_every_fragment() {
    let mut firewall = Firewall::with(vec![outbound()]);
    for packet in three(1) {
        firewall.out(&packet).passes();
    }
    firewall.wait(Duration::from_secs(40));
    let to_server = firewall.session_events()[1].to_server;
    assert_eq!((to_server.packets, to_server.octets), (3, 3 * 1020));
}

#[test]
fn an_overlap_goes_nowhere() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let [first, second, third] = three(1);
    firewall.out(&first).passes();
    firewall.out(&first).drops(DropReason::BadFragment);
    firewall.out(&second).passes();
    firewall.out(&second.clone().fragment(1, true, 992)).drops(DropReason::Teardrop);
    firewall.out(&second.clone().fragment(1, true, 1992)).drops(DropReason::Teardrop);
    // A second end, before what came already.
    firewall.out(&second.clone().fragment(1, false, 504)).drops(DropReason::Teardrop);
    firewall.out(&third).passes();
    firewall.moved(&[
        ("packets_received", 7),
        ("packets_forwarded", 3),
        ("fragments", 3),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
        ("drop_bad_fragment", 1),
        ("drop_teardrop", 3),
    ]);
}

#[test]
fn a_first_fragment_must_hold_its_header() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let syn = Connection::new("10.0.0.1:4000", "192.0.2.1:80").client(SYN, &[]);
    let mut tiny = syn.clone();
    tiny.transport.truncate(16);
    firewall.out(&tiny.fragment(1, true, 0)).drops(DropReason::BadFragment);
    // At 8 octets a later fragment would rewrite the flags.
    let mut rewrite = syn.clone();
    rewrite.transport.drain(..8);
    firewall.out(&rewrite.fragment(1, false, 8)).drops(DropReason::BadFragment);
    // Not of whole units of 8, though more follow; past the largest datagram.
    let mut uneven = three(2)[0].clone();
    uneven.transport.truncate(999);
    firewall.out(&uneven).drops(DropReason::BadFragment);
    firewall.out(&three(2)[2].clone().fragment(2, false, 65_528)).drops(DropReason::PingOfDeath);
    firewall.moved(&[("packets_received", 4), ("drop_bad_fragment", 3), ("drop_ping_of_death", 1)]);
}

#[test]
fn the_rest_is_waited_for_a_while() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let [first, second, _] = three(1);
    firewall.out(&first).passes();
    firewall.wait(Duration::from_secs(31));
    firewall.out(&second).drops(DropReason::FragmentUnknown);
}

#[test]
fn in_a_full_table_of_fragments_the_oldest_datagram_gives_way() {
    let settings = Settings { fragment_slots: 8, ..settings() };
    let policy = super::firewall::policy(vec![outbound()]);
    let mut firewall = Firewall::set_up(settings, policy, sigdb::Database::default());
    for number in 0..9 {
        firewall.wait(Duration::from_millis(1));
        firewall.out(&three(number)[0]).passes();
    }
    firewall.wait(Duration::from_secs(29));
    firewall.out(&three(0)[1]).drops(DropReason::FragmentUnknown);
    for number in 1..9 {
        firewall.out(&three(number)[1]).passes();
        firewall.out(&three(number)[2]).passes();
    }
    firewall.moved(&[
        ("packets_received", 26),
        ("packets_forwarded", 25),
        ("fragments", 25),
        ("fragments_timed_out", 1),
        ("drop_fragment_unknown", 1),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
    ]);
}

#[test]
fn an_atomic_fragment_is_whole() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut packet = udp("[2001:db8::1]:5000".parse().unwrap(), "[2001:db8:f::1]:5001".parse().unwrap(), b"abc");
    packet.extensions = Some((protocol::FRAGMENT, vec![protocol::UDP, 0, 0, 0, 0, 0, 0, 9]));
    firewall.out(&packet).passes();
    firewall.out(&packet).passes();
    firewall.moved(&[
        ("packets_received", 2),
        ("packets_forwarded", 2),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
    ]);
}

#[test]
fn another_realm_has_other_fragments() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let [first, second, _] = three(1);
    firewall.out(&first).passes();
    let tagged = second.within(&[crate::wire::build::Shim::Tag(0x8100, 7)]).frame();
    firewall.send_bytes(INSIDE, &tagged).drops(DropReason::FragmentUnknown);
}
