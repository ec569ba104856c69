//! More flows than a capture holds: addresses and ports of received frames are rewritten before anybody judges them.
//!
//! It runs inside the measured loop, the same code for every contender of ours, so its cost is in every figure. It is
//! measured alone as well (contender `generator`), which tells how much of a figure is not the contender's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dataplane::dpdk::Mbuf;
use dataplane::policy::PortId;
use dataplane::worker::Probe;

use super::draw::{Draw, Draws};
use super::flow::Flow;
use crate::pktgen::frames::Side;

/// Gives every frame the addresses and ports of a flow: first each flow once in each direction, then as drawn.
#[derive(Debug)]
pub struct Rewriter {
    flows: u32,
    draws: Draws,
    /// The next flow of the first round, by direction.
    next: [u32; 2],
    swept: Arc<AtomicBool>,
}

impl Rewriter {
    /// For flows 0 to `flows` − 1.
    pub fn new(flows: u32, draw: Draw, seed: u64) -> Self {
        Self { flows, draws: Draws::new(flows, draw, seed), next: [0; 2], swept: Arc::default() }
    }

    /// Whether every flow has been seen in both directions.
    pub fn swept(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.swept)
    }
}

impl Probe for Rewriter {
    fn received(&mut self, port: PortId, frames: &mut [Mbuf]) {
        let side = side_of(port);
        let next = &mut self.next[usize::from(port.0 & 1)];
        if *next < self.flows {
            for frame in frames {
                rewrite(frame.bytes_mut(), Flow(*next % self.flows), side);
                *next += 1;
            }
            if self.next.iter().all(|&next| next >= self.flows) {
                self.swept.store(true, Ordering::Relaxed);
            }
            return;
        }
        for frame in frames {
            rewrite(frame.bytes_mut(), Flow(self.draws.draw()), side);
        }
    }
}

/// Who sends into a port of the wire: clients are on the first.
pub const fn side_of(port: PortId) -> Side {
    if port.0 & 1 == 0 { Side::Client } else { Side::Server }
}

/// Rewrites an untagged IPv4 packet without options; the IPv4 checksum is kept right by what changes (RFC 1624), and so
/// is that of UDP where there is one. Any other frame stays as it is.
#[inline(always)]
pub fn rewrite(bytes: &mut [u8], flow: Flow, side: Side) {
    let Some(head) = bytes.first_chunk_mut::<42>() else { return };
    if head[12..15] != [0x08, 0x00, 0x45] {
        return;
    }
    let header = flow.header(side);
    let old = word(head, 26) + word(head, 30);
    let new = u64::from(header.source) + u64::from(header.destination);
    let checksum = adjust(half(head, 24), old, new);
    put(head, 24, checksum.to_be_bytes());
    if head[23] == UDP && (head[40], head[41]) != (0, 0) {
        // RFC 768: a computed zero is sent as all ones.
        let checksum = match adjust(half(head, 40), old + word(head, 34), new + u64::from(header.ports)) {
            0 => 0xffff,
            checksum => checksum,
        };
        put(head, 40, checksum.to_be_bytes());
    }
    put(head, 26, header.source.to_be_bytes());
    put(head, 30, header.destination.to_be_bytes());
    put(head, 34, header.ports.to_be_bytes());
}

/// A checksum after words that summed up to `old` became ones that sum up to `new` (RFC 1624, equation 3).
#[inline(always)]
fn adjust(checksum: u16, old: u64, new: u64) -> u16 {
    // One's complement arithmetic may be done in any width and folded at the end (RFC 1071, 2).
    let sum = u64::from(!checksum) + (!old & 0xffff_ffff_ffff) + new;
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32 & 0xffff) + (sum >> 48);
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[inline(always)]
fn put<const N: usize>(head: &mut [u8; 42], at: usize, octets: [u8; N]) {
    head[at..at + N].copy_from_slice(&octets);
}

#[inline(always)]
fn half(head: &[u8; 42], at: usize) -> u16 {
    u16::from_be_bytes([head[at], head[at + 1]])
}

#[inline(always)]
fn word(head: &[u8; 42], at: usize) -> u64 {
    u64::from(u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]))
}

const UDP: u8 = 17;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pktgen::dice::Dice;
    use crate::pktgen::frames::{Link, udp_packet};

    fn frame(flow: Flow, side: Side) -> Vec<u8> {
        let (from, to) = flow.ends().of(side);
        Link::plain().frame(side, &udp_packet(from, to, 7, &[0xa5; 22]))
    }

    #[test]
    fn a_rewritten_frame_is_the_one_that_would_have_been_built() {
        let mut dice = Dice::new(3);
        for _ in 0..10_000 {
            let [from, to] = [0; 2].map(|_| Flow(dice.half() >> 8));
            for side in [Side::Client, Side::Server] {
                let mut bytes = frame(from, side);
                rewrite(&mut bytes, to, side);
                assert_eq!(bytes, frame(to, side), "{from:?} {to:?}");
            }
        }
    }

    #[test]
    fn a_frame_without_udp_checksum_keeps_none() {
        let mut bytes = frame(Flow(1), Side::Client);
        bytes[40..42].fill(0);
        rewrite(&mut bytes, Flow(2), Side::Client);
        assert_eq!(bytes[40..42], [0, 0]);
    }

    #[test]
    fn what_is_no_plain_ipv4_is_left_alone() {
        for mut bytes in [vec![0; 64], vec![0; 10]] {
            let before = bytes.clone();
            rewrite(&mut bytes, Flow(2), Side::Client);
            assert_eq!(bytes, before);
        }
    }
}
