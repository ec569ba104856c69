//! How long each turn of a worker's loop takes, by the time-stamp counter: the worst burst, and pauses of every kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::channel::{Receiver, Sender, bounded};
use dataplane::dpdk::{Mbuf, cycles};
use dataplane::policy::PortId;
use dataplane::verdict::Verdict;
use dataplane::worker::Probe;
use hdrhistogram::Histogram;

/// A probe around another that times whole turns: from the end of one to the end of the next, housekeeping included. Turns
/// in which nothing came are not counted.
#[derive(Debug)]
pub struct Timed<P> {
    within: P,
    last: u64,
    /// The phase that is recorded, from 1; 0 is none.
    phase: Arc<AtomicUsize>,
    /// In cycles, by phase.
    turns: Vec<Histogram<u64>>,
    done: Sender<Vec<Histogram<u64>>>,
}

/// The other end of a [`Timed`].
#[derive(Debug)]
pub struct Turns {
    phase: Arc<AtomicUsize>,
    done: Receiver<Vec<Histogram<u64>>>,
}

/// Wraps a probe.
pub fn timed<P>(within: P) -> (Timed<P>, Turns) {
    timed_by_phase(within, 1)
}

/// Wraps a probe, and tells turns of so many phases apart.
pub fn timed_by_phase<P>(within: P, phases: usize) -> (Timed<P>, Turns) {
    let phase = Arc::new(AtomicUsize::new(0));
    let (sender, done) = bounded(1);
    // Bounds, because recording without failing does not widen a histogram.
    let empty = || Histogram::new_with_bounds(1, LONGEST, 3).expect("three digits are allowed");
    let turns = (0..phases).map(|_| empty()).collect();
    let probe = Timed { within, last: cycles(), phase: Arc::clone(&phase), turns, done: sender };
    (probe, Turns { phase, done })
}

impl Turns {
    /// Turns count from now on, or do not.
    pub fn record(&self, on: bool) {
        self.record_as(on.then_some(0));
    }

    /// Turns count as those of a phase from now on, or not at all.
    pub fn record_as(&self, phase: Option<usize>) {
        self.phase.store(phase.map_or(0, |phase| phase + 1), Ordering::Relaxed);
    }

    /// What was recorded, in cycles; once the worker has ended.
    pub fn recorded(&self) -> Option<Histogram<u64>> {
        self.by_phase().into_iter().next()
    }

    /// The same by phase.
    pub fn by_phase(&self) -> Vec<Histogram<u64>> {
        self.done.recv().unwrap_or_default()
    }
}

impl<P: Probe> Probe for Timed<P> {
    fn received(&mut self, port: PortId, frames: &mut [Mbuf]) {
        self.within.received(port, frames);
    }

    fn judged(&mut self, port: PortId, verdicts: &[Verdict]) {
        self.within.judged(port, verdicts);
    }

    fn turned(&mut self, idle: bool) {
        self.within.turned(idle);
        let now = cycles();
        let phase = self.phase.load(Ordering::Relaxed);
        if let Some(turns) = self.turns.get_mut(phase.wrapping_sub(1)).filter(|_| !idle) {
            turns.saturating_record(now.wrapping_sub(self.last));
        }
        self.last = now;
    }
}

impl<P> Drop for Timed<P> {
    fn drop(&mut self) {
        // Whoever asked may be gone.
        let _ = self.done.try_send(self.turns.clone());
    }
}

/// Cycles: some ten seconds, beyond which nothing is told apart.
pub const LONGEST: u64 = 1 << 35;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_busy_turns_within_the_window_count() {
        let (mut probe, turns) = timed(());
        for (on, idle) in [(false, false), (true, false), (true, true), (true, false), (false, false)] {
            turns.record(on);
            std::thread::sleep(std::time::Duration::from_millis(2));
            probe.turned(idle);
        }
        drop(probe);
        let histogram = turns.recorded().unwrap();
        assert_eq!(histogram.len(), 2);
        // No counter runs below 100 MHz: 2 ms are 200,000 cycles at least.
        assert!(histogram.min() >= 200_000, "{} cycles", histogram.min());
    }
}
