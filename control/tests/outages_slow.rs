//! Collectors that take their time: to read, which makes them stalled and keeps their connection, and to close.

mod export_lab;

use std::time::{Duration, Instant};

use control::export::{Format, HostConfig, HostState, Patience, Transport};
use control::record::Class;
use export_lab::{Collector, Rig, host, login, messages, parameter};

/// More than both kernels hold.
const RECORDS: u64 = 4_000;

#[test]
fn a_slow_reader_gets_everything_once() {
    let collector = Collector::narrow();
    let patience = Patience { stall: Duration::from_millis(300), ..Patience::default() };
    let config = host("slow", collector.address, Transport::Tcp, Format::Syslog);
    let mut rig = Rig::new(vec![HostConfig { patience, ..config }]);
    let mut sequence = 0;
    for round in 1..=3 {
        rig.until_up("slow");
        // 20 KiB a second.
        collector.read_at(20);
        for _ in 0..RECORDS {
            sequence += 1;
            rig.push(&login(sequence, "10001"));
            if sequence.is_multiple_of(100) {
                rig.turn();
            }
        }
        rig.until("the host to be stalled", |rig| rig.status("slow").state == HostState::Stalled);
        assert!(rig.counts("slow", Class::Im).queued > 0, "round {round}");
        collector.read_at(usize::MAX);
        rig.until_sent("slow");
    }
    let counts = rig.counts("slow", Class::Im);
    assert_eq!((counts.acknowledged, counts.dropped(), counts.resent), (sequence, 0, 0));
    assert_eq!(rig.status("slow").reconnects, 0);
    drop(rig);
    let got = messages(&collector.end().concat());
    let got: Vec<u64> =
        got.iter().map(|message| parameter(message, "seq").and_then(|seq| seq.parse().ok()).unwrap_or(0)).collect();
    assert!(got.iter().copied().eq(1..=sequence), "{} of {sequence}", got.len());
}

/// Whatever its deadline: this ends with the host's patience, or not before ten minutes.
#[test]
fn a_host_that_never_closes_cannot_hold_up_the_stop() {
    let collector = Collector::narrow();
    let patience = Patience { close: Duration::from_millis(200), ..Patience::default() };
    let config = host("slow", collector.address, Transport::Tcp, Format::Syslog);
    let mut rig = Rig::new(vec![HostConfig { patience, ..config }]);
    rig.push(&login(1, "10001"));
    rig.until_sent("slow");
    let deadline = Instant::now() + Duration::from_secs(600);
    assert!(rig.exporters.drain(deadline).is_empty());
    assert_eq!(rig.status("slow").state, HostState::Stopped);
    assert!(Instant::now() < deadline, "the collector's end is not what ended it");
    assert_eq!(messages(&collector.end().concat()).len(), 1);
}
