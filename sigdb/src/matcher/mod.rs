//! Whether a test holds for a message: yes, no, or not to be told before more of the message is here.

mod cipher;
mod field;
mod form;
mod read;
mod test;

use crate::automaton::names::NameHits;
use crate::framing::{line, xml};
use crate::program::{Anchor, Test};
use crate::tls::{Carrier, Hello};
use crate::turns::Turns;
use crate::{http, sip};

pub(crate) use field::FieldText;
pub(crate) use test::within;

/// What a test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It holds.
    Yes,
    /// It does not, and more octets would not change that.
    No,
    /// More octets decide.
    More,
}

impl Outcome {
    fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// A message, as much of it as is here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// From its first octet (behind what the framing strips).
    pub(crate) octets: &'a [u8],
    /// Its length, where the framing tells.
    pub(crate) whole: Option<usize>,
    /// No more of it will come: `octets` is all there is to judge by.
    pub(crate) complete: bool,
    /// Where the server listens.
    pub(crate) server_port: u16,
    /// What its framing took apart.
    pub(crate) parts: Parts<'a>,
    /// The lists of names that take the one it shows: of a host, a server, a certificate or a question.
    pub(crate) names: &'a NameHits,
    /// Where its body begins, where it has one.
    pub(crate) body_at: Option<usize>,
    /// Octets that its flow's sides sent in turn.
    pub(crate) turns: &'a Turns,
    /// The protocol's named places.
    pub(crate) anchors: &'a [Anchor],
}

/// A message as its framing takes it apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parts<'a> {
    /// It does not.
    None,
    /// A head.
    Http(&'a http::Head<'a>),
    /// A ClientHello, and what carries it.
    Hello(&'a Hello<'a>, Carrier),
    /// A server's certificate.
    Certificate,
    /// A DNS message.
    Dns,
    /// Words.
    Line(line::Words<'a>),
    /// A head.
    Sip(&'a sip::Head<'a>),
    /// Elements.
    Xml(xml::Element<'a>),
}

impl<'a> View<'a> {
    /// Whether all tests hold. A test that fails decides at once, whatever others still wait for.
    pub(crate) fn all(&self, tests: &[Test]) -> Outcome {
        let mut outcome = Outcome::Yes;
        for test in tests {
            match self.holds(test) {
                Outcome::No => return Outcome::No,
                Outcome::More => outcome = Outcome::More,
                Outcome::Yes => {}
            }
        }
        outcome
    }

    /// What a read behind the last octet means.
    fn short(&self) -> Outcome {
        if self.complete { Outcome::No } else { Outcome::More }
    }

    fn http(&self) -> Option<&'a http::Head<'a>> {
        match self.parts {
            Parts::Http(head) => Some(head),
            _ => None,
        }
    }

    /// A field of a head, whichever it is.
    fn header(&self, name: &str) -> Option<&'a [u8]> {
        match self.parts {
            Parts::Http(head) => head.field(name),
            Parts::Sip(head) => head.field(name),
            _ => None,
        }
    }

    fn xml(&self) -> Option<xml::Element<'a>> {
        match self.parts {
            Parts::Xml(element) => Some(element),
            _ => None,
        }
    }

    /// An attribute of the first element of a name, or of the message's own.
    fn attribute(&self, name: &str, of: Option<&str>) -> Option<&'a [u8]> {
        let element = self.xml()?;
        let tag = match of {
            Some(of) => element.find(of),
            None => element.first(),
        };
        tag?.attribute(name)
    }

    fn words(&self) -> Option<line::Words<'a>> {
        match self.parts {
            Parts::Line(words) => Some(words),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Base, Field, Form, Place, Position, Span};

    fn view(octets: &[u8]) -> View<'_> {
        View {
            octets,
            whole: Some(octets.len()),
            complete: true,
            server_port: 8000,
            parts: Parts::None,
            names: &NameHits::NONE,
            body_at: None,
            turns: &NONE,
            anchors: &[],
        }
    }

    const NONE: Turns = Turns::new();

    const fn start(offset: i32) -> Position {
        Position { base: Base::Start, offset }
    }

    #[test]
    fn octets_under_a_mask() {
        let test = |mask: u8| [Test::Octets(start(1), vec![0x52], vec![mask])];
        assert_eq!(view(&[1, 0x5f]).all(&test(0xff)), Outcome::No);
        assert_eq!(view(&[1, 0x5f]).all(&test(0xf0)), Outcome::Yes);
        assert_eq!(view(&[1]).all(&test(0xff)), Outcome::No);
        assert_eq!(View { complete: false, whole: None, ..view(&[1]) }.all(&test(0xff)), Outcome::More);
    }

    #[test]
    fn a_failed_test_decides_though_another_waits() {
        let tests = [Test::Octets(start(9), vec![1], vec![0xff]), Test::Octets(start(0), vec![1], vec![0xff])];
        assert_eq!(View { complete: false, whole: None, ..view(&[2]) }.all(&tests), Outcome::No);
    }

    #[test]
    fn an_anchor_lies_behind_its_field() {
        let anchors = [Anchor {
            name: "token".into(),
            at: start(0),
            span: Span::Prefix { size: 2, inclusive: true },
            when: Vec::new(),
        }];
        let octets = [0, 4, 9, 9, 0, 0, 0, 7];
        let field = Field {
            place: Place::At(Position { base: Base::Anchor(0), offset: 0 }),
            prefix: 0,
            inclusive: false,
            size: 0,
            form: Form::U32,
            range: (0, u64::MAX),
            strip: Vec::new(),
            encoding: None,
        };
        let FieldText::Text(text) = (View { anchors: &anchors, ..view(&octets) }).field(&field) else {
            panic!("no text")
        };
        assert_eq!(&text[..], "7");
    }

    #[test]
    fn a_prefixed_number_of_digits() {
        let field = |range| Field {
            place: Place::At(start(0)),
            prefix: 4,
            inclusive: true,
            size: 0,
            form: Form::Digits,
            range,
            strip: Vec::new(),
            encoding: None,
        };
        let octets = [0, 0, 0, 9, b'1', b'2', b'3', b'4', b'5'];
        assert!(
            matches!(view(&octets).field(&field((10_000, u64::MAX))), FieldText::Text(text) if &text[..] == "12345")
        );
        assert!(matches!(view(&octets).field(&field((20_000, u64::MAX))), FieldText::Absent));
        assert!(matches!(view(&octets[..8]).field(&field((0, u64::MAX))), FieldText::Absent));
        let growing = View { complete: false, whole: Some(9), ..view(&octets[..8]) };
        assert!(matches!(growing.field(&field((0, u64::MAX))), FieldText::More));
    }

    #[test]
    fn a_varint_ends_with_a_clear_bit() {
        assert_eq!(view(&[0xac, 0x02]).all(&[Test::Varint(start(0), vec![(300, 300)])]), Outcome::Yes);
        assert_eq!(view(&[0xff; 12]).all(&[Test::Varint(start(0), vec![(0, u64::MAX)])]), Outcome::No);
    }
}
