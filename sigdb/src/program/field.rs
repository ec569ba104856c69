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
    /// What the octets are written in, and which part of them is the field.
    pub encoding: Option<Encoding>,
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
    /// HTTP, SIP: the value of this field (lower case).
    Header(String),
    /// XML: the text of the first element of that name.
    Element(String),
    /// XML: an attribute of the first element of that name, or of the message's own.
    Attribute {
        /// The attribute.
        name: String,
        /// The element.
        of: Option<String>,
    },
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
    /// Text in which spaces may stand too, though not at its ends.
    Words,
    /// A base-128 number.
    Varint,
    /// An octet that counts those behind it, two characters in each: digits, `-` and `.`; its top bit says that the last
    /// octet holds one only.
    Nibbles,
    /// A JID (RFC 7622) without its resource, in lower case.
    Jid,
    /// The address of a SIP or TEL URI: user and host.
    Uri,
}

/// Base64 (RFC 4648), of which only a part is ever read: what else is in there may be a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Encoding {
    /// From behind these octets up to the first of those, or to the end.
    Inside(Vec<u8>, Vec<u8>),
    /// The first or second of three parts with NUL between them (RFC 4616): the third is the password.
    Part(u8),
}
