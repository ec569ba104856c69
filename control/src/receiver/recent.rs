//! What is remembered for a while, of a number of things: the oldest gives way.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use dataplane::time::Nanos;
use hashbrown::HashSet;

/// A memory of bounded size and age. Times do not run backwards.
#[derive(Debug)]
pub(super) struct Recent<K> {
    known: HashSet<K, foldhash::fast::RandomState>,
    /// In the order in which they came.
    order: VecDeque<(Nanos, K)>,
    most: usize,
    age: Duration,
}

impl<K: Copy + Eq + Hash> Recent<K> {
    /// Of so many things at most, each for so long.
    pub(super) fn new(most: usize, age: Duration) -> Self {
        Self { known: HashSet::default(), order: VecDeque::new(), most, age }
    }

    /// Whether something is remembered.
    pub(super) fn has(&mut self, now: Nanos, key: &K) -> bool {
        while self.order.front().is_some_and(|(since, _)| now.since(*since) >= self.age) {
            self.forget();
        }
        self.known.contains(key)
    }

    /// Remembers something that is not yet.
    pub(super) fn insert(&mut self, now: Nanos, key: K) {
        if self.known.insert(key) {
            self.order.push_back((now, key));
        }
        if self.order.len() > self.most {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some((_, oldest)) = self.order.pop_front() {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_and_the_many_are_forgotten() {
        let mut recent = Recent::new(3, Duration::from_nanos(10));
        (0..4).for_each(|key| recent.insert(Nanos(key), key));
        assert_eq!([0, 1, 2, 3].map(|key| recent.has(Nanos(4), &key)), [false, true, true, true]);
        assert_eq!([1, 2, 3].map(|key| recent.has(Nanos(12), &key)), [false, false, true]);
        recent.insert(Nanos(12), 3);
        assert_eq!((recent.order.len(), recent.known.len()), (1, 1));
    }
}
