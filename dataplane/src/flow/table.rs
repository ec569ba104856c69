//! The table: index, records, timer wheel and the order of giving way, held together.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::quality::RandomState;

use super::index::Index;
use super::key::FlowKey;
use super::list::{Links, List};
use super::record::{Class, Record};
use super::wheel::Wheel;
use crate::dpdk::prefetch;
use crate::event::SessionId;
use crate::time::Nanos;

/// A place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub(super) u32);

impl Slot {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A flow, and no other that has its place later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowId {
    slot: Slot,
    generation: u32,
}

/// What a slot has besides its record and is rarely looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Aside {
    session: SessionId,
    generation: u32,
    hash: u32,
}

/// The flow table of one worker.
#[derive(Debug)]
pub struct Table {
    hasher: RandomState,
    index: Index,
    records: Box<[Record]>,
    asides: Box<[Aside]>,
    wheel: Wheel,
    class_links: Links,
    classes: [List; Class::COUNT],
    free: Vec<u32>,
}

/// Entries of a class looked at for one that gives way, at most.
const CANDIDATES: usize = 16;
/// How long a flow with a sign-on must have been silent before it gives way.
const SIGNED_ON_SILENCE: Duration = Duration::from_secs(60);

impl Table {
    /// Takes the memory for `capacity` entries (at least 1) now.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, u32::MAX as usize - 1);
        Self {
            hasher: RandomState::default(),
            index: Index::new(capacity),
            records: vec![Record::default(); capacity].into_boxed_slice(),
            asides: vec![Aside::default(); capacity].into_boxed_slice(),
            wheel: Wheel::new(capacity),
            class_links: Links::new(capacity),
            classes: [List::EMPTY; Class::COUNT],
            free: (0..capacity as u32).rev().collect(),
        }
    }

    /// A key's hash in this table.
    pub fn hash(&self, key: &FlowKey) -> u32 {
        self.hasher.hash_one(key) as u32
    }

    /// Asks for what a lookup of this hash needs first.
    pub fn prefetch_index(&self, hash: u32) {
        self.index.prefetch(hash);
    }

    /// Asks for the record that a lookup of this hash most likely finds; the index should be near by now.
    pub fn prefetch_record(&self, hash: u32) {
        if let Some(record) = self.index.first(hash).and_then(|slot| self.records.get(slot.index())) {
            prefetch(record);
            prefetch(&record.start);
        }
    }

    /// The entry of a key.
    pub fn find(&self, key: &FlowKey, hash: u32) -> Option<Slot> {
        self.index.candidates(hash).find(|slot| self.records[slot.index()].key() == *key)
    }

    /// Adds an entry, which the table does not have, to be looked at when `due`; none where the table is full.
    pub fn insert(&mut self, hash: u32, record: Record, session: SessionId, due: Nanos) -> Option<Slot> {
        let slot = Slot(self.free.pop()?);
        let aside = &mut self.asides[slot.index()];
        aside.session = session;
        aside.hash = hash;
        let now = record.last;
        self.records[slot.index()] = record;
        self.index.insert(hash, slot);
        self.wheel.add(slot, now, due);
        let class = record.natural_class();
        self.records[slot.index()].class = class;
        self.class_links.push(&mut self.classes[class as usize], slot);
        Some(slot)
    }

    /// Removes an entry.
    pub fn remove(&mut self, slot: Slot) {
        self.wheel.remove(slot);
        self.remove_off_wheel(slot);
    }

    /// Removes an entry that [`Table::due`] gave.
    pub fn remove_off_wheel(&mut self, slot: Slot) {
        let class = self.records[slot.index()].class;
        self.class_links.remove(&mut self.classes[class as usize], slot);
        let aside = &mut self.asides[slot.index()];
        aside.generation = aside.generation.wrapping_add(1);
        aside.session = SessionId(0);
        self.index.remove(aside.hash, slot);
        self.free.push(slot.0);
    }

    /// An entry's record.
    pub fn record(&self, slot: Slot) -> &Record {
        &self.records[slot.index()]
    }

    /// An entry's record, to be changed; [`Table::reclassify`] after a change of state or sign-on.
    pub fn record_mut(&mut self, slot: Slot) -> &mut Record {
        &mut self.records[slot.index()]
    }

    /// An entry's session.
    pub fn session(&self, slot: Slot) -> SessionId {
        self.asides[slot.index()].session
    }

    /// An entry's lasting name.
    pub fn id(&self, slot: Slot) -> FlowId {
        FlowId { slot, generation: self.asides[slot.index()].generation }
    }

    /// The entry of that name, if it is still there.
    pub fn by_id(&self, id: FlowId) -> Option<Slot> {
        (self.asides[id.slot.index()].generation == id.generation).then_some(id.slot)
    }

    /// Puts an entry into the class that its state asks for.
    pub fn reclassify(&mut self, slot: Slot) {
        let record = &mut self.records[slot.index()];
        let (old, new) = (record.class, record.natural_class());
        if old != new {
            record.class = new;
            self.class_links.remove(&mut self.classes[old as usize], slot);
            self.class_links.push(&mut self.classes[new as usize], slot);
        }
    }

    /// Moves an entry on the wheel, because its time became shorter.
    pub fn reschedule(&mut self, slot: Slot, now: Nanos, due: Nanos) {
        self.wheel.remove(slot);
        self.wheel.add(slot, now, due);
    }

    /// The next entry whose time may have come, taken off the wheel: [`Table::put_back`] or
    /// [`Table::remove_off_wheel`] must follow. `budget` bounds the empty buckets passed in a turn.
    pub fn due(&mut self, now: Nanos, budget: &mut usize) -> Option<Slot> {
        self.wheel.due(now, budget)
    }

    /// Puts back an entry that lives on.
    pub fn put_back(&mut self, slot: Slot, now: Nanos, due: Nanos) {
        self.wheel.add(slot, now, due);
    }

    /// What a turn's budget is.
    pub const fn turn_budget() -> usize {
        Wheel::budget()
    }

    /// The entry that gives way to a new one: of the first class that has any, the one silent for longest among the
    /// 16 that have been in it for longest. Those are put to the class's end, so that the next search looks
    /// at others. A flow with a sign-on gives way only after a minute of silence.
    pub fn victim(&mut self, now: Nanos) -> Option<Slot> {
        let class = self.classes.iter().position(|list| list.first().is_some())?;
        let mut next = self.classes[class].first();
        let mut oldest: Option<(Nanos, Slot)> = None;
        for _ in 0..CANDIDATES {
            let Some(slot) = next else { break };
            next = self.class_links.after(slot);
            let last = self.records[slot.index()].last;
            if oldest.is_none_or(|(time, _)| last < time) {
                oldest = Some((last, slot));
            }
            let list = &mut self.classes[class];
            self.class_links.remove(list, slot);
            self.class_links.push(list, slot);
        }
        let (last, slot) = oldest?;
        let protected = class == Class::SignedOn as usize && now.since(last) < SIGNED_ON_SILENCE;
        (!protected).then_some(slot)
    }

    /// Entries in use.
    pub fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Whether none is in use.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot at a place, if it holds an open session; for walks over the whole table.
    pub fn open_at(&self, place: usize) -> Option<Slot> {
        let aside = self.asides.get(place)?;
        let is_open = aside.session != SessionId(0) && self.records[place].state.is_open();
        is_open.then_some(Slot(place as u32))
    }

    /// Places in all.
    pub fn capacity(&self) -> usize {
        self.records.len()
    }
}
