//! What the trail says of commits.

use std::sync::Arc;

use super::super::House;
use super::{Standing, Summary, Underway, What};
use crate::config::edit::ChangeKind;
use crate::config::generation::Cause;
use crate::config::store::Opened;
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject};

/// Records of single changes that one commit makes at most; the others are one with their number.
pub(super) const CHANGES: usize = 1_000;

impl House {
    /// Tells what was found on disk at start.
    pub(in super::super::super) fn open_configuration(&mut self, opened: &Opened, modified: bool) {
        self.commits.standing = Standing { modified, scheduled: opened.scheduled.clone().map(Arc::new) };
        for file in &opened.damaged {
            eprintln!("ostiary: {file} is damaged: that generation cannot be taken up again");
        }
        if let Some(Some(before)) = opened.adopted {
            eprintln!(
                "ostiary: the policy file was edited since generation {before}: it is generation {} now",
                opened.head
            );
        }
        if opened.adopted.is_some() {
            let fields = [(AuditField::Generation, opened.head.to_string()), (AuditField::Cause, "start".to_owned())];
            self.tell(AuditEvent::ConfigCommit, &Subject::system(), &fields, true);
        }
        for number in &opened.unfinished {
            let confirmed = opened.unconfirmed.as_ref().is_none_or(|pending| pending.number != *number);
            let reason = if confirmed { "not finished before the stop" } else { "not confirmed before the stop" };
            eprintln!("ostiary: generation {number} was {reason}: generation {} is in force", opened.head);
            self.tell_reverted(*number, Some(opened.head), reason, &Subject::system());
        }
        if let Some(missed) = &opened.missed {
            self.tell_missed(missed);
        }
    }

    pub(super) fn tell(&mut self, event: AuditEvent, by: &Subject, fields: &[(AuditField, String)], success: bool) {
        let mut occurrence = Occurrence::new(event, self.dataplane.now()).by(by.clone());
        for (field, text) in fields {
            occurrence = occurrence.with(*field, text);
        }
        self.audit(if success { occurrence } else { occurrence.failed() });
    }

    pub(super) fn tell_reverted(&mut self, number: u32, to: Option<u32>, reason: &str, by: &Subject) {
        let mut fields = vec![(AuditField::Generation, number.to_string())];
        fields.extend(to.map(|to| (AuditField::Before, to.to_string())));
        fields.push((AuditField::Reason, reason.to_owned()));
        self.tell(AuditEvent::ConfigReverted, by, &fields, true);
    }

    pub(super) fn tell_refused(&mut self, underway: &Underway, why: &str) {
        let mut fields = Vec::new();
        fields.extend(underway.comment.clone().map(|comment| (AuditField::Comment, comment)));
        fields.push((AuditField::Cause, underway.cause.text()));
        fields.push((AuditField::Reason, why.to_owned()));
        self.tell(AuditEvent::ConfigRefused, &underway.by, &fields, false);
    }

    /// Other signatures came into force.
    pub(super) fn tell_signatures(&mut self, underway: &Underway) {
        let Some(update) = &underway.summary.signatures else { return };
        let mut fields = vec![(AuditField::Old, update.old.clone()), (AuditField::New, update.new.clone())];
        fields.push((AuditField::Serial, update.serial.to_string()));
        fields.extend(update.signer.clone().map(|signer| (AuditField::Signer, signer)));
        self.tell(AuditEvent::SignatureUpdate, &underway.by, &fields, true);
    }

    /// Signatures that were to come into force did not.
    pub(super) fn tell_signatures_refused(&mut self, underway: &Underway, why: &str) {
        let old = self.compiled.database.version().to_owned();
        let fields = [(AuditField::Old, old), (AuditField::Reason, why.to_owned())];
        self.tell(AuditEvent::SignatureUpdate, &underway.by, &fields, false);
    }

    /// `confirmed`: the generation that waited for this commit.
    pub(super) fn tell_done(&mut self, underway: &Underway, confirmed: Option<u32>) {
        self.tell_signatures(underway);
        let by = &underway.by;
        let Summary { generation, before, digest, changes, keys, .. } = &underway.summary;
        let number = generation.map(|number| (AuditField::Generation, number.to_string()));
        let before = before.map(|before| (AuditField::Before, before.to_string()));
        match &underway.what {
            What::Confirm => {
                let fields: Vec<_> = number.into_iter().collect();
                return self.tell(AuditEvent::ConfigConfirmed, by, &fields, true);
            }
            What::Revert(reason) => {
                let mut fields: Vec<_> = before.map(|(_, text)| (AuditField::Generation, text)).into_iter().collect();
                fields.extend(number.map(|(_, text)| (AuditField::Before, text)));
                fields.push((AuditField::Changes, changes.len().to_string()));
                fields.push((AuditField::Reason, (*reason).to_owned()));
                self.tell(AuditEvent::ConfigReverted, by, &fields, true);
            }
            What::Try(within, ..) => {
                let mut fields: Vec<_> = number.into_iter().chain(before).collect();
                fields.push((AuditField::Changes, changes.len().to_string()));
                fields.push((AuditField::Timeout, within.as_secs().to_string()));
                fields.extend(underway.comment.clone().map(|comment| (AuditField::Comment, comment)));
                self.tell(AuditEvent::ConfigUnconfirmed, by, &fields, true);
            }
            What::Commit => {
                if let Some(confirmed) = confirmed {
                    let fields = [(AuditField::Generation, confirmed.to_string())];
                    self.tell(AuditEvent::ConfigConfirmed, by, &fields, true);
                    if *generation == Some(confirmed) && changes.is_empty() && keys.is_empty() {
                        return;
                    }
                }
                if underway.cause == Cause::Rescue {
                    let mut fields: Vec<_> = number.clone().into_iter().collect();
                    fields.push((AuditField::Digest, digest.clone()));
                    self.tell(AuditEvent::RescueLoad, by, &fields, true);
                }
                let mut fields: Vec<_> = number.into_iter().chain(before).collect();
                fields.extend(underway.comment.clone().map(|comment| (AuditField::Comment, comment)));
                fields.push((AuditField::Changes, changes.len().to_string()));
                fields.push((AuditField::Digest, digest.clone()));
                fields.push((AuditField::Cause, underway.cause.text()));
                self.tell(AuditEvent::ConfigCommit, by, &fields, true);
            }
        }
        let generation = generation.map(|number| (AuditField::Generation, number.to_string()));
        for change in changes.iter().take(CHANGES) {
            let mut fields: Vec<_> = generation.clone().into_iter().collect();
            fields.push((AuditField::Change, change.kind.text().to_owned()));
            fields.push((AuditField::Path, change.path.to_string()));
            fields.extend(change.old_text().map(|text| (AuditField::Old, text)));
            let new = if change.kind == ChangeKind::Move { change.place_text() } else { change.new_text() };
            fields.extend(new.map(|text| (AuditField::New, text)));
            self.tell(AuditEvent::ConfigChange, by, &fields, true);
        }
        if let Some(others) = changes.len().checked_sub(CHANGES).filter(|others| *others > 0) {
            let mut fields: Vec<_> = generation.into_iter().collect();
            fields.extend([(AuditField::Change, "others".to_owned()), (AuditField::Count, others.to_string())]);
            self.tell(AuditEvent::ConfigChange, by, &fields, true);
        }
        for (key, change, print) in keys {
            let mut fields = vec![(AuditField::Key, key.clone()), (AuditField::Change, (*change).to_owned())];
            // Of a secret that can be guessed, even a part of its hash would say whether a guess is right.
            if !key.ends_with("-file") {
                fields.push((AuditField::Fingerprint, print.clone()));
            }
            self.tell(AuditEvent::KeyChange, by, &fields, true);
        }
    }
}
