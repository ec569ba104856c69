//! Fields: where text stands and how it is written.

use super::Checked;
use super::protocol::Scope;
use crate::program::{Encoding, Field, Form, Place};
use crate::source::FieldSource;

impl Scope<'_> {
    pub(super) fn field(&self, source: &FieldSource) -> Checked<Field> {
        let place = self.field_place(source)?;
        let (textual, packed) = (source.form.is_text(), source.form.is_packed());
        let numeric = source.form.number().is_some() || matches!(source.form, Form::Varint | Form::Digits);
        if source.prefix > 4 || (source.prefix > 0 && !textual && !packed) {
            return Err("'prefix' is 1, 2, 3 or 4, and goes with text, bcd and tbcd".into());
        }
        let counted = source.prefix > 0 || matches!(place, Place::Value(_));
        if (source.size > 0) != (packed && !counted) || source.size > MOST_PACKED {
            return Err(format!("'size' (1 to {MOST_PACKED}) goes with bcd and tbcd where no length is in front"));
        }
        if matches!(place, Place::Value(_)) && (source.prefix > 0 || OWN_LENGTH.contains(&source.form)) {
            return Err("the value of an anchor has its length: no 'prefix', varint or nibbles".into());
        }
        if source.inclusive && source.prefix == 0 {
            return Err("'inclusive' goes with 'prefix'".into());
        }
        if !numeric && (source.least.is_some() || source.most.is_some()) {
            return Err("'least' and 'most' go with numbers".into());
        }
        let placed = matches!(place, Place::At(_) | Place::After(_) | Place::Value(_));
        if !placed && (source.prefix > 0 || !textual) {
            return Err("what a framing took apart is text, without a length in front".into());
        }
        let strip = source.strip.clone().unwrap_or_default().into_bytes();
        if !strip.is_empty() && !textual {
            return Err("'strip' goes with text".into());
        }
        Ok(Field {
            place,
            prefix: source.prefix,
            inclusive: source.inclusive,
            size: source.size,
            form: source.form,
            range: (source.least.unwrap_or(0), source.most.unwrap_or(u64::MAX)),
            strip,
            encoding: encoding(source, textual)?,
        })
    }

    fn field_place(&self, source: &FieldSource) -> Checked<Place> {
        let mut places = Vec::new();
        if let Some(at) = &source.at {
            places.push(Place::At(self.position(at)?));
        }
        if let Some(name) = &source.value {
            places.push(Place::Value(self.counting(name)?));
        }
        if let Some(text) = source.after.as_ref().filter(|text| !text.is_empty()) {
            places.push(Place::After(text.clone().into_bytes()));
        }
        places.extend(source.query.clone().map(Place::Query));
        places.extend(source.word.map(Place::Word));
        places.extend(source.header.as_ref().map(|name| Place::Header(name.to_ascii_lowercase())));
        places.extend(source.element.clone().map(Place::Element));
        places.extend(source.attribute.clone().map(|name| Place::Attribute { name, of: source.of.clone() }));
        if source.of.is_some() && source.attribute.is_none() {
            return Err("'of' goes with 'attribute'".into());
        }
        match places.len() {
            1 => Ok(places.remove(0)),
            _ => Err("a field has one of 'at', 'value', 'after', 'query', 'word', 'header', 'element' and 'attribute'"
                .into()),
        }
    }
}

/// Octets of packed digits at most.
const MOST_PACKED: u8 = 32;
/// Forms that say themselves how long they are.
const OWN_LENGTH: [Form; 2] = [Form::Varint, Form::Nibbles];

/// Base64 holds secrets beside names: what is read of it is said, and the password cannot be.
fn encoding(source: &FieldSource, textual: bool) -> Checked<Option<Encoding>> {
    let until = || source.until.clone().unwrap_or_default().into_bytes();
    match (source.base64, &source.inside, source.part) {
        (false, None, None) if source.until.is_none() => Ok(None),
        (true, _, _) if !textual => Err("'base64' goes with text".into()),
        (true, Some(text), None) if !text.is_empty() => Ok(Some(Encoding::Inside(text.clone().into_bytes(), until()))),
        (true, None, Some(part @ 1..=2)) if source.until.is_none() => Ok(Some(Encoding::Part(part))),
        _ => {
            Err("'base64 = true' goes with 'inside' (and 'until') or with 'part', 1 or 2: the third is a secret".into())
        }
    }
}
