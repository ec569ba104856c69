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
    /// Octets that it has, where only the signature says so; otherwise 0.
    pub size: u8,
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
    /// What the length of this anchor counts.
    Value(u8),
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
    /// Two octets, most significant first.
    U16,
    /// Three octets, most significant first.
    U24,
    /// Eight octets, most significant first.
    U64,
    /// Eight octets, least significant first.
    U64Little,
    /// Two decimal digits an octet, the first in the upper half; 0xf fills up at the end.
    Bcd,
    /// Two decimal digits an octet, the first in the lower half (3GPP TS 29.002); 0xf fills up at the end.
    Tbcd,
    /// Six octets of a MAC address.
    Mac,
    /// A MAC address as text, in whatever notation.
    MacText,
}

impl Form {
    /// Whether it is text that says nothing of what it is: a name as well as a password.
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Ascii | Self::Utf8 | Self::Words)
    }

    /// Octets of a number, and whether the least significant comes first.
    pub const fn number(self) -> Option<(u8, bool)> {
        match self {
            Self::U16 => Some((2, false)),
            Self::U24 => Some((3, false)),
            Self::U32 => Some((4, false)),
            Self::U32Little => Some((4, true)),
            Self::U64 => Some((8, false)),
            Self::U64Little => Some((8, true)),
            _ => None,
        }
    }

    /// Whether it is written as text, whose end its characters tell.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Digits | Self::Ascii | Self::Utf8 | Self::Words | Self::Jid | Self::Uri | Self::MacText)
    }

    /// Whether it is decimal digits, two an octet.
    pub const fn is_packed(self) -> bool {
        matches!(self, Self::Bcd | Self::Tbcd)
    }
}

/// Base64 (RFC 4648), of which only a part is ever read: what else is in there may be a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Encoding {
    /// From behind these octets up to the first of those, or to the end.
    Inside(Vec<u8>, Vec<u8>),
    /// The first or second of three parts with NUL between them (RFC 4616): the third is the password.
    Part(u8),
}
