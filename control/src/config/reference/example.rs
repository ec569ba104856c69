//! A policy file to begin with, and one with every key.

use std::fmt::Write as _;

use super::super::describe::{Key, Kind, keys};
use super::head;
use super::json::plain;
use super::meaning::{Default, meaning};

/// What a first policy looks like. A line `#KEY = VALUE` is a setting that is left out.
const EXAMPLE: &str = include_str!("example.toml");

/// The example; with `full`, every other key too, commented out: what has a default as `#KEY = DEFAULT`, the others by what
/// they mean.
pub fn example(full: bool) -> String {
    if !full {
        return EXAMPLE.to_owned();
    }
    let keys = keys();
    let mut text = String::new();
    let mut done: Vec<String> = Vec::new();
    let mut blocks = EXAMPLE.split("\n\n").peekable();
    while let Some(block) = blocks.next() {
        text.push_str(block.trim_end());
        text.push('\n');
        // The last head of a block is whose keys follow it; of several of one kind, the first has them.
        let section = block.lines().rev().find_map(|line| of_head(line, &keys));
        if let Some(section) = section.filter(|section| !done.contains(&section.path)) {
            done.push(section.path.clone());
            let set = |key: &Key| block.lines().any(|line| line.starts_with(&format!("{} = ", key.name())));
            settings(&mut text, section, &keys, |key| !set(key));
        }
        if blocks.peek().is_some() {
            text.push('\n');
        }
    }
    for section in keys.iter().filter(|key| key.is_section() && !done.contains(&key.path)) {
        let below = section.below();
        if !keys.iter().any(|key| key.section() == below && !key.is_section() && !key.kinds.contains(&Kind::Later)) {
            continue;
        }
        let about = meaning(&section.path).map_or("", |(_, _, text)| text);
        let _ = write!(text, "\n# {}\n#{}\n", plain(about), head(section));
        settings(&mut text, section, &keys, |_| true);
    }
    text
}

/// The section that a line is the head of.
fn of_head<'k>(line: &str, keys: &'k [Key]) -> Option<&'k Key> {
    let line = line.split('#').next()?.trim();
    keys.iter().find(|key| key.is_section() && line.starts_with('[') && head(key) == line)
}

fn settings(text: &mut String, section: &Key, keys: &[Key], wanted: impl Fn(&Key) -> bool) {
    let below = section.below();
    for key in keys.iter().filter(|key| key.section() == below && !key.is_section() && wanted(key)) {
        let Some((_, default, about)) = meaning(&key.path) else { continue };
        let (name, about) = (key.name(), plain(about));
        let required = if key.required { "; required" } else { "" };
        let line = match default {
            Default::Is(value) => format!("#{name} = {value}"),
            _ => format!("# {name} = …"),
        };
        let words = match default {
            Default::Of(words) => format!("; default: {}", plain(words)),
            _ => String::new(),
        };
        let _ = writeln!(text, "{line:<40} # {about}{words}{required}");
    }
}
