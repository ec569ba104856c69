//! The ports of one address and protocol: a bitmap, and above it a bitmap of its full words.

use crate::policy::PortRange;

/// Bits of a word.
const BITS: u32 = u64::BITS;
/// Words of the upper bitmap: as many as 65,536 ports need.
const UPPER: usize = 16;

/// Which ports of a range are taken.
#[derive(Debug)]
pub(super) struct Ports {
    first: u16,
    size: u32,
    used: u32,
    /// A bit a port, set where it is taken or beyond the range.
    words: Box<[u64]>,
    /// A bit a word, set where no bit of it is clear.
    full: [u64; UPPER],
}

impl Ports {
    /// All free.
    pub(super) fn new(range: PortRange) -> Self {
        let size = Self::size_of(range);
        let mut words = vec![0; size.div_ceil(BITS) as usize].into_boxed_slice();
        if let Some(last) = words.last_mut()
            && !size.is_multiple_of(BITS)
        {
            *last = u64::MAX << (size % BITS);
        }
        let mut full = [u64::MAX; UPPER];
        for word in 0..words.len() {
            full[word / BITS as usize] &= !(1 << (word as u32 % BITS));
        }
        Self { first: range.first, size, used: 0, words, full }
    }

    /// Octets of memory for the ports of a range.
    pub(super) const fn octets_for(range: PortRange) -> usize {
        size_of::<Self>() + Self::size_of(range).div_ceil(BITS) as usize * size_of::<u64>()
    }

    /// Ports of a range.
    pub(super) const fn size_of(range: PortRange) -> u32 {
        range.last.saturating_sub(range.first) as u32 + 1
    }

    /// Ports in all.
    #[cfg(test)]
    pub(super) const fn size(&self) -> u32 {
        self.size
    }

    /// Ports taken.
    pub(super) const fn used(&self) -> u32 {
        self.used
    }

    /// Takes the first free port at or after the one that `random` points at, round the end (RFC 6056, algorithm 1). Looks
    /// at 19 words at most.
    pub(super) fn take(&mut self, random: u64) -> Option<u16> {
        let start = ((random >> 32) * u64::from(self.size)) >> 32;
        let (word, bit) = (start as u32 / BITS, start as u32 % BITS);
        let here = !*self.words.get(word as usize)?;
        let (word, free) = match here & u64::MAX << bit {
            // Where the search comes round to the word itself, its lower bits are all that is left.
            0 => {
                let word = self.next_with_room(word)?;
                (word, !*self.words.get(word as usize)?)
            }
            free => (word, free),
        };
        let bit = free.trailing_zeros();
        let entry = self.words.get_mut(word as usize)?;
        *entry |= 1_u64.checked_shl(bit)?;
        if *entry == u64::MAX {
            self.full[word as usize / BITS as usize] |= 1 << (word % BITS);
        }
        self.used += 1;
        Some(self.first + (word * BITS + bit) as u16)
    }

    /// Frees a port.
    pub(super) fn give_back(&mut self, port: u16) {
        let Some((word, bit)) = self.place(port) else { return };
        let Some(entry) = self.words.get_mut(word) else { return };
        debug_assert!(*entry & 1 << bit != 0, "a free port was given back");
        *entry &= !(1 << bit);
        self.full[word / BITS as usize] &= !(1 << (word as u32 % BITS));
        self.used -= 1;
    }

    /// The next word after `word`, round the end and up to itself, that is not full.
    fn next_with_room(&self, word: u32) -> Option<u32> {
        let (upper, bit) = (word / BITS, word % BITS);
        let after = (u64::MAX << bit) << 1;
        for step in 0..=UPPER as u32 {
            let at = (upper + step) % UPPER as u32;
            let mask = match step {
                0 => after,
                step if step == UPPER as u32 => !after,
                _ => u64::MAX,
            };
            let room = !self.full[at as usize] & mask;
            if room != 0 {
                return Some(at * BITS + room.trailing_zeros());
            }
        }
        None
    }

    fn place(&self, port: u16) -> Option<(usize, u32)> {
        let at = u32::from(port.checked_sub(self.first)?);
        (at < self.size).then_some(((at / BITS) as usize, at % BITS))
    }

    #[cfg(test)]
    pub(super) fn is_taken(&self, port: u16) -> bool {
        self.place(port).is_some_and(|(word, bit)| self.words[word] & 1 << bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The slow twin is a set: the first free port at or after the start, round the end.
        #[test]
        fn agrees_with_a_set(
            first in 0_u16..=u16::MAX,
            length in prop_oneof![0_u16..300, 0..u16::MAX],
            steps in prop::collection::vec((any::<u64>(), any::<bool>(), any::<prop::sample::Index>()), 1..400),
        ) {
            let range = PortRange { first, last: first.saturating_add(length) };
            let mut ports = Ports::new(range);
            let mut taken = BTreeSet::new();
            let size = u32::from(range.last - range.first) + 1;
            prop_assert_eq!(ports.size(), size);
            for (random, takes, index) in steps {
                if takes || taken.is_empty() {
                    let start = (((random >> 32) * u64::from(size)) >> 32) as u32;
                    let expected = (0..size)
                        .map(|step| range.first + ((start + step) % size) as u16)
                        .find(|port| !taken.contains(port));
                    prop_assert_eq!(ports.take(random), expected);
                    taken.extend(expected);
                } else {
                    let port = *taken.iter().nth(index.index(taken.len())).unwrap();
                    taken.remove(&port);
                    ports.give_back(port);
                }
                prop_assert_eq!(ports.used() as usize, taken.len());
            }
        }
    }

    #[test]
    fn every_port_is_found_and_no_more() {
        for (first, last) in [(0, u16::MAX), (1024, u16::MAX), (7, 7), (5000, 5063), (60_000, 60_100)] {
            let mut ports = Ports::new(PortRange { first, last });
            let mut seen = BTreeSet::new();
            while let Some(port) = ports.take(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seen.len() as u64 + 1)) {
                assert!((first..=last).contains(&port) && seen.insert(port));
            }
            assert_eq!(seen.len(), usize::from(last - first) + 1);
        }
    }
}
