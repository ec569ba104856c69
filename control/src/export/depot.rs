//! What of a host's records is on disk, on its way there, or on its way back.
//!
//! Records go to disk in batches, which stay in memory until they are written: a batch that the disk refuses goes back to
//! the queue. They come back oldest first, and are done with, on disk, once the host acknowledged them and all before them.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::fmt::Debug;
use std::time::Instant;

use super::Payload;
use super::owed::{Matter, Origin, Owed};
use super::spool::{News, Spool, SpoolSize};
use crate::record::BootId;

/// Octets of records that are read ahead of the socket.
const AHEAD: usize = 256 * 1024;

/// Records that are taken from one source in a row while both wait.
const RUN: u8 = 16;

/// Where records are kept.
pub(super) trait Disk: Debug + Send {
    /// Hands over records to be written, or gives them back.
    fn write(&mut self, batch: Vec<Payload>) -> Result<(), Vec<Payload>>;
    /// Whether a batch would be given back now.
    fn is_busy(&self) -> bool;
    /// Asks for the next records.
    fn want(&mut self, octets: usize);
    /// The host has acknowledged this one and all before it.
    fn done(&mut self, ordinal: u64);
    /// What was read and is not done is read again.
    fn rewind(&mut self);
    /// What there is to tell.
    fn news(&mut self) -> Option<News>;
    /// How much there is.
    fn size(&self) -> SpoolSize;
    /// Waits until everything that was handed over is written.
    fn sync(&mut self, until: Instant) -> bool;
}

impl Disk for Spool {
    fn write(&mut self, batch: Vec<Payload>) -> Result<(), Vec<Payload>> {
        self.write(batch)
    }

    fn is_busy(&self) -> bool {
        self.is_busy()
    }

    fn want(&mut self, octets: usize) {
        self.want(octets);
    }

    fn done(&mut self, ordinal: u64) {
        self.done(ordinal);
    }

    fn rewind(&mut self) {
        self.rewind();
    }

    fn news(&mut self) -> Option<News> {
        self.news()
    }

    fn size(&self) -> SpoolSize {
        self.size()
    }

    fn sync(&mut self, until: Instant) -> bool {
        self.sync(until)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Depot {
    disk: Box<dyn Disk>,
    /// Per cent of records that come from here while others wait too.
    share: u8,
    /// Batches that the disk has not answered for, oldest first.
    leaving: VecDeque<Vec<Owed>>,
    /// The batch that was written last, or the first part of it.
    left: Vec<Owed>,
    /// Read and not taken.
    back: VecDeque<Owed>,
    /// Octets in `back`.
    octets: usize,
    /// Read and not acknowledged.
    outstanding: BTreeSet<u64>,
    /// Acknowledged, but something before them is not.
    ahead: BTreeSet<u64>,
    /// Were written to the host before they went to disk.
    sent_before: HashSet<(BootId, u64)>,
    /// Which source has its turn, for how many records, and how far it is ahead of its share.
    turn: (bool, u8, i32),
    /// No more is read.
    closed: bool,
}

impl Depot {
    /// On that disk.
    pub(super) fn new(disk: Box<dyn Disk>, share: u8) -> Self {
        Self {
            disk,
            share: share.clamp(1, 99),
            leaving: VecDeque::new(),
            left: Vec::new(),
            back: VecDeque::new(),
            octets: 0,
            outstanding: BTreeSet::new(),
            ahead: BTreeSet::new(),
            sent_before: HashSet::new(),
            turn: (true, 0, 0),
            closed: false,
        }
    }

    /// Whether a batch would be refused now.
    pub(super) fn is_busy(&self) -> bool {
        self.disk.is_busy()
    }

    /// Hands over a batch, or gives it back.
    pub(super) fn write(&mut self, batch: Vec<Owed>, payloads: Vec<Payload>) -> Result<(), Vec<Owed>> {
        if self.disk.write(payloads).is_err() {
            return Err(batch);
        }
        let sent = batch.iter().filter(|owed| owed.counts() && owed.sent).map(|owed| owed.matter.name());
        self.sent_before.extend(sent);
        self.leaving.push_back(batch);
        Ok(())
    }

    /// What there is to tell.
    pub(super) fn news(&mut self) -> Option<News> {
        self.disk.news()
    }

    /// The oldest batch, or its first part, is written: the batch.
    pub(super) fn written(&mut self) -> &[Owed] {
        self.left = self.leaving.pop_front().unwrap_or_default();
        &self.left
    }

    /// The last `count` records of the batch of which the first part was just written, or of the oldest batch, are refused:
    /// those.
    pub(super) fn refused(&mut self, count: usize) -> Vec<Owed> {
        if self.left.len() < count {
            self.left = self.leaving.pop_front().unwrap_or_default();
        }
        self.left.split_off(self.left.len().saturating_sub(count))
    }

    /// Records came back.
    pub(super) fn read(&mut self, records: Vec<(u64, Payload)>) {
        for (ordinal, payload) in records {
            if self.closed {
                continue;
            }
            self.outstanding.insert(ordinal);
            self.octets += payload.octets.len();
            let name = (payload.boot, payload.sequence);
            let sent = payload.again || self.sent_before.remove(&name);
            let (matter, origin) = (Matter::Payload(payload), Origin::Spool(ordinal));
            self.back.push_back(Owed { matter, arrival: 0, origin, sent, acknowledged: false, refused: 0 });
        }
    }

    /// Asks for more, where there is room for it.
    pub(super) fn want(&mut self) {
        if !self.closed && self.octets < AHEAD {
            self.disk.want(AHEAD);
        }
    }

    /// The next; none where nothing was read.
    pub(super) fn front(&self) -> Option<&Owed> {
        self.back.front()
    }

    /// Takes the next.
    pub(super) fn pop(&mut self) -> Option<Owed> {
        let owed = self.back.pop_front()?;
        if let Matter::Payload(payload) = &owed.matter {
            self.octets -= payload.octets.len();
        }
        Some(owed)
    }

    /// Whether it is the turn of what was read, where live records wait too.
    pub(super) fn has_turn(&self) -> bool {
        self.turn.0
    }

    /// A record was taken, from here or not, while both waited.
    pub(super) fn took(&mut self, from_here: bool) {
        let (here, taken, debt) = &mut self.turn;
        *debt += if from_here { 100 - i32::from(self.share) } else { -i32::from(self.share) };
        *taken += 1;
        if *taken >= RUN {
            (*here, *taken) = (*debt <= 0, 0);
        }
    }

    /// A record that was read is acknowledged, or given up.
    pub(super) fn done(&mut self, ordinal: u64) {
        if !self.outstanding.remove(&ordinal) {
            return;
        }
        self.ahead.insert(ordinal);
        let floor = self.outstanding.first().copied().unwrap_or(u64::MAX);
        let waiting = self.ahead.split_off(&floor);
        if let Some(last) = std::mem::replace(&mut self.ahead, waiting).last() {
            self.disk.done(*last);
        }
    }

    /// These were read and taken, and the host did not acknowledge them: they are the next again. They are not read a second
    /// time, as what was acknowledged between them would be too.
    pub(super) fn put_back(&mut self, mut taken: Vec<Owed>) {
        taken.sort_unstable_by_key(Owed::on_disk);
        for owed in taken.into_iter().rev() {
            if let Matter::Payload(payload) = &owed.matter {
                self.octets += payload.octets.len();
            }
            self.back.push_front(owed);
        }
    }

    /// No more is read: only what was is still sent.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Forgets what was read and is not acknowledged: it stays on disk. Of what had to go there meanwhile, the loss is told.
    pub(super) fn forget(&mut self) {
        self.close();
        self.back.clear();
        self.octets = 0;
        self.outstanding.clear();
        self.disk.rewind();
    }

    /// What is on its way to disk, oldest first.
    pub(super) fn leaving(&self) -> impl Iterator<Item = &Owed> {
        self.leaving.iter().flatten()
    }

    /// Whether so many of the last batch can have been refused after its first part was written.
    pub(super) fn has_written(&self, count: usize) -> bool {
        count > 0 && self.left.len() >= count
    }

    /// Whether nothing is on its way to disk.
    pub(super) fn is_settled(&self) -> bool {
        self.leaving.is_empty()
    }

    /// How much is on disk.
    pub(super) fn size(&self) -> SpoolSize {
        self.disk.size()
    }

    /// Waits until everything is on disk.
    pub(super) fn sync(&mut self, until: Instant) -> bool {
        self.disk.sync(until)
    }
}
