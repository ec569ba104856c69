//! What access users did, counted in all and since an operator had the counts begin again.

use std::sync::Arc;

use dataplane::time::Nanos;

use super::House;
use crate::export::Counts;
use crate::manage::{
    AccessHostCountsRow, AccessSourceRow, AccessStatisticsRow, Peer, ResetRow, UserFilter, UserPage, UserRow, time_text,
};
use crate::presence::access::{AccessAction, AccessTransition, AccessUser};
use crate::record::Class;

/// The counts of both classes.
#[derive(Debug, Default)]
pub(super) struct AccessCounts {
    now: Counted,
    /// As they were when those of `access` and of `call-status` began again.
    begun: [Option<Begun>; 2],
}

/// What is counted here; log hosts count for themselves.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    /// Records made: of `access`, of `call-status`.
    records: [u64; 2],
    /// By the place of the source's name: logins, logouts, seen; let in, refused.
    sources: [[u64; 5]; NAMES.len()],
}

#[derive(Clone, Debug)]
struct Begun {
    at: Nanos,
    counted: Counted,
    lost: u64,
    /// In the order of the exporters' status.
    hosts: Vec<Counts>,
}

/// The names of the sources; the receiver's users are RADIUS's.
const NAMES: [&str; 5] = ["radius", "pppoe", "8021x", "dhcp", "dhcpv6"];

impl AccessCounts {
    /// Counts what a user did, and whether it was recorded.
    pub(super) fn count(&mut self, transition: &AccessTransition, recorded: bool) {
        let kind = match transition.action {
            AccessAction::Login => 0,
            AccessAction::Logout => 1,
            AccessAction::Seen => 2,
            AccessAction::Result { success: true } => 3,
            AccessAction::Result { success: false } => 4,
        };
        let class = if kind < 3 { Class::Access } else { Class::CallStatus };
        let name = transition.user.source.name();
        if let Some(place) = NAMES.iter().position(|known| *known == name) {
            self.now.sources[place][kind] += 1;
        }
        self.now.records[at(class)] += u64::from(recorded);
    }

    /// Records made of a class, since the start.
    pub(super) fn records(&self, class: Class) -> u64 {
        self.now.records[at(class)]
    }
}

/// The place of a class.
fn at(class: Class) -> usize {
    usize::from(class == Class::CallStatus)
}

impl House {
    pub(super) fn access_row(&self, class: Class) -> AccessStatisticsRow {
        let begun = self.access_counts.begun[at(class)].as_ref();
        let before = begun.map(|begun| begun.counted).unwrap_or_default();
        let lost = if class == Class::Access { self.access_users.lost } else { 0 };
        let mut hosts = Vec::new();
        for (place, status) in self.exporters.status().iter().enumerate() {
            let Some(taken) = status.classes.iter().find(|taken| taken.class == class) else { continue };
            let before = begun.and_then(|begun| begun.hosts.get(place)).copied().unwrap_or_default();
            hosts.push(AccessHostCountsRow::since(&status.name, taken.counts, before));
        }
        let sources =
            NAMES.iter().zip(self.access_counts.now.sources).zip(before.sources).map(|((name, now), before)| {
                let since = |kind: usize| now[kind].saturating_sub(before[kind]);
                let of = |wanted: Class, kind: usize| if class == wanted { since(kind) } else { 0 };
                AccessSourceRow {
                    source: (*name).to_owned(),
                    logins: of(Class::Access, 0),
                    logouts: of(Class::Access, 1),
                    seen: of(Class::Access, 2),
                    accepted: of(Class::CallStatus, 3),
                    refused: of(Class::CallStatus, 4),
                }
            });
        AccessStatisticsRow {
            class: class.text().to_owned(),
            since: time_text(begun.map_or(self.started, |begun| begun.at)),
            users: self.access.len() as u64,
            lost_events: lost - begun.map_or(0, |begun| begun.lost),
            received: self.access_counts.now.records[at(class)] - before.records[at(class)],
            sent: hosts.iter().map(|host| host.sent).sum(),
            hosts,
            sources: sources.collect(),
        }
    }

    /// Has the counts of a class begin again, once it is written down who asked for that.
    pub(super) fn reset_counts(&mut self, class: Class, peer: Peer) -> Result<ResetRow, String> {
        let now = self.dataplane.now();
        let row = ResetRow { class: class.text().to_owned(), since: time_text(now) };
        if let Some(state) = &self.compiled.state {
            let line = serde_json::json!({
                "time": row.since, "uid": peer.uid, "pid": peer.pid, "action": "reset-statistics", "class": row.class,
            });
            state
                .audit(&format!("{line}\n"))
                .map_err(|error| format!("nothing was reset, as it cannot be audited: {error}"))?;
        }
        eprintln!("ostiary: statistics of {} were reset by uid {}, process {}", row.class, peer.uid, peer.pid);
        let of_class = |status: &crate::export::HostStatus| {
            let taken = status.classes.iter().find(|taken| taken.class == class);
            taken.map_or_else(Counts::default, |taken| taken.counts)
        };
        self.access_counts.begun[at(class)] = Some(Begun {
            at: now,
            counted: self.access_counts.now,
            lost: if class == Class::Access { self.access_users.lost } else { 0 },
            hosts: self.exporters.status().iter().map(of_class).collect(),
        });
        Ok(row)
    }

    /// Looks at a piece of the table of users.
    pub(super) fn user_page(&self, filter: &UserFilter, from: usize, most: usize) -> UserPage {
        let names = &self.compiled.names;
        let mut looked = 0;
        let users = self.access.users().skip(from).take(most).inspect(|_| looked += 1);
        let rows = users.filter(|user| filter.takes(user, names)).map(|user| self.user_row(user)).collect();
        UserPage { rows, ends: looked < most }
    }

    fn user_row(&self, user: &AccessUser) -> UserRow {
        let labels = &self.compiled.users;
        let groups = labels.groups(self.access.labels_of(user, labels));
        UserRow::new(user, groups, &self.compiled.names)
    }

    /// Records what access users did, and counts it.
    pub(super) fn record_access(&mut self, transitions: &[AccessTransition]) {
        for transition in transitions {
            let record = self.recorder.access(transition);
            self.access_counts.count(transition, record.is_some());
            if let Some(record) = record {
                self.exporters.push(&Arc::new(record));
            }
        }
        self.see_off(transitions);
        for forgery in self.access.take_forgeries() {
            self.attack.records += 1;
            let record = self.recorder.forgery(&forgery);
            self.exporters.push(&Arc::new(record));
        }
    }
}

#[cfg(test)]
mod tests {
    use dataplane::access::{AccessEvent, AccessKind, Source};

    use super::*;
    use crate::presence::access::AccessReason;

    #[test]
    fn every_source_has_a_name_here() {
        assert!(Source::ALL.iter().all(|source| NAMES.contains(&source.name())));
    }

    #[test]
    fn what_users_did_is_counted_whether_it_is_recorded_or_not() {
        let mut counts = AccessCounts::default();
        let event = AccessEvent::new(AccessKind::Logout, Source::Receiver);
        let transition = |action| AccessTransition {
            time: Nanos(0),
            action,
            reason: AccessReason::Message,
            user: Arc::new(AccessUser::of(&event)),
            online: None,
        };
        counts.count(&transition(AccessAction::Login), true);
        counts.count(&transition(AccessAction::Logout), false);
        counts.count(&transition(AccessAction::Result { success: false }), true);
        assert_eq!(counts.now.sources[0], [1, 1, 0, 0, 1]);
        assert_eq!((counts.records(Class::Access), counts.records(Class::CallStatus)), (1, 1));
    }
}
