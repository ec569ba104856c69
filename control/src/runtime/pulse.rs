//! Whether the cores that poll still turn: each says now and then how its cycles were spent, and that number stands still where
//! its loop does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::dataplane::counters::Counters;

/// Without a service manager that says how long it waits, this is how long a core may stand still before it is told.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of each core that polls: the workers, the dispatcher behind them where there is one.
#[derive(Debug)]
pub(super) struct Pulse {
    beats: Vec<Beat>,
    /// How long one may stand still.
    patience: Duration,
    looked: Instant,
}

#[derive(Debug)]
struct Beat {
    counters: Arc<Counters>,
    /// What was read last, and when that was new.
    cycles: u64,
    since: Instant,
    /// Whether it turned since the last sign of life.
    turned: bool,
    /// Whether it ever turned.
    lived: bool,
    told: bool,
}

/// What became of a core, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It has not turned for so long.
    Stuck(usize, Duration),
    /// It turns again.
    Back(usize),
}

impl Pulse {
    /// Of these cores; one that stands still is told after half of the time that the service manager waits.
    pub(super) fn new(counters: Vec<Arc<Counters>>, watchdog: Option<Duration>, now: Instant) -> Self {
        // A core that turned before we came has turned.
        let beat = |counters: Arc<Counters>| Beat {
            cycles: 0,
            counters,
            since: now,
            turned: false,
            lived: false,
            told: false,
        };
        let patience = watchdog.map_or(PATIENCE, |within| within / 2).min(PATIENCE);
        Self { beats: counters.into_iter().map(beat).collect(), patience, looked: now }
    }

    /// Looks at all of them; says what is new, once.
    pub(super) fn look(&mut self, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        // Who did not look for so long, or was not let run at all, has seen nobody stand still.
        let absent = now.duration_since(std::mem::replace(&mut self.looked, now)) >= self.patience / 2;
        for (at, beat) in self.beats.iter_mut().enumerate() {
            let cycles = cycles(&beat.counters);
            if cycles != beat.cycles {
                (beat.cycles, beat.since, beat.turned, beat.lived) = (cycles, now, true, true);
                if std::mem::take(&mut beat.told) {
                    changes.push(Change::Back(at));
                }
            } else if absent {
                beat.since = now;
            } else if !beat.told && now.duration_since(beat.since) >= self.patience {
                beat.told = true;
                changes.push(Change::Stuck(at, now.duration_since(beat.since)));
            }
        }
        changes
    }

    /// Whether every core has turned at all.
    pub(super) fn have_all_turned(&self) -> bool {
        self.beats.iter().all(|beat| beat.lived)
    }

    /// Whether every core turned since this was last true.
    pub(super) fn all_turned(&mut self) -> bool {
        let all = self.beats.iter().all(|beat| beat.turned);
        if all {
            self.beats.iter_mut().for_each(|beat| beat.turned = false);
        }
        all
    }
}

/// All cycles that a core has told of. It does so every 256 turns, and after each in which nothing came.
fn cycles(counters: &Counters) -> u64 {
    let (busy, idle) = counters.load();
    busy.wrapping_add(idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> (Vec<Arc<Counters>>, Pulse, Instant) {
        let counters: Vec<_> = (0..3).map(|_| Arc::new(Counters::default())).collect();
        let start = Instant::now();
        (counters.clone(), Pulse::new(counters, Some(Duration::from_secs(4)), start), start)
    }

    #[test]
    fn a_sign_of_life_needs_a_turn_of_every_core() {
        let (counters, mut pulse, start) = three();
        assert!(!pulse.all_turned(), "nobody turned yet");
        counters[0].add_load(5, 0);
        counters[1].add_load(0, 5);
        assert!(pulse.look(start).is_empty() && !pulse.all_turned() && !pulse.have_all_turned(), "the third did not");
        counters[2].add_load(1, 1);
        assert!(pulse.look(start).is_empty() && pulse.all_turned());
        assert!(!pulse.all_turned() && pulse.have_all_turned(), "not since then");
        counters.iter().take(2).for_each(|core| core.add_load(1, 0));
        assert!(pulse.look(start).is_empty() && !pulse.all_turned());
    }

    #[test]
    fn a_core_that_stands_still_is_told_once_and_so_is_its_return() {
        let (counters, mut pulse, start) = three();
        let at = |millis| start + Duration::from_millis(millis);
        let turn = |cores: &[usize]| cores.iter().for_each(|core| counters[*core].add_load(1, 0));
        turn(&[0, 1, 2]);
        assert!(pulse.look(at(1_000)).is_empty() && pulse.all_turned());
        turn(&[0, 2]);
        assert!(pulse.look(at(1_950)).is_empty());
        turn(&[0, 2]);
        assert!(pulse.look(at(2_900)).is_empty(), "1.9 s");
        turn(&[0, 2]);
        assert_eq!(pulse.look(at(3_000)), [Change::Stuck(1, Duration::from_secs(2))]);
        turn(&[0, 2]);
        assert!(pulse.look(at(3_900)).is_empty() && !pulse.all_turned());
        turn(&[0, 1, 2]);
        assert_eq!(pulse.look(at(4_800)), [Change::Back(1)]);
        assert!(pulse.all_turned());
    }

    #[test]
    fn who_did_not_look_has_seen_nobody_stand_still() {
        let (_, mut pulse, start) = three();
        let at = |millis| start + Duration::from_millis(millis);
        assert!(pulse.look(at(60_000)).is_empty(), "we were frozen as well");
        assert!(pulse.look(at(60_900)).is_empty() && pulse.look(at(61_800)).is_empty());
        assert_eq!(pulse.look(at(62_000)).len(), 3);
    }

    #[test]
    fn patience_is_half_the_watchdogs_and_five_seconds_at_most() {
        let of = |watchdog| Pulse::new(Vec::new(), watchdog, Instant::now()).patience.as_secs();
        assert_eq!([of(None), of(Some(Duration::from_secs(4))), of(Some(Duration::from_secs(60)))], [5, 2, 5]);
    }
}
