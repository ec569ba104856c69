//! The table of access users.
//!
//! A sign-on is named by its source's own number; it is found by its addresses in the VLANs that it is in, or anywhere where
//! only a server elsewhere tells of it, and by its MAC address. Sources (RADIUS, PPPoE, 802.1X, DHCP) are followed apart, each
//! with records of its own, as each of them may be all that crosses the firewall. Of one source, one sign-on has an address. Where
//! two that know persons (RADIUS, PPPoE) tell of the same name at the same address, that is one user: each tells with what both
//! know, and the user is gone when both are over.

use std::time::Duration;

use dataplane::access::AccessEvent;
use dataplane::endpoint::Address;
use dataplane::time::Nanos;

use super::clock::Clock;
use super::entry::{ANYWHERE, Entry, Phase};
use super::forged::{Forgeries, Forgery};
use super::former::Formers;
use super::index::{Index, Slot};
use super::memory::Memory;
use super::person::Person;
use super::queue::Queue;
use super::sweep::Sweep;
use super::tagging::Tagging;
use super::tally::AccessTally;
use super::{AccessTransition, AccessUser};

/// Deadlines looked at in one call of [`AccessTable::advance`], and slots by a sweep.
pub(super) const PIECE: usize = 1_024;

/// How long and how many users are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessLimits {
    /// Users at most.
    pub users: usize,
    /// How long a silent user is believed to be there, where the source says no other time; none: until told otherwise.
    pub silence: Option<Duration>,
    /// The same of a PPPoE session that answered echoes.
    pub echo_timeout: Duration,
}

/// Who is signed on at the access network.
#[derive(Debug)]
pub struct AccessTable {
    pub(super) limits: AccessLimits,
    pub(super) index: Index,
    pub(super) clock: Clock,
    pub(super) queue: Queue,
    pub(super) formers: Formers,
    pub(super) memory: Memory,
    pub(super) sweep: Sweep,
    pub(super) tally: AccessTally,
    pub(super) changes: u64,
    pub(super) forgeries: Forgeries,
    /// Of those, what was not taken yet.
    pub(super) reports: Vec<Forgery>,
    pub(super) tagging: Tagging,
}

/// Who had an address: a person, the host, or both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holder<'a> {
    /// As a source knows that tells persons.
    pub person: Option<&'a AccessUser>,
    /// As a source knows that tells hosts.
    pub host: Option<&'a AccessUser>,
}

impl AccessTable {
    /// An empty one; memory is taken as users come.
    pub fn new(limits: AccessLimits) -> Self {
        Self {
            limits,
            index: Index::new(limits.users),
            clock: Clock::default(),
            queue: Queue::default(),
            formers: Formers::new(limits.users.div_ceil(8)),
            memory: Memory::default(),
            sweep: Sweep::default(),
            tally: AccessTally::default(),
            changes: 0,
            forgeries: Forgeries::default(),
            reports: Vec::new(),
            tagging: Tagging::default(),
        }
    }

    /// Takes other limits; they hold for those who are there as well.
    pub fn reconfigure(&mut self, limits: AccessLimits) {
        if limits != self.limits {
            self.limits = limits;
            self.sweep.look_at_all();
        }
    }

    /// Takes an event up; what follows from it is appended to `out`.
    pub fn observe(&mut self, event: &AccessEvent, out: &mut Vec<AccessTransition>) {
        self.heard(event.header.time);
        self.take(event, out);
        self.settle();
    }

    /// Traffic of any kind was heard until `now`: silence after that is the users' own.
    pub fn heard(&mut self, now: Nanos) {
        self.clock.hear(now);
    }

    /// What is due by `now`, a bounded number; call it again while [`Self::next_deadline`] is not after `now`.
    pub fn advance(&mut self, now: Nanos, out: &mut Vec<AccessTransition>) {
        self.reports.extend(self.forgeries.advance(now));
        self.turn_sweep(out);
        if let Some(now) = self.clock.count(now) {
            for _ in 0..PIECE {
                match self.queue.pop(&mut self.index, now) {
                    Some(slot) => self.look(slot, now, out),
                    None => break,
                }
            }
        }
        self.settle();
    }

    /// The end of a capture: what waits for more is told.
    pub fn finish(&mut self, out: &mut Vec<AccessTransition>) {
        while self.turn_sweep(out) {}
        let is_pending = |phase| matches!(phase, Phase::Pending(_));
        let pending: Vec<_> =
            self.index.iter().filter(|(_, entry)| is_pending(entry.phase)).map(|(slot, _)| slot).collect();
        for slot in pending {
            self.arrive(slot, out);
        }
        self.settle();
    }

    /// When something is due next.
    pub fn next_deadline(&self) -> Option<Nanos> {
        if self.sweep.is_under_way() {
            return Some(Nanos(0));
        }
        let next = self.queue.next().and_then(|next| self.clock.reaches(next));
        next.into_iter().chain(self.forgeries.next_deadline()).min()
    }

    /// What is to be told of forged messages since the last call; ask after [`Self::observe`] and [`Self::advance`].
    pub fn take_forgeries(&mut self) -> Vec<Forgery> {
        std::mem::take(&mut self.reports)
    }

    /// Who had an address at a time: VLANs (outer, inner), address. Those VLANs come before what is known without any.
    pub fn holder(&self, vlans: (u16, u16), address: Address, at: Nanos) -> Holder<'_> {
        let mut holder = Holder::default();
        if self.index.len() == 0 && self.formers.is_empty() {
            return holder;
        }
        for place in self.index.around(vlans, address).chain(self.index.around(ANYWHERE, address)) {
            let current = || self.index.at(place).map(|(_, entry)| entry);
            let since = current().filter(|entry| at >= entry.user.since).map(|entry| &*entry.user);
            let before = self.formers.at(place, at);
            let unseen = current().filter(|entry| entry.held(at)).map(|entry| &*entry.user);
            for user in since.chain(before).chain(unseen) {
                let level = if user.source.is_personal() { &mut holder.person } else { &mut holder.host };
                if level.is_none_or(|known| user.source < known.source && known.vlans() == user.vlans()) {
                    *level = Some(user);
                }
            }
        }
        holder
    }

    /// Everyone who is signed on, each once, as the source says that told first.
    pub fn users(&self) -> impl Iterator<Item = &AccessUser> {
        self.index.iter().filter(|(_, entry)| entry.is_listed()).map(|(_, entry)| &*entry.user)
    }

    /// How many are.
    pub fn listed(&self) -> usize {
        self.index.listed()
    }

    /// Those of them in a number of places of the table from one on. Whoever stays has the same place.
    pub fn page(&self, from: usize, most: usize) -> impl Iterator<Item = Person<'_>> {
        let slots = (from..from.saturating_add(most).min(self.places())).map(|slot| slot as Slot);
        slots.filter(|slot| self.index.get(*slot).is_some_and(Entry::is_listed)).filter_map(|slot| self.person(slot))
    }

    /// How many places there are, used or not.
    pub fn places(&self) -> usize {
        self.index.slots()
    }

    /// How many sign-ons are followed, those among them that are not told yet, and those that are over by one source only.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was counted since the table was made.
    pub fn tally(&self) -> &AccessTally {
        &self.tally
    }

    /// Counts what changed: where it is the same, nobody came or went.
    pub fn changes(&self) -> u64 {
        self.changes
    }
}
