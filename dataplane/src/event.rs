//! What workers tell control: records of fixed size over two lock-free queues a worker.
//!
//! Session events are bulk: where their queue is full they are dropped and counted. Sign-on events are rare and their
//! queue is sized so that none is dropped; if one ever is, control learns how many and makes a record of it. Every event
//! carries its worker and a sequence number of that worker and class, so a gap is visible to whoever reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;
use sigdb::{AppId, Confidence, SignOn};

use crate::endpoint::Tuple;
use crate::policy::RuleId;
use crate::time::Nanos;

/// The version of the event records; control refuses any other.
pub const EVENT_VERSION: u8 = 1;

/// Identifies a session for as long as the process lives: the worker's number in the upper 16 bits, a count below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub u64);

/// A worker's number, from 0 in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WorkerId(pub u16);

/// What is common to both classes of events.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// [`EVENT_VERSION`].
    pub version: u8,
    /// Who saw it.
    pub worker: WorkerId,
    /// Counts this worker's events of this class, from 1; a lost event has a number too.
    pub sequence: u64,
    /// When.
    pub time: Nanos,
}

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
    /// The table was full and this entry gave way.
    Evicted,
    /// The firewall stopped.
    Shutdown,
}

/// What happened to a session.
#[derive(Clone, Copy, Debug)]
pub enum SessionChange {
    /// A flow was let through and entered the table. Sent only where the rule logs sessions.
    Create,
    /// A session left the table. Sent only where the rule logs sessions.
    Close {
        /// Why.
        reason: CloseReason,
        /// When it was created.
        start: Nanos,
        /// Client to server.
        to_server: Volume,
        /// Server to client.
        to_client: Volume,
    },
    /// A packet that would have opened a flow was denied. Sent only where the rule, or the implicit deny, logs.
    Deny,
    /// The engine named the application; once a flow, whatever the rule logs.
    Application(Confidence),
}

/// An event of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionEvent {
    /// Worker, sequence, time.
    pub header: Header,
    /// The session; 0 for a denied packet.
    pub session: SessionId,
    /// Both ends.
    pub tuple: Tuple,
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
}

/// A sighting of a user, as the engine saw it in one flow. Presence in control makes truth of it.
#[derive(Clone, Copy, Debug)]
pub struct SignOnEvent {
    /// Worker, sequence, time.
    pub header: Header,
    /// The session that showed it.
    pub session: SessionId,
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

const _: () = assert!(size_of::<SessionEvent>() <= 192);
const _: () = assert!(size_of::<SignOnEvent>() <= 256);

/// Events lost by class, since start: because a queue was full, or one segment showed more sign-ons than can be told.
#[derive(Debug, Default)]
pub struct Losses {
    /// Session events lost.
    pub session: CachePadded<AtomicU64>,
    /// Sign-on events lost.
    pub sign_on: CachePadded<AtomicU64>,
}

/// Makes the two queues of one worker, for `session` and `sign_on` events at most (each at least 1).
pub fn channel(worker: WorkerId, session: usize, sign_on: usize) -> (EventSender, EventReceiver) {
    let session = Arc::new(ArrayQueue::new(session.max(1)));
    let sign_on = Arc::new(ArrayQueue::new(sign_on.max(1)));
    let losses = Arc::new(Losses::default());
    let sender = EventSender {
        worker,
        session: Arc::clone(&session),
        sign_on: Arc::clone(&sign_on),
        losses: Arc::clone(&losses),
        session_sequence: 0,
        sign_on_sequence: 0,
    };
    (sender, EventReceiver { worker, session, sign_on, losses })
}

/// The worker's end of its queues.
#[derive(Debug)]
pub struct EventSender {
    worker: WorkerId,
    session: Arc<ArrayQueue<SessionEvent>>,
    sign_on: Arc<ArrayQueue<SignOnEvent>>,
    losses: Arc<Losses>,
    session_sequence: u64,
    sign_on_sequence: u64,
}

impl EventSender {
    /// Stamps and pushes a session event; `false` where it was lost (and counted).
    pub fn session(&mut self, time: Nanos, event: impl FnOnce(Header) -> SessionEvent) -> bool {
        self.session_sequence += 1;
        let event = event(self.header(time, self.session_sequence));
        let kept = self.session.push(event).is_ok();
        if !kept {
            self.losses.session.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// Session events that the queue would still take.
    pub fn session_room(&self) -> usize {
        self.session.capacity() - self.session.len()
    }

    /// Stamps and pushes a sign-on event; `false` where it was lost (and counted).
    pub fn sign_on(&mut self, time: Nanos, event: impl FnOnce(Header) -> SignOnEvent) -> bool {
        self.sign_on_sequence += 1;
        let event = event(self.header(time, self.sign_on_sequence));
        let kept = self.sign_on.push(event).is_ok();
        if !kept {
            self.losses.sign_on.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// Counts sign-ons that were seen and cannot be told; control makes a record of the loss, as of a full queue's.
    pub fn lose_sign_ons(&mut self, count: u64) {
        self.sign_on_sequence += count;
        self.losses.sign_on.fetch_add(count, Ordering::Relaxed);
    }

    fn header(&self, time: Nanos, sequence: u64) -> Header {
        Header { version: EVENT_VERSION, worker: self.worker, sequence, time }
    }
}

/// Control's end of a worker's queues.
#[derive(Debug)]
pub struct EventReceiver {
    worker: WorkerId,
    session: Arc<ArrayQueue<SessionEvent>>,
    sign_on: Arc<ArrayQueue<SignOnEvent>>,
    losses: Arc<Losses>,
}

impl EventReceiver {
    /// Whose queues these are.
    pub fn worker(&self) -> WorkerId {
        self.worker
    }

    /// The oldest session event.
    pub fn session(&self) -> Option<SessionEvent> {
        self.session.pop()
    }

    /// The oldest sign-on event.
    pub fn sign_on(&self) -> Option<SignOnEvent> {
        self.sign_on.pop()
    }

    /// Session and sign-on events lost since start.
    pub fn lost(&self) -> (u64, u64) {
        (self.losses.session.load(Ordering::Relaxed), self.losses.sign_on.load(Ordering::Relaxed))
    }

    /// How many events wait: session, sign-on.
    pub fn waiting(&self) -> (usize, usize) {
        (self.session.len(), self.sign_on.len())
    }
}
