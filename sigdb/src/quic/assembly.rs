//! A stream's first octets, put together from parts in any order.

use arrayvec::ArrayVec;

use crate::program::WINDOW;

/// Separate parts that are remembered. Browsers cut a hello into some ten parts to keep middleboxes from reading it.
const PARTS: usize = 32;

/// The octets that are here. Where parts overlap, those that came first stand; RFC 9000, 2.2, has both equal.
#[derive(Clone, Debug)]
pub(super) struct Assembly {
    octets: [u8; WINDOW],
    /// Apart from each other, in order.
    parts: ArrayVec<(u16, u16), PARTS>,
}

impl Default for Assembly {
    fn default() -> Self {
        Self { octets: [0; WINDOW], parts: ArrayVec::new() }
    }
}

impl Assembly {
    pub(super) fn clear(&mut self) {
        self.parts.clear();
    }

    /// The octets from the first on, up to the first hole.
    pub(super) fn front(&self) -> &[u8] {
        match self.parts.first() {
            Some(&(0, end)) => &self.octets[..usize::from(end)],
            _ => &[],
        }
    }

    /// Takes a part; what lies behind the window is left out, and a part that makes too many of them altogether.
    pub(super) fn put(&mut self, at: u64, part: &[u8]) {
        let Ok(first) = usize::try_from(at) else { return };
        let end = first.saturating_add(part.len()).min(WINDOW);
        if first >= end {
            return;
        }
        let mut joined = (first, end);
        let mut kept = ArrayVec::<(u16, u16), PARTS>::new();
        let mut place = first;
        for &(from, to) in &self.parts {
            let (from, to) = (usize::from(from), usize::from(to));
            if from > end || to < first {
                continue;
            }
            joined = (joined.0.min(from), joined.1.max(to));
        }
        let apart = |&&(from, to): &&(u16, u16)| usize::from(from) > joined.1 || usize::from(to) < joined.0;
        if self.parts.iter().filter(apart).count() >= PARTS {
            return;
        }
        // Write between what is here already.
        for &(from, to) in &self.parts {
            let (from, to) = (usize::from(from), usize::from(to));
            if place < from.min(end) {
                let stop = from.min(end);
                self.octets[place..stop].copy_from_slice(&part[place - first..stop - first]);
            }
            place = place.max(to.min(end));
        }
        if place < end {
            self.octets[place..end].copy_from_slice(&part[place - first..end - first]);
        }
        let joined = (joined.0 as u16, joined.1 as u16);
        let (before, after) = (|part: &(u16, u16)| part.1 < joined.0, |part: &(u16, u16)| part.0 > joined.1);
        kept.extend(self.parts.iter().copied().filter(before));
        let _ = kept.try_push(joined);
        for part in self.parts.iter().copied().filter(after) {
            let _ = kept.try_push(part);
        }
        self.parts = kept;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_an_array_of_options(parts in prop::collection::vec((0..5000_u64, 0..600_usize, any::<u8>()), 0..24)) {
            let mut assembly = Assembly::default();
            let mut plain = vec![None; WINDOW];
            for (at, length, octet) in parts {
                assembly.put(at, &vec![octet; length]);
                for place in plain.iter_mut().skip(at as usize).take(length) {
                    place.get_or_insert(octet);
                }
            }
            let front: Vec<u8> = plain.into_iter().map_while(|octet| octet).collect();
            prop_assert_eq!(assembly.front(), &front[..]);
        }
    }

    #[test]
    fn too_many_parts_are_not_taken() {
        let mut assembly = Assembly::default();
        for n in 0..100 {
            assembly.put(4 * n + 2, &[1, 2]);
        }
        assert_eq!(assembly.parts.len(), PARTS);
        assembly.put(0, &[9; 4 * PARTS]);
        assert_eq!(assembly.front().len(), 4 * PARTS);
        assembly.put(u64::MAX, &[1]);
    }
}
