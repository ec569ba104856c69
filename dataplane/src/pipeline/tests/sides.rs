//! Who sits on one side of the firewall speaks for that side only; and what is over ends without harm to what is not.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::attacks::{established, protected};
use super::firewall::{Connection, Firewall, INSIDE, OUTSIDE, outbound, policy, rule, settings};
use super::screens::bound;
use crate::counters::Counter;
use crate::flow::Class;
use crate::guard::Protection;
use crate::pipeline::Settings;
use crate::policy::Action;
use crate::verdict::DropReason;
use crate::wire::build::{Packet, Tcp, icmp, udp};
use crate::wire::tcp::{ACK, FIN, PSH, RST, SYN};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn end(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn who_forges_both_directions_from_one_side_proves_nothing() {
    for is_inside in [true, false] {
        let mut firewall = Firewall::set_up(
            Settings { max_sessions: 80, ..settings() },
            policy(vec![rule(Action::Permit)]),
            Default::default(),
        );
        let (near, far) = if is_inside { (INSIDE, OUTSIDE) } else { (OUTSIDE, INSIDE) };
        let mut number = 0;
        let mut forge = |firewall: &mut Firewall| {
            number += 1;
            let mut web = Connection::new(&format!("100.0.{}.1:{}", number % 250, 2000 + number), "192.0.2.1:443");
            let shaken =
                [web.client(SYN, &[]), web.server(SYN | ACK, &[]), web.client(ACK, &[]), web.server(ACK, b"x")];
            for packet in &shaken {
                firewall.send_bytes(near, &packet.frame());
            }
            // Picked up in its middle, by either end.
            let mut web = Connection::new(&format!("100.1.{}.1:{}", number % 250, 2000 + number), "192.0.2.1:443");
            for packet in [web.client(ACK, b"x"), web.server(ACK, b"y"), web.client(ACK, b"z")] {
                firewall.send_bytes(near, &packet.frame());
            }
            let (client, server) = (SocketAddr::new(ip("100.2.0.1"), 2000 + number), end("192.0.2.1:53"));
            for (from, to) in [(client, server), (server, client), (client, server)] {
                firewall.send_bytes(near, &udp(from, to, b"x").frame());
            }
            let (client, server) = (SocketAddr::new(ip("100.3.0.1"), 2000 + number), end("192.0.2.1:53"));
            for (from, to) in [(server, client), (client, server), (server, client)] {
                firewall.send_bytes(near, &udp(from, to, b"x").frame());
            }
        };
        for _ in 0..30 {
            forge(&mut firewall);
        }
        let proven = |firewall: &Firewall| {
            let table = &firewall.pipeline.table;
            table.population(Class::BothWays) + table.population(Class::SignedOn)
        };
        assert_eq!(proven(&firewall), 0);
        // What is answered from the other side displaces the forgeries, and is displaced by none.
        for port in 0..40 {
            let mut web = Connection::new(&format!("10.0.0.1:{}", 3000 + port), "192.0.2.1:443");
            firewall.now = firewall.now + Duration::from_secs(2);
            firewall.send_bytes(near, &web.client(SYN, &[]).frame());
            firewall.send_bytes(far, &web.server(SYN | ACK, &[]).frame());
            firewall.send_bytes(near, &web.client(ACK, &[]).frame());
            assert_eq!(proven(&firewall), 1 + port);
            forge(&mut firewall);
        }
        assert_eq!(proven(&firewall), 40);
    }
}

#[test]
fn a_frame_that_crosses_the_wire_twice_is_one_connection() {
    let mut firewall = protected(Protection::default());
    let mut web = Connection::new("10.0.0.1:4000", "192.0.2.1:443");
    let packets = [
        web.client(SYN, &[]),
        web.server(SYN | ACK, &[]),
        web.client(ACK, &[]),
        web.client(ACK | PSH, b"GET /"),
        web.server(ACK | PSH, b"200 OK"),
        web.client(FIN | ACK, &[]),
        web.server(FIN | ACK, &[]),
        web.client(ACK, &[]),
    ];
    // Both hosts are on the same side, and a router on the other sends each frame back.
    for packet in packets {
        firewall.out(&packet).passes();
        firewall.back(&packet).passes();
    }
    let counters = firewall.pipeline.counters();
    assert_eq!((counters.value(Counter::SessionsOpened), counters.value(Counter::SessionsClosed)), (1, 1));
}

#[test]
fn a_guessed_acknowledgment_completes_no_handshake() {
    let mut firewall = protected(Protection::default());
    let mut web = Connection::new("10.0.0.1:4000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    let due = web.tcp(0, ACK, &[]);
    let proven = |firewall: &Firewall| firewall.pipeline.table.population(Class::BothWays);
    for by in [1, 70_000, 1 << 30, (1 << 31) - 1, 1 << 31, u32::MAX, u32::MAX - 60_000] {
        let guess = Tcp { acknowledgment: due.acknowledgment.wrapping_add(by), ..due.clone() };
        firewall.out(&guess.packet());
        assert_eq!(proven(&firewall), 0, "{by}");
    }
    firewall.out(&web.tcp(0, PSH, b"x").packet());
    assert_eq!(proven(&firewall), 0);
    firewall.out(&due.packet()).passes();
    assert_eq!(proven(&firewall), 1);
}

#[test]
fn the_first_acknowledgment_may_be_of_a_part_of_early_data() {
    let mut firewall = protected(Protection::default());
    let mut web = Connection::new("10.0.0.1:4000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, b"GET /")).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    let first = web.tcp(0, ACK, &[]);
    firewall.back(&web.server(ACK | PSH, &[0; 1000])).passes();
    firewall.back(&web.server(ACK | PSH, &[0; 1000])).passes();
    firewall.out(&first.packet()).passes();
    assert_eq!(firewall.pipeline.table.population(Class::BothWays), 1);
}

#[test]
fn a_syn_that_may_not_open_a_session_ends_none() {
    let settings = settings();
    let mut firewall = Firewall::set_up(settings, policy(vec![outbound()]), Default::default());
    let mut web = established(&mut firewall, "10.0.0.1:4000");
    firewall.out(&web.client(FIN | ACK, &[])).passes();
    firewall.back(&web.server(FIN | ACK, &[])).passes();
    // The last acknowledgment is on its way when somebody beyond tries: by the server's name, which may open nothing, and
    // by the client's.
    let mut reverse = Connection::new("192.0.2.1:443", "10.0.0.1:4000");
    reverse.next = [7, 7];
    firewall.back(&reverse.client(SYN, &[])).drops(DropReason::ImplicitDeny);
    let mut forged = Connection::new("10.0.0.1:4000", "192.0.2.1:443");
    firewall.back(&forged.client(SYN, &[])).drops(DropReason::Spoofed);
    firewall.out(&web.client(ACK, &[])).passes();
    assert_eq!(firewall.changes(), ["create", "close fin"]);
    // Likewise of what has ended and lingers: a repeated acknowledgment still passes.
    firewall.back(&reverse.client(SYN, &[])).drops(DropReason::ImplicitDeny);
    firewall.out(&web.client(ACK, &[])).passes();
    assert_eq!(firewall.changes(), [""; 0]);
}

#[test]
fn fragments_and_errors_come_in_on_their_side() {
    let mut firewall = bound();
    let (client, server) = (end("10.0.0.1:5000"), end("192.0.2.1:5001"));
    let whole = udp(client, server, &[7; 1992]);
    let piece = |at: usize| Packet { transport: whole.transport[at..at + 1000].to_vec(), ..whole.clone() };
    let (first, later) = (piece(0).fragment(9, true, 0), piece(1000).fragment(9, false, 1000));
    firewall.out(&first).waits();
    // One from the other side is of another datagram; that would be on the wrong side, whole.
    firewall.back(&later).waits();
    firewall.back(&first).drops(DropReason::Spoofed);
    firewall.out(&later).releases(&[&first, &later]);
    let quoting = |from: &str| icmp(ip(from), ip("10.0.0.1"), (3, 4), [0, 0, 2, 0], &udp(client, server, b"x").ip());
    firewall.out(&quoting("192.0.2.7")).drops(DropReason::Spoofed);
    firewall.back(&quoting("192.0.2.7")).passes();
}

#[test]
fn a_new_connection_after_a_fin_or_a_rst_begins_clean() {
    for flags in [FIN | ACK, RST] {
        let mut firewall = protected(Protection::default());
        let mut web = established(&mut firewall, "10.0.0.1:4000");
        firewall.out(&web.client(ACK | PSH, b"GET /")).passes();
        firewall.back(&web.server(ACK | PSH, b"200 OK")).passes();
        // The RST is within its window, but not where it is due: that it was heeded is not certain.
        web.next[0] = web.next[0].wrapping_add(if flags == RST { 100 } else { 0 });
        firewall.out(&web.client(flags, &[])).passes();
        // Both forgot the connection. The next has numbers not far from the last's (RFC 6528).
        let mut next = web.clone();
        next.next = [web.next[0] + 30_000, web.next[1] + 70_000];
        firewall.out(&next.client(SYN, &[])).passes();
        firewall.back(&next.server(SYN | ACK, &[])).passes();
        firewall.out(&next.client(ACK, &[])).passes();
        firewall.out(&next.client(ACK | PSH, b"GET /")).passes();
        // It has the patience of one that is open, and the server's end does not end the whole.
        firewall.wait(Duration::from_secs(600));
        firewall.back(&next.server(ACK | PSH, b"200 OK")).passes();
        firewall.back(&next.server(FIN | ACK, &[])).passes();
        firewall.out(&next.client(ACK, &[])).passes();
        firewall.out(&next.client(ACK | PSH, b"more")).passes();
        assert_eq!(firewall.pipeline.active, 1);
    }
}
