//! The ed25519 keys (RFC 8032) that signature databases and the audit trail are signed with.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use sigdb::Signature;

/// The public half of a key: who has the other half can sign. As text, its 32 octets in base 64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// Both halves. Its `Debug` form shows the public one only.
pub struct SigningKey(Ed25519KeyPair);

/// Why a key cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{}: {error}", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is no such key in it.
    #[error(
        "{}: holds no ed25519 key in PKCS #8 PEM form; make one with 'ostiary sigdb key FILE' or 'openssl genpkey -algorithm ed25519'",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The operating system gives no random numbers.
    #[error("no key could be made: the system has no random numbers to give")]
    NoRandom,
}

impl PublicKey {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.trim()).ok()?.try_into().ok().map(Self)
    }

    /// Whether a signature claims to be of this key, and is.
    pub fn signed(&self, signature: &Signature) -> bool {
        signature.key == self.0 && self.signed_message(&signature.message, &signature.octets)
    }

    /// Whether the other half made the signature of a message.
    pub fn signed_message(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl From<[u8; 32]> for PublicKey {
    fn from(octets: [u8; 32]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl SigningKey {
    /// Makes a key, and a file of it that only its owner can read. A file that is there is not written over: what was
    /// signed with the key in it could never be signed again.
    pub fn create(file: &Path) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::NoRandom)?;
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::NoRandom)?;
        let failed = |error| KeyError::Io { file: file.into(), error };
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
        new.write_all(pem(document.as_ref()).as_bytes()).and_then(|()| new.sync_all()).map_err(failed)?;
        Ok(Self(pair))
    }

    /// Reads a file of [`Self::create`] or of OpenSSL.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        let octets = fs::read(file).map_err(|error| KeyError::Io { file: file.into(), error })?;
        let none = || KeyError::NoKey(file.into());
        let key = PrivatePkcs8KeyDer::from_pem_slice(&octets).map_err(|_| none())?;
        Ed25519KeyPair::from_pkcs8(key.secret_pkcs8_der()).map(Self).map_err(|_| none())
    }

    /// The half that everybody may know.
    pub fn public(&self) -> PublicKey {
        let octets = self.0.public_key().as_ref().try_into();
        PublicKey(octets.expect("a public key has 32 octets (RFC 8032, 5.1.5)"))
    }

    /// A database's file, signed.
    pub fn sign(&self, database: &sigdb::Database) -> Vec<u8> {
        database.encode_signed(self.public().0, |message| self.sign_message(message))
    }

    /// The signature of a message.
    pub fn sign_message(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.0.sign(message);
        signature.as_ref().try_into().expect("a signature has 64 octets (RFC 8032, 5.1.6)")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

/// RFC 7468, section 10.
fn pem(document: &[u8]) -> String {
    let text = STANDARD.encode(document);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_only_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.key");
        let key = SigningKey::create(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SigningKey::read(&file).unwrap().public(), key.public());
        assert_eq!(PublicKey::parse(&key.public().to_string()), Some(key.public()));
        assert!(matches!(SigningKey::create(&file), Err(KeyError::Io { .. })), "it is not written over");
        assert_eq!(format!("{key:?}"), format!("SigningKey(of {})", key.public()));
    }

    #[test]
    fn what_holds_no_key_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("some.key");
        for text in ["", "no key", &pem(&[0x30, 0x02, 0x05, 0x00])] {
            fs::write(&file, text).unwrap();
            assert!(matches!(SigningKey::read(&file), Err(KeyError::NoKey(_))), "{text}");
        }
        for text in ["", "AAAA", "not base 64", &STANDARD.encode([1; 33])] {
            assert_eq!(PublicKey::parse(text), None, "{text}");
        }
    }

    /// RFC 8032, 7.1, TEST 2: the message is one octet, 0x72.
    #[test]
    fn the_vector_of_rfc_8032_holds() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let key = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let octets = hex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        let key: [u8; 32] = key.try_into().unwrap();
        let mut signature = Signature { key, octets: octets.try_into().unwrap(), message: vec![0x72] };
        assert!(PublicKey(key).signed(&signature));
        assert!(!PublicKey([1; 32]).signed(&signature));
        signature.message[0] ^= 1;
        assert!(!PublicKey(key).signed(&signature));
    }
}
