//! `[protection]`: what is dropped and told as an attack.

use dataplane::flow::Window;
use dataplane::guard::{Floods, Limit, Protection, Screen};
use toml::de::DeValue;

use super::super::describe::Kind;
use super::super::document::{Located, Notes, Section};
use super::super::value;

/// `[protection]`; its defaults are those of [`Protection`].
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// All but what zones say.
    pub(crate) protection: Protection,
    /// `[protection.zone.NAME]`.
    pub(crate) zones: Vec<Zone>,
}

/// One `[protection.zone.NAME]`.
#[derive(Debug)]
pub(crate) struct Zone {
    /// The zone.
    pub(crate) name: Located<String>,
    /// `networks`: source addresses that may come in; default any.
    pub(crate) networks: Vec<Located<String>>,
    /// `reverse-check`: refuse what other zones name as theirs; default true.
    pub(crate) reverse_check: Option<Located<bool>>,
    /// `drop-bogons`: refuse sources that the Internet does not route; default false.
    pub(crate) drop_bogons: bool,
}

/// `[protection.drop]`: the kinds by their keys, which are their counters' names.
const SCREENS: &[(&str, Screen)] = &[
    ("land", Screen::Land),
    ("bad-address", Screen::BadSource),
    ("bad-tcp-flags", Screen::TcpFlags),
    ("ttl-zero", Screen::TtlZero),
    ("source-route", Screen::SourceRoute),
    ("bad-ip-option", Screen::BadIpOption),
    ("record-route", Screen::RecordRoute),
    ("ip-timestamp", Screen::IpTimestamp),
    ("ip-option", Screen::IpOption),
    ("smurf", Screen::Smurf),
    ("fraggle", Screen::Fraggle),
    ("icmp-redirect", Screen::IcmpRedirect),
    ("icmp-fragment", Screen::IcmpFragment),
    ("syn-fragment", Screen::SynFragment),
    ("unknown-protocol", Screen::UnknownProtocol),
    ("tcp-overlap", Screen::TcpOverlap),
    ("bad-transport-checksum", Screen::TransportChecksum),
    ("ttl-anomaly", Screen::TtlAnomaly),
];

impl Source {
    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let mut read = Self::default();
        let Some(mut section) = section else { return read };
        let protection = &mut read.protection;
        let windows = &[("strict", Window::Strict), ("loose", Window::Loose), ("off", Window::Off)];
        if let Some(window) = section.optional("tcp-window", notes, value::choice(windows, &[])) {
            protection.tcp_window = window.value;
        }
        if let Some(retry) = section.optional("syn-retry", notes, value::boolean) {
            protection.syn_retry = retry.value;
        }
        if let Some(rate) = section.optional("stray-rate", notes, value::number(1_u64, 1_000_000)) {
            protection.stray_rate = rate.value;
        }
        if let Some(octets) = section.optional("largest-icmp", notes, value::number(28_u32, 65_535)) {
            protection.large_icmp = octets.value;
            protection.screens.set(Screen::LargeIcmp, true);
        }
        if let Some(mut section) = section.table("drop", notes) {
            for (key, screen) in SCREENS {
                if let Some(on) = section.optional(key, notes, value::boolean) {
                    protection.screens.set(*screen, on.value);
                }
            }
            section.finish(notes);
        }
        if let Some(section) = section.table("limit", notes) {
            read_limits(&mut protection.floods, section, notes);
        }
        if let Some(section) = section.table("zone", notes) {
            read.zones = Zone::read_all(section, notes);
        }
        section.finish(notes);
        read
    }
}

fn read_limits(floods: &mut Floods, mut section: Section<'_, '_>, notes: &mut Notes) {
    for (key, limit) in [
        ("tcp", &mut floods.tcp),
        ("udp", &mut floods.udp),
        ("icmp", &mut floods.icmp),
        ("other", &mut floods.other),
        ("fragments", &mut floods.fragments),
    ] {
        let Some(mut section) = section.table(key, notes) else { continue };
        let rate = value::number(1_u32, 100_000_000);
        let mut read = |key| section.optional(key, notes, &rate).map_or(0, |rate| rate.value);
        *limit = Limit { source: read("source"), destination: read("destination") };
        section.finish(notes);
    }
    section.finish(notes);
}

impl Zone {
    fn read_all(section: Section<'_, '_>, notes: &mut Notes) -> Vec<Self> {
        let mut zones = Vec::new();
        for (name, value) in section.entries(notes) {
            let DeValue::Table(table) = value.get_ref() else {
                let found = Some(notes.source(value.span()));
                let advice = format!("write it as [{}]", name.place.key);
                notes.fault(&name.place, found, "a table", advice);
                continue;
            };
            notes.describe(&name.place.key, Kind::Table, false);
            let mut section = Section::new(name.place.key.clone(), value.span(), table, notes);
            let zone = Self {
                networks: section.list("networks", notes, value::text).map(|list| list.value).unwrap_or_default(),
                reverse_check: section.optional("reverse-check", notes, value::boolean),
                drop_bogons: section.optional("drop-bogons", notes, value::boolean).is_some_and(|on| on.value),
                name,
            };
            section.finish(notes);
            zones.push(zone);
        }
        zones
    }
}
