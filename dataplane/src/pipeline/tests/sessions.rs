//! TCP and UDP sessions from their first packet to their last.

use std::collections::HashMap;
use std::time::Duration;

use arrayvec::ArrayVec;
use crossbeam::channel::TryRecvError;

use super::firewall::{Connection, Firewall, INSIDE, OUTSIDE, outbound, policy, settings};
use crate::command::Command;
use crate::endpoint::Endpoint;
use crate::event::{CloseReason, SessionChange, SessionId, Volume};
use crate::flow::{Flags, FlowKey, Realm};
use crate::guard::Screen;
use crate::pipeline::{Frame, Room, Settings};
use crate::policy::RuleId;
use crate::verdict::{DropReason, Verdict};
use crate::wire::build::udp;
use crate::wire::tcp::{ACK, FIN, PSH, RST, SYN};

#[test]
fn a_connection_is_opened_used_and_closed() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let start = firewall.now;
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
    firewall.out(&web.client(ACK | PSH, &[7; 100])).passes();
    firewall.back(&web.server(ACK | PSH, &[8; 1000])).passes();
    firewall.moved(&[
        ("packets_received", 5),
        ("packets_forwarded", 5),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
    ]);
    firewall.wait(Duration::from_secs(2));
    firewall.out(&web.client(FIN | ACK, &[])).passes();
    firewall.back(&web.server(FIN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_closed", 1),
        ("sessions_active", -1),
        ("session_events", 1),
    ]);
    let [create, close] = firewall.session_events().try_into().unwrap();
    assert!(matches!(create.change, SessionChange::Create));
    assert_eq!((create.session, create.rule, create.ports), (SessionId(3 << 48 | 1), RuleId(0), (0, 1)));
    assert_eq!(create.tuple.client.socket().to_string(), "10.0.0.1:40000");
    assert_eq!(create.tuple.server.socket().to_string(), "192.0.2.1:443");
    assert_eq!((close.change, close.start), (SessionChange::Close { reason: CloseReason::Fin }, start));
    assert_eq!(close.to_server, Volume { packets: 5, octets: 5 * 40 + 4 + 100 });
    assert_eq!(close.to_client, Volume { packets: 3, octets: 3 * 40 + 4 + 1000 });
    assert_eq!((close.header.sequence(), close.header.time), (2, firewall.now));
    // The entry lingers for what is still on its way, then goes without another word.
    firewall.wait(Duration::from_secs(15));
    firewall.moved(&[("table_entries", -1)]);
}

#[test]
fn reply_passes_though_only_the_outbound_rule_allows_it() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let (client, server) = ("10.0.0.1:5000".parse().unwrap(), "192.0.2.53:5300".parse().unwrap());
    firewall.back(&udp(server, client, b"unasked")).drops(DropReason::ImplicitDeny);
    firewall.out(&udp(client, server, b"question")).passes();
    firewall.back(&udp(server, client, b"answer")).passes();
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 2),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
        ("drop_implicit_deny", 1),
    ]);
}

#[test]
fn a_refused_port_closes_at_the_rst() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:81");
    firewall.out(&web.client(SYN, &[])).passes();
    web.next[1] = 0;
    firewall.back(&web.server(RST | ACK, &[])).passes();
    assert_eq!(firewall.changes(), ["create", "close reset"]);
}

#[test]
fn a_rst_far_outside_the_window_closes_nothing() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
    let mut forged = web.tcp(1, RST, &[]);
    forged.sequence = forged.sequence.wrapping_add(1_000_000);
    firewall.back(&forged.packet()).drops(DropReason::TcpResetOutOfWindow);
    firewall.out(&web.client(ACK, b"still here")).passes();
    let mut data = web.tcp(1, ACK, b"forged");
    data.sequence = data.sequence.wrapping_sub(1_000_000);
    firewall.back(&data.packet()).drops(DropReason::TcpOutOfWindow);
    firewall.moved(&[
        ("packets_received", 6),
        ("packets_forwarded", 4),
        ("drop_tcp_out_of_window", 1),
        ("drop_tcp_reset_out_of_window", 1),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
    ]);
    firewall.back(&web.server(RST, &[])).passes();
    assert_eq!(firewall.changes(), ["create", "close reset"]);
}

#[test]
fn flags_that_no_stack_sends_are_dropped() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    let bad = [0, FIN, SYN | FIN, SYN | RST, FIN | RST | ACK, FIN | PSH];
    for flags in bad {
        firewall.out(&web.tcp(0, flags, &[]).packet()).drops(DropReason::BadTcpFlags);
    }
    firewall.moved(&[("packets_received", 6), ("drop_bad_tcp_flags", 6)]);
}

#[test]
fn the_same_ports_open_a_new_session_after_the_old_is_over() {
    let mut firewall = Firewall::with(vec![outbound()]);
    for _ in 0..2 {
        let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
        firewall.out(&web.client(SYN, &[])).passes();
        firewall.back(&web.server(SYN | ACK, &[])).passes();
        firewall.out(&web.client(ACK | FIN, &[])).passes();
        firewall.back(&web.server(ACK | FIN, &[])).passes();
        firewall.out(&web.client(ACK, &[])).passes();
        // What the last acknowledgment crossed on its way, and nothing new.
        firewall.back(&web.tcp(1, ACK, &[]).packet()).passes();
        firewall.back(&web.tcp(1, ACK, b"new").packet()).drops(DropReason::TcpNotSyn);
    }
    assert_eq!(firewall.changes(), ["create", "close fin", "create", "close fin"]);
    firewall.moved(&[
        ("packets_received", 14),
        ("packets_forwarded", 12),
        ("drop_tcp_not_syn", 2),
        ("sessions_opened", 2),
        ("sessions_closed", 2),
        ("table_entries", 1),
        ("session_events", 4),
    ]);
}

#[test]
fn a_syn_opens_a_new_session_over_one_whose_sides_have_both_finished() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK | FIN, &[])).passes();
    firewall.back(&web.server(ACK | FIN, &[])).passes();
    // The last acknowledgment was lost.
    firewall.out(&Connection::new("10.0.0.1:40000", "192.0.2.1:443").client(SYN, &[])).passes();
    assert_eq!(firewall.changes(), ["create", "close fin", "create"]);
}

#[test]
fn a_syn_that_is_a_rst_as_well_opens_nothing() {
    let mut settings = settings();
    settings.protection.screens.set(Screen::TcpFlags, false);
    let mut firewall = Firewall::set_up(settings, policy(vec![outbound()]), sigdb::Database::default());
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(RST | ACK, &[])).passes();
    firewall.out(&web.client(SYN | RST, &[])).passes();
    assert_eq!(firewall.changes(), ["create", "close reset"]);
}

#[test]
fn what_a_session_carries_is_counted_however_much_it_is() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let (client, server) = ("10.0.0.1:5000".parse().unwrap(), "192.0.2.53:5300".parse().unwrap());
    // The largest packets, of which the beginning is at hand.
    let [question, answer] = [(client, server), (server, client)].map(|(source, destination)| {
        let mut bytes = udp(source, destination, &vec![0; 65_507]).frame();
        bytes.truncate(64);
        bytes
    });
    let rounds = 5000;
    let mut verdicts = ArrayVec::new();
    for round in 0..rounds {
        for (port, bytes) in [(INSIDE, &question), (OUTSIDE, &answer)] {
            let mut bytes: [Vec<u8>; 15] = std::array::from_fn(|_| bytes.clone());
            let mut frames = bytes.each_mut().map(|bytes| Frame::new(port, bytes, 14 + 65_535));
            firewall.pipeline.process(firewall.now, &mut frames, &mut verdicts);
            assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Forward(_))), "{round}");
        }
    }
    firewall.wait(Duration::from_secs(200));
    let close = firewall.session_events().pop().unwrap();
    let packets = 15 * rounds;
    let carried = Volume { packets, octets: packets * 65_535 };
    assert!(carried.octets > u64::from(u32::MAX));
    assert_eq!((close.to_server, close.to_client), (carried, carried));
}

#[test]
fn a_connection_that_carried_data_is_not_at_its_start() {
    // With the handshake's end, later, not at all.
    for (at_the_end, later) in [(true, false), (false, true), (false, false)] {
        let mut firewall = Firewall::with(vec![outbound()]);
        let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
        let [client, server] =
            [web.client, web.server].map(|end| Endpoint { address: end.ip().into(), port: end.port() });
        let key = FlowKey::of(client, server, 6, Realm::new(0, 0, 0)).0;
        firewall.out(&web.client(SYN, &[])).passes();
        firewall.back(&web.server(SYN | ACK, &[])).passes();
        firewall.out(&web.client(ACK, if at_the_end { b"data" } else { b"" })).passes();
        firewall.out(&web.client(ACK, if later { b"data" } else { b"" })).passes();
        let table = &firewall.pipeline.table;
        let slot = table.find(&key, table.hash(&key)).unwrap();
        assert_eq!(table.record(slot).has(Flags::FROM_START), !at_the_end && !later);
    }
}

#[test]
fn both_may_open_at_once() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:40000");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN, &[])).passes();
    // Each repeats its SYN with the acknowledgment.
    web.next = [1000, 500_001];
    firewall.out(&web.client(SYN | ACK, &[])).passes();
    web.next = [1001, 500_000];
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, b"hello")).passes();
    firewall.back(&web.server(ACK, b"hello")).passes();
    assert_eq!(firewall.changes(), ["create"]);
}

#[test]
fn each_state_has_its_patience() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let seconds = Duration::from_secs;
    // How far each gets, how long it lives then.
    for (steps, patience) in [(1, 20), (2, 20), (3, 3600), (4, 120), (5, 10)] {
        let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
        let packets = [
            (0, web.client(SYN, &[])),
            (1, web.server(SYN | ACK, &[])),
            (0, web.client(ACK, &[])),
            (0, web.client(ACK | FIN, &[])),
            (1, web.server(ACK | FIN, &[])),
        ];
        for (from, packet) in &packets[..steps] {
            if *from == 0 { firewall.out(packet).passes() } else { firewall.back(packet).passes() }
        }
        firewall.wait(seconds(patience) - Duration::from_nanos(1));
        assert_eq!(firewall.changes(), ["create"], "after {steps} packets");
        firewall.wait(seconds(3));
        assert_eq!(firewall.changes(), ["close timeout"], "after {steps} packets");
    }
    let (client, server) = ("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:5001".parse().unwrap());
    for (answered, patience) in [(false, 30), (true, 180)] {
        firewall.out(&udp(client, server, b"?")).passes();
        if answered {
            firewall.back(&udp(server, client, b"!")).passes();
        }
        firewall.wait(seconds(patience) - Duration::from_nanos(1));
        assert_eq!(firewall.changes(), ["create"]);
        firewall.wait(seconds(3));
        assert_eq!(firewall.changes(), ["close timeout"]);
    }
}

#[test]
fn a_session_whose_time_is_over_is_not_revived_by_a_late_packet() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let (client, server) = ("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:5001".parse().unwrap());
    firewall.out(&udp(client, server, b"?")).passes();
    // No housekeeping in between.
    firewall.now = firewall.now + Duration::from_secs(30);
    firewall.back(&udp(server, client, b"!")).drops(DropReason::ImplicitDeny);
    assert_eq!(firewall.changes(), ["create", "close timeout"]);
}

#[test]
fn a_full_table_lets_the_least_valuable_go() {
    let settings = Settings { max_sessions: 4, ..settings() };
    let mut firewall = Firewall::set_up(settings, policy(vec![outbound()]), sigdb::Database::default());
    let second = Duration::from_secs(1);
    // An established one, a one-way, a half-open, one over. The oldest are the most valuable.
    let mut established = Connection::new("10.0.0.1:1001", "192.0.2.1:80");
    firewall.out(&established.client(SYN, &[])).passes();
    firewall.back(&established.server(SYN | ACK, &[])).passes();
    firewall.out(&established.client(ACK, &[])).passes();
    firewall.wait(second);
    firewall.out(&udp("10.0.0.1:1002".parse().unwrap(), "192.0.2.1:1".parse().unwrap(), b"?")).passes();
    firewall.wait(second);
    firewall.out(&Connection::new("10.0.0.1:1003", "192.0.2.1:80").client(SYN, &[])).passes();
    firewall.wait(second);
    let mut over = Connection::new("10.0.0.1:1004", "192.0.2.1:80");
    firewall.out(&over.client(SYN, &[])).passes();
    over.next[1] = 0;
    firewall.back(&over.server(RST | ACK, &[])).passes();
    assert_eq!(firewall.changes().len(), 5);
    let mut evicted = Vec::new();
    for number in 0..4 {
        // Each newcomer is established at once, more valuable than those before it that are not.
        let mut web = Connection::new(&format!("10.0.0.2:{}", 2000 + number), "192.0.2.1:80");
        firewall.out(&web.client(SYN, &[])).passes();
        firewall.back(&web.server(SYN | ACK, &[])).passes();
        firewall.out(&web.client(ACK, &[])).passes();
        for event in firewall.session_events() {
            if let SessionChange::Close { reason } = event.change {
                evicted.push((event.tuple.client.port, reason));
            }
        }
        firewall.wait(second);
    }
    let reason = CloseReason::Evicted;
    assert_eq!(evicted, [(1003, reason), (1002, reason), (1001, reason)]);
    let now: HashMap<_, _> = firewall.pipeline.counters().read().into_iter().collect();
    assert_eq!((now["sessions_evicted"], now["sessions_active"], now["table_entries"]), (4, 4, 4));
}

#[test]
fn a_dump_shows_every_open_session_piece_by_piece() {
    let mut firewall = Firewall::with(vec![outbound()]);
    for port in 0..100 {
        let client = format!("10.0.0.1:{}", 3000 + port).parse().unwrap();
        firewall.out(&udp(client, "192.0.2.1:5001".parse().unwrap(), b"abc")).passes();
    }
    // Two at once: the second waits for the first.
    let [(first_to, first), (second_to, second)] = [7, 1000].map(crossbeam::channel::bounded);
    firewall.pipeline.command(firewall.now, Command::Dump(first_to));
    firewall.pipeline.command(firewall.now, Command::Dump(second_to));
    for views in [first, second] {
        let mut ports = Vec::new();
        loop {
            match views.try_recv() {
                Ok(view) => {
                    let volume = Volume { packets: 1, octets: 31 };
                    assert_eq!((view.state, view.to_server, view.ports), ("one-way", volume, (0, 1)));
                    ports.push(view.tuple.client.port);
                }
                Err(TryRecvError::Empty) => firewall.pipeline.turn(firewall.now),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        ports.sort_unstable();
        assert_eq!(ports, (3000..3100).collect::<Vec<_>>());
    }
}

#[test]
fn a_dump_that_nobody_reads_ends() {
    let mut firewall = Firewall::with(vec![outbound()]);
    firewall.out(&udp("10.0.0.1:4000".parse().unwrap(), "192.0.2.1:5001".parse().unwrap(), b"abc")).passes();
    let (to, views) = crossbeam::channel::bounded(1);
    drop(views);
    firewall.pipeline.command(firewall.now, Command::Dump(to));
    firewall.pipeline.turn(firewall.now);
    let (to, views) = crossbeam::channel::bounded(1);
    firewall.pipeline.command(firewall.now, Command::Dump(to));
    firewall.pipeline.turn(firewall.now);
    assert_eq!(views.try_recv().map(|view| view.tuple.client.port), Ok(4000));
}

#[test]
fn at_the_end_every_session_is_closed() {
    let mut firewall = Firewall::with(vec![outbound()]);
    for port in 3001..=3003 {
        let client = format!("10.0.0.1:{port}").parse().unwrap();
        firewall.out(&udp(client, "192.0.2.1:5001".parse().unwrap(), b"abc")).passes();
    }
    firewall.pipeline.command(firewall.now, Command::Stop);
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_opened", 3),
        ("sessions_closed", 3),
        ("session_events", 6),
    ]);
    assert_eq!(firewall.changes()[3..], ["close shutdown"; 3]);
}

#[test]
fn an_event_that_finds_its_queue_full_is_counted() {
    let settings = Settings { max_sessions: 2000, ..settings() };
    let mut firewall = Firewall::set_up(settings, policy(vec![outbound()]), Default::default());
    for port in 0..1001_u16 {
        let client = format!("10.0.0.1:{}", 2000 + port).parse().unwrap();
        firewall.out(&udp(client, "192.0.2.1:5001".parse().unwrap(), b"abc")).passes();
    }
    firewall.moved(&[
        ("packets_received", 1001),
        ("packets_forwarded", 1001),
        ("sessions_opened", 1001),
        ("sessions_active", 1001),
        ("table_entries", 1001),
        ("session_events", 1000),
        ("session_events_lost", 1),
    ]);
}

#[test]
fn a_connection_that_is_only_partly_seen_is_not_held_to_its_window() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    // A megabyte of the server's takes another way.
    web.next[1] += 1_000_000;
    firewall.out(&web.client(ACK, b"more")).passes();
    web.next[1] += 10_000_000;
    firewall.back(&web.server(ACK, b"here")).passes();
    assert_eq!(firewall.changes(), ["create"]);
}

#[test]
fn at_the_end_a_full_queue_is_waited_for() {
    let mut firewall = Firewall::with(vec![outbound()]);
    // The queue of the tests takes 1,000 events: these leave too little room for as many ends.
    for port in 1000..1900 {
        firewall.out(&udp(([10, 0, 0, 1], port).into(), "192.0.2.1:53".parse().unwrap(), b"x")).passes();
    }
    let mut waits = 0;
    let mut read = Vec::new();
    while !firewall.pipeline.shutdown(firewall.now, Room::Needed) {
        waits += 1;
        read.extend(firewall.changes());
    }
    read.extend(firewall.changes());
    assert!(waits > 0 && read.iter().filter(|change| *change == "close shutdown").count() == 900);
}
