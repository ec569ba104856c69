//! Messages of RADIUS whose authenticator is wrong: somebody does not know the secret, and speaks all the same. Told like an
//! attack: when it begins, while it goes on, and when it is over.

use std::time::Duration;

use dataplane::access::AccessEvent;
use dataplane::endpoint::Endpoint;
use dataplane::event::Volume;
use dataplane::guard::Phase;
use dataplane::time::Nanos;

/// Between two reports of what goes on.
const ONGOING: Duration = Duration::from_secs(10);
/// What is quiet for so long is over.
const QUIET: Duration = Duration::from_secs(30);

/// Forged messages, as they are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgery {
    /// Where it is in its life.
    pub phase: Phase,
    /// When the last of them came.
    pub time: Nanos,
    /// When the first of them came.
    pub begin: Nanos,
    /// Messages since the last report, and the time between.
    pub recent: (Volume, Duration),
    /// Messages since it began.
    pub total: Volume,
    /// Who sent one of them, and to whom.
    pub ends: (Endpoint, Endpoint),
    /// The port that it came in by and the other.
    pub ports: (u16, u16),
    /// VLAN ids, outer and inner.
    pub vlans: (u16, u16),
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Forgeries {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    /// As of the last report; its example is the first message after the one before.
    told: Forgery,
    last: Nanos,
    recent: Volume,
    example: Option<(Endpoint, Endpoint)>,
}

impl Forgeries {
    /// One came.
    pub(super) fn observe(&mut self, event: &AccessEvent) -> Option<Forgery> {
        let now = event.header.time;
        // An event may tell of several, of which it has the last.
        let messages = event.traffic.map_or(Volume { packets: 1, octets: 0 }, |[messages, _]| messages);
        let Some(current) = &mut self.current else {
            let told = Forgery {
                phase: Phase::Begin,
                time: now,
                begin: now,
                recent: (messages, Duration::ZERO),
                total: messages,
                ends: event.ends,
                ports: event.ports,
                vlans: (event.svlan, event.cvlan),
            };
            self.current = Some(Current { told, last: now, recent: Volume::default(), example: None });
            return Some(told);
        };
        add(&mut current.recent, messages);
        current.last = current.last.max(now);
        current.example = current.example.or(Some(event.ends));
        None
    }

    /// What is to be told by now.
    pub(super) fn advance(&mut self, now: Nanos) -> Option<Forgery> {
        let current = self.current.as_mut()?;
        let is_over = now.since(current.last) >= QUIET;
        if !is_over && (current.recent.packets == 0 || now.since(current.told.time) < ONGOING) {
            return None;
        }
        let mut total = current.told.total;
        add(&mut total, current.recent);
        let told = Forgery {
            phase: if is_over { Phase::End } else { Phase::Ongoing },
            time: current.last,
            recent: (current.recent, current.last.since(current.told.time)),
            total,
            ends: current.example.unwrap_or(current.told.ends),
            ..current.told
        };
        if is_over {
            self.current = None;
        } else {
            (current.told, current.recent, current.example) = (told, Volume::default(), None);
        }
        Some(told)
    }

    /// When that is.
    pub(super) fn next_deadline(&self) -> Option<Nanos> {
        let current = self.current.as_ref()?;
        let over = current.last + QUIET;
        Some(if current.recent.packets > 0 { over.min(current.told.time + ONGOING) } else { over })
    }
}

fn add(sum: &mut Volume, more: Volume) {
    sum.packets += more.packets;
    sum.octets += more.octets;
}

#[cfg(test)]
mod tests {
    use dataplane::access::{AccessKind, Source};

    use super::*;

    #[test]
    fn a_flood_of_forgeries_is_a_few_reports() {
        let mut forgeries = Forgeries::default();
        let seconds = |seconds: u64| Nanos::from_parts(1_000 + seconds, 0);
        let mut told = Vec::new();
        for second in 0..25 {
            for _ in 0..50 {
                let mut event = AccessEvent::new(AccessKind::Forged, Source::Radius);
                event.header.time = seconds(second);
                event.traffic = Some([Volume { packets: 2, octets: 130 }, Volume::default()]);
                told.extend(forgeries.observe(&event));
            }
            told.extend(forgeries.advance(seconds(second)));
        }
        assert_eq!(forgeries.next_deadline(), Some(seconds(30)));
        (25..60).for_each(|second| told.extend(forgeries.advance(seconds(second))));
        let lines: Vec<_> = told
            .iter()
            .map(|told| (told.phase, told.time, told.recent.0.packets, told.total.packets, told.total.octets))
            .collect();
        assert_eq!(
            lines,
            [
                (Phase::Begin, seconds(0), 2, 2, 130),
                (Phase::Ongoing, seconds(10), 1_098, 1_100, 71_500),
                (Phase::Ongoing, seconds(20), 1_000, 2_100, 136_500),
                (Phase::Ongoing, seconds(24), 400, 2_500, 162_500),
                (Phase::End, seconds(24), 0, 2_500, 162_500),
            ]
        );
        assert_eq!((told[4].begin, forgeries.next_deadline()), (seconds(0), None));
    }
}
