//! Links of wide area networks: Cisco's HDLC, frame relay, ATM. What they carry is named by an EtherType, or by an NLPID
//! (ISO/IEC TR 9577) in its place.

use super::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Header};

/// Below it, the field is a length (IEEE 802.3) or a number of the link's own.
const FIRST_ETHERTYPE: u16 = 0x0600;

/// Unnumbered information (ISO/IEC 8802-2).
const UI: u8 = 0x03;

/// Address, control, EtherType.
pub(super) fn cisco_hdlc(packet: &[u8], start: usize) -> Header {
    ethertype(packet, start + 2)
}

/// A Q.922 address of two to four octets, the last of which is odd; then, as RFC 2427 has it, UI and an NLPID, or else
/// an EtherType at once (Cisco's older way).
pub(super) fn frame_relay(packet: &[u8], start: usize) -> Header {
    let rest = packet.get(start..).unwrap_or_default();
    let length = match rest.iter().take(4).position(|octet| octet & 1 == 1) {
        Some(last @ 1..) => last + 1,
        Some(_) => return Header::Unknown,
        None if rest.len() < 4 => return Header::Cut,
        None => return Header::Unknown,
    };
    match rest.get(length..).unwrap_or_default() {
        // One octet of padding may make what follows even.
        [UI, 0x00, ..] => nlpid(packet, start + length + 2),
        [UI, ..] => nlpid(packet, start + length + 1),
        _ => ethertype(packet, start + length),
    }
}

/// FRF.16.1, 2.2: bits for begin, end and control, then a number. Fragments are not put together.
pub(super) fn multilink(packet: &[u8]) -> Header {
    const BEGIN_END: u8 = 0xc0;
    const BEGIN_END_CONTROL: u8 = 0xe0;
    match packet {
        [first, _, ..] if first & BEGIN_END_CONTROL == BEGIN_END => frame_relay(packet, 2),
        [_, _, ..] => Header::Unknown,
        _ => Header::Cut,
    }
}

/// RFC 2684, section 5: LLC with SNAP, or with an NLPID, or another LLC, as Ethernet has it behind a length.
pub(super) fn llc(packet: &[u8]) -> Header {
    match packet {
        [0xaa, 0xaa, UI, ..] => snap(packet, 3, 2),
        [0xfe, 0xfe, UI, ..] => nlpid(packet, 3),
        [_, _, _, ..] if packet.len() <= 1500 => Header::of(packet.len() as u16, 0),
        [_, _, _, ..] => Header::Unknown,
        _ => Header::Cut,
    }
}

fn nlpid(packet: &[u8], start: usize) -> Header {
    match packet.get(start) {
        None => Header::Cut,
        Some(0xcc) => Header::of(ETHERTYPE_IPV4, start + 1),
        Some(0x8e) => Header::of(ETHERTYPE_IPV6, start + 1),
        Some(0x80) => snap(packet, start + 1, 0),
        Some(_) => Header::Unknown,
    }
}

/// SNAP: an organisation, and a number of its own. `padding`: octets before a frame that is bridged.
fn snap(packet: &[u8], start: usize, padding: usize) -> Header {
    match packet.get(start..).unwrap_or_default() {
        [0x00, 0x00, 0x00, _, _, ..] => ethertype(packet, start + 3),
        // IEEE 802.1: Ethernet frames, with and without their frame check sequence.
        [0x00, 0x80, 0xc2, 0x00, 0x01 | 0x07, ..] => Header::Ethernet((start + 5 + padding).min(packet.len())),
        [_, _, _, _, _, ..] => Header::Unknown,
        _ => Header::Cut,
    }
}

fn ethertype(packet: &[u8], start: usize) -> Header {
    match packet.get(start..).unwrap_or_default() {
        &[first, second, ..] => match u16::from_be_bytes([first, second]) {
            0..FIRST_ETHERTYPE => Header::Unknown,
            ethertype => Header::of(ethertype, start + 2),
        },
        _ => Header::Cut,
    }
}

#[cfg(test)]
mod tests {
    use crate::replay::link::LinkType;

    /// EtherType and payload of the frame that a packet becomes.
    fn frame(link: u16, packet: &[u8]) -> Option<(u16, Vec<u8>)> {
        let mut frames = Vec::new();
        let length = LinkType(link).framing().unwrap().ethernet(packet, packet.len() as u32, &mut frames)?;
        assert_eq!(length as usize, frames.len());
        Some((u16::from_be_bytes([frames[12], frames[13]]), frames[14..].to_vec()))
    }

    const IPV4: Option<u16> = Some(0x0800);

    fn ethertype(link: u16, packet: &[u8]) -> Option<u16> {
        frame(link, packet).map(|(ethertype, payload)| {
            assert_eq!(payload, packet[packet.len() - payload.len()..]);
            ethertype
        })
    }

    #[test]
    fn hdlc_names_an_ethertype() {
        assert_eq!(frame(104, &[0x0f, 0, 8, 0, 0x45, 9]), Some((0x0800, vec![0x45, 9])));
        assert_eq!(frame(205, &[1, 0x8f, 0, 0x86, 0xdd, 0x60]), Some((0x86dd, vec![0x60])));
        // Its own keepalive is RARP's number; Cisco's discovery has one of its own.
        assert_eq!(ethertype(104, &[0x8f, 0, 0x80, 0x35, 0]), Some(0x8035));
        assert_eq!(frame(104, &[0x0f, 0, 0x00, 0x21, 0x45]), None);
    }

    #[test]
    fn frame_relay_carries_ip_in_four_ways() {
        for packet in [
            &[0x18, 0x41, 0x03, 0xcc, 0x45][..],
            &[0x18, 0x41, 0x08, 0x00, 0x45],
            &[0x18, 0x41, 0x03, 0x00, 0x80, 0, 0, 0, 0x08, 0x00, 0x45],
            &[0x18, 0x40, 0x00, 0x05, 0x03, 0xcc, 0x45],
        ] {
            assert_eq!(frame(107, packet), Some((0x0800, vec![0x45])), "{packet:x?}");
            assert_eq!(ethertype(206, &[&[0], packet].concat()), IPV4);
        }
        assert_eq!(frame(107, &[0x18, 0x41, 0x03, 0x8e, 0x60]), Some((0x86dd, vec![0x60])));
        // IS-IS, call control, an address that does not end, one that ends at once.
        for packet in [&[0x18, 0x41, 0x03, 0x83, 0x1b][..], &[0, 1, 0x03, 0x08, 2], &[0; 9], &[1, 0, 3, 0xcc, 0x45]] {
            assert_eq!(frame(107, packet), None, "{packet:x?}");
        }
    }

    #[test]
    fn bridged_frames_are_frames_again() {
        let inner: Vec<u8> = (0..12).chain([0x08, 0x00, 0x45]).collect();
        let relay = [&[0x18, 0x41, 0x03, 0x00, 0x80, 0x00, 0x80, 0xc2, 0x00, 0x07][..], &inner].concat();
        let atm = [&[0xaa, 0xaa, 0x03, 0x00, 0x80, 0xc2, 0x00, 0x07, 0, 0][..], &inner].concat();
        assert_eq!(frame(107, &relay), Some((0x0800, vec![0x45])));
        assert_eq!(frame(100, &atm), Some((0x0800, vec![0x45])));
    }

    #[test]
    fn of_several_links_only_whole_frames_are_taken() {
        let whole = [0xc1, 0xc1, 0x18, 0x41, 0x03, 0xcc, 0x45];
        assert_eq!(ethertype(182, &whole), IPV4);
        for first in [0x81, 0x41, 0x01, 0xe1] {
            let mut other = whole;
            other[0] = first;
            assert_eq!(frame(182, &other), None, "{first:x}");
        }
    }

    #[test]
    fn llc_of_atm_names_what_follows() {
        assert_eq!(ethertype(100, &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0, 0x45]), IPV4);
        assert_eq!(ethertype(100, &[0xfe, 0xfe, 3, 0xcc, 0x45]), IPV4);
        assert_eq!(frame(100, &[0x42, 0x42, 3, 9]), Some((4, vec![0x42, 0x42, 3, 9])));
        assert_eq!(frame(100, &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 1]), None);
    }
}
