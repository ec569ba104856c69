//! Through the records of one file, past what rotted.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use super::record::{self, HEAD, Head, Step};
use super::segment::HEADER;
use super::tally::Tallies;

/// Read at a time.
const CHUNK: usize = 256 * 1024;

/// A file, or whatever has its octets. At the end it can be asked again: the file may have grown.
#[derive(Debug)]
pub(super) struct Walk<R> {
    source: R,
    /// Read, and not passed over from `at` on.
    buffer: Vec<u8>,
    at: usize,
    /// Place in the file of what `buffer[at]` is.
    place: u64,
    /// Octets of the header that are still to be passed over.
    header: usize,
    garbage: Garbage,
}

/// What was passed over since the last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Garbage {
    /// So many octets.
    octets: u64,
    /// So many beginnings of a record.
    beginnings: u64,
    /// Something in it was not zero.
    written: bool,
}

/// A record, or what is left of one.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// Its head, which is good.
    pub(super) head: Head,
    /// None where it rotted.
    pub(super) payload: Option<&'a [u8]>,
    /// Before it.
    pub(super) garbage: Garbage,
}

impl Garbage {
    /// The most records that can have been there.
    pub(super) fn at_most(self) -> u64 {
        self.octets / HEAD as u64
    }

    /// How many records were there, as far as one can tell at the end of a file: none where it ends within the first, or
    /// was never written.
    fn likely(self) -> u64 {
        if self.at_most() == 0 || !self.written { 0 } else { self.beginnings.clamp(1, self.at_most()) }
    }
}

impl<R: Read> Walk<R> {
    /// From the beginning of a file.
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), at: 0, place: 0, header: HEADER, garbage: Garbage::default() }
    }

    /// The next record; none at the end, for now.
    ///
    /// # Errors
    /// Of reading.
    pub(super) fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        loop {
            let left = &self.buffer[self.at..];
            let step = if self.header > 0 { Step::Garbage(left.len().min(self.header)) } else { record::step(left) };
            match step {
                Step::Short | Step::Garbage(0) => {
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
                Step::Garbage(count) if self.header > 0 => {
                    self.header -= count;
                    self.pass(count);
                }
                Step::Garbage(count) => {
                    let garbage = &left[..count];
                    self.garbage.octets += count as u64;
                    self.garbage.beginnings += u64::from(record::begins_as_record(garbage));
                    self.garbage.written |= garbage.iter().any(|octet| *octet != 0);
                    self.pass(count);
                }
                Step::Record(head) | Step::Spoiled(head) => {
                    let payload = self.at + HEAD..self.at + HEAD + head.length;
                    self.pass(HEAD + head.length);
                    let payload = matches!(step, Step::Record(_)).then(|| &self.buffer[payload]);
                    return Ok(Some(Found { head, payload, garbage: std::mem::take(&mut self.garbage) }));
                }
            }
        }
    }

    /// The place in the file up to which it was read: behind a record, or behind garbage.
    pub(super) fn place(&self) -> u64 {
        self.place
    }

    /// At the end: what is there behind the last record, and the head of a record whose payload is cut off.
    pub(super) fn tail(&self) -> (Garbage, Option<Head>) {
        let left = &self.buffer[self.at..];
        let mut garbage = self.garbage;
        let cut = record::cut_head(left);
        if cut.is_none() && garbage.octets > 0 {
            garbage.octets += left.len() as u64;
        }
        (garbage, cut)
    }

    fn pass(&mut self, count: usize) {
        self.at += count;
        self.place += count as u64;
    }

    /// Reads more; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let had = self.buffer.len();
        self.buffer.resize(had + CHUNK, 0);
        let read = loop {
            match self.source.read(&mut self.buffer[had..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(had + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }
}

/// What a file holds, found by reading all of it.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The ordinal behind the last record, good or not.
    pub(super) end: u64,
    /// Octets up to the end of the last record.
    pub(super) size: u64,
    /// Good records.
    pub(super) kept: Tallies,
    /// Of them, those from the asked ordinal on.
    pub(super) owed: Tallies,
    /// Records from the asked ordinal on that are missing.
    pub(super) lost: Tallies,
    /// The ordinals of all that are missing.
    pub(super) holes: Vec<Range<u64>>,
    /// The last head that could be read.
    pub(super) last: Option<Head>,
}

/// What is expected of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The ordinal of its first record.
    pub(super) first: u64,
    /// The ordinal behind its last, where a file follows or the memory knows.
    pub(super) end: Option<u64>,
    /// Below it all was acknowledged or given up.
    pub(super) from: u64,
    /// What stands before it, in another file.
    pub(super) before: Option<Head>,
}

/// Reads a whole file. `seen` gets the good records from the asked ordinal on.
///
/// # Errors
/// Of reading.
pub(super) fn survey(source: impl Read, expected: Expected, mut seen: impl FnMut(&Head)) -> io::Result<Survey> {
    let mut walk = Walk::new(source);
    let mut survey = Survey { end: expected.first, size: HEADER as u64, last: expected.before, ..Survey::default() };
    while let Some(Found { head, payload, garbage }) = walk.next()? {
        let (good, missing) = (payload.is_some(), head.ordinal.wrapping_sub(survey.end));
        // What is behind the end was refused when it was written; what is not explained by garbage was never in its place.
        if head.ordinal < survey.end
            || expected.end.is_some_and(|end| head.ordinal >= end)
            || missing > garbage.at_most()
        {
            continue;
        }
        survey.miss(head.ordinal, expected.from, Some(&head));
        if good {
            survey.kept.add(&head);
            if head.ordinal >= expected.from {
                survey.owed.add(&head);
                seen(&head);
            }
        } else {
            survey.spoil(&head, expected.from);
        }
        (survey.end, survey.size, survey.last) = (head.ordinal + 1, walk.place(), Some(head));
    }
    let (garbage, cut) = walk.tail();
    match expected.end {
        Some(end) => {
            if let Some(head) = cut.filter(|head| head.ordinal >= survey.end && head.ordinal < end) {
                survey.miss(head.ordinal, expected.from, Some(&head));
                survey.spoil(&head, expected.from);
                (survey.end, survey.last) = (head.ordinal + 1, Some(head));
            }
            survey.miss(end, expected.from, None);
        }
        // The last file: what was not wholly written was never called kept.
        None => survey.miss(survey.end.saturating_add(garbage.likely()), expected.from, None),
    }
    Ok(survey)
}

impl Survey {
    /// The records up to `end` are not there. They are taken to be like the record before them, or the one behind.
    fn miss(&mut self, end: u64, from: u64, behind: Option<&Head>) {
        let missing = self.end.max(from)..end;
        if self.end < end {
            self.hole(self.end..end);
        }
        self.end = self.end.max(end);
        let count = missing.end.saturating_sub(missing.start);
        if count == 0 {
            return;
        }
        let before = self.last;
        let sequences = match (&before, behind) {
            (Some(before), Some(behind))
                if before.boot == behind.boot && before.sequence.saturating_add(1) < behind.sequence =>
            {
                (before.sequence + 1, behind.sequence - 1)
            }
            (Some(before), _) => (before.sequence.saturating_add(1), before.sequence.saturating_add(count)),
            (None, Some(behind)) => (behind.sequence.saturating_sub(count), behind.sequence.saturating_sub(1)),
            (None, None) => (0, 0),
        };
        if let Some(like) = before.as_ref().or(behind) {
            self.lost.add_unread(like, count, sequences);
        } else {
            self.lost.add_unknown(count);
        }
    }

    /// One record is there by name only.
    fn spoil(&mut self, head: &Head, from: u64) {
        self.hole(head.ordinal..head.ordinal + 1);
        if head.ordinal >= from {
            self.lost.add(head);
        }
    }

    fn hole(&mut self, hole: Range<u64>) {
        match self.holes.last_mut() {
            Some(last) if last.end == hole.start => last.end = hole.end,
            _ => self.holes.push(hole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::payload;
    use super::*;
    use crate::record::Class;

    /// A file of records `first..end`, whose numbers are their ordinals, and where each begins.
    fn file(first: u64, end: u64) -> (Vec<u8>, Vec<usize>) {
        let mut octets = vec![0xEE; HEADER];
        let mut begins = Vec::new();
        for ordinal in first..end {
            begins.push(octets.len());
            record::write(&payload(ordinal), ordinal, &mut octets);
        }
        (octets, begins)
    }

    fn look(octets: &[u8], first: u64, end: Option<u64>, from: u64) -> Survey {
        survey(octets, Expected { first, end, from, before: None }, |_| {}).unwrap()
    }

    /// Each octet, flipped once, costs the record it is in, and that one is named; in the header it costs nothing.
    #[test]
    fn each_octet_flipped_once_costs_one_record() {
        let (good, begins) = file(100, 112);
        for end in [None, Some(112)] {
            for at in 0..good.len() {
                let mut octets = good.clone();
                octets[at] ^= 0x41;
                let survey = look(&octets, 100, end, 0);
                let hit = begins.iter().rposition(|begin| *begin <= at).map(|hit| 100 + hit as u64);
                let lost = u64::from(hit.is_some());
                assert_eq!((survey.kept.total(), survey.lost.total(), survey.end), (12 - lost, lost, 112), "{at}");
                let Some(hit) = hit else { continue };
                assert_eq!(survey.holes, vec![Range { start: hit, end: hit + 1 }], "{at}");
                let loss = survey.lost.losses(crate::export::Cause::SpoolCorrupt).next().unwrap();
                if hit > 100 || at >= begins[0] + HEAD {
                    assert_eq!((loss.count, loss.sequences), (1, (hit, hit)), "{at}");
                }
                if at >= begins[(hit - 100) as usize] + HEAD {
                    assert_eq!(loss.class, Class::ALL[hit as usize % Class::ALL.len()], "{at}");
                }
            }
        }
    }

    /// A sector of zeros or of noise anywhere: good and lost are all there were.
    #[test]
    fn a_sector_that_is_gone_costs_what_was_in_it() {
        let (good, begins) = file(0, 60);
        for sector in 0..good.len().div_ceil(512) {
            for fill in [0x00, 0xFF] {
                let mut octets = good.clone();
                let range = sector * 512..(sector * 512 + 512).min(good.len());
                octets[range.clone()].fill(fill);
                let ends = begins.iter().skip(1).copied().chain([good.len()]);
                let hit =
                    begins.iter().zip(ends).filter(|(begin, end)| **begin < range.end && *end > range.start).count();
                let survey = look(&octets, 0, Some(60), 0);
                assert_eq!((survey.kept.total(), survey.lost.total()), (60 - hit as u64, hit as u64), "{sector}");
                assert_eq!(survey.holes.iter().map(|hole| hole.end - hole.start).sum::<u64>(), hit as u64);
                // Where nobody knows how much there was: the rest as before, and at the end what can be told.
                let survey = look(&octets, 0, None, 0);
                assert_eq!(survey.kept.total(), 60 - hit as u64);
                assert_eq!(survey.end, survey.kept.total() + survey.lost.total());
            }
        }
    }

    /// The file ends anywhere: whole records are there, the torn one was never called kept.
    #[test]
    fn a_torn_tail_is_cut_off() {
        let (good, begins) = file(5, 15);
        for end in HEADER..=good.len() {
            let whole = begins.iter().skip(1).copied().chain([good.len()]).filter(|until| *until <= end).count() as u64;
            let survey = look(&good[..end], 5, None, 0);
            assert_eq!((survey.kept.total(), survey.lost.total(), survey.end), (whole, 0, 5 + whole), "{end}");
            // Where a file follows, it is known that they were there.
            let survey = look(&good[..end], 5, Some(15), 0);
            assert_eq!((survey.kept.total(), survey.lost.total(), survey.end), (whole, 10 - whole, 15), "{end}");
        }
        assert_eq!(look(&good[..10], 5, None, 0).end, 5);
        let mut zeros = good.clone();
        zeros.resize(good.len() + 5_000, 0);
        assert_eq!((look(&zeros, 5, None, 0).end, look(&zeros, 5, None, 0).lost.total()), (15, 0));
    }

    #[test]
    fn what_was_acknowledged_is_not_lost() {
        let (mut octets, begins) = file(0, 10);
        for hit in [2, 3, 7] {
            octets[begins[hit] + 5] ^= 1;
        }
        let survey = look(&octets, 0, None, 3);
        assert_eq!((survey.kept.total(), survey.owed.total(), survey.lost.total()), (7, 5, 2));
        assert_eq!(survey.holes, [2..4, 7..8]);
    }

    #[test]
    fn ordinals_that_cannot_be_are_garbage() {
        let (mut octets, _) = file(0, 3);
        record::write(&payload(9), u64::MAX, &mut octets);
        record::write(&payload(9), 900, &mut octets);
        record::write(&payload(9), 1, &mut octets);
        record::write(&payload(3), 3, &mut octets);
        let survey = look(&octets, 0, None, 0);
        assert_eq!((survey.end, survey.kept.total(), survey.lost.total()), (4, 4, 0));
        // Refused when it was written: the next file has these ordinals.
        let survey = look(&octets, 0, Some(2), 0);
        assert_eq!((survey.end, survey.kept.total(), survey.lost.total()), (2, 2, 0));
    }
}
