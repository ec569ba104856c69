//! Inside hosts that have mappings: which address of the pool is theirs, and how many ports they have.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::free::FreeList;
use super::index::Index;
use super::mappings::Inside;
use super::pool::{Kind, PoolId};
use crate::dpdk::HugeSlice;
use crate::flow::Realm;

/// A host, towards one pool.
#[derive(Clone, Copy, Debug)]
struct Host {
    who: Who,
    /// The number of its address of the pool.
    address: u16,
    /// Ports it has, those that are held included.
    ports: [u16; Kind::COUNT],
}

/// What makes a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Who {
    address: [u8; 4],
    realm: Realm,
    pool: PoolId,
}

impl Who {
    const fn of(inside: &Inside) -> Self {
        Self { address: inside.address, realm: inside.realm, pool: inside.pool }
    }
}

/// All of them; a host without ports is forgotten.
#[derive(Debug)]
pub(super) struct Hosts {
    hasher: RandomState,
    index: Index,
    places: HugeSlice<Option<Host>>,
    free: FreeList,
}

impl Hosts {
    /// For so many hosts: as many as there can be mappings.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            hasher: RandomState::default(),
            index: Index::new(capacity),
            places: HugeSlice::new(capacity, None),
            free: FreeList::new(capacity),
        }
    }

    /// Octets of memory for so many hosts.
    pub(super) const fn octets_for(capacity: usize) -> usize {
        let places = HugeSlice::<Option<Host>>::octets_for(capacity) + FreeList::octets_for(capacity);
        Index::octets_for(capacity) + places
    }

    /// The host of an inside endpoint.
    pub(super) fn find(&self, inside: &Inside) -> Option<u32> {
        let who = Who::of(inside);
        let is = |place: u32| self.get(place).is_some_and(|host| host.who == who);
        self.index.find(self.hash(&who), is)
    }

    /// Adds the host of an inside endpoint, without ports.
    pub(super) fn add(&mut self, inside: &Inside, address: u16) -> u32 {
        let who = Who::of(inside);
        let place = self.free.pop().unwrap_or(0);
        self.index.insert(self.hash(&who), place);
        if let Some(entry) = self.places.get_mut(place as usize) {
            *entry = Some(Host { who, address, ports: [0; Kind::COUNT] });
        }
        place
    }

    /// The number of its address.
    pub(super) fn address(&self, host: u32) -> u16 {
        self.get(host).map_or(0, |host| host.address)
    }

    /// Its ports of a kind.
    pub(super) fn ports(&self, host: u32, kind: Kind) -> u16 {
        self.get(host).map_or(0, |host| host.ports[kind as usize])
    }

    /// Gives it a port more or less; true where that was its last, and it is forgotten.
    pub(super) fn count(&mut self, place: u32, kind: Kind, by: i16) -> bool {
        let Some(host) = self.places.get_mut(place as usize).and_then(Option::as_mut) else { return false };
        host.ports[kind as usize] = host.ports[kind as usize].saturating_add_signed(by);
        if host.ports != [0; Kind::COUNT] {
            return false;
        }
        let hash = self.get(place).map_or(0, |host| self.hash(&host.who));
        self.index.remove(hash, place);
        if let Some(entry) = self.places.get_mut(place as usize) {
            *entry = None;
        }
        self.free.push(place);
        true
    }

    fn get(&self, place: u32) -> Option<&Host> {
        self.places.get(place as usize)?.as_ref()
    }

    fn hash(&self, who: &Who) -> u32 {
        let address = u64::from(u32::from_be_bytes(who.address));
        self.hasher.hash_one((address << 8 | u64::from(who.pool.0), who.realm)) as u32
    }

    /// Exactly these hosts are there, with these counts.
    #[cfg(test)]
    pub(super) fn assert_counts(&self, counts: &std::collections::HashMap<u32, [u16; Kind::COUNT]>) {
        let there: std::collections::HashMap<u32, [u16; Kind::COUNT]> =
            (0..self.places.len() as u32).filter_map(|place| Some((place, self.get(place)?.ports))).collect();
        assert_eq!(there, *counts);
        assert_eq!(there.len() + self.free.len(), self.places.len());
        for place in there.keys() {
            let who = self.get(*place).unwrap().who;
            assert_eq!(self.index.find(self.hash(&who), |found| found == *place), Some(*place));
        }
    }
}
