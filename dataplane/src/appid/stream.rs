//! One direction of a TCP connection, put in order as far as identification needs it.
//!
//! Octets are read where they arrive; only what a message still lacks, or what came too early, is copied to a buffer of the
//! pool. Where octets differ between a segment and its retransmission, those that came first stand, as most hosts hold it.
//! A hole that does not fill within [`PATIENCE`] segments, or is wider than the window, is given up: reading goes on at the
//! start of the next segment, where messages of most protocols begin.

use arrayvec::ArrayVec;
use sigdb::{Step, WINDOW};

use super::{MESSAGES_PER_SEGMENT, Progress, last_word};

/// Segments that may arrive before a hole is given up: a window's worth of very small ones.
const PATIENCE: u8 = 250;
/// Separate pieces that one window can hold.
const PIECES: usize = 8;

/// Buffers of one window each.
#[derive(Debug)]
pub(super) struct Pool {
    octets: Vec<[u8; WINDOW]>,
    free: Vec<u32>,
}

impl Pool {
    pub(super) fn new(buffers: usize) -> Self {
        Self { octets: vec![[0; WINDOW]; buffers], free: (0..buffers as u32).rev().collect() }
    }

    pub(super) fn in_use(&self) -> usize {
        self.octets.len() - self.free.len()
    }
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Sequence number of the next octet wanted; the buffer's first octet is it. None before the first segment, and where a
    /// segment's start is to be taken for a message's.
    base: Option<u32>,
    buffer: Option<u32>,
    /// Parts of the buffer that hold octets: apart from each other, in order.
    pieces: ArrayVec<(u16, u16), PIECES>,
    /// Segments since the hole opened.
    waited: u8,
}

impl Half {
    /// Takes a segment and reads all messages that are now whole.
    pub(super) fn segment(
        &mut self,
        pool: &mut Pool,
        sequence: u32,
        syn: bool,
        payload: &[u8],
        read: &mut impl FnMut(&[u8]) -> Step,
    ) -> Option<Progress> {
        // The SYN takes the number before the first octet (RFC 9293, 3.4).
        let sequence = sequence.wrapping_add(u32::from(syn));
        if syn {
            self.forget(pool);
            self.base = Some(sequence);
        }
        let (mut sequence, mut rest) = (sequence, payload);
        while !rest.is_empty() {
            let (part, later) = rest.split_at(self.fitting(sequence, rest.len()));
            let progress = self.part(pool, sequence, part, read);
            // Without a place to go on from, the rest belongs to what was given up.
            if progress.is_some() || self.base.is_none() {
                return progress;
            }
            sequence = sequence.wrapping_add(part.len() as u32);
            rest = later;
        }
        None
    }

    /// How many of so many octets are taken at once: a segment may be longer than the window (offload joins them), and what
    /// goes behind octets that wait in the buffer has to fit there. At least one.
    fn fitting(&self, sequence: u32, length: usize) -> usize {
        let (Some(_), Some(base)) = (self.buffer, self.base) else { return length };
        let ahead = sequence.wrapping_sub(base) as i32;
        let place = ahead.unsigned_abs() as usize;
        let room = match self.pieces.first() {
            _ if ahead <= 0 => place.saturating_add(WINDOW),
            Some(&(0, end)) if usize::from(end) >= place && place < WINDOW => WINDOW - place,
            _ => length,
        };
        room.min(length)
    }

    /// Takes a part of a segment.
    fn part(
        &mut self,
        pool: &mut Pool,
        sequence: u32,
        payload: &[u8],
        read: &mut impl FnMut(&[u8]) -> Step,
    ) -> Option<Progress> {
        let base = *self.base.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(base) as i32;
        if ahead > 0 {
            return self.early(pool, ahead as usize, sequence, payload, read);
        }
        let seen = (ahead.unsigned_abs()) as usize;
        let fresh = payload.get(seen..).filter(|fresh| !fresh.is_empty())?;
        self.in_order(pool, fresh, read)
    }

    /// Gives back the buffer and all that was held.
    pub(super) fn forget(&mut self, pool: &mut Pool) {
        if let Some(buffer) = self.buffer.take() {
            pool.free.push(buffer);
        }
        self.pieces.clear();
        self.waited = 0;
    }

    fn in_order(&mut self, pool: &mut Pool, fresh: &[u8], read: &mut impl FnMut(&[u8]) -> Step) -> Option<Progress> {
        if self.buffer.is_none() {
            let (used, end) = self.messages(fresh, read);
            if end.is_some() {
                return end;
            }
            let rest = fresh.get(used..).unwrap_or_default();
            if !rest.is_empty() && self.base.is_some() {
                self.keep(pool, 0, rest);
            }
            return None;
        }
        let room = WINDOW.min(fresh.len());
        self.keep(pool, 0, &fresh[..room]);
        // Octets that came first stand: what the buffer held already was not overwritten.
        self.drain(pool, read)
    }

    /// A segment from beyond the next octet wanted.
    fn early(
        &mut self,
        pool: &mut Pool,
        ahead: usize,
        sequence: u32,
        payload: &[u8],
        read: &mut impl FnMut(&[u8]) -> Step,
    ) -> Option<Progress> {
        // Behind what is here without a hole it is not early at all: a message in pieces waits for nothing but its rest.
        let hole = !matches!(self.pieces.first(), Some(&(0, end)) if usize::from(end) >= ahead);
        self.waited = if hole { self.waited.saturating_add(1) } else { self.waited };
        if self.waited < PATIENCE && ahead + payload.len() <= WINDOW && self.keep(pool, ahead, payload) {
            // It may touch what waits at the front for more.
            return self.drain(pool, read);
        }
        self.forget(pool);
        self.base = Some(sequence);
        self.in_order(pool, payload, read)
    }

    /// Reads messages from the front of the buffer.
    fn drain(&mut self, pool: &mut Pool, read: &mut impl FnMut(&[u8]) -> Step) -> Option<Progress> {
        let buffer = self.buffer?;
        let Some(&(0, end)) = self.pieces.first() else { return None };
        if self.pieces.len() == 1 {
            self.waited = 0; // no hole is open
        }
        let held = usize::from(end);
        let whole = &pool.octets[buffer as usize];
        let (used, last) = self.messages(&whole[..held], read);
        if last.is_some() {
            return last;
        }
        if self.base.is_none() {
            // Go on at the next segment's start; pieces beyond the hole are of no use without what lies before them.
            self.forget(pool);
            return None;
        }
        if used == 0 {
            return None;
        }
        self.shift(pool, used);
        // A message that was skipped over may have closed the hole.
        if used > held && self.pieces.first().is_some_and(|piece| piece.0 == 0) {
            return self.drain(pool, read);
        }
        None
    }

    /// Reads messages from `octets`, which begin at `base`; returns how many octets are done with and moves `base` by it.
    fn messages(&mut self, octets: &[u8], read: &mut impl FnMut(&[u8]) -> Step) -> (usize, Option<Progress>) {
        let mut at = 0;
        for _ in 0..MESSAGES_PER_SEGMENT {
            if at >= octets.len() {
                break;
            }
            match read(&octets[at..]) {
                Step::Consumed(length) => at = at.saturating_add(length.max(1)),
                Step::More => break,
                Step::Resync => {
                    self.base = None;
                    return (octets.len(), None);
                }
                step => return (at, last_word(step)),
            }
        }
        self.base = self.base.map(|base| base.wrapping_add(at as u32));
        (at, None)
    }

    /// Copies octets to a place of the window, those already there excepted. False where there is no buffer to be had or too
    /// many pieces.
    fn keep(&mut self, pool: &mut Pool, at: usize, octets: &[u8]) -> bool {
        let buffer = match self.buffer {
            Some(buffer) => buffer,
            None => match pool.free.pop() {
                Some(buffer) => *self.buffer.insert(buffer),
                None => {
                    self.base = None;
                    return false;
                }
            },
        };
        let end = (at + octets.len()).min(WINDOW);
        let window = &mut pool.octets[buffer as usize];
        let mut place = at;
        for &(first, last) in &self.pieces {
            let (first, last) = (usize::from(first), usize::from(last));
            if place < first && place < end {
                let stop = first.min(end);
                window[place..stop].copy_from_slice(&octets[place - at..stop - at]);
            }
            place = place.max(last.min(end));
        }
        if place < end {
            window[place..end].copy_from_slice(&octets[place - at..end - at]);
        }
        self.join(at as u16, end as u16)
    }

    /// Notes a piece, joined with those that it touches.
    fn join(&mut self, mut first: u16, mut last: u16) -> bool {
        self.pieces.retain(|piece| {
            let apart = piece.1 < first || piece.0 > last;
            if !apart {
                first = first.min(piece.0);
                last = last.max(piece.1);
            }
            apart
        });
        let place = self.pieces.iter().position(|piece| piece.0 > last).unwrap_or(self.pieces.len());
        self.pieces.try_insert(place, (first, last)).is_ok()
    }

    /// Moves the window on.
    fn shift(&mut self, pool: &mut Pool, used: usize) {
        let used16 = used.min(WINDOW) as u16;
        if let Some(buffer) = self.buffer {
            pool.octets[buffer as usize].copy_within(usize::from(used16).., 0);
        }
        self.waited = 0;
        self.pieces.retain(|piece| piece.1 > used16);
        for piece in &mut self.pieces {
            *piece = (piece.0.saturating_sub(used16), piece.1 - used16);
        }
        if self.pieces.is_empty() {
            self.forget(pool);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Messages of one length octet and as many octets.
    fn reader(messages: &mut Vec<Vec<u8>>) -> impl FnMut(&[u8]) -> Step {
        |octets: &[u8]| {
            let length = usize::from(octets[0]) + 1;
            match octets.get(..length) {
                Some(message) => {
                    messages.push(message.to_vec());
                    Step::Consumed(length)
                }
                None => Step::More,
            }
        }
    }

    fn stream(lengths: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let messages: Vec<Vec<u8>> =
            lengths.iter().map(|&n| std::iter::once(n).chain((0..n).map(|i| i ^ n)).collect()).collect();
        (messages.concat(), messages)
    }

    proptest! {
        #[test]
        fn any_cut_and_local_disorder_reads_the_same(
            lengths in prop::collection::vec(0u8..90, 1..40),
            cuts in prop::collection::vec(1usize..70, 1..80),
            swaps in prop::collection::vec(any::<bool>(), 80),
            start in any::<u32>(),
        ) {
            let (octets, expected) = stream(&lengths);
            let mut segments = Vec::new();
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                if at >= octets.len() { break }
                let end = (at + cut).min(octets.len());
                segments.push((at, end));
                at = end;
            }
            for (place, swap) in swaps.iter().enumerate() {
                if *swap && place + 1 < segments.len() {
                    segments.swap(place, place + 1);
                }
            }
            let mut pool = Pool::new(1);
            let mut half = Half::default();
            let mut messages = Vec::new();
            {
                let mut read = reader(&mut messages);
                half.segment(&mut pool, start, true, &[], &mut read);
                for (place, &(from, to)) in segments.iter().enumerate() {
                    let sequence = start.wrapping_add(1).wrapping_add(from as u32);
                    half.segment(&mut pool, sequence, false, &octets[from..to], &mut read);
                    if place % 3 == 0 {
                        // retransmitted, with other content: what came first stands
                        half.segment(&mut pool, sequence, false, &vec![0xee; to - from], &mut read);
                    }
                }
            }
            prop_assert_eq!(messages, expected);
            prop_assert_eq!(pool.in_use(), 0);
        }
    }

    #[test]
    fn a_long_message_is_skipped_without_being_kept() {
        let mut pool = Pool::new(1);
        let mut half = Half::default();
        let mut starts = Vec::new();
        let mut read = |octets: &[u8]| {
            starts.push(octets[0]);
            Step::Consumed(10_000)
        };
        half.segment(&mut pool, 0, true, &[], &mut read);
        half.segment(&mut pool, 1, false, &[1; 1000], &mut read);
        assert_eq!(pool.in_use(), 0);
        for n in 1..10 {
            half.segment(&mut pool, 1 + n * 1000, false, &[2; 1000], &mut read);
        }
        half.segment(&mut pool, 10_001, false, &[3; 10], &mut read);
        assert_eq!(starts, [1, 3]);
    }

    #[test]
    fn a_segment_longer_than_the_window_goes_behind_what_waits() {
        let lengths: Vec<u8> = (0..60).map(|n| 200 + n % 50).collect();
        let (octets, expected) = stream(&lengths);
        for first in [1, 7, 300] {
            let mut pool = Pool::new(1);
            let mut half = Half::default();
            let mut messages = Vec::new();
            {
                let mut read = reader(&mut messages);
                half.segment(&mut pool, 0, true, &[], &mut read);
                half.segment(&mut pool, 1, false, &octets[..first], &mut read);
                half.segment(&mut pool, 1 + first as u32, false, &octets[first..], &mut read);
            }
            assert_eq!(messages, expected, "after {first} octets");
            assert_eq!(pool.in_use(), 0);
        }
    }

    #[test]
    fn a_hole_that_stays_is_given_up() {
        let mut pool = Pool::new(1);
        let mut half = Half::default();
        let mut messages = Vec::new();
        {
            let mut read = reader(&mut messages);
            half.segment(&mut pool, 0, true, &[], &mut read);
            half.segment(&mut pool, 500, false, &[1, 9], &mut read);
            assert_eq!(pool.in_use(), 1);
            for n in 0..=u32::from(PATIENCE) {
                half.segment(&mut pool, 502 + 2 * n, false, &[1, n as u8], &mut read);
            }
        }
        assert_eq!(messages, [vec![1, PATIENCE - 2], vec![1, PATIENCE - 1], vec![1, PATIENCE]]);
    }

    #[test]
    fn without_a_buffer_the_next_segment_is_a_new_start() {
        let mut pool = Pool::new(0);
        let mut half = Half::default();
        let mut messages = Vec::new();
        {
            let mut read = reader(&mut messages);
            half.segment(&mut pool, 0, true, &[], &mut read);
            half.segment(&mut pool, 1, false, &[5, 0, 0], &mut read);
            half.segment(&mut pool, 4, false, &[1, 7], &mut read);
        }
        assert_eq!(messages, [vec![1, 7]]);
    }
}
