//! The frame of a packet that is known by its ends only, and frames as digits.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use dataplane::endpoint::Mac;
use dataplane::wire::checksum::Sum;
use dataplane::wire::{ethernet, protocol};
use serde::{Deserialize, Serialize};

/// A packet by its ends: the first of its flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Flow {
    /// IANA protocol number. TCP is a SYN, ICMP and ICMPv6 an echo request.
    pub protocol: u8,
    /// The sender.
    pub source: IpAddr,
    /// Its port, where the protocol has ports.
    pub source_port: u16,
    /// The receiver.
    pub destination: IpAddr,
    /// Its port.
    pub destination_port: u16,
    /// The VLAN tags, the outer first; 0: none.
    #[serde(default)]
    pub svlan: u16,
    /// The inner one.
    #[serde(default)]
    pub cvlan: u16,
}

/// Why there is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// One end is IPv4, the other IPv6.
    #[error("the ends are of two families: both are IPv4 or both IPv6")]
    Families,
    /// ICMP between IPv6 addresses, or the other way round.
    #[error("icmp is IPv4's and icmpv6 is IPv6's")]
    IcmpFamily,
    /// Not digits.
    #[error("a frame is written in hexadecimal digits, two an octet")]
    NotHexadecimal,
}

/// The sender's address, where only the ends are known: of the locally administered.
const SENDER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const TTL: u8 = 64;

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ports = matches!(self.protocol, protocol::TCP | protocol::UDP | protocol::SCTP);
        let end = |address: IpAddr, port: u16| {
            if has_ports { SocketAddr::new(address, port).to_string() } else { address.to_string() }
        };
        let (source, destination) = (end(self.source, self.source_port), end(self.destination, self.destination_port));
        write!(f, "protocol={} {source} {destination}", self.protocol)
    }
}

impl Flow {
    /// The frame, sent to a port's own address.
    ///
    /// # Errors
    /// Where the families do not go together.
    pub fn frame(&self, to: Mac) -> Result<Vec<u8>, FrameError> {
        if matches!((self.protocol, self.source), (protocol::ICMP, IpAddr::V6(_)) | (protocol::ICMPV6, IpAddr::V4(_))) {
            return Err(FrameError::IcmpFamily);
        }
        let mut bytes = [to.0, SENDER].concat();
        let tags = match (self.svlan, self.cvlan) {
            (0, _) => vec![],
            (outer, 0) => vec![(0x8100_u16, outer)],
            (outer, inner) => vec![(0x88a8, outer), (0x8100, inner)],
        };
        for (kind, id) in tags {
            bytes.extend(kind.to_be_bytes());
            bytes.extend(id.to_be_bytes());
        }
        let mut transport = self.transport();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                bytes.extend(ethernet::IPV4.to_be_bytes());
                let mut header = [0; 20];
                header[0] = 0x45;
                header[2..4].copy_from_slice(&(20 + transport.len() as u16).to_be_bytes());
                header[6] = 0x40;
                (header[8], header[9]) = (TTL, self.protocol);
                header[12..16].copy_from_slice(&source.octets());
                header[16..].copy_from_slice(&destination.octets());
                let sum = Sum::default().octets(&header).finish();
                header[10..12].copy_from_slice(&sum.to_be_bytes());
                self.put_checksum(&mut transport, Sum::default().octets(&header[12..]));
                bytes.extend(header);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                bytes.extend(ethernet::IPV6.to_be_bytes());
                let mut header = [0; 40];
                header[0] = 0x60;
                header[4..6].copy_from_slice(&(transport.len() as u16).to_be_bytes());
                (header[6], header[7]) = (self.protocol, TTL);
                header[8..24].copy_from_slice(&source.octets());
                header[24..].copy_from_slice(&destination.octets());
                self.put_checksum(&mut transport, Sum::default().octets(&header[8..]));
                bytes.extend(header);
            }
            _ => return Err(FrameError::Families),
        }
        bytes.extend(transport);
        bytes.resize(bytes.len().max(60), 0);
        Ok(bytes)
    }

    /// The transport header, its checksum 0.
    fn transport(&self) -> Vec<u8> {
        let ports = [self.source_port.to_be_bytes(), self.destination_port.to_be_bytes()].concat();
        match self.protocol {
            // A SYN without options, window 65,535.
            protocol::TCP => [&ports[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]].concat(),
            protocol::UDP => [&ports[..], &[0, 8, 0, 0]].concat(),
            protocol::SCTP => [&ports[..], &[0; 8]].concat(),
            protocol::ICMP => vec![8, 0, 0, 0, 0, 1, 0, 1],
            protocol::ICMPV6 => vec![128, 0, 0, 0, 0, 1, 0, 1],
            _ => vec![0; 8],
        }
    }

    fn put_checksum(&self, transport: &mut [u8], addresses: Sum) {
        let at = match self.protocol {
            protocol::TCP => 16,
            protocol::UDP => 6,
            protocol::ICMP | protocol::ICMPV6 => 2,
            _ => return,
        };
        // ICMP alone has no pseudo header (RFC 792).
        let pseudo = match self.protocol {
            protocol::ICMP => Sum::default(),
            number => addresses.add_u32(number.into()).add_u32(transport.len() as u32),
        };
        let sum = pseudo.octets(transport).finish();
        // In UDP 0 says that there is none (RFC 768).
        let sum = if sum == 0 && self.protocol == protocol::UDP { 0xffff } else { sum };
        transport[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Reads octets from hexadecimal digits, two an octet; white space and colons between them are skipped.
///
/// # Errors
/// Where there is anything else.
pub fn from_hex(digits: &str) -> Result<Vec<u8>, FrameError> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace() && *digit != b':').collect();
    let value = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    let octet = |pair: &[u8]| match pair {
        [high, low] => Some(value(*high)? << 4 | value(*low)?),
        _ => None,
    };
    digits.chunks(2).map(octet).collect::<Option<_>>().ok_or(FrameError::NotHexadecimal)
}

/// Octets as hexadecimal digits.
pub fn to_hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 0x0f]);
    digits.map(|digit| DIGITS[usize::from(digit)] as char).collect()
}

#[cfg(test)]
mod tests {
    use dataplane::guard::Screens;
    use dataplane::packet::{self, Parsed};
    use dataplane::pipeline::Frame;
    use dataplane::policy::PortId;

    use super::*;

    fn flow(protocol: u8, source: &str, destination: &str) -> Flow {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        Flow { protocol, source, source_port: 4000, destination, destination_port: 80, svlan: 7, cvlan: 9 }
    }

    #[test]
    fn what_is_made_is_read_as_what_was_asked() {
        for (source, destination, echo) in [("10.0.0.1", "192.0.2.1", 1), ("2001:db8::1", "2001:db8:f::1", 58)] {
            for number in [6, 17, 132, echo, 47] {
                let asked = flow(number, source, destination);
                let mut bytes = asked.frame(Mac([2, 0, 0, 0, 9, 9])).unwrap();
                assert!(bytes.len() >= 60 && bytes.starts_with(&[2, 0, 0, 0, 9, 9]));
                let length = bytes.len() as u32;
                let frame = Frame::new(PortId(0), &mut bytes, length);
                let Ok(Parsed::Packet(info)) = packet::parse(&frame, 0, true, Screens::default()) else {
                    panic!("{number} {source}")
                };
                let tuple = info.key.tuple(info.sender);
                assert_eq!((tuple.protocol, tuple.svlan, tuple.cvlan), (number, 7, 9));
                assert_eq!((tuple.client.address.ip(), tuple.server.address.ip()), (asked.source, asked.destination));
                if [6, 17, 132].contains(&number) {
                    assert_eq!((tuple.client.port, tuple.server.port), (4000, 80));
                }
            }
        }
        assert_eq!(flow(6, "10.0.0.1", "::1").frame(Mac::default()), Err(FrameError::Families));
        assert_eq!(flow(58, "10.0.0.1", "10.0.0.2").frame(Mac::default()), Err(FrameError::IcmpFamily));
    }

    #[test]
    fn checksums_hold() {
        for number in [6, 17] {
            let frame = Flow { svlan: 0, ..flow(number, "10.0.0.1", "192.0.2.1") }.frame(Mac::default()).unwrap();
            let length = u16::from_be_bytes([frame[16], frame[17]]);
            let transport = &frame[34..14 + usize::from(length)];
            let sum = Sum::default().octets(&frame[26..34]).add_u32(number.into()).add_u32(transport.len() as u32);
            assert_eq!(sum.octets(transport).finish(), 0);
            assert_eq!(Sum::default().octets(&frame[14..34]).finish(), 0);
        }
    }

    #[test]
    fn digits_are_octets() {
        assert_eq!(from_hex("02:00 ff\n0A").unwrap(), [2, 0, 255, 10]);
        assert_eq!(to_hex(&[2, 0, 255, 10]), "0200ff0a");
        assert!(from_hex("0x").is_err() && from_hex("123").is_err() && from_hex("").unwrap().is_empty());
    }
}
