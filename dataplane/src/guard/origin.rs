//! Which source addresses may come in by which port.

use crate::endpoint::Address;
use crate::policy::{AddressRange, PortId};
use crate::verdict::DropReason;

/// What a port's zone says of source addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginRule {
    /// Only these; empty: any.
    pub networks: Vec<AddressRange>,
    /// Not these: what other zones have for themselves.
    pub elsewhere: Vec<AddressRange>,
    /// Not those that the Internet does not route: private, shared, documentation, reserved (RFC 6890).
    pub drop_bogons: bool,
}

/// The rules of all ports, for first packets.
#[derive(Debug)]
pub struct Origin {
    ports: Box<[Ranges]>,
    /// Directed broadcast addresses of the networks that are known.
    broadcasts: Box<[Address]>,
}

#[derive(Debug, Default)]
struct Ranges {
    networks: Box<[AddressRange]>,
    elsewhere: Box<[AddressRange]>,
    drop_bogons: bool,
}

impl Origin {
    /// Of these rules, by [`PortId`].
    pub fn new(rules: &[OriginRule]) -> Self {
        let mut broadcasts: Vec<Address> =
            rules.iter().flat_map(|rule| &rule.networks).filter_map(directed_broadcast).collect();
        broadcasts.sort_unstable();
        broadcasts.dedup();
        let ports = rules.iter().map(|rule| Ranges {
            networks: joined(&rule.networks),
            elsewhere: joined(&rule.elsewhere),
            drop_bogons: rule.drop_bogons,
        });
        Self { ports: ports.collect(), broadcasts: broadcasts.into() }
    }

    /// Whether any port has rules of its own about addresses: then packets of a session have to come in on their side.
    pub fn is_bound(&self) -> bool {
        self.ports.iter().any(|port| !port.networks.is_empty() || !port.elsewhere.is_empty())
    }

    /// Whether an address may send by this port.
    pub fn check(&self, port: PortId, source: Address) -> Result<(), DropReason> {
        let Some(rules) = self.ports.get(usize::from(port.0)) else { return Ok(()) };
        // A host that has no address yet asks for one, and a link's own addresses belong to every link.
        if is_of_the_link(source) {
            return Ok(());
        }
        if !rules.networks.is_empty() && !holds(&rules.networks, source) || holds(&rules.elsewhere, source) {
            return Err(DropReason::Spoofed);
        }
        if rules.drop_bogons && is_bogon(source) {
            return Err(DropReason::Bogon);
        }
        Ok(())
    }

    /// Whether an address is a broadcast: the limited one, or that of a known network.
    pub fn is_broadcast(&self, address: Address) -> bool {
        address == Address::v4([255; 4]) || self.broadcasts.binary_search(&address).is_ok()
    }
}

/// In order, and joined where they meet.
fn joined(ranges: &[AddressRange]) -> Box<[AddressRange]> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| range.first);
    let mut joined: Vec<AddressRange> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.first <= last.last => last.last = last.last.max(range.last),
            _ => joined.push(range),
        }
    }
    joined.into()
}

fn holds(ranges: &[AddressRange], address: Address) -> bool {
    let after = ranges.partition_point(|range| range.first <= address);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| address <= range.last)
}

/// The last address of an IPv4 range that is a prefix with a broadcast address (RFC 3021 leaves two none).
fn directed_broadcast(range: &AddressRange) -> Option<Address> {
    let number = |address: Address| u128::from_be_bytes(address.0);
    if !range.first.is_v4() {
        return None;
    }
    let (first, last) = (number(range.first) as u32, number(range.last) as u32);
    let size = last.checked_sub(first)?.checked_add(1)?;
    (size.is_power_of_two() && size >= 4 && first.is_multiple_of(size)).then_some(range.last)
}

fn is_of_the_link(address: Address) -> bool {
    matches!(
        address.0,
        [0xfe, 0x80..=0xbf, ..]
            | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]
            | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    )
}

/// Addresses that nobody has on the Internet (RFC 6890 and IANA's special-purpose registries), 0.0.0.0 not among them.
fn is_bogon(address: Address) -> bool {
    match address.0 {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, _] => matches!(
            (a, b, c),
            (0 | 10 | 127 | 240..=255, ..)
                | (100, 64..=127, _)
                | (169, 254, _)
                | (172, 16..=31, _)
                | (192, 0, 0 | 2)
                | (192, 168, _)
                | (198, 18 | 19, _)
                | (198, 51, 100)
                | (203, 0, 113)
        ),
        // Unique local, discard-only, benchmarking, documentation, and what lies outside 2000::/3 and 64:ff9b::/96.
        [0x20, 0x01, 0x0d, 0xb8, ..] | [0x3f, 0xff, 0x00..=0x0f, ..] | [0x20, 0x01, 0, 2, 0, 0, ..] => true,
        [0x20..=0x3f, ..] | [0, 0x64, 0xff, 0x9b, ..] => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn range(first: &str, last: &str) -> AddressRange {
        AddressRange { first: address(first), last: address(last) }
    }

    #[test]
    fn a_zone_with_networks_sends_from_nothing_else_and_nobody_from_them() {
        let office = vec![
            range("10.1.0.0", "10.1.255.255"),
            range("10.1.4.0", "10.2.0.9"),
            range("2001:db8:1::", "2001:db8:1::ffff"),
        ];
        let inside = OriginRule { networks: office.clone(), ..OriginRule::default() };
        let outside = OriginRule { elsewhere: office, drop_bogons: true, ..OriginRule::default() };
        let origin = Origin::new(&[inside, outside]);
        assert!(origin.is_bound());
        for (port, source, expected) in [
            (0, "10.1.2.3", Ok(())),
            (0, "10.2.0.9", Ok(())),
            (0, "10.2.0.10", Err(DropReason::Spoofed)),
            (0, "8.8.8.8", Err(DropReason::Spoofed)),
            (0, "2001:db8:1::1", Ok(())),
            (0, "fe80::1", Ok(())),
            (0, "0.0.0.0", Ok(())),
            (1, "8.8.8.8", Ok(())),
            (1, "10.1.2.3", Err(DropReason::Spoofed)),
            (1, "10.9.0.1", Err(DropReason::Bogon)),
            (1, "2a00::1", Ok(())),
            (1, "fd00::1", Err(DropReason::Bogon)),
            (7, "10.1.2.3", Ok(())),
        ] {
            assert_eq!(origin.check(PortId(port), address(source)), expected, "{source} by {port}");
        }
    }

    #[test]
    fn only_prefixes_have_a_broadcast_address() {
        let networks =
            vec![range("10.1.0.0", "10.1.0.255"), range("10.3.0.4", "10.3.0.9"), range("10.4.0.2", "10.4.0.3")];
        let origin = Origin::new(&[OriginRule { networks, ..OriginRule::default() }]);
        for (text, expected) in [
            ("10.1.0.255", true),
            ("255.255.255.255", true),
            ("10.1.0.254", false),
            ("10.3.0.9", false),
            ("10.4.0.3", false),
        ] {
            assert_eq!(origin.is_broadcast(address(text)), expected, "{text}");
        }
    }
}
