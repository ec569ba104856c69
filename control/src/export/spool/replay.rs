//! What is read of a spool, oldest first, and how far it was acknowledged.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use super::record::Head;
use super::segment::overlap;
use super::store::Store;
use super::tally::Tallies;
use super::walk::Walk;
use crate::export::{Cause, Payload};

/// How far a spool is.
#[derive(Debug)]
pub(super) struct Replay {
    /// Below it, the host acknowledged everything.
    acknowledged: u64,
    /// Below it, nothing is on disk any more, or it rotted there.
    gone: u64,
    /// Below it, everything was handed out.
    handed: u64,
    /// The file that is read, by its first ordinal.
    walk: Option<(u64, Walk<File>)>,
    /// Handed out, not acknowledged, and not on disk any more: a spool that was full needed the room. If the process is
    /// killed now, and the host got none of them, only these are lost without a word.
    flying: VecDeque<Head>,
}

impl Replay {
    /// From this ordinal on.
    pub(super) fn new(from: u64) -> Self {
        Self { acknowledged: from, gone: from, handed: from, walk: None, flying: VecDeque::new() }
    }

    /// Below it, nothing on disk is owed.
    pub(super) fn floor(&self) -> u64 {
        self.acknowledged.max(self.gone)
    }

    /// Below it, everything was handed out.
    pub(super) fn handed(&self) -> u64 {
        self.handed
    }

    /// How many were handed out, are not acknowledged, and are not on disk any more.
    #[cfg(test)]
    pub(super) fn flying(&self) -> usize {
        self.flying.len()
    }

    /// These were handed out, and their file goes.
    pub(super) fn outlive(&mut self, heads: Vec<Head>) {
        self.flying.extend(heads);
    }

    /// Below `end`, nothing is on disk any more.
    pub(super) fn pass(&mut self, end: u64) {
        self.gone = self.gone.max(end);
        if self.handed < end {
            (self.handed, self.walk) = (end, None);
        }
    }

    /// A file goes: while it is open, its room on the disk is not free.
    pub(super) fn leave(&mut self, first: u64) {
        self.walk.take_if(|(of, _)| *of == first);
    }
}

impl Store {
    /// The host has acknowledged what is below this ordinal.
    pub(super) fn acknowledge(&mut self, ordinal: u64) {
        let replay = &mut self.replay;
        // Nothing is acknowledged that was not handed out.
        replay.acknowledged = replay.acknowledged.max(ordinal.min(replay.handed));
        while replay.flying.front().is_some_and(|head| head.ordinal < replay.acknowledged) {
            replay.flying.pop_front();
        }
        self.pass_holes();
        self.unlink_done();
    }

    /// What was passed over because it is not there, nobody will acknowledge.
    fn pass_holes(&mut self) {
        loop {
            let (floor, handed) = (self.replay.floor(), self.replay.handed);
            let mut holes = self.segments.iter().filter(|segment| segment.end > floor).take(1).flat_map(|of| &of.holes);
            let Some(hole) = holes.find(|hole| hole.start <= floor && floor < hole.end && hole.end <= handed) else {
                break;
            };
            // Not `acknowledged`: what is on its way, of files that had to go, is before it.
            self.replay.gone = hole.end;
        }
    }

    /// What was handed out and not acknowledged is handed out again; of what is gone, only the number is left.
    pub(super) fn rewind(&mut self) {
        let mut lost = Tallies::default();
        self.replay.flying.drain(..).for_each(|head| lost.add(&head));
        self.losses.extend(lost.losses(Cause::SpoolFull));
        (self.replay.handed, self.replay.walk) = (self.replay.floor(), None);
    }

    /// The next records, of so many octets or a little more; fewer at the end. Their ordinals are in order.
    pub(super) fn read(&mut self, octets: usize) -> Vec<(u64, Payload)> {
        let (mut read, mut got) = (Vec::new(), 0);
        while got < octets && self.replay.handed < self.next {
            let Some(at) = self.segments.iter().position(|segment| segment.end > self.replay.handed) else { break };
            match self.read_from(at) {
                Ok(Some((ordinal, payload))) => {
                    got += payload.octets.len().max(1);
                    read.push((ordinal, payload));
                }
                Ok(None) => {}
                Err(error) => {
                    self.faults.push(format!("a file of its spool cannot be read: {error}"));
                    self.miss(at, self.segments[at].end);
                }
            }
        }
        read
    }

    /// The next record of a file; none where the rest of it is not there.
    fn read_from(&mut self, at: usize) -> io::Result<Option<(u64, Payload)>> {
        let (first, end) = (self.segments[at].first, self.segments[at].end);
        if self.replay.walk.as_ref().is_none_or(|(of, _)| *of != first) {
            let file = File::open(self.segments[at].path(&self.folder))?;
            self.replay.walk = Some((first, Walk::new(file)));
        }
        loop {
            let Some((_, walk)) = &mut self.replay.walk else { return Ok(None) };
            let Some(found) = walk.next()? else {
                self.miss(at, end);
                return Ok(None);
            };
            let (head, handed) = (found.head, self.replay.handed);
            // As in a survey: no record stands where nothing rotted that could have been before it.
            let missing = head.ordinal.saturating_sub(handed);
            if head.ordinal < handed || head.ordinal >= end || missing > found.garbage.at_most() {
                continue;
            }
            let payload = found.payload.map(|octets| head.payload(octets));
            if missing > 0 {
                self.miss(at, head.ordinal);
            }
            match payload {
                Some(payload) => {
                    self.replay.handed = head.ordinal + 1;
                    return Ok(Some((head.ordinal, payload)));
                }
                None => self.miss(at, head.ordinal + 1),
            }
        }
    }

    /// What is below `end` and was not handed out is not there. What is known to be missing was counted when that was found.
    fn miss(&mut self, at: usize, end: u64) {
        let range = self.replay.handed..end;
        if overlap(&self.segments[at].holes, &range) < end.saturating_sub(range.start) {
            self.look_again(at, range.start, |_| {});
            let segment = &mut self.segments[at];
            let unseen = range.end.saturating_sub(range.start) - overlap(&segment.holes, &range);
            if unseen > 0 {
                // Unreadable a moment ago, and now not: it is passed over all the same, and has to be in a count.
                self.losses.extend(segment.kept.at_most(unseen).losses(Cause::SpoolCorrupt));
                segment.holes.push(range);
            }
        }
        self.replay.handed = self.replay.handed.max(end);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use dataplane::time::Nanos;

    use crate::export::spool::Form;
    use crate::export::spool::record::tests::payload;
    use crate::export::spool::store::Store;
    use crate::export::{Format, SpoolLimits};
    use crate::record::BootId;

    /// A file that is removed while it is open has its room on the disk still, and a full disk stays full.
    #[test]
    fn a_file_that_was_read_to_its_end_gives_its_room_back() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let files =
                fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|file| fs::read_link(file.path()).ok());
            files.filter(|file| file.starts_with(folder.path()) && file.to_string_lossy().contains(".seg")).count()
        };
        let age = Duration::from_secs(60);
        let limits = SpoolLimits { octets: 1 << 20, age, share: 50, sync: Vec::new(), drop_new: false };
        let form = Form { format: Format::Syslog, schema: 2 };
        let (mut store, _) = Store::open(folder.path(), form, BootId(1), limits, Nanos(1_000_000_000)).unwrap();
        assert!(store.append((0..20).map(payload).collect(), Nanos(1_000_000_000)).refused.is_none());
        store.close();
        let read = store.read(usize::MAX);
        assert_eq!((read.len(), open()), (20, 1));
        store.acknowledge(20);
        assert_eq!((store.segments.len(), open()), (0, 0));
    }
}
