//! Ports, their zones, the wires between them, and what the dataplane is started with.

use std::collections::BTreeMap;

use dataplane::policy::{PortId, ZoneId};

use super::document::{Located, Notes};
use super::group::{ANY, quoted};
use super::near;
use super::route::{OWN, Used};
use super::schema::Source;
use super::schema::dataplane::Port;
use crate::record::Name;
use crate::runtime::{DataplaneConfig, PortConfig, RoutingConfig};

/// Ports in their order, and the zones in the order of their first port.
pub(super) struct Ports {
    /// By [`PortId`].
    pub(super) names: Vec<String>,
    /// By [`ZoneId`].
    pub(super) zones: Vec<String>,
    /// The zone of each port.
    pub(super) port_zones: Vec<ZoneId>,
}

impl Ports {
    /// Resolves all ports. Names, devices and zones that cannot be are noted.
    pub(super) fn resolve(source: &Source, notes: &mut Notes) -> Self {
        let mut ports = Self { names: Vec::new(), zones: Vec::new(), port_zones: Vec::new() };
        let mut devices: BTreeMap<String, String> = BTreeMap::new();
        if source.ports.is_empty() {
            let place = notes.whole("port");
            notes.fault(&place, None, "at least two ports, joined by a wire", "add two [[port]] and a [[wire]]");
        }
        for port in &source.ports {
            let name = port.name.as_ref().map_or("", |name| name.value.as_str());
            if let Some(located) = &port.name
                && ports.names.iter().any(|known| known == name)
            {
                notes.fault(
                    &located.place,
                    Some(quoted(name)),
                    "a name of its own for each port",
                    "rename one of them",
                );
            }
            ports.names.push(name.to_owned());
            ports.port_zones.push(ports_zone(&mut ports.zones, port, notes));
            if let Some(device) = &port.device
                && let Some(other) = devices.insert(device.value.name(), name.to_owned())
            {
                let expected = "a device of its own for each port";
                let advice = format!("port \"{other}\" has it already: choose another device");
                notes.fault(&device.place, Some(quoted(&device.value.name())), expected, advice);
            }
        }
        ports
    }

    /// Pairs of ports. Each port is in one at most; those that are in one are added to `used`.
    pub(super) fn wires(&self, source: &Source, used: &mut Used, notes: &mut Notes) -> Vec<(PortId, PortId)> {
        let mut wires = Vec::new();
        for wire in &source.wires {
            let mut end = |port: &Located<String>| {
                let index = self.names.iter().position(|name| *name == port.value);
                let Some(index) = index else {
                    let advice =
                        near::suggest(&port.value, self.names.iter().map(String::as_str), "define it as a [[port]]");
                    notes.fault(&port.place, Some(quoted(&port.value)), "the name of a port", advice);
                    return None;
                };
                if let Some(other) = used.insert(index, port.place.clone()) {
                    let advice = format!("it is in the wire at line {} already: remove it from one", other.line);
                    notes.fault(&port.place, Some(quoted(&port.value)), "a port that is in no other wire", advice);
                    return None;
                }
                u16::try_from(index).ok().map(PortId)
            };
            if let (Some(a), Some(b)) = (end(&wire.ports[0]), end(&wire.ports[1])) {
                wires.push((a, b));
            }
        }
        wires
    }

    /// Notes ports that are in no wire and in no interface.
    pub(super) fn unused(&self, source: &Source, used: &Used, notes: &mut Notes) {
        // A wire or an interface with a fault would make its ports look forgotten.
        let faulty = |key: &str| key.starts_with("wire") || key.starts_with("interface");
        if notes.faults.iter().any(|fault| faulty(&fault.place.key)) {
            return;
        }
        for (index, port) in source.ports.iter().enumerate() {
            if !used.contains_key(&index) && port.name.is_some() {
                let found = Some(format!("port \"{}\" in neither", self.names[index]));
                notes.fault(
                    &port.place,
                    found,
                    "every port in a wire or an interface",
                    "add a [[wire]] that joins it to another, or an [[interface]], or remove it",
                );
            }
        }
    }

    /// Adds the firewall itself, where it has interfaces: a port and a zone of its own behind all others.
    pub(super) fn add_own(&mut self, source: &Source, routing: &RoutingConfig, notes: &mut Notes) {
        if routing.own.is_none() {
            return;
        }
        for port in &source.ports {
            for name in [&port.name, &port.zone].into_iter().flatten().filter(|name| name.value == OWN) {
                let expected = "another name: with interfaces, \"self\" is the firewall itself";
                notes.fault(&name.place, Some(quoted(OWN)), expected, "choose another name");
            }
        }
        match u8::try_from(self.zones.len()) {
            Ok(zone) => {
                self.zones.push(OWN.to_owned());
                self.names.push(OWN.to_owned());
                self.port_zones.push(ZoneId(zone));
            }
            Err(_) => {
                let place = notes.whole("interface");
                let advice = "put ports of one kind into one zone";
                notes.fault(&place, Some("256 zones".to_owned()), "at most 255 zones beside \"self\"", advice);
            }
        }
    }
}

fn ports_zone(zones: &mut Vec<String>, port: &Port, notes: &mut Notes) -> ZoneId {
    let Some(zone) = &port.zone else { return ZoneId(0) };
    if zone.value == ANY {
        notes.fault(&zone.place, Some(quoted(ANY)), "a zone's name; \"any\" means all zones", "choose another name");
    }
    let known = zones.iter().position(|known| *known == zone.value);
    let index = known.unwrap_or_else(|| {
        zones.push(zone.value.clone());
        zones.len() - 1
    });
    match u8::try_from(index) {
        Ok(index) => ZoneId(index),
        Err(_) => {
            notes.fault(
                &zone.place,
                Some(quoted(&zone.value)),
                "at most 256 zones",
                "put ports of one kind into one zone",
            );
            ZoneId(0)
        }
    }
}

/// The port behind which the kernel serves our own addresses.
fn kernel_port(source: &Source, tap: &str) -> Option<PortConfig> {
    let descriptors = source.dataplane.descriptors;
    let longest = source.ports.iter().map(|port| port.mtu).max()?;
    let device = format!("net_tap_management0,iface={tap}").parse().ok()?;
    Some(PortConfig {
        name: Name::from(OWN),
        device,
        rx_descriptors: descriptors,
        tx_descriptors: descriptors,
        mtu: longest,
    })
}

/// What the dataplane is started with.
pub(super) fn dataplane(
    source: &Source,
    ports: &Ports,
    wires: Vec<(PortId, PortId)>,
    routing: RoutingConfig,
) -> DataplaneConfig {
    let written = &source.dataplane;
    let port = |(port, name): (&Port, &String)| {
        let descriptors = port.descriptors.unwrap_or(written.descriptors);
        Some(PortConfig {
            name: Name::from(name.as_str()),
            device: port.device.as_ref()?.value.clone(),
            rx_descriptors: descriptors,
            tx_descriptors: descriptors,
            mtu: port.mtu,
        })
    };
    let kernel = routing.management.as_ref().and_then(|tap| kernel_port(source, tap));
    DataplaneConfig {
        ports: source.ports.iter().zip(&ports.names).filter_map(port).chain(kernel).collect(),
        wires,
        nat: Vec::new(),
        routing,
        workers: written.worker_cores(),
        dispatcher: written.dispatcher.as_ref().map(|core| core.value),
        idle: written.idle,
        memory: u32::try_from(written.memory >> 20).unwrap_or(u32::MAX),
        hugepages: written.hugepages,
        file_prefix: written.file_prefix.clone(),
        mbufs: written.mbufs,
        max_sessions: written.max_sessions,
        inspection_slots: written.inspection_slots,
        resolved_addresses: written.resolved_addresses,
        fragment_slots: written.fragment_slots,
        session_events: written.session_events,
        sign_on_events: written.sign_on_events,
        timeouts: written.timeouts,
        midstream: written.midstream,
        verify_checksums: written.verify_checksums,
        protection: Default::default(),
    }
}
