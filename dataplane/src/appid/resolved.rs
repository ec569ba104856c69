//! Which application an address was just resolved for: a flow to it is then likely that application's.
//!
//! One table for all workers, as the answer is seen by one and the flow that follows by another. A lookup reads two words, a
//! new answer writes two; nobody waits for anybody. A word that two workers write at once is noticed by the print in it, and
//! is then no entry: the table is a hint, and may forget.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;
use sigdb::{AppId, Resolved};

use crate::endpoint::Address;
use crate::flow::Realm;
use crate::time::Nanos;

/// Answers by who asked, where, and for which address.
#[derive(Debug)]
pub struct ResolvedTable {
    buckets: Box<[Bucket]>,
    /// Keyed at random, so that nobody can choose addresses that fall together.
    hasher: RandomState,
}

/// Entries that a key may stand in: one cache line of keys, one of values.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    keys: [AtomicU64; WAYS],
    values: [AtomicU64; WAYS],
}

const WAYS: usize = 8;
/// Clients use an address somewhat longer than they may, and connect again to one that they have.
const LEAST_SECONDS: u32 = 300;
const MOST_SECONDS: u32 = 3600;

/// What stands in a value: when it ends, whose it is, and a print of the key that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    until: u32,
    application: AppId,
}

impl Entry {
    fn word(self, key: u64) -> u64 {
        u64::from(self.until) << 32 | u64::from(self.application.0) << 16 | key >> 48
    }

    /// None where the value belongs to another key.
    fn of(word: u64, key: u64) -> Option<Self> {
        let entry = Self { until: (word >> 32) as u32, application: AppId((word >> 16) as u16) };
        (entry.word(key) == word).then_some(entry)
    }
}

impl ResolvedTable {
    /// A table of at least so many answers, taking 16 octets each; of none where `entries` is 0.
    pub fn new(entries: usize) -> Self {
        let buckets = if entries == 0 { 0 } else { entries.div_ceil(WAYS).next_power_of_two() };
        Self {
            buckets: std::iter::repeat_with(Bucket::default).take(buckets).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Takes an answer that `client` got. One for [`AppId::UNKNOWN`] makes an address that was an application's nobody's.
    pub fn learn(&self, now: Nanos, client: &Address, realm: Realm, resolved: &Resolved) {
        let Some((bucket, key)) = self.place(client, realm, &Address(resolved.address)) else { return };
        let now = seconds(now);
        let until = now.saturating_add(resolved.seconds.clamp(LEAST_SECONDS, MOST_SECONDS));
        let own = bucket.keys.iter().position(|one| one.load(Ordering::Relaxed) == key);
        let place = match own {
            Some(place) => place,
            None if resolved.application == AppId::UNKNOWN => return,
            None => bucket.ends_first(),
        };
        let (Some(own), Some(value)) = (bucket.keys.get(place), bucket.values.get(place)) else { return };
        // Until the value is there, there is no key that it could be taken for.
        own.store(0, Ordering::Release);
        value.store(Entry { until, application: resolved.application }.word(key), Ordering::Release);
        own.store(key, Ordering::Release);
    }

    /// The application for which `client` was given the address of `server` lately.
    pub fn find(&self, now: Nanos, client: &Address, realm: Realm, server: &Address) -> Option<AppId> {
        let (bucket, key) = self.place(client, realm, server)?;
        let place = bucket.keys.iter().position(|one| one.load(Ordering::Acquire) == key)?;
        let entry = Entry::of(bucket.values.get(place)?.load(Ordering::Acquire), key)?;
        (entry.until > seconds(now) && entry.application != AppId::UNKNOWN).then_some(entry.application)
    }

    fn place(&self, client: &Address, realm: Realm, server: &Address) -> Option<(&Bucket, u64)> {
        let hash = self.hasher.hash_one((client.0, realm, server.0));
        let bucket = self.buckets.get(hash as usize & self.buckets.len().wrapping_sub(1))?;
        // Zero is an empty place; of its 64 bits none is needed for that.
        Some((bucket, hash.max(1)))
    }
}

impl Bucket {
    /// An empty place, or that whose answer ends first.
    fn ends_first(&self) -> usize {
        let until = |place: &usize| {
            let empty = self.keys[*place].load(Ordering::Relaxed) == 0;
            if empty { 0 } else { self.values[*place].load(Ordering::Relaxed) >> 32 }
        };
        (0..WAYS).min_by_key(until).unwrap_or(0)
    }
}

/// Whole seconds, as the values count them; the year 2106 is their last.
fn seconds(now: Nanos) -> u32 {
    (now.0 / 1_000_000_000) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> Address {
        Address([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last])
    }

    fn at(seconds: u64) -> Nanos {
        Nanos::from_parts(1_000_000 + seconds, 0)
    }

    fn answer(application: u16, last: u8, seconds: u32) -> Resolved {
        Resolved { application: AppId(application), address: address(last).0, seconds }
    }

    #[test]
    fn an_answer_holds_for_its_time_and_its_client() {
        let table = ResolvedTable::new(64);
        let realm = Realm::new(0, 0, 7);
        table.learn(at(0), &address(1), realm, &answer(3, 9, 600));
        let find = |now, client, realm, server| table.find(at(now), &address(client), realm, &address(server));
        assert_eq!(find(599, 1, realm, 9), Some(AppId(3)));
        assert_eq!(find(600, 1, realm, 9), None);
        assert_eq!(find(0, 2, realm, 9), None);
        assert_eq!(find(0, 1, Realm::default(), 9), None);
        assert_eq!(find(0, 1, realm, 8), None);
    }

    #[test]
    fn short_answers_are_kept_a_while_and_long_ones_no_longer_than_an_hour() {
        let table = ResolvedTable::new(64);
        table.learn(at(0), &address(1), Realm::default(), &answer(3, 9, 0));
        table.learn(at(0), &address(1), Realm::default(), &answer(4, 8, u32::MAX));
        let find = |now, server| table.find(at(now), &address(1), Realm::default(), &address(server));
        assert_eq!((find(299, 9), find(300, 9)), (Some(AppId(3)), None));
        assert_eq!((find(3599, 8), find(3600, 8)), (Some(AppId(4)), None));
    }

    #[test]
    fn an_address_that_others_share_is_nobodys() {
        let table = ResolvedTable::new(64);
        table.learn(at(0), &address(1), Realm::default(), &answer(3, 9, 600));
        table.learn(at(1), &address(1), Realm::default(), &answer(0, 9, 600));
        assert_eq!(table.find(at(1), &address(1), Realm::default(), &address(9)), None);
        table.learn(at(2), &address(1), Realm::default(), &answer(3, 9, 600));
        assert_eq!(table.find(at(2), &address(1), Realm::default(), &address(9)), Some(AppId(3)));
    }

    #[test]
    fn a_table_of_none_knows_nothing() {
        let table = ResolvedTable::new(0);
        table.learn(at(0), &address(1), Realm::default(), &answer(3, 9, 600));
        assert_eq!(table.find(at(0), &address(1), Realm::default(), &address(9)), None);
    }

    #[test]
    fn what_ends_first_gives_way() {
        let table = ResolvedTable::new(WAYS);
        for last in 0..=WAYS as u8 {
            table.learn(at(0), &address(1), Realm::default(), &answer(3, last, 2000 - u32::from(last)));
        }
        let known = |last| table.find(at(0), &address(1), Realm::default(), &address(last)).is_some();
        assert_eq!((0..=WAYS as u8).filter(|last| !known(*last)).collect::<Vec<_>>(), [WAYS as u8 - 1]);
    }

    #[test]
    fn workers_that_write_at_once_never_mix_answers() {
        let table = ResolvedTable::new(WAYS);
        std::thread::scope(|scope| {
            for worker in 0..3_u8 {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..20_000_u32 {
                        let last = (round % 23) as u8 + worker;
                        table.learn(at(0), &address(1), Realm::default(), &answer(u16::from(last) + 100, last, 600));
                        if let Some(application) = table.find(at(0), &address(1), Realm::default(), &address(last)) {
                            assert_eq!(application, AppId(u16::from(last) + 100));
                        }
                    }
                });
            }
        });
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((0..2000_u64, 0..3_u8, 0..8_u8, 0..4_u16, 0..2000_u32), 1..60)) {
            // Large enough that nothing gives way.
            let table = ResolvedTable::new(4096);
            let mut plain: HashMap<(u8, u8), (u64, u16)> = HashMap::new();
            let mut now = 0;
            for (later, client, server, application, seconds) in steps {
                now += later / 10;
                let (realm, key) = (Realm::default(), (client, server));
                table.learn(at(now), &address(client), realm, &answer(application, server, seconds));
                if application != 0 || plain.contains_key(&key) {
                    plain.insert(key, (now + u64::from(seconds.clamp(LEAST_SECONDS, MOST_SECONDS)), application));
                }
                for (&(client, server), &(until, application)) in &plain {
                    let expected = (until > now && application != 0).then_some(AppId(application));
                    prop_assert_eq!(table.find(at(now), &address(client), realm, &address(server)), expected);
                }
            }
        }
    }
}
