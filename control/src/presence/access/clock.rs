//! Time as far as something was heard in it: silence is a sign only where others are heard. A tap that is dead for days does
//! not sign off everybody.

use std::time::Duration;

use dataplane::time::Nanos;

/// How far the clock goes on after the last frame.
const TRUST: Duration = Duration::from_secs(6 * 3600);
/// A step back that is more than workers' differing by a moment.
const STEP_BACK: Duration = Duration::from_secs(60);

/// The clock of the table: counts what time passed, and leaves out what was not heard.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// The time of day when something was heard last, and the time counted until then; none before anything was.
    heard: Option<(Nanos, Nanos)>,
}

impl Clock {
    /// Something was heard at a time of day. Where the time of day steps back, the count stands still.
    pub(super) fn hear(&mut self, day: Nanos) {
        self.heard = Some(match self.heard {
            None => (day, day),
            // Longer than that was no silence, but an outage: none of it counts.
            Some((last, count)) if day.since(last) > TRUST => (day, count),
            Some((last, count)) if day >= last => (day, count + day.since(last)),
            Some((last, count)) if last.since(day) < STEP_BACK => (last, count),
            Some((_, count)) => (day, count),
        });
    }

    /// What is counted until a time of day; none before anything was heard.
    pub(super) fn count(&self, day: Nanos) -> Option<Nanos> {
        let (last, count) = self.heard?;
        Some(count + day.since(last).min(TRUST))
    }

    /// What was counted when something was heard last.
    pub(super) fn now(&self) -> Nanos {
        self.heard.map_or(Nanos(0), |(_, count)| count)
    }

    /// The time of day at which a count is, or was, reached, as far as can be told.
    pub(super) fn day(&self, count: Nanos) -> Nanos {
        let (last, now) = self.heard.unwrap_or_default();
        if count >= now { last + count.since(now) } else { last - now.since(count) }
    }

    /// The time of day at which a count will be reached though nothing more is heard; none where it will not.
    pub(super) fn reaches(&self, count: Nanos) -> Option<Nanos> {
        let (last, now) = self.heard?;
        let wait = count.since(now);
        (wait <= TRUST).then(|| last + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    #[test]
    fn what_is_not_heard_is_not_counted() {
        let mut clock = Clock::default();
        assert_eq!((clock.count(Nanos(HOUR)), clock.reaches(Nanos(HOUR))), (None, None));
        clock.hear(Nanos(100 * HOUR));
        assert_eq!(clock.count(Nanos(104 * HOUR)), Some(Nanos(104 * HOUR)));
        assert_eq!(clock.count(Nanos(300 * HOUR)), Some(Nanos(106 * HOUR)));
        assert_eq!(clock.reaches(Nanos(106 * HOUR)), Some(Nanos(106 * HOUR)));
        assert_eq!(clock.reaches(Nanos(107 * HOUR)), None);
        clock.hear(Nanos(300 * HOUR));
        assert_eq!((clock.now(), clock.reaches(Nanos(106 * HOUR))), (Nanos(100 * HOUR), Some(Nanos(306 * HOUR))));
        assert_eq!((clock.day(Nanos(107 * HOUR)), clock.day(Nanos(99 * HOUR))), (Nanos(307 * HOUR), Nanos(299 * HOUR)));
    }

    #[test]
    fn a_step_back_moves_nothing() {
        let mut clock = Clock::default();
        clock.hear(Nanos(100 * HOUR));
        for _ in 0..1_000 {
            clock.hear(Nanos(100 * HOUR - 1_000_000_000));
            clock.hear(Nanos(100 * HOUR));
        }
        assert_eq!(clock.now(), Nanos(100 * HOUR));
        clock.hear(Nanos(90 * HOUR));
        assert_eq!(clock.now(), Nanos(100 * HOUR));
        clock.hear(Nanos(91 * HOUR));
        assert_eq!((clock.now(), clock.day(clock.now())), (Nanos(101 * HOUR), Nanos(91 * HOUR)));
    }
}
