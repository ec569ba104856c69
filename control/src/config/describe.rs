//! Every key of a policy file, as the reader knows it: it reads nothing, and writes down what it would have taken.
//!
//! Kinds, limits and words are those of the code that reads, so that schema and reference cannot say others.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Notes;
use super::schema::Source;

/// The name that stands for names that the operator chooses, in paths of keys.
pub(super) const NAME: &str = "NAME";

/// A key, or a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// `dataplane.timeouts.udp`, `rule[].name`, `ssl-policy.NAME.ca`.
    pub(super) path: String,
    /// What may stand there: of a few keys, one of several kinds.
    pub(super) kinds: Vec<Kind>,
    /// Whether its section is refused without it.
    pub(super) required: bool,
}

/// What stands at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[key]`, or a table in braces.
    Table,
    /// `[[key]]`.
    Tables,
    /// A single value.
    Value(Shape),
    /// A list of at least one.
    List(Shape),
    /// What a later version has: refused.
    Later,
}

/// The form of single values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A text; what it has to be, only its reader can tell.
    Text,
    /// The name of an object.
    Name,
    /// A whole number.
    Number { first: u64, last: u64 },
    /// A number and a unit of time, in quotes.
    Duration { first: Duration, last: Duration },
    /// A number and a unit of octets, in quotes.
    Size { first: u64, last: u64 },
    /// One of a few words.
    Choice(Vec<&'static str>),
    /// One of several forms.
    Either(Vec<Shape>),
}

/// What no reader of a single value takes: what it would have taken, its refusal tells.
static PROBE: LazyLock<Spanned<DeValue<'static>>> =
    LazyLock::new(|| Spanned::new(0..0, DeValue::Table(DeTable::default())));

/// The value that stands for every value while keys are described: an empty table.
pub(super) fn probe() -> &'static Spanned<DeValue<'static>> {
    &PROBE
}

/// All keys, in the order in which they are read.
pub(super) fn keys() -> Vec<Key> {
    let mut notes = Notes::describing(Path::new("(schema)"));
    let empty = Spanned::new(0..0, DeTable::default());
    Source::read(&empty, &mut notes);
    let mut keys: Vec<Key> = Vec::new();
    for (path, kind, required) in notes.described.take().unwrap_or_default() {
        match keys.iter_mut().find(|key| key.path == path) {
            Some(key) => {
                key.required |= required;
                if !key.kinds.contains(&kind) {
                    key.kinds.push(kind);
                }
            }
            None => keys.push(Key { path, kinds: vec![kind], required }),
        }
    }
    for key in &mut keys {
        key.required =
            (key.required || REQUIRED.contains(&key.path.as_str())) && !CONDITIONAL.contains(&key.path.as_str());
    }
    keys
}

impl Key {
    /// The path of the section that the key stands in; empty at the top.
    pub(super) fn section(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Its own name.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit_once('.').map_or(&self.path, |(_, name)| name)
    }

    /// Whether other keys stand below it.
    pub(super) fn is_section(&self) -> bool {
        self.kinds.iter().any(|kind| matches!(kind, Kind::Table | Kind::Tables))
    }

    /// The path of what stands below it.
    pub(super) fn below(&self) -> String {
        if self.kinds.contains(&Kind::Tables) { format!("{}[]", self.path) } else { self.path.clone() }
    }
}

/// Without these their sections are refused by words of their own.
const REQUIRED: [&str; 3] = ["profile.NAME.im-audit", "respond[].on", "respond[].then"];
/// These only with some other keys.
const CONDITIONAL: [&str; 1] = ["log-host[].address"];
