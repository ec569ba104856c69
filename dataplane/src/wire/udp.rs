//! The UDP header (RFC 768).

use super::be16;

/// Octets of the header.
pub const HEADER: usize = 8;

/// A UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Sender's port.
    pub source: u16,
    /// Receiver's port.
    pub destination: u16,
    /// Octets of header and payload; 0 in a jumbogram (RFC 2675).
    pub length: u16,
}

impl Udp {
    /// Reads the header at the beginning of `bytes`; none where it is cut off.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, d, e, f, _, _] = bytes.first_chunk::<HEADER>()?;
        Some(Self {
            source: u16::from_be_bytes([a, b]),
            destination: u16::from_be_bytes([c, d]),
            length: u16::from_be_bytes([e, f]),
        })
    }
}

/// The two ports at the beginning of a TCP, UDP or SCTP header.
pub fn ports(bytes: &[u8]) -> Option<(u16, u16)> {
    Some((be16(bytes, 0)?, be16(bytes, 2)?))
}
