//! Tests that need more than this machine has.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Says why a test does not run here. `scripts/test` counts the lines of the file that `OSTIARY_SKIPPED` names.
pub fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
    if let Some(path) = std::env::var_os("OSTIARY_SKIPPED") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("OSTIARY_SKIPPED can be written");
        writeln!(file, "{reason}").expect("OSTIARY_SKIPPED can be written");
    }
}

/// Whether all these programs are on the path; says which is not.
pub fn has_programs(programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !on_path(program)).collect();
    if !missing.is_empty() {
        skip(&format!("no {} here: run scripts/setup", missing.join(", ")));
    }
    missing.is_empty()
}

/// Whether this process may make network namespaces.
pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("not root: network namespaces cannot be made");
    }
    root
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/sbin"].map(Path::new);
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
        || sbin.iter().any(|folder| folder.join(program).is_file())
}
