//! Twelve tags of 16 bits compared with one at a time.

/// Words of tags, four in each, the first lowest.
pub(super) const WORDS: usize = 3;

/// The tags that are equal to one: a bit each, the first lowest.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn equal(words: &[u64; WORDS], tag: u16) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi16, _mm_movemask_epi8, _mm_packs_epi16, _mm_set_epi64x, _mm_set1_epi16};
    let [first, second, third] = words.map(u64::cast_signed);
    // SAFETY: SSE2 is part of every x86-64; nothing here touches memory.
    let equal = unsafe {
        let tags = _mm_set1_epi16(tag.cast_signed());
        let lower = _mm_cmpeq_epi16(_mm_set_epi64x(second, first), tags);
        let upper = _mm_cmpeq_epi16(_mm_set_epi64x(0, third), tags);
        // Each lane is 0 or -1, and stays so in an octet.
        _mm_movemask_epi8(_mm_packs_epi16(lower, upper))
    };
    equal.cast_unsigned() & ALL
}

/// The same where there are no vectors.
#[cfg(not(target_arch = "x86_64"))]
pub(super) use self::one_by_one as equal;

/// The same, tag by tag.
#[cfg(any(test, not(target_arch = "x86_64")))]
pub(super) fn one_by_one(words: &[u64; WORDS], tag: u16) -> u32 {
    let tags = words.iter().flat_map(|word| [0, 16, 32, 48].map(|shift| (word >> shift) as u16));
    tags.enumerate().fold(0, |equal, (at, other)| equal | u32::from(other == tag) << at)
}

/// The bits of all tags.
const ALL: u32 = (1 << (4 * WORDS)) - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tags_are_compared_as_one_by_one(words: [u64; WORDS], value: u16, same: u16) {
            let alike = |at: usize| {
                (0..4).filter(|lane| same >> (4 * at + lane) & 1 == 1).map(|lane| 0xffff << (16 * lane)).sum::<u64>()
            };
            let tags = u64::from(value) * 0x0001_0001_0001_0001;
            let words: [u64; WORDS] = std::array::from_fn(|at| words[at] & !alike(at) | tags & alike(at));
            let equal = equal(&words, value);
            prop_assert_eq!(equal, one_by_one(&words, value));
            prop_assert_eq!(equal & u32::from(same), u32::from(same) & ALL);
        }
    }
}
