//! The octets of one direction that are kept: those that wait for the rest of their message, those that came too early, and
//! those that were read but may still come again with other content.

use arrayvec::ArrayVec;
use sigdb::WINDOW;

/// Separate pieces that one window can hold.
pub(super) const PIECES: usize = 16;

/// Buffers of one window each.
#[derive(Debug)]
pub(in crate::appid) struct Pool {
    octets: Vec<[u8; WINDOW]>,
    free: Vec<u32>,
}

impl Pool {
    pub(in crate::appid) fn new(buffers: usize) -> Self {
        Self { octets: vec![[0; WINDOW]; buffers], free: (0..buffers as u32).rev().collect() }
    }

    pub(in crate::appid) fn in_use(&self) -> usize {
        self.octets.len() - self.free.len()
    }
}

/// What a segment is, compared with the octets that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repetition {
    /// Nothing in it came before with other content.
    Alike,
    /// Some of it was there before and is not kept, so that nobody can tell.
    Unverified,
    /// It contradicts what came before.
    Contradicts,
}

/// A stretch of sequence numbers of which some octets are kept; without a buffer none.
#[derive(Debug, Default)]
pub(super) struct Window {
    buffer: Option<u32>,
    /// Sequence number of the buffer's first octet.
    origin: u32,
    /// Parts of the buffer that hold octets: apart from each other, in order.
    pieces: ArrayVec<(u16, u16), PIECES>,
}

impl Window {
    /// Gives back the buffer and all that was kept.
    pub(super) fn forget(&mut self, pool: &mut Pool) {
        if let Some(buffer) = self.buffer.take() {
            pool.free.push(buffer);
        }
        self.pieces.clear();
    }

    /// The octets kept from `sequence` on without a hole; may be empty.
    pub(super) fn from<'p>(&self, pool: &'p Pool, sequence: u32) -> &'p [u8] {
        let Some(octets) = self.buffer.and_then(|buffer| pool.octets.get(buffer as usize)) else { return &[] };
        let place = sequence.wrapping_sub(self.origin) as usize;
        let piece = self.pieces.iter().find(|piece| (usize::from(piece.0)..usize::from(piece.1)).contains(&place));
        piece.and_then(|piece| octets.get(place..usize::from(piece.1))).unwrap_or_default()
    }

    /// Where the first piece behind `sequence` begins.
    pub(super) fn next_piece(&self, sequence: u32) -> Option<u32> {
        self.buffer?;
        let starts = self.pieces.iter().map(|piece| self.origin.wrapping_add(u32::from(piece.0)));
        starts.into_iter().find(|start| is_after(*start, sequence))
    }

    /// Whether any octet from `sequence` on, of so many, is kept.
    pub(super) fn holds_any(&self, sequence: u32, length: usize) -> bool {
        let at = i64::from(sequence.wrapping_sub(self.origin) as i32);
        let end = at + length as i64;
        self.buffer.is_some() && self.pieces.iter().any(|piece| i64::from(piece.0) < end && at < i64::from(piece.1))
    }

    /// Compares a segment with what is kept. What lies before `acknowledged` its receiver has and will not take again; what
    /// lies from `fresh` on was not there before, unless it came early and is kept.
    pub(super) fn compare(
        &self,
        pool: &Pool,
        sequence: u32,
        octets: &[u8],
        acknowledged: Option<u32>,
        fresh: u32,
    ) -> Repetition {
        let done = acknowledged.map_or(0, |number| (number.wrapping_sub(sequence) as i32).max(0) as usize);
        let old = ((fresh.wrapping_sub(sequence) as i32).max(0) as usize).min(octets.len());
        let expected = old.saturating_sub(done);
        if self.buffer.is_none() {
            return if expected == 0 { Repetition::Alike } else { Repetition::Unverified };
        }
        let Some(kept) = self.buffer.and_then(|buffer| pool.octets.get(buffer as usize)) else {
            return Repetition::Unverified;
        };
        let start = i64::from(sequence.wrapping_sub(self.origin) as i32);
        let mut verified = 0;
        for piece in &self.pieces {
            let first = (start + done as i64).max(i64::from(piece.0));
            let last = (start + octets.len() as i64).min(i64::from(piece.1));
            if first >= last {
                continue;
            }
            let ours = kept.get(first as usize..last as usize).unwrap_or_default();
            let theirs = octets.get((first - start) as usize..(last - start) as usize).unwrap_or_default();
            if ours != theirs {
                return Repetition::Contradicts;
            }
            let of_the_old = last.min(start + old as i64) - first;
            verified += of_the_old.max(0) as usize;
        }
        if verified < expected { Repetition::Unverified } else { Repetition::Alike }
    }

    /// Copies octets to their place, those already there excepted, and lets go of the oldest where there is no room. What
    /// lies from `unread` on stays. False where they do not fit, there is no buffer to be had, or too many pieces.
    pub(super) fn keep(&mut self, pool: &mut Pool, mut sequence: u32, mut octets: &[u8], unread: u32) -> bool {
        let Some(buffer) = self.take(pool, if is_after(unread, sequence) { sequence } else { unread }) else {
            return false;
        };
        let end = sequence.wrapping_add(octets.len() as u32);
        let before = (self.origin.wrapping_sub(sequence) as i32).max(0) as usize;
        octets = octets.get(before..).unwrap_or_default();
        sequence = sequence.wrapping_add(before as u32);
        let excess = (end.wrapping_sub(self.origin) as i32).max(0) as usize;
        if let Some(excess) = excess.checked_sub(WINDOW).filter(|excess| *excess > 0) {
            let origin = self.origin.wrapping_add(excess as u32);
            if is_after(origin, unread) {
                return false;
            }
            self.slide(pool, origin);
            let before = (self.origin.wrapping_sub(sequence) as i32).max(0) as usize;
            octets = octets.get(before..).unwrap_or_default();
            sequence = sequence.wrapping_add(before as u32);
        }
        if octets.is_empty() {
            return true;
        }
        let at = sequence.wrapping_sub(self.origin) as usize;
        if at + octets.len() > WINDOW {
            return false;
        }
        let Some(room) = pool.octets.get_mut(buffer as usize) else { return false };
        fill(room, &self.pieces, at, octets);
        let read = (unread.wrapping_sub(self.origin) as i32).clamp(0, WINDOW as i32) as u16;
        self.join(at as u16, (at + octets.len()) as u16, read)
    }

    /// The buffer; a new one begins at `origin`.
    fn take(&mut self, pool: &mut Pool, origin: u32) -> Option<u32> {
        if self.buffer.is_none() {
            self.buffer = Some(pool.free.pop()?);
            self.origin = origin;
            self.pieces.clear();
        }
        self.buffer
    }

    /// Lets go of what lies before `origin`.
    fn slide(&mut self, pool: &mut Pool, origin: u32) {
        let by = origin.wrapping_sub(self.origin) as usize;
        self.origin = origin;
        let held = self.pieces.last().map_or(0, |piece| usize::from(piece.1));
        if by >= held {
            self.pieces.clear();
            return;
        }
        if let Some(octets) = self.buffer.and_then(|buffer| pool.octets.get_mut(buffer as usize)) {
            octets.copy_within(by..held, 0);
        }
        let by = by as u16;
        self.pieces.retain(|piece| piece.1 > by);
        for piece in &mut self.pieces {
            *piece = (piece.0.saturating_sub(by), piece.1 - by);
        }
    }

    /// Notes a piece, joined with those that it touches. Where there are too many, the first gives way if it lies before
    /// `read`: its octets are kept only to be compared with.
    fn join(&mut self, mut first: u16, mut last: u16, read: u16) -> bool {
        self.pieces.retain(|piece| {
            let apart = piece.1 < first || piece.0 > last;
            if !apart {
                first = first.min(piece.0);
                last = last.max(piece.1);
            }
            apart
        });
        if self.pieces.is_full() && self.pieces.first().is_some_and(|piece| piece.1 <= read) {
            self.pieces.remove(0);
        }
        let place = self.pieces.iter().position(|piece| piece.0 > last).unwrap_or(self.pieces.len());
        self.pieces.try_insert(place, (first, last)).is_ok()
    }
}

/// Copies octets to a place, but not over pieces.
fn fill(room: &mut [u8; WINDOW], pieces: &[(u16, u16)], at: usize, octets: &[u8]) {
    let end = at + octets.len();
    let mut copy = |from: usize, to: usize| {
        if let (Some(room), Some(octets)) = (room.get_mut(from..to), octets.get(from - at..to - at)) {
            room.copy_from_slice(octets);
        }
    };
    let mut place = at;
    for &(first, last) in pieces {
        let (first, last) = (usize::from(first), usize::from(last));
        if place < first && place < end {
            copy(place, first.min(end));
        }
        place = place.max(last.min(end));
    }
    if place < end {
        copy(place, end);
    }
}

/// Whether a sequence number lies after another (RFC 9293, 3.4).
pub(super) const fn is_after(number: u32, other: u32) -> bool {
    number.wrapping_sub(other) as i32 > 0
}
