//! The one door of the audit trail: what happened becomes a record here, and goes to whoever takes it.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mio::Token;

use super::House;
use crate::manage::Wanted;
use crate::record::audit::{AuditEvent, AuditField, Occurrence};
use crate::record::{Body, Class, Record};

impl House {
    /// Records what happened, where somebody is to know: a number that no host gets would look like a record that was lost.
    /// The number of the record, 0 where there is none.
    pub(super) fn audit(&mut self, occurrence: Occurrence) -> u64 {
        if !self.exporters.wants(Class::Audit) && self.compiled.responses.is_empty() && !self.shown.wanted.audit {
            return 0;
        }
        let record = Arc::new(self.recorder.audit(occurrence));
        (self.audit.events, self.audit.records) = (self.audit.events + 1, self.audit.records + 1);
        self.exporters.push(&record);
        self.shown.see(&record);
        self.respond(&record);
        record.sequence
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
