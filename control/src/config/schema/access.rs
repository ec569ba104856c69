//! `[access]`, `[[access.nas]]` and their neighbours: where users of the access network are looked for, and who is believed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use dataplane::access::Source;
use dataplane::endpoint::Address;
use toml::de::DeValue;

use super::super::address;
use super::super::document::{Located, Notes, Section};
use super::super::value::{self, Refusal};
use crate::config::AccessConfig;

/// `[access]`.
#[derive(Debug)]
pub(crate) struct Access {
    /// `sources`; default: all but DHCPv6, which then only tells addresses of users known otherwise.
    pub(crate) sources: Option<Located<Vec<Located<Source>>>>,
    /// `ports` of RADIUS.
    pub(crate) ports: Vec<Located<u16>>,
    /// `max-users`; default 100,000.
    pub(crate) max_users: usize,
    /// `silence`; default 24 h; 0 s: only what is said ends a sign-on.
    pub(crate) silence: Duration,
    /// `echo-timeout`; default 3 min.
    pub(crate) echo_timeout: Duration,
    /// `end-sessions`: whether a logout ends the user's sessions; default false.
    pub(crate) end_sessions: bool,
    /// `[access.dhcp] servers`; default: any.
    pub(crate) dhcp_servers: Vec<Located<Ipv4Addr>>,
    /// `[access.radius] unknown-nas`; default: believed.
    pub(crate) believes_unknown: bool,
    /// `[access.receiver] listen`; default: nowhere.
    pub(crate) receiver: Option<Located<SocketAddr>>,
    /// `[[access.nas]]`.
    pub(crate) servers: Vec<Nas>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            sources: None,
            ports: Vec::new(),
            max_users: AccessConfig::MAX_USERS,
            silence: AccessConfig::SILENCE,
            echo_timeout: AccessConfig::ECHO_TIMEOUT,
            end_sessions: false,
            dhcp_servers: Vec::new(),
            believes_unknown: true,
            receiver: None,
            servers: Vec::new(),
        }
    }
}

/// One `[[access.nas]]`: an access server whose RADIUS is verified.
#[derive(Debug)]
pub(crate) struct Nas {
    /// `name`.
    pub(crate) name: Option<Located<String>>,
    /// `address`: addresses and prefixes that it asks from, with the bits of the prefix in 128.
    pub(crate) networks: Vec<Located<(Address, u8)>>,
    /// `secret-file`.
    pub(crate) secret_file: Option<Located<PathBuf>>,
    /// `unverified`; default: refused.
    pub(crate) believes_unverified: bool,
}

const SOURCES: &[(&str, Source)] = &[
    ("radius", Source::Radius),
    ("pppoe", Source::Pppoe),
    ("dhcp", Source::Dhcp),
    ("8021x", Source::Dot1x),
    ("dhcpv6", Source::Dhcpv6),
];

/// What becomes of messages that nobody can verify.
const BELIEF: &[(&str, bool)] = &[("believe", true), ("refuse", false)];

impl Access {
    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let mut read = Self::default();
        let Some(mut section) = section else { return read };
        read.sources = section.list("sources", notes, value::choice(SOURCES, &[]));
        read.ports =
            section.list("ports", notes, value::number(1_u16, u16::MAX)).map(|list| list.value).unwrap_or_default();
        if let Some(most) = section.optional("max-users", notes, value::number(1_000_usize, 4_000_000)) {
            read.max_users = most.value;
        }
        let silence = value::duration(Duration::ZERO, Duration::from_secs(365 * 86_400));
        if let Some(silence) = section.optional("silence", notes, silence) {
            read.silence = silence.value;
        }
        let echoes = value::duration(Duration::from_secs(10), Duration::from_secs(3600));
        if let Some(timeout) = section.optional("echo-timeout", notes, echoes) {
            read.echo_timeout = timeout.value;
        }
        read.end_sessions = section.optional("end-sessions", notes, value::boolean).is_some_and(|on| on.value);
        if let Some(mut dhcp) = section.table("dhcp", notes) {
            read.dhcp_servers = dhcp.list("servers", notes, ipv4).map(|list| list.value).unwrap_or_default();
            dhcp.finish(notes);
        }
        if let Some(mut radius) = section.table("radius", notes) {
            if let Some(belief) = radius.optional("unknown-nas", notes, value::choice(BELIEF, &[])) {
                read.believes_unknown = belief.value;
            }
            radius.finish(notes);
        }
        if let Some(mut receiver) = section.table("receiver", notes) {
            read.receiver = receiver.required("listen", notes, "the address and port to listen at", value::listen);
            receiver.finish(notes);
        }
        read.servers = section.tables("nas", notes).into_iter().map(|section| Nas::read(section, notes)).collect();
        section.finish(notes);
        read
    }
}

impl Nas {
    fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let name = section.required("name", notes, "the access server's name", value::name);
        if let Some(name) = &name {
            section.rename(format!("access.nas[{}]", name.value));
        }
        let networks = section.required_list("address", notes, "the addresses that it asks from", address::network);
        let networks = networks.map(|list| list.value).unwrap_or_default();
        let secret_file = section.required("secret-file", notes, "the file of the secret that it shares", value::path);
        let believes_unverified =
            section.optional("unverified", notes, value::choice(BELIEF, &[])).is_some_and(|belief| belief.value);
        section.finish(notes);
        Self { name, networks, secret_file, believes_unverified }
    }
}

fn ipv4(value: &DeValue<'_>) -> Result<Ipv4Addr, Refusal> {
    let refusal = || Refusal::new("an IPv4 address", "write it like \"10.40.2.3\"");
    let address: Ipv4Addr = value::text(value)?.parse().map_err(|_| refusal())?;
    if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
        return Err(refusal());
    }
    Ok(address)
}
