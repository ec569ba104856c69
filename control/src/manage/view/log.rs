//! Log hosts and what became of the records for them, as `ostiary show` tells of them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use dataplane::time::Nanos;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time_text;
use crate::export::{Cause, Counts, HostStatus, Role};
use crate::record::{Class, Record, json};

/// A log host, all its classes together, since start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogHostRow {
    /// Its name.
    pub name: String,
    /// `ip:port`, `name:port`, the path of a file, or `broker:port,…/topic`.
    pub target: String,
    /// In the words of the configuration.
    pub transport: String,
    /// Likewise.
    pub format: String,
    /// The group that it is in.
    pub group: Option<String>,
    /// `active` or `standby` there.
    pub role: Option<String>,
    /// `opening`, `connecting`, `up`, `stalled`, `waiting` or `stopped`; `removed` of a spool that no host sends from.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Connections after the first.
    pub reconnects: u64,
    /// In memory.
    pub queued: u64,
    /// Of those: written, and not acknowledged.
    pub unacknowledged: u64,
    /// On disk.
    pub spooled: u64,
    /// When that happened which the oldest record on disk tells of, about; none where there is none.
    #[serde(default)]
    pub oldest: Option<String>,
    /// Taken by the host, as far as its transport can tell.
    pub acknowledged: u64,
    /// Given up, for whatever cause.
    pub dropped: u64,
    /// Why the last connection, or attempt, failed; none if none did.
    pub error: Option<String>,
}

/// The records of a class for one log host since its counts began:
/// `records + recovered = acknowledged + dropped + queued + spooled + handed-over`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogStatisticsRow {
    /// The host's name.
    pub host: String,
    /// The class.
    pub class: String,
    /// When the counts began: the start, or the last reset.
    pub since: String,
    /// Records that were for this host; those that waited when the counts began are among them.
    pub records: u64,
    /// Found in the spool at start, from an earlier run.
    pub recovered: u64,
    /// Wholly written, once each.
    pub sent: u64,
    /// Taken by the host, as far as its transport can tell.
    pub acknowledged: u64,
    /// Written again, on top of `sent`.
    pub resent: u64,
    /// In memory.
    pub queued: u64,
    /// Of those: written, and not acknowledged.
    pub unacknowledged: u64,
    /// On disk.
    pub spooled: u64,
    /// Ever put on disk.
    pub spooled_ever: u64,
    /// Given to another host of the group.
    pub handed_over: u64,
    /// Given up, by cause.
    pub dropped: BTreeMap<String, u64>,
    /// Records about losses that were written.
    pub losses_said: u64,
    /// Answers of the host that it does not take a record; it is tried again.
    pub refused: u64,
}

/// What waits for a log host of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogBufferRow {
    /// The host's name.
    pub host: String,
    /// The class.
    pub class: String,
    /// In memory and never written yet.
    pub waiting: u64,
    /// Written, and not acknowledged.
    pub unacknowledged: u64,
    /// On disk.
    pub spooled: u64,
    /// When that happened which the oldest record in memory tells of; none where nothing waits there.
    pub oldest: Option<String>,
}

/// A record that waits in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogWaitingRow {
    /// For this log host.
    pub host: String,
    /// Its place: the first record of its class that was ever queued for the host had place 0.
    pub place: u64,
    /// Its fields, as `ostiary replay --json` has them.
    pub fields: Value,
}

impl From<&HostStatus> for LogHostRow {
    fn from(status: &HostStatus) -> Self {
        let sum = |count: fn(&Counts) -> u64| status.classes.iter().map(|class| count(&class.counts)).sum();
        let since = status.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let role = status.group.as_ref().map(|(_, role)| match role {
            Role::Active => "active",
            Role::Standby => "standby",
        });
        Self {
            name: status.name.to_string(),
            target: status.target.clone(),
            transport: status.transport.to_owned(),
            format: status.format.text().to_owned(),
            group: status.group.as_ref().map(|(name, _)| name.to_string()),
            role: role.map(str::to_owned),
            state: status.state.text().to_owned(),
            since: time_text(Nanos::from_parts(since.as_secs(), since.subsec_nanos())),
            reconnects: status.reconnects,
            queued: sum(|counts| counts.queued),
            unacknowledged: sum(|counts| counts.unacknowledged),
            spooled: sum(|counts| counts.spooled),
            oldest: status.spool.filter(|spool| spool.records > 0).and_then(|spool| spool.oldest).map(time_text),
            acknowledged: sum(|counts| counts.acknowledged),
            dropped: sum(Counts::dropped),
            error: status.last_error.clone(),
        }
    }
}

impl LogHostRow {
    /// Of what is on disk of a host that is no more, or has another form now: found at the start, at `since`.
    pub fn removed(left: &crate::export::spool::Leftover, since: Nanos) -> Self {
        Self {
            name: left.host.clone(),
            target: "-".to_owned(),
            transport: "-".to_owned(),
            format: left.form.clone(),
            group: None,
            role: None,
            state: "removed".to_owned(),
            since: time_text(since),
            reconnects: 0,
            queued: 0,
            unacknowledged: 0,
            spooled: left.records,
            oldest: left.oldest.map(time_text),
            acknowledged: 0,
            dropped: 0,
            error: None,
        }
    }
}

impl LogStatisticsRow {
    /// What a host's counters of a class became since they were `before`, at that time. What waited then counts as come
    /// since, so that the law holds of the difference too.
    pub fn since(host: &str, class: Class, since: Nanos, now: Counts, before: Counts) -> Self {
        let grown = |count: fn(&Counts) -> u64| count(&now).saturating_sub(count(&before));
        let dropped = Cause::ALL.into_iter().map(|cause| {
            let count = now.dropped_by(cause).saturating_sub(before.dropped_by(cause));
            (cause.text().to_owned(), count)
        });
        Self {
            host: host.to_owned(),
            class: class.text().to_owned(),
            since: time_text(since),
            records: (now.generated + before.queued + before.spooled).saturating_sub(before.generated),
            recovered: grown(|counts| counts.recovered),
            sent: grown(|counts| counts.sent),
            acknowledged: grown(|counts| counts.acknowledged),
            resent: grown(|counts| counts.resent),
            queued: now.queued,
            unacknowledged: now.unacknowledged,
            spooled: now.spooled,
            spooled_ever: grown(|counts| counts.spooled_ever),
            handed_over: grown(|counts| counts.handed_over),
            dropped: dropped.collect(),
            losses_said: grown(|counts| counts.losses_said),
            refused: grown(|counts| counts.refused),
        }
    }

    /// Given up, for whatever cause.
    pub fn dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Whether every record is accounted for.
    pub fn holds(&self) -> bool {
        self.records + self.recovered
            == self.acknowledged + self.dropped() + self.queued + self.spooled + self.handed_over
    }
}

/// Records in memory that a host was never written: what is queued, without what was written and not acknowledged, be it
/// that it is in the window or waits to be written again.
pub(super) fn unwritten(counts: &Counts) -> u64 {
    counts.queued.saturating_sub(counts.sent.saturating_sub(counts.acknowledged))
}

impl LogBufferRow {
    /// Of a class at a host; `oldest` is the time of the first record that waits there.
    pub fn new(host: &str, class: Class, counts: &Counts, oldest: Option<Nanos>) -> Self {
        Self {
            host: host.to_owned(),
            class: class.text().to_owned(),
            waiting: unwritten(counts),
            unacknowledged: counts.unacknowledged,
            spooled: counts.spooled,
            oldest: oldest.map(time_text),
        }
    }
}

impl LogWaitingRow {
    /// A record at its place among those that were queued for a host.
    pub fn new(host: &str, place: u64, record: &Record) -> Self {
        let mut line = Vec::new();
        json::write(&mut line, record);
        // What was just written is JSON.
        let fields = serde_json::from_slice(&line).unwrap_or_default();
        Self { host: host.to_owned(), place, fields }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        let mut counts = Counts { generated: 90, recovered: 10, sent: 60, acknowledged: 50, ..Counts::default() };
        (counts.queued, counts.unacknowledged, counts.spooled, counts.handed_over) = (30, 10, 9, 1);
        (counts.dropped[Cause::QueueFull as usize], counts.dropped[Cause::Suppressed as usize]) = (4, 6);
        counts
    }

    #[test]
    fn the_law_holds_since_the_start_and_since_a_reset() {
        let first = LogStatisticsRow::since("siem", Class::Im, Nanos(0), counts(), Counts::default());
        assert!(counts().holds() && first.holds(), "{first:?}");
        assert_eq!((first.records, first.dropped(), first.dropped["suppressed"]), (90, 10, 6));
        let mut later = counts();
        (later.generated, later.queued, later.spooled) = (95, 20, 4);
        (later.sent, later.acknowledged, later.unacknowledged) = (75, 69, 6);
        later.dropped[Cause::SpoolAge as usize] = 1;
        assert!(later.holds());
        let since = LogStatisticsRow::since("siem", Class::Im, Nanos(0), later, counts());
        assert!(since.holds(), "{since:?}");
        assert_eq!((since.records, since.acknowledged, since.dropped()), (44, 19, 1), "39 waited, 5 came");
        let idle = LogStatisticsRow::since("siem", Class::Im, Nanos(0), counts(), counts());
        assert!(idle.holds());
        assert_eq!((idle.records, idle.queued, idle.spooled, idle.recovered), (39, 30, 9, 0));
    }

    #[test]
    fn what_was_written_does_not_wait() {
        let row = LogBufferRow::new("siem", Class::Im, &counts(), Some(Nanos::from_parts(1_772_352_930, 0)));
        assert_eq!((row.waiting, row.unacknowledged, row.spooled), (20, 10, 9));
        assert_eq!(row.oldest.as_deref(), Some("2026-03-01T08:15:30.000000Z"));
    }
}
