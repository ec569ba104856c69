//! How many times a second something may happen to one address, for any number of addresses in fixed memory.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use crate::endpoint::Address;
use crate::time::Nanos;

/// A limit by address, a second; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Of one source.
    pub source: u32,
    /// Towards one destination.
    pub destination: u32,
}

/// Keeps a [`Limit`].
#[derive(Debug)]
pub struct Limits {
    source: Option<Sketch>,
    destination: Option<Sketch>,
}

impl Limits {
    /// Takes memory for the sides that are limited, 128 KiB each.
    pub fn new(limit: Limit) -> Self {
        Self { source: Sketch::new(limit.source), destination: Sketch::new(limit.destination) }
    }

    /// Counts one more from `source` to `destination`; false where either has had its share.
    pub fn admits(&mut self, now: Nanos, source: Address, destination: Address) -> bool {
        // Asked first, so that what one side refuses costs the other side nothing.
        self.source.as_mut().is_none_or(|sketch| sketch.take(now, source))
            && self.destination.as_mut().is_none_or(|sketch| sketch.take(now, destination))
    }

    /// Whether one more would be admitted now; it is not counted.
    pub fn would_admit(&self, now: Nanos, source: Address, destination: Address) -> bool {
        self.source.as_ref().is_none_or(|sketch| sketch.has_room(now, source))
            && self.destination.as_ref().is_none_or(|sketch| sketch.has_room(now, destination))
    }
}

/// Token buckets in two rows: an address has one in each, and is refused only where both are empty (as a count-min sketch
/// takes the least), so that an honest address suffers by a collision only if it meets busy ones in both rows.
///
/// A bucket is one number, the time at which it will be full again (the generic cell rate algorithm).
#[derive(Debug)]
struct Sketch {
    hasher: RandomState,
    rows: Box<[[u64; CELLS]; 2]>,
    /// Nanoseconds that one takes to come back.
    cost: u64,
}

/// Buckets of a row.
const CELLS: usize = 8_192;
/// A full bucket holds one second's share.
const DEPTH: u64 = 1_000_000_000;

impl Sketch {
    fn new(rate: u32) -> Option<Self> {
        let cost = DEPTH.checked_div(u64::from(rate))?;
        Some(Self { hasher: RandomState::default(), rows: Box::new([[0; CELLS]; 2]), cost })
    }

    fn has_room(&self, now: Nanos, address: Address) -> bool {
        let hash = self.hasher.hash_one(u128::from_be_bytes(address.0)) as usize;
        let [first, second] = &*self.rows;
        [first[hash % CELLS], second[hash / CELLS % CELLS]]
            .iter()
            .any(|cell| (*cell).max(now.0) + self.cost <= now.0 + DEPTH)
    }

    fn take(&mut self, now: Nanos, address: Address) -> bool {
        let hash = self.hasher.hash_one(u128::from_be_bytes(address.0)) as usize;
        let [first, second] = &mut *self.rows;
        let cells = [&mut first[hash % CELLS], &mut second[hash / CELLS % CELLS]];
        let full = |cell: u64| cell.max(now.0);
        let admitted = cells.iter().any(|cell| full(**cell) + self.cost <= now.0 + DEPTH);
        if admitted {
            for cell in cells {
                *cell = (full(*cell) + self.cost).min(now.0 + DEPTH);
            }
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: Nanos = Nanos::from_parts(1_800_000_000, 0);

    fn address(number: u32) -> Address {
        Address::v4(number.to_be_bytes())
    }

    #[test]
    fn a_source_gets_its_rate_and_no_more() {
        let mut limits = Limits::new(Limit { source: 10, destination: 0 });
        let mut admitted = |now, number| limits.admits(now, address(number), address(9));
        assert_eq!((0..100).filter(|_| admitted(START, 1)).count(), 10);
        assert!(admitted(START, 2), "another has its own share");
        let later = START + Duration::from_millis(300);
        assert_eq!((0..100).filter(|_| admitted(later, 1)).count(), 3);
        assert_eq!((0..100).filter(|_| admitted(later + Duration::from_secs(60), 1)).count(), 10);
    }

    #[test]
    fn a_destination_is_limited_whoever_asks() {
        let mut limits = Limits::new(Limit { source: 0, destination: 50 });
        assert_eq!((0..1000).filter(|source| limits.admits(START, address(*source), address(7))).count(), 50);
    }

    #[test]
    fn without_a_limit_everything_is_admitted() {
        let mut limits = Limits::new(Limit::default());
        assert!((0..100_000).all(|_| limits.admits(START, address(1), address(2))));
    }

    #[test]
    fn one_busy_source_does_not_speak_for_the_others() {
        let mut limits = Limits::new(Limit { source: 5, destination: 0 });
        while limits.admits(START, address(0), address(1)) {}
        let others = (1..=1000).filter(|source| limits.admits(START, address(*source), address(1))).count();
        assert_eq!(others, 1000);
    }
}
