//! What a host is owed: a record, or what one was encoded to.

use std::sync::Arc;

use dataplane::time::Nanos;

use crate::record::{Body, BootId, Class, Record, SessionAction};

/// What gives way first where there is no room: from the lowest, which does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rank {
    /// Sessions that begin: their end tells everything again.
    Create,
    /// Sessions that ended.
    Close,
    /// Denied packets.
    Deny,
    /// Sign-ons of instant-messaging users.
    Im,
    /// Results of logins.
    CallStatus,
    /// Logins and logouts.
    Access,
    /// Attacks.
    Attack,
    /// The audit trail, and what was lost elsewhere: that stands for many records.
    Audit,
}

impl Rank {
    /// All, from the one that gives way first.
    pub const ALL: [Self; 8] =
        [Self::Create, Self::Close, Self::Deny, Self::Im, Self::CallStatus, Self::Access, Self::Attack, Self::Audit];

    /// Of a record.
    pub fn of(record: &Record) -> Self {
        match &record.body {
            Body::Session(session) => match session.action {
                SessionAction::Create => Self::Create,
                SessionAction::Close { .. } => Self::Close,
                SessionAction::Deny { .. } => Self::Deny,
            },
            Body::Im(_) => Self::Im,
            Body::Attack(_) => Self::Attack,
            Body::Access(access) if access.class() == Class::CallStatus => Self::CallStatus,
            Body::Access(_) => Self::Access,
            Body::Audit(_) | Body::Loss(_) => Self::Audit,
        }
    }
}

/// An encoded record, without what frames it on the wire: one text message, or one IPFIX data record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The run that made the record.
    pub boot: BootId,
    /// Its number in that run.
    pub sequence: u64,
    /// When it happened.
    pub time: Nanos,
    /// Its class.
    pub class: Class,
    /// Its rank.
    pub rank: Rank,
    /// IPFIX template number; 0 of text.
    pub template: u16,
    /// Made at this host, to say a loss: in no count of records.
    pub own: bool,
    /// Was acknowledged, and is kept for fear of what the host had not read: in no count of records.
    pub again: bool,
    /// The message or data record.
    pub octets: Box<[u8]>,
}

/// A record, or what one was encoded to.
#[derive(Clone, Debug)]
pub(super) enum Matter {
    /// As it was made.
    Record(Arc<Record>),
    /// As it was kept on disk.
    Payload(Payload),
}

impl Matter {
    /// The class by which it is counted.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Record(record) => record.body.class(),
            Self::Payload(payload) => payload.class,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> (BootId, u64) {
        match self {
            Self::Record(record) => (record.boot, record.sequence),
            Self::Payload(payload) => (payload.boot, payload.sequence),
        }
    }

    /// What it gives way to.
    pub(super) fn rank(&self) -> Rank {
        match self {
            Self::Record(record) => Rank::of(record),
            Self::Payload(payload) => payload.rank,
        }
    }
}

/// Where a record that is owed came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Pushed.
    Live,
    /// Made here, to say a loss.
    Saying,
    /// Read from the spool, where it has this ordinal.
    Spool(u64),
}

/// A record that the host is owed.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    /// What.
    pub matter: Matter,
    /// Its place in the order in which records came.
    pub arrival: u64,
    /// Where from.
    pub origin: Origin,
    /// Was wholly written before.
    pub sent: bool,
    /// Was acknowledged before: in no count of what is owed.
    pub acknowledged: bool,
    /// How often the host answered that it does not take it.
    pub refused: u8,
}

impl Owed {
    /// Whether it is in memory only, and in the law's `queued`.
    pub(super) fn counts(&self) -> bool {
        matches!((self.origin, self.acknowledged), (Origin::Live, false))
    }

    /// Its ordinal, where it is on disk until it is acknowledged.
    pub(super) fn on_disk(&self) -> Option<u64> {
        match self.origin {
            Origin::Spool(ordinal) if !self.acknowledged => Some(ordinal),
            Origin::Spool(_) | Origin::Live | Origin::Saying => None,
        }
    }

    /// Whether it is a record that the law knows, and not our own or one that was acknowledged before.
    pub(super) fn is_lawful(&self) -> bool {
        match &self.matter {
            _ if self.acknowledged => false,
            Matter::Record(_) => self.origin == Origin::Live,
            Matter::Payload(payload) => !payload.own && !payload.again,
        }
    }
}
