//! A collector that reads too slowly, three times: it is known as stalled, and keeps its connection.

mod export_lab;

use std::time::Duration;

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
