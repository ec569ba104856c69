//! Link types, and how the packets of each that can be replayed become Ethernet frames, which is all that the pipeline
//! reads. Numbers and layouts: the LINKTYPE registry of tcpdump.org, where the IETF's draft-ietf-opsawg-pcaplinktype
//! takes them from.

use std::fmt;

/// A LINKTYPE value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

/// The link types that can be replayed, in words.
pub const SUPPORTED: &str = "Ethernet (1), raw IP (12, 14, 101, 228, 229), Linux cooked v1 (113) and v2 (276), \
                             null and loop (0, 108), PPP (9, 50, 51, 166, 204)";

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
            Self::RawIp => match packet {
                [] => Header::Cut,
                [first, ..] if first >> 4 == 6 => Header::of(ETHERTYPE_IPV6, 0),
                // Anything but version 4 is a bad IP header, and is to be counted as one.
                _ => Header::of(ETHERTYPE_IPV4, 0),
            },
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
        }
    }
}

/// Octets of an Ethernet header.
const HEADER: usize = 14;

/// What a link header says.
enum Header {
    Known(Link),
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

/// Registered link types, by number, for messages.
#[rustfmt::skip]
const NAMES: &[(u16, &str)] = &[
    (0, "NULL"), (1, "ETHERNET"), (3, "AX25"), (6, "IEEE802_5"), (7, "ARCNET_BSD"), (8, "SLIP"), (9, "PPP"), (10, "FDDI"),
    (12, "RAW"), (14, "RAW"), (50, "PPP_HDLC"), (51, "PPP_ETHER"), (99, "SYMANTEC_FIREWALL"), (100, "ATM_RFC1483"),
    (101, "RAW"), (104, "C_HDLC"), (105, "IEEE802_11"), (106, "ATM_CLIP"), (107, "FRELAY"), (108, "LOOP"), (109, "ENC"),
    (112, "LINUX_CHDLC"), (113, "LINUX_SLL"), (114, "LTALK"), (115, "ECONET"), (117, "PFLOG"), (118, "CISCO_IOS"),
    (119, "IEEE802_11_PRISM"), (120, "AIRONET_HEADER"), (121, "HHDLC"), (122, "IP_OVER_FC"), (123, "SUNATM"), (124, "RIO"),
    (125, "PCI_EXP"), (126, "AURORA"), (127, "IEEE802_11_RADIOTAP"), (128, "TZSP"), (129, "ARCNET_LINUX"),
    (130, "JUNIPER_MLPPP"), (131, "JUNIPER_MLFR"), (132, "JUNIPER_ES"), (133, "JUNIPER_GGSN"), (134, "JUNIPER_MFR"),
    (135, "JUNIPER_ATM2"), (136, "JUNIPER_SERVICES"), (137, "JUNIPER_ATM1"), (138, "APPLE_IP_OVER_IEEE1394"),
    (139, "MTP2_WITH_PHDR"), (140, "MTP2"), (141, "MTP3"), (142, "SCCP"), (143, "DOCSIS"), (144, "LINUX_IRDA"),
    (145, "IBM_SP"), (146, "IBM_SN"), (147, "USER0"), (148, "USER1"), (149, "USER2"), (150, "USER3"), (151, "USER4"),
    (152, "USER5"), (153, "USER6"), (154, "USER7"), (155, "USER8"), (156, "USER9"), (157, "USER10"), (158, "USER11"),
    (159, "USER12"), (160, "USER13"), (161, "USER14"), (162, "USER15"), (163, "IEEE802_11_AVS"), (164, "JUNIPER_MONITOR"),
    (165, "BACNET_MS_TP"), (166, "PPP_PPPD"), (167, "JUNIPER_PPPOE"), (168, "JUNIPER_PPPOE_ATM"), (169, "GPRS_LLC"),
    (170, "GPF_T"), (171, "GPF_F"), (172, "GCOM_T1E1"), (173, "GCOM_SERIAL"), (174, "JUNIPER_PIC_PEER"), (175, "ERF_ETH"),
    (176, "ERF_POS"), (177, "LINUX_LAPD"), (178, "JUNIPER_ETHER"), (179, "JUNIPER_PPP"), (180, "JUNIPER_FRELAY"),
    (181, "JUNIPER_CHDLC"), (182, "MFR"), (183, "JUNIPER_VP"), (185, "A653_ICM"), (186, "USB_FREEBSD"),
    (187, "BLUETOOTH_HCI_H4"), (188, "IEEE802_16_MAC_CPS"), (189, "USB_LINUX"), (190, "CAN20B"),
    (191, "IEEE802_15_4_LINUX"), (192, "PPI"), (193, "IEEE802_16_MAC_CPS_RADIO"), (194, "JUNIPER_ISM"),
    (195, "IEEE802_15_4_WITHFCS"), (196, "SITA"), (197, "ERF"), (198, "RAIF1"), (199, "IPMB_KONTRON"), (200, "JUNIPER_ST"),
    (201, "BLUETOOTH_HCI_H4_WITH_PHDR"), (202, "AX25_KISS"), (203, "LAPD"), (204, "PPP_WITH_DIR"),
    (205, "C_HDLC_WITH_DIR"), (206, "FRELAY_WITH_DIR"), (207, "LAPB_WITH_DIR"), (209, "IPMB_LINUX"), (210, "FLEXRAY"),
    (211, "MOST"), (212, "LIN"), (213, "X2E_SERIAL"), (214, "X2E_XORAYA"), (215, "IEEE802_15_4_NONASK_PHY"),
    (216, "LINUX_EVDEV"), (217, "GSMTAP_UM"), (218, "GSMTAP_ABIS"), (219, "MPLS"), (220, "USB_LINUX_MMAPPED"),
    (221, "DECT"), (222, "AOS"), (223, "WIHART"), (224, "FC_2"), (225, "FC_2_WITH_FRAME_DELIMS"), (226, "IPNET"),
    (227, "CAN_SOCKETCAN"), (228, "IPV4"), (229, "IPV6"), (230, "IEEE802_15_4_NOFCS"), (231, "DBUS"), (232, "JUNIPER_VS"),
    (233, "JUNIPER_SRX_E2E"), (234, "JUNIPER_FIBRECHANNEL"), (235, "DVB_CI"), (236, "MUX27010"),
    (237, "STANAG_5066_D_PDU"), (238, "JUNIPER_ATM_CEMIC"), (239, "NFLOG"), (240, "NETANALYZER"),
    (241, "NETANALYZER_TRANSPARENT"), (242, "IPOIB"), (243, "MPEG_2_TS"), (244, "NG40"), (245, "NFC_LLCP"),
    (247, "INFINIBAND"), (248, "SCTP"), (249, "USBPCAP"), (250, "RTAC_SERIAL"), (251, "BLUETOOTH_LE_LL"),
    (252, "WIRESHARK_UPPER_PDU"), (253, "NETLINK"), (254, "BLUETOOTH_LINUX_MONITOR"), (255, "BLUETOOTH_BREDR_BB"),
    (256, "BLUETOOTH_LE_LL_WITH_PHDR"), (257, "PROFIBUS_DL"), (258, "PKTAP"), (259, "EPON"), (260, "IPMI_HPM_2"),
    (261, "ZWAVE_R1_R2"), (262, "ZWAVE_R3"), (263, "WATTSTOPPER_DLM"), (264, "ISO_14443"), (265, "RDS"),
    (266, "USB_DARWIN"), (267, "OPENFLOW"), (268, "SDLC"), (269, "TI_LLN_SNIFFER"), (271, "VSOCK"), (272, "NORDIC_BLE"),
    (273, "DOCSIS31_XRA31"), (274, "ETHERNET_MPACKET"), (275, "DISPLAYPORT_AUX"), (276, "LINUX_SLL2"),
];

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
    fn a_packet_that_ends_in_its_header_is_a_frame_that_does() {
        for (link, packet) in [(113, &[0; 15][..]), (276, &[0; 19]), (0, &[2, 0, 0]), (9, &[0xff, 0x03]), (51, &[0x11])]
        {
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
