//! Reading at places of a message.

use memchr::memmem;

use super::{Outcome, View};
use crate::program::{Anchor, Base, Position, Span, Tlv, WINDOW};

/// An octet string or number that could be read, cannot be, or is not here yet.
pub(super) enum Read<T> {
    Value(T),
    Absent,
    More,
}

/// Records that are passed in search of one.
const RECORDS: usize = 128;

/// `?` for [`Read`], in functions that return an [`Outcome`] or a [`Read`].
macro_rules! read {
    ($read:expr, $absent:expr, $more:expr) => {
        match $read {
            Read::Value(value) => value,
            Read::Absent => return $absent,
            Read::More => return $more,
        }
    };
}
pub(super) use read;

impl<'a> View<'a> {
    pub(super) fn missing<T>(&self) -> Read<T> {
        if self.complete { Read::Absent } else { Read::More }
    }

    pub(super) fn place(&self, position: Position) -> Read<usize> {
        let base = match position.base {
            Base::Start => 0,
            Base::End => match self.whole {
                // Behind the window the end is never seen; a test on it cannot hold.
                Some(whole) if whole <= WINDOW => whole,
                _ => return Read::Absent,
            },
            Base::Body => match self.body_at {
                Some(place) => place,
                None => return Read::Absent,
            },
            Base::Anchor(which) => match self.anchors.get(usize::from(which)) {
                Some(anchor) => read!(self.anchor(anchor), Read::Absent, Read::More),
                None => return Read::Absent,
            },
        };
        match base.checked_add_signed(position.offset as isize) {
            Some(place) => Read::Value(place),
            None => Read::Absent,
        }
    }

    /// The place behind what an anchor spans; of records that of the value. Bounded: anchors stand on earlier ones only, and
    /// the compiler counts.
    fn anchor(&self, anchor: &Anchor) -> Read<usize> {
        let (from, to) = read!(self.stretch(anchor), Read::Absent, Read::More);
        Read::Value(if matches!(anchor.span, Span::Tlv(_)) { from } else { to })
    }

    /// What the length of an anchor counts: its first octet, and behind its last.
    pub(super) fn stretch(&self, anchor: &Anchor) -> Read<(usize, usize)> {
        let at = read!(self.place(anchor.at), Read::Absent, Read::More);
        match self.all(&anchor.when) {
            Outcome::Yes => {}
            Outcome::No => return Read::Value((at, at)),
            Outcome::More => return Read::More,
        }
        let (length, from) = match &anchor.span {
            Span::Tlv(tlv) => return self.record(at, tlv),
            Span::Prefix { size, inclusive } => {
                let length = read!(self.number(at, *size, false), Read::Absent, Read::More);
                let own = u64::from(*size);
                if *inclusive && length < own {
                    return Read::Absent;
                }
                (if *inclusive { length - own } else { length }, at + usize::from(*size))
            }
            Span::Varint => {
                let length = read!(self.varint(at), Read::Absent, Read::More);
                (length, at + self.varint_octets(at))
            }
            Span::Find { octets, within } => {
                let limit = self.octets.len().min(at.saturating_add(usize::from(*within)));
                return match memmem::find(self.octets.get(at..limit).unwrap_or_default(), octets) {
                    Some(found) => Read::Value((at, at + found + octets.len())),
                    None if limit < self.octets.len() => Read::Absent,
                    None => self.missing(),
                };
            }
        };
        // A length beyond the window points nowhere that could be read.
        if length > WINDOW as u64 { Read::Absent } else { Read::Value((from, from + length as usize)) }
    }

    /// The value of the first record of a type.
    fn record(&self, mut at: usize, tlv: &Tlv) -> Read<(usize, usize)> {
        let outer = tlv.inside.and_then(|outer| self.anchors.get(usize::from(outer)));
        let limit = match outer.map(|outer| self.stretch(outer)) {
            None => usize::MAX,
            Some(stretch) => read!(stretch, Read::Absent, Read::More).1,
        };
        for _ in 0..RECORDS {
            if at >= limit {
                return Read::Absent;
            }
            let kind = read!(self.number(at, tlv.kind_size, false), Read::Absent, Read::More);
            let is = |other: Option<u32>| other.is_some_and(|other| u64::from(other) == kind);
            if is(tlv.stop) {
                return Read::Absent;
            }
            let length_at = at + usize::from(tlv.kind_size);
            if is(tlv.pad) {
                at = length_at;
                continue;
            }
            let length = read!(self.number(length_at, tlv.length_size, false), Read::Absent, Read::More);
            let from = length_at + usize::from(tlv.length_size);
            let own = if tlv.inclusive { (from - at) as u64 } else { 0 };
            let Some(length) = length.checked_sub(own).filter(|length| *length <= WINDOW as u64) else {
                return Read::Absent;
            };
            let to = from + length as usize;
            if to > limit {
                return Read::Absent;
            }
            if is(Some(tlv.kind)) && tlv.begins.len() <= to - from {
                let begin = read!(self.slice(from, tlv.begins.len()), Read::Absent, Read::More);
                if begin == tlv.begins {
                    return Read::Value((from, to));
                }
            }
            at = to;
        }
        Read::Absent
    }

    pub(super) fn slice(&self, start: usize, length: usize) -> Read<&'a [u8]> {
        let end = start.saturating_add(length);
        if self.whole.is_some_and(|whole| end > whole) {
            return Read::Absent;
        }
        match self.octets.get(start..end) {
            Some(slice) => Read::Value(slice),
            None => self.missing(),
        }
    }

    pub(super) fn number(&self, start: usize, size: u8, little: bool) -> Read<u64> {
        let octets = read!(self.slice(start, usize::from(size)), Read::Absent, Read::More);
        let fold = |number: u64, octet: &u8| number << 8 | u64::from(*octet);
        Read::Value(if little { octets.iter().rev().fold(0, fold) } else { octets.iter().fold(0, fold) })
    }

    /// At most ten octets, seven bits each, the least significant first.
    pub(super) fn varint(&self, start: usize) -> Read<u64> {
        let mut number = 0u64;
        for place in 0..10 {
            let octets = read!(self.slice(start + place, 1), Read::Absent, Read::More);
            number |= u64::from(octets[0] & 0x7f) << (7 * place as u32).min(63);
            if octets[0] & 0x80 == 0 {
                return Read::Value(number);
            }
        }
        Read::Absent
    }

    /// Octets of the base-128 number there.
    pub(super) fn varint_octets(&self, start: usize) -> usize {
        let octets = self.octets.get(start..).unwrap_or_default();
        octets.iter().take(9).take_while(|octet| **octet & 0x80 != 0).count() + 1
    }
}
