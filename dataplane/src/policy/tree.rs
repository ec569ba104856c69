//! Finds which of many intervals holds a value: a static search tree whose nodes are compared as a whole, which takes a few
//! vector instructions and no branch that could be guessed wrong.
//!
//! The keys are the last value of every interval but the last one. Inner nodes have one child more than keys, so that 16
//! keys of 32 bits (a cache line) reach 83,520 intervals in four steps.

use arrayvec::ArrayVec;

/// What a tree can search.
pub(super) trait Key: Copy + Ord {
    /// Fills nodes up: nothing is greater.
    const MOST: Self;
    /// How many of a node's keys are less than a value.
    fn rank<const N: usize>(node: &[Self; N], value: Self) -> usize;
}

/// Sums in the key's own width, so that the comparison's result is added without being widened first.
macro_rules! key {
    ($type:ty) => {
        impl Key for $type {
            const MOST: Self = Self::MAX;
            fn rank<const N: usize>(node: &[Self; N], value: Self) -> usize {
                node.iter().map(|key| Self::from(*key < value)).sum::<Self>() as usize
            }
        }
    };
}
key!(u16);
key!(u32);
key!(u64);

/// A tree with `N` keys a node.
#[derive(Debug)]
pub(super) struct Tree<K, const N: usize> {
    /// The root first, then level by level; in each level from the lowest keys to the highest.
    nodes: Box<[[K; N]]>,
    /// Where each level begins.
    levels: ArrayVec<u32, LEVELS>,
}

/// With at least 8 keys a node: 9 to the power of 10 is past what a `u32` numbers.
const LEVELS: usize = 10;

impl<K: Key, const N: usize> Tree<K, N> {
    /// `lasts` in ascending order, none twice.
    pub(super) fn new(lasts: &[K]) -> Self {
        let blocks = lasts.len().div_ceil(N);
        let leaves: Vec<[K; N]> =
            (0..blocks).map(|block| node(&mut lasts[block * N..].iter().take(N).copied())).collect();
        let mut below = vec![leaves];
        // The keys that part a level's nodes are found at the leaves: `span` of these are under each node.
        let mut span = 1;
        while let Some(level) = below.last()
            && level.len() > 1
        {
            let parents = (0..level.len().div_ceil(N + 1)).map(|parent| {
                let children = (1..=N).map(|child| (parent * (N + 1) + child) * span);
                // What the leaf before ends with parts the two: a value up to it is not to go right.
                node(&mut children.take_while(|leaf| *leaf < blocks).map(|leaf| lasts[leaf * N - 1]))
            });
            let parents = parents.collect();
            span *= N + 1;
            below.push(parents);
        }
        let mut nodes = Vec::new();
        let mut levels = ArrayVec::new();
        for level in below.iter().rev().filter(|level| !level.is_empty()) {
            levels.push(nodes.len() as u32);
            nodes.extend_from_slice(level);
        }
        Self { nodes: nodes.into(), levels }
    }

    /// How many of the keys are less than a value: the number of the interval that holds it.
    #[inline]
    pub(super) fn interval(&self, value: K) -> usize {
        let Some((leaves, inner)) = self.levels.split_last() else { return 0 };
        let mut at = 0;
        for level in inner {
            at = at * (N + 1) + self.rank(*level, at, value);
        }
        at * N + self.rank(*leaves, at, value)
    }

    #[inline]
    fn rank(&self, level: u32, at: usize, value: K) -> usize {
        // A place past the last node is to the right of all keys, and never come to: what parts it is `MOST`.
        self.nodes.get(level as usize + at).map_or(0, |node| K::rank(node, value))
    }

    /// Octets that it takes.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.nodes)
    }
}

fn node<K: Key, const N: usize>(keys: &mut dyn Iterator<Item = K>) -> [K; N] {
    std::array::from_fn(|_| keys.next().unwrap_or(K::MOST))
}

/// The same over 128 bits, in two steps: the upper half, and where that is a key's, the lower.
#[derive(Debug)]
pub(super) struct WideTree {
    /// The distinct upper halves.
    upper: Tree<u64, 8>,
    halves: Box<[u64]>,
    /// How many keys have a lesser upper half; one more than halves.
    before: Box<[u32]>,
    /// The lower halves of all keys.
    lower: Box<[u64]>,
}

impl WideTree {
    /// `lasts` in ascending order, none twice.
    pub(super) fn new(lasts: &[u128]) -> Self {
        let half = |last: &u128| (last >> 64) as u64;
        let mut halves: Vec<u64> = lasts.iter().map(half).collect();
        halves.dedup();
        let before = |upper: &u64| lasts.partition_point(|last| half(last) < *upper) as u32;
        let before = halves.iter().map(before).chain([lasts.len() as u32]).collect();
        let lower = lasts.iter().map(|last| *last as u64).collect();
        Self { upper: Tree::new(&halves), halves: halves.into(), before, lower }
    }

    /// How many of the keys are less than a value.
    #[inline]
    pub(super) fn interval(&self, value: u128) -> usize {
        let (upper, lower) = ((value >> 64) as u64, value as u64);
        let at = self.upper.interval(upper);
        let Some(&before) = self.before.get(at) else { return self.lower.len() };
        let before = before as usize;
        if self.halves.get(at) != Some(&upper) {
            return before;
        }
        let after = self.before.get(at + 1).map_or(before, |after| *after as usize);
        before + self.lower.get(before..after).map_or(0, |keys| keys.partition_point(|key| *key < lower))
    }

    /// Octets that it takes.
    pub(super) fn memory(&self) -> usize {
        self.upper.memory() + size_of_val(&*self.halves) + size_of_val(&*self.before) + size_of_val(&*self.lower)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agree<K: Key + std::fmt::Debug, const N: usize>(lasts: &[K], value: K) {
        let tree = Tree::<K, N>::new(lasts);
        assert_eq!(tree.interval(value), lasts.partition_point(|last| *last < value), "{value:?}");
    }

    #[test]
    fn every_size_up_to_three_levels_is_searched_right() {
        for size in (0u32..700).chain([4_912, 4_913, 5_000]) {
            let lasts: Vec<u32> = (0..size).map(|key| key * 2 + 1).collect();
            let tree = Tree::<u32, 16>::new(&lasts);
            let small = Tree::<u32, 2>::new(&lasts);
            for value in (0..=size * 2 + 2).chain([u32::MAX - 1, u32::MAX]) {
                let expected = lasts.partition_point(|last| *last < value);
                assert_eq!((tree.interval(value), small.interval(value)), (expected, expected), "{size} {value}");
            }
        }
    }

    proptest! {
        #[test]
        fn narrow_trees_agree_with_a_binary_search(
            lasts in prop::collection::btree_set(any::<u16>(), 0..300),
            value: u16,
        ) {
            let lasts: Vec<u16> = lasts.into_iter().collect();
            agree::<u16, 32>(&lasts, value);
            for value in lasts.iter().flat_map(|last| [last.saturating_sub(1), *last, last.saturating_add(1)]) {
                agree::<u16, 32>(&lasts, value);
            }
        }

        #[test]
        fn wide_trees_agree_with_a_binary_search(
            lasts in prop::collection::btree_set((0u64..40, prop_oneof![0u64..9, u64::MAX - 3..=u64::MAX]), 0..300),
        ) {
            let value = |(upper, lower): &(u64, u64)| u128::from(*upper) << 64 | u128::from(*lower);
            let lasts: Vec<u128> = lasts.iter().map(value).collect();
            let tree = WideTree::new(&lasts);
            let near = lasts.iter().flat_map(|last| [last.saturating_sub(1), *last, last + 1, last + (1 << 64)]);
            for value in near.chain([0, u128::MAX]) {
                prop_assert_eq!(tree.interval(value), lasts.partition_point(|last| *last < value));
            }
        }
    }
}
