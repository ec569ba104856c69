//! What there is to tell at one moment, as the control core knows it.

use std::sync::Arc;
use std::time::Duration;

use dataplane::counters::Counters;
use dataplane::time::Nanos;

use crate::export::HostStatus;
use crate::manage::{NatRow, PoolRow, PortRow, RecordRow};
use crate::presence::access::AccessTally;
use crate::receiver::ReceiverTally;
use crate::record::audit::AuditEvent;

/// See the module. Counts are since the start: a reset of statistics by an operator does not touch them.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// The program's version.
    pub version: &'static str,
    /// Names this run in every record.
    pub boot: String,
    /// HOSTNAME of records.
    pub host_name: String,
    /// Version of the signatures in force.
    pub signatures: String,
    /// When the process started.
    pub started: Nanos,
    /// The policy's number, from 1 at the start.
    pub policy: u64,
    /// When the workers were given it.
    pub policy_since: Nanos,
    /// From reading the file to the tables.
    pub policy_took: Duration,
    /// Its rules.
    pub rules: u64,
    /// Octets of its tables.
    pub policy_octets: u64,
    /// The configuration.
    pub commits: CommitState,
    /// Workers, the dispatcher last.
    pub cores: Vec<CoreLoad>,
    /// Packet buffers.
    pub pool: PoolRow,
    /// Ports.
    pub ports: Vec<PortRow>,
    /// Pools of source NAT.
    pub nat: Vec<NatRow>,
    /// Records by class.
    pub records: Vec<RecordRow>,
    /// Users of messengers that are followed, and those that found no room.
    pub im_users: (u64, u64),
    /// Access users who are signed on.
    pub access_users: u64,
    /// What the table of access users counts.
    pub access: AccessTally,
    /// What came to the firewall as an accounting server.
    pub receiver: Option<ReceiverTally>,
    /// Log hosts.
    pub hosts: Vec<HostStatus>,
    /// What is on disk of hosts that are no more.
    pub left: Vec<LeftSpool>,
    /// What the trail was told, by event.
    pub audit: Vec<(AuditEvent, u64)>,
    /// Files of the trail.
    pub files: Vec<FileSize>,
    /// Records of sessions that went to log hosts only, as the trail's mode has it.
    pub forwarded: u64,
    /// Lines of the system log about sshd.
    pub ssh: SshLines,
    /// Sources that responses block now.
    pub blocked: u64,
    /// Clients of the management socket, those that have sessions sent to them, and those refused since the start.
    pub clients: (usize, usize, u64),
    /// Sessions of management, NETCONF's among them.
    pub sessions: usize,
}

/// A worker, or the dispatcher.
#[derive(Clone, Debug)]
pub struct CoreLoad {
    /// `0` and so on for workers, `dispatcher`.
    pub worker: String,
    /// The core.
    pub core: u16,
    /// Its counters.
    pub counters: Arc<Counters>,
    /// Seconds in turns with packets.
    pub busy: f64,
    /// Seconds in turns without.
    pub idle: f64,
    /// Percentage of the last second or so in turns with packets.
    pub percent: u8,
}

/// What is under way of the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommitState {
    /// A commit.
    pub underway: bool,
    /// A commit that waits to be confirmed.
    pub unconfirmed: bool,
    /// A commit that waits for its time.
    pub scheduled: bool,
    /// There are edits that nobody has committed.
    pub modified: bool,
    /// Locks that are held, of two.
    pub locks: u8,
}

/// What is on disk of a log host that is no more, or has another form now.
#[derive(Clone, Debug)]
pub struct LeftSpool {
    /// Its name.
    pub host: String,
    /// The form of the records.
    pub form: String,
    /// Records.
    pub records: u64,
    /// Octets.
    pub octets: u64,
}

/// A file of the trail.
#[derive(Clone, Debug)]
pub struct FileSize {
    /// Its name.
    pub name: String,
    /// Its place in the series.
    pub serial: u64,
    /// Octets in it.
    pub octets: u64,
    /// Octets at which it is archived.
    pub limit: u64,
    /// Records written by this run.
    pub records: u64,
    /// Records that will never be in it.
    pub lost: u64,
    /// Whether nothing can be written now.
    pub full: bool,
}

/// Lines of the system log about sshd.
#[derive(Clone, Copy, Debug, Default)]
pub struct SshLines {
    /// That said nothing known.
    pub unknown: u64,
    /// That their sender had no right to say.
    pub refused: u64,
}
