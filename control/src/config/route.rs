//! Interfaces and routes, checked against the ports and against each other.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dataplane::endpoint::Address;
use dataplane::policy::PortId;
use dataplane::route::{StaticRoute, is_edge, is_within};

use super::document::{Located, Notes};
use super::fault::Place;
use super::group::quoted;
use super::near;
use super::port::Ports;
use super::schema::Source;
use super::schema::route::{Interface, Prefix, Route, is_link_local};
use crate::runtime::{InterfaceConfig, RoutingConfig};

/// The zone of the firewall itself, and its port's name in records.
pub(super) const OWN: &str = "self";

/// Neighbours of all interfaces together, unless told otherwise.
const NEIGHBOURS: usize = 4_096;
/// Routes at most.
const ROUTE_LIMIT: usize = 10_000;

/// Ports that wires or interfaces have, each with the place where it is said.
pub(super) type Used = BTreeMap<usize, Place>;

/// Resolves interfaces and routes. Their ports are added to `used`.
pub(super) fn routing(source: &Source, ports: &Ports, used: &mut Used, notes: &mut Notes) -> RoutingConfig {
    let neighbours = source.dataplane.neighbours.as_ref();
    let mut routing = RoutingConfig {
        neighbours: neighbours.map_or(NEIGHBOURS, |neighbours| neighbours.value),
        ..RoutingConfig::default()
    };
    let mut known: Vec<(Address, u8, PortId, Place)> = Vec::new();
    for interface in &source.interfaces {
        let port = interface.port.as_ref().and_then(|port| claim(port, ports, used, notes));
        let Some(port) = port else { continue };
        networks(interface, port, &mut known, notes);
        routing.interfaces.push(InterfaceConfig {
            port,
            addresses: interface.addresses.iter().map(|address| prefix(address.value)).collect(),
            mtu: mtu(source, interface, port, notes),
            reverse_path: interface.reverse_path,
        });
    }
    if source.interfaces.is_empty() {
        if let Some(route) = source.routes.first() {
            notes.fault(
                &route.place,
                Some("a route".to_owned()),
                "at least one [[interface]]",
                "add one, or remove it",
            );
        }
        if let Some(neighbours) = neighbours {
            let advice = "remove it, or add an [[interface]]: a wire has no neighbours";
            notes.fault(&neighbours.place, Some(neighbours.value.to_string()), "at least one [[interface]]", advice);
        }
        if let Some(tap) = &source.management.tap {
            let advice = "remove it, or add an [[interface]]: a wire has no addresses";
            notes.fault(&tap.place, Some(quoted(&tap.value)), "at least one [[interface]]", advice);
        }
        return routing;
    }
    routing.own = u16::try_from(source.ports.len()).ok().map(PortId);
    routing.management = source.management.tap.as_ref().map(|tap| tap.value.clone());
    if let Some(worker) = source.dataplane.workers.get(1) {
        let advice = "name one core: an answer of ARP reaches one worker only, so interfaces are served by one";
        notes.fault(&worker.place, Some("a second worker".to_owned()), "one worker, as there are interfaces", advice);
    }
    routing.routes = routes(source, ports, &routing, notes);
    routing
}

/// The port that an interface names, which nobody else has.
fn claim(port: &Located<String>, ports: &Ports, used: &mut Used, notes: &mut Notes) -> Option<PortId> {
    let Some(index) = ports.names.iter().position(|name| *name == port.value) else {
        let advice = near::suggest(&port.value, ports.names.iter().map(String::as_str), "define it as a [[port]]");
        notes.fault(&port.place, Some(quoted(&port.value)), "the name of a port", advice);
        return None;
    };
    if let Some(other) = used.insert(index, port.place.clone()) {
        let advice = format!("it is used at line {} already: remove it from one", other.line);
        notes.fault(&port.place, Some(quoted(&port.value)), "a port in no wire and in one interface", advice);
        return None;
    }
    u16::try_from(index).ok().map(PortId)
}

fn mtu(source: &Source, interface: &Interface, port: PortId, notes: &mut Notes) -> u16 {
    let of_port = source.ports.get(usize::from(port.0)).map_or(u16::MAX, |port| port.mtu);
    let least = if interface.addresses.iter().any(|address| address.value.0.is_ipv6()) { 1280 } else { 576 };
    let (mtu, place) = match (&interface.mtu, &interface.port) {
        (Some(mtu), _) => (mtu.value, &mtu.place),
        (None, Some(name)) => (of_port, &name.place),
        (None, None) => return of_port,
    };
    if mtu > of_port {
        let advice = "raise the port's, or lower this one";
        notes.fault(place, Some(mtu.to_string()), format!("at most the mtu of its port, {of_port}"), advice);
    } else if mtu < least {
        let advice = "every IPv4 network takes 576 octets, every IPv6 network 1280";
        notes.fault(place, Some(mtu.to_string()), format!("an mtu of at least {least}"), advice);
    }
    mtu
}

/// Notes addresses that are there twice, and networks that overlap those of another interface.
fn networks(interface: &Interface, port: PortId, known: &mut Vec<(Address, u8, PortId, Place)>, notes: &mut Notes) {
    for located in &interface.addresses {
        let (address, length) = prefix(located.value);
        let found = Some(format!("\"{}/{}\"", located.value.0, located.value.1));
        let twice = known.iter().find(|(other, ..)| *other == address);
        let overlap = known.iter().find(|(other, other_length, other_port, _)| {
            let same = *other_port == port && *other_length == length;
            !same && is_within(*other, length.min(*other_length), address)
        });
        if let Some((.., place)) = twice {
            let advice = format!("line {} has it already: choose another", place.line);
            notes.fault(&located.place, found, "an address of its own", advice);
        } else if let Some((.., place)) = overlap {
            let advice = format!("it overlaps the network of line {}: choose another address or length", place.line);
            notes.fault(&located.place, found, "a network of its own for each interface", advice);
        }
        known.push((address, length, port, located.place.clone()));
    }
}

fn routes(source: &Source, ports: &Ports, routing: &RoutingConfig, notes: &mut Notes) -> Vec<StaticRoute> {
    let mut lines: BTreeMap<Prefix, usize> = BTreeMap::new();
    let mut routes = Vec::new();
    if let Some(route) = source.routes.get(ROUTE_LIMIT) {
        let found = Some(format!("{} routes", source.routes.len()));
        notes.fault(&route.place, found, format!("at most {ROUTE_LIMIT} routes"), "join some of them");
    }
    for route in &source.routes {
        let Some(to) = &route.to else { continue };
        let found = || Some(format!("\"{}/{}\"", to.value.0, to.value.1));
        let (network, length) = prefix(to.value);
        if let Some(line) = lines.insert(to.value, to.place.line) {
            let advice = format!("line {line} has it already: remove one");
            notes.fault(&to.place, found(), "one route for each network", advice);
        }
        let connected = routing.interfaces.iter().flat_map(|interface| &interface.addresses);
        if connected.into_iter().any(|&(own, own_length)| own_length == length && is_within(own, length, network)) {
            notes.fault(&to.place, found(), "a network that is not connected", "remove it: an interface is in it");
        }
        let hosts = routing.interfaces.iter().flat_map(|interface| &interface.addresses);
        if hosts.into_iter().any(|&(own, _)| own == network && is_host(network, length)) {
            notes.fault(&to.place, found(), "a network of others", "remove it: this address is the firewall's own");
        }
        let via = match (&route.via, route.discard) {
            (Some(via), false) => match next_hop(route, via, ports, routing, notes) {
                Some(hop) => Some(hop),
                None => continue,
            },
            (None, true) => {
                if let Some(interface) = &route.interface {
                    let found = Some(quoted(&interface.value));
                    notes.fault(&interface.place, found, "no interface: the route leads nowhere", "remove it");
                }
                None
            }
            (via, _) => {
                let found = if via.is_some() { "both" } else { "neither" };
                let expected = "either via = \"ADDRESS\" or discard = true";
                notes.fault(&route.place, Some(found.to_owned()), expected, "say where it leads, or that it discards");
                continue;
            }
        };
        routes.push(StaticRoute { network, length, via });
    }
    routes
}

/// The port that leads to a route's next hop.
fn next_hop(
    route: &Route,
    via: &Located<IpAddr>,
    ports: &Ports,
    routing: &RoutingConfig,
    notes: &mut Notes,
) -> Option<(PortId, Address)> {
    let gateway = Address::from(via.value);
    let found = Some(quoted(&via.value.to_string()));
    if route.to.as_ref().is_some_and(|to| to.value.0.is_ipv4() != via.value.is_ipv4()) {
        notes.fault(&via.place, found, "a next hop of the network's own address family", "correct one of them");
        return None;
    }
    let mut candidates: Vec<&InterfaceConfig> = routing.interfaces.iter().collect();
    if let Some(name) = &route.interface {
        candidates.retain(|interface| ports.names.get(usize::from(interface.port.0)) == Some(&name.value));
        if candidates.is_empty() {
            let known =
                routing.interfaces.iter().filter_map(|interface| ports.names.get(usize::from(interface.port.0)));
            let advice = near::suggest(&name.value, known.map(String::as_str), "add an [[interface]] with this port");
            notes.fault(&name.place, Some(quoted(&name.value)), "the port of an interface", advice);
            return None;
        }
    }
    if is_link_local(via.value) {
        let speaks = |interface: &&InterfaceConfig| interface.addresses.iter().any(|(own, _)| !own.is_v4());
        let found_port = candidates.into_iter().find(|interface| route.interface.is_some() && speaks(interface));
        if found_port.is_none() {
            let advice = "add interface = \"PORT\": the port of an interface with an IPv6 address";
            notes.fault(&via.place, found, "a link-local next hop with its interface", advice);
        }
        return found_port.map(|interface| (interface.port, gateway));
    }
    let reaches = |interface: &&InterfaceConfig| {
        let owns = interface.addresses.iter().any(|(own, _)| *own == gateway);
        let reaches =
            |&(own, length): &(Address, u8)| is_within(own, length, gateway) && !is_edge(own, length, gateway);
        !owns && interface.addresses.iter().any(reaches)
    };
    let found_port = candidates.into_iter().find(reaches);
    if found_port.is_none() {
        let advice = "name a router that is on the network of an interface";
        notes.fault(&via.place, found, "another's address on a connected network", advice);
    }
    found_port.map(|interface| (interface.port, gateway))
}

/// Whether the prefix leaves one address.
fn is_host(address: Address, length: u8) -> bool {
    length == if address.is_v4() { 32 } else { 128 }
}

fn prefix((address, length): Prefix) -> (Address, u8) {
    (address.into(), length)
}
