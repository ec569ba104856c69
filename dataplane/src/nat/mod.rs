//! Source NAT (NAPT of RFC 3022): sessions of a rule leave with an address of a pool and a port of its range.
//!
//! What is kept, and by which RFC (4787 for UDP, 5382 for TCP, 5508 for ICMP, 7857 and 6888 for all):
//!
//! - A *mapping* joins an inside endpoint (realm, address, port or ICMP identifier, protocol) with an outside one, whatever
//!   the destination: endpoint-independent mapping. Filtering is the flow table's: only who was asked may answer, from
//!   the address and port that were asked.
//! - An inside host keeps one address of its pool as long as it has any mapping: paired address pooling.
//! - Ports are drawn at random from those that are free (RFC 6056, 3.3.1), by a keyed function nobody outside can foretell.
//!   Neither the port nor its parity is preserved (RFC 7857, section 3 allows it).
//! - A mapping without sessions is held for a while: its port goes to nobody else (RFC 6888, REQ-8), and the same inside
//!   endpoint takes it up again.
//!
//! The flow table's keys stay those of the inside: a packet for a pool address is brought to the inside endpoint before it
//! is looked up, and every packet of a translated session is rewritten after its verdict.

mod free;
mod hosts;
mod index;
mod mappings;
mod pool;
mod ports;
mod rewrite;
#[cfg(test)]
mod tests;
mod usage;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use self::hosts::Hosts;
pub use self::mappings::{Inside, MappingId};
use self::mappings::{Mapping, Mappings};
use self::pool::Pools;
pub use self::pool::{Kind, PoolId, PoolSource};
use self::ports::Ports;
pub use self::rewrite::{End, Layout, Payload, Reversal, Rewrite};
pub use self::usage::{PoolUsage, Usage};
use crate::dpdk::HugeSlice;
use crate::endpoint::{Address, Endpoint};
use crate::time::Nanos;

/// An outside endpoint: what a client's address and port became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Translation {
    /// An address of the pool.
    pub address: [u8; 4],
    /// The port, or the identifier of an ICMP query.
    pub port: u16,
}

impl Translation {
    /// As an endpoint.
    pub const fn endpoint(self) -> Endpoint {
        Endpoint { address: Address::v4(self.address), port: self.port }
    }
}

/// Why a session got no mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The host's address of the pool has no free port, or the memory for mappings is used up.
    Exhausted,
    /// The host has as many ports as it may have.
    Limit,
}

/// Where a packet for a pool's address goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inward {
    /// Its destination is no pool's.
    NotOurs,
    /// Nobody has that port.
    Unknown,
    /// To this mapping's inside endpoint.
    To(MappingId),
}

/// The translation of one worker: all memory is taken at start.
#[derive(Debug)]
pub struct Nat {
    pools: Pools,
    /// By the number of an address times [`Kind::COUNT`], and kind.
    ports: Box<[Ports]>,
    mappings: Mappings,
    hosts: Hosts,
    /// The mapping that [`Nat::bind`] has just made.
    fresh: Option<MappingId>,
    /// By slot of the flow table: the mapping of its session.
    bindings: HugeSlice<Option<MappingId>>,
    random: RandomState,
    /// How many numbers were drawn.
    drawn: u64,
    usage: Arc<Usage>,
}

impl Nat {
    /// For these pools and a flow table of so many entries. There is memory for twice as many mappings as entries, or as
    /// many as the pools can have, if that is less.
    pub fn new(sources: &[PoolSource], sessions: usize) -> Self {
        let pools = Pools::new(sources);
        let ports: Box<[Ports]> =
            pools.addresses().flat_map(|pool| Kind::ALL.map(|_| Ports::new(pool.ports))).collect();
        let capacity = capacity(sources, sessions);
        Self {
            mappings: Mappings::new(capacity, sources.len()),
            hosts: Hosts::new(capacity),
            fresh: None,
            bindings: HugeSlice::new(sessions, None),
            random: RandomState::new(),
            drawn: 0,
            usage: Arc::new(Usage::new(&pools, sources)),
            pools,
            ports,
        }
    }

    /// Octets of memory that [`Nat::new`] takes; none without pools.
    pub fn octets_for(sources: &[PoolSource], sessions: usize) -> usize {
        if sources.is_empty() {
            return 0;
        }
        let capacity = capacity(sources, sessions);
        let bitmaps: u64 = sources.iter().map(|pool| pool.size() * Ports::octets_for(pool.ports) as u64).sum();
        let bitmaps = usize::try_from(bitmaps).unwrap_or(usize::MAX).saturating_mul(Kind::COUNT);
        let tables = Mappings::octets_for(capacity) + Hosts::octets_for(capacity);
        bitmaps.saturating_add(tables + HugeSlice::<Option<MappingId>>::octets_for(sessions))
    }

    /// How much of the pools is in use; shared with control.
    pub fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// Whether an address belongs to a pool.
    pub fn is_pool_address(&self, address: Address) -> bool {
        self.pools.find(address).is_some()
    }

    /// Whose a packet for `destination` is.
    pub fn inward(&self, kind: Option<Kind>, destination: Endpoint) -> Inward {
        let Some(address) = self.pools.find(destination.address) else { return Inward::NotOurs };
        let found = kind.and_then(|kind| self.mappings.outside(kind, address, destination.port));
        found.map_or(Inward::Unknown, Inward::To)
    }

    /// The inside endpoint of a mapping.
    pub fn inside(&self, id: MappingId) -> Inside {
        self.mappings.mapping(id).inside
    }

    /// The outside endpoint of a mapping.
    pub fn outside(&self, id: MappingId) -> Translation {
        let mapping = self.mappings.mapping(id);
        Translation { address: self.pools.address(mapping.address), port: mapping.port }
    }

    /// The pool of a mapping.
    pub fn pool(&self, id: MappingId) -> PoolId {
        self.mappings.mapping(id).inside.pool
    }

    /// Gives a new session its mapping: the one that its inside endpoint has, or a new one.
    /// [`Nat::refuse`] or [`Nat::attach`] must follow.
    pub fn bind(&mut self, inside: Inside) -> Result<MappingId, Refusal> {
        self.fresh = None;
        if let Some(id) = self.mappings.inside(&inside) {
            if self.mappings.take_up(id) {
                self.usage.pool(inside.pool).held(-1);
            }
            return Ok(id);
        }
        let refused = |nat: &Self, refusal| {
            nat.usage.pool(inside.pool).refused(refusal);
            Err(refusal)
        };
        let Some(pool) = self.pools.pool(inside.pool) else { return Err(Refusal::Exhausted) };
        let (limit, known) = (pool.ports_per_host, self.hosts.find(&inside));
        if limit.is_some_and(|limit| known.is_some_and(|host| self.hosts.ports(host, inside.kind) >= limit.get())) {
            return refused(self, Refusal::Limit);
        }
        if !self.mappings.has_room() {
            return refused(self, Refusal::Exhausted);
        }
        let address = match known {
            Some(host) => self.hosts.address(host),
            None => self.choose_address(inside.pool, inside.kind),
        };
        let random = self.draw();
        let ports = &mut self.ports[usize::from(address) * Kind::COUNT + inside.kind as usize];
        let Some(port) = ports.take(random) else { return refused(self, Refusal::Exhausted) };
        let is_new = known.is_none();
        let host = known.unwrap_or_else(|| self.hosts.add(&inside, address));
        self.hosts.count(host, inside.kind, 1);
        let id = self.mappings.add(Mapping::new(inside, address, port, host));
        self.usage.pool(inside.pool).opened(inside.kind, is_new);
        self.fresh = Some(id);
        Ok(id)
    }

    /// Ties a mapping to the entry of its session.
    pub fn attach(&mut self, place: usize, id: MappingId) {
        if let Some(binding) = self.bindings.get_mut(place) {
            debug_assert_eq!(*binding, None, "an entry has one mapping at most");
            *binding = Some(id);
        }
    }

    /// The mapping of an entry.
    pub fn binding(&self, place: usize) -> Option<MappingId> {
        self.bindings.get(place).copied().flatten()
    }

    /// An entry left the table: its mapping has a session less.
    pub fn detach(&mut self, now: Nanos, place: usize) {
        if let Some(id) = self.bindings.get_mut(place).and_then(Option::take) {
            self.release(now, id);
        }
    }

    /// The session that [`Nat::bind`] was just called for was refused. A mapping that was made for it goes at once: nobody
    /// has seen its port.
    pub fn refuse(&mut self, now: Nanos, id: MappingId) {
        if self.fresh.take() != Some(id) {
            return self.release(now, id);
        }
        if let Some(mapping) = self.mappings.withdraw(id) {
            self.usage.pool(mapping.inside.pool).held(1);
            self.free(&mapping);
        }
    }

    /// The same, where the mapping is attached to an entry already.
    pub fn refuse_attached(&mut self, now: Nanos, place: usize) {
        if let Some(binding) = self.bindings.get_mut(place)
            && self.fresh.is_some()
            && *binding == self.fresh
            && let Some(id) = binding.take()
        {
            self.refuse(now, id);
        }
    }

    /// A mapping has a session less; without any it is held.
    pub fn release(&mut self, now: Nanos, id: MappingId) {
        let pool = self.mappings.mapping(id).inside.pool;
        let hold = self.pools.pool(pool).map_or(Duration::ZERO, |pool| pool.hold);
        if self.mappings.release(id, now + hold) {
            self.usage.pool(pool).held(1);
        }
    }

    /// Frees up to `count` mappings whose time of being held is over; their ports may go to others now.
    pub fn expire(&mut self, now: Nanos, count: usize) {
        for _ in 0..count {
            let Some(mapping) = self.mappings.pop_due(now) else { break };
            self.free(&mapping);
        }
    }

    /// Gives the port of a mapping back that was held and is gone.
    fn free(&mut self, mapping: &Mapping) {
        let inside = mapping.inside;
        self.ports[usize::from(mapping.address) * Kind::COUNT + inside.kind as usize].give_back(mapping.port);
        let is_gone = self.hosts.count(mapping.host, inside.kind, -1);
        self.usage.pool(inside.pool).closed(inside.kind, is_gone);
    }

    /// Of two addresses of the pool, drawn at random, the one with more free ports of a kind.
    fn choose_address(&mut self, pool: PoolId, kind: Kind) -> u16 {
        let random = self.draw();
        let addresses = self.pools.addresses_of(pool);
        let count = u64::from(addresses.end - addresses.start).max(1);
        let pick = |half: u32| addresses.start + ((u64::from(half) * count) >> 32) as u16;
        let (first, second) = (pick(random as u32), pick((random >> 32) as u32));
        let used = |address: u16| self.ports[usize::from(address) * Kind::COUNT + kind as usize].used();
        if used(second) < used(first) { second } else { first }
    }

    /// A number that cannot be foretold: SipHash of a counter, with a key from the operating system.
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.random.hash_one(self.drawn)
    }

    /// Draws the same numbers from here on as another; for tests.
    #[cfg(test)]
    pub(crate) fn draw_like(&mut self, other: &Self) {
        (self.random, self.drawn) = (other.random.clone(), other.drawn);
    }

    /// Checks what must always hold; for tests.
    #[cfg(test)]
    pub(crate) fn assert_consistent(&self) {
        self.mappings.assert_consistent();
        let mut sessions = std::collections::HashMap::new();
        for id in self.bindings.iter().flatten() {
            *sessions.entry(*id).or_insert(0_u32) += 1;
        }
        let mut ports = vec![0; self.ports.len()];
        let mut hosts = std::collections::HashMap::new();
        for (id, mapping) in self.mappings.all() {
            assert_eq!(mapping.sessions, sessions.remove(&id).unwrap_or(0), "sessions of a mapping");
            let at = usize::from(mapping.address) * Kind::COUNT + mapping.inside.kind as usize;
            assert!(self.ports[at].is_taken(mapping.port), "a mapping's port is taken");
            ports[at] += 1;
            hosts.entry(mapping.host).or_insert([0; Kind::COUNT])[mapping.inside.kind as usize] += 1;
        }
        assert!(sessions.is_empty(), "every binding has a mapping");
        assert_eq!(self.ports.iter().map(Ports::used).collect::<Vec<_>>(), ports, "every port taken has a mapping");
        self.hosts.assert_counts(&hosts);
    }
}

/// Mappings at most: twice as many as sessions, as they outlive them, or as many as the pools have endpoints.
fn capacity(sources: &[PoolSource], sessions: usize) -> usize {
    let endpoints: u64 = sources.iter().map(|pool| pool.size() * u64::from(Ports::size_of(pool.ports))).sum();
    let endpoints = usize::try_from(endpoints).unwrap_or(usize::MAX).saturating_mul(Kind::COUNT);
    endpoints.min(2 * sessions).clamp(1, u32::MAX as usize / 4)
}
