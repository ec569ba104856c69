//! Whether tests and fields can ever hold with the framings of their protocol: one that cannot is a mistake, not a rule.

use super::Checked;
use crate::program::{Clue, Field, Framing, Message, Place, Test};

pub(super) fn clue(clue: &Clue, framings: &[Framing]) -> Checked<()> {
    let lists = clue.also.iter().chain([&clue.tests, &clue.between]);
    lists.flatten().try_for_each(|test| suits(test, framings))
}

pub(super) fn message(message: &Message, framings: &[Framing]) -> Checked<()> {
    message.tests.iter().try_for_each(|test| suits(test, framings))?;
    message.accounts.iter().try_for_each(|account| field(account, framings))
}

fn suits(test: &Test, framings: &[Framing]) -> Checked<()> {
    let any = |fits: fn(&Framing) -> bool| framings.iter().any(fits);
    let http = |framing: &Framing| matches!(framing, Framing::Http);
    let tls = |framing: &Framing| matches!(framing, Framing::Tls);
    let hello = |framing: &Framing| matches!(framing, Framing::Tls | Framing::Quic);
    let (holds, name, kinds) = match test {
        Test::ServerName(_) => (any(hello), "server-name", "tls or quic"),
        Test::Alpn(_) => (any(hello), "alpn", "tls or quic"),
        Test::Ja4(_) => (any(hello), "ja4", "tls or quic"),
        Test::Certificate(_) => (any(tls), "certificate", "tls"),
        Test::DnsName(_) => (any(|framing| matches!(framing, Framing::Dns)), "dns-name", "dns"),
        Test::Method(_) => (any(http), "method", "http"),
        Test::Path(_) => (any(http), "path", "http"),
        Test::Host(_) => (any(http), "host", "http"),
        Test::Header(..) => (any(http), "header", "http"),
        Test::ContentLength(_) => (any(http), "content-length", "http"),
        Test::Status(_) => (any(http), "status", "http"),
        Test::Word { .. } => (any(|framing| matches!(framing, Framing::Line { .. })), "word", "line"),
        Test::Field(field) => return self::field(field, framings),
        _ => return Ok(()),
    };
    if holds { Ok(()) } else { Err(format!("'{name}' goes with framing {kinds}, which no carrier of it has")) }
}

fn field(field: &Field, framings: &[Framing]) -> Checked<()> {
    let (holds, name, kinds) = match &field.place {
        Place::Query(_) => (framings.contains(&Framing::Http), "query", "http"),
        Place::Word(_) => (framings.iter().any(|one| matches!(one, Framing::Line { .. })), "word", "line"),
        Place::At(_) | Place::After(_) => return Ok(()),
    };
    if holds { Ok(()) } else { Err(format!("'{name}' goes with framing {kinds}, which no carrier of it has")) }
}
