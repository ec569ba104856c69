//! A file as a log host: lines of text, or an IPFIX file (RFC 5655), which is one transport session.
//!
//! A thread of its own writes, so that a slow disk holds up nobody. It is given octets through a pair of sockets, as a host
//! in the network would be, and tells how many are with the kernel. What goes wrong ends it: the channel puts what was not
//! written in front of its queue and tries again, as after any broken connection. Of a message that was written in part,
//! nothing stays in the file. A file is rotated by renaming it; no file is ever written again once it is not the first.
//! Where the file is to be made sure of on its disk, octets are told as written when it was.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream as Pair;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use mio::net::UnixStream;

use super::link::Wrote;
use super::trouble::Trouble;
use super::{FileSync, FileTarget};

/// So many octets are made sure of at once, however long that might wait: until then their records are in memory.
const SURE: u64 = 8 << 20;

/// A wait of nothing would be one without end.
const SHORTEST: std::time::Duration = std::time::Duration::from_millis(1);

/// The loop's side.
#[derive(Debug)]
pub(super) struct Link {
    path: PathBuf,
    socket: UnixStream,
    position: u64,
    shared: Arc<Shared>,
}

/// What the thread tells.
#[derive(Debug, Default)]
struct Shared {
    /// Octets that are with the kernel, or on the disk if that is wanted; wholly written messages only.
    written: AtomicU64,
    /// What ended it.
    fault: Mutex<Option<io::Error>>,
}

impl Link {
    /// To a file; `lines` of text, or else IPFIX messages.
    pub(super) fn open(target: &FileTarget, lines: bool) -> Result<Self, Trouble> {
        let (ours, theirs) = Pair::pair().map_err(Trouble::Socket)?;
        ours.set_nonblocking(true).map_err(Trouble::Socket)?;
        let shared = Arc::new(Shared::default());
        let work = {
            let (target, shared) = (target.clone(), Arc::clone(&shared));
            move || {
                let outcome = Recipient::new(target, lines).and_then(|mut file| file.serve(theirs, &shared.written));
                if let Err(error) = outcome {
                    *shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
        };
        thread::Builder::new().name("log-file".to_owned()).spawn(work).map_err(Trouble::Socket)?;
        Ok(Self { path: target.path.clone(), socket: UnixStream::from_std(ours), position: 0, shared })
    }

    /// To register with the poller.
    pub(super) fn source(&mut self) -> &mut UnixStream {
        &mut self.socket
    }

    /// Hands over what the thread takes now.
    pub(super) fn write(&mut self, octets: &[u8]) -> Result<Wrote, Trouble> {
        match self.socket.write(octets) {
            Ok(written) => {
                self.position += written as u64;
                Ok(Wrote::Octets(written))
            }
            Err(error) if super::link::passing(&error) => Ok(Wrote::Blocked),
            Err(error) => Err(self.trouble(error)),
        }
    }

    /// Whether the thread is still there: it has nothing else to say.
    pub(super) fn read(&mut self) -> Result<bool, Trouble> {
        match self.socket.read(&mut [0]) {
            Ok(_) => Err(self.trouble(ErrorKind::UnexpectedEof.into())),
            Err(error) if super::link::passing(&error) => Ok(true),
            Err(error) => Err(self.trouble(error)),
        }
    }

    /// Octets that were handed over.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Octets of those that are not in the file.
    pub(super) fn queued(&self) -> u64 {
        self.position.saturating_sub(self.shared.written.load(Ordering::Acquire))
    }

    /// Nothing more comes.
    pub(super) fn close(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Whether the thread has written all and ended.
    pub(super) fn closing(&mut self) -> Result<bool, Trouble> {
        match self.socket.read(&mut [0]) {
            Ok(_) if self.queued() == 0 => Ok(true),
            Ok(_) => Err(self.trouble(ErrorKind::UnexpectedEof.into())),
            Err(error) if super::link::passing(&error) => Ok(false),
            Err(error) => Err(self.trouble(error)),
        }
    }

    /// What ended the thread, or else what the socket says.
    fn trouble(&self, error: io::Error) -> Trouble {
        let fault = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        Trouble::Target(self.path.clone(), fault.unwrap_or(error))
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The thread's side: a file, and those that it was.
struct Recipient {
    target: FileTarget,
    lines: bool,
    file: File,
    /// Octets in it: wholly written messages only.
    size: u64,
}

impl Recipient {
    /// Opens the file, or begins it. What another session left is rotated: IPFIX always, text where its last line is torn.
    fn new(target: FileTarget, lines: bool) -> io::Result<Self> {
        let file = open(&target.path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut recipient = Self { size: metadata.len(), target, lines, file };
        if recipient.size > 0 && (!lines || !recipient.ends_with_a_line()?) {
            recipient.rotate()?;
        }
        recipient.keep_names()?;
        Ok(recipient)
    }

    fn ends_with_a_line(&self) -> io::Result<bool> {
        let mut last = [0];
        self.file.read_exact_at(&mut last, self.size - 1)?;
        Ok(last == *b"\n")
    }

    /// Writes what comes until the other side closes, and counts in `written` what is there as surely as is wanted.
    fn serve(&mut self, mut from: Pair, written: &AtomicU64) -> io::Result<()> {
        let (mut buffer, mut filled) = (vec![0; 256 * 1024], 0);
        // Octets that are not made sure of, and until when they are to be.
        let (mut unsure, mut due) = (0, None::<Instant>);
        loop {
            let now = Instant::now();
            if unsure >= SURE || due.is_some_and(|due| due <= now) {
                self.file.sync_data()?;
                written.fetch_add(std::mem::take(&mut unsure), Ordering::Release);
                due = None;
            }
            if let FileSync::Within(_) = self.target.sync {
                from.set_read_timeout(due.map(|due| due.saturating_duration_since(now).max(SHORTEST)))?;
            }
            // Messages are shorter than half of this: there is always room.
            let read = match from.read(&mut buffer[filled..]) {
                Ok(0) => {
                    self.file.sync_data()?;
                    written.fetch_add(unsure, Ordering::Release);
                    return Ok(());
                }
                Ok(read) => read,
                Err(error) if super::link::passing(&error) => continue,
                Err(error) => return Err(error),
            };
            filled += read;
            let taken = self.take(&buffer[..filled])?;
            buffer.copy_within(taken..filled, 0);
            filled -= taken;
            match self.target.sync {
                _ if taken == 0 => {}
                FileSync::Off => {
                    written.fetch_add(taken as u64, Ordering::Release);
                }
                FileSync::Within(time) => {
                    unsure += taken as u64;
                    due.get_or_insert(now + time);
                }
                FileSync::Always => {
                    self.file.sync_data()?;
                    written.fetch_add(taken as u64, Ordering::Release);
                }
            }
        }
    }

    /// Writes the whole messages at the front of `octets`: how many octets they are.
    fn take(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        // A run of messages goes into one file, and is written at once.
        while let Some(run) = self.run(&octets[taken..]) {
            let messages = &octets[taken..taken + run];
            let begins = !self.lines && begins_session(messages);
            if self.size > 0 && (begins || (self.lines && self.size + run as u64 > self.target.rotate)) {
                self.rotate()?;
            }
            self.append(messages)?;
            taken += run;
        }
        Ok(taken)
    }

    /// The length of the run of whole messages at the front that go into one file; none where there is none.
    fn run(&self, octets: &[u8]) -> Option<usize> {
        if self.lines {
            // As many lines as the file has room for, one at least.
            let room = usize::try_from(self.target.rotate.saturating_sub(self.size)).unwrap_or(usize::MAX);
            let line = |octets: &[u8]| octets.iter().rposition(|octet| *octet == b'\n').map(|at| at + 1);
            let fits = line(&octets[..room.min(octets.len())]);
            return fits.or_else(|| octets.iter().position(|octet| *octet == b'\n').map(|at| at + 1));
        }
        let mut run = 0;
        while let Some(length) = message(&octets[run..]) {
            if run > 0 && begins_session(&octets[run..]) {
                break;
            }
            run += length;
        }
        (run > 0).then_some(run)
    }

    fn append(&mut self, messages: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all_at(messages, self.size) {
            // What is there in part would be taken for a record. If this fails too, the next session rotates.
            let _ = self.file.set_len(self.size);
            return Err(error);
        }
        self.size += messages.len() as u64;
        Ok(())
    }

    /// Renames the file to `.1`, `.1` to `.2` and so on; the last that is kept is removed. Begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        let path = &self.target.path;
        let keep = self.target.keep;
        if keep == 0 {
            fs::remove_file(path)?;
        }
        for number in (1..=keep).rev() {
            let older = rotated(path, number);
            let newer = if number == 1 { path.clone() } else { rotated(path, number - 1) };
            match fs::rename(newer, older) {
                Err(error) if error.kind() == ErrorKind::NotFound && number > 1 => {}
                other => other?,
            }
        }
        self.file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o640).open(path)?;
        self.size = 0;
        self.keep_names()
    }

    /// Makes sure of the names of the files, where the files are to be.
    fn keep_names(&self) -> io::Result<()> {
        match self.target.path.parent() {
            Some(folder) if self.target.sync != FileSync::Off => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(path)
}

/// The name of a rotated file: `records.json.3`.
fn rotated(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// The length of the IPFIX message at the front (RFC 7011, 3.1), where all of it is there.
fn message(octets: &[u8]) -> Option<usize> {
    let length = usize::from(u16::from_be_bytes([*octets.get(2)?, *octets.get(3)?]));
    (length <= octets.len()).then_some(length).filter(|length| *length >= HEADER)
}

const HEADER: usize = 16;

/// Whether the IPFIX message at the front begins a transport session: with an options template set, and as the first.
fn begins_session(octets: &[u8]) -> bool {
    const OPTIONS_TEMPLATES: [u8; 2] = [0, 3];
    octets.get(8..12) == Some(&[0; 4]) && octets.get(HEADER..HEADER + 2) == Some(&OPTIONS_TEMPLATES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recipient(folder: &Path, rotate: u64, keep: usize, lines: bool) -> Recipient {
        let sync = FileSync::Off;
        Recipient::new(FileTarget { path: folder.join("log"), rotate, keep, sync }, lines).unwrap()
    }

    /// All that is kept, oldest first.
    fn kept(folder: &Path) -> Vec<Vec<u8>> {
        let path = folder.join("log");
        let older = (1..100).map(|number| rotated(&path, number)).take_while(|path| path.exists()).collect::<Vec<_>>();
        older.into_iter().rev().chain([path]).map(|path| fs::read(path).unwrap()).collect()
    }

    #[test]
    fn the_oldest_of_the_kept_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = recipient(folder.path(), 4, 2, true);
        for line in ["one\n", "two\n", "six\n", "ten\n"] {
            assert_eq!(file.take(line.as_bytes()).unwrap(), 4);
        }
        assert_eq!(kept(folder.path()), [b"two\n", b"six\n", b"ten\n"]);
    }

    #[test]
    fn a_torn_line_of_an_earlier_run_is_joined_by_nothing() {
        let folder = tempfile::tempdir().unwrap();
        recipient(folder.path(), 100, 9, true).append(b"one\ntw").unwrap();
        recipient(folder.path(), 100, 9, true).take(b"two\n").unwrap();
        recipient(folder.path(), 100, 9, true).take(b"six\n").unwrap();
        assert_eq!(kept(folder.path()), [&b"one\ntw"[..], b"two\nsix\n"]);
    }

    #[test]
    fn a_session_of_ipfix_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let message = |sequence: u8, set: u8| {
            [&[0, 10, 0, 20, 0, 0, 0, 0, 0, 0, 0, sequence, 0, 0, 0, 1][..], &[0, set, 0, 4]].concat()
        };
        let mut file = recipient(folder.path(), 1, 9, false);
        let octets = [message(0, 3), message(1, 2), message(0, 3), message(5, 3)].concat();
        assert_eq!(file.take(&octets[..70]).unwrap(), 60);
        assert_eq!(file.take(&octets[60..]).unwrap(), 20);
        assert_eq!(kept(folder.path()), [&octets[..40], &octets[40..]]);
        recipient(folder.path(), 1, 9, false).take(&octets[..20]).unwrap();
        assert_eq!(kept(folder.path()).len(), 3, "another session, another file");
    }

    /// What is told as written, of a line that was given to a file, before the other side closes and when it has.
    #[test]
    fn what_is_to_be_sure_is_told_when_it_is() {
        let minute = std::time::Duration::from_secs(60);
        for (sync, before) in [(FileSync::Off, 4), (FileSync::Always, 4), (FileSync::Within(minute), 0)] {
            let folder = tempfile::tempdir().unwrap();
            let (mut ours, theirs) = Pair::pair().unwrap();
            let path = folder.path().join("log");
            let mut file = Recipient::new(FileTarget { path: path.clone(), rotate: 100, keep: 9, sync }, true).unwrap();
            let shared = Arc::new(Shared::default());
            let thread = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || file.serve(theirs, &shared.written))
            };
            ours.write_all(b"one\n").unwrap();
            while fs::read(&path).unwrap().len() < 4 || shared.written.load(Ordering::Acquire) < before {
                thread::yield_now();
            }
            assert_eq!(shared.written.load(Ordering::Acquire), before, "{sync:?}");
            drop(ours);
            thread.join().unwrap().unwrap();
            assert_eq!(shared.written.load(Ordering::Acquire), 4, "{sync:?}");
        }
    }

    /// Whatever the pace, what waits to be made sure of is told in its time, or when there is much of it.
    #[test]
    fn what_is_to_be_sure_soon_is_told_while_nothing_more_comes() {
        let folder = tempfile::tempdir().unwrap();
        let sync = FileSync::Within(std::time::Duration::from_millis(20));
        let target = FileTarget { path: folder.path().join("log"), rotate: 1 << 30, keep: 9, sync };
        let (mut ours, theirs) = Pair::pair().unwrap();
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || Recipient::new(target, true).unwrap().serve(theirs, &shared.written))
        };
        for told in [4, 8] {
            ours.write_all(b"one\n").unwrap();
            while shared.written.load(Ordering::Acquire) < told {
                thread::yield_now();
            }
        }
        drop(ours);
        thread.join().unwrap().unwrap();
    }

    proptest! {
        /// However the octets come in pieces: no line is lost, torn or out of order, and no file longer than it may be
        /// but by a single line.
        #[test]
        fn lines_survive_rotation(lengths in prop::collection::vec(0..40_usize, 1..80), cut in 1..200_usize, rotate in 1..100_u64) {
            let folder = tempfile::tempdir().unwrap();
            let mut file = recipient(folder.path(), rotate, 99, true);
            let all: Vec<u8> = lengths.iter().flat_map(|length| [vec![b'x'; *length], vec![b'\n']].concat()).collect();
            let mut waiting = Vec::new();
            for piece in all.chunks(cut) {
                waiting.extend_from_slice(piece);
                let taken = file.take(&waiting).unwrap();
                waiting.drain(..taken);
            }
            prop_assert!(waiting.is_empty());
            let files = kept(folder.path());
            prop_assert_eq!(files.concat(), all);
            for file in files {
                prop_assert!(file.ends_with(b"\n"));
                let lines = file.iter().filter(|octet| **octet == b'\n').count();
                prop_assert!(file.len() as u64 <= rotate || lines == 1);
            }
        }
    }
}
