//! The TCP header (RFC 9293, 3.1) and the option that the flow table needs of it.

/// Octets of a header without options.
pub const HEADER: usize = 20;
/// FIN flag.
pub const FIN: u8 = 0x01;
/// SYN flag.
pub const SYN: u8 = 0x02;
/// RST flag.
pub const RST: u8 = 0x04;
/// PSH flag.
pub const PSH: u8 = 0x08;
/// ACK flag.
pub const ACK: u8 = 0x10;
/// URG flag.
pub const URG: u8 = 0x20;

/// The largest shift (RFC 7323, 2.3).
const MAXIMUM_SCALE: u8 = 14;

/// A TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Sender's port.
    pub source: u16,
    /// Receiver's port.
    pub destination: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number; meaningful with ACK.
    pub acknowledgment: u32,
    /// Flags, without ECE, CWR and what lies above.
    pub flags: u8,
    /// Window as it stands in the header, unscaled.
    pub window: u16,
    /// Octets of the header, options included.
    pub header_length: usize,
}

/// Why a header could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpError {
    /// The bytes end before the header does.
    Truncated,
    /// The data offset points into the header.
    Contradiction,
}

impl Tcp {
    /// Reads the header at the beginning of `bytes`. Its options may be cut off.
    pub fn read(bytes: &[u8]) -> Result<Self, TcpError> {
        let fixed: &[u8; HEADER] = bytes.first_chunk().ok_or(TcpError::Truncated)?;
        let header_length = usize::from(fixed[12] >> 4) * 4;
        if header_length < HEADER {
            return Err(TcpError::Contradiction);
        }
        Ok(Self {
            source: u16::from_be_bytes([fixed[0], fixed[1]]),
            destination: u16::from_be_bytes([fixed[2], fixed[3]]),
            sequence: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            acknowledgment: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            flags: fixed[13] & (FIN | SYN | RST | PSH | ACK | URG),
            window: u16::from_be_bytes([fixed[14], fixed[15]]),
            header_length,
        })
    }

    /// Whether some stack sends these flags together; PSH goes with any.
    pub const fn flags_are_sane(&self) -> bool {
        const SYN_ACK: u8 = SYN | ACK;
        const RST_ACK: u8 = RST | ACK;
        const FIN_ACK: u8 = FIN | ACK;
        matches!(self.flags & !PSH & !URG, SYN | SYN_ACK | RST | RST_ACK | FIN_ACK | ACK)
    }
}

/// The window scale option of a SYN (RFC 7323, 2.2), where `options` hold one. A damaged list ends the walk.
pub fn window_scale(mut options: &[u8]) -> Option<u8> {
    loop {
        match *options {
            [1, ref rest @ ..] => options = rest,
            [3, 3, shift, ..] => return Some(shift.min(MAXIMUM_SCALE)),
            [kind, length, ..] if kind != 0 && length >= 2 => options = options.get(usize::from(length)..)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_scale_among_other_options() {
        assert_eq!(window_scale(&[2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7]), Some(7));
        assert_eq!(window_scale(&[3, 3, 200]), Some(14));
    }

    #[test]
    fn a_damaged_list_has_no_scale() {
        for options in [&[][..], &[0, 3, 3, 7], &[2, 0, 3, 3, 7], &[2, 40, 3, 3, 7], &[3, 3], &[5]] {
            assert_eq!(window_scale(options), None, "{options:?}");
        }
    }
}
