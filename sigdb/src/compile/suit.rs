//! Whether tests and fields can ever hold with the framings of their protocol: one that cannot is a mistake, not a rule.

use super::Checked;
use crate::program::{Clue, Field, Framing, Message, Place, Test};

pub(super) fn clue(clue: &Clue, framings: &[Framing]) -> Checked<()> {
    let lists = clue.also.iter().chain([&clue.tests, &clue.between]);
    lists.flatten().try_for_each(|test| suits(test, framings))
}

pub(super) fn message(message: &Message, framings: &[Framing]) -> Checked<()> {
    message.tests.iter().try_for_each(|test| suits(test, framings))?;
    message.accounts.iter().chain(&message.transaction).try_for_each(|account| field(account, framings))
}

fn suits(test: &Test, framings: &[Framing]) -> Checked<()> {
    let (name, kinds, fits): (_, _, fn(&Framing) -> bool) = match test {
        Test::ServerName(_) => ("server-name", "tls or quic", has_hello),
        Test::Alpn(_) => ("alpn", "tls or quic", has_hello),
        Test::Ja4(_) => ("ja4", "tls or quic", has_hello),
        Test::Certificate(_) => ("certificate", "tls", |framing| *framing == Framing::Tls),
        Test::DnsName(_) => ("dns-name", "dns", |framing| *framing == Framing::Dns),
        Test::Method(_) => ("method", HEADS, has_head),
        Test::Header(..) | Test::HeaderNumber { .. } => ("header", HEADS, has_head),
        Test::Status(_) => ("status", HEADS, has_head),
        Test::Path(_) => ("path", "http", is_http),
        Test::Host(_) => ("host", "http", is_http),
        Test::ContentLength(_) => ("content-length", "http", is_http),
        Test::Word { .. } => ("word", "line", is_line),
        Test::Element(_) => ("element", "xml", is_xml),
        Test::Child(_) => ("child", "xml", is_xml),
        Test::Attribute { .. } => ("attribute", "xml", is_xml),
        Test::Field(field) => return self::field(field, framings),
        _ => return Ok(()),
    };
    one_of(name, kinds, fits, framings)
}

fn field(field: &Field, framings: &[Framing]) -> Checked<()> {
    let (name, kinds, fits): (_, _, fn(&Framing) -> bool) = match &field.place {
        Place::At(_) | Place::After(_) | Place::Value(_) => return Ok(()),
        Place::Query(_) => ("query", "http", is_http),
        Place::Word(_) => ("word", "line", is_line),
        Place::Header(_) => ("header", HEADS, has_head),
        Place::Element(_) => ("element", "xml", is_xml),
        Place::Attribute { .. } => ("attribute", "xml", is_xml),
    };
    one_of(name, kinds, fits, framings)
}

fn one_of(name: &str, kinds: &str, fits: fn(&Framing) -> bool, framings: &[Framing]) -> Checked<()> {
    if framings.iter().any(fits) {
        return Ok(());
    }
    Err(format!("'{name}' goes with framing {kinds}, which no carrier of it has"))
}

const HEADS: &str = "http or sip";

fn has_head(framing: &Framing) -> bool {
    matches!(framing, Framing::Http | Framing::Sip)
}

fn is_http(framing: &Framing) -> bool {
    *framing == Framing::Http
}

fn is_line(framing: &Framing) -> bool {
    matches!(framing, Framing::Line { .. })
}

fn is_xml(framing: &Framing) -> bool {
    matches!(framing, Framing::Xml { .. })
}

fn has_hello(framing: &Framing) -> bool {
    matches!(framing, Framing::Tls | Framing::Quic)
}
