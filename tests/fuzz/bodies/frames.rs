//! Frames through the whole packet path, fragments and streams put together there: before each stand a port, a pause, and a
//! length in two octets.

use std::sync::Arc;
use std::time::Duration;

use dataplane::counters::Counter;
use dataplane::event::{self, WorkerId};
use dataplane::pipeline::{Frame, Midstream, Pipeline, Settings, Timeouts};
use dataplane::policy::{Action, Policy, PolicySource, PortId, RuleSource, ZoneId};
use dataplane::time::Nanos;

/// Passes them.
pub fn run(mut data: &[u8]) {
    let settings = Settings {
        worker: WorkerId(0),
        max_sessions: 64,
        inspection_slots: 16,
        fragment_slots: 8,
        timeouts: Timeouts::default(),
        wires: vec![(PortId(0), PortId(1))],
        nat: Vec::new(),
        routing: Default::default(),
        midstream: Midstream::Permit,
        // What checksums would keep out is what is to be reached.
        verify_checksums: false,
        protection: Default::default(),
    };
    let policy = Policy::compile(PolicySource {
        rules: vec![RuleSource { session_logging: true, ..RuleSource::any(Action::Permit) }],
        implicit_deny_logging: true,
        full_identification: true,
        zones: vec![ZoneId(0), ZoneId(1)],
    });
    let (sender, mut events) = event::channel(WorkerId(0), 256, 256);
    let database = super::signatures();
    let mut pipeline = Pipeline::new(settings, Arc::new(policy), database, sender);
    let mut now = Nanos(1_000_000_000_000);
    let mut sent = 0;
    while let Some((&[port, pause, high, low], rest)) = data.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (frame, after) = rest.split_at(length);
        data = after;
        // Up to a quarter of an hour, most often much less.
        now = now + Duration::from_micros(1 << (pause % 30));
        let mut octets = frame.to_vec();
        let mut frames = [Frame::new(PortId(u16::from(port & 1)), &mut octets, length as u32)];
        let mut verdicts = Default::default();
        pipeline.process(now, &mut frames, &mut verdicts);
        assert_eq!(verdicts.len(), 1);
        pipeline.replies().for_each(drop);
        pipeline.turn(now);
        while events.session().is_some() {}
        while events.sign_on().is_some() {}
        sent += 1;
    }
    let counters = pipeline.counters();
    assert!(counters.value(Counter::SessionsActive) <= sent);
}
