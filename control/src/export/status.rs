//! How the log hosts are doing, for `show` and for tests.

use std::sync::Arc;
use std::time::SystemTime;

use super::spool::SpoolSize;
use super::{Counts, Format};
use crate::record::{Class, Name, Record};

/// A log host in one of its formats; a host that takes its classes in two formats has two connections and two of these.
#[derive(Clone, Debug)]
pub struct HostStatus {
    /// Its name.
    pub name: Name,
    /// Where it is: an address, a name, a file, or brokers and topic.
    pub target: String,
    /// In the words of the configuration.
    pub transport: &'static str,
    /// What it gets.
    pub format: Format,
    /// What it got, by class.
    pub classes: Vec<ClassStatus>,
    /// What it does.
    pub state: HostState,
    /// Since when.
    pub since: SystemTime,
    /// Connections after the first; over UDP, fresh starts after ICMP errors.
    pub reconnects: u64,
    /// Why the last connection, or attempt, failed.
    pub last_error: Option<String>,
    /// Octets of records that are written, and not acknowledged.
    pub unacknowledged: usize,
    /// How much is on disk; none where nothing is kept there.
    pub spool: Option<SpoolSize>,
    /// The group that it is in, and as what.
    pub group: Option<(Name, Role)>,
}

/// What a host is in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Gets records.
    Active,
    /// Gets records when those before it do not take any.
    Standby,
}

/// One class at one host.
#[derive(Clone, Copy, Debug)]
pub struct ClassStatus {
    /// Which.
    pub class: Class,
    /// Its counters since start.
    pub counts: Counts,
    /// Of those queued, how many were never wholly written.
    pub unsent: u64,
    /// Records that left the queue in their turn, to the host or to disk: the place of the first that waits.
    pub left: u64,
}

/// What a log host is still owed of a class.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The host's name.
    pub host: Name,
    /// Records with their places in its queue.
    pub records: Vec<(u64, Arc<Record>)>,
}

/// What a log host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// Its name is looked up, or its socket made.
    Opening,
    /// A connection or handshake is under way.
    Connecting,
    /// It takes records. Over UDP: nothing is known to the contrary.
    Up,
    /// Connected, but it takes nothing, or acknowledges nothing, and did not for as long as it is given.
    Stalled,
    /// The last connection or attempt failed; the next is due after a pause.
    Waiting,
    /// There is no record for it, and it is connected to when there is one.
    Idle,
    /// No more attempts: the process stops.
    Stopped,
}

impl HostState {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Stalled => "stalled",
            Self::Waiting => "waiting",
            Self::Idle => "idle",
            Self::Stopped => "stopped",
        }
    }
}
