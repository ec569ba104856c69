//! Whether a program that was read can be run.

use crate::program::{
    Anchor, Base, DEAREST_ANCHOR, Field, Framing, MESSAGES, Place, Position, Program, Protocol, Span, Test, Tlv,
};

/// Whether every index points into the program, and every number is one that the compiler gives: a checksum keeps out
/// accidents, not another program's mistakes.
pub(super) fn sound(program: &Program) -> bool {
    program.applications.len() < usize::from(u16::MAX)
        && program.protocols.len() < usize::from(u16::MAX)
        && program.protocols.iter().all(|protocol| {
            let clues = protocol.clues.iter();
            let tests = clues.flat_map(|clue| clue.also.iter().chain([&clue.tests, &clue.between]));
            let messages = protocol.messages.iter();
            usize::from(protocol.application) < program.applications.len()
                && framed(&protocol.framing)
                && protocol.messages.len() <= MESSAGES
                && anchored(&protocol.anchors)
                && protocol.clues.iter().all(|clue| clue.also.len() < 16)
                && tests.flatten().all(|test| placed(protocol, test))
                && messages.clone().flat_map(|message| &message.tests).all(|test| placed(protocol, test))
                && messages
                    .flat_map(|message| message.accounts.iter().chain(&message.transaction))
                    .all(|field| readable(protocol, field))
        })
}

fn framed(framing: &Framing) -> bool {
    match framing {
        Framing::Length { size, range, .. } => matches!(size, 1..=4) && range.0 > 0 && range.0 <= range.1,
        Framing::VarintLength { range, .. } => range.0 > 0 && range.0 <= range.1,
        _ => true,
    }
}

/// Anchors stand on earlier ones, and finding one is bounded.
fn anchored(anchors: &[Anchor]) -> bool {
    let size = |size: u8| matches!(size, 1 | 2 | 4);
    let costs = Anchor::costs(anchors);
    costs.is_some_and(|costs| costs.iter().all(|cost| *cost <= DEAREST_ANCHOR))
        && anchors.iter().enumerate().all(|(place, anchor)| {
            let span = match &anchor.span {
                Span::Prefix { size, .. } => matches!(size, 1..=4),
                Span::Tlv(Tlv { kind_size, length_size, inside, .. }) => {
                    size(*kind_size) && size(*length_size) && inside.is_none_or(|outer| usize::from(outer) < place)
                }
                Span::Varint | Span::Find { .. } => true,
            };
            let when = |test: &Test| match test {
                Test::Octets(_, value, mask) => value.len() == mask.len(),
                Test::Number { size, .. } => matches!(size, 1..=8),
                _ => false,
            };
            span && anchor.when.iter().all(when)
        })
}

fn placed(protocol: &Protocol, test: &Test) -> bool {
    match test {
        Test::Octets(at, value, mask) => known(protocol, at) && value.len() == mask.len(),
        Test::Number { at, size, .. } | Test::Length { at, size, .. } => known(protocol, at) && matches!(size, 1..=8),
        Test::Varint(at, _) | Test::Regex { at, .. } => known(protocol, at),
        Test::Field(field) => readable(protocol, field),
        _ => true,
    }
}

fn known(protocol: &Protocol, at: &Position) -> bool {
    match at.base {
        Base::Anchor(anchor) => usize::from(anchor) < protocol.anchors.len(),
        _ => true,
    }
}

fn readable(protocol: &Protocol, field: &Field) -> bool {
    let place = match &field.place {
        Place::At(at) => known(protocol, at),
        Place::Value(anchor) => {
            let anchor = protocol.anchors.get(usize::from(*anchor));
            anchor.is_some_and(|anchor| !matches!(anchor.span, Span::Find { .. }))
        }
        _ => true,
    };
    place && field.prefix <= 4
}
