//! Inspection: what the packet path keeps of a flow while its application is undecided or its protocol reports sign-ons.
//!
//! A bounded pool of slots, taken when a flow goes to the engine and given back as soon as there is nothing more to learn.
//! TCP is put in order in [`stream`]; what the octets mean is [`sigdb`]'s to say.

mod databases;
mod resolved;
mod stream;

use std::sync::Arc;

pub use resolved::ResolvedTable;

use sigdb::{AppId, Database, FlowState, Scratch, Sender, Start, Step, Transport};
pub use sigdb::{Finding, Findings};

use crate::endpoint::Direction;
use crate::time::Nanos;
use databases::Databases;
use stream::{Half, Pool};

pub use databases::MOST as DATABASES;

/// A slot of the inspection pool, held by a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectionId(pub u32);

/// What the engine needs to know of a flow before its first payload.
#[derive(Clone, Copy, Debug)]
pub struct FlowStart {
    /// IANA protocol number; only 6 and 17 are inspected.
    pub protocol: u8,
    /// The server's port.
    pub server_port: u16,
    /// TCP: whether its SYN was seen; false for a session picked up in its middle. UDP: always true.
    pub from_start: bool,
    /// The application for one of whose names its client was just told the server's address.
    pub resolved: Option<AppId>,
}

/// A piece of a flow's payload.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Which way it goes.
    pub direction: Direction,
    /// TCP: the sequence number of its first octet (of the SYN itself where `syn`). UDP: 0.
    pub sequence: u32,
    /// TCP SYN flag.
    pub syn: bool,
    /// TCP, with ACK: the acknowledgment number.
    pub acknowledgment: Option<u32>,
    /// The payload; may be empty.
    pub payload: &'a [u8],
}

/// What to do with the flow's further segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Show them.
    Continue,
    /// Named, and nothing more to learn.
    Finished,
    /// The budget is spent without a name.
    GaveUp,
}

/// What came of showing a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The engine's word; its last is said once.
    pub progress: Progress,
    /// The slot was released. Until then segments have to be shown even after the last word: TCP's octets that it was said
    /// of may come again with other content, until their receiver has them.
    pub released: bool,
    /// It repeats octets that are not kept any more, so that nobody can tell whether they are the same.
    pub unverified: bool,
}

/// A TCP segment repeats octets that were not yet acknowledged, with other content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction;

/// The identification engine of one worker: a bounded pool of inspection states over a shared database.
#[derive(Debug)]
pub struct Inspector {
    databases: Databases,
    slots: Vec<Option<Inspection>>,
    free: Vec<u32>,
    pool: Pool,
    scratch: Scratch,
    lost: u64,
    refuses_contradictions: bool,
}

#[derive(Debug)]
struct Inspection {
    state: FlowState,
    /// The place of the database that it began on, and ends on.
    database: u8,
    tcp: bool,
    /// The most hops that a packet of each side had left.
    hops: [u8; 2],
    halves: [Half; 2],
    settled: Option<Settled>,
}

/// The last word was said.
#[derive(Clone, Copy, Debug)]
struct Settled {
    /// Up to where the receivers have to have both directions before the slot is released.
    ends: [Option<u32>; 2],
    /// Segments since.
    waited: u8,
}

/// Of so many flows under inspection, one at a time has a message in pieces.
const SLOTS_PER_BUFFER: usize = 4;
/// A packet with fewer hops left than this, and by so many fewer than others of its side, does not get where they do.
const FEW_HOPS: u8 = 32;
const HOPS_LOST: u8 = 8;
/// Segments that are compared after the last word where no acknowledgment ever comes by here.
const FAREWELL: u8 = 16;
/// Messages of one segment that are read; a segment holds hardly more than some ten.
const MESSAGES_PER_SEGMENT: usize = 64;

impl Inspector {
    /// An engine with room for `slots` flows at once. Takes all its memory now: some 400 octets a slot, and a buffer of
    /// [`sigdb::WINDOW`] octets for every fourth.
    pub fn new(database: Arc<Database>, slots: usize) -> Self {
        let slots = slots.min(u32::MAX as usize);
        Self {
            databases: Databases::new(database),
            slots: std::iter::repeat_with(|| None).take(slots).collect(),
            free: (0..slots as u32).rev().collect(),
            pool: Pool::new(slots.div_ceil(SLOTS_PER_BUFFER)),
            scratch: Scratch::new(),
            lost: 0,
            refuses_contradictions: true,
        }
    }

    /// The same, which lets contradictions pass where not `refused`; the octets that came first stand then.
    #[must_use]
    pub fn refusing_contradictions(self, refused: bool) -> Self {
        Self { refuses_contradictions: refused, ..self }
    }

    /// Takes a slot for a flow; none where the pool is full or the protocol is neither TCP nor UDP.
    pub fn begin(&mut self, flow: FlowStart) -> Option<InspectionId> {
        let transport = match flow.protocol {
            6 => Transport::Tcp,
            17 => Transport::Udp,
            _ => return None,
        };
        let id = self.free.pop()?;
        let slot = self.slots.get_mut(id as usize)?;
        *slot = Some(Inspection {
            state: FlowState::new(Start {
                transport,
                server_port: flow.server_port,
                from_start: flow.from_start,
                resolved: flow.resolved,
            }),
            database: self.databases.enter(),
            tcp: transport == Transport::Tcp,
            hops: [0; 2],
            halves: [Half::default(), Half::default()],
            settled: None,
        });
        Some(InspectionId(id))
    }

    /// Shows a segment, in the order of arrival; retransmissions and disorder are the engine's to sort out. `findings` is
    /// emptied first. One that contradicts another is not taken.
    pub fn inspect(
        &mut self,
        id: InspectionId,
        now: Nanos,
        segment: Segment<'_>,
        findings: &mut Findings,
    ) -> Result<Shown, Contradiction> {
        findings.clear();
        let mut shown = Shown { progress: Progress::GaveUp, released: true, unverified: false };
        let Some(Some(inspection)) = self.slots.get_mut(id.0 as usize) else { return Ok(shown) };
        let (from, side) = match segment.direction {
            Direction::ToServer => (Sender::Client, 0),
            Direction::ToClient => (Sender::Server, 1),
        };
        let Some(database) = self.databases.of(inspection.database) else { return Ok(shown) };
        let Inspection { state, tcp, halves, settled, .. } = inspection;
        if let Some(number) = segment.acknowledgment {
            halves[1 - side].acknowledge(&mut self.pool, number);
        }
        let (scratch, lost) = (&mut self.scratch, &mut self.lost);
        let mut found = Findings::new();
        let mut read = |octets: &[u8]| {
            let step = state.read(database, scratch, now.0, from, octets, &mut found);
            for finding in found.drain(..) {
                *lost += u64::from(findings.try_push(finding).is_err());
            }
            step
        };
        let refused = self.refuses_contradictions;
        let Segment { sequence, syn, payload, .. } = segment;
        let half = &mut halves[side];
        let outcome = if settled.is_some() {
            let sequence = sequence.wrapping_add(u32::from(syn));
            shown.unverified = half.compare(&self.pool, sequence, payload, refused).map_err(|_| Contradiction)?;
            None
        } else if *tcp {
            let taken = half.segment(&mut self.pool, sequence, syn, payload, refused, &mut read);
            let taken = taken.map_err(|_| Contradiction)?;
            shown.unverified = taken.unverified;
            taken.progress
        } else if payload.is_empty() {
            None
        } else {
            last_word(read(payload))
        };
        if outcome.is_some() {
            *settled = Some(Settled { ends: [halves[0].end(), halves[1].end()], waited: 0 });
        }
        shown.progress = outcome.unwrap_or(Progress::Continue);
        shown.released = inspection.is_over();
        if shown.released {
            self.release(id);
        }
        Ok(shown)
    }

    /// Whether the engine's last word on a flow was said.
    pub fn is_settled(&self, id: InspectionId) -> bool {
        !matches!(self.slots.get(id.0 as usize), Some(Some(Inspection { settled: None, .. })))
    }

    /// Whether a SYN of the client's with this number begins another connection than the one whose SYN brought data.
    pub fn begins_another(&self, id: InspectionId, sequence: u32) -> bool {
        let Some(Some(inspection)) = self.slots.get(id.0 as usize) else { return false };
        inspection.halves[0].start().is_some_and(|start| start != sequence.wrapping_add(1))
    }

    /// Whether a packet of a flow has about as many hops left as others of its side; one that has far fewer, and few, may
    /// have been sent so that it does not arrive.
    pub fn hops_fit(&mut self, id: InspectionId, direction: Direction, hops: u8) -> bool {
        let Some(Some(inspection)) = self.slots.get_mut(id.0 as usize) else { return true };
        let most = &mut inspection.hops[usize::from(direction == Direction::ToClient)];
        if hops < FEW_HOPS && most.saturating_sub(hops) >= HOPS_LOST {
            return false;
        }
        *most = (*most).max(hops);
        true
    }

    /// Has flows begin on another database from now on; those that have begun go on with theirs. Gives it back where
    /// [`DATABASES`] are in use.
    pub fn adopt(&mut self, database: Arc<Database>) -> Result<(), Arc<Database>> {
        self.databases.adopt(database)
    }

    /// Takes out a database that no flow reads by any more.
    pub fn take_unused(&mut self) -> Option<Arc<Database>> {
        self.databases.take_unused()
    }

    /// Puts one back that could not be handed over.
    pub fn put_back(&mut self, database: Arc<Database>) {
        self.databases.put_back(database);
    }

    /// Flows that can still be taken, and at most.
    pub fn room(&self) -> (usize, usize) {
        (self.free.len(), self.slots.len())
    }

    /// The flow ended (closed, timed out, evicted, denied): releases the slot. One that is not named yet is by what it showed
    /// until now; a connection that carried a session says so by a last [`sigdb::Sighting::Closed`]. `findings` is emptied
    /// first.
    pub fn end(&mut self, id: InspectionId, findings: &mut Findings) {
        findings.clear();
        if let Some(Some(inspection)) = self.slots.get_mut(id.0 as usize)
            && let Some(database) = self.databases.of(inspection.database)
        {
            if inspection.settled.is_none()
                && let Some((application, confidence)) = inspection.state.last_name(database)
            {
                let _ = findings.try_push(Finding::Application(application, confidence));
            }
            if let Some(closed) = inspection.state.end(database) {
                let _ = findings.try_push(Finding::SignOn(closed));
            }
        }
        self.release(id);
    }

    /// Whether a port is a hint that its side is the server (for flows that are picked up in their middle).
    pub fn is_server_port(&self, protocol: u8, port: u16) -> bool {
        self.databases.newest().is_some_and(|database| database.is_server_port(protocol, port))
    }

    /// Findings lost since the last call, because one segment held more than [`Findings`] takes.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Flows under inspection, and buffers in use.
    pub fn in_use(&self) -> (usize, usize) {
        (self.slots.len() - self.free.len(), self.pool.in_use())
    }

    fn release(&mut self, id: InspectionId) {
        if let Some(slot) = self.slots.get_mut(id.0 as usize)
            && let Some(mut inspection) = slot.take()
        {
            for half in &mut inspection.halves {
                half.forget(&mut self.pool);
            }
            self.databases.leave(inspection.database);
            self.free.push(id.0);
        }
    }
}

impl Inspection {
    /// Whether the last word was said, and who is to have the octets has them.
    fn is_over(&mut self) -> bool {
        let Some(settled) = &mut self.settled else { return false };
        settled.waited = settled.waited.saturating_add(1);
        let halves = self.halves.iter().zip(settled.ends);
        halves
            .into_iter()
            .all(|(half, end)| end.is_none_or(|end| half.is_received(end).unwrap_or(settled.waited > FAREWELL)))
    }
}

/// A step that ends the inspection.
fn last_word(step: Step) -> Option<Progress> {
    match step {
        Step::Finished => Some(Progress::Finished),
        Step::GaveUp => Some(Progress::GaveUp),
        Step::Consumed(_) | Step::More | Step::Resync => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
