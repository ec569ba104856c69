//! A loop that only moves bursts from one port of the wire to the other, with what work somebody gives it: bare, it is
//! the wire's own cost; with the rewriter the generator's; with a table the floor.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use dataplane::dpdk::{Burst, Clock, Mbuf, QueuePair};
use dataplane::policy::PortId;
use dataplane::time::Nanos;
use dataplane::worker::Probe;

/// What is done with a burst between receive and send.
pub trait Work {
    /// Frames of one port; all of them are sent.
    fn burst(&mut self, _now: Nanos, _frames: &[Mbuf]) {}
    /// Flows it knows.
    fn flows(&self) -> u64 {
        0
    }
}

impl Work for () {}

/// What a relay counts; written by it alone.
#[derive(Debug, Default)]
pub struct Meter {
    /// Packets received.
    pub received: CachePadded<AtomicU64>,
    /// Packets that could not be sent.
    pub refused: AtomicU64,
    /// Flows known.
    pub flows: AtomicU64,
    /// Set to end the loop.
    pub stop: AtomicBool,
}

/// Relays between two ports until [`Meter::stop`].
pub fn run(queues: &mut [QueuePair; 2], mut probe: impl Probe, mut work: impl Work, clock: &Clock, meter: &Meter) {
    let mut burst = Burst::new();
    let (mut received, mut refused) = (0, 0);
    while !meter.stop.load(Ordering::Relaxed) {
        let mut idle = true;
        for port in 0..2 {
            queues[port].receive(&mut burst);
            if burst.is_empty() {
                continue;
            }
            idle = false;
            probe.received(PortId(port as u16), burst.frames_mut());
            work.burst(clock.now(), burst.frames());
            received += burst.frames().len() as u64;
            refused += queues[1 - port].send(&mut burst) as u64;
        }
        probe.turned(idle);
        meter.received.store(received, Ordering::Relaxed);
        meter.refused.store(refused, Ordering::Relaxed);
        meter.flows.store(work.flows(), Ordering::Relaxed);
    }
}
