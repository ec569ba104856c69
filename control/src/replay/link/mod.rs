//! Link types, and how the packets of each that can be replayed become Ethernet frames, which is all that the pipeline
//! reads. Numbers and layouts: the LINKTYPE registry of tcpdump.org, where the IETF's draft-ietf-opsawg-pcaplinktype
//! takes them from.

mod names;
mod relay;

use std::fmt;

use names::NAMES;

/// A LINKTYPE value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

/// The link types that can be replayed, in words.
pub const SUPPORTED: &str = "Ethernet (1), raw IP (12, 14, 101, 228, 229), Linux cooked v1 (113) and v2 (276), \
                             null and loop (0, 108), PPP (9, 50, 51, 166, 204), Cisco HDLC (104, 205), frame relay (107, \
                             182, 206), SLIP (8), RFC 1483 (100)";

/// How a packet begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An Ethernet frame.
    Ethernet,
    /// An IP packet; the version is in its first octet.
    RawIp,
    /// An IPv4 packet.
    RawIpv4,
    /// An IPv6 packet.
    RawIpv6,
    /// Linux "cooked", version 1.
    CookedV1,
    /// Linux "cooked", version 2.
    CookedV2,
    /// The BSD loopback: the address family in four octets, in the order of the machine that captured or of the network.
    Null,
    /// PPP, with or without address and control (RFC 1662), or Cisco's HDLC in its place.
    Ppp,
    /// One octet that tells the direction, where PPP has its address or before it.
    PppWithDirection,
    /// From the PPPoE header on (RFC 2516).
    PppOe,
    /// Cisco's HDLC, behind so many octets of something else.
    CiscoHdlc(usize),
    /// Frame relay (RFC 2427), likewise.
    FrameRelay(usize),
    /// Frame relay in fragments over several links (FRF.16.1).
    MultilinkFrameRelay,
    /// An IP packet behind sixteen octets about direction and compression.
    Slip,
    /// IEEE 802.2, as in ATM's AAL5 (RFC 2684).
    Llc,
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_PPPOE_DISCOVERY: u16 = 0x8863;
const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;
/// PPP itself, for what it carries that is not IP.
const ETHERTYPE_PPP: u16 = 0x880b;
/// Locally administered addresses, where the capture has none.
const NO_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0];

impl LinkType {
    /// How its packets begin; none where it cannot be replayed.
    pub fn framing(self) -> Option<Framing> {
        Some(match self.0 {
            1 => Framing::Ethernet,
            12 | 14 | 101 => Framing::RawIp,
            228 => Framing::RawIpv4,
            229 => Framing::RawIpv6,
            113 => Framing::CookedV1,
            276 => Framing::CookedV2,
            0 | 108 => Framing::Null,
            9 | 50 => Framing::Ppp,
            166 | 204 => Framing::PppWithDirection,
            51 => Framing::PppOe,
            104 => Framing::CiscoHdlc(0),
            205 => Framing::CiscoHdlc(1),
            107 => Framing::FrameRelay(0),
            206 => Framing::FrameRelay(1),
            182 => Framing::MultilinkFrameRelay,
            8 => Framing::Slip,
            100 => Framing::Llc,
            _ => return None,
        })
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.binary_search_by_key(&self.0, |&(number, _)| number) {
            Ok(at) => write!(f, "{} ({})", NAMES[at].1, self.0),
            Err(_) => write!(f, "LINKTYPE {} (unregistered)", self.0),
        }
    }
}

impl Framing {
    /// Appends `packet` to `frames` as an Ethernet frame and returns its length on the wire, given the packet's
    /// (`length`). A packet that ends within its link header becomes a frame that ends within its own. None, and nothing
    /// appended, where the packet carries neither IP nor anything that Ethernet has a type for.
    pub fn ethernet(self, packet: &[u8], length: u32, frames: &mut Vec<u8>) -> Option<u32> {
        if self == Self::Ethernet {
            frames.extend_from_slice(packet);
            return Some(length);
        }
        let link = match self.header(packet) {
            Header::Known(link) => link,
            Header::Ethernet(start) => {
                let frame = packet.get(start..).unwrap_or_default();
                frames.extend_from_slice(frame);
                return Some(length.max(packet.len() as u32) - start.min(packet.len()) as u32);
            }
            Header::Unknown => return None,
            Header::Cut => {
                // Too short for an Ethernet header whatever it holds: the pipeline counts it by that name.
                let cut = &packet[..packet.len().min(HEADER - 1)];
                frames.extend_from_slice(cut);
                return Some(cut.len() as u32);
            }
        };
        let payload = &packet[link.length..];
        frames.extend_from_slice(&NO_MAC);
        frames.extend_from_slice(&link.source);
        frames.extend_from_slice(&link.ethertype.to_be_bytes());
        frames.extend_from_slice(payload);
        Some(length.max(packet.len() as u32) - link.length as u32 + HEADER as u32)
    }

    fn header(self, packet: &[u8]) -> Header {
        match self {
            Self::Ethernet => Header::Unknown,
            Self::RawIp => raw_ip(packet, 0),
            Self::RawIpv4 => Header::of(ETHERTYPE_IPV4, 0),
            Self::RawIpv6 => Header::of(ETHERTYPE_IPV6, 0),
            Self::CookedV1 => cooked_v1(packet),
            Self::CookedV2 => cooked_v2(packet),
            Self::Null => null(packet),
            Self::Ppp => ppp(packet, 0),
            Self::PppWithDirection => match packet {
                [] => Header::Cut,
                // The direction in place of the address; 0x03 begins no protocol number.
                [_, 0x03, ..] => ppp(packet, 2),
                _ => ppp(packet, 1),
            },
            Self::PppOe => match packet {
                [_, 0, ..] => Header::of(ETHERTYPE_PPPOE_SESSION, 0),
                [_, _, ..] => Header::of(ETHERTYPE_PPPOE_DISCOVERY, 0),
                _ => Header::Cut,
            },
            Self::CiscoHdlc(start) => relay::cisco_hdlc(packet, start),
            Self::FrameRelay(start) => relay::frame_relay(packet, start),
            Self::MultilinkFrameRelay => relay::multilink(packet),
            Self::Slip => raw_ip(packet, SLIP_HEADER),
            Self::Llc => relay::llc(packet),
        }
    }
}

/// Octets before the IP packet of LINKTYPE_SLIP: the direction, and what compression said.
const SLIP_HEADER: usize = 16;

/// Octets of an Ethernet header.
const HEADER: usize = 14;

/// What a link header says.
enum Header {
    Known(Link),
    /// An Ethernet frame stands behind so many octets, at most as many as the packet has.
    Ethernet(usize),
    /// It names a protocol without an EtherType.
    Unknown,
    /// The packet ends within it.
    Cut,
}

struct Link {
    ethertype: u16,
    /// Octets before the payload; never more than the packet has.
    length: usize,
    source: [u8; 6],
}

impl Header {
    fn of(ethertype: u16, length: usize) -> Self {
        Self::Known(Link { ethertype, length, source: NO_MAC })
    }
}

/// An IP packet from `start` on.
fn raw_ip(packet: &[u8], start: usize) -> Header {
    match packet.get(start) {
        None => Header::Cut,
        Some(first) if first >> 4 == 6 => Header::of(ETHERTYPE_IPV6, start),
        // Anything but version 4 is a bad IP header, and is to be counted as one.
        Some(_) => Header::of(ETHERTYPE_IPV4, start),
    }
}

/// LINKTYPE_LINUX_SLL: packet type, ARPHRD type, address length (2 octets each), address (8), protocol (2).
fn cooked_v1(packet: &[u8]) -> Header {
    match packet {
        &[_, _, a0, a1, l0, l1, m0, m1, m2, m3, m4, m5, _, _, p0, p1, ..] => cooked(
            u16::from_be_bytes([a0, a1]),
            u16::from_be_bytes([p0, p1]),
            u16::from_be_bytes([l0, l1]),
            [m0, m1, m2, m3, m4, m5],
            &packet[16..],
            16,
        ),
        _ => Header::Cut,
    }
}

/// LINKTYPE_LINUX_SLL2: protocol (2), reserved (2), interface (4), ARPHRD type (2), packet type (1), address length (1),
/// address (8).
fn cooked_v2(packet: &[u8]) -> Header {
    match packet {
        &[p0, p1, _, _, _, _, _, _, a0, a1, _, length, m0, m1, m2, m3, m4, m5, _, _, ..] => cooked(
            u16::from_be_bytes([a0, a1]),
            u16::from_be_bytes([p0, p1]),
            u16::from(length),
            [m0, m1, m2, m3, m4, m5],
            &packet[20..],
            20,
        ),
        _ => Header::Cut,
    }
}

fn cooked(device: u16, protocol: u16, address_length: u16, address: [u8; 6], payload: &[u8], length: usize) -> Header {
    const ARPHRD_NETLINK: u16 = 824;
    const ETH_P_802_3: u16 = 0x0001;
    const ETH_P_802_2: u16 = 0x0004;
    let ethertype = match protocol {
        // The protocol is a netlink family, not an EtherType.
        _ if device == ARPHRD_NETLINK => return Header::Unknown,
        // IEEE 802.3: a length stands where Ethernet II has its type.
        ETH_P_802_3 | ETH_P_802_2 if payload.len() <= 1500 => payload.len() as u16,
        0..0x0600 => return Header::Unknown,
        ethertype => ethertype,
    };
    let source = if address_length == 6 { address } else { NO_MAC };
    Header::Known(Link { ethertype, length, source })
}

/// The address families of IPv6 are 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin, 10 on Linux.
fn null(packet: &[u8]) -> Header {
    let Some(&family) = packet.first_chunk() else {
        return Header::Cut;
    };
    // Families are small: whichever order makes the number small is the one it was written in.
    match u32::from_be_bytes(family).min(u32::from_le_bytes(family)) {
        2 => Header::of(ETHERTYPE_IPV4, 4),
        10 | 24 | 28 | 30 => Header::of(ETHERTYPE_IPV6, 4),
        _ => Header::Unknown,
    }
}

/// PPP from `start` on: address and control may be left out (RFC 1662, 3.2), and the protocol's first octet too
/// (RFC 1661, 6.5).
fn ppp(packet: &[u8], start: usize) -> Header {
    match &packet[start.min(packet.len())..] {
        // Cisco's HDLC: unicast or broadcast, zero, EtherType.
        &[0x0f | 0x8f, 0x00, t0, t1, ..] => Header::of(u16::from_be_bytes([t0, t1]), start + 4),
        [0xff, 0x03, ..] => ppp_protocol(packet, start + 2),
        _ => ppp_protocol(packet, start),
    }
}

fn ppp_protocol(packet: &[u8], start: usize) -> Header {
    let (protocol, length) = match packet[start.min(packet.len())..] {
        [octet, ..] if octet & 1 == 1 => (u16::from(octet), 1),
        [first, second, ..] => (u16::from_be_bytes([first, second]), 2),
        _ => return Header::Cut,
    };
    match protocol {
        0x0021 => Header::of(ETHERTYPE_IPV4, start + length),
        0x0057 => Header::of(ETHERTYPE_IPV6, start + length),
        _ => Header::of(ETHERTYPE_PPP, start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frame that a packet becomes: EtherType, payload and length on the wire.
    fn frame(link: u16, packet: &[u8]) -> Option<(u16, Vec<u8>, u32)> {
        let mut frames = b"before".to_vec();
        let length = LinkType(link).framing().unwrap().ethernet(packet, packet.len() as u32 + 100, &mut frames)?;
        let frame = &frames[6..];
        Some((u16::from_be_bytes([frame[12], frame[13]]), frame[14..].to_vec(), length))
    }

    #[test]
    fn raw_ip_is_told_by_its_version() {
        for link in [12, 14, 101] {
            assert_eq!(frame(link, &[0x45, 1]), Some((0x0800, vec![0x45, 1], 116)));
            assert_eq!(frame(link, &[0x60, 1]), Some((0x86dd, vec![0x60, 1], 116)));
            assert_eq!(frame(link, &[0x15, 1]), Some((0x0800, vec![0x15, 1], 116)));
        }
        assert_eq!(frame(228, &[0x45]), Some((0x0800, vec![0x45], 115)));
        assert_eq!(frame(229, &[0x60]), Some((0x86dd, vec![0x60], 115)));
    }

    #[test]
    fn cooked_packets_keep_the_sender_and_the_ethertype() {
        let mut v1 = vec![0, 0, 0, 1, 0, 6, 2, 3, 4, 5, 6, 7, 0, 0, 0x08, 0x00];
        v1.extend([0x45, 9]);
        assert_eq!(frame(113, &v1), Some((0x0800, vec![0x45, 9], 116)));
        let mut frames = Vec::new();
        assert_eq!(Framing::CookedV1.ethernet(&v1, 18, &mut frames), Some(16));
        assert_eq!(frames[6..12], [2, 3, 4, 5, 6, 7]);

        let mut v2 = vec![0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 3, 4, 5, 6, 7, 0, 0];
        v2.extend([0x60, 9]);
        assert_eq!(frame(276, &v2), Some((0x86dd, vec![0x60, 9], 116)));
    }

    #[test]
    fn what_has_no_ethertype_is_left_out() {
        let netlink = [0, 0, 0x03, 0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00, 0x45];
        assert_eq!(frame(113, &netlink), None);
        let can = [0, 0, 0x01, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x0c, 1];
        assert_eq!(frame(113, &can), None);
        assert_eq!(frame(0, &[7, 0, 0, 0, 1]), None);
    }

    #[test]
    fn llc_in_a_cooked_packet_becomes_a_length() {
        let llc = [0, 0, 0, 1, 0, 6, 2, 3, 4, 5, 6, 7, 0, 0, 0x00, 0x04, 0x42, 0x42, 3];
        assert_eq!(frame(113, &llc), Some((3, vec![0x42, 0x42, 3], 117)));
    }

    #[test]
    fn null_and_loop_are_read_in_either_order() {
        for link in [0, 108] {
            assert_eq!(frame(link, &[2, 0, 0, 0, 0x45]), Some((0x0800, vec![0x45], 115)));
            assert_eq!(frame(link, &[0, 0, 0, 2, 0x45]), Some((0x0800, vec![0x45], 115)));
            for family in [10, 24, 28, 30] {
                assert_eq!(frame(link, &[family, 0, 0, 0, 0x60]), Some((0x86dd, vec![0x60], 115)));
                assert_eq!(frame(link, &[0, 0, 0, family, 0x60]), Some((0x86dd, vec![0x60], 115)));
            }
        }
    }

    #[test]
    fn ppp_is_read_with_and_without_what_may_be_compressed() {
        for packet in
            [&[0xff, 0x03, 0x00, 0x21, 0x45][..], &[0x00, 0x21, 0x45], &[0x21, 0x45], &[0xff, 0x03, 0x21, 0x45]]
        {
            for link in [9, 50] {
                let length = 14 + 1 + 100;
                assert_eq!(frame(link, packet), Some((0x0800, vec![0x45], length)), "{link}: {packet:x?}");
            }
        }
        assert_eq!(frame(9, &[0xff, 0x03, 0x00, 0x57, 0x60]), Some((0x86dd, vec![0x60], 115)));
        assert_eq!(frame(9, &[0xff, 0x03, 0xc0, 0x21, 1]), Some((0x880b, vec![0xc0, 0x21, 1], 117)));
        assert_eq!(frame(50, &[0x0f, 0x00, 0x08, 0x00, 0x45]), Some((0x0800, vec![0x45], 115)));
    }

    #[test]
    fn the_direction_of_pppd_is_stepped_over() {
        for link in [166, 204] {
            assert_eq!(frame(link, &[0x01, 0xff, 0x03, 0x00, 0x21, 0x45]), Some((0x0800, vec![0x45], 115)));
            assert_eq!(frame(link, &[0x00, 0x03, 0x00, 0x21, 0x45]), Some((0x0800, vec![0x45], 115)));
            assert_eq!(frame(link, &[0x00, 0x00, 0x21, 0x45]), Some((0x0800, vec![0x45], 115)));
        }
    }

    #[test]
    fn pppoe_gets_the_ethertype_of_its_stage() {
        assert_eq!(frame(51, &[0x11, 0, 0, 1, 0, 0]), Some((0x8864, vec![0x11, 0, 0, 1, 0, 0], 120)));
        assert_eq!(frame(51, &[0x11, 9, 0, 0, 0, 0]), Some((0x8863, vec![0x11, 9, 0, 0, 0, 0], 120)));
    }

    #[test]
    fn slip_carries_ip_behind_its_header() {
        let packet = |first: u8| [&[0; 16][..], &[first, 9]].concat();
        assert_eq!(frame(8, &packet(0x45)), Some((0x0800, vec![0x45, 9], 116)));
        assert_eq!(frame(8, &packet(0x60)), Some((0x86dd, vec![0x60, 9], 116)));
    }

    #[test]
    fn a_packet_that_ends_in_its_header_is_a_frame_that_does() {
        let cut = [
            (113, &[0; 15][..]),
            (276, &[0; 19]),
            (0, &[2, 0, 0]),
            (9, &[0xff, 0x03]),
            (51, &[0x11]),
            (8, &[0; 16]),
            (104, &[0x0f, 0, 8]),
            (107, &[0x18, 0x41, 3]),
            (182, &[0xc0]),
            (100, &[0xaa, 0xaa, 3, 0, 0, 0, 8]),
        ];
        for (link, packet) in cut {
            let mut frames = Vec::new();
            let length = LinkType(link).framing().unwrap().ethernet(packet, packet.len() as u32, &mut frames);
            assert_eq!(length, Some(packet.len().min(13) as u32));
            assert_eq!(frames, packet[..packet.len().min(13)]);
        }
    }

    #[test]
    fn names_are_in_order_and_said_with_their_number() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(LinkType(105).to_string(), "IEEE802_11 (105)");
        assert_eq!(LinkType(9999).to_string(), "LINKTYPE 9999 (unregistered)");
        for number in 0..=300 {
            if LinkType(number).framing().is_some() {
                assert!(SUPPORTED.contains(&number.to_string()), "{number}");
            }
        }
    }
}
