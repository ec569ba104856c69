//! Captures of real traffic, which live beside the checkout and are no part of it.

use std::path::{Path, PathBuf};

use crate::program;
use crate::skip::skip;

/// Where they are: `OSTIARY_CAPTURES`, or `../shared/captures` beside the checkout. None, and said, where they are not.
pub fn folder() -> Option<PathBuf> {
    let folder =
        std::env::var_os("OSTIARY_CAPTURES").map_or_else(|| program::root().join("../shared/captures"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    skip(&format!("no captures at {}: set OSTIARY_CAPTURES", folder.display()));
    None
}

/// Every capture in the folder, sorted.
pub fn all(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let kinds = std::fs::read_dir(folder).expect("the folder of captures can be read");
    for kind in kinds.flatten().filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(kind.path()).expect("a folder of captures can be read").flatten() {
            let path = file.path();
            if path.is_file() && path.extension().is_none_or(|extension| extension != "out") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no captures in {}", folder.display());
    found
}
