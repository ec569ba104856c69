//! Services as operators write them: `tcp/80`, `udp/1000-2000`, `udp/67>68`, `icmp/8`, `icmpv6/128/0`, `ip/47`.
//!
//! Ports are those of the server; in front of a `>` stand those of the client. ICMP has a type and a code in their place.

use dataplane::policy::{PortRange, ServiceMatch};

use super::group::{Item, Kind};
use super::value::Refusal;

/// What `[service]` holds.
pub(super) const KIND: Kind<ServiceMatch> = Kind { section: "service", read, key, predefined };

const EXPECTED: &str = "PROTOCOL, PROTOCOL/PORT, PROTOCOL/FIRST-LAST, PROTOCOL/CLIENT-PORTS>SERVER-PORTS (tcp, udp, sctp), \
                        icmp/TYPE/CODE, icmpv6/TYPE/CODE, ip/NUMBER, or the name of a service";

/// Protocols by name, with their IANA numbers, and whether they have ports.
const PROTOCOLS: &[(&str, u8, bool)] =
    &[("tcp", 6, true), ("udp", 17, true), ("sctp", 132, true), ("icmp", 1, false), ("icmpv6", 58, false)];

/// Services that need no definition, as literals.
const PREDEFINED: &[(&str, &[&str])] = &[
    ("dns", &["udp/53", "tcp/53"]),
    ("dhcp", &["udp/67", "udp/68"]),
    ("ftp", &["tcp/21"]),
    ("gre", &["ip/47"]),
    ("http", &["tcp/80"]),
    ("https", &["tcp/443"]),
    ("imap", &["tcp/143"]),
    ("imaps", &["tcp/993"]),
    ("ipsec", &["udp/500", "udp/4500", "ip/50", "ip/51"]),
    ("ldap", &["tcp/389"]),
    ("ldaps", &["tcp/636"]),
    ("ntp", &["udp/123"]),
    ("ospf", &["ip/89"]),
    ("ping", &["icmp/8/0", "icmpv6/128/0"]),
    ("pop3", &["tcp/110"]),
    ("pop3s", &["tcp/995"]),
    ("quic", &["udp/443"]),
    ("radius", &["udp/1812", "udp/1813"]),
    ("rdp", &["tcp/3389", "udp/3389"]),
    ("smtp", &["tcp/25"]),
    ("snmp", &["udp/161"]),
    ("ssh", &["tcp/22"]),
    ("submission", &["tcp/587", "tcp/465"]),
    ("syslog", &["udp/514", "tcp/514"]),
    ("telnet", &["tcp/23"]),
];

fn read(text: &str) -> Item<ServiceMatch> {
    let text = text.trim();
    let (head, rest) = match text.split_once('/') {
        Some((head, rest)) => (head, Some(rest)),
        None => (text, None),
    };
    let known = PROTOCOLS.iter().find(|(name, ..)| *name == head);
    let service = match (known, head, rest) {
        (Some(&(_, number, true)), _, rest) => with_ports(number, rest),
        (Some(&(_, number, false)), _, rest) => icmp(number, rest),
        (None, "ip", Some(number)) => protocol(number),
        (None, _, None) => return Item::Name,
        (None, _, Some(_)) => Err(Refusal::new(EXPECTED, "write other protocols by their number, like \"ip/47\"")),
    };
    match service {
        Ok(service) => Item::Literal(vec![service]),
        Err(refusal) => Item::Refused(refusal),
    }
}

fn with_ports(protocol: u8, ports: Option<&str>) -> Result<ServiceMatch, Refusal> {
    let (source, destination) = match ports {
        None => (PortRange::ANY, PortRange::ANY),
        Some(ports) => match ports.split_once('>') {
            Some((source, destination)) => (port_range(source)?, port_range(destination)?),
            None => (PortRange::ANY, port_range(ports)?),
        },
    };
    Ok(ServiceMatch { protocol: Some(protocol), source, destination })
}

fn port_range(text: &str) -> Result<PortRange, Refusal> {
    let text = text.trim();
    if text == super::group::ANY {
        return Ok(PortRange::ANY);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| {
        text.trim().parse::<u16>().map_err(|_| {
            let advice = "write a port from 0 to 65535, a range FIRST-LAST, or \"any\"";
            Refusal::new(EXPECTED, advice)
        })
    };
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(Refusal::new("a range from the lowest port to the highest", format!("write {last}-{first}")));
    }
    Ok(PortRange { first, last })
}

/// The type stands in the upper octet of the destination, the code in the lower.
fn icmp(protocol: u8, rest: Option<&str>) -> Result<ServiceMatch, Refusal> {
    let octet = |text: &str| {
        text.trim().parse::<u8>().map_err(|_| {
            Refusal::new("an ICMP type, and perhaps a code, from 0 to 255", "write it like \"icmp/8\" or \"icmp/3/4\"")
        })
    };
    let destination =
        match rest.map(|rest| rest.split_once('/').map_or((rest, None), |(kind, code)| (kind, Some(code)))) {
            None => PortRange::ANY,
            Some((kind, None)) => {
                let first = u16::from(octet(kind)?) << 8;
                PortRange { first, last: first | 0xff }
            }
            Some((kind, Some(code))) => {
                let both = u16::from(octet(kind)?) << 8 | u16::from(octet(code)?);
                PortRange { first: both, last: both }
            }
        };
    Ok(ServiceMatch { protocol: Some(protocol), source: PortRange::ANY, destination })
}

fn protocol(number: &str) -> Result<ServiceMatch, Refusal> {
    let number = number
        .trim()
        .parse::<u8>()
        .map_err(|_| Refusal::new("an IP protocol number from 0 to 255", "write it like \"ip/47\""))?;
    Ok(ServiceMatch { protocol: Some(number), source: PortRange::ANY, destination: PortRange::ANY })
}

fn key(service: &ServiceMatch) -> [u128; 2] {
    let ports = |range: PortRange| u128::from(range.first) << 16 | u128::from(range.last);
    [service.protocol.map_or(256, u128::from), ports(service.source) << 32 | ports(service.destination)]
}

/// Names of services that need no definition.
pub(super) fn predefined_names() -> impl Iterator<Item = &'static str> {
    PREDEFINED.iter().map(|(name, _)| *name)
}

fn predefined() -> Vec<(&'static str, Vec<ServiceMatch>)> {
    let services = |literals: &[&str]| {
        let read = |literal: &&str| match read(literal) {
            Item::Literal(services) => services,
            Item::Name | Item::Refused(_) => Vec::new(),
        };
        literals.iter().flat_map(read).collect()
    };
    PREDEFINED.iter().map(|&(name, literals)| (name, services(literals))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> (u8, u16, u16, u16, u16) {
        match read(text) {
            Item::Literal(services) => {
                let [ServiceMatch { protocol, source, destination }] = services[..] else { panic!("{text}") };
                (protocol.unwrap(), source.first, source.last, destination.first, destination.last)
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

    #[test]
    fn every_form_is_read() {
        assert_eq!(literal("tcp"), (6, 0, 65_535, 0, 65_535));
        assert_eq!(literal("tcp/80"), (6, 0, 65_535, 80, 80));
        assert_eq!(literal("udp/1000-2000"), (17, 0, 65_535, 1000, 2000));
        assert_eq!(literal("udp/67>68"), (17, 67, 67, 68, 68));
        assert_eq!(literal("sctp/1024-65535 > 2905"), (132, 1024, 65_535, 2905, 2905));
        assert_eq!(literal("udp/53>any"), (17, 53, 53, 0, 65_535));
        assert_eq!(literal("icmp"), (1, 0, 65_535, 0, 65_535));
        assert_eq!(literal("icmp/8"), (1, 0, 65_535, 0x0800, 0x08ff));
        assert_eq!(literal("icmpv6/128/0"), (58, 0, 65_535, 0x8000, 0x8000));
        assert_eq!(literal("ip/47"), (47, 0, 65_535, 0, 65_535));
    }

    #[test]
    fn names_are_left_to_be_looked_up() {
        assert!(matches!(read("web"), Item::Name));
        assert!(matches!(read("https"), Item::Name));
    }

    #[test]
    fn every_predefined_service_is_whole() {
        let services = predefined();
        assert_eq!(services.len(), PREDEFINED.len());
        for ((name, literals), (_, services)) in PREDEFINED.iter().zip(services) {
            assert_eq!(services.len(), literals.len(), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        assert_eq!(advice("tcp/70000"), "write a port from 0 to 65535, a range FIRST-LAST, or \"any\"");
        assert_eq!(advice("tcp/90-80"), "write 80-90");
        assert_eq!(advice("icmp/256"), "write it like \"icmp/8\" or \"icmp/3/4\"");
        assert_eq!(advice("icmp/8/"), "write it like \"icmp/8\" or \"icmp/3/4\"");
        assert_eq!(advice("ip/gre"), "write it like \"ip/47\"");
        assert_eq!(advice("dccp/80"), "write other protocols by their number, like \"ip/47\"");
    }
}
