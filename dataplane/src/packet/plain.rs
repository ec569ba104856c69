//! The usual packet, read with few instructions: TCP or UDP, whole, of IPv4 without options or of IPv6 without extensions,
//! in Ethernet with at most two VLAN tags, and with hops left. Whatever is unusual, and whatever is wrong, is left to [`super::parse`], which
//! reads every packet and names what it drops.

use super::{Fragment, Link, Network, PacketInfo, Segment, Transport};
use crate::endpoint::{Address, Endpoint};
use crate::flow::{End, FlowKey, Realm};
use crate::wire::tcp::{self, Tcp};
use crate::wire::vlan::{self, Tags};
use crate::wire::{ethernet, ipv4, ipv6, protocol, udp};

/// What the flow table and the counters need of a usual packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain {
    /// The flow it belongs to.
    pub key: FlowKey,
    /// Octets from the IP header to the end of the packet.
    pub length: u32,
    /// Where the transport's payload ends, from the start of the frame.
    payload_end: u32,
    /// Where it begins.
    payload: u8,
    /// Where the IP header begins; at most 22.
    offset: u8,
    network: Network,
    /// Which end sent it.
    pub sender: End,
}

/// Octets of an untagged frame up to the end of UDP's header, which is TCP's ports, sequence number and a half.
const HEAD_V4: usize = TRANSPORT_V4 + udp::HEADER;
const HEAD_V6: usize = TRANSPORT_V6 + udp::HEADER;
/// Where the transport's header begins in it.
const TRANSPORT_V4: usize = ethernet::HEADER + ipv4::HEADER;
const TRANSPORT_V6: usize = ethernet::HEADER + ipv6::HEADER;

impl Plain {
    /// Reads a frame of `length` octets on the wire whose beginning `frame` is, in place; none, and nothing changed, where
    /// it is not usual or not right. In place, because a copy would wait for its many small parts to be written.
    #[inline(always)]
    pub fn read(&mut self, frame: &[u8], length: u32, wire: u8, verify_checksums: bool) -> Option<()> {
        let head: &[u8; HEAD_V4] = frame.first_chunk()?;
        match u16::from_be_bytes([head[12], head[13]]) {
            ethernet::IPV4 => self.ipv4(frame, 0, length, Realm::new(wire, 0, 0), verify_checksums),
            ethernet::IPV6 => self.ipv6(frame, 0, length, Realm::new(wire, 0, 0)),
            ether_type if vlan::is_tag(ether_type) => self.tagged(frame, ether_type, length, wire, verify_checksums),
            _ => None,
        }
    }

    #[inline(never)]
    fn tagged(&mut self, frame: &[u8], ether_type: u16, length: u32, wire: u8, verify_checksums: bool) -> Option<()> {
        let (tags, ether_type, at) = Tags::read(frame, ether_type, ethernet::HEADER).ok()?;
        let realm = Realm::new(wire, tags.outer, tags.inner);
        match ether_type {
            ethernet::IPV4 => self.ipv4(frame, at - ethernet::HEADER, length, realm, verify_checksums),
            ethernet::IPV6 => self.ipv6(frame, at - ethernet::HEADER, length, realm),
            _ => None,
        }
    }

    /// `tags` is how many octets the VLAN tags take.
    #[inline(always)]
    fn ipv4(&mut self, frame: &[u8], tags: usize, length: u32, realm: Realm, verify_checksums: bool) -> Option<()> {
        let head: &[u8; HEAD_V4] = frame.get(tags..)?.first_chunk()?;
        let offset = tags + ethernet::HEADER;
        let total = u32::from(u16::from_be_bytes([head[16], head[17]]));
        let is_fragment = u16::from_be_bytes([head[20], head[21]]) & 0x3fff != 0;
        if head[14] != 0x45 || head[22] == 0 || is_fragment || offset as u32 + total > length {
            return None;
        }
        if verify_checksums && !ipv4::plain_checksum_holds(head[14..34].first_chunk()?) {
            return None;
        }
        let source = u32::from_be_bytes([head[26], head[27], head[28], head[29]]);
        // Loopback, multicast and what lies above it.
        if source >= 0xe000_0000 || source >> 24 == 0x7f {
            return None;
        }
        let destination = u32::from_be_bytes([head[30], head[31], head[32], head[33]]);
        let room = total.checked_sub(ipv4::HEADER as u32)?;
        let (header, end) = transport(frame, tags + TRANSPORT_V4, head[34..42].first_chunk()?, head[23], room)?;
        let ports = (u16::from_be_bytes([head[34], head[35]]), u16::from_be_bytes([head[36], head[37]]));
        let (key, sender) = FlowKey::of_v4((source, ports.0), (destination, ports.1), head[23], realm)?;
        let transport = offset as u32 + ipv4::HEADER as u32;
        *self = Self {
            key,
            length: total,
            payload_end: transport + end,
            payload: (transport + header) as u8,
            offset: offset as u8,
            network: Network::Ipv4,
            sender,
        };
        Some(())
    }

    #[inline(always)]
    fn ipv6(&mut self, frame: &[u8], tags: usize, length: u32, realm: Realm) -> Option<()> {
        let head: &[u8; HEAD_V6] = frame.get(tags..)?.first_chunk()?;
        let offset = tags + ethernet::HEADER;
        let room = u32::from(u16::from_be_bytes([head[18], head[19]]));
        let total = room + ipv6::HEADER as u32;
        if head[14] >> 4 != 6 || head[21] == 0 || offset as u32 + total > length {
            return None;
        }
        let source = Address(*head[22..38].first_chunk()?);
        // Multicast; unspecified, loopback, and IPv4's in disguise.
        if source.0[0] == 0xff || source.0[..8] == [0; 8] {
            return None;
        }
        let destination = Address(*head[38..54].first_chunk()?);
        let (header, end) = transport(frame, tags + TRANSPORT_V6, head[54..62].first_chunk()?, head[20], room)?;
        let ports = (u16::from_be_bytes([head[54], head[55]]), u16::from_be_bytes([head[56], head[57]]));
        let source = Endpoint { address: source, port: ports.0 };
        let destination = Endpoint { address: destination, port: ports.1 };
        if source == destination {
            return None;
        }
        let (key, sender) = FlowKey::of(source, destination, head[20], realm);
        let transport = offset as u32 + ipv6::HEADER as u32;
        *self = Self {
            key,
            length: total,
            payload_end: transport + end,
            payload: (transport + header) as u8,
            offset: offset as u8,
            network: Network::Ipv6,
            sender,
        };
        Some(())
    }

    /// Where the transport header begins.
    const fn transport(&self) -> usize {
        self.offset as usize
            + match self.network {
                Network::Ipv4 => ipv4::HEADER,
                Network::Ipv6 => ipv6::HEADER,
            }
    }

    /// Whether TCP's payload is empty.
    pub const fn payload_length(&self) -> u32 {
        self.payload_end - self.payload as u32
    }

    /// The TCP header; the frame must be the one that was read.
    #[inline(always)]
    pub fn tcp(&self, frame: &[u8]) -> Option<Tcp> {
        Tcp::read(frame.get(self.transport()..)?).ok()
    }

    /// What the flow table needs of a TCP segment whose flags hold no SYN.
    #[inline(always)]
    pub fn segment(&self, tcp: &Tcp) -> Segment {
        Segment {
            flags: tcp.flags,
            sequence: tcp.sequence,
            acknowledgment: tcp.acknowledgment,
            window: tcp.window,
            payload_length: self.payload_length(),
            scale: None,
        }
    }

    /// All that [`super::parse`] would tell of the frame; it must be the one that was read.
    pub fn describe(&self, frame: &[u8]) -> PacketInfo {
        let at_hand = |at: u32| at.min(frame.len() as u32).min(u32::from(u16::MAX)) as u16;
        let realm = self.key.realm();
        let transport = match self.tcp(frame).filter(|_| self.key.protocol() == protocol::TCP) {
            Some(tcp) if tcp.flags & tcp::SYN != 0 => {
                let end = usize::from(self.payload).min(frame.len());
                let options = frame.get(self.transport() + tcp::HEADER..end).unwrap_or_default();
                Transport::Tcp(Segment { scale: tcp::window_scale(options), ..self.segment(&tcp) })
            }
            Some(tcp) => Transport::Tcp(self.segment(&tcp)),
            None => Transport::Udp,
        };
        PacketInfo {
            key: self.key,
            sender: self.sender,
            link: Link::tagged(Tags { outer: realm.svlan(), inner: realm.cvlan() }, self.offset, self.network),
            transport_offset: at_hand(self.transport() as u32),
            length: self.length,
            payload: (at_hand(u32::from(self.payload)), at_hand(self.payload_end)),
            transport,
            fragment: Fragment::None,
        }
    }
}

/// Octets of a transport header and of all up to the payload's end, in a packet that has `room` for them. `at` is where the
/// header begins in the frame, `head` its first octets.
#[inline(always)]
fn transport(frame: &[u8], at: usize, head: &[u8; udp::HEADER], number: u8, room: u32) -> Option<(u32, u32)> {
    match number {
        protocol::UDP => {
            let length = u32::from(u16::from_be_bytes([head[4], head[5]]));
            (length >= udp::HEADER as u32 && length <= room).then_some((udp::HEADER as u32, length))
        }
        protocol::TCP => {
            let tcp = Tcp::read(frame.get(at..)?).ok()?;
            let header = tcp.header_length as u32;
            (header <= room && tcp.flags_are_sane()).then_some((header, room))
        }
        _ => None,
    }
}
