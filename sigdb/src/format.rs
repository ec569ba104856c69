//! The `.sigdb` file: magic, format version, length, SHA-256, then the program.
//!
//! All numbers are little endian. A file whose checksum does not hold, or whose program points outside itself, is refused
//! before anything of it is used.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::database::Database;
use crate::program::{Base, MESSAGES, Place, Position, Program, Test};

const MAGIC: &[u8; 8] = b"OSTSIGDB";
/// The version of the file's format that this build writes and reads.
pub const FORMAT_VERSION: u16 = 1;
const HEADER: usize = 8 + 2 + 4 + 32;
const LARGEST: u64 = 64 << 20;

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

impl Database {
    /// Reads a file written by [`Database::encode`].
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let io = |source| LoadError::Io { path: path.into(), source };
        let size = std::fs::metadata(path).map_err(io)?.len();
        if size > LARGEST {
            return Err(LoadError::NotADatabase(path.into()));
        }
        Self::decode(&std::fs::read(path).map_err(io)?, path)
    }

    /// Reads the octets of such a file; `path` is for the error's text.
    pub fn decode(octets: &[u8], path: &Path) -> Result<Self, LoadError> {
        let Some(rest) = octets.strip_prefix(MAGIC) else { return Err(LoadError::NotADatabase(path.into())) };
        let damaged = || LoadError::Damaged(path.into());
        let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let found = u16::from_le_bytes(*version);
        if found != FORMAT_VERSION {
            return Err(LoadError::FormatVersion { path: path.into(), found });
        }
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (digest, payload) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
        let own: [u8; 32] = Sha256::digest(payload).into();
        if payload.len() != u32::from_le_bytes(*length) as usize || own != *digest {
            return Err(damaged());
        }
        let program: Program = postcard::from_bytes(payload).map_err(|_| damaged())?;
        if !sound(&program) {
            return Err(damaged());
        }
        Ok(Self::new(program, own))
    }

    /// The file's octets.
    pub fn encode(&self) -> Vec<u8> {
        let payload = payload(self.program());
        let mut octets = Vec::with_capacity(HEADER + payload.len());
        octets.extend_from_slice(MAGIC);
        octets.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        octets.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        octets.extend_from_slice(&Sha256::digest(&payload));
        octets.extend_from_slice(&payload);
        octets
    }

    /// A database of a program that the compiler made.
    pub(crate) fn of(program: Program) -> Self {
        let digest = Sha256::digest(payload(&program)).into();
        Self::new(program, digest)
    }
}

fn payload(program: &Program) -> Vec<u8> {
    postcard::to_stdvec(program).expect("a program is plain data, and memory is the only thing to run out of")
}

/// Whether every index points into the program: a checksum keeps out accidents, not another program's mistakes.
fn sound(program: &Program) -> bool {
    program.applications.len() < usize::from(u16::MAX)
        && program.protocols.len() < usize::from(u16::MAX)
        && program.protocols.iter().all(|protocol| {
            let anchored = |at: &Position| match at.base {
                Base::Anchor(anchor) => usize::from(anchor) < protocol.anchors.len(),
                _ => true,
            };
            let placed = |test: &Test| match test {
                Test::Octets(at, value, mask) => anchored(at) && value.len() == mask.len(),
                Test::Number { at, .. } | Test::Length { at, .. } | Test::Varint(at, _) => anchored(at),
                Test::Field(field) => !matches!(&field.place, Place::At(at) if !anchored(at)),
                _ => true,
            };
            let earlier =
                |(place, at): (usize, &Position)| !matches!(at.base, Base::Anchor(a) if usize::from(a) >= place);
            usize::from(protocol.application) < program.applications.len()
                && protocol.messages.len() <= MESSAGES
                && protocol.anchors.iter().map(|anchor| &anchor.at).enumerate().all(earlier)
                && protocol.clues.iter().flat_map(|clue| &clue.tests).all(placed)
                && protocol.messages.iter().flat_map(|message| &message.tests).all(placed)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets() -> Vec<u8> {
        let program = Program { version: "7".into(), date: "2026-01-01".into(), ..Program::default() };
        Database::of(program).encode()
    }

    #[test]
    fn what_was_written_is_read() {
        let database = Database::decode(&octets(), Path::new("x")).unwrap();
        assert_eq!((database.version(), database.date()), ("7", "2026-01-01"));
    }

    #[test]
    fn every_damage_is_noticed() {
        let whole = octets();
        for end in 0..whole.len() {
            assert!(Database::decode(&whole[..end], Path::new("x")).is_err(), "cut at {end}");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0x10;
            assert!(Database::decode(&changed, Path::new("x")).is_err(), "changed at {place}");
        }
        assert!(matches!(Database::decode(b"hello", Path::new("x")), Err(LoadError::NotADatabase(_))));
        let mut newer = whole;
        newer[8] = 9;
        assert!(matches!(Database::decode(&newer, Path::new("x")), Err(LoadError::FormatVersion { found: 9, .. })));
    }
}
