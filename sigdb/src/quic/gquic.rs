//! Google's QUIC before the IETF's, Q024 to Q046: a hello in clear, of tags and values.
//!
//! Shapes as "QUIC Wire Layout Specification" and "QUIC Crypto" (Google, 2016) give them.

/// What a look at a datagram tells.
pub(super) enum Look<'a> {
    /// A hello, with its server name where it has one.
    Hello(Option<&'a [u8]>),
    /// A packet that names its version, without a hello.
    Packets,
    No,
}

/// What a hello's octets come to.
pub(super) enum Part<'a> {
    Whole(Option<&'a [u8]>),
    More,
    No,
}

/// Flags of the public header.
const VERSION: u8 = 0x01;
const RESET: u8 = 0x02;
const CONNECTION_ID: u8 = 0x08;
/// Octets of the hash in front of frames that are not encrypted.
const HASH: usize = 12;
/// Values of a hello; clients send some thirty.
const MOST_TAGS: u16 = 128;

/// A packet with the public header, which only a client's first packets have with a version in it.
pub(super) fn look(datagram: &[u8]) -> Look<'_> {
    let Some(rest) = behind_public_header(datagram) else { return Look::No };
    match stream(rest) {
        Some(octets) => match hello(octets) {
            Part::Whole(name) => Look::Hello(name),
            Part::More | Part::No => Look::Packets,
        },
        None => Look::Packets,
    }
}

/// Q046: the long header of its time. The outer option is none where there is no hello.
pub(super) fn look_long(packet: &[u8]) -> Option<Option<&[u8]>> {
    let (&first, rest) = packet.split_first()?;
    let (&lengths, rest) = rest.get(4..)?.split_first()?;
    // A length of zero means none, any other three more than it says.
    let size = |nibble: u8| if nibble == 0 { 0 } else { usize::from(nibble) + 3 };
    let rest = rest.get(size(lengths >> 4) + size(lengths & 15) + usize::from(first & 3) + 1..)?;
    match hello(stream(rest)?) {
        Part::Whole(name) => Some(name),
        Part::More | Part::No => None,
    }
}

fn behind_public_header(datagram: &[u8]) -> Option<&[u8]> {
    let (&flags, rest) = datagram.split_first()?;
    if flags & (VERSION | RESET | CONNECTION_ID | 0xc0) != VERSION | CONNECTION_ID {
        return None;
    }
    let (&[q, zero, tens, ones], rest) = rest.get(8..)?.split_first_chunk::<4>()?;
    let named = q == b'Q' && zero == b'0' && tens.is_ascii_digit() && ones.is_ascii_digit();
    let number = [1, 2, 4, 6][usize::from(flags >> 4 & 3)];
    rest.get(number..).filter(|_| named)
}

/// The octets of the first stream frame, from the stream's start, behind the hash and padding.
fn stream(packet: &[u8]) -> Option<&[u8]> {
    let frames = packet.get(HASH..)?;
    let padding = frames.iter().take_while(|octet| **octet == 0).count();
    let (&kind, rest) = frames.get(padding..)?.split_first()?;
    if kind & 0x80 == 0 || kind & 0x1c != 0 {
        return None; // no stream frame, or not its start
    }
    let rest = rest.get(usize::from(kind & 3) + 1..)?;
    if kind & 0x20 == 0 {
        return Some(rest);
    }
    let (&[high, low], rest) = rest.split_first_chunk::<2>()?;
    // Before Q039 numbers were little endian; a length that is too long is one of those.
    rest.get(..usize::from(u16::from_be_bytes([high, low])))
        .or_else(|| rest.get(..usize::from(u16::from_le_bytes([high, low]))))
}

/// A hello: its name, how many values, then for each its tag and where it ends, then the values.
pub(super) fn hello(octets: &[u8]) -> Part<'_> {
    let Some(&[a, b, c, d, low, high, _, _]) = octets.first_chunk() else { return Part::More };
    let count = u16::from_le_bytes([low, high]);
    if [a, b, c, d] != *b"CHLO" || count == 0 || count > MOST_TAGS {
        return Part::No;
    }
    let index = 8 + 8 * usize::from(count);
    let (Some(tags), Some(values)) = (octets.get(8..index), octets.get(index..)) else { return Part::More };
    let mut begin = 0;
    for tag in tags.chunks_exact(8) {
        let &[a, b, c, d, e, f, g, h] = tag else { return Part::No };
        let end = u32::from_le_bytes([e, f, g, h]) as usize;
        if end < begin || end > usize::from(u16::MAX) {
            return Part::No;
        }
        if [a, b, c, d] == *b"SNI\0" {
            return match values.get(begin..end) {
                Some(name) => Part::Whole((!name.is_empty()).then_some(name)),
                None => Part::More,
            };
        }
        begin = end;
    }
    Part::Whole(None)
}
