//! The rows of `ostiary show`, as JSON has them. Fields are only ever added; times are RFC 3339 in UTC with microseconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dataplane::command::SessionView;
use dataplane::endpoint::Address;
use dataplane::event::Volume;
use dataplane::policy::{Action, AddressRange, PortRange, RuleId, RuleSource, ServiceMatch};
use dataplane::time::Nanos;
use serde::{Deserialize, Serialize};

use crate::config::{Compiled, Names};
use crate::record::rfc3339;

/// A session of a worker's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Its id: the worker's number in the upper 16 bits.
    pub session: u64,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, or the protocol's number.
    pub protocol: String,
    /// Who opened it, `ip:port`.
    pub client: String,
    /// Who was asked, `ip:port`.
    pub server: String,
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
    /// Port on the client's side and on the server's.
    pub ports: (String, String),
    /// Zones of the two.
    pub zones: (String, String),
    /// When it was created.
    pub start: String,
    /// When its last packet came.
    pub last: String,
    /// Client to server.
    pub to_server: VolumeRow,
    /// Server to client.
    pub to_client: VolumeRow,
}

/// Packets and octets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRow {
    /// Packets.
    pub packets: u64,
    /// Octets from the IP header on.
    pub octets: u64,
}

/// A user who is online in an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct Statistics {
    /// The program's version.
    pub version: String,
    /// Names this run in every record.
    pub boot: String,
    /// HOSTNAME of records.
    pub host_name: String,
    /// When it started.
    pub started: String,
    /// Users online now.
    pub online: u64,
    /// By class.
    pub records: Vec<RecordRow>,
    /// By log host.
    pub hosts: Vec<HostRow>,
}

/// The records of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRow {
    /// `session` or `im`.
    pub class: String,
    /// Events taken from the workers.
    pub events: u64,
    /// Events lost because a worker's queue was full; each loss was recorded.
    pub lost_events: u64,
    /// Records made.
    pub records: u64,
}

/// A log host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRow {
    /// Its name.
    pub name: String,
    /// `ip:port`.
    pub address: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// In a word or two: `connected`, `connecting`, `waiting` …
    pub state: String,
    /// Why the last connection failed or ended; none if none did.
    pub error: Option<String>,
    /// Connections made since start.
    pub connections: u64,
    /// By class.
    pub classes: Vec<HostClassRow>,
}

/// The records of a class for one log host: `records = sent + dropped + queued`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostClassRow {
    /// `session` or `im`.
    pub class: String,
    /// `binary` or `syslog`.
    pub format: String,
    /// Records that were for this host.
    pub records: u64,
    /// Written, once each.
    pub sent: u64,
    /// Given up because the queue was full; said to the host in band.
    pub dropped: u64,
    /// Waiting.
    pub queued: u64,
    /// Written again after a connection broke.
    pub resent: u64,
}

/// The counters of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct PortRow {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// Its device.
    pub device: String,
    /// The driver behind it.
    pub driver: String,
    /// Its Ethernet address.
    pub mac: String,
    /// In words: `down`, or the speed, `10 Gbit/s`.
    pub link: String,
    /// The device's counters by name: packets, octets, missed, errors, no buffer.
    pub counters: BTreeMap<String, u64>,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRow {
    /// Its place, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Zones of the client's side; empty lists match everything, here and below.
    pub from: Vec<String>,
    /// Zones of the server's side.
    pub to: Vec<String>,
    /// The client's addresses, groups resolved.
    pub source: Vec<String>,
    /// The server's addresses.
    pub destination: Vec<String>,
    /// Services.
    pub service: Vec<String>,
    /// Applications.
    pub application: Vec<String>,
    /// `permit`, `deny` or `reset`.
    pub action: String,
    /// Whether sessions (and their users' sign-ons) are recorded.
    pub session_logging: bool,
    /// Whether a content profile sends its traffic to the engine.
    pub profile: bool,
}

/// The signature database in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigdbRow {
    /// Where it was read from.
    pub file: String,
    /// The content version.
    pub version: String,
    /// The date of the content.
    pub date: String,
    /// SHA-256 of the content.
    pub digest: String,
    /// What it knows.
    pub applications: Vec<ApplicationRow>,
}

/// An application that the signatures know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationRow {
    /// As in rules and records.
    pub name: String,
    /// As people call it.
    pub title: String,
    /// Its protocols.
    pub protocols: Vec<String>,
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
            svlan: view.tuple.svlan,
            cvlan: view.tuple.cvlan,
            state: view.state.to_owned(),
            rule: names.rule(view.rule).to_string(),
            application: names.application(view.application).to_string(),
            ports: (names.port(client_port).to_string(), names.port(server_port).to_string()),
            zones: (names.zone_of_port(client_port).to_string(), names.zone_of_port(server_port).to_string()),
            start: time_text(view.start),
            last: time_text(view.last),
            to_server: view.to_server.into(),
            to_client: view.to_client.into(),
        }
    }
}

impl From<Volume> for VolumeRow {
    fn from(volume: Volume) -> Self {
        Self { packets: volume.packets, octets: volume.octets }
    }
}

impl PolicyRow {
    /// The rule of that number, from 0; the number behind the last is the implicit deny.
    pub(super) fn of(compiled: &Compiled, index: usize) -> Option<Self> {
        let names = &compiled.names;
        let Some(rule) = compiled.policy.rules.get(index) else {
            return (index == compiled.policy.rules.len()).then(|| Self {
                number: index + 1,
                name: names.rule(RuleId::IMPLICIT).to_string(),
                from: Vec::new(),
                to: Vec::new(),
                source: Vec::new(),
                destination: Vec::new(),
                service: Vec::new(),
                application: Vec::new(),
                action: action_text(Action::Deny).to_owned(),
                session_logging: compiled.policy.implicit_deny_logging,
                profile: false,
            });
        };
        Some(Self::new(index, rule, names))
    }

    fn new(index: usize, rule: &RuleSource, names: &Names) -> Self {
        let zone = |zone: &dataplane::policy::ZoneId| names.zones[usize::from(zone.0)].to_string();
        Self {
            number: index + 1,
            name: names.rules[index].to_string(),
            from: rule.from.iter().map(zone).collect(),
            to: rule.to.iter().map(zone).collect(),
            source: rule.source.iter().map(address_text).collect(),
            destination: rule.destination.iter().map(address_text).collect(),
            service: rule.service.iter().map(service_text).collect(),
            application: rule.application.iter().map(|id| names.application(*id).to_string()).collect(),
            action: action_text(rule.action).to_owned(),
            session_logging: rule.session_logging,
            profile: rule.profile,
        }
    }
}

impl SigdbRow {
    /// What a database says of itself; `file` is where it was read from.
    pub fn new(database: &sigdb::Database, file: &std::path::Path) -> Self {
        let protocols = |application: &str| {
            database
                .protocols()
                .filter(|(owner, ..)| *owner == application)
                .map(|(_, name, transport, _)| match transport {
                    sigdb::Transport::Tcp => format!("{name}/tcp"),
                    sigdb::Transport::Udp => format!("{name}/udp"),
                })
                .collect()
        };
        let application = |(name, title): (&str, &str)| ApplicationRow {
            name: name.to_owned(),
            title: title.to_owned(),
            protocols: protocols(name),
        };
        Self {
            file: file.display().to_string(),
            version: database.version().to_owned(),
            date: database.date().to_owned(),
            digest: database.digest().iter().fold(String::new(), |mut text, octet| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{octet:02x}");
                text
            }),
            applications: database.applications().map(application).collect(),
        }
    }
}

/// A time as rows have it.
pub(super) fn time_text(time: Nanos) -> String {
    let mut text = Vec::new();
    rfc3339::write(&mut text, time, None);
    String::from_utf8(text).unwrap_or_default()
}

fn protocol_text(protocol: u8) -> String {
    match protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        132 => "sctp".to_owned(),
        other => other.to_string(),
    }
}

fn action_text(action: Action) -> &'static str {
    match action {
        Action::Permit => "permit",
        Action::Deny => "deny",
        Action::Reset => "reset",
    }
}

/// A prefix where the range is one, a single address or a range otherwise.
fn address_text(range: &AddressRange) -> String {
    let value = |address: Address| u128::from_be_bytes(address.0);
    let (first, last) = (value(range.first), value(range.last));
    let bits = if range.first.is_v4() { 32 } else { 128 };
    if first == last {
        return range.first.ip().to_string();
    }
    let free = (first ^ last).count_ones();
    let block = if free == 128 { u128::MAX } else { (1 << free) - 1 };
    if first ^ last == block && first & block == 0 && free <= bits {
        return format!("{}/{}", range.first.ip(), bits - free);
    }
    format!("{}-{}", range.first.ip(), range.last.ip())
}

/// As the configuration writes it.
fn service_text(service: &ServiceMatch) -> String {
    let Some(protocol) = service.protocol else { return "any".to_owned() };
    let ports = |range: PortRange| match (range.first, range.last) {
        (0, u16::MAX) => "any".to_owned(),
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    let name = protocol_text(protocol);
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("ip/{name}") } else { name };
    let (source, destination) = (service.source, service.destination);
    if destination == PortRange::ANY && source == PortRange::ANY {
        return name;
    }
    if protocol == 1 || protocol == 58 {
        let (kind, code) = (destination.first >> 8, destination.first & 0xff);
        return if destination.first == destination.last {
            format!("{name}/{kind}/{code}")
        } else {
            format!("{name}/{kind}")
        };
    }
    if source == PortRange::ANY {
        format!("{name}/{}", ports(destination))
    } else {
        format!("{name}/{}>{}", ports(source), ports(destination))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn range(first: &str, last: &str) -> AddressRange {
        let address = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
        AddressRange { first: address(first), last: address(last) }
    }

    #[test]
    fn ranges_are_written_as_operators_write_them() {
        assert_eq!(address_text(&range("10.0.0.1", "10.0.0.1")), "10.0.0.1");
        assert_eq!(address_text(&range("10.1.0.0", "10.1.255.255")), "10.1.0.0/16");
        assert_eq!(address_text(&range("0.0.0.0", "255.255.255.255")), "0.0.0.0/0");
        assert_eq!(address_text(&range("10.0.0.1", "10.0.0.2")), "10.0.0.1-10.0.0.2");
        assert_eq!(address_text(&range("10.0.0.2", "10.0.0.5")), "10.0.0.2-10.0.0.5");
        assert_eq!(address_text(&range("2001:db8::", "2001:db8::ffff")), "2001:db8::/112");
        assert_eq!(address_text(&range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), "::/0");
    }

    #[test]
    fn services_are_written_as_operators_write_them() {
        let any = PortRange::ANY;
        let port = |first, last| PortRange { first, last };
        let text = |protocol, source, destination| service_text(&ServiceMatch { protocol, source, destination });
        assert_eq!(text(None, any, any), "any");
        assert_eq!(text(Some(6), any, any), "tcp");
        assert_eq!(text(Some(6), any, port(80, 80)), "tcp/80");
        assert_eq!(text(Some(17), any, port(1000, 2000)), "udp/1000-2000");
        assert_eq!(text(Some(17), port(67, 67), port(68, 68)), "udp/67>68");
        assert_eq!(text(Some(17), port(53, 53), any), "udp/53>any");
        assert_eq!(text(Some(1), any, port(0x0800, 0x08ff)), "icmp/8");
        assert_eq!(text(Some(58), any, port(0x8000, 0x8000)), "icmpv6/128/0");
        assert_eq!(text(Some(47), any, any), "ip/47");
    }
}
