//! What TLS shows in clear: the client's first message (RFC 8446, 4.1.2) and, before TLS 1.3, the names in the server's
//! certificate (RFC 5246, 7.4.2).
//!
//! Handshake messages may be spread over several records (RFC 8446, 5.1); those that are get joined in the caller's buffer.

mod certificate;
mod hello;
mod ja4;

pub use certificate::Names;
pub use hello::Hello;
pub use ja4::{Carrier, Ja4};

use crate::program::WINDOW;

/// What a look at the first octets of a direction tells.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// The client's hello: all of it, or what of it stands in the window.
    Hello(Hello<'a>),
    /// The names in the server's own certificate.
    Certificate(Names<'a>),
    /// TLS that shows no name here: a server that encrypts its certificate or resumes a session, or a connection met in its
    /// middle.
    Records,
    /// It may become one of these.
    More,
    /// Not TLS.
    No,
}

/// Room to join the parts of a message that stand in several records.
pub type Joined = [u8; WINDOW];

/// Record types (RFC 8446, 5.1, and RFC 6520 for the last).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const HEARTBEAT: u8 = 24;
/// Octets of a record's header.
const HEADER: usize = 5;
/// A record's longest content: 2^14 and what encryption may add (RFC 5246, 6.2.3).
const LONGEST_RECORD: usize = (1 << 14) + 2048;
/// Messages (RFC 8446, 4).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// Looks at the first octets of a direction.
pub fn look<'a>(data: &'a [u8], joined: &'a mut Joined) -> Look<'a> {
    let Some(first) = Record::at(data) else { return Look::No };
    if first.kind != HANDSHAKE {
        return middle(data, &first);
    }
    // Whatever is encrypted may have any first octet; what is in clear is one of these.
    let begins = data.get(HEADER).is_none_or(|kind| matches!(*kind, CLIENT_HELLO | SERVER_HELLO));
    if !begins {
        return middle(data, &first);
    }
    let Some(messages) = messages(data, joined) else { return Look::No };
    match first_flight(&messages, data.len() >= WINDOW) {
        Look::More if data.len() >= WINDOW => Look::Records,
        look => look,
    }
}

/// A ClientHello that comes without records, as QUIC carries it (RFC 9001, 4.1.3): header included.
pub(crate) fn bare_hello(octets: &[u8], window_full: bool) -> Look<'_> {
    match Message::at(octets) {
        Some(message) if message.kind != CLIENT_HELLO => Look::No,
        Some(message) if message.whole || window_full => {
            Hello::read(message.body, message.whole).map_or(Look::No, Look::Hello)
        }
        Some(_) => Look::More,
        None => Look::More,
    }
}

/// A record's header, as much of it as is here.
struct Record {
    kind: u8,
    /// Octets of its content; none where the header is cut.
    length: Option<usize>,
}

impl Record {
    /// None where there is no record.
    fn at(data: &[u8]) -> Option<Self> {
        let &kind = data.first()?;
        let version = (data.get(1).copied().unwrap_or(3), data.get(2).copied().unwrap_or(0));
        if !(CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&kind) || version.0 != 3 || version.1 > 4 {
            return None;
        }
        let Some(octets) = data.get(3..HEADER) else { return Some(Self { kind, length: None }) };
        let length = usize::from(octets[0]) << 8 | usize::from(octets[1]);
        (1..=LONGEST_RECORD).contains(&length).then_some(Self { kind, length: Some(length) })
    }
}

/// A connection met in its middle: a record is believed where the next one follows it, or nothing.
fn middle<'a>(data: &[u8], first: &Record) -> Look<'a> {
    let Some(length) = first.length else { return Look::More };
    match data.get(HEADER + length..) {
        Some([]) => Look::Records,
        Some(next) if next.len() < HEADER => Record::at(next).map_or(Look::No, |_| Look::More),
        Some(next) => Record::at(next).map_or(Look::No, |_| Look::Records),
        None if data.len() >= WINDOW => Look::No,
        None => Look::More,
    }
}

/// Handshake messages without the records' headers between them.
struct Messages<'a> {
    octets: &'a [u8],
    /// A record of another kind follows: no more of them will come in clear.
    over: bool,
}

/// None where records are broken.
fn messages<'a>(data: &'a [u8], joined: &'a mut Joined) -> Option<Messages<'a>> {
    let first = Record::at(data)?;
    let length = first.length.unwrap_or(usize::MAX);
    let content = data.get(HEADER..).unwrap_or_default();
    let Some((content, mut rest)) = content.split_at_checked(length) else {
        return Some(Messages { octets: content, over: false });
    };
    if rest.is_empty() {
        return Some(Messages { octets: content, over: false });
    }
    let mut filled = 0;
    let mut part = content;
    let mut over = false;
    loop {
        let room = joined.get_mut(filled..).unwrap_or_default();
        let taken = room.len().min(part.len());
        room[..taken].copy_from_slice(&part[..taken]);
        filled += taken;
        if rest.is_empty() || filled == WINDOW {
            break;
        }
        let record = Record::at(rest)?;
        if record.kind != HANDSHAKE {
            over = true;
            break;
        }
        let content = rest.get(HEADER..).unwrap_or_default();
        (part, rest) = content.split_at_checked(record.length.unwrap_or(usize::MAX)).unwrap_or((content, &[]));
    }
    Some(Messages { octets: &joined[..filled], over })
}

/// A handshake message, as much of it as is here.
struct Message<'a> {
    kind: u8,
    body: &'a [u8],
    whole: bool,
    rest: &'a [u8],
}

impl<'a> Message<'a> {
    fn at(octets: &'a [u8]) -> Option<Self> {
        let (header, rest) = octets.split_first_chunk::<4>()?;
        let length = usize::from(header[1]) << 16 | usize::from(header[2]) << 8 | usize::from(header[3]);
        let (body, whole, rest) = match rest.split_at_checked(length) {
            Some((body, rest)) => (body, true, rest),
            None => (rest, false, &[][..]),
        };
        Some(Self { kind: header[0], body, whole, rest })
    }
}

/// The first message that shows names. A message that is cut by the window is read as far as it goes.
fn first_flight<'a>(messages: &Messages<'a>, full: bool) -> Look<'a> {
    let mut rest = messages.octets;
    // ServerHello, Certificate: what names comes as one of the first two.
    for _ in 0..2 {
        let Some(message) = Message::at(rest) else { break };
        let readable = message.whole || full || messages.over;
        match message.kind {
            CLIENT_HELLO if readable => return Hello::read(message.body, message.whole).map_or(Look::No, Look::Hello),
            SERVER_HELLO if message.whole => match hello::negotiates_1_3(message.body) {
                Some(true) => return Look::Records,
                Some(false) => {}
                None => return Look::No,
            },
            CERTIFICATE if readable => return Names::read(message.body).map_or(Look::Records, Look::Certificate),
            CLIENT_HELLO | SERVER_HELLO | CERTIFICATE => break,
            _ => return Look::Records,
        }
        rest = message.rest;
    }
    if messages.over { Look::Records } else { Look::More }
}

/// Two octets, the most significant first.
fn number16(data: &[u8]) -> Option<u16> {
    data.first_chunk().map(|octets| u16::from_be_bytes(*octets))
}

/// Octets behind a length of one octet, and what follows them.
fn vector8(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(length))
}

/// Octets behind a length of two octets, and what follows them.
fn vector16(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = number16(data)?;
    data.get(2..)?.split_at_checked(usize::from(length))
}

#[cfg(test)]
mod tests;
