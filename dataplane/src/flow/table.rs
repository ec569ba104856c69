//! The table: index, records, times and the order of giving way, held together.
//!
//! An entry takes 128 octets of memory at most, all in: 64 of the [`Record`], 16 and 32 of the cold parts, 9.6 of the index
//! (entries of 6.4, two thirds of which are used), 4 of its time, and less than one of six sets of bits (free, and five
//! classes).

use super::bitset::BitSet;
use super::clock::{Patience, Present, TableClock};
use super::cold::{Counts, Life, Wide, upper_counts};
use super::hash::Hasher;
use super::index::Index;
use super::inspections::Inspections;
use super::key::FlowKey;
use super::record::{Class, Record, Stage};
use super::slot::Slot;
use super::sweep::Sweep;
use crate::appid::InspectionId;
use crate::dpdk::{HugeSlice, Pages, prefetch};
use crate::endpoint::Direction;
use crate::event::{SessionId, Volume, WorkerId};
use crate::time::Nanos;

/// A flow, and no other that has its place later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowId {
    slot: Slot,
    /// The session's count.
    session: u64,
}

/// How far the identification of a flow's application is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identification {
    /// It was not shown to the engine.
    NotBegun,
    /// The engine looks at it.
    Running(InspectionId),
    /// The engine needs no more of it, or it is not to be looked at any more.
    Over,
}

/// The flow table of one worker.
#[derive(Debug)]
pub struct Table {
    hasher: Hasher,
    index: Index,
    records: HugeSlice<Record>,
    lives: HugeSlice<Life>,
    wides: HugeSlice<Wide>,
    sweep: Sweep,
    classes: [BitSet; Class::ALL.len()],
    /// Entries of each class.
    populations: [usize; Class::ALL.len()],
    /// Where the next search for one that gives way begins.
    hands: [usize; Class::ALL.len()],
    free: BitSet,
    /// Where the next search for a free slot begins.
    hand: usize,
    inspections: Inspections,
    clock: TableClock,
    /// What the clock showed when the present pass through all slots began.
    pass: u64,
    worker: WorkerId,
    /// Sessions counted.
    sessions: u64,
    used: usize,
}

/// The entries of a table, to be found where they most likely are.
#[derive(Debug)]
pub struct Flows<'a> {
    records: &'a mut [Record],
    wides: &'a [Wide],
}

impl Flows<'_> {
    /// The entry in a slot, if it is of this key.
    #[inline(always)]
    pub fn at(&mut self, slot: Slot, key: &FlowKey) -> Option<&mut Record> {
        let record = self.records.get_mut(slot.index()).filter(|record| record.resembles(key))?;
        if !key.is_v4() && self.wides.get(slot.index())?.upper() != key.upper {
            return None;
        }
        Some(record)
    }
}

/// Entries of a class considered when one has to give way, at most.
const CANDIDATES: usize = 16;
/// How long a flow with a sign-on must have been silent before it gives way.
const SIGNED_ON_SILENCE: Patience = Patience(60_000);
/// How far ahead of the slots that are taken their lines are asked for.
const AHEAD: usize = 4;

impl Table {
    /// Takes the memory for `capacity` entries (at least 1) and `inspections` slots of the engine, and touches all of it.
    pub fn new(worker: WorkerId, capacity: usize, inspections: usize) -> Self {
        let capacity = capacity.clamp(1, Self::MOST);
        Self {
            hasher: Hasher::new(),
            index: Index::new(capacity),
            records: HugeSlice::new(capacity, Record::default()),
            lives: HugeSlice::new(capacity, Life::default()),
            wides: HugeSlice::new(capacity, Wide::default()),
            sweep: Sweep::new(capacity),
            classes: std::array::from_fn(|_| BitSet::new(capacity)),
            populations: [0; Class::ALL.len()],
            hands: [0; Class::ALL.len()],
            free: BitSet::full(capacity),
            hand: 0,
            inspections: Inspections::new(inspections),
            clock: TableClock::default(),
            pass: 0,
            worker,
            sessions: 0,
            used: 0,
        }
    }

    /// Entries that a table has at most.
    pub const MOST: usize = 1 << 29;

    /// Octets of memory that the entries take, all in.
    pub fn octets(&self) -> usize {
        let records = self.records.octets() + self.lives.octets() + self.wides.octets();
        let sets: usize = self.classes.iter().map(BitSet::octets).sum();
        records + self.index.octets() + self.sweep.octets() + sets + self.free.octets()
    }

    /// What [`Table::octets`] of a table for `capacity` entries will be.
    pub fn octets_for(capacity: usize) -> usize {
        let capacity = capacity.clamp(1, Self::MOST);
        let records = HugeSlice::<Record>::octets_for(capacity)
            + HugeSlice::<Life>::octets_for(capacity)
            + HugeSlice::<Wide>::octets_for(capacity);
        let sets = (Class::ALL.len() + 1) * BitSet::octets_for(capacity);
        records + Index::octets_for(capacity) + Sweep::octets_for(capacity) + sets
    }

    /// What the records lie on.
    pub const fn pages(&self) -> Pages {
        self.records.pages()
    }

    /// Sets the time, which never goes backwards. To be called before anything that depends on it: once a burst.
    #[inline]
    pub fn advance(&mut self, now: Nanos) {
        self.clock.advance(now);
        self.sweep.advance(now);
    }

    /// A key's hash in this table.
    #[inline(always)]
    pub fn hash(&self, key: &FlowKey) -> u64 {
        self.hasher.hash(key)
    }

    /// Asks for the line of the index where a lookup of this hash begins: the first stage of a burst.
    #[inline(always)]
    pub fn prefetch_index(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Asks for the record that most likely has this hash, once its line of the index is there: the second stage of a
    /// burst. The slot is a guess for [`Flows::at`].
    #[inline(always)]
    pub fn prefetch_record(&self, hash: u64) -> Slot {
        let slot = self.index.likely(hash);
        if let Some(record) = self.records.get(slot.index()) {
            prefetch(record);
        }
        slot
    }

    /// All entries, for packets that come one after the other.
    #[inline(always)]
    pub fn flows(&mut self) -> Flows<'_> {
        Flows { records: &mut self.records, wides: &self.wides }
    }

    /// The time that entries are compared with.
    #[inline(always)]
    pub fn present(&self) -> Present {
        Present { floor: self.clock.floor(), ceiling: self.clock.ceiling() }
    }

    /// The entry of a key.
    #[inline]
    pub fn find(&self, key: &FlowKey, hash: u64) -> Option<Slot> {
        self.index.find(hash, |slot| self.is_at(slot, key))
    }

    #[inline(always)]
    fn is_at(&self, slot: Slot, key: &FlowKey) -> bool {
        let resembles = self.records.get(slot.index()).is_some_and(|record| record.resembles(key));
        resembles && (key.is_v4() || self.wides[slot.index()].upper() == key.upper)
    }

    /// Adds an entry, which the table does not have, as a new session that begins now; none where the table is full.
    pub fn insert(&mut self, hash: u64, key: &FlowKey, mut record: Record, patience: Patience) -> Option<Slot> {
        let slot = self.free.next(self.hand)?;
        self.hand = slot.index() + 1;
        self.free.remove(slot);
        self.used += 1;
        self.sessions += 1;
        self.prefetch_free(slot);

        let class = record.natural_class();
        record.set_class(class);
        record.last = self.clock.ceiling();
        self.records[slot.index()] = record;
        self.lives[slot.index()] = Life::new(self.sessions & COUNT, self.clock.micros());
        if !key.is_v4() {
            self.wides[slot.index()] = Wide::of_v6(key.upper);
        }
        self.index.insert(hash, slot);
        self.sweep.arm(slot, record.last, patience);
        self.classes[class as usize].insert(slot);
        self.populations[class as usize] += 1;
        Some(slot)
    }

    /// Slots are taken in order: those that follow are asked for before their turn comes.
    #[inline(always)]
    fn prefetch_free(&self, slot: Slot) {
        if let Some(record) = self.records.get(slot.index() + AHEAD) {
            prefetch(record);
        }
        if let Some(life) = self.lives.get(slot.index() + 4 * AHEAD) {
            prefetch(life);
        }
    }

    /// Removes an entry.
    pub fn remove(&mut self, slot: Slot) {
        let hash = self.hash(&self.key(slot));
        let record = &mut self.records[slot.index()];
        let (class, stage) = (record.class(), record.stage());
        record.vacate();
        self.lives[slot.index()] = Life::default();
        self.index.remove(hash, slot);
        self.classes[class as usize].remove(slot);
        self.populations[class as usize] -= 1;
        self.sweep.disarm(slot);
        if stage == Stage::Running {
            self.inspections.remove(slot);
        }
        self.free.insert(slot);
        self.used -= 1;
    }

    /// An entry's record.
    #[inline(always)]
    pub fn record(&self, slot: Slot) -> &Record {
        &self.records[slot.index()]
    }

    /// An entry's record, to be changed; [`Table::reclassify`] after a change of state or sign-on.
    #[inline(always)]
    pub fn record_mut(&mut self, slot: Slot) -> &mut Record {
        &mut self.records[slot.index()]
    }

    /// An entry's key.
    pub fn key(&self, slot: Slot) -> FlowKey {
        let record = self.record(slot);
        record.key(if record.is_v4() { [0; 3] } else { self.wides[slot.index()].upper() })
    }

    /// An entry's session.
    pub fn session(&self, slot: Slot) -> SessionId {
        SessionId(u64::from(self.worker.0) << 48 | self.lives[slot.index()].session())
    }

    /// When an entry was made, to the microsecond.
    pub fn start(&self, slot: Slot) -> Nanos {
        self.clock.time_of_micros(self.lives[slot.index()].start())
    }

    /// When its last packet came, to the millisecond above.
    pub fn last(&self, slot: Slot) -> Nanos {
        self.clock.time_of(self.record(slot).last)
    }

    /// Notes that a packet of it came.
    #[inline(always)]
    pub fn touch(&mut self, slot: Slot) {
        let now = self.clock.ceiling();
        self.record_mut(slot).last = now;
    }

    /// Whether nothing came of it for so long: its time is over, whether the sweep has been there or not.
    #[inline(always)]
    pub fn is_silent(&self, slot: Slot, patience: Patience) -> bool {
        self.clock.floor().past(self.record(slot).last.after(patience)) >= 0
    }

    /// Counts a packet of an entry, of `octets`.
    #[inline(always)]
    pub fn count(&mut self, slot: Slot, direction: Direction, octets: u32) {
        let carries = self.record_mut(slot).count(direction, octets);
        if carries.0 | carries.1 {
            self.carry(slot, direction, carries);
        }
    }

    /// Takes up what [`Record::count`] said ran over.
    #[cold]
    pub fn carry(&mut self, slot: Slot, direction: Direction, (packets, octets): (bool, bool)) {
        let record = &mut self.records[slot.index()];
        let wide = &mut self.wides[slot.index()];
        let is_v4 = record.is_v4();
        if !record.has_spilled() {
            record.set_spilled();
            if is_v4 {
                *wide = Wide::default();
            }
        }
        let mut counts = Counts { life: &mut self.lives[slot.index()], wide, is_v4 };
        let at = direction as usize & 1;
        if packets && !counts.carry_packets(direction) {
            record.packets[at] = u8::MAX;
        }
        if octets && !counts.carry_octets(direction) {
            record.octets[at] = u32::MAX;
        }
    }

    /// What went in a direction. Of IPv6 counting ends at 2^40 packets and 2^48 octets.
    pub fn volume(&self, slot: Slot, direction: Direction) -> Volume {
        let record = self.record(slot);
        let wide = record.has_spilled().then(|| &self.wides[slot.index()]);
        let (packets, octets) = upper_counts(&self.lives[slot.index()], wide, record.is_v4(), direction);
        let at = direction as usize & 1;
        Volume {
            packets: packets << 8 | u64::from(record.packets[at]),
            octets: octets << 32 | u64::from(record.octets[at]),
        }
    }

    /// How far the identification of an entry is.
    pub fn identification(&self, slot: Slot) -> Identification {
        match self.record(slot).stage() {
            Stage::NotBegun => Identification::NotBegun,
            Stage::Running => self.inspections.of(slot).map_or(Identification::Over, Identification::Running),
            Stage::Over => Identification::Over,
        }
    }

    /// Sets how far the identification of an entry is.
    pub fn set_identification(&mut self, slot: Slot, identification: Identification) {
        if self.record(slot).stage() == Stage::Running {
            self.inspections.remove(slot);
        }
        let stage = match identification {
            Identification::NotBegun => Stage::NotBegun,
            Identification::Running(id) if self.inspections.insert(slot, id) => Stage::Running,
            Identification::Running(_) | Identification::Over => Stage::Over,
        };
        self.record_mut(slot).set_stage(stage);
    }

    /// An entry's lasting name.
    pub fn id(&self, slot: Slot) -> FlowId {
        FlowId { slot, session: self.lives[slot.index()].session() }
    }

    /// The entry of that name, if it is still there.
    pub fn by_id(&self, id: FlowId) -> Option<Slot> {
        (id.session != 0 && self.lives[id.slot.index()].session() == id.session).then_some(id.slot)
    }

    /// Puts an entry into the class that its state asks for.
    pub fn reclassify(&mut self, slot: Slot) {
        let record = &mut self.records[slot.index()];
        let (old, new) = (record.class(), record.natural_class());
        if old != new {
            record.set_class(new);
            self.classes[old as usize].remove(slot);
            self.classes[new as usize].insert(slot);
            self.populations[old as usize] -= 1;
            self.populations[new as usize] += 1;
        }
    }

    /// Sets when an entry is looked at again, so long after its last packet: because its time became shorter, or because
    /// [`Table::due`] gave it and it lives on.
    pub fn schedule(&mut self, slot: Slot, patience: Patience) {
        let last = self.record(slot).last;
        self.sweep.arm(slot, last, patience);
    }

    /// Goes through the slots that time has passed for, `most` at most, and gives those that are to be looked at to `due`
    /// until that takes no more. For each [`Table::remove`] or [`Table::schedule`] has to follow. The lines that this
    /// needs are asked for.
    ///
    /// Called often enough for `most`, an entry is given within 1,017 ms after its time, and never before.
    pub fn due(&mut self, most: usize, mut due: impl FnMut(Slot) -> bool) {
        let Self { sweep, clock, records, lives, .. } = self;
        let came_round = sweep.run(clock.floor(), most, |slot| {
            let taken = due(slot);
            if let (true, Some(record), Some(life)) = (taken, records.get(slot.index()), lives.get(slot.index())) {
                prefetch(record);
                prefetch(life);
            }
            taken
        });
        if came_round {
            clock.looked_through(self.pass);
            self.pass = clock.ticks();
        }
    }

    /// Asks for the line of the index that removing an entry needs, once its record is there.
    #[inline]
    pub fn prefetch_removal(&self, slot: Slot) {
        self.index.prefetch(self.hash(&self.key(slot)));
    }

    /// The entry that gives way to a new one: of the first class that has any, the one silent for longest among 16, the
    /// next search going on after those. A flow with a sign-on gives way only after a minute of silence.
    pub fn victim(&mut self) -> Option<Slot> {
        let class = Class::ALL.into_iter().find(|class| self.population(*class) > 0)?;
        self.victim_among(class)
    }

    /// The entry that gives way to a new one of class `newcomer`: an entry that is over; then, of those that wait for an
    /// answer, one of the newcomer's own class, so that a flood of one kind displaces itself, as long as that holds more
    /// than `floor`; then of the other; and only then one that was answered.
    pub fn victim_for(&mut self, newcomer: Class, floor: usize) -> Option<Slot> {
        let waiting = [newcomer, Class::HalfOpen, Class::OneWay];
        let beyond = waiting.into_iter().find(|class| class.waits() && self.population(*class) > floor);
        match beyond {
            Some(class) if self.population(Class::Over) == 0 => self.victim_among(class),
            _ => self.victim(),
        }
    }

    /// Entries of a class.
    pub const fn population(&self, class: Class) -> usize {
        self.populations[class as usize]
    }

    /// The entry of a class that gives way first; [`Table::victim`] tells how it is found among those that were answered.
    /// Those that wait for an answer go in turn. A newcomer gets the place of the one that went, behind the hand: so they
    /// go in the order in which they came, and each has as long as its class is large.
    pub fn victim_among(&mut self, class: Class) -> Option<Slot> {
        let considered = if class.waits() { 1 } else { CANDIDATES };
        let class = class as usize;
        let (set, hand) = (&self.classes[class], &mut self.hands[class]);
        let mut candidates = [Slot(0); CANDIDATES];
        let mut count = 0;
        for candidate in candidates.iter_mut().take(considered) {
            let Some(slot) = set.next(*hand) else { break };
            *hand = slot.index() + 1;
            *candidate = slot;
            count += 1;
            prefetch(&self.records[slot.index()]);
        }
        let now = self.clock.floor();
        let silence = |slot: &Slot| now.past(self.records[slot.index()].last);
        let slot = candidates.iter().take(count).copied().max_by_key(silence)?;
        let protected = class == Class::SignedOn as usize && !self.is_silent(slot, SIGNED_ON_SILENCE);
        (!protected).then_some(slot)
    }

    /// Entries in use.
    #[inline]
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether none is in use.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The slot at a place, if it holds an open session; for walks over the whole table.
    pub fn open_at(&self, place: usize) -> Option<Slot> {
        let slot = Slot(u32::try_from(place).ok()?);
        (self.sweep.is_armed(slot) && self.records.get(place)?.state().is_open()).then_some(slot)
    }

    /// Places in all.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.records.len()
    }
}

/// The bits of a session's number that are a count.
const COUNT: u64 = (1 << 48) - 1;
