//! Interfaces, routes and neighbours.

use dataplane::endpoint::Address;
use dataplane::policy::PortId;
use dataplane::route::{Mac, NeighbourView};
use serde::{Deserialize, Serialize};

use crate::config::Compiled;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct InterfaceRow {
    /// Its port.
    pub port: String,
    /// Its zone.
    pub zone: String,
    /// Its MAC address.
    pub mac: String,
    /// Its addresses, `ip/length`.
    pub addresses: Vec<String>,
    /// Octets of the largest IP packet.
    pub mtu: u16,
    /// `up`, `down`.
    pub link: String,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RouteRow {
    /// The network, `ip/length`.
    pub to: String,
    /// `connected`, `static`, `discard`.
    pub kind: String,
    /// The next hop, where there is one.
    pub via: Option<String>,
    /// The port that leads there, where there is one.
    pub interface: Option<String>,
}

/// A neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NeighbourRow {
    /// Its address.
    pub address: String,
    /// Its MAC address, where known.
    pub mac: Option<String>,
    /// The port that it is behind.
    pub interface: String,
    /// `incomplete`, `reachable`, `stale`, `probing`, `failed`.
    pub state: String,
    /// Packets that wait for it to answer.
    pub waiting: u8,
}

impl InterfaceRow {
    /// The interfaces of a configuration; `port` says each port's MAC address and whether its link is up.
    pub fn all(compiled: &Compiled, port: impl Fn(PortId) -> (Option<Mac>, bool)) -> Vec<Self> {
        let names = &compiled.names;
        let row = |interface: &crate::runtime::InterfaceConfig| {
            let (mac, up) = port(interface.port);
            Self {
                port: names.port(interface.port.0).to_string(),
                zone: names.zone_of_port(interface.port.0).to_string(),
                mac: mac.map_or_else(|| "-".to_owned(), |mac| mac.to_string()),
                addresses: interface.addresses.iter().map(|&(own, length)| prefix(own, length)).collect(),
                mtu: interface.mtu,
                link: if up { "up" } else { "down" }.to_owned(),
            }
        };
        compiled.dataplane.routing.interfaces.iter().map(row).collect()
    }
}

impl RouteRow {
    /// The routes of a configuration: connected networks, then what it states.
    pub fn all(compiled: &Compiled) -> Vec<Self> {
        let routing = &compiled.dataplane.routing;
        let name = |port: PortId| Some(compiled.names.port(port.0).to_string());
        let mut rows: Vec<Self> = Vec::new();
        for interface in &routing.interfaces {
            for &(own, length) in &interface.addresses {
                let (kind, interface) = ("connected".to_owned(), name(interface.port));
                rows.push(Self { to: prefix(network(own, length), length), kind, via: None, interface });
            }
        }
        // Two addresses of one network are one route.
        rows.dedup();
        for route in &routing.routes {
            rows.push(Self {
                to: prefix(route.network, route.length),
                kind: if route.via.is_some() { "static" } else { "discard" }.to_owned(),
                via: route.via.map(|(_, gateway)| gateway.ip().to_string()),
                interface: route.via.and_then(|(port, _)| name(port)),
            });
        }
        rows
    }
}

impl NeighbourRow {
    pub(in super::super) fn new(view: &NeighbourView, compiled: &Compiled) -> Self {
        Self {
            address: view.address.ip().to_string(),
            mac: view.mac.map(|mac| mac.to_string()),
            interface: compiled.names.port(view.port.0).to_string(),
            state: view.state.to_owned(),
            waiting: view.waiting,
        }
    }
}

fn prefix(address: Address, length: u8) -> String {
    format!("{}/{length}", address.ip())
}

fn network(address: Address, length: u8) -> Address {
    let host = if address.is_v4() { 32 - u32::from(length.min(32)) } else { 128 - u32::from(length.min(128)) };
    let mask = u128::MAX.checked_shl(host).unwrap_or(0);
    Address((u128::from_be_bytes(address.0) & mask).to_be_bytes())
}
