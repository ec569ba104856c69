//! The file of a series that is written: lines are gathered, written at once, taken back where that fails, and after a crash
//! the file is gone through before it goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataplane::time::Nanos;

use super::chain::{Chain, Opening, TooLong};
use super::line::Digest;
use super::scan::{self, Scan};
use super::series::{FILE_MODE, Series, protect, sync_folder};
use crate::signatures::key::SigningKey;

/// What all files of a trail have in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// Signs.
    pub(super) key: Arc<SigningKey>,
    /// The run of the process.
    pub(super) boot: Box<str>,
    /// Who may read, beside the owner.
    pub(super) group: Option<u32>,
}

/// A file that is written.
#[derive(Debug)]
pub(super) struct Live {
    series: Series,
    common: Common,
    file: File,
    serial: u64,
    /// Behind the lines of the buffer.
    chain: Chain,
    /// Behind the lines of the file.
    written: Chain,
    /// Of the file's good part, in octets.
    length: u64,
    buffer: Vec<u8>,
    /// The number of the first record that may be in it.
    first: u64,
    /// Records that were for this file and are not in it.
    lost: u64,
    /// The line that closes it is written; the next file is not there yet.
    closed: bool,
    /// Records that no signature covered when it was taken up.
    unsigned: u64,
}

/// What was found when a file was taken up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The run before ended without a stop; so many octets of a write that was not finished were set aside, and so many
    /// records are covered by no signature.
    Recovered { serial: u64, octets: u64, unsigned: u64 },
    /// A line is not as it was written; 0: the file is not there, or has no beginning.
    Tampered { file: PathBuf, line: u64, what: String },
}

/// A file that became an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rotated {
    pub(super) serial: u64,
    pub(super) path: PathBuf,
    /// Numbers of its first and last record; the last is less than the first where it has none.
    pub(super) records: (u64, u64),
    /// Of its last line.
    pub(super) digest: Digest,
}

impl Live {
    /// Takes the series up where it ended, or begins it. `is_new`: nothing of it can have been there before.
    pub(super) fn open(series: Series, common: Common, is_new: bool, now: Nanos) -> io::Result<(Self, Vec<Found>)> {
        let mut found = Vec::new();
        let archives = series.archives()?;
        let (path, newest) = (series.live(), archives.last());
        let before = newest.map_or(Ok(Chain::default()), scan::behind)?;
        let serial = newest.map_or(0, |archived| archived.serial);
        let tampered = |file: &Path, line, what: &str| {
            let file = file.to_owned();
            Found::Tampered { file, line, what: what.to_owned() }
        };
        if !path.try_exists()? {
            if newest.is_some() || !is_new {
                found.push(tampered(&path, 0, "the file is missing"));
            }
            return Ok((Self::begin(series, common, serial + 1, before, now)?, found));
        }
        let scan = scan::scan(&path, false)?;
        let Some(head) = scan.head.as_ref().filter(|head| head.file == series.name()) else {
            let name = if scan.length == 0 { "torn" } else { "bad" };
            let aside = free(&series, name, serial + 1);
            fs::rename(&path, &aside)?;
            found.push(match scan.length {
                0 => Found::Recovered { serial: serial + 1, octets: scan.torn, unsigned: 0 },
                _ => tampered(&aside, 1, "the file has no head of its own"),
            });
            return Ok((Self::begin(series, common, serial + 1, before, now)?, found));
        };
        let archive = series.archive(head.serial);
        let is_archived = same_file(&path, &archive);
        if !is_archived {
            let goes_on = head.serial == serial + 1 && (newest.is_none() || head.prev == before.last().1);
            if head.serial <= serial || (newest.is_some() && !goes_on) {
                found.push(tampered(&path, 1, "does not go on where the file before it ends"));
            }
        }
        if let Some(fault) = &scan.fault {
            found.push(tampered(&path, fault.line, &fault.what.text()));
        }
        if scan.torn > 0 {
            set_aside(&series, &path, &scan, head.serial)?;
        }
        if !scan.stopped && !scan.closed {
            found.push(Found::Recovered { serial: head.serial, octets: scan.torn, unsigned: scan.unsigned });
        }
        let (serial, first) = (head.serial.max(serial + u64::from(head.serial <= serial && !is_archived)), head.first);
        let other_key = head.key != common.key.public().to_string();
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        protect(&path, FILE_MODE, common.group)?;
        let (chain, length) = (scan.chain, scan.length);
        let closed = scan.closed || other_key || head.serial != serial;
        let live = Self {
            series,
            common,
            file,
            serial: head.serial,
            chain,
            written: chain,
            length,
            buffer: Vec::new(),
            first,
            lost: scan.lost,
            closed,
            unsigned: scan.unsigned,
        };
        let mut live = live;
        if closed {
            live.turn_over(serial.max(live.serial) + 1, now)?;
        }
        Ok((live, found))
    }

    /// Begins a file; there must be none.
    fn begin(series: Series, common: Common, serial: u64, before: Chain, now: Nanos) -> io::Result<Self> {
        let (file, chain, length) = make_next(&series, &common, serial, before, now)?;
        fs::rename(series.aside("next"), series.live())?;
        sync_folder(series.folder())?;
        let first = before.last().0 + 1;
        let (written, buffer) = (chain, Vec::new());
        Ok(Self {
            series,
            common,
            file,
            serial,
            chain,
            written,
            length,
            buffer,
            first,
            lost: 0,
            closed: false,
            unsigned: 0,
        })
    }

    /// Gathers a record; it is not in the file before [`Self::flush`].
    pub(super) fn record(&mut self, object: &[u8]) -> Result<(), TooLong> {
        self.chain.record(&mut self.buffer, |out| out.extend_from_slice(object))
    }

    /// Octets that are gathered.
    pub(super) fn gathered(&self) -> usize {
        self.buffer.len()
    }

    /// Writes what was gathered. Where that fails, the file is as it was before, and what was gathered is forgotten.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = match self.closed {
            true => Err(io::Error::other("the file is closed")),
            false => self.file.write_all_at(&self.buffer, self.length),
        };
        match &result {
            Ok(()) => {
                self.length += self.buffer.len() as u64;
                self.written = self.chain;
            }
            Err(_) => {
                self.chain = self.written;
                // What is behind its length is cut at the next start where it cannot be now.
                let _ = self.file.set_len(self.length);
            }
        }
        self.buffer.clear();
        result
    }

    /// Makes sure that what was written stays.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Signs how far the series has come: the number of the last record, the digest of the last line before, the signed line.
    pub(super) fn checkpoint(&mut self, now: Nanos, stopped: bool) -> io::Result<(u64, Digest, String)> {
        let (n, digest) = self.chain.last();
        let begin = self.buffer.len();
        self.chain.checkpoint(&mut self.buffer, now, self.lost, stopped, &self.common.key);
        let line = String::from_utf8_lossy(&self.buffer[begin..]).trim_end().to_owned();
        self.flush()?;
        Ok((n, digest, line))
    }

    /// Closes the file and begins the next. Where that fails it can be tried again; nothing is lost by it.
    pub(super) fn rotate(&mut self, now: Nanos) -> io::Result<Rotated> {
        if !self.closed {
            let counts = ((self.chain.last().0 + 1).saturating_sub(self.first), self.lost);
            self.chain.close(&mut self.buffer, now, self.serial, counts, &self.common.key);
            self.flush()?;
            self.closed = true;
        }
        self.sync()?;
        self.turn_over(self.serial + 1, now)
    }

    /// Makes an archive of the file, and the next file. There is a live file at every moment.
    fn turn_over(&mut self, serial: u64, now: Nanos) -> io::Result<Rotated> {
        let (file, chain, length) = make_next(&self.series, &self.common, serial, self.chain, now)?;
        let (live, mut path) = (self.series.live(), self.series.archive(self.serial));
        if !same_file(&live, &path) {
            if path.try_exists()? {
                path = free(&self.series, "bad", self.serial);
            }
            fs::hard_link(&live, &path)?;
        }
        fs::rename(self.series.aside("next"), &live)?;
        sync_folder(self.series.folder())?;
        let rotated = Rotated {
            serial: self.serial,
            path,
            records: (self.first, self.chain.last().0),
            digest: self.chain.last().1,
        };
        self.first = self.chain.last().0 + 1;
        (self.file, self.serial, self.length, self.lost, self.closed) = (file, serial, length, 0, false);
        (self.chain, self.written) = (chain, chain);
        Ok(rotated)
    }

    /// Counts records that will never be in it.
    pub(super) fn lose(&mut self, records: u64) {
        self.lost += records;
    }

    /// Octets in the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Its place in the series.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// The number of the last record of the series that is written.
    pub(super) fn last(&self) -> u64 {
        self.written.last().0
    }

    /// Records that no signature covered when it was taken up.
    pub(super) fn unsigned(&self) -> u64 {
        self.unsigned
    }

    /// Whether it has no record.
    pub(super) fn is_empty(&self) -> bool {
        self.last() < self.first
    }

    /// Its series.
    pub(super) fn series(&self) -> &Series {
        &self.series
    }
}

/// The next file, beside its place: a head and nothing else.
fn make_next(
    series: &Series,
    common: &Common,
    serial: u64,
    before: Chain,
    now: Nanos,
) -> io::Result<(File, Chain, u64)> {
    let path = series.aside("next");
    let (mut chain, mut head) = (before, Vec::new());
    let opening = Opening { file: series.name(), serial, boot: &common.boot, now };
    chain.head(&mut head, opening, &common.key);
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(FILE_MODE).open(&path)?;
    protect(&path, FILE_MODE, common.group)?;
    file.write_all(&head)?;
    file.sync_all()?;
    Ok((file, chain, head.len() as u64))
}

/// Cuts what is behind the last good line, once it is kept elsewhere.
fn set_aside(series: &Series, path: &Path, scan: &Scan, serial: u64) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    // What a crash leaves is a write's length at most; of anything else its beginning tells enough.
    let mut torn = vec![0; scan.torn.min(1 << 20) as usize];
    file.read_exact_at(&mut torn, scan.length)?;
    let aside = free(series, "torn", serial);
    let mut kept = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(aside)?;
    kept.write_all(&torn)?;
    kept.sync_all()?;
    file.set_len(scan.length)?;
    file.sync_all()?;
    sync_folder(series.folder())
}

/// A name for what is set aside that nothing has yet.
fn free(series: &Series, what: &str, serial: u64) -> PathBuf {
    let first = series.aside(&format!("{what}-{serial:06}"));
    let others = (2..).map(|count| series.aside(&format!("{what}-{serial:06}.{count}")));
    std::iter::once(first).chain(others).find(|path| !path.exists()).expect("names do not end")
}

fn same_file(one: &Path, other: &Path) -> bool {
    let name = |path: &Path| fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    name(one).is_some_and(|one| name(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::audit::verify::{Asked, verify};

    struct Place {
        folder: tempfile::TempDir,
        common: Common,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (key, _) = crate::audit::key::of(folder.path(), None).unwrap();
            Self { folder, common: Common { key: Arc::new(key), boot: "0f".into(), group: None } }
        }

        fn series(&self) -> Series {
            Series::new(self.folder.path(), "audit")
        }

        fn open(&self) -> (Live, Vec<Found>) {
            Live::open(self.series(), self.common.clone(), false, Nanos(1)).unwrap()
        }

        fn fresh(&self) -> Live {
            let (live, found) = Live::open(self.series(), self.common.clone(), true, Nanos(1)).unwrap();
            assert_eq!(found, []);
            live
        }

        /// Records, faults.
        fn verified(&self) -> (u64, Vec<String>) {
            let report = verify(&self.series(), &Asked::default()).unwrap();
            (report.records, report.faults.iter().map(ToString::to_string).collect())
        }
    }

    fn write(live: &mut Live, records: std::ops::Range<u32>) {
        for at in records {
            live.record(format!("{{\"seq\":{at}}}").as_bytes()).unwrap();
        }
        live.flush().unwrap();
    }

    #[test]
    fn a_stopped_file_goes_on_and_nothing_is_said() {
        let place = Place::new();
        let mut live = place.fresh();
        write(&mut live, 0..5);
        live.checkpoint(Nanos(2), true).unwrap();
        let (mut live, found) = place.open();
        assert_eq!((found, live.last(), live.serial()), (vec![], 5, 1));
        write(&mut live, 5..9);
        assert_eq!(place.verified(), (9, vec![]));
        let mode = fs::metadata(place.series().live()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn after_a_crash_at_any_octet_the_series_goes_on_and_says_so() {
        let place = Place::new();
        let mut live = place.fresh();
        write(&mut live, 0..6);
        drop(live);
        let path = place.series().live();
        let whole = fs::read(&path).unwrap();
        let head = whole.iter().position(|octet| *octet == b'\n').unwrap() + 1;
        for cut in head..whole.len() {
            for tail in [&b""[..], b"\0\0\0\0", b"\0\n\0"] {
                fs::write(&path, [&whole[..cut], tail].concat()).unwrap();
                let (mut live, found) = place.open();
                let lines = whole[..cut].iter().filter(|octet| **octet == b'\n').count() as u64 - 1;
                let good = whole[..cut].iter().rposition(|octet| *octet == b'\n').unwrap() + 1;
                let octets = (cut - good + tail.len()) as u64;
                assert_eq!(found, [Found::Recovered { serial: 1, octets, unsigned: lines }], "{cut} {tail:?}");
                write(&mut live, 100..102);
                assert_eq!(place.verified(), (lines + 2, vec![]), "{cut}");
            }
        }
    }

    #[test]
    fn a_file_goes_into_the_archive_and_the_chain_goes_on() {
        let place = Place::new();
        let mut live = place.fresh();
        for serial in 1..4 {
            write(&mut live, 0..3);
            let rotated = live.rotate(Nanos(serial)).unwrap();
            assert_eq!((rotated.serial, rotated.records), (serial, (3 * serial - 2, 3 * serial)));
        }
        write(&mut live, 0..1);
        assert_eq!(place.verified(), (10, vec![]));
        assert_eq!(place.series().archives().unwrap().len(), 3);
        // Killed after the link, before the rename.
        live.rotate(Nanos(9)).unwrap();
        write(&mut live, 0..1);
        live.chain.close(&mut live.buffer, Nanos(9), 5, (1, 0), &place.common.key);
        live.flush().unwrap();
        drop(live);
        let series = place.series();
        fs::hard_link(series.live(), series.archive(5)).unwrap();
        let (mut live, found) = place.open();
        assert_eq!((found, live.serial()), (vec![], 6));
        write(&mut live, 0..1);
        assert_eq!(place.verified(), (12, vec![]));
    }

    #[test]
    fn what_was_tampered_with_is_said_at_the_start_and_stays_readable() {
        let place = Place::new();
        let mut live = place.fresh();
        write(&mut live, 0..6);
        live.checkpoint(Nanos(2), true).unwrap();
        drop(live);
        let path = place.series().live();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"seq\":3", "\"seq\":8")).unwrap();
        let (mut live, found) = place.open();
        let [Found::Tampered { line, file, .. }] = &found[..] else { panic!("{found:?}") };
        assert_eq!((*line, file), (5, &path));
        write(&mut live, 6..7);
        assert_eq!(place.verified(), (7, vec![format!("{}:5: was changed", path.display())]));
        // The whole file gone.
        live.rotate(Nanos(3)).unwrap();
        fs::remove_file(&path).unwrap();
        let (live, found) = place.open();
        assert!(matches!(&found[..], [Found::Tampered { line: 0, .. }]), "{found:?}");
        assert_eq!(live.serial(), 2);
        // Another file in its place.
        fs::write(&path, "nothing of ours\n").unwrap();
        let (_, found) = place.open();
        assert!(matches!(&found[..], [Found::Recovered { octets: 16, .. }]), "{found:?}");
    }
}
