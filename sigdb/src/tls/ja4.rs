//! The fingerprint of a client: JA4 as FoxIO's technical details describe it
//! (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>).

use arrayvec::ArrayVec;
use sha2::{Digest, Sha256};

use super::hello::Hello;
use super::{number16, vector16};

/// A fingerprint, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub type Ja4 = [u8; 36];

/// What carries the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// TLS over TCP.
    Tcp,
    /// QUIC.
    Quic,
}

/// Numbers of one kind in a hello; one that lists more is not fingerprinted.
const MOST: usize = 256;
type Numbers = ArrayVec<u16, MOST>;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

impl Hello<'_> {
    /// The fingerprint; none where not all of the hello was seen.
    pub fn ja4(&self, carrier: Carrier) -> Option<Ja4> {
        if !self.whole {
            return None;
        }
        let mut suites = numbers(self.suites)?;
        let kinds = kinds(self.extensions)?;
        let mut hashed: Numbers = kinds.iter().copied().filter(|kind| !matches!(*kind, SERVER_NAME | ALPN)).collect();
        suites.sort_unstable();
        hashed.sort_unstable();

        let mut text = ArrayVec::<u8, 36>::new();
        text.push(if carrier == Carrier::Quic { b'q' } else { b't' });
        text.extend(version(numbers(self.versions)?.into_iter().max().unwrap_or(self.version)));
        text.push(if kinds.contains(&SERVER_NAME) { b'd' } else { b'i' });
        text.extend(two_digits(suites.len()));
        text.extend(two_digits(kinds.len()));
        text.extend(protocol(self.application_protocols().next().unwrap_or_default()));
        text.push(b'_');
        text.extend(digest(&suites, &[]));
        text.push(b'_');
        text.extend(digest(&hashed, &numbers(self.signature_algorithms)?));
        text.into_inner().ok()
    }
}

/// Numbers without those that only keep others honest (RFC 8701).
fn numbers(octets: &[u8]) -> Option<Numbers> {
    let mut numbers = Numbers::new();
    for pair in octets.chunks_exact(2) {
        let number = number16(pair)?;
        if !is_grease(number) {
            numbers.try_push(number).ok()?;
        }
    }
    Some(numbers)
}

/// The kinds of extensions, in their order.
fn kinds(mut extensions: &[u8]) -> Option<Numbers> {
    let mut kinds = Numbers::new();
    while let Some(kind) = number16(extensions) {
        if !is_grease(kind) {
            kinds.try_push(kind).ok()?;
        }
        extensions = vector16(extensions.get(2..)?)?.1;
    }
    Some(kinds)
}

fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

fn version(number: u16) -> [u8; 2] {
    match number {
        0x0304 => *b"13",
        0x0303 => *b"12",
        0x0302 => *b"11",
        0x0301 => *b"10",
        0x0300 => *b"s3",
        0x0002 => *b"s2",
        _ => *b"00",
    }
}

fn two_digits(count: usize) -> [u8; 2] {
    let count = count.min(99) as u8;
    [b'0' + count / 10, b'0' + count % 10]
}

/// First and last letter of a protocol's name; of one that is not text, first and last hexadecimal digit.
fn protocol(name: &[u8]) -> [u8; 2] {
    match (name.first(), name.last()) {
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => [*first, *last],
        (Some(first), Some(last)) => [digit(first >> 4), digit(last & 15)],
        _ => *b"00",
    }
}

/// Twelve digits of the SHA-256 of the numbers in hexadecimal, commas between them; of the signature algorithms, which
/// follow behind `_`, likewise. Zeros where there are no numbers.
fn digest(numbers: &[u16], algorithms: &[u16]) -> [u8; 12] {
    if numbers.is_empty() {
        return [b'0'; 12];
    }
    let mut hash = Sha256::new();
    for (list, before) in [(numbers, None), (algorithms, Some(b'_'))] {
        for (place, number) in list.iter().enumerate() {
            let separator = if place == 0 { before } else { Some(b',') };
            hash.update(separator.as_slice());
            hash.update([12, 8, 4, 0].map(|shift| digit((number >> shift & 15) as u8)));
        }
    }
    let hash = hash.finalize();
    let mut text = [b'0'; 12];
    for (pair, octet) in text.chunks_exact_mut(2).zip(hash) {
        pair.copy_from_slice(&[digit(octet >> 4), digit(octet & 15)]);
    }
    text
}

fn digit(number: u8) -> u8 {
    match number {
        0..=9 => b'0' + number,
        _ => b'a' + number - 10,
    }
}
