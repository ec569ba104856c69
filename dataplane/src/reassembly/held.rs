//! A fragment that waits for the rest of its datagram, and the headers of the whole.

use super::pool::NONE;
use crate::packet::{Network, PacketInfo, Piece};
use crate::pipeline::Frame;
use crate::wire::checksum::Sum;
use crate::wire::{ipv6, pppoe};

/// A fragment that waits, by its first chunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// The next of its datagram.
    pub(super) next: u32,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) at_hand: u32,
    pub(super) length: u32,
    /// Where the IP header begins, and where the share of the datagram does.
    pub(super) network: u16,
    pub(super) payload: u16,
    pub(super) is_v4: bool,
    /// More follow.
    pub(super) more: bool,
    /// Where a PPPoE header begins; 0 where there is none.
    pub(super) pppoe: u16,
}

impl Held {
    /// What is to be known of a fragment; none where it has no payload at hand.
    pub(super) fn of(frame: &Frame<'_>, info: &PacketInfo, piece: Piece) -> Option<Self> {
        let end = usize::from(info.link.offset) + info.length as usize;
        let payload = end.checked_sub((piece.end - piece.start) as usize)?;
        let at_hand = end.min(frame.bytes.len());
        (at_hand >= payload).then_some(Self {
            next: NONE,
            start: piece.start,
            end: piece.end,
            at_hand: at_hand as u32,
            length: end as u32,
            network: info.link.offset,
            payload: u16::try_from(payload).ok()?,
            is_v4: info.link.network == Network::Ipv4,
            more: piece.more,
            pppoe: info.link.pppoe.unwrap_or(0),
        })
    }
}

/// Makes the headers of a first fragment those of the whole, which has `length` octets from the IP header on. None where that
/// is more than a packet can have.
pub(super) fn set_lengths(frame: &mut [u8], first: &Held, length: u32) -> Option<()> {
    if first.pppoe > 0 {
        let at = usize::from(first.pppoe) + pppoe::LENGTH;
        let length = u16::try_from(length + 2).ok()?;
        frame.get_mut(at..at + 2)?.copy_from_slice(&length.to_be_bytes());
    }
    let headers = frame.get_mut(usize::from(first.network)..usize::from(first.payload))?;
    if first.is_v4 {
        headers.get_mut(2..4)?.copy_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
        // Whether it may be fragmented stays.
        let flags = headers.get_mut(6..8)?;
        flags.copy_from_slice(&[flags.first()? & 0x40, 0]);
        headers.get_mut(10..12)?.fill(0);
        let checksum = Sum::default().octets(headers).finish();
        headers.get_mut(10..12)?.copy_from_slice(&checksum.to_be_bytes());
    } else {
        let length = u16::try_from(length.checked_sub(ipv6::HEADER as u32)?).ok()?;
        headers.get_mut(4..6)?.copy_from_slice(&length.to_be_bytes());
        // The fragment header becomes an atomic one (RFC 6946), which parts nothing.
        let at = headers.len().checked_sub(8)?;
        headers.get_mut(at + 2..at + 4)?.fill(0);
    }
    Some(())
}
