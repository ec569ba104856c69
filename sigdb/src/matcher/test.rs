//! Tests, one by one.

use memchr::memmem;

use super::cipher::{decipher, is_plain};
use super::read::{Read, read};
use super::{FieldText, Outcome, Parts, View};
use crate::framing::xml::same_name;
use crate::program::{Ranges, Search, Test};
use crate::{http, sip};

/// Octets that people are shown of what a test looked at.
const SHOWN: usize = 32;

impl<'a> View<'a> {
    /// Where a test looks, and what stands there: at most [`SHOWN`] octets. None for what is at no place of the message, and for
    /// fields of free or encoded text, as that may be a password.
    pub(crate) fn stands(&self, test: &Test) -> Option<(usize, &'a [u8])> {
        let (at, length) = match test {
            Test::Octets(at, value, _) => (at, value.len()),
            Test::Number { at, size, .. } | Test::Length { at, size, .. } => (at, usize::from(*size)),
            Test::Varint(at, _) => (at, 4),
            Test::Regex { at, within, .. } => (at, usize::from(*within)),
            other => return self.located(self.shown(other)?),
        };
        let Read::Value(place) = self.place(*at) else { return None };
        let rest = self.octets.get(place..)?;
        Some((place, rest.get(..length.min(SHOWN)).unwrap_or(rest)))
    }

    /// What a test is compared with, where its framing or a search finds it.
    fn shown(&self, test: &Test) -> Option<&'a [u8]> {
        match test {
            Test::Contains { literal, any_case, .. } => {
                let mut windows = self.octets.windows(literal.len().max(1));
                windows.find(|window| if *any_case { window.eq_ignore_ascii_case(literal) } else { window == literal })
            }
            Test::Word { number, .. } => match self.word(*number) {
                Read::Value(word) => Some(word),
                Read::Absent | Read::More => None,
            },
            Test::Header(name, _) | Test::HeaderNumber { name, .. } => self.header(name),
            Test::Method(_) => self.request().map(|(method, _)| method),
            Test::Path(_) => self.request().map(|(_, target)| target),
            Test::Element(_) => self.xml().map(|element| element.name()),
            Test::Attribute { name, of, .. } => self.attribute(name, of.as_deref()),
            Test::Host(_) => self.http().and_then(|head| head.host()),
            Test::ServerName(_) => match self.parts {
                Parts::Hello(hello, _) => hello.server_name,
                _ => None,
            },
            Test::Field(field) if field.encoding.is_none() && !field.form.is_free() => match self.value(field) {
                Read::Value(octets) => Some(octets),
                Read::Absent | Read::More => None,
            },
            _ => None,
        }
    }

    /// A part of the message with its place.
    fn located(&self, part: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let place = (part.as_ptr() as usize).checked_sub(self.octets.as_ptr() as usize)?;
        let rest = self.octets.get(place..).filter(|rest| rest.len() >= part.len())?;
        Some((place, rest.get(..part.len().min(SHOWN))?))
    }

    pub(crate) fn holds(&self, test: &Test) -> Outcome {
        match test {
            Test::Octets(at, value, mask) => {
                // What is here may already contradict; a long literal need not wait for its end.
                let start = read!(self.place(*at), Outcome::No, Outcome::More);
                let here = self.octets.get(start..).unwrap_or_default();
                let known = here.len().min(value.len());
                let agree = here.iter().zip(value).zip(mask).all(|((octet, value), mask)| octet & mask == value & mask);
                match (agree, known == value.len()) {
                    (false, _) => Outcome::No,
                    (true, true) => Outcome::Yes,
                    (true, false) => self.short(),
                }
            }
            Test::Number { at, size, little, ranges } => {
                let start = read!(self.place(*at), Outcome::No, Outcome::More);
                let number = read!(self.number(start, *size, *little), Outcome::No, Outcome::More);
                Outcome::of(within(ranges, number))
            }
            Test::Deciphered { at, key, counter, ranges } => {
                // Neither waited for nor deciphered where it begins as what is in clear does.
                if is_plain(self.octets) {
                    return Outcome::No;
                }
                let (at, key, counter) = (usize::from(*at), usize::from(*key), usize::from(*counter));
                let octets = read!(self.slice(at, 4), Outcome::No, Outcome::More);
                let key = read!(self.slice(key, 32), Outcome::No, Outcome::More);
                let counter = read!(self.slice(counter, 16), Outcome::No, Outcome::More);
                Outcome::of(decipher(octets, at, key, counter).is_some_and(|number| within(ranges, number.into())))
            }
            Test::Length { at, size, little, add } => {
                let start = read!(self.place(*at), Outcome::No, Outcome::More);
                let number = read!(self.number(start, *size, *little), Outcome::No, Outcome::More);
                let length = number.checked_add_signed(i64::from(*add));
                Outcome::of(self.whole.is_some_and(|whole| Some(whole as u64) == length))
            }
            Test::Varint(at, ranges) => {
                let start = read!(self.place(*at), Outcome::No, Outcome::More);
                let number = read!(self.varint(start), Outcome::No, Outcome::More);
                Outcome::of(within(ranges, number))
            }
            Test::Field(field) => match self.field(field) {
                FieldText::Text(_) => Outcome::Yes,
                FieldText::Absent => Outcome::No,
                FieldText::More => Outcome::More,
            },
            Test::Contains { literal, within, any_case } => {
                let limit = self.octets.len().min(usize::from(*within));
                let window = self.octets.get(..limit).unwrap_or_default();
                let found = if *any_case {
                    contains_any_case(window, literal)
                } else {
                    memmem::find(window, literal).is_some()
                };
                match found {
                    true => Outcome::Yes,
                    false if limit == usize::from(*within) => Outcome::No,
                    false => self.short(),
                }
            }
            Test::Regex { at, within, pattern } => {
                let start = read!(self.place(*at), Outcome::No, Outcome::More);
                let end = start.saturating_add(usize::from(*within));
                let limit = self.octets.len().min(end);
                let ended = self.complete || limit == end;
                match pattern.search(self.octets.get(start..limit).unwrap_or_default(), ended) {
                    Search::Found(_) => Outcome::Yes,
                    Search::Absent => Outcome::No,
                    Search::More => Outcome::More,
                }
            }
            Test::Size(ranges) => Outcome::of(self.whole.is_some_and(|whole| within(ranges, whole as u64))),
            Test::Modulo(divisor, rest) => Outcome::of(
                self.whole.is_some_and(|whole| whole.checked_rem(*divisor as usize) == Some(*rest as usize)),
            ),
            Test::Word { number, values, any_case } => {
                let word = match self.word(*number) {
                    Read::Value(word) => word,
                    Read::Absent => return Outcome::No,
                    Read::More => return Outcome::More,
                };
                Outcome::of(one_of(values, word, *any_case))
            }
            Test::Turns(turns) => self.turns.are(turns),
            Test::Element(names) => {
                let name = self.xml().map(|element| element.name());
                Outcome::of(name.is_some_and(|name| names.iter().any(|wanted| same_name(name, wanted))))
            }
            Test::Child(name) => Outcome::of(self.xml().is_some_and(|element| element.find(name).is_some())),
            Test::Attribute { name, of, values, any_case } => {
                Outcome::of(self.attribute(name, of.as_deref()).is_some_and(|value| one_of(values, value, *any_case)))
            }
            Test::HeaderNumber { name, parameter, ranges } => {
                let value = self.header(name).and_then(|value| match parameter {
                    Some(parameter) => sip::parameter(value, parameter),
                    None => Some(value),
                });
                Outcome::of(value.and_then(decimal).is_some_and(|number| within(ranges, number)))
            }
            Test::Port(ports) => Outcome::of(ports.contains(&self.server_port)),
            Test::Method(methods) => Outcome::of(
                matches!(self.request(), Some((method, _)) if methods.iter().any(|one| one.as_bytes() == method)),
            ),
            Test::Path(prefixes) => Outcome::of(
                matches!(self.request(), Some((_, target)) if prefixes.iter().any(|one| target.starts_with(one.as_bytes()))),
            ),
            Test::Host(list) => Outcome::of(matches!(self.parts, Parts::Http(_)) && self.names.has(list)),
            Test::Header(name, text) => Outcome::of(
                self.header(name).is_some_and(|value| text.is_empty() || contains_any_case(value, text.as_bytes())),
            ),
            Test::ContentLength(ranges) => Outcome::of(
                self.http().and_then(|head| head.content_length()).is_some_and(|length| within(ranges, length)),
            ),
            Test::Status(ranges) => {
                let status = match self.parts {
                    Parts::Http(head) => head.status(),
                    Parts::Sip(head) => head.status(),
                    _ => None,
                };
                Outcome::of(status.is_some_and(|status| within(ranges, status.into())))
            }
            Test::ServerName(list) => Outcome::of(matches!(self.parts, Parts::Hello(..)) && self.names.has(list)),
            Test::Certificate(list) => Outcome::of(matches!(self.parts, Parts::Certificate) && self.names.has(list)),
            Test::DnsName(list) => Outcome::of(matches!(self.parts, Parts::Dns) && self.names.has(list)),
            Test::Alpn(names) => Outcome::of(matches!(self.parts, Parts::Hello(hello, _)
                if hello.application_protocols().any(|offered| names.iter().any(|name| name.as_bytes() == offered)))),
            Test::Ja4(prints) => Outcome::of(matches!(self.parts, Parts::Hello(hello, carrier)
                if hello.ja4(carrier).is_some_and(|own| prints.iter().any(|print| print.as_bytes() == own)))),
        }
    }

    fn request(&self) -> Option<(&'a [u8], &'a [u8])> {
        match self.parts {
            Parts::Http(http::Head { start: http::StartLine::Request(method, target), .. })
            | Parts::Sip(sip::Head { start: sip::StartLine::Request(method, target), .. }) => Some((*method, *target)),
            _ => None,
        }
    }

    /// A word of a line; the last of a line whose end is not here may go on.
    pub(super) fn word(&self, number: u8) -> Read<&'a [u8]> {
        match self.words().map(|words| words.word(number)) {
            Some(Some((word, ended))) if ended || self.complete => Read::Value(word),
            Some(Some(_)) => Read::More,
            Some(None) => self.missing(),
            None => Read::Absent,
        }
    }
}

fn one_of(values: &[String], found: &[u8], any_case: bool) -> bool {
    values.iter().any(|value| match any_case {
        true => value.as_bytes().eq_ignore_ascii_case(found),
        false => value.as_bytes() == found,
    })
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub(crate) fn within(ranges: &Ranges, number: u64) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&number))
}

/// Whether `value` holds `text`, ASCII letters of either case.
fn contains_any_case(value: &[u8], text: &[u8]) -> bool {
    value.windows(text.len().max(1)).any(|window| window.eq_ignore_ascii_case(text))
}
