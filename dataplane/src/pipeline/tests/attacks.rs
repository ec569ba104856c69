//! Each attack by name: what is dropped, what survives, which counters moved, and what the log is told.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;

use super::firewall::{Connection, Firewall, outbound, policy, rule, settings};
use super::screens::with_options;
use crate::flow::Window;
use crate::guard::{Floods, Limit, Protection, Screen};
use crate::pipeline::Settings;
use crate::policy::{Action, RuleSource};
use crate::verdict::DropReason;
use crate::wire::build::{Packet, icmp, udp};
use crate::wire::tcp::{ACK, FIN, PSH, RST, SYN};

pub(super) fn protected(protection: Protection) -> Firewall {
    let both = vec![RuleSource { session_logging: false, ..rule(Action::Permit) }];
    Firewall::set_up(Settings { protection, ..settings() }, policy(both), Default::default())
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn end(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn question() -> Packet {
    udp(end("10.0.0.1:5000"), end("192.0.2.1:5001"), b"question")
}

pub(super) fn ping(to: &str) -> Packet {
    icmp(ip("10.0.0.1"), ip(to), (8, 0), [0, 1, 0, 1], &[7; 56])
}

#[test]
fn new_sessions_of_a_source_are_limited_and_established_ones_are_not() {
    let limit = Limit { source: 10, destination: 0 };
    let floods = Floods { udp: limit, tcp: limit, icmp: limit, other: limit, fragments: limit };
    let mut firewall = protected(Protection { floods, ..Protection::default() });
    firewall.out(&question()).passes();
    let mut dropped = 0;
    for port in 1..=100 {
        let flood = udp(end("10.0.0.1:6000"), SocketAddr::new(ip("192.0.2.1"), port), b"x");
        dropped += u64::from(!firewall.out(&flood).verdict_is_forward());
        firewall.out(&question()).passes();
    }
    assert_eq!(dropped, 91);
    for port in 1..=100 {
        firewall.out(&Connection::new(&format!("10.0.0.2:{port}"), "192.0.2.1:80").client(SYN, &[]));
        firewall.out(&icmp(ip("10.0.0.3"), ip("192.0.2.1"), (8, 0), [0, port, 0, 0], &[]));
        firewall.out(&Packet::new(ip("10.0.0.4"), ip(&format!("192.0.2.{port}")), 47, vec![0; 20]));
        let piece = udp(end("10.0.0.5:1"), end("192.0.2.1:2"), &[0; 56]).fragment(port.into(), true, 0);
        firewall.out(&piece);
    }
    firewall.moved(&[
        ("packets_received", 601),
        ("packets_forwarded", 101 + 9 + 30),
        ("packets_taken", 10),
        ("sessions_opened", 10 + 30),
        ("sessions_active", 40),
        ("table_entries", 40),
        ("fragments_held", 10),
        ("drop_udp_flood", 91),
        ("drop_syn_flood", 90),
        ("drop_icmp_flood", 90),
        ("drop_session_flood", 90),
        ("drop_fragment_flood", 90),
    ]);
}

/// A connection whose handshake is complete.
pub(super) fn established(firewall: &mut Firewall, client: &str) -> Connection {
    let mut web = Connection::new(client, "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
    web
}

/// The `number`-th SYN of a flood with invented sources.
fn flood(number: u32) -> Packet {
    let [_, a, b, c] = number.to_be_bytes();
    Connection::new(&format!("100.{a}.{b}.{c}:{}", 1024 + number % 60_000), "192.0.2.1:80").client(SYN, &[])
}

#[test]
fn in_a_syn_flood_the_established_go_on_and_new_clients_get_in_by_repeating() {
    let logged = RuleSource { session_logging: true, ..rule(Action::Permit) };
    syn_flood(vec![logged]);
}

#[test]
fn a_syn_flood_is_not_recorded_either_where_rules_wait_for_the_application() {
    let logged = RuleSource { session_logging: true, ..rule(Action::Permit) };
    let qq = RuleSource { application: vec![sigdb::AppId(1)], ..logged.clone() };
    let unlogged = RuleSource { session_logging: false, ..qq.clone() };
    syn_flood(vec![qq, logged.clone()]);
    syn_flood(vec![unlogged, logged]);
}

fn syn_flood(rules: Vec<RuleSource>) {
    let settings = Settings { max_sessions: 800, ..settings() };
    let is_certain = rules.len() == 1;
    let mut firewall = Firewall::set_up(settings, policy(rules), Default::default());
    let mut old: Vec<Connection> = (0..790)
        .map(|number| established(&mut firewall, &format!("10.0.{}.1:{}", number % 250, 2000 + number)))
        .collect();
    let told = firewall.session_events().len();
    assert_eq!(told, if is_certain { 790 } else { 0 });
    let mut number = 0;
    let mut burst = |firewall: &mut Firewall, count: u32| {
        for _ in 0..count {
            firewall.out(&flood(number));
            number += 1;
        }
    };
    burst(&mut firewall, 20_000);
    // A newcomer's first SYN is lost in it, its second is not, and its handshake survives a round trip of the flood.
    let mut new = Connection::new("10.9.9.9:3000", "192.0.2.1:443");
    let syn = new.client(SYN, &[]);
    firewall.out(&syn).drops(DropReason::SynFlood);
    burst(&mut firewall, 2_000);
    firewall.now = firewall.now + Duration::from_millis(1000);
    firewall.out(&syn).passes();
    burst(&mut firewall, 2_000);
    firewall.back(&new.server(SYN | ACK, &[])).passes();
    firewall.out(&new.client(ACK, &[])).passes();
    for web in old.iter_mut().chain([&mut new]) {
        burst(&mut firewall, 10);
        firewall.out(&web.client(ACK | PSH, b"still here")).passes();
        firewall.back(&web.server(ACK | PSH, b"and so am I")).passes();
    }
    let value = |counter| firewall.pipeline.counters().value(counter);
    use crate::counters::Counter;
    assert_eq!(value(Counter::TableEntries), 900);
    assert!(value(Counter::SynRetries) >= 1);
    assert!(firewall.pipeline.counters().drops(DropReason::SynFlood) > 25_000);
    // The log: no record for each of 30,000, but notices.
    firewall.wait(Duration::from_millis(100));
    let words = firewall.changes();
    let notices: Vec<&String> = words.iter().filter(|word| word.starts_with("syn_flood")).collect();
    assert!(matches!(notices.len(), 1..=3), "{notices:?}");
    // Those whose rule became certain with the data that they sent since are told of now.
    assert!(words.len() < 790 - told + 300, "{}", words.len());
    assert!(words.iter().filter(|word| *word == "close evicted").count() <= 51, "{words:?}");
}

#[test]
fn a_udp_flood_displaces_itself() {
    let settings = Settings { max_sessions: 160, ..settings() };
    let both = vec![rule(Action::Permit)];
    let mut firewall = Firewall::set_up(settings, policy(both), Default::default());
    let pairs: Vec<(Packet, Packet)> = (0..100)
        .map(|port| {
            let (client, server) = (SocketAddr::new(ip("10.0.0.1"), 2000 + port), end("192.0.2.1:5001"));
            (udp(client, server, b"?"), udp(server, client, b"!"))
        })
        .collect();
    for (question, answer) in &pairs {
        firewall.out(question).passes();
        firewall.back(answer).passes();
    }
    let opening = Connection::new("10.0.0.2:1", "192.0.2.1:443").client(SYN, &[]);
    firewall.out(&opening).passes();
    for number in 0..5_000_u32 {
        let source = SocketAddr::new(IpAddr::from((0x6400_0000 + number).to_be_bytes()), 9);
        firewall.out(&udp(source, SocketAddr::new(ip("192.0.2.1"), number as u16), b"x")).passes();
    }
    for (question, answer) in &pairs {
        firewall.out(question).passes();
        firewall.back(answer).passes();
    }
    firewall.moved(&[
        ("packets_received", 400 + 1 + 5_000),
        ("packets_forwarded", 400 + 1 + 5_000),
        ("sessions_opened", 101 + 5_000),
        ("sessions_closed", 5_000 - 79),
        ("sessions_evicted", 5_000 - 79),
        ("sessions_active", 180),
        ("table_entries", 180),
    ]);
}

#[test]
fn a_burst_of_fragments_does_not_keep_a_datagram_from_being_whole() {
    let mut firewall = protected(Protection::default());
    for number in 0..10_000_u32 {
        let source = SocketAddr::new(IpAddr::from((0x6400_0000 + number).to_be_bytes()), 9);
        firewall.out(&udp(source, end("192.0.2.1:9"), &[0; 56]).fragment(number as u16, true, 0));
        if number % 1000 == 0 {
            let whole = udp(end("10.0.0.1:5000"), end("192.0.2.1:5001"), &[1; 120]);
            let mut first = whole.clone().fragment(number as u16, true, 0);
            first.transport.truncate(64);
            let mut last = whole.fragment(number as u16, false, 64);
            last.transport.drain(..64);
            firewall.now = firewall.now + Duration::from_millis(1);
            firewall.out(&first).waits();
            firewall.out(&last).releases(&[&first, &last]);
        }
    }
}

#[test]
fn a_blind_rst_ends_nothing() {
    let mut firewall = protected(Protection::default());
    let mut web = established(&mut firewall, "10.0.0.1:4000");
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
    ]);
    // Within the window, but not where it is due: the client answers it by itself (RFC 5961, 3.2).
    let mut guess = web.tcp(1, RST, &[]);
    guess.sequence = guess.sequence.wrapping_add(500);
    firewall.back(&guess.packet()).passes();
    firewall.wait(Duration::from_secs(5));
    firewall.out(&web.tcp(0, ACK, &[]).packet()).passes();
    firewall.wait(Duration::from_secs(600));
    firewall.back(&web.server(ACK | PSH, b"all is well")).passes();
    let mut far = web.tcp(1, RST, &[]);
    far.sequence = far.sequence.wrapping_add(1 << 30);
    firewall.back(&far.packet()).drops(DropReason::TcpResetOutOfWindow);
    firewall.moved(&[("packets_received", 4), ("packets_forwarded", 3), ("drop_tcp_reset_out_of_window", 1)]);
    // Nobody speaks any more: it was a RST indeed.
    firewall.back(&guess.packet()).passes();
    firewall.wait(Duration::from_secs(13));
    firewall.moved(&[
        ("packets_received", 1),
        ("packets_forwarded", 1),
        ("sessions_closed", 1),
        ("sessions_timed_out", 1),
        ("sessions_active", -1),
        ("table_entries", -1),
    ]);
}

#[test]
fn a_syn_within_a_connection_changes_nothing() {
    let mut firewall = protected(Protection::default());
    let mut web = established(&mut firewall, "10.0.0.1:4000");
    // The receiver answers with a challenge (RFC 5961, 4.2).
    let mut syn = web.tcp(0, SYN, &[]);
    syn.sequence = 0xdead_beef;
    firewall.out(&syn.packet()).passes();
    firewall.back(&web.tcp(1, ACK, &[]).packet()).passes();
    let mut forged = web.tcp(1, SYN | ACK, &[]);
    forged.sequence = 0xdead_beef;
    firewall.back(&forged.packet()).passes();
    let mut data = web.tcp(1, ACK | PSH, b"forged");
    data.sequence = 0xdead_bef0;
    firewall.back(&data.packet()).drops(DropReason::TcpOutOfWindow);
    firewall.back(&web.server(ACK | PSH, b"honest")).passes();
}

#[test]
fn nobody_ends_a_connection_whose_numbers_he_does_not_know() {
    let mut firewall = protected(Protection::default());
    let mut web = established(&mut firewall, "10.0.0.1:4000");
    // Both SYNs of another connection, before either side can answer the first, and its end.
    let mut forged = Connection::new("10.0.0.1:4000", "192.0.2.1:443");
    forged.next = [web.next[0].wrapping_sub(0x7000_0000), web.next[1].wrapping_sub(0x6000_0000)];
    firewall.out(&forged.client(SYN, &[])).passes();
    firewall.back(&forged.server(SYN | ACK, &[])).passes();
    firewall.out(&forged.client(FIN | ACK, &[])).passes();
    firewall.back(&forged.server(FIN | ACK, &[])).passes();
    firewall.out(&forged.client(RST | ACK, &[])).passes();
    firewall.wait(Duration::from_secs(600));
    firewall.back(&web.server(ACK | PSH, b"honest")).passes();
    firewall.out(&web.client(ACK | PSH, b"honest")).passes();
    firewall.back(&forged.server(ACK | PSH, b"forged")).drops(DropReason::TcpOutOfWindow);
    firewall.moved(&[
        ("packets_received", 11),
        ("packets_forwarded", 10),
        ("drop_tcp_out_of_window", 1),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
    ]);
}

#[test]
fn two_that_both_forgot_their_connection_begin_anew() {
    let mut firewall = protected(Protection::default());
    established(&mut firewall, "10.0.0.1:4000");
    let mut again = Connection::new("10.0.0.1:4000", "192.0.2.1:443");
    again.next = [0x7000_0000, 0x9000_0000];
    firewall.out(&again.client(SYN, &[])).passes();
    firewall.back(&again.server(SYN | ACK, &[])).passes();
    firewall.out(&again.client(ACK, &[])).passes();
    firewall.out(&again.client(ACK | PSH, b"hello")).passes();
    firewall.back(&again.server(ACK | PSH, b"hello")).passes();
}

#[test]
fn an_acknowledgment_lies_within_what_was_sent() {
    for (window, unseen_passes) in [(Window::Strict, false), (Window::Loose, true), (Window::Off, true)] {
        let mut firewall = protected(Protection { tcp_window: window, ..Protection::default() });
        let mut web = established(&mut firewall, "10.0.0.1:4000");
        let mut old = web.tcp(0, ACK, b"x");
        old.acknowledgment = old.acknowledgment.wrapping_sub(1 << 30);
        let fate = firewall.out(&old.packet());
        if window == Window::Off {
            fate.passes()
        } else {
            fate.drops(DropReason::TcpAckOutOfRange)
        }
        let mut unseen = web.client(ACK, b"x");
        unseen.transport[8..12].copy_from_slice(&web.next[1].wrapping_add(1).to_be_bytes());
        let fate = firewall.out(&unseen);
        if unseen_passes { fate.passes() } else { fate.drops(DropReason::TcpAckOutOfRange) }
    }
}

#[test]
fn a_flood_of_acks_without_a_session_is_told_once_a_second() {
    let settings = Settings { midstream: crate::pipeline::Midstream::Drop, ..settings() };
    let mut firewall = Firewall::set_up(settings, policy(vec![outbound()]), Default::default());
    for step in 0..35 {
        for number in 0..200_u16 {
            let ack = Connection::new(&format!("10.0.0.1:{}", 1024 + number), "192.0.2.1:80").client(ACK, b"x");
            firewall.out(&ack).drops(DropReason::TcpNotSyn);
        }
        assert!(step > 0 || firewall.changes().is_empty());
        firewall.wait(Duration::from_millis(100));
    }
    firewall.wait(Duration::from_millis(1500));
    firewall.wait(Duration::from_millis(1500));
    let told = firewall.changes();
    assert!(
        told[0].starts_with("tcp_not_syn Begin") && told.last().unwrap() == "tcp_not_syn End 0 of 7000",
        "{told:?}"
    );
    assert!((5..=6).contains(&told.len()), "{told:?}");
    firewall.moved(&[("packets_received", 7000), ("drop_tcp_not_syn", 7000), ("attack_events", told.len() as i64)]);
}

#[test]
fn denied_packets_that_are_alike_make_one_record_a_second() {
    let deny = RuleSource { session_logging: true, ..rule(Action::Deny) };
    let mut firewall = Firewall::with(vec![deny]);
    for port in 0..500 {
        let client = SocketAddr::new(ip("10.0.0.1"), 2000 + port);
        firewall.out(&udp(client, end("192.0.2.1:53"), b"x")).drops(DropReason::Policy);
    }
    assert_eq!(firewall.changes(), ["deny"]);
    firewall.wait(Duration::from_millis(1001));
    let [event] = firewall.session_events().try_into().unwrap();
    assert_eq!((event.to_server.packets, event.tuple.client.port), (499, 2000));
    assert_eq!(event.to_server.octets, 499 * 29);
    firewall.moved(&[("packets_received", 500), ("drop_policy", 500), ("session_events", 2)]);
    // What was counted and not told is told at the end.
    firewall.out(&udp(end("10.0.0.1:1"), end("192.0.2.1:53"), b"x"));
    firewall.out(&udp(end("10.0.0.1:2"), end("192.0.2.1:53"), b"x"));
    firewall.pipeline.shutdown(firewall.now, crate::pipeline::Room::Needed);
    assert_eq!(firewall.changes(), ["deny", "deny"]);
}

#[test]
fn at_the_end_an_attack_is_told_to_be_over() {
    let mut firewall = protected(Protection::default());
    for _ in 0..3 {
        firewall.out(&udp(end("10.0.0.1:7"), end("10.0.0.1:7"), b"x")).drops(DropReason::Land);
    }
    assert!(firewall.changes().is_empty());
    assert!(firewall.pipeline.shutdown(firewall.now, crate::pipeline::Room::Needed));
    assert_eq!(firewall.changes(), ["land Begin 3 of 3", "land End 0 of 3"]);
    firewall.moved(&[("packets_received", 3), ("drop_land", 3), ("attack_events", 2)]);
}

#[test]
fn a_session_of_ten_million_takes_128_octets_and_the_reserve_is_among_them() {
    let mut protection = Protection { syn_retry: false, ..Protection::default() };
    let table = crate::pipeline::Pipeline::octets_for(10_000_000, &protection);
    assert!(table <= 1_280_000_000, "{table}");
    protection.syn_retry = true;
    let whole = crate::pipeline::Pipeline::octets_for(10_000_000, &protection);
    assert_eq!(whole - table, 32 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Any options, any extension headers, any ICMP: no panic, and with everything let through nothing is a screen's.
    #[test]
    fn any_headers_are_screened(
        options in prop::collection::vec(any::<u8>(), 0..=40),
        extensions in prop::collection::vec(any::<u8>(), 0..64),
        number: u8,
        kind: u8,
        on: bool,
    ) {
        let mut protection = Protection::default();
        for screen in [Screen::RecordRoute, Screen::IpTimestamp, Screen::IpOption, Screen::IcmpRedirect, Screen::IcmpFragment,
            Screen::LargeIcmp, Screen::SynFragment, Screen::UnknownProtocol, Screen::SourceRoute, Screen::BadIpOption,
            Screen::Smurf, Screen::Fraggle, Screen::TtlZero] {
            protection.screens.set(screen, on);
        }
        let mut firewall = protected(protection);
        let options = &options[..options.len() / 4 * 4];
        firewall.send_bytes(super::firewall::INSIDE, &with_options(&question(), options));
        let mut packet = icmp(ip("2001:db8::1"), ip("2001:db8::2"), (kind, 0), [0; 4], &[0; 64]);
        packet.extensions = Some((number, extensions));
        firewall.out(&packet);
        firewall.out(&icmp(ip("10.0.0.1"), ip("10.0.0.2"), (kind, 0), [0; 4], &[0; 64]));
        if !on {
            for reason in [DropReason::SourceRoute, DropReason::BadIpOption, DropReason::IpOption, DropReason::RecordRoute] {
                prop_assert_eq!(firewall.pipeline.counters().drops(reason), 0);
            }
        }
    }
}

#[test]
fn what_is_lost_is_counted_by_its_class_and_number() {
    let logged = RuleSource { session_logging: true, ..rule(Action::Deny) };
    let mut firewall = Firewall::set_up(settings(), policy(vec![logged]), Default::default());
    let denied = |host: u32, port| {
        let [_, _, high, low] = host.to_be_bytes();
        udp(end(&format!("10.0.{high}.{low}:{port}")), end("192.0.2.1:23"), b"x")
    };
    // The queue is full with the first packets of a thousand hosts; those that follow have to wait.
    for host in 0..1_000 {
        firewall.out(&denied(host, 1)).drops(DropReason::Policy);
    }
    let told = firewall.pipeline.counters().value(crate::counters::Counter::SessionEvents);
    let lost = |firewall: &Firewall| firewall.events.lost();
    assert_eq!(lost(&firewall).session, 0);
    for port in 2..52 {
        firewall.out(&denied(7, port)).drops(DropReason::Policy);
    }
    let land = udp(end("10.0.0.1:7"), end("10.0.0.1:7"), b"x");
    firewall.out(&land).drops(DropReason::Land);
    while firewall.pipeline.events.has_session_room() {
        assert!(firewall.pipeline.events.session(firewall.now, |header| crate::event::SessionEvent {
            header,
            session: crate::event::SessionId(0),
            tuple: Default::default(),
            translation: None,
            rule: crate::policy::RuleId(0),
            application: sigdb::AppId::UNKNOWN,
            ports: (0, 0),
            logged: true,
            change: crate::event::SessionChange::Create,
            start: firewall.now,
            to_server: Default::default(),
            to_client: Default::default(),
        }));
    }
    firewall.pipeline.shutdown(firewall.now, crate::pipeline::Room::Regardless);
    let lost = lost(&firewall);
    assert_eq!(told + lost.session, 1_050, "each denied packet is told or lost");
    assert_eq!((lost.attack, lost.sign_on), (2, 0), "that it began, and that it is over");
    let counters = firewall.pipeline.counters();
    assert_eq!(counters.value(crate::counters::Counter::SessionEventsLost), lost.session);
    assert_eq!(counters.value(crate::counters::Counter::AttackEventsLost), 2);
}
