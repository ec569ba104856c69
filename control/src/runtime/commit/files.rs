//! Files that a configuration names: their content matters as much as its own.

use std::fs;

use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

/// Files that a configuration names and that are keys, certificates or secrets: where they are named, and the first 8 digits
/// of the SHA-256 of each. One that cannot be read is left out: compiling tells of it.
pub(super) fn files_of(text: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    if let Ok(table) = text.parse::<Table>() {
        find_files("", &Value::Table(table), &mut files);
    }
    files
}

fn find_files(path: &str, value: &Value, files: &mut Vec<(String, String)>) {
    /// Keys of certificates and keys are small.
    const LARGEST: u64 = 1 << 20;
    const KEYS: [&str; 6] = ["ca", "certificate", "key", "crl", "client-ca", "identity"];
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let names_file = key.ends_with("-file") || KEYS.contains(&key.as_str());
                if let (true, Some(file)) = (names_file, value.as_str()) {
                    let is_small = fs::metadata(file).is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
                    if let (true, Ok(octets)) = (is_small, fs::read(file)) {
                        let print =
                            Sha256::digest(&octets).iter().take(4).map(|octet| format!("{octet:02x}")).collect();
                        files.push((below, print));
                    }
                    continue;
                }
                find_files(&below, value, files);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                let name =
                    value.get("name").and_then(Value::as_str).map_or_else(|| (at + 1).to_string(), str::to_owned);
                find_files(&format!("{path}[{name}]"), value, files);
            }
        }
        _ => {}
    }
}
