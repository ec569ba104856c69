//! IPv4 fragmentation by need (RFC 791, 3.2): a datagram that may be, in pieces that fit.

use std::ops::Range;

use arrayvec::ArrayVec;

use crate::wire::checksum::Sum;
use crate::wire::ipv4::{HEADER, Ipv4};

const MORE: u16 = 0x2000;
const DONT: u16 = 0x4000;
/// Octets of the options at most.
const OPTIONS: usize = 40;

/// Whether a packet must not be fragmented.
pub fn is_dont_fragment(packet: &[u8]) -> bool {
    packet.get(6).is_some_and(|flags| flags & (DONT >> 8) as u8 != 0)
}

/// The pieces of a datagram, or of a fragment of one.
#[derive(Debug)]
pub struct Fragments<'a> {
    packet: &'a [u8],
    /// The header of the first, and of those after it, which keeps only the options that say so.
    headers: [ArrayVec<u8, { HEADER + OPTIONS }>; 2],
    /// Where the payload ends.
    end: usize,
    next: usize,
    mtu: usize,
}

/// One piece: its header, and where its payload lies in the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The header, its checksum right.
    pub header: ArrayVec<u8, { HEADER + OPTIONS }>,
    /// The payload.
    pub payload: Range<usize>,
}

impl<'a> Fragments<'a> {
    /// Cuts a packet for an MTU of at least 68. None where its header cannot be read, where it must not be cut, or where
    /// not all of it is at hand.
    pub fn of(packet: &'a [u8], mtu: u16) -> Option<Self> {
        let header = Ipv4::read(packet).ok()?;
        let end = usize::from(header.total_length);
        if end > packet.len() || is_dont_fragment(packet) || mtu < 68 {
            return None;
        }
        let first: ArrayVec<u8, { HEADER + OPTIONS }> = header.header.iter().copied().collect();
        let mut later: ArrayVec<u8, { HEADER + OPTIONS }> = header.header[..HEADER].iter().copied().collect();
        copied_options(&header.header[HEADER..], &mut later);
        later[0] = 0x40 | (later.len() / 4) as u8;
        Some(Self { packet, next: first.len(), headers: [first, later], end, mtu: usize::from(mtu) })
    }

    /// The packet that is cut.
    pub fn packet(&self) -> &'a [u8] {
        self.packet
    }
}

impl Iterator for Fragments<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.next >= self.end {
            return None;
        }
        let start = self.headers[0].len();
        let mut header = self.headers[usize::from(self.next > start)].clone();
        let room = self.mtu - header.len();
        let rest = self.end - self.next;
        // Every piece but the last ends at a multiple of 8 octets.
        let length = if rest <= room { rest } else { room & !7 };
        let original = u16::from_be_bytes([header[6], header[7]]);
        let more = original & MORE != 0 || length < rest;
        let offset = (original & 0x1fff) + ((self.next - start) / 8) as u16;
        let field = (original & !(MORE | 0x1fff)) | offset & 0x1fff | if more { MORE } else { 0 };
        let total = (header.len() + length) as u16;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header[6..8].copy_from_slice(&field.to_be_bytes());
        header[10..12].fill(0);
        let checksum = Sum::default().octets(&header).finish();
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        let payload = self.next..self.next + length;
        self.next = payload.end;
        Some(Piece { header, payload })
    }
}

/// Adds the options that every fragment has (their copied flag says so), padded to a multiple of 4 octets. Options that
/// contradict themselves are left out from there on.
fn copied_options(mut options: &[u8], into: &mut ArrayVec<u8, { HEADER + OPTIONS }>) {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    const COPIED: u8 = 0x80;
    while let [kind, rest @ ..] = options {
        let length = match (*kind, rest.first()) {
            (END, _) => break,
            (NO_OPERATION, _) => 1,
            (_, Some(length)) if usize::from(*length) >= 2 => usize::from(*length),
            _ => break,
        };
        let Some((option, behind)) = options.split_at_checked(length) else { break };
        if kind & COPIED != 0 {
            into.extend(option.iter().copied());
        }
        options = behind;
    }
    while !into.len().is_multiple_of(4) {
        into.push(END);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::build::Packet;

    fn datagram(payload: Vec<u8>, options: &[u8], more: bool, offset: u16) -> Vec<u8> {
        let packet = Packet::new("10.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap(), 17, payload);
        let mut bytes = packet.fragment(0x1234, more, offset).ip();
        bytes.splice(HEADER..HEADER, options.iter().copied());
        let length = bytes.len() as u16;
        bytes[0] = 0x40 | ((HEADER + options.len()) / 4) as u8;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        checksum(&mut bytes);
        bytes
    }

    fn checksum(bytes: &mut [u8]) {
        let length = usize::from(bytes[0] & 15) * 4;
        bytes[10..12].fill(0);
        let checksum = Sum::default().octets(&bytes[..length]).finish();
        bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    }

    fn pieces(packet: &[u8], mtu: u16) -> Vec<Vec<u8>> {
        let fragments = Fragments::of(packet, mtu).unwrap();
        fragments.map(|piece| [&piece.header[..], &packet[piece.payload]].concat()).collect()
    }

    /// Puts pieces together as a host does; the offset of the first, and whether more follow.
    fn reassemble(pieces: &[Vec<u8>]) -> (Vec<u8>, u32, bool) {
        let mut read: Vec<_> = pieces.iter().map(|piece| (Ipv4::read(piece).unwrap(), piece)).collect();
        read.sort_by_key(|(header, _)| header.fragment_offset);
        let first = read[0].0.fragment_offset;
        let (mut payload, mut more) = (Vec::new(), true);
        for (header, piece) in &read {
            assert!(header.checksum_holds() && header.identification == 0x1234 && more);
            assert_eq!((header.fragment_offset - first) as usize, payload.len());
            payload.extend(&piece[header.header.len()..usize::from(header.total_length)]);
            more = header.more_fragments;
        }
        (payload, first, more)
    }

    proptest! {
        #[test]
        fn what_is_put_together_again_is_what_was_cut(
            payload in prop::collection::vec(any::<u8>(), 1..9_000),
            mtu in 68..2_000_u16,
            offset in 0..1_000_u16,
            more: bool,
        ) {
            let mut payload = payload;
            if more {
                // Only the last fragment of a datagram has any length.
                payload.truncate((payload.len() & !7).max(8));
                payload.resize(payload.len().next_multiple_of(8), 0);
            }
            let packet = datagram(payload.clone(), &[], more, offset * 8);
            let pieces = pieces(&packet, mtu);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= usize::from(mtu)));
            let fits = packet.len() <= usize::from(mtu);
            prop_assert!(fits == (pieces.len() == 1));
            prop_assert_eq!(reassemble(&pieces), (payload, u32::from(offset) * 8, more));
        }

        #[test]
        fn no_bytes_make_it_panic(packet in prop::collection::vec(any::<u8>(), 0..200), mtu: u16) {
            if let Some(fragments) = Fragments::of(&packet, mtu) {
                prop_assert!(fragments.count() <= 200);
            }
        }
    }

    #[test]
    fn only_the_options_that_say_so_are_in_every_piece() {
        // Record route (7) stays with the first, router alert (148) goes with all.
        let options = [7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0];
        let packet = datagram(vec![9; 400], &options, false, 0);
        let pieces = pieces(&packet, 200);
        assert_eq!(pieces[0][20..32], options);
        for later in &pieces[1..] {
            assert_eq!((later[0], &later[20..24]), (0x46, &[148, 4, 0, 0][..]));
        }
        assert_eq!(reassemble(&pieces).0, vec![9; 400]);
    }

    #[test]
    fn what_forbids_it_or_is_not_at_hand_is_not_cut() {
        let mut packet = datagram(vec![9; 400], &[], false, 0);
        assert!(Fragments::of(&packet[..300], 200).is_none());
        packet[6] |= 0x40;
        checksum(&mut packet);
        assert!(Fragments::of(&packet, 200).is_none() && is_dont_fragment(&packet));
    }
}
