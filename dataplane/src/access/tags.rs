//! Which users and groups that rules name are at an address: one table for all workers.
//!
//! Control alone writes it, as users come and go; a worker reads it where it judges a flow. Nobody waits for anybody: an entry
//! is there from the one store that publishes it to the one that takes it away, and a reader that is overtaken between the
//! two looks at a word that says so. Unlike a hint it is exact: who is in it is found, and nobody else.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, PoisonError};

use foldhash::quality::RandomState;

use crate::endpoint::Address;
use crate::flow::Realm;

/// An address, or the prefix of some, and where it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagPlace {
    /// Outer and inner VLAN id, 0 where there is none; none: in whatever VLANs, behind those that are named.
    pub vlans: Option<(u16, u16)>,
    /// The address; of a prefix with zeroes after it.
    pub address: Address,
    /// Bits of a prefix of IPv6; 128 of an address, of IPv4 too.
    pub bits: u8,
}

impl TagPlace {
    /// The place of an address.
    pub const fn host(vlans: Option<(u16, u16)>, address: Address) -> Self {
        Self { vlans, address, bits: Self::HOST }
    }

    /// The place of the prefix that an address is in.
    pub fn prefix(vlans: Option<(u16, u16)>, address: Address, bits: u8) -> Self {
        let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(Self::HOST))).unwrap_or(0);
        let address = Address((u128::from_be_bytes(address.0) & mask).to_be_bytes());
        Self { vlans, address, bits: bits.min(Self::HOST) }
    }

    const HOST: u8 = 128;

    /// All of it in three words.
    fn words(self) -> [u64; 3] {
        let value = u128::from_be_bytes(self.address.0);
        let vlans = self.vlans.map_or(ANYWHERE, |(outer, inner)| u64::from(outer) << 24 | u64::from(inner) << 8);
        [(value >> 64) as u64, value as u64, vlans | u64::from(self.bits)]
    }
}

/// In place of VLAN ids.
const ANYWHERE: u64 = 1 << 48;

/// Who is where, as labels: bits of which each stands for a user or a group that some rule names.
#[derive(Debug)]
pub struct UserTags {
    buckets: Box<[Bucket]>,
    /// Keyed at random, so that nobody can choose addresses that fall together.
    hasher: RandomState,
    /// A bit for each length, below 128, of which there is a prefix.
    lengths: [AtomicU64; 2],
    entries: AtomicUsize,
    /// Control's own. No worker takes it.
    writer: Mutex<Writer>,
}

/// What only the writer needs to know.
#[derive(Debug)]
struct Writer {
    /// Prefixes by length.
    prefixes: [u32; 128],
}

/// Entries that a place may stand in, in either of two buckets: a cache line of heads, and half a line for each body.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    heads: [AtomicU64; WAYS],
    bodies: [Body; WAYS],
}

#[derive(Debug, Default)]
struct Body {
    place: [AtomicU64; 3],
    labels: AtomicU64,
}

const WAYS: usize = 8;

/// Of a head: the print of the place that stands there, and whether one does. Above that, how often the entry was another's.
const PRINT: u64 = 0x3f_ffff;
const TAKEN: u64 = PRINT + 1;
const TURN: u64 = TAKEN << 1;

/// Lengths of prefixes that are looked for, the longest first, as control's table of users does.
const LENGTHS: usize = 8;

impl UserTags {
    /// Labels at most.
    pub const LABELS: usize = 63;
    /// Beside the labels: a person is signed on there, and nobody whom less is known of counts. An entry that has it may
    /// have no label.
    pub const PERSON: u64 = 1 << Self::LABELS;

    /// For so many users, each with three places at most; of those without a person only who has a label counts.
    pub fn new(users: usize) -> Self {
        Self {
            buckets: std::iter::repeat_with(Bucket::default).take(Self::buckets_for(users)).collect(),
            hasher: RandomState::default(),
            lengths: Default::default(),
            entries: AtomicUsize::new(0),
            writer: Mutex::new(Writer { prefixes: [0; 128] }),
        }
    }

    /// Octets that it takes.
    pub fn octets_for(users: usize) -> usize {
        Self::buckets_for(users) * size_of::<Bucket>()
    }

    /// Of one place each a bucket of eight then has two at most, of three six: with two to choose from, none is full.
    fn buckets_for(users: usize) -> usize {
        users.max(WAYS).div_ceil(2).next_power_of_two()
    }

    /// Who is there from now on: labels, with [`Self::PERSON`] or without; 0: nobody. False where there is no room, which at
    /// the number of users that it was made for does not happen by chance: then nobody is there.
    pub fn set(&self, place: TagPlace, labels: u64) -> bool {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (words, hash) = self.words(place);
        let found = self.find(words, hash);
        match (found, labels) {
            (Some((bucket, way)), 0) => {
                let head = &bucket.heads[way];
                head.store((head.load(Ordering::Relaxed) & !(TAKEN | PRINT)) + TURN, Ordering::Release);
                self.entries.fetch_sub(1, Ordering::Relaxed);
                self.count(&mut writer, place.bits, false);
            }
            (None, 0) => {}
            (Some((bucket, way)), labels) => bucket.bodies[way].labels.store(labels, Ordering::Release),
            (None, labels) => {
                let Some((bucket, way)) = self.free(hash) else { return false };
                let (head, body) = (&bucket.heads[way], &bucket.bodies[way]);
                let turn = head.load(Ordering::Relaxed);
                // Who has seen the entry before finds its head changed if it sees any of this.
                fence(Ordering::Release);
                for (word, value) in body.place.iter().zip(words) {
                    word.store(value, Ordering::Relaxed);
                }
                body.labels.store(labels, Ordering::Relaxed);
                self.count(&mut writer, place.bits, true);
                head.store(turn | TAKEN | print(hash), Ordering::Release);
                self.entries.fetch_add(1, Ordering::Relaxed);
            }
        }
        true
    }

    /// The labels at an address: of the person who is signed on in these VLANs, else of one who is anywhere; where there is
    /// no person, of the host that is found first. An address comes before the prefixes that it is in, the longest first.
    pub fn labels(&self, realm: Realm, address: Address) -> u64 {
        let mut host = 0;
        for vlans in [Some((realm.svlan(), realm.cvlan())), None] {
            let prefixes = self.prefixes(address).map(|bits| TagPlace::prefix(vlans, address, bits));
            for place in std::iter::once(TagPlace::host(vlans, address)).chain(prefixes) {
                let Some(labels) = self.at(place) else { continue };
                if labels & Self::PERSON != 0 {
                    return labels & !Self::PERSON;
                }
                if host == 0 {
                    host = labels;
                }
            }
        }
        host
    }

    /// What was set at a place, if anything.
    pub fn at(&self, place: TagPlace) -> Option<u64> {
        let (words, hash) = self.words(place);
        let (bucket, way) = self.find(words, hash)?;
        let head = bucket.heads[way].load(Ordering::Acquire);
        let labels = bucket.bodies[way].labels.load(Ordering::Relaxed);
        let is_it = head & (TAKEN | PRINT) == TAKEN | print(hash) && holds(&bucket.bodies[way], words);
        fence(Ordering::Acquire);
        // Where it was taken away in between, there was a moment when nobody was there.
        (is_it && bucket.heads[way].load(Ordering::Relaxed) == head).then_some(labels)
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lengths of prefixes that an address may be in.
    fn prefixes(&self, address: Address) -> impl Iterator<Item = u8> {
        let load = |word: &AtomicU64| if address.is_v4() { 0 } else { word.load(Ordering::Acquire) };
        let [low, high] = &self.lengths;
        let mut left = u128::from(load(high)) << 64 | u128::from(load(low));
        let next = move || {
            let bits = left.checked_ilog2()? as u8;
            left &= !(1 << bits);
            Some(bits)
        };
        std::iter::from_fn(next).take(LENGTHS)
    }

    /// A length is there as long as there is a prefix of it.
    fn count(&self, writer: &mut Writer, bits: u8, comes: bool) {
        let Some(count) = writer.prefixes.get_mut(usize::from(bits)) else { return };
        let word = &self.lengths[usize::from(bits) / 64];
        if comes {
            *count += 1;
            word.fetch_or(1 << (bits % 64), Ordering::Release);
        } else {
            *count -= 1;
            if *count == 0 {
                word.fetch_and(!(1 << (bits % 64)), Ordering::Release);
            }
        }
    }

    fn words(&self, place: TagPlace) -> ([u64; 3], u64) {
        let words = place.words();
        (words, self.hasher.hash_one(words))
    }

    /// Both buckets that a hash may stand in.
    fn buckets(&self, hash: u64) -> impl Iterator<Item = &Bucket> {
        let mask = self.buckets.len() - 1;
        [hash as usize, (hash >> 21) as usize].into_iter().filter_map(move |place| self.buckets.get(place & mask))
    }

    fn find(&self, words: [u64; 3], hash: u64) -> Option<(&Bucket, usize)> {
        let print = TAKEN | print(hash);
        self.buckets(hash).find_map(|bucket| {
            let is_it = |way: &usize| {
                let head = bucket.heads[*way].load(Ordering::Acquire);
                head & (TAKEN | PRINT) == print && holds(&bucket.bodies[*way], words)
            };
            (0..WAYS).find(is_it).map(|way| (bucket, way))
        })
    }

    /// A free entry in the emptier of both buckets.
    fn free(&self, hash: u64) -> Option<(&Bucket, usize)> {
        let is_free = |head: &AtomicU64| head.load(Ordering::Relaxed) & TAKEN == 0;
        let room = |bucket: &&Bucket| bucket.heads.iter().filter(|head| is_free(head)).count();
        let bucket = self.buckets(hash).max_by_key(room)?;
        let way = bucket.heads.iter().position(is_free)?;
        Some((bucket, way))
    }
}

fn holds(body: &Body, words: [u64; 3]) -> bool {
    body.place.iter().zip(words).all(|(word, value)| word.load(Ordering::Relaxed) == value)
}

/// What a head keeps of a hash.
fn print(hash: u64) -> u64 {
    hash >> 42 & PRINT
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;

    fn v4(last: u8) -> Address {
        Address::v4([10, 0, 0, last])
    }

    fn v6(network: u8, host: u8) -> Address {
        let mut octets = [0; 16];
        (octets[0], octets[1], octets[5], octets[15]) = (0x20, 1, network, host);
        Address(octets)
    }

    const PERSON: u64 = UserTags::PERSON;

    #[test]
    fn vlans_come_before_anywhere_and_persons_before_hosts() {
        let tags = UserTags::new(100);
        let (ours, others) = (Realm::new(3, 100, 7), Realm::new(3, 100, 8));
        tags.set(TagPlace::host(None, v4(1)), 0b1 | PERSON);
        assert_eq!((tags.labels(ours, v4(1)), tags.labels(ours, v4(2))), (0b1, 0));
        // A host's name is only of use where no person is known, in these VLANs or anywhere.
        tags.set(TagPlace::host(Some((100, 7)), v4(1)), 0b10);
        assert_eq!(tags.labels(ours, v4(1)), 0b1);
        tags.set(TagPlace::host(Some((100, 7)), v4(1)), 0b100 | PERSON);
        assert_eq!((tags.labels(ours, v4(1)), tags.labels(others, v4(1))), (0b100, 0b1));
        // Who has no label is there nonetheless.
        tags.set(TagPlace::host(Some((100, 7)), v4(1)), PERSON);
        assert_eq!((tags.labels(ours, v4(1)), tags.len()), (0, 2));
        tags.set(TagPlace::host(None, v4(1)), 0);
        tags.set(TagPlace::host(Some((100, 7)), v4(1)), 0b10);
        assert_eq!((tags.labels(ours, v4(1)), tags.labels(others, v4(1)), tags.len()), (0b10, 0, 1));
    }

    #[test]
    fn the_longest_prefix_counts_and_is_gone_with_its_last_user() {
        let tags = UserTags::new(100);
        let prefix = |bits| TagPlace::prefix(None, v6(1, 0), bits);
        tags.set(prefix(48), 0b1 | PERSON);
        tags.set(prefix(56), 0b10 | PERSON);
        tags.set(TagPlace::host(None, v6(1, 9)), 0b100 | PERSON);
        let labels = |address| tags.labels(Realm::default(), address);
        assert_eq!((labels(v6(1, 9)), labels(v6(1, 8)), labels(v6(2, 8))), (0b100, 0b10, 0));
        tags.set(prefix(56), 0);
        assert_eq!((labels(v6(1, 8)), tags.prefixes(v6(1, 8)).count()), (0b1, 1));
        tags.set(prefix(48), 0);
        assert_eq!((labels(v6(1, 8)), tags.prefixes(v6(1, 8)).count(), tags.len()), (0, 0, 1));
    }

    #[test]
    fn as_many_as_it_was_made_for_have_room() {
        const USERS: u32 = 4_000;
        let tags = UserTags::new(USERS as usize);
        let place = |user: u32, which: u8| TagPlace::host(None, v6(which, 0)).words()[0] | u64::from(user);
        let place = |user, which| TagPlace::host(None, Address((u128::from(place(user, which)) << 32).to_be_bytes()));
        for user in 0..USERS {
            for which in 0..3 {
                assert!(tags.set(place(user, which), PERSON | u64::from(user)), "{user}");
            }
        }
        assert_eq!(tags.len(), 3 * USERS as usize);
        for user in 0..USERS {
            assert_eq!(tags.at(place(user, 1)), Some(PERSON | u64::from(user)));
        }
        assert_eq!(UserTags::octets_for(100_000), 20 << 20);
    }

    #[test]
    fn who_stays_is_always_found_while_others_come_and_go() {
        let tags = UserTags::new(WAYS);
        let place = |host: u8| TagPlace::host(None, v4(host));
        let labels = |host: u8, round: u64| PERSON | u64::from(host) << 40 | round & 0xff;
        tags.set(place(1), labels(1, 0));
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !ended.load(Ordering::Relaxed) {
                        for host in 1..20 {
                            let found = tags.at(place(host));
                            assert!(found.is_some() || host > 1, "who never left is not found");
                            // Whoever is found is who was asked for.
                            assert!(found.is_none_or(|labels| labels >> 40 & 0xff == u64::from(host)));
                        }
                    }
                });
            }
            for round in 0..100_000_u64 {
                let host = 2 + (round % 18) as u8;
                tags.set(place(host), if round / 18 % 2 == 0 { labels(host, round) } else { 0 });
                tags.set(place(1), labels(1, round));
            }
            ended.store(true, Ordering::Relaxed);
        });
    }

    /// The twin: goes through all that was set.
    fn slowly(set: &HashMap<TagPlace, u64>, realm: Realm, address: Address) -> u64 {
        let mut lengths: Vec<u8> = set.keys().filter(|_| !address.is_v4()).map(|place| place.bits).collect();
        lengths.push(128);
        lengths.sort_unstable();
        lengths.dedup();
        let ours = Some((realm.svlan(), realm.cvlan()));
        let places = [ours, None]
            .into_iter()
            .flat_map(|vlans| lengths.iter().rev().map(move |bits| TagPlace::prefix(vlans, address, *bits)));
        let found: Vec<u64> = places.filter_map(|place| set.get(&place).copied()).collect();
        let person = found.iter().find(|labels| **labels & PERSON != 0).map(|labels| labels & !PERSON);
        person.or(found.first().copied()).unwrap_or(0)
    }

    proptest! {
        #[test]
        fn agrees_with_its_slow_twin(
            steps in prop::collection::vec((0..3_u16, any::<bool>(), 0..4_u8, 0..4_u8, 0..4_u64, any::<bool>()), 1..80),
        ) {
            let tags = UserTags::new(100);
            let mut set = HashMap::new();
            for (vlan, is_v4, network, bits, labels, is_person) in steps {
                let vlans = (vlan > 0).then_some((100, vlan));
                let bits = [0, 48, 64, 128][usize::from(bits)];
                let address = if is_v4 { v4(network) } else { v6(network, network) };
                let place = if is_v4 { TagPlace::host(vlans, address) } else { TagPlace::prefix(vlans, address, bits) };
                let labels = if is_person { PERSON | labels } else { labels };
                prop_assert!(tags.set(place, labels));
                if labels == 0 { set.remove(&place) } else { set.insert(place, labels) };
                prop_assert_eq!(tags.len(), set.len());
                for vlan in 0..3 {
                    for network in 0..4 {
                        for address in [v4(network), v6(network, network), v6(network, 99)] {
                            let realm = Realm::new(1, 100, vlan);
                            prop_assert_eq!(tags.labels(realm, address), slowly(&set, realm, address));
                        }
                    }
                }
            }
        }
    }
}
