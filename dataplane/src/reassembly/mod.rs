//! Datagrams put together from their fragments, so that what is judged and identified is what their receiver gets.
//!
//! Fragments wait, as they came, until their datagram is whole; then it is judged as one packet, and where it is let through
//! they leave in order. Memory and time are bounded: a datagram that is not whole within [`PATIENCE`], or that was begun first
//! when room is needed, is given up. One with fragments that overlap is dropped with all that still comes of it (RFC 5722).

mod held;
mod pool;

use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

use foldhash::quality::RandomState;

use self::held::{Held, set_lengths};
use self::pool::{NONE, Pool};
use crate::endpoint::Address;
use crate::flow::Realm;
use crate::packet::{PacketInfo, Piece};
use crate::pipeline::Frame;
use crate::policy::PortId;
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
    /// Where they come in: nobody elsewhere has a say in it.
    pub port: PortId,
}

impl Hash for Datagram {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_be_bytes(self.source.0));
        state.write_u128(u128::from_be_bytes(self.destination.0));
        state.write_u64(self.identification);
        state.write_u16(self.port.0);
        self.realm.hash(state);
    }
}

/// A datagram that is whole, and waits for its judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeId(u32);

/// What became of a fragment that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It waits for the rest.
    Held,
    /// It was the last that was missing.
    Whole(WholeId),
}

/// A whole datagram as a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Octets of it at hand.
    pub at_hand: usize,
    /// Octets that the frame would have.
    pub length: u32,
    /// Its fragments.
    pub fragments: usize,
    /// Octets of the longest of them, from the IP header on.
    pub longest: u32,
}

/// A fragment of a whole datagram, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Octets of its frame at hand.
    pub at_hand: usize,
    /// Octets of its frame on the wire.
    pub length: u32,
    /// Where its share of the datagram begins in the frame.
    pub payload: u16,
    /// Octets from the IP header on.
    pub octets: u32,
    /// Whether it is the first.
    pub is_first: bool,
    chunk: u32,
}

/// Fragments of a datagram at most: the largest through an MTU of 576 has 119.
const FRAGMENTS: u16 = 128;
/// Datagrams among which one may lie.
const WAYS: usize = 8;
/// Octets of room for each datagram, on average.
const ROOM: usize = 4096;
/// Octets of room at least: for the largest datagrams, each fragment of which takes 2 KiB.
const LEAST_ROOM: usize = 1 << 20;
/// How long the rest of a datagram is waited for (RFC 791, 3.2 suggests 15 s, RFC 8200, 4.5 60 s, most stacks 30 s).
const PATIENCE: Duration = Duration::from_secs(30);
/// Datagrams given up in one turn at most.
const GIVEN_UP: usize = 16;
/// The largest datagram with its headers.
pub const LARGEST: usize = 65_535 + 64;

/// One that is being put together.
#[derive(Clone, Copy, Debug)]
struct Entry {
    datagram: Datagram,
    since: Nanos,
    /// The first of its fragments, in order; none where it is refused.
    first: u32,
    fragments: u16,
    /// Octets that came.
    octets: u32,
    /// Where it ends; known with its last fragment.
    end: Option<u32>,
    refused: bool,
    /// Those begun before and after it.
    older: u32,
    newer: u32,
}

/// Bounded room for datagrams in fragments.
#[derive(Debug)]
pub struct Reassembler {
    hasher: RandomState,
    entries: Box<[Option<Entry>]>,
    oldest: u32,
    newest: u32,
    pool: Pool,
    held: Box<[Held]>,
    timed_out: u64,
    lost: u64,
}

impl Reassembler {
    /// For about so many datagrams at a time, with [`ROOM`] octets each on average. Takes all its memory now.
    pub fn new(datagrams: usize) -> Self {
        let datagrams = datagrams.max(1).div_ceil(WAYS).next_power_of_two() * WAYS;
        let pool = Pool::new((datagrams * ROOM).max(LEAST_ROOM));
        Self {
            hasher: RandomState::default(),
            entries: vec![None; datagrams].into_boxed_slice(),
            oldest: NONE,
            newest: NONE,
            held: vec![Held::default(); pool.chunks().0].into_boxed_slice(),
            pool,
            timed_out: 0,
            lost: 0,
        }
    }

    /// Octets that it takes.
    pub fn octets_for(datagrams: usize) -> usize {
        let datagrams = datagrams.max(1).div_ceil(WAYS).next_power_of_two() * WAYS;
        let room = (datagrams * ROOM).max(LEAST_ROOM);
        datagrams * size_of::<Option<Entry>>() + room + room / 2048 * (size_of::<Held>() + size_of::<u32>())
    }

    /// Whether a fragment of this datagram came before.
    pub fn knows(&self, now: Nanos, datagram: &Datagram) -> bool {
        self.find(now, datagram).is_some()
    }

    /// Takes a copy of a fragment.
    pub fn offer(
        &mut self,
        now: Nanos,
        frame: &Frame<'_>,
        info: &PacketInfo,
        datagram: Datagram,
        piece: Piece,
    ) -> Result<Offered, DropReason> {
        let id = match self.find(now, &datagram) {
            Some(id) => id,
            None => self.begin(now, datagram),
        };
        let entry = self.entries.get(id as usize).copied().flatten().ok_or(DropReason::BadFragment)?;
        if entry.refused {
            return Err(DropReason::Teardrop);
        }
        let Some(held) = Held::of(frame, info, piece) else { return Err(DropReason::BadFragment) };
        let before = match self.place(&entry, &held, frame.bytes) {
            Ok(before) => before,
            Err(Misfit::Twice) => return Err(DropReason::BadFragment),
            Err(Misfit::Overlap) => {
                self.refuse(id);
                return Err(DropReason::Teardrop);
            }
        };
        let beyond = entry.end.is_some_and(|end| piece.end > end || !piece.more);
        let short = !piece.more && self.last_end(&entry) > piece.end;
        if beyond || short || entry.fragments >= FRAGMENTS {
            self.refuse(id);
            return Err(DropReason::Teardrop);
        }
        if !self.make_room(held.at_hand as usize, id) {
            return Err(DropReason::FragmentFlood);
        }
        let chunk = self.pool.store(frame.bytes.get(..held.at_hand as usize).unwrap_or_default());
        let following = match self.held.get_mut(before as usize) {
            Some(before) => std::mem::replace(&mut before.next, chunk),
            None => entry.first,
        };
        if let Some(place) = self.held.get_mut(chunk as usize) {
            *place = Held { next: following, ..held };
        }
        let Some(Some(entry)) = self.entries.get_mut(id as usize) else { return Err(DropReason::BadFragment) };
        if before == NONE {
            entry.first = chunk;
        }
        entry.fragments += 1;
        entry.octets += piece.end - piece.start;
        entry.end = if piece.more { entry.end } else { Some(piece.end) };
        // They do not overlap, so that the sum tells.
        Ok(if entry.end == Some(entry.octets) { Offered::Whole(WholeId(id)) } else { Offered::Held })
    }

    /// Writes a whole datagram as one frame, with the headers of its first fragment.
    ///
    /// # Errors
    /// Where there can be no such packet.
    pub fn write(&self, id: WholeId, room: &mut [u8]) -> Result<Whole, DropReason> {
        let fragments = self.fragments_of(id);
        let mut whole: Option<(Whole, Held)> = None;
        let mut is_cut = false;
        for held in fragments {
            let chunk = held.1;
            let held = held.0;
            let (network, payload) = (usize::from(held.network), usize::from(held.payload));
            let size = (held.end - held.start) as usize;
            let (sum, first) = whole.get_or_insert((
                Whole { at_hand: payload, length: u32::from(held.payload), fragments: 0, longest: 0 },
                held,
            ));
            if sum.fragments == 0 {
                let headers = room.get_mut(..payload).ok_or(DropReason::PingOfDeath)?;
                self.pool.copy(chunk, 0, headers);
            }
            let at = usize::from(first.payload) + held.start as usize;
            let here = (held.at_hand as usize).saturating_sub(payload).min(size);
            if !is_cut {
                let share = room.get_mut(at..at + here).ok_or(DropReason::PingOfDeath)?;
                self.pool.copy(chunk, payload, share);
                sum.at_hand = at + here;
            }
            is_cut |= here < size;
            sum.fragments += 1;
            sum.length += size as u32;
            sum.longest = sum.longest.max((payload + size - network) as u32);
        }
        let (whole, first) = whole.ok_or(DropReason::BadFragment)?;
        let length = whole.length - u32::from(first.network);
        set_lengths(room, &first, length).ok_or(DropReason::PingOfDeath)?;
        Ok(whole)
    }

    /// The fragment that comes after another of a whole datagram, or its first.
    pub fn next(&self, id: WholeId, after: Option<Fragment>) -> Option<Fragment> {
        let chunk = match after {
            Some(fragment) => self.held.get(fragment.chunk as usize)?.next,
            None => self.entries.get(id.0 as usize)?.as_ref()?.first,
        };
        let held = self.held.get(chunk as usize)?;
        Some(Fragment {
            at_hand: held.at_hand as usize,
            length: held.length,
            payload: held.payload,
            octets: u32::from(held.payload - held.network) + held.end - held.start,
            is_first: held.start == 0,
            chunk,
        })
    }

    /// Copies a fragment's frame.
    pub fn copy(&self, fragment: Fragment, into: &mut [u8]) {
        self.pool.copy(fragment.chunk, 0, into);
    }

    /// How many fragments a datagram has.
    pub fn count(&self, id: WholeId) -> usize {
        self.entries.get(id.0 as usize).and_then(Option::as_ref).map_or(0, |entry| usize::from(entry.fragments))
    }

    /// Forgets a whole datagram.
    pub fn release(&mut self, id: WholeId) {
        self.remove(id.0);
    }

    /// Housekeeping: gives up what waited too long, a bounded number.
    pub fn turn(&mut self, now: Nanos) {
        for _ in 0..GIVEN_UP {
            let Some(Some(entry)) = self.entries.get(self.oldest as usize) else { return };
            if now.since(entry.since) <= PATIENCE {
                return;
            }
            self.give_up(self.oldest);
        }
    }

    /// Datagrams given up since the last call, and fragments lost with them or with those that were refused.
    pub fn take_lost(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.timed_out), std::mem::take(&mut self.lost))
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        let (all, free) = self.pool.chunks();
        all == free && self.oldest == NONE
    }

    fn set(&self, datagram: &Datagram) -> usize {
        self.hasher.hash_one(datagram) as usize & (self.entries.len() - 1) & !(WAYS - 1)
    }

    fn find(&self, now: Nanos, datagram: &Datagram) -> Option<u32> {
        let set = self.set(datagram);
        let ways = self.entries.get(set..set + WAYS)?.iter();
        let is_it = |entry: &Entry| entry.datagram == *datagram && now.since(entry.since) <= PATIENCE;
        ways.into_iter().position(|entry| entry.as_ref().is_some_and(is_it)).map(|way| (set + way) as u32)
    }

    /// Makes an entry. Where its set is full, the datagram gives way that was begun first: the fragments of an honest one
    /// follow each other closely, so that in a flood it is whole before its turn comes.
    fn begin(&mut self, now: Nanos, datagram: Datagram) -> u32 {
        let set = self.set(&datagram);
        let ways = self.entries.get(set..set + WAYS).unwrap_or_default().iter().enumerate();
        let way = ways.min_by_key(|(_, entry)| entry.as_ref().map(|entry| entry.since)).map_or(0, |(way, _)| way);
        let id = (set + way) as u32;
        if self.entries.get(id as usize).is_some_and(Option::is_some) {
            self.give_up(id);
        }
        let entry = Entry {
            datagram,
            since: now,
            first: NONE,
            fragments: 0,
            octets: 0,
            end: None,
            refused: false,
            older: self.newest,
            newer: NONE,
        };
        match self.entries.get_mut(self.newest as usize) {
            Some(Some(newest)) => newest.newer = id,
            _ => self.oldest = id,
        }
        self.newest = id;
        if let Some(place) = self.entries.get_mut(id as usize) {
            *place = Some(entry);
        }
        id
    }

    /// After which of a datagram's fragments another belongs; none where it is the first so far.
    fn place(&self, entry: &Entry, new: &Held, frame: &[u8]) -> Result<u32, Misfit> {
        let (mut before, mut at) = (NONE, entry.first);
        while let Some(held) = self.held.get(at as usize) {
            if held.start >= new.end {
                break;
            }
            if new.start < held.end {
                let is_same = (held.start, held.end, held.more) == (new.start, new.end, new.more);
                let is_same = is_same && self.is_alike(at, held, new, frame);
                return Err(if is_same { Misfit::Twice } else { Misfit::Overlap });
            }
            (before, at) = (at, held.next);
        }
        Ok(before)
    }

    /// Whether two fragments of the same place have the same octets.
    fn is_alike(&self, chunk: u32, held: &Held, new: &Held, frame: &[u8]) -> bool {
        let (Some(theirs), true) = (
            frame.get(usize::from(new.payload)..new.at_hand as usize),
            held.at_hand - u32::from(held.payload) == new.at_hand - u32::from(new.payload),
        ) else {
            return false;
        };
        let mut at = usize::from(held.payload);
        theirs.chunks(256).all(|theirs| {
            let mut room = [0; 256];
            let ours = &mut room[..theirs.len()];
            self.pool.copy(chunk, at, ours);
            at += theirs.len();
            ours == theirs
        })
    }

    fn last_end(&self, entry: &Entry) -> u32 {
        let (mut end, mut at) = (0, entry.first);
        while let Some(held) = self.held.get(at as usize) {
            (end, at) = (held.end, held.next);
        }
        end
    }

    /// Has the datagrams that were begun first give way until a frame fits in; false where there is none but its own.
    fn make_room(&mut self, length: usize, own: u32) -> bool {
        while !self.pool.has_room(length) {
            let mut victim = self.oldest;
            if victim == own {
                let Some(Some(entry)) = self.entries.get(own as usize) else { return false };
                victim = entry.newer;
            }
            if !self.entries.get(victim as usize).is_some_and(Option::is_some) {
                return false;
            }
            self.give_up(victim);
        }
        true
    }

    fn fragments_of(&self, id: WholeId) -> impl Iterator<Item = (Held, u32)> + '_ {
        let mut at = self.entries.get(id.0 as usize).and_then(Option::as_ref).map_or(NONE, |entry| entry.first);
        std::iter::from_fn(move || {
            let held = *self.held.get(at as usize)?;
            let chunk = std::mem::replace(&mut at, held.next);
            Some((held, chunk))
        })
    }

    /// Drops what came of a datagram, and what still comes.
    fn refuse(&mut self, id: u32) {
        let Some(Some(entry)) = self.entries.get_mut(id as usize) else { return };
        entry.refused = true;
        self.lost += u64::from(entry.fragments);
        entry.fragments = 0;
        let first = std::mem::replace(&mut entry.first, NONE);
        self.free(first);
    }

    fn give_up(&mut self, id: u32) {
        let Some(Some(entry)) = self.entries.get(id as usize) else { return };
        self.timed_out += u64::from(!entry.refused);
        self.lost += u64::from(entry.fragments);
        self.remove(id);
    }

    fn remove(&mut self, id: u32) {
        let Some(entry) = self.entries.get_mut(id as usize).and_then(Option::take) else { return };
        match self.entries.get_mut(entry.older as usize) {
            Some(Some(older)) => older.newer = entry.newer,
            _ => self.oldest = entry.newer,
        }
        match self.entries.get_mut(entry.newer as usize) {
            Some(Some(newer)) => newer.older = entry.older,
            _ => self.newest = entry.older,
        }
        self.free(entry.first);
    }

    fn free(&mut self, first: u32) {
        let mut at = first;
        while let Some(held) = self.held.get(at as usize).copied() {
            self.pool.release(at);
            at = held.next;
        }
    }
}

/// Why a fragment does not fit to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Misfit {
    /// It came before, just so.
    Twice,
    /// Parts of it came before.
    Overlap,
}

#[cfg(test)]
mod tests;
