//! In which order the tables number the rules of a policy: not in its own, but so that rules which match the same packets
//! are neighbours. What a packet's fields have in common then lies in few words of 64 rules, however many rules are about
//! other addresses, or leave one side open.
//!
//! Within a word the policy's order holds, so the first match in a word is its first in the policy as well; the first of all
//! is the lowest over the words.

use super::{AddressRange, RuleSource};

/// The place in the policy of each number.
#[derive(Debug)]
pub(super) struct Order(pub(super) Box<[u16]>);

/// Rules a word.
const WORD: usize = 64;

impl Order {
    /// For rules in the policy's order, fewer than 65,535.
    pub(super) fn of(rules: &[RuleSource]) -> Self {
        let mut places: Vec<u16> = (0..rules.len()).map(|place| place as u16).collect();
        places.sort_by_cached_key(|place| Likeness::of(&rules[usize::from(*place)]));
        places.chunks_mut(WORD).for_each(<[u16]>::sort_unstable);
        Self(places.into())
    }

    /// The rules by their numbers.
    pub(super) fn sorted<'a>(&self, rules: &'a [RuleSource]) -> Vec<&'a RuleSource> {
        self.0.iter().map(|place| &rules[usize::from(*place)]).collect()
    }

    /// Where in the policy a rule is; past all of them where there is no such number.
    #[inline]
    pub(super) fn place(&self, number: usize) -> u16 {
        self.0.get(number).copied().unwrap_or(u16::MAX)
    }

    /// The lowest place of a word's rules.
    #[inline]
    pub(super) fn lowest(&self, word: usize) -> u16 {
        self.place(word * WORD)
    }
}

/// What makes rules neighbours: which side they name more closely, how closely, and then where that is. Others stay in the
/// policy's order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Likeness {
    side: Side,
    /// Bits that are left open.
    width: u32,
    first: u128,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Source,
    Destination,
    Neither,
}

impl Likeness {
    fn of(rule: &RuleSource) -> Self {
        let (source, destination) = (width(&rule.source), width(&rule.destination));
        let (side, width, ranges) = match (source, destination) {
            (None, None) => return Self { side: Side::Neither, width: 0, first: 0 },
            (Some(width), None) => (Side::Source, width, &rule.source),
            (None, Some(width)) => (Side::Destination, width, &rule.destination),
            (Some(source), Some(destination)) if source <= destination => (Side::Source, source, &rule.source),
            (Some(_), Some(width)) => (Side::Destination, width, &rule.destination),
        };
        let first = ranges.first().map_or(0, |range| u128::from_be_bytes(range.first.0));
        Self { side, width, first }
    }
}

/// Bits that the widest of the ranges leaves open; none where there is no range, which is any address.
fn width(ranges: &[AddressRange]) -> Option<u32> {
    let bits = |range: &AddressRange| {
        let (first, last) = (u128::from_be_bytes(range.first.0), u128::from_be_bytes(range.last.0));
        u128::BITS - last.wrapping_sub(first).leading_zeros()
    };
    ranges.iter().map(bits).max()
}
