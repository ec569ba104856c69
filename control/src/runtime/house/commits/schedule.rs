//! Commits that are set for a time.

use std::sync::Arc;

use crossbeam::channel::Sender;
use dataplane::time::Nanos;
use jiff::Timestamp;

use super::super::House;
use super::{Ask, Asked, Load, What, Which, author, none_waits};
use crate::config::generation::{Author, Cause};
use crate::config::store::Scheduled;
use crate::manage::configure::{Configured, Refusal};
use crate::manage::time_text;
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject, Via};

/// How far ahead a commit may be set, in nanoseconds: a year.
const AHEAD: u64 = 366 * 86_400 * 1_000_000_000;

impl House {
    /// Sets a commit for a time of RFC 3339. What is committed then is what is there now.
    pub(super) fn schedule(
        &mut self,
        which: Which,
        at: &str,
        comment: Option<String>,
        by: Subject,
        asked: &Sender<Configured>,
    ) -> Result<(), Refusal> {
        if let Some(why) = self.waiting() {
            return Err(Refusal::new("in-use", why));
        }
        let now = self.dataplane.now();
        let time = at.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_nanosecond()).ok());
        let time = time
            .ok_or_else(|| Refusal::new("invalid-value", format!("at \"{at}\": not a time as 2026-11-22T23:00:00Z")))?;
        if !(now.0..now.0.saturating_add(AHEAD)).contains(&time) {
            let why = format!("at {at}: has to be in the future, and within a year");
            return Err(Refusal::new("invalid-value", why));
        }
        let author = author(&by);
        let mut occurrence =
            Occurrence::new(AuditEvent::ConfigScheduled, now).by(by).with(AuditField::At, time_text(Nanos(time)));
        if let Some(comment) = &comment {
            occurrence = occurrence.with(AuditField::Comment, comment);
        }
        let ask = Ask::Schedule { which, at: time, by: author, comment };
        self.reloader.ask(ask, asked.clone(), vec![occurrence]);
        Ok(())
    }

    /// Takes back what is set for a time.
    pub(super) fn unschedule(&mut self, by: Subject, asked: &Sender<Configured>) -> Result<(), Refusal> {
        let Some(scheduled) = &self.commits.standing.scheduled else { return Err(none_waits()) };
        let occurrence = Occurrence::new(AuditEvent::ConfigScheduled, self.dataplane.now()).by(by).failed();
        let occurrence =
            occurrence.with(AuditField::At, time_text(Nanos(scheduled.at))).with(AuditField::Reason, "cancelled");
        self.reloader.ask(Ask::Unschedule, asked.clone(), vec![occurrence]);
        Ok(())
    }

    /// Why nothing else can be committed now; none where nothing is set for a time.
    pub(super) fn is_scheduled(&self) -> Option<String> {
        let scheduled = self.commits.standing.scheduled.as_ref()?;
        let (at, who) = (time_text(Nanos(scheduled.at)), scheduled.by.text());
        Some(format!("a commit is set for {at}, by {who}: wait for it, or take it back with ostiary cancel"))
    }

    /// Whether the time has come.
    pub(super) fn is_time(&self) -> bool {
        self.commits.standing.scheduled.as_ref().is_some_and(|scheduled| scheduled.at <= self.dataplane.now().0)
    }

    /// Begins what was set for now. Whether it is carried out or refused, it is not set any more.
    pub(super) fn begin_scheduled(&mut self) {
        let Some(scheduled) = self.commits.standing.scheduled.take() else { return };
        let by = subject(&scheduled.by);
        let load = Load {
            by: scheduled.by.clone(),
            comment: scheduled.comment.clone(),
            ..self.load(Which::Scheduled, Cause::Scheduled, &by)
        };
        self.begin(What::Commit, by, load, Asked::Nobody);
    }

    /// Tells of one whose time passed while nobody was there.
    pub(super) fn tell_missed(&mut self, missed: &Scheduled) {
        let (at, reason) = (time_text(Nanos(missed.at)), "the firewall did not run then");
        eprintln!("ostiary: the commit that was set for {at} is dropped: {reason}");
        let fields = [(AuditField::At, at), (AuditField::Reason, reason.to_owned())];
        self.tell(AuditEvent::ConfigScheduled, &subject(&missed.by), &fields, false);
    }
}

/// Who is written with it.
fn subject(author: &Author) -> Subject {
    let via = [Via::Cli, Via::Netconf].into_iter().find(|via| via.text() == author.via).unwrap_or(Via::System);
    Subject {
        user: author.user.as_deref().map(Arc::from),
        uid: author.uid,
        pid: author.pid,
        via: Some(via),
        ..Subject::default()
    }
}
