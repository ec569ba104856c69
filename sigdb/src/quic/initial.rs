//! Opening an Initial packet: keys, header protection, AEAD (RFC 9001, 5.2 to 5.4), and the CRYPTO frames in it.

use std::ops::Range;

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::{AeadInOut, Aes128Gcm};
use hkdf::Hkdf;
use sha2::Sha256;

use super::header::{LongHeader, Protection, varint};

/// A packet that was opened: where its plain text stands in the buffer.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) plain: Range<usize>,
}

/// Octets of the AEAD's tag, and of the sample that the header is protected with.
const TAG: usize = 16;
/// Frames of one packet that are looked at; each octet of padding is one, which are skipped together.
const MOST_FRAMES: usize = 64;

struct Keys {
    key: [u8; 16],
    iv: [u8; 12],
    header: [u8; 16],
}

impl Keys {
    /// A client's, from its first packet's destination connection id.
    fn of(protection: &Protection, id: &[u8]) -> Option<Self> {
        let (_, initial) = Hkdf::<Sha256>::extract(Some(&protection.salt), id);
        let secret = expand::<32>(&initial, b"client in")?;
        let secret = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        let labels: [&[u8]; 3] = if protection.second {
            [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"]
        } else {
            [b"quic key", b"quic iv", b"quic hp"]
        };
        Some(Self {
            key: expand(&secret, labels[0])?,
            iv: expand(&secret, labels[1])?,
            header: expand(&secret, labels[2])?,
        })
    }
}

/// HKDF-Expand-Label (RFC 8446, 7.1) without a context.
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> Option<[u8; N]> {
    let mut key = [0; N];
    let length = [0, N as u8, 6 + label.len() as u8];
    secret.expand_multi_info(&[&length, b"tls13 ", label, &[0]], &mut key).ok()?;
    Some(key)
}

/// Copies the packet to `buffer` and opens it there. None where it is too long or does not open.
pub(super) fn open(buffer: &mut [u8], header: &LongHeader<'_>, id: &[u8], packet: &[u8]) -> Option<Opened> {
    let packet = packet.get(..header.length)?;
    let buffer = buffer.get_mut(..packet.len())?;
    let keys = Keys::of(&Protection::of(header.version)?, id)?;
    buffer.copy_from_slice(packet);

    // The sample stands where the payload would begin behind a packet number of four octets (RFC 9001, 5.4.2).
    let sample: [u8; 16] = *packet.get(header.number_at + 4..)?.first_chunk()?;
    let mut mask = sample.into();
    Aes128::new(&keys.header.into()).encrypt_block(&mut mask);
    let first = buffer.first_mut()?;
    *first ^= mask[0] & 0x0f;
    let size = usize::from(*first & 3) + 1;
    let payload_at = header.number_at + size;
    let mut nonce = keys.iv;
    let number = buffer.get_mut(header.number_at..payload_at)?;
    for (place, octet) in number.iter_mut().enumerate() {
        *octet ^= mask[1 + place];
        nonce[12 - size + place] ^= *octet;
    }

    let (associated, rest) = buffer.split_at_mut_checked(payload_at)?;
    let length = rest.len().checked_sub(TAG)?;
    let (payload, tag) = rest.split_at_mut(length);
    let tag: [u8; TAG] = *tag.first_chunk()?;
    Aes128Gcm::new(&keys.key.into())
        .decrypt_inout_detached(&nonce.into(), associated, InOutBuf::from(payload), &tag.into())
        .ok()?;
    Some(Opened { plain: payload_at..payload_at + length })
}

/// Shows the parts of the CRYPTO stream that a packet holds, each with its offset; returns how many. Google's QUIC numbers
/// its frames otherwise.
pub(super) fn crypto_frames(mut plain: &[u8], google: bool, mut show: impl FnMut(u64, &[u8])) -> usize {
    let mut shown = 0;
    for _ in 0..MOST_FRAMES {
        let padding = plain.iter().take_while(|octet| **octet == 0).count();
        plain = &plain[padding..];
        let Some((&kind, rest)) = plain.split_first() else { break };
        let next = match (kind, google) {
            (0x01, false) | (0x07, true) => Some(rest),
            (0x02 | 0x03, false) => acknowledgement(rest, kind == 3),
            (0x06, false) | (0x08, true) => crypto(rest).map(|(at, part, next)| {
                show(at, part);
                shown += 1;
                next
            }),
            _ => None,
        };
        let Some(next) = next else { break };
        plain = next;
    }
    shown
}

/// RFC 9000, 19.6.
fn crypto(frame: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (at, rest) = varint(frame)?;
    let (length, rest) = varint(rest)?;
    let (part, next) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((at, part, next))
}

/// Skips an ACK frame (RFC 9000, 19.3).
fn acknowledgement(frame: &[u8], marks: bool) -> Option<&[u8]> {
    let (_largest, rest) = varint(frame)?;
    let (_delay, rest) = varint(rest)?;
    let (ranges, rest) = varint(rest)?;
    let (_first, mut rest) = varint(rest)?;
    // Each range takes two octets at least, so the packet's length bounds the work.
    for _ in 0..ranges {
        rest = varint(varint(rest)?.1)?.1;
    }
    if marks {
        for _ in 0..3 {
            rest = varint(rest)?.1;
        }
    }
    Some(rest)
}

/// Seals a client's Initial packet: what the tests are made of.
#[cfg(test)]
pub(super) fn seal(version: u32, id: &[u8], header: &[u8], number_size: usize, payload: &[u8]) -> Vec<u8> {
    let keys = Keys::of(&Protection::of(version).unwrap(), id).unwrap();
    let number_at = header.len() - number_size;
    let mut nonce = keys.iv;
    nonce.iter_mut().rev().zip(header.iter().rev().take(number_size)).for_each(|(octet, number)| *octet ^= number);
    let mut payload = payload.to_vec();
    let tag = Aes128Gcm::new(&keys.key.into())
        .encrypt_inout_detached(&nonce.into(), header, InOutBuf::from(&mut payload[..]))
        .unwrap();
    let mut packet = [header, &payload, &tag].concat();
    let sample: [u8; 16] = *packet[number_at + 4..].first_chunk().unwrap();
    let mut mask = sample.into();
    Aes128::new(&keys.header.into()).encrypt_block(&mut mask);
    packet[0] ^= mask[0] & 0x0f;
    (0..number_size).for_each(|place| packet[number_at + place] ^= mask[1 + place]);
    packet
}
