//! Fixed octets that signatures ask for: what an automaton of literals could look for. For measurements of such.

use crate::program::{Base, Framing, Program, Test, Transport};

/// Fixed octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// What carries the message.
    pub transport: Transport,
    /// Where they stand, from the message's first octet; none where anywhere.
    pub at: Option<usize>,
    /// They themselves.
    pub octets: Vec<u8>,
}

/// Those of all clues, each once. What is under a mask, or matched in any case, is left out.
pub(crate) fn literals(program: &Program) -> Vec<Literal> {
    let mut literals = Vec::new();
    for protocol in &program.protocols {
        let strip = if let Framing::Length { strip, .. } = protocol.framing { usize::from(strip) } else { 0 };
        for test in protocol.clues.iter().flat_map(|clue| clue.openings()).flatten() {
            let (at, octets) = match test {
                Test::Octets(at, octets, mask) if at.base == Base::Start && mask.iter().all(|mask| *mask == 0xff) => {
                    let Ok(offset) = usize::try_from(at.offset) else { continue };
                    (Some(offset + strip), octets)
                }
                Test::Contains { literal, any_case: false, .. } => (None, literal),
                _ => continue,
            };
            let literal = Literal { transport: protocol.transport, at, octets: octets.clone() };
            if !literals.contains(&literal) {
                literals.push(literal);
            }
        }
    }
    literals
}
