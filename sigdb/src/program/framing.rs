//! How a protocol tells its messages apart.

use serde::{Deserialize, Serialize};

/// How messages are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Framing {
    /// One datagram, one message.
    Datagram,
    /// The first octets of each direction are the only message.
    Stream,
    /// A length at a fixed place.
    Length {
        /// Offset of the length.
        at: u16,
        /// Its octets: 1, 2, 3 or 4.
        size: u8,
        /// Least significant octet first.
        little: bool,
        /// What to add to it for the whole message's length, header included.
        add: i32,
        /// Octets in front that the tests do not count.
        strip: u16,
        /// Least and most of the sum; anything else is no frame.
        range: (u32, u32),
    },
    /// Lines of text that end in LF or CRLF.
    Line {
        /// Leading words that begin with one of these octets, in this order and each at most once, are not counted.
        pass_over: Vec<u8>,
    },
    /// A base-128 length, the least significant bits first, that counts what follows it.
    VarintLength {
        /// Offset of the length.
        at: u16,
        /// Least and most of the whole message, what stands before its body included.
        range: (u32, u32),
    },
    /// XML elements in a row, each of them a message.
    Xml {
        /// Names of elements that stay open: their start tags are messages.
        open: Vec<String>,
    },
    /// SIP (RFC 3261): head and body; over UDP one datagram.
    Sip,
    /// HTTP/1 (RFC 9112): head, and as much of the body as is looked at.
    Http,
    /// TLS: the ClientHello (RFC 8446, 4.1.2).
    Tls,
    /// QUIC: the ClientHello in its first packets (RFC 9001, 4.1.3), or Google's own.
    Quic,
    /// DNS (RFC 1035, 4): a datagram each, over TCP behind a length.
    Dns,
}
