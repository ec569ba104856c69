//! How fields are written.

use std::fmt::Write;

use super::FieldText;
use crate::program::{Field, Form};
use crate::sighting::AccountText;

/// Whether an octet can be part of a text of that form.
pub(super) fn belongs(octet: u8, form: Form) -> bool {
    match form {
        Form::Digits => octet.is_ascii_digit(),
        Form::Utf8 => octet.is_ascii_graphic() || octet >= 0x80,
        _ => octet.is_ascii_graphic(),
    }
}

pub(super) fn text(value: &[u8], field: &Field) -> FieldText {
    let value = match value.split_first() {
        Some((first, rest)) if field.strip.contains(first) => rest,
        _ => value,
    };
    // Longer numbers are no 64-bit ones.
    let fits =
        value.iter().all(|octet| belongs(*octet, field.form)) && (field.form != Form::Digits || value.len() <= 19);
    if value.is_empty() || !fits {
        return FieldText::Absent;
    }
    let Ok(value) = std::str::from_utf8(value) else { return FieldText::Absent };
    if field.form == Form::Digits {
        return value.parse().map_or(FieldText::Absent, |number| number_text(number, field));
    }
    // What is too long for an account is none: half an account is another one.
    AccountText::from(value).map_or(FieldText::Absent, FieldText::Text)
}

pub(super) fn number_text(number: u64, field: &Field) -> FieldText {
    if !(field.range.0..=field.range.1).contains(&number) {
        return FieldText::Absent;
    }
    let mut text = AccountText::new();
    match write!(text, "{number}") {
        Ok(()) => FieldText::Text(text),
        Err(_) => FieldText::Absent,
    }
}
