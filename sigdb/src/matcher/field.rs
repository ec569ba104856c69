//! Fields.

use memchr::memmem;

use super::View;
use super::form::{belongs, number_text, text};
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
        let start = match &field.place {
            Place::At(at) => read!(self.place(*at), FieldText::Absent, FieldText::More),
            Place::After(literal) => match memmem::find(self.octets, literal) {
                Some(found) => found + literal.len(),
                None if self.complete => return FieldText::Absent,
                None => return FieldText::More,
            },
            Place::Query(name) => {
                let Some(value) = self.http().and_then(|head| head.query(name)) else { return FieldText::Absent };
                return text(value, field);
            }
            Place::Word(number) => {
                return text(read!(self.word(*number), FieldText::Absent, FieldText::More), field);
            }
        };
        match field.form {
            Form::U32 | Form::U32Little => {
                let little = field.form == Form::U32Little;
                number_text(read!(self.number(start, 4, little), FieldText::Absent, FieldText::More), field)
            }
            Form::Varint => number_text(read!(self.varint(start), FieldText::Absent, FieldText::More), field),
            Form::Digits | Form::Ascii | Form::Utf8 => {
                text(read!(self.run(start, field), FieldText::Absent, FieldText::More), field)
            }
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
        let kept = rest.iter().skip(stripped).take_while(|octet| belongs(**octet, field.form)).count();
        match rest.get(..stripped + kept) {
            Some(run) if run.len() < rest.len() || self.complete => Read::Value(run),
            _ => Read::More,
        }
    }
}
