//! The Internet checksum (RFC 1071).

/// A running ones' complement sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds octets; an odd last one is padded with zero, so only the last piece may have an odd length.
    pub fn octets(mut self, bytes: &[u8]) -> Self {
        let (pairs, rest) = bytes.as_chunks::<2>();
        for pair in pairs {
            self.0 += u64::from(u16::from_be_bytes(*pair));
        }
        if let [last] = rest {
            self.0 += u64::from(*last) << 8;
        }
        self
    }

    /// Adds a number, as four octets.
    pub fn add_u32(mut self, value: u32) -> Self {
        self.0 += u64::from(value >> 16) + u64::from(value & 0xffff);
        self
    }

    /// The checksum, ready for its field; 0 when a sum that includes the field verifies.
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        !(sum as u16)
    }
}

/// A checksum after one 16-bit word under it changed from `old` to `new`, by RFC 1624, equation 3. It never becomes 0xffff
/// where the whole sum would give 0 unless all the data is zero.
pub const fn replace(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = (!checksum) as u32 + (!old) as u32 + new as u32;
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_example_of_rfc_1071() {
        // Section 3: the sum of these is 0xddf2.
        assert_eq!(Sum::default().octets(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]).finish(), !0xddf2);
    }

    #[test]
    fn an_odd_octet_counts_as_the_upper_half() {
        assert_eq!(Sum::default().octets(&[0x12]).finish(), !0x1200);
    }

    #[test]
    fn a_sum_over_its_own_checksum_is_zero() {
        let checksum = Sum::default().octets(&[1, 2, 3, 4, 5, 6]).add_u32(0xffff_fffe).finish();
        assert_eq!(
            Sum::default().octets(&[1, 2, 3, 4, 5, 6]).add_u32(0xffff_fffe).octets(&checksum.to_be_bytes()).finish(),
            0
        );
    }
}
