//! Which databases are believed: those that a trusted key signed, no older than the one in use before.

use std::path::{Path, PathBuf};

use sigdb::{Container, Database, LoadError};

use super::key::PublicKey;

/// Whose databases are taken; the default takes nobody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Who may have signed.
    pub keys: Vec<PublicKey>,
    /// Whether a file that nobody signed is taken.
    pub unsigned: bool,
}

/// A database in use before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Its serial: what is below is older.
    pub serial: u64,
    /// Its version, for people.
    pub version: String,
}

/// Why a database is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is none.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Nobody signed it.
    #[error("{}: is not signed", .0.display())]
    Unsigned(PathBuf),
    /// Somebody signed it who is not trusted.
    #[error("{}: is signed with the key {key}, which is not trusted", file.display())]
    Untrusted {
        /// The file.
        file: PathBuf,
        /// Whose key it says it is.
        key: PublicKey,
    },
    /// It says that a trusted key signed it, and that is not true.
    #[error("{}: the signature does not hold: the file was changed, or not signed with the key {key}", file.display())]
    Forged {
        /// The file.
        file: PathBuf,
        /// Whose key it says it is.
        key: PublicKey,
    },
    /// It is older than what was in use.
    #[error("{}: version {version} (serial {serial}) is older than version {} (serial {}), which was in use", file.display(), floor.version, floor.serial)]
    Older {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: String,
        /// Its serial.
        serial: u64,
        /// What was in use.
        floor: Floor,
    },
}

impl Trust {
    /// Reads a file and believes it, or says why not; with the key that signed it.
    pub fn open(&self, file: &Path) -> Result<(Database, Option<PublicKey>), OpenError> {
        let container = Container::read(file)?;
        let signer = match container.signature() {
            None if self.unsigned => None,
            None => return Err(OpenError::Unsigned(file.into())),
            Some(signature) => {
                let key = PublicKey::from(signature.key);
                let file = file.into();
                if !self.keys.contains(&key) {
                    return Err(OpenError::Untrusted { file, key });
                }
                if !key.signed(&signature) {
                    return Err(OpenError::Forged { file, key });
                }
                Some(key)
            }
        };
        Ok((container.database()?, signer))
    }
}

impl Floor {
    /// Of a database in use.
    pub fn of(database: &Database) -> Self {
        Self { serial: database.serial(), version: database.version().to_owned() }
    }

    /// Refuses what is older.
    pub fn check(&self, database: &Database, file: &Path) -> Result<(), OpenError> {
        if database.serial() >= self.serial {
            return Ok(());
        }
        let version = database.version().to_owned();
        Err(OpenError::Older { file: file.into(), version, serial: database.serial(), floor: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signatures::key::SigningKey;
    use crate::signatures::shipped;

    #[test]
    fn only_what_a_trusted_key_signed_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (ours, theirs) = (SigningKey::create(&path("a")).unwrap(), SigningKey::create(&path("b")).unwrap());
        let trust = Trust { keys: vec![ours.public()], unsigned: false };
        let file = path("db");
        let opened = |trust: &Trust, octets: &[u8]| {
            std::fs::write(&file, octets).unwrap();
            trust.open(&file).map(|(database, _)| *database.digest())
        };
        let signed = ours.sign(&shipped());
        std::fs::write(&file, &signed).unwrap();
        assert_eq!(trust.open(&file).unwrap().1, Some(ours.public()));
        assert_eq!(opened(&trust, &signed).unwrap(), *shipped().digest());
        assert!(
            matches!(opened(&trust, &theirs.sign(&shipped())), Err(OpenError::Untrusted { key, .. }) if key == theirs.public())
        );
        assert!(matches!(opened(&trust, &shipped().encode()), Err(OpenError::Unsigned(_))));
        let lenient = Trust { unsigned: true, ..trust.clone() };
        assert!(opened(&lenient, &shipped().encode()).is_ok());
        assert!(matches!(opened(&lenient, &theirs.sign(&shipped())), Err(OpenError::Untrusted { .. })));
        // Another's signature under our name: the header's 80 octets before it are the same but for the key.
        let mut forged = theirs.sign(&shipped());
        forged[48..80].copy_from_slice(&signed[48..80]);
        assert!(matches!(opened(&trust, &forged), Err(OpenError::Forged { key, .. }) if key == ours.public()));
        // No octet of the header or of the program can be changed.
        for at in [9, 11, 13, 40, 60, 100, 143, 144, signed.len() - 1] {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert!(opened(&trust, &changed).is_err(), "{at}");
        }
    }

    #[test]
    fn an_older_database_is_told_from_a_newer_one() {
        let floor = Floor::of(&shipped());
        assert!(floor.check(&shipped(), Path::new("x")).is_ok());
        let higher = Floor { serial: floor.serial + 1, ..floor };
        let refused = higher.check(&shipped(), Path::new("x")).unwrap_err().to_string();
        assert!(refused.starts_with("x: version ") && refused.contains("is older than"), "{refused}");
    }
}
