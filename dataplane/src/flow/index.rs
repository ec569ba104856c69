//! From a key's hash to the slots that may hold it: open addressing over 8-octet entries, eight to a cache line.

use super::table::Slot;
use crate::dpdk::prefetch;

/// Hash in the upper half, slot plus one in the lower; 0 is empty.
type Entry = u64;

/// Linear probing with deletion by shifting back, so that no tombstone ever slows a probe. The hash is seeded, so a
/// stranger cannot choose keys that collide.
#[derive(Debug)]
pub(super) struct Index {
    entries: Box<[Entry]>,
    mask: usize,
}

impl Index {
    /// For `capacity` slots at a load of at most two thirds.
    pub(super) fn new(capacity: usize) -> Self {
        let size = (capacity + capacity / 2 + 1).next_power_of_two();
        Self { entries: vec![0; size].into_boxed_slice(), mask: size - 1 }
    }

    /// The slots whose keys have this hash.
    pub(super) fn candidates(&self, hash: u32) -> impl Iterator<Item = Slot> + '_ {
        let mut at = hash as usize & self.mask;
        std::iter::from_fn(move || {
            loop {
                let entry = self.entries[at];
                at = (at + 1) & self.mask;
                match entry {
                    0 => return None,
                    _ if (entry >> 32) as u32 == hash => return Some(slot(entry)),
                    _ => {}
                }
            }
        })
    }

    /// Asks for the line where a lookup of this hash begins.
    pub(super) fn prefetch(&self, hash: u32) {
        if let Some(entry) = self.entries.get(hash as usize & self.mask) {
            prefetch(entry);
        }
    }

    /// The slot at the place where a lookup of this hash begins.
    pub(super) fn first(&self, hash: u32) -> Option<Slot> {
        let entry = self.entries[hash as usize & self.mask];
        (entry != 0).then(|| slot(entry))
    }

    /// Adds a slot. The table never holds more than its capacity, so there is always an empty entry.
    pub(super) fn insert(&mut self, hash: u32, slot: Slot) {
        let mut at = hash as usize & self.mask;
        while self.entries[at] != 0 {
            at = (at + 1) & self.mask;
        }
        self.entries[at] = u64::from(hash) << 32 | (u64::from(slot.0) + 1);
    }

    /// Removes a slot; nothing where it is not there.
    pub(super) fn remove(&mut self, hash: u32, slot: Slot) {
        let wanted = u64::from(hash) << 32 | (u64::from(slot.0) + 1);
        let mut at = hash as usize & self.mask;
        while self.entries[at] != wanted {
            if self.entries[at] == 0 {
                return;
            }
            at = (at + 1) & self.mask;
        }
        self.close_gap(at);
    }

    /// Moves back what would not be found any more across the gap.
    fn close_gap(&mut self, mut gap: usize) {
        let mut at = gap;
        loop {
            at = (at + 1) & self.mask;
            let entry = self.entries[at];
            if entry == 0 {
                break;
            }
            let home = (entry >> 32) as usize & self.mask;
            // Its probe, from home to here, passes the gap.
            if at.wrapping_sub(home) & self.mask >= at.wrapping_sub(gap) & self.mask {
                self.entries[gap] = entry;
                gap = at;
            }
        }
        self.entries[gap] = 0;
    }
}

const fn slot(entry: Entry) -> Slot {
    Slot((entry as u32).wrapping_sub(1))
}
