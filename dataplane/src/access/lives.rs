//! Which PPPoE sessions live: what control was told of each, and when.
//!
//! A session whose beginning was seen here is known with its host's side. All others (of a time before the firewall's start, or
//! negotiated where another worker saw it) are strangers: what their packets say is told as well, but so many a second only, as
//! anybody can send packets of sessions that there are not.

use std::time::Duration;

use crate::time::Nanos;

/// What is told of strangers in a second, at most.
const STRANGERS: u32 = 2_048;
/// Sessions of one place in the table.
const WAYS: usize = 4;

/// What is known of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nothing; a place that is free.
    #[default]
    Unknown,
    /// Its packets were seen, its beginning was not.
    Stranger,
    /// It is being negotiated.
    Beginning,
    /// Its user was told to be signed on.
    Online,
}

/// What is known of a session: 16 octets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    session: u64,
    /// When control was told last; seconds since the epoch.
    told: u32,
    /// How far it is.
    pub standing: Standing,
    /// Whether its host has the lower of the two MAC addresses.
    pub host_is_lower: bool,
    /// Whether its host is known to answer echoes.
    pub answers: bool,
}

const _: () = assert!(size_of::<Life>() == 16);

/// The sessions; those that were not heard of for the longest time give way, strangers first.
#[derive(Debug)]
pub struct Lives {
    sets: Box<[[Life; WAYS]]>,
    /// The second that strangers are counted in, and how many were told of.
    strangers: (u64, u32),
}

impl Lives {
    /// With room for so many sessions, at least [`WAYS`].
    pub fn new(sessions: usize) -> Self {
        let sets = (sessions / WAYS).max(1);
        Self { sets: vec![[Life::default(); WAYS]; sets].into(), strangers: (0, 0) }
    }

    /// What is known of a session.
    pub fn get(&self, session: u64) -> Option<&Life> {
        self.sets.get(self.set(session))?.iter().find(|life| life.is_of(session))
    }

    /// Sets how far a session is, in what seems the place of the least worth where it has none.
    pub fn set_standing(&mut self, now: Nanos, session: u64, standing: Standing, host_is_lower: bool) {
        let told = seconds(now);
        let set = self.set(session);
        let Some(set) = self.sets.get_mut(set) else { return };
        let known = set.iter().position(|life| life.is_of(session));
        let worth = |life: &Life| match life.standing {
            Standing::Unknown => (0, 0),
            Standing::Stranger => (1, life.told),
            Standing::Beginning | Standing::Online => (2, life.told),
        };
        let least = (0..WAYS).min_by_key(|way| set.get(*way).map(worth));
        let Some(life) = known.or(least).and_then(|way| set.get_mut(way)) else { return };
        // Who is only heard does not displace who was seen to sign on.
        if standing == Standing::Stranger && known.is_none() && worth(life).0 > 1 {
            return;
        }
        *life = Life { session, told, standing, host_is_lower, answers: false };
    }

    /// The session is over.
    pub fn remove(&mut self, session: u64) {
        if let Some(life) = self.get_mut(session) {
            *life = Life::default();
        }
    }

    /// A sign of life of a session's host, as answered echo or otherwise. Whether to tell it: the first answer, and `every` so
    /// often, in whole seconds.
    pub fn hear(&mut self, now: Nanos, session: u64, is_answer: bool, every: Duration) -> bool {
        let Some(life) = self.get_mut(session) else { return false };
        let is_first = is_answer && !life.answers;
        life.answers |= is_answer;
        let is_due = seconds(now).wrapping_sub(life.told) >= every.as_secs() as u32;
        if is_due || is_first {
            life.told = seconds(now);
        }
        is_due || is_first
    }

    /// Whether something may be told of a stranger now.
    pub fn takes_stranger(&mut self, now: Nanos) -> bool {
        let second = now.0 / 1_000_000_000;
        if self.strangers.0 != second {
            self.strangers = (second, 0);
        }
        self.strangers.1 += 1;
        self.strangers.1 <= STRANGERS
    }

    fn get_mut(&mut self, session: u64) -> Option<&mut Life> {
        let set = self.set(session);
        self.sets.get_mut(set)?.iter_mut().find(|life| life.is_of(session))
    }

    fn set(&self, session: u64) -> usize {
        (session % self.sets.len() as u64) as usize
    }
}

impl Life {
    fn is_of(&self, session: u64) -> bool {
        self.session == session && self.standing != Standing::Unknown
    }
}

/// Seconds since the epoch, as far as 32 bits go; only differences are looked at.
const fn seconds(now: Nanos) -> u32 {
    (now.0 / 1_000_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Nanos {
        Nanos::from_parts(1_000_000 + seconds, 0)
    }

    #[test]
    fn a_session_is_told_once_a_minute_and_its_first_echo_at_once() {
        let mut lives = Lives::new(64);
        assert!(!lives.hear(at(0), 7, false, MINUTE));
        lives.set_standing(at(0), 7, Standing::Online, true);
        let told = [(1, false), (1, true), (2, true), (60, true), (61, true), (62, false), (121, false)]
            .map(|(seconds, is_answer)| lives.hear(at(seconds), 7, is_answer, MINUTE));
        assert_eq!(told, [false, true, false, false, true, false, true]);
        assert!(lives.hear(at(124), 7, true, Duration::from_secs(3)));
        lives.remove(7);
        assert!(!lives.hear(at(999), 7, true, MINUTE));
    }

    #[test]
    fn strangers_give_way_and_displace_nobody() {
        let mut lives = Lives::new(4);
        for session in 1..=3 {
            lives.set_standing(at(session), session, Standing::Online, false);
        }
        for session in 10..20 {
            lives.set_standing(at(session), session, Standing::Stranger, false);
        }
        assert_eq!(lives.get(19).map(|life| life.standing), Some(Standing::Stranger));
        lives.set_standing(at(30), 4, Standing::Online, false);
        assert!(lives.get(19).is_none());
        lives.set_standing(at(31), 20, Standing::Stranger, false);
        assert!(lives.get(20).is_none());
        lives.set_standing(at(32), 5, Standing::Online, false);
        assert!(lives.get(1).is_none() && (2..=5).all(|session| lives.get(session).is_some()));
    }

    #[test]
    fn of_strangers_only_so_much_is_told() {
        let mut lives = Lives::new(4);
        assert_eq!((0..10_000).filter(|_| lives.takes_stranger(at(1))).count(), STRANGERS as usize);
        assert!(lives.takes_stranger(at(2)));
    }
}
