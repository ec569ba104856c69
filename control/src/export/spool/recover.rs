//! What an earlier run left of a spool: every file is read once, at start.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use dataplane::time::Nanos;

use super::Form;
use super::mark::Mark;
use super::record::HEAD;
use super::replay::Replay;
use super::segment::{self, Header, Segment};
use super::store::Store;
use super::tally::Tallies;
use super::walk::{Expected, Survey, survey};
use crate::export::{Cause, SpoolLimits};
use crate::record::{BootId, Class};

/// Makes the folder of a spool, and makes sure that this program reads what is in it.
///
/// # Errors
/// Where it cannot be made or read, or a later version of this program wrote in it.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let Some(last) = segment::ordinals(folder)?.pop() else { return Ok(()) };
    let path = folder.join(segment::name(last));
    if Header::of(&path)?.is_some_and(|header| !header.is_known()) {
        let what = format!("{}: is of a later version of this program; move the folder away", path.display());
        return Err(io::Error::new(ErrorKind::Unsupported, what));
    }
    Ok(())
}

impl Store {
    /// Of a folder that was prepared; and how many records were found in it that are owed, by class. What of them is
    /// missing is among those and among the losses.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub(super) fn open(
        folder: &Path,
        form: Form,
        boot: BootId,
        limits: SpoolLimits,
        now: Nanos,
    ) -> io::Result<(Self, Vec<(Class, u64)>)> {
        let ordinals = segment::ordinals(folder)?;
        // On a disk that is full and cannot be written to, what is there can still be sent.
        let (mark, marked) = match Mark::open(folder) {
            Ok((mark, marked)) => (Some(mark), marked),
            Err(_) => (None, Mark::look(folder)),
        };
        let from = marked.or(ordinals.first().copied()).unwrap_or(0);
        let mut store = Self::new(folder.to_owned(), form, boot, limits, Replay::new(from));
        store.mark = mark;
        let (mut owed, mut lost) = (Tallies::default(), Tallies::default());
        if let Some(first) = ordinals.first().filter(|first| **first > from) {
            // Files that someone took away; nobody can tell what was in them.
            lost.add_unknown(first - from);
            store.replay.pass(*first);
        }
        let mut before = None;
        for (at, &first) in ordinals.iter().enumerate() {
            let end = ordinals.get(at + 1).copied();
            let mut found = Segment::new(first, now);
            if let Some(end) = end.filter(|end| *end <= from) {
                found.end = end;
            } else {
                let survey = store.survey(&mut found, Expected { first, end, from, before });
                owed.merge(&survey.owed);
                lost.merge(&survey.lost);
                before = survey.last;
            }
            store.next = store.next.max(found.end);
            store.segments.push_back(found);
        }
        owed.merge(&lost);
        store.losses.extend(lost.losses(Cause::SpoolCorrupt));
        store.unlink_done();
        while store.octets() > store.limits.octets && !store.segments.is_empty() {
            store.drop_oldest(Cause::SpoolFull);
        }
        store.keep_house(now);
        Ok((store, owed.by_class()))
    }

    fn survey(&mut self, found: &mut Segment, expected: Expected) -> Survey {
        let path = found.path(&self.folder);
        if let Ok(header) = Header::of(&path) {
            match header {
                Some(header) => found.made = header.made,
                None => self.faults.push(format!("{}: the header is damaged; its records are read", path.display())),
            }
        }
        let read = File::open(&path).and_then(|file| survey(file, expected, |_| {}));
        let mut survey = read.unwrap_or_else(|error| {
            self.faults.push(format!("a file of its spool cannot be read: {error}"));
            unread(expected, fs::metadata(&path).map_or(0, |metadata| metadata.len()))
        });
        (found.end, found.size) = (survey.end, survey.size);
        (found.kept, found.holes) = (std::mem::take(&mut survey.kept), std::mem::take(&mut survey.holes));
        survey
    }
}

/// Of a file that cannot be read: everything that must have been in it is lost; of the last one that is nothing one could
/// tell, but its ordinals are not used again.
fn unread(expected: Expected, octets: u64) -> Survey {
    let mut lost = Tallies::default();
    let end = expected.end.unwrap_or(expected.first + octets / HEAD as u64);
    if expected.end.is_some() {
        let count = end - expected.from.clamp(expected.first, end);
        match expected.before {
            Some(before) => {
                let last = before.sequence;
                lost.add_unread(&before, count, (last.saturating_add(1), last.saturating_add(count)));
            }
            None => lost.add_unknown(count),
        }
    }
    let holes = std::iter::once(expected.first..end).collect();
    Survey { end, size: octets, lost, holes, last: expected.before, ..Survey::default() }
}
