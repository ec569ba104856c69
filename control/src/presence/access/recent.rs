//! What is remembered for a while, of a number of things: the oldest gives way.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use dataplane::time::Nanos;
use hashbrown::HashMap;

/// A memory of bounded size and age.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    known: HashMap<K, (u64, Nanos, V), foldhash::fast::RandomState>,
    /// In the order in which they came, those too that another took the place of.
    order: VecDeque<(u64, K)>,
    number: u64,
    most: usize,
    age: Duration,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    /// Of so many things at most, each for so long.
    pub(super) fn new(most: usize, age: Duration) -> Self {
        Self { known: HashMap::default(), order: VecDeque::new(), number: 0, most, age }
    }

    /// Takes something up, in the place of what was there by that name.
    pub(super) fn insert(&mut self, now: Nanos, key: K, value: V) {
        self.number += 1;
        self.known.insert(key, (self.number, now, value));
        self.order.push_back((self.number, key));
        // Two a turn: what is too old goes sooner than it comes.
        for _ in 0..2 {
            let Some((number, oldest)) = self.order.front().copied() else { break };
            let current = self.known.get(&oldest).filter(|(known, ..)| *known == number);
            let is_fresh = current.is_some_and(|(_, since, _)| now.since(*since) < self.age);
            if is_fresh && self.order.len() <= self.most {
                break;
            }
            if current.is_some() {
                self.known.remove(&oldest);
            }
            self.order.pop_front();
        }
    }

    /// What is remembered by a name.
    pub(super) fn get(&self, now: Nanos, key: &K) -> Option<&V> {
        let (_, since, value) = self.known.get(key)?;
        (now.since(*since) < self.age).then_some(value)
    }

    /// Whether something is new by its name; it is remembered then.
    pub(super) fn is_new(&mut self, now: Nanos, key: K, value: V) -> bool {
        let is_new = self.get(now, &key).is_none();
        if is_new {
            self.insert(now, key, value);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_and_the_many_are_forgotten() {
        let mut recent = Recent::new(3, Duration::from_nanos(10));
        for (now, key) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
            recent.insert(Nanos(now), key, now);
        }
        assert_eq!([1, 2, 3, 4].map(|key| recent.get(Nanos(4), &key).copied()), [None, Some(1), Some(2), Some(3)]);
        assert_eq!(recent.get(Nanos(11), &2), None);
        for now in 0..1_000 {
            recent.insert(Nanos(now), 9, now);
        }
        assert!(recent.order.len() <= 3, "{}", recent.order.len());
        assert_eq!(recent.get(Nanos(1_000), &9), Some(&999));
        assert!(!recent.is_new(Nanos(1_005), 9, 0) && recent.is_new(Nanos(2_000), 9, 0));
    }
}
