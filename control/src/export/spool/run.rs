//! What is in memory only, written down so that a run that was killed is told by the next, and whose folder it is.
//!
//! `STATE/spool/run`: `OSTSRUN1`, boot, 1 where the run came to its end, rows, CRC32C; a row is the host's name behind its
//! length, the class, and how many records, with their lowest and highest number. It is as old as the loop's last turn, and
//! some 10 ms; what was handed to the spool since then is in both.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use crc32c::crc32c;
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use rustix::fs::{FlockOperation, flock};

use super::record::{be32, be64, class_code, class_of};
use crate::record::{BootId, Class, Name};

const NAME: &str = "run";

const LOCK: &str = "lock";

const MAGIC: [u8; 8] = *b"OSTSRUN1";

/// Magic, boot, whether it came to its end, number of rows.
const HEADER: usize = 8 + 8 + 1 + 4;

/// Behind the name: class, count, lowest, highest.
const NUMBERS: usize = 1 + 3 * 8;

/// Between two writes.
const PACE: Duration = Duration::from_millis(10);

/// What a host's memory has of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The host.
    pub host: Name,
    /// The class.
    pub class: Class,
    /// Records that are in memory only.
    pub count: u64,
    /// Their lowest and highest number.
    pub sequences: (u64, u64),
}

/// What a run that was killed had in memory only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unaccounted {
    /// That run; none where what it wrote cannot be read.
    pub boot: Option<BootId>,
    /// Where there was anything; empty and without a boot: nobody can tell how much.
    pub rows: Vec<RunRow>,
}

/// The folder is this process's.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Writes the file, in a thread of its own: even a write to memory may have to wait for the disk.
#[derive(Debug)]
pub(super) struct Run {
    before: Option<Unaccounted>,
    boot: BootId,
    /// What is written, or is about to be.
    last: Vec<RunRow>,
    octets: Option<Sender<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Lock {
    /// Makes the folder where it is not there, and takes it.
    pub(super) fn take(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let path = folder.join(LOCK);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let what = format!("{}: in use by process {}", folder.display(), holder.trim_end());
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, what));
        }
        // For those who are refused; on a full disk they learn less.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

impl Run {
    /// Reads what the run before wrote, and makes the file this run's.
    pub(super) fn start(folder: &Path, boot: BootId) -> io::Result<Self> {
        let path = folder.join(NAME);
        let before = match fs::read(&path) {
            Ok(octets) => unaccounted(&octets),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (octets, inbox) = bounded(1);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let thread = std::thread::Builder::new().name("spool-run".to_owned()).spawn(move || work(&file, &inbox))?;
        let mut run = Self { before, boot, last: Vec::new(), octets: Some(octets), thread: Some(thread) };
        run.send(&[], false);
        Ok(run)
    }

    /// What the run before had in memory only.
    pub(super) fn before(&self) -> Option<&Unaccounted> {
        self.before.as_ref()
    }

    /// What this run has in memory only.
    pub(super) fn remember(&mut self, rows: &[RunRow]) {
        let counted = || rows.iter().filter(|row| row.count > 0);
        if !counted().eq(&self.last) {
            let rows: Vec<RunRow> = counted().cloned().collect();
            if self.send(&rows, false) {
                self.last = rows;
            }
        }
    }

    /// The run comes to its end; the file says so when this returns.
    pub(super) fn finish(&mut self) {
        if let Some(octets) = self.octets.take() {
            let _ = octets.send(written(self.boot, &[], true));
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// False where the thread is not there yet with what it got before.
    fn send(&mut self, rows: &[RunRow], finished: bool) -> bool {
        let Some(octets) = &self.octets else { return true };
        !matches!(octets.try_send(written(self.boot, rows, finished)), Err(TrySendError::Full(_)))
    }
}

/// Writes what comes, no more often than needs be.
fn work(file: &File, inbox: &Receiver<Vec<u8>>) {
    while let Ok(octets) = inbox.recv() {
        // A file that cannot be written says less than there was: nothing that could be done about it here.
        let _ = file.write_all_at(&octets, 0);
        std::thread::sleep(PACE);
    }
}

fn written(boot: BootId, rows: &[RunRow], finished: bool) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&boot.0.to_be_bytes());
    out.push(u8::from(finished));
    out.extend_from_slice(&(rows.len() as u32).to_be_bytes());
    for row in rows {
        let name = &row.host.as_bytes()[..row.host.len().min(255)];
        out.push(name.len() as u8);
        out.extend_from_slice(name);
        out.push(class_code(row.class));
        for number in [row.count, row.sequences.0, row.sequences.1] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
    let sum = crc32c(&out);
    out.extend_from_slice(&sum.to_be_bytes());
    out
}

/// None where the run came to its end.
fn unaccounted(octets: &[u8]) -> Option<Unaccounted> {
    // An empty file is one that a start made and could not write.
    if octets.is_empty() {
        return None;
    }
    let unknown = Unaccounted { boot: None, rows: Vec::new() };
    let Some((boot, finished, rows)) = parse(octets) else { return Some(unknown) };
    (!finished && !rows.is_empty()).then_some(Unaccounted { boot: Some(boot), rows })
}

fn parse(octets: &[u8]) -> Option<(BootId, bool, Vec<RunRow>)> {
    let header = octets.get(..HEADER).filter(|header| header[..8] == MAGIC)?;
    let mut rows = Vec::new();
    let mut at = HEADER;
    for _ in 0..be32(&header[17..]) {
        let length = usize::from(*octets.get(at)?);
        let name = octets.get(at + 1..at + 1 + length)?;
        let numbers = octets.get(at + 1 + length..at + 1 + length + NUMBERS)?;
        rows.push(RunRow {
            host: std::str::from_utf8(name).ok()?.into(),
            class: class_of(numbers[0])?,
            count: be64(&numbers[1..]),
            sequences: (be64(&numbers[9..]), be64(&numbers[17..])),
        });
        at += 1 + length + NUMBERS;
    }
    // What is behind it is of an earlier, longer one.
    let sum = octets.get(at..at + 4)?;
    (be32(sum) == crc32c(&octets[..at])).then_some((BootId(be64(&header[8..])), header[16] != 0, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<RunRow> {
        vec![
            RunRow { host: "siem".into(), class: Class::Session, count: 12, sequences: (100, 140) },
            RunRow { host: "noc-é".into(), class: Class::Access, count: 1, sequences: (141, 141) },
        ]
    }

    #[test]
    fn a_run_that_was_killed_is_told_by_the_next_and_one_that_ended_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::start(folder.path(), BootId(1)).unwrap();
        assert_eq!(run.before(), None);
        while run.last != rows() {
            run.remember(&rows());
        }
        // The thread writes what it has before it ends; nothing was finished.
        drop(run.octets.take());
        run.thread.take().unwrap().join().unwrap();

        let mut run = Run::start(folder.path(), BootId(2)).unwrap();
        assert_eq!(run.before(), Some(&Unaccounted { boot: Some(BootId(1)), rows: rows() }));
        run.finish();
        assert_eq!(Run::start(folder.path(), BootId(3)).unwrap().before(), None);
    }

    #[test]
    fn what_is_torn_is_told_without_a_number() {
        let good = written(BootId(5), &rows(), false);
        assert_eq!(unaccounted(&good), Some(Unaccounted { boot: Some(BootId(5)), rows: rows() }));
        assert_eq!(unaccounted(&written(BootId(5), &rows(), true)), None);
        assert_eq!(unaccounted(&written(BootId(5), &[], false)), None);
        let unknown = Some(Unaccounted { boot: None, rows: Vec::new() });
        for at in 0..good.len() {
            let mut octets = good.clone();
            octets[at] ^= 0x81;
            assert_eq!(unaccounted(&octets), unknown, "{at}");
            assert_eq!(unaccounted(&good[..at]), unknown.clone().filter(|_| at > 0), "{at}");
        }
        let mut longer = good.clone();
        longer.extend_from_slice(b"what an earlier one had more");
        assert_eq!(unaccounted(&longer), unaccounted(&good));
    }

    #[test]
    fn a_folder_is_one_process_s() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let refused = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(refused.ends_with(&format!("in use by process {}", std::process::id())), "{refused}");
        drop(lock);
        Lock::take(folder.path()).unwrap();
    }
}
