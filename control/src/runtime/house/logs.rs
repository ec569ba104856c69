//! Log hosts, as `show log-hosts` and `show log` see them.

use std::collections::BTreeMap;

use dataplane::time::Nanos;

use super::House;
use crate::export::{Counts, HostStatus};
use crate::manage::{Asker, LogBufferRow, LogHostRow, LogStatisticsRow, LogWaitingRow, ResetRow, time_text};
use crate::record::{Class, Name};

/// How the counts of hosts were, and when, when an operator had them begin again.
#[derive(Debug, Default)]
pub(super) struct LogCounts(BTreeMap<Name, (Nanos, Vec<(Class, Counts)>)>);

/// Records of a host and class that are looked at for one answer.
const LOOKED_AT: u64 = 10_000;

impl House {
    pub(super) fn log_host_rows(&self) -> Vec<LogHostRow> {
        let hosts = self.exporters.status();
        let left = self.exporters.leftovers().iter().map(|left| LogHostRow::removed(left, self.started));
        hosts.iter().map(LogHostRow::from).chain(left).collect()
    }

    /// Of one host, or all; of one class, or all.
    pub(super) fn log_statistics_rows(&self, host: Option<&str>, class: Option<Class>) -> Vec<LogStatisticsRow> {
        let mut rows = Vec::new();
        for status in self.hosts_named(host) {
            let begun = self.log_counts.0.get(&status.name);
            let since = begun.map_or(self.started, |(at, _)| *at);
            for taken in status.classes.iter().filter(|taken| class.is_none_or(|class| class == taken.class)) {
                let before = begun.and_then(|(_, before)| before.iter().find(|(class, _)| *class == taken.class));
                let before = before.map(|(_, counts)| *counts).unwrap_or_default();
                rows.push(LogStatisticsRow::since(&status.name, taken.class, since, taken.counts, before));
            }
        }
        rows
    }

    pub(super) fn log_buffer_rows(&self, host: Option<&str>) -> Vec<LogBufferRow> {
        let mut rows = Vec::new();
        for status in self.hosts_named(host) {
            for taken in &status.classes {
                let first = self.log_waiting_of(&status, taken.class, 1).into_iter().next();
                rows.push(LogBufferRow::new(&status.name, taken.class, &taken.counts, first.map(|(_, _, time)| time)));
            }
        }
        rows
    }

    /// The first records of each class that wait for a host, `limit` in all at most, and whether there are others.
    pub(super) fn log_waiting_rows(&self, host: &str, limit: usize) -> (Vec<LogWaitingRow>, bool) {
        let mut rows = Vec::new();
        for status in self.hosts_named(Some(host)) {
            for taken in &status.classes {
                let most = (limit.saturating_add(1).saturating_sub(rows.len()) as u64).min(LOOKED_AT);
                rows.extend(self.log_waiting_of(&status, taken.class, most).into_iter().map(|(row, _, _)| row));
            }
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        (rows, more)
    }

    fn log_waiting_of(&self, status: &HostStatus, class: Class, most: u64) -> Vec<(LogWaitingRow, u64, Nanos)> {
        let Some(taken) = status.classes.iter().find(|taken| taken.class == class) else { return Vec::new() };
        let first = taken.counts.sent;
        let mut rows = Vec::new();
        for waiting in self.exporters.waiting(class, first..first.saturating_add(most)) {
            if waiting.host == status.name {
                let row = |(place, record): &(u64, std::sync::Arc<crate::record::Record>)| {
                    (LogWaitingRow::new(&waiting.host, *place, record), *place, record.time)
                };
                rows.extend(waiting.records.iter().map(row));
            }
        }
        rows
    }

    fn hosts_named(&self, host: Option<&str>) -> impl Iterator<Item = HostStatus> {
        self.exporters.status().into_iter().filter(move |status| host.is_none_or(|host| *status.name == *host))
    }

    /// Whether a host has that name.
    pub(super) fn has_log_host(&self, host: &str) -> bool {
        self.exporters.status().iter().any(|status| *status.name == *host)
    }

    /// Has the counts of one host, or all, begin again, once it is written down who asked for that.
    pub(super) fn reset_log_counts(&mut self, host: Option<&str>, asker: &Asker) -> Result<ResetRow, String> {
        if let Some(host) = host.filter(|host| !self.has_log_host(host)) {
            return Err(format!("\"{host}\": no log host has that name"));
        }
        let now = self.dataplane.now();
        let class = host.map_or_else(|| "log".to_owned(), |host| format!("log host {host}"));
        let row = ResetRow { class, since: time_text(now) };
        self.audit_reset(&row, host, asker);
        let hosts: Vec<HostStatus> = self.hosts_named(host).collect();
        for status in hosts {
            let counts = status.classes.iter().map(|taken| (taken.class, taken.counts)).collect();
            self.log_counts.0.insert(status.name, (now, counts));
        }
        Ok(row)
    }
}
