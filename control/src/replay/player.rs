//! The firewall without its ports: pipeline, presence and recorder, driven by the clock of a capture.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use dataplane::access::Leavers;
use dataplane::appid::ResolvedTable;
use dataplane::command::Command;
use dataplane::counters::{Counter, Counters};
use dataplane::event::{self, EventReceiver, SessionChange, SessionEvent, SignOnEvent, Sizes, WorkerId};
use dataplane::guard::Protection;
use dataplane::pipeline::{Pipeline, Settings};
use dataplane::policy::PortId;
use dataplane::time::Nanos;

use super::batch::Batch;
use super::report::Report;
use crate::config::Compiled;
use crate::presence::access::{AccessTable, AccessTransition};
use crate::presence::im::{Presence, Transition};
use crate::record::sequence::Recorder;
use crate::record::{BootId, Class, LossPlace};

/// Events that may wait: what one burst and one turn of the pipeline can ever send, several times over.
const QUEUE: usize = 16_384;
/// The longest step of the clock while something may fall due.
const STEP: Duration = Duration::from_secs(1);
/// Turns at one step of the clock at most; each ends up to a thousand sessions.
const TURNS: usize = 4_096;

/// A replay under way.
pub(super) struct Player<'a> {
    pipeline: Pipeline,
    counters: Arc<Counters>,
    events: EventReceiver,
    presence: Presence,
    access: AccessTable,
    recorder: Recorder,
    report: Report<'a>,
    /// Those whose sessions end, as they signed off; none where that is not wished.
    leavers: Option<Leavers>,
    /// The clock; none before the first packet.
    now: Option<Nanos>,
    begun: Nanos,
}

impl<'a> Player<'a> {
    /// As `configuration` says, between these ports and with room for `sessions` at most.
    pub(super) fn new(configuration: &Compiled, wire: (PortId, PortId), sessions: usize, report: Report<'a>) -> Self {
        let dataplane = &configuration.dataplane;
        let worker = WorkerId(0);
        let settings = Settings {
            worker,
            max_sessions: dataplane.max_sessions.min(sessions),
            inspection_slots: dataplane.inspection_slots.min(sessions),
            fragment_slots: dataplane.fragment_slots.min(sessions),
            timeouts: dataplane.timeouts,
            wires: vec![wire],
            // A capture shows one side of a translation.
            nat: Vec::new(),
            // And one side of a router.
            routing: Default::default(),
            midstream: dataplane.midstream,
            verify_checksums: dataplane.verify_checksums,
            protection: Protection { has_sides: false, ..dataplane.protection.clone() },
        };
        let (sender, events) = event::channels(worker, Sizes { session: QUEUE, sign_on: QUEUE, access: QUEUE });
        let policy = Arc::clone(&configuration.policy);
        let pipeline = Pipeline::new(settings, policy, Arc::clone(&configuration.database), sender)
            .sharing(Arc::new(ResolvedTable::new(dataplane.resolved_addresses)))
            .watching(Arc::clone(&configuration.access.settings));
        Self {
            counters: Arc::clone(pipeline.counters()),
            pipeline,
            events,
            presence: Presence::new(Arc::clone(&configuration.database), dataplane.max_sessions, &configuration.im),
            access: {
                let mut access = AccessTable::new(configuration.access.limits());
                if let Some(tags) = configuration.policy.tags() {
                    while !access.tag(&configuration.users, tags) {}
                }
                access
            },
            leavers: configuration.access.end_sessions.then(Leavers::default),
            // A replay is not a run of the firewall: its records are numbered, but belong to none.
            recorder: Recorder::new(BootId(0), configuration),
            report,
            now: None,
            begun: Nanos(0),
        }
    }

    /// Judges a batch at its time, after what fell due before.
    pub(super) fn play(&mut self, batch: &mut Batch) -> io::Result<()> {
        let Some((time, mut frames)) = batch.frames() else { return Ok(()) };
        self.pass(time)?;
        self.access.heard(time);
        let mut verdicts = ArrayVec::new();
        self.pipeline.process(time, &mut frames, &mut verdicts);
        // What the firewall would send itself goes nowhere.
        self.pipeline.replies().for_each(drop);
        self.pipeline.clear_originated();
        self.drain()?;
        self.end_sessions(time)
    }

    /// Ends sessions of those who signed off.
    fn end_sessions(&mut self, now: Nanos) -> io::Result<()> {
        while let Some(waiting) = self.leavers.as_mut().filter(|leavers| !leavers.is_empty()) {
            let leavers = Arc::new(std::mem::take(waiting));
            self.pipeline.command(now, Command::EndSessions(Arc::clone(&leavers)));
            while Arc::strong_count(&leavers) > 1 {
                self.pipeline.turn(now);
                self.drain()?;
            }
        }
        Ok(())
    }

    /// The end of the captures: what presence held back is told, and what sessions are that showed no more than they did.
    /// Sessions and users stay as they are.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let mut next = self.now.map(|_| 0);
        while let (Some(now), Some(first)) = (self.now, next) {
            next = self.pipeline.name_open(now, first);
            self.drain()?;
        }
        let waiting = self.presence.finish();
        self.sign_ons(&waiting)?;
        let mut waiting = Vec::new();
        self.access.finish(&mut waiting);
        self.access_users(&waiting)?;
        let lost = self.events.lost();
        let span = (self.begun, self.now.unwrap_or_default());
        for (class, count) in [
            (Class::Session, lost.session),
            (Class::Im, lost.sign_on),
            (Class::Attack, lost.attack),
            (Class::Access, lost.access),
        ] {
            if count > 0 {
                let loss = self.recorder.loss(class, LossPlace::Worker(0), count, span);
                self.report.record(&loss)?;
            }
        }
        Ok(())
    }

    /// What the pipeline counted.
    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What was reported, for the summary.
    pub(super) fn into_report(self) -> Report<'a> {
        self.report
    }

    /// Moves the clock, in steps as long as a session may time out, and else from one moment to the next at which
    /// presence has something to say: the time it takes is bounded by the longest timeout, however long the silence.
    fn pass(&mut self, to: Nanos) -> io::Result<()> {
        let Some(mut now) = self.now else {
            (self.now, self.begun) = (Some(to), to);
            return Ok(());
        };
        while to.since(now) > STEP {
            let deadlines = [self.presence.next_deadline(), self.access.next_deadline()];
            let due = deadlines.into_iter().flatten().min().unwrap_or(to);
            let idle = self.counters.value(Counter::TableEntries) == 0;
            now = if idle { due.clamp(now + Duration::from_nanos(1), to) } else { now + STEP };
            self.turn(now)?;
        }
        self.now = Some(to);
        self.advance(to)
    }

    /// Everything that is due by `now`.
    fn turn(&mut self, now: Nanos) -> io::Result<()> {
        self.advance(now)?;
        for _ in 0..TURNS {
            let before = self.counters.value(Counter::TableEntries);
            self.pipeline.turn(now);
            self.drain()?;
            if self.counters.value(Counter::TableEntries) == before {
                break;
            }
        }
        self.end_sessions(now)
    }

    fn advance(&mut self, now: Nanos) -> io::Result<()> {
        let transitions = self.presence.advance(now);
        self.sign_ons(&transitions)?;
        let mut transitions = Vec::new();
        self.access.advance(now, &mut transitions);
        self.access_users(&transitions)
    }

    /// Takes what the pipeline reported: access users first, as the others' records may name them; then by time, sessions
    /// before their users.
    fn drain(&mut self) -> io::Result<()> {
        let mut transitions = Vec::new();
        while let Some(event) = self.events.access() {
            self.access.observe(&event, &mut transitions);
        }
        self.access_users(&transitions)?;
        let (mut session, mut sign_on) = (self.events.session(), self.events.sign_on());
        loop {
            match (session, sign_on) {
                (Some(first), second) if second.is_none_or(|second| first.header.time <= second.header.time) => {
                    self.session(&first)?;
                    session = self.events.session();
                }
                (_, Some(first)) => {
                    self.sign_on(&first)?;
                    sign_on = self.events.sign_on();
                }
                (_, None) => return Ok(()),
            }
        }
    }

    fn session(&mut self, event: &SessionEvent) -> io::Result<()> {
        if let SessionChange::Application(confidence) = event.change {
            let flow = self.recorder.session_flow(event);
            return self.report.application(event.header.time, &flow, confidence);
        }
        match self.recorder.session(event, &self.access) {
            Some(record) => self.report.record(&record),
            None => Ok(()),
        }
    }

    fn sign_on(&mut self, event: &SignOnEvent) -> io::Result<()> {
        let transitions = self.presence.observe(event);
        self.sign_ons(&transitions)
    }

    fn access_users(&mut self, transitions: &[AccessTransition]) -> io::Result<()> {
        for transition in transitions {
            if let Some(record) = self.recorder.access(transition) {
                self.report.record(&record)?;
            }
            if let Some(leavers) = &mut self.leavers {
                self.access.see_off(transition, transition.time.max(self.now.unwrap_or_default()), leavers);
            }
        }
        for forgery in self.access.take_forgeries() {
            let record = self.recorder.forgery(&forgery);
            self.report.record(&record)?;
        }
        Ok(())
    }

    fn sign_ons(&mut self, transitions: &[Transition]) -> io::Result<()> {
        for transition in transitions {
            if let Some(record) = self.recorder.im(transition, &self.access) {
                self.report.record(&record)?;
            }
        }
        Ok(())
    }
}
