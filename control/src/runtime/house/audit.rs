//! The one door of the audit trail: what happened becomes a record here, and goes to whoever takes it.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::Sender;
use dataplane::command::Command;
use mio::Token;

use super::House;
use crate::audit::{Store, StoreNews};
use crate::export::Exporters;
use crate::manage::Wanted;
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject};
use crate::record::{Body, Class, LossPlace, LossRecord, Name, Record};

impl House {
    /// Records what happened. The number of the record.
    pub(super) fn audit(&mut self, occurrence: Occurrence) -> u64 {
        self.occurred.count(occurrence.event);
        let record = self.recorder.audit(occurrence);
        (self.audit.events, self.audit.records) = (self.audit.events + 1, self.audit.records + 1);
        self.put(record)
    }

    /// What became of the records of the trail with these numbers: they are on the disk, or one will not be; none where that
    /// is not known yet.
    pub(super) fn audited(&self, numbers: RangeInclusive<u64>) -> Option<Result<(), String>> {
        self.store.fate(numbers)
    }

    /// Why nothing may be put into force now: nobody could know of it afterwards.
    pub(super) fn trail_refuses(&self) -> Option<&'static str> {
        self.trail.holds.then_some("the audit trail has no room, and audit.when-full is \"refuse-traffic\": make room")
    }

    /// Gives a record to all who take it. Its number.
    pub(super) fn put(&mut self, record: Record) -> u64 {
        let record = Arc::new(record);
        give(&mut self.store, &mut self.exporters, &mut self.shown, &record);
        if let Some(feed) = &mut self.feed {
            feed.see(&record);
        }
        self.respond(&record);
        record.sequence
    }

    /// Likewise, where it is of one log host, and no other is to have it.
    pub(super) fn put_for(&mut self, host: &Name, record: Record) {
        let record = Arc::new(record);
        self.store.push(&record);
        self.exporters.push_to(host, &record);
        self.shown.see(&record);
    }

    /// Hands over what came for the trail, and records what it says about itself; whether it said anything.
    pub(super) fn turn_store(&mut self) -> bool {
        let news = self.store.turn();
        let said = !news.is_empty();
        for news in news {
            match news {
                StoreNews::Occurred(occurrence) => {
                    if occurrence.severity.unwrap_or(occurrence.event.severity()) <= LOUD {
                        eprintln!("ostiary: {}", told(&occurrence));
                    }
                    self.audit(occurrence);
                }
                StoreNews::Lost { file, class, count, sequences, span, reason } => {
                    let place = LossPlace::Store(file);
                    eprintln!("ostiary: {count} {} records are not in the audit trail ({place})", class.text());
                    let loss = LossRecord { class, place, reason, count, sequences: Some(sequences), span };
                    let record = self.recorder.noticed(loss);
                    self.put(record);
                }
                StoreNews::Hold(holds) => {
                    self.trail = Trail { holds, untold: self.dataplane.mailboxes() };
                    let what = if holds { "are refused: the audit trail has no room" } else { "are let through again" };
                    eprintln!("ostiary: new sessions {what}");
                }
                StoreNews::Notice(text) => eprintln!("ostiary: {text}"),
            }
        }
        let holds = self.trail.holds;
        self.trail.untold.retain(|mailbox| mailbox.try_send(Command::Hold(holds)).is_err_and(|error| error.is_full()));
        said
    }

    /// The trail begins.
    pub(in super::super) fn trail_begins(&mut self) {
        self.audit_edge(AuditEvent::AuditStart);
    }

    /// The trail ends, once it has said all of itself, until `until` at the latest: nothing may be recorded after it.
    pub(in super::super) fn trail_ends(&mut self, until: Instant) {
        loop {
            self.store.settle(until);
            if !self.turn_store() || Instant::now() >= until {
                break;
            }
        }
        self.audit_edge(AuditEvent::AuditStop);
    }

    fn audit_edge(&mut self, event: AuditEvent) {
        let (files, serial) = self.store.files();
        let edge = Occurrence::new(event, self.dataplane.now()).by(Subject::system());
        self.audit(edge.with(AuditField::Files, files).with(AuditField::Serial, serial));
    }

    /// Takes what happened to the machine, a bounded number; says whether there may be more.
    pub(in crate::runtime) fn take_sources(&mut self, now: Instant) -> bool {
        let Some(sources) = &mut self.sources else { return false };
        let (said, more) = sources.turn(self.dataplane.now(), now);
        for occurrence in said {
            self.audit(occurrence);
        }
        more
    }

    /// The poll says that there is something for a source; whether it was for one.
    pub(in crate::runtime) fn wake_sources(&mut self, token: Token) -> bool {
        let Some(sources) = self.sources.as_mut().filter(|sources| sources.owns(token)) else { return false };
        sources.event(token);
        true
    }

    /// The firewall forwards from now on, by this policy file.
    pub(in crate::runtime) fn audit_start(&mut self, policy: &Path) {
        let said = self.said(AuditEvent::SystemStart).with(AuditField::Version, env!("CARGO_PKG_VERSION"));
        let said = said.with(AuditField::Policy, policy.display());
        let signatures = self.compiled.database.version().to_owned();
        self.audit(said.with(AuditField::Signatures, signatures));
    }

    /// The firewall stops.
    pub(in crate::runtime) fn audit_stop(&mut self) {
        let said = self.said(AuditEvent::SystemStop).with(AuditField::Reason, "told to by a signal");
        self.audit(said);
    }

    /// What was set aside for subscribers; from now on these are.
    pub(in crate::runtime) fn take_shown(&mut self, wanted: Wanted) -> Vec<Arc<Record>> {
        self.shown.wanted = wanted;
        std::mem::take(&mut self.shown.records)
    }
}

/// What follows of a trail without room, where traffic is not to go on then.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// New sessions are refused, and commits.
    holds: bool,
    /// Mailboxes of workers that were full.
    untold: Vec<Sender<Command>>,
}

/// The only way of a record out of the house: to the trail on this machine first, then to log hosts and subscribers.
pub(super) fn give(store: &mut Store, exporters: &mut Exporters, shown: &mut Shown, record: &Arc<Record>) {
    store.push(record);
    exporters.push(record);
    shown.see(record);
}

/// How often each event of the trail occurred, in the order of [`AuditEvent::ALL`].
#[derive(Debug)]
pub(super) struct Occurred([u64; AuditEvent::ALL.len()]);

impl Default for Occurred {
    fn default() -> Self {
        Self([0; AuditEvent::ALL.len()])
    }
}

impl Occurred {
    fn count(&mut self, event: AuditEvent) {
        self.0[event as usize] += 1;
    }

    /// Each event with how often it occurred.
    pub(super) fn rows(&self) -> impl Iterator<Item = (AuditEvent, u64)> {
        AuditEvent::ALL.iter().copied().zip(self.0)
    }
}

/// Records that subscribers want to see, and have not been shown yet.
#[derive(Debug, Default)]
pub(super) struct Shown {
    wanted: Wanted,
    records: Vec<Arc<Record>>,
}

impl Shown {
    /// These are wanted too.
    pub(super) fn want(&mut self, more: Wanted) {
        self.wanted.audit |= more.audit;
        self.wanted.others |= more.others;
    }

    /// Sets a record aside where somebody wants it.
    pub(super) fn see(&mut self, record: &Arc<Record>) {
        let is_audit = match &record.body {
            Body::Audit(_) => true,
            Body::Loss(loss) => loss.class == Class::Audit,
            _ => false,
        };
        if if is_audit { self.wanted.audit } else { self.wanted.others } {
            self.records.push(Arc::clone(record));
        }
    }
}

/// What is as grave as this, or graver, is said on standard error too: warnings.
const LOUD: u8 = 4;

/// For the operator, in a line.
fn told(occurrence: &Occurrence) -> String {
    let field = |(field, text): &(AuditField, String)| format!("{} {text}", field.name());
    let fields: Vec<String> = occurrence.fields.iter().map(field).collect();
    format!("{}: {}", occurrence.event.about(), fields.join(", "))
}
