//! Two signature files, with a line of `====` between them: what one has that the other has not is the same from both sides.

use sigdb::{Database, Source, compile};

/// Compares them.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((old, new)) = text.split_once("====\n") else { return };
    let (Some(old), Some(new)) = (database(old), database(new)) else { return };
    assert_eq!(old.diff(&old).lines().len(), 1);
    let (forth, back) = (new.diff(&old), old.diff(&new));
    let count = |lines: &[String], sign: char| lines[1..].iter().filter(|line| line.starts_with(sign)).count();
    let (forth, back) = (forth.lines(), back.lines());
    assert_eq!((count(forth, '+'), count(forth, '~')), (count(back, '-'), count(back, '~')));
    assert_eq!(count(forth, '-'), count(back, '+'));
    assert_eq!(forth[0].ends_with(": the same content"), old.digest() == new.digest());
    if old.digest() == new.digest() {
        assert_eq!(forth.len(), 1);
    }
    // The order of what stands in a database, and its name, make no difference of content.
    let read = Database::decode(&new.encode(), std::path::Path::new("memory")).expect("what compiles is sound");
    assert_eq!(read.diff(&old).lines(), forth);
}

fn database(text: &str) -> Option<Database> {
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    let head = source("database.toml", "version = \"1\"\ndate = \"2026-01-01\"\n");
    compile(&[head, source("thing.toml", text)]).ok()
}
