//! The mappings, found from either side; those without sessions wait in the order in which their time is over.

use std::hash::BuildHasher;
use std::num::NonZeroU32;

use foldhash::quality::RandomState;

use super::free::FreeList;
use super::index::Index;
use super::pool::{Kind, PoolId};
use crate::dpdk::HugeSlice;
use crate::flow::Realm;
use crate::time::Nanos;

/// A mapping; valid as long as it has a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MappingId(NonZeroU32);

impl MappingId {
    fn of(place: u32) -> Option<Self> {
        NonZeroU32::new(place.wrapping_add(1)).map(Self)
    }

    const fn place(self) -> u32 {
        self.0.get() - 1
    }
}

/// What a mapping is made for: an inside endpoint, towards a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The host's address.
    pub address: [u8; 4],
    /// Its port, or its query's identifier.
    pub port: u16,
    /// Of which protocol.
    pub kind: Kind,
    /// The pool.
    pub pool: PoolId,
    /// Where the host is: the same address in two realms is two hosts.
    pub realm: Realm,
}

/// An inside endpoint and the outside one that stands for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapping {
    pub(super) inside: Inside,
    /// The number of its outside address.
    pub(super) address: u16,
    /// Its outside port.
    pub(super) port: u16,
    pub(super) host: u32,
    /// Entries of the flow table that use it; without any it is held.
    pub(super) sessions: u32,
    /// When its time of being held is over.
    due: Nanos,
    before: u32,
    after: u32,
}

impl Mapping {
    /// With its first session.
    pub(super) const fn new(inside: Inside, address: u16, port: u16, host: u32) -> Self {
        Self { inside, address, port, host, sessions: 1, due: Nanos(0), before: NONE, after: NONE }
    }
}

/// No place: the end of a list.
const NONE: u32 = u32::MAX;

/// The mappings held for one pool, in the order of their time: all of a pool are held equally long.
#[derive(Clone, Copy, Debug)]
struct Held {
    first: u32,
    last: u32,
}

/// All mappings.
#[derive(Debug)]
pub(super) struct Mappings {
    hasher: RandomState,
    inside: Index,
    outside: Index,
    places: HugeSlice<Option<Mapping>>,
    free: FreeList,
    held: Box<[Held]>,
}

impl Mappings {
    /// For so many mappings, of so many pools.
    pub(super) fn new(capacity: usize, pools: usize) -> Self {
        Self {
            hasher: RandomState::default(),
            inside: Index::new(capacity),
            outside: Index::new(capacity),
            places: HugeSlice::new(capacity, None),
            free: FreeList::new(capacity),
            held: vec![Held { first: NONE, last: NONE }; pools].into_boxed_slice(),
        }
    }

    /// Octets of memory for so many mappings.
    pub(super) const fn octets_for(capacity: usize) -> usize {
        let places = HugeSlice::<Option<Mapping>>::octets_for(capacity) + FreeList::octets_for(capacity);
        2 * Index::octets_for(capacity) + places
    }

    /// Whether one more can be added.
    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// A mapping that is there.
    pub(super) fn mapping(&self, id: MappingId) -> Mapping {
        let place = self.places.get(id.place() as usize).copied().flatten();
        debug_assert!(place.is_some(), "a mapping with a session is there");
        place.unwrap_or(ABSENT)
    }

    /// The mapping of an inside endpoint.
    pub(super) fn inside(&self, inside: &Inside) -> Option<MappingId> {
        let place = self.inside.find(self.inside_hash(inside), |place| self.is(place, |it| it.inside == *inside))?;
        MappingId::of(place)
    }

    /// The mapping of an outside endpoint.
    pub(super) fn outside(&self, kind: Kind, address: u16, port: u16) -> Option<MappingId> {
        let is = |it: &Mapping| it.inside.kind == kind && it.address == address && it.port == port;
        MappingId::of(self.outside.find(self.outside_hash(kind, address, port), |place| self.is(place, is))?)
    }

    /// Adds a mapping, for which there is room.
    pub(super) fn add(&mut self, mapping: Mapping) -> MappingId {
        let place = self.free.pop().unwrap_or(0);
        self.inside.insert(self.inside_hash(&mapping.inside), place);
        self.outside.insert(self.outside_hash(mapping.inside.kind, mapping.address, mapping.port), place);
        if let Some(entry) = self.places.get_mut(place as usize) {
            *entry = Some(mapping);
        }
        MappingId(NonZeroU32::MIN.saturating_add(place))
    }

    /// Gives a mapping one more session; true where it had been held.
    pub(super) fn take_up(&mut self, id: MappingId) -> bool {
        let Some(mapping) = self.get_mut(id.place()) else { return false };
        mapping.sessions += 1;
        let was_held = mapping.sessions == 1;
        if was_held {
            self.unlink(id.place());
        }
        was_held
    }

    /// Takes a session from a mapping; true where that was its last and it is held now, until `due`.
    pub(super) fn release(&mut self, id: MappingId, due: Nanos) -> bool {
        let place = id.place();
        let Some(mapping) = self.get_mut(place) else { return false };
        mapping.sessions = mapping.sessions.saturating_sub(1);
        if mapping.sessions > 0 {
            return false;
        }
        let pool = usize::from(mapping.inside.pool.0);
        mapping.due = due;
        let Some(held) = self.held.get_mut(pool) else { return false };
        let before = held.last;
        held.last = place;
        if before == NONE {
            held.first = place;
        }
        if let Some(last) = self.get_mut(before) {
            last.after = place;
        }
        if let Some(mapping) = self.get_mut(place) {
            (mapping.before, mapping.after) = (before, NONE);
        }
        true
    }

    /// Removes a mapping whose time of being held is over.
    pub(super) fn pop_due(&mut self, now: Nanos) -> Option<Mapping> {
        let is_due = |place: u32| self.is(place, |it| it.due <= now);
        let place = self.held.iter().map(|held| held.first).find(|first| is_due(*first))?;
        self.unlink(place);
        self.take(place)
    }

    /// Removes a mapping that its only session never used; none where another has it too.
    pub(super) fn withdraw(&mut self, id: MappingId) -> Option<Mapping> {
        let is_only = self.is(id.place(), |it| it.sessions == 1);
        is_only.then(|| self.take(id.place())).flatten()
    }

    /// Removes a mapping, which is not held.
    fn take(&mut self, place: u32) -> Option<Mapping> {
        let mapping = self.places.get(place as usize).copied().flatten()?;
        self.inside.remove(self.inside_hash(&mapping.inside), place);
        self.outside.remove(self.outside_hash(mapping.inside.kind, mapping.address, mapping.port), place);
        if let Some(entry) = self.places.get_mut(place as usize) {
            *entry = None;
        }
        self.free.push(place);
        Some(mapping)
    }

    /// Takes a mapping off the list of those that are held.
    fn unlink(&mut self, place: u32) {
        let Some(mapping) = self.get_mut(place) else { return };
        let (before, after, pool) = (mapping.before, mapping.after, usize::from(mapping.inside.pool.0));
        (mapping.before, mapping.after) = (NONE, NONE);
        if let Some(neighbour) = self.get_mut(before) {
            neighbour.after = after;
        } else if let Some(held) = self.held.get_mut(pool) {
            held.first = after;
        }
        if let Some(neighbour) = self.get_mut(after) {
            neighbour.before = before;
        } else if let Some(held) = self.held.get_mut(pool) {
            held.last = before;
        }
    }

    fn get_mut(&mut self, place: u32) -> Option<&mut Mapping> {
        self.places.get_mut(place as usize)?.as_mut()
    }

    fn is(&self, place: u32, what: impl Fn(&Mapping) -> bool) -> bool {
        self.places.get(place as usize).is_some_and(|it| it.as_ref().is_some_and(what))
    }

    fn inside_hash(&self, inside: &Inside) -> u32 {
        let Inside { address, port, kind, pool, realm } = *inside;
        let rest = u64::from(port) << 16 | u64::from(kind as u8) << 8 | u64::from(pool.0);
        self.hasher.hash_one((u64::from(u32::from_be_bytes(address)) << 32 | rest, realm)) as u32
    }

    fn outside_hash(&self, kind: Kind, address: u16, port: u16) -> u32 {
        self.hasher.hash_one(u64::from(kind as u8) << 32 | u64::from(address) << 16 | u64::from(port)) as u32
    }

    /// Those that are there.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = (MappingId, &Mapping)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(place, it)| Some((MappingId::of(place as u32)?, it.as_ref()?)))
    }

    /// Both indexes find all; exactly those without sessions are held, in order.
    #[cfg(test)]
    pub(super) fn assert_consistent(&self) {
        let mut idle = 0;
        for (id, mapping) in self.all() {
            assert_eq!(self.inside(&mapping.inside), Some(id));
            assert_eq!(self.outside(mapping.inside.kind, mapping.address, mapping.port), Some(id));
            idle += usize::from(mapping.sessions == 0);
        }
        assert_eq!(self.all().count() + self.free.len(), self.places.len());
        let mut held = 0;
        for list in &self.held {
            let (mut at, mut before, mut due) = (list.first, NONE, Nanos(0));
            while at != NONE {
                let mapping = self.places[at as usize].unwrap();
                assert!(mapping.sessions == 0 && mapping.before == before && mapping.due >= due);
                (before, due, at) = (at, mapping.due, mapping.after);
                held += 1;
            }
            assert_eq!(list.last, before);
        }
        assert_eq!(held, idle);
    }
}

/// What stands for a mapping that is not there, which does not happen.
const ABSENT: Mapping = Mapping::new(
    Inside { address: [0; 4], port: 0, kind: Kind::Tcp, pool: PoolId(u8::MAX), realm: Realm::new(0, 0, 0) },
    0,
    0,
    NONE,
);

const _: () = assert!(size_of::<Option<Mapping>>() <= 48);
