//! Whether a program that was read can be run.

use crate::program::{Anchor, Base, DEAREST_ANCHOR, Field, MESSAGES, Place, Position, Program, Test};

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
            usize::from(protocol.application) < program.applications.len()
                && protocol.messages.len() <= MESSAGES
                && Anchor::costs(&protocol.anchors)
                    .is_some_and(|costs| costs.iter().all(|cost| *cost <= DEAREST_ANCHOR))
                && protocol.anchors.iter().flat_map(|anchor| &anchor.when).all(placed)
                && protocol.clues.iter().all(|clue| clue.also.len() < 16)
                && protocol
                    .clues
                    .iter()
                    .flat_map(|clue| clue.also.iter().chain([&clue.tests, &clue.between]))
                    .flatten()
                    .all(placed)
                && protocol.messages.iter().flat_map(|message| &message.tests).all(placed)
                && protocol
                    .messages
                    .iter()
                    .flat_map(|message| message.accounts.iter().chain(&message.transaction))
                    .all(readable)
        })
}
