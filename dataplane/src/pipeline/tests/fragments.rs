//! Datagrams in fragments are judged whole, and leave as they came or not at all.

use std::time::Duration;

use super::firewall::{Connection, Firewall, INSIDE, outbound, settings};
use crate::pipeline::Settings;
use crate::verdict::DropReason;
use crate::wire::build::{Packet, Shim, udp};
use crate::wire::protocol;
use crate::wire::tcp::{ACK, SYN};

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
fn a_datagram_leaves_when_it_is_whole_in_whatever_order_it_came() {
    let qinq = [Shim::Tag(0x88a8, 100), Shim::Tag(0x8100, 10)];
    for shims in [&[][..], &[Shim::Tag(0x8100, 7)], &qinq, &[Shim::Pppoe(5)], &[Shim::Snap]] {
        for pieces in [three(1), three_v6(1)] {
            let [first, second, third] = pieces.map(|piece| piece.within(shims));
            for (one, two, three) in [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)] {
                let pieces = [&first, &second, &third];
                let mut firewall = Firewall::with(vec![outbound()]);
                firewall.out(pieces[one]).waits();
                firewall.out(pieces[two]).waits();
                firewall.out(pieces[three]).releases(&pieces);
                firewall.moved(&[
                    ("packets_received", 3),
                    ("packets_taken", 3),
                    ("fragments", 3),
                    ("fragments_held", 2),
                    ("sessions_opened", 1),
                    ("sessions_active", 1),
                    ("table_entries", 1),
                    ("session_events", 1),
                ]);
                assert!(firewall.pipeline.reassembler.is_empty());
            }
        }
    }
}

#[test]
fn the_volume_counts_every_fragment() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let [first, second, third] = three(1);
    firewall.out(&first).waits();
    firewall.out(&second).waits();
    firewall.out(&third).releases(&[&first, &second, &third]);
    firewall.wait(Duration::from_secs(40));
    let to_server = firewall.session_events()[1].to_server;
    assert_eq!((to_server.packets, to_server.octets), (3, 3 * 1020));
}

#[test]
fn what_the_policy_denies_goes_nowhere() {
    let mut firewall = Firewall::with(vec![]);
    let [first, second, third] = three(1);
    firewall.out(&third).waits();
    firewall.out(&first).waits();
    firewall.out(&second).drops(DropReason::ImplicitDeny);
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_taken", 2),
        ("fragments_held", 2),
        ("fragments_lost", 2),
        ("drop_implicit_deny", 1),
    ]);
    assert!(firewall.pipeline.reassembler.is_empty());
}

#[test]
fn an_overlap_takes_the_whole_datagram_with_it() {
    let [first, second, third] = three(1);
    let overlaps = [
        second.clone().fragment(1, true, 992),
        second.clone().fragment(1, true, 1992),
        // The same place, other octets; a second end, before what came already.
        Packet { transport: vec![9; 1000], ..second.clone() },
        second.clone().fragment(1, false, 504),
        second.clone().fragment(1, false, 2000),
    ];
    for overlap in overlaps {
        let mut firewall = Firewall::with(vec![outbound()]);
        firewall.out(&second).waits();
        firewall.out(&second).drops(DropReason::BadFragment);
        firewall.out(&first).waits();
        if overlap.fragment.2 == 2000 {
            firewall.out(&third.clone().fragment(1, true, 2000)).waits();
        }
        firewall.out(&overlap).drops(DropReason::Teardrop);
        firewall.out(&third).drops(DropReason::Teardrop);
        // Until its time is over.
        firewall.wait(Duration::from_secs(31));
        assert!(firewall.pipeline.reassembler.is_empty());
        firewall.out(&first).waits();
        firewall.out(&second).waits();
        firewall.out(&third).releases(&[&first, &second, &third]);
    }
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
fn the_largest_datagram_passes_and_one_past_it_does_not() {
    for (length, passes) in [(65_507, true), (65_508, false)] {
        let mut firewall = Firewall::with(vec![outbound()]);
        let (client, server) = ("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:5001".parse().unwrap());
        let mut whole = udp(client, server, &vec![7; 65_507]);
        whole.transport.resize(8 + length, 0);
        let pieces: Vec<_> = (0..whole.transport.len())
            .step_by(1480)
            .map(|at| {
                let end = (at + 1480).min(whole.transport.len());
                let piece = Packet { transport: whole.transport[at..end].to_vec(), ..whole.clone() };
                piece.fragment(3, end < whole.transport.len(), at as u16)
            })
            .collect();
        let (last, before) = pieces.split_last().unwrap();
        before.iter().for_each(|piece| firewall.out(piece).waits());
        if passes {
            firewall.out(last).releases(&pieces.iter().collect::<Vec<_>>());
        } else {
            firewall.out(last).drops(DropReason::PingOfDeath);
        }
        assert!(firewall.pipeline.reassembler.is_empty());
    }
}

#[test]
fn the_rest_is_waited_for_a_while() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let [first, second, third] = three(1);
    firewall.out(&first).waits();
    firewall.out(&second).waits();
    firewall.wait(Duration::from_secs(31));
    firewall.moved(&[
        ("packets_received", 2),
        ("packets_taken", 2),
        ("fragments_held", 2),
        ("fragments_lost", 2),
        ("fragments_timed_out", 1),
    ]);
    firewall.out(&third).waits();
}

#[test]
fn without_room_the_oldest_datagram_gives_way() {
    let settings = Settings { fragment_slots: 8, ..settings() };
    let policy = super::firewall::policy(vec![outbound()]);
    let mut firewall = Firewall::set_up(settings, policy, sigdb::Database::default());
    for number in 0..9 {
        firewall.wait(Duration::from_millis(1));
        firewall.out(&three(number)[0]).waits();
    }
    firewall.wait(Duration::from_secs(29));
    for number in 1..9 {
        let [first, second, third] = three(number);
        firewall.out(&third).waits();
        firewall.out(&second).releases(&[&first, &second, &third]);
    }
    firewall.moved(&[
        ("packets_received", 25),
        ("packets_taken", 25),
        ("fragments", 24),
        ("fragments_held", 17),
        ("fragments_lost", 1),
        ("fragments_timed_out", 1),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
    ]);
}

#[test]
fn a_connection_in_fragments_is_followed_as_one_in_segments() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:4000", "192.0.2.1:80");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
    let cut = |whole: &Packet| {
        let mut first = whole.clone().fragment(1, true, 0);
        first.transport.truncate(48);
        let mut last = whole.clone().fragment(1, false, 48);
        last.transport.drain(..48);
        (first, last)
    };
    let (first, last) = cut(&web.client(ACK, &[7; 200]));
    firewall.out(&last).waits();
    firewall.out(&first).releases(&[&first, &last]);
    // The window holds for it, as the whole is known.
    let mut beyond = web.tcp(0, ACK, &[7; 200]);
    beyond.sequence = beyond.sequence.wrapping_add(1 << 24);
    let (first, last) = cut(&beyond.packet());
    firewall.out(&first).waits();
    firewall.out(&last).drops(DropReason::TcpOutOfWindow);
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
    let [first, second, third] = three(1);
    firewall.out(&first).waits();
    firewall.out(&second).waits();
    let tagged = third.within(&[Shim::Tag(0x8100, 7)]).frame();
    firewall.send_bytes(INSIDE, &tagged).waits();
}
