//! The table's short times: 32 bits of milliseconds, and 48 bits of microseconds for what records show.

use std::time::Duration;

use crate::time::Nanos;

/// Milliseconds on a table's clock, of which 32 bits are kept: they turn over after 49 days, and all that is compared lies
/// within 24.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick(pub(super) u32);

/// The present, to the millisecond below and above.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    pub(super) floor: Tick,
    pub(super) ceiling: Tick,
}

/// A span of milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Patience(pub(super) u32);

impl Patience {
    /// The longest: an entry's time may not exceed what [`TableClock`] can leap over.
    pub const MOST: Duration = Duration::from_millis(LEAP);

    /// So many milliseconds; at most [`Patience::MOST`].
    pub const fn from_millis(milliseconds: u32) -> Self {
        Self(if milliseconds as u64 > LEAP { LEAP as u32 } else { milliseconds })
    }
}

impl From<Duration> for Patience {
    /// Rounded up; at most [`Patience::MOST`].
    fn from(span: Duration) -> Self {
        Self(span.as_nanos().div_ceil(NANOS_PER_TICK.into()).min(LEAP.into()) as u32)
    }
}

impl Tick {
    /// How many milliseconds this is past another; negative where it is before.
    #[inline(always)]
    pub(super) const fn past(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    pub(super) const fn after(self, span: Patience) -> Self {
        Self(self.0.wrapping_add(span.0))
    }
}

/// Counts from the first time that it was told, in whole milliseconds.
///
/// Between two captures a year may lie. Then the clock goes on by eight days only: everything is over by that, and no
/// comparison of 32 bits is ever wrong. It goes on once the table says that it looked at all entries since.
#[derive(Debug, Default)]
pub(super) struct TableClock {
    /// When it was 0; a whole millisecond.
    origin: Option<Nanos>,
    /// Milliseconds that were leapt over.
    skipped: u64,
    /// Whole milliseconds since the origin.
    ticks: u64,
    /// The present.
    now: Nanos,
    floor: Tick,
    ceiling: Tick,
    /// `ticks` when the table was last looked through.
    looked: u64,
}

impl TableClock {
    /// Sets the time. It never goes backwards.
    #[inline]
    pub(super) fn advance(&mut self, now: Nanos) {
        let origin = *self.origin.get_or_insert(Nanos(now.0 - now.0 % NANOS_PER_TICK));
        if now <= self.now {
            return;
        }
        self.now = now;
        let past = now.0.saturating_sub(origin.0);
        let (whole, part) = (past / NANOS_PER_TICK, past % NANOS_PER_TICK);
        let mut ticks = whole.saturating_sub(self.skipped);
        let most = (self.ticks + LEAP).min(self.looked + 2 * LEAP);
        if ticks > most {
            self.skipped += ticks - most;
            ticks = most;
        }
        self.ticks = ticks;
        self.floor = Tick(ticks as u32);
        self.ceiling = Tick((ticks + u64::from(part > 0)) as u32);
    }

    /// The table was looked through since the clock showed `ticks`.
    pub(super) const fn looked_through(&mut self, ticks: u64) {
        self.looked = ticks;
    }

    /// Milliseconds since the origin, not turned over.
    pub(super) const fn ticks(&self) -> u64 {
        self.ticks
    }

    /// The present, rounded down: for what has passed.
    #[inline(always)]
    pub(super) const fn floor(&self) -> Tick {
        self.floor
    }

    /// The present, rounded up: for what begins to pass.
    #[inline(always)]
    pub(super) const fn ceiling(&self) -> Tick {
        self.ceiling
    }

    /// When it was this tick, within 24 days.
    pub(super) fn time_of(&self, tick: Tick) -> Nanos {
        let ticks = self.ticks.saturating_add_signed(i64::from(tick.past(self.floor)));
        self.origin.unwrap_or_default() + Duration::from_millis(ticks + self.skipped)
    }

    /// The present in microseconds since the origin, 48 bits of which are kept.
    pub(super) fn micros(&self) -> u64 {
        self.now.0.saturating_sub(self.origin.unwrap_or_default().0) / 1000
    }

    /// When it was so many microseconds since the origin, within the last eight years.
    pub(super) fn time_of_micros(&self, micros: u64) -> Nanos {
        let present = self.micros();
        let age = present.wrapping_sub(micros) & ((1 << 48) - 1);
        self.origin.unwrap_or_default() + Duration::from_micros(present.saturating_sub(age))
    }
}

const NANOS_PER_TICK: u64 = 1_000_000;
/// Milliseconds that the clock goes on at a time at most: eight days, a day more than the longest timeout.
const LEAP: u64 = 8 * 24 * 3600 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    const START: Nanos = Nanos(1_800_000_000_123_456_789);

    #[test]
    fn a_span_is_never_shorter_than_it_was() {
        let mut clock = TableClock::default();
        clock.advance(START);
        let begun = clock.ceiling();
        assert_eq!(clock.floor().past(begun), -1);
        assert_eq!(clock.time_of(begun), Nanos(1_800_000_000_124_000_000));
        assert_eq!(clock.time_of_micros(clock.micros()), Nanos(1_800_000_000_123_456_000));
        let second = Patience::from(Duration::from_secs(1));
        clock.advance(START + Duration::from_secs(1) - Duration::from_nanos(1));
        assert!(clock.floor().past(begun.after(second)) < 0);
        clock.advance(START + Duration::from_millis(1001));
        assert!(clock.floor().past(begun.after(second)) >= 0);
        assert_eq!(Patience::from(Duration::from_nanos(1)).0, 1);
    }

    #[test]
    fn the_clock_turns_over() {
        let mut clock = TableClock::default();
        let mut now = START;
        for _ in 0..20 {
            clock.advance(now);
            let begun = clock.ceiling();
            now = now + Duration::from_secs(5 * 24 * 3600);
            clock.advance(now);
            clock.looked_through(clock.ticks());
            assert_eq!(clock.floor().past(begun), 5 * 24 * 3600 * 1000 - 1);
            assert_eq!(clock.time_of(clock.ceiling()).0 / 1_000_000, now.0 / 1_000_000 + 1);
        }
    }

    #[test]
    fn years_between_packets_do_not_confuse_it() {
        let mut clock = TableClock::default();
        let mut now = START;
        clock.advance(now);
        let begun = clock.ceiling();
        for years in 1..5 {
            now = now + Duration::from_secs(365 * 24 * 3600 * years);
            clock.advance(now);
            assert!(clock.floor().past(begun) >= 7 * 24 * 3600 * 1000);
            assert_eq!(clock.time_of(clock.ceiling()).0 / 1_000_000, now.0 / 1_000_000 + 1);
        }
        clock.looked_through(clock.ticks());
        let begun = clock.ceiling();
        clock.advance(now + Duration::from_secs(1000 * 24 * 3600));
        assert!(clock.floor().past(begun) >= 7 * 24 * 3600 * 1000);
    }
}
