//! PPPoE's discovery stage (RFC 2516, 5).

use crate::wire::be16;

/// A host asks a concentrator for a session.
pub const PADR: u8 = 0x19;
/// The concentrator confirms it, or has none to give.
pub const PADS: u8 = 0x65;
/// Either ends a session.
pub const PADT: u8 = 0xa7;

/// Octets of the header.
const HEADER: usize = 6;
/// Version 1 and type 1.
const VERSION_TYPE: u8 = 0x11;

/// A packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discovery<'a> {
    /// What it is.
    pub code: u8,
    /// The session; 0 while there is none.
    pub session: u16,
    /// The concentrator's name.
    pub concentrator: &'a [u8],
    /// What the access node calls the line (RFC 4679, 3.3.1; TR-101).
    pub circuit: &'a [u8],
    /// And the subscriber (RFC 4679, 3.3.2).
    pub remote: &'a [u8],
    error: Option<(u16, &'a [u8])>,
}

impl<'a> Discovery<'a> {
    /// Reads a packet; none where it is of another version, or cut off, or a tag in it is.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let &[VERSION_TYPE, code] = payload.first_chunk()? else { return None };
        let mut packet = Self { code, session: be16(payload, 2)?, ..Self::default() };
        let mut tags = payload.get(HEADER..HEADER + usize::from(be16(payload, 4)?))?;
        while let Some((kind, value, rest)) = next(tags) {
            tags = rest;
            match kind {
                END => return Some(packet),
                CONCENTRATOR => packet.concentrator = value,
                VENDOR => packet.line(value),
                SERVICE_ERROR | SYSTEM_ERROR | GENERIC_ERROR => packet.error = Some((kind, value)),
                _ => {}
            }
        }
        tags.is_empty().then_some(packet)
    }

    /// What went wrong, in the concentrator's words or by the tag's name.
    pub fn error(&self) -> &'a [u8] {
        match self.error {
            Some((SERVICE_ERROR, [])) => b"Service-Name-Error",
            Some((SYSTEM_ERROR, [])) => b"AC-System-Error",
            Some((_, text)) => text,
            None => &[],
        }
    }

    /// What an access node put in.
    fn line(&mut self, value: &'a [u8]) {
        let Some(mut rest) = value.strip_prefix(&BROADBAND_FORUM) else { return };
        while let &[kind, length, ref after @ ..] = rest {
            let Some((text, after)) = after.split_at_checked(usize::from(length)) else { return };
            match kind {
                1 => self.circuit = text,
                2 => self.remote = text,
                _ => {}
            }
            rest = after;
        }
    }
}

/// The first tag, its value, and what follows.
fn next(tags: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::from(be16(tags, 2)?);
    let (value, rest) = tags.get(4..)?.split_at_checked(length)?;
    Some((be16(tags, 0)?, value, rest))
}

const END: u16 = 0x0000;
const CONCENTRATOR: u16 = 0x0102;
const VENDOR: u16 = 0x0105;
const SERVICE_ERROR: u16 = 0x0201;
const SYSTEM_ERROR: u16 = 0x0202;
const GENERIC_ERROR: u16 = 0x0203;
/// The vendor whose tags access nodes use (RFC 4679, 3.1).
const BROADBAND_FORUM: [u8; 4] = [0, 0, 0x0d, 0xe9];

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(tags: &[u8]) -> Vec<u8> {
        [&[0x11, PADS, 0, 7][..], &(tags.len() as u16).to_be_bytes(), tags].concat()
    }

    #[test]
    fn tags_are_read_up_to_the_packets_own_end() {
        let line = [&BROADBAND_FORUM[..], b"\x01\x03eth\x02\x02r9\x81\x04\0\0\0\0"].concat();
        let tags = [
            b"\x01\x01\0\0\x01\x02\0\x02ac\x01\x05".as_slice(),
            &(line.len() as u16).to_be_bytes(),
            &line,
            b"\x02\x01\0\0",
        ];
        let padded = [packet(&tags.concat()), vec![0; 9]].concat();
        let read = Discovery::read(&padded).unwrap();
        assert_eq!((read.code, read.session, read.concentrator), (PADS, 7, &b"ac"[..]));
        assert_eq!((read.circuit, read.remote, read.error()), (&b"eth"[..], &b"r9"[..], &b"Service-Name-Error"[..]));
        // After End-Of-List nothing is read.
        let ended = packet(b"\0\0\0\0\x01\x02\0\x02ac\xff");
        assert_eq!(Discovery::read(&ended).map(|packet| packet.concentrator), Some(&[][..]));
    }

    #[test]
    fn what_is_cut_off_is_none_and_a_bad_vendor_tag_only_itself() {
        let whole = packet(b"\x01\x02\0\x02ac");
        for length in 0..whole.len() {
            assert_eq!(Discovery::read(&whole[..length]), None, "{length}");
        }
        assert_eq!(Discovery::read(&packet(b"\x01\x02\0\x03ac")), None);
        assert_eq!(Discovery::read(&packet(b"\x01\x02\0")), None);
        assert_eq!(Discovery::read(&[0x21, PADS, 0, 7, 0, 0]), None);
        let bad = packet(b"\x01\x05\0\x08\0\0\x0d\xe9\x01\xffab\x01\x02\0\x01c");
        let read = Discovery::read(&bad).unwrap();
        assert_eq!((read.circuit, read.concentrator), (&b""[..], &b"c"[..]));
    }
}
