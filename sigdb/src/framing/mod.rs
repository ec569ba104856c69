//! Messages: where each begins and ends, as its protocol's framing says.

mod length;
pub(crate) mod line;

use crate::http::{self, BodyLength};
use crate::matcher::{Parts, View};
use crate::program::{Framing, Protocol, WINDOW};
use crate::tls;

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
    BeyondWindow,
    /// Only a segment's start can tell.
    Unknown,
}

/// What stands at the start of some octets.
pub(crate) enum Framed<'a> {
    Message(Frame<'a>),
    /// It may become a message.
    More,
    /// No message of that protocol.
    No,
}

/// What decoders make of some octets: looked at once for all protocols that ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looks<'a> {
    http: http::Look<'a>,
    tls: tls::Look<'a>,
}

impl<'a> Looks<'a> {
    /// All of them.
    pub(crate) fn of(data: &'a [u8]) -> Self {
        Self { http: http::look(data), tls: tls::look(data) }
    }

    /// Those that this framing asks.
    pub(crate) fn by(framing: &Framing, data: &'a [u8]) -> Self {
        let http = if *framing == Framing::Http { http::look(data) } else { http::Look::No };
        let tls = if *framing == Framing::Tls { tls::look(data) } else { tls::Look::No };
        Self { http, tls }
    }
}

/// Cuts the message at the start of `data`.
pub(crate) fn frame<'a>(protocol: &'a Protocol, data: &'a [u8], looks: Looks<'a>, server_port: u16) -> Framed<'a> {
    let seen = data.len().min(WINDOW);
    let view = View {
        octets: data.get(..seen).unwrap_or_default(),
        whole: None,
        complete: data.len() >= WINDOW,
        server_port,
        parts: Parts::None,
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
                None if view.complete => Next::BeyondWindow,
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
        Framing::Http => {
            let head = match looks.http {
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
            let view = View { octets, whole: length, complete, parts: Parts::Http(head), ..view };
            Framed::Message(Frame { view, next: length.map_or(Next::Unknown, Next::At) })
        }
        Framing::Tls => match looks.tls {
            tls::Look::Hello(server_name) => {
                Framed::Message(Frame { view: View { parts: Parts::Hello(server_name), ..view }, next: Next::Unknown })
            }
            tls::Look::More => Framed::More,
            tls::Look::No => Framed::No,
        },
    }
}
