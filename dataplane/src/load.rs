//! Where a polling core's time goes, and what it does while nothing comes.
//!
//! A core that polls is always at 100 % for the operating system. What it really has left is the share of its cycles that
//! it spent in turns without a packet.

use std::sync::Arc;
use std::time::Duration;

use crate::counters::Counters;
use crate::dpdk::cycles;

/// What a core does while nothing comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idle {
    /// It asks again at once.
    #[default]
    Poll,
    /// It sleeps between two questions, the longer the silence the longer, [`Idle::LONGEST`] at most.
    BackOff,
}

impl Idle {
    /// The longest sleep that is asked for; the kernel adds what it takes to wake a thread.
    pub const LONGEST: Duration = Duration::from_micros(50);
    /// The shortest, as a shorter one would be over before the thread sleeps.
    const SHORTEST: Duration = Duration::from_micros(5);
    /// Nobody sleeps before it was silent for so long: traffic of more than 10,000 packets a second is never waited for.
    const GRACE: Duration = Duration::from_micros(100);

    /// How long to sleep after a silence; none at all where it was short.
    fn sleep(self, silence: Duration) -> Option<Duration> {
        if self == Self::Poll || silence < Self::GRACE {
            return None;
        }
        Some((silence / 8).clamp(Self::SHORTEST, Self::LONGEST))
    }
}

/// Divides a core's cycles into busy and idle ones, turn by turn. One reading of the time-stamp counter a turn.
#[derive(Debug)]
pub struct Load {
    counters: Arc<Counters>,
    idle: Idle,
    /// Cycles in a microsecond.
    microsecond: u64,
    /// When the turn began.
    from: u64,
    /// When the last turn with a packet ended.
    last_busy: u64,
    /// Not yet in the counters.
    busy: u64,
    idled: u64,
    longest: u64,
}

impl Load {
    /// Of a core that counts there. The time-stamp counter goes `hertz` times a second.
    pub fn new(counters: Arc<Counters>, idle: Idle, hertz: u64) -> Self {
        let now = cycles();
        let microsecond = (hertz / 1_000_000).max(1);
        Self { counters, idle, microsecond, from: now, last_busy: now, busy: 0, idled: 0, longest: 0 }
    }

    /// A turn ended, in which nothing came where `idle`.
    #[inline]
    pub fn turned(&mut self, idle: bool) {
        self.pass(idle, cycles());
    }

    /// Housekeeping: what was counted since the last time can be read now. After an idle turn, waits as long as is configured.
    pub fn rest(&mut self, idle: bool) {
        if idle {
            let silence = Duration::from_micros(self.from.saturating_sub(self.last_busy) / self.microsecond);
            match self.idle.sleep(silence) {
                Some(sleep) => std::thread::sleep(sleep),
                None => std::hint::spin_loop(),
            }
            // Housekeeping and sleep are no part of the next turn, whatever that brings.
            self.pass(true, cycles());
        }
        self.counters.add_load(std::mem::take(&mut self.busy), std::mem::take(&mut self.idled));
        self.counters.note_turn(std::mem::take(&mut self.longest));
    }

    fn pass(&mut self, idle: bool, now: u64) {
        let took = now.saturating_sub(self.from);
        self.from = now;
        if idle {
            self.idled += took;
        } else {
            self.busy += took;
            self.longest = self.longest.max(took);
            self.last_busy = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_the_silence_the_longer_the_sleep_within_limits() {
        let sleep = |micros| Idle::BackOff.sleep(Duration::from_micros(micros)).map(|sleep| sleep.as_micros());
        assert_eq!([99, 100, 200, 1_000_000].map(sleep), [None, Some(12), Some(25), Some(50)]);
        assert_eq!(Idle::Poll.sleep(Duration::from_secs(9)), None);
    }

    #[test]
    fn every_cycle_is_either_busy_or_idle() {
        let counters = Arc::new(Counters::default());
        let mut load = Load::new(Arc::clone(&counters), Idle::Poll, 1_000_000_000);
        // The counter began with the machine: whatever core is asked for it below, and whenever, is past these.
        load.from = 0;
        load.pass(true, 10);
        load.pass(false, 110);
        load.pass(false, 410);
        load.last_busy = u64::MAX;
        load.rest(false);
        assert_eq!((counters.load(), counters.take_longest_turn()), ((400, 10), 300));
        assert_eq!(counters.take_longest_turn(), 0, "it was read");
        load.rest(true);
        assert_eq!(counters.load().0, 400, "resting is idle");
        assert_eq!(counters.load().0 + counters.load().1, load.from);
    }
}
