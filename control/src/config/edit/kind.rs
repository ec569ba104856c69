//! By what the members of a list are known.

use std::collections::HashSet;

use toml::Value;

/// Kinds of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    /// Tables, each with a `name` of its own.
    Named,
    /// Tables, not all of which have one.
    Numbered,
    /// Plain values, none twice.
    Values,
    /// Anything else: it is compared and replaced as a whole. An empty list is, too.
    Whole,
}

/// The key that tables of a list are known by.
pub(super) const NAME: &str = "name";

impl ListKind {
    pub(super) fn of(list: &[Value]) -> Self {
        if list.is_empty() {
            return Self::Whole;
        }
        let distinct = |texts: Vec<String>| texts.iter().collect::<HashSet<_>>().len() == list.len();
        if list.iter().all(Value::is_table) {
            let names = list.iter().filter_map(name).map(str::to_owned).collect();
            return if distinct(names) { Self::Named } else { Self::Numbered };
        }
        let plain: Vec<String> = list.iter().filter_map(plain).collect();
        if distinct(plain) { Self::Values } else { Self::Whole }
    }
}

/// The name of a table.
pub(super) fn name(value: &Value) -> Option<&str> {
    value.get(NAME)?.as_str()
}

/// A plain value's own text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Table(_) => None,
        other => Some(other.to_string()),
    }
}
