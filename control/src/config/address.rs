//! Addresses as operators write them: `192.0.2.1`, `10.1.0.0/16`, `198.51.100.10-198.51.100.20`, `2001:db8::/32`.

use std::net::{IpAddr, Ipv6Addr};

use dataplane::endpoint::Address;
use dataplane::policy::AddressRange;
use ipnet::IpNet;

use toml::de::DeValue;

use super::group::{Item, Kind};
use super::value::{self, Refusal};

/// What `[address]` holds.
pub(super) const KIND: Kind<AddressRange> = Kind { section: "address", read, key, predefined: Vec::new };

const EXPECTED: &str = "an address, a prefix, a range FIRST-LAST, or the name of an [address] object";

/// The block of RFC 4291, 2.5.5.2 in which the dataplane keeps IPv4.
const MAPPED: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

fn read(text: &str) -> Item<AddressRange> {
    let text = text.trim();
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains([':', '/']) {
        return Item::Name;
    }
    let range = match text.split_once('-') {
        Some((first, last)) => range(first.trim(), last.trim()),
        None if text.contains('/') => prefix(text),
        None => single(text).map(|address| (address, address)),
    };
    match range {
        Ok((first, last)) => Item::Literal(split(first, last)),
        Err(refusal) => Item::Refused(refusal),
    }
}

/// An address or a prefix, with the bits of the prefix in the 128 of the mapped form.
pub(super) fn network(value: &DeValue<'_>) -> Result<(Address, u8), Refusal> {
    let text = value::text(value)?;
    let read = |text: &str| match text.contains('/') {
        true => prefix(text),
        false => single(text).map(|address| (address, address)),
    };
    let (first, last) =
        read(text.trim()).map_err(|refusal| Refusal { expected: "an address or a prefix".to_owned(), ..refusal })?;
    let (first, last) = (Address::from(first), Address::from(last));
    let differ = u128::from_be_bytes(first.0) ^ u128::from_be_bytes(last.0);
    Ok((first, differ.leading_zeros() as u8))
}

fn single(text: &str) -> Result<IpAddr, Refusal> {
    let address: IpAddr =
        text.parse().map_err(|_| Refusal::new(EXPECTED, "write it like \"192.0.2.1\" or \"2001:db8::1\""))?;
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => Err(Refusal::new(EXPECTED, format!("write this IPv4 address as \"{v4}\""))),
            None => Ok(address),
        },
        IpAddr::V4(_) => Ok(address),
    }
}

fn prefix(text: &str) -> Result<(IpAddr, IpAddr), Refusal> {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let address = single(address)?;
    let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
    let net = length.parse::<u8>().ok().and_then(|length| IpNet::new(address, length).ok()).ok_or_else(|| {
        Refusal::new(
            format!("a prefix length from 0 to {longest}"),
            format!("write \"{address}/{longest}\" for one address"),
        )
    })?;
    if net.network() != net.addr() {
        let advice = format!("write \"{}\" for the network, or \"{address}\" for the one address", net.trunc());
        return Err(Refusal::new("a prefix without bits behind its length", advice));
    }
    Ok((net.network(), net.broadcast()))
}

fn range(first: &str, last: &str) -> Result<(IpAddr, IpAddr), Refusal> {
    let (first, last) = (single(first)?, single(last)?);
    if first.is_ipv4() != last.is_ipv4() {
        return Err(Refusal::new("a range within one address family", "write two ranges, one a family"));
    }
    if first > last {
        return Err(Refusal::new("a range from the lowest to the highest", format!("write \"{last}-{first}\"")));
    }
    Ok((first, last))
}

/// IPv6 ranges leave out the mapped block, so that `::/0` matches no IPv4.
fn split(first: IpAddr, last: IpAddr) -> Vec<AddressRange> {
    let (IpAddr::V6(low), IpAddr::V6(high)) = (first, last) else {
        return vec![AddressRange { first: first.into(), last: last.into() }];
    };
    let (low, high) = (u128::from(low), u128::from(high));
    let parts = if low < MAPPED.0 && high > MAPPED.1 {
        vec![(low, MAPPED.0 - 1), (MAPPED.1 + 1, high)]
    } else {
        vec![(low, high)]
    };
    let address = |value| Address(Ipv6Addr::from_bits(value).octets());
    parts.into_iter().map(|(first, last)| AddressRange { first: address(first), last: address(last) }).collect()
}

fn key(range: &AddressRange) -> [u128; 2] {
    [u128::from_be_bytes(range.first.0), u128::from_be_bytes(range.last.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Vec<(String, String)> {
        match read(text) {
            Item::Literal(ranges) => {
                ranges.iter().map(|range| (range.first.ip().to_string(), range.last.ip().to_string())).collect()
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    fn advice(text: &str) -> String {
        match read(text) {
            Item::Refused(refusal) => refusal.advice,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn pair(first: &str, last: &str) -> (String, String) {
        (first.to_owned(), last.to_owned())
    }

    #[test]
    fn every_form_becomes_a_range() {
        assert_eq!(literal("192.0.2.1"), [pair("192.0.2.1", "192.0.2.1")]);
        assert_eq!(literal("10.1.0.0/16"), [pair("10.1.0.0", "10.1.255.255")]);
        assert_eq!(literal("0.0.0.0/0"), [pair("0.0.0.0", "255.255.255.255")]);
        assert_eq!(literal("198.51.100.10 - 198.51.100.20"), [pair("198.51.100.10", "198.51.100.20")]);
        assert_eq!(literal("2001:db8::/32"), [pair("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")]);
        assert_eq!(literal("2001:db8::1-2001:db8::9"), [pair("2001:db8::1", "2001:db8::9")]);
        assert_eq!(literal("fe80::1"), [pair("fe80::1", "fe80::1")]);
    }

    #[test]
    fn all_of_ipv6_holds_no_ipv4() {
        let Item::Literal(ranges) = read("::/0") else { panic!("not taken") };
        let holds = |ip: &str| {
            let address: Address = ip.parse::<IpAddr>().unwrap().into();
            ranges.iter().any(|range| range.first <= address && address <= range.last)
        };
        assert!(holds("::") && holds("::1") && holds("ffff::") && holds("::fffe:ffff:ffff") && holds("::1:0:0:0"));
        assert!(!holds("0.0.0.0") && !holds("10.0.0.1") && !holds("255.255.255.255"));
    }

    #[test]
    fn names_are_left_to_be_looked_up() {
        for name in ["office", "fe80", "a-b.c_d"] {
            assert!(matches!(read(name), Item::Name), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        assert_eq!(advice("10.1.2.3/16"), "write \"10.1.0.0/16\" for the network, or \"10.1.2.3\" for the one address");
        assert_eq!(advice("10.0.0.9-10.0.0.1"), "write \"10.0.0.1-10.0.0.9\"");
        assert_eq!(advice("10.0.0.1-2001:db8::1"), "write two ranges, one a family");
        assert_eq!(advice("::ffff:10.0.0.1"), "write this IPv4 address as \"10.0.0.1\"");
        assert_eq!(advice("10.0.0.0/33"), "write \"10.0.0.0/32\" for one address");
        assert_eq!(advice("10.0.0"), "write it like \"192.0.2.1\" or \"2001:db8::1\"");
        assert_eq!(advice("2001:db8::g"), "write it like \"192.0.2.1\" or \"2001:db8::1\"");
    }
}
