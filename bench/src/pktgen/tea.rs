//! The block cipher of the QQ protocols, so that what is ciphertext on the wire is ciphertext here: right lengths, no
//! accidental structure, and openable where the real one is (the all-zero key of MSF).
//!
//! TEA with 16 rounds over eight octets, chained over plaintext and ciphertext; in front a count octet and 2 to 9 random
//! octets, behind seven zeros.

use super::dice::Dice;

const DELTA: u32 = 0x9e37_79b9;
const ROUNDS: u32 = 16;

/// A key.
pub type Key = [u8; 16];

/// The key that opens MSF records of encryption 2.
pub const ZERO_KEY: Key = [0; 16];

/// The length of the ciphertext of `plain` octets.
pub const fn sealed_length(plain: usize) -> usize {
    (plain + 10).next_multiple_of(8)
}

/// Encrypts.
pub fn seal(key: &Key, plain: &[u8], dice: &mut Dice) -> Vec<u8> {
    let total = sealed_length(plain.len());
    let padding = total - plain.len() - 10;
    let mut text = dice.octets(padding + 3);
    text[0] = (text[0] & 0xf8) | padding as u8;
    text.extend_from_slice(plain);
    text.extend_from_slice(&[0; 7]);
    let (mut last_mixed, mut last_sealed) = (0_u64, 0_u64);
    let mut out = Vec::with_capacity(total);
    for block in text.chunks_exact(8) {
        let mixed = number(block) ^ last_sealed;
        let sealed = encrypt(key, mixed) ^ last_mixed;
        out.extend_from_slice(&sealed.to_be_bytes());
        (last_mixed, last_sealed) = (mixed, sealed);
    }
    out
}

/// Decrypts; none where the trailing zeros are not there, which is how a wrong key shows.
pub fn open(key: &Key, sealed: &[u8]) -> Option<Vec<u8>> {
    if sealed.len() < 16 || !sealed.len().is_multiple_of(8) {
        return None;
    }
    let (mut last_mixed, mut last_sealed) = (0_u64, 0_u64);
    let mut text = Vec::with_capacity(sealed.len());
    for block in sealed.chunks_exact(8).map(number) {
        let mixed = decrypt(key, block ^ last_mixed);
        text.extend_from_slice(&(mixed ^ last_sealed).to_be_bytes());
        (last_mixed, last_sealed) = (mixed, block);
    }
    let start = usize::from(text[0] & 7) + 3;
    let end = text.len() - 7;
    (start <= end && text[end..] == [0; 7]).then(|| text[start..end].to_vec())
}

fn encrypt(key: &Key, block: u64) -> u64 {
    let k = words(key);
    let (mut y, mut z) = ((block >> 32) as u32, block as u32);
    for round in 1..=ROUNDS {
        let sum = DELTA.wrapping_mul(round);
        y = y.wrapping_add(mix(z, sum, k[0], k[1]));
        z = z.wrapping_add(mix(y, sum, k[2], k[3]));
    }
    u64::from(y) << 32 | u64::from(z)
}

fn decrypt(key: &Key, block: u64) -> u64 {
    let k = words(key);
    let (mut y, mut z) = ((block >> 32) as u32, block as u32);
    for round in (1..=ROUNDS).rev() {
        let sum = DELTA.wrapping_mul(round);
        z = z.wrapping_sub(mix(y, sum, k[2], k[3]));
        y = y.wrapping_sub(mix(z, sum, k[0], k[1]));
    }
    u64::from(y) << 32 | u64::from(z)
}

fn mix(half: u32, sum: u32, a: u32, b: u32) -> u32 {
    (half << 4).wrapping_add(a) ^ half.wrapping_add(sum) ^ (half >> 5).wrapping_add(b)
}

fn words(key: &Key) -> [u32; 4] {
    std::array::from_fn(|i| u32::from_be_bytes([key[4 * i], key[4 * i + 1], key[4 * i + 2], key[4 * i + 3]]))
}

fn number(block: &[u8]) -> u64 {
    block.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_only() {
        let mut dice = Dice::new(3);
        for length in 0..40 {
            let plain = dice.octets(length);
            let sealed = seal(&ZERO_KEY, &plain, &mut dice);
            assert_eq!(sealed.len(), sealed_length(length));
            assert_eq!(open(&ZERO_KEY, &sealed).as_deref(), Some(&plain[..]));
            assert_eq!(open(&[1; 16], &sealed), None);
        }
    }

    /// 13 octets of the "go online" body make 24 of ciphertext, 16 of the logout body make 32.
    #[test]
    fn lengths_are_those_of_the_wire() {
        assert_eq!([13, 16, 10].map(sealed_length), [24, 32, 24]);
    }
}
