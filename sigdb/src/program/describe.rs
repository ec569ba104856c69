//! Conditions in words, much as signatures write them.

use super::{Anchor, Base, Place, Position, Ranges, Test};

/// A condition for people.
pub(crate) fn describe(test: &Test, anchors: &[Anchor]) -> String {
    let at = |position: &Position| place(position, anchors);
    match test {
        Test::Octets(position, value, mask) if mask.iter().all(|octet| *octet == 0xff) => {
            format!("at {}: octets {}", at(position), hex(value))
        }
        Test::Octets(position, value, mask) => format!("at {}: octets {} mask {}", at(position), hex(value), hex(mask)),
        Test::Number { at: position, size, ranges, .. } => {
            format!("at {}: u{} = {}", at(position), 8 * u32::from(*size), numbers(ranges))
        }
        Test::Deciphered { at, ranges, .. } => format!("at {at}: u32 = {}, deciphered", numbers(ranges)),
        Test::Length { at: position, size, add, .. } => {
            format!("at {}: u{} = length, add {add}", at(position), 8 * u32::from(*size))
        }
        Test::Varint(position, ranges) => format!("at {}: varint = {}", at(position), numbers(ranges)),
        Test::Field(field) => match &field.place {
            Place::At(position) => format!("at {}: field, {:?}", at(position), field.form),
            Place::Value(anchor) => format!("value of {}: field, {:?}", name(*anchor, anchors), field.form),
            other => format!("field, {other:?}, {:?}", field.form),
        },
        Test::Contains { literal, within, .. } => {
            format!("contains {:?} within {within}", String::from_utf8_lossy(literal))
        }
        Test::Size(ranges) => format!("length = {}", numbers(ranges)),
        Test::Modulo(divisor, rest) => format!("length modulo {divisor} = {rest}"),
        Test::Word { number, values, .. } => format!("word {number} is {values:?}"),
        Test::Turns(turns) => {
            format!("turns = {}", turns.iter().map(numbers).collect::<Vec<_>>().join(", "))
        }
        Test::Element(names) => format!("element is {names:?}"),
        Test::Child(name) => format!("child {name:?}"),
        Test::Attribute { name, values, .. } => format!("attribute {name:?} is {values:?}"),
        Test::HeaderNumber { name, parameter: None, ranges } => format!("header {name:?} = {}", numbers(ranges)),
        Test::HeaderNumber { name, parameter: Some(parameter), ranges } => {
            format!("header {name:?}, parameter {parameter:?} = {}", numbers(ranges))
        }
        Test::Port(ports) => format!("server-port = {ports:?}"),
        Test::Method(names) => format!("method is {names:?}"),
        Test::Path(prefixes) => format!("path begins {prefixes:?}"),
        Test::Header(name, text) => format!("header {name:?} has {text:?}"),
        Test::ContentLength(ranges) => format!("content-length = {}", numbers(ranges)),
        Test::Status(ranges) => format!("status = {}", numbers(ranges)),
        Test::Host(_) => "host".into(),
        Test::ServerName(_) => "server-name".into(),
        Test::Certificate(_) => "certificate".into(),
        Test::Alpn(names) => format!("alpn {names:?}"),
        Test::Ja4(prints) => format!("ja4 {prints:?}"),
        Test::DnsName(_) => "dns-name".into(),
        Test::Regex { at: position, within, pattern } => {
            format!("at {}: regex {:?} within {within}", at(position), pattern.text())
        }
    }
}

fn place(position: &Position, anchors: &[Anchor]) -> String {
    let base = match position.base {
        Base::Start => return position.offset.to_string(),
        Base::End => "end",
        Base::Body => "body",
        Base::Anchor(which) => name(which, anchors),
    };
    match position.offset {
        0 => base.into(),
        offset => format!("{base} {} {}", if offset < 0 { '-' } else { '+' }, offset.unsigned_abs()),
    }
}

fn name(anchor: u8, anchors: &[Anchor]) -> &str {
    anchors.get(usize::from(anchor)).map_or("?", |anchor| &anchor.name)
}

fn numbers(ranges: &Ranges) -> String {
    let one = |(first, last): &(u64, u64)| match (first, last) {
        (first, last) if first == last => format!("{first:#x}"),
        (first, &u64::MAX) => format!("{first:#x} and above"),
        (first, last) => format!("{first:#x} to {last:#x}"),
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(" or ")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" ")
}
