//! From a key's hash to the slots that may hold it: buckets of one cache line, ten entries each with a tag of 16 bits.
//!
//! The hash's upper half chooses the bucket by multiplication, so that their number need not be a power of two; its lower
//! 16 bits are the tag. Where a bucket is full, the next one takes the entry, and every bucket that was passed counts it: a
//! lookup ends at the first bucket that none was turned away from. There are no tombstones, so an index is as fast after a
//! year as it was at first.

use super::slot::Slot;
use super::tags::{self, WORDS};
use crate::dpdk::{HugeSlice, prefetch};

/// Entries of a bucket.
const ENTRIES: usize = 10;
/// Buckets for twenty slots: two thirds of the entries are used where the table is full.
const BUCKETS_PER_20: usize = 3;

/// A cache line of the index.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Bucket {
    /// Tags of the entries, 0 where there is none; the last word has two, and [`OVERFLOW`].
    tags: [u64; WORDS],
    slots: [u32; ENTRIES],
}

const _: () = assert!(size_of::<Bucket>() == 64);

/// In the last word of tags: one of the entries that this bucket turned away. At its highest value their count stays.
const OVERFLOW: u64 = 1 << 32;
const OVERFLOW_MASK: u64 = 0xffff_ffff << 32;

impl Bucket {
    const EMPTY: Self = Self { tags: [0; WORDS], slots: [0; ENTRIES] };

    /// The entries with a tag.
    #[inline(always)]
    fn with(&self, tag: u16) -> Entries {
        Entries(tags::equal(&self.tags, tag) & ALL)
    }

    #[inline(always)]
    fn slot(&self, entry: usize) -> Slot {
        Slot(self.slots.get(entry).copied().unwrap_or_default())
    }

    fn set(&mut self, entry: usize, tag: u16, slot: Slot) {
        if let (Some(word), Some(place)) = (self.tags.get_mut(entry / 4), self.slots.get_mut(entry)) {
            let shift = entry % 4 * 16;
            *word = *word & !(0xffff << shift) | u64::from(tag) << shift;
            *place = slot.0;
        }
    }

    #[inline(always)]
    const fn has_overflowed(&self) -> bool {
        self.tags[WORDS - 1] & OVERFLOW_MASK != 0
    }

    /// An entry was turned away.
    const fn overflow(&mut self) {
        if self.tags[WORDS - 1] & OVERFLOW_MASK != OVERFLOW_MASK {
            self.tags[WORDS - 1] += OVERFLOW;
        }
    }

    /// One that was turned away is gone.
    const fn recede(&mut self) {
        if self.has_overflowed() && self.tags[WORDS - 1] & OVERFLOW_MASK != OVERFLOW_MASK {
            self.tags[WORDS - 1] -= OVERFLOW;
        }
    }
}

/// Entries of a bucket: a bit each, the first lowest.
#[derive(Clone, Copy, Debug)]
struct Entries(u32);

/// The bits of all entries; what lies above is [`OVERFLOW`]'s.
const ALL: u32 = (1 << ENTRIES) - 1;

impl Iterator for Entries {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let entry = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(entry)
    }
}

/// The index of a table.
#[derive(Debug)]
pub(super) struct Index {
    buckets: HugeSlice<Bucket>,
}

impl Index {
    /// For `capacity` slots.
    pub(super) fn new(capacity: usize) -> Self {
        Self { buckets: HugeSlice::new(buckets(capacity), Bucket::EMPTY) }
    }

    /// Asks for the line where a lookup of this hash begins.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(bucket) = self.buckets.get(self.home(hash)) {
            prefetch(bucket);
        }
    }

    /// The first slot that may have this hash; [`Slot::NOWHERE`] where there is none.
    #[inline(always)]
    pub(super) fn likely(&self, hash: u64) -> Slot {
        let first = self.buckets.get(self.home(hash)).and_then(|home| Some(home.slot(home.with(tag(hash)).next()?)));
        first.unwrap_or_else(|| self.likely_beyond(hash))
    }

    /// The same where it is not in its home: at a full table one in fifty was turned away, and each would be waited for.
    #[cold]
    #[inline(never)]
    fn likely_beyond(&self, hash: u64) -> Slot {
        self.find(hash, |_| true).unwrap_or(Slot::NOWHERE)
    }

    /// The first slot with this hash's tag that `is_it` accepts.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let tag = tag(hash);
        let home = self.home(hash);
        let mut at = home;
        loop {
            let bucket = self.buckets.get(at)?;
            for entry in bucket.with(tag) {
                let slot = bucket.slot(entry);
                if is_it(slot) {
                    return Some(slot);
                }
            }
            at = self.after(at);
            // Of a small index every bucket may have turned an entry away at some time.
            if !bucket.has_overflowed() || at == home {
                return None;
            }
        }
    }

    /// Adds a slot. The table never holds more than its capacity, so there is always an empty entry.
    pub(super) fn insert(&mut self, hash: u64, slot: Slot) {
        let mut at = self.home(hash);
        while let Some(bucket) = self.buckets.get_mut(at) {
            if let Some(entry) = bucket.with(0).next() {
                bucket.set(entry, tag(hash), slot);
                return;
            }
            bucket.overflow();
            at = self.after(at);
        }
    }

    /// Removes a slot; nothing where it is not there.
    pub(super) fn remove(&mut self, hash: u64, slot: Slot) {
        let home = self.home(hash);
        let Some((end, entry)) = self.locate(home, tag(hash), slot) else { return };
        if let Some(bucket) = self.buckets.get_mut(end) {
            bucket.set(entry, 0, Slot(0));
        }
        let mut at = home;
        while at != end {
            let Some(bucket) = self.buckets.get_mut(at) else { return };
            bucket.recede();
            at = self.after(at);
        }
    }

    /// Octets of memory that an index for `capacity` slots takes.
    pub(super) fn octets_for(capacity: usize) -> usize {
        HugeSlice::<Bucket>::octets_for(buckets(capacity))
    }

    /// Octets of memory.
    pub(super) fn octets(&self) -> usize {
        self.buckets.octets()
    }

    /// The bucket and entry of a slot.
    fn locate(&self, home: usize, tag: u16, slot: Slot) -> Option<(usize, usize)> {
        let mut at = home;
        loop {
            let bucket = self.buckets.get(at)?;
            if let Some(entry) = bucket.with(tag).find(|entry| bucket.slot(*entry) == slot) {
                return Some((at, entry));
            }
            at = self.after(at);
            if !bucket.has_overflowed() || at == home {
                return None;
            }
        }
    }

    #[inline(always)]
    fn home(&self, hash: u64) -> usize {
        (((hash >> 32) * self.buckets.len() as u64) >> 32) as usize
    }

    #[inline(always)]
    fn after(&self, at: usize) -> usize {
        if at + 1 < self.buckets.len() { at + 1 } else { 0 }
    }
}

const fn buckets(capacity: usize) -> usize {
    capacity * BUCKETS_PER_20 / 20 + 1
}

/// Tag 0 is that of an empty entry.
#[inline(always)]
const fn tag(hash: u64) -> u16 {
    let tag = hash as u16;
    if tag == 0 { 1 } else { tag }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Hashes of few tags and few homes, so that buckets overflow far and tags mislead.
    fn hash() -> impl Strategy<Value = u64> {
        prop_oneof![(0..4_u64, 0..3_u64).prop_map(|(home, tag)| home << 62 | tag), any::<u64>(),]
    }

    #[test]
    fn a_lookup_ends_where_every_bucket_turned_one_away() {
        let mut index = Index::new(13);
        assert_eq!(index.buckets.len(), 2);
        let (low, high) = (0, 1 << 63);
        // Ten and one more at home in the first bucket; of them the ten go, but not the one that the second took.
        (0..11).for_each(|slot| index.insert(low | 7, Slot(slot)));
        (0..10).for_each(|slot| index.remove(low | 7, Slot(slot)));
        (11..21).for_each(|slot| index.insert(high | 7, Slot(slot)));
        assert!(index.buckets.iter().all(Bucket::has_overflowed));
        assert_eq!(index.find(low | 9, |_| true), None);
    }

    proptest! {
        #[test]
        fn the_index_agrees_with_a_map(
            acts in prop::collection::vec((0..64_u32, hash(), any::<bool>()), 1..600),
        ) {
            const CAPACITY: usize = 64;
            let mut index = Index::new(CAPACITY);
            let mut twin: HashMap<u32, u64> = HashMap::new();
            for (slot, hash, add) in acts {
                match (add, twin.get(&slot).copied()) {
                    (true, None) => {
                        index.insert(hash, Slot(slot));
                        twin.insert(slot, hash);
                    }
                    (false, Some(hash)) => {
                        index.remove(hash, Slot(slot));
                        twin.remove(&slot);
                    }
                    // Not there: nothing happens.
                    (false, None) => index.remove(hash, Slot(slot)),
                    (true, Some(_)) => {}
                }
                for (slot, hash) in &twin {
                    prop_assert_eq!(index.find(*hash, |found| found.0 == *slot), Some(Slot(*slot)));
                }
                // Of those that it offers for a hash, each is there with the same tag.
                index.find(hash, |found| {
                    assert_eq!(twin.get(&found.0).map(|hash| tag(*hash)), Some(tag(hash)));
                    false
                });
                let used: usize = index.buckets.iter().map(|bucket| ENTRIES - bucket.with(0).count()).sum();
                prop_assert_eq!(used, twin.len());
            }
            for (slot, hash) in twin {
                index.remove(hash, Slot(slot));
            }
            // Nothing is left, not even a count.
            prop_assert!(index.buckets.iter().all(|bucket| bucket.tags == [0; WORDS]));
        }
    }
}
