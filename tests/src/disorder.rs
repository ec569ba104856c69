//! What may happen to the packets of a flow on their way, or be done to them by who would rather not be understood.

use bench::pktgen::dice::Dice;
use bench::pktgen::frames::{Link, Side, TCP};
use bench::pktgen::script::TimedFrame;

/// Frames of a flow without tags, with some of them swapped, repeated, contradicted, fragmented, and with copies that no
/// receiver takes between them; then on another link. What its receivers make of it is the same.
pub fn disorder(frames: Vec<TimedFrame>, link: &Link, dice: &mut Dice) -> Vec<TimedFrame> {
    let mut out: Vec<TimedFrame> = Vec::new();
    let mut spoke = [false; 2];
    let mut swap: Option<(usize, Side)> = None;
    for frame in frames {
        let packet = Packet::of(&frame.bytes);
        let from = frame.from;
        let mut emit = |packet: &[u8]| {
            out.push(TimedFrame { at: frame.at, from, bytes: link.frame(from, packet) });
            out.len() - 1
        };
        let is_tcp = packet.protocol() == TCP;
        let has_payload = packet.payload() < packet.0.len();
        let Some(other) = packet.other().filter(|_| has_payload) else {
            emit(&packet.0);
            swap = None;
            continue;
        };
        if chance(dice, 15) {
            emit(&other.clone().with_wrong_checksum().0);
        }
        if is_tcp && spoke[usize::from(from == Side::Server)] && chance(dice, 15) {
            emit(&other.clone().with_hops(5).0);
        }
        spoke[usize::from(from == Side::Server)] = true;
        if chance(dice, 20) {
            let (size, reversed) = (8 * dice.between(3, 20) as usize, chance(dice, 50));
            for piece in packet.fragments(size, reversed, dice.between(1, 60_000) as u16) {
                emit(&piece);
            }
            swap = None;
        } else {
            let at = emit(&packet.0);
            // Two segments of a turn change places.
            swap = match swap {
                Some((before, side)) if side == from && is_tcp && chance(dice, 30) => {
                    let (one, two) = (out[before].bytes.clone(), out[at].bytes.clone());
                    (out[before].bytes, out[at].bytes) = (two, one);
                    None
                }
                _ => Some((at, from)),
            };
        }
        if is_tcp && chance(dice, 15) {
            let copy = if chance(dice, 50) { &packet } else { &other };
            out.push(TimedFrame { at: frame.at, from, bytes: link.frame(from, &copy.0) });
            swap = None;
        }
    }
    out
}

/// Whether what happens in so many of a hundred cases happens.
fn chance(dice: &mut Dice, percent: u32) -> bool {
    dice.between(0, 100) < percent
}

/// An IP packet without options or extension headers.
#[derive(Clone)]
struct Packet(Vec<u8>);

impl Packet {
    fn of(frame: &[u8]) -> Self {
        let word = |at: usize| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
        let length = if frame[14] >> 4 == 4 { word(16) } else { 40 + word(18) };
        Self(frame[14..14 + length].to_vec())
    }

    fn is_v4(&self) -> bool {
        self.0[0] >> 4 == 4
    }

    fn header(&self) -> usize {
        if self.is_v4() { 20 } else { 40 }
    }

    fn protocol(&self) -> u8 {
        self.0[if self.is_v4() { 9 } else { 6 }]
    }

    /// Where the transport's payload begins.
    fn payload(&self) -> usize {
        let at = self.header();
        at + if self.protocol() == TCP { usize::from(self.0[at + 12] >> 4) * 4 } else { 8 }
    }

    /// Another content with the same checksum: two words change places. None where it has no two that differ.
    fn other(&self) -> Option<Self> {
        let payload = self.payload();
        let words = (self.0.len() - payload) / 2;
        let word = |number: usize| payload + 2 * number;
        let two = (1..words).find(|&number| self.0[word(number)..word(number) + 2] != self.0[word(0)..word(0) + 2])?;
        let mut other = self.clone();
        for octet in 0..2 {
            other.0.swap(word(0) + octet, word(two) + octet);
        }
        Some(other)
    }

    fn with_wrong_checksum(mut self) -> Self {
        let at = self.header() + if self.protocol() == TCP { 16 } else { 6 };
        self.0[at] ^= 0x5a;
        self
    }

    fn with_hops(mut self, hops: u8) -> Self {
        let at = if self.is_v4() { 8 } else { 7 };
        self.0[at] = hops;
        self.sum();
        self
    }

    fn sum(&mut self) {
        if self.is_v4() {
            self.0[10..12].fill(0);
            let words = self.0[..20].chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]])));
            let sum: u32 = words.sum();
            let sum = (sum & 0xffff) + (sum >> 16);
            let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
            self.0[10..12].copy_from_slice(&sum.to_be_bytes());
        }
    }

    /// Fragments of so many octets of the transport each, the last first where asked for.
    fn fragments(&self, size: usize, reversed: bool, identification: u16) -> Vec<Vec<u8>> {
        let (header, transport) = self.0.split_at(self.header());
        // A limit of 128 fragments.
        let size = size.max((transport.len() / 100).next_multiple_of(8));
        let piece = |(number, part): (usize, &[u8])| {
            let at = (number * size) as u16;
            let more = usize::from(at) + part.len() < transport.len();
            let mut piece = Self(header.to_vec());
            if self.is_v4() {
                piece.0[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
                piece.0[4..6].copy_from_slice(&identification.to_be_bytes());
                piece.0[6..8].copy_from_slice(&((at / 8) | (u16::from(more) << 13)).to_be_bytes());
                piece.sum();
            } else {
                piece.0[4..6].copy_from_slice(&(8 + part.len() as u16).to_be_bytes());
                let protocol = std::mem::replace(&mut piece.0[6], 44);
                piece.0.extend([protocol, 0]);
                piece.0.extend((at | u16::from(more)).to_be_bytes());
                piece.0.extend(u32::from(identification).to_be_bytes());
            }
            piece.0.extend(part);
            piece.0
        };
        let mut pieces: Vec<_> = transport.chunks(size).enumerate().map(piece).collect();
        if reversed {
            pieces.reverse();
        }
        pieces
    }
}
