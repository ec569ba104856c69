//! How long each turn of a worker's loop takes, by the time-stamp counter: the worst burst, and pauses of every kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    recording: Arc<AtomicBool>,
    /// In cycles.
    turns: Histogram<u64>,
    done: Sender<Histogram<u64>>,
}

/// The other end of a [`Timed`].
#[derive(Debug)]
pub struct Turns {
    recording: Arc<AtomicBool>,
    done: Receiver<Histogram<u64>>,
}

/// Wraps a probe.
pub fn timed<P>(within: P) -> (Timed<P>, Turns) {
    let recording = Arc::new(AtomicBool::new(false));
    let (sender, done) = bounded(1);
    // Bounds, because recording without failing does not widen a histogram.
    let turns = Histogram::new_with_bounds(1, LONGEST, 3).expect("three digits are allowed");
    let probe = Timed { within, last: cycles(), recording: Arc::clone(&recording), turns, done: sender };
    (probe, Turns { recording, done })
}

impl Turns {
    /// Turns count from now on, or do not.
    pub fn record(&self, on: bool) {
        self.recording.store(on, Ordering::Relaxed);
    }

    /// What was recorded, in cycles; once the worker has ended.
    pub fn recorded(&self) -> Option<Histogram<u64>> {
        self.done.recv().ok()
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
        if !idle && self.recording.load(Ordering::Relaxed) {
            self.turns.saturating_record(now.wrapping_sub(self.last));
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
