//! What becomes of an account before it is written anywhere: as seen, a pseudonym, or nothing.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Name;

/// What becomes of an account.
#[derive(Clone, Debug, Default)]
pub enum AccountPolicy {
    /// As seen on the wire.
    #[default]
    Clear,
    /// A keyed hash: the same account is the same pseudonym, and who has the key can tell whether a pseudonym is a given
    /// account's: `printf ACCOUNT | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY`, its first 32 digits.
    Pseudonym(PseudonymKeys),
    /// Not at all.
    Omit,
}

/// What becomes of the accounts of each application: `[log.im] account`, and `[log.im.accounts]` over it.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Of those that are not named.
    pub general: AccountPolicy,
    /// Of those that are.
    pub named: Vec<(Name, AccountPolicy)>,
}

/// Keys of pseudonyms: the first makes them, the others made those of before. Never empty.
#[derive(Clone, Debug)]
pub struct PseudonymKeys(Arc<[PseudonymKey]>);

/// The key of pseudonyms. Its `Debug` form does not show it.
#[derive(Clone)]
pub struct PseudonymKey(Box<[u8]>);

/// Tells keys apart without showing them: the first octets of a key's SHA-256. As text, eight hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(pub [u8; 4]);

/// An account as a record may have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The text; none where it is not visible or is to be omitted.
    pub account: Option<Name>,
    /// The key that made it, where it is a pseudonym.
    pub key: Option<KeyId>,
}

/// In what form an account was kept over a restart, where that is not as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As the pseudonym that a key made of it.
    Pseudonym(KeyId),
    /// Not at all.
    Omitted,
}

/// Hexadecimal digits of a pseudonym: 128 bits, so that no two accounts share one.
pub const PSEUDONYM_DIGITS: usize = 32;

impl Accounts {
    /// What holds for an application.
    pub fn of(&self, application: &str) -> &AccountPolicy {
        let named = self.named.iter().find(|(name, _)| **name == *application);
        named.map_or(&self.general, |(_, policy)| policy)
    }

    /// All that occur.
    pub fn policies(&self) -> impl Iterator<Item = &AccountPolicy> {
        std::iter::once(&self.general).chain(self.named.iter().map(|(_, policy)| policy))
    }

    /// An account as records of this application may have it; `kept` where it was kept over a restart.
    pub fn write(&self, application: &str, account: &str, kept: Option<Kept>) -> Written {
        match (self.of(application), kept) {
            (AccountPolicy::Omit, _) | (_, Some(Kept::Omitted)) => Written::default(),
            _ if account.is_empty() => Written::default(),
            (_, Some(Kept::Pseudonym(key))) => Written { account: Some(Name::from(account)), key: Some(key) },
            (policy, None) => policy.apply(account),
        }
    }
}

impl AccountPolicy {
    /// The account as records may have it.
    pub fn apply(&self, account: &str) -> Written {
        match self {
            Self::Clear => Written { account: Some(Name::from(account)), key: None },
            Self::Pseudonym(keys) => {
                let key = keys.first();
                Written { account: Some(Name::from(key.pseudonym(account))), key: Some(key.id()) }
            }
            Self::Omit => Written::default(),
        }
    }

    /// Whether `kept`, made of some account over a restart ago, was made of this one.
    pub fn recognises(&self, account: &str, text: &str, kept: Kept) -> bool {
        match (self, kept) {
            (_, Kept::Omitted) => true,
            (Self::Pseudonym(keys), Kept::Pseudonym(id)) => {
                keys.0.iter().any(|key| key.id() == id && key.pseudonym(account) == text)
            }
            (_, Kept::Pseudonym(_)) => false,
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

impl PseudonymKeys {
    /// The lines of a key file; none where one of them is too short for a key, or there is none.
    pub fn read(file: &[u8]) -> Option<Self> {
        let lines = file.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        let keys: Option<Vec<PseudonymKey>> = lines.map(PseudonymKey::new).collect();
        keys.filter(|keys| !keys.is_empty()).map(|keys| Self(keys.into()))
    }

    fn first(&self) -> &PseudonymKey {
        self.0.first().expect("it was read with one key at least")
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

    /// Which key this is.
    pub fn id(&self) -> KeyId {
        let digest: [u8; 32] = Sha256::digest(&self.0).into();
        KeyId([digest[0], digest[1], digest[2], digest[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
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
        let text = |policy: &AccountPolicy| policy.apply("10001").account;
        assert_eq!(text(&AccountPolicy::Clear).as_deref(), Some("10001"));
        assert_eq!(AccountPolicy::Omit.apply("10001"), Written::default());
        let keys = PseudonymKeys::read(&[b'7'; 32]).unwrap();
        let written = AccountPolicy::Pseudonym(keys.clone()).apply("10001");
        let pseudonym = written.account.unwrap();
        assert_eq!((pseudonym.len(), &*pseudonym), (32, keys.first().pseudonym("10001").as_str()));
        assert_ne!(Some(pseudonym), AccountPolicy::Pseudonym(keys.clone()).apply("10002").account);
        // printf 7…7 | sha256sum
        assert_eq!(written.key.unwrap().to_string(), keys.first().id().to_string());
        assert_eq!(written.key.unwrap().to_string().len(), 8);
    }

    #[test]
    fn a_new_key_makes_pseudonyms_and_the_old_one_is_still_known() {
        let (new, old) = ("n".repeat(16), "o".repeat(16));
        let before = PseudonymKeys::read(old.as_bytes()).unwrap();
        let after = PseudonymKeys::read(format!("{new}\n\n{old}\n").as_bytes()).unwrap();
        let kept = before.first().pseudonym("10001");
        let policy = AccountPolicy::Pseudonym(after.clone());
        assert_eq!(
            policy.apply("10001").account.as_deref(),
            Some(PseudonymKey::new(new.as_bytes()).unwrap().pseudonym("10001").as_str())
        );
        let by_old = Kept::Pseudonym(before.first().id());
        assert!(policy.recognises("10001", &kept, by_old) && !policy.recognises("10002", &kept, by_old));
        assert!(!policy.recognises("10001", &kept, Kept::Pseudonym(after.first().id())));
        assert!(PseudonymKeys::read(b"\n \n").is_none());
        assert!(PseudonymKeys::read(format!("{new}\nshort\n").as_bytes()).is_none());
    }

    #[test]
    fn an_application_may_have_a_policy_of_its_own() {
        let keys = PseudonymKeys::read(&[b'7'; 32]).unwrap();
        let id = keys.first().id();
        let named = vec![(Name::from("qq"), AccountPolicy::Pseudonym(keys)), (Name::from("irc"), AccountPolicy::Omit)];
        let accounts = Accounts { general: AccountPolicy::Clear, named };
        assert_eq!(accounts.write("xmpp", "10001", None).account.as_deref(), Some("10001"));
        assert_eq!(accounts.write("qq", "10001", None).key, Some(id));
        assert_eq!(accounts.write("irc", "10001", None), Written::default());
        assert_eq!(accounts.write("xmpp", "", None), Written::default());
        let kept = accounts.write("qq", "00ff", Some(Kept::Pseudonym(id)));
        assert_eq!((kept.account.as_deref(), kept.key), (Some("00ff"), Some(id)), "it is not hashed again");
        assert_eq!(accounts.write("irc", "00ff", Some(Kept::Pseudonym(id))), Written::default());
    }
}
