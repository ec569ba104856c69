//! What the configuration says of access users.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dataplane::access::{AccessSettings, RadiusClient, Source};
use dataplane::endpoint::Address;
use sigdb::{AppId, Database};

use super::document::{Located, Notes};
use super::group::quoted;
use super::schema;
use super::schema::access::Nas;
use crate::export::Format;
use crate::presence::access::AccessLimits;
use crate::record::ipfix::AccessVersion;

/// Access users: where they are looked for, how long they are believed, and what of them is recorded.
#[derive(Clone, Debug)]
pub struct AccessConfig {
    /// What workers need to know.
    pub settings: Arc<AccessSettings>,
    /// Users at most, 1,000 to 4,000,000.
    pub max_users: usize,
    /// How long a user of whom nothing is heard is believed to be there, where the source says no other time; none: until it
    /// says otherwise.
    pub silence: Option<Duration>,
    /// The same of a PPPoE session that answered echoes.
    pub echo_timeout: Duration,
    /// Whether a logout ends the sessions of the user's addresses.
    pub end_sessions: bool,
    /// Where the firewall listens as a RADIUS accounting server.
    pub receiver: Option<SocketAddr>,
    /// Whether logins and logouts are recorded.
    pub records_access: bool,
    /// Whether results of logins are recorded.
    pub records_call_status: bool,
    /// What binary records of logins and logouts have; none: not said, and no host takes such records.
    pub version: Option<AccessVersion>,
    /// How logins and logouts are written where a host does not say otherwise.
    pub format: Format,
    /// How results are written where a host does not say otherwise.
    pub call_status_format: Format,
}

impl AccessConfig {
    /// Users at most, unless told otherwise.
    pub const MAX_USERS: usize = 100_000;
    /// How long a silent user is believed to be there, unless told otherwise.
    pub const SILENCE: Duration = Duration::from_secs(24 * 3600);
    /// The same of a PPPoE session.
    pub const ECHO_TIMEOUT: Duration = Duration::from_secs(180);
    /// Events of access users that wait for control at most, of one worker: 3 MiB.
    pub const EVENTS: usize = 4_096;
    /// UDP ports of RADIUS unless told otherwise: RFC 2865 and 2866, the ports before them, RFC 5176.
    pub const PORTS: [u16; 5] = [1812, 1813, 1645, 1646, 3799];

    /// What the table of users is bound by.
    pub fn limits(&self) -> AccessLimits {
        AccessLimits { users: self.max_users, silence: self.silence, echo_timeout: self.echo_timeout }
    }

    /// Whether something is recorded or not, users are followed, so that other records can name them.
    pub(super) fn compile(source: &schema::Source, database: &Database, notes: &mut Notes) -> Self {
        let (access, log) = (&source.access, &source.log);
        let sources = access.sources.as_ref().map_or_else(|| SOURCES.to_vec(), |list| each_once(&list.value, notes));
        let ports = match each_once(&access.ports, notes) {
            ports if ports.is_empty() => Self::PORTS.to_vec(),
            ports => ports,
        };
        let silence = (!access.silence.is_zero()).then_some(access.silence);
        let settings = AccessSettings {
            sources,
            ports,
            applications: names(database),
            clients: clients(&access.servers, notes),
            believes_unknown: access.believes_unknown,
            dhcp_servers: each_once(&access.dhcp_servers, notes),
            alive_every: alive_every(silence, access.echo_timeout),
            ..AccessSettings::default()
        };
        Self {
            settings: Arc::new(settings),
            max_users: access.max_users,
            silence,
            echo_timeout: access.echo_timeout,
            end_sessions: access.end_sessions,
            receiver: receiver(access, notes),
            records_access: log.access.enable,
            records_call_status: log.call_status.enable,
            version: log.access.version.as_ref().map(|version| version.value),
            format: log.access.format.unwrap_or(log.session.format),
            call_status_format: log.call_status.format.unwrap_or(log.session.format),
        }
    }
}

/// How often a PPPoE session has to say that it lives: so that two of these may be lost before it is taken to be over.
fn alive_every(silence: Option<Duration>, echo_timeout: Duration) -> Duration {
    let limit = silence.map_or(echo_timeout, |silence| silence.min(echo_timeout));
    (limit / 3).clamp(Duration::from_secs(1), AccessSettings::ALIVE_EVERY)
}

/// Where to listen: only access servers with a secret are answered, so that there must be one.
fn receiver(access: &schema::access::Access, notes: &mut Notes) -> Option<SocketAddr> {
    let listen = access.receiver.as_ref()?;
    if access.servers.is_empty() {
        let expected = "an access server, [[access.nas]], that is answered";
        let advice = "write one with its address and secret-file, or remove [access.receiver]";
        notes.fault(&listen.place, Some(listen.value.to_string()), expected, advice);
    }
    Some(listen.value)
}

/// The values of a list in which none may stand twice.
fn each_once<T: Copy + PartialEq>(list: &[Located<T>], notes: &mut Notes) -> Vec<T> {
    for (index, item) in list.iter().enumerate() {
        if list[..index].iter().any(|before| before.value == item.value) {
            notes.fault(&item.place, Some("an item named twice".to_owned()), "each item once", "remove one of them");
        }
    }
    list.iter().map(|item| item.value).collect()
}

/// Access servers with their secrets. One address has one secret, so that their order does not matter.
fn clients(servers: &[Nas], notes: &mut Notes) -> Vec<RadiusClient> {
    let (mut lines, mut taken): (BTreeMap<&str, usize>, Vec<(Address, u8)>) = <_>::default();
    let mut clients = Vec::new();
    for server in servers {
        if let Some(name) = &server.name
            && let Some(line) = lines.insert(&name.value, name.place.line)
        {
            let advice = format!("line {line} has it already: rename one of them");
            notes.fault(&name.place, Some(quoted(&name.value)), "a name of its own for each access server", advice);
        }
        for network in &server.networks {
            if taken.iter().any(|other| overlap(*other, network.value)) {
                let found = Some("an address that another access server, or item, has too".to_owned());
                notes.fault(
                    &network.place,
                    found,
                    "each address once",
                    "remove one of them, or write narrower prefixes",
                );
            }
            taken.push(network.value);
        }
        let Some(secret) = server.secret_file.as_ref().and_then(|file| secret(file, notes)) else { continue };
        clients.push(RadiusClient {
            name: server.name.as_ref().map_or_else(String::new, |name| name.value.clone()),
            networks: server.networks.iter().map(|network| network.value).collect(),
            secret,
            believes_unverified: server.believes_unverified,
        });
    }
    clients
}

/// Whether two networks have an address in common.
fn overlap((a, a_bits): (Address, u8), (b, b_bits): (Address, u8)) -> bool {
    let differ = u128::from_be_bytes(a.0) ^ u128::from_be_bytes(b.0);
    differ.leading_zeros() >= u32::from(a_bits.min(b_bits))
}

/// A secret: what the file holds, without the end of its one line.
fn secret(file: &Located<std::path::PathBuf>, notes: &mut Notes) -> Option<Box<[u8]>> {
    let name = file.value.display();
    let octets = match std::fs::read(&file.value) {
        Ok(octets) => octets,
        Err(error) => {
            let advice =
                "write the secret that the access server shares with its RADIUS server there, or correct the path";
            notes.fault(&file.place, Some(format!("{name} ({error})")), "a file that can be read", advice);
            return None;
        }
    };
    let secret = octets.strip_suffix(b"\n").unwrap_or(&octets);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    if secret.is_empty() || secret.contains(&b'\n') {
        let found = if secret.is_empty() { "no secret" } else { "more than one line" };
        let expected = "a file of one line, the secret";
        notes.fault(&file.place, Some(format!("{name} ({found})")), expected, "write one: printf %s SECRET > FILE");
        return None;
    }
    Some(secret.into())
}

/// Where users are looked for unless told otherwise.
const SOURCES: [Source; 4] = [Source::Radius, Source::Pppoe, Source::Dhcp, Source::Dot1x];

/// The numbers of the applications by which users sign on.
fn names(database: &Database) -> Vec<AppId> {
    ["radius", "dhcp", "dhcpv6"].into_iter().filter_map(|name| database.by_name(name)).collect()
}
