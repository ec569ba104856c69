//! The IPv4 header (RFC 791).

use super::be32;
use super::checksum::Sum;
use crate::endpoint::Address;

/// Octets of a header without options.
pub const HEADER: usize = 20;

/// A header whose version, header length and total length agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4<'a> {
    /// The header, options included.
    pub header: &'a [u8],
    /// Octets of the datagram, header included; [`Ipv4::OFFLOADED`] stands for 0.
    pub total_length: u16,
    /// Identification.
    pub identification: u16,
    /// More fragments follow.
    pub more_fragments: bool,
    /// Where this fragment's payload belongs in the datagram, in octets.
    pub fragment_offset: u32,
    /// Protocol number.
    pub protocol: u8,
    /// Sender.
    pub source: Address,
    /// Receiver.
    pub destination: Address,
}

/// Why a header could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv4Error {
    /// The bytes end before the header does.
    Truncated,
    /// Version, header length or total length contradict.
    Contradiction,
}

impl<'a> Ipv4<'a> {
    /// Reads the header at the beginning of `bytes`.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Ipv4Error> {
        let fixed: &[u8; HEADER] = bytes.first_chunk().ok_or(Ipv4Error::Truncated)?;
        let header_length = usize::from(fixed[0] & 0x0f) * 4;
        let total_length = u16::from_be_bytes([fixed[2], fixed[3]]);
        let fits = usize::from(total_length) >= header_length || total_length == Self::OFFLOADED;
        if fixed[0] >> 4 != 4 || header_length < HEADER || !fits {
            return Err(Ipv4Error::Contradiction);
        }
        let header = bytes.get(..header_length).ok_or(Ipv4Error::Truncated)?;
        let flags_offset = u16::from_be_bytes([fixed[6], fixed[7]]);
        Ok(Self {
            header,
            total_length,
            identification: u16::from_be_bytes([fixed[4], fixed[5]]),
            more_fragments: flags_offset & 0x2000 != 0,
            fragment_offset: u32::from(flags_offset & 0x1fff) * 8,
            protocol: fixed[9],
            source: Address::v4([fixed[12], fixed[13], fixed[14], fixed[15]]),
            destination: Address::v4([fixed[16], fixed[17], fixed[18], fixed[19]]),
        })
    }

    /// A total length of 0: no datagram has it on a wire, but a host that leaves segmentation to its NIC shows it to a
    /// capture, and then the datagram ends with its frame.
    pub const OFFLOADED: u16 = 0;

    /// Whether the header's checksum verifies.
    pub fn checksum_holds(&self) -> bool {
        Sum::default().octets(self.header).finish() == 0
    }
}

/// Whether the checksum of a header without options verifies; by wide additions, for a ones' complement sum does not mind in
/// which pieces and which order of octets it is taken (RFC 1071, 2).
#[inline(always)]
pub fn plain_checksum_holds(header: &[u8; HEADER]) -> bool {
    let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = header;
    let first = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
    let second = u64::from_ne_bytes([i, j, k, l, m, n, o, p]);
    let last = u64::from(u32::from_ne_bytes([q, r, s, t]));
    let sum = (first >> 32) + (first & 0xffff_ffff) + (second >> 32) + (second & 0xffff_ffff) + last;
    // Under 2^35, so folded once under 2^20 and twice under 0x10010: what is past 0xffff then is no 0xffff if folded again.
    let sum = (sum >> 16) + (sum & 0xffff);
    (sum >> 16) + (sum & 0xffff) == 0xffff
}

/// Completes the checksum of a header that lies at the beginning of `bytes` and has no options.
pub fn write_checksum(bytes: &mut [u8]) {
    let Some(header) = bytes.get_mut(..HEADER) else { return };
    header[10..12].fill(0);
    let checksum = Sum::default().octets(header).finish();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}

/// The beginning of a sum for TCP or UDP over IPv4: the pseudo header (RFC 9293, 3.1).
pub fn pseudo_header(bytes: &[u8], protocol: u8, length: u16) -> Sum {
    let addresses = be32(bytes, 12).zip(be32(bytes, 16)).unwrap_or_default();
    Sum::default().add_u32(addresses.0).add_u32(addresses.1).add_u32(u32::from(protocol) << 16 | u32::from(length))
}
