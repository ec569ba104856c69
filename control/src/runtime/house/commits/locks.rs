//! Who may edit and commit now: locks, and commits that wait for whoever made them.

use std::time::Instant;

use crossbeam::channel::bounded;

use super::super::House;
use super::super::holder::Holder;
use super::{Ask, SESSION_ENDED, What, author};
use crate::manage::configure::{Datastore, Refusal};
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject};

/// Who edits or commits.
pub(in super::super) struct Editor {
    pub(in super::super) by: Subject,
    pub(in super::super) holder: Holder,
    pub(in super::super) session: Option<u32>,
}

/// A lock, and whose it is.
#[derive(Debug)]
pub(super) struct Lock {
    holder: Holder,
    by: Subject,
}

impl House {
    /// A session of NETCONF is over: what it locked is free, its edits under a lock are gone, and what it committed to be
    /// confirmed by itself goes back (RFC 6241, 7.5 and 8.4).
    pub(in super::super) fn end_session(&mut self, session: u32) {
        for at in 0..self.commits.locks.len() {
            if self.commits.locks[at].as_ref().is_some_and(|lock| lock.holder == Holder::Session(session)) {
                self.release(at, SESSION_ENDED);
            }
        }
        if let Some(waits) = &mut self.commits.unconfirmed
            && waits.session == Some(session)
            && waits.persist.is_none()
        {
            (waits.until, waits.reason) = (Instant::now(), SESSION_ENDED);
        }
        if let Some(underway) = &mut self.commits.underway
            && matches!(underway.what, What::Try(_, None, Some(own)) if own == session)
        {
            underway.orphaned = true;
        }
    }

    /// Frees locks whose holders are gone; call it every second or so.
    pub(in super::super::super) fn watch_locks(&mut self) {
        for at in 0..self.commits.locks.len() {
            if self.commits.locks[at].as_ref().is_some_and(|lock| !lock.holder.lives()) {
                self.release(at, "its terminal is gone");
            }
        }
    }

    /// Whether an editor may put something into force now.
    pub(super) fn may_commit(&mut self, editor: &Editor, persist_id: Option<&str>) -> Result<(), Refusal> {
        if let Some(underway) = &self.commits.underway {
            let who = author(&underway.by).text();
            return Err(Refusal::new(
                "in-use",
                format!("a commit is under way, by {who}: try again when it is through"),
            ));
        }
        if let Some(why) = self.trail_refuses() {
            return Err(Refusal::new("resource-denied", why));
        }
        self.may(Datastore::Running, editor)?;
        self.may(Datastore::Candidate, editor)?;
        match &self.commits.unconfirmed {
            Some(waits) if waits.persist.is_some() && waits.persist.as_deref() != persist_id => {
                let text = format!("generation {} waits for whoever knows its persist-id", waits.number);
                Err(Refusal::new("invalid-value", text))
            }
            Some(waits) if waits.persist.is_none() && waits.session.is_some() && waits.session != editor.session => {
                let (number, who) = (waits.number, author(&waits.by).text());
                let text =
                    format!("generation {number} waits to be confirmed by the session that committed it, of {who}");
                Err(Refusal { session: waits.session, ..Refusal::new("in-use", text) })
            }
            None if persist_id.is_some() => Err(Refusal::new("invalid-value", "no commit waits for a persist-id")),
            _ => Ok(()),
        }
    }

    pub(super) fn may_edit(&mut self, editor: &Editor) -> Result<(), Refusal> {
        self.may(Datastore::Candidate, editor)
    }

    fn may(&mut self, target: Datastore, editor: &Editor) -> Result<(), Refusal> {
        self.watch_locks();
        match &self.commits.locks[at(target)] {
            Some(lock) if lock.holder != editor.holder => Err(lock.denied(target)),
            _ => Ok(()),
        }
    }

    pub(super) fn lock(&mut self, target: Datastore, editor: Editor) -> Result<(), Refusal> {
        self.watch_locks();
        if let Some(lock) = &self.commits.locks[at(target)] {
            return Err(lock.denied(target));
        }
        // RFC 6241, 7.5; whoever sits at a terminal may lock what they have begun to edit.
        if target == Datastore::Candidate && self.commits.standing.modified && editor.session.is_some() {
            let why = "the candidate has edits that were neither committed nor discarded";
            return Err(Refusal { session: Some(0), ..Refusal::new("lock-denied", why) });
        }
        if target == Datastore::Running
            && let Some(waits) = &self.commits.unconfirmed
            && waits.session != editor.session
        {
            let why = format!("generation {} waits to be confirmed", waits.number);
            return Err(Refusal { session: Some(waits.session.unwrap_or(0)), ..Refusal::new("lock-denied", why) });
        }
        if !editor.holder.lives() {
            let why = "a lock is held by a session of NETCONF, or by a terminal (a session of the system), and you have neither";
            return Err(Refusal::new("operation-failed", why));
        }
        self.tell(AuditEvent::ConfigLock, &editor.by, &[(AuditField::Datastore, target.text().to_owned())], true);
        self.commits.locks[at(target)] = Some(Lock { holder: editor.holder, by: editor.by });
        Ok(())
    }

    pub(super) fn unlock(&mut self, target: Datastore, editor: &Editor) -> Result<(), Refusal> {
        match &self.commits.locks[at(target)] {
            Some(lock) if lock.holder == editor.holder => {
                self.release(at(target), "unlocked");
                Ok(())
            }
            Some(lock) => Err(lock.denied(target)),
            None => Err(Refusal::new("operation-failed", format!("the {} is not locked", target.text()))),
        }
    }

    fn release(&mut self, place: usize, reason: &str) {
        let Some(lock) = self.commits.locks[place].take() else { return };
        let target = if place == at(Datastore::Candidate) { Datastore::Candidate } else { Datastore::Running };
        let fields = [(AuditField::Datastore, target.text().to_owned()), (AuditField::Reason, reason.to_owned())];
        self.tell(AuditEvent::ConfigUnlock, &lock.by, &fields, true);
        if target == Datastore::Candidate && matches!(lock.holder, Holder::Session(_)) && self.commits.standing.modified
        {
            let (asked, _) = bounded(1);
            let occurrence = Occurrence::new(AuditEvent::ConfigDiscard, self.dataplane.now()).by(lock.by);
            let occurrence =
                occurrence.with(AuditField::Datastore, "candidate").with(AuditField::Reason, "its lock ended");
            self.reloader.ask(Ask::Discard, asked, vec![occurrence]);
        }
    }
}

impl Lock {
    fn denied(&self, target: Datastore) -> Refusal {
        let text = format!("the {} is locked by {}", target.text(), author(&self.by).text());
        let session = match self.holder {
            Holder::Session(session) => session,
            Holder::Terminal { .. } | Holder::Nobody => 0,
        };
        Refusal { session: Some(session), ..Refusal::new("lock-denied", text) }
    }
}

fn at(target: Datastore) -> usize {
    usize::from(target == Datastore::Running)
}
