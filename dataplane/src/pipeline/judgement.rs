//! What the policy says of a flow: at its first packet, when its application becomes known, and when the policy changed.

use sigdb::Confidence;

use super::routing::Path;
use super::{Packet, Pipeline};
use crate::counters::Counter;
use crate::event::CloseReason;
use crate::flow::{Flags, FlowKey, Identification, Record, Slot, Stage, State};
use crate::policy::{Action, Application, Decision, Query, RuleId};
use crate::time::Nanos;
use crate::verdict::DropReason;
use crate::wire::protocol;

impl Pipeline {
    /// What the policy is asked about a flow between these ports.
    pub(super) fn query(
        &self,
        key: &FlowKey,
        record: &Record,
        (client_port, server_port): Path,
        application: Application,
    ) -> Query {
        let (client, server) = (key.end(record.client()), key.end(record.client().other()));
        let is_icmp = matches!(key.protocol(), protocol::ICMP | protocol::ICMPV6);
        Query {
            from: self.policy.zone(client_port),
            to: self.policy.zone(server_port),
            source: client.address,
            destination: server.address,
            protocol: key.protocol(),
            source_port: if is_icmp { 0 } else { client.port },
            // A query's type stands as the server's port in the key; queries have code 0.
            destination_port: if is_icmp { server.port << 8 } else { server.port },
            application,
            labels: self.policy.labels(key.realm(), client.address),
        }
    }

    /// What it is asked about the flow of an entry.
    pub(super) fn query_of(&self, slot: Slot, application: Application) -> Query {
        self.query(&self.table.key(slot), self.table.record(slot), self.ports(slot), application)
    }

    /// Drops the first packet of a flow that the policy denies.
    pub(super) fn refuse_first(
        &mut self,
        packet: &Packet<'_>,
        record: &Record,
        decision: &Decision,
    ) -> Result<(), DropReason> {
        let Some(reason) = refusal(decision) else { return Ok(()) };
        self.counters.hit(decision.rule);
        if decision.session_logging {
            self.note_denied(packet, record, decision.rule);
        }
        if reason == DropReason::PolicyReset {
            self.reset_sender(packet);
        }
        Err(reason)
    }

    /// Writes a decision that lets a flow through into its record.
    pub(super) fn apply(&self, record: &mut Record, decision: &Decision) {
        record.set_epoch(self.policy.epoch());
        record.rule = decision.rule;
        record.set(Flags::LOGGED, decision.session_logging);
        record.set(Flags::INSPECT, decision.inspect);
        record.set(Flags::TENTATIVE, decision.tentative);
    }

    /// Judges an entry by the present policy, if it was judged by an older one; drops what is denied.
    pub(super) fn ensure_current(&mut self, packet: &Packet<'_>, slot: Slot) -> Result<(), DropReason> {
        let record = self.table.record(slot);
        match record.state() {
            State::Denied => self.still_denied(packet, slot).map_or(Ok(()), Err),
            State::Closed => Ok(()),
            _ if record.is_of_epoch(self.policy.epoch()) => Ok(()),
            _ => self.judge_again(packet, slot, Occasion::Policy),
        }
    }

    /// Judges an open session by what is known of it now.
    pub(super) fn judge_again(
        &mut self,
        packet: &Packet<'_>,
        slot: Slot,
        occasion: Occasion,
    ) -> Result<(), DropReason> {
        let now = packet.now;
        self.counters.add(Counter::SessionsRejudged, 1);
        let application = self.application(slot);
        let decision = self.policy.decide(&self.query_of(slot, application));
        let refusal = refusal(&decision);
        // Where the last word was said, what it was said of is still watched until it has arrived.
        if refusal.is_some() || !decision.inspect && !self.is_settled(slot) {
            // Under the rule that applied until now: what this segment showed belongs to the new one, which does not want
            // to know it; but who had signed on under the old one is told to be gone.
            let heard = occasion == Occasion::Policy;
            self.end_inspection(now, slot, heard, Identification::NotBegun);
        }
        let mut record = *self.table.record(slot);
        if record.rule != decision.rule {
            self.counters.hit(decision.rule);
        }
        let logged = record.has(Flags::LOGGED);
        let passed = record.passed_packets() || record.has(Flags::CREATE_SENT);
        self.apply(&mut record, &decision);
        if record.protocol() == protocol::UDP {
            // What is looked for may have changed with the policy.
            record.set(Flags::WATCHED, self.is_watched(&self.table.key(slot), record.application));
        }
        if refusal.is_some() {
            // Where packets passed under a rule that logs, the session is recorded, though the rule that ends it would
            // not; where none did, there was no session, only a packet that was denied.
            record.set(Flags::LOGGED, passed && (logged || decision.session_logging));
        }
        *self.table.record_mut(slot) = record;
        self.report_create(slot);
        if let Occasion::Named(confidence) = occasion {
            self.report_application(now, slot, confidence);
        }
        if let Some(reason) = refusal {
            if reason == DropReason::PolicyReset {
                self.reset_both(packet, slot);
            }
            if !passed && decision.session_logging {
                self.note_denied(packet, &record, decision.rule);
            }
            self.deny(now, slot);
            return Err(reason);
        }
        if !self.keeps_translation(slot, decision.rule) {
            // What comes next opens another session, with the mapping that the rule asks for.
            self.close(now, slot, CloseReason::Policy);
            self.change_state(slot, State::Denied);
            return Err(DropReason::NatChanged);
        }
        Ok(())
    }

    /// Ends a session that the policy no longer allows; its entry stays to refuse what still comes.
    fn deny(&mut self, now: Nanos, slot: Slot) {
        self.close(now, slot, CloseReason::Policy);
        self.table.touch(slot);
        self.change_state(slot, State::Denied);
        self.counters.add(Counter::DeniedPackets, 1);
    }

    /// Why a packet of a denied flow is dropped; none where a newer policy would let the flow through.
    pub(super) fn still_denied(&mut self, packet: &Packet<'_>, slot: Slot) -> Option<DropReason> {
        let (rule, action) = self.present_denial(slot);
        let reason = reason(rule, action)?;
        let epoch = self.policy.epoch();
        let record = self.table.record_mut(slot);
        record.set_epoch(epoch);
        record.rule = rule;
        self.table.touch(slot);
        self.counters.add(Counter::DeniedPackets, 1);
        if reason == DropReason::PolicyReset {
            self.reset_sender(packet);
        }
        Some(reason)
    }

    /// The rule that a denied flow is under now, and what it does.
    pub(super) fn present_denial(&self, slot: Slot) -> (RuleId, Action) {
        let record = self.table.record(slot);
        // Who was denied may have signed on since.
        if record.is_of_epoch(self.policy.epoch()) && !self.policy.names_users() {
            return (record.rule, self.policy.action(record.rule));
        }
        let decision = self.policy.decide(&self.query_of(slot, self.application(slot)));
        (decision.rule, decision.action)
    }

    /// What is known of a flow's application.
    pub(super) fn application(&self, slot: Slot) -> Application {
        let record = self.table.record(slot);
        let inspectable = matches!(record.protocol(), protocol::TCP | protocol::UDP);
        match record.stage() {
            _ if record.application.is_known() => Application::Named(record.application),
            Stage::Running if self.is_settled(slot) => Application::Unknown,
            Stage::NotBegun | Stage::Running if inspectable => Application::Undecided,
            _ => Application::Unknown,
        }
    }
}

/// Why a session is judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The policy changed.
    Policy,
    /// The engine named its application.
    Named(Confidence),
    /// The engine cannot name it.
    Unnamed,
}

/// Why a packet is dropped by this decision; none where it is let through.
pub(super) fn refusal(decision: &Decision) -> Option<DropReason> {
    reason(decision.rule, decision.action)
}

pub(super) fn reason(rule: RuleId, action: Action) -> Option<DropReason> {
    match action {
        Action::Permit => None,
        _ if rule == RuleId::IMPLICIT => Some(DropReason::ImplicitDeny),
        Action::Deny => Some(DropReason::Policy),
        Action::Reset => Some(DropReason::PolicyReset),
    }
}
