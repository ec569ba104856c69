//! VLAN tags: 802.1Q, and QinQ with 802.1ad's or the older service tag.

use super::be16;
use super::ethernet::{CUSTOMER_TAG, OLD_SERVICE_TAG, SERVICE_TAG};

/// Octets of one tag.
pub const TAG: usize = 4;
/// Tags followed at most.
pub const MAXIMUM: usize = 2;

/// The tags of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// Outer id; 0 where untagged or priority-tagged, which 802.1Q (6.9.1) holds for the same.
    pub outer: u16,
    /// Inner id; 0 where there are not two tags.
    pub inner: u16,
}

/// Why tags could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagError {
    /// The frame ends within a tag.
    Truncated,
    /// More than [`MAXIMUM`].
    TooMany,
}

/// Whether an EtherType announces a tag.
pub const fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, CUSTOMER_TAG | SERVICE_TAG | OLD_SERVICE_TAG)
}

impl Tags {
    /// Reads the tags at `at`, where `ether_type` stood before it: the tags, the EtherType after them, and where its
    /// payload begins.
    pub fn read(frame: &[u8], mut ether_type: u16, mut at: usize) -> Result<(Self, u16, usize), TagError> {
        let mut ids = [0; MAXIMUM];
        let mut count = 0;
        while is_tag(ether_type) {
            let id = ids.get_mut(count).ok_or(TagError::TooMany)?;
            *id = be16(frame, at).ok_or(TagError::Truncated)? & 0x0fff;
            ether_type = be16(frame, at + 2).ok_or(TagError::Truncated)?;
            at += TAG;
            count += 1;
        }
        Ok((Self { outer: ids[0], inner: ids[1] }, ether_type, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_tags_of_qinq() {
        let frame = [0x60, 0x64, 0x81, 0x00, 0x00, 0x0a, 0x08, 0x00];
        assert_eq!(Tags::read(&frame, SERVICE_TAG, 0), Ok((Tags { outer: 100, inner: 10 }, 0x0800, 8)));
    }

    #[test]
    fn refuses_a_third_tag_and_a_cut_one() {
        let frame = [0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 0x08, 0];
        assert_eq!(Tags::read(&frame, CUSTOMER_TAG, 0), Err(TagError::TooMany));
        assert_eq!(Tags::read(&frame[..7], CUSTOMER_TAG, 0), Err(TagError::Truncated));
    }
}
