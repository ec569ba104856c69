//! The life of a commit: from who asks to the answer, with the workers between; and who may edit and commit.

mod answers;
mod locks;
mod reload;
mod schedule;
mod trail;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};

use self::answers::Unanswered;
pub(super) use self::locks::Editor;
use self::locks::Lock;
use self::trail::CHANGES;
use super::super::commit::{Ask, Finish, Load, Loaded, Standing, Summary, Which};
use super::super::reload::{Outcome, Told};
use super::House;
use super::holder::Holder;
use crate::config::SIGNATURES;
use crate::config::generation::{Author, Cause};
use crate::manage::configure::{
    CommitRow, ConfigAction, ConfigView, Configure, Configured, ConfiguredReceiver, Datastore, DoneRow, Refusal, Rescue,
};
use crate::manage::metrics::CommitState;
use crate::manage::protocol::Answer;
use crate::manage::{Asker, ReloadRow, time_text};
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject, Via};

/// What is under way, what waits to be confirmed, who holds a lock.
#[derive(Debug, Default)]
pub(super) struct Commits {
    underway: Option<Underway>,
    unconfirmed: Option<Unconfirmed>,
    /// Of the candidate, and of what is in force.
    locks: [Option<Lock>; 2],
    standing: Standing,
    /// The file is to be read once more after what is under way.
    again: bool,
    /// Done, and not on the trail's disk yet.
    unanswered: Vec<Unanswered>,
}

/// A commit from when it is asked for until it is answered.
#[derive(Debug)]
struct Underway {
    what: What,
    by: Subject,
    comment: Option<String>,
    cause: Cause,
    asked: Asked,
    /// Known once it is compiled.
    summary: Summary,
    finish: Finish,
    warnings: Vec<String>,
    /// Whether workers went over to another policy.
    swapped: bool,
    /// The session that was to confirm it is over.
    orphaned: bool,
}

/// What it comes to.
#[derive(Clone, Debug)]
enum What {
    /// It stays.
    Commit,
    /// It stays if it is confirmed within this; whoever knows the word may, or the session.
    Try(Duration, Option<String>, Option<u32>),
    /// One that waits, stays.
    Confirm,
    /// One that waits, goes, for this reason.
    Revert(&'static str),
}

/// Who waits for the answer.
#[derive(Debug)]
enum Asked {
    /// Nobody: a signal, a time that has come.
    Nobody,
    Reload(Sender<Result<ReloadRow, String>>),
    Configure(Sender<Configured>),
}

/// A commit that waits to be confirmed.
#[derive(Debug)]
struct Unconfirmed {
    number: u32,
    until: Instant,
    text: String,
    persist: Option<String>,
    session: Option<u32>,
    /// Why it goes back where it does.
    reason: &'static str,
    by: Subject,
}

impl Commits {
    /// For who measures.
    pub(super) fn state(&self) -> CommitState {
        CommitState {
            underway: self.underway.is_some(),
            unconfirmed: self.unconfirmed.is_some(),
            scheduled: self.standing.scheduled.is_some(),
            modified: self.standing.modified,
            locks: self.locks.iter().flatten().count() as u8,
        }
    }
}

/// How long a commit may wait to be confirmed, in seconds.
const CONFIRM: std::ops::RangeInclusive<u64> = 10..=86_400;

/// Why a commit goes back whose session alone could confirm it.
const SESSION_ENDED: &str = "its session ended";

/// After a way back that failed, the next try.
const ONCE_MORE: Duration = Duration::from_secs(10);

impl House {
    /// Whether something is under way.
    pub(in super::super) fn reloads(&self) -> bool {
        self.commits.underway.is_some() || self.reloader.at_work() || !self.commits.unanswered.is_empty()
    }

    /// Whether a configuration is being taken up.
    pub(in super::super) fn is_committing(&self) -> bool {
        self.commits.underway.is_some()
    }

    /// Carries on with what is under way.
    pub(in super::super) fn turn_reload(&mut self) {
        self.turn_answers();
        // Since they were given back, the events of their flows have been taken.
        for generation in std::mem::take(&mut self.leaving) {
            self.presence.retire(generation);
        }
        self.take_back();
        if let Some(candidate) = self.held.take() {
            self.swap_to(candidate);
        }
        while let Some(outcome) = self.reloader.outcome() {
            match outcome {
                Outcome::Loaded(Ok(Loaded::Ready(candidate))) => self.take_up(candidate),
                Outcome::Loaded(Ok(Loaded::AtRestart(summary, keys))) => self.end_at_restart(summary, keys),
                Outcome::Loaded(Err(refusal)) => self.end_refused(refusal),
                Outcome::Finished(done, standing) => {
                    self.commits.standing = standing;
                    self.end_finished(done);
                }
                Outcome::Told(told) => self.end_told(told),
            }
        }
        if self.carry_on() {
            self.finish();
        }
        if self.commits.underway.is_none() {
            let late = self.commits.unconfirmed.as_ref().filter(|waits| Instant::now() >= waits.until);
            if let Some(reason) = late.map(|waits| waits.reason) {
                self.begin_revert(reason, Subject::system(), Asked::Nobody);
            } else if self.is_time() && self.trail_refuses().is_none() {
                self.begin_scheduled();
            } else if self.commits.again {
                self.begin_again();
            }
        }
    }

    /// Answers what is asked about the configuration, by somebody who may.
    pub(super) fn answer_configuration(&mut self, request: Configure, asker: &Asker) -> ConfiguredReceiver {
        let (asked, receiver) = bounded(1);
        let session = asker.session;
        let editor = Editor { by: asker.subject(), holder: Holder::of(asker.peer.pid, session), session };
        let done = match request {
            Configure::Show(view) => self.show(view, &asked),
            Configure::Do(request) => self.act(request, editor, &asked),
        };
        if let Err(refusal) = done {
            let _ = asked.try_send(Err(refusal));
        }
        receiver
    }

    fn show(&mut self, view: ConfigView, asked: &Sender<Configured>) -> Result<(), Refusal> {
        let ask = match view {
            ConfigView::Configuration { source } => Ask::Text(Which::read(&source)?),
            ConfigView::Diff { from, to } => {
                let to = to.as_deref().map_or(Ok(Which::Choose), Which::read)?;
                Ask::Diff(Which::read(&from)?, to)
            }
            ConfigView::Generations {} => Ask::Generations,
        };
        self.reloader.ask(ask, asked.clone(), Vec::new());
        Ok(())
    }

    /// Does what is asked of the configuration, or begins to; the answer comes by `asked`.
    pub(super) fn act(
        &mut self,
        request: ConfigAction,
        editor: Editor,
        asked: &Sender<Configured>,
    ) -> Result<(), Refusal> {
        let (by, now) = (editor.by.clone(), self.dataplane.now());
        let author = author(&by);
        match request {
            ConfigAction::Check { source, text } => {
                let which = match (source, text) {
                    (None, None) => Which::Choose,
                    (Some(source), None) => Which::read(&source)?,
                    (None, Some(text)) => Which::Text(text),
                    (Some(_), Some(_)) => return Err(Refusal::new("invalid-value", "either source or text")),
                };
                self.reloader.ask(Ask::Check(which), asked.clone(), Vec::new());
            }
            ConfigAction::Commit { comment, confirm, persist, persist_id, source, on_restart, at } => {
                self.may_commit(&editor, persist_id.as_deref())?;
                let which = match source.as_deref() {
                    None => Which::Choose,
                    Some("file") => Which::File,
                    Some("candidate") => Which::Candidate,
                    Some(other) => {
                        return Err(Refusal::new("invalid-value", format!("\"{other}\": not one of file, candidate")));
                    }
                };
                if let Some(at) = at {
                    if confirm.is_some() || on_restart {
                        return Err(Refusal::new("invalid-value", "at goes neither with confirm nor with on-restart"));
                    }
                    return self.schedule(which, &at, comment, by, asked);
                }
                let load = Load { comment, on_restart, ..self.load(which, Cause::Commit, &by) };
                self.begin_commit(load, confirm, persist, &editor, asked)?;
            }
            ConfigAction::Confirm { persist_id } => {
                self.may_commit(&editor, persist_id.as_deref())?;
                let Some(waits) = &self.commits.unconfirmed else { return Err(none_waits()) };
                let finish = Finish::Publish { number: waits.number, from_file: false };
                let summary = Summary { generation: Some(waits.number), ..Summary::default() };
                self.reloader.finish(finish);
                let asked = Asked::Configure(asked.clone());
                let underway = Underway::new(What::Confirm, by, None, Cause::Commit, asked);
                self.commits.underway = Some(Underway { summary, finish, ..underway });
            }
            ConfigAction::Cancel { persist_id } => {
                self.may_commit(&editor, persist_id.as_deref())?;
                if self.commits.unconfirmed.is_none() {
                    // Over NETCONF, this is of confirmed commits only (RFC 6241, 8.4.4.1).
                    let none = || Err(none_waits());
                    return if editor.session.is_some() { none() } else { self.unschedule(by, asked) };
                }
                self.begin_revert("cancelled", by, Asked::Configure(asked.clone()));
            }
            ConfigAction::Rollback { back, generation, comment, confirm } => {
                self.may_commit(&editor, None)?;
                let (which, cause) = match (back, generation) {
                    (Some(back), None) => (Which::Back(back), Cause::Rollback(back)),
                    (None, Some(number)) => (Which::Number(number), Cause::Taken(number)),
                    _ => return Err(Refusal::new("invalid-value", "either back or generation is needed")),
                };
                let load = Load { comment, ..self.load(which, cause, &by) };
                self.begin_commit(load, confirm, None, &editor, asked)?;
            }
            ConfigAction::Rescue { what: Rescue::Save } => {
                let occurred = vec![Occurrence::new(AuditEvent::RescueSave, now).by(by)];
                self.reloader.ask(Ask::SaveRescue, asked.clone(), occurred);
            }
            ConfigAction::Rescue { what: Rescue::Load } => {
                self.may_commit(&editor, None)?;
                let load = self.load(Which::Rescue, Cause::Rescue, &by);
                self.begin_commit(load, None, None, &editor, asked)?;
            }
            ConfigAction::Lock { target } => {
                self.lock(target, editor)?;
                let _ = asked.try_send(Ok(vec![said(format!("the {} is locked", target.text()))]));
            }
            ConfigAction::Unlock { target } => {
                self.unlock(target, &editor)?;
                let _ = asked.try_send(Ok(vec![said(format!("the {} is not locked any more", target.text()))]));
            }
            ConfigAction::Edit { operations, error_option, .. } => {
                self.may_edit(&editor)?;
                let occurred = operations.iter().take(CHANGES).map(|operation| {
                    let kind = format!("{:?}", operation.kind).to_lowercase();
                    let occurrence = Occurrence::new(AuditEvent::ConfigEdit, now).by(by.clone());
                    occurrence.with(AuditField::Change, kind).with(AuditField::Path, &operation.path)
                });
                let occurred = occurred.collect();
                let ask = Ask::Edit { operations, option: error_option, by: author, time: now.0 };
                self.reloader.ask(ask, asked.clone(), occurred);
            }
            ConfigAction::Load { target: Datastore::Candidate, text } => {
                self.may_edit(&editor)?;
                let occurrence = Occurrence::new(AuditEvent::ConfigEdit, now).by(by);
                let occurred =
                    vec![occurrence.with(AuditField::Change, "load").with(AuditField::Datastore, "candidate")];
                self.reloader.ask(Ask::Load { text, by: author, time: now.0 }, asked.clone(), occurred);
            }
            ConfigAction::Load { target: Datastore::Running, .. } => {
                let why = "what is in force changes by a commit: load the candidate";
                return Err(Refusal::new("operation-not-supported", why));
            }
            ConfigAction::Discard {} => {
                self.may_edit(&editor)?;
                let occurrence = Occurrence::new(AuditEvent::ConfigDiscard, now).by(by);
                let occurred = vec![occurrence.with(AuditField::Datastore, "candidate")];
                self.reloader.ask(Ask::Discard, asked.clone(), occurred);
            }
        }
        Ok(())
    }

    fn begin_commit(
        &mut self,
        mut load: Load,
        confirm: Option<u64>,
        persist: Option<String>,
        editor: &Editor,
        asked: &Sender<Configured>,
    ) -> Result<(), Refusal> {
        if let Some(why) = self.is_scheduled() {
            return Err(Refusal::new("in-use", why));
        }
        let what = match confirm {
            None if persist.is_some() => {
                return Err(Refusal::new("invalid-value", "persist is of a commit that is to be confirmed"));
            }
            None => What::Commit,
            Some(seconds) if CONFIRM.contains(&seconds) => {
                let within = Duration::from_secs(seconds);
                load.until = Some(load.time.saturating_add(within.as_nanos() as u64));
                let session = editor.session.filter(|_| persist.is_none());
                What::Try(within, persist, session)
            }
            Some(seconds) => {
                let (least, most) = (CONFIRM.start(), CONFIRM.end());
                let why = format!("{seconds} seconds to confirm: at least {least} and at most {most} are possible");
                return Err(Refusal::new("invalid-value", why));
            }
        };
        self.begin(what, editor.by.clone(), load, Asked::Configure(asked.clone()));
        Ok(())
    }

    fn load(&self, which: Which, cause: Cause, by: &Subject) -> Load {
        let time = self.dataplane.now().0;
        Load { from: which, by: author(by), cause, comment: None, until: None, on_restart: false, time }
    }

    fn begin(&mut self, what: What, by: Subject, load: Load, asked: Asked) {
        self.commits.underway = Some(Underway::new(what, by, load.comment.clone(), load.cause, asked));
        self.reloader.begin(load);
    }

    fn begin_revert(&mut self, reason: &'static str, by: Subject, asked: Asked) {
        let load = self.load(Which::Confirmed, Cause::Commit, &by);
        self.begin(What::Revert(reason), by, load, asked);
    }

    fn take_up(&mut self, candidate: super::Candidate) {
        if let Some(underway) = &mut self.commits.underway {
            underway.summary = candidate.summary.clone();
            underway.finish = candidate.finish;
            underway.warnings.clone_from(&candidate.warnings);
            underway.swapped = true;
        }
        self.swap_to(candidate);
        if self.held.is_some() && self.readers.len() >= super::DATABASES {
            let databases = super::DATABASES;
            eprintln!("ostiary: the new signatures wait: flows are still read by {databases} databases before");
        }
    }

    /// All workers went over.
    fn finish(&mut self) {
        let row = self.reload_row();
        eprintln!("ostiary: {row}");
        let finish = self.commits.underway.as_ref().map_or(Finish::Nothing, |underway| underway.finish);
        self.reloader.finish(finish);
    }

    fn end_finished(&mut self, done: Result<Option<std::path::PathBuf>, String>) {
        let Some(mut underway) = self.commits.underway.take() else { return };
        match done {
            Ok(edited) => underway.summary.edited = edited.or(underway.summary.edited),
            Err(why) => {
                // It is in force, and a restart would not know it: whoever asked has to know that.
                eprintln!("ostiary: the configuration is in force and is not kept: {why}");
                self.settle(&underway);
                let since = self.recorder.last();
                self.tell_refused(&underway, &why);
                self.tell_signatures(&underway);
                let why = format!("it is in force, and the policy file is the one before: {why}");
                self.answer_written(since, underway.asked, Err(Refusal::new("operation-failed", why)), None);
                return;
            }
        }
        let confirmed = self.settle(&underway);
        let since = self.recorder.last();
        self.tell_done(&underway, confirmed);
        let policy = self.reload_row();
        let row = self.commit_row(&underway, Vec::new());
        self.answer_written(since, underway.asked, Ok(vec![Answer::Commit(Box::new(row))]), Some(policy));
    }

    /// What waits to be confirmed from now on; and what waited until now, where this is a commit that confirms it.
    fn settle(&mut self, underway: &Underway) -> Option<u32> {
        let waits = match &underway.what {
            What::Try(within, persist, session) => Some(Unconfirmed {
                number: underway.summary.generation.unwrap_or_default(),
                until: Instant::now() + if underway.orphaned { Duration::ZERO } else { *within },
                text: time_text(::dataplane::time::Nanos(self.dataplane.now().0 + within.as_nanos() as u64)),
                persist: persist.clone(),
                session: *session,
                reason: if underway.orphaned { SESSION_ENDED } else { "not confirmed in time" },
                by: underway.by.clone(),
            }),
            What::Commit | What::Confirm | What::Revert(_) => None,
        };
        let waited = std::mem::replace(&mut self.commits.unconfirmed, waits);
        waited.filter(|_| matches!(underway.what, What::Commit)).map(|waited| waited.number)
    }

    fn end_at_restart(&mut self, summary: Summary, keys: Vec<String>) {
        let Some(mut underway) = self.commits.underway.take() else { return };
        underway.summary = summary;
        let since = self.recorder.last();
        self.tell_done(&underway, None);
        let row = self.commit_row(&underway, keys);
        self.answer_written(since, underway.asked, Ok(vec![Answer::Commit(Box::new(row))]), None);
    }

    fn end_refused(&mut self, refusal: Refusal) {
        let Some(underway) = self.commits.underway.take() else { return };
        if let (What::Revert(_), Some(waits)) = (&underway.what, &mut self.commits.unconfirmed) {
            eprintln!("ostiary: generation {} cannot be taken back yet: {}", waits.number, refusal.text);
            waits.until = Instant::now() + ONCE_MORE;
        } else if !matches!(underway.asked, Asked::Configure(_)) {
            eprintln!("ostiary: {}", refusal.text);
        }
        let since = self.recorder.last();
        self.tell_refused(&underway, refusal.brief.as_deref().unwrap_or(&refusal.text));
        if let Some(fault) = refusal.faults.iter().find(|fault| fault.path == SIGNATURES) {
            self.tell_signatures_refused(&underway, &fault.text);
        }
        self.answer_written(since, underway.asked, Err(refusal), None);
    }

    fn end_told(&mut self, told: Told) {
        self.commits.standing = told.standing;
        let since = self.recorder.last();
        if told.answer.is_ok() {
            for occurrence in told.occurred {
                self.audit(occurrence);
            }
        }
        self.answer_written(since, Asked::Configure(told.asked), told.answer, None);
    }

    fn commit_row(&self, underway: &Underway, at_restart: Vec<String>) -> CommitRow {
        let Summary { generation, before, changes, edited, .. } = &underway.summary;
        CommitRow {
            generation: *generation,
            before: *before,
            changes: changes.len() as u64,
            policy: underway.swapped.then(|| self.reload_row()),
            confirmed: matches!(underway.what, What::Confirm),
            confirm_until: self.commits.unconfirmed.as_ref().map(|waits| waits.text.clone()),
            at_restart,
            edited: edited.as_ref().map(|path| path.display().to_string()),
            warnings: underway.warnings.clone(),
        }
    }
}

impl Underway {
    fn new(what: What, by: Subject, comment: Option<String>, cause: Cause, asked: Asked) -> Self {
        let (summary, finish) = (Summary::default(), Finish::Nothing);
        Self { what, by, comment, cause, asked, summary, finish, warnings: Vec::new(), swapped: false, orphaned: false }
    }
}

fn said(text: String) -> Answer {
    Answer::Done(DoneRow { text })
}

fn none_waits() -> Refusal {
    Refusal::new("operation-failed", "no commit waits to be confirmed")
}

/// As it is written with a generation.
fn author(by: &Subject) -> Author {
    let via = by.via.map_or("system", Via::text);
    let user = by.user.as_ref().map(|user| Arc::clone(user).to_string());
    Author { user, uid: by.uid, pid: by.pid, via: via.to_owned() }
}
