//! Remembers which SYNs were refused a moment ago, so that those that come again are let in: an honest client repeats its
//! SYN after a second (RFC 6298, 2), a flood with invented sources does not.
//!
//! Two Bloom filters take turns. One is filled until about a quarter of its bits is set; then the other, the older, is
//! emptied and takes over. With `n` blocks in each and `R` refused SYNs a second, one is remembered for `28 n / R` seconds
//! at least, and of SYNs never seen before about 1 in 100 passes.

use super::HANDSHAKE;
use crate::time::Nanos;

/// What was refused lately.
#[derive(Debug)]
pub struct RetryFilter {
    filters: [Filter; 2],
    current: usize,
    /// SYNs in the current filter.
    entered: usize,
    /// When the current filter was begun.
    begun: Nanos,
    /// Filters begun until now.
    generations: u64,
}

#[derive(Debug)]
struct Filter {
    /// A lookup reads one block, which is one cache line. Its last word says which generation its bits are of: those of an
    /// older one count for nothing, so that a filter is emptied without a walk over it.
    blocks: Box<[Block]>,
    generation: u64,
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Block {
    words: [u64; WORDS],
    generation: u64,
}

const WORDS: usize = 7;
/// Bits set for a SYN.
const BITS: u32 = 4;
/// SYNs for each block of a full filter.
const LOAD: usize = 28;
/// A filter is left after so long, though it is not full.
const AGE: u32 = 8;

impl RetryFilter {
    /// For a table of `capacity` entries: 16 octets an entry, 16 KiB at least and 32 MiB at most.
    pub fn new(capacity: usize) -> Self {
        let filter =
            |generation| Filter { blocks: vec![Block::default(); blocks(capacity)].into_boxed_slice(), generation };
        Self { filters: [filter(1), filter(2)], current: 0, entered: 0, begun: Nanos(0), generations: 2 }
    }

    /// Octets that [`RetryFilter::new`] takes.
    pub fn octets_for(capacity: usize) -> usize {
        2 * blocks(capacity) * size_of::<Block>()
    }

    /// Whether the SYN of this hash was refused lately; if not, it is from now on.
    pub fn recalls(&mut self, now: Nanos, hash: u64) -> bool {
        let is_full = self.entered >= self.filters[0].blocks.len() * LOAD;
        let age = now.since(self.begun);
        if age > HANDSHAKE * AGE * 2 {
            self.turn(now);
        }
        if is_full || age > HANDSHAKE * AGE {
            self.turn(now);
        }
        if self.filters.iter().any(|filter| filter.has(hash)) {
            return true;
        }
        if let Some(filter) = self.filters.get_mut(self.current) {
            filter.enter(hash);
        }
        self.entered += 1;
        false
    }

    /// Goes over to the other filter, emptied.
    fn turn(&mut self, now: Nanos) {
        self.current = 1 - self.current;
        self.generations += 1;
        self.entered = 0;
        self.begun = now;
        if let Some(filter) = self.filters.get_mut(self.current) {
            filter.generation = self.generations;
        }
    }
}

impl Filter {
    fn has(&self, hash: u64) -> bool {
        let Some(block) = self.blocks.get(self.place(hash)) else { return false };
        block.generation == self.generation && bits(hash).all(|(word, bit)| block.words[word] & bit != 0)
    }

    fn enter(&mut self, hash: u64) {
        let (place, generation) = (self.place(hash), self.generation);
        let Some(block) = self.blocks.get_mut(place) else { return };
        if block.generation != generation {
            *block = Block { generation, ..Block::default() };
        }
        for (word, bit) in bits(hash) {
            block.words[word] |= bit;
        }
    }

    fn place(&self, hash: u64) -> usize {
        (hash >> 40) as usize & (self.blocks.len() - 1)
    }
}

/// Of each filter.
fn blocks(capacity: usize) -> usize {
    (capacity / 8).next_power_of_two().clamp(1 << 7, 1 << 18)
}

/// The words and bits of a hash within its block.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..BITS).map(move |number| {
        let part = (hash >> (number * 10)) as usize & 1023;
        (part % WORDS, 1 << (part / 16 % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: Nanos = Nanos::from_parts(1_800_000_000, 0);

    fn hash(number: u64) -> u64 {
        use std::hash::BuildHasher;
        foldhash::quality::FixedState::default().hash_one(number)
    }

    #[test]
    fn a_syn_that_comes_again_is_recalled() {
        let mut filter = RetryFilter::new(1024);
        assert!(!filter.recalls(START, hash(1)));
        assert!(filter.recalls(START + Duration::from_secs(1), hash(1)));
        assert!(!filter.recalls(START + Duration::from_secs(60), hash(1)), "not for ever");
    }

    #[test]
    fn what_was_refused_is_recalled_for_a_filter_s_load_of_others() {
        let mut filter = RetryFilter::new(1024);
        let load = (filter.filters[0].blocks.len() * LOAD) as u64;
        let mut refused = Vec::new();
        for number in 0..10 * load {
            if !filter.recalls(START, hash(number)) {
                refused.push(number);
            }
            if refused.len() as u64 > load {
                assert!(filter.recalls(START, hash(refused[refused.len() - load as usize])));
            }
        }
    }

    #[test]
    fn few_of_a_flood_are_taken_for_repeated() {
        let mut filter = RetryFilter::new(65_536);
        let count = 10 * (filter.filters[0].blocks.len() * LOAD) as u64;
        let passed = (0..count).filter(|number| filter.recalls(START, hash(*number))).count() as u64;
        assert!(passed * 40 < count, "{passed} of {count}");
    }
}
