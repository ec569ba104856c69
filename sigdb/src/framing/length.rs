//! Messages with their length at a fixed place.

use crate::program::Framing;

/// What the length says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The whole message's length, its header included.
    Length(usize),
    /// The length itself is not here yet.
    More,
    /// No message has this length.
    No,
}

/// The length of the message at the start of `data`; of other framings none.
pub(crate) fn cut(framing: &Framing, data: &[u8]) -> Cut {
    let Framing::Length { at, size, little, add, range, .. } = framing else { return Cut::No };
    let at = usize::from(*at);
    let Some(octets) = data.get(at..at + usize::from(*size)) else { return Cut::More };
    let fold = |number: i64, octet: &u8| number << 8 | i64::from(*octet);
    let number = if *little { octets.iter().rev().fold(0, fold) } else { octets.iter().fold(0, fold) };
    let length = number.saturating_add(i64::from(*add));
    if length < i64::from(range.0.max(1)) || length > i64::from(range.1) {
        return Cut::No;
    }
    Cut::Length(length as usize)
}
