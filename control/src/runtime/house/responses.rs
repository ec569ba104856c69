//! What is done by itself when something happens: `[[respond]]`, carried out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, TryRecvError, bounded};
use dataplane::access::TagPlace;
use dataplane::blocked::BlockedSources;
use dataplane::command::Command;
use dataplane::time::Nanos;

use super::House;
use super::commits::Editor;
use super::holder::Holder;
use crate::audit::respond::blocked::Blocked;
use crate::audit::respond::program::{self, Programs};
use crate::audit::respond::{Due, Responder};
use crate::config::{Builtin, Response, ResponseRule};
use crate::manage::configure::{ConfigAction, ConfiguredReceiver, Rescue};
use crate::record::Record;
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Origin, Subject, Via};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Responses {
    pub(super) responder: Responder,
    programs: Programs,
    blocked: Blocked,
    /// Ways back to the rescue configuration that were begun.
    rescues: Vec<(Due, ConfiguredReceiver)>,
    /// What workers are to refuse, and the mailboxes that were full.
    sources: Arc<BlockedSources>,
    untold: Vec<Sender<Command>>,
}

impl Responses {
    /// By these rules.
    pub(super) fn new(rules: &[ResponseRule]) -> Self {
        let mut responses = Self::default();
        responses.responder.reconfigure(rules.to_vec());
        responses
    }

    /// How many sources are blocked now.
    pub(super) fn blocked(&self) -> u64 {
        self.blocked.count() as u64
    }
}

/// What these responses are called in the records.
const ROTATE: &str = "rotate";
const RESCUE: &str = "rescue";

impl House {
    /// Does what a record is the ground of. What is done is recorded, and is the ground of nothing.
    pub(super) fn respond(&mut self, record: &Record) {
        let judged = self.responses.responder.judge(record);
        for limited in judged.limited {
            self.audit(limited);
        }
        for due in judged.due {
            self.carry_out(due);
        }
    }

    fn carry_out(&mut self, due: Due) {
        let now = self.dataplane.now();
        let done = match due.response.clone() {
            Response::BlockSource(time) => self.block(&due, time, now),
            Response::Raise(severity) => {
                self.audit(due.raised(severity, now));
                return;
            }
            Response::Run(Builtin::ClearSessions) => self.end_sessions_of(&due, now),
            Response::Run(Builtin::Rotate) => self.rotate_all(),
            Response::Run(Builtin::Rescue) => return self.begin_rescue(due, now),
            // A file that is closed is sent by itself.
            Response::Upload(file) => match self.store.rotate(&file).and_then(|()| self.store.upload(&file)) {
                Ok(()) => Ok(format!("upload {file}")),
                Err(reason) => Err(("upload", reason)),
            },
            Response::Mail(to) => {
                let mail = program::mail(&due, &to, &self.compiled.host_name);
                let arguments = [self.compiled.mail_program.display().to_string(), "-oi".to_owned(), to];
                return self.start(due, &arguments, Some(&mail));
            }
            Response::Program(arguments) => return self.start(due, &arguments, None),
        };
        self.audit(match done {
            Ok(measure) => due.taken(&measure, now),
            Err((measure, reason)) => due.failed(measure, &reason, now),
        });
    }

    /// Programs tell how they ended when they have.
    fn start(&mut self, due: Due, arguments: &[String], input: Option<&str>) {
        let path = arguments.first().map_or("", |path| path.as_str()).to_owned();
        if let Err(refused) = self.responses.programs.start(due, arguments, input, Instant::now()) {
            let (due, reason) = *refused;
            self.audit(due.failed(&format!("program {path}"), &reason, self.dataplane.now()));
        }
    }

    fn block(&mut self, due: &Due, time: Duration, now: Nanos) -> Result<String, (&'static str, String)> {
        const MEASURE: &str = "block-source";
        let origin = due.origin.ok_or_else(|| (MEASURE, "the record names no origin".to_owned()))?;
        self.responses.blocked.add(origin, now + time).map_err(|reason| (MEASURE, reason))?;
        self.see_off_address(origin, now);
        Ok(format!("{MEASURE} for {} s", time.as_secs()))
    }

    fn end_sessions_of(&mut self, due: &Due, now: Nanos) -> Result<String, (&'static str, String)> {
        const MEASURE: &str = "clear-sessions";
        let origin = due.origin.ok_or_else(|| (MEASURE, "the record names no origin".to_owned()))?;
        self.see_off_address(origin, now);
        Ok(MEASURE.to_owned())
    }

    fn rotate_all(&mut self) -> Result<String, (&'static str, String)> {
        for file in &self.compiled.audit.files {
            self.store.rotate(&file.name).map_err(|reason| (ROTATE, reason))?;
        }
        Ok(ROTATE.to_owned())
    }

    /// The rescue configuration is loaded as by anybody who asks: not past a lock, nor past another commit.
    fn begin_rescue(&mut self, due: Due, now: Nanos) {
        let (asked, outcome) = bounded(1);
        let by = Subject { via: Some(Via::Response), ..Subject::default() };
        let editor = Editor { by, holder: Holder::Nobody, session: None };
        match self.act(ConfigAction::Rescue { what: Rescue::Load }, editor, &asked) {
            Ok(()) => self.responses.rescues.push((due, outcome)),
            Err(refusal) => {
                self.audit(due.failed(RESCUE, &refusal.text, now));
            }
        }
    }

    /// What became of ways back to the rescue configuration.
    fn turn_rescues(&mut self, now: Nanos) {
        let mut rest = Vec::new();
        for (due, outcome) in std::mem::take(&mut self.responses.rescues) {
            let said = match outcome.try_recv() {
                Ok(Ok(_)) => due.taken(RESCUE, now),
                Ok(Err(refusal)) => due.failed(RESCUE, &refusal.text, now),
                Err(TryRecvError::Disconnected) => due.failed(RESCUE, "the firewall stops", now),
                Err(TryRecvError::Empty) => {
                    rest.push((due, outcome));
                    continue;
                }
            };
            self.audit(said);
        }
        self.responses.rescues.append(&mut rest);
    }

    /// Goes on: programs that ended, sources whose time is over, workers that were not told yet. Call it at every turn.
    pub(super) fn turn_responses(&mut self, now: Instant) {
        let time = self.dataplane.now();
        for (due, measure, how) in self.responses.programs.turn(now) {
            self.audit(match how {
                None => due.taken(&measure, time),
                Some(reason) => due.failed(&measure, &reason, time),
            });
        }
        self.turn_rescues(time);
        for source in self.responses.blocked.expire(time) {
            self.audit(released(source, time));
        }
        let responses = &mut self.responses;
        if let Some(sources) = responses.blocked.take_changed() {
            responses.sources = Arc::new(sources.into_iter().map(Into::into).collect());
            responses.untold = self.dataplane.mailboxes();
        }
        let (sources, retired) = (&responses.sources, &self.retired.0);
        responses.untold.retain(|mailbox| {
            let command = Command::Block { sources: Arc::clone(sources), retired: retired.clone() };
            mailbox.try_send(command).is_err_and(|error| error.is_full())
        });
    }

    fn see_off_address(&mut self, address: IpAddr, now: Nanos) {
        self.farewells.add(TagPlace::host(None, address.into()), now);
    }
}

/// A source's time is over.
fn released(source: IpAddr, now: Nanos) -> Occurrence {
    let origin = Some(Origin { address: source, port: None });
    let subject = Subject { origin, via: Some(Via::Response), ..Subject::default() };
    let released = Occurrence::new(AuditEvent::ResponseTaken, now).by(subject);
    released.with(AuditField::Measure, "unblock-source").with(AuditField::Reason, "its time is over")
}
