//! The trail, as the control core has it: records go in without waiting, and news come out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use dataplane::time::Nanos;

use super::archive::{self, Plan, Task};
use super::desk::{Desk, Limits, Lost};
use super::live::{Common, Live};
use super::news;
use super::series::{FOLDER_MODE, Series, protect};
use super::thread::{Order, Worker};
use super::{FileConfig, Mode, Query, StoreConfig, StoreNews, TRAIL, WhenFull, key, reader, tells_of};
use crate::export::Cause;
use crate::record::json::Formatter;
use crate::record::{BootId, Class, LossPlace, LossReason, LossRecord, Name, Record, severity};
use crate::signatures::key::KeyError;

/// Why there is no trail.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its folder cannot be used.
    #[error("the audit trail's folder {}: {_1}; give this user the folder, or name another as audit.directory", _0.display())]
    Folder(PathBuf, io::Error),
    /// Another process has it.
    #[error("the audit trail's folder {}: another process has it", .0.display())]
    InUse(PathBuf),
    /// A file of it cannot be taken up.
    #[error("the audit trail's file {}: {_1}", _0.display())]
    File(PathBuf, io::Error),
    /// There is no key to sign it with.
    #[error("the audit trail's key: {0}")]
    Key(#[from] KeyError),
    /// The system has no thread for it.
    #[error("the audit trail: no thread can be started: {0}")]
    Thread(io::Error),
}

/// How a file is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// Its name.
    pub name: String,
    /// Its place in the series.
    pub serial: u64,
    /// Octets in it.
    pub octets: u64,
    /// The number of the last record of the series.
    pub last: u64,
    /// Records that were written by this run.
    pub records: u64,
    /// Records that were for it and will never be in it, of this run.
    pub lost: u64,
    /// Whether nothing can be written now.
    pub full: bool,
}

/// Records on their way to the thread, at the most.
const QUEUE: usize = 65_536;
/// Of them, those that only the trail's class may have.
const RESERVED: usize = 8_192;
/// Searches at a time.
const SEARCHES: usize = 4;
/// Lines of a search that wait to be taken.
const ROWS: usize = 256;
/// Ranges of lost numbers that are remembered for who asks what became of a record.
const REMEMBERED: usize = 64;

/// What the thread shows.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Handed over and not yet written.
    pub(super) pending: AtomicUsize,
    /// Of the trail's class, the number of the last record that stays.
    pub(super) written: AtomicU64,
    /// By file.
    pub(super) status: Mutex<Vec<FileStatus>>,
}

/// The trail. Nothing here waits, but [`Self::stop`].
#[derive(Debug)]
pub struct Store {
    config: StoreConfig,
    orders: Sender<Order>,
    tasks: Sender<Task>,
    news: Receiver<StoreNews>,
    shared: Arc<Shared>,
    /// For the next [`Self::turn`], each with the files that it is for.
    batch: Vec<(u32, Arc<Record>)>,
    /// What did not fit, by file and class.
    lost: BTreeMap<(usize, Class), Lost>,
    /// Of the trail's class, numbers of records that are in no file.
    gone: Vec<(u64, u64)>,
    /// Sessions that were for log hosts only.
    forwarded: u64,
    /// Of the trail's own file, when it was taken up.
    serial: u64,
    searches: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
    stops: Arc<AtomicBool>,
    /// No other process may have the folder.
    _lock: File,
}

/// A trail whose files were taken up, and that is not written yet.
pub struct Opened {
    config: StoreConfig,
    lock: File,
    desks: Vec<(Name, Desk)>,
    plans: Vec<Plan>,
    news: (Sender<StoreNews>, Receiver<StoreNews>),
    clock: fn() -> Nanos,
    formatter: Formatter,
}

impl Opened {
    /// Begins to write. The threads may run where the calling one may.
    ///
    /// # Errors
    /// Where the system has no thread for it.
    pub fn run(self) -> Result<Store, StoreError> {
        let Self { config, lock, desks, plans, news: (sender, news), clock, formatter } = self;
        let (orders, ordered) = unbounded();
        let (tasks, asked) = unbounded();
        let (shared, stops) = (Arc::new(Shared::default()), Arc::new(AtomicBool::new(false)));
        let names: Vec<Name> = config.files.iter().map(|file| file.name.clone()).collect();
        let (said, group, sftp, stop) = (sender.clone(), config.group, config.sftp.clone(), Arc::clone(&stops));
        let archiver = move || {
            archive::work(&plans, &sftp, group, &asked, &stop, |place, done| {
                let name = names.get(place).map_or("", |name| name);
                let _ = said.send(news::done(clock(), name, done));
            });
        };
        let own = desks.iter().find(|(name, _)| &**name == TRAIL);
        let serial = own.map_or(0, |(_, desk)| desk.live().serial());
        let worker = Worker::new(desks, formatter, &config, Arc::clone(&shared), (sender, tasks.clone()), clock);
        let start = |name: &str, body: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.to_owned()).spawn(body).map_err(StoreError::Thread)
        };
        let threads =
            vec![start("store", Box::new(move || worker.work(&ordered)))?, start("archiver", Box::new(archiver))?];
        for place in 0..config.files.len() {
            let _ = tasks.send(Task::Look { place, now: true });
        }
        Ok(Store {
            config,
            orders,
            tasks,
            news,
            shared,
            batch: Vec::new(),
            lost: BTreeMap::new(),
            gone: Vec::new(),
            forwarded: 0,
            serial,
            searches: Arc::default(),
            threads,
            stops,
            _lock: lock,
        })
    }
}

impl Store {
    /// Takes the trail of the machine of that name up where it ended, or begins it. `clock` tells the time.
    ///
    /// # Errors
    /// Where it cannot be written: then nothing may run.
    pub fn open(
        mut config: StoreConfig,
        host_name: &str,
        boot: BootId,
        clock: fn() -> Nanos,
    ) -> Result<Opened, StoreError> {
        if !config.files.iter().any(|file| &*file.name == TRAIL) {
            config.files.insert(0, FileConfig::trail());
        }
        let folder = &config.folder;
        let failed = |error| StoreError::Folder(folder.clone(), error);
        fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(failed)?;
        protect(folder, FOLDER_MODE, config.group).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|_| StoreError::InUse(folder.clone()))?;
        let (signing, is_new) = key::of(folder, config.group)?;
        let public = signing.public();
        let common = Common { key: Arc::new(signing), boot: boot.to_string().into(), group: config.group };
        let news = unbounded();
        let say = |occurrence| _ = news.0.send(StoreNews::Occurred(occurrence));
        if is_new {
            say(news::key_made(clock(), &public));
        }
        let mut desks = Vec::new();
        let mut plans = Vec::new();
        for file in &config.files {
            let series = Series::new(folder, &file.name);
            let now = clock();
            // Only of the trail itself it is known that it was there as long as its key.
            let may_be_new = is_new || &*file.name != TRAIL;
            let (live, found) = Live::open(series.clone(), common.clone(), may_be_new, now)
                .map_err(|error| StoreError::File(series.live(), error))?;
            found.into_iter().for_each(|found| say(news::found(now, &file.name, found)));
            let limits =
                Limits { archive: file.archive.clone(), when_full: config.when_full, checkpoint: config.checkpoint };
            desks.push((file.name.clone(), Desk::new(live, limits, (Instant::now(), now))));
            plans.push(Plan {
                series,
                files: file.archive.files as usize,
                compress: file.archive.compress,
                deletes: config.when_full == WhenFull::OverwriteOldest,
                sites: file.archive.sites.clone(),
            });
        }
        Ok(Opened { formatter: Formatter::new(host_name, None, 6), config, lock, desks, plans, news, clock })
    }

    /// [`Self::open`] and [`Opened::run`].
    ///
    /// # Errors
    /// Those of both.
    pub fn start(config: StoreConfig, host_name: &str, boot: BootId, clock: fn() -> Nanos) -> Result<Self, StoreError> {
        Self::open(config, host_name, boot, clock)?.run()
    }

    /// Takes a record for the files that select it.
    pub fn push(&mut self, record: &Arc<Record>) {
        let class = record.body.class();
        if self.config.mode == Mode::Stream && class == Class::Session {
            self.forwarded += 1;
            return;
        }
        let severity = severity(&record.body);
        let wanted = |file: &FileConfig| file.selects(class, severity) || tells_of(record, &file.name);
        let files = self.config.files.iter().take(32).enumerate().filter(|(_, file)| wanted(file));
        let files = files.fold(0_u32, |files, (place, _)| files | 1 << place);
        if files == 0 {
            return;
        }
        let room = if class == Class::Audit { QUEUE } else { QUEUE - RESERVED };
        if self.shared.pending.load(Ordering::Acquire) + self.batch.len() < room {
            self.batch.push((files, Arc::clone(record)));
            return;
        }
        for place in (0..self.config.files.len()).filter(|place| files & 1 << place != 0) {
            let (number, time) = (record.sequence, record.time);
            let entry = (place, class);
            let lost =
                self.lost.entry(entry).or_insert(Lost { count: 0, sequences: (number, number), span: (time, time) });
            lost.count += 1;
            lost.sequences.1 = number;
            lost.span.1 = time;
        }
    }

    fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.shared.pending.fetch_add(batch.len(), Ordering::AcqRel);
            // A thread that is gone is told at the stop.
            let _ = self.orders.send(Order::Write(batch));
        }
    }

    /// Waits, until `until` at the latest, for what was pushed to be written, and for what is under way with archives; none of
    /// them is touched any more. What is to be said of that is in the next [`Self::turn`].
    pub fn settle(&mut self, until: Instant) {
        self.stops.store(true, Ordering::Release);
        self.hand_over();
        let (said, heard) = bounded(2);
        let _ = self.orders.send(Order::Settle(said.clone()));
        let _ = self.tasks.send(Task::Settle(said));
        for _ in 0..2 {
            // Where it is too late, or a thread is gone, the stop tells.
            let _ = heard.recv_deadline(until);
        }
    }

    /// Hands over what came since the last turn, and says what the trail says about itself.
    pub fn turn(&mut self) -> Vec<StoreNews> {
        self.hand_over();
        let mut news: Vec<StoreNews> = self.news.try_iter().take(256).collect();
        if !self.lost.is_empty() && self.shared.pending.load(Ordering::Acquire) < QUEUE - RESERVED {
            for ((place, class), lost) in std::mem::take(&mut self.lost) {
                let _ = self.orders.send(Order::Lost { place, count: lost.count });
                let Some(file) = self.config.files.get(place) else { continue };
                let reason = LossReason::Host(Cause::QueueFull);
                news.push(StoreNews::Lost {
                    file: file.name.clone(),
                    class,
                    count: lost.count,
                    sequences: lost.sequences,
                    span: lost.span,
                    reason,
                });
            }
        }
        for told in &news {
            if let StoreNews::Lost { file, class: Class::Audit, sequences, .. } = told
                && &**file == TRAIL
            {
                if self.gone.len() == REMEMBERED {
                    self.gone.remove(0);
                }
                self.gone.push(*sequences);
            }
        }
        news
    }

    /// Of the trail's class, the number of the last record of this run that stays.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Acquire)
    }

    /// What became of the records of the trail's class with these numbers: all stay, or one is in no file; none where that is
    /// not known yet.
    pub fn fate(&self, numbers: RangeInclusive<u64>) -> Option<Result<(), String>> {
        if self.gone.iter().any(|(first, last)| first <= numbers.end() && numbers.start() <= last) {
            return Some(Err("the audit trail had no room for it".to_owned()));
        }
        (self.written() >= *numbers.end()).then_some(Ok(()))
    }

    /// Why a record may not be on the disk yet, in words.
    pub fn delay(&self) -> &'static str {
        match self.status().iter().any(|file| file.name == TRAIL && file.full) {
            true => "the audit trail has no room",
            false => "the disk of the audit trail does not answer",
        }
    }

    /// What is done where there is no room.
    pub fn when_full(&self) -> WhenFull {
        self.config.when_full
    }

    /// How each file is doing.
    pub fn status(&self) -> Vec<FileStatus> {
        self.shared.status.lock().map(|status| status.clone()).unwrap_or_default()
    }

    /// How many files there are, and the place of the trail's own in its series, as far as it was told.
    pub fn files(&self) -> (usize, u64) {
        let status = self.status();
        let serial = status.iter().find(|file| file.name == TRAIL).map_or(self.serial, |file| file.serial);
        (self.config.files.len(), serial)
    }

    /// Records of sessions that went to log hosts only.
    pub fn forwarded(&self) -> u64 {
        self.forwarded
    }

    /// Searches a file, on a thread of its own: its lines come as they are found, and the last of them is followed by the end
    /// of the channel. Who drops the receiver ends the search.
    ///
    /// # Errors
    /// Where there is no such file, or too many search already.
    pub fn query(&self, query: Query) -> Result<Receiver<Box<str>>, String> {
        if !self.config.files.iter().any(|file| *file.name == query.file) {
            let names: Vec<&str> = self.config.files.iter().map(|file| &*file.name).collect();
            return Err(format!("no file {:?} in the audit trail: there are {}", query.file, names.join(", ")));
        }
        if self.searches.fetch_add(1, Ordering::AcqRel) >= SEARCHES {
            self.searches.fetch_sub(1, Ordering::AcqRel);
            return Err(format!("{SEARCHES} others search the audit trail: try again"));
        }
        let (rows, taken) = bounded(ROWS);
        let series = Series::new(&self.config.folder, &query.file);
        let searches = Arc::clone(&self.searches);
        let body = move || {
            if let Err(error) = reader::search(&series, &query, |line| rows.send(line.into()).is_ok()) {
                eprintln!("ostiary: a search of the audit trail ends early: {error}");
            }
            searches.fetch_sub(1, Ordering::AcqRel);
        };
        thread::Builder::new().name("search".to_owned()).spawn(body).map_err(|error| {
            self.searches.fetch_sub(1, Ordering::AcqRel);
            error.to_string()
        })?;
        Ok(taken)
    }

    /// Closes a file and begins the next; what came before is in the one that is closed.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn rotate(&mut self, file: &str) -> Result<(), String> {
        let place = self.place(file)?;
        self.hand_over();
        let _ = self.orders.send(Order::Rotate { place });
        Ok(())
    }

    /// Sends at once what is to be sent of a file.
    ///
    /// # Errors
    /// Where there is no such file, or no site for it.
    pub fn upload(&self, file: &str) -> Result<(), String> {
        let place = self.place(file)?;
        if self.config.files.get(place).is_none_or(|file| file.archive.sites.is_empty()) {
            return Err(format!("audit.file {file:?} has no archive.sites"));
        }
        let _ = self.tasks.send(Task::Look { place, now: true });
        Ok(())
    }

    fn place(&self, file: &str) -> Result<usize, String> {
        let place = self.config.files.iter().position(|known| &*known.name == file);
        place.ok_or_else(|| format!("no file {file:?} in the audit trail"))
    }

    /// Stops: all that was pushed is written and signed, until `until` at the latest. Returns what is in no file.
    pub fn stop(mut self, until: Instant) -> Vec<LossRecord> {
        let mut left: Vec<StoreNews> = self.turn();
        self.stops.store(true, Ordering::Release);
        let _ = self.orders.send(Order::Stop);
        // The archiver ends when nobody asks any more.
        (self.tasks, self.orders) = (unbounded().0, unbounded().0);
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        left.extend(self.news.try_iter());
        let mut losses: Vec<LossRecord> = Vec::new();
        let of = |name: &Name, class, lost: Lost, reason| {
            let place = LossPlace::Store(name.clone());
            LossRecord { class, place, reason, count: lost.count, sequences: Some(lost.sequences), span: lost.span }
        };
        for news in left {
            match news {
                StoreNews::Lost { file, class, count, sequences, span, reason } => {
                    losses.push(of(&file, class, Lost { count, sequences, span }, reason));
                }
                StoreNews::Notice(text) => eprintln!("ostiary: {text}"),
                StoreNews::Occurred(_) | StoreNews::Hold(_) => {}
            }
        }
        for ((place, class), lost) in &self.lost {
            if let Some(file) = self.config.files.get(*place) {
                losses.push(of(&file.name, *class, *lost, LossReason::Host(Cause::QueueFull)));
            }
        }
        let pending = self.shared.pending.load(Ordering::Acquire) as u64;
        if pending > 0 {
            let lost = Lost {
                count: pending,
                sequences: (self.written() + 1, self.written() + 1),
                span: (Nanos(0), Nanos(0)),
            };
            losses.push(of(&TRAIL.into(), Class::Audit, lost, LossReason::Host(Cause::Shutdown)));
        }
        losses
    }
}

#[cfg(test)]
mod tests;
