//! Access users and what becomes of their records, as `ostiary show` tells of them.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use dataplane::access::{Source, Text, parse_mac};
use dataplane::endpoint::Mac;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time_text;
use crate::config::{Compiled, Names};
use crate::export::{Cause, Counts, Format, HostConfig, HostStatus};
use crate::presence::access::{AccessTally, AccessUser, Person, SourceTally};
use crate::receiver::ReceiverTally;
use crate::record::access::{assigned_text, interface_text, legible, trust_text};
use crate::record::{Class, Record, json};

/// Records that the buffer of a log host counts as one packet, as the vendor's boxes do.
pub const PACKET: u64 = 7;

/// How records of a class of access users are made and sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessConfigRow {
    /// `access` or `call-status`.
    pub class: String,
    /// Whether they are made.
    pub enable: bool,
    /// What binary records have, 1 to 4; none where it is not set, and of `call-status`, which has no version.
    pub version: Option<u8>,
    /// How they are written where a log host does not say otherwise.
    pub r#type: String,
    /// The log hosts that take them.
    pub hosts: Vec<AccessHostRow>,
}

/// A log host that takes records of access users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessHostRow {
    /// Its name.
    pub name: String,
    /// `ip:port`.
    pub address: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// What secures the channel; none over `udp` and `tcp`.
    pub ssl_policy: Option<String>,
    /// How records are written for it.
    pub format: String,
}

/// What became of the records of a class of access users since the counts began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessStatisticsRow {
    /// `access` or `call-status`.
    pub class: String,
    /// When the counts began: the start, or the last reset.
    pub since: String,
    /// Users who are signed on now.
    pub users: u64,
    /// Events lost because a worker's queue was full; each loss was recorded. They are told under `access`.
    pub lost_events: u64,
    /// Records made.
    pub received: u64,
    /// Written, once for each log host.
    pub sent: u64,
    /// By log host.
    pub hosts: Vec<AccessHostCountsRow>,
    /// By where users sign on, whether recorded or not.
    pub sources: Vec<AccessSourceRow>,
    /// What the table of users made of their messages; under `access` only.
    pub table: Option<AccessTableRow>,
    /// Where the firewall is an accounting server itself: what came there; under `access` only.
    pub receiver: Option<ReceiverRow>,
}

/// What the table of users made of messages that are told in no record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessTableRow {
    /// Messages that came twice, or after those that end what they begin.
    pub repeated: u64,
    /// Messages about a sign-on that is not known.
    pub unknown: u64,
    /// Refusals of an address that nobody was seen to ask for.
    pub unasked: u64,
    /// Sign-ons of whom another source had told already: the same person at the same address.
    pub merged: u64,
    /// Users who gave way to others as the table was full.
    pub evicted: u64,
    /// Users who are not followed as the table was full.
    pub refused: u64,
}

/// What came to the firewall as an accounting server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReceiverRow {
    /// Where it listens.
    pub listen: String,
    /// Accounting requests that were taken.
    pub requests: u64,
    /// Those that came again, and were only answered.
    pub repeated: u64,
    /// Questions whether the server is there.
    pub status: u64,
    /// Answers that were sent.
    pub answers: u64,
    /// Answers that could not be.
    pub unsent: u64,
    /// From addresses that no access server has.
    pub unknown: u64,
    /// With a wrong authenticator.
    pub forged: u64,
    /// Neither an accounting request nor a signed Status-Server, or what contradicts itself.
    pub malformed: u64,
    /// For which there was no room in the table of users; not answered.
    pub refused: u64,
}

/// The records of a class for one log host: `records = acknowledged + dropped + uncarried + queued + spooled`, but for those
/// that were found on disk at start, and those that another host of the group got (see `show log statistics`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessHostCountsRow {
    /// Its name.
    pub name: String,
    /// Records that were for this host; those that waited when the counts began are among them.
    pub records: u64,
    /// Written, once each.
    pub sent: u64,
    /// Taken by the host, as far as its transport can tell.
    #[serde(default)]
    pub acknowledged: u64,
    /// Given up, for whatever cause but `uncarried`; said to the host in band.
    pub dropped: u64,
    /// In memory: waiting, or not acknowledged.
    pub queued: u64,
    /// On disk.
    #[serde(default)]
    pub spooled: u64,
    /// Of users whom the version of binary records cannot tell; not sent.
    pub uncarried: u64,
    /// Written again after a connection broke, on top of `sent`.
    pub resent: u64,
}

/// What users of one source did. Those of the other class are 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessSourceRow {
    /// `radius`, `pppoe`, `8021x`, `dhcp`, `dhcpv6`.
    pub source: String,
    /// Signed on.
    pub logins: u64,
    /// Signed off.
    pub logouts: u64,
    /// Found signed on; the login was not seen.
    pub seen: u64,
    /// Let in.
    pub accepted: u64,
    /// Refused.
    pub refused: u64,
}

/// Where the buffer of a log host is read and written: records of a class are numbered from 0 in the order in which they
/// were queued for it, and seven are a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessBufferRow {
    /// The log host.
    pub host: String,
    /// Records that wait to be sent.
    pub waiting: u64,
    /// The packet of the next record that is sent.
    pub reading: u64,
    /// The packet of the next record that is queued.
    pub writing: u64,
    /// That record's place in its packet, 0 to 6.
    pub record: u64,
}

/// A record that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaitingRow {
    /// For this log host.
    pub host: String,
    /// Its packet.
    pub packet: u64,
    /// Its place in the packet, 0 to 6.
    pub record: u64,
    /// Its fields, as `ostiary replay --json` has them.
    pub fields: Value,
}

/// Counts that began again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResetRow {
    /// `access` or `call-status`.
    pub class: String,
    /// When.
    pub since: String,
}

/// A user who is signed on at the access network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UserRow {
    /// `radius`, `pppoe`, `8021x`, `dhcp` or `dhcpv6`: which told first.
    pub source: String,
    /// All that know the user, that one among them.
    #[serde(default)]
    pub sources: Vec<String>,
    /// What the source identifies: the name, of DHCP the MAC address. Octets that are no text are `\xHH`.
    pub account: String,
    /// The person's name, where any source knows it.
    pub user: Option<String>,
    /// `person`, `host` or `port`: what the account names.
    pub identifies: String,
    /// IPv4 address.
    pub ipv4: Option<String>,
    /// IPv6 address.
    pub ipv6: Option<String>,
    /// IPv6 prefix and its length.
    pub prefix: Option<String>,
    /// How the user came to these: `router`, `dhcpv6`, `delegated`, `radius`.
    pub assigned: Option<String>,
    /// MAC address.
    pub mac: Option<String>,
    /// Port and VLANs: `inside.200.101`.
    pub interface: Option<String>,
    /// The access server's address.
    pub nas: Option<String>,
    /// The access server's name.
    pub nas_id: Option<String>,
    /// Acct-Session-Id.
    pub session_id: Option<String>,
    /// Class of RADIUS.
    pub group: Option<String>,
    /// Groups of `[user-group]` that rules name and the user is in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// `verified` or `unverified`, of RADIUS.
    pub trust: Option<String>,
    /// How it is known: `login` where the login was seen, `seen` where not.
    pub evidence: String,
    /// When the user signed on, or was first seen.
    pub since: String,
}

/// A piece of the table of users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPage {
    /// Those that were asked for.
    pub rows: Vec<UserRow>,
    /// Whether the table ends here.
    pub ends: bool,
}

/// Which users are asked for: those for whom everything that is given holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    user: Option<String>,
    address: Option<IpNet>,
    mac: Option<Mac>,
    interface: Option<String>,
    source: Option<Source>,
    nas: Option<String>,
}

impl UserFilter {
    /// Reads what a request gives.
    ///
    /// # Errors
    /// Which of it is not what it should be, for people.
    pub fn read([user, address, mac, interface, source, nas]: [&Option<String>; 6]) -> Result<Self, String> {
        let network = |text: &String| {
            let address = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            address.map_err(|_| format!("\"{text}\": neither an address nor a prefix"))
        };
        let station = |text: &String| {
            parse_mac(text.as_bytes()).ok_or_else(|| format!("\"{text}\": not a MAC address like 02:00:5e:00:53:01"))
        };
        let by_name = |text: &String| {
            let found = Source::ALL.into_iter().find(|source| source.name() == text);
            found.ok_or_else(|| format!("\"{text}\": not one of radius, pppoe, 8021x, dhcp, dhcpv6"))
        };
        Ok(Self {
            user: user.clone(),
            address: address.as_ref().map(network).transpose()?,
            mac: mac.as_ref().map(station).transpose()?,
            interface: interface.clone(),
            source: source.as_ref().map(by_name).transpose()?,
            nas: nas.clone(),
        })
    }

    /// Whether a user is asked for, as any of the sources knows one.
    pub fn takes(&self, person: &Person<'_>, names: &Names) -> bool {
        // With what the other sources know.
        let user = &*person.user;
        let is_named = |name: &String| {
            person.sign_ons().any(|user| {
                legible(&user.account) == **name || user.user.as_deref().is_some_and(|octets| legible(octets) == **name)
            })
        };
        let is_at = |wanted: &String| {
            interface(user, names).is_some_and(|there| {
                there.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        let is_of = |nas: &String| {
            legible(user.text(Text::NasId)) == **nas
                || user.nas.is_some_and(|address| address.ip().to_string() == **nas)
        };
        self.user.as_ref().is_none_or(is_named)
            && self.address.is_none_or(|network| person.sign_ons().any(|user| has_address(user, network)))
            && self.mac.is_none_or(|mac| person.sign_ons().any(|user| user.mac == Some(mac)))
            && self.interface.as_ref().is_none_or(is_at)
            && self.source.is_none_or(|source| person.sign_ons().any(|user| user.source.name() == source.name()))
            && self.nas.as_ref().is_none_or(is_of)
    }
}

/// Whether a user has an address of a network.
fn has_address(user: &AccessUser, network: IpNet) -> bool {
    let prefix = user.prefix.and_then(|(address, bits)| IpNet::new(IpAddr::from(address), bits).ok());
    user.ipv4.is_some_and(|address| network.contains(&IpAddr::from(address)))
        || user.ipv6.is_some_and(|address| network.contains(&IpAddr::from(address)))
        || prefix.is_some_and(|prefix| prefix.contains(&network) || network.contains(&prefix))
}

/// The access interface of a user.
fn interface(user: &AccessUser, names: &Names) -> Option<String> {
    (user.ports.0 != u16::MAX).then(|| interface_text(names.port(user.ports.0), user))
}

impl UserRow {
    /// A user in these groups, with the name of his port.
    pub fn new(person: &Person<'_>, groups: Vec<String>, names: &Names) -> Self {
        let user = &*person.user;
        let text = |which: Text| match user.text(which) {
            [] => None,
            octets => Some(legible(octets).into_owned()),
        };
        Self {
            source: user.source.name().to_owned(),
            sources: person.sources().into_iter().map(|source| source.name().to_owned()).collect(),
            account: legible(&user.account).into_owned(),
            user: user.user.as_deref().map(|octets| legible(octets).into_owned()),
            identifies: user.identifies().to_owned(),
            ipv4: user.ipv4.map(|address| IpAddr::from(address).to_string()),
            ipv6: user.ipv6.map(|address| IpAddr::from(address).to_string()),
            prefix: user.prefix.map(|(address, bits)| format!("{}/{bits}", IpAddr::from(address))),
            assigned: assigned_text(user.assigned).map(str::to_owned),
            mac: user.mac.map(|mac| mac.to_string()),
            interface: interface(user, names),
            nas: user.nas.map(|address| address.ip().to_string()),
            nas_id: text(Text::NasId),
            session_id: text(Text::SessionId),
            group: text(Text::Class),
            groups,
            trust: trust_text(user.trust).map(str::to_owned),
            evidence: if user.login { "login" } else { "seen" }.to_owned(),
            since: time_text(user.since),
        }
    }
}

impl AccessConfigRow {
    /// Of a class of a configuration.
    pub fn new(compiled: &Compiled, class: Class) -> Self {
        let access = &compiled.access;
        let is_access = class == Class::Access;
        let format = if is_access { access.format } else { access.call_status_format };
        let host = |host: &HostConfig| {
            let (_, format) = host.records.iter().find(|(taken, _)| *taken == class)?;
            Some(AccessHostRow::new(host, *format))
        };
        Self {
            class: class.text().to_owned(),
            enable: if is_access { access.records_access } else { access.records_call_status },
            version: access.version.filter(|_| is_access).map(|version| version.number()),
            r#type: format.text().to_owned(),
            hosts: compiled.hosts.iter().filter_map(host).collect(),
        }
    }
}

impl AccessHostRow {
    fn new(host: &HostConfig, format: Format) -> Self {
        Self {
            name: host.name.to_string(),
            address: host.target.to_string(),
            transport: host.transport.text().to_owned(),
            ssl_policy: host.transport.tls().map(|policy| policy.name.to_string()),
            format: format.text().to_owned(),
        }
    }
}

impl AccessSourceRow {
    /// What users of a source did, as far as it is of a class.
    pub fn new(name: &str, class: Class, tally: SourceTally) -> Self {
        let of = |wanted: Class, count: u64| if class == wanted { count } else { 0 };
        Self {
            source: name.to_owned(),
            logins: of(Class::Access, tally.logins),
            logouts: of(Class::Access, tally.logouts),
            seen: of(Class::Access, tally.seen),
            accepted: of(Class::CallStatus, tally.successes),
            refused: of(Class::CallStatus, tally.failures),
        }
    }
}

impl From<&AccessTally> for AccessTableRow {
    fn from(tally: &AccessTally) -> Self {
        let AccessTally { repeated, unknown, unasked, merged, evicted, refused, .. } = *tally;
        Self { repeated, unknown, unasked, merged, evicted, refused }
    }
}

impl ReceiverRow {
    /// Of a receiver that listens there.
    pub fn new(listen: SocketAddr, tally: ReceiverTally) -> Self {
        let ReceiverTally { requests, repeated, status, answers, unsent, unknown, forged, malformed, refused } = tally;
        let listen = listen.to_string();
        Self { listen, requests, repeated, status, answers, unsent, unknown, forged, malformed, refused }
    }
}

impl AccessHostCountsRow {
    /// A host's counters since they were `before`. What waited then counts as come since.
    pub fn since(name: &str, now: Counts, before: Counts) -> Self {
        let uncarried = |counts: Counts| counts.dropped_by(Cause::Uncarried);
        let dropped = |counts: Counts| counts.dropped() - uncarried(counts);
        Self {
            name: name.to_owned(),
            records: (now.generated + before.queued + before.spooled).saturating_sub(before.generated),
            sent: now.sent.saturating_sub(before.sent),
            acknowledged: now.acknowledged.saturating_sub(before.acknowledged),
            dropped: dropped(now).saturating_sub(dropped(before)),
            queued: now.queued,
            spooled: now.spooled,
            uncarried: uncarried(now).saturating_sub(uncarried(before)),
            resent: now.resent.saturating_sub(before.resent),
        }
    }
}

impl AccessBufferRow {
    /// Of one host; none where it does not take the class.
    pub fn new(status: &HostStatus, class: Class) -> Option<Self> {
        let taken = status.classes.iter().find(|taken| taken.class == class)?;
        let next = taken.left + taken.unsent;
        Some(Self {
            host: status.name.to_string(),
            waiting: taken.unsent,
            reading: taken.left / PACKET,
            writing: next / PACKET,
            record: next % PACKET,
        })
    }
}

impl WaitingRow {
    /// A record at its place among those that were queued for a host.
    pub fn new(host: &str, place: u64, record: &Record) -> Self {
        let mut line = Vec::new();
        json::write(&mut line, record);
        // What was just written is JSON.
        let fields = serde_json::from_slice(&line).unwrap_or_default();
        Self { host: host.to_owned(), packet: place / PACKET, record: place % PACKET, fields }
    }

    /// The places of a packet, or of one record in it.
    pub fn places(packet: u64, record: Option<u8>) -> Range<u64> {
        let first = packet.saturating_mul(PACKET);
        match record {
            None => first..first.saturating_add(PACKET),
            Some(record) => {
                let place = first.saturating_add(record.into());
                place..place.saturating_add(1)
            }
        }
    }
}
