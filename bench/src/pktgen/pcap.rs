//! Capture files: pcap in its byte orders and resolutions, pcapng, and the link types that a replay takes.

use std::io::{self, Write};
use std::time::Duration;

use super::frames::Side;
use super::script::TimedFrame;
use super::story::Story;

/// What a file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The container.
    pub container: Container,
    /// What is in front of each packet.
    pub link: LinkType,
}

/// Containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// pcap, microseconds, little-endian.
    Pcap,
    /// pcap, nanoseconds, little-endian.
    PcapNanoseconds,
    /// pcap, microseconds, big-endian.
    PcapBigEndian,
    /// pcapng with one interface, microseconds.
    PcapNg,
}

/// Link types by their names at tcpdump.org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// LINKTYPE_ETHERNET.
    Ethernet,
    /// LINKTYPE_RAW: the IP packet.
    Raw,
    /// LINKTYPE_LINUX_SLL.
    LinuxCooked,
    /// LINKTYPE_LINUX_SLL2.
    LinuxCooked2,
    /// LINKTYPE_NULL: the family in the byte order of the machine.
    Null,
    /// LINKTYPE_LOOP: the family in network order.
    Loop,
    /// LINKTYPE_PPP.
    Ppp,
}

impl Layout {
    /// pcap of Ethernet frames.
    pub const PLAIN: Self = Self { container: Container::Pcap, link: LinkType::Ethernet };
}

impl LinkType {
    /// Its number.
    pub const fn number(self) -> u16 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Ppp => 9,
            Self::Raw => 101,
            Self::Loop => 108,
            Self::LinuxCooked => 113,
            Self::LinuxCooked2 => 276,
        }
    }

    /// The frame as this link type has it; links other than Ethernet carry the IP packet alone, without tags, and nothing of
    /// what is not IP.
    fn wrap(self, frame: &[u8], from: Side) -> Option<Vec<u8>> {
        if self == Self::Ethernet {
            return Some(frame.to_vec());
        }
        let packet = ip_packet(frame)?;
        let v6 = packet[0] >> 4 == 6;
        let ethertype: [u8; 2] = if v6 { [0x86, 0xdd] } else { [0x08, 0x00] };
        let kind = if from == Side::Client { 4 } else { 0 };
        let mut out = match self {
            Self::Ethernet | Self::Raw => Vec::new(),
            Self::LinuxCooked => {
                let mut head = vec![0, kind, 0, 1, 0, 6];
                head.extend_from_slice(&frame[6..12]);
                head.extend_from_slice(&[0, 0]);
                head.extend_from_slice(&ethertype);
                head
            }
            Self::LinuxCooked2 => {
                let mut head = ethertype.to_vec();
                head.extend_from_slice(&[0, 0, 0, 0, 0, 2, 0, 1, kind, 6]);
                head.extend_from_slice(&frame[6..12]);
                head.extend_from_slice(&[0, 0]);
                head
            }
            // AF_INET6 has a number of its own in every system; these are Darwin's and NetBSD's.
            Self::Null => (if v6 { 30_u32 } else { 2 }).to_le_bytes().to_vec(),
            Self::Loop => (if v6 { 24_u32 } else { 2 }).to_be_bytes().to_vec(),
            Self::Ppp => vec![0xff, 0x03, 0x00, if v6 { 0x57 } else { 0x21 }],
        };
        out.extend_from_slice(packet);
        Some(out)
    }
}

/// The IP packet inside an Ethernet frame of this generator, without padding; none in one that has none.
fn ip_packet(frame: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    while matches!((frame[at], frame[at + 1]), (0x81, 0x00) | (0x88, 0xa8)) {
        at += 4;
    }
    let start = match (frame[at], frame[at + 1]) {
        (0x88, 0x64) if matches!((frame[at + 8], frame[at + 9]), (0x00, 0x21 | 0x57)) => at + 10,
        (0x08, 0x00) | (0x86, 0xdd) => at + 2,
        _ => return None,
    };
    let packet = &frame[start..];
    let length = match packet[0] >> 4 {
        6 => 40 + usize::from(u16::from_be_bytes([packet[4], packet[5]])),
        _ => usize::from(u16::from_be_bytes([packet[2], packet[3]])),
    };
    packet.get(..length)
}

/// Writes a story as a capture file.
///
/// # Errors
/// Those of `out`.
pub fn write(story: &Story, layout: Layout, out: &mut impl Write) -> io::Result<()> {
    let wrap = |frame: &TimedFrame| Some((frame.at, layout.link.wrap(&frame.bytes, frame.from)?));
    let kept = story.frames.iter().filter_map(wrap);
    let begins = Duration::from_secs(story.begins);
    match layout.container {
        Container::PcapNg => write_pcapng(begins, layout.link, kept, out),
        container => write_pcap(begins, container, layout.link, kept, out),
    }
}

/// Writes Ethernet frames as a pcap file, their times from the epoch's beginning on.
///
/// # Errors
/// Those of `out`.
pub fn write_frames(frames: impl Iterator<Item = TimedFrame>, out: &mut impl Write) -> io::Result<()> {
    let frames = frames.map(|frame| (frame.at, frame.bytes));
    write_pcap(Duration::ZERO, Container::PcapNanoseconds, LinkType::Ethernet, frames, out)
}

/// draft-ietf-opsawg-pcap: a header, then records.
fn write_pcap(
    begins: Duration,
    container: Container,
    link: LinkType,
    frames: impl Iterator<Item = (Duration, Vec<u8>)>,
    out: &mut impl Write,
) -> io::Result<()> {
    let word = |value: u32| match container {
        Container::PcapBigEndian => value.to_be_bytes(),
        _ => value.to_le_bytes(),
    };
    let half = |value: u16| match container {
        Container::PcapBigEndian => value.to_be_bytes(),
        _ => value.to_le_bytes(),
    };
    let nanoseconds = container == Container::PcapNanoseconds;
    out.write_all(&word(if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }))?;
    out.write_all(&half(2))?;
    out.write_all(&half(4))?;
    for value in [0, 0, SNAP, u32::from(link.number())] {
        out.write_all(&word(value))?;
    }
    for (at, bytes) in frames {
        let time = begins + at;
        let fraction = if nanoseconds { time.subsec_nanos() } else { time.subsec_micros() };
        let length = bytes.len() as u32;
        for value in [time.as_secs() as u32, fraction, length, length] {
            out.write_all(&word(value))?;
        }
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// draft-ietf-opsawg-pcapng: section header, one interface, enhanced packets.
fn write_pcapng(
    begins: Duration,
    link: LinkType,
    frames: impl Iterator<Item = (Duration, Vec<u8>)>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend_from_slice(&[1, 0, 0, 0]);
    section.extend_from_slice(&[0xff; 8]);
    block(0x0a0d_0d0a, &section, out)?;
    let mut interface = link.number().to_le_bytes().to_vec();
    interface.extend_from_slice(&[0, 0]);
    interface.extend_from_slice(&SNAP.to_le_bytes());
    block(1, &interface, out)?;
    for (at, bytes) in frames {
        let stamp = (begins + at).as_micros() as u64;
        let length = (bytes.len() as u32).to_le_bytes();
        let mut packet = vec![0; 4];
        packet.extend_from_slice(&((stamp >> 32) as u32).to_le_bytes());
        packet.extend_from_slice(&(stamp as u32).to_le_bytes());
        packet.extend_from_slice(&length);
        packet.extend_from_slice(&length);
        packet.extend_from_slice(&bytes);
        block(6, &packet, out)?;
    }
    Ok(())
}

fn block(kind: u32, body: &[u8], out: &mut impl Write) -> io::Result<()> {
    let padding = body.len().next_multiple_of(4) - body.len();
    let total = ((body.len() + padding + 12) as u32).to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&total)?;
    out.write_all(body)?;
    out.write_all(&[0; 3][..padding])?;
    out.write_all(&total)
}

const SNAP: u32 = 262_144;

#[cfg(test)]
mod tests {
    use super::super::stories;
    use super::*;

    #[test]
    fn every_layout_has_every_packet() {
        let story = stories::find("qq_qr_login").unwrap().tell(1);
        let links = [
            LinkType::Ethernet,
            LinkType::Raw,
            LinkType::LinuxCooked,
            LinkType::LinuxCooked2,
            LinkType::Null,
            LinkType::Loop,
            LinkType::Ppp,
        ];
        for link in links {
            for (container, header, each) in
                [(Container::Pcap, 24, 16), (Container::PcapNanoseconds, 24, 16), (Container::PcapBigEndian, 24, 16)]
            {
                let mut file = Vec::new();
                write(&story, Layout { container, link }, &mut file).unwrap();
                let octets: usize =
                    story.frames.iter().map(|frame| each + link.wrap(&frame.bytes, frame.from).unwrap().len()).sum();
                assert_eq!(file.len(), header + octets, "{link:?} {container:?}");
            }
        }
        let mut file = Vec::new();
        write(&story, Layout { container: Container::PcapNg, link: LinkType::Ethernet }, &mut file).unwrap();
        assert_eq!(file.len() % 4, 0);
    }

    #[test]
    fn a_packet_is_found_inside_tags() {
        let tagged = stories::find("qq_qinq").unwrap().tell(1);
        let packet = ip_packet(&tagged.frames[0].bytes).unwrap();
        assert_eq!(packet[0], 0x45);
        assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
    }
}
