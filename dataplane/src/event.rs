//! What workers tell control: records of fixed size, over three lock-free queues a worker.
//!
//! Session events are bulk: where their queue is full they are dropped and counted. Sign-on events are rare and their
//! queue is sized so that none is dropped; if one ever is, control learns how many and makes a record of it. Those of access
//! users have a queue of their own, so that a flood of one protocol's does not cost the other's. Every event
//! carries its worker and a sequence number of that worker and class, so a gap is visible to whoever reads.

use sigdb::{AppId, Confidence, SignOn};

use crate::endpoint::Tuple;
use crate::guard::Phase;
use crate::nat::Translation;
use crate::policy::RuleId;
use crate::time::Nanos;
use crate::verdict::DropReason;

mod queue;

pub use queue::{EventReceiver, EventSender, Lost, Sizes, channel, channels};

/// Identifies a session for as long as the process lives: the worker's number in the upper 16 bits, a count below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub u64);

/// A worker's number, from 0 in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WorkerId(pub u16);

/// What is common to all classes of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The worker's number in the upper 16 bits, the event's below.
    number: u64,
    /// When.
    pub time: Nanos,
}

impl Header {
    /// Of a worker's event; of `sequence` the lower 48 bits count, which last for years.
    pub const fn new(worker: WorkerId, sequence: u64, time: Nanos) -> Self {
        Self { number: (worker.0 as u64) << SEQUENCE_BITS | sequence & SEQUENCE, time }
    }

    /// Who saw it.
    pub const fn worker(self) -> WorkerId {
        WorkerId((self.number >> SEQUENCE_BITS) as u16)
    }

    /// Counts this worker's events of this class, from 1; a lost event has a number too.
    pub const fn sequence(self) -> u64 {
        self.number & SEQUENCE
    }
}

const SEQUENCE_BITS: u32 = 48;
const SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;

/// Packets and octets (layer 3 length, as IPFIX's octetDeltaCount counts them) of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Octets from the IP header on.
    pub octets: u64,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// FIN from both sides, all acknowledged.
    Fin,
    /// A RST within the window.
    Reset,
    /// Nothing seen for the protocol's timeout.
    Timeout,
    /// The rule that now applies denies or resets it (its application became known, or the policy changed).
    Policy,
    /// The user at the client's address signed off, and such sessions are to end.
    Logout,
    /// The table was full and this entry gave way.
    Evicted,
    /// The firewall stopped.
    Shutdown,
}

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// A flow was let through and entered the table. Sent only where the rule logs sessions.
    Create,
    /// A session left the table. Sent only where the rule logs sessions.
    Close {
        /// Why.
        reason: CloseReason,
    },
    /// Packets that would have opened a flow were denied. Sent only where the rule, or the implicit deny, logs.
    /// They are as many as [`SessionEvent::to_server`] says, all from one source to one service under one rule; or, in a
    /// flood from many sources, all under one rule.
    Deny,
    /// Packets of an attack were seen at the first of [`SessionEvent::ports`]; the tuple is an example.
    Attack {
        /// What it is, by the name of what its packets are dropped for.
        kind: DropReason,
        /// Where it is in its life.
        phase: Phase,
        /// The time that [`SessionEvent::to_server`] is about, in tenths of a second, 255 at most.
        tenths: u8,
    },
    /// The engine named the application; once a flow, whatever the rule logs.
    Application(Confidence),
}

/// An event of a session: two cache lines at most, as millions of them a second are written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionEvent {
    /// Worker, sequence, time.
    pub header: Header,
    /// The session; 0 for a denied packet.
    pub session: SessionId,
    /// Both ends.
    pub tuple: Tuple,
    /// What the client's end is outside, where source NAT makes it another.
    pub translation: Option<Translation>,
    /// The rule that applies now; [`RuleId::IMPLICIT`] for the implicit deny.
    pub rule: RuleId,
    /// What is known of the application.
    pub application: AppId,
    /// Ingress port of the client's side and the port on the other side, as indices into the configuration's ports.
    pub ports: (u16, u16),
    /// Whether the rule that applies logs sessions.
    pub logged: bool,
    /// What happened.
    pub change: SessionChange,
    /// When the session was created; of denied packets, when the first came; of an attack, when it began.
    pub start: Nanos,
    /// Client to server, so far; of denied packets, all of them; of an attack, since it was told last.
    pub to_server: Volume,
    /// Server to client, so far; of an attack, since it began.
    pub to_client: Volume,
}

/// A sighting of a user, as the engine saw it in one flow. Presence in control makes truth of it.
#[derive(Clone, Copy, Debug)]
pub struct SignOnEvent {
    /// Worker, sequence, time.
    pub header: Header,
    /// The session that showed it.
    pub session: SessionId,
    /// When that began.
    pub start: Nanos,
    /// Both ends.
    pub tuple: Tuple,
    /// The rule of that session.
    pub rule: RuleId,
    /// Ports, as in [`SessionEvent::ports`].
    pub ports: (u16, u16),
    /// Whether the rule logs sessions: a condition for any record of it.
    pub logged: bool,
    /// What was seen of whom.
    pub sign_on: SignOn,
}

const _: () = assert!(size_of::<SessionEvent>() <= 128);
const _: () = assert!(size_of::<SignOnEvent>() <= 256);
