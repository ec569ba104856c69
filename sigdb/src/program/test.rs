//! Places in a message, and what is asked of them.

use serde::{Deserialize, Serialize};

use super::Field;
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
    /// HTTP: the first octet of the body.
    Body,
    /// Behind a field of variable length.
    Anchor(u8),
}

/// A field of variable length; the anchor is the place behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Anchor {
    /// Its name.
    pub name: String,
    /// Where its length is.
    pub at: Position,
    /// Octets of the length: 1, 2, 3 or 4.
    pub prefix: u8,
    /// Whether the length counts itself.
    pub inclusive: bool,
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
    /// HTTP request: method.
    Method(Vec<String>),
    /// HTTP request: the target begins so.
    Path(Vec<String>),
    /// HTTP request: host; `*.name` means every name below it.
    Host(NameList),
    /// HTTP: a field (lower case) whose value contains this text, whatever its case.
    Header(String, String),
    /// HTTP: Content-Length.
    ContentLength(Ranges),
    /// HTTP response: status.
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
