//! Rules that name applications, with the signatures that are shipped: let through until identified, then judged again.

use std::net::SocketAddr;
use std::path::Path;

use sigdb::{AppId, Confidence, Database, Sighting};

use super::firewall::{Connection, Firewall, outbound, policy, rule, settings};
use crate::event::SessionChange;
use crate::pipeline::{Room, Settings};
use crate::policy::{Action, PolicySource, RuleId, RuleSource};
use crate::verdict::DropReason;
use crate::wire::build::{Packet, udp};
use crate::wire::tcp::{ACK, FIN, SYN};

pub(super) fn signatures() -> Database {
    sigdb::compile_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../sigdb/signatures")).expect("they are shipped")
}

pub(super) fn app(name: &str) -> AppId {
    signatures().by_name(name).expect("it is shipped")
}

pub(super) fn set_up(policy: PolicySource) -> Firewall {
    Firewall::set_up(settings(), policy, signatures())
}

/// A rule that logs and names these applications.
pub(super) fn naming(action: Action, names: &[&str]) -> RuleSource {
    let application = names.iter().map(|name| app(name)).collect();
    RuleSource { application, action, ..outbound() }
}

/// A packet of QQ's PC client, third generation, with an account that nobody has.
pub(super) fn oicq(command: u16) -> Vec<u8> {
    let account = 10_001_u32;
    let mut packet = vec![0x02, 0x37, 0x0f];
    packet.extend(command.to_be_bytes());
    packet.extend([0x12, 0x34]);
    packet.extend(account.to_be_bytes());
    packet.extend([0x5a; 24]);
    packet.push(0x03);
    packet
}

fn client() -> SocketAddr {
    "10.0.0.1:4000".parse().unwrap()
}

fn server() -> SocketAddr {
    "192.0.2.8:8000".parse().unwrap()
}

fn ask(command: u16) -> Packet {
    udp(client(), server(), &oicq(command))
}

fn answer(command: u16) -> Packet {
    udp(server(), client(), &oicq(command))
}

/// The sign-ons that control heard of, and whether their rule logs.
pub(super) fn sightings(firewall: &mut Firewall) -> Vec<(Sighting, bool)> {
    firewall.sign_ons().iter().map(|event| (event.sign_on.sighting, event.logged)).collect()
}

#[test]
fn a_login_is_seen_under_a_rule_that_names_the_application() {
    let mut firewall = set_up(policy(vec![naming(Action::Permit, &["qq"])]));
    firewall.out(&ask(0x0828)).passes();
    firewall.back(&answer(0x0828)).passes();
    firewall.moved(&[
        ("packets_received", 2),
        ("packets_forwarded", 2),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("sessions_rejudged", 1),
        ("appid_inspected", 1),
        ("appid_packets", 2),
        ("appid_identified", 1),
        ("session_events", 2),
        ("signon_events", 2),
    ]);
    let [create, named] = firewall.session_events().try_into().unwrap();
    assert!(matches!((create.change, create.application), (SessionChange::Create, qq) if qq == app("qq")));
    assert!(matches!(named.change, SessionChange::Application(_)));
    assert_eq!((named.application, named.rule, named.logged), (app("qq"), RuleId(0), true));
    let [_, login] = firewall.sign_ons().try_into().unwrap();
    assert_eq!((login.sign_on.sighting, login.sign_on.account.as_str()), (Sighting::Login, "10001"));
    assert_eq!((login.session, login.tuple.client.port, login.logged), (create.session, 4000, true));
}

#[test]
fn an_application_that_is_denied_passes_until_it_is_known() {
    let mut firewall = set_up(policy(vec![naming(Action::Deny, &["qq"]), rule(Action::Permit)]));
    let other = udp(client(), "192.0.2.8:9999".parse().unwrap(), b"something else");
    firewall.out(&other).passes();
    firewall.moved(&[
        ("packets_received", 1),
        ("packets_forwarded", 1),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
        ("appid_inspected", 1),
        ("appid_packets", 1),
    ]);
    firewall.out(&ask(0x0828)).drops(DropReason::Policy);
    firewall.back(&answer(0x0828)).drops(DropReason::Policy);
    firewall.out(&ask(0x0828)).drops(DropReason::Policy);
    firewall.moved(&[
        ("packets_received", 3),
        ("drop_policy", 3),
        ("denied_packets", 3),
        ("sessions_opened", 1),
        ("sessions_closed", 1),
        ("sessions_rejudged", 1),
        ("table_entries", 1),
        ("appid_inspected", 1),
        ("appid_packets", 1),
        ("appid_identified", 1),
        ("session_events", 2),
    ]);
    assert_eq!(firewall.changes(), ["application", "deny"]);
    assert!(sightings(&mut firewall).is_empty());
}

#[test]
fn what_the_engine_gives_up_falls_to_the_next_rule() {
    let allowed = naming(Action::Permit, &["qq"]);
    let mut firewall = set_up(policy(vec![allowed]));
    let other = udp(client(), "192.0.2.8:9999".parse().unwrap(), b"no application that anybody knows");
    let mut passed = 0;
    while firewall.out(&other).verdict_is_forward() {
        passed += 1;
        assert!(passed < 1000, "the engine gives up some time");
    }
    assert!(passed > 0);
    firewall.out(&other).drops(DropReason::ImplicitDeny);
    assert_eq!(firewall.changes(), ["create", "close policy"]);
    firewall.moved(&[
        ("packets_received", passed + 2),
        ("packets_forwarded", passed),
        ("sessions_opened", 1),
        ("sessions_closed", 1),
        ("sessions_rejudged", 1),
        ("table_entries", 1),
        ("appid_inspected", 1),
        ("appid_packets", 12),
        ("appid_gave_up", 1),
        ("denied_packets", 2),
        ("drop_implicit_deny", 2),
        ("session_events", 2),
    ]);
}

#[test]
fn without_application_or_profile_in_the_rule_nothing_is_inspected() {
    let mut firewall = set_up(policy(vec![outbound()]));
    firewall.out(&ask(0x0828)).passes();
    firewall.back(&answer(0x0828)).passes();
    assert_eq!(firewall.changes(), ["create"]);
    assert!(sightings(&mut firewall).is_empty());
    // A profile, or full identification, changes that.
    let profile = policy(vec![RuleSource { profile: true, ..outbound() }]);
    let full = PolicySource { full_identification: true, ..policy(vec![rule(Action::Permit)]) };
    for (policy, logged) in [(profile, true), (full, false)] {
        let mut firewall = set_up(policy);
        firewall.out(&ask(0x0828)).passes();
        firewall.back(&answer(0x0828)).passes();
        assert_eq!(sightings(&mut firewall), [(Sighting::Attempt, logged), (Sighting::Login, logged)]);
    }
}

#[test]
fn who_falls_to_a_rule_without_inspection_is_not_watched_further() {
    let mut firewall = set_up(policy(vec![naming(Action::Permit, &["wechat"]), outbound()]));
    firewall.out(&ask(0x0828)).passes();
    firewall.back(&answer(0x0828)).passes();
    assert_eq!(firewall.changes(), ["create", "application"]);
    assert!(sightings(&mut firewall).is_empty());
}

#[test]
fn a_policy_that_begins_to_ask_inspects_what_is_open() {
    let mut firewall = set_up(policy(vec![outbound()]));
    firewall.out(&ask(0x0058)).passes();
    firewall.commit(policy(vec![naming(Action::Permit, &["qq"])]));
    firewall.out(&ask(0x0058)).passes();
    firewall.back(&answer(0x0058)).passes();
    assert_eq!(firewall.changes(), ["create", "application"]);
    assert!(!sightings(&mut firewall).is_empty());
}

#[test]
fn a_session_that_ends_unidentified_is_recorded_by_the_rule_that_takes_it_so() {
    for (logs, recorded) in [(true, &["create", "close shutdown"][..]), (false, &[])] {
        let rest = RuleSource { session_logging: logs, ..rule(Action::Permit) };
        let mut firewall = set_up(policy(vec![naming(Action::Permit, &["qq"]), rest]));
        firewall.out(&udp(client(), "192.0.2.8:9999".parse().unwrap(), b"hello")).passes();
        firewall.pipeline.shutdown(firewall.now, Room::Regardless);
        let events = firewall.session_events();
        assert!(events.iter().all(|event| event.rule == RuleId(1)), "{events:?}");
        assert_eq!(events.len(), recorded.len());
    }
}

/// A ClientHello that nobody answers: the server's half might have told more, and the end says that it will not.
#[test]
fn what_a_flow_showed_names_it_at_its_end() {
    let hello = [&[0x16, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3][..], &[0x5a; 32], &[0, 0, 2, 0x13, 1, 1, 0, 0, 0]].concat();
    // The rule that names it has it in its record, also where that would have denied it, had it been asked.
    for first in [Action::Permit, Action::Deny] {
        let logged = RuleSource { session_logging: true, ..rule(Action::Permit) };
        let mut firewall = set_up(policy(vec![naming(first, &["tls"]), logged]));
        let mut tls = Connection::new("10.0.0.1:4000", "192.0.2.8:443");
        firewall.out(&tls.client(SYN, &[])).passes();
        firewall.back(&tls.server(SYN | ACK, &[])).passes();
        firewall.out(&tls.client(ACK, &hello)).passes();
        let events = firewall.session_events();
        assert!(events.is_empty(), "{events:?}");
        firewall.pipeline.shutdown(firewall.now, Room::Regardless);
        let events = firewall.session_events();
        let changes: Vec<_> = events.iter().map(|event| std::mem::discriminant(&event.change)).collect();
        let [create, named, close] = events.try_into().expect("three events");
        assert!(matches!(create.change, SessionChange::Create), "{changes:?}");
        assert!(matches!(named.change, SessionChange::Application(_)), "{changes:?}");
        assert!(matches!(close.change, SessionChange::Close { .. }), "{changes:?}");
        assert_eq!((close.application, close.rule), (app("tls"), RuleId(0)));
        let now: std::collections::HashMap<_, _> = firewall.pipeline.counters().read().into_iter().collect();
        assert_eq!((now["appid_inspected"], now["appid_identified"], now["appid_gave_up"]), (1, 1, 0));
    }
}

#[test]
fn without_a_slot_a_flow_has_no_application() {
    let settings = Settings { inspection_slots: 1, ..settings() };
    let policy = policy(vec![naming(Action::Permit, &["qq"]), rule(Action::Permit)]);
    let mut firewall = Firewall::set_up(settings, policy, signatures());
    firewall.out(&ask(0x0828)).passes();
    firewall.out(&udp("10.0.0.2:4000".parse().unwrap(), server(), &oicq(0x0828))).passes();
    firewall.moved(&[
        ("packets_received", 2),
        ("packets_forwarded", 2),
        ("sessions_opened", 2),
        ("sessions_active", 2),
        ("table_entries", 2),
        ("sessions_rejudged", 2),
        ("appid_inspected", 1),
        ("appid_packets", 1),
        ("appid_identified", 1),
        ("appid_no_slot", 1),
        ("session_events", 2),
        ("signon_events", 1),
    ]);
    // The slot comes back when its flow is over.
    firewall.wait(std::time::Duration::from_secs(40));
    firewall.out(&udp("10.0.0.3:4000".parse().unwrap(), server(), &oicq(0x0828))).passes();
    let now: std::collections::HashMap<_, _> = firewall.pipeline.counters().read().into_iter().collect();
    assert_eq!((now["appid_inspected"], now["appid_no_slot"]), (2, 1));
}

/// QQ over TCP: the packet behind its length.
pub(super) fn framed(command: u16) -> Vec<u8> {
    let packet = oicq(command);
    [&(packet.len() as u16 + 2).to_be_bytes()[..], &packet].concat()
}

#[test]
fn a_login_over_tcp_is_seen_in_pieces_and_ends_with_the_connection() {
    let mut firewall = set_up(policy(vec![naming(Action::Permit, &["qq"])]));
    let mut qq = Connection::new("10.0.0.1:4000", "192.0.2.8:8000");
    firewall.out(&qq.client(SYN, &[])).passes();
    firewall.back(&qq.server(SYN | ACK, &[])).passes();
    firewall.out(&qq.client(ACK, &[])).passes();
    // A SYN takes no slot of the engine's: a flood of them would take all.
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 3),
        ("sessions_opened", 1),
        ("sessions_active", 1),
        ("table_entries", 1),
    ]);
    let question = framed(0x0828);
    firewall.out(&qq.client(ACK, &question[..9])).passes();
    firewall.out(&qq.client(ACK, &question[9..])).passes();
    firewall.back(&qq.server(ACK, &framed(0x0828))).passes();
    firewall.out(&qq.client(ACK | FIN, &[])).passes();
    firewall.back(&qq.server(ACK | FIN, &[])).passes();
    firewall.out(&qq.client(ACK, &[])).passes();
    assert_eq!(firewall.changes(), ["create", "application", "close fin"]);
    let seen = sightings(&mut firewall);
    assert!(seen.contains(&(Sighting::Login, true)), "{seen:?}");
    assert_eq!(seen.last(), Some(&(Sighting::Closed, true)));
    let now: std::collections::HashMap<_, _> = firewall.pipeline.counters().read().into_iter().collect();
    assert_eq!((now["appid_inspected"], now["appid_identified"]), (1, 1));
}

#[test]
fn who_is_denied_later_is_reported_gone() {
    let mut firewall = set_up(policy(vec![naming(Action::Permit, &["qq"])]));
    let mut qq = Connection::new("10.0.0.1:4000", "192.0.2.8:8000");
    firewall.out(&qq.client(SYN, &[])).passes();
    firewall.back(&qq.server(SYN | ACK, &[])).passes();
    firewall.out(&qq.client(ACK, &framed(0x0828))).passes();
    firewall.back(&qq.server(ACK, &framed(0x0828))).passes();
    firewall.commit(policy(vec![rule(Action::Deny)]));
    firewall.out(&qq.client(ACK, &framed(0x0058))).drops(DropReason::Policy);
    assert_eq!(firewall.changes(), ["create", "application", "close policy"]);
    assert_eq!(sightings(&mut firewall).last(), Some(&(Sighting::Closed, true)));
}

#[test]
fn who_is_signed_on_does_not_give_way_to_a_newcomer() {
    let settings = Settings { max_sessions: 1, ..settings() };
    let mut firewall = Firewall::set_up(settings, policy(vec![naming(Action::Permit, &["qq"])]), signatures());
    firewall.out(&ask(0x0828)).passes();
    firewall.back(&answer(0x0828)).passes();
    let newcomer = udp("10.0.0.2:4000".parse().unwrap(), server(), b"hello");
    firewall.out(&newcomer).drops(DropReason::TableFull);
    // Unless it has been silent for a minute.
    firewall.wait(std::time::Duration::from_secs(60));
    firewall.out(&newcomer).passes();
    assert_eq!(firewall.changes(), ["create", "application", "close evicted"]);
}

#[test]
fn a_session_denied_at_its_first_packet_holds_no_port() {
    let nat = vec![super::translation::pool((5000, 5000))];
    let rules = vec![naming(Action::Deny, &["qq"]), super::translation::translated()];
    let mut firewall = Firewall::set_up(Settings { nat, ..settings() }, policy(rules), signatures());
    firewall.out(&ask(0x0828)).drops(DropReason::Policy);
    let usage = firewall.pipeline.nat_usage().unwrap().clone();
    let usage = &usage.pools()[0];
    assert_eq!((usage.ports(crate::nat::Kind::Udp), usage.ports_held(), usage.hosts()), (0, 0, 0));
    firewall.out(&ask(0x0828)).drops(DropReason::Policy);
    let other = udp("10.0.0.2:1".parse().unwrap(), server(), b"something else");
    assert!(firewall.out(&other).verdict_is_forward());
    firewall.wait(std::time::Duration::from_secs(31));
    firewall.pipeline.nat.as_ref().unwrap().assert_consistent();
}

/// A flow that tells nothing itself, and whose first octets could be a long message's beginning, is what its server's name
/// was; of a client that did not ask for the name it is nothing.
#[test]
fn a_flow_that_tells_nothing_is_what_its_address_was_found_for() {
    let mut question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04long\x06weixin\x02qq\x03com\0\0\x01\0\x01".to_vec();
    let resolver = "192.0.2.53:53".parse().unwrap();
    let source = PolicySource { full_identification: true, ..policy(vec![outbound()]) };
    let mut firewall = set_up(source).remembering();
    firewall.out(&udp("10.0.0.1:5000".parse().unwrap(), resolver, &question)).passes();
    question[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1]);
    question.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc6\x33\x64\x09");
    firewall.back(&udp(resolver, "10.0.0.1:5000".parse().unwrap(), &question)).passes();
    let mut named = Vec::new();
    for client in ["10.0.0.1:6000", "10.0.0.2:6000"] {
        let mut connection = Connection::new(client, "198.51.100.9:8081");
        firewall.out(&connection.client(SYN, &[])).passes();
        firewall.back(&connection.server(SYN | ACK, &[])).passes();
        firewall.out(&connection.client(ACK, &[0x81; 60])).passes();
        firewall.back(&connection.server(ACK, &[0xa1; 60])).passes();
        firewall.out(&connection.client(FIN | ACK, &[])).passes();
        firewall.back(&connection.server(FIN | ACK, &[])).passes();
        firewall.out(&connection.client(ACK, &[])).passes();
    }
    for event in firewall.session_events() {
        if let SessionChange::Application(confidence) = event.change {
            named.push((event.tuple.client.port, event.application, confidence));
        }
    }
    let expected = [(5000, app("dns"), Confidence::Certain), (6000, app("wechat"), Confidence::Likely)];
    assert_eq!(named, expected);
}
