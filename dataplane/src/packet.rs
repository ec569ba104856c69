//! Reads a frame once: everything that the later stages ask of its headers.

mod link;
mod network;
mod plain;
mod transport;

pub use link::{Link, Network};
pub use plain::Plain;

use std::ops::Range;

use self::network::NetworkHeader;
use crate::endpoint::{Address, Endpoint};
use crate::flow::{End, FlowKey, Realm};
use crate::guard::{Screen, Screens};
use crate::pipeline::Frame;
use crate::verdict::DropReason;
use crate::wire::ethernet;

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

    /// Whether an ICMP error may be sent about it (RFC 1122, 3.2.2; RFC 4443, 2.4 e).
    pub fn is_answerable(&self, frame: &[u8]) -> bool {
        !matches!(self.transport, Transport::Error(_))
            && !matches!(self.fragment, Fragment::Later(_))
            && !ethernet::is_group(frame)
            && self.is_unicast()
    }

    /// Whether its source may be a host's: not unspecified, of this network, or of class E (RFC 1812, 5.3.7).
    pub fn is_from_host(&self) -> bool {
        match self.addresses().0.0 {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, ..] => first != 0 && first < 224,
            octets => octets != [0; 16],
        }
    }

    /// Whether its source is an IPv6 link-local address.
    pub const fn is_link_local(&self) -> bool {
        matches!(self.addresses().0.0, [0xfe, 0x80..=0xbf, ..])
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

/// Reads a frame that came in over `wire`. Of `screens` those count that are told while reading.
pub fn parse(frame: &Frame<'_>, wire: u8, verify_checksums: bool, screens: Screens) -> Result<Parsed, DropReason> {
    let bytes = &*frame.bytes;
    let Some(link) = Link::read(bytes)? else { return Ok(Parsed::NonIp) };
    let offset = usize::from(link.offset);
    let header = match link.network {
        Network::Ipv4 => network::ipv4(bytes, &link, frame.length, verify_checksums)?,
        Network::Ipv6 => network::ipv6(bytes, offset)?,
    };
    // What is not at hand must at least have been on the wire.
    if header.end > link.limit(frame.length) as usize {
        return Err(DropReason::Truncated);
    }
    if screens.has(Screen::BadSource) {
        network::check_addresses(header.source, header.destination)?;
    }
    let realm = Realm::new(wire, link.tags.outer, link.tags.inner);
    transport::read(bytes, link, realm, &header, screens)
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
