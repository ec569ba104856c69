//! One direction of a TCP connection, put in order as far as identification needs it.
//!
//! Octets are read where they arrive; what a message still lacks, what came too early, and what was read but not yet
//! acknowledged is kept in a window of the pool. So a segment that repeats octets can be compared with what they were: where
//! it contradicts them it is refused, for its receiver may have seen either. Then those that came first are the ones that
//! count, whatever the receiver does with an overlap.
//!
//! A hole is waited for until its receiver acknowledges it, which shows that it has what never came by here, or
//! [`PATIENCE`] segments have passed; reading then goes on where octets are again, as messages of most protocols begin there. What lies
//! farther ahead than the window is let through unseen and never read afterwards, as it could be another then.

mod window;

use sigdb::{Step, WINDOW};

pub(super) use self::window::Pool;
use self::window::{PIECES, Repetition, Window, is_after};
use super::{MESSAGES_PER_SEGMENT, Progress, last_word};

/// Segments that may arrive before a hole is given up: a window's worth of very small ones.
const PATIENCE: u8 = 250;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Sequence number of the next octet to be read. None before the first segment.
    next: Option<u32>,
    window: Window,
    /// How far the other side acknowledged.
    acknowledged: Option<u32>,
    /// Octets that passed unseen: from the first number to before the other.
    unseen: Option<(u32, u32)>,
    /// The number of its first octet, where its SYN was seen.
    start: Option<u32>,
    /// One past the last octet that came; none where none did.
    end: Option<u32>,
    /// Where the next message begins is not known but by a segment's start.
    adrift: bool,
    /// Segments since the hole opened.
    waited: u8,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The engine's last word.
    pub(super) progress: Option<Progress>,
    /// It repeats octets that are not there any more to be compared with.
    pub(super) unverified: bool,
}

/// A segment contradicts what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction;

/// Who reads messages, and how many more of this segment.
struct Reader<'r, R> {
    read: &'r mut R,
    left: usize,
}

impl Half {
    /// Takes a segment and reads all messages that are now whole. One that contradicts octets which came before is refused
    /// where that is `refused`, otherwise the first octets stand.
    pub(super) fn segment(
        &mut self,
        pool: &mut Pool,
        sequence: u32,
        syn: bool,
        payload: &[u8],
        refused: bool,
        read: &mut impl FnMut(&[u8]) -> Step,
    ) -> Result<Taken, Contradiction> {
        // The SYN takes the number before the first octet (RFC 9293, 3.4). One within a connection changes nothing, nor does
        // one with another number once the other side acknowledged the first.
        let mut sequence = sequence.wrapping_add(u32::from(syn));
        let agreed = self.start.is_some() && self.acknowledged == self.start;
        if syn && self.end.is_none() && !agreed {
            (self.next, self.start) = (Some(sequence), Some(sequence));
        }
        let mut taken = Taken { progress: None, unverified: false };
        if payload.is_empty() {
            return Ok(taken);
        }
        self.next.get_or_insert(sequence);
        taken.unverified = self.compare(pool, sequence, payload, refused)?;
        let end = sequence.wrapping_add(payload.len() as u32);
        if self.end.is_none_or(|before| is_after(end, before)) {
            self.end = Some(end);
        }
        let mut reader = Reader { read, left: MESSAGES_PER_SEGMENT };
        let mut rest = payload;
        while !rest.is_empty() {
            let (part, later) = rest.split_at(self.fitting(pool, sequence, rest.len()));
            taken.progress = self.part(pool, sequence, part, &mut reader);
            if taken.progress.is_some() {
                break;
            }
            sequence = sequence.wrapping_add(part.len() as u32);
            rest = later;
        }
        Ok(taken)
    }

    /// Compares a segment with what came before, and takes nothing of it. True where it repeats octets that are not there
    /// any more to be compared with.
    pub(super) fn compare(
        &self,
        pool: &Pool,
        sequence: u32,
        payload: &[u8],
        refused: bool,
    ) -> Result<bool, Contradiction> {
        let (Some(next), Some(end)) = (self.next, self.end) else { return Ok(false) };
        let whole = self.whole(pool, next);
        let fresh = if is_after(whole, end) { end } else { whole };
        if self.is_keepalive(sequence, payload, fresh) {
            return Ok(false);
        }
        match self.window.compare(pool, sequence, payload, self.acknowledged, fresh) {
            Repetition::Contradicts if refused => Err(Contradiction),
            repetition => Ok(repetition == Repetition::Unverified),
        }
    }

    /// Notes how far the other side acknowledges: so much it has, and no repetition changes it.
    pub(super) fn acknowledge(&mut self, pool: &mut Pool, number: u32) {
        if self.acknowledged.is_none_or(|before| is_after(number, before)) {
            self.acknowledged = Some(number);
        }
        let (Some(next), Some(end)) = (self.next, self.end) else { return };
        let waits = !self.window.from(pool, next).is_empty() || self.window.next_piece(next).is_some();
        if !waits && !is_after(end, number) {
            self.window.forget(pool);
        }
    }

    /// The number of its first octet, where its SYN was seen.
    pub(super) fn start(&self) -> Option<u32> {
        self.start
    }

    /// One past the last octet that came.
    pub(super) fn end(&self) -> Option<u32> {
        self.end
    }

    /// Whether the other side has all octets before `end`; none where it says nothing of what it has.
    pub(super) fn is_received(&self, end: u32) -> Option<bool> {
        self.acknowledged.map(|number| !is_after(end, number))
    }

    /// Gives back the buffer and all that was kept.
    pub(super) fn forget(&mut self, pool: &mut Pool) {
        self.window.forget(pool);
    }

    /// How far octets are here without a hole, from `next` on.
    fn whole(&self, pool: &Pool, next: u32) -> u32 {
        next.wrapping_add(self.window.from(pool, next).len() as u32)
    }

    /// Some stacks probe whether the other side lives by an octet before the one that is due (RFC 9293, 3.8.4), whatever its
    /// content. Where acknowledgments pass by here it is an acknowledged one.
    fn is_keepalive(&self, sequence: u32, payload: &[u8], fresh: u32) -> bool {
        self.acknowledged.is_none() && payload.len() == 1 && sequence.wrapping_add(1) == fresh
    }

    /// How many of so many octets are taken at once: a segment may be longer than the window (offload joins them), what
    /// goes behind octets that wait has to fit there, and what passed unseen is not read. At least one.
    fn fitting(&self, pool: &Pool, sequence: u32, length: usize) -> usize {
        let Some(next) = self.next else { return length };
        let to = |number: u32| Some(number.wrapping_sub(sequence) as i32).filter(|n| *n > 0).map(|n| n as usize);
        let waiting = self.window.from(pool, next).len();
        let whole = next.wrapping_add(waiting as u32);
        let mut most = length;
        if let Some((first, end)) = self.unseen {
            most = most.min(to(first).or(to(end)).unwrap_or(length));
        }
        if !is_after(sequence, whole) && (waiting > 0 || self.window.holds_any(whole, length)) {
            most = most.min(to(whole).unwrap_or(0) + WINDOW.saturating_sub(waiting).max(1));
        }
        most.max(1)
    }

    /// Takes a part of a segment.
    fn part(
        &mut self,
        pool: &mut Pool,
        sequence: u32,
        payload: &[u8],
        reader: &mut Reader<'_, impl FnMut(&[u8]) -> Step>,
    ) -> Option<Progress> {
        // Each time but the last it goes on at another piece, or behind what passed unseen.
        for _ in 0..PIECES + 2 {
            let next = self.next?;
            let whole = self.whole(pool, next);
            if let Some((first, end)) = self.unseen
                && !is_after(first, whole)
            {
                // What lies before it without its end is of no use.
                self.unseen = None;
                if is_after(end, next) {
                    self.go_on_at(end);
                    continue;
                }
            }
            let ahead = sequence.wrapping_sub(whole) as i32;
            if ahead <= 0 {
                let seen = ahead.unsigned_abs() as usize;
                let fresh = payload.get(seen..).filter(|fresh| !fresh.is_empty())?;
                return self.in_order(pool, next, whole, fresh, reader);
            }
            self.waited = self.waited.saturating_add(1);
            let is_received = self.acknowledged.is_some_and(|number| is_after(number, whole));
            let is_adrift = self.adrift && whole == next;
            if !is_adrift && !is_received && self.waited < PATIENCE {
                return self.early(pool, sequence, payload, next, reader);
            }
            // The hole is not to be filled: on to where octets are again.
            let piece = self.window.next_piece(whole).filter(|piece| is_after(sequence, *piece));
            self.go_on_at(piece.unwrap_or(sequence));
            let last = self.drain(pool, reader);
            if last.is_some() {
                return last;
            }
        }
        None
    }

    fn in_order(
        &mut self,
        pool: &mut Pool,
        next: u32,
        whole: u32,
        fresh: &[u8],
        reader: &mut Reader<'_, impl FnMut(&[u8]) -> Step>,
    ) -> Option<Progress> {
        self.waited = 0;
        if next != whole || self.window.holds_any(whole, fresh.len()) {
            // Octets that came first stand: what was kept already is not overwritten.
            if !self.window.keep(pool, whole, fresh, next) {
                self.go_on_at(whole.wrapping_add(fresh.len() as u32));
                return None;
            }
            return self.drain(pool, reader);
        }
        let last = self.messages(next, fresh, reader);
        if last.is_some() {
            return self.keep_last(pool, whole, fresh, last);
        }
        let end = whole.wrapping_add(fresh.len() as u32);
        let unread = self.next?;
        let tail = fresh.get(fresh.len().saturating_sub(WINDOW)..).unwrap_or_default();
        let tail_at = end.wrapping_sub(tail.len() as u32);
        let floor = if is_after(unread, end) { end } else { unread };
        if !self.window.keep(pool, tail_at, tail, floor) {
            if is_after(end, unread) {
                self.go_on_at(end);
            }
            return None;
        }
        // It may have closed a hole.
        if self.whole(pool, unread) != end { self.drain(pool, reader) } else { None }
    }

    /// Keeps what the last word was said of, until its receiver has it.
    fn keep_last(&mut self, pool: &mut Pool, at: u32, octets: &[u8], last: Option<Progress>) -> Option<Progress> {
        let head = octets.get(..octets.len().min(WINDOW)).unwrap_or_default();
        let end = at.wrapping_add(head.len() as u32);
        self.window.keep(pool, at, head, end);
        self.next = Some(end);
        last
    }

    /// A segment from beyond a hole.
    fn early(
        &mut self,
        pool: &mut Pool,
        sequence: u32,
        payload: &[u8],
        next: u32,
        reader: &mut Reader<'_, impl FnMut(&[u8]) -> Step>,
    ) -> Option<Progress> {
        let end = sequence.wrapping_add(payload.len() as u32);
        let is_unseen = |(first, last)| !is_after(first, sequence) && is_after(last, sequence);
        if !self.unseen.is_some_and(is_unseen) && self.window.keep(pool, sequence, payload, next) {
            return self.drain(pool, reader);
        }
        self.unseen = Some(match self.unseen {
            None => (sequence, end),
            Some((first, last)) => {
                (if is_after(first, sequence) { sequence } else { first }, if is_after(end, last) { end } else { last })
            }
        });
        None
    }

    /// Reads messages from what is kept.
    fn drain(&mut self, pool: &mut Pool, reader: &mut Reader<'_, impl FnMut(&[u8]) -> Step>) -> Option<Progress> {
        loop {
            let next = self.next?;
            let held = self.window.from(pool, next);
            if held.is_empty() || reader.left == 0 {
                return None;
            }
            let last = self.messages(next, held, reader);
            if last.is_some() {
                return last;
            }
            if self.next == Some(next) {
                return None;
            }
            self.waited = 0;
        }
    }

    /// Reads messages from `octets`, which begin at `next`, and moves that on.
    fn messages(
        &mut self,
        next: u32,
        octets: &[u8],
        reader: &mut Reader<'_, impl FnMut(&[u8]) -> Step>,
    ) -> Option<Progress> {
        let mut at = 0;
        while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty())
            && reader.left > 0
        {
            match (reader.read)(rest) {
                Step::Consumed(length) => {
                    reader.left -= 1;
                    at = at.saturating_add(length.max(1));
                    self.adrift = false;
                }
                Step::More => break,
                Step::Resync => {
                    at = octets.len();
                    self.adrift = true;
                }
                step => return last_word(step),
            }
        }
        self.next = Some(next.wrapping_add(at as u32));
        None
    }

    /// Goes on at another place, where a message may begin.
    fn go_on_at(&mut self, sequence: u32) {
        self.next = Some(sequence);
        self.adrift = true;
        self.waited = 0;
    }
}

#[cfg(test)]
mod tests;
