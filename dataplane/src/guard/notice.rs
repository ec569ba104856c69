//! What the log is told of attacks: a notice when one begins, one a second while it goes on, one when it is over; never one
//! a packet.

use std::time::Duration;

use crate::event::Volume;
use crate::policy::PortId;
use crate::time::Nanos;
use crate::verdict::DropReason;

/// Attacks in sight, by kind and port.
#[derive(Debug)]
pub struct Notices {
    /// By kind, then port.
    entries: Box<[Entry]>,
    ports: usize,
    stray_rate: u64,
    /// When to look at them next.
    check: Nanos,
    /// Where to go on in this round.
    next: usize,
}

/// Where an attack is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has just been noticed.
    Begin,
    /// It goes on.
    Ongoing,
    /// A second passed without it.
    End,
}

/// A notice that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// What it is, by the name of what it was dropped for.
    pub kind: DropReason,
    /// Where it came in.
    pub port: PortId,
    /// Where it is in its life.
    pub phase: Phase,
    /// What came since the last notice, and in what time.
    pub recent: Volume,
    /// See there.
    pub span: Duration,
    /// What came since it began.
    pub total: Volume,
    /// When it began.
    pub begin: Nanos,
    /// When the last packet came.
    pub last: Nanos,
    place: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Since the last notice.
    recent: Volume,
    /// Up to the last notice.
    total: Volume,
    begin: Nanos,
    first: Nanos,
    last: Nanos,
    /// When the last notice was given.
    told: Nanos,
    on: bool,
}

/// Between two notices of one attack.
const PACE: Duration = Duration::from_secs(1);
/// Between two rounds over all entries.
const ROUND: Duration = Duration::from_millis(50);
/// Entries looked at in one turn.
const LOOKED_AT: usize = 256;

impl Notices {
    /// For `ports` ports.
    pub fn new(ports: usize, stray_rate: u64) -> Self {
        let ports = ports.max(1);
        let entries = vec![Entry::default(); DropReason::ALL.len() * ports].into_boxed_slice();
        Self { entries, ports, stray_rate: stray_rate.max(1), check: Nanos(0), next: 0 }
    }

    /// Takes note of a packet of an attack; true where it is the first since the last notice, and will be its example.
    pub fn note(&mut self, now: Nanos, kind: DropReason, port: PortId, octets: u32) -> bool {
        let place = kind as usize * self.ports + usize::from(port.0).min(self.ports - 1);
        let Some(entry) = self.entries.get_mut(place) else { return false };
        entry.recent.packets += 1;
        entry.recent.octets += u64::from(octets);
        entry.last = now;
        let is_first = entry.recent.packets == 1;
        if is_first {
            entry.first = now;
        }
        is_first
    }

    /// A number for the place of a kind and port, for who keeps something beside.
    pub fn place(&self, kind: DropReason, port: PortId) -> usize {
        kind as usize * self.ports + usize::from(port.0).min(self.ports - 1)
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.entries.len()
    }

    /// The next notice that is due; [`Self::told`] must follow where it was given.
    pub fn due(&mut self, now: Nanos) -> Option<Due> {
        if self.next == 0 && now < self.check {
            return None;
        }
        for _ in 0..LOOKED_AT {
            let least = self.least(DropReason::ALL[(self.next / self.ports).min(DropReason::ALL.len() - 1)]);
            let Some(entry) = self.entries.get_mut(self.next) else {
                self.next = 0;
                self.check = now + ROUND;
                return None;
            };
            let place = self.next;
            self.next += 1;
            if !entry.on && entry.recent.packets == 0 {
                continue;
            }
            let phase = match entry.on {
                false => {
                    if entry.recent.packets < least {
                        // Too few in a second: the counters have them.
                        if now.since(entry.first) >= PACE {
                            entry.recent = Volume::default();
                        }
                        continue;
                    }
                    Phase::Begin
                }
                true if now.since(entry.told) < PACE => continue,
                true if entry.recent.packets > 0 => Phase::Ongoing,
                true => Phase::End,
            };
            let entry = *entry;
            return Some(self.describe(now, place, &entry, phase));
        }
        None
    }

    /// What is left at the end, one notice at a time: that an attack is over, and before that it began where nobody was told
    /// yet. [`Self::told`] must follow.
    pub fn rest(&self, now: Nanos) -> Option<Due> {
        let is_left = |(place, entry): &(usize, &Entry)| {
            entry.on || entry.recent.packets >= self.least(DropReason::ALL[place / self.ports])
        };
        let (place, entry) = self.entries.iter().enumerate().find(is_left)?;
        Some(self.describe(now, place, entry, if entry.on { Phase::End } else { Phase::Begin }))
    }

    /// Packets of a kind that make an attack.
    const fn least(&self, kind: DropReason) -> u64 {
        if kind.may_be_stray() { self.stray_rate } else { 1 }
    }

    fn describe(&self, now: Nanos, place: usize, entry: &Entry, phase: Phase) -> Due {
        let since = |on: Nanos, off: Nanos| if entry.on { on } else { off };
        Due {
            kind: DropReason::ALL[place / self.ports],
            port: PortId((place % self.ports) as u16),
            phase,
            recent: entry.recent,
            span: now.since(since(entry.told, entry.first)),
            total: Volume {
                packets: entry.total.packets + entry.recent.packets,
                octets: entry.total.octets + entry.recent.octets,
            },
            begin: since(entry.begin, entry.first),
            last: entry.last,
            place,
        }
    }

    /// A notice was given.
    pub fn told(&mut self, now: Nanos, due: &Due) {
        let Some(entry) = self.entries.get_mut(due.place) else { return };
        if due.phase == Phase::End {
            *entry = Entry::default();
        } else {
            let recent = Volume::default();
            *entry = Entry { recent, total: due.total, begin: due.begin, told: now, on: true, ..*entry };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(notices: &mut Notices, now: Nanos) -> Vec<(Phase, u64, u64)> {
        let mut told = Vec::new();
        for _ in 0..100 {
            while let Some(due) = notices.due(now) {
                notices.told(now, &due);
                told.push((due.phase, due.recent.packets, due.total.packets));
            }
        }
        told
    }

    #[test]
    fn an_attack_is_told_when_it_begins_once_a_second_and_when_it_is_over() {
        let mut notices = Notices::new(2, 100);
        let mut now = Nanos::from_parts(1_800_000_000, 0);
        let mut told = Vec::new();
        for step in 0..50 {
            if step < 35 {
                for _ in 0..1000 {
                    notices.note(now, DropReason::Land, PortId(1), 60);
                }
            }
            told.extend(round(&mut notices, now));
            now = now + Duration::from_millis(100);
        }
        use Phase::*;
        let expected = [
            (Begin, 1000, 1000),
            (Ongoing, 10_000, 11_000),
            (Ongoing, 10_000, 21_000),
            (Ongoing, 10_000, 31_000),
            (Ongoing, 4_000, 35_000),
        ];
        assert_eq!(told[..5], expected);
        assert_eq!(told[5..], []);
        now = now + PACE;
        assert_eq!(round(&mut notices, now), [(End, 0, 35_000)]);
        now = now + PACE;
        assert_eq!(round(&mut notices, now), []);
    }

    #[test]
    fn at_the_end_every_attack_is_over_and_none_is_forgotten() {
        let mut notices = Notices::new(2, 100);
        let now = Nanos::from_parts(1_800_000_000, 0);
        notices.note(now, DropReason::Land, PortId(0), 60);
        assert_eq!(round(&mut notices, now), [(Phase::Begin, 1, 1)]);
        for _ in 0..7 {
            notices.note(now, DropReason::Land, PortId(0), 60);
            notices.note(now, DropReason::Smurf, PortId(1), 60);
            notices.note(now, DropReason::TcpNotSyn, PortId(1), 60);
        }
        let rest = std::iter::from_fn(|| {
            let due = notices.rest(now)?;
            notices.told(now, &due);
            Some((due.kind, due.port.0, due.phase, due.recent.packets, due.total.packets))
        });
        let mut rest: Vec<_> = rest.take(10).collect();
        rest.sort_by_key(|(_, port, ..)| *port);
        use Phase::*;
        let expected =
            [(DropReason::Land, 0, End, 7, 8), (DropReason::Smurf, 1, Begin, 7, 7), (DropReason::Smurf, 1, End, 0, 7)];
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_few_strays_are_no_attack() {
        let mut notices = Notices::new(1, 100);
        let mut now = Nanos::from_parts(1_800_000_000, 0);
        for _ in 0..300 {
            notices.note(now, DropReason::TcpNotSyn, PortId(0), 60);
            assert_eq!(round(&mut notices, now), []);
            now = now + Duration::from_millis(20);
        }
        for _ in 0..100 {
            notices.note(now, DropReason::TcpNotSyn, PortId(0), 60);
        }
        assert!(matches!(round(&mut notices, now)[..], [(Phase::Begin, 100.., _)]));
    }
}
