//! The forwarding table: our own addresses, connected networks, static routes, and what no router forwards.

use super::Config;
use super::hop::Hop;
use super::interface::octets;
use super::trie::{Prefix, Trie};
use crate::endpoint::Address;

/// Where every address leads.
#[derive(Debug)]
pub struct Fib {
    v4: Trie,
    v6: Trie,
    hops: Vec<Hop>,
}

/// Addresses that are not forwarded to whatever the routes say: this network, loopback, link-local, multicast, class E with
/// broadcast (RFC 1122, 3.2.1.3; RFC 3927, 7); unspecified, loopback, link-local and multicast of IPv6 (RFC 4291, 2.5.6).
const NEVER_V4: [([u8; 4], u8); 5] =
    [([0; 4], 8), ([127, 0, 0, 0], 8), ([169, 254, 0, 0], 16), ([224, 0, 0, 0], 4), ([240, 0, 0, 0], 4)];
const NEVER_V6: [(u16, u8); 2] = [(0xfe80, 10), (0xff00, 8)];

impl Fib {
    /// The table that follows from a configuration.
    pub fn new(config: &Config) -> Self {
        let mut entries: Vec<(Address, u8, Hop)> = Vec::new();
        for (network, length) in NEVER_V4 {
            entries.push((Address::v4(network), length, Hop::Group));
        }
        for (first, length) in NEVER_V6 {
            let mut network = [0; 16];
            network[..2].copy_from_slice(&first.to_be_bytes());
            entries.push((Address(network), length, Hop::Group));
        }
        let loopback = u128::to_be_bytes(1);
        entries.extend([(Address(loopback), 128, Hop::Group), (Address([0; 16]), 128, Hop::Group)]);
        for route in &config.routes {
            let hop = route.via.map_or(Hop::Discard, |(port, gateway)| Hop::Via { port, gateway });
            entries.push((route.network, route.length, hop));
        }
        // A connected network goes before a route of the same prefix, and what is within it before it.
        for interface in &config.interfaces {
            for &(address, length) in &interface.addresses {
                entries.push((address, length, Hop::Connected(interface.port)));
                if let Some((network, broadcast)) = edges(address, length) {
                    entries.extend([(network, 32, Hop::Group), (broadcast, 32, Hop::Group)]);
                }
            }
        }
        for interface in &config.interfaces {
            entries.extend(interface.addresses.iter().map(|(own, _)| (*own, full(own), Hop::Own)));
        }
        Self::of(&entries)
    }

    /// Where an address leads; none where no route has it.
    pub fn find(&self, address: Address) -> Option<Hop> {
        let trie = if address.is_v4() { &self.v4 } else { &self.v6 };
        self.hops.get((trie.find(octets(&address)) as usize).wrapping_sub(1)).copied()
    }

    /// Octets that it takes.
    pub fn octets(&self) -> usize {
        self.v4.octets() + self.v6.octets() + size_of_val(&*self.hops)
    }

    fn of(entries: &[(Address, u8, Hop)]) -> Self {
        let (mut v4, mut v6): (Vec<Prefix<4>>, Vec<Prefix<16>>) = (Vec::new(), Vec::new());
        let mut hops: Vec<Hop> = Vec::new();
        for (address, length, hop) in entries {
            let known = hops.iter().rposition(|known| known == hop);
            let value = known.unwrap_or_else(|| {
                hops.push(*hop);
                hops.len() - 1
            }) as u32
                + 1;
            match *address {
                Address([.., a, b, c, d]) if address.is_v4() => v4.push(([a, b, c, d], *length, value)),
                Address(octets) => v6.push((octets, *length, value)),
            }
        }
        Self { v4: Trie::new(v4), v6: Trie::new(v6), hops }
    }
}

fn full(address: &Address) -> u8 {
    if address.is_v4() { 32 } else { 128 }
}

/// An IPv4 network's own and its broadcast address; none of a network of one or two (RFC 3021), nor of IPv6.
fn edges(address: Address, length: u8) -> Option<(Address, Address)> {
    let Address([.., a, b, c, d]) = address;
    let mask = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    let own = u32::from_be_bytes([a, b, c, d]);
    let edge = |bits: u32| Address::v4(bits.to_be_bytes());
    (address.is_v4() && length < 31).then(|| (edge(own & !mask), edge(own | mask)))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::policy::PortId;
    use crate::route::{Interface, Mac, StaticRoute};

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn fib() -> Fib {
        let interface = |port, addresses: &[(&str, u8)]| Interface {
            port: PortId(port),
            mac: Mac([2, 0, 0, 0, 0, port as u8]),
            mtu: 1500,
            addresses: addresses.iter().map(|(own, length)| (address(own), *length)).collect(),
            reverse_path: true,
        };
        let route = |network: &str, length, via: Option<(u16, &str)>| StaticRoute {
            network: address(network),
            length,
            via: via.map(|(port, gateway)| (PortId(port), address(gateway))),
        };
        Fib::new(&Config {
            interfaces: vec![
                interface(0, &[("10.1.0.1", 24), ("2001:db8:1::1", 64)]),
                interface(1, &[("192.0.2.1", 30), ("198.51.100.0", 31)]),
            ],
            routes: vec![
                route("0.0.0.0", 0, Some((1, "192.0.2.2"))),
                route("10.0.0.0", 8, None),
                route("2001:db8:2::", 48, Some((0, "2001:db8:1::9"))),
                route("fc00::", 7, None),
            ],
            ..Config::default()
        })
    }

    #[test]
    fn the_longest_prefix_says_where_a_packet_goes() {
        let fib = fib();
        let via = |port, gateway| Some(Hop::Via { port: PortId(port), gateway: address(gateway) });
        for (destination, hop) in [
            ("8.8.8.8", via(1, "192.0.2.2")),
            ("10.2.3.4", Some(Hop::Discard)),
            ("10.1.0.7", Some(Hop::Connected(PortId(0)))),
            ("10.1.0.1", Some(Hop::Own)),
            ("192.0.2.2", Some(Hop::Connected(PortId(1)))),
            ("198.51.100.1", Some(Hop::Connected(PortId(1)))),
            ("198.51.100.0", Some(Hop::Own)),
            ("2001:db8:1::5", Some(Hop::Connected(PortId(0)))),
            ("2001:db8:1::1", Some(Hop::Own)),
            ("2001:db8:2::5", via(0, "2001:db8:1::9")),
            ("fd00::1", Some(Hop::Discard)),
            ("2001:db8:3::1", None),
        ] {
            assert_eq!(fib.find(address(destination)), hop, "{destination}");
        }
    }

    #[test]
    fn what_no_router_forwards_has_no_way_whatever_the_default_route_says() {
        let fib = fib();
        for group in [
            "0.0.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.5",
            "255.255.255.255",
            "10.1.0.0",
            "10.1.0.255",
            "192.0.2.3",
            "::",
            "::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert_eq!(fib.find(address(group)), Some(Hop::Group), "{group}");
        }
    }
}
