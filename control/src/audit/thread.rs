//! The thread that has the files of the trail: encodes, chains, writes, and makes sure.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use dataplane::time::Nanos;

use super::archive::Task;
use super::desk::{Desk, Entry, Lost, Told};
use super::news;
use super::store::Shared;
use super::{FileStatus, StoreConfig, StoreNews, Sync, WhenFull};
use crate::record::audit::AuditEvent;
use crate::record::json::Formatter;
use crate::record::{Body, Class, LossReason, Name, Record, severity};

/// What the control core orders.
#[derive(Debug)]
pub(super) enum Order {
    /// Records, each with the files that it is for.
    Write(Vec<(u32, Arc<Record>)>),
    /// So many did not fit between the core and this thread.
    Lost { place: usize, count: u64 },
    /// Begin the next file.
    Rotate { place: usize },
    /// Say so when all before is written and told.
    Settle(Sender<()>),
    /// Write all, sign, and end.
    Stop,
}

/// Between two looks at what is due.
const HOUSE: Duration = Duration::from_millis(250);
/// Made sure of after this time where it is not to be at once.
const SYNC: Duration = Duration::from_secs(1);
/// Orders that are carried out before it is made sure of what they wrote.
const TOGETHER: usize = 64;

pub(super) struct Worker {
    desks: Vec<(Name, Desk)>,
    formatter: Formatter,
    /// The longest that records of the trail's class wait to be made sure of; none: not at all.
    sync: Option<Duration>,
    refuses: bool,
    holds: bool,
    shared: Arc<Shared>,
    news: Sender<StoreNews>,
    archiver: Sender<Task>,
    clock: fn() -> Nanos,
    synced: Instant,
    /// Records that are gone, by file.
    lost: Vec<u64>,
}

impl Worker {
    pub(super) fn new(
        desks: Vec<(Name, Desk)>,
        formatter: Formatter,
        config: &StoreConfig,
        shared: Arc<Shared>,
        (news, archiver): (Sender<StoreNews>, Sender<Task>),
        clock: fn() -> Nanos,
    ) -> Self {
        let sync = match config.sync {
            Sync::Each => None,
            Sync::Every(span) => Some(span),
        };
        Self {
            lost: vec![0; desks.len()],
            desks,
            formatter,
            sync,
            refuses: config.when_full == WhenFull::RefuseTraffic,
            holds: false,
            shared,
            news,
            archiver,
            clock,
            synced: Instant::now(),
        }
    }

    /// Works until told to stop, or nobody is there any more.
    pub(super) fn work(mut self, orders: &Receiver<Order>) {
        let mut due = Instant::now() + HOUSE;
        let mut stops = false;
        let mut settled = Vec::new();
        while !stops {
            let wait = due.saturating_duration_since(Instant::now());
            let mut urgent = false;
            match orders.recv_timeout(wait) {
                Ok(first) => {
                    for order in std::iter::once(first).chain(orders.try_iter().take(TOGETHER)) {
                        stops |= matches!(order, Order::Stop);
                        match order {
                            Order::Settle(asked) => settled.push(asked),
                            order => urgent |= self.obey(order),
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => stops = true,
            }
            let (now, time) = (Instant::now(), (self.clock)());
            self.desks.iter_mut().for_each(|(_, desk)| desk.put(time));
            let span = self.sync.unwrap_or(SYNC);
            if (urgent && self.sync.is_none()) || now.saturating_duration_since(self.synced) >= span {
                self.make_sure(now);
            }
            self.desks.iter_mut().for_each(|(_, desk)| desk.turn(now, time));
            self.tell(time);
            // Who asked may have gone.
            settled.drain(..).for_each(|asked: Sender<()>| _ = asked.try_send(()));
            due = now + if self.desks.iter().any(|(_, desk)| desk.is_unsynced()) { HOUSE.min(span) } else { HOUSE };
        }
        self.end();
    }

    /// Carries an order out; whether something has to be made sure of at once.
    fn obey(&mut self, order: Order) -> bool {
        let time = (self.clock)();
        match order {
            Order::Write(batch) => {
                let mut urgent = false;
                let count = batch.len();
                for (files, record) in batch {
                    let entry = self.entry(&record);
                    urgent |= entry.class == Class::Audit;
                    for (place, (_, desk)) in self.desks.iter_mut().enumerate() {
                        if files & 1 << place != 0 {
                            desk.take(&entry, time);
                        }
                    }
                }
                self.desks.iter_mut().for_each(|(_, desk)| desk.put(time));
                self.shared.pending.fetch_sub(count, Ordering::AcqRel);
                urgent
            }
            Order::Lost { place, count } => {
                if let Some((_, desk)) = self.desks.get_mut(place) {
                    desk.lost_before(count);
                    self.lost[place] += count;
                }
                false
            }
            Order::Rotate { place } => {
                if let Some((_, desk)) = self.desks.get_mut(place) {
                    desk.rotate("asked", time);
                }
                false
            }
            Order::Settle(_) | Order::Stop => false,
        }
    }

    fn entry(&mut self, record: &Record) -> Entry {
        let mut object = Vec::with_capacity(768);
        self.formatter.format(record, &mut object);
        // What text formats have in their heads.
        object.pop();
        object.extend_from_slice(format!(",\"severity\":{}}}", severity(&record.body)).as_bytes());
        let stands_for = match &record.body {
            Body::Loss(loss) => Some((loss.count, loss.sequences)),
            _ => None,
        };
        let is_checkpoint = matches!(&record.body, Body::Audit(audit) if audit.event == AuditEvent::AuditCheckpoint);
        let (class, sequence, time) = (record.body.class(), record.sequence, record.time);
        Entry { class, sequence, time, stands_for, is_checkpoint, object }
    }

    fn make_sure(&mut self, now: Instant) {
        self.synced = now;
        for (name, desk) in &mut self.desks {
            if let Some(newest) = desk.sync()
                && &**name == super::TRAIL
            {
                self.shared.written.fetch_max(newest, Ordering::AcqRel);
            }
        }
    }

    /// Passes on what the files say, and shows how they are doing.
    fn tell(&mut self, time: Nanos) {
        let mut status = Vec::new();
        for (place, (name, desk)) in self.desks.iter_mut().enumerate() {
            for told in std::mem::take(&mut desk.told) {
                match told {
                    Told::Rotated(..) => _ = self.archiver.send(Task::Look { place, now: false }),
                    Told::Lost(_, lost) => self.lost[place] += lost.count,
                    _ => {}
                }
                if let Some(news) = news::told(time, name, told, self.refuses) {
                    let _ = self.news.send(news);
                }
            }
            status.push(FileStatus {
                name: name.to_string(),
                serial: desk.live().serial(),
                octets: desk.live().length(),
                last: desk.live().last(),
                records: desk.records,
                lost: self.lost[place] + desk.losing(),
                full: desk.stands(),
            });
        }
        if let Ok(mut shown) = self.shared.status.lock() {
            *shown = status;
        }
        // Without the trail itself nothing new may come; other files are not what it is about.
        let holds = self.refuses && self.desks.iter().any(|(name, desk)| &**name == super::TRAIL && desk.stands());
        if holds != self.holds {
            self.holds = holds;
            let _ = self.news.send(StoreNews::Hold(holds));
        }
    }

    fn end(mut self) {
        let (now, time) = (Instant::now(), (self.clock)());
        for (name, desk) in &mut self.desks {
            for (class, lost) in desk.end((now, time)) {
                let Lost { count, sequences, span } = lost;
                let reason = LossReason::StoreFull;
                let _ = self.news.send(StoreNews::Lost { file: name.clone(), class, count, sequences, span, reason });
            }
        }
        self.make_sure(now);
    }
}
