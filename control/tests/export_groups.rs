//! Hosts that stand for each other.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use control::export::{Delivery, Format, GroupConfig, GroupMode, HostConfig, HostState, Role, Transport};
use control::record::Class;
use export_lab::{Collector, Rig, host, login, loopback, messages, parameter};

fn group(mode: GroupMode) -> GroupConfig {
    let members = vec!["first".into(), "second".into()];
    GroupConfig { name: "noc".into(), mode, members, return_after: Duration::from_millis(300) }
}

fn rig(mode: GroupMode, first: &Collector, second: &Collector) -> Rig {
    let member = |name: &str, collector: &Collector| {
        let host = host(name, collector.address, Transport::Tcp, Format::Syslog);
        HostConfig { records: vec![(Class::Im, Format::Syslog)], ..host }
    };
    let hosts = vec![member("first", first), member("second", second)];
    Rig::with(Delivery { hosts, groups: vec![group(mode)], ..Delivery::default() })
}

fn sequences(collector: Collector) -> BTreeSet<u64> {
    let all = collector.end().into_iter().flat_map(|stream| messages(&stream));
    all.filter_map(|message| parameter(&message, "seq")?.parse().ok()).collect()
}

fn is(rig: &Rig, host: &str, role: Role) -> bool {
    rig.status(host).group == Some(("noc".into(), role))
}

#[test]
fn the_second_takes_over_from_the_first_and_gives_back() {
    let (first, second) = (Collector::listen(loopback(0), true), Collector::listen(loopback(0), true));
    let address = first.address;
    let mut rig = rig(GroupMode::Failover, &first, &second);
    rig.until_up("first");
    rig.until_up("second");
    (1..=500).for_each(|sequence| rig.push(&login(sequence, "10001")));
    rig.until_sent("first");
    assert_eq!((rig.counts("first", Class::Im).acknowledged, rig.counts("second", Class::Im).generated), (500, 0));
    let mut got = sequences(first);
    rig.until("the loss of the connection", |rig| rig.status("first").state != HostState::Up);
    (501..=1_000).for_each(|sequence| rig.push(&login(sequence, "10001")));
    rig.until("the second to take over", |rig| is(rig, "second", Role::Active) && is(rig, "first", Role::Standby));
    (1_001..=1_500).for_each(|sequence| rig.push(&login(sequence, "10001")));
    rig.until_sent("second");
    let (one, two) = (rig.counts("first", Class::Im), rig.counts("second", Class::Im));
    assert_eq!((one.generated, one.handed_over, one.queued), (1_000, 500, 0));
    assert_eq!((two.generated, two.acknowledged), (1_000, 1_000));
    assert!(two.resent >= 500, "the second has none of what the first may not have read: {two:?}");

    let first = Collector::listen(address, true);
    rig.until("the first to be back", |rig| is(rig, "first", Role::Active));
    (1_501..=2_000).for_each(|sequence| rig.push(&login(sequence, "10001")));
    rig.until_sent("first");
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(10)).is_empty());
    assert_eq!(rig.counts("second", Class::Im).generated, 1_000);
    let back = sequences(first);
    assert!((1_501..=2_000).all(|sequence| back.contains(&sequence)));
    let others = sequences(second);
    assert_eq!(others, (1..=1_500).collect::<BTreeSet<u64>>());
    got.extend(others);
    got.extend(back);
    assert_eq!(got, (1..=2_000).collect::<BTreeSet<u64>>());
}

#[test]
fn a_stalled_host_of_a_failover_gives_what_it_has_to_the_next() {
    let (first, second) = (Collector::listen(loopback(0), false), Collector::listen(loopback(0), true));
    let mut hosts = Vec::new();
    for (name, collector) in [("first", &first), ("second", &second)] {
        let mut host = host(name, collector.address, Transport::Tcp, Format::Syslog);
        host.patience.stall = Duration::from_millis(300);
        hosts.push(host);
    }
    let mut rig = Rig::with(Delivery { hosts, groups: vec![group(GroupMode::Failover)], ..Delivery::default() });
    rig.until_up("first");
    rig.until_up("second");
    for sequence in 1..=30_000 {
        rig.push(&login(sequence, "10001"));
    }
    rig.until("the second to take over", |rig| is(rig, "second", Role::Active));
    rig.until_sent("second");
    assert_eq!(rig.counts("first", Class::Im).dropped() + rig.counts("second", Class::Im).dropped(), 0);
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(10)).is_empty());
    assert_eq!(sequences(second), (1..=30_000).collect::<BTreeSet<u64>>(), "also what the first had only acknowledged");
}

#[test]
fn a_round_robin_is_even() {
    let (first, second) = (Collector::listen(loopback(0), true), Collector::listen(loopback(0), true));
    let mut rig = rig(GroupMode::RoundRobin, &first, &second);
    rig.until_up("first");
    rig.until_up("second");
    rig.turn();
    (1..=1_000).for_each(|sequence| rig.push(&login(sequence, "10001")));
    rig.until_sent("first");
    rig.until_sent("second");
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(10)).is_empty());
    let (one, two) = (sequences(first), sequences(second));
    assert!(one.len().abs_diff(two.len()) <= 16 && one.is_disjoint(&two), "{} and {}", one.len(), two.len());
    assert_eq!(one.union(&two).count(), 1_000);
}

#[test]
fn a_round_robin_is_even_while_nobody_is_up() {
    let (first, second) = (Collector::listen(loopback(0), true), Collector::listen(loopback(0), true));
    let mut rig = rig(GroupMode::RoundRobin, &first, &second);
    (1..=1_000).for_each(|sequence| rig.push(&login(sequence, "10001")));
    let of = |host| rig.counts(host, Class::Im).generated;
    assert!(of("first").abs_diff(of("second")) <= 16, "{} and {}", of("first"), of("second"));
    assert_eq!(of("first") + of("second"), 1_000);
}

#[test]
fn copies_each_get_all() {
    let (first, second) = (Collector::listen(loopback(0), true), Collector::listen(loopback(0), true));
    let mut rig = rig(GroupMode::Copies, &first, &second);
    (1..=100).for_each(|sequence| rig.push(&login(sequence, "10001")));
    rig.until_sent("first");
    rig.until_sent("second");
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(10)).is_empty());
    let all = (1..=100).collect::<BTreeSet<u64>>();
    assert_eq!((sequences(first), sequences(second)), (all.clone(), all));
}
