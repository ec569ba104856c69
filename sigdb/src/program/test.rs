//! Places in a message, and what is asked of them.

use serde::{Deserialize, Serialize};

use super::{Field, Pattern};
use crate::automaton::names::NameList;

/// A place in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// From where.
    pub base: Base,
    /// How far.
    pub offset: i32,
}

/// From where a place counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// The message's first octet.
    Start,
    /// Behind its last.
    End,
    /// The first octet of the body, behind a head or a length.
    Body,
    /// That of the protocol's anchors.
    Anchor(u8),
}

/// A place that is not at a fixed offset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Anchor {
    /// Its name.
    pub name: String,
    /// From where it is looked for.
    pub at: Position,
    /// What lies between.
    pub span: Span,
    /// Where these do not all hold nothing lies between: the anchor is at `at`.
    pub when: Vec<Test>,
}

impl Anchor {
    /// Reads that finding each of these anchors takes, of which each stands on earlier ones; none where one does not.
    pub fn costs(anchors: &[Self]) -> Option<Vec<u64>> {
        let mut costs: Vec<u64> = Vec::with_capacity(anchors.len());
        for anchor in anchors {
            let conditions = anchor.when.iter().map(|test| match test {
                Test::Octets(at, ..) | Test::Number { at, .. } => Some(at),
                _ => None,
            });
            let mut cost = 1u64;
            if let Span::Tlv(tlv) = &anchor.span {
                let outer = tlv.inside.map_or(Some(&0), |outer| costs.get(usize::from(outer)));
                cost = cost.saturating_add(WALK).saturating_add(*outer?);
            }
            for at in std::iter::once(Some(&anchor.at)).chain(conditions) {
                let below = match at?.base {
                    Base::Anchor(earlier) => *costs.get(usize::from(earlier))?,
                    _ => 1,
                };
                cost = cost.saturating_add(below);
            }
            costs.push(cost);
        }
        Some(costs)
    }
}

/// Reads that finding one anchor may take.
pub const DEAREST_ANCHOR: u64 = 64;
/// What a walk along records counts as: most end after a few.
const WALK: u64 = 16;

/// What lies before an anchor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Span {
    /// A length and so many octets.
    Prefix {
        /// Octets of the length: 1, 2, 3 or 4.
        size: u8,
        /// Whether the length counts itself.
        inclusive: bool,
    },
    /// A base-128 length and so many octets.
    Varint,
    /// Whatever comes before the first of these octets, and they themselves.
    Find {
        /// Which octets.
        octets: Vec<u8>,
        /// They end within so many octets.
        within: u16,
    },
    /// Records of type, length and value in a row, up to the value of the first one of a type.
    Tlv(Tlv),
}

/// Which of the records in a row, and how they are written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tlv {
    /// Its type.
    pub kind: u32,
    /// Octets of a type: 1, 2 or 4.
    pub kind_size: u8,
    /// Octets of a length: 1, 2 or 4.
    pub length_size: u8,
    /// Whether a length counts type and length too (RFC 2865, 5).
    pub inclusive: bool,
    /// A type without length and value (RFC 2132, 3.1).
    pub pad: Option<u32>,
    /// A type behind which there is no record any more (RFC 2132, 3.2).
    pub stop: Option<u32>,
    /// What its value begins with.
    pub begins: Vec<u8>,
    /// The anchor in whose value the records lie.
    pub inside: Option<u8>,
}

/// Inclusive ranges of numbers.
pub type Ranges = Vec<(u64, u64)>;

/// A condition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Test {
    /// Octets, under a mask of the same length.
    Octets(Position, Vec<u8>, Vec<u8>),
    /// A number of so many octets.
    Number {
        /// Where.
        at: Position,
        /// Its octets: 1, 2, 3, 4 or 8.
        size: u8,
        /// Least significant octet first.
        little: bool,
        /// One of these.
        ranges: Ranges,
    },
    /// A number of four octets, enciphered from the message's first octet on by AES-256 in counter mode, whose key and first
    /// counter stand there in clear.
    Deciphered {
        /// Where: four octets of one block of 16.
        at: u16,
        /// Where the key's 32 octets are.
        key: u16,
        /// Where the counter's 16 octets are.
        counter: u16,
        /// One of these.
        ranges: Ranges,
    },
    /// A number that, plus `add`, is the message's length.
    Length {
        /// Where.
        at: Position,
        /// Its octets: 1, 2, 3, 4 or 8.
        size: u8,
        /// Least significant octet first.
        little: bool,
        /// Added before the comparison.
        add: i32,
    },
    /// A base-128 number as protocol buffers have it.
    Varint(Position, Ranges),
    /// A field that can be read.
    Field(Field),
    /// Octets anywhere within so many from the start.
    Contains {
        /// In lower case where `any_case`.
        literal: Vec<u8>,
        /// How far.
        within: u16,
        /// Whether ASCII letters may be of either case.
        any_case: bool,
    },
    /// The message's length.
    Size(Ranges),
    /// The message's length, divided by the first, leaves the second.
    Modulo(u32, u32),
    /// Lines: the word with that number, from 0, is one of these.
    Word {
        /// Which.
        number: u8,
        /// In lower case where `any_case`.
        values: Vec<String>,
        /// Whether ASCII letters may be of either case.
        any_case: bool,
    },
    /// The server's port.
    Port(Vec<u16>),
    /// Octets that the client sent before the server spoke, then the server before the client did, and so on; the last of
    /// these turns is over.
    Turns(Vec<Ranges>),
    /// XML: the name of the message's own element is one of these.
    Element(Vec<String>),
    /// XML: an element of this name stands somewhere in the message.
    Child(String),
    /// XML: an attribute of the first element of that name, or of the message's own, is one of these.
    Attribute {
        /// The attribute.
        name: String,
        /// The element.
        of: Option<String>,
        /// In lower case where `any_case`.
        values: Vec<String>,
        /// Whether ASCII letters may be of either case.
        any_case: bool,
    },
    /// HTTP, SIP: a field (lower case), or a parameter of it, is one of these numbers.
    HeaderNumber {
        /// The field.
        name: String,
        /// The parameter.
        parameter: Option<String>,
        /// The numbers.
        ranges: Ranges,
    },
    /// HTTP, SIP request: method.
    Method(Vec<String>),
    /// HTTP request: the target begins so.
    Path(Vec<String>),
    /// HTTP request: host; `*.name` means every name below it.
    Host(NameList),
    /// HTTP, SIP: a field (lower case) whose value contains this text, whatever its case.
    Header(String, String),
    /// HTTP: Content-Length.
    ContentLength(Ranges),
    /// HTTP, SIP response: status.
    Status(Ranges),
    /// TLS and QUIC: the server name; patterns as for `Host`.
    ServerName(NameList),
    /// TLS before 1.3: one of the names in the server's certificate; patterns as for `Host`.
    Certificate(NameList),
    /// TLS and QUIC: one of the application protocols that the client offers.
    Alpn(Vec<String>),
    /// TLS and QUIC: the client's fingerprint.
    Ja4(Vec<String>),
    /// DNS: the name asked for or one that it is an alias of; patterns as for `Host`.
    DnsName(NameList),
    /// A regular expression fits somewhere from a place on.
    Regex {
        /// From where.
        at: Position,
        /// Within so many octets.
        within: u16,
        /// What.
        pattern: Pattern,
    },
}

impl Test {
    /// The list that a name is compared with.
    pub(crate) fn names(&mut self) -> Option<&mut NameList> {
        match self {
            Self::Host(list) | Self::ServerName(list) | Self::Certificate(list) | Self::DnsName(list) => Some(list),
            _ => None,
        }
    }
}
