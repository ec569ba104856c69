//! The thread that has the disks: does what is ordered, in order, and what is due.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use dataplane::time::Nanos;

use super::store::{Appended, Store};
use super::{Form, News, Shared};
use crate::export::{Payload, SpoolLimits};
use crate::record::BootId;

/// Between two syncs for the sake of the classes that are made sure of at once.
const URGENT: Duration = Duration::from_millis(100);

/// Between two syncs for the others, and between two looks at what is old and what is done.
const HOUSE: Duration = Duration::from_secs(1);

/// What the loop orders.
#[derive(Debug)]
pub(super) enum Order {
    /// A spool, before anything else about that host.
    Open(Box<Opened>),
    /// Append; so many octets of the inbox.
    Write { host: usize, batch: Vec<Payload>, octets: usize },
    /// Read, as soon as there is something.
    Want { host: usize, octets: usize, generation: u64 },
    /// Read again from what is not done.
    Rewind { host: usize },
    /// Make sure of everything, and say so.
    Sync { host: usize, answer: Sender<bool> },
    /// Make sure of everything; there is nothing more for this host.
    Close { host: usize },
    /// Make sure of everything, and end.
    Stop,
}

/// A spool to be opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) host: usize,
    pub(super) folder: PathBuf,
    pub(super) form: Form,
    pub(super) limits: SpoolLimits,
    pub(super) news: Sender<Tell>,
    pub(super) shared: Arc<Shared>,
}

/// What goes back.
#[derive(Debug)]
pub(super) enum Tell {
    News(News),
    Read { generation: u64, records: Vec<(u64, Payload)> },
}

/// One host's.
struct Desk {
    store: Store,
    news: Sender<Tell>,
    shared: Arc<Shared>,
    /// Records are wanted: so many octets, of that generation.
    wanted: Option<(usize, u64)>,
    synced: Instant,
    /// When the next sync is due.
    sync: Option<Instant>,
    house: Instant,
}

/// All hosts.
#[derive(Default)]
struct Desks {
    open: BTreeMap<usize, Desk>,
    /// Those whose folder cannot be read.
    broken: BTreeMap<usize, (Sender<Tell>, Arc<Shared>)>,
}

/// Works until told to stop, or nobody is there any more.
pub(super) fn work(orders: &Receiver<Order>, boot: BootId) {
    let mut desks = Desks::default();
    loop {
        let now = Instant::now();
        let due = desks.open.values().map(Desk::due).min().unwrap_or(now + HOUSE);
        let order = match orders.recv_timeout(due.saturating_duration_since(now)) {
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
        };
        if let Some(order) = order {
            desks.obey(order, boot);
        }
        let now = Instant::now();
        desks.open.values_mut().for_each(|desk| desk.turn(now));
    }
    desks.open.into_values().for_each(|mut desk| _ = desk.end());
}

impl Desks {
    fn obey(&mut self, order: Order, boot: BootId) {
        match order {
            Order::Open(opened) => self.begin(*opened, boot),
            Order::Write { host, batch, octets } => {
                if let Some(desk) = self.open.get_mut(&host) {
                    desk.write(batch);
                    desk.shared.pending.fetch_sub(octets, Ordering::AcqRel);
                } else if let Some((news, shared)) = self.broken.get(&host) {
                    let why = io::Error::other("its folder cannot be read");
                    let _ = news.send(Tell::News(News::Refused { batch, why }));
                    shared.pending.fetch_sub(octets, Ordering::AcqRel);
                }
            }
            Order::Want { host, octets, generation } => {
                if let Some(desk) = self.open.get_mut(&host) {
                    desk.wanted = Some((octets, generation));
                }
            }
            Order::Rewind { host } => {
                let Some(desk) = self.open.get_mut(&host) else { return };
                // What was acknowledged before must not be read again.
                desk.acknowledge();
                desk.wanted = None;
                desk.store.rewind();
            }
            Order::Sync { host, answer } => {
                let synced = self.open.get_mut(&host).is_some_and(Desk::end);
                let _ = answer.send(synced);
            }
            Order::Close { host } => {
                self.broken.remove(&host);
                self.open.remove(&host).map(|mut desk| desk.end());
            }
            Order::Stop => {}
        }
    }

    fn begin(&mut self, opened: Opened, boot: BootId) {
        let Opened { host, folder, form, limits, news, shared } = opened;
        let tell = |told| _ = news.send(Tell::News(told));
        match Store::open(&folder, form, boot, limits, time()) {
            Ok((store, recovered)) => {
                tell(News::Recovered(recovered));
                let now = Instant::now();
                let desk = Desk { store, news, shared, wanted: None, synced: now, sync: None, house: now };
                self.open.insert(host, desk);
            }
            Err(error) => {
                tell(News::Recovered(Vec::new()));
                tell(News::Fault(format!("its spool cannot be read: {error}")));
                self.broken.insert(host, (news, shared));
            }
        }
    }
}

impl Desk {
    fn due(&self) -> Instant {
        self.sync.map_or(self.house, |sync| sync.min(self.house))
    }

    fn write(&mut self, batch: Vec<Payload>) {
        let Appended { records, refused, urgent } = self.store.append(batch, time());
        let now = Instant::now();
        if self.store.unsynced {
            let due = self.synced + if urgent { URGENT } else { HOUSE };
            self.sync = Some(self.sync.map_or(due, |sync| sync.min(due)).max(now));
        }
        self.tell(News::Written { records });
        // Behind it: what the batch pushed out may be of the batch.
        self.tell_losses();
        if let Some((batch, why)) = refused {
            self.tell(News::Refused { batch, why });
        }
    }

    /// Does what is due, reads what is wanted, and shows how much there is.
    fn turn(&mut self, now: Instant) {
        self.acknowledge();
        if self.sync.is_some_and(|sync| sync <= now) {
            self.store.sync();
            (self.sync, self.synced) = (None, Instant::now());
        }
        if self.house <= now {
            self.store.keep_house(time());
            self.house = now + HOUSE;
        }
        if let Some((octets, generation)) = self.wanted {
            let records = self.store.read(octets);
            if !records.is_empty() {
                self.wanted = None;
                let _ = self.news.send(Tell::Read { generation, records });
            }
        }
        self.tell_losses();
        self.show();
    }

    fn acknowledge(&mut self) {
        self.store.acknowledge(self.shared.done.load(Ordering::Acquire));
    }

    /// Makes sure of everything.
    fn end(&mut self) -> bool {
        self.acknowledge();
        let synced = self.store.sync();
        self.store.write_mark(true);
        (self.sync, self.synced) = (None, Instant::now());
        self.tell_losses();
        synced
    }

    fn tell_losses(&mut self) {
        for loss in std::mem::take(&mut self.store.losses) {
            self.tell(News::Lost(loss));
        }
        for fault in std::mem::take(&mut self.store.faults) {
            self.tell(News::Fault(fault));
        }
    }

    fn tell(&self, news: News) {
        // Where nobody listens any more, nobody counts any more.
        let _ = self.news.send(Tell::News(news));
    }

    fn show(&self) {
        let size = self.store.size();
        let put = |number: &std::sync::atomic::AtomicU64, value| number.store(value, Ordering::Relaxed);
        put(&self.shared.records, size.records);
        put(&self.shared.octets, size.octets);
        put(&self.shared.oldest, size.oldest.map_or(0, |oldest| oldest.0));
        put(&self.shared.segments, u64::from(size.segments));
    }
}

fn time() -> Nanos {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Nanos::from_parts(time.as_secs(), time.subsec_nanos())
}
