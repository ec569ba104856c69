//! The `.sigdb` file: a header that is checked before anything else is read, then the program.
//!
//! | octets | |
//! |---|---|
//! | 8 | `OSTSIGDB` |
//! | 2 | format version |
//! | 2 | flags: bit 0, it is signed; the others are 0 |
//! | 4 | length of the program |
//! | 32 | SHA-256 of the program |
//! | 32 | the ed25519 key that signed it; 0 where none did |
//! | 64 | the signature over `ostiary sigdb` and all the above (RFC 8032); 0 likewise |
//! | | the program |
//!
//! All numbers are little endian. A file whose checksum does not hold, or whose program points outside itself, is refused
//! before anything of it is used. Whether the signature holds, and whose keys are trusted, is for the caller to say:
//! [`Container::signature`] has what is needed.

mod sound;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::database::Database;
use crate::program::{PATTERNS, Pattern, Program};
use sound::sound;

const MAGIC: &[u8; 8] = b"OSTSIGDB";
/// The version of the file's format that this build writes and reads.
pub const FORMAT_VERSION: u16 = 4;
/// What comes before the key, before the signature, and before the program.
const BEFORE_KEY: usize = 8 + 2 + 2 + 4 + 32;
const BEFORE_SIGNATURE: usize = BEFORE_KEY + 32;
const HEADER: usize = BEFORE_SIGNATURE + 64;
const LARGEST: u64 = 64 << 20;
const SIGNED: u16 = 1;
/// Keeps a signature made for this purpose from being good for another.
const PURPOSE: &[u8] = b"ostiary sigdb";

/// Why a database file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{0}: is no signature database; make one with 'ostiary sigdb compile'")]
    NotADatabase(PathBuf),
    /// It was made for another version.
    #[error(
        "{path}: has format version {found}, this program reads {FORMAT_VERSION}; compile the signatures again with it"
    )]
    FormatVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u16,
    },
    /// It was cut short or changed.
    #[error("{0}: is damaged (length or checksum do not hold); compile or copy it again")]
    Damaged(PathBuf),
}

/// A file taken apart, whole by its checksum, and not yet believed.
#[derive(Debug)]
pub struct Container {
    octets: Vec<u8>,
    path: PathBuf,
    signed: bool,
    digest: [u8; 32],
}

/// Who signed a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The public key (RFC 8032, 5.1.5).
    pub key: [u8; 32],
    /// The signature (RFC 8032, 5.1.6).
    pub octets: [u8; 64],
    /// What it is over.
    pub message: Vec<u8>,
}

impl Container {
    /// Reads a file written by [`Database::encode`].
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let io = |source| LoadError::Io { path: path.into(), source };
        let size = std::fs::metadata(path).map_err(io)?.len();
        if size > LARGEST {
            return Err(LoadError::NotADatabase(path.into()));
        }
        Self::new(std::fs::read(path).map_err(io)?, path)
    }

    /// Takes the octets of such a file; `path` is for the error's text.
    pub fn new(octets: Vec<u8>, path: &Path) -> Result<Self, LoadError> {
        let Some(rest) = octets.strip_prefix(MAGIC) else { return Err(LoadError::NotADatabase(path.into())) };
        let damaged = || LoadError::Damaged(path.into());
        let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let found = u16::from_le_bytes(*version);
        if found != FORMAT_VERSION {
            return Err(LoadError::FormatVersion { path: path.into(), found });
        }
        let (flags, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (digest, rest) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
        let (signer, payload) = rest.split_first_chunk::<96>().ok_or_else(damaged)?;
        let signed = match u16::from_le_bytes(*flags) {
            0 if signer.iter().all(|octet| *octet == 0) => false,
            SIGNED => true,
            _ => return Err(damaged()),
        };
        let own: [u8; 32] = Sha256::digest(payload).into();
        if payload.len() != u32::from_le_bytes(*length) as usize || own != *digest {
            return Err(damaged());
        }
        Ok(Self { path: path.into(), signed, digest: own, octets })
    }

    /// Who signed it, if anybody did; whether that is true is not checked here.
    pub fn signature(&self) -> Option<Signature> {
        let key = self.octets.get(BEFORE_KEY..).and_then(<[u8]>::first_chunk)?;
        let octets = self.octets.get(BEFORE_SIGNATURE..).and_then(<[u8]>::first_chunk)?;
        let message = message(self.octets.get(..BEFORE_SIGNATURE)?);
        self.signed.then_some(Signature { key: *key, octets: *octets, message })
    }

    /// The database in it.
    pub fn database(&self) -> Result<Database, LoadError> {
        let damaged = || LoadError::Damaged(self.path.clone());
        let payload = self.octets.get(HEADER..).ok_or_else(damaged)?;
        // What stands behind the program is none of it: a file says one thing, in one way.
        let (mut program, rest) = postcard::take_from_bytes::<Program>(payload).map_err(|_| damaged())?;
        if !rest.is_empty() || !sound(&program) || program.patterns().count() > PATTERNS {
            return Err(damaged());
        }
        program.patterns().try_for_each(Pattern::build).map_err(|_| damaged())?;
        Ok(Database::new(program, self.digest))
    }
}

impl Database {
    /// Reads a file written by [`Database::encode`], whoever signed it.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Container::read(path)?.database()
    }

    /// Reads the octets of such a file; `path` is for the error's text.
    pub fn decode(octets: &[u8], path: &Path) -> Result<Self, LoadError> {
        Container::new(octets.to_vec(), path)?.database()
    }

    /// The file's octets, unsigned.
    pub fn encode(&self) -> Vec<u8> {
        self.file(0, [0; 32], |_| [0; 64])
    }

    /// The file's octets, signed: `sign` makes the signature over the message that it is given, with `key`'s secret half.
    pub fn encode_signed(&self, key: [u8; 32], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Vec<u8> {
        self.file(SIGNED, key, sign)
    }

    /// A database of a program that the compiler made.
    pub(crate) fn of(program: Program) -> Self {
        let digest = Sha256::digest(payload(&program)).into();
        Self::new(program, digest)
    }

    fn file(&self, flags: u16, key: [u8; 32], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Vec<u8> {
        let payload = payload(self.program());
        let mut octets = Vec::with_capacity(HEADER + payload.len());
        octets.extend_from_slice(MAGIC);
        octets.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        octets.extend_from_slice(&flags.to_le_bytes());
        octets.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        octets.extend_from_slice(&Sha256::digest(&payload));
        octets.extend_from_slice(&key);
        let signature = sign(&message(&octets));
        octets.extend_from_slice(&signature);
        octets.extend_from_slice(&payload);
        octets
    }
}

/// What a signature is over: the digest in the header stands for the program.
fn message(header: &[u8]) -> Vec<u8> {
    [PURPOSE, header].concat()
}

fn payload(program: &Program) -> Vec<u8> {
    postcard::to_stdvec(program).expect("a program is plain data, and memory is the only thing to run out of")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Database {
        Database::of(Program { version: "7".into(), date: "2026-01-01".into(), ..Program::default() })
    }

    #[test]
    fn what_was_written_is_read() {
        let read = Database::decode(&database().encode(), Path::new("x")).unwrap();
        assert_eq!((read.version(), read.date()), ("7", "2026-01-01"));
        assert_eq!(read.digest(), database().digest());
    }

    #[test]
    fn every_damage_is_noticed() {
        let whole = database().encode();
        for end in 0..whole.len() {
            assert!(Database::decode(&whole[..end], Path::new("x")).is_err(), "cut at {end}");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0x10;
            assert!(Database::decode(&changed, Path::new("x")).is_err(), "changed at {place}");
        }
        let longer = [&whole[..], b"x"].concat();
        assert!(matches!(Database::decode(&longer, Path::new("x")), Err(LoadError::Damaged(_))));
        assert!(matches!(Database::decode(b"hello", Path::new("x")), Err(LoadError::NotADatabase(_))));
        let mut older = whole;
        older[8] = 1;
        assert!(matches!(Database::decode(&older, Path::new("x")), Err(LoadError::FormatVersion { found: 1, .. })));
    }

    #[test]
    fn a_signature_is_over_purpose_header_and_program() {
        let mut said = Vec::new();
        let octets = database().encode_signed([7; 32], |message| {
            said = message.to_vec();
            [9; 64]
        });
        let container = Container::new(octets.clone(), Path::new("x")).unwrap();
        let signature = container.signature().unwrap();
        assert_eq!((signature.key, signature.octets), ([7; 32], [9; 64]));
        assert_eq!(signature.message, said);
        assert_eq!(said, [b"ostiary sigdb", &octets[..BEFORE_SIGNATURE]].concat());
        assert_eq!(container.database().unwrap().digest(), database().digest());
        let unsigned = Container::new(database().encode(), Path::new("x")).unwrap();
        assert_eq!(unsigned.signature(), None);
    }
}
