//! One file of the trail at work: takes what was selected for it, keeps it within its room, and counts what it cannot keep.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use dataplane::time::Nanos;

use super::archive::{self, Done};
use super::line::Digest;
use super::live::{Live, Rotated};
use super::{Archive, WhenFull};
use crate::record::Class;

/// A record on its way into files.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) class: Class,
    pub(super) sequence: u64,
    pub(super) time: Nanos,
    /// Says that so many were lost, with their numbers: where it is lost itself, it is those that are.
    pub(super) stands_for: Option<(u64, Option<(u64, u64)>)>,
    /// Tells of a checkpoint: no reason for another.
    pub(super) is_checkpoint: bool,
    /// Its object.
    pub(super) object: Vec<u8>,
}

/// Records that are not in the file, of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) count: u64,
    pub(super) sequences: (u64, u64),
    pub(super) span: (Nanos, Nanos),
}

/// What the owner of the trail is to know.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// A file became an archive.
    Rotated(Rotated, &'static str),
    /// How far the series is signed: the number of the last record, the digest of its line, the signature.
    Checkpoint { n: u64, digest: Digest, signature: String },
    /// So many hundredths of the room are used.
    Space { percent: u8, of: &'static str },
    /// No room, or no way to write, and what is done about it.
    Full { reason: String },
    /// There is room again.
    Room,
    /// An archive was deleted to make room.
    Archive(Done),
    /// Lost, and it can be said now.
    Lost(Class, Lost),
    /// Something that no record is for.
    Fault(String),
}

/// Limits of a file.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) archive: Archive,
    pub(super) when_full: WhenFull,
    /// Records between two checkpoints, and the time.
    pub(super) checkpoint: (u32, Duration),
}

/// The file.
pub(super) struct Desk {
    live: Live,
    limits: Limits,
    /// Gathered in the file's buffer.
    gathered: Vec<Entry>,
    /// Since when nothing can be written, and when that was tried last.
    full: Option<Instant>,
    lost: BTreeMap<Class, Lost>,
    /// Written, and not made sure of.
    unsynced: bool,
    /// Of the class of the trail, the number of the last record that is written.
    newest: u64,
    /// Records since the last checkpoint.
    unsigned: u32,
    signed: Instant,
    /// The next turn of the interval; none: there is none.
    turn: Option<Nanos>,
    /// Said of the room: 0, 75, 90.
    warned: u8,
    looked: Option<Instant>,
    pub(super) told: Vec<Told>,
    /// Records that were written, and octets.
    pub(super) records: u64,
}

/// Written at once at the least, where so much has come.
const CHUNK: usize = 256 << 10;
/// Between two attempts while there is no room, and two looks at how much there is.
const LOOK: Duration = Duration::from_secs(1);
/// Room on the disk below which writing is not tried again.
const ROOM: u64 = 64 << 10;
/// At which hundredths something is said, the gravest first.
const WARNINGS: [u8; 2] = [90, 75];

impl Desk {
    pub(super) fn new(live: Live, limits: Limits, now: (Instant, Nanos)) -> Self {
        let turn = next_turn(&limits.archive, now.1);
        // What a run before left unsigned is signed with what comes.
        let unsigned = u32::try_from(live.unsigned()).unwrap_or(u32::MAX);
        Self {
            live,
            limits,
            gathered: Vec::new(),
            full: None,
            lost: BTreeMap::new(),
            unsynced: false,
            newest: 0,
            unsigned,
            signed: now.0,
            turn,
            warned: 0,
            looked: None,
            told: Vec::new(),
            records: 0,
        }
    }

    /// Takes a record; it is written with [`Self::put`] at the latest.
    pub(super) fn take(&mut self, entry: &Entry, now: Nanos) {
        if self.full.is_some() {
            self.lose(entry);
            return;
        }
        if self.live.record(&entry.object).is_err() {
            self.told.push(Told::Fault(format!("a record is too long for the trail: number {}", entry.sequence)));
            self.lose(entry);
            return;
        }
        self.gathered.push(entry.clone());
        if self.live.gathered() >= CHUNK {
            self.put(now);
        }
    }

    /// Writes what was gathered, and begins the next file where this one is large enough.
    pub(super) fn put(&mut self, now: Nanos) {
        let gathered = std::mem::take(&mut self.gathered);
        if gathered.is_empty() {
            return;
        }
        match self.live.flush() {
            Ok(()) => gathered.iter().for_each(|entry| self.written(entry)),
            Err(_) => self.one_by_one(&gathered),
        }
        if self.full.is_none() && self.live.length() >= self.limits.archive.size {
            self.rotate("size", now);
        }
    }

    /// Not all of it could be written: as much of it as can.
    fn one_by_one(&mut self, gathered: &[Entry]) {
        let mut rest = gathered.iter();
        for entry in rest.by_ref() {
            // It was gathered before: it is not too long.
            let again = |live: &mut Live| live.record(&entry.object).map_err(|_| io::ErrorKind::FileTooLarge.into());
            let mut done = again(&mut self.live).and_then(|()| self.live.flush());
            while done.is_err() && self.make_room() {
                done = again(&mut self.live).and_then(|()| self.live.flush());
            }
            match done {
                Ok(()) => self.written(entry),
                Err(error) => {
                    self.is_full(error.to_string());
                    self.lose(entry);
                    break;
                }
            }
        }
        rest.for_each(|entry| self.lose(entry));
    }

    fn written(&mut self, entry: &Entry) {
        self.unsynced = true;
        self.records += 1;
        if entry.class == Class::Audit {
            self.newest = self.newest.max(entry.sequence);
        }
        if !entry.is_checkpoint {
            self.unsigned = self.unsigned.saturating_add(1);
        }
    }

    fn lose(&mut self, entry: &Entry) {
        let (count, sequences) = entry.stands_for.map_or((1, Some((entry.sequence, entry.sequence))), |lost| lost);
        let (first, last) = sequences.unwrap_or((entry.sequence, entry.sequence));
        let lost = self.lost.entry(entry.class).or_insert(Lost {
            count: 0,
            sequences: (first, last),
            span: (entry.time, entry.time),
        });
        lost.count += count;
        lost.sequences = (lost.sequences.0.min(first), lost.sequences.1.max(last));
        lost.span = (lost.span.0.min(entry.time), lost.span.1.max(entry.time));
        self.live.lose(count);
    }

    fn is_full(&mut self, reason: String) {
        if self.full.replace(Instant::now()).is_none() {
            self.told.push(Told::Full { reason });
        }
    }

    /// Deletes the oldest archive, where the oldest are to give way.
    fn make_room(&mut self) -> bool {
        if self.limits.when_full != WhenFull::OverwriteOldest {
            return false;
        }
        let series = self.live.series().clone();
        let Ok(archives) = series.archives() else { return false };
        let Some(oldest) = archives.first() else { return false };
        match archive::delete(&series, oldest, "no room on the disk") {
            Ok(done) => {
                self.told.push(Told::Archive(done));
                true
            }
            Err(_) => false,
        }
    }

    /// Begins the next file, unless there is no place for this one among the archives.
    pub(super) fn rotate(&mut self, reason: &'static str, now: Nanos) {
        self.put_only();
        if self.limits.when_full != WhenFull::OverwriteOldest {
            let archives = self.live.series().archives().map_or(0, |archives| archives.len());
            if archives >= self.limits.archive.files as usize {
                if reason == "size" {
                    self.is_full(format!("{archives} archives are there, and no more are to be"));
                }
                return;
            }
        }
        let mut done = self.live.rotate(now);
        while done.is_err() && self.make_room() {
            done = self.live.rotate(now);
        }
        match done {
            Ok(rotated) => {
                (self.unsigned, self.signed, self.unsynced) = (0, Instant::now(), false);
                self.told.push(Told::Rotated(rotated, reason));
            }
            Err(error) => self.is_full(format!("the next file cannot be begun: {error}")),
        }
    }

    fn put_only(&mut self) {
        let gathered = std::mem::take(&mut self.gathered);
        match self.live.flush() {
            Ok(()) => gathered.iter().for_each(|entry| self.written(entry)),
            Err(_) => self.one_by_one(&gathered),
        }
    }

    /// Makes sure of what was written: the number of the last record of the trail's class that stays, if that went.
    pub(super) fn sync(&mut self) -> Option<u64> {
        if self.unsynced {
            if let Err(error) = self.live.sync() {
                self.told.push(Told::Fault(format!("{}: {error}", self.live.series().live().display())));
                return None;
            }
            self.unsynced = false;
        }
        Some(self.newest)
    }

    /// Whether something is written and not made sure of.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Does what is due: checkpoints, intervals, looks at the room.
    pub(super) fn turn(&mut self, now: Instant, time: Nanos) {
        let (records, interval) = self.limits.checkpoint;
        if self.full.is_none() && self.unsigned > 0 {
            let due = self.unsigned >= records || now.saturating_duration_since(self.signed) >= interval;
            if due {
                self.sign(now, time, false);
            }
        }
        if self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK) {
            self.looked = Some(now);
            self.look(time);
        }
        if self.full.is_none() {
            if let Some(turn) = self.turn.filter(|turn| *turn <= time) {
                self.turn = next_turn(&self.limits.archive, time.max(turn));
                if !self.live.is_empty() {
                    self.rotate("interval", time);
                }
            }
            while let Some((class, lost)) = self.lost.pop_first() {
                self.told.push(Told::Lost(class, lost));
            }
        }
    }

    fn sign(&mut self, now: Instant, time: Nanos, stopped: bool) {
        match self.live.checkpoint(time, stopped) {
            Ok((n, digest, line)) => {
                (self.unsigned, self.signed, self.unsynced) = (0, now, true);
                let signature = line.rsplit_once("\"signature\":\"").map_or("", |(_, rest)| rest);
                let signature = signature.trim_end_matches("\"}").to_owned();
                self.told.push(Told::Checkpoint { n, digest, signature });
            }
            Err(error) => self.is_full(error.to_string()),
        }
    }

    /// Looks how much room there is: whether to warn, and whether to try again.
    fn look(&mut self, time: Nanos) {
        let archive = &self.limits.archive;
        let series = self.live.series();
        let disk = disk(series.folder());
        let archives = series.archives().unwrap_or_default();
        let overwrites = self.limits.when_full == WhenFull::OverwriteOldest;
        let (percent, of) = if overwrites {
            (disk.map_or(0, |(_, percent)| percent), "disk")
        } else {
            let octets = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            let used = archives.iter().map(|archived| octets(&archived.path)).sum::<u64>() + self.live.length();
            let room = archive.size.saturating_mul(u64::from(archive.files) + 1).max(1);
            ((used.saturating_mul(100) / room).min(100) as u8, "files")
        };
        let level = WARNINGS.into_iter().find(|level| percent >= *level).unwrap_or(0);
        if level > self.warned {
            self.told.push(Told::Space { percent, of });
        }
        // A little less than what was warned of is no reason to warn again.
        self.warned = if percent + 5 < self.warned { level } else { level.max(self.warned) };
        if self.full.is_none() {
            return;
        }
        let large = self.live.length() >= archive.size;
        let place = overwrites || !large || archives.len() < archive.files as usize;
        if place && disk.is_none_or(|(free, _)| free >= ROOM) {
            self.full = None;
            if large {
                self.rotate("size", time);
            }
            if self.full.is_none() {
                self.told.push(Told::Room);
            }
        }
    }

    /// Ends: all is written, signed, and made sure of. What could not be is told.
    pub(super) fn end(&mut self, now: (Instant, Nanos)) -> Vec<(Class, Lost)> {
        self.put(now.1);
        if self.full.is_none() {
            self.sign(now.0, now.1, true);
        }
        self.sync();
        std::mem::take(&mut self.lost).into_iter().collect()
    }

    /// So many were lost before they came here, and are told of elsewhere.
    pub(super) fn lost_before(&mut self, count: u64) {
        self.live.lose(count);
    }

    /// Lost, and not told yet.
    pub(super) fn losing(&self) -> u64 {
        self.lost.values().map(|lost| lost.count).sum()
    }

    /// The file's own.
    pub(super) fn live(&self) -> &Live {
        &self.live
    }

    /// Whether nothing can be written.
    pub(super) fn stands(&self) -> bool {
        self.full.is_some()
    }
}

/// Free octets on the disk of a folder, and how many hundredths are used, as an unprivileged user has it.
fn disk(folder: &Path) -> Option<(u64, u8)> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    let room = used.saturating_add(stat.f_bavail).max(1);
    Some((stat.f_bavail.saturating_mul(stat.f_frsize), (used.saturating_mul(100) / room).min(100) as u8))
}

/// When the interval, counted from its start, comes round after `now`.
fn next_turn(archive: &Archive, now: Nanos) -> Option<Nanos> {
    let interval = archive.interval?.as_nanos().max(1) as u64;
    let start = archive.start.map_or(0, |start| u64::try_from(start.as_nanosecond()).unwrap_or(0));
    if start > now.0 {
        return Some(Nanos(start));
    }
    Some(Nanos(start + ((now.0 - start) / interval + 1) * interval))
}

#[cfg(test)]
mod tests;
