//! What the firewall notices of itself for the audit trail: links that come and go, and more traffic than it can take.

use std::time::{Duration, Instant};

use dataplane::counters::Counter;
use dataplane::counters::Counters;
use dataplane::verdict::DropReason;

use super::House;
use crate::export::{ChannelChange, ChannelEvent};
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject};
use crate::runtime::PortView;

/// An overload is over once there was none for so long.
const QUIET: Duration = Duration::from_secs(30);
/// A worker that is as busy as this, in per cent, for so many looks in a row, has no time left.
const BUSY: (u8, u32) = (98, 10);

/// What was seen at the last look.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Up or down, and megabits, of each port.
    links: Vec<(bool, Option<u32>)>,
    /// By what is overloaded.
    edges: Vec<(String, Edge)>,
    busy: Vec<u32>,
}

/// Something that is counted only while there is too much.
#[derive(Debug, Default)]
struct Edge {
    /// What was counted at the last look.
    seen: u64,
    /// Since it began, and when it was more than before last.
    lasting: Option<(u64, Instant)>,
}

/// A beginning, or an end with how much there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Begin(u64),
    End(u64),
}

impl Edge {
    fn look(&mut self, counted: u64, now: Instant) -> Option<Turn> {
        let new = counted.saturating_sub(std::mem::replace(&mut self.seen, counted));
        match &mut self.lasting {
            None if new > 0 => {
                self.lasting = Some((new, now));
                Some(Turn::Begin(new))
            }
            Some((all, last)) if new > 0 => {
                (*all, *last) = (*all + new, now);
                None
            }
            Some((all, last)) if now.duration_since(*last) >= QUIET => {
                let all = *all;
                self.lasting = None;
                Some(Turn::End(all))
            }
            _ => None,
        }
    }
}

impl Watch {
    /// Compares links with those of the last look; at the first there is nothing to compare with.
    fn links(&mut self, ports: &[PortView]) -> Vec<usize> {
        let now: Vec<_> = ports.iter().map(|port| (port.link.up, port.link.megabits)).collect();
        let before = std::mem::replace(&mut self.links, now);
        before.iter().zip(&self.links).enumerate().filter(|(_, (old, new))| old != new).map(|(at, _)| at).collect()
    }

    fn edge(&mut self, what: &str, counted: u64, now: Instant) -> Option<Turn> {
        match self.edges.iter_mut().find(|(known, _)| known == what) {
            Some((_, edge)) => edge.look(counted, now),
            None => {
                let mut edge = Edge::default();
                let turn = edge.look(counted, now);
                self.edges.push((what.to_owned(), edge));
                turn
            }
        }
    }

    /// How often a worker had no time left: counts while it has none.
    fn saturated(&mut self, at: usize, percent: u8) -> bool {
        if self.busy.len() <= at {
            self.busy.resize(at + 1, 0);
        }
        let Some(looks) = self.busy.get_mut(at) else { return false };
        *looks = if percent >= BUSY.0 { looks.saturating_add(1) } else { 0 };
        *looks >= BUSY.1
    }
}

impl House {
    /// Looks at links and at what is too much: call it every second or so.
    pub(in crate::runtime) fn watch(&mut self, now: Instant) {
        let ports = self.dataplane.ports();
        let mut watch = std::mem::take(&mut self.watch);
        for at in watch.links(&ports) {
            let Some(port) = ports.get(at) else { continue };
            let state = if port.link.up { "up" } else { "down" };
            let mut change = self.said(AuditEvent::LinkChange).with(AuditField::Port, &port.name);
            change = change.with(AuditField::State, state);
            if let Some(speed) = port.link.megabits {
                change = change.with(AuditField::Speed, speed);
            }
            self.audit(change);
        }
        for (what, counted) in self.overloads(&ports) {
            if let Some(turn) = watch.edge(&what, counted, now) {
                self.overload(&what, turn);
            }
        }
        // A worker without a moment's rest: its look counts as one more.
        for at in 0..self.loads.len() {
            let percent = self.loads.get(at).map_or(0, |load| load.percent);
            let what = self.cores().nth(at).map_or_else(String::new, |(name, _)| format!("cpu {name}"));
            let is_full = watch.saturated(at, percent);
            let seen = watch.edges.iter().find(|(known, _)| *known == what).map_or(0, |(_, edge)| edge.seen);
            if let Some(turn) = watch.edge(&what, seen + u64::from(is_full), now) {
                self.overload(&what, turn);
            }
        }
        self.watch = watch;
    }

    /// What is counted of overloads.
    fn overloads(&self, ports: &[PortView]) -> Vec<(String, u64)> {
        let sum = |of: &dyn Fn(&Counters) -> u64| self.counters.iter().map(|counters| of(counters)).sum::<u64>();
        let lost = [
            Counter::SignonEventsLost,
            Counter::SessionEventsLost,
            Counter::AttackEventsLost,
            Counter::AccessEventsLost,
        ];
        let mut all = vec![
            ("sessions".to_owned(), sum(&|counters| counters.drops(DropReason::TableFull))),
            ("dispatcher".to_owned(), sum(&|counters| counters.drops(DropReason::DispatchFull))),
            ("events".to_owned(), sum(&|counters| lost.iter().map(|counter| counters.value(*counter)).sum())),
        ];
        for port in ports {
            all.push((format!("missed {}", port.name), port.statistics.missed));
            all.push((format!("pool {}", port.name), port.statistics.no_buffer));
        }
        all
    }

    fn overload(&mut self, what: &str, turn: Turn) {
        let (phase, value) = match turn {
            Turn::Begin(value) => ("begin", value),
            Turn::End(value) => ("end", value),
        };
        let said = self.said(AuditEvent::Overload).with(AuditField::What, what).with(AuditField::Phase, phase);
        self.audit(said.with(AuditField::Value, value));
    }

    /// What became of the channels to log hosts.
    pub(super) fn audit_channel(&mut self, event: &ChannelEvent) {
        let kind = match event.change {
            ChannelChange::Up => AuditEvent::ChannelUp,
            ChannelChange::Down => AuditEvent::ChannelDown,
            ChannelChange::Failed => AuditEvent::ChannelFailed,
        };
        let mut said = self.said(kind).with(AuditField::Host, &event.host).with(AuditField::Peer, &event.peer);
        said = said.with(AuditField::Transport, event.transport);
        if !event.reason.is_empty() {
            said = said.with(AuditField::Reason, &event.reason);
        }
        if event.untold > 0 {
            said = said.with(AuditField::Count, event.untold);
        }
        self.audit(said);
    }

    /// An occurrence of now that the firewall itself noticed.
    pub(super) fn said(&self, event: AuditEvent) -> Occurrence {
        Occurrence::new(event, self.dataplane.now()).by(Subject::system())
    }
}

#[cfg(test)]
mod tests {
    use dataplane::dpdk::{Link, PortStatistics};

    use super::*;

    #[test]
    fn an_overload_has_a_beginning_and_an_end() {
        let start = Instant::now();
        let mut watch = Watch::default();
        let mut look = |counted, second| watch.edge("events", counted, start + Duration::from_secs(second));
        assert_eq!([look(0, 0), look(0, 1)], [None, None]);
        assert_eq!([look(5, 2), look(9, 3), look(9, 32)], [Some(Turn::Begin(5)), None, None]);
        assert_eq!([look(9, 33), look(9, 99), look(10, 100)], [Some(Turn::End(9)), None, Some(Turn::Begin(1))]);
    }

    #[test]
    fn links_that_change_are_found() {
        let port = |up, megabits| PortView {
            name: "p".into(),
            device: String::new(),
            driver: String::new(),
            mac: None,
            link: Link { up, megabits },
            statistics: PortStatistics::default(),
        };
        let mut watch = Watch::default();
        let mut look = |first, second| watch.links(&[port(true, first), port(second, None)]);
        assert!(look(Some(1_000), true).is_empty(), "there is nothing to compare with");
        assert!(look(Some(1_000), true).is_empty());
        assert_eq!([look(Some(1_000), false), look(Some(10_000), false)], [[1], [0]]);
    }

    #[test]
    fn a_busy_worker_is_one_after_a_while() {
        let mut watch = Watch::default();
        let looks: Vec<bool> = (0..12).map(|_| watch.saturated(1, 99)).collect();
        assert_eq!(looks.iter().filter(|full| **full).count(), 3);
        assert!(!watch.saturated(1, 50) && !watch.saturated(1, 99));
    }
}
