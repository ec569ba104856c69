//! A port with addresses of its own.

use crate::endpoint::{Address, Mac};
use crate::policy::PortId;

/// An interface: a port that routes.
#[derive(Clone, Debug)]
pub struct Interface {
    /// The port.
    pub port: PortId,
    /// Its MAC address.
    pub mac: Mac,
    /// Octets of the largest IP packet that leaves by it, 576 (1,280 where it has an IPv6 address) to 9,600.
    pub mtu: u16,
    /// Its addresses, each with the prefix length of its network.
    pub addresses: Vec<(Address, u8)>,
    /// Whether a session that comes in here must come from where its source is routed to, by zone (RFC 3704).
    pub reverse_path: bool,
}

impl Interface {
    /// The link-local address that follows from the MAC address (RFC 4291, 2.5.1 and appendix A); in use where the interface
    /// has any IPv6 address.
    pub const fn link_local(&self) -> Address {
        let [a, b, c, d, e, f] = self.mac.0;
        Address([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
    }

    /// Whether it speaks IPv6.
    pub fn has_ipv6(&self) -> bool {
        self.addresses.iter().any(|(address, _)| !address.is_v4())
    }

    /// Whether an address is its own.
    pub fn owns(&self, address: Address) -> bool {
        self.addresses.iter().any(|(own, _)| *own == address) || self.has_ipv6() && address == self.link_local()
    }

    /// Whether a neighbour may have this address: it is in a network of the interface, and neither our own nor that of a
    /// group. Link-local neighbours are those of any interface that speaks IPv6.
    pub fn is_neighbour(&self, address: Address) -> bool {
        let connected = self
            .addresses
            .iter()
            .any(|&(own, length)| is_within(own, length, address) && !is_edge(own, length, address));
        (connected || self.has_ipv6() && is_link_local(address)) && !self.owns(address)
    }

    /// Our address by which we speak to a neighbour: one of its network, else any of its family.
    pub fn address_towards(&self, other: Address) -> Option<Address> {
        if is_link_local(other) {
            return self.has_ipv6().then(|| self.link_local());
        }
        let family = || self.addresses.iter().filter(|(own, _)| own.is_v4() == other.is_v4());
        let same = family().find(|(own, length)| is_within(*own, *length, other));
        same.or_else(|| family().next()).map(|(own, _)| *own)
    }
}

/// A route that the configuration states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticRoute {
    /// The network's address.
    pub network: Address,
    /// Bits of it that count: 0 to 32, or 0 to 128.
    pub length: u8,
    /// The next hop and the port that leads to it; none: what goes there is dropped.
    pub via: Option<(PortId, Address)>,
}

/// An address's octets in its own family.
pub(super) fn octets(address: &Address) -> &[u8] {
    if address.is_v4() { &address.0[12..] } else { &address.0 }
}

/// Whether two addresses agree in their first `length` bits, and in their family.
pub fn is_within(network: Address, length: u8, address: Address) -> bool {
    let shift = if network.is_v4() { 32 - u32::from(length.min(32)) } else { 128 - u32::from(length.min(128)) };
    let difference = u128::from_be_bytes(network.0) ^ u128::from_be_bytes(address.0);
    network.is_v4() == address.is_v4() && difference.checked_shr(shift).unwrap_or(0) == 0
}

/// Whether an address is its IPv4 network's own or broadcast address; networks of one or two have none (RFC 3021).
pub fn is_edge(network: Address, length: u8, address: Address) -> bool {
    if !network.is_v4() || length >= 31 {
        return false;
    }
    let host = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    let bits = u32::from_be_bytes([address.0[12], address.0[13], address.0[14], address.0[15]]) & host;
    bits == 0 || bits == host
}

/// Whether an address is IPv6's and of one link only.
pub(super) const fn is_link_local(address: Address) -> bool {
    matches!(address.0, [0xfe, 0x80..=0xbf, ..])
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn only_hosts_of_its_networks_are_neighbours() {
        let interface = Interface {
            port: PortId(0),
            mac: Mac([2, 0, 0, 0, 0, 0xaa]),
            mtu: 1500,
            addresses: vec![(address("192.0.2.1"), 24), (address("198.51.100.0"), 31), (address("2001:db8::1"), 64)],
            reverse_path: true,
        };
        for neighbour in ["192.0.2.254", "198.51.100.1", "2001:db8::2", "fe80::1"] {
            assert!(interface.is_neighbour(address(neighbour)), "{neighbour}");
        }
        for other in ["192.0.2.1", "192.0.2.0", "192.0.2.255", "198.51.100.2", "2001:db9::2", "fe80::ff:fe00:aa"] {
            assert!(!interface.is_neighbour(address(other)), "{other}");
        }
        assert_eq!(interface.address_towards(address("192.0.2.9")), Some(address("192.0.2.1")));
        assert_eq!(interface.address_towards(address("203.0.113.1")), Some(address("192.0.2.1")));
        assert_eq!(interface.address_towards(address("fe80::9")), Some(address("fe80::ff:fe00:aa")));
        assert!(is_within(address("0.0.0.0"), 0, address("9.9.9.9")) && is_within(address("::"), 0, address("9::")));
    }
}
