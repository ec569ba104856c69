//! Reads a frame once: everything that the later stages ask of its headers.

mod link;
mod transport;

pub use link::{Link, Network};

use std::ops::Range;

use crate::endpoint::{Address, Endpoint};
use crate::flow::{End, FlowKey, Realm};
use crate::pipeline::Frame;
use crate::verdict::DropReason;
use crate::wire::ipv4::{Ipv4, Ipv4Error};
use crate::wire::ipv6::{Ipv6, Ipv6Error};

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Parsed {
    /// Not IP: a virtual wire is transparent to it.
    NonIp,
    /// ICMPv6 of the link itself (RFC 4890, 4.4.1): a transparent wire has to pass it, whatever the policy says.
    LinkControl,
    /// An IP packet to be judged.
    Packet(PacketInfo),
}

/// The headers of an IP packet. Offsets count from the start of the frame.
#[derive(Clone, Copy, Debug)]
pub struct PacketInfo {
    /// The flow it belongs to. In a later fragment both ports are 0, and the flow is found by [`Fragment::Later`].
    pub key: FlowKey,
    /// Which end sent it.
    pub sender: End,
    /// Where the IP header begins, and what is in front of it.
    pub link: Link,
    /// Where the transport header begins.
    pub transport_offset: u16,
    /// Octets from the IP header to the end of the packet, as the IP header says.
    pub length: u32,
    /// Where the transport's payload lies, as far as the frame's bytes are at hand.
    payload: (u16, u16),
    /// What the transport header says.
    pub transport: Transport,
    /// Whether it is a fragment.
    pub fragment: Fragment,
}

/// What the transport header says.
#[derive(Clone, Copy, Debug)]
pub enum Transport {
    /// TCP.
    Tcp(Segment),
    /// UDP.
    Udp,
    /// An ICMP or ICMPv6 query, or its reply.
    Query {
        /// The query's type; the reply has it too.
        kind: u8,
        /// Whether it is the reply.
        reply: bool,
    },
    /// An ICMP or ICMPv6 error.
    Error(Option<Quoted>),
    /// Any other protocol.
    Other,
}

/// The packet that an ICMP error quotes.
#[derive(Clone, Copy, Debug)]
pub struct Quoted {
    /// Its flow.
    pub key: FlowKey,
    /// Which end had sent it.
    pub sender: End,
}

/// What the flow table needs of a TCP segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment {
    /// Flags, as [`crate::wire::tcp`] has them.
    pub flags: u8,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number; meaningful with ACK.
    pub acknowledgment: u32,
    /// Window, unscaled.
    pub window: u16,
    /// Octets of payload by the IP header's length, whether at hand or not.
    pub payload_length: u32,
    /// Window scale of a SYN.
    pub scale: Option<u8>,
}

/// Whether a packet is a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// It is whole.
    None,
    /// The first; it holds the transport header.
    First(Piece),
    /// A later one.
    Later(Piece),
}

/// A fragment's place in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What the fragments of a datagram have in common besides addresses and realm: identification, and for IPv4 the
    /// protocol (RFC 791, 2.3).
    pub identification: u64,
    /// First octet.
    pub start: u32,
    /// One past the last octet.
    pub end: u32,
    /// Whether more follow.
    pub more: bool,
}

impl PacketInfo {
    /// The payload's bytes that are at hand.
    pub fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        frame.get(usize::from(self.payload.0)..usize::from(self.payload.1)).unwrap_or_default()
    }

    /// The flow that the packet concerns: of an ICMP error the one that it quotes.
    pub const fn flow_key(&self) -> &FlowKey {
        match &self.transport {
            Transport::Error(Some(quoted)) => &quoted.key,
            _ => &self.key,
        }
    }

    /// Whether it is for one host, as far as an address tells.
    pub fn is_unicast(&self) -> bool {
        let (source, destination) = self.addresses();
        let is_group = match destination.0 {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, rest @ ..] => {
                first >= 224 && (first < 240 || rest == [255; 3])
            }
            [first, ..] => first == 0xff,
        };
        !is_group && source != Address::default() && source != Address::v4([0; 4])
    }

    /// What an ICMP error quotes of it: its IP header and 8 octets (RFC 792), of IPv6 what goes into 48 octets.
    pub fn quotation<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let start = usize::from(self.link.offset);
        let length = match self.link.network {
            Network::Ipv4 => usize::from(self.transport_offset).saturating_sub(start) + 8,
            Network::Ipv6 => 48,
        };
        let end = (start + length.min(self.length as usize)).min(frame.len());
        frame.get(start..end).unwrap_or_default()
    }

    /// Sender's and receiver's addresses.
    pub const fn addresses(&self) -> (Address, Address) {
        (self.key.end(self.sender).address, self.key.end(self.sender.other()).address)
    }
}

/// What the network header says, whatever its version.
struct NetworkHeader {
    source: Address,
    destination: Address,
    protocol: u8,
    /// Where the transport begins, from the start of the frame.
    transport: usize,
    /// Where the packet ends by its own length, from the start of the frame; may lie beyond the bytes at hand.
    end: usize,
    fragment: Fragment,
    /// IPv6's, for the link's own ICMPv6.
    hop_limit: u8,
}

/// Reads a frame that came in over `wire`.
pub fn parse(frame: &Frame<'_>, wire: u8, verify_checksums: bool) -> Result<Parsed, DropReason> {
    let bytes = frame.bytes;
    let Some(link) = Link::read(bytes)? else { return Ok(Parsed::NonIp) };
    let offset = usize::from(link.offset);
    let header = match link.network {
        Network::Ipv4 => ipv4(bytes, &link, frame.length, verify_checksums)?,
        Network::Ipv6 => ipv6(bytes, offset)?,
    };
    // What is not at hand must at least have been on the wire.
    if header.end > link.limit(frame.length) as usize {
        return Err(DropReason::Truncated);
    }
    check_addresses(header.source, header.destination)?;
    let realm = Realm::new(wire, link.tags.outer, link.tags.inner);
    transport::read(bytes, link, realm, &header)
}

/// On a wire every header has its checksum and its length; a capture at the sender may lack both.
fn ipv4(bytes: &[u8], link: &Link, length: u32, on_a_wire: bool) -> Result<NetworkHeader, DropReason> {
    let offset = usize::from(link.offset);
    let packet = bytes.get(offset..).unwrap_or_default();
    let header = Ipv4::read(packet).map_err(|error| match error {
        Ipv4Error::Truncated => DropReason::Truncated,
        Ipv4Error::Contradiction => DropReason::BadIpHeader,
    })?;
    if on_a_wire && !header.checksum_holds() {
        return Err(DropReason::BadIpChecksum);
    }
    let transport = offset + header.header.len();
    let end = match header.total_length {
        Ipv4::OFFLOADED if on_a_wire => return Err(DropReason::BadIpHeader),
        Ipv4::OFFLOADED => (link.limit(length) as usize).max(transport),
        length => offset + usize::from(length),
    };
    let identification = u64::from(header.protocol) << 32 | u64::from(header.identification);
    let fragment = piece(identification, header.fragment_offset, (end - transport) as u32, header.more_fragments)?;
    Ok(NetworkHeader {
        source: header.source,
        destination: header.destination,
        protocol: header.protocol,
        transport,
        end,
        fragment,
        hop_limit: 0,
    })
}

fn ipv6(bytes: &[u8], offset: usize) -> Result<NetworkHeader, DropReason> {
    let packet = bytes.get(offset..).unwrap_or_default();
    let drop = |error| match error {
        Ipv6Error::Truncated => DropReason::Truncated,
        Ipv6Error::Contradiction => DropReason::BadIpHeader,
        Ipv6Error::Chain => DropReason::BadExtensionChain,
    };
    let header = Ipv6::read(packet).map_err(drop)?;
    let chain = header.chain(packet).map_err(drop)?;
    let end = offset + crate::wire::ipv6::HEADER + usize::from(header.payload_length);
    let transport = offset + chain.offset;
    let fragment = match chain.fragment {
        Some(fragment) => {
            let length = (end - offset - fragment.payload) as u32;
            piece(u64::from(fragment.identification) | IPV6_FRAGMENT, fragment.offset, length, fragment.more)?
        }
        None => Fragment::None,
    };
    Ok(NetworkHeader {
        source: header.source,
        destination: header.destination,
        protocol: chain.protocol,
        transport,
        end,
        fragment,
        hop_limit: header.hop_limit,
    })
}

/// Sets IPv6 identifications apart from IPv4's with protocol 0.
const IPV6_FRAGMENT: u64 = 1 << 63;
/// A datagram's payload at most (RFC 791, 3.1).
const MAXIMUM_DATAGRAM: u32 = 65_535;

fn piece(identification: u64, start: u32, length: u32, more: bool) -> Result<Fragment, DropReason> {
    // An atomic fragment (RFC 6946) is whole.
    if start == 0 && !more {
        return Ok(Fragment::None);
    }
    let end = start + length;
    if length == 0 || end > MAXIMUM_DATAGRAM || more && !length.is_multiple_of(8) {
        return Err(DropReason::BadFragment);
    }
    let piece = Piece { identification, start, end, more };
    Ok(if start == 0 { Fragment::First(piece) } else { Fragment::Later(piece) })
}

/// No host may send from these (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3 and 2.7). Loopback passes where both ends are: only a
/// capture of a host's own loopback interface shows it.
fn check_addresses(source: Address, destination: Address) -> Result<(), DropReason> {
    let bad = match source.0 {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => {
            matches!(a, 224..=239) || [a, b, c, d] == [255; 4] || a == 127 && !is_loopback(destination)
        }
        [0xff, ..] => true,
        _ => is_loopback(source) && !is_loopback(destination),
    };
    if bad { Err(DropReason::BadAddress) } else { Ok(()) }
}

fn is_loopback(address: Address) -> bool {
    match address.0 {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, ..] => first == 127,
        octets => octets == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    }
}

/// Builds a packet's description; the payload is cut to what is at hand.
fn describe(
    bytes: &[u8],
    link: Link,
    realm: Realm,
    header: &NetworkHeader,
    ports: (u16, u16),
    payload: Range<usize>,
    transport: Transport,
) -> PacketInfo {
    let source = Endpoint { address: header.source, port: ports.0 };
    let destination = Endpoint { address: header.destination, port: ports.1 };
    let (key, sender) = FlowKey::of(source, destination, header.protocol, realm);
    // Offsets fit 16 bits: a link header has at most 30 octets, but a packet may end past 65,535 with them.
    let at_hand = |at: usize| at.min(bytes.len()).min(usize::from(u16::MAX)) as u16;
    PacketInfo {
        key,
        sender,
        link,
        transport_offset: at_hand(header.transport),
        length: (header.end - usize::from(link.offset)) as u32,
        payload: (at_hand(payload.start), at_hand(payload.end)),
        transport,
        fragment: header.fragment,
    }
}
