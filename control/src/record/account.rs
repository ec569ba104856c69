//! What becomes of an account before it is written anywhere: as seen, a pseudonym, or nothing.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Name;

/// `[log.im] account`.
#[derive(Clone, Debug, Default)]
pub enum AccountPolicy {
    /// As seen on the wire.
    #[default]
    Clear,
    /// A keyed hash: the same account is the same pseudonym, and who has the key can tell whether a pseudonym is a given
    /// account's: `printf ACCOUNT | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY`, its first 32 digits.
    Pseudonym(PseudonymKey),
    /// Not at all.
    Omit,
}

/// The key of pseudonyms. Its `Debug` form does not show it.
#[derive(Clone)]
pub struct PseudonymKey(Box<[u8]>);

/// Hexadecimal digits of a pseudonym: 128 bits, so that no two accounts share one.
pub const PSEUDONYM_DIGITS: usize = 32;

impl AccountPolicy {
    /// The account as records may have it.
    pub fn apply(&self, account: &str) -> Option<Name> {
        match self {
            Self::Clear => Some(Name::from(account)),
            Self::Pseudonym(key) => Some(Name::from(key.pseudonym(account))),
            Self::Omit => None,
        }
    }

    /// The word of the configuration.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Pseudonym(_) => "pseudonym",
            Self::Omit => "omit",
        }
    }
}

impl PseudonymKey {
    /// The shortest key, in octets: as long as the pseudonym.
    pub const SHORTEST: usize = 16;

    /// A key; none where it is shorter than [`Self::SHORTEST`].
    pub fn new(key: &[u8]) -> Option<Self> {
        (key.len() >= Self::SHORTEST).then(|| Self(key.into()))
    }

    /// HMAC-SHA-256 of the account (RFC 2104), its first [`PSEUDONYM_DIGITS`] hexadecimal digits.
    pub fn pseudonym(&self, account: &str) -> String {
        let digest = hmac_sha256(&self.0, account.as_bytes());
        digest.iter().take(PSEUDONYM_DIGITS / 2).map(|octet| format!("{octet:02x}")).collect()
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(…)")
    }
}

/// SHA-256's block, in octets.
const BLOCK: usize = 64;

/// RFC 2104, section 2.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|octet| octet ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|octet| octet ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// RFC 4231, sections 4.2 to 4.8 (4.6 tests truncation).
    #[test]
    fn the_vectors_of_rfc_4231_hold() {
        let cases: [(&[u8], &[u8], &str); 7] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                &std::array::from_fn::<u8, 25, _>(|i| i as u8 + 1),
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs \
                  to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, message, digest) in cases {
            assert!(hex(&hmac_sha256(key, message)).starts_with(digest), "{}", String::from_utf8_lossy(message));
        }
    }

    #[test]
    fn a_pseudonym_is_the_start_of_the_digest() {
        let key = PseudonymKey::new(&[0x0c; 20]).unwrap();
        assert_eq!(key.pseudonym("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b");
        assert_eq!(format!("{key:?}"), "PseudonymKey(…)");
    }

    #[test]
    fn a_short_key_is_none() {
        assert!(PseudonymKey::new(&[1; 15]).is_none());
        assert!(PseudonymKey::new(&[1; 16]).is_some());
    }

    #[test]
    fn each_policy_does_what_it_says() {
        assert_eq!(AccountPolicy::Clear.apply("10001").as_deref(), Some("10001"));
        assert_eq!(AccountPolicy::Omit.apply("10001"), None);
        let key = PseudonymKey::new(&[7; 32]).unwrap();
        let pseudonym = AccountPolicy::Pseudonym(key.clone()).apply("10001").unwrap();
        assert_eq!((pseudonym.len(), &*pseudonym), (32, key.pseudonym("10001").as_str()));
        assert_ne!(pseudonym, AccountPolicy::Pseudonym(key).apply("10002").unwrap());
    }
}
