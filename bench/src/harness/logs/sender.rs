//! Records as the firewall sends them: through the exporters of the control core.

use std::sync::Arc;
use std::time::{Duration, Instant};

use control::export::{Delivery, Exporters, Format, HostConfig, Target, Transport};
use control::record::{BootId, Class};
use mio::{Events, Poll, Token};

use super::{Protocol, records};
use crate::harness::Fallible;

/// As many wait for the host at most.
const QUEUE: usize = 20_000;
/// As many are pushed in one turn, as the control core takes events.
const TURN: usize = 4_096;

/// Sends `records` to a sink on that port.
pub(super) fn run(protocol: Protocol, port: u16, records: u64) -> Fallible<()> {
    let transport = match protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Relp => Transport::Relp,
    };
    let classes = Class::ALL.map(|class| (class, Format::Syslog)).to_vec();
    let mut host = HostConfig::new("sink", Target::Address(([127, 0, 0, 1], port).into()), transport, classes);
    host.queue = QUEUE + TURN;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(16));
    let delivery = Delivery { hosts: vec![host], ..Delivery::default() };
    let mut exporters = Exporters::new(delivery, BootId(1), poll.registry(), Token(0))?;
    let mix = records::mix();
    let mut next = mix.iter().cycle().take(records as usize);
    let begin = Instant::now();
    loop {
        let counts: Vec<_> = exporters.status()[0].classes.iter().map(|class| class.counts).collect();
        let waiting: u64 = counts.iter().map(|counts| counts.queued - counts.unacknowledged).sum();
        if waiting < QUEUE as u64 {
            next.by_ref().take(TURN).for_each(|record| exporters.push(&Arc::clone(record)));
        }
        if counts.iter().map(|counts| counts.acknowledged).sum::<u64>() >= records {
            return Ok(());
        }
        if counts.iter().any(|counts| counts.dropped() > 0) {
            return Err(format!("records were dropped: {counts:?}").into());
        }
        if begin.elapsed() > Duration::from_secs(120) {
            return Err("the sink took two minutes and more".into());
        }
        exporters.tick(Instant::now());
        let deadline = exporters.next_deadline().map(|due| due.saturating_duration_since(Instant::now()));
        poll.poll(&mut events, Some(deadline.unwrap_or(IDLE).min(IDLE)))?;
        for event in &events {
            exporters.event(event.token(), event.is_readable(), event.is_writable());
        }
    }
}

/// To sleep no longer than this.
const IDLE: Duration = Duration::from_millis(5);
