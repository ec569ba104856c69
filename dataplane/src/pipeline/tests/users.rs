//! Rules that name users, and sessions that end when their user signs off.

use std::sync::Arc;
use std::time::Duration;

use super::firewall::{Connection, Firewall, outbound, policy};
use crate::access::{Leavers, TagPlace, UserTags};
use crate::command::Command;
use crate::endpoint::Address;
use crate::policy::{Policy, RuleSource};
use crate::time::Nanos;
use crate::verdict::DropReason;
use crate::wire::build::udp;
use crate::wire::tcp::{ACK, SYN};

/// Permits who has the first label, and nobody else.
fn gold() -> Vec<RuleSource> {
    vec![RuleSource { users: 0b1, ..outbound() }]
}

const GOLD: u64 = UserTags::PERSON | 0b1;

fn place(host: u8) -> TagPlace {
    TagPlace::host(None, Address::v4([10, 0, 0, host]))
}

/// A firewall whose rules name users, and the table by which they are known.
fn firewall(rules: Vec<RuleSource>) -> (Firewall, Arc<UserTags>) {
    let tags = Arc::new(UserTags::new(100));
    let mut compiled = Policy::compile(policy(rules));
    compiled.look_up_in(Arc::clone(&tags));
    let mut firewall = Firewall::with(vec![]);
    firewall.commit_compiled(compiled);
    (firewall, tags)
}

fn web(host: u8) -> Connection {
    Connection::new(&format!("10.0.0.{host}:40000"), "192.0.2.1:443")
}

fn establish(firewall: &mut Firewall, web: &mut Connection) {
    firewall.out(&web.client(SYN, &[])).passes();
    firewall.back(&web.server(SYN | ACK, &[])).passes();
    firewall.out(&web.client(ACK, &[])).passes();
}

fn end_sessions(firewall: &mut Firewall, places: &[TagPlace], until: Nanos) {
    let mut leavers = Leavers::default();
    places.iter().for_each(|place| leavers.add(*place, until));
    let leavers = Arc::new(leavers);
    firewall.pipeline.command(firewall.now, Command::EndSessions(Arc::clone(&leavers)));
    firewall.wait(Duration::ZERO);
    assert_eq!(Arc::strong_count(&leavers), 1, "the walk is through, and control has it back");
}

#[test]
fn a_rule_of_users_is_for_who_is_signed_on_when_the_flow_begins() {
    let (mut firewall, tags) = firewall(gold());
    firewall.out(&web(1).client(SYN, &[])).drops(DropReason::ImplicitDeny);
    tags.set(place(1), UserTags::PERSON | 0b10);
    firewall.out(&web(1).client(SYN, &[])).drops(DropReason::ImplicitDeny);
    tags.set(place(1), GOLD);
    let mut ours = web(1);
    establish(&mut firewall, &mut ours);
    firewall.out(&web(2).client(SYN, &[])).drops(DropReason::ImplicitDeny);
    // It goes on when the user is gone; what begins then does not.
    tags.set(place(1), 0);
    firewall.out(&ours.client(ACK, b"data")).passes();
    firewall.out(&Connection::new("10.0.0.1:40001", "192.0.2.1:443").client(SYN, &[])).drops(DropReason::ImplicitDeny);
    assert_eq!(firewall.changes(), ["create"]);
}

#[test]
fn a_rule_of_users_is_not_for_who_is_signed_on_at_the_other_end() {
    let (mut firewall, tags) = firewall(gold());
    tags.set(TagPlace::host(None, Address::v4([192, 0, 2, 1])), GOLD);
    firewall.out(&web(1).client(SYN, &[])).drops(DropReason::ImplicitDeny);
}

#[test]
fn who_signs_off_has_sessions_ended_if_that_is_wished() {
    let (mut firewall, tags) = firewall(gold());
    tags.set(place(1), GOLD);
    tags.set(place(2), GOLD);
    let (mut first, mut second) = (web(1), web(2));
    establish(&mut firewall, &mut first);
    establish(&mut firewall, &mut second);
    firewall.forget();
    tags.set(place(1), 0);
    let now = firewall.now;
    end_sessions(&mut firewall, &[place(1)], now);
    assert_eq!(firewall.changes(), ["create", "create", "close logout"]);
    firewall.out(&first.client(ACK, b"data")).drops(DropReason::ImplicitDeny);
    firewall.back(&first.server(ACK, b"data")).drops(DropReason::ImplicitDeny);
    firewall.out(&second.client(ACK, b"data")).passes();
    firewall.moved(&[
        ("packets_received", 3),
        ("packets_forwarded", 1),
        ("sessions_closed", 1),
        ("sessions_logged_out", 1),
        ("sessions_active", -1),
        ("denied_packets", 2),
        ("drop_implicit_deny", 2),
        ("session_events", 1),
    ]);
    // Back again, what is sent opens another session.
    tags.set(place(1), GOLD);
    firewall.out(&first.client(ACK, b"more")).passes();
    assert_eq!(firewall.changes(), ["create"]);
}

#[test]
fn sessions_of_who_has_the_address_later_go_on() {
    let (mut firewall, tags) = firewall(gold());
    tags.set(place(1), GOLD);
    let signed_off = firewall.now;
    firewall.wait(Duration::from_secs(1));
    let mut ours = web(1);
    establish(&mut firewall, &mut ours);
    end_sessions(&mut firewall, &[place(1)], signed_off);
    firewall.out(&ours.client(ACK, b"data")).passes();
    assert_eq!(firewall.changes(), ["create"]);
}

#[test]
fn a_session_is_ended_by_its_client_and_not_by_its_server() {
    let (mut firewall, _) = firewall(vec![outbound()]);
    let mut ours = web(1);
    establish(&mut firewall, &mut ours);
    let now = firewall.now;
    end_sessions(&mut firewall, &[TagPlace::host(None, Address::v4([192, 0, 2, 1]))], now);
    firewall.out(&ours.client(ACK, b"data")).passes();
    assert_eq!(firewall.changes(), ["create"]);
    // Where the rules do not ask who it is, what still comes is another session.
    end_sessions(&mut firewall, &[place(1)], now);
    firewall.out(&ours.client(ACK, b"more")).passes();
    assert_eq!(firewall.changes(), ["close logout", "create"]);
}

#[test]
fn what_was_denied_is_let_in_once_the_user_signs_on() {
    let (mut firewall, tags) = firewall(gold());
    tags.set(place(1), GOLD);
    let packet = udp("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:5300".parse().unwrap(), b"?");
    firewall.out(&packet).passes();
    tags.set(place(1), 0);
    let now = firewall.now;
    end_sessions(&mut firewall, &[place(1)], now);
    firewall.out(&packet).drops(DropReason::ImplicitDeny);
    tags.set(place(1), GOLD);
    // Of the same flow, with nothing between.
    firewall.out(&packet).passes();
    assert_eq!(firewall.changes(), ["create", "close logout", "create"]);
}

#[test]
fn a_full_queue_of_events_has_the_walk_wait() {
    let (mut firewall, _) = firewall(vec![outbound()]);
    for port in 0..998_u16 {
        let client = format!("10.0.0.1:{}", 10_000 + port);
        firewall.out(&udp(client.parse().unwrap(), "192.0.2.1:5300".parse().unwrap(), b"?")).passes();
    }
    let mut leavers = Leavers::default();
    leavers.add(place(1), firewall.now);
    let leavers = Arc::new(leavers);
    firewall.pipeline.command(firewall.now, Command::EndSessions(Arc::clone(&leavers)));
    firewall.wait(Duration::ZERO);
    assert_eq!(Arc::strong_count(&leavers), 2);
    let mut changes = firewall.changes();
    for _ in 0..3 {
        firewall.wait(Duration::ZERO);
        changes.extend(firewall.changes());
    }
    assert_eq!(Arc::strong_count(&leavers), 1);
    let ended = changes.iter().filter(|change| *change == "close logout").count();
    assert_eq!((changes.len(), ended), (2 * 998, 998));
}
