//! Whether a test holds for a message: yes, no, or not to be told before more of the message is here.

use std::fmt::Write;

use memchr::memmem;

use crate::http::{Head, StartLine};
use crate::program::{Anchor, Base, Field, Form, Place, Position, Ranges, Test};
use crate::sighting::AccountText;

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
    /// Its head, where it is HTTP.
    pub(crate) http: Option<Head<'a>>,
    /// Its server name, where it is a ClientHello that has one.
    pub(crate) server_name: Option<&'a [u8]>,
    /// The protocol's named places.
    pub(crate) anchors: &'a [Anchor],
}

/// An octet string or number that could be read, cannot be, or is not here yet.
enum Read<T> {
    Value(T),
    Absent,
    More,
}

/// `?` for [`Read`], in functions that return an [`Outcome`] or a [`Read`].
macro_rules! read {
    ($read:expr, $absent:expr, $more:expr) => {
        match $read {
            Read::Value(value) => value,
            Read::Absent => return $absent,
            Read::More => return $more,
        }
    };
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

    fn holds(&self, test: &Test) -> Outcome {
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
            Test::Length { at, size, little, add } => {
                let start = read!(self.place(*at), Outcome::No, Outcome::More);
                let number = read!(self.number(start, *size, *little), Outcome::No, Outcome::More);
                Outcome::of(self.whole.is_some_and(|whole| whole as i64 == number as i64 + i64::from(*add)))
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
            Test::Contains(literal, window) => {
                let limit = self.octets.len().min(usize::from(*window));
                match memmem::find(&self.octets[..limit], literal) {
                    Some(_) => Outcome::Yes,
                    None if limit == usize::from(*window) => Outcome::No,
                    None => self.short(),
                }
            }
            Test::Size(ranges) => Outcome::of(self.whole.is_some_and(|whole| within(ranges, whole as u64))),
            Test::Port(ports) => Outcome::of(ports.contains(&self.server_port)),
            Test::Method(methods) => Outcome::of(
                matches!(self.request(), Some((method, _)) if methods.iter().any(|one| one.as_bytes() == method)),
            ),
            Test::Path(prefixes) => Outcome::of(
                matches!(self.request(), Some((_, target)) if prefixes.iter().any(|one| target.starts_with(one.as_bytes()))),
            ),
            Test::Host(patterns) => {
                Outcome::of(self.http.and_then(|head| head.host()).is_some_and(|host| any_name(patterns, host)))
            }
            Test::Header(name, text) => Outcome::of(
                self.http.and_then(|head| head.field(name)).is_some_and(|value| contains_ignoring_case(value, text)),
            ),
            Test::ContentLength(ranges) => Outcome::of(
                self.http.and_then(|head| head.content_length()).is_some_and(|length| within(ranges, length)),
            ),
            Test::Status(ranges) => Outcome::of(
                matches!(self.http.map(|head| head.start), Some(StartLine::Response(status)) if within(ranges, status.into())),
            ),
            Test::ServerName(patterns) => Outcome::of(self.server_name.is_some_and(|name| any_name(patterns, name))),
        }
    }

    /// A field's text: digits for numbers.
    pub(crate) fn field(&self, field: &Field) -> FieldText {
        let start = match &field.place {
            Place::At(at) => read!(self.place(*at), FieldText::Absent, FieldText::More),
            Place::After(literal) => match memmem::find(self.octets, literal) {
                Some(found) => found + literal.len(),
                None if self.complete => return FieldText::Absent,
                None => return FieldText::More,
            },
            Place::Query(name) => {
                let Some(value) = self.http.and_then(|head| head.query(name)) else { return FieldText::Absent };
                return text(value, field);
            }
        };
        match field.form {
            Form::U32 | Form::U32Little => {
                let little = field.form == Form::U32Little;
                number_text(read!(self.number(start, 4, little), FieldText::Absent, FieldText::More), field)
            }
            Form::Varint => number_text(read!(self.varint(start), FieldText::Absent, FieldText::More), field),
            Form::Digits | Form::Ascii if field.prefix > 0 => {
                let length = read!(self.number(start, field.prefix, false), FieldText::Absent, FieldText::More);
                let own = if field.inclusive { u64::from(field.prefix) } else { 0 };
                let Some(length) = length.checked_sub(own).filter(|length| *length <= 1024) else {
                    return FieldText::Absent;
                };
                let from = start + usize::from(field.prefix);
                let value = read!(self.slice(from, length as usize), FieldText::Absent, FieldText::More);
                text(value, field)
            }
            Form::Digits | Form::Ascii => {
                let rest = self.octets.get(start..).unwrap_or_default();
                let belongs = |octet: &u8| match field.form {
                    Form::Digits => octet.is_ascii_digit(),
                    _ => octet.is_ascii_graphic(),
                };
                let length = rest.iter().take_while(|octet| belongs(octet)).count();
                if length == rest.len() && !self.complete {
                    return FieldText::More;
                }
                text(&rest[..length], field)
            }
        }
    }

    fn request(&self) -> Option<(&'a [u8], &'a [u8])> {
        match self.http?.start {
            StartLine::Request(method, target) => Some((method, target)),
            StartLine::Response(_) => None,
        }
    }

    /// What a read behind the last octet means.
    fn short(&self) -> Outcome {
        if self.complete { Outcome::No } else { Outcome::More }
    }

    fn missing<T>(&self) -> Read<T> {
        if self.complete { Read::Absent } else { Read::More }
    }

    fn place(&self, position: Position) -> Read<usize> {
        let base = match position.base {
            Base::Start => 0,
            Base::End => match self.whole {
                // Behind the window the end is never seen; a test on it cannot hold.
                Some(whole) if whole <= crate::program::WINDOW => whole,
                _ => return Read::Absent,
            },
            Base::Body => match self.http {
                Some(head) => head.body_at,
                None => return Read::Absent,
            },
            Base::Anchor(which) => {
                let Some(anchor) = self.anchors.get(usize::from(which)) else { return Read::Absent };
                let at = read!(self.place(anchor.at), Read::Absent, Read::More);
                let length = read!(self.number(at, anchor.prefix, false), Read::Absent, Read::More);
                let own = if anchor.inclusive { 0 } else { u64::from(anchor.prefix) };
                // A length beyond the window points nowhere that could be read.
                if length > crate::program::WINDOW as u64 || (anchor.inclusive && length < u64::from(anchor.prefix)) {
                    return Read::Absent;
                }
                at + (length + own) as usize
            }
        };
        match base.checked_add_signed(position.offset as isize) {
            Some(place) => Read::Value(place),
            None => Read::Absent,
        }
    }

    fn slice(&self, start: usize, length: usize) -> Read<&'a [u8]> {
        let end = start.saturating_add(length);
        if self.whole.is_some_and(|whole| end > whole) {
            return Read::Absent;
        }
        match self.octets.get(start..end) {
            Some(slice) => Read::Value(slice),
            None => self.missing(),
        }
    }

    fn number(&self, start: usize, size: u8, little: bool) -> Read<u64> {
        let octets = read!(self.slice(start, usize::from(size)), Read::Absent, Read::More);
        let fold = |number: u64, octet: &u8| number << 8 | u64::from(*octet);
        Read::Value(if little { octets.iter().rev().fold(0, fold) } else { octets.iter().fold(0, fold) })
    }

    /// At most ten octets, seven bits each, the least significant first.
    fn varint(&self, start: usize) -> Read<u64> {
        let mut number = 0u64;
        for place in 0..10 {
            let octets = read!(self.slice(start + place, 1), Read::Absent, Read::More);
            number |= u64::from(octets[0] & 0x7f) << (7 * place as u32).min(63);
            if octets[0] & 0x80 == 0 {
                return Read::Value(number);
            }
        }
        Read::Absent
    }
}

/// What reading a field came to.
pub(crate) enum FieldText {
    /// The text.
    Text(AccountText),
    /// There is none.
    Absent,
    /// More octets decide.
    More,
}

fn text(value: &[u8], field: &Field) -> FieldText {
    let fits = match field.form {
        Form::Ascii => value.iter().all(u8::is_ascii_graphic),
        _ => value.iter().all(u8::is_ascii_digit) && value.len() <= 19,
    };
    if value.is_empty() || !fits {
        return FieldText::Absent;
    }
    match std::str::from_utf8(value) {
        Ok(digits) if field.form == Form::Digits => match digits.parse() {
            Ok(number) => number_text(number, field),
            Err(_) => FieldText::Absent,
        },
        Ok(ascii) => AccountText::from(ascii).map_or(FieldText::Absent, FieldText::Text),
        Err(_) => FieldText::Absent,
    }
}

fn number_text(number: u64, field: &Field) -> FieldText {
    if !(field.range.0..=field.range.1).contains(&number) {
        return FieldText::Absent;
    }
    let mut text = AccountText::new();
    match write!(text, "{number}") {
        Ok(()) => FieldText::Text(text),
        Err(_) => FieldText::Absent,
    }
}

fn within(ranges: &Ranges, number: u64) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&number))
}

/// A pattern behind `!` excludes what others would take.
fn any_name(patterns: &[String], name: &[u8]) -> bool {
    let fits = |pattern: &str| match pattern.strip_prefix('*') {
        Some(suffix) => {
            name.len() > suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
        }
        None => name.eq_ignore_ascii_case(pattern.as_bytes()),
    };
    let excluded = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(fits);
    !excluded && patterns.iter().any(|pattern| fits(pattern))
}

fn contains_ignoring_case(value: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    text.is_empty() || value.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(octets: &[u8]) -> View<'_> {
        View {
            octets,
            whole: Some(octets.len()),
            complete: true,
            server_port: 8000,
            http: None,
            server_name: None,
            anchors: &[],
        }
    }

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
        let anchors = [Anchor { name: "token".into(), at: start(0), prefix: 2, inclusive: true }];
        let octets = [0, 4, 9, 9, 0, 0, 0, 7];
        let field = Field {
            place: Place::At(Position { base: Base::Anchor(0), offset: 0 }),
            prefix: 0,
            inclusive: false,
            form: Form::U32,
            range: (0, u64::MAX),
        };
        let FieldText::Text(text) = (View { anchors: &anchors, ..view(&octets) }).field(&field) else {
            panic!("no text")
        };
        assert_eq!(&text[..], "7");
    }

    #[test]
    fn a_prefixed_number_of_digits() {
        let field = |range| Field { place: Place::At(start(0)), prefix: 4, inclusive: true, form: Form::Digits, range };
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

    #[test]
    fn names_match_whole_labels() {
        let patterns = ["*.weixin.qq.com", "wx.qq.com", "!work.weixin.qq.com"].map(str::to_owned);
        assert!(!any_name(&patterns, b"work.weixin.qq.com"));
        assert!(any_name(&patterns, b"short.Weixin.QQ.com"));
        assert!(any_name(&patterns, b"wx.qq.com"));
        assert!(!any_name(&patterns, b"notweixin.qq.com"));
        assert!(!any_name(&patterns, b"weixin.qq.com.evil.example"));
    }
}
