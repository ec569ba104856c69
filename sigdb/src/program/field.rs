//! Text in a message: accounts above all.

use serde::{Deserialize, Serialize};

use super::Position;

/// Text to be read from a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Field {
    /// Where it begins.
    pub place: Place,
    /// Octets of a length in front of it; 0 where there is none.
    pub prefix: u8,
    /// Whether that length counts itself.
    pub inclusive: bool,
    /// How it is written.
    pub form: Form,
    /// For numbers: least and most.
    pub range: (u64, u64),
    /// One octet of these at its start does not belong to it.
    pub strip: Vec<u8>,
}

/// Where a field begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Place {
    /// There.
    At(Position),
    /// Behind these octets, within the window.
    After(Vec<u8>),
    /// HTTP request: this parameter of the query.
    Query(String),
    /// Lines: the word with that number, from 0.
    Word(u8),
}

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Four octets, most significant first.
    U32,
    /// Four octets, least significant first.
    U32Little,
    /// Decimal digits.
    Digits,
    /// Printable ASCII.
    Ascii,
    /// Text without control characters or white space.
    Utf8,
    /// A base-128 number.
    Varint,
}
