//! What is kept over a restart, in files of a folder of its own: which signatures were in use, and who was
//! online.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::signatures::Floor;

/// The folder; its files are read and written by their owner only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder(PathBuf);

/// The serial and the version of the signatures in use, in one line.
const SIGNATURES: &str = "signatures";
/// Whose it is. Not `lock`: the trail's folder may be the same, and has that.
const LOCK: &str = "state.lock";

impl StateFolder {
    /// By its path; nothing is made of it.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder where it is not there. It is this process's for as long as the file is open that it gives.
    ///
    /// # Errors
    /// Where it cannot be made, or written to, or is another process's.
    pub fn prepare(&self) -> io::Result<File> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let lock = File::create(self.0.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("another process has it")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The signatures that were in use last; none where nothing was kept.
    ///
    /// # Errors
    /// Where what is there cannot be read.
    pub fn floor(&self) -> io::Result<Option<Floor>> {
        let Some(octets) = self.read(SIGNATURES)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&octets);
        let parsed =
            text.trim_end().split_once(' ').and_then(|(serial, version)| Some((serial.parse().ok()?, version)));
        let Some((serial, version)) = parsed else {
            let what = format!("{}: is damaged", self.0.join(SIGNATURES).display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        };
        Ok(Some(Floor { serial, version: version.to_owned() }))
    }

    /// Keeps the signatures in use.
    ///
    /// # Errors
    /// Where they cannot be written; then what was kept before stands.
    pub fn keep_floor(&self, floor: &Floor) -> io::Result<()> {
        self.write(SIGNATURES, format!("{} {}\n", floor.serial, floor.version).as_bytes())
    }

    /// A file's octets; none where it is not there. The error names the file.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(octets) => Ok(Some(octets)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(&path, &error)),
        }
    }

    /// Writes a file beside its place and moves it there: after a crash there is the one before or this one. The error
    /// names the file.
    pub(crate) fn write(&self, name: &str, octets: &[u8]) -> io::Result<()> {
        let (path, beside) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(octets)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|error| named(&path, &error))
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_was_kept_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(&folder.path().join("deep/within"));
        let ours = state.prepare().unwrap();
        assert_eq!(state.floor().unwrap(), None);
        let floor = Floor { serial: 2_026_112_100, version: "2026.11.1 of ours".to_owned() };
        state.keep_floor(&floor).unwrap();
        assert_eq!(state.floor().unwrap(), Some(floor));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(state.path()), mode(&state.path().join(SIGNATURES))), (0o700, 0o600));
        let mut files: Vec<_> = fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, [SIGNATURES, LOCK]);
        assert_eq!(state.prepare().unwrap_err().to_string(), "another process has it");
        drop(ours);
        state.prepare().unwrap();
    }

    #[test]
    fn what_is_damaged_is_said_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path());
        for text in ["", "x", "12", "twelve 1.0"] {
            fs::write(folder.path().join(SIGNATURES), text).unwrap();
            assert!(state.floor().unwrap_err().to_string().ends_with("signatures: is damaged"), "{text}");
        }
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(StateFolder::new(&file).prepare().is_err());
    }
}
