//! Streams of XML elements (RFC 6120, 4): each element at the top is a message, as are a stream's own tags, which stay open,
//! a declaration, and white space between.

use crate::program::WINDOW;

/// What stands at the start of some octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A message of so many octets.
    Message(usize),
    /// One whose end lies beyond the window.
    BeyondWindow(Scanner),
    More,
    No,
}

/// Cuts the message at the start of `data`. An element of one of the names in `open` is a message by its start tag alone.
pub(crate) fn cut(open: &[String], data: &[u8]) -> Cut {
    match data.first() {
        Some(b'<') => {}
        Some(octet) if octet.is_ascii_whitespace() => {
            return Cut::Message(data.iter().take_while(|octet| octet.is_ascii_whitespace()).count());
        }
        Some(_) => return Cut::No,
        None => return Cut::More,
    }
    let mut scanner = Scanner::default();
    for (place, octet) in data.iter().take(WINDOW).enumerate() {
        match scanner.feed(*octet) {
            Event::Goes => {}
            Event::Opened if scanner.depth > 1 => {}
            Event::Opened => {
                let name = Element { octets: data }.name();
                if open.iter().any(|open| open.as_bytes() == name) {
                    return Cut::Message(place + 1);
                }
            }
            Event::Ended => return Cut::Message(place + 1),
            Event::Bad => return Cut::No,
        }
    }
    if data.len() >= WINDOW { Cut::BeyondWindow(scanner) } else { Cut::More }
}

/// Follows elements octet by octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scanner {
    /// Elements that are open.
    depth: u8,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Content,
    Less,
    Tag,
    TagSlash,
    DoubleQuote,
    SingleQuote,
    EndTag,
    Instruction,
    InstructionMark,
    Bang,
    BangDash,
    Comment,
    CommentDash,
    CommentDashDash,
    Literal,
    LiteralBracket,
    LiteralBrackets,
}

/// What an octet brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Goes,
    /// A start tag ended.
    Opened,
    /// The message ended.
    Ended,
    /// No XML that such a stream may hold.
    Bad,
}

/// Elements in each other; a stanza has some five.
const DEEPEST: u8 = 64;

impl Scanner {
    pub(crate) fn feed(&mut self, octet: u8) -> Event {
        let (mode, event) = match (self.mode, octet) {
            (_, 0) => return Event::Bad,
            (Mode::Content, b'<') => (Mode::Less, Event::Goes),
            (Mode::Content, _) if self.depth > 0 || octet.is_ascii_whitespace() => (Mode::Content, Event::Goes),
            (Mode::Content, _) => return Event::Bad,
            (Mode::Less, b'/') => (Mode::EndTag, Event::Goes),
            (Mode::Less, b'?') => (Mode::Instruction, Event::Goes),
            (Mode::Less, b'!') => (Mode::Bang, Event::Goes),
            (Mode::Less, _) if octet.is_ascii_alphabetic() || octet == b'_' || octet >= 0x80 => {
                (Mode::Tag, Event::Goes)
            }
            (Mode::Less, _) => return Event::Bad,
            (Mode::Tag, b'"') => (Mode::DoubleQuote, Event::Goes),
            (Mode::Tag, b'\'') => (Mode::SingleQuote, Event::Goes),
            (Mode::Tag, b'/') => (Mode::TagSlash, Event::Goes),
            (Mode::Tag, b'>') if self.depth < DEEPEST => {
                self.depth += 1;
                (Mode::Content, Event::Opened)
            }
            (Mode::Tag, b'>' | b'<') => return Event::Bad,
            (Mode::Tag, _) => (Mode::Tag, Event::Goes),
            (Mode::TagSlash, b'>') => (Mode::Content, self.ended()),
            (Mode::TagSlash, _) => return Event::Bad,
            (Mode::DoubleQuote, b'"') | (Mode::SingleQuote, b'\'') => (Mode::Tag, Event::Goes),
            (Mode::EndTag, b'>') => {
                self.depth = self.depth.saturating_sub(1);
                (Mode::Content, self.ended())
            }
            (Mode::Instruction, b'?') => (Mode::InstructionMark, Event::Goes),
            (Mode::InstructionMark, b'>') => (Mode::Content, self.ended()),
            (Mode::InstructionMark, b'?') => (Mode::InstructionMark, Event::Goes),
            (Mode::InstructionMark, _) => (Mode::Instruction, Event::Goes),
            (Mode::Bang, b'-') => (Mode::BangDash, Event::Goes),
            // Its head, `CDATA[`, holds nothing that could end it.
            (Mode::Bang, b'[') if self.depth > 0 => (Mode::Literal, Event::Goes),
            (Mode::BangDash, b'-') => (Mode::Comment, Event::Goes),
            // Streams have no document types (RFC 6120, 11.1).
            (Mode::Bang | Mode::BangDash, _) => return Event::Bad,
            (Mode::Comment, b'-') => (Mode::CommentDash, Event::Goes),
            (Mode::CommentDash | Mode::CommentDashDash, b'-') => (Mode::CommentDashDash, Event::Goes),
            (Mode::CommentDashDash, b'>') => (Mode::Content, self.ended()),
            (Mode::CommentDash | Mode::CommentDashDash, _) => (Mode::Comment, Event::Goes),
            (Mode::Literal, b']') => (Mode::LiteralBracket, Event::Goes),
            (Mode::LiteralBracket | Mode::LiteralBrackets, b']') => (Mode::LiteralBrackets, Event::Goes),
            (Mode::LiteralBrackets, b'>') => (Mode::Content, Event::Goes),
            (Mode::LiteralBracket | Mode::LiteralBrackets, _) => (Mode::Literal, Event::Goes),
            (mode, _) => (mode, Event::Goes),
        };
        self.mode = mode;
        event
    }

    fn ended(self) -> Event {
        if self.depth == 0 { Event::Ended } else { Event::Goes }
    }
}

/// A message, for questions about its elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) octets: &'a [u8],
}

/// A start tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    pub(crate) name: &'a [u8],
    attributes: &'a [u8],
    /// What follows it.
    behind: &'a [u8],
}

impl<'a> Element<'a> {
    /// The name in the message's first tag; of an end tag or a declaration with its mark: `/stream:stream`, `?xml`.
    pub(crate) fn name(self) -> &'a [u8] {
        let inside = self.octets.strip_prefix(b"<").unwrap_or_default();
        let ends = |(place, octet): (usize, &u8)| {
            octet.is_ascii_whitespace() || *octet == b'>' || (place > 0 && matches!(octet, b'/' | b'?'))
        };
        let end = inside.iter().enumerate().position(ends).unwrap_or(inside.len());
        inside.get(..end).unwrap_or_default()
    }

    /// The message's own element.
    pub(crate) fn first(self) -> Option<Tag<'a>> {
        Tags { octets: self.octets, at: 0, scanner: Scanner::default() }.next()
    }

    /// The first element of that name, the message's own among them; without a colon, whatever its prefix.
    pub(crate) fn find(self, name: &str) -> Option<Tag<'a>> {
        let mut tags = Tags { octets: self.octets, at: 0, scanner: Scanner::default() };
        tags.find(|tag| same_name(tag.name, name))
    }
}

/// Whether an element's name is this one; a name without a colon stands for that name behind any prefix.
pub(crate) fn same_name(name: &[u8], wanted: &str) -> bool {
    let local = name.iter().rposition(|octet| *octet == b':').map_or(name, |colon| &name[colon + 1..]);
    wanted.as_bytes() == if wanted.contains(':') { name } else { local }
}

impl<'a> Tag<'a> {
    /// An attribute's value, as it is written.
    pub(crate) fn attribute(&self, name: &str) -> Option<&'a [u8]> {
        let mut rest = self.attributes.trim_ascii_start();
        while !rest.is_empty() {
            let equals = memchr::memchr(b'=', rest)?;
            let (found, behind) = rest.split_at(equals);
            let behind = behind.get(1..)?.trim_ascii_start();
            let (quote, value) = behind.split_first()?;
            let end = memchr::memchr(*quote, value)?;
            if found.trim_ascii() == name.as_bytes() {
                return value.get(..end);
            }
            rest = value.get(end + 1..)?.trim_ascii_start();
        }
        None
    }

    /// The text behind it, up to the next tag.
    pub(crate) fn text(&self) -> &'a [u8] {
        let end = memchr::memchr(b'<', self.behind).unwrap_or(self.behind.len());
        self.behind.get(..end).unwrap_or_default().trim_ascii()
    }
}

struct Tags<'a> {
    octets: &'a [u8],
    at: usize,
    scanner: Scanner,
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let mut start = None;
        loop {
            let octet = *self.octets.get(self.at)?;
            let before = self.scanner.mode;
            if self.scanner.feed(octet) == Event::Bad {
                return None;
            }
            if before == Mode::Less && self.scanner.mode == Mode::Tag {
                start = Some(self.at);
            }
            self.at += 1;
            if let Some(start) = start
                && self.scanner.mode == Mode::Content
            {
                let inside = self.octets.get(start..self.at - 1)?;
                let (inside, behind) = match inside.strip_suffix(b"/") {
                    Some(inside) => (inside, &self.octets[..0]),
                    None => (inside, self.octets.get(self.at..)?),
                };
                let end = inside.iter().position(u8::is_ascii_whitespace).unwrap_or(inside.len());
                let (name, attributes) = inside.split_at(end);
                return Some(Tag { name, attributes, behind });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] = b"<?xml version='1.0'?> <stream:stream to='a.example'>\
        <iq type=\"set\" id='>1'><bind><resource>x</resource></bind></iq>\n\
        <message><!-- > --><body><![CDATA[</message>]]></body></message><a/></stream:stream>";

    fn messages(data: &[u8]) -> Vec<usize> {
        let open = ["stream:stream".to_owned()];
        let mut lengths = Vec::new();
        let mut rest = data;
        while let Cut::Message(length) = cut(&open, rest) {
            lengths.push(length);
            rest = &rest[length..];
        }
        lengths
    }

    #[test]
    fn each_element_at_the_top_is_a_message() {
        let names: Vec<_> = messages(STREAM)
            .iter()
            .scan(0, |at, length| {
                let element = Element { octets: &STREAM[*at..*at + length] };
                *at += length;
                Some(String::from_utf8_lossy(element.name()).into_owned())
            })
            .collect();
        assert_eq!(names, ["?xml", "", "stream:stream", "iq", "", "message", "a", "/stream:stream"]);
        assert_eq!(messages(STREAM).iter().sum::<usize>(), STREAM.len());
    }

    #[test]
    fn elements_and_attributes_are_found() {
        let message =
            Element { octets: b"<iq type=\"set\" id='>1'><x:bind a = 'b'><jid>u@a.example/r</jid><e/></x:bind></iq>" };
        let iq = message.find("iq").unwrap();
        assert_eq!((iq.attribute("id"), iq.attribute("type")), (Some(&b">1"[..]), Some(&b"set"[..])));
        assert_eq!(message.find("bind").unwrap().attribute("a"), Some(&b"b"[..]));
        assert_eq!(message.find("jid").unwrap().text(), b"u@a.example/r");
        assert_eq!(message.find("e").unwrap().text(), b"");
        assert!(message.find("y:bind").is_none() && message.find("type").is_none());
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        for text in [&b"GET / HTTP/1.1\r\n"[..], b"<!DOCTYPE html>", b"<a\0>", b"< a>", b"<a <b>"] {
            assert_eq!(cut(&[], text), Cut::No, "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(cut(&[], &b"<a>".repeat(100)), Cut::No);
    }

    #[test]
    fn a_message_beyond_the_window_is_followed_to_its_end() {
        let mut long = b"<iq>".to_vec();
        long.extend(b"<item>x</item>".repeat(400));
        let Cut::BeyondWindow(mut scanner) = cut(&[], &long) else { panic!("not beyond") };
        long.extend(b"</iq>");
        let ended = long[WINDOW..].iter().position(|octet| scanner.feed(*octet) == Event::Ended);
        assert_eq!(ended, Some(long.len() - WINDOW - 1));
    }

    proptest! {
        #[test]
        fn a_cut_stream_waits_and_never_tells_another_message(end in 0..STREAM.len()) {
            let whole = messages(STREAM);
            let cut = messages(&STREAM[..end]);
            // White space is a message as far as it is here.
            let same = cut.iter().zip(&whole).take_while(|(a, b)| a == b).count();
            prop_assert!(same + 1 >= cut.len());
        }

        #[test]
        fn any_octets_do_no_harm(octets in prop::collection::vec(prop::sample::select(&b"<>/?!-[]'\"= ax:\n"[..]), 0..200)) {
            if let Cut::Message(length) = cut(&[], &octets) {
                prop_assert!(length > 0 && length <= octets.len());
                let element = Element { octets: &octets[..length] };
                if let Some(tag) = element.find("a") {
                    tag.attribute("x");
                    tag.text();
                }
            }
        }
    }
}
