//! The places of a table that nothing is at: a stack of fixed size.

use crate::dpdk::HugeSlice;

/// Free places, the one that was freed last on top: it is the one most likely in a cache.
#[derive(Debug)]
pub(super) struct FreeList {
    places: HugeSlice<u32>,
    length: usize,
}

impl FreeList {
    /// All of `capacity` places are free; the first is taken first.
    pub(super) fn new(capacity: usize) -> Self {
        let mut places = HugeSlice::new(capacity, 0);
        for (place, last) in places.iter_mut().zip((0..capacity as u32).rev()) {
            *place = last;
        }
        Self { places, length: capacity }
    }

    /// Octets of memory for `capacity` places.
    pub(super) const fn octets_for(capacity: usize) -> usize {
        HugeSlice::<u32>::octets_for(capacity)
    }

    /// Whether no place is free.
    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes a place.
    pub(super) fn pop(&mut self) -> Option<u32> {
        let top = self.length.checked_sub(1)?;
        self.length = top;
        self.places.get(top).copied()
    }

    /// Frees a place that was taken.
    pub(super) fn push(&mut self, place: u32) {
        if let Some(top) = self.places.get_mut(self.length) {
            *top = place;
            self.length += 1;
        }
    }

    /// How many are free.
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.length
    }
}
