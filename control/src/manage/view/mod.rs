//! The rows of `ostiary show`, as JSON has them. Names are as in records and
//! in `ostiary replay --json`, and only ever added to; times are RFC 3339 in UTC with microseconds.

mod access;
mod log;
mod nat;
mod policy;
mod route;
mod sigdb;

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use dataplane::command::SessionView;
use dataplane::time::Nanos;
use serde::{Deserialize, Serialize};

use crate::config::Names;
use crate::export::{Cause, ClassStatus, HostStatus};
use crate::record::rfc3339;
use crate::runtime::{PoolView, PortView};

pub use self::access::{
    AccessBufferRow, AccessConfigRow, AccessHostCountsRow, AccessHostRow, AccessSourceRow, AccessStatisticsRow,
    AccessTableRow, PACKET, ReceiverRow, ResetRow, UserFilter, UserPage, UserRow, WaitingRow,
};
pub use self::log::{LogBufferRow, LogHostRow, LogStatisticsRow, LogWaitingRow};
pub use self::nat::NatRow;
pub use self::policy::PolicyRow;
pub use self::route::{InterfaceRow, NeighbourRow, RouteRow};
pub use self::sigdb::{ApplicationRow, SigdbRow};

/// A session of a worker's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SessionRow {
    /// Its id: the worker's number in the upper 16 bits.
    pub session: u64,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, or the protocol's number.
    pub protocol: String,
    /// Who opened it, `ip:port`.
    pub client: String,
    /// Who was asked, `ip:port`.
    pub server: String,
    /// What source NAT made of the client's address; absent where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat_source_address: Option<String>,
    /// And of its port, or identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat_source_port: Option<u16>,
    /// Outer VLAN id; 0 where untagged.
    pub svlan: u16,
    /// Inner VLAN id; 0 where there are not two tags.
    pub cvlan: u16,
    /// `opening`, `established`, `closing`, `one-way`, `both-ways`.
    pub state: String,
    /// The rule that let it through.
    pub rule: String,
    /// Its application, or `unknown`.
    pub application: String,
    /// Port on the client's side.
    pub client_interface: String,
    /// Port on the server's side.
    pub server_interface: String,
    /// Zone of the client's side.
    pub client_zone: String,
    /// Zone of the server's side.
    pub server_zone: String,
    /// When it was created.
    pub start: String,
    /// When its last packet came.
    pub last: String,
    /// Packets from client to server.
    pub to_server_packets: u64,
    /// Octets of those, from the IP header on.
    pub to_server_octets: u64,
    /// Packets from server to client.
    pub to_client_packets: u64,
    /// Octets of those, from the IP header on.
    pub to_client_octets: u64,
}

/// A user who is online in an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImRow {
    /// The application.
    pub application: String,
    /// The account as records have it; none where it is not visible or omitted.
    pub account: Option<String>,
    /// The user's address.
    pub client: String,
    /// The last server that was spoken to, `ip:port`.
    pub server: String,
    /// The rule of that session.
    pub rule: String,
    /// How it is known: `login` where the login was seen, `seen` where not.
    pub evidence: String,
    /// When the user came online, or was first seen.
    pub since: String,
    /// When the user was last heard of.
    pub last: String,
}

/// The rows of `show im`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImTable {
    /// As many as were asked for.
    pub rows: Vec<ImRow>,
    /// Whether there are others.
    pub more: bool,
}

/// What the process did since its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Statistics {
    /// The program's version.
    pub version: String,
    /// Names this run in every record.
    pub boot: String,
    /// HOSTNAME of records.
    pub host_name: String,
    /// When it started.
    pub started: String,
    /// The policy in force.
    pub policy: ReloadRow,
    /// Users online now.
    pub online: u64,
    /// Packet buffers.
    pub pool: PoolRow,
    /// By worker, the dispatcher last.
    #[serde(default)]
    pub cores: Vec<CoreRow>,
    /// By class.
    pub records: Vec<RecordRow>,
    /// By log host.
    pub hosts: Vec<HostRow>,
}

/// The policy in force, as `ostiary reload` and `show statistics` tell of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReloadRow {
    /// 1 for the policy of the start, one more with each reload.
    pub version: u64,
    /// By which workers know that a session was judged by an older one.
    pub epoch: u32,
    /// When the workers were given it.
    pub since: String,
    /// Rules, without the deny at the end.
    pub rules: u64,
    /// Octets of its tables and rules.
    pub memory: u64,
    /// From reading the file to the tables; 0 for the policy of the start.
    pub milliseconds: u64,
}

impl fmt::Display for ReloadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, since, rules, memory, milliseconds, .. } = self;
        let rule = if *rules == 1 { "rule" } else { "rules" };
        write!(f, "policy {version} in force since {since}: {rules} {rule}, {} KiB", memory.div_ceil(1024))?;
        if *milliseconds > 0 { write!(f, ", compiled in {milliseconds} ms") } else { Ok(()) }
    }
}

/// The pool of packet buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PoolRow {
    /// All of them.
    pub size: u32,
    /// Those in use.
    pub in_use: u32,
}

/// How busy a polling core is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CoreRow {
    /// `worker-0` and so on, `dispatcher`.
    pub name: String,
    /// The core.
    pub core: u16,
    /// Percentage of its time that it spent in turns with packets, in the last second or so.
    pub busy_percent: u8,
    /// Cycles of the time-stamp counter in turns with packets, since start.
    pub busy_cycles: u64,
    /// Cycles in turns without.
    pub idle_cycles: u64,
    /// The longest turn with packets since this was last asked, in nanoseconds.
    pub longest_turn: u64,
}

/// The records of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecordRow {
    /// `session`, `im`, `attack`, `access` or `call-status`.
    pub class: String,
    /// Events taken from the workers.
    pub events: u64,
    /// Events lost because a worker's queue was full; each loss was recorded.
    pub lost_events: u64,
    /// Records made.
    pub records: u64,
}

/// A log host in one of its formats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostRow {
    /// Its name.
    pub name: String,
    /// `ip:port`.
    pub address: String,
    /// In the words of the configuration.
    pub transport: String,
    /// Likewise.
    pub format: String,
    /// `opening`, `connecting`, `up`, `stalled`, `waiting` or `stopped`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Connections after the first.
    pub reconnects: u64,
    /// Why the last connection, or attempt, failed; none if none did.
    pub error: Option<String>,
    /// By class.
    pub classes: Vec<HostClassRow>,
}

/// The records of a class for one log host since start:
/// `records + recovered = acknowledged + dropped + uncarried + queued + spooled + handed-over`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostClassRow {
    /// `session`, `im`, `attack`, `access` or `call-status`.
    pub class: String,
    /// Records that were for this host.
    pub records: u64,
    /// Written, once each.
    pub sent: u64,
    /// Given up, for whatever cause but `uncarried`; said to the host in band. `show log statistics` has the causes.
    pub dropped: u64,
    /// In memory: waiting, or not acknowledged.
    pub queued: u64,
    /// Taken by the host, as far as its transport can tell.
    #[serde(default)]
    pub acknowledged: u64,
    /// Found in the spool at start, from an earlier run.
    #[serde(default)]
    pub recovered: u64,
    /// On disk.
    #[serde(default)]
    pub spooled: u64,
    /// Given to another host of the group.
    #[serde(default)]
    pub handed_over: u64,
    /// Of access users whom the version of binary records cannot tell; not sent.
    #[serde(default)]
    pub uncarried: u64,
    /// Written again after a connection broke, on top of `sent`.
    pub resent: u64,
}

/// The counters of a worker, or behind them of the dispatcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WorkerRow {
    /// Its number, from 0 in the order of the configuration.
    pub worker: u16,
    /// The core that it runs on.
    pub core: u16,
    /// By name; drops are `drop_<reason>`.
    pub counters: BTreeMap<String, u64>,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PortRow {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// Its device.
    pub device: String,
    /// The driver behind it.
    pub driver: String,
    /// `up` or `down`.
    pub link: String,
    /// Its speed in Mbit/s; none where it is not known.
    pub megabits: Option<u32>,
    /// Frames received.
    pub received: u64,
    /// Octets of those.
    pub received_octets: u64,
    /// Frames sent.
    pub sent: u64,
    /// Octets of those.
    pub sent_octets: u64,
    /// Frames that the device dropped because the worker was too slow.
    pub missed: u64,
    /// Frames received damaged.
    pub receive_errors: u64,
    /// Frames that could not be sent.
    pub send_errors: u64,
    /// Times that no buffer was left to receive into: the pool is too small.
    pub no_buffer: u64,
}

impl SessionRow {
    /// A session with the names of its rule, application, ports and zones.
    pub fn new(view: &SessionView, names: &Names) -> Self {
        let (client_port, server_port) = view.ports;
        Self {
            session: view.session.0,
            protocol: protocol_text(view.tuple.protocol),
            client: view.tuple.client.socket().to_string(),
            server: view.tuple.server.socket().to_string(),
            nat_source_address: view.translation.map(|outside| outside.endpoint().address.ip().to_string()),
            nat_source_port: view.translation.map(|outside| outside.port),
            svlan: view.tuple.svlan,
            cvlan: view.tuple.cvlan,
            state: view.state.to_owned(),
            rule: names.rule(view.rule).to_string(),
            application: names.application(view.application).to_string(),
            client_interface: names.port(client_port).to_string(),
            server_interface: names.port(server_port).to_string(),
            client_zone: names.zone_of_port(client_port).to_string(),
            server_zone: names.zone_of_port(server_port).to_string(),
            start: time_text(view.start),
            last: time_text(view.last),
            to_server_packets: view.to_server.packets,
            to_server_octets: view.to_server.octets,
            to_client_packets: view.to_client.packets,
            to_client_octets: view.to_client.octets,
        }
    }
}

impl From<&HostStatus> for HostRow {
    fn from(status: &HostStatus) -> Self {
        let class = |class: &ClassStatus| HostClassRow {
            class: class.class.text().to_owned(),
            records: class.counts.generated,
            sent: class.counts.sent,
            dropped: class.counts.dropped() - class.counts.dropped_by(Cause::Uncarried),
            queued: class.counts.queued,
            acknowledged: class.counts.acknowledged,
            recovered: class.counts.recovered,
            spooled: class.counts.spooled,
            handed_over: class.counts.handed_over,
            uncarried: class.counts.dropped_by(Cause::Uncarried),
            resent: class.counts.resent,
        };
        let since = status.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            name: status.name.to_string(),
            address: status.target.clone(),
            transport: status.transport.to_owned(),
            format: status.format.text().to_owned(),
            state: status.state.text().to_owned(),
            since: time_text(Nanos::from_parts(since.as_secs(), since.subsec_nanos())),
            reconnects: status.reconnects,
            error: status.last_error.clone(),
            classes: status.classes.iter().map(class).collect(),
        }
    }
}

impl PortRow {
    /// A port with the name of its zone.
    pub fn new(view: &PortView, zone: &str) -> Self {
        let statistics = &view.statistics;
        Self {
            name: view.name.to_string(),
            zone: zone.to_owned(),
            device: view.device.clone(),
            driver: view.driver.clone(),
            link: if view.link.up { "up" } else { "down" }.to_owned(),
            megabits: view.link.megabits,
            received: statistics.received,
            received_octets: statistics.received_octets,
            sent: statistics.sent,
            sent_octets: statistics.sent_octets,
            missed: statistics.missed,
            receive_errors: statistics.receive_errors,
            send_errors: statistics.send_errors,
            no_buffer: statistics.no_buffer,
        }
    }
}

impl From<PoolView> for PoolRow {
    fn from(pool: PoolView) -> Self {
        Self { size: pool.size, in_use: pool.in_use }
    }
}

/// A time as rows have it.
pub(crate) fn time_text(time: Nanos) -> String {
    let mut text = Vec::new();
    rfc3339::write(&mut text, time, None);
    String::from_utf8(text).unwrap_or_default()
}

/// A protocol by its name, or its number.
pub(crate) fn protocol_text(protocol: u8) -> String {
    match protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        132 => "sctp".to_owned(),
        other => other.to_string(),
    }
}
