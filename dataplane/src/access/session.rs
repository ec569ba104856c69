//! Numbers by which sign-ons are known: what a logout ends is what a login began.
//!
//! They are made of names that others choose, and kept over restarts: a keyed hash that never changes, SipHash-2-4 of Aumasson
//! and Bernstein ("SipHash: a fast short-input PRF", 2012).

use super::{Sight, Source};

/// The number of the sign-on at `source` that `parts` tell apart from others there; never 0. Parts that differ only in where one
/// ends and the next begins are different.
pub fn session(seed: u64, source: Source, parts: &[&[u8]]) -> u64 {
    let mut hash = SipHash::new(seed, seed.rotate_left(32) ^ source as u64);
    for part in parts {
        hash.write(&(part.len() as u16).to_be_bytes());
        hash.write(part);
    }
    hash.finish().max(1)
}

impl Sight {
    /// The number of the PPPoE session `id` that the frame belongs to, whichever end sent it: concentrators give the same id to
    /// hosts of different VLANs, and different concentrators to one (RFC 2516, 4).
    pub fn pppoe_session(&self, seed: u64, id: u16) -> u64 {
        let (from, to) = (self.macs.0.0, self.macs.1.0);
        let vlans = [self.realm.svlan().to_be_bytes(), self.realm.cvlan().to_be_bytes()];
        let wire = [self.realm.wire()];
        session(seed, Source::Pppoe, &[&wire, vlans.as_flattened(), &from.min(to), &from.max(to), &id.to_be_bytes()])
    }
}

/// The state of the hash.
struct SipHash {
    words: [u64; 4],
    /// Octets that do not fill a word yet, the first lowest.
    rest: u64,
    length: u64,
}

impl SipHash {
    const fn new(low: u64, high: u64) -> Self {
        let words = [
            low ^ 0x736f_6d65_7073_6575,
            high ^ 0x646f_7261_6e64_6f6d,
            low ^ 0x6c79_6765_6e65_7261,
            high ^ 0x7465_6462_7974_6573,
        ];
        Self { words, rest: 0, length: 0 }
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.rest |= u64::from(*octet) << (self.length % 8 * 8);
            self.length += 1;
            if self.length.is_multiple_of(8) {
                self.compress(self.rest);
                self.rest = 0;
            }
        }
    }

    fn finish(mut self) -> u64 {
        self.compress(self.rest | self.length << 56);
        self.words[2] ^= 0xff;
        (0..4).for_each(|_| self.round());
        self.words.into_iter().fold(0, |folded, word| folded ^ word)
    }

    fn compress(&mut self, word: u64) {
        self.words[3] ^= word;
        self.round();
        self.round();
        self.words[0] ^= word;
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.words;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.words = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hash_of_the_paper() {
        // Appendix A: the key 00 01 … 0f, the input 00 01 … 0e, here in two pieces.
        let mut hash = SipHash::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        hash.write(&[0, 1, 2]);
        hash.write(&[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(hash.finish(), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn parts_sources_and_seeds_are_told_apart() {
        let numbers = [
            session(1, Source::Radius, &[b"ab", b"c"]),
            session(1, Source::Radius, &[b"a", b"bc"]),
            session(1, Source::Radius, &[b"abc"]),
            session(1, Source::Pppoe, &[b"abc"]),
            session(2, Source::Pppoe, &[b"abc"]),
            session(2, Source::Pppoe, &[]),
        ];
        for (at, number) in numbers.iter().enumerate() {
            assert!(*number != 0 && !numbers[..at].contains(number));
        }
    }
}
