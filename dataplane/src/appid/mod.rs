//! Inspection: what the packet path keeps of a flow while its application is undecided or its protocol reports sign-ons.

use std::sync::Arc;

use arrayvec::ArrayVec;
use sigdb::{AppId, Confidence, SignOn};

use crate::endpoint::Direction;
use crate::time::Nanos;

/// A slot of the inspection pool, held by a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectionId(pub u32);

/// What the engine needs to know of a flow before its first payload.
#[derive(Clone, Copy, Debug)]
pub struct FlowStart {
    /// IANA protocol number; only 6 and 17 are inspected.
    pub protocol: u8,
    /// The client's port.
    pub client_port: u16,
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
    /// TCP FIN flag.
    pub fin: bool,
    /// The payload; may be empty.
    pub payload: &'a [u8],
}

/// What the engine found out.
#[derive(Clone, Copy, Debug)]
pub enum Finding {
    /// The application, once a flow.
    Application(AppId, Confidence),
    /// A sighting of a user.
    SignOn(SignOn),
}

/// Findings of one segment; more than fit in are counted as `signon_overflow` by the engine.
pub type Findings = ArrayVec<Finding, 8>;

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
    database: Arc<sigdb::Database>,
}

impl Inspector {
    /// An engine with room for `slots` flows at once.
    pub fn new(database: Arc<sigdb::Database>, slots: usize) -> Self {
        let _ = slots;
        Self { database }
    }

    /// Takes a slot for a flow; none where the pool is full.
    pub fn begin(&mut self, flow: FlowStart) -> Option<InspectionId> {
        let _ = flow;
        None
    }

    /// Shows a segment, in the order of arrival; retransmissions and disorder are the engine's to sort out.
    pub fn inspect(&mut self, id: InspectionId, now: Nanos, segment: Segment<'_>, findings: &mut Findings) -> Progress {
        let _ = (id, now, segment, findings);
        Progress::GaveUp
    }

    /// The flow ended (closed, timed out, evicted, denied): releases the slot. A connection that carried a session says so
    /// by a last [`sigdb::Sighting::Closed`].
    pub fn end(&mut self, id: InspectionId, now: Nanos, findings: &mut Findings) {
        let _ = (id, now, findings);
    }

    /// Whether a port is a hint that its side is the server (for flows that are picked up in their middle).
    pub fn is_server_port(&self, protocol: u8, port: u16) -> bool {
        self.database.is_server_port(protocol, port)
    }
}
