//! Whatever happens to a host and to its disk, in whatever order, no record is unaccounted for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::tests::{configuration, record};
use super::*;
use crate::export::depot::Disk;
use crate::export::spool::{News, SpoolLoss, SpoolSize};
use crate::export::writer::Writer;
use crate::export::{Format, Payload};
use crate::record::{BootId, Class};

/// A disk that does what it is told, and what happens to disks.
#[derive(Debug, Default)]
struct World {
    records: BTreeMap<u64, Payload>,
    next: u64,
    handed: u64,
    done: u64,
    wanted: bool,
    /// Batches that are not written yet.
    inbox: VecDeque<Vec<Payload>>,
    news: VecDeque<News>,
    /// Records that fit.
    room: usize,
    /// What went down with it.
    lost: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
struct Model(Arc<Mutex<World>>);

fn lawful(payload: &Payload) -> bool {
    !payload.own && !payload.again
}

impl World {
    fn turn(&mut self) {
        while let Some(mut batch) = self.inbox.pop_front() {
            let room = self.room.saturating_sub(self.records.len()).min(batch.len());
            let rest = batch.split_off(room);
            let mut records = BTreeMap::<Class, u64>::new();
            for payload in batch {
                *records.entry(payload.class).or_default() += u64::from(lawful(&payload));
                self.records.insert(self.next, payload);
                self.next += 1;
            }
            self.news.push_back(News::Written { records: records.into_iter().collect() });
            if !rest.is_empty() {
                self.news.push_back(News::Refused { batch: rest, why: io::ErrorKind::StorageFull.into() });
            }
        }
        self.records = self.records.split_off(&self.done);
        if self.wanted && self.handed < self.next {
            let read: Vec<(u64, Payload)> = self
                .records
                .range(self.handed..)
                .take(3)
                .map(|(ordinal, payload)| (*ordinal, payload.clone()))
                .collect();
            if let Some((last, _)) = read.last() {
                self.handed = last + 1;
                self.wanted = false;
                self.news.push_back(News::Read(read));
            }
        }
    }

    /// A record rots; one that was handed out has been read by then. What says a loss does not, here: nobody would be told
    /// of it.
    fn rot(&mut self, place: usize) {
        let mut records = self.records.iter().filter(|(_, payload)| lawful(payload));
        let Some(ordinal) = records.nth(place).map(|(ordinal, _)| *ordinal) else { return };
        let Some(payload) = self.records.remove(&ordinal) else { return };
        if ordinal < self.handed {
            return;
        }
        self.lost.insert(payload.sequence);
        self.news.push_back(News::Lost(SpoolLoss {
            class: payload.class,
            cause: Cause::SpoolCorrupt,
            boot: payload.boot,
            count: 1,
            sequences: (payload.sequence, payload.sequence),
            span: (payload.time, payload.time),
        }));
    }
}

impl Disk for Model {
    fn write(&mut self, batch: Vec<Payload>) -> Result<(), Vec<Payload>> {
        let mut world = self.0.lock().unwrap();
        if world.inbox.len() >= 2 {
            return Err(batch);
        }
        world.inbox.push_back(batch);
        Ok(())
    }

    fn is_busy(&self) -> bool {
        self.0.lock().unwrap().inbox.len() >= 2
    }

    fn want(&mut self, _octets: usize) {
        self.0.lock().unwrap().wanted = true;
    }

    fn done(&mut self, ordinal: u64) {
        let mut world = self.0.lock().unwrap();
        assert!(ordinal < world.handed, "nothing is done that was not handed out");
        world.done = world.done.max(ordinal + 1);
    }

    fn rewind(&mut self) {
        let mut world = self.0.lock().unwrap();
        world.handed = world.done;
        world.wanted = false;
        world.news.retain(|news| !matches!(news, News::Read(_)));
    }

    fn news(&mut self) -> Option<News> {
        self.0.lock().unwrap().news.pop_front()
    }

    fn size(&self) -> SpoolSize {
        SpoolSize { records: self.0.lock().unwrap().records.len() as u64, ..SpoolSize::default() }
    }

    fn sync(&mut self, _until: Instant) -> bool {
        self.0.lock().unwrap().turn();
        true
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(Class),
    Take,
    Written(usize),
    Acknowledged(u64),
    Answered(usize, bool),
    Broke,
    Say,
    PutAway,
    CopyWindow,
    Disk,
    Hear(bool),
    Room(usize),
    Rot(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::sample::select(Class::ALL.to_vec()).prop_map(Step::Push),
        6 => Just(Step::Take),
        3 => (1..5_usize).prop_map(Step::Written),
        3 => (0..5_u64).prop_map(Step::Acknowledged),
        3 => (0..4_usize, prop::bool::weighted(0.7)).prop_map(|(place, took)| Step::Answered(place, took)),
        1 => Just(Step::Broke),
        2 => Just(Step::Say),
        2 => Just(Step::PutAway),
        1 => Just(Step::CopyWindow),
        4 => Just(Step::Disk),
        4 => any::<bool>().prop_map(Step::Hear),
        1 => (0..40_usize).prop_map(Step::Room),
        1 => (0..6_usize).prop_map(Step::Rot),
    ]
}

/// What one connection has seen, and the collector at its other end.
struct Bench {
    backlog: Backlog,
    writer: Writer,
    disk: Arc<Mutex<World>>,
    relp: bool,
    /// Taken and not written.
    taken: VecDeque<Matter>,
    /// Transactions that are not answered, and the next.
    out: VecDeque<u32>,
    next: u32,
    position: u64,
    acknowledged: u64,
    /// What the host has, and said losses with their counts, by name.
    got: BTreeSet<u64>,
    said: BTreeMap<(Class, u64, u64), u64>,
}

impl Bench {
    fn new(capacity: usize, relp: bool) -> Self {
        let host = configuration(capacity, relp);
        let mut backlog = Backlog::new(&host);
        let disk = Arc::new(Mutex::new(World { room: 40, ..World::default() }));
        backlog.keep_in(Depot::new(Box::new(Model(Arc::clone(&disk))), 50));
        backlog.begin(2);
        let writer = Writer::new(&host, Format::Syslog, Class::ALL.to_vec());
        let (taken, out) = (VecDeque::new(), VecDeque::new());
        let (got, said) = (BTreeSet::new(), BTreeMap::new());
        Self { backlog, writer, disk, relp, taken, out, next: 2, position: 0, acknowledged: 0, got, said }
    }

    fn take(&mut self) {
        if let Some(matter) = self.backlog.front().cloned() {
            self.backlog.take();
            self.taken.push_back(matter);
        }
    }

    fn written(&mut self, count: usize) {
        let count = count.min(self.taken.len());
        for matter in self.taken.drain(..count) {
            self.out.push_back(self.next);
            self.next += 1;
            let (own, text) = match &matter {
                Matter::Record(record) => (matches!(record.body, crate::record::Body::Loss(_)), None),
                Matter::Payload(payload) => (payload.own, Some(String::from_utf8_lossy(&payload.octets).into_owned())),
            };
            let (BootId(boot), sequence) = matter.name();
            if own {
                let count = match &matter {
                    Matter::Record(record) => match &record.body {
                        crate::record::Body::Loss(loss) => loss.count,
                        _ => 0,
                    },
                    Matter::Payload(_) => {
                        let text = text.unwrap_or_default();
                        let at = text.find(" count=\"").unwrap() + 8;
                        text[at..].split('"').next().unwrap().parse().unwrap()
                    }
                };
                self.said.insert((matter.class(), boot, sequence), count);
            } else {
                self.got.insert(sequence);
            }
        }
        self.position += count as u64 * 100;
        let until = if self.relp { Until::Answer } else { Until::Position(self.position) };
        self.backlog.written(count, count * 100, Some(until), Instant::now());
    }

    fn acknowledge(&mut self, records: u64) {
        self.acknowledged = (self.acknowledged + records * 100).min(self.position);
        self.backlog.acknowledged(self.acknowledged, Instant::now());
    }

    fn answer(&mut self, place: usize, took: bool) {
        if let (true, Some(transaction)) = (self.relp, self.out.remove(place)) {
            assert!(self.backlog.answered(transaction, took, Nanos(1)));
        }
    }

    fn broke(&mut self) {
        self.taken.clear();
        self.out.clear();
        (self.next, self.position, self.acknowledged) = (2, 0, 0);
        self.backlog.broke();
        self.backlog.begin(2);
    }

    fn step(&mut self, step: Step, sequence: &mut u64) {
        match step {
            Step::Push(class) => {
                *sequence += 1;
                self.backlog.push(&record(class, *sequence));
            }
            Step::Take => self.take(),
            Step::Written(count) => self.written(count),
            Step::Acknowledged(records) if !self.relp => self.acknowledge(records),
            Step::Answered(place, took) if self.relp => self.answer(place, took),
            Step::Acknowledged(_) | Step::Answered(..) => {}
            Step::Broke => self.broke(),
            Step::Say => self.backlog.say_losses(Instant::now(), true),
            Step::PutAway => self.backlog.put_away(&mut self.writer),
            Step::CopyWindow => self.backlog.copy_window(&mut self.writer),
            Step::Disk => self.disk.lock().unwrap().turn(),
            Step::Hear(flow) => self.backlog.hear(flow, |_| ()),
            Step::Room(room) => self.disk.lock().unwrap().room = room,
            Step::Rot(place) => self.disk.lock().unwrap().rot(place),
        }
    }

    /// The host is well, and so is the disk.
    fn recover(&mut self) {
        self.broke();
        self.disk.lock().unwrap().room = usize::MAX;
        for _ in 0..2_000 {
            self.disk.lock().unwrap().turn();
            self.backlog.hear(true, |_| ());
            self.backlog.say_losses(Instant::now(), true);
            self.take();
            self.written(1);
            self.acknowledge(1);
            self.answer(0, true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// The law holds after each step; and once all is well, the host has every record that is not counted as dropped, was told
    /// of exactly those that are, and nothing is owed.
    #[test]
    fn nothing_that_is_owed_vanishes(
        steps in prop::collection::vec(step(), 0..300),
        capacity in 1..12_usize,
        relp in any::<bool>(),
    ) {
        let (mut bench, mut sequence) = (Bench::new(capacity, relp), 0);
        for step in steps {
            bench.step(step.clone(), &mut sequence);
            for class in Class::ALL {
                let counts = bench.backlog.counts(class);
                prop_assert!(counts.holds(), "after {step:?}: {counts:?}");
                prop_assert!(bench.backlog.unsent(class) <= counts.queued);
                let (count, (lowest, highest)) = bench.backlog.in_memory(class);
                prop_assert!(count == 0 || lowest <= highest);
            }
        }
        bench.recover();
        let mut dropped = 0;
        for class in Class::ALL {
            let counts = bench.backlog.counts(class);
            prop_assert!(counts.holds() && counts.queued == 0 && counts.spooled == 0, "{counts:?}");
            let told: u64 = bench.said.iter().filter(|((of, ..), _)| *of == class).map(|(_, count)| count).sum();
            prop_assert_eq!(told, counts.dropped());
            dropped += counts.dropped();
        }
        // What the host refused, or what was read and rotted then, it may have seen.
        prop_assert!(bench.got.len() as u64 + dropped >= sequence, "{} and {dropped} of {sequence}", bench.got.len());
        let refused: u64 = Class::ALL.iter().map(|class| bench.backlog.counts(*class).dropped_by(Cause::Refused)).sum();
        let seen = bench.disk.lock().unwrap().lost.intersection(&bench.got).count() as u64;
        prop_assert!(bench.got.len() as u64 + dropped <= sequence + refused + seen);
    }
}
