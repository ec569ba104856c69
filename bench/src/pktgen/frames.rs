//! Ethernet frames from their parts: VLAN tags, PPPoE, IPv4, IPv6, TCP and UDP, with right lengths and checksums.

use std::net::{IpAddr, SocketAddr};

/// Which end sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that opened the flow.
    Client,
    /// The other end.
    Server,
}

impl Side {
    /// The other side.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Both ends of a flow; of one address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// Who opened it.
    pub client: SocketAddr,
    /// Who was asked.
    pub server: SocketAddr,
}

impl Ends {
    /// Source and destination of what `side` sends.
    pub const fn of(self, side: Side) -> (SocketAddr, SocketAddr) {
        match side {
            Side::Client => (self.client, self.server),
            Side::Server => (self.server, self.client),
        }
    }
}

/// The piece of wire on which the traffic is seen.
#[derive(Clone, Debug)]
pub struct Link {
    /// MAC address on the clients' side.
    pub client: [u8; 6],
    /// MAC address on the servers' side.
    pub server: [u8; 6],
    /// VLAN tags from the outermost: TPID and tag control information.
    pub tags: Vec<(u16, u16)>,
    /// PPPoE session, where the packets are in one.
    pub session: Option<u16>,
}

impl Link {
    /// Untagged Ethernet.
    pub const fn plain() -> Self {
        Self { client: [2, 0, 0, 0, 0, 1], server: [2, 0, 0, 0, 0, 2], tags: Vec::new(), session: None }
    }

    /// One IEEE 802.1Q tag.
    pub fn vlan(id: u16) -> Self {
        Self { tags: vec![(TPID_CUSTOMER, id)], ..Self::plain() }
    }

    /// A service tag (IEEE 802.1ad) around a customer tag.
    pub fn qinq(service: u16, customer: u16) -> Self {
        Self { tags: vec![(TPID_SERVICE, service), (TPID_CUSTOMER, customer)], ..Self::plain() }
    }

    /// A PPPoE session (RFC 2516).
    pub fn pppoe(session: u16) -> Self {
        Self { session: Some(session), ..Self::plain() }
    }

    /// The frame that carries `packet`, an IPv4 or IPv6 packet; padded to Ethernet's 60 octets (FCS not included).
    pub fn frame(&self, from: Side, packet: &[u8]) -> Vec<u8> {
        let v6 = packet[0] >> 4 == 6;
        let Some(session) = self.session else {
            return self.carry(from, if v6 { 0x86dd } else { 0x0800 }, packet);
        };
        let mut payload = Vec::with_capacity(packet.len() + 8);
        put16(&mut payload, 0x1100);
        put16(&mut payload, session);
        put16(&mut payload, packet.len() as u16 + 2);
        put16(&mut payload, if v6 { 0x0057 } else { 0x0021 });
        payload.extend_from_slice(packet);
        self.carry(from, 0x8864, &payload)
    }

    /// The frame that carries a payload of any EtherType, in the tags; padded likewise.
    pub fn carry(&self, from: Side, ether_type: u16, payload: &[u8]) -> Vec<u8> {
        let (source, destination) = match from {
            Side::Client => (self.client, self.server),
            Side::Server => (self.server, self.client),
        };
        let mut out = Vec::with_capacity(payload.len() + 32);
        out.extend_from_slice(&destination);
        out.extend_from_slice(&source);
        for &(tpid, tci) in &self.tags {
            put16(&mut out, tpid);
            put16(&mut out, tci);
        }
        put16(&mut out, ether_type);
        out.extend_from_slice(payload);
        out.resize(out.len().max(60), 0);
        out
    }
}

/// TPID of a customer tag.
pub const TPID_CUSTOMER: u16 = 0x8100;
/// TPID of a service tag.
pub const TPID_SERVICE: u16 = 0x88a8;

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Sequence number of the first octet.
    pub sequence: u32,
    /// Acknowledgement number; sent where `flags` has ACK.
    pub acknowledgement: u32,
    /// Flags, as in the header's 14th octet.
    pub flags: u8,
    /// A maximum segment size option, for SYN.
    pub mss: Option<u16>,
    /// Data.
    pub payload: &'a [u8],
}

/// FIN.
pub const FIN: u8 = 0x01;
/// SYN.
pub const SYN: u8 = 0x02;
/// RST.
pub const RST: u8 = 0x04;
/// PSH.
pub const PSH: u8 = 0x08;
/// ACK.
pub const ACK: u8 = 0x10;

/// An IP packet with a UDP datagram.
pub fn udp_packet(from: SocketAddr, to: SocketAddr, id: u16, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16 + 8;
    let mut datagram = Vec::with_capacity(usize::from(length));
    put16(&mut datagram, from.port());
    put16(&mut datagram, to.port());
    put16(&mut datagram, length);
    put16(&mut datagram, 0);
    datagram.extend_from_slice(payload);
    // RFC 768: a computed zero is sent as all ones, zero means "no checksum".
    let sum = match transport_checksum(from.ip(), to.ip(), UDP, &datagram) {
        0 => 0xffff,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ip_packet(from.ip(), to.ip(), UDP, id, &datagram)
}

/// An IP packet with a TCP segment.
pub fn tcp_packet(from: SocketAddr, to: SocketAddr, id: u16, segment: Segment<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(segment.payload.len() + 24);
    put16(&mut out, from.port());
    put16(&mut out, to.port());
    out.extend_from_slice(&segment.sequence.to_be_bytes());
    let acknowledgement = if segment.flags & ACK == 0 { 0 } else { segment.acknowledgement };
    out.extend_from_slice(&acknowledgement.to_be_bytes());
    out.push(if segment.mss.is_some() { 6 << 4 } else { 5 << 4 });
    out.push(segment.flags);
    put16(&mut out, 0xfaf0);
    put16(&mut out, 0);
    put16(&mut out, 0);
    if let Some(mss) = segment.mss {
        out.extend_from_slice(&[2, 4]);
        put16(&mut out, mss);
    }
    out.extend_from_slice(segment.payload);
    let sum = transport_checksum(from.ip(), to.ip(), TCP, &out);
    out[16..18].copy_from_slice(&sum.to_be_bytes());
    ip_packet(from.ip(), to.ip(), TCP, id, &out)
}

/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;

/// The header of RFC 791 or RFC 8200 before `payload`.
///
/// # Panics
/// Where the families differ.
fn ip_packet(from: IpAddr, to: IpAddr, protocol: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 40);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend_from_slice(&[0x45, 0]);
            put16(&mut out, payload.len() as u16 + 20);
            put16(&mut out, id);
            put16(&mut out, 0x4000);
            out.extend_from_slice(&[64, protocol, 0, 0]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
            let sum = fold(sum(&out));
            out[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            out.extend_from_slice(&[0x60, 0, 0, 0]);
            put16(&mut out, payload.len() as u16);
            out.extend_from_slice(&[protocol, 64]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
        }
        _ => panic!("a flow has one address family: {from} -> {to}"),
    }
    out.extend_from_slice(payload);
    out
}

/// The Internet checksum over pseudo-header and segment (RFC 9293, 3.1; RFC 8200, 8.1).
fn transport_checksum(from: IpAddr, to: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    let address = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => sum(&ip.octets()),
        IpAddr::V6(ip) => sum(&ip.octets()),
    };
    fold(address(from) + address(to) + u32::from(protocol) + segment.len() as u32 + sum(segment))
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum()
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A header that verifies sums to zero over everything, its checksum included.
    #[test]
    fn checksums_verify() {
        for (from, to) in [("10.0.0.1:4000", "203.0.113.9:8000"), ("[2001:db8::1]:4000", "[2001:db8::2]:8000")] {
            let (from, to) = (socket(from), socket(to));
            for length in [0, 1, 2, 33, 1400] {
                let payload = vec![0xa5; length];
                let packet = udp_packet(from, to, 7, &payload);
                let header = if from.is_ipv4() { 20 } else { 40 };
                if from.is_ipv4() {
                    assert_eq!(fold(sum(&packet[..20])), 0);
                }
                assert_eq!(transport_checksum(from.ip(), to.ip(), UDP, &packet[header..]), 0);
                let segment =
                    Segment { sequence: 1, acknowledgement: 2, flags: ACK, mss: Some(1460), payload: &payload };
                let packet = tcp_packet(from, to, 7, segment);
                assert_eq!(transport_checksum(from.ip(), to.ip(), TCP, &packet[header..]), 0);
            }
        }
    }

    #[test]
    fn tags_and_sessions_come_between_addresses_and_packet() {
        let packet = udp_packet(socket("10.0.0.1:1"), socket("10.0.0.2:2"), 0, b"x");
        assert_eq!(Link::plain().frame(Side::Client, &packet)[12..14], [8, 0]);
        let frame = Link::qinq(200, 100).frame(Side::Server, &packet);
        assert_eq!(frame[..6], Link::plain().client);
        assert_eq!(frame[12..22], [0x88, 0xa8, 0, 200, 0x81, 0, 0, 100, 8, 0]);
        let frame = Link::pppoe(7).frame(Side::Client, &packet);
        assert_eq!(frame[12..22], [0x88, 0x64, 0x11, 0, 0, 7, 0, packet.len() as u8 + 2, 0, 0x21]);
        assert_eq!(Link::plain().frame(Side::Client, &packet).len(), 60);
    }
}
