//! Clients of NETCONF that are not ours, in the folder that `scripts/setup` made.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::{program, skip};

/// A program of the folder; none, and said, where it is not there.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = program::root().join("target/peers/netconf/bin").join(name);
    if !path.is_file() {
        skip::skip(&format!("no {name} here: run scripts/setup"));
        return None;
    }
    Some(path)
}

/// A file of `tests/data/netconf`.
pub fn data(name: &str) -> PathBuf {
    program::root().join("tests/data/netconf").join(name)
}

/// Runs a command to its end; what it said is told where it fails.
///
/// # Panics
/// Where it does.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", said(&output.stdout), said(&output.stderr));
    output
}
