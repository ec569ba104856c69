//! Messages: where each begins and ends, as its protocol's framing says.

mod length;
pub(crate) mod line;
mod varint;
pub(crate) mod xml;

use crate::automaton::names::{NameHits, Names};
use crate::automaton::sieve::Stands;
use crate::http::{self, BodyLength};
use crate::matcher::{Parts, View};
use crate::program::{Framing, Protocol, Transport, WINDOW};
use crate::scratch::{Memory, Scratch};
use crate::tls::{self, Carrier};
use crate::turns::Turns;
use crate::{dns, quic, sip};

/// A message as the framing cuts it.
pub(crate) struct Frame<'a> {
    pub(crate) view: View<'a>,
    pub(crate) next: Next,
}

/// Where the next message begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// So many octets on, here already or not.
    At(usize),
    /// Behind octets that are not here yet.
    Later,
    /// Behind the end of this one, which lies somewhere beyond the window: skip to it.
    BeyondWindow(Skip),
    /// Only a segment's start can tell.
    Unknown,
}

/// What is passed over up to the end of a message that is longer than the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// The rest of a line.
    Line,
    /// The rest of an element.
    Xml(xml::Scanner),
}

impl Skip {
    /// How many of these octets belong to it, and whether they end it.
    pub(crate) fn over(&mut self, data: &[u8]) -> (usize, bool) {
        let end = match self {
            Self::Line => memchr::memchr(b'\n', data),
            // What is no XML any more ends it as well: the next message will tell.
            Self::Xml(scanner) => {
                data.iter().position(|octet| matches!(scanner.feed(*octet), xml::Event::Ended | xml::Event::Bad))
            }
        };
        end.map_or((data.len(), false), |end| (end + 1, true))
    }
}

/// What the flow tells of itself, whichever message it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) server_port: u16,
    pub(crate) turns: &'a Turns,
}

/// What stands at the start of some octets.
pub(crate) enum Framed<'a> {
    Message(Frame<'a>),
    /// It may become a message.
    More,
    /// No message of that protocol.
    No,
}

/// Decoders that all protocols share which ask them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Tls,
    Quic,
    Dns,
    Sip,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Http, Self::Tls, Self::Quic, Self::Dns, Self::Sip];

    /// The decoder that a framing asks.
    pub(crate) fn of(framing: &Framing) -> Option<Self> {
        match framing {
            Framing::Http => Some(Self::Http),
            Framing::Tls => Some(Self::Tls),
            Framing::Quic => Some(Self::Quic),
            Framing::Dns => Some(Self::Dns),
            Framing::Sip => Some(Self::Sip),
            _ => None,
        }
    }
}

/// What decoders make of some octets: looked at once for all protocols that ask.
#[derive(Debug)]
pub(crate) struct Looks<'a> {
    http: http::Look<'a>,
    tls: tls::Look<'a>,
    quic: quic::Look<'a>,
    dns: Option<dns::Message<'a>>,
    sip: sip::Look<'a>,
    /// The lists that take the name shown.
    names: NameHits,
}

impl<'a> Looks<'a> {
    const NONE: Self = Self {
        http: http::Look::No,
        tls: tls::Look::No,
        quic: quic::Look::No,
        dns: None,
        sip: sip::Look::No,
        names: NameHits::NONE,
    };

    /// These decoders', of those that look at this transport.
    pub(crate) fn of(
        transport: Transport,
        kinds: &[Kind],
        names: &Names,
        data: &'a [u8],
        scratch: &'a mut Scratch,
        memory: &mut Memory,
    ) -> Self {
        let mut looks = Self::NONE;
        let is_datagram = transport == Transport::Udp;
        let mut scratch = Some(scratch);
        for kind in kinds {
            match (kind, transport) {
                (Kind::Http, Transport::Tcp) => looks.http = http::look(data),
                (Kind::Tls, Transport::Tcp) => {
                    looks.tls = scratch.take().map_or(tls::Look::No, |scratch| tls::look(data, &mut scratch.joined));
                }
                (Kind::Quic, Transport::Udp) => {
                    looks.quic = scratch.take().map_or(quic::Look::No, |scratch| quic_hello(data, scratch, memory));
                }
                (Kind::Dns, Transport::Tcp) => looks.dns = dns_over_tcp(data),
                (Kind::Dns, Transport::Udp) => looks.dns = dns::look(data),
                (Kind::Sip, _) => looks.sip = sip::look(data, is_datagram),
                (Kind::Http | Kind::Tls, Transport::Udp) | (Kind::Quic, Transport::Tcp) => {}
            }
        }
        looks.named(names)
    }

    /// What a decoder that was asked made of it.
    pub(crate) fn stands(&self, kind: Kind, transport: Transport) -> Stands {
        match (kind, &self.http, &self.tls, &self.quic, &self.sip) {
            (Kind::Http, http::Look::No, ..)
            | (Kind::Tls, _, tls::Look::No, ..)
            | (Kind::Quic, _, _, quic::Look::No, _)
            | (Kind::Sip, .., sip::Look::No) => Stands::Absent,
            (Kind::Http, http::Look::More, ..)
            | (Kind::Tls, _, tls::Look::More, ..)
            | (Kind::Quic, _, _, quic::Look::More, _)
            | (Kind::Sip, .., sip::Look::More) => Stands::Perhaps,
            (Kind::Dns, ..) => match (&self.dns, transport) {
                (Some(_), _) => Stands::Shown,
                // Its length may announce more.
                (None, Transport::Tcp) => Stands::Perhaps,
                (None, Transport::Udp) => Stands::Absent,
            },
            (Kind::Http | Kind::Tls | Kind::Quic | Kind::Sip, ..) => Stands::Shown,
        }
    }

    /// The lists that take the name shown.
    pub(crate) fn names(&self) -> &NameHits {
        &self.names
    }

    /// That which this framing asks.
    pub(crate) fn by(
        framing: &Framing,
        transport: Transport,
        names: &Names,
        data: &'a [u8],
        scratch: &'a mut Scratch,
        memory: &mut Memory,
    ) -> Self {
        match framing {
            Framing::Tls => Self { tls: tls::look(data, &mut scratch.joined), ..Self::NONE }.named(names),
            Framing::Quic => Self { quic: quic_hello(data, scratch, memory), ..Self::NONE }.named(names),
            _ => Self::plain(framing, transport, names, data),
        }
    }

    /// That which this framing asks, where it needs no working memory.
    pub(crate) fn plain(framing: &Framing, transport: Transport, names: &Names, data: &'a [u8]) -> Self {
        match (framing, transport) {
            (Framing::Http, _) => Self { http: http::look(data), ..Self::NONE }.named(names),
            (Framing::Dns, Transport::Tcp) => Self { dns: dns_over_tcp(data), ..Self::NONE }.named(names),
            (Framing::Dns, Transport::Udp) => Self { dns: dns::look(data), ..Self::NONE }.named(names),
            (Framing::Sip, _) => Self { sip: sip::look(data, transport == Transport::Udp), ..Self::NONE },
            _ => Self::NONE,
        }
    }

    /// The DNS message.
    pub(crate) fn dns(&self) -> Option<&dns::Message<'a>> {
        self.dns.as_ref()
    }

    fn named(mut self, names: &Names) -> Self {
        if let http::Look::Head(head) = self.http
            && let Some(host) = head.host()
        {
            self.names = names.look(host);
        }
        match (self.tls, self.quic) {
            (tls::Look::Hello(hello), _) | (_, quic::Look::Hello(hello)) => {
                self.names = hello.server_name.map_or(NameHits::NONE, |name| names.look(name));
            }
            (tls::Look::Certificate(certificate), _) => {
                certificate.all().take(MOST_CERTIFICATE_NAMES).for_each(|name| self.names.join(&names.look(name)));
            }
            _ => {}
        }
        if let Some(message) = &self.dns {
            message.names().for_each(|name| self.names.join(&names.look(&name)));
        }
        self
    }
}

/// A flow of another kind shows no hello.
fn quic_hello<'a>(data: &'a [u8], scratch: &'a mut Scratch, memory: &mut Memory) -> quic::Look<'a> {
    match memory {
        Memory::Quic(state) => quic::look(&mut scratch.quic, state, data),
        Memory::Dns(_) => quic::Look::No,
    }
}

/// Names of a certificate that are compared; shared ones have hundreds.
const MOST_CERTIFICATE_NAMES: usize = 100;

/// The message behind its length (RFC 1035, 4.2.2), once it is whole.
fn dns_over_tcp(data: &[u8]) -> Option<dns::Message<'_>> {
    let (length, rest) = data.split_first_chunk::<2>()?;
    dns::look(rest.get(..usize::from(u16::from_be_bytes(*length)))?)
}

/// Cuts the message at the start of `data`.
pub(crate) fn frame<'a>(
    protocol: &'a Protocol,
    data: &'a [u8],
    looks: &'a Looks<'a>,
    context: Context<'a>,
) -> Framed<'a> {
    let seen = data.len().min(WINDOW);
    let view = View {
        octets: data.get(..seen).unwrap_or_default(),
        whole: None,
        complete: data.len() >= WINDOW,
        server_port: context.server_port,
        parts: Parts::None,
        names: &looks.names,
        body_at: None,
        turns: context.turns,
        anchors: &protocol.anchors,
    };
    match &protocol.framing {
        Framing::Datagram => {
            let view = View { whole: Some(data.len()), complete: true, ..view };
            Framed::Message(Frame { view, next: Next::At(data.len()) })
        }
        Framing::Stream => Framed::Message(Frame { view, next: Next::Unknown }),
        Framing::Length { strip, .. } => {
            let length = match length::cut(&protocol.framing, data) {
                length::Cut::Length(length) => length,
                length::Cut::More => return Framed::More,
                length::Cut::No => return Framed::No,
            };
            let strip = usize::from(*strip);
            let Some(octets) = data.get(strip.min(length)..length.min(seen)) else { return Framed::More };
            let complete = data.len() >= length.min(WINDOW);
            let view = View { octets, whole: Some(length.saturating_sub(strip)), complete, ..view };
            Framed::Message(Frame { view, next: Next::At(length) })
        }
        Framing::Line { pass_over } => {
            let Some(line) = line::cut(view.octets) else { return Framed::No };
            let next = match line.length {
                Some(length) => Next::At(length),
                None if view.complete => Next::BeyondWindow(Skip::Line),
                None => Next::Later,
            };
            let view = View {
                octets: line.octets,
                whole: line.length.map(|_| line.octets.len()),
                complete: next != Next::Later,
                parts: Parts::Line(line::Words::of(line.octets, pass_over)),
                ..view
            };
            Framed::Message(Frame { view, next })
        }
        Framing::VarintLength { at, range } => {
            let (length, body) = match varint::cut(*at, *range, data) {
                varint::Cut::Message { length, body } => (length, body),
                varint::Cut::More => return Framed::More,
                varint::Cut::No => return Framed::No,
            };
            let octets = data.get(..length.min(seen)).unwrap_or_default();
            let complete = data.len() >= length.min(WINDOW);
            let view = View { octets, whole: Some(length), complete, body_at: Some(body), ..view };
            Framed::Message(Frame { view, next: Next::At(length) })
        }
        Framing::Xml { open } => {
            let (length, next) = match xml::cut(open, data) {
                xml::Cut::Message(length) => (Some(length), Next::At(length)),
                xml::Cut::BeyondWindow(scanner) => (None, Next::BeyondWindow(Skip::Xml(scanner))),
                xml::Cut::More => return Framed::More,
                xml::Cut::No => return Framed::No,
            };
            let octets = data.get(..length.unwrap_or(seen).min(seen)).unwrap_or_default();
            let parts = Parts::Xml(xml::Element { octets });
            let view = View { octets, whole: length, complete: true, parts, ..view };
            Framed::Message(Frame { view, next })
        }
        Framing::Sip => {
            let head = match &looks.sip {
                sip::Look::Head(head) => head,
                sip::Look::More => return Framed::More,
                sip::Look::No => return Framed::No,
            };
            let length = match protocol.transport {
                Transport::Udp => Some(data.len()),
                Transport::Tcp => head.body_length().and_then(|body| body.checked_add(head.body_at)),
            };
            let Some(length) = length else { return Framed::No };
            let octets = data.get(..length.min(seen)).unwrap_or_default();
            let complete = data.len() >= length.min(WINDOW);
            let (parts, body_at) = (Parts::Sip(head), Some(head.body_at));
            let view = View { octets, whole: Some(length), complete, parts, body_at, ..view };
            Framed::Message(Frame { view, next: Next::At(length) })
        }
        Framing::Http => {
            let head = match &looks.http {
                http::Look::Head(head) => head,
                http::Look::More => return Framed::More,
                http::Look::No => return Framed::No,
            };
            let length = match head.body_length() {
                BodyLength::Known(body) => usize::try_from(body).ok().and_then(|body| body.checked_add(head.body_at)),
                BodyLength::Unknown => None,
            };
            let octets = data.get(..length.unwrap_or(usize::MAX).min(seen)).unwrap_or_default();
            let complete = data.len() >= length.unwrap_or(usize::MAX).min(WINDOW);
            let view =
                View { octets, whole: length, complete, parts: Parts::Http(head), body_at: Some(head.body_at), ..view };
            Framed::Message(Frame { view, next: length.map_or(Next::Unknown, Next::At) })
        }
        Framing::Tls => {
            let parts = match &looks.tls {
                tls::Look::Hello(hello) => Parts::Hello(hello, Carrier::Tcp),
                tls::Look::Certificate(_) => Parts::Certificate,
                tls::Look::Records => Parts::None,
                tls::Look::More => return Framed::More,
                tls::Look::No => return Framed::No,
            };
            Framed::Message(Frame { view: View { parts, complete: true, ..view }, next: Next::Unknown })
        }
        Framing::Quic => {
            let parts = match &looks.quic {
                quic::Look::Hello(hello) => Parts::Hello(hello, Carrier::Quic),
                quic::Look::Packets => Parts::None,
                quic::Look::More => return Framed::More,
                quic::Look::No => return Framed::No,
            };
            let view = View { whole: Some(data.len()), complete: true, parts, ..view };
            Framed::Message(Frame { view, next: Next::At(data.len()) })
        }
        Framing::Dns => dns_message(protocol, data, looks, view),
    }
}

fn dns_message<'a>(protocol: &'a Protocol, data: &'a [u8], looks: &'a Looks<'a>, view: View<'a>) -> Framed<'a> {
    let header = if protocol.transport == Transport::Tcp { 2 } else { 0 };
    let length = match (protocol.transport, data.first_chunk::<2>()) {
        (Transport::Udp, _) => data.len(),
        (Transport::Tcp, None) => return Framed::More,
        (Transport::Tcp, Some(length)) => header + usize::from(u16::from_be_bytes(*length)),
    };
    if looks.dns.is_none() {
        return if data.len() < length.min(WINDOW) { Framed::More } else { Framed::No };
    }
    let octets = data.get(header..length).unwrap_or_default();
    let view = View { octets, whole: Some(octets.len()), complete: true, parts: Parts::Dns, ..view };
    Framed::Message(Frame { view, next: Next::At(length) })
}
