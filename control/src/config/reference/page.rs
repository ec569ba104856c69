//! The page of the documentation: every section and key of the policy file, in Markdown.

use std::fmt::Write as _;

use super::super::describe::{Key, Kind, Shape, keys};
use super::super::fixed::is_live;
use super::super::service::predefined_names;
use super::super::units::{duration_text, size_text};
use super::head;
use super::meaning::{Default, meaning};

/// Words that are listed; where there are more, the page of events has them.
const WORDS: usize = 30;

/// Every section and key.
pub fn page() -> String {
    let services: Vec<&str> = predefined_names().collect();
    let mut page = format!(
        "# The policy file: every key\n\nThis page is what `ostiary policy reference` prints. A key that is marked **r** is \
         required in its section. Names are letters, digits, `.`, `_` and `-`, at most 63, and begin with a letter or digit. \
         Durations have a unit (`ms`, `s`, `min`, `h`, `d`), sizes too (`B`, `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB`); both \
         stand in quotes. What is `live` may change while the firewall runs, see *Changing the policy while it \
         runs* in the README; the rest is read at start.\n\nPredefined services: {}.\n",
        services.join(" ")
    );
    let keys = keys();
    for section in keys.iter().filter(|key| key.is_section()) {
        let text = meaning(&section.path).map_or("", |(_, _, text)| text);
        let _ = write!(page, "\n## `{}`\n\n{}\n", head(section), linked(text));
        let below = section.below();
        let plain = |key: &&Key| {
            key.section() == below && key.kinds.iter().any(|kind| matches!(kind, Kind::Value(_) | Kind::List(_)))
        };
        let mut rows = keys.iter().filter(plain).peekable();
        if rows.peek().is_some() {
            page.push_str("\n| key | takes | default | meaning | change |\n|---|---|---|---|---|\n");
        }
        for key in rows {
            let (_, default, text) = meaning(&key.path).unwrap_or(&("", Default::None, ""));
            let default = match default {
                Default::Is(value) => format!("`{value}`"),
                Default::Of(words) => (*words).to_owned(),
                Default::None => String::new(),
            };
            let required = if key.required { " **r**" } else { "" };
            let kinds: Vec<String> = key.kinds.iter().map(kind).filter(|text| !text.is_empty()).collect();
            let change = if is_live(&key.path) { "live" } else { "restart" };
            let (name, kinds, text) = (key.name(), kinds.join("; "), linked(text));
            let _ = writeln!(page, "| `{name}`{required} | {kinds} | {default} | {text} | {change} |");
        }
    }
    page
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Value(form) => shape(form),
        Kind::List(form) => format!("list: {}", shape(form)),
        Kind::Table => "a table, see below".to_owned(),
        Kind::Tables | Kind::Later => String::new(),
    }
}

fn shape(form: &Shape) -> String {
    match form {
        Shape::Boolean => "`true`, `false`".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Name => "name".to_owned(),
        Shape::Number { first, last } => format!("{} to {}", grouped(*first), grouped(*last)),
        Shape::Duration { first, last } => format!("duration, {} to {}", duration_text(*first), duration_text(*last)),
        Shape::Size { first, last } => format!("size, {} to {}", size_text(*first), size_text(*last)),
        Shape::Choice(words) if words.len() > WORDS => "events of [audit.md](audit.md)".to_owned(),
        Shape::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Shape::Either(forms) => forms.iter().map(shape).collect::<Vec<_>>().join("; "),
    }
}

/// `1,048,576`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Sections of the README by their names: the page is read in the book too, where they stand elsewhere.
fn linked(text: &str) -> String {
    let mut linked = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("](#") {
        let (head, label) = before.rsplit_once('[').unwrap_or(("", before));
        linked.extend([head, "*", label, "*"]);
        rest = behind.split_once(')').map_or("", |(_, rest)| rest);
    }
    linked + rest
}
