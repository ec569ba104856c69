//! Numbers under a cipher whose key stands beside them.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

/// Octets of a block.
const BLOCK: usize = 16;

/// Octets that tell what is enciphered from what is not.
const TOLD_BY: usize = 16;

/// Whether these octets begin as text or the head of a protocol does, which has two zero octets in a row; of random octets
/// one beginning in some four thousand has. Without this, every short binary question would be waited behind.
pub(super) fn is_plain(octets: &[u8]) -> bool {
    let begin = octets.get(..TOLD_BY).unwrap_or(octets);
    let text = |octet: &u8| octet.is_ascii_graphic() || matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    begin.iter().all(text) || begin.windows(2).any(|pair| pair == [0, 0])
}

/// The number whose octets, the first of them number `at` of a stream, are enciphered by AES-256 in counter mode
/// (NIST SP 800-38A, 6.5; the whole counter goes up). None where they are not four, or lie in two blocks.
pub(super) fn decipher(octets: &[u8], at: usize, key: &[u8], counter: &[u8]) -> Option<u32> {
    let octets: [u8; 4] = octets.try_into().ok()?;
    let key: [u8; 32] = key.try_into().ok()?;
    let counter: [u8; BLOCK] = counter.try_into().ok()?;
    let block = u128::from_be_bytes(counter).wrapping_add((at / BLOCK) as u128);
    let mut stream = block.to_be_bytes().into();
    Aes256::new(&key.into()).encrypt_block(&mut stream);
    let mask: [u8; 4] = stream.get(at % BLOCK..at % BLOCK + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(octets) ^ u32::from_be_bytes(mask))
}

#[cfg(test)]
mod tests {
    use ctr::Ctr128BE;
    use ctr::cipher::{KeyIvInit, StreamCipher};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_enciphered_comes_back(
            key in any::<[u8; 32]>(),
            counter in prop_oneof![any::<[u8; 16]>(), Just([0xff; 16])],
            plain in any::<u32>(),
            block in 0_usize..8,
            within in 0_usize..=12,
        ) {
            let at = block * BLOCK + within;
            let mut stream = [0; 160];
            stream[at..at + 4].copy_from_slice(&plain.to_be_bytes());
            Ctr128BE::<Aes256>::new(&key.into(), &counter.into()).apply_keystream(&mut stream);
            prop_assert_eq!(decipher(&stream[at..at + 4], at, &key, &counter), Some(plain));
        }
    }

    #[test]
    fn what_is_plain_is_told_by_its_beginning() {
        assert!(is_plain(b"GET / HTTP/1.1\r\n") && is_plain(b"USER") && is_plain(b""));
        assert!(is_plain(&[0x03, 0x00, 0x00, 0x13]) && is_plain(&[0x81, 0, 0]));
        assert!(!is_plain(&[0xc3]) && !is_plain(b"USER\x80") && !is_plain(&[0xc3, 0, 0xc3, 0]));
        let mut late = [0xc3; 32];
        late[16..18].fill(0);
        assert!(!is_plain(&late));
    }

    #[test]
    fn four_octets_of_one_block_and_whole_keys() {
        assert_eq!(decipher(&[0; 4], 13, &[0; 32], &[0; 16]), None);
        assert_eq!(decipher(&[0; 3], 0, &[0; 32], &[0; 16]), None);
        assert_eq!(decipher(&[0; 4], 0, &[0; 31], &[0; 16]), None);
        assert_eq!(decipher(&[0; 4], 0, &[0; 32], &[0; 15]), None);
    }
}
