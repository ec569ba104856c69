//! PPPoE's session stage (RFC 2516) and the PPP protocol within (RFC 1661, 2).

use super::be16;

/// Octets of the PPPoE header and of the PPP protocol number after it.
pub const HEADER: usize = 8;
/// Where the session's number lies in the header.
pub const SESSION: usize = 2;
/// Where the length lies in the header.
pub const LENGTH: usize = 4;
/// PPP: IPv4 (RFC 1332).
pub const IPV4: u16 = 0x0021;
/// PPP: IPv6 (RFC 5072).
pub const IPV6: u16 = 0x0057;

/// Version 1 and type 1, the only ones there are.
const VERSION_TYPE: u8 = 0x11;

/// A header of the session stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// PPP protocol number.
    pub protocol: u16,
    /// Octets of the PPP payload, the protocol number not included.
    pub length: usize,
}

impl Session {
    /// Reads the header at `at`; none where it is cut off, of another version, or a compressed protocol number stands in
    /// it (RFC 2516, 7 forbids compression).
    pub fn read(frame: &[u8], at: usize) -> Option<Self> {
        let &[version, code] = frame.get(at..)?.first_chunk()?;
        let length = usize::from(be16(frame, at + LENGTH)?).checked_sub(2)?;
        let protocol = be16(frame, at + 6)?;
        (version == VERSION_TYPE && code == 0).then_some(Self { protocol, length })
    }
}
