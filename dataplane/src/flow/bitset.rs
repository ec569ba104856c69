//! A set of slots as bits, with a summary of which words hold any, and a summary of that, and so on: adding, removing and
//! finding the next one after a place take a few words each, whatever the size. An eighth of an octet a slot.

use super::slot::Slot;
use crate::dpdk::HugeSlice;

/// Levels: 64^5 slots are more than 2^29.
const LEVELS: usize = 5;

/// A set.
#[derive(Debug)]
pub(super) struct BitSet {
    /// All levels' words, the lowest level's first.
    words: HugeSlice<u64>,
    /// Where each level begins; unused levels are not there.
    starts: [usize; LEVELS],
    levels: usize,
}

impl BitSet {
    /// An empty set for slots below `capacity`.
    pub(super) fn new(capacity: usize) -> Self {
        Self::filled(capacity, false)
    }

    /// The set of all slots below `capacity`.
    pub(super) fn full(capacity: usize) -> Self {
        Self::filled(capacity, true)
    }

    /// Octets of memory that a set for `capacity` slots takes.
    pub(super) fn octets_for(capacity: usize) -> usize {
        let words = |count: &usize| Some(count.div_ceil(64)).filter(|_| *count > 1);
        let total = std::iter::successors(Some(capacity.max(1).div_ceil(64)), words).take(LEVELS).sum();
        HugeSlice::<u64>::octets_for(total)
    }

    fn filled(capacity: usize, value: bool) -> Self {
        let mut starts = [0; LEVELS];
        let (mut levels, mut total, mut count) = (0, 0, capacity.max(1));
        let mut counts = [0; LEVELS];
        while levels == 0 || count > 1 && levels < LEVELS {
            (starts[levels], counts[levels]) = (total, count);
            count = count.div_ceil(64);
            total += count;
            levels += 1;
        }
        let mut words = HugeSlice::new(total, if value { u64::MAX } else { 0 });
        if value {
            for (start, count) in starts.iter().zip(counts).take(levels) {
                // The last word of a level is full only where the count fills it.
                if count % 64 != 0 {
                    words[start + count / 64] = (1 << (count % 64)) - 1;
                }
            }
            if capacity == 0 {
                words[0] = 0;
            }
        }
        Self { words, starts, levels }
    }

    /// Adds a slot.
    #[inline]
    pub(super) fn insert(&mut self, slot: Slot) {
        let mut place = slot.index();
        for start in self.starts.iter().take(self.levels) {
            let Some(word) = self.words.get_mut(start + place / 64) else { return };
            let before = *word;
            *word |= 1 << (place % 64);
            // The levels above know already that the word holds some.
            if before != 0 {
                return;
            }
            place /= 64;
        }
    }

    /// Removes a slot.
    #[inline]
    pub(super) fn remove(&mut self, slot: Slot) {
        let mut place = slot.index();
        for start in self.starts.iter().take(self.levels) {
            let Some(word) = self.words.get_mut(start + place / 64) else { return };
            *word &= !(1 << (place % 64));
            if *word != 0 {
                return;
            }
            place /= 64;
        }
    }

    /// The first slot at `from` or after it; where there is none, the first of all.
    #[inline]
    pub(super) fn next(&self, from: usize) -> Option<Slot> {
        self.at_or_after(from).or_else(|| self.at_or_after(0))
    }

    /// Whether it has none.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.starts.get(self.levels - 1).and_then(|start| self.words.get(*start)).is_none_or(|top| *top == 0)
    }

    /// Octets of memory.
    pub(super) fn octets(&self) -> usize {
        self.words.octets()
    }

    fn at_or_after(&self, from: usize) -> Option<Slot> {
        let (mut level, mut place) = (0, from);
        // Up, until a word has a bit at the place or after it.
        let mut found = loop {
            let end = self.starts.get(level + 1).filter(|_| level + 1 < self.levels).copied();
            let at = self.starts[level] + place / 64;
            let word = if at < end.unwrap_or(self.words.len()) { self.words[at] } else { 0 };
            let after = word & u64::MAX << (place % 64);
            if after != 0 {
                break place / 64 * 64 + after.trailing_zeros() as usize;
            }
            level += 1;
            if level == self.levels {
                return None;
            }
            place = place / 64 + 1;
        };
        // And down again to the first below.
        while level > 0 {
            level -= 1;
            let word = self.words[self.starts[level] + found];
            found = found * 64 + word.trailing_zeros() as usize;
        }
        Some(Slot(found as u32))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn check(set: &BitSet, twin: &BTreeSet<u32>, from: u32) -> Result<(), TestCaseError> {
        let next = twin.range(from..).next().or_else(|| twin.first()).copied();
        prop_assert_eq!(set.next(from as usize), next.map(Slot));
        prop_assert_eq!(set.is_empty(), twin.is_empty());
        Ok(())
    }

    proptest! {
        #[test]
        fn the_set_agrees_with_a_tree(
            capacity in prop_oneof![1..200_u32, 4000..4200_u32, Just(300_000)],
            full: bool,
            acts in prop::collection::vec((any::<u32>(), any::<bool>(), any::<u32>()), 1..300),
        ) {
            let mut set = if full { BitSet::full(capacity as usize) } else { BitSet::new(capacity as usize) };
            let mut twin: BTreeSet<u32> = if full { (0..capacity).collect() } else { BTreeSet::new() };
            for (slot, add, from) in acts {
                let slot = slot % capacity;
                if add {
                    set.insert(Slot(slot));
                    twin.insert(slot);
                } else {
                    set.remove(Slot(slot));
                    twin.remove(&slot);
                }
                check(&set, &twin, from % (capacity + 2))?;
            }
            // Emptied in the order that it tells.
            let mut hand = 0;
            while let Some(slot) = set.next(hand).filter(|_| capacity < 5000) {
                prop_assert!(twin.remove(&slot.0));
                set.remove(slot);
                hand = slot.index() + 1;
                check(&set, &twin, slot.0)?;
            }
            prop_assert!(capacity >= 5000 || twin.is_empty());
        }
    }
}
