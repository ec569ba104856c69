//! What a trace says against what the pipeline then does, for whatever comes; and that asking changes nothing.

use std::net::SocketAddr;

use arrayvec::ArrayVec;
use proptest::prelude::*;

use super::any_bytes::signatures;
use super::firewall::{Connection, Firewall, INSIDE, OUTSIDE, outbound, policy, rule, settings};
use super::lanes::{lane_policies, origins, sent, translating};
use super::routing::{self, CLIENT, GATEWAY, OUR_INSIDE, OUR_OUTSIDE, Router};
use super::translation::pool;
use crate::event::SessionChange;
use crate::guard::{Floods, Limit, Protection};
use crate::nat::PoolId;
use crate::pipeline::{Assumed, Frame, Midstream, Settings, Stage, Trace, Unless};
use crate::policy::random::Dice;
use crate::policy::{Action, Application, Field, PortId, Query, RuleId, RuleSource, ZoneId};
use crate::verdict::{DropReason, Verdict};
use crate::wire::build::{Packet, Tcp, icmp, udp};
use crate::wire::protocol;
use crate::wire::tcp::{ACK, RST, SYN};

fn trace(firewall: &Firewall, port: PortId, bytes: &[u8], more: u32, assumed: Assumed) -> Trace {
    let mut bytes = bytes.to_vec();
    let length = bytes.len() as u32 + more;
    let before = firewall.pipeline.counters().read();
    let trace = firewall.pipeline.trace(firewall.now, &Frame::new(port, &mut bytes, length), assumed);
    assert_eq!(before, firewall.pipeline.counters().read(), "asking counts nothing");
    trace
}

/// What becomes of a frame.
fn process(firewall: &mut Firewall, port: PortId, bytes: &[u8], more: u32) -> Verdict {
    let mut bytes = bytes.to_vec();
    let length = bytes.len() as u32 + more;
    let mut verdicts = ArrayVec::new();
    firewall.pipeline.process(firewall.now, &mut [Frame::new(port, &mut bytes, length)], &mut verdicts);
    firewall.pipeline.replies().for_each(drop);
    firewall.pipeline.clear_originated();
    verdicts[0]
}

/// Traces a frame, sends it, and compares; whether there was something to compare.
fn agree(firewall: &mut Firewall, port: PortId, bytes: &[u8], more: u32) -> Result<bool, TestCaseError> {
    let told = trace(firewall, port, bytes, more, Assumed::default());
    let rules = firewall.pipeline.policy.source().rules.len();
    if let Some(asked) = told.asked {
        let misfits = |place| firewall.pipeline.policy.misfits(place, &asked.query);
        let first = (0..rules).find(|place| misfits(*place).is_some_and(|misfits| misfits.is_empty()));
        let first = first.map_or(RuleId::IMPLICIT, |place| firewall.pipeline.policy.number(place));
        prop_assert_eq!(first, asked.decision.rule, "{:?}", told);
    }
    let verdict = process(firewall, port, bytes, more);
    let denied = firewall.session_events().into_iter().find(|event| event.change == SessionChange::Deny);
    if told.unless.is_some() {
        return Ok(false);
    }
    prop_assert_eq!(told.verdict, verdict, "{:?}", told);
    let by_rule =
        matches!(verdict, Verdict::Drop(DropReason::Policy | DropReason::PolicyReset | DropReason::ImplicitDeny));
    prop_assert!(!by_rule || told.stage == Stage::Policy && told.asked.is_some_and(|asked| asked.decides), "{told:?}");
    if let (true, Some(denied), Some(asked)) = (by_rule, denied, told.asked) {
        prop_assert_eq!(asked.decision.rule, denied.rule);
    }
    Ok(true)
}

/// A packet as a query describes it, and whether the zone of the first port is where it comes from.
fn packet_of(query: &Query, flags: u8) -> Option<Packet> {
    let (source, destination) = (query.source.ip(), query.destination.ip());
    if source.is_ipv4() != destination.is_ipv4() {
        return None;
    }
    let ends = (SocketAddr::new(source, query.source_port), SocketAddr::new(destination, query.destination_port));
    Some(match query.protocol {
        protocol::TCP => Tcp {
            source: ends.0,
            destination: ends.1,
            flags,
            sequence: 9,
            acknowledgment: 0,
            window: 1000,
            options: vec![],
            payload: vec![],
        }
        .packet(),
        protocol::UDP => udp(ends.0, ends.1, &[]),
        protocol::ICMP if source.is_ipv4() => icmp(source, destination, (8, 0), [0, 1, 0, 1], &[]),
        protocol::ICMPV6 if source.is_ipv6() => icmp(source, destination, (128, 0), [0, 1, 0, 1], &[]),
        number => Packet::new(source, destination, number, vec![0; 16]),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn on_a_wire_the_trace_says_what_happens(
        frames in prop::collection::vec((sent(), 0..40_u64, 0..24_usize), 1..120),
        policy in 0..5_usize,
        midstream in prop::sample::select(vec![Midstream::Permit, Midstream::Drop]),
        translates: bool,
        is_bound: bool,
        limit in 0..4_u32,
    ) {
        let limit = Limit { source: limit, destination: limit * 2 };
        let floods = Floods { tcp: limit, udp: limit, ..Floods::default() };
        let protection = Protection { origins: if is_bound { origins() } else { vec![] }, floods, ..Protection::default() };
        let nat = if translates { vec![pool((5000, 5001))] } else { vec![] };
        let settings = Settings { max_sessions: 12, inspection_slots: 2, midstream, protection, nat, ..settings() };
        let policies = || lane_policies().map(|policy| if translates { translating(policy) } else { policy });
        let mut firewall = Firewall::set_up_shared(settings, policies().nth(policy).unwrap(), signatures());
        for ((bytes, inside, more), seconds, commit) in &frames {
            agree(&mut firewall, if *inside { INSIDE } else { OUTSIDE }, bytes, *more)?;
            firewall.wait(std::time::Duration::from_secs(*seconds));
            if let Some(policy) = policies().nth(*commit) {
                firewall.commit(policy);
            }
        }
    }

    #[test]
    fn between_interfaces_too(
        packets in prop::collection::vec(
            (0..4_usize, 0..6_usize, 0..3_u8, any::<bool>(), prop::sample::select(vec![1, 2, 64_u8]), 0..9_u64),
            1..80,
        ),
        hostile in prop::collection::vec(sent(), 0..30),
    ) {
        let to_us = RuleSource { to: vec![ZoneId(9)], ..rule(Action::Permit) };
        let mut router = Router::with(vec![outbound(), to_us], routing::config());
        for (port, neighbour, mac) in [(INSIDE, "10.0.0.1", CLIENT), (OUTSIDE, "192.0.2.254", GATEWAY)] {
            router.asks_for_us(port, neighbour, mac);
        }
        let clients = ["10.0.0.1", "10.0.0.2", "192.0.2.77", "198.51.100.9"];
        let servers = ["198.51.100.7", "192.0.2.254", "203.0.113.1", "10.0.0.254", "8.8.8.8", "224.0.0.1"];
        for (client, server, kind, inside, hops, seconds) in packets {
            let (client, server) = (clients[client].parse().unwrap(), servers[server].parse().unwrap());
            let packet = match kind {
                0 => udp(SocketAddr::new(client, 4000), SocketAddr::new(server, 53), b"x"),
                1 => icmp(client, server, (8, 0), [0, 1, 0, 1], &[]),
                _ => udp(SocketAddr::new(client, 4000), SocketAddr::new(server, 53), &[7; 1450]),
            };
            let macs = if inside { (CLIENT.0, OUR_INSIDE.0) } else { (GATEWAY.0, OUR_OUTSIDE.0) };
            let frame = Packet { hop_limit: hops, macs, ..packet }.frame();
            agree(&mut router.firewall, if inside { INSIDE } else { OUTSIDE }, &frame, 0)?;
            router.wait(seconds);
        }
        for (mut bytes, inside, more) in hostile {
            if let Some(to) = bytes.first_chunk_mut::<6>() {
                *to = if inside { OUR_INSIDE.0 } else { OUR_OUTSIDE.0 };
            }
            agree(&mut router.firewall, if inside { INSIDE } else { OUTSIDE }, &bytes, more)?;
        }
    }
}

/// The trace's rule and verdict are the pipeline's for the policies that the classifier is tested with.
#[test]
fn the_rule_is_the_pipelines_for_made_up_policies() {
    let (mut compared, mut permitted) = (0, 0);
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let mut source = dice.policy([1, 7, 64, 300][seed as usize % 4]);
        for rule in &mut source.rules {
            // Nobody is anybody here, and nothing logs unless all do, so that each denied packet tells its rule.
            (rule.users, rule.session_logging) = (0, true);
        }
        source.implicit_deny_logging = true;
        let mut queries = Vec::new();
        for _ in 0..200 {
            queries.push(dice.query(&source.rules));
        }
        for query in &queries {
            source.zones = vec![query.from, query.to];
            let Some(packet) = packet_of(query, SYN) else { continue };
            let settings = Settings { max_sessions: 16, fragment_slots: 1, inspection_slots: 1, ..settings() };
            let mut firewall = Firewall::set_up(settings, source.clone(), sigdb::Database::default());
            let told = trace(&firewall, INSIDE, &packet.frame(), 0, Assumed::default());
            if !agree(&mut firewall, INSIDE, &packet.frame(), 0).unwrap() || told.asked.is_none() {
                continue;
            }
            compared += 1;
            permitted += u32::from(matches!(told.verdict, Verdict::Forward(_)));
            let session = trace(&firewall, INSIDE, &packet.frame(), 0, Assumed::default()).session;
            assert_eq!(session.is_some(), matches!(told.verdict, Verdict::Forward(_)));
            assert!(session.is_none_or(|session| Some(session.rule) == told.asked.map(|asked| asked.decision.rule)));
        }
    }
    assert!(compared > 3_000 && permitted > 500, "{compared} {permitted}");
}

#[test]
fn each_step_that_refuses_is_named() {
    let web = RuleSource { to: vec![ZoneId(1)], ..rule(Action::Permit) };
    let mut firewall = Firewall::with(vec![web]);
    let mut connection = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
    let syn = connection.client(SYN, &[]).frame();
    let told = |firewall: &Firewall, port, bytes: &[u8]| {
        let trace = trace(firewall, port, bytes, 0, Assumed::default());
        (trace.stage, trace.verdict)
    };
    assert_eq!(told(&firewall, INSIDE, &syn), (Stage::Departure, Verdict::Forward(OUTSIDE)));
    assert_eq!(told(&firewall, OUTSIDE, &syn), (Stage::Policy, Verdict::Drop(DropReason::ImplicitDeny)));
    assert_eq!(told(&firewall, INSIDE, &syn[..20]), (Stage::Read, Verdict::Drop(DropReason::Truncated)));
    assert_eq!(told(&firewall, PortId(7), &syn), (Stage::Read, Verdict::Drop(DropReason::NoWire)));
    let reset = connection.client(RST, &[]).frame();
    assert_eq!(told(&firewall, INSIDE, &reset), (Stage::Admission, Verdict::Drop(DropReason::TcpNotSyn)));
    let mut spent = udp("10.0.0.1:4000".parse().unwrap(), "192.0.2.1:53".parse().unwrap(), b"x");
    spent.hop_limit = 0;
    assert_eq!(told(&firewall, INSIDE, &spent.frame()), (Stage::Screen, Verdict::Drop(DropReason::TtlZero)));
    // It goes on under the rule that opened it, whatever direction.
    firewall.send_bytes(INSIDE, &syn).passes();
    let answer = connection.server(SYN | ACK, &[]).frame();
    let traced = trace(&firewall, OUTSIDE, &answer, 0, Assumed::default());
    assert_eq!(traced.verdict, Verdict::Forward(INSIDE));
    assert_eq!(traced.session.map(|session| (session.rule, session.state)), Some((RuleId(0), "opening")));
    assert!(traced.asked.is_some_and(|asked| !asked.decides));
}

#[test]
fn what_is_assumed_stands_in_for_what_is_known() {
    let wechat = signatures().by_name("wechat").unwrap();
    let named = RuleSource { application: vec![wechat], users: 2, ..rule(Action::Deny) };
    let firewall = Firewall::set_up_shared(settings(), policy(vec![named, rule(Action::Permit)]), signatures());
    let syn = Connection::new("10.0.0.1:40000", "192.0.2.1:443").client(SYN, &[]).frame();
    let asked = |assumed| {
        let trace = trace(&firewall, INSIDE, &syn, 0, assumed);
        let asked = trace.asked.unwrap();
        (asked.decision.rule, trace.verdict, firewall.pipeline.policy.misfits(0, &asked.query).unwrap())
    };
    let (rule, verdict, misfits) = asked(Assumed::default());
    assert_eq!((rule, verdict), (RuleId(1), Verdict::Forward(OUTSIDE)));
    assert_eq!(misfits.iter().collect::<Vec<_>>(), [Field::Users]);
    // As long as nobody knows what it is, the rule lets it through.
    let one = Assumed { labels: Some(2), ..Assumed::default() };
    assert_eq!((asked(one).0, asked(one).1), (RuleId(0), Verdict::Forward(OUTSIDE)));
    let both = Assumed { application: Some(wechat), labels: Some(2) };
    assert_eq!((asked(both).0, asked(both).1), (RuleId(0), Verdict::Drop(DropReason::Policy)));
    let trace = trace(&firewall, INSIDE, &syn, 0, both);
    assert_eq!(trace.asked.unwrap().query.application, Application::Named(wechat));
}

#[test]
fn what_it_hangs_on_is_said() {
    let translated = RuleSource { source_nat: Some(PoolId(0)), ..outbound() };
    let settings = Settings { nat: vec![pool((5000, 5001))], ..settings() };
    let firewall = Firewall::set_up(settings, policy(vec![translated]), sigdb::Database::default());
    let syn = Connection::new("10.0.0.1:40000", "192.0.2.1:443").client(SYN, &[]).frame();
    let traced = trace(&firewall, INSIDE, &syn, 0, Assumed::default());
    assert_eq!((traced.unless, traced.pool), (Some(Unless::Pool), Some(PoolId(0))));
    let piece = udp("10.0.0.1:1".parse().unwrap(), "192.0.2.1:2".parse().unwrap(), &[0; 24]).fragment(7, true, 0);
    assert_eq!(trace(&firewall, INSIDE, &piece.frame(), 0, Assumed::default()).unless, Some(Unless::Fragment));
    let unasked = udp("192.0.2.1:443".parse().unwrap(), "198.51.100.10:5000".parse().unwrap(), b"x").frame();
    let traced = trace(&firewall, OUTSIDE, &unasked, 0, Assumed::default());
    assert_eq!((traced.stage, traced.verdict), (Stage::Pool, Verdict::Drop(DropReason::NatUnsolicited)));
}
