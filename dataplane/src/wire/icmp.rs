//! ICMP (RFC 792) and ICMPv6 (RFC 4443): which messages are queries, which quote a packet, which belong to the link.

use super::be16;

/// Octets of the header.
pub const HEADER: usize = 8;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A query, or anything else that stands for itself, by the type of the query and what identifies it.
    Query {
        /// The query's type (also for the reply).
        kind: u8,
        /// Identifier; 0 where the type has none.
        identifier: u16,
        /// Whether this is the reply.
        reply: bool,
    },
    /// An error about a packet, which it quotes from octet 8 on.
    Error,
    /// ICMPv6 of the link itself, which a transparent wire has to pass (RFC 4890, 4.4.1), where hop limit and source
    /// address say that it comes from the link.
    Link {
        /// The hop limit that proves it.
        hop_limit: u8,
    },
}

/// What the ICMP message at the beginning of `bytes` is; none where it is cut off.
pub fn v4(bytes: &[u8]) -> Option<Message> {
    let kind = *bytes.first()?;
    let identifier = be16(bytes, 4)?;
    be16(bytes, 6)?;
    Some(match kind {
        // Destination unreachable, source quench, redirect, time exceeded, parameter problem.
        3 | 4 | 5 | 11 | 12 => Message::Error,
        8 | 13 | 15 | 17 | 37 | 42 => Message::Query { kind, identifier, reply: false },
        0 => Message::Query { kind: 8, identifier, reply: true },
        // Timestamp, information and address mask replies, domain name reply, extended echo reply.
        14 | 16 | 18 | 38 | 43 => Message::Query { kind: kind - 1, identifier, reply: true },
        _ => Message::Query { kind, identifier: 0, reply: false },
    })
}

/// What the ICMPv6 message at the beginning of `bytes` is; none where it is cut off.
pub fn v6(bytes: &[u8]) -> Option<Message> {
    let kind = *bytes.first()?;
    let identifier = be16(bytes, 4)?;
    be16(bytes, 6)?;
    Some(match kind {
        0..=127 => Message::Error,
        128 | 160 => Message::Query { kind, identifier, reply: false },
        129 | 161 => Message::Query { kind: kind - 1, identifier, reply: true },
        // Multicast listener discovery (RFC 3810), multicast router discovery (RFC 4286).
        130..=132 | 143 | 151..=153 => Message::Link { hop_limit: 1 },
        // Neighbour discovery (RFC 4861), inverse (RFC 3122), secure (RFC 3971).
        133..=137 | 141 | 142 | 148 | 149 => Message::Link { hop_limit: 255 },
        _ => Message::Query { kind, identifier: 0, reply: false },
    })
}
