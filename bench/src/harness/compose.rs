//! Headers written over received frames of 64 octets: packets of any session and kind, made in line. Checksums are right.

use super::flow::Header;

/// What a TCP segment says.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Flags, as in the header's 14th octet.
    pub flags: u8,
    /// Ten octets of data, or none.
    pub data: Option<[u8; DATA]>,
}

/// Octets of data that a frame of 64 has room for behind TCP's header.
pub const DATA: usize = 10;

/// Where in a datagram a fragment lies.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Identifies the datagram.
    pub identification: u16,
    /// Offset in units of eight octets.
    pub offset: u16,
    /// Whether more come.
    pub more: bool,
}

/// A TCP segment; false where the frame is too short.
pub fn tcp(frame: &mut [u8], header: Header, segment: Tcp) -> bool {
    let Some(frame) = frame.first_chunk_mut::<64>() else { return false };
    let length = 20 + if segment.data.is_some() { DATA as u16 } else { 0 };
    ipv4(frame, header, Rest { protocol: 6, length: 20 + length, identification: 0, fragment: 0x4000 });
    put(frame, 34, header.ports.to_be_bytes());
    put(frame, 38, segment.sequence.to_be_bytes());
    put(frame, 42, segment.acknowledgement.to_be_bytes());
    put(frame, 46, [0x50, segment.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    let data = segment.data.unwrap_or_default();
    put(frame, 54, data);
    // Summed from what was written, not from the frame: to read back what was just stored in other sizes takes long.
    let fields = [header.source, header.destination, header.ports, segment.sequence, segment.acknowledgement];
    let flags = 0x5000 | u64::from(segment.flags);
    let sum = fields.into_iter().map(u64::from).sum::<u64>() + flags + 0xfaf0 + words(&data) + 6 + u64::from(length);
    put(frame, 50, fold(sum).to_be_bytes());
    true
}

/// A UDP datagram of 22 octets of data without checksum.
pub fn udp(frame: &mut [u8], header: Header) -> bool {
    let Some(frame) = frame.first_chunk_mut::<64>() else { return false };
    ipv4(frame, header, Rest { protocol: 17, length: 50, identification: 0, fragment: 0x4000 });
    put(frame, 34, header.ports.to_be_bytes());
    put(frame, 38, [0, 30, 0, 0]);
    true
}

/// A fragment of a UDP datagram of 1,480 octets and more.
pub fn fragment(frame: &mut [u8], header: Header, piece: Piece) -> bool {
    let Some(frame) = frame.first_chunk_mut::<64>() else { return false };
    // 24 octets of each: fragments but the last are multiples of eight.
    let fragment = u16::from(piece.more) << 13 | piece.offset & 0x1fff;
    ipv4(frame, header, Rest { protocol: 17, length: 44, identification: piece.identification, fragment });
    put(frame, 34, header.ports.to_be_bytes());
    put(frame, 38, [0x05, 0xc8, 0, 0]);
    true
}

/// A UDP datagram whose IPv4 header has an option: a loose source route without addresses (RFC 791).
pub fn source_route(frame: &mut [u8], header: Header) -> bool {
    let Some(frame) = frame.first_chunk_mut::<64>() else { return false };
    ipv4(frame, header, Rest { protocol: 17, length: 50, identification: 0, fragment: 0x4000 });
    frame[14] = 0x46;
    put(frame, 34, [131, 3, 4, 0]);
    put(frame, 24, [0, 0]);
    let sum = fold(words(&frame[14..38]));
    put(frame, 24, sum.to_be_bytes());
    put(frame, 38, header.ports.to_be_bytes());
    put(frame, 42, [0, 26, 0, 0]);
    true
}

/// An ICMP echo request of eight octets of data; the ports are its identifier and sequence number.
pub fn echo(frame: &mut [u8], header: Header) -> bool {
    let Some(frame) = frame.first_chunk_mut::<64>() else { return false };
    ipv4(frame, header, Rest { protocol: 1, length: 36, identification: 0, fragment: 0x4000 });
    put(frame, 34, [8, 0, 0, 0]);
    put(frame, 38, header.ports.to_be_bytes());
    put(frame, 42, [0; 8]);
    let sum = fold(words(&frame[34..50]));
    put(frame, 36, sum.to_be_bytes());
    true
}

/// Of an IPv4 header, besides the addresses.
#[derive(Clone, Copy)]
struct Rest {
    protocol: u8,
    length: u16,
    identification: u16,
    fragment: u16,
}

#[inline(always)]
fn ipv4(frame: &mut [u8; 64], header: Header, rest: Rest) {
    put(frame, 12, [0x08, 0x00, 0x45, 0]);
    put(frame, 16, rest.length.to_be_bytes());
    put(frame, 18, rest.identification.to_be_bytes());
    put(frame, 20, rest.fragment.to_be_bytes());
    put(frame, 22, [64, rest.protocol]);
    let fields = 0x4500 + 0x4000 + [rest.length, rest.identification, rest.fragment].map(u64::from).iter().sum::<u64>();
    let sum = fields + u64::from(rest.protocol) + u64::from(header.source) + u64::from(header.destination);
    put(frame, 24, fold(sum).to_be_bytes());
    put(frame, 26, header.source.to_be_bytes());
    put(frame, 30, header.destination.to_be_bytes());
}

#[inline(always)]
fn put<const N: usize>(frame: &mut [u8; 64], at: usize, octets: [u8; N]) {
    frame[at..at + N].copy_from_slice(&octets);
}

/// The sum of an even number of octets as 16-bit words.
fn words(octets: &[u8]) -> u64 {
    octets.as_chunks::<2>().0.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::flow::Flow;
    use crate::pktgen::frames::{ACK, Link, PSH, SYN, Segment, Side, tcp_packet};

    #[test]
    fn a_segment_is_the_one_that_the_generator_of_stories_builds() {
        for (flags, data) in [(SYN, None), (ACK | PSH, Some(*b"GET / HTTP"))] {
            for side in [Side::Client, Side::Server] {
                let flow = Flow(123_456);
                let acknowledgement = if flags & ACK == 0 { 0 } else { 0x8000_0001 };
                let segment = Tcp { sequence: 0xdead_beef, acknowledgement, flags, data };
                let mut frame = Link::plain().frame(side, &[0x45; 50]);
                assert!(tcp(&mut frame, flow.header(side), segment));
                let (from, to) = flow.ends().of(side);
                let payload = data.as_ref().map_or(&[][..], |data| data);
                let expected = Segment { sequence: segment.sequence, acknowledgement, flags, mss: None, payload };
                let expected = Link::plain().frame(side, &tcp_packet(from, to, 0, expected));
                assert_eq!(frame[..expected.len().min(54 + payload.len())], expected[..54 + payload.len()]);
            }
        }
    }

    #[test]
    fn headers_verify() {
        let header = Flow(9).header(Side::Client);
        let mut frame = [0; 64];
        let piece = Piece { identification: 7, offset: 185, more: true };
        let verifies = |made: bool, frame: &[u8; 64], end: usize| {
            assert!(made);
            assert_eq!(fold(words(&frame[14..end])), 0);
        };
        verifies(udp(&mut frame, header), &frame, 34);
        verifies(fragment(&mut frame, header, piece), &frame, 34);
        verifies(source_route(&mut frame, header), &frame, 38);
        verifies(echo(&mut frame, header), &frame, 34);
        assert!(!udp(&mut [0; 60], header));
    }
}
