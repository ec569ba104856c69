//! When entries are to be looked at: a time for each slot, gone through in order about once a second.
//!
//! It is lazy: a packet stores only when it came, and an entry that still lives when its time comes gets another. Sixteen
//! times lie in a cache line and are compared together, so that going through all costs a few milliseconds a second for ten
//! million, in pieces of a few microseconds.

use std::time::Duration;

use super::clock::{Patience, Tick};
use super::slot::Slot;
use crate::dpdk::HugeSlice;
use crate::time::Nanos;

/// Slots compared together: a cache line of times.
const STRIDE: usize = 16;
/// From so many slots on they are gone through in whole lines, which is 16 ms late at most.
const LARGE: usize = 1024;
/// In what time all slots are gone through.
const PASS: Duration = Duration::from_secs(1);
/// Free.
const NEVER: u32 = 0;

/// The times of a table's slots.
#[derive(Debug)]
pub(super) struct Sweep {
    /// Milliseconds, turned over; [`NEVER`] of free slots.
    deadlines: HugeSlice<u32>,
    /// The slot to go on from.
    hand: usize,
    /// Slots that time has passed for since they were gone through, times the nanoseconds of a pass.
    debt: u64,
    /// When it was told of time last.
    last: Option<Nanos>,
}

impl Sweep {
    /// For `capacity` slots, all free.
    pub(super) fn new(capacity: usize) -> Self {
        Self { deadlines: HugeSlice::new(capacity, NEVER), hand: 0, debt: 0, last: None }
    }

    /// Sets when a slot is to be looked at.
    #[inline]
    pub(super) fn arm(&mut self, slot: Slot, last: Tick, patience: Patience) {
        if let Some(deadline) = self.deadlines.get_mut(slot.index()) {
            // A millisecond later where the time looks like none.
            *deadline = last.after(patience).0.max(1);
        }
    }

    /// A slot that is free from now on.
    #[inline]
    pub(super) fn disarm(&mut self, slot: Slot) {
        if let Some(deadline) = self.deadlines.get_mut(slot.index()) {
            *deadline = NEVER;
        }
    }

    /// Whether a slot is in use.
    #[inline]
    pub(super) fn is_armed(&self, slot: Slot) -> bool {
        self.deadlines.get(slot.index()).is_some_and(|deadline| *deadline != NEVER)
    }

    /// Time has passed.
    #[inline]
    pub(super) fn advance(&mut self, now: Nanos) {
        let passed = now.since(*self.last.get_or_insert(now)).min(PASS).as_nanos() as u64;
        self.last = Some(now);
        let all = self.deadlines.len() as u64;
        self.debt = (self.debt + passed * all).min(PASS.as_nanos() as u64 * all);
    }

    /// Goes through the slots that are owed, `most` at most, and gives those whose time has come to `due` until that takes
    /// no more. True where it came past the last slot.
    pub(super) fn run(&mut self, now: Tick, most: usize, mut due: impl FnMut(Slot) -> bool) -> bool {
        let owed = (self.debt / PASS.as_nanos() as u64) as usize;
        // In whole lines, where that is no time to speak of.
        let part = if self.deadlines.len() < LARGE { 0 } else { owed % STRIDE };
        let mut left = (owed - part).min(most);
        let mut came_round = false;
        while left > 0 {
            let first = self.hand;
            let end = (first + STRIDE).min(self.deadlines.len()).min(first + left);
            let Some(line) = self.deadlines.get(first..end) else { break };
            let mut found = is_due(line, now);
            let mut done = end;
            while found != 0 {
                let slot = first + found.trailing_zeros() as usize;
                if !due(Slot(slot as u32)) {
                    done = slot;
                    break;
                }
                found &= found - 1;
            }
            self.debt = self.debt.saturating_sub((done - first) as u64 * PASS.as_nanos() as u64);
            left -= done - first;
            self.hand = done;
            if done == self.deadlines.len() {
                self.hand = 0;
                came_round = true;
            }
            if done != end {
                break;
            }
        }
        came_round
    }

    /// Octets of memory that the times of `capacity` slots take.
    pub(super) fn octets_for(capacity: usize) -> usize {
        HugeSlice::<u32>::octets_for(capacity)
    }

    /// Octets of memory.
    pub(super) fn octets(&self) -> usize {
        self.deadlines.octets()
    }
}

/// Which of up to 16 times have come, a bit each.
#[inline]
fn is_due(deadlines: &[u32], now: Tick) -> u32 {
    let has_come = |deadline: u32| deadline != NEVER && now.0.wrapping_sub(deadline) as i32 >= 0;
    if let Ok(line) = <&[u32; STRIDE]>::try_from(deadlines) {
        // Mostly none: found out without a branch for each.
        let any = line.iter().fold(false, |any, deadline| any | has_come(*deadline));
        if !any {
            return 0;
        }
    }
    deadlines.iter().enumerate().fold(0, |bits, (at, deadline)| bits | u32::from(has_come(*deadline)) << at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn collect(sweep: &mut Sweep, now: Tick, most: usize) -> Vec<u32> {
        let mut found = Vec::new();
        sweep.run(now, most, |slot| {
            found.push(slot.0);
            true
        });
        found
    }

    #[test]
    fn each_slot_is_looked_at_once_a_second() {
        for capacity in [1, 5, 16, 100, 1000, 2000] {
            let mut sweep = Sweep::new(capacity);
            for slot in 0..capacity {
                sweep.arm(Slot(slot as u32), Tick(10), Patience(20));
            }
            sweep.advance(Nanos(SECOND));
            assert_eq!(collect(&mut sweep, Tick(30), 10_000), []);
            let mut looks = vec![0; capacity];
            for turn in 1..=5000 {
                sweep.advance(Nanos(SECOND + turn * SECOND / 1000));
                for slot in collect(&mut sweep, Tick(30), 10_000) {
                    looks[slot as usize] += 1;
                }
            }
            assert!(looks.iter().all(|count| (4..=5).contains(count)), "{capacity} {looks:?}");
        }
    }

    #[test]
    fn what_is_not_taken_comes_again() {
        let mut sweep = Sweep::new(40);
        for slot in [3, 4, 20, 39] {
            sweep.arm(Slot(slot), Tick(0), Patience(5));
        }
        sweep.advance(Nanos(0));
        sweep.advance(Nanos(SECOND));
        // A pass at which nothing is due.
        assert_eq!(collect(&mut sweep, Tick(4), 40), []);
        sweep.advance(Nanos(2 * SECOND));
        let mut found = Vec::new();
        let came_round = sweep.run(Tick(5), 40, |slot| {
            let room = found.len() < 2;
            if room {
                found.push(slot.0);
            }
            room
        });
        assert_eq!((came_round, found), (false, vec![3, 4]));
        assert_eq!(collect(&mut sweep, Tick(5), 40), [20, 39]);
        assert_eq!(collect(&mut sweep, Tick(5), 40), []);
    }

    proptest! {
        #[test]
        fn times_are_compared_as_one_by_one(now: u32, offsets in prop::collection::vec(-3..3_i32, 1..17)) {
            let deadlines: Vec<u32> = offsets.iter().map(|offset| now.wrapping_add_signed(*offset)).collect();
            let slow = (0..offsets.len())
                .filter(|at| deadlines[*at] != NEVER && offsets[*at] <= 0)
                .map(|at| 1 << at)
                .sum::<u32>();
            prop_assert_eq!(is_due(&deadlines, Tick(now)), slow);
        }
    }
}
