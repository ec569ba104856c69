//! How fields are written.

use std::fmt::Write;

use memchr::memmem;

use crate::program::{Encoding, Field, Form};
use crate::sighting::AccountText;
use crate::sip;

/// Octets that base64 is decoded to: what stands behind them is no name.
const DECODED: usize = 768;

/// Whether an octet can be part of a text of that form.
pub(super) fn belongs(octet: u8, field: &Field) -> bool {
    if field.encoding.is_some() {
        return octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
    }
    match field.form {
        Form::Digits => octet.is_ascii_digit(),
        Form::Words => octet.is_ascii_graphic() || octet == b' ' || octet >= 0x80,
        Form::Utf8 | Form::Jid => octet.is_ascii_graphic() || octet >= 0x80,
        Form::MacText => octet.is_ascii_hexdigit() || MAC_MARKS.contains(&octet),
        _ => octet.is_ascii_graphic(),
    }
}

/// What stands between the parts of a MAC address.
const MAC_MARKS: &[u8] = b"-:.";

/// A field's octets as text; none where they are not what they should be.
pub(super) fn interpret(octets: &[u8], field: &Field) -> Option<AccountText> {
    match &field.encoding {
        None => plain(octets, field),
        Some(encoding) => {
            let mut decoded = [0; DECODED];
            plain(part(base64(octets, &mut decoded)?, encoding)?, field)
        }
    }
}

fn plain(octets: &[u8], field: &Field) -> Option<AccountText> {
    if let Some((size, little)) = field.form.number() {
        let fold = |number: u64, octet: &u8| number << 8 | u64::from(*octet);
        let number = if little { octets.iter().rev().fold(0, fold) } else { octets.iter().fold(0, fold) };
        return if octets.len() == usize::from(size) { number_text(number, field) } else { None };
    }
    match field.form {
        Form::Bcd => packed(octets, |octet| [octet >> 4, octet & 0x0f]),
        Form::Tbcd => packed(octets, |octet| [octet & 0x0f, octet >> 4]),
        Form::Mac => mac(octets.try_into().ok()?),
        Form::MacText => mac_text(octets),
        Form::Varint => {
            let seven = |(place, octet): (usize, &u8)| u64::from(octet & 0x7f) << (7 * place as u32).min(63);
            number_text(octets.iter().enumerate().map(seven).fold(0, |number, bits| number | bits), field)
        }
        Form::Nibbles => nibbles(octets),
        _ => text(octets, field),
    }
}

/// Decimal digits, two an octet. A filler ends them, and nothing else stands behind it.
fn packed(octets: &[u8], halves: impl Fn(u8) -> [u8; 2]) -> Option<AccountText> {
    let mut text = AccountText::new();
    let mut filled = false;
    for half in octets.iter().flat_map(|octet| halves(*octet)) {
        match half {
            0..=9 if !filled => text.try_push(char::from(b'0' + half)).ok()?,
            0x0f => filled = true,
            _ => return None,
        }
    }
    Some(text).filter(|text| !text.is_empty())
}

/// In the one notation of all records.
fn mac(octets: [u8; 6]) -> Option<AccountText> {
    let [a, b, c, d, e, f] = octets;
    let mut text = AccountText::new();
    write!(text, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}").ok()?;
    Some(text)
}

/// Twelve hexadecimal digits, whatever stands between them.
fn mac_text(text: &[u8]) -> Option<AccountText> {
    let mut digits =
        text.iter().filter(|octet| !MAC_MARKS.contains(octet)).map(|octet| char::from(*octet).to_digit(16));
    let mut octets = [0; 6];
    for octet in &mut octets {
        *octet = (digits.next()?? << 4 | digits.next()??) as u8;
    }
    if digits.next().is_some() { None } else { mac(octets) }
}

fn text(value: &[u8], field: &Field) -> Option<AccountText> {
    let value = match value.split_first() {
        Some((first, rest)) if field.strip.contains(first) => rest,
        _ => value,
    };
    let value = match field.form {
        Form::Uri => sip::address(value)?,
        Form::Jid => value.split(|octet| *octet == b'/').next().filter(|jid| is_jid(jid))?,
        // Longer numbers are no 64-bit ones.
        Form::Digits if value.len() > 19 => return None,
        Form::Words if value.trim_ascii().len() < value.len() => return None,
        _ => value,
    };
    let printable = |octet: &u8| match field.form {
        Form::Digits => octet.is_ascii_digit(),
        Form::Words => octet.is_ascii_graphic() || *octet == b' ' || *octet >= 0x80,
        Form::Utf8 | Form::Jid => octet.is_ascii_graphic() || *octet >= 0x80,
        _ => octet.is_ascii_graphic(),
    };
    if value.is_empty() || !value.iter().all(printable) {
        return None;
    }
    let value = std::str::from_utf8(value).ok()?;
    if field.form == Form::Digits {
        return number_text(value.parse().ok()?, field);
    }
    // What is too long for an account is none: half an account is another one. UTF-8 has control characters of its own.
    let mut text = AccountText::from(value).ok().filter(|text| !text.chars().any(char::is_control))?;
    if field.form == Form::Jid {
        text.make_ascii_lowercase();
    }
    Some(text)
}

/// User, `@`, host; a name with an entity in it is another one.
fn is_jid(jid: &[u8]) -> bool {
    let mut parts = jid.split(|octet| *octet == b'@');
    let named = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && !part.contains(&b'&'));
    named(parts.next()) && named(parts.next()) && parts.next().is_none()
}

fn number_text(number: u64, field: &Field) -> Option<AccountText> {
    if !(field.range.0..=field.range.1).contains(&number) {
        return None;
    }
    let mut text = AccountText::new();
    write!(text, "{number}").ok()?;
    Some(text)
}

/// Two characters an octet, behind one that counts the octets.
fn nibbles(octets: &[u8]) -> Option<AccountText> {
    let (count, packed) = octets.split_first()?;
    let characters = 2 * packed.len() - usize::from(count & 0x80 != 0 && !packed.is_empty());
    let mut text = AccountText::new();
    for place in 0..characters {
        let octet = packed.get(place / 2)?;
        let nibble = if place % 2 == 0 { octet >> 4 } else { octet & 0x0f };
        let character = match nibble {
            0..=9 => char::from(b'0' + nibble),
            10 => '-',
            11 => '.',
            _ => return None,
        };
        text.try_push(character).ok()?;
    }
    Some(text).filter(|text| !text.is_empty())
}

/// Decodes as much as there is room for. None where it is not base64.
fn base64<'a>(text: &[u8], decoded: &'a mut [u8; DECODED]) -> Option<&'a [u8]> {
    let (mut bits, mut held, mut length) = (0u32, 0u32, 0usize);
    for octet in text {
        let value = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return None,
        };
        (bits, held) = (bits << 6 | u32::from(value), held + 6);
        if held >= 8 {
            held -= 8;
            let Some(place) = decoded.get_mut(length) else { break };
            *place = (bits >> held) as u8;
            length += 1;
        }
    }
    decoded.get(..length)
}

fn part<'a>(decoded: &'a [u8], encoding: &Encoding) -> Option<&'a [u8]> {
    match encoding {
        Encoding::Inside(literal, until) => {
            let behind = decoded.get(memmem::find(decoded, literal)? + literal.len()..)?;
            let end = if until.is_empty() { Some(behind.len()) } else { memmem::find(behind, until) };
            behind.get(..end?)
        }
        // The third part has to be there: without it, this is something else, and a part may be a secret.
        Encoding::Part(number) => {
            let mut parts = decoded.split(|octet| *octet == 0);
            let found = parts.clone().nth(usize::from(*number).checked_sub(1)?)?;
            parts.nth(2).map(|_| found)
        }
    }
}
