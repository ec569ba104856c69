//! Which octets a message that a clue fits may have at its first places.

use crate::http;
use crate::program::{Base, Clue, Framing, Position, Protocol, Ranges, Test, Transport};

/// Places of a message that are looked at.
pub(super) const PLACES: usize = 8;

/// Octets of a message that have to be here before any but its first is looked at: in shorter ones, numbers may be cut,
/// and what is cut is waited for.
pub(super) const SETTLED: Settled = Settled(16);

/// See [`SETTLED`].
pub(super) struct Settled(usize);

impl Settled {
    /// How many places of a message say something. White space may stand in front of lines and elements.
    pub(super) fn of(&self, data: &[u8]) -> usize {
        match data.first() {
            Some(first) if data.len() >= self.0 && !first.is_ascii_whitespace() => PLACES,
            _ => 1,
        }
    }

    const fn has(&self, end: usize) -> bool {
        end <= self.0
    }
}

/// Whether a message that the clue fits, or may fit once more of it is here, may have this octet at this place.
pub(super) fn allows(protocol: &Protocol, clue: &Clue, place: usize, octet: u8) -> bool {
    if place == 0 { begins(protocol, clue, octet) } else { goes_on(protocol, clue, place, octet) }
}

/// What keeps most flows away from most clues.
pub(crate) fn begins(protocol: &Protocol, clue: &Clue, octet: u8) -> bool {
    match &protocol.framing {
        Framing::Tls => return (20..=24).contains(&octet),
        Framing::Quic => return octet & 0x80 != 0 || octet & 0xcb == 0x09,
        Framing::Http => return octet.is_ascii_uppercase() || octet == b'\r' || octet == b'\n',
        Framing::Dns => return true,
        Framing::Length { strip: 1.., .. } => return true,
        // A line may be empty, or lead with words that do not count.
        Framing::Line { pass_over } if b"\r\n ".contains(&octet) || pass_over.contains(&octet) => return true,
        Framing::Xml { .. } => return octet == b'<' || octet.is_ascii_whitespace(),
        Framing::Sip => return octet.is_ascii_uppercase() || matches!(octet, b'\r' | b'\n' | 0),
        Framing::Length { .. }
        | Framing::VarintLength { .. }
        | Framing::Datagram
        | Framing::Stream
        | Framing::Line { .. } => {}
    }
    clue.openings().any(|tests| tests.iter().all(|test| holds(test, 0, octet)))
}

/// Of a message of [`SETTLED`] octets that does not begin with white space.
fn goes_on(protocol: &Protocol, clue: &Clue, place: usize, octet: u8) -> bool {
    let openings = |place| clue.openings().any(|tests| tests.iter().all(|test| holds(test, place, octet)));
    match &protocol.framing {
        // A record's version (RFC 8446, 5.1).
        Framing::Tls => (place != 1 || octet == 3) && (place != 2 || octet <= 4),
        Framing::Http => http::may_stand(place, octet),
        // Flags and the number of questions (RFC 1035, 4.1.1), as the decoder wants them.
        Framing::Dns if protocol.transport == Transport::Udp => match place {
            2 => octet >> 3 & 15 <= 6,
            3 => octet & 0x40 == 0,
            4 => octet == 0,
            5 => (1..=4).contains(&octet),
            _ => true,
        },
        // A method, or the version; before them what keeps a connection alive.
        Framing::Sip => match place {
            1 => octet.is_ascii_uppercase() || matches!(octet, b'\r' | b'\n' | 0),
            2 => octet.is_ascii_uppercase() || matches!(octet, b' ' | b'\r' | b'\n' | 0),
            _ => true,
        },
        Framing::Length { at, size, little, add, range, strip } => {
            let (at, size, strip) = (usize::from(*at), usize::from(*size), usize::from(*strip));
            if !SETTLED.has(at + size) || !SETTLED.has(strip) {
                return true;
            }
            let number = |length: u32| i64::from(length) - i64::from(*add);
            let ranges = match u64::try_from(number(range.1)) {
                Ok(last) => vec![(number(range.0.max(1)).max(0) as u64, last)],
                Err(_) => Vec::new(),
            };
            let is_length = number_holds(at, size, *little, &ranges, place, octet);
            // What is stripped may leave an empty message, which counts for nothing.
            let by_tests = strip == 0 || clue.also.is_empty() && clue.messages <= 1;
            is_length && (!by_tests || place.checked_sub(strip).is_none_or(openings))
        }
        Framing::VarintLength { at, .. } if SETTLED.has(usize::from(*at) + 4) => openings(place),
        Framing::Datagram | Framing::Stream => openings(place),
        Framing::Line { pass_over } if pass_over.is_empty() => openings(place),
        Framing::Quic | Framing::Dns | Framing::Line { .. } | Framing::VarintLength { .. } | Framing::Xml { .. } => {
            true
        }
    }
}

/// Whether a test may hold for a message that has this octet at this place.
fn holds(test: &Test, place: usize, octet: u8) -> bool {
    match test {
        Test::Octets(at, value, mask) => {
            let Some(within) = offset(at).and_then(|offset| place.checked_sub(offset)) else { return true };
            match (value.get(within), mask.get(within)) {
                (Some(value), Some(mask)) => octet & mask == value & mask,
                _ => true,
            }
        }
        Test::Number { at, size, little, ranges } => {
            let size = usize::from(*size);
            let Some(offset) = offset(at).filter(|offset| SETTLED.has(offset + size)) else { return true };
            // A short message is judged by its first octet alone; a longer number may be cut there.
            if place == 0 && size > 1 {
                return true;
            }
            number_holds(offset, size, *little, ranges, place, octet)
        }
        Test::Word { number: 0, values, any_case } if place == 0 => {
            let octet = if *any_case { octet.to_ascii_lowercase() } else { octet };
            values.iter().any(|value| value.as_bytes().first() == Some(&octet))
        }
        _ => true,
    }
}

/// From a message's first octet.
fn offset(at: &Position) -> Option<usize> {
    if at.base == Base::Start { usize::try_from(at.offset).ok() } else { None }
}

/// Whether a number of so many octets at `at` may be in one of these ranges where it has this octet.
fn number_holds(at: usize, size: usize, little: bool, ranges: &Ranges, place: usize, octet: u8) -> bool {
    let Some(within) = place.checked_sub(at).filter(|within| *within < size) else { return true };
    let behind = 8 * if little { within } else { size - 1 - within } as u32;
    let most = u64::MAX >> (64 - 8 * size as u32);
    let above = |number: u64| number.checked_shr(behind + 8).unwrap_or_default();
    ranges.iter().filter(|(first, _)| *first <= most).any(|&(first, last)| {
        let last = last.min(most);
        let octets = (first >> behind & 0xff)..=(last >> behind & 0xff);
        above(first) != above(last) || octets.contains(&u64::from(octet))
    })
}
