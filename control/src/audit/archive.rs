//! The archives of a series: compressed, sent to a site, and in the end deleted. All of it may take long, and is done on a
//! thread of its own; what a crash left undone is done at the next look.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::scan;
use super::series::{Archived, FILE_MODE, Series, protect, sync_folder};
use super::upload::{Sftp, Site};

/// What becomes of the archives of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Which.
    pub(super) series: Series,
    /// So many are kept.
    pub(super) files: usize,
    /// Whether they are compressed.
    pub(super) compress: bool,
    /// Whether the oldest are deleted when there are more.
    pub(super) deletes: bool,
    /// Where they are sent; the first that takes one has it.
    pub(super) sites: Vec<Site>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// Deleted, with the numbers of its records and the digest of its last line.
    Deleted { serial: u64, records: (u64, u64), digest: String, reason: &'static str },
    /// Sent, with the SHA-256 of the file as it was sent.
    Uploaded { serial: u64, site: String, digest: String },
    /// Not sent.
    UploadFailed { serial: u64, site: String, reason: String },
    /// Something else did not go.
    Fault(String),
}

/// Between two attempts to send an archive, at first and at the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));

/// What is asked of the thread.
#[derive(Debug)]
pub(super) enum Task {
    /// Look after the series at that place now; whether to send at once what is to be tried again later.
    Look { place: usize, now: bool },
    /// Say so when all before is done.
    Settle(Sender<()>),
}

/// Looks after archives until nobody asks any more.
pub(super) fn work(
    plans: &[Plan],
    sftp: &Sftp,
    group: Option<u32>,
    tasks: &Receiver<Task>,
    stop: &AtomicBool,
    tell: impl Fn(usize, Done),
) {
    let mut retries: BTreeMap<usize, (Instant, Duration)> = BTreeMap::new();
    loop {
        let due = retries.values().map(|(due, _)| *due).min().filter(|_| !stop.load(Ordering::Acquire));
        let wait = due.map_or(Duration::from_secs(3600), |due| due.saturating_duration_since(Instant::now()));
        match tasks.recv_timeout(wait) {
            Ok(Task::Settle(asked)) => {
                // Who asked may have gone.
                let _ = asked.try_send(());
            }
            // What is done to archives from now on, nobody would be told of: the next run does it.
            Ok(_) if stop.load(Ordering::Acquire) => {}
            Ok(Task::Look { place, now }) => {
                let first = retries.get(&place).map_or(RETRY.0, |(_, after)| *after);
                if now || !retries.contains_key(&place) {
                    retries.insert(place, (Instant::now(), if now { RETRY.0 } else { first }));
                } else if let Some(plan) = plans.get(place) {
                    // The site is down: the rest need not wait for it.
                    keep(plan, group, |done| tell(place, done));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if stop.load(Ordering::Acquire) {
            continue;
        }
        let now = Instant::now();
        let ready: Vec<usize> = retries.iter().filter(|(_, (due, _))| *due <= now).map(|(place, _)| *place).collect();
        for place in ready {
            let after = retries.remove(&place).map_or(RETRY.0, |(_, after)| after);
            let Some(plan) = plans.get(place) else { continue };
            compress_all(plan, group, &|done| tell(place, done));
            let all_sent = send(plan, sftp, group, stop, |done| tell(place, done));
            keep(plan, group, |done| tell(place, done));
            if !all_sent && !stop.load(Ordering::Acquire) {
                retries.insert(place, (Instant::now() + after, (after * 2).min(RETRY.1)));
            }
        }
    }
}

/// Compresses what is to be, and deletes what is too many.
fn keep(plan: &Plan, group: Option<u32>, tell: impl Fn(Done)) {
    compress_all(plan, group, &tell);
    if !plan.deletes {
        return;
    }
    match plan.series.archives() {
        Ok(archives) => {
            let many = archives.len().saturating_sub(plan.files);
            for archived in archives.iter().take(many) {
                let waits = !plan.sites.is_empty() && archived.serial > sent(&plan.series);
                let reason = if waits { "more than are kept; it was not sent" } else { "more than are kept" };
                delete(&plan.series, archived, reason).map_or_else(|error| tell(Done::Fault(error.to_string())), &tell);
            }
        }
        Err(error) => tell(Done::Fault(error.to_string())),
    }
}

fn compress_all(plan: &Plan, group: Option<u32>, tell: &impl Fn(Done)) {
    if !plan.compress {
        return;
    }
    let archives = plan.series.archives().unwrap_or_default();
    for archived in archives.iter().filter(|archived| !archived.compressed) {
        if let Err(error) = compress(&archived.path, group) {
            tell(Done::Fault(format!("{}: cannot be compressed: {error}", archived.path.display())));
        }
    }
}

/// Puts the compressed file in place of the file: there is one of the two at every moment.
pub(super) fn compress(path: &Path, group: Option<u32>) -> io::Result<PathBuf> {
    let mut whole = path.as_os_str().to_owned();
    whole.push(".gz");
    let (whole, mut part) = (PathBuf::from(&whole), whole);
    part.push(".part");
    let part = PathBuf::from(part);
    let written = (|| {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&part)?;
        protect(&part, FILE_MODE, group)?;
        let mut encoder = GzEncoder::new(file, Compression::default());
        io::copy(&mut BufReader::with_capacity(1 << 16, File::open(path)?), &mut encoder)?;
        encoder.finish()?.sync_all()?;
        fs::rename(&part, &whole)
    })();
    if let Err(error) = written {
        // It is of no use; where even this fails, the error is told all the same.
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    fs::remove_file(path)?;
    Ok(whole)
}

/// Deletes an archive, and says what was in it.
pub(super) fn delete(series: &Series, archived: &Archived, reason: &'static str) -> io::Result<Done> {
    // What cannot be read has to go all the same.
    let scan = scan::scan(&archived.path, archived.compressed).ok();
    let first = scan.as_ref().and_then(|scan| scan.head.as_ref()).map_or(0, |head| head.first);
    let (last, digest) = scan.map_or((0, String::new()), |scan| (scan.chain.last().0, scan.chain.last().1.to_string()));
    fs::remove_file(&archived.path)?;
    sync_folder(series.folder())?;
    Ok(Done::Deleted { serial: archived.serial, records: (first, last), digest, reason })
}

/// The serial of the last archive that a site has; those before it were sent, or given up.
fn sent(series: &Series) -> u64 {
    fs::read_to_string(series.aside("sent")).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Sends what no site has, oldest first; false where something is left.
fn send(plan: &Plan, sftp: &Sftp, group: Option<u32>, stop: &AtomicBool, tell: impl Fn(Done)) -> bool {
    if plan.sites.is_empty() {
        return true;
    }
    let archives = match plan.series.archives() {
        Ok(archives) => archives,
        Err(error) => {
            tell(Done::Fault(error.to_string()));
            return false;
        }
    };
    let before = sent(&plan.series);
    for archived in archives.iter().filter(|archived| archived.serial > before) {
        let mut taken = false;
        for site in &plan.sites {
            let serial = archived.serial;
            match digest(&archived.path).and_then(|digest| sftp.put(&archived.path, site, stop).map(|()| digest)) {
                Ok(digest) => {
                    tell(Done::Uploaded { serial, site: site.to_string(), digest });
                    taken = true;
                    break;
                }
                Err(error) => tell(Done::UploadFailed { serial, site: site.to_string(), reason: error.to_string() }),
            }
            if stop.load(Ordering::Acquire) {
                return false;
            }
        }
        if !taken {
            return false;
        }
        if let Err(error) = remember(&plan.series, archived.serial, group) {
            // It will be sent twice.
            tell(Done::Fault(error.to_string()));
        }
    }
    true
}

fn remember(series: &Series, serial: u64, group: Option<u32>) -> io::Result<()> {
    let (path, beside) = (series.aside("sent"), series.aside("sent.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&beside)?;
    protect(&beside, FILE_MODE, group)?;
    writeln!(file, "{serial}")?;
    file.sync_all()?;
    fs::rename(beside, path)
}

/// SHA-256 of a file, in hexadecimal as sha256sum has it.
fn digest(path: &Path) -> io::Result<String> {
    struct Sink(Context);
    impl Write for Sink {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.update(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(Context::new(&SHA256));
    io::copy(&mut File::open(path)?, &mut sink)?;
    Ok(sink.0.finish().as_ref().iter().map(|octet| format!("{octet:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Read;

    use super::*;

    fn plan(folder: &Path) -> Plan {
        let series = Series::new(folder, "audit");
        for serial in 1..=5 {
            fs::write(series.archive(serial), format!("of {serial}\n")).unwrap();
        }
        Plan { series, files: 3, compress: true, deletes: true, sites: Vec::new() }
    }

    #[test]
    fn archives_are_compressed_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path());
        let done = RefCell::new(Vec::new());
        keep(&plan, None, |told| done.borrow_mut().push(told));
        let serials: Vec<u64> = plan.series.archives().unwrap().iter().map(|archived| archived.serial).collect();
        assert_eq!(serials, [3, 4, 5]);
        assert!(matches!(&done.borrow()[..], [Done::Deleted { serial: 1, .. }, Done::Deleted { serial: 2, .. }]));
        let mut text = String::new();
        let file = File::open(folder.path().join("audit.000004.jsonl.gz")).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        assert_eq!(text, "of 4\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing else is left");
    }

    #[test]
    fn what_is_not_to_be_deleted_stays() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { deletes: false, compress: false, ..plan(folder.path()) };
        keep(&plan, None, |told| panic!("{told:?}"));
        assert_eq!(plan.series.archives().unwrap().len(), 5);
        assert_eq!(
            digest(&plan.series.archive(1)).unwrap(),
            "06b49ccf84e2d457827d17d39937dcc116cb8066fd7d530f63af55397bd3c5e8",
        );
    }
}
