//! What a log host does not take is kept on disk until it does: `STATE/spool/HOST/text` or `STATE/spool/HOST/ipfix-N`.
//!
//! What stands there are encoded records in files that are written once ([`record`] has the layout), and how far they are
//! done with. One thread does all that may block on a disk; the loop hands it batches and asks for records, and neither
//! waits for the other but at the stop.
//!
//! - A record that is reported as written survives the end of the process at any moment; classes that are asked for
//!   survive a power loss 100 ms later, the others a second.
//! - What rots costs the records it is in; those are counted, and named as far as can be told.
//! - Oldest records are sent first. They give way first too, whole files at a time, where the spool has all the octets it
//!   may have, or where they are too old.
//! - A folder is one host's, by its name, and one form's: text stays text, and data records of IPFIX go by the version of
//!   their fields. What nobody sends any more is left where it is, and reported.

mod leftover;
mod mark;
pub mod record;
mod recover;
mod replay;
mod run;
mod segment;
mod store;
mod tally;
#[cfg(test)]
mod tests;
mod thread;
mod walk;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use dataplane::time::Nanos;

pub use leftover::{Leftover, leftovers};
pub use run::{RunRow, Unaccounted};

use super::{Cause, Form, Payload, SpoolLimits};
use crate::record::{BootId, Class, Name};
use run::Run;
use thread::{Opened, Order, Tell};

/// Octets of batches that may wait for the disk, a host.
const INBOX: usize = 8 << 20;

/// After a batch that was refused, none is taken for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread that has the disks, and the folder of all spools, which is this process's as long as this lives.
#[derive(Debug)]
pub struct Spooler {
    folder: PathBuf,
    orders: Sender<Order>,
    thread: Option<std::thread::JoinHandle<()>>,
    run: Run,
    /// Dropped last: then another process may have the folder.
    _lock: run::Lock,
}

/// One host's.
#[derive(Debug)]
pub struct Spool {
    host: usize,
    orders: Sender<Order>,
    news: Receiver<Tell>,
    shared: Arc<Shared>,
    /// Counts the calls of [`Self::rewind`]: what was read before the last is not what is asked for.
    generation: u64,
    /// Records were asked for and have not come.
    wanted: bool,
    paused: Option<Instant>,
}

/// What the thread has to tell.
#[derive(Debug)]
pub enum News {
    /// Once, and first: so many records of earlier runs are there and owed, by class.
    Recovered(Vec<(Class, u64)>),
    /// A batch, or the first part of one, is on disk; records that count, by class.
    Written {
        /// By class.
        records: Vec<(Class, u64)>,
    },
    /// A batch, or the last part of one, is not, and is given back.
    Refused {
        /// What was not written.
        batch: Vec<Payload>,
        /// Why.
        why: io::Error,
    },
    /// What was wanted, each with its ordinal.
    Read(Vec<(u64, Payload)>),
    /// Records that were written or recovered, were not handed out, and will not be.
    Lost(SpoolLoss),
    /// For the operator.
    Fault(String),
}

/// Records that were lost from a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolLoss {
    /// Their class; of records whose heads rotted since another run: that of the record before them.
    pub class: Class,
    /// Why.
    pub cause: Cause,
    /// The run that made them; 0 where nobody can tell.
    pub boot: BootId,
    /// How many.
    pub count: u64,
    /// The lowest and the highest number that they can have.
    pub sequences: (u64, u64),
    /// The earliest and the latest time at which they can have happened.
    pub span: (Nanos, Nanos),
}

/// How much is in a spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolSize {
    /// Records that are owed.
    pub records: u64,
    /// Octets on disk.
    pub octets: u64,
    /// When the earliest of them happened, about.
    pub oldest: Option<Nanos>,
    /// Files.
    pub segments: u32,
}

/// What a file of a spool has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Records that can be read.
    pub kept: u64,
    /// Records that were there and cannot.
    pub lost: u64,
    /// The ordinal behind the last.
    pub end: u64,
}

/// Reads a file of a spool of which the first record has the ordinal `first`, as the start does with the last one.
///
/// # Errors
/// Of reading.
pub fn inspect(file: impl io::Read, first: u64) -> io::Result<Contents> {
    let survey = walk::survey(file, walk::Expected { first, end: None, from: first, before: None }, |_| {})?;
    Ok(Contents { kept: survey.kept.total(), lost: survey.lost.total(), end: survey.end })
}

/// What both sides see at any time.
#[derive(Debug, Default)]
struct Shared {
    /// Below this ordinal, the host acknowledged everything.
    done: AtomicU64,
    /// Octets of batches that wait.
    pending: AtomicUsize,
    records: AtomicU64,
    octets: AtomicU64,
    /// 0: none.
    oldest: AtomicU64,
    segments: AtomicU64,
}

impl Spooler {
    /// Takes the folder, and starts the thread.
    ///
    /// # Errors
    /// Where the folder cannot be made, another process has it, or there is no thread.
    pub fn start(folder: &Path, boot: BootId) -> io::Result<Self> {
        let lock = run::Lock::take(folder)?;
        let (orders, inbox) = unbounded();
        let run = Run::start(folder, boot)?;
        let thread =
            std::thread::Builder::new().name("spooler".to_owned()).spawn(move || thread::work(&inbox, boot))?;
        Ok(Self { folder: folder.to_owned(), orders, thread: Some(thread), run, _lock: lock })
    }

    /// The spool of a host, for records of this form. What an earlier run left is found in the background; until then,
    /// batches wait.
    ///
    /// # Errors
    /// Where its folder cannot be made or read, or is of a later version.
    pub fn open(&self, host: &Name, form: Form, limits: &SpoolLimits) -> io::Result<Spool> {
        /// Names of hosts in the thread, never used twice.
        static HOSTS: AtomicUsize = AtomicUsize::new(0);
        let folder = leftover::folder(&self.folder, host, form);
        recover::prepare(&folder)?;
        let (news, receiver) = unbounded();
        let shared = Arc::<Shared>::default();
        let host = HOSTS.fetch_add(1, Ordering::Relaxed);
        let opened = Opened { host, folder, form, limits: limits.clone(), news, shared: shared.clone() };
        self.orders.send(Order::Open(Box::new(opened))).map_err(|_| ended())?;
        let orders = self.orders.clone();
        Ok(Spool { host, orders, news: receiver, shared, generation: 0, wanted: false, paused: None })
    }

    /// What the run before this one had in memory only when it was killed; none where it came to its end, or there was none.
    pub fn unaccounted(&self) -> Option<&Unaccounted> {
        self.run.before()
    }

    /// What is in memory only, of each host and class: if this process is killed, the next run says that this is lost. Cheap
    /// where nothing changed; on disk some 10 ms later.
    pub fn remember(&mut self, rows: &[RunRow]) {
        self.run.remember(rows);
    }

    /// The end, with nothing left in memory: the next run has nothing to say about it.
    pub fn finish(&mut self) {
        self.run.finish();
    }
}

impl Drop for Spooler {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic has been told by then.
            let _ = thread.join();
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Close { host: self.host });
    }
}

impl Spool {
    /// Hands over records to be written.
    ///
    /// # Errors
    /// The batch, where too much waits for the disk already, or it refused one within the last second.
    pub fn write(&mut self, batch: Vec<Payload>) -> Result<(), Vec<Payload>> {
        let octets = batch.iter().map(|payload| payload.octets.len() + record::HEAD).sum::<usize>();
        let pending = self.shared.pending.load(Ordering::Acquire);
        let paused = self.paused.is_some_and(|until| Instant::now() < until);
        if paused || pending > 0 && pending + octets > INBOX {
            return Err(batch);
        }
        self.shared.pending.fetch_add(octets, Ordering::AcqRel);
        self.orders.send(Order::Write { host: self.host, batch, octets }).map_err(|refused| match refused.0 {
            Order::Write { batch, .. } => batch,
            _ => Vec::new(),
        })
    }

    /// Whether a batch would be refused now.
    pub fn is_busy(&self) -> bool {
        self.paused.is_some_and(|until| Instant::now() < until) || self.shared.pending.load(Ordering::Acquire) >= INBOX
    }

    /// Asks for the next records, about so many octets of them; they come as [`News::Read`], as soon as there are any. Until
    /// then, asking again asks for nothing more.
    pub fn want(&mut self, octets: usize) {
        if !self.wanted {
            self.wanted = true;
            let _ = self.orders.send(Order::Want { host: self.host, octets, generation: self.generation });
        }
    }

    /// The host has acknowledged the record with this ordinal and all before it.
    pub fn done(&mut self, ordinal: u64) {
        self.shared.done.fetch_max(ordinal + 1, Ordering::AcqRel);
    }

    /// What was read and is not done is read again; nothing that was read before comes any more, and nothing is wanted.
    pub fn rewind(&mut self) {
        self.generation += 1;
        self.wanted = false;
        let _ = self.orders.send(Order::Rewind { host: self.host });
    }

    /// The next of what there is to tell.
    pub fn news(&mut self) -> Option<News> {
        loop {
            match self.news.try_recv().ok()? {
                Tell::News(news) => {
                    if matches!(news, News::Refused { .. }) {
                        self.paused = Some(Instant::now() + PAUSE);
                    }
                    return Some(news);
                }
                Tell::Read { generation, records } if generation == self.generation => {
                    self.wanted = false;
                    return Some(News::Read(records));
                }
                Tell::Read { .. } => {}
            }
        }
    }

    /// How much there is, as the thread saw it last.
    pub fn size(&self) -> SpoolSize {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        SpoolSize {
            records: of(&self.shared.records),
            octets: of(&self.shared.octets),
            oldest: Some(of(&self.shared.oldest)).filter(|oldest| *oldest > 0).map(Nanos),
            segments: of(&self.shared.segments) as u32,
        }
    }

    /// Waits until everything that was handed over is written, and made sure of; whether that was so by then.
    pub fn sync(&mut self, until: Instant) -> bool {
        let (answer, answered) = bounded(1);
        self.orders.send(Order::Sync { host: self.host, answer }).is_ok()
            && answered.recv_deadline(until).unwrap_or(false)
    }
}

/// The thread is not there any more, which is when the spooler is not.
fn ended() -> io::Error {
    io::Error::other("the spooler has ended")
}
