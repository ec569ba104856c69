//! Zones, logging, and what a new policy does to sessions that are open.

use std::time::Duration;

use arrayvec::ArrayVec;

use super::firewall::{Connection, Firewall, INSIDE, outbound, policy, rule, settings};
use crate::endpoint::Address;
use crate::pipeline::{Frame, Room};
use crate::policy::{Action, AddressRange, PolicySource, RuleId, RuleSource, ZoneId};
use crate::verdict::{DropReason, Verdict};
use crate::wire::build::udp;
use crate::wire::tcp::{ACK, SYN};

/// A session from inside, its handshake complete.
fn established(firewall: &mut Firewall) -> Connection {
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
    web
}

#[test]
fn denials_are_reported_where_the_rule_or_the_implicit_deny_logs() {
    let to_dns = |firewall: &mut Firewall, reason| {
        let packet = udp("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:5300".parse().unwrap(), b"?");
        firewall.out(&packet).drops(reason);
    };
    let logging = RuleSource { session_logging: true, ..rule(Action::Deny) };
    let mut firewall = Firewall::with(vec![logging]);
    to_dns(&mut firewall, DropReason::Policy);
    let [deny] = firewall.session_events().try_into().unwrap();
    assert_eq!((deny.session.0, deny.rule, deny.logged, deny.ports), (0, RuleId(0), true, (0, 1)));
    firewall.moved(&[("packets_received", 1), ("drop_policy", 1), ("session_events", 1)]);

    firewall.commit(policy(vec![rule(Action::Deny)]));
    to_dns(&mut firewall, DropReason::Policy);
    assert!(firewall.changes().is_empty());
    firewall.commit(policy(vec![]));
    to_dns(&mut firewall, DropReason::ImplicitDeny);
    assert!(firewall.changes().is_empty());
    firewall.commit(PolicySource { implicit_deny_logging: true, ..policy(vec![]) });
    to_dns(&mut firewall, DropReason::ImplicitDeny);
    let [deny] = firewall.session_events().try_into().unwrap();
    assert_eq!(deny.rule, RuleId::IMPLICIT);
}

#[test]
fn a_rule_without_logging_says_nothing() {
    let mut firewall = Firewall::with(vec![rule(Action::Permit)]);
    established(&mut firewall);
    firewall.pipeline.shutdown(firewall.now, Room::Regardless);
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_opened", 1),
        ("sessions_closed", 1),
    ]);
}

#[test]
fn a_new_policy_judges_a_session_at_its_next_packet() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = established(&mut firewall);
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("session_events", 1),
    ]);
    firewall.commit(policy(vec![RuleSource { session_logging: true, ..rule(Action::Deny) }]));
    firewall.moved(&[]);
    let late = web.clone().client(ACK, b"data");
    firewall.out(&late).drops(DropReason::Policy);
    firewall.back(&web.server(ACK, b"data")).drops(DropReason::Policy);
    firewall.moved(&[
        ("packets_received", 2),
        ("drop_policy", 2),
        ("denied_packets", 2),
        ("sessions_rejudged", 1),
        ("sessions_closed", 1),
        ("sessions_active", -1),
        ("session_events", 1),
    ]);
    assert_eq!(firewall.changes(), ["create", "close policy"]);
    // A policy that permits it again lets it go on, as a new session.
    firewall.commit(policy(vec![outbound()]));
    firewall.out(&late).passes();
    assert_eq!(firewall.changes(), ["create"]);
}

#[test]
fn a_denied_flow_is_forgotten_when_it_falls_silent() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = established(&mut firewall);
    firewall.commit(policy(vec![]));
    firewall.out(&web.client(ACK, b"data")).drops(DropReason::ImplicitDeny);
    firewall.moved(&[
        ("packets_received", 4),
        ("packets_forwarded", 3),
        ("sessions_opened", 1),
        ("sessions_closed", 1),
        ("sessions_rejudged", 1),
        ("table_entries", 1),
        ("denied_packets", 1),
        ("drop_implicit_deny", 1),
        ("session_events", 2),
    ]);
    firewall.wait(Duration::from_secs(33));
    firewall.moved(&[("table_entries", -1)]);
}

#[test]
fn a_session_gets_its_create_when_a_logging_rule_takes_it_over() {
    let mut firewall = Firewall::with(vec![rule(Action::Permit)]);
    let mut web = established(&mut firewall);
    firewall.commit(policy(vec![outbound()]));
    firewall.out(&web.client(ACK, b"data")).passes();
    firewall.out(&web.client(ACK, b"data")).passes();
    assert_eq!(firewall.changes(), ["create"]);
    // And its close, though the rule that it ends under does not log: who saw the begin is told the end.
    firewall.commit(policy(vec![rule(Action::Permit)]));
    firewall.out(&web.client(ACK, b"data")).passes();
    firewall.pipeline.shutdown(firewall.now, Room::Regardless);
    assert_eq!(firewall.changes(), ["close shutdown"]);
}

#[test]
fn zones_follow_the_client() {
    let inbound = RuleSource { from: vec![ZoneId(1)], to: vec![ZoneId(0)], ..rule(Action::Permit) };
    let mut firewall = Firewall::with(vec![RuleSource { session_logging: true, ..inbound }]);
    let mut mail = Connection::new("198.51.100.1:40000", "10.0.0.25:25");
    firewall.back(&mail.client(SYN, &[])).passes();
    firewall.out(&mail.server(SYN | ACK, &[])).passes();
    let event = firewall.session_events()[0];
    assert_eq!((event.ports, event.tuple.server.port), ((1, 0), 25));
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.out(&web.client(SYN, &[])).drops(DropReason::ImplicitDeny);
}

#[test]
fn after_a_restart_sessions_are_picked_up_by_their_ports() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.back(&web.server(ACK, b"in the middle")).passes();
    firewall.out(&web.client(ACK, b"of it")).passes();
    firewall.back(&udp("192.0.2.53:53".parse().unwrap(), "10.0.0.1:5000".parse().unwrap(), b"answer")).passes();
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_opened", 2),
        ("sessions_active", 2),
        ("table_entries", 2),
        ("tcp_midstream", 1),
        ("session_events", 2),
    ]);
    for event in firewall.session_events() {
        assert_eq!((event.tuple.client.address.ip().to_string().as_str(), event.ports), ("10.0.0.1", (0, 1)));
    }
}

#[test]
fn once_running_a_servers_port_opens_no_door() {
    let mut firewall = Firewall::with(vec![outbound()]);
    firewall.out(&udp("10.0.0.9:1".parse().unwrap(), "192.0.2.9:2".parse().unwrap(), b"first")).passes();
    firewall.wait(Duration::from_secs(181));
    let unasked = udp("192.0.2.53:53".parse().unwrap(), "10.0.0.1:5000".parse().unwrap(), b"answer");
    firewall.back(&unasked).drops(DropReason::ImplicitDeny);
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.back(&web.server(ACK, b"data")).passes();
    firewall.wait(Duration::from_secs(3600));
    web.server.set_port(444);
    firewall.back(&web.server(ACK, b"data")).drops(DropReason::ImplicitDeny);
    firewall.back(&web.server(SYN | ACK, &[])).drops(DropReason::ImplicitDeny);
}

#[test]
fn midstream_can_be_refused() {
    let settings = crate::pipeline::Settings { midstream: crate::pipeline::Midstream::Drop, ..settings() };
    let mut firewall = Firewall::set_up(settings, policy(vec![outbound()]), sigdb::Database::default());
    let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    firewall.out(&web.client(ACK, b"data")).drops(DropReason::TcpNotSyn);
    firewall.back(&web.server(SYN | ACK, &[])).drops(DropReason::TcpNotSyn);
    firewall.out(&Connection::new("10.0.0.1:40001", "192.0.2.1:443").client(SYN, &[])).passes();
    firewall
        .back(&udp("192.0.2.53:53".parse().unwrap(), "10.0.0.1:5000".parse().unwrap(), b"answer"))
        .drops(DropReason::ImplicitDeny);
}

#[test]
fn a_client_may_use_a_low_port() {
    let mut firewall = Firewall::with(vec![outbound()]);
    let (client, server) = ("10.0.0.1:123".parse().unwrap(), "192.0.2.1:1123".parse().unwrap());
    firewall.out(&udp(client, server, b"?")).passes();
    firewall.back(&udp(server, client, b"!")).passes();
    assert_eq!(firewall.session_events()[0].tuple.client.port, 123);
}

/// A policy of so many rules, all about others but the last; `version` tells one from the next.
fn large(rules: u32, version: u8) -> PolicySource {
    let other = |number: u32| {
        let [_, high, middle, low] = number.to_be_bytes();
        let range = |network| {
            let first = Address::v4([network, high, middle, low]);
            AddressRange { first, last: first }
        };
        RuleSource { source: vec![range(172)], destination: vec![range(version)], ..rule(Action::Deny) }
    };
    policy((1..rules).map(other).chain([outbound()]).collect())
}

#[test]
fn commits_of_ten_thousand_rules_between_bursts_lose_nothing_and_judge_what_comes() {
    const FLOWS: u16 = 64;
    let mut firewall = Firewall::with(vec![outbound()]);
    let burst = |firewall: &mut Firewall, flows: std::ops::Range<u16>| {
        let packet =
            |flow| udp(format!("10.0.0.1:{}", 1024 + flow).parse().unwrap(), "192.0.2.1:53".parse().unwrap(), b"?");
        let mut frames: Vec<Vec<u8>> = flows.map(|flow| packet(flow).frame()).collect();
        let mut burst: Vec<Frame<'_>> = frames
            .iter_mut()
            .map(|frame| {
                let length = frame.len() as u32;
                Frame::new(INSIDE, frame, length)
            })
            .collect();
        let mut verdicts = ArrayVec::new();
        firewall.pipeline.process(firewall.now, &mut burst, &mut verdicts);
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Forward(_))), "{verdicts:?}");
        verdicts.len() as i64
    };
    burst(&mut firewall, 0..FLOWS);
    firewall.moved(&[
        ("packets_received", 64),
        ("packets_forwarded", 64),
        ("sessions_opened", 64),
        ("sessions_active", 64),
        ("table_entries", 64),
        ("session_events", 64),
    ]);
    for version in 1..4 {
        firewall.commit(large(10_000, version));
        // Nobody is judged by the commit itself; who sends is, once.
        firewall.moved(&[]);
        for (flows, judged) in [(0..32, 32), (0..32, 0), (16..48, 16)] {
            let sent = burst(&mut firewall, flows);
            let mut expected = vec![("packets_received", sent), ("packets_forwarded", sent)];
            expected.extend((judged > 0).then_some(("sessions_rejudged", judged)));
            firewall.moved(&expected);
        }
    }
    assert_eq!(firewall.changes().len(), 64, "no session ended, none began anew");
}
