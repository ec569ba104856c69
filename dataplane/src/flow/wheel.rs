//! The timer wheel: which entries to look at, and when. It is lazy: a packet stores only `last_seen`, and an entry whose
//! time comes while it still lives is put back.

use super::list::{Links, List};
use super::table::Slot;
use crate::time::Nanos;

/// A tick is 2^30 ns, a little more than a second.
const TICK_SHIFT: u32 = 30;
/// Buckets, and so the horizon in ticks: somewhat over an hour. What is due later is looked at once before.
const BUCKETS: usize = 4096;
/// Empty buckets passed in one turn at most.
const EMPTY_PER_TURN: usize = 512;

/// The wheel of a table.
#[derive(Debug)]
pub(super) struct Wheel {
    buckets: Box<[List]>,
    links: Links,
    /// The bucket of each slot.
    places: Box<[u16]>,
    /// The tick whose bucket is looked at next.
    cursor: u64,
}

impl Wheel {
    /// For `capacity` slots.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            buckets: vec![List::EMPTY; BUCKETS].into_boxed_slice(),
            links: Links::new(capacity),
            places: vec![0; capacity].into_boxed_slice(),
            cursor: 0,
        }
    }

    /// Puts a slot, which is not on the wheel, where it is due.
    pub(super) fn add(&mut self, slot: Slot, now: Nanos, due: Nanos) {
        // Until the first turn the cursor knows no time; and it never lies in the future.
        if self.cursor == 0 {
            self.cursor = tick(now);
        }
        // One past the tick of `due`, so that it has passed when the bucket is looked at.
        let ahead = (tick(due) + 1).saturating_sub(self.cursor).clamp(1, BUCKETS as u64 - 1);
        let place = (self.cursor + ahead) as usize % BUCKETS;
        self.places[slot.index()] = place as u16;
        self.links.push(&mut self.buckets[place], slot);
    }

    /// Takes a slot off the wheel.
    pub(super) fn remove(&mut self, slot: Slot) {
        let place = usize::from(self.places[slot.index()]);
        self.links.remove(&mut self.buckets[place], slot);
    }

    /// The next slot to look at by `now`, taken off the wheel; none where this turn has nothing more. `budget` counts
    /// the empty buckets passed; start a turn with [`Wheel::budget`].
    pub(super) fn due(&mut self, now: Nanos, budget: &mut usize) -> Option<Slot> {
        let now = tick(now);
        // After a leap (a capture with a gap) each bucket needs one look, not one for each tick missed.
        self.cursor = self.cursor.max(now.saturating_sub(BUCKETS as u64));
        while self.cursor <= now {
            let bucket = &mut self.buckets[self.cursor as usize % BUCKETS];
            if let Some(slot) = bucket.first() {
                self.links.remove(bucket, slot);
                return Some(slot);
            }
            // The present tick's bucket stays: more may be put there.
            if self.cursor == now || *budget == 0 {
                break;
            }
            *budget -= 1;
            self.cursor += 1;
        }
        None
    }

    /// Empty buckets that a turn may pass.
    pub(super) const fn budget() -> usize {
        EMPTY_PER_TURN
    }
}

const fn tick(time: Nanos) -> u64 {
    time.0 >> TICK_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ticks: u64) -> Nanos {
        Nanos(ticks << TICK_SHIFT)
    }

    fn due(wheel: &mut Wheel, now: Nanos) -> Vec<u32> {
        let mut budget = usize::MAX;
        std::iter::from_fn(|| wheel.due(now, &mut budget)).map(|slot| slot.0).collect()
    }

    #[test]
    fn gives_each_slot_once_when_its_tick_has_passed() {
        let mut wheel = Wheel::new(3);
        wheel.add(Slot(0), at(100), at(102));
        wheel.add(Slot(1), at(100), at(100));
        wheel.add(Slot(2), at(100), at(102));
        assert_eq!(due(&mut wheel, at(100)), []);
        assert_eq!(due(&mut wheel, at(102)), [1]);
        wheel.remove(Slot(0));
        assert_eq!(due(&mut wheel, at(200)), [2]);
        assert_eq!(due(&mut wheel, at(9_000_000)), []);
    }

    #[test]
    fn what_lies_beyond_the_horizon_is_looked_at_before() {
        let mut wheel = Wheel::new(1);
        wheel.add(Slot(0), at(7), at(7 + 3 * BUCKETS as u64));
        assert_eq!(due(&mut wheel, at(7 + BUCKETS as u64 - 2)), []);
        assert_eq!(due(&mut wheel, at(7 + BUCKETS as u64 - 1)), [0]);
    }

    #[test]
    fn a_turn_passes_a_bounded_number_of_buckets() {
        let mut wheel = Wheel::new(1);
        wheel.add(Slot(0), at(1), at(1000));
        let mut turns = 0;
        loop {
            turns += 1;
            let mut budget = Wheel::budget();
            if wheel.due(at(2000), &mut budget).is_some() {
                break;
            }
            assert_eq!(budget, 0);
        }
        assert_eq!(turns, 2);
    }
}
