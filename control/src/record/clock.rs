//! Time stamps as text, remembered by the second: records come by the thousands a second, and a session's beginning is
//! most often one of the last minutes' seconds.

use std::fmt;

use dataplane::time::Nanos;
use jiff::tz::TimeZone;

use super::digits::{padded, push};
use super::rfc3339;

/// Writes time stamps in one zone, with 3 or 6 digits of the fraction.
pub(crate) struct Clock {
    zone: Option<TimeZone>,
    is_short: bool,
    seconds: Box<[Second; SECONDS]>,
}

/// What is the same for all times within a second.
#[derive(Clone, Copy)]
struct Second {
    /// Since the epoch; [`NONE`] where the place is empty.
    number: u64,
    /// `2026-03-01T08:15:30.`, as far as years have four digits.
    text: [u8; 20],
    /// `Z` or `+08:00`, and how long that is.
    offset: [u8; 6],
    length: u8,
}

/// How many seconds are remembered: by their number modulo this.
const SECONDS: usize = 256;

/// No time is so late.
const NONE: u64 = u64::MAX;

impl Clock {
    /// Stamps in `zone`, in UTC where there is none; `digits` of the fraction: 3, or else 6.
    pub(crate) fn new(zone: Option<TimeZone>, digits: u8) -> Self {
        let empty = Second { number: NONE, text: [0; 20], offset: [0; 6], length: 0 };
        Self { zone, is_short: digits == 3, seconds: Box::new([empty; SECONDS]) }
    }

    /// The zone; none: UTC.
    pub(crate) fn zone(&self) -> Option<&TimeZone> {
        self.zone.as_ref()
    }

    /// Appends a time as [`rfc3339::write`] does, of which the fraction may be shorter: cut, not rounded.
    #[inline]
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, time: Nanos) {
        let number = time.0 / 1_000_000_000;
        let micros = (time.0 % 1_000_000_000 / 1_000) as u32;
        let place = &mut self.seconds[number as usize % SECONDS];
        if place.number != number {
            *place = Second::new(number, self.zone.as_ref());
        }
        out.extend_from_slice(&place.text);
        if self.is_short {
            padded::<3>(out, micros / 1_000);
        } else {
            padded::<6>(out, micros);
        }
        push(out, &place.offset, place.length.into());
    }
}

impl Second {
    #[cold]
    fn new(number: u64, zone: Option<&TimeZone>) -> Self {
        let mut whole = Vec::with_capacity(32);
        rfc3339::write(&mut whole, Nanos::from_parts(number, 0), zone);
        let (mut text, mut offset) = ([0; 20], [0; 6]);
        text.copy_from_slice(&whole[..20]);
        let behind = &whole[26..];
        offset[..behind.len()].copy_from_slice(behind);
        Self { number, text, offset, length: behind.len() as u8 }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("zone", &self.zone).field("is_short", &self.is_short).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp(clock: &mut Clock, time: Nanos) -> String {
        let mut out = Vec::new();
        clock.write(&mut out, time);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn three_digits_are_cut() {
        let time = Nanos::from_parts(1_772_352_930, 999_999_999);
        assert_eq!(stamp(&mut Clock::new(None, 3), time), "2026-03-01T08:15:30.999Z");
        let zone = TimeZone::get("America/New_York").unwrap();
        assert_eq!(stamp(&mut Clock::new(Some(zone), 3), time), "2026-03-01T03:15:30.999-05:00");
    }

    /// Both ways over the change, and the hour that comes twice is told apart by its offset.
    #[test]
    fn daylight_saving_begins_and_ends_between_two_seconds() {
        let mut clock = Clock::new(Some(TimeZone::get("America/New_York").unwrap()), 6);
        // 2026-03-08 02:00 EST, 2026-11-01 02:00 EDT.
        for (change, texts) in [
            (1_772_953_200, ["2026-03-08T01:59:59.000000-05:00", "2026-03-08T03:00:00.000000-04:00"]),
            (1_793_512_800, ["2026-11-01T01:59:59.000000-04:00", "2026-11-01T01:00:00.000000-05:00"]),
        ] {
            for _ in 0..2 {
                assert_eq!(stamp(&mut clock, Nanos::from_parts(change - 1, 0)), texts[0]);
                assert_eq!(stamp(&mut clock, Nanos::from_parts(change, 0)), texts[1]);
            }
        }
    }

    proptest! {
        /// Without memory is the slow twin; times as near to each other as to share places.
        #[test]
        fn agrees_with_what_has_no_memory(
            start in 0_u64..18_000_000_000,
            times in prop::collection::vec((0_u64..600, 0_u32..1_000_000_000), 1..50),
            zoned in any::<bool>(),
        ) {
            let zone = zoned.then(|| TimeZone::get("Australia/Lord_Howe").unwrap());
            let mut clock = Clock::new(zone.clone(), 6);
            for (seconds, nanos) in times {
                let time = Nanos::from_parts(start + seconds, nanos);
                let mut slow = Vec::new();
                rfc3339::write(&mut slow, time, zone.as_ref());
                prop_assert_eq!(stamp(&mut clock, time).into_bytes(), slow);
            }
        }
    }
}
