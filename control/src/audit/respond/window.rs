//! How often something happened of late, apart for each of those whom it is about.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use dataplane::time::Nanos;

/// Keys that are counted apart; whoever was silent the longest gives way.
pub const KEYS: usize = 1_024;

/// Counts within a time that slides.
#[derive(Debug)]
pub struct Window<K> {
    count: usize,
    within: Duration,
    keys: HashMap<K, VecDeque<Nanos>>,
}

impl<K: Eq + Hash + Clone> Window<K> {
    /// Full where it happened `count` times (one at least) within that time.
    pub fn new(count: u32, within: Duration) -> Self {
        Self { count: count.max(1) as usize, within, keys: HashMap::new() }
    }

    /// It happened; says whether it has now happened so often. Then the count begins again.
    pub fn happened(&mut self, key: &K, now: Nanos) -> bool {
        if !self.keys.contains_key(key) && self.keys.len() >= KEYS {
            self.make_room();
        }
        let times = self.keys.entry(key.clone()).or_default();
        while times.front().is_some_and(|first| now.since(*first) > self.within) {
            times.pop_front();
        }
        times.push_back(now);
        let is_full = times.len() >= self.count;
        if is_full {
            self.keys.remove(key);
        }
        is_full
    }

    fn make_room(&mut self) {
        let oldest = self.keys.iter().min_by_key(|(_, times)| times.back().copied());
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.keys.remove(&key);
        }
    }
}

/// How often something may be done.
#[derive(Debug)]
pub struct Rate {
    most: usize,
    within: Duration,
    done: VecDeque<Nanos>,
    /// How often it was not done since it was done last.
    refused: u64,
}

impl Rate {
    /// So often within that time.
    pub fn new((most, within): (u32, Duration)) -> Self {
        Self { most: most as usize, within, done: VecDeque::new(), refused: 0 }
    }

    /// Whether it may be done now: how often it was refused since the last time, or as an error that it is refused, and how
    /// often now.
    pub fn ask(&mut self, now: Nanos) -> Result<u64, u64> {
        while self.done.front().is_some_and(|first| now.since(*first) > self.within) {
            self.done.pop_front();
        }
        if self.done.len() >= self.most {
            self.refused += 1;
            return Err(self.refused);
        }
        self.done.push_back(now);
        Ok(std::mem::take(&mut self.refused))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(seconds: u64) -> Nanos {
        Nanos::from_parts(seconds, 0)
    }

    #[test]
    fn three_within_a_minute_are_three() {
        let mut window = Window::new(3, Duration::from_secs(60));
        assert_eq!(
            [0, 30, 61, 90, 91, 92].map(|second| window.happened(&"a", at(second))),
            [false, false, false, true, false, false]
        );
        assert!(window.happened(&"a", at(93)) && !window.happened(&"b", at(93)));
    }

    #[test]
    fn a_rate_says_what_it_refused() {
        let mut rate = Rate::new((1, Duration::from_secs(60)));
        assert_eq!([0, 1, 2, 61, 62].map(|second| rate.ask(at(second))), [Ok(0), Err(1), Err(2), Ok(2), Err(1)]);
    }

    #[test]
    fn keys_are_bounded_and_the_silent_give_way() {
        let mut window = Window::new(2, Duration::from_secs(1_000_000));
        (0..2 * KEYS).for_each(|key| assert!(!window.happened(&key, at(key as u64))));
        assert_eq!(window.keys.len(), KEYS);
        assert!(!window.happened(&0, at(9_999)) && window.happened(&(2 * KEYS - 1), at(9_999)));
    }

    proptest! {
        /// The twin remembers everything.
        #[test]
        fn it_counts_as_its_slow_twin(
            steps in prop::collection::vec((0..3_u8, 0..40_u64), 0..200), count in 1..5_u32, within in 1..100_u64,
        ) {
            let span = Duration::from_secs(within);
            let mut window = Window::new(count, span);
            let (mut now, mut happened) = (0, Vec::<(u8, u64)>::new());
            for (key, step) in steps {
                now += step;
                happened.push((key, now));
                let recent = happened.iter().filter(|(other, time)| *other == key && now - time <= within).count();
                let expected = recent >= count as usize;
                if expected {
                    happened.retain(|(other, _)| *other != key);
                }
                prop_assert_eq!(window.happened(&key, at(now)), expected);
            }
        }
    }
}
