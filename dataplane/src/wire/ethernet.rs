//! Ethernet II, and IEEE 802.3 with LLC/SNAP where it carries an EtherType (RFC 1042).

use super::be16;

/// Octets of the header.
pub const HEADER: usize = 14;
/// IPv4.
pub const IPV4: u16 = 0x0800;
/// ARP.
pub const ARP: u16 = 0x0806;
/// 802.1Q customer tag.
pub const CUSTOMER_TAG: u16 = 0x8100;
/// IPv6.
pub const IPV6: u16 = 0x86dd;
/// PPPoE session stage (RFC 2516).
pub const PPPOE_SESSION: u16 = 0x8864;
/// EtherType: PPPoE, discovery stage (RFC 2516, 4).
pub const PPPOE_DISCOVERY: u16 = 0x8863;
/// EtherType: EAP over LAN (IEEE 802.1X-2020, 11.1.4).
pub const EAPOL: u16 = 0x888e;
/// 802.1ad service tag.
pub const SERVICE_TAG: u16 = 0x88a8;
/// Service tag of older equipment.
pub const OLD_SERVICE_TAG: u16 = 0x9100;

/// A value up to this in the EtherType's place is a length (IEEE 802.3, 3.2.6).
const MAXIMUM_LENGTH: u16 = 1500;
/// LLC's and SNAP's headers in front of an EtherType.
const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];

/// The EtherType at 12; none where the frame is shorter than its header.
pub fn ether_type(frame: &[u8]) -> Option<u16> {
    be16(frame, 12)
}

/// Whether the frame is for a group, broadcast included.
pub fn is_group(frame: &[u8]) -> bool {
    frame.first().is_some_and(|octet| octet & 1 != 0)
}

/// Where a length stands in the EtherType's place and SNAP follows at `at`: the EtherType within and where its payload
/// begins. Hosts take such frames for what they carry, so the policy must see them.
pub fn snap(frame: &[u8], ether_type: u16, at: usize) -> Option<(u16, usize)> {
    if ether_type > MAXIMUM_LENGTH || frame.get(at..at + SNAP.len())? != SNAP {
        return None;
    }
    Some((be16(frame, at + SNAP.len())?, at + SNAP.len() + 2))
}
