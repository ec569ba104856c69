//! A hash index of fixed size, from hashes to places in an array that its user compares.

use crate::dpdk::HugeSlice;

/// A bucket: the place plus one, 0 where it is empty, and the hash.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    place: u32,
    hash: u32,
}

/// Linear probing at most half full; a removal closes the gap, so that nothing wears out with use.
#[derive(Debug)]
pub(super) struct Index {
    buckets: HugeSlice<Bucket>,
    mask: usize,
}

impl Index {
    /// For `capacity` places.
    pub(super) fn new(capacity: usize) -> Self {
        let size = size(capacity);
        Self { buckets: HugeSlice::new(size, Bucket::default()), mask: size - 1 }
    }

    /// Octets of memory for `capacity` places.
    pub(super) const fn octets_for(capacity: usize) -> usize {
        HugeSlice::<Bucket>::octets_for(size(capacity))
    }

    /// The place with this hash that `is` says is meant.
    pub(super) fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = hash as usize & self.mask;
        loop {
            let bucket = self.buckets[at];
            let place = bucket.place.checked_sub(1)?;
            if bucket.hash == hash && is(place) {
                return Some(place);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Adds a place. There are never more than it was made for.
    pub(super) fn insert(&mut self, hash: u32, place: u32) {
        let mut at = hash as usize & self.mask;
        while self.buckets[at].place != 0 {
            at = (at + 1) & self.mask;
        }
        self.buckets[at] = Bucket { place: place + 1, hash };
    }

    /// Removes a place of this hash.
    pub(super) fn remove(&mut self, hash: u32, place: u32) {
        let mut gap = hash as usize & self.mask;
        while self.buckets[gap].place != place + 1 {
            if self.buckets[gap].place == 0 {
                debug_assert!(false, "only what is there is removed");
                return;
            }
            gap = (gap + 1) & self.mask;
        }
        let mut at = gap;
        loop {
            at = (at + 1) & self.mask;
            let bucket = self.buckets[at];
            if bucket.place == 0 {
                break;
            }
            // It may move into the gap where that is no further from its home than it is now.
            let home = bucket.hash as usize & self.mask;
            if (at.wrapping_sub(home) & self.mask) >= (at.wrapping_sub(gap) & self.mask) {
                self.buckets[gap] = bucket;
                gap = at;
            }
        }
        self.buckets[gap] = Bucket::default();
    }
}

/// Buckets for so many places.
const fn size(capacity: usize) -> usize {
    (capacity * 2).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The slow twin is an ordered map; hashes are few, so that runs grow long and wrap round the end.
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((0_u32..64, 0_u32..12), 1..300)) {
            let mut index = Index::new(32);
            let mut twin: BTreeMap<u32, u32> = BTreeMap::new();
            for (place, hash) in steps {
                let hash = hash.wrapping_sub(3);
                match twin.remove(&place) {
                    Some(hash) => index.remove(hash, place),
                    None if twin.len() < 32 => {
                        twin.insert(place, hash);
                        index.insert(hash, place);
                    }
                    None => {}
                }
                for place in 0..64 {
                    let hash = twin.get(&place).copied();
                    for probe in 0..12_u32 {
                        let probe = probe.wrapping_sub(3);
                        let found = index.find(probe, |found| found == place);
                        prop_assert_eq!(found, (hash == Some(probe)).then_some(place));
                    }
                }
            }
        }
    }
}
