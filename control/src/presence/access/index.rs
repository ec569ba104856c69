//! The sign-ons, and the ways to find one: by its number, by its addresses, by its MAC address.

use std::hash::{BuildHasher as _, Hash};

use dataplane::endpoint::{Address, Mac};
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::AccessUser;
use super::entry::{ANYWHERE, Entry, Family, Place};
use super::memory::without_realm;

/// Lengths of prefixes that are looked for, the longest first: more are in use nowhere.
const LENGTHS: u32 = 8;

/// Number of a sign-on in the table.
pub(super) type Slot = u32;

/// The sign-ons with their indices.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Option<Entry>>,
    free: Vec<Slot>,
    sessions: HashTable<Slot>,
    /// A slot times four, and which of its places.
    places: HashTable<u32>,
    macs: HashTable<Slot>,
    /// How many prefixes of each length there are, and a bit for each length of which there are any.
    prefixes: Box<[u32; 129]>,
    lengths: [u64; 3],
    /// A slot times four, and which of its places: of persons, by name and address, whatever VLANs they are in.
    persons: HashTable<u32>,
    /// How many are listed.
    listed: usize,
    state: RandomState,
    /// Places at which somebody came, went or changed, where anybody wants to know.
    touched: Option<Vec<Place>>,
}

impl Index {
    /// With room for so many, of which memory is taken as they come.
    pub(super) fn new(users: usize) -> Self {
        Self {
            entries: Vec::with_capacity(users),
            free: Vec::new(),
            sessions: HashTable::with_capacity(users),
            places: HashTable::with_capacity(users),
            macs: HashTable::with_capacity(users),
            prefixes: Box::new([0; 129]),
            lengths: [0; 3],
            persons: HashTable::new(),
            listed: 0,
            state: RandomState::default(),
            touched: None,
        }
    }

    /// Notes from now on where somebody comes, goes or changes.
    pub(super) fn watch(&mut self) {
        self.touched.get_or_insert_default();
    }

    /// Notes it no more.
    pub(super) fn unwatch(&mut self) {
        self.touched = None;
    }

    /// What was noted since the last call.
    pub(super) fn take_touched(&mut self) -> Vec<Place> {
        self.touched.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Notes where a sign-on is, and others of its MAC address and person: what is known of one is of use to the others.
    pub(super) fn touch(&mut self, slot: Slot) {
        if self.touched.is_none() {
            return;
        }
        let Some(user) = self.get(slot).map(|entry| &entry.user) else { return };
        let others = user.mac.into_iter().flat_map(|mac| self.of(mac)).flat_map(|(_, entry)| entry.user.places());
        let twins = self.twins(user).into_iter().filter_map(|twin| self.get(twin)).flat_map(|twin| twin.user.places());
        let places: Vec<Place> = user.places().into_iter().chain(others).chain(twins).flatten().collect();
        if let Some(touched) = &mut self.touched {
            touched.extend(places);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// How many persons and hosts there are of whom somebody was told.
    pub(super) fn listed(&self) -> usize {
        self.listed
    }

    /// Changes what says whether it is listed; nothing that is indexed.
    pub(super) fn mark(&mut self, slot: Slot, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.get_mut(slot) else { return };
        let before = entry.is_listed();
        change(entry);
        let now = entry.is_listed();
        self.listed = self.listed + usize::from(now) - usize::from(before);
    }

    /// How many slots there are, used or not.
    pub(super) fn slots(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot as usize)?.as_ref()
    }

    /// For what is not indexed: neither number nor addresses may be changed.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        self.entries.iter().enumerate().filter_map(|(slot, entry)| Some((slot as Slot, entry.as_ref()?)))
    }

    pub(super) fn insert(&mut self, entry: Entry) -> Slot {
        self.listed += usize::from(entry.is_listed());
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            (self.entries.len() - 1) as Slot
        });
        if let Some(place) = self.entries.get_mut(slot as usize) {
            *place = Some(entry);
        }
        self.enter(slot);
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Entry> {
        self.leave(slot);
        let entry = self.entries.get_mut(slot as usize)?.take()?;
        self.listed -= usize::from(entry.is_listed());
        self.free.push(slot);
        Some(entry)
    }

    /// Changes what may be indexed.
    pub(super) fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Entry)) {
        self.leave(slot);
        if let Some(entry) = self.get_mut(slot) {
            change(entry);
        }
        self.enter(slot);
    }

    /// By its number; 0 is none.
    pub(super) fn session(&self, family: Family, session: u64) -> Option<Slot> {
        let is_it = |slot: &Slot| {
            self.get(*slot).is_some_and(|entry| entry.family() == family && entry.user.session == session)
        };
        (session != 0).then(|| self.sessions.find(hash(&self.state, (family, session)), is_it).copied()).flatten()
    }

    /// Who is at a place: one of a family at most.
    pub(super) fn at(&self, place: Place) -> impl Iterator<Item = (Slot, &Entry)> {
        let found = self.places.iter_hash(hash(&self.state, place)).filter_map(move |item| {
            let entry = self.get(*item / 4)?;
            (entry.user.places()[*item as usize % 4] == Some(place)).then_some((*item / 4, entry))
        });
        found.take(8)
    }

    /// Sign-ons of a person, by name, at a place, or where no VLAN is known of one of the two; a few at most.
    pub(super) fn of_person<'a>(
        &'a self,
        user: &'a AccessUser,
        place: Place,
    ) -> impl Iterator<Item = (Slot, &'a Entry)> {
        person(user).into_iter().flat_map(move |name| {
            let key = (without_realm(name), place.address, place.length);
            self.persons.iter_hash(hash(&self.state, key)).take(8).filter_map(move |item| {
                let entry = self.get(*item / 4)?;
                let vlans = entry.user.vlans();
                let is_here = vlans == place.vlans || [vlans, place.vlans].contains(&ANYWHERE);
                let is_it = person_at(&entry.user, *item as usize % 4) == Some(key);
                (is_here && is_it && is_name_of(name, &entry.user)).then_some((*item / 4, entry))
            })
        })
    }

    /// Sign-ons of the same person at one of the same addresses that other sources tell of. RADIUS knows no VLANs.
    pub(super) fn twins(&self, user: &AccessUser) -> Vec<Slot> {
        let mut twins = Vec::new();
        for place in user.places().into_iter().flatten() {
            let others = self.of_person(user, place).filter(|(_, entry)| entry.family() != Family::of(user.source));
            for (slot, _) in others {
                if !twins.contains(&slot) {
                    twins.push(slot);
                }
            }
        }
        twins
    }

    /// The places at which one is looked for by an address: itself, then the prefixes that it may be of.
    pub(super) fn around(&self, vlans: (u16, u16), address: Address) -> impl Iterator<Item = Place> {
        let lengths = if address.is_v4() { [0; 3] } else { self.lengths };
        let mut left = LENGTHS;
        let prefixes = (0..=128u8).rev().filter(move |length| {
            let is_there = lengths[usize::from(*length) / 64] >> (length % 64) & 1 == 1 && left > 0;
            left -= u32::from(is_there);
            is_there
        });
        let prefixes = prefixes.map(move |length| Place::prefix(vlans, address.0, length));
        let host = Place::host(vlans, address);
        std::iter::once(host).chain(prefixes.filter(move |place| *place != host))
    }

    /// Sign-ons of a MAC address, a few at most.
    pub(super) fn of(&self, mac: Mac) -> impl Iterator<Item = (Slot, &Entry)> {
        let found = self.macs.iter_hash(hash(&self.state, mac)).filter_map(move |slot| {
            let entry = self.get(*slot)?;
            (entry.user.mac == Some(mac)).then_some((*slot, entry))
        });
        found.take(8)
    }

    fn enter(&mut self, slot: Slot) {
        let Self { entries, sessions, places, macs, prefixes, lengths, persons, state, .. } = self;
        let user =
            |slot: Slot| &entries.get(slot as usize).and_then(Option::as_ref).expect("only entries are indexed").user;
        let this = user(slot);
        let number = |slot: Slot| (Family::of(user(slot).source), user(slot).session);
        if this.session != 0 {
            sessions.insert_unique(hash(state, number(slot)), slot, |slot| hash(state, number(*slot)));
        }
        for (which, place) in this.places().into_iter().enumerate() {
            let Some(place) = place else { continue };
            let rehash =
                |item: &u32| user(*item / 4).places()[*item as usize % 4].map_or(0, |place| hash(state, place));
            places.insert_unique(hash(state, place), slot * 4 + which as u32, rehash);
        }
        for which in 0..3 {
            let Some(key) = person_at(this, which) else { continue };
            let rehash = |item: &u32| person_at(user(*item / 4), *item as usize % 4).map_or(0, |key| hash(state, key));
            persons.insert_unique(hash(state, key), slot * 4 + which as u32, rehash);
        }
        if let Some((_, length)) = this.prefix {
            let length = usize::from(length);
            prefixes[length] += 1;
            lengths[length / 64] |= 1 << (length % 64);
        }
        if let Some(mac) = this.mac {
            let rehash = |slot: &Slot| user(*slot).mac.map_or(0, |mac| hash(state, mac));
            macs.insert_unique(hash(state, mac), slot, rehash);
        }
        self.touch(slot);
    }

    fn leave(&mut self, slot: Slot) {
        self.touch(slot);
        let Some(entry) = self.entries.get(slot as usize).and_then(Option::as_ref) else { return };
        let (user, state) = (&entry.user, &self.state);
        if user.session != 0 {
            let hash = hash(state, (Family::of(user.source), user.session));
            remove(&mut self.sessions, hash, slot);
        }
        for (which, place) in user.places().into_iter().enumerate() {
            if let Some(place) = place {
                remove(&mut self.places, hash(state, place), slot * 4 + which as u32);
            }
        }
        for which in 0..3 {
            if let Some(key) = person_at(user, which) {
                remove(&mut self.persons, hash(state, key), slot * 4 + which as u32);
            }
        }
        if let Some((_, length)) = user.prefix {
            let length = usize::from(length);
            self.prefixes[length] -= 1;
            if self.prefixes[length] == 0 {
                self.lengths[length / 64] &= !(1 << (length % 64));
            }
        }
        if let Some(mac) = user.mac {
            remove(&mut self.macs, hash(state, mac), slot);
        }
    }
}

/// A person's name; none of a host.
fn person(user: &AccessUser) -> Option<&[u8]> {
    user.user.as_deref().filter(|_| user.source.is_personal())
}

/// Whether a name is a user's but for the realm, which not every source knows; two realms are two persons.
fn is_name_of(name: &[u8], user: &AccessUser) -> bool {
    let Some(other) = person(user) else { return false };
    let (short, other_short) = (without_realm(name), without_realm(other));
    name == other || short == other_short && (name.len() == short.len() || other.len() == other_short.len())
}

/// A person's name without its realm, and one of the addresses.
fn person_at(user: &AccessUser, which: usize) -> Option<(&[u8], Address, u8)> {
    let name = without_realm(person(user)?);
    let place = (*user.places().get(which)?)?;
    Some((name, place.address, place.length))
}

fn hash(state: &RandomState, key: impl Hash) -> u64 {
    state.hash_one(key)
}

fn remove(table: &mut HashTable<u32>, hash: u64, item: u32) {
    if let Ok(found) = table.find_entry(hash, |known| *known == item) {
        found.remove();
    }
}
