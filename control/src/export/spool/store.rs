//! The files of one host: what is appended, and what has to go. All of it may block on the disk; one thread has it.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use dataplane::time::Nanos;

use super::mark::Mark;
use super::record::{self, HEAD, Head};
use super::replay::Replay;
use super::segment::{HEADER, Header, LARGEST, Segment};
use super::tally::Tallies;
use super::walk::{Expected, Survey, survey};
use super::{Form, SpoolLoss, SpoolSize};
use crate::export::{Cause, Payload, SpoolLimits};
use crate::record::{BootId, Class};

/// Written at once, at most.
const WRITE: usize = 1 << 20;

/// A file that is read from is closed at this age, so that it can go when it is done with.
const OLD: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) folder: PathBuf,
    pub(super) form: Form,
    pub(super) boot: BootId,
    pub(super) limits: SpoolLimits,
    /// Oldest first, without a gap between one and the next.
    pub(super) segments: VecDeque<Segment>,
    /// The last segment's file, while records are appended to it.
    pub(super) file: Option<File>,
    /// The ordinal of the next record.
    pub(super) next: u64,
    /// Where it cannot be made, records are sent twice after a restart.
    pub(super) mark: Option<Mark>,
    pub(super) replay: Replay,
    /// Lost, and not told yet.
    pub(super) losses: Vec<SpoolLoss>,
    /// Lines for the operator.
    pub(super) faults: Vec<String>,
    /// Appended since the last sync.
    pub(super) unsynced: bool,
    scratch: Vec<u8>,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Appended {
    /// How many records that count were written, by class.
    pub(super) records: Vec<(Class, u64)>,
    /// What was not, and why.
    pub(super) refused: Option<(Vec<Payload>, io::Error)>,
    /// One of them is to be made sure of at once.
    pub(super) urgent: bool,
}

impl Store {
    /// Of a folder whose files are known.
    pub(super) fn new(folder: PathBuf, form: Form, boot: BootId, limits: SpoolLimits, replay: Replay) -> Self {
        Self {
            folder,
            form,
            boot,
            limits,
            segments: VecDeque::new(),
            file: None,
            next: replay.floor(),
            mark: None,
            replay,
            losses: Vec::new(),
            faults: Vec::new(),
            unsynced: false,
            scratch: Vec::new(),
        }
    }

    /// Appends a batch; what is returned as written survives the end of the process.
    pub(super) fn append(&mut self, batch: Vec<Payload>, now: Nanos) -> Appended {
        let mut written = Tallies::default();
        let (mut left, mut at, mut failed) = (batch, 0, None);
        while at < left.len() {
            match self.append_some(&left[at..], now, &mut written) {
                Ok(count) => at += count,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let urgent = left[..at].iter().any(|payload| self.limits.sync.contains(&payload.class));
        self.unsynced |= at > 0;
        let refused = failed.map(|error| (left.split_off(at), error));
        Appended { records: written.by_class(), refused, urgent }
    }

    /// Writes as many as go into one write and one file; how many.
    fn append_some(&mut self, batch: &[Payload], now: Nanos, written: &mut Tallies) -> io::Result<usize> {
        let largest = LARGEST.min(self.limits.octets / 8);
        let size = self.segments.back().map_or(0, |segment| segment.size);
        let first = (HEAD + batch.first().map_or(0, |payload| payload.octets.len())) as u64;
        if self.file.is_some() && size > HEADER as u64 && size + first > largest {
            self.close();
        }
        let begin = if self.file.is_some() { size } else { HEADER as u64 };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let mut heads = Vec::new();
        for payload in batch {
            let more = (HEAD + payload.octets.len()) as u64;
            let full = begin + scratch.len() as u64 + more > largest || scratch.len() >= WRITE;
            if full && !heads.is_empty() {
                break;
            }
            heads.push(record::write(payload, self.next + heads.len() as u64, &mut scratch));
        }
        let result = self.put(&scratch, &heads, now);
        self.scratch = scratch;
        if result.is_ok() {
            heads.iter().for_each(|head| written.add(head));
        }
        result.map(|()| heads.len())
    }

    fn put(&mut self, octets: &[u8], heads: &[Head], now: Nanos) -> io::Result<()> {
        self.make_room(octets.len() as u64 + HEADER as u64)?;
        if self.file.is_none() {
            self.begin(now)?;
        }
        let (Some(file), Some(segment)) = (&self.file, self.segments.back_mut()) else { return Ok(()) };
        if let Err(error) = file.write_all_at(octets, segment.size) {
            // What was written of it is not there: the next write begins at the same place. On a full disk it begins a file, so
            // that this one goes, and makes room, as soon as it is sent.
            if file.set_len(segment.size).is_err() || error.kind() == ErrorKind::StorageFull {
                self.close();
            }
            return Err(error);
        }
        segment.size += octets.len() as u64;
        segment.end += heads.len() as u64;
        self.next = segment.end;
        heads.iter().for_each(|head| segment.kept.add(head));
        Ok(())
    }

    /// Makes the next file.
    fn begin(&mut self, now: Nanos) -> io::Result<()> {
        let segment = Segment::new(self.next, now);
        let path = segment.path(&self.folder);
        let make = || {
            // A file of that name has nothing that is owed, or the next ordinal would be behind it.
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all_at(&Header::write(self.form, self.boot, self.next, now), 0)?;
            file.sync_all()?;
            File::open(&self.folder)?.sync_all()?;
            Ok(file)
        };
        match make() {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                let _ = fs::remove_file(&path);
                return Err(error);
            }
        }
        // One that was abandoned before it had a record had this name too.
        if self.segments.back().is_some_and(|last| last.first == segment.first) {
            self.segments.pop_back();
        }
        self.segments.push_back(segment);
        Ok(())
    }

    /// No more is appended to the last file.
    pub(super) fn close(&mut self) {
        let Some(file) = self.file.take() else { return };
        if self.unsynced
            && let Err(error) = file.sync_data()
        {
            self.faults.push(format!("its spool cannot be made sure of: {error}"));
        }
    }

    /// Octets of the files.
    pub(super) fn octets(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    fn make_room(&mut self, more: u64) -> io::Result<()> {
        while self.octets() + more > self.limits.octets {
            if self.limits.drop_new {
                return Err(io::Error::new(ErrorKind::StorageFull, "the spool has all that it may have"));
            }
            if self.segments.is_empty() {
                return Err(io::Error::new(ErrorKind::StorageFull, "a record is larger than the spool may be"));
            }
            self.drop_oldest(Cause::SpoolFull);
        }
        Ok(())
    }

    /// Gives up the oldest file: what was handed out of it is still on its way, the rest is lost.
    pub(super) fn drop_oldest(&mut self, cause: Cause) {
        if self.segments.len() == 1 {
            self.close();
        }
        let Some((first, end)) = self.segments.front().map(|segment| (segment.first, segment.end)) else { return };
        let floor = self.replay.floor();
        if floor < end {
            let lost = if self.replay.handed() <= first {
                self.segments[0].kept.clone()
            } else {
                // Part of it is acknowledged, or on its way: which, only the file tells.
                let handed = self.replay.handed();
                let mut flying = Vec::new();
                let mut rest = Tallies::default();
                self.look_again(
                    0,
                    floor,
                    |head| {
                        if head.ordinal < handed { flying.push(*head) } else { rest.add(head) }
                    },
                );
                self.replay.outlive(flying);
                rest
            };
            self.losses.extend(lost.losses(cause));
            self.replay.pass(end);
        }
        self.unlink_oldest();
    }

    /// Removes the oldest file. The mark goes before: what is not there and not marked counts as lost.
    pub(super) fn unlink_oldest(&mut self) {
        let Some(segment) = self.segments.pop_front() else { return };
        self.write_mark(true);
        self.replay.leave(segment.first);
        if let Err(error) = fs::remove_file(segment.path(&self.folder)) {
            self.faults.push(format!("a file of its spool cannot be removed: {error}"));
        }
    }

    /// Writes how far everything is done.
    pub(super) fn write_mark(&mut self, sync: bool) {
        let ordinal = self.replay.floor();
        if self.mark.is_none() {
            self.mark = Mark::open(&self.folder).ok().map(|(mark, _)| mark);
        }
        let Some(mark) = &mut self.mark else { return };
        if ordinal > mark.ordinal()
            && let Err(error) = mark.write(ordinal, sync)
        {
            self.faults.push(format!("how far its spool is sent cannot be written: {error}"));
        }
    }

    /// Reads a file again, and counts what rotted since it was read or written. `seen` gets what is good from `from` on.
    pub(super) fn look_again(&mut self, at: usize, from: u64, seen: impl FnMut(&Head)) {
        let Some(segment) = self.segments.get_mut(at) else { return };
        let expected = Expected { first: segment.first, end: Some(segment.end), from, before: None };
        let found = File::open(segment.path(&self.folder)).and_then(|file| survey(file, expected, seen));
        let Survey { kept, holes, .. } = found.unwrap_or_else(|error| {
            self.faults.push(format!("a file of its spool cannot be read: {error}"));
            Survey { holes: std::iter::once(segment.first..segment.end).collect(), ..Survey::default() }
        });
        // By ordinals, so that what was acknowledged before it rotted is not lost; by class as far as the sums tell.
        let owed = from.max(self.replay.handed()).max(segment.first)..segment.end;
        let before = super::segment::overlap(&segment.holes, &owed);
        let count = super::segment::overlap(&holes, &owed).saturating_sub(before);
        let lost = segment.kept.without(&kept).at_most(count);
        self.losses.extend(lost.losses(Cause::SpoolCorrupt));
        (segment.kept, segment.holes) = (kept, holes);
    }

    /// Does what is due each second or so: what is too old, what is all done, the mark.
    pub(super) fn keep_house(&mut self, now: Nanos) {
        while let Some(segment) = self.segments.front() {
            let young = segment.kept.latest().is_some_and(|latest| now.since(latest) <= self.limits.age);
            if young || segment.kept.total() == 0 && self.file.is_some() && self.segments.len() == 1 {
                break;
            }
            self.drop_oldest(Cause::SpoolAge);
        }
        if let Some(segment) = self.segments.back()
            && self.file.is_some()
            && segment.size > HEADER as u64
        {
            let is_read = self.replay.handed() > segment.first && now.since(segment.made) >= OLD;
            if is_read || self.replay.floor() >= segment.end {
                self.close();
            }
        }
        self.unlink_done();
        self.write_mark(false);
    }

    /// Removes the files of which everything is done with.
    pub(super) fn unlink_done(&mut self) {
        let floor = self.replay.floor();
        while self.segments.front().is_some_and(|segment| segment.end <= floor)
            && (self.segments.len() > 1 || self.file.is_none())
        {
            self.unlink_oldest();
        }
    }

    /// Makes sure of what was written.
    pub(super) fn sync(&mut self) -> bool {
        if let Some(file) = &self.file
            && self.unsynced
            && let Err(error) = file.sync_data()
        {
            self.faults.push(format!("its spool cannot be made sure of: {error}"));
            return false;
        }
        self.unsynced = false;
        true
    }

    /// How much there is.
    pub(super) fn size(&self) -> SpoolSize {
        let floor = self.replay.floor();
        let owed = self.segments.iter().filter(|segment| segment.end > floor);
        SpoolSize {
            records: owed.clone().map(|segment| segment.records(floor)).sum(),
            octets: self.octets(),
            oldest: owed.filter_map(|segment| segment.kept.earliest()).min(),
            segments: self.segments.len() as u32,
        }
    }
}
