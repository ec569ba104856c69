//! Which flow the later fragments of a datagram belong to: only the first holds the ports.

use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

use arrayvec::ArrayVec;
use foldhash::quality::RandomState;

use super::key::Realm;
use super::table::FlowId;
use crate::endpoint::Address;
use crate::packet::Piece;
use crate::time::Nanos;
use crate::verdict::DropReason;

/// What the fragments of one datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Sender.
    pub source: Address,
    /// Receiver.
    pub destination: Address,
    /// [`Piece::identification`].
    pub identification: u64,
    /// Wire and tags.
    pub realm: Realm,
}

impl Hash for Datagram {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_be_bytes(self.source.0));
        state.write_u128(u128::from_be_bytes(self.destination.0));
        state.write_u64(self.identification);
        self.realm.hash(state);
    }
}

/// What the table says to a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It belongs to this flow.
    Flow(FlowId),
    /// Its first is not known.
    Unknown,
    /// It overlaps another, or lies beyond the last (RFC 5722; RFC 1858).
    Bad,
}

/// A stretch of a datagram that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Debug)]
struct Entry {
    datagram: Datagram,
    flow: FlowId,
    since: Nanos,
    /// Where the datagram ends; known with its last fragment.
    end: Option<u32>,
    /// What came, joined where it touches, in order.
    spans: ArrayVec<Span, SPANS>,
}

/// Stretches apart from each other that are followed; more disorder than that is refused.
const SPANS: usize = 8;
/// Entries in which a datagram may lie.
const WAYS: usize = 8;
/// How long the rest of a datagram is waited for (RFC 791, 3.2 suggests 15 s, RFC 8200, 4.5 60 s, most stacks 30 s).
const PATIENCE: Duration = Duration::from_secs(30);

/// A bounded table of the datagrams whose first fragment was let through.
#[derive(Debug)]
pub struct FragmentTable {
    hasher: RandomState,
    sets: Box<[[Option<Entry>; WAYS]]>,
    timed_out: u64,
}

impl FragmentTable {
    /// For about `slots` datagrams at a time, in sets of 8.
    pub fn new(slots: usize) -> Self {
        let sets = slots.div_ceil(WAYS).next_power_of_two();
        Self {
            hasher: RandomState::default(),
            sets: vec![[const { None }; WAYS]; sets].into_boxed_slice(),
            timed_out: 0,
        }
    }

    /// Whether the first fragment of a datagram can be taken: its like was not there.
    pub fn admits(&mut self, now: Nanos, datagram: &Datagram) -> Result<(), DropReason> {
        let set = self.set(datagram);
        if set.iter().flatten().any(|entry| entry.datagram == *datagram && entry.is_alive(now)) {
            return Err(DropReason::BadFragment);
        }
        Ok(())
    }

    /// Remembers the first fragment of a datagram of `flow`, which was admitted. Where its set is full, the datagram gives
    /// way that was begun first: the fragments of an honest one follow each other closely, so that in a flood it is whole
    /// before its turn comes.
    pub fn first(&mut self, now: Nanos, datagram: Datagram, piece: Piece, flow: FlowId) {
        let set = self.set(&datagram);
        let place = set.iter_mut().min_by_key(|place| place.as_ref().map(|entry| entry.since));
        let Some(place) = place else { return };
        let given_up = u64::from(place.is_some());
        let mut spans = ArrayVec::new();
        spans.push(Span { start: 0, end: piece.end });
        *place = Some(Entry { datagram, flow, since: now, end: None, spans });
        self.timed_out += given_up;
    }

    /// The flow of a datagram whose first fragment came.
    pub fn flow(&self, now: Nanos, datagram: &Datagram) -> Option<FlowId> {
        let at = self.hasher.hash_one(datagram) as usize & (self.sets.len() - 1);
        let mut entries = self.sets.get(at)?.iter().flatten();
        entries.find(|entry| entry.datagram == *datagram && entry.is_alive(now)).map(|entry| entry.flow)
    }

    /// Finds the flow of a later fragment. When all have come, the datagram is forgotten.
    pub fn later(&mut self, now: Nanos, datagram: Datagram, piece: Piece) -> Placed {
        let set = self.set(&datagram);
        let place = set
            .iter_mut()
            .find(|place| place.as_ref().is_some_and(|entry| entry.datagram == datagram && entry.is_alive(now)));
        let Some(place) = place else { return Placed::Unknown };
        let Some(entry) = place else { return Placed::Unknown };
        if !entry.add(piece) {
            return Placed::Bad;
        }
        let flow = entry.flow;
        if entry.is_complete() {
            *place = None;
        }
        Placed::Flow(flow)
    }

    /// Datagrams given up since the last call because their rest never came, or not soon enough in a full table.
    pub fn take_timed_out(&mut self) -> u64 {
        std::mem::take(&mut self.timed_out)
    }

    fn set(&mut self, datagram: &Datagram) -> &mut [Option<Entry>; WAYS] {
        let at = self.hasher.hash_one(datagram) as usize & (self.sets.len() - 1);
        &mut self.sets[at]
    }
}

impl Entry {
    fn is_alive(&self, now: Nanos) -> bool {
        now.since(self.since) <= PATIENCE
    }

    fn is_complete(&self) -> bool {
        matches!((self.end, self.spans.as_slice()), (Some(end), [Span { start: 0, end: have }]) if *have == end)
    }

    /// Takes a piece in; false where it does not fit to the others.
    fn add(&mut self, piece: Piece) -> bool {
        let Piece { start, end, more, .. } = piece;
        let beyond = self.end.is_some_and(|known| end > known || !more);
        let short = !more && self.spans.last().is_some_and(|last| last.end > end);
        let overlap = self.spans.iter().any(|span| start < span.end && span.start < end);
        if beyond || short || overlap {
            return false;
        }
        let at = self.spans.partition_point(|span| span.end <= start);
        let touches_before = at > 0 && self.spans[at - 1].end == start;
        let touches_after = self.spans.get(at).is_some_and(|span| span.start == end);
        match (touches_before, touches_after) {
            (true, true) => {
                self.spans[at - 1].end = self.spans[at].end;
                self.spans.remove(at);
            }
            (true, false) => self.spans[at - 1].end = end,
            (false, true) => self.spans[at].start = start,
            (false, false) => {
                if self.spans.try_insert(at, Span { start, end }).is_err() {
                    return false;
                }
            }
        }
        if !more {
            self.end = Some(end);
        }
        true
    }
}
