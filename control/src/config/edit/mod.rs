//! Edits of a configuration as text: at a path, with comments and order kept; and what differs between two of them.
//!
//! Tables of a list are known by their `name`, so that a rule that is put in front of others is one change.

mod diff;
mod kind;
mod order;
mod path;
mod tree;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use diff::{Change, ChangeKind, diff};
pub(super) use diff::{MASK, is_secret};
pub use path::Path;
pub use tree::Tree;

/// What to do at a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EditOp {
    /// Where, as [`Path`] is written.
    pub path: String,
    /// What.
    #[serde(default)]
    pub kind: EditKind,
    /// What is to stand there; none for a deletion, and for a plain value of a list that the path names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<toml::Value>,
    /// Of a member of a list: where in it. Default: a new one at the end, one that is there where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert: Option<Insert>,
}

/// Kinds of edits, with the meaning that RFC 6241, 7.2, gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EditKind {
    /// Joins tables and lists; a plain value takes the place of another.
    #[default]
    Merge,
    /// Takes the place of what is there, if anything is.
    Replace,
    /// Makes what must not be there yet.
    Create,
    /// Takes away what must be there.
    Delete,
    /// Takes away what may be there.
    Remove,
}

/// Where a member of a list goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Insert {
    /// Before all others.
    First,
    /// Behind all others.
    Last,
    /// Before this one.
    Before(String),
    /// Behind this one.
    After(String),
}

/// Why an edit is not made; nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {text}")]
pub struct EditError {
    /// What is wrong, as RFC 6241, appendix A, calls it.
    pub tag: Tag,
    /// Where.
    pub path: String,
    /// For people.
    pub text: String,
}

/// Error tags of RFC 6241.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// It is there already.
    DataExists,
    /// It is not there.
    DataMissing,
    /// The value cannot stand there.
    InvalidValue,
    /// The path is none, or leads through something that is no table and no list.
    BadElement,
}

impl EditError {
    fn new(tag: Tag, path: impl fmt::Display, text: impl Into<String>) -> Self {
        Self { tag, path: path.to_string(), text: text.into() }
    }
}

impl Tag {
    /// As it is written in answers.
    pub fn text(self) -> &'static str {
        match self {
            Self::DataExists => "data-exists",
            Self::DataMissing => "data-missing",
            Self::InvalidValue => "invalid-value",
            Self::BadElement => "bad-element",
        }
    }
}
