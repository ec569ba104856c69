//! How long to wait before the next attempt: doubled each time, with jitter, so that many firewalls do not return to a
//! restarted host at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The pauses between attempts at one host.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    random: RandomState,
    drawn: u64,
}

impl Backoff {
    /// Between the two.
    pub(super) fn new((first, longest): (Duration, Duration)) -> Self {
        let first = first.max(Duration::from_millis(1));
        Self { first, longest: longest.max(first), next: first, random: RandomState::new(), drawn: 0 }
    }

    /// The next pause: between half of what it would be and all of it.
    pub(super) fn pause(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.longest);
        self.drawn += 1;
        // The standard library's keyed hash is all the randomness that jitter needs.
        let share = (self.random.hash_one(self.drawn) >> 32) as u32;
        whole / 2 + (whole / 2).mul_f64(f64::from(share) / f64::from(u32::MAX))
    }

    /// The host is well again.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new((Duration::from_secs(1), Duration::from_secs(5)));
        for most in [1, 2, 4, 5, 5] {
            let most = Duration::from_secs(most);
            let pause = backoff.pause();
            assert!(most / 2 <= pause && pause <= most, "{pause:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_secs(1));
    }
}
