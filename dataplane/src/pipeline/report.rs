//! Events of sessions and users, sent to control.

use sigdb::{Confidence, SignOn};

use super::Pipeline;
use super::routing::Path;
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::event::{CloseReason, SessionChange, SessionEvent, SessionId, SignOnEvent, Volume};
use crate::flow::{Flags, FlowKey, Realm, Record, Slot};
use crate::nat::Translation;
use crate::policy::{Action, Application};
use crate::time::Nanos;

impl Pipeline {
    /// Reports that a session began, where its rule logs and it was not reported yet. While the rule depends on an
    /// application that is not known, nothing is said: it could be another rule's session, which does not log.
    pub(super) fn report_create(&mut self, slot: Slot) {
        let record = self.table.record_mut(slot);
        let unreported = !record.has(Flags::TENTATIVE) && !record.has(Flags::CREATE_SENT);
        if unreported && record.has(Flags::LOGGED) {
            record.set(Flags::CREATE_SENT, true);
            let start = self.table.start(slot);
            self.report(start, slot, SessionChange::Create);
        }
    }

    /// Reports that a session ended, where its rule logs or its begin was reported; before it how surely its application is
    /// known, where only the end `named` it.
    pub(super) fn report_close(&mut self, now: Nanos, slot: Slot, reason: CloseReason, named: Option<Confidence>) {
        if self.is_unheard(slot, reason) {
            return;
        }
        self.settle(slot);
        self.report_create(slot);
        if let Some(confidence) = named {
            self.report_application(now, slot, confidence);
        }
        let record = self.table.record(slot);
        if !record.has(Flags::LOGGED) && !record.has(Flags::CREATE_SENT) {
            return;
        }
        self.report(now, slot, SessionChange::Close { reason });
    }

    /// Reports the application of an open session of which no more will be seen.
    pub(super) fn report_named(&mut self, now: Nanos, slot: Slot, confidence: Confidence) {
        self.settle(slot);
        self.report_create(slot);
        self.report_application(now, slot, confidence);
    }

    /// Gives a session that ends before any rule was asked about its application to the one that takes it with the name that
    /// the end gave it, or without one; where that would have been denied, the rule that let it through keeps it.
    fn settle(&mut self, slot: Slot) {
        let mut record = *self.table.record(slot);
        if !record.has(Flags::TENTATIVE) {
            return;
        }
        let (key, ports) = (self.table.key(slot), self.ports(slot));
        let application = match record.application.is_known() {
            true => Application::Named(record.application),
            false => Application::Unknown,
        };
        let decision = self.policy.decide(&self.query(&key, &record, ports, application));
        if decision.action == Action::Permit {
            if record.rule != decision.rule {
                self.counters.hit(decision.rule);
            }
            self.apply(&mut record, &decision);
        }
        record.set(Flags::TENTATIVE, false);
        *self.table.record_mut(slot) = record;
    }

    /// Reports the application of a session, whatever its rule logs.
    pub(super) fn report_application(&mut self, now: Nanos, slot: Slot, confidence: Confidence) {
        self.report(now, slot, SessionChange::Application(confidence));
    }

    /// Reports what was seen of a user.
    pub(super) fn report_sign_on(&mut self, now: Nanos, slot: Slot, sign_on: SignOn) {
        let record = self.table.record(slot);
        let (session, start) = (self.table.session(slot), self.table.start(slot));
        let tuple = self.table.key(slot).tuple(record.client());
        let (rule, logged) = (record.rule, record.has(Flags::LOGGED));
        let (client, server) = self.ports(slot);
        let ports = (client.0, server.0);
        let kept = self.events.sign_on(now, |header| SignOnEvent {
            header,
            session,
            start,
            tuple,
            rule,
            ports,
            logged,
            sign_on,
        });
        self.counters.add(if kept { Counter::SignonEvents } else { Counter::SignonEventsLost }, 1);
    }

    fn report(&mut self, now: Nanos, slot: Slot, change: SessionChange) {
        let record = *self.table.record(slot);
        let account = Account {
            translation: self.translation(slot),
            ports: self.ports(slot),
            start: self.table.start(slot),
            to_server: self.table.volume(slot, Direction::ToServer),
            to_client: self.table.volume(slot, Direction::ToClient),
        };
        self.send(now, self.table.session(slot), &self.table.key(slot), &record, account, change);
    }

    fn send(
        &mut self,
        now: Nanos,
        session: SessionId,
        key: &FlowKey,
        record: &Record,
        account: Account,
        change: SessionChange,
    ) {
        let ports = (account.ports.0.0, account.ports.1.0);
        let kept = self.events.session(now, |header| SessionEvent {
            header,
            session,
            tuple: key.tuple(record.client()),
            translation: account.translation,
            rule: record.rule,
            application: record.application,
            ports,
            logged: record.has(Flags::LOGGED),
            change,
            start: account.start,
            to_server: account.to_server,
            to_client: account.to_client,
        });
        self.counters.add(if kept { Counter::SessionEvents } else { Counter::SessionEventsLost }, 1);
    }

    /// The port of the client's side and the other.
    pub(super) fn ports(&self, slot: Slot) -> Path {
        let record = self.table.record(slot);
        match record.realm().wire() {
            Realm::ROUTED => self.paths.get(slot.index()).copied().unwrap_or_default(),
            wire => self.wires.pair(wire, record.has(Flags::CLIENT_ON_SECOND)),
        }
    }
}

/// When a session began, between which ports, and what it moved.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// What source NAT makes of its client's end.
    translation: Option<Translation>,
    ports: Path,
    start: Nanos,
    to_server: Volume,
    to_client: Volume,
}
