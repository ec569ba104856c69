//! How it was: traffic and drops of the last minutes, each second, and of the last hours, in steps of ten.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dataplane::counters::Counter;
use dataplane::time::Nanos;
use dataplane::verdict::DropReason;
use serde_json::{Value, json};

use super::super::metrics::Measured;

/// How often it is looked.
const STEP: Duration = Duration::from_secs(1);
/// Looks that are kept.
const MINUTES: usize = 600;
/// How many of them are one of the long run,
const COARSE: u32 = 10;
/// of which so many are kept: three hours.
const HOURS: usize = 1_080;
/// Drop reasons that are shown by name; the others are shown together.
const NAMED: usize = 6;

/// See the module. About 800 KiB, whatever is configured.
#[derive(Debug, Default)]
pub(super) struct History {
    last: Option<(Instant, Totals)>,
    minutes: VecDeque<Sample>,
    hours: VecDeque<Sample>,
    /// Of the long run, what was not enough for a sample yet, and of how many looks.
    rest: (Sample, u32),
}

/// What was counted since the start.
#[derive(Clone, Debug)]
struct Totals {
    packets: u64,
    octets: u64,
    opened: u64,
    drops: [u64; DropReason::ALL.len()],
}

/// What was counted from one look to the next.
#[derive(Clone, Debug)]
struct Sample {
    /// When it ended, milliseconds since 1970.
    time: u64,
    milliseconds: u32,
    packets: u64,
    octets: u64,
    opened: u64,
    /// Sessions at its end.
    sessions: u64,
    drops: [u32; DropReason::ALL.len()],
}

impl Default for Sample {
    fn default() -> Self {
        let drops = [0; DropReason::ALL.len()];
        Self { time: 0, milliseconds: 0, packets: 0, octets: 0, opened: 0, sessions: 0, drops }
    }
}

/// Over how long a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// The last ten.
    Minutes,
    /// The last three.
    Hours,
}

impl History {
    /// Whether it is time to look.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.last.as_ref().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= STEP)
    }

    /// Looks.
    pub(super) fn look(&mut self, now: Instant, time: Nanos, measured: &Measured) {
        let sum = |counter| measured.cores.iter().map(|core| core.counters.value(counter)).sum::<u64>();
        let drop = |reason| measured.cores.iter().map(|core| core.counters.drops(reason)).sum::<u64>();
        let totals = Totals {
            packets: sum(Counter::PacketsReceived),
            octets: sum(Counter::OctetsReceived),
            opened: sum(Counter::SessionsOpened),
            drops: std::array::from_fn(|at| DropReason::ALL.get(at).map_or(0, |reason| drop(*reason))),
        };
        let Some((at, before)) = self.last.replace((now, totals.clone())) else { return };
        let grown = |now: u64, before: u64| now.saturating_sub(before);
        let sample = Sample {
            time: time.0 / 1_000_000,
            milliseconds: u32::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u32::MAX).max(1),
            packets: grown(totals.packets, before.packets),
            octets: grown(totals.octets, before.octets),
            opened: grown(totals.opened, before.opened),
            sessions: sum(Counter::SessionsActive),
            drops: std::array::from_fn(|at| {
                let of = |drops: &[u64]| drops.get(at).copied().unwrap_or_default();
                u32::try_from(grown(of(&totals.drops), of(&before.drops))).unwrap_or(u32::MAX)
            }),
        };
        let (rest, count) = &mut self.rest;
        rest.add(&sample);
        *count += 1;
        if *count == COARSE {
            let whole = std::mem::take(&mut self.rest).0;
            keep(&mut self.hours, whole, HOURS);
        }
        keep(&mut self.minutes, sample, MINUTES);
    }

    /// As columns, the oldest first, in amounts a second; of drops those that were most, by name, and the others together.
    pub(super) fn value(&self, span: Span) -> Value {
        let samples = match span {
            Span::Minutes => &self.minutes,
            Span::Hours => &self.hours,
        };
        let mut reasons: Vec<(u64, usize)> = (0..DropReason::ALL.len())
            .map(|at| (samples.iter().map(|sample| u64::from(sample.drop(at))).sum(), at))
            .filter(|(count, _)| *count > 0)
            .collect();
        reasons.sort_unstable_by(|a, b| b.cmp(a));
        let named: Vec<usize> = reasons.into_iter().take(NAMED).map(|(_, at)| at).collect();
        let column = |of: &dyn Fn(&Sample) -> u64| -> Vec<u64> { samples.iter().map(of).collect() };
        let rate = |of: &dyn Fn(&Sample) -> u64| column(&|sample| of(sample) * 1_000 / u64::from(sample.milliseconds));
        let tenths = |of: &dyn Fn(&Sample) -> u64| -> Vec<f64> {
            let of = |sample: &Sample| (of(sample) * 10_000 / u64::from(sample.milliseconds.max(1))) as f64 / 10.0;
            samples.iter().map(of).collect()
        };
        let by_name = named.iter().filter_map(|at| {
            let reason = DropReason::ALL.get(*at)?;
            Some(json!({ "name": reason.name(), "values": tenths(&|sample| u64::from(sample.drop(*at))) }))
        });
        let others = |sample: &Sample| {
            let all: u64 = sample.drops.iter().map(|count| u64::from(*count)).sum();
            all - named.iter().map(|at| u64::from(sample.drop(*at))).sum::<u64>()
        };
        json!({
            "time": column(&|sample| sample.time),
            "bits": rate(&|sample| sample.octets * 8),
            "packets": rate(&|sample| sample.packets),
            "opened": tenths(&|sample| sample.opened),
            "sessions": column(&|sample| sample.sessions),
            "drops": by_name.collect::<Vec<_>>(),
            "other-drops": tenths(&others),
        })
    }
}

impl Sample {
    fn drop(&self, at: usize) -> u32 {
        self.drops.get(at).copied().unwrap_or_default()
    }

    /// Takes in what came next.
    fn add(&mut self, next: &Self) {
        self.time = next.time;
        self.milliseconds = self.milliseconds.saturating_add(next.milliseconds);
        self.packets += next.packets;
        self.octets += next.octets;
        self.opened += next.opened;
        self.sessions = next.sessions;
        self.drops.iter_mut().zip(next.drops).for_each(|(sum, more)| *sum = sum.saturating_add(more));
    }
}

fn keep(ring: &mut VecDeque<Sample>, sample: Sample, most: usize) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(sample);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dataplane::counters::Counters;

    use super::super::super::metrics::CoreLoad;
    use super::*;

    /// A worker that takes `packets` of 100 octets each second and drops every tenth.
    fn look(history: &mut History, counters: &Arc<Counters>, start: Instant, second: u64, packets: u64) {
        counters.add(Counter::PacketsReceived, packets);
        counters.add(Counter::OctetsReceived, packets * 100);
        counters.add_drop(DropReason::Policy, packets / 10);
        counters.set(Counter::SessionsActive, second);
        let core = CoreLoad {
            worker: "0".to_owned(),
            core: 1,
            counters: Arc::clone(counters),
            busy: 0.0,
            idle: 0.0,
            percent: 0,
        };
        let measured = Measured { cores: vec![core], ..Measured::default() };
        let now = start + Duration::from_secs(second);
        assert!(history.is_due(now));
        history.look(now, Nanos(second * 1_000_000_000), &measured);
        assert!(!history.is_due(now + Duration::from_millis(999)));
    }

    #[test]
    fn a_look_tells_what_came_since_the_last() {
        let (mut history, counters, start) = (History::default(), Arc::new(Counters::default()), Instant::now());
        assert_eq!(history.value(Span::Minutes)["time"], json!([]));
        for (second, packets) in [(0, 1_000), (1, 50), (2, 20), (4, 40)] {
            look(&mut history, &counters, start, second, packets);
        }
        let value = history.value(Span::Minutes);
        assert_eq!(value["time"], json!([1_000, 2_000, 4_000]));
        assert_eq!((&value["packets"], &value["bits"]), (&json!([50, 20, 20]), &json!([40_000, 16_000, 16_000])));
        assert_eq!(value["drops"], json!([{ "name": "policy", "values": [5.0, 2.0, 2.0] }]));
        assert_eq!((&value["sessions"], &value["other-drops"]), (&json!([1, 2, 4]), &json!([0.0, 0.0, 0.0])));
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let (mut history, counters, start) = (History::default(), Arc::new(Counters::default()), Instant::now());
        for second in 0..12_000 {
            look(&mut history, &counters, start, second, 10);
        }
        assert_eq!((history.minutes.len(), history.hours.len()), (MINUTES, HOURS));
        let hours = history.value(Span::Hours);
        assert_eq!((&hours["packets"][0], &hours["packets"][HOURS - 1]), (&json!(10), &json!(10)));
        assert_eq!(hours["time"][HOURS - 1], json!(11_990_000));
    }
}
