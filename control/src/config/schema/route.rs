//! `[[interface]]` and `[[route]]`: ports with addresses, and where packets go between them.

use std::net::IpAddr;

use toml::de::DeValue;

use super::super::document::{Located, Notes, Section};
use super::super::fault::Place;
use super::super::value::{self, Refusal};

/// An address or a network as it is written, with its prefix length.
pub(crate) type Prefix = (IpAddr, u8);

/// One `[[interface]]`.
#[derive(Debug)]
pub(crate) struct Interface {
    /// `port`: the name of a port that is in no wire.
    pub(crate) port: Option<Located<String>>,
    /// `addresses`.
    pub(crate) addresses: Vec<Located<Prefix>>,
    /// `mtu`; default: the port's.
    pub(crate) mtu: Option<Located<u16>>,
    /// `reverse-path-check`; default true.
    pub(crate) reverse_path: bool,
}

impl Interface {
    pub(super) fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let mut port = section.required("port", notes, "the name of a port", value::name);
        if let Some(port) = &mut port {
            section.rename(format!("interface[{}]", port.value));
            port.place.key = format!("interface[{}].port", port.value);
        }
        let list = section.required_list("addresses", notes, ADDRESS, address);
        let mtu = section.optional("mtu", notes, value::number(576_u16, 9_600));
        let check = section.optional("reverse-path-check", notes, value::boolean);
        section.later("vlan", notes);
        section.finish(notes);
        let addresses = list.map(|list| list.value).unwrap_or_default();
        Self { port, addresses, mtu, reverse_path: check.is_none_or(|check| check.value) }
    }
}

/// One `[[route]]`.
#[derive(Debug)]
pub(crate) struct Route {
    /// Where it is written.
    pub(crate) place: Place,
    /// `to`: a network.
    pub(crate) to: Option<Located<Prefix>>,
    /// `via`: a router's address.
    pub(crate) via: Option<Located<IpAddr>>,
    /// `interface`: the port that leads to it; needed where its address is link-local.
    pub(crate) interface: Option<Located<String>>,
    /// `discard`; default false.
    pub(crate) discard: bool,
}

impl Route {
    pub(super) fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let mut to = section.required("to", notes, NETWORK, network);
        if let Some(to) = &mut to {
            section.rename(format!("route[{}/{}]", to.value.0, to.value.1));
            to.place.key = format!("route[{}/{}].to", to.value.0, to.value.1);
        }
        let via = section.optional("via", notes, gateway);
        let interface = section.optional("interface", notes, value::name);
        let discard = section.optional("discard", notes, value::boolean).is_some_and(|discard| discard.value);
        let place = section.place().clone();
        section.finish(notes);
        Self { place, to, via, interface, discard }
    }
}

const ADDRESS: &str = "an address with the length of its network's prefix, like \"192.0.2.1/24\" or \"2001:db8::1/64\"";
const NETWORK: &str = "a network, like \"198.51.100.0/24\", \"0.0.0.0/0\" or \"2001:db8:9::/48\"";

fn address(value: &DeValue<'_>) -> Result<Prefix, Refusal> {
    let (address, length) = prefix(value, ADDRESS)?;
    if length == 0 {
        return Err(Refusal::new(ADDRESS, "give the length of the network that the interface is in"));
    }
    if is_reserved(address) || is_link_local(address) {
        let advice = "choose a unicast address; IPv6 link-local addresses follow from the port's MAC address";
        return Err(Refusal::new("an address that an interface can have", advice));
    }
    if let IpAddr::V4(v4) = address
        && length < 31
    {
        let host = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
        if [0, host].contains(&(v4.to_bits() & host)) {
            let advice = "this one is the network's own or its broadcast address: choose one between them";
            return Err(Refusal::new("an address that an interface can have", advice));
        }
    }
    Ok((address, length))
}

fn network(value: &DeValue<'_>) -> Result<Prefix, Refusal> {
    let (address, length) = prefix(value, NETWORK)?;
    let net = ipnet::IpNet::new(address, length).map_err(|_| Refusal::new(NETWORK, "correct the prefix length"))?;
    if net.network() != address {
        return Err(Refusal::new("a network without bits behind its prefix", format!("write \"{}\"", net.trunc())));
    }
    if length > 0 && (is_reserved(address) || is_link_local(address)) {
        return Err(Refusal::new("a network that can be routed", "remove it: nothing is forwarded there"));
    }
    Ok((address, length))
}

fn gateway(value: &DeValue<'_>) -> Result<IpAddr, Refusal> {
    const EXPECTED: &str = "the address of a router on a connected network";
    let text = value::text(value)?;
    let address: IpAddr =
        text.parse().map_err(|_| Refusal::new(EXPECTED, "write it like \"192.0.2.254\" or \"fe80::1\""))?;
    if is_reserved(address) || is_mapped(address) {
        return Err(Refusal::new(EXPECTED, "choose a unicast address"));
    }
    Ok(address)
}

fn prefix(value: &DeValue<'_>, expected: &str) -> Result<Prefix, Refusal> {
    let text = value::text(value)?;
    let (address, length) = text.split_once('/').ok_or_else(|| Refusal::new(expected, "add the prefix length"))?;
    let address: IpAddr = address.trim().parse().map_err(|_| Refusal::new(expected, "correct the address"))?;
    if is_mapped(address) {
        return Err(Refusal::new(expected, format!("write this IPv4 address as \"{}\"", address.to_canonical())));
    }
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = length.trim().parse().ok().filter(|length| *length <= longest);
    let length = length.ok_or_else(|| Refusal::new(expected, format!("write a prefix length up to {longest}")))?;
    Ok((address, length))
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// Addresses that are nobody's on a network: this network, loopback, multicast, class E; unspecified, loopback, multicast.
fn is_reserved(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets()[0], 0 | 127 | 224..),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_loopback() || v6.is_multicast(),
    }
}

/// Whether an address is of one link only.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
