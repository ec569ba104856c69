//! The book (`docs/`), as mdBook puts it together: its chapters with what they include, their links, and the commands in them.

pub mod console;
pub mod links;
pub mod pattern;
pub mod shell;

use std::path::{Path, PathBuf};

use crate::program;

/// A chapter with everything that it includes.
#[derive(Clone, Debug)]
pub struct Page {
    /// Below `docs/src`, or the README below the checkout.
    pub path: PathBuf,
    /// Its Markdown.
    pub text: String,
    /// What of it is its own: the commands of what it includes are looked at there.
    pub own: String,
}

/// Where the chapters are.
pub fn folder() -> PathBuf {
    program::root().join("docs/src")
}

/// The chapters, in the order of the summary.
///
/// # Panics
/// Where one is not there, or includes what is not there.
pub fn chapters() -> Vec<Page> {
    let summary = std::fs::read_to_string(folder().join("SUMMARY.md")).expect("the book has a summary");
    let paths = links::of(&summary).into_iter().map(|link| PathBuf::from(link.target));
    let page = |path: PathBuf| {
        let file = folder().join(&path);
        Page { text: expanded(&file), own: read(&file), path }
    };
    paths.map(page).collect()
}

/// What the book includes, and its neighbours: pages of the checkout, by their paths below its top.
pub fn originals() -> Vec<Page> {
    let page = |path: &str| {
        let text = read(&program::root().join(path));
        Page { path: path.into(), own: text.clone(), text }
    };
    ORIGINALS.map(page).into()
}

/// See [`originals`].
const ORIGINALS: [&str; 7] = [
    "README.md",
    "bench/README.md",
    "bench/pktgen/README.md",
    "sigdb/README.md",
    "control/records.md",
    "control/audit.md",
    "control/policy.md",
];

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// All chapter files, whether the summary names them or not.
pub fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("the book's folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(folder()).expect("it lies there").to_owned());
            }
        }
    }
    found.retain(|path| path != Path::new("SUMMARY.md"));
    found.sort();
    found
}

/// A file with its `{{#include FILE}}` and `{{#include FILE:ANCHOR}}` replaced, one level deep.
fn expanded(file: &Path) -> String {
    let text = read(file);
    let mut all = String::new();
    for line in text.lines() {
        let Some(what) = line.trim().strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}")) else {
            all.push_str(line);
            all.push('\n');
            continue;
        };
        let (path, anchor) = what.split_once(':').map_or((what, None), |(path, anchor)| (path, Some(anchor)));
        let path = file.parent().expect("a file lies in a folder").join(path);
        let included = std::fs::read_to_string(&path);
        let included =
            included.unwrap_or_else(|error| panic!("{} includes {}: {error}", file.display(), path.display()));
        let part = part(&included, anchor);
        assert!(!part.trim().is_empty(), "{} includes {what}, and there is nothing", file.display());
        all.push_str(&part);
    }
    all
}

/// The lines between `ANCHOR: name` and `ANCHOR_END: name`, or all; without such lines themselves.
fn part(text: &str, anchor: Option<&str>) -> String {
    let mark = |line: &str, word: &str| {
        let name = line.split_once(word)?.1.split_whitespace().next()?;
        Some(name.to_owned())
    };
    let mut inside = anchor.is_none();
    let mut kept = String::new();
    for line in text.lines() {
        let (begins, ends) = (mark(line, "ANCHOR: "), mark(line, "ANCHOR_END: "));
        if begins.is_none() && ends.is_none() {
            if inside {
                kept.push_str(line);
                kept.push('\n');
            }
            continue;
        }
        let is_ours = |name: Option<String>| anchor.is_some() && name.as_deref() == anchor;
        inside = (inside || is_ours(begins)) && !is_ours(ends);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn an_anchor_ends_where_it_ends() {
        let text = "a\n<!-- ANCHOR: one -->\nb\n<!-- ANCHOR: two -->\nc\n<!-- ANCHOR_END: one -->\nd\n<!-- ANCHOR_END: two -->\ne\n";
        assert_eq!(part(text, Some("one")), "b\nc\n");
        assert_eq!(part(text, Some("two")), "c\nd\n");
        assert_eq!(part(text, None), "a\nb\nc\nd\ne\n");
        assert_eq!(part(text, Some("three")), "");
    }
}
