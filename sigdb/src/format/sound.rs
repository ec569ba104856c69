//! Whether a program that was read can be run.

use crate::program::{Base, Field, MESSAGES, Place, Position, Program, Test};

/// Whether every index points into the program: a checksum keeps out accidents, not another program's mistakes.
pub(super) fn sound(program: &Program) -> bool {
    program.applications.len() < usize::from(u16::MAX)
        && program.protocols.len() < usize::from(u16::MAX)
        && program.protocols.iter().all(|protocol| {
            let anchored = |at: &Position| match at.base {
                Base::Anchor(anchor) => usize::from(anchor) < protocol.anchors.len(),
                _ => true,
            };
            let readable = |field: &Field| !matches!(&field.place, Place::At(at) if !anchored(at));
            let placed = |test: &Test| match test {
                Test::Octets(at, value, mask) => anchored(at) && value.len() == mask.len(),
                Test::Number { at, .. } | Test::Length { at, .. } | Test::Varint(at, _) => anchored(at),
                Test::Field(field) => readable(field),
                _ => true,
            };
            let earlier =
                |(place, at): (usize, &Position)| !matches!(at.base, Base::Anchor(a) if usize::from(a) >= place);
            usize::from(protocol.application) < program.applications.len()
                && protocol.messages.len() <= MESSAGES
                && protocol.anchors.iter().map(|anchor| &anchor.at).enumerate().all(earlier)
                && protocol.clues.iter().all(|clue| clue.also.len() < MESSAGES / 2)
                && protocol
                    .clues
                    .iter()
                    .flat_map(|clue| clue.also.iter().chain([&clue.tests, &clue.between]))
                    .flatten()
                    .all(placed)
                && protocol.messages.iter().flat_map(|message| &message.tests).all(placed)
                && protocol.messages.iter().flat_map(|message| &message.accounts).all(readable)
        })
}
