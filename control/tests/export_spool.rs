//! What a host does not take goes to disk, and from there to the host.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use control::export::{Delivery, Format, HostConfig, HostState, SpoolLimits, Transport};
use control::record::Class;
use export_lab::{Collector, Rig, free_port, host, login, loopback, messages, parameter};

fn spooled(address: SocketAddr) -> HostConfig {
    let spool = SpoolLimits {
        octets: 64 << 20,
        // The records of these tests are old.
        age: Duration::from_secs(100 * 365 * 86_400),
        share: 50,
        sync: vec![Class::Im],
        drop_new: false,
    };
    HostConfig { spool: Some(spool), queue: 1_000, ..host("siem", address, Transport::Tcp, Format::Syslog) }
}

fn rig(folder: &Path, address: SocketAddr) -> Rig {
    let delivery = Delivery { hosts: vec![spooled(address)], spool: Some(folder.to_owned()), ..Delivery::default() };
    Rig::with(delivery)
}

fn push(rig: &mut Rig, sequences: std::ops::RangeInclusive<u64>) {
    for sequence in sequences {
        rig.push(&login(sequence, "10001"));
        if sequence % 100 == 0 {
            rig.turn();
        }
    }
}

fn until_spooled(rig: &mut Rig, count: u64) {
    rig.until("all to be on disk", |rig| {
        let counts = rig.counts("siem", Class::Im);
        (counts.queued, counts.spooled) == (0, count)
    });
}

/// Until the host's TCP has everything.
fn until_acknowledged(rig: &mut Rig) {
    rig.until("all to be acknowledged", |rig| {
        let counts = rig.counts("siem", Class::Im);
        (counts.queued, counts.spooled) == (0, 0)
    });
}

fn sequences(collector: Collector) -> BTreeSet<u64> {
    let streams = collector.end();
    let all = streams.iter().flat_map(|stream| messages(stream));
    all.filter_map(|message| parameter(&message, "seq")?.parse().ok()).collect()
}

#[test]
fn what_an_absent_host_did_not_take_three_times_is_kept_on_disk_until_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let address = loopback(free_port());
    let mut rig = rig(folder.path(), address);
    let mut got = BTreeSet::new();
    for round in 0..3 {
        push(&mut rig, round * 3_000 + 1..=round * 3_000 + 3_000);
        until_spooled(&mut rig, 3_000);
        let collector = Collector::listen(address, true);
        rig.until_up("siem");
        until_acknowledged(&mut rig);
        let counts = rig.counts("siem", Class::Im);
        assert_eq!((counts.acknowledged, counts.dropped()), ((round + 1) * 3_000, 0));
        got.extend(sequences(collector));
        rig.until("the loss of the connection", |rig| rig.status("siem").state != HostState::Up);
    }
    assert_eq!(got, (1..=9_000).collect::<BTreeSet<u64>>());
    assert_eq!(rig.counts("siem", Class::Im).spooled_ever, 9_000);
}

#[test]
fn what_was_on_disk_when_the_process_went_is_sent_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let address = loopback(free_port());
    let mut first = rig(folder.path(), address);
    push(&mut first, 1..=2_000);
    until_spooled(&mut first, 2_000);
    drop(first);

    // This one is told to stop while the host is still away.
    let mut second = rig(folder.path(), address);
    assert!(second.exporters.unaccounted().is_empty(), "nothing was in memory only");
    push(&mut second, 2_001..=2_500);
    let begin = Instant::now();
    assert!(second.exporters.drain(begin + Duration::from_secs(60)).is_empty());
    assert!(begin.elapsed() < Duration::from_secs(30), "it does not wait for a host that is away");
    let counts = second.counts("siem", Class::Im);
    assert_eq!((counts.recovered, counts.generated, counts.spooled, counts.queued), (2_000, 500, 2_500, 0));
    assert!(counts.holds());
    drop(second);

    let collector = Collector::listen(address, true);
    let mut third = rig(folder.path(), address);
    third.until("the records of both", |rig| rig.counts("siem", Class::Im).recovered == 2_500);
    push(&mut third, 2_501..=2_600);
    until_acknowledged(&mut third);
    assert!(third.exporters.drain(Instant::now() + Duration::from_secs(10)).is_empty());
    let counts = third.counts("siem", Class::Im);
    assert_eq!((counts.acknowledged, counts.sent, counts.dropped()), (2_600, 2_600, 0));
    assert_eq!(sequences(collector), (1..=2_600).collect::<BTreeSet<u64>>());
}

#[test]
fn a_host_that_stalls_has_its_queue_and_what_is_out_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let stalled = Collector::listen(loopback(0), false);
    let mut config = spooled(stalled.address);
    config.patience.stall = Duration::from_millis(300);
    let delivery = Delivery { hosts: vec![config], spool: Some(folder.path().to_owned()), ..Delivery::default() };
    let mut rig = Rig::with(delivery);
    rig.until_up("siem");
    push(&mut rig, 1..=30_000);
    // What is written and not acknowledged, or is about to be, stays where it is; of that there is a copy on disk.
    rig.until("everything to be on disk", |rig| {
        let (status, counts) = (rig.status("siem"), rig.counts("siem", Class::Im));
        let on_disk = status.spool.unwrap().records;
        status.state == HostState::Stalled && counts.spooled > 0 && on_disk == counts.spooled + counts.queued
    });
    // The outage ends: everything arrives over the connection that was never lost.
    stalled.read_from_now_on();
    until_acknowledged(&mut rig);
    assert_eq!(rig.status("siem").reconnects, 0);
    let counts = rig.counts("siem", Class::Im);
    assert_eq!((counts.acknowledged, counts.dropped()), (30_000, 0));
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(10)).is_empty());
    assert_eq!(sequences(stalled), (1..=30_000).collect::<BTreeSet<u64>>());
}

#[test]
fn a_kill_in_mid_stall_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stalled = Collector::listen(loopback(0), false);
    let mut config = spooled(stalled.address);
    config.patience.stall = Duration::from_millis(300);
    let delivery = Delivery { hosts: vec![config], spool: Some(folder.path().to_owned()), ..Delivery::default() };
    let mut first = Rig::with(delivery);
    first.until_up("siem");
    push(&mut first, 1..=30_000);
    first.until("everything to be on disk", |rig| {
        let (spool, counts) = (rig.status("siem").spool.unwrap(), rig.counts("siem", Class::Im));
        counts.spooled > 0 && spool.records == counts.spooled + counts.queued
    });
    let acknowledged = first.counts("siem", Class::Im).acknowledged;
    // The collector goes too, with what its kernel has and its program never read.
    drop(first);
    drop(stalled);
    let address = loopback(free_port());
    let collector = Collector::listen(address, true);
    let mut second = rig(folder.path(), address);
    second.until("the records of the first", |rig| rig.counts("siem", Class::Im).recovered > 0);
    until_acknowledged(&mut second);
    assert!(second.exporters.drain(Instant::now() + Duration::from_secs(10)).is_empty());
    let got = sequences(collector);
    let missing = (1..=30_000).filter(|sequence| !got.contains(sequence)).count() as u64;
    assert!(missing <= acknowledged, "{missing} of which the collector's TCP had acknowledged {acknowledged}");
}
