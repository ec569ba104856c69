//! The key that signs a trail: made with the trail, in its folder, readable by its owner only. Who is to check needs the public
//! half, which lies beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::series::{FILE_MODE, protect, sync_folder};
use crate::signatures::key::{KeyError, PublicKey, SigningKey};

/// The file of both halves.
pub const PRIVATE: &str = "audit.key";
/// The file of the public half.
pub const PUBLIC: &str = "audit.key.public";

/// The key of the trail in a folder, made where there is none; the second value says whether it was.
pub(super) fn of(folder: &Path, group: Option<u32>) -> Result<(SigningKey, bool), KeyError> {
    let (private, public) = (folder.join(PRIVATE), folder.join(PUBLIC));
    let is_new = !private.try_exists().map_err(|error| KeyError::Io { file: private.clone(), error })?;
    let key = if is_new { SigningKey::create(&private)? } else { SigningKey::read(&private)? };
    let text = format!("{}\n", key.public());
    if fs::read_to_string(&public).ok().as_ref() != Some(&text) {
        let write = || {
            fs::write(&public, &text)?;
            protect(&public, FILE_MODE, group)?;
            sync_folder(folder)
        };
        write().map_err(|error: io::Error| KeyError::Io { file: public.clone(), error })?;
    }
    Ok((key, is_new))
}

/// The public half, as it lies beside the trail; none where there is none.
///
/// # Errors
/// Where what is there cannot be read, or is no key.
pub fn public(folder: &Path) -> io::Result<Option<PublicKey>> {
    let path: PathBuf = folder.join(PUBLIC);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let none =
                || io::Error::new(io::ErrorKind::InvalidData, format!("{}: holds no public key", path.display()));
            PublicKey::parse(&text).map(Some).ok_or_else(none)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}
