//! The records that leave the house, and their sequence. One file a format beside this one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use access::AccessRecord;
use account::KeyId;
use audit::AuditRecord;
use dataplane::endpoint::{Mac, Tuple};
use dataplane::event::{CloseReason, SessionId, Volume};
use dataplane::guard::Phase;
use dataplane::nat::Translation;
use dataplane::time::Nanos;
use sigdb::Confidence;

use crate::export::Cause;

pub mod access;
#[cfg(test)]
mod access_tests;
pub mod account;
pub mod audit;
pub mod cef;
pub(crate) mod clock;
pub(crate) mod digits;
pub(crate) mod fields;
#[cfg(test)]
mod golden;
pub mod huawei;
pub mod ipfix;
pub mod json;
mod kind;
pub mod rfc3164;
pub mod rfc3339;
pub mod rfc5424;
#[cfg(test)]
pub(crate) mod sample;
pub mod schema;
mod sentence;
pub mod sequence;
mod statics;
#[cfg(test)]
mod twin;

use kind::kind;

/// The severity of a record's message, RFC 5424, table 2.
pub(crate) fn severity(body: &Body) -> u8 {
    kind(body).0
}

/// Names one run of the process: random, made at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootId(pub u64);

/// The classes that a log host can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Create, close, deny.
    Session,
    /// Sign-ons of instant-messaging users.
    Im,
    /// Attacks.
    Attack,
    /// Logins and logouts of access users.
    Access,
    /// Results of logins of access users.
    CallStatus,
    /// What was done to the firewall and by whom, and what it found out about itself.
    Audit,
}

/// A record: whatever its class, (boot, sequence) names it once and for all, so that a receiver can tell a gap from a
/// duplicate.
#[derive(Clone, Debug)]
pub struct Record {
    /// This run of the process.
    pub boot: BootId,
    /// Counts this run's records of all classes, from 1.
    pub sequence: u64,
    /// When it happened (not when it was written).
    pub time: Nanos,
    /// What happened.
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Body {
    /// Of a session.
    Session(SessionRecord),
    /// Of an instant-messaging user.
    Im(ImRecord),
    /// Of an attack.
    Attack(AttackRecord),
    /// Of an access user.
    Access(AccessRecord),
    /// Of the audit trail.
    Audit(AuditRecord),
    /// Records or events that were lost, said in band.
    Loss(LossRecord),
}

/// Text shared by many records (rule, zone, application, port names).
pub type Name = Arc<str>;

/// Where a record happened: the flow, its rule and its place.
#[derive(Clone, Debug)]
pub struct FlowContext {
    /// The session; 0 where a packet was denied before there was one.
    pub session: SessionId,
    /// Both ends, protocol and VLANs.
    pub tuple: Tuple,
    /// What source NAT made of the client's end; of sessions only, and where it did.
    pub translation: Option<Translation>,
    /// The rule's name; `implicit-deny` for the deny at the end.
    pub rule: Name,
    /// The application's name; `unknown` where it is not.
    pub application: Name,
    /// Names of the client's ingress port and of the port on the other side.
    pub interfaces: (Name, Name),
    /// Zones of the two.
    pub zones: (Name, Name),
    /// The access user who had the client's address when the flow began, where one is known.
    pub user: Option<Arc<UserNote>>,
}

/// An access user, as records of flows name one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserNote {
    /// The name, as it came; none where only the host is known.
    pub name: Option<Box<[u8]>>,
    /// MAC address.
    pub mac: Option<Mac>,
    /// The access interface: port and VLANs, as the records of access users have it.
    pub interface: Option<Name>,
}

/// Create, close or deny.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// The flow.
    pub flow: FlowContext,
    /// What happened.
    pub action: SessionAction,
}

/// What happened to a session.
#[derive(Clone, Debug)]
pub enum SessionAction {
    /// Let through, entered in the table.
    Create,
    /// Left the table.
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
    /// Packets that would have opened a flow were denied.
    Deny {
        /// How many within a second, all from one client to one server and port under one rule; or, in a flood from
        /// many clients, all under one rule: the flow is the first's.
        packets: u64,
        /// When the first came.
        first: Nanos,
    },
}

/// An attack that begins, goes on or is over.
#[derive(Clone, Debug)]
pub struct AttackRecord {
    /// The first packet since the last record, as an example; only its ends, ports and zones are told. The client is
    /// who sent it.
    pub flow: FlowContext,
    /// What it is: the name of the counter without `drop_`.
    pub kind: &'static str,
    /// Where it is in its life.
    pub phase: Phase,
    /// What came since the last record; the last of it, and the record's time, is when its last packet came.
    pub recent: Volume,
    /// In what time.
    pub span: Duration,
    /// What came since it began.
    pub total: Volume,
    /// When it began.
    pub begin: Nanos,
}

impl AttackRecord {
    /// Packets a second since the last record; at the end, since it began until `last`.
    pub fn rate(&self, last: Nanos) -> u64 {
        let (packets, span) = match self.phase {
            Phase::End => (self.total.packets, last.since(self.begin)),
            Phase::Begin | Phase::Ongoing => (self.recent.packets, self.span),
        };
        // What came within a moment counts as within a second.
        packets.saturating_mul(1_000) / (span.as_millis() as u64).max(1_000)
    }
}

/// A phase in the words of the records.
pub fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Begin => "begin",
        Phase::Ongoing => "ongoing",
        Phase::End => "end",
    }
}

/// What an instant-messaging user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImAction {
    /// Came online, confirmed by the other side.
    Login,
    /// Went offline.
    Logout,
    /// An authentication verdict: in this class only failures are recorded apart.
    Result {
        /// Whether the other side accepted.
        success: bool,
    },
    /// Is online; the login was not seen.
    Seen,
}

/// Why presence says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImReason {
    /// The protocol's own message.
    Message,
    /// The connection that carried the session ended and none came in its place within the grace time.
    ConnectionClosed,
    /// Nothing was heard for the application's keepalive limit.
    Timeout,
    /// Another account came online at the same place.
    Replaced,
    /// The same account came online at another address, and nothing was heard of it here any more.
    Moved,
    /// The connection that carries the session was opened and answered.
    ConnectionOpened,
    /// Traffic of a session whose login was not seen.
    MidSession,
    /// An account was named without proof of a session.
    Mention,
    /// The other side refused.
    Refused,
}

/// A sign-on of an instant-messaging user.
#[derive(Clone, Debug)]
pub struct ImRecord {
    /// The flow that decided it.
    pub flow: FlowContext,
    /// What the user did.
    pub action: ImAction,
    /// On what ground.
    pub reason: ImReason,
    /// The account, after `[log.im]` was applied; none where it is not visible or is to be omitted.
    pub account: Option<Name>,
    /// The key that made it, where it is a pseudonym.
    pub pseudonym_key: Option<KeyId>,
    /// How much the evidence rests on.
    pub confidence: Confidence,
    /// How long the account was online, for a logout whose beginning was seen.
    pub online: Option<Duration>,
    /// Version of the signature database that recognised it.
    pub signatures: Name,
}

/// What was lost, where, and how much of it: no loss without a record.
#[derive(Clone, Debug)]
pub struct LossRecord {
    /// Which class.
    pub class: Class,
    /// Where.
    pub place: LossPlace,
    /// Why.
    pub reason: LossReason,
    /// How many.
    pub count: u64,
    /// Sequence numbers, in the run that this record's name has, of the first and last that were lost; none where they never
    /// had one.
    pub sequences: Option<(u64, u64)>,
    /// The first and last time at which the loss was noticed.
    pub span: (Nanos, Nanos),
}

/// Why records or events were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossReason {
    /// At a log host.
    Host(Cause),
    /// A worker's queue of events was full, or one segment showed more than it can tell.
    Events,
    /// The process ended without a stop; about so many records were in memory then.
    Crash,
    /// A file of the audit trail could not be written, or had no room.
    StoreFull,
}

impl LossReason {
    /// In the words of the records.
    pub fn text(self) -> &'static str {
        match self {
            Self::Host(cause) => cause.text(),
            Self::Events => "queue-full",
            Self::Crash => "crash",
            Self::StoreFull => "store-full",
        }
    }
}

/// Where records or events were lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LossPlace {
    /// In a worker: its event queue was full, or one segment showed more sign-ons than it can tell.
    Worker(u16),
    /// The queue towards a log host was full.
    Host(Name),
    /// The exporter was told to stop before the host had taken all.
    Shutdown(Name),
    /// The spool of a log host.
    Spool(Name),
    /// A rate limit of a log host.
    Rate(Name),
    /// The memory of a process that ended without a stop, as to a log host.
    Crash(Name),
    /// A file of the audit trail.
    Store(Name),
}

impl Body {
    /// The class by which hosts choose; a loss travels with the class that it is about.
    pub fn class(&self) -> Class {
        match self {
            Self::Session(_) => Class::Session,
            Self::Im(_) => Class::Im,
            Self::Attack(_) => Class::Attack,
            Self::Access(access) => access.class(),
            Self::Audit(_) => Class::Audit,
            Self::Loss(loss) => loss.class,
        }
    }
}

/// A close reason in the words of the records.
pub fn close_reason_text(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Fin => "fin",
        CloseReason::Reset => "reset",
        CloseReason::Timeout => "timeout",
        CloseReason::Policy => "policy",
        CloseReason::Logout => "logout",
        CloseReason::Evicted => "evicted",
        CloseReason::Shutdown => "shutdown",
    }
}

impl fmt::Display for BootId {
    /// Sixteen hexadecimal digits, in every format.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Class {
    /// All.
    pub const ALL: [Self; 6] = [Self::Session, Self::Im, Self::Attack, Self::Access, Self::CallStatus, Self::Audit];

    /// In the words of the records and of the configuration.
    pub fn text(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Im => "im",
            Self::Attack => "attack",
            Self::Access => "access",
            Self::CallStatus => "call-status",
            Self::Audit => "audit",
        }
    }
}

impl SessionAction {
    /// In the words of the records.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Close { .. } => "close",
            Self::Deny { .. } => "deny",
        }
    }
}

impl ImAction {
    /// In the words of the records.
    pub fn text(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Result { .. } => "result",
            Self::Seen => "seen",
        }
    }

    /// The verdict of an authentication, in the words of the records.
    pub fn result_text(self) -> Option<&'static str> {
        match self {
            Self::Result { success: true } => Some("ok"),
            Self::Result { success: false } => Some("fail"),
            Self::Login | Self::Logout | Self::Seen => None,
        }
    }
}

impl fmt::Display for LossPlace {
    /// `worker:3`, `host:siem`, `shutdown:siem`, `spool:siem`, `rate:siem`, `crash:siem`, `store:audit`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(worker) => write!(f, "worker:{worker}"),
            Self::Host(name) => write!(f, "host:{name}"),
            Self::Shutdown(name) => write!(f, "shutdown:{name}"),
            Self::Spool(name) => write!(f, "spool:{name}"),
            Self::Rate(name) => write!(f, "rate:{name}"),
            Self::Crash(name) => write!(f, "crash:{name}"),
            Self::Store(name) => write!(f, "store:{name}"),
        }
    }
}

/// The longest beginning of `text` that is at most `octets` long and ends between two characters.
pub(crate) fn beginning(text: &str, octets: usize) -> &str {
    if text.len() <= octets {
        return text;
    }
    let mut end = octets;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl ImReason {
    /// In the words of the records.
    pub fn text(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::ConnectionClosed => "connection-closed",
            Self::Timeout => "timeout",
            Self::Replaced => "replaced",
            Self::Moved => "moved",
            Self::ConnectionOpened => "connection-opened",
            Self::MidSession => "mid-session",
            Self::Mention => "mention",
            Self::Refused => "refused",
        }
    }
}

/// A confidence in the words of the records.
pub fn confidence_text(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
    }
}
