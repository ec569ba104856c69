//! Who is behind a port at which address: what ARP and neighbour discovery found out, in the states of RFC 4861, 7.3.2.
//!
//! The table is a fixed number of sets of eight. A set that is full gives up what nobody answered for before what is known
//! (RFC 6583, 4), so that a scan of a connected network costs no host its place.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use foldhash::quality::RandomState;

use super::waiting::{Held, Queue, Waiting};
use crate::endpoint::Address;
use crate::endpoint::Mac;
use crate::policy::PortId;
use crate::time::Nanos;

/// Entries of a set.
const WAYS: usize = 8;
/// Packets that wait at most, for all neighbours together.
const WAITING: u16 = 512;
/// How long an answer is believed without asking again (RFC 4861, 10: REACHABLE_TIME).
const REACHABLE: Duration = Duration::from_secs(30);
/// How long a neighbour is remembered that nothing is sent to.
const STALE: Duration = Duration::from_secs(600);
/// Between two questions (RFC 4861, 10: RETRANS_TIMER).
const AGAIN: Duration = Duration::from_secs(1);
/// Questions at most (RFC 4861, 10: MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT).
const QUESTIONS: u8 = 3;
/// How long nobody is asked again who did not answer.
const FAILED: Duration = Duration::from_secs(3);
/// How long what was just confirmed stands against another's claim.
const SETTLED: Duration = Duration::from_secs(1);

/// What is known of a neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The place is free.
    #[default]
    Free,
    /// Asked for, not known yet.
    Incomplete,
    /// Confirmed of late.
    Reachable,
    /// Known, and to be confirmed when it is used.
    Stale,
    /// In use, and being confirmed.
    Probing,
    /// It did not answer.
    Failed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    address: Address,
    port: PortId,
    mac: Mac,
    state: State,
    /// Questions asked in this state.
    tries: u8,
    /// Another claims the address: the question goes to all.
    contested: bool,
    queue: Queue,
    /// When the state has to be looked at.
    due: Nanos,
    /// When it was last confirmed.
    confirmed: Nanos,
}

/// A place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(usize);

/// Whether a packet can be sent to a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// To this MAC address.
    Ready(Mac),
    /// When it answers.
    Wait {
        /// Where a packet waits for that.
        id: Id,
        /// The caller is to ask now.
        ask: bool,
    },
    /// It did not answer a moment ago.
    Unreachable,
    /// There is no room to ask for one more.
    Full,
}

/// What a neighbour says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Where it was heard.
    pub port: PortId,
    /// Its address, which may be a neighbour's at that port.
    pub address: Address,
    /// Its MAC address; a confirmation may leave it out.
    pub mac: Option<Mac>,
    /// It asks for us, so that an answer to it will be due: it is remembered though nobody asked for it.
    pub asks_us: bool,
    /// It answers a question.
    pub answers: bool,
    /// It replaces what was known.
    pub overrides: bool,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// What waits here can go.
    Resolved(Id),
    /// It contradicts what is known: the caller asks all, and who answers is believed.
    Contested,
    /// Nothing is to be done.
    Quiet,
}

/// What time brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A neighbour has to be asked for.
    Ask {
        /// Where.
        port: PortId,
        /// Whom.
        address: Address,
        /// By its MAC address; none: everybody is asked.
        to: Option<Mac>,
    },
    /// A neighbour does not answer: what waits here is lost.
    Lost(Id),
}

/// A neighbour as `show neighbours` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourView {
    /// The port that it is behind.
    pub port: PortId,
    /// Its address.
    pub address: Address,
    /// Its MAC address, where known.
    pub mac: Option<Mac>,
    /// `incomplete`, `reachable`, `stale`, `probing`, `failed`.
    pub state: &'static str,
    /// Packets that wait for it.
    pub waiting: u8,
}

/// All neighbours.
#[derive(Debug)]
pub struct Neighbours {
    entries: Box<[Entry]>,
    hasher: RandomState,
    waiting: Waiting,
    /// Where a packet is put that waits no more.
    departing: Box<[u8]>,
    swept: usize,
    known: usize,
    /// Packets that waited here for one that gave way, since they were last asked for.
    forsaken: u64,
}

impl Neighbours {
    /// Takes memory for `capacity` neighbours, rounded up, and for packets of up to `longest` octets that wait for them.
    pub fn new(capacity: usize, longest: usize) -> Self {
        let sets = capacity.div_ceil(WAYS).next_power_of_two();
        let (entries, waiting) = if capacity == 0 { (0, 0) } else { (sets * WAYS, WAITING) };
        Self {
            entries: vec![Entry::default(); entries].into_boxed_slice(),
            hasher: RandomState::default(),
            waiting: Waiting::new(waiting, longest),
            departing: vec![0; longest].into_boxed_slice(),
            swept: 0,
            known: 0,
            forsaken: 0,
        }
    }

    /// How many there are, those included that are asked for.
    pub const fn len(&self) -> usize {
        self.known
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.known == 0
    }

    /// Places, all of them.
    pub const fn capacity(&self) -> usize {
        self.entries.len()
    }

    /// Octets that the table takes, with what waits in it.
    pub fn octets(&self) -> usize {
        size_of_val(&*self.entries) + self.waiting.octets() + self.departing.len()
    }

    /// How to send a packet to a neighbour.
    pub fn resolve(&mut self, now: Nanos, port: PortId, address: Address) -> Resolution {
        let Some(id) = self.find(port, address) else {
            let Some(id) = self.make(port, address) else { return Resolution::Full };
            return self.begin(now, id);
        };
        let entry = &mut self.entries[id.0];
        match entry.state {
            State::Reachable if now < entry.due => Resolution::Ready(entry.mac),
            State::Probing => Resolution::Ready(entry.mac),
            State::Reachable | State::Stale => {
                // The sweep asks.
                (entry.state, entry.tries, entry.contested, entry.due) = (State::Probing, 0, false, now);
                Resolution::Ready(entry.mac)
            }
            State::Incomplete => Resolution::Wait { id, ask: false },
            State::Failed if now < entry.due => Resolution::Unreachable,
            State::Failed | State::Free => self.begin(now, id),
        }
    }

    /// Has a packet wait for its neighbour; false where too many do.
    pub fn hold(&mut self, id: Id, held: Held, frame: &[u8]) -> bool {
        let Some(entry) = self.entries.get_mut(id.0) else { return false };
        entry.state == State::Incomplete && self.waiting.push(&mut entry.queue, held, frame)
    }

    /// The next packet that waited here; none where there are no more.
    pub fn release(&mut self, id: Id) -> Option<(Held, &mut [u8])> {
        let entry = self.entries.get_mut(id.0)?;
        self.waiting.pop(&mut entry.queue, &mut self.departing)
    }

    /// Packets lost since the last call because their neighbour's place went to another.
    pub const fn take_forsaken(&mut self) -> u64 {
        std::mem::replace(&mut self.forsaken, 0)
    }

    /// The port and the MAC address of a place's neighbour.
    pub fn of(&self, id: Id) -> Option<(PortId, Mac)> {
        self.entries.get(id.0).map(|entry| (entry.port, entry.mac))
    }

    /// Heeds what a neighbour says.
    pub fn learn(&mut self, now: Nanos, claim: &Claim) -> Learned {
        let id = match (self.find(claim.port, claim.address), claim.mac) {
            (Some(id), _) => id,
            (None, Some(mac)) if claim.asks_us => {
                let Some(id) = self.make(claim.port, claim.address) else { return Learned::Quiet };
                let entry = &mut self.entries[id.0];
                (entry.mac, entry.state, entry.due) = (mac, State::Stale, now + STALE);
                return Learned::Quiet;
            }
            _ => return Learned::Quiet,
        };
        let entry = &mut self.entries[id.0];
        let mac = claim.mac.unwrap_or(entry.mac);
        match entry.state {
            State::Incomplete if claim.mac.is_some() => {
                entry.mac = mac;
                entry.settle(now, claim.answers);
                Learned::Resolved(id)
            }
            State::Failed if claim.mac.is_some() => {
                entry.mac = mac;
                entry.settle(now, false);
                Learned::Quiet
            }
            State::Reachable | State::Stale | State::Probing if mac == entry.mac => {
                if claim.answers {
                    entry.settle(now, true);
                }
                Learned::Quiet
            }
            State::Probing if entry.contested && claim.answers => {
                entry.mac = mac;
                entry.settle(now, true);
                Learned::Quiet
            }
            State::Probing if entry.contested => Learned::Quiet,
            State::Reachable | State::Probing => {
                if now.since(entry.confirmed) < SETTLED {
                    return Learned::Quiet;
                }
                (entry.state, entry.tries, entry.contested, entry.due) = (State::Probing, 1, true, now + AGAIN);
                Learned::Contested
            }
            State::Stale if claim.overrides => {
                entry.mac = mac;
                entry.settle(now, claim.answers);
                Learned::Quiet
            }
            State::Stale | State::Incomplete | State::Failed | State::Free => Learned::Quiet,
        }
    }

    /// Looks at places whose time may have come, up to `budget`, and tells the first that something is to be done about. Call
    /// it until it tells nothing.
    pub fn sweep(&mut self, now: Nanos, budget: &mut usize) -> Option<Due> {
        while *budget > 0 && !self.entries.is_empty() {
            *budget -= 1;
            let at = self.swept;
            self.swept = (at + 1) % self.entries.len();
            if let Some(due) = self.age(now, at) {
                return Some(due);
            }
        }
        None
    }

    /// What is known of an address.
    pub fn of_address(&self, port: PortId, address: Address) -> Option<NeighbourView> {
        self.find(port, address).and_then(|id| self.view(id.0))
    }

    /// What is at a place.
    pub fn view(&self, place: usize) -> Option<NeighbourView> {
        let entry = self.entries.get(place).filter(|entry| entry.state != State::Free)?;
        let state = match entry.state {
            State::Free | State::Incomplete => "incomplete",
            State::Reachable => "reachable",
            State::Stale => "stale",
            State::Probing => "probing",
            State::Failed => "failed",
        };
        let mac = (!matches!(entry.state, State::Incomplete | State::Failed)).then_some(entry.mac);
        Some(NeighbourView { port: entry.port, address: entry.address, mac, state, waiting: entry.queue.len() })
    }

    fn age(&mut self, now: Nanos, at: usize) -> Option<Due> {
        let entry = self.entries.get_mut(at)?;
        if entry.state == State::Free || now < entry.due {
            return None;
        }
        let ask = |entry: &Entry, to| Some(Due::Ask { port: entry.port, address: entry.address, to });
        match entry.state {
            State::Incomplete if entry.tries < QUESTIONS => {
                entry.tries += 1;
                entry.due = now + AGAIN;
                ask(entry, None)
            }
            State::Probing if entry.tries < QUESTIONS => {
                entry.tries += 1;
                entry.due = now + AGAIN;
                ask(entry, (!entry.contested).then_some(entry.mac))
            }
            // It may have another MAC address now: what comes next asks everybody.
            State::Probing | State::Stale | State::Failed => {
                entry.state = State::Free;
                self.known -= 1;
                None
            }
            State::Incomplete => {
                (entry.state, entry.due) = (State::Failed, now + FAILED);
                Some(Due::Lost(Id(at)))
            }
            State::Reachable => {
                (entry.state, entry.due) = (State::Stale, now + STALE);
                None
            }
            State::Free => None,
        }
    }

    /// Asks for the first time.
    fn begin(&mut self, now: Nanos, id: Id) -> Resolution {
        let entry = &mut self.entries[id.0];
        (entry.state, entry.tries, entry.contested, entry.due) = (State::Incomplete, 1, false, now + AGAIN);
        Resolution::Wait { id, ask: true }
    }

    fn find(&self, port: PortId, address: Address) -> Option<Id> {
        let start = self.set(port, address);
        let is_it = |entry: &Entry| entry.state != State::Free && entry.address == address && entry.port == port;
        let set = self.entries.get(start..start + WAYS)?;
        set.iter().position(is_it).map(|way| Id(start + way))
    }

    /// A place for one more, another giving way where the set is full; none where all in it are in use.
    fn make(&mut self, port: PortId, address: Address) -> Option<Id> {
        let start = self.set(port, address);
        let worth = |entry: &Entry| match entry.state {
            State::Free => 0,
            State::Failed => 1,
            State::Incomplete => 2,
            State::Stale => 3,
            State::Reachable | State::Probing => 4,
        };
        let set = self.entries.get(start..start + WAYS)?;
        // Of equals the one that has been so for longest: its time comes first.
        let (way, entry) = set.iter().enumerate().min_by_key(|(_, entry)| (worth(entry), entry.due))?;
        match entry.state {
            State::Reachable | State::Probing => return None,
            State::Free => self.known += 1,
            State::Failed | State::Incomplete | State::Stale => {}
        }
        let id = Id(start + way);
        while self.release(id).is_some() {
            self.forsaken += 1;
        }
        self.entries[id.0] = Entry { address, port, ..Entry::default() };
        Some(id)
    }

    fn set(&self, port: PortId, address: Address) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u128(u128::from_be_bytes(address.0));
        hasher.write_u16(port.0);
        let sets = (self.entries.len() / WAYS).max(1);
        (hasher.finish() as usize & (sets - 1)) * WAYS
    }
}

impl Entry {
    fn settle(&mut self, now: Nanos, confirmed: bool) {
        self.contested = false;
        if confirmed {
            (self.state, self.due, self.confirmed) = (State::Reachable, now + REACHABLE, now);
        } else {
            (self.state, self.due) = (State::Stale, now + STALE);
        }
    }
}

#[cfg(test)]
mod tests;
