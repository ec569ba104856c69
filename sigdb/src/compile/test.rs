//! Tests, one condition each.

use super::position::START;
use super::protocol::Scope;
use super::{Checked, hex};
use crate::automaton::names::NameList;
use crate::program::{Base, Pattern, Position, Ranges, TURNS, Test, WINDOW};
use crate::source::{CipherSource, NumberSource, RangeSource, TestSource};

impl Scope<'_> {
    pub(super) fn tests(&self, sources: &[TestSource]) -> Checked<Vec<Test>> {
        sources.iter().map(|source| self.test(source)).collect()
    }

    fn test(&self, source: &TestSource) -> Checked<Test> {
        let mut found = Vec::new();
        self.placed(source, &mut found)?;
        self.numbers(source, &mut found)?;
        self.anywhere(source, &mut found)?;
        parsed(source, &mut found)?;
        let placed = matches!(
            found.first(),
            Some(
                Test::Octets(..)
                    | Test::Number { .. }
                    | Test::Deciphered { .. }
                    | Test::Length { .. }
                    | Test::Varint(..)
                    | Test::Regex { .. }
            )
        );
        let numeric = matches!(found.first(), Some(Test::Number { .. } | Test::Length { .. }));
        let valued = source.word.is_some() || source.attribute.is_some();
        let searched = source.contains.is_some() || source.regex.is_some();
        let cased = source.text.is_some() || searched || valued;
        let stray = (source.at.is_some() && !placed)
            || (source.little.is_some() && !numeric)
            || source.field.as_ref().is_some_and(|field| field.optional)
            || (source.mask.is_some() && source.octets.is_none())
            || (source.has.is_some() && source.header.is_none())
            || (source.within.is_some() && !searched)
            || (source.any_case.is_some() && !cased)
            || (source.is.is_some() && !valued)
            || (source.of.is_some() && source.attribute.is_none())
            || (source.number.is_some() && source.header.is_none())
            || (source.parameter.is_some() && source.number.is_none())
            || (source.aes_256_ctr.is_some() && !matches!(found.first(), Some(Test::Deciphered { .. })))
            || (source.add.is_some() && !matches!(found.first(), Some(Test::Length { .. })));
        match (found.len(), stray) {
            (1, false) => Ok(found.remove(0)),
            (1, true) => Err(format!("a key that goes with another stands alone in {source:?}")),
            (count, _) => Err(format!("a test says one thing, this one {count}: {source:?}")),
        }
    }

    /// Octets and text at a place.
    fn placed(&self, source: &TestSource, found: &mut Vec<Test>) -> Checked<()> {
        if let Some(text) = source.octets.as_deref() {
            let octets = hex(text)?;
            let mask = source.mask.as_deref().map_or_else(|| Ok(vec![0xff; octets.len()]), hex)?;
            if octets.is_empty() || octets.len() != mask.len() {
                return Err(format!("octets {text:?} and their mask must be of one length, at least 1"));
            }
            found.push(Test::Octets(self.at(source)?, octets, mask));
        }
        if let Some(text) = &source.text {
            if text.is_empty() {
                return Err("'text' needs text".into());
            }
            // Letters of the two cases differ in one bit, and in no other pair of octets that bit makes a letter.
            let any_case = source.any_case.unwrap_or(false);
            let bits = |octet: u8| if any_case && octet.is_ascii_alphabetic() { 0xdf } else { 0xff };
            let mask = text.bytes().map(bits).collect();
            found.push(Test::Octets(self.at(source)?, text.clone().into_bytes(), mask));
        }
        Ok(())
    }

    fn numbers(&self, source: &TestSource, found: &mut Vec<Test>) -> Checked<()> {
        let sizes = [(1, &source.u8), (2, &source.u16), (3, &source.u24), (4, &source.u32), (8, &source.u64)];
        for (size, number) in sizes {
            let Some(number) = number else { continue };
            let little = source.little.unwrap_or(false);
            found.push(match number {
                NumberSource::Word(word) if word == "length" => {
                    Test::Length { at: self.at(source)?, size, little, add: source.add.unwrap_or(0) }
                }
                other => {
                    let ranges = ranges(other)?;
                    let most = u64::MAX >> (64 - 8 * u32::from(size));
                    if ranges.iter().any(|(first, _)| *first > most) {
                        return Err(format!("a number in {size} octets is never {other:?}"));
                    }
                    let at = self.at(source)?;
                    match source.aes_256_ctr {
                        None => Test::Number { at, size, little, ranges },
                        Some(cipher) if size == 4 && !little => deciphered(at, cipher, ranges)?,
                        Some(_) => return Err("'aes-256-ctr' goes with 'u32', most significant octet first".into()),
                    }
                }
            });
        }
        if let Some(number) = &source.varint {
            found.push(Test::Varint(self.at(source)?, ranges(number)?));
        }
        Ok(())
    }

    /// What needs no place, or has its own way to one.
    fn anywhere(&self, source: &TestSource, found: &mut Vec<Test>) -> Checked<()> {
        if let Some(field) = &source.field {
            found.push(Test::Field(self.field(field)?));
        }
        if let Some(literal) = &source.contains {
            let within = source.within.unwrap_or(WINDOW as u16);
            if literal.is_empty() || usize::from(within) > WINDOW {
                return Err(format!("'contains' needs text, 'within' at most {WINDOW}"));
            }
            let (literal, any_case) = cased(source, literal);
            found.push(Test::Contains { literal: literal.into_bytes(), within, any_case });
        }
        if let Some(text) = &source.regex {
            let Some(within) = source.within.filter(|within| (1..=WINDOW as u16).contains(within)) else {
                return Err(format!("'regex' needs 'within', 1 to {WINDOW}"));
            };
            let at = source.at.as_ref().map_or(Ok(START), |at| self.position(at))?;
            let pattern = Pattern::new(text, source.any_case.unwrap_or(false))?;
            found.push(Test::Regex { at, within, pattern });
        }
        if let Some(number) = &source.length {
            found.push(Test::Size(ranges(number)?));
        }
        if let Some(turns) = &source.turns {
            if turns.is_empty() || turns.len() >= TURNS {
                return Err(format!("'turns' has 1 to {} of them", TURNS - 1));
            }
            found.push(Test::Turns(turns.iter().map(ranges).collect::<Checked<_>>()?));
        }
        if let Some((divisor, rest)) = source.modulo {
            if divisor < 2 || rest >= divisor {
                return Err("'modulo' is [divisor, remainder], the divisor at least 2, the remainder below it".into());
            }
            found.push(Test::Modulo(divisor, rest));
        }
        if let Some(number) = &source.server_port {
            let ports = ranges(number)?.into_iter().flat_map(|(first, last)| first..=last.min(65_535));
            found.push(Test::Port(ports.map(|port| port as u16).collect()));
        }
        Ok(())
    }

    fn at(&self, source: &TestSource) -> Checked<Position> {
        match &source.at {
            Some(at) => self.position(at),
            None => Err(format!("needs 'at': {source:?}")),
        }
    }
}

/// What is enciphered from a message's start on: at most one block is deciphered, which is somewhere in the first 4,096.
fn deciphered(at: Position, cipher: CipherSource, ranges: Ranges) -> Checked<Test> {
    let whole = at.base == Base::Start && (0..WINDOW as i32).contains(&at.offset) && at.offset % 16 <= 12;
    let CipherSource { key, counter } = cipher;
    if !whole || usize::from(key) + 32 > WINDOW || usize::from(counter) + 16 > WINDOW {
        return Err(format!(
            "'aes-256-ctr' takes places from the start, below {WINDOW}, and a number in one block of 16 octets"
        ));
    }
    Ok(Test::Deciphered { at: at.offset as u16, key, counter, ranges })
}

/// Tests on what a framing takes apart.
fn parsed(source: &TestSource, found: &mut Vec<Test>) -> Checked<()> {
    if let Some(number) = source.word {
        let Some(texts) = &source.is else { return Err("'word' needs 'is'".into()) };
        let values: Vec<_> = texts.list().iter().map(|text| cased(source, text).0).collect();
        if values.iter().any(|value| value.is_empty() || value.contains(' ')) {
            return Err("'is' of a word holds words: neither empty nor with a space in them".into());
        }
        found.push(Test::Word { number, values, any_case: source.any_case.unwrap_or(false) });
    }
    if let Some(texts) = &source.method {
        found.push(Test::Method(texts.list()));
    }
    if let Some(texts) = &source.path {
        found.push(Test::Path(texts.list()));
    }
    if let Some(texts) = &source.host {
        found.push(Test::Host(NameList::new(&texts.list())?));
    }
    if let Some(name) = &source.header {
        let name = name.to_ascii_lowercase();
        found.push(match &source.number {
            Some(_) if source.has.is_some() => {
                return Err("'header' has text or is a number: one of 'has', 'number'".into());
            }
            Some(number) => Test::HeaderNumber { name, parameter: source.parameter.clone(), ranges: ranges(number)? },
            None => Test::Header(name, source.has.clone().unwrap_or_default()),
        });
    }
    if let Some(texts) = &source.element {
        found.push(Test::Element(texts.list()));
    }
    if let Some(name) = &source.child {
        found.push(Test::Child(name.clone()));
    }
    if let Some(name) = &source.attribute {
        let Some(texts) = &source.is else { return Err("'attribute' needs 'is'".into()) };
        let values = texts.list().iter().map(|text| cased(source, text).0).collect();
        let any_case = source.any_case.unwrap_or(false);
        found.push(Test::Attribute { name: name.clone(), of: source.of.clone(), values, any_case });
    }
    if let Some(number) = &source.content_length {
        found.push(Test::ContentLength(ranges(number)?));
    }
    if let Some(number) = &source.status {
        found.push(Test::Status(ranges(number)?));
    }
    if let Some(texts) = &source.server_name {
        found.push(Test::ServerName(NameList::new(&texts.list())?));
    }
    if let Some(texts) = &source.certificate {
        found.push(Test::Certificate(NameList::new(&texts.list())?));
    }
    if let Some(texts) = &source.alpn {
        found.push(Test::Alpn(texts.list()));
    }
    if let Some(texts) = &source.ja4 {
        let shaped = |text: &String| {
            text.len() == 36 && text.as_bytes().get(10) == Some(&b'_') && text.as_bytes().get(23) == Some(&b'_')
        };
        if !texts.list().iter().all(shaped) {
            return Err("'ja4' holds fingerprints such as t13d1516h2_8daaf6152771_e5627efa2ab1".into());
        }
        found.push(Test::Ja4(texts.list()));
    }
    if let Some(texts) = &source.dns_name {
        found.push(Test::DnsName(NameList::new(&texts.list())?));
    }
    Ok(())
}

/// Text in the case in which it is compared, and whether case is free.
fn cased(source: &TestSource, text: &str) -> (String, bool) {
    match source.any_case {
        Some(true) => (text.to_ascii_lowercase(), true),
        _ => (text.into(), false),
    }
}

pub(super) fn ranges(source: &NumberSource) -> Checked<Ranges> {
    match source {
        NumberSource::One(number) => Ok(vec![(*number, *number)]),
        NumberSource::Several(numbers) if !numbers.is_empty() => Ok(numbers.iter().map(|n| (*n, *n)).collect()),
        NumberSource::Range { from, to } if from <= to || to.is_none() => {
            Ok(vec![(from.unwrap_or(0), to.unwrap_or(u64::MAX))])
        }
        NumberSource::Ranges(several)
            if !several.is_empty() && several.iter().all(|one| one.from <= one.to || one.to.is_none()) =>
        {
            let bounds = |one: &RangeSource| (one.from.unwrap_or(0), one.to.unwrap_or(u64::MAX));
            Ok(several.iter().map(bounds).collect())
        }
        other => Err(format!("{other:?} is neither a number, a list of numbers nor a range {{ from, to }}")),
    }
}
