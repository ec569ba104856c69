//! A signature file.

use std::path::Path;

use sigdb::{Database, Source, compile};

/// Compiles it; what compiles can be written and read.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let head = "version = \"1\"\ndate = \"2026-01-01\"\n";
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    if let Ok(database) = compile(&[source("database.toml", head), source("thing.toml", text)]) {
        let read = Database::decode(&database.encode(), Path::new("memory")).expect("what compiles is sound");
        assert_eq!(read.digest(), database.digest());
    }
}
