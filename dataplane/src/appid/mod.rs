//! Inspection: what the packet path keeps of a flow while its application is undecided or its protocol reports sign-ons.
//!
//! A bounded pool of slots, taken when a flow goes to the engine and given back as soon as there is nothing more to learn.
//! TCP is put in order in [`stream`]; what the octets mean is [`sigdb`]'s to say.

mod stream;

use std::sync::Arc;

use sigdb::{Database, FlowState, Scratch, Sender, Start, Step, Transport};
pub use sigdb::{Finding, Findings};

use crate::endpoint::Direction;
use crate::time::Nanos;
use stream::{Half, Pool};

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
    /// The payload; may be empty.
    pub payload: &'a [u8],
}

/// What to do with the flow's further segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Show them.
    Continue,
    /// Named, and nothing more to learn: the slot was released.
    Finished,
    /// The budget is spent without a name: the slot was released.
    GaveUp,
}

/// The identification engine of one worker: a bounded pool of inspection states over a shared database.
#[derive(Debug)]
pub struct Inspector {
    database: Arc<Database>,
    slots: Vec<Option<Inspection>>,
    free: Vec<u32>,
    pool: Pool,
    scratch: Scratch,
    lost: u64,
}

#[derive(Debug)]
struct Inspection {
    state: FlowState,
    tcp: bool,
    halves: [Half; 2],
}

/// Of so many flows under inspection, one at a time has a message in pieces.
const SLOTS_PER_BUFFER: usize = 4;
/// Messages of one segment that are read; a segment holds hardly more than some ten.
const MESSAGES_PER_SEGMENT: usize = 64;

impl Inspector {
    /// An engine with room for `slots` flows at once. Takes all its memory now: some 400 octets a slot, and a buffer of
    /// [`sigdb::WINDOW`] octets for every fourth.
    pub fn new(database: Arc<Database>, slots: usize) -> Self {
        let slots = slots.min(u32::MAX as usize);
        Self {
            database,
            slots: std::iter::repeat_with(|| None).take(slots).collect(),
            free: (0..slots as u32).rev().collect(),
            pool: Pool::new(slots.div_ceil(SLOTS_PER_BUFFER)),
            scratch: Scratch::new(),
            lost: 0,
        }
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
                resolved: None,
            }),
            tcp: transport == Transport::Tcp,
            halves: [Half::default(), Half::default()],
        });
        Some(InspectionId(id))
    }

    /// Shows a segment, in the order of arrival; retransmissions and disorder are the engine's to sort out. `findings` is
    /// emptied first.
    pub fn inspect(&mut self, id: InspectionId, now: Nanos, segment: Segment<'_>, findings: &mut Findings) -> Progress {
        findings.clear();
        let Some(Some(inspection)) = self.slots.get_mut(id.0 as usize) else { return Progress::GaveUp };
        let from = match segment.direction {
            Direction::ToServer => Sender::Client,
            Direction::ToClient => Sender::Server,
        };
        let Inspection { state, tcp, halves } = inspection;
        let database = &*self.database;
        let (scratch, lost) = (&mut self.scratch, &mut self.lost);
        let mut found = Findings::new();
        let mut read = |octets: &[u8]| {
            let step = state.read(database, scratch, now.0, from, octets, &mut found);
            for finding in found.drain(..) {
                *lost += u64::from(findings.try_push(finding).is_err());
            }
            step
        };
        let outcome = if *tcp {
            let half = &mut halves[usize::from(from == Sender::Server)];
            half.segment(&mut self.pool, segment.sequence, segment.syn, segment.payload, &mut read)
        } else if segment.payload.is_empty() {
            None
        } else {
            last_word(read(segment.payload))
        };
        if let Some(progress) = outcome {
            self.release(id);
            return progress;
        }
        Progress::Continue
    }

    /// The flow ended (closed, timed out, evicted, denied): releases the slot. A connection that carried a session says so
    /// by a last [`sigdb::Sighting::Closed`]. `findings` is emptied first.
    pub fn end(&mut self, id: InspectionId, findings: &mut Findings) {
        findings.clear();
        if let Some(Some(inspection)) = self.slots.get_mut(id.0 as usize)
            && let Some(closed) = inspection.state.end(&self.database)
        {
            let _ = findings.try_push(Finding::SignOn(closed));
        }
        self.release(id);
    }

    /// Whether a port is a hint that its side is the server (for flows that are picked up in their middle).
    pub fn is_server_port(&self, protocol: u8, port: u16) -> bool {
        self.database.is_server_port(protocol, port)
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
            self.free.push(id.0);
        }
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
mod tests;
