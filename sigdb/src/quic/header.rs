//! The long header of QUIC's first packets (RFC 9000, 17.2; RFC 9369, 3.2), and what its version means.

/// A packet with a long header.
#[derive(Clone, Copy, Debug)]
pub(super) struct LongHeader<'a> {
    pub(super) version: u32,
    pub(super) kind: PacketKind,
    pub(super) destination: &'a [u8],
    /// Where the packet number is (an Initial packet's only).
    pub(super) number_at: usize,
    /// Octets of the whole packet.
    pub(super) length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketKind {
    /// With the hello, encrypted.
    Initial,
    /// Google's, not encrypted.
    InClear,
    /// Any other.
    Other,
}

/// How a version protects its Initial packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protection {
    pub(super) salt: [u8; 20],
    /// RFC 9369, 3.3.2: its labels say "quicv2".
    pub(super) second: bool,
}

/// RFC 9001, 5.2.
const SALT_1: [u8; 20] = hex(b"38762cf7f55934b34d179ae6a4c80cadccbb7f0a");
/// RFC 9369, 3.3.1.
const SALT_2: [u8; 20] = hex(b"0dede3def700a6db819381be6e269dcbf9bd2ed9");
/// draft-ietf-quic-v2-00 to -01.
const SALT_2_DRAFT: [u8; 20] = hex(b"a707c203a59b47184a1d62ca570406ea7ae3e5d3");
/// draft-ietf-quic-tls-29 to -32.
const SALT_DRAFT_29: [u8; 20] = hex(b"afbfec289993d24c9e9786f19c6111e04390a899");
/// draft-ietf-quic-tls-23 to -28.
const SALT_DRAFT_23: [u8; 20] = hex(b"c3eef712c72ebb5a11a7d2432bb46365bef9f502");
/// draft-ietf-quic-tls-21 to -22.
const SALT_DRAFT_22: [u8; 20] = hex(b"7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a");
/// Google's Q050, T050 and T051.
const SALT_Q050: [u8; 20] = hex(b"504574efd066fe2f9d945cfcdbd3a7f0d3b56b45");
const SALT_T050: [u8; 20] = hex(b"7ff579e5acd072915580304c43a2367c60488310");
const SALT_T051: [u8; 20] = hex(b"7a4edef4e7ccee5fa4506c19124fc8ccda6e033d");

const VERSION_2: u32 = 0x6b33_43cf;
const VERSION_2_DRAFT: u32 = 0x709a_50c4;
const Q046: u32 = u32::from_be_bytes(*b"Q046");
const Q050: u32 = u32::from_be_bytes(*b"Q050");

impl Protection {
    pub(super) fn of(version: u32) -> Option<Self> {
        let salt = match version {
            1 | 0xff00_0021..=0xff00_0022 => SALT_1,
            VERSION_2 => SALT_2,
            VERSION_2_DRAFT => SALT_2_DRAFT,
            0xff00_001d..=0xff00_0020 => SALT_DRAFT_29,
            // Drafts, and Facebook's mvfst of their time.
            0xff00_0017..=0xff00_001c | 0xface_b002 | 0xface_b00e => SALT_DRAFT_23,
            0xff00_0015..=0xff00_0016 | 0xface_b001 => SALT_DRAFT_22,
            Q050 => SALT_Q050,
            _ if version == u32::from_be_bytes(*b"T050") => SALT_T050,
            _ if version == u32::from_be_bytes(*b"T051") => SALT_T051,
            _ => return None,
        };
        Some(Self { salt, second: matches!(version, VERSION_2 | VERSION_2_DRAFT) })
    }
}

impl<'a> LongHeader<'a> {
    /// None where it is no packet of a version that is known, or one that asks for a negotiation (RFC 9000, 6.3 and 15).
    pub(super) fn at(packet: &'a [u8]) -> Option<Self> {
        let (&[first, a, b, c, d], rest) = packet.split_first_chunk::<5>()?;
        let version = u32::from_be_bytes([a, b, c, d]);
        if first & 0xc0 != 0xc0 && !(version == 0 && first & 0x80 != 0) {
            return None;
        }
        let other = |kind| Self { version, kind, destination: &[], number_at: 0, length: packet.len() };
        if version == Q046 {
            return Some(other(PacketKind::InClear));
        }
        let (destination, rest) = connection_id(rest)?;
        let (_source, rest) = connection_id(rest)?;
        let Some(protection) = Protection::of(version) else {
            let negotiation = version == 0 && rest.len() >= 4 && rest.len() % 4 == 0;
            let forces_one = version & 0x0f0f_0f0f == 0x0a0a_0a0a && packet.len() >= 1200;
            return (negotiation || forces_one).then(|| other(PacketKind::Other));
        };
        let (initial, retry) = if protection.second { (1, 0) } else { (0, 3) };
        let kind = first >> 4 & 3;
        if kind == retry {
            return Some(other(PacketKind::Other));
        }
        let rest = if kind == initial {
            let (token, rest) = varint(rest)?;
            rest.get(usize::try_from(token).ok()?..)?
        } else {
            rest
        };
        let (length, rest) = varint(rest)?;
        let number_at = packet.len() - rest.len();
        let length = usize::try_from(length).ok().filter(|length| *length <= rest.len())?;
        let kind = if kind == initial { PacketKind::Initial } else { PacketKind::Other };
        Some(Self { version, kind, destination, number_at, length: number_at + length })
    }

    /// Whether its frames are Google's.
    pub(super) fn google(&self) -> bool {
        self.version == Q050
    }
}

/// A connection id of at most 20 octets behind its length.
fn connection_id(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = octets.split_first()?;
    if length > 20 { None } else { rest.split_at_checked(usize::from(length)) }
}

/// A number whose first two bits say its length (RFC 9000, 16).
pub(super) fn varint(octets: &[u8]) -> Option<(u64, &[u8])> {
    let &first = octets.first()?;
    let (number, rest) = octets.split_at_checked(1 << (first >> 6))?;
    let number = number.iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
    Some((number & (u64::MAX >> (64 - 8 * (1_u32 << (first >> 6)) + 2)), rest))
}

/// Octets from hexadecimal digits, white space aside.
pub(super) const fn hex<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut octets = [0; N];
    let (mut place, mut at) = (0, 0);
    while at < text.len() {
        let digit = match text[at] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => {
                at += 1;
                continue;
            }
        };
        octets[place / 2] = octets[place / 2] << 4 | digit;
        place += 1;
        at += 1;
    }
    assert!(place == 2 * N);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9000, appendix A.1.
    #[test]
    fn numbers_of_the_rfc() {
        assert_eq!(varint(&hex::<8>(b"c2197c5eff14e88c")), Some((151_288_809_941_952_652, &[][..])));
        assert_eq!(varint(&hex::<4>(b"9d7f3e7d")), Some((494_878_333, &[][..])));
        assert_eq!(varint(&hex::<2>(b"7bbd")), Some((15_293, &[][..])));
        assert_eq!(varint(&[0x25, 9]), Some((37, &[9][..])));
        assert_eq!(varint(&[0x40]), None);
        assert_eq!(varint(&[]), None);
    }
}
