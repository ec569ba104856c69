//! Frames for tests, built layer by layer with every length and checksum right unless a test spoils it.

use std::net::{IpAddr, SocketAddr};

use super::checksum::Sum;
use super::{ethernet, ipv4, ipv6, protocol, tcp};

/// The MAC address of the side that a test calls the client's.
pub(crate) const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// And of the other.
pub(crate) const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// What lies between Ethernet and IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shim {
    /// A VLAN tag with this EtherType and id.
    Tag(u16, u16),
    /// PPPoE session with this id.
    Pppoe(u16),
    /// IEEE 802.3 with SNAP.
    Snap,
}

/// An IP packet in the making.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    /// Transport header and payload, checksum included.
    pub(crate) transport: Vec<u8>,
    /// IPv4: identification, more fragments, offset in octets.
    pub(crate) fragment: (u16, bool, u16),
    /// IPv6: extension headers in front of the transport, with the first's number.
    pub(crate) extensions: Option<(u8, Vec<u8>)>,
    pub(crate) hop_limit: u8,
    pub(crate) shims: Vec<Shim>,
    pub(crate) macs: ([u8; 6], [u8; 6]),
}

impl Packet {
    pub(crate) fn new(source: IpAddr, destination: IpAddr, protocol: u8, transport: Vec<u8>) -> Self {
        Self {
            source,
            destination,
            protocol,
            transport,
            fragment: (0, false, 0),
            extensions: None,
            hop_limit: 64,
            shims: Vec::new(),
            macs: (CLIENT_MAC, SERVER_MAC),
        }
    }

    pub(crate) fn within(mut self, shims: &[Shim]) -> Self {
        self.shims = shims.to_vec();
        self
    }

    pub(crate) fn fragment(mut self, identification: u16, more: bool, offset: u16) -> Self {
        self.fragment = (identification, more, offset);
        self
    }

    /// The IP packet alone.
    pub(crate) fn ip(&self) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut header = vec![0; ipv4::HEADER];
                header[0] = 0x45;
                header[2..4].copy_from_slice(&((ipv4::HEADER + self.transport.len()) as u16).to_be_bytes());
                let (identification, more, offset) = self.fragment;
                header[4..6].copy_from_slice(&identification.to_be_bytes());
                header[6..8].copy_from_slice(&((offset / 8) | (u16::from(more) << 13)).to_be_bytes());
                header[8] = self.hop_limit;
                header[9] = self.protocol;
                header[12..16].copy_from_slice(&source.octets());
                header[16..20].copy_from_slice(&destination.octets());
                ipv4::write_checksum(&mut header);
                [header, self.transport.clone()].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let (next, extensions) = self.extensions.clone().unwrap_or((self.protocol, Vec::new()));
                let mut header = vec![0; ipv6::HEADER];
                header[0] = 0x60;
                header[4..6].copy_from_slice(&((extensions.len() + self.transport.len()) as u16).to_be_bytes());
                header[6] = next;
                header[7] = self.hop_limit;
                header[8..24].copy_from_slice(&source.octets());
                header[24..40].copy_from_slice(&destination.octets());
                [header, extensions, self.transport.clone()].concat()
            }
            _ => panic!("a packet has one family"),
        }
    }

    /// The Ethernet frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut bytes = self.ip();
        let mut ether_type = if self.source.is_ipv4() { ethernet::IPV4 } else { ethernet::IPV6 };
        for shim in self.shims.iter().rev() {
            let header = match *shim {
                Shim::Tag(tag, id) => {
                    let header = [id.to_be_bytes(), ether_type.to_be_bytes()].concat();
                    ether_type = tag;
                    header
                }
                Shim::Pppoe(session) => {
                    let ppp: u16 = if ether_type == ethernet::IPV4 { 0x0021 } else { 0x0057 };
                    let length = bytes.len() as u16 + 2;
                    ether_type = ethernet::PPPOE_SESSION;
                    [0x1100, session, length, ppp].map(u16::to_be_bytes).concat()
                }
                Shim::Snap => {
                    let header = [&[0xaa, 0xaa, 0x03, 0, 0, 0][..], &ether_type.to_be_bytes()].concat();
                    ether_type = (bytes.len() + header.len()) as u16;
                    header
                }
            };
            bytes.splice(0..0, header);
        }
        [&self.macs.1[..], &self.macs.0, &ether_type.to_be_bytes(), &bytes].concat()
    }
}

/// A TCP segment in the making.
#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) flags: u8,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) window: u16,
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Tcp {
    pub(crate) fn packet(&self) -> Packet {
        let mut bytes = vec![0; tcp::HEADER];
        bytes[0..2].copy_from_slice(&self.source.port().to_be_bytes());
        bytes[2..4].copy_from_slice(&self.destination.port().to_be_bytes());
        bytes[4..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.acknowledgment.to_be_bytes());
        bytes[12] = ((tcp::HEADER + self.options.len()) as u8 / 4) << 4;
        bytes[13] = self.flags;
        bytes[14..16].copy_from_slice(&self.window.to_be_bytes());
        bytes.extend(&self.options);
        bytes.extend(&self.payload);
        finish(self.source.ip(), self.destination.ip(), protocol::TCP, bytes, 16)
    }
}

pub(crate) fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Packet {
    let mut bytes = [source.port(), destination.port(), 8 + payload.len() as u16, 0].map(u16::to_be_bytes).concat();
    bytes.extend(payload);
    finish(source.ip(), destination.ip(), protocol::UDP, bytes, 6)
}

/// An ICMP or ICMPv6 message: type, code, the four octets after the checksum, the rest.
pub(crate) fn icmp(
    source: IpAddr,
    destination: IpAddr,
    kind: (u8, u8),
    rest_of_header: [u8; 4],
    body: &[u8],
) -> Packet {
    let bytes = [&[kind.0, kind.1, 0, 0][..], &rest_of_header, body].concat();
    let number = if source.is_ipv4() { protocol::ICMP } else { protocol::ICMPV6 };
    finish(source, destination, number, bytes, 2)
}

/// Puts in the transport's checksum.
fn finish(source: IpAddr, destination: IpAddr, number: u8, mut bytes: Vec<u8>, at: usize) -> Packet {
    let checksum = transport_sum(source, destination, number, &bytes).finish();
    bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    Packet::new(source, destination, number, bytes)
}

/// The sum of a transport's bytes and of their pseudo header; 0 when finished over a right checksum.
pub(crate) fn transport_sum(source: IpAddr, destination: IpAddr, number: u8, bytes: &[u8]) -> Sum {
    let pseudo = match (source, destination) {
        (IpAddr::V4(_), _) if number == protocol::ICMP => Sum::default(),
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Sum::default().octets(&source.octets()).octets(&destination.octets())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            Sum::default().octets(&source.octets()).octets(&destination.octets())
        }
        _ => panic!("a packet has one family"),
    };
    let pseudo = match number {
        protocol::ICMP => pseudo,
        _ => pseudo.add_u32(u32::from(number)).add_u32(bytes.len() as u32),
    };
    pseudo.octets(bytes)
}
