//! Fragments that overtook the first of their datagram, and so wait for it to know their worker.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Nanos;

/// Fragments that wait on a port at most: the longest burst in disorder, and few buffers.
const MOST: usize = 256;
/// How long: disorder on a path is a matter of milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// Fragments that wait, the oldest first.
#[derive(Debug)]
pub(super) struct Waiting<F> {
    held: VecDeque<Held<F>>,
}

#[derive(Debug)]
struct Held<F> {
    datagram: u64,
    since: Nanos,
    worker: usize,
    frame: F,
}

impl<F> Waiting<F> {
    /// Takes all its memory now.
    pub(super) fn new() -> Self {
        Self { held: VecDeque::with_capacity(MOST) }
    }

    /// Has a frame wait for the first fragment of `datagram`; where that does not come, it goes to `worker`. So does the one
    /// that gives way for it where too many wait.
    pub(super) fn hold(&mut self, now: Nanos, datagram: u64, worker: usize, frame: F) -> Option<(usize, F)> {
        let oldest = if self.held.len() >= MOST { self.held.pop_front() } else { None };
        self.held.push_back(Held { datagram, since: now, worker, frame });
        oldest.map(|held| (held.worker, held.frame))
    }

    /// Takes out a frame that waited for this datagram's first fragment, in the order of their coming.
    pub(super) fn take(&mut self, datagram: u64) -> Option<F> {
        let place = self.held.iter().position(|held| held.datagram == datagram)?;
        self.held.remove(place).map(|held| held.frame)
    }

    /// Takes out one that waited too long, and the worker that it goes to.
    pub(super) fn overdue(&mut self, now: Nanos) -> Option<(usize, F)> {
        let oldest = self.held.front().filter(|held| now.since(held.since) > PATIENCE)?;
        let worker = oldest.worker;
        self.held.pop_front().map(|held| (worker, held.frame))
    }

    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Nanos = Nanos(1_000_000_000_000);

    #[test]
    fn what_waits_comes_out_in_order_and_by_its_datagram() {
        let mut waiting = Waiting::new();
        for (datagram, frame) in [(1, 'a'), (2, 'b'), (1, 'c')] {
            assert_eq!(waiting.hold(START, datagram, 0, frame), None);
        }
        assert_eq!([waiting.take(1), waiting.take(1), waiting.take(1)], [Some('a'), Some('c'), None]);
        assert_eq!(waiting.count(), 1);
    }

    #[test]
    fn who_waits_too_long_or_among_too_many_goes_to_a_worker() {
        let mut waiting = Waiting::new();
        for number in 0..MOST {
            assert_eq!(waiting.hold(START, 7, number % 3, number), None);
        }
        assert_eq!(waiting.hold(START + PATIENCE, 8, 2, MOST), Some((0, 0)));
        assert_eq!(waiting.overdue(START + PATIENCE), None);
        let late = START + PATIENCE + Duration::from_nanos(1);
        let overdue: Vec<_> = std::iter::from_fn(|| waiting.overdue(late)).collect();
        assert_eq!(overdue, (1..MOST).map(|number| (number % 3, number)).collect::<Vec<_>>());
        assert_eq!(waiting.count(), 1);
    }
}
