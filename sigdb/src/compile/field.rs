//! Fields: where text stands and how it is written.

use super::Checked;
use super::protocol::Scope;
use crate::program::{Field, Form, Place};
use crate::source::FieldSource;

impl Scope<'_> {
    pub(super) fn field(&self, source: &FieldSource) -> Checked<Field> {
        let place = match (&source.at, &source.after, &source.query, source.word) {
            (Some(at), None, None, None) => Place::At(self.position(at)?),
            (None, Some(text), None, None) if !text.is_empty() => Place::After(text.clone().into_bytes()),
            (None, None, Some(name), None) => Place::Query(name.clone()),
            (None, None, None, Some(number)) => Place::Word(number),
            _ => return Err("a field has one of 'at', 'after', 'query' and 'word'".into()),
        };
        let prefixed = matches!(source.form, Form::Digits | Form::Ascii | Form::Utf8);
        if source.prefix > 4 || (source.prefix > 0 && !prefixed) {
            return Err("'prefix' is 1, 2, 3 or 4, and goes with digits, ascii and utf8".into());
        }
        if source.inclusive && source.prefix == 0 {
            return Err("'inclusive' goes with 'prefix'".into());
        }
        let textual = matches!(source.form, Form::Ascii | Form::Utf8);
        if textual && (source.least.is_some() || source.most.is_some()) {
            return Err("'least' and 'most' go with numbers".into());
        }
        let parsed = matches!(place, Place::Query(_) | Place::Word(_));
        if parsed && (source.prefix > 0 || !prefixed) {
            return Err("a query's value or a word is digits, ascii or utf8, without a length in front".into());
        }
        let strip = source.strip.clone().unwrap_or_default().into_bytes();
        if !strip.is_empty() && !prefixed {
            return Err("'strip' goes with digits, ascii and utf8".into());
        }
        Ok(Field {
            place,
            prefix: source.prefix,
            inclusive: source.inclusive,
            form: source.form,
            range: (source.least.unwrap_or(0), source.most.unwrap_or(u64::MAX)),
            strip,
        })
    }
}
