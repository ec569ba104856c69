//! Fields.

use memchr::memmem;

use super::View;
use super::form::{belongs, interpret};
use super::read::{Read, read};
use crate::program::{Field, Form, Place};
use crate::sighting::AccountText;

/// What reading a field came to.
pub(crate) enum FieldText {
    /// The text.
    Text(AccountText),
    /// There is none.
    Absent,
    /// More octets decide.
    More,
}

/// Octets that a length in front of a field may announce.
const LONGEST: u64 = 1024;

impl<'a> View<'a> {
    /// A field's text: digits for numbers.
    pub(crate) fn field(&self, field: &Field) -> FieldText {
        match self.value(field) {
            Read::Value(octets) => interpret(octets, field).map_or(FieldText::Absent, FieldText::Text),
            Read::Absent => FieldText::Absent,
            Read::More => FieldText::More,
        }
    }

    /// What tells a question from others: a digest of these fields' octets. None where one is missing.
    pub(crate) fn key(&self, fields: &[Field]) -> Option<u32> {
        // FNV-1a, with a mark between fields. Two questions with one key would take each other's answers, in their own flow.
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        for field in fields {
            let Read::Value(octets) = self.value(field) else { return None };
            for octet in octets.iter().copied().chain([0]) {
                digest = (digest ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Some((digest ^ digest >> 32) as u32)
    }

    /// A field's octets, as they are written.
    pub(super) fn value(&self, field: &Field) -> Read<&'a [u8]> {
        let start = match &field.place {
            Place::At(at) => read!(self.place(*at), Read::Absent, Read::More),
            Place::After(literal) => match memmem::find(self.octets, literal) {
                Some(found) => found + literal.len(),
                None => return self.missing(),
            },
            Place::Query(name) => return found(self.http().and_then(|head| head.query(name))),
            Place::Header(name) => return found(self.header(name)),
            Place::Element(name) => {
                return found(self.xml().and_then(|element| element.find(name)).map(|tag| tag.text()));
            }
            Place::Attribute { name, of } => return found(self.attribute(name, of.as_deref())),
            Place::Word(number) => return self.word(*number),
            Place::Value(anchor) => {
                let Some(anchor) = self.anchors.get(usize::from(*anchor)) else { return Read::Absent };
                let (from, to) = read!(self.stretch(anchor), Read::Absent, Read::More);
                return self.slice(from, to.saturating_sub(from));
            }
        };
        if let Some((size, _)) = field.form.number() {
            return self.slice(start, size.into());
        }
        match field.form {
            Form::Mac => self.slice(start, 6),
            Form::Bcd | Form::Tbcd if field.prefix == 0 => self.slice(start, field.size.into()),
            Form::Varint => {
                read!(self.varint(start), Read::Absent, Read::More);
                self.slice(start, self.varint_octets(start))
            }
            Form::Nibbles => {
                let count = read!(self.number(start, 1, false), Read::Absent, Read::More);
                self.slice(start, 1 + (count & 0x7f) as usize)
            }
            _ => self.run(start, field),
        }
    }

    /// The octets of a field of text: as many as the length in front says, or up to the first that does not belong.
    fn run(&self, start: usize, field: &Field) -> Read<&'a [u8]> {
        if field.prefix > 0 {
            let length = read!(self.number(start, field.prefix, false), Read::Absent, Read::More);
            let own = if field.inclusive { u64::from(field.prefix) } else { 0 };
            let Some(length) = length.checked_sub(own).filter(|length| *length <= LONGEST) else {
                return Read::Absent;
            };
            return self.slice(start + usize::from(field.prefix), length as usize);
        }
        let rest = self.octets.get(start..).unwrap_or_default();
        let stripped = usize::from(rest.first().is_some_and(|octet| field.strip.contains(octet)));
        let kept = rest.iter().skip(stripped).take_while(|octet| belongs(**octet, field)).count();
        match rest.get(..stripped + kept) {
            Some(run) if run.len() < rest.len() || self.complete => Read::Value(run),
            _ => Read::More,
        }
    }
}

fn found(value: Option<&[u8]>) -> Read<&[u8]> {
    value.map_or(Read::Absent, Read::Value)
}
