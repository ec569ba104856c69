//! What access users did, counted in all and since an operator had the counts begin again.

use dataplane::time::Nanos;

use super::House;
use crate::export::Counts;
use crate::manage::{
    AccessHostCountsRow, AccessSourceRow, AccessStatisticsRow, AccessTableRow, Asker, ReceiverRow, ResetRow,
    UserFilter, UserPage, UserRow, time_text,
};
use crate::presence::access::{AccessAction, AccessTally, AccessTransition, Person};
use crate::receiver::ReceiverTally;
use crate::record::Class;
use crate::record::audit::{AuditEvent, AuditField, Occurrence};

/// The records of both classes. What users did is counted by the table, what came to it by the receiver.
#[derive(Debug, Default)]
pub(super) struct AccessCounts {
    /// Records made: of `access`, of `call-status`.
    records: [u64; 2],
    /// How all of it was when those of `access` and of `call-status` began again.
    begun: [Option<Begun>; 2],
}

#[derive(Clone, Debug)]
struct Begun {
    at: Nanos,
    records: u64,
    tally: AccessTally,
    receiver: ReceiverTally,
    lost: u64,
    /// In the order of the exporters' status.
    hosts: Vec<Counts>,
}

/// The names of the sources; the receiver's users are RADIUS's.
const NAMES: [&str; 5] = ["radius", "pppoe", "8021x", "dhcp", "dhcpv6"];

impl AccessCounts {
    /// Records made of a class, since the start.
    pub(super) fn records(&self, class: Class) -> u64 {
        self.records[at(class)]
    }
}

/// The place of a class.
fn at(class: Class) -> usize {
    usize::from(class == Class::CallStatus)
}

impl House {
    pub(super) fn access_row(&self, class: Class) -> AccessStatisticsRow {
        let is_access = class == Class::Access;
        let begun = self.access_counts.begun[at(class)].as_ref();
        let mut hosts = Vec::new();
        for (place, status) in self.exporters.status().iter().enumerate() {
            let Some(taken) = status.classes.iter().find(|taken| taken.class == class) else { continue };
            let before = begun.and_then(|begun| begun.hosts.get(place)).copied().unwrap_or_default();
            hosts.push(AccessHostCountsRow::since(&status.name, taken.counts, before));
        }
        let tally = self.access.tally().since(&begun.map(|begun| begun.tally).unwrap_or_default());
        let heard = self.receiver.as_ref().map(|receiver| {
            let before = begun.map(|begun| begun.receiver).unwrap_or_default();
            ReceiverRow::new(receiver.local(), receiver.tally().since(&before))
        });
        AccessStatisticsRow {
            class: class.text().to_owned(),
            since: time_text(begun.map_or(self.started, |begun| begun.at)),
            users: self.access.listed() as u64,
            lost_events: if is_access { self.access_users.lost - begun.map_or(0, |begun| begun.lost) } else { 0 },
            received: self.access_counts.records(class) - begun.map_or(0, |begun| begun.records),
            sent: hosts.iter().map(|host| host.sent).sum(),
            hosts,
            sources: NAMES.iter().map(|name| AccessSourceRow::new(name, class, tally.named(name))).collect(),
            table: is_access.then(|| AccessTableRow::from(&tally)),
            receiver: heard.filter(|_| is_access),
        }
    }

    /// Has the counts of a class begin again, once it is written down who asked for that.
    pub(super) fn reset_counts(&mut self, class: Class, asker: &Asker) -> Result<ResetRow, String> {
        let now = self.dataplane.now();
        let row = ResetRow { class: class.text().to_owned(), since: time_text(now) };
        self.audit_reset(&row, None, asker);
        let of_class = |status: &crate::export::HostStatus| {
            let taken = status.classes.iter().find(|taken| taken.class == class);
            taken.map_or_else(Counts::default, |taken| taken.counts)
        };
        self.access_counts.begun[at(class)] = Some(Begun {
            at: now,
            records: self.access_counts.records(class),
            tally: *self.access.tally(),
            receiver: self.receiver.as_ref().map(|receiver| *receiver.tally()).unwrap_or_default(),
            lost: self.access_users.lost,
            hosts: self.exporters.status().iter().map(of_class).collect(),
        });
        Ok(row)
    }

    /// Writes down who has which counts begin again.
    pub(super) fn audit_reset(&mut self, row: &ResetRow, host: Option<&str>, asker: &Asker) {
        let occurrence = Occurrence::new(AuditEvent::StatisticsReset, self.dataplane.now()).by(asker.subject());
        let what = if host.is_some() { "log" } else { row.class.as_str() };
        let occurrence = occurrence.with(AuditField::What, what);
        self.audit(match host {
            Some(host) => occurrence.with(AuditField::Host, host),
            None => occurrence,
        });
        eprintln!(
            "ostiary: statistics of {} were reset by uid {}, process {}",
            row.class, asker.peer.uid, asker.peer.pid
        );
    }

    /// Looks at a piece of the table of users.
    pub(super) fn user_page(&self, filter: &UserFilter, from: usize, most: usize) -> UserPage {
        let names = &self.compiled.names;
        let users = self.access.page(from, most).filter(|person| filter.takes(person, names));
        UserPage {
            rows: users.map(|person| self.user_row(&person)).collect(),
            ends: from.saturating_add(most) >= self.access.places(),
        }
    }

    fn user_row(&self, person: &Person<'_>) -> UserRow {
        let labels = &self.compiled.users;
        let groups = labels.groups(self.access.labels_of(&person.user, labels));
        UserRow::new(person, groups, &self.compiled.names)
    }

    /// Records what access users did.
    pub(super) fn record_access(&mut self, transitions: &[AccessTransition]) {
        for transition in transitions {
            if let Some(record) = self.recorder.access(transition) {
                let is_result = matches!(transition.action, AccessAction::Result { .. });
                self.access_counts.records[usize::from(is_result)] += 1;
                self.put(record);
            }
        }
        self.see_off(transitions);
        for forgery in self.access.take_forgeries() {
            self.attack.records += 1;
            let record = self.recorder.forgery(&forgery);
            self.put(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use dataplane::access::Source;

    use super::*;

    #[test]
    fn every_source_has_a_name_here() {
        assert!(Source::ALL.iter().all(|source| NAMES.contains(&source.name())));
    }
}
