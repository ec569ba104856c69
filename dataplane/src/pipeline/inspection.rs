//! Showing flows to the identification engine, and heeding what it finds.

use sigdb::{Confidence, Sighting};

use super::flows::InitialSequences;
use super::judgement::Occasion;
use super::{Packet, Pipeline};
use crate::appid::{Contradiction, Finding, Findings, FlowStart, InspectionId, Progress, Segment, Shown};
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::flow::{Flags, Identification, Slot};
use crate::packet::Transport;
use crate::route;
use crate::time::Nanos;
use crate::verdict::DropReason;
use crate::wire::tcp::{ACK, RST, SYN};

impl Pipeline {
    /// Shows a packet to the engine, where the rule wants that. `Err` where the flow, judged by what the engine found, is
    /// denied, or where the packet contradicts another.
    ///
    /// A slot is taken at the first payload, so that a flood of SYNs takes none; the engine is then told of the SYNs
    /// (`initial`) first.
    pub(super) fn inspect(
        &mut self,
        packet: &Packet<'_>,
        slot: Slot,
        direction: Direction,
        initial: InitialSequences,
    ) -> Result<(), DropReason> {
        let record = self.table.record(slot);
        if !record.is_inspected() || !record.state().is_open() {
            return Ok(());
        }
        let Some(segment) = shown(packet, direction) else { return Ok(()) };
        let mut findings = Findings::new();
        let id = match self.table.identification(slot) {
            Identification::Over => return Ok(()),
            Identification::NotBegun if segment.payload.is_empty() => return Ok(()),
            Identification::NotBegun => {
                let Some(id) = self.begin(packet.now, slot) else {
                    return self.judge_again(packet, slot, Occasion::Unnamed);
                };
                self.show_syns(packet.now, id, initial, &mut findings);
                self.inspector.hops_fit(id, direction, route::hop_limit(packet.frame.bytes, &packet.info.link));
                id
            }
            Identification::Running(id) => id,
        };
        let shown = self.inspector.inspect(id, packet.now, segment, &mut findings);
        self.counters.add(Counter::AppidPackets, 1);
        let shown = shown.map_err(|Contradiction| DropReason::TcpOverlap)?;
        self.counters.add(Counter::AppidUnverified, u64::from(shown.unverified));
        let lost = self.inspector.take_lost();
        if lost > 0 {
            self.events.lose_sign_ons(lost);
            self.counters.add(Counter::SignonEventsLost, lost);
        }
        self.heed(packet, slot, shown, &findings)
    }

    /// Whether a first packet may take a slot of the engine's. A SYN with data may as long as a quarter is free: whose is
    /// refused tries again without (RFC 7413, 4.1.3).
    pub(super) fn admit_data(&self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let (free, all) = self.inspector.room();
        match &packet.info.transport {
            Transport::Tcp(segment)
                if segment.flags & SYN != 0 && segment.payload_length > 0 && free < all.div_ceil(4) =>
            {
                Err(DropReason::SynFlood)
            }
            _ => Ok(()),
        }
    }

    /// Releases a flow's inspection slot. What the engine says at the end is reported where it is to be `heard`. A flow that
    /// is over gets the name that its octets until now give it: how surely is returned.
    pub(super) fn end_inspection(
        &mut self,
        now: Nanos,
        slot: Slot,
        heard: bool,
        then: Identification,
    ) -> Option<Confidence> {
        let Identification::Running(id) = self.table.identification(slot) else { return None };
        self.table.set_identification(slot, then);
        let mut findings = Findings::new();
        self.inspector.end(id, &mut findings);
        let named = if matches!(then, Identification::Over) { self.name_last(slot, &findings) } else { None };
        if heard {
            self.report_sign_ons(now, slot, &findings);
        }
        named
    }

    /// Names a flow that ended before anything better could come: for its record; there is no packet left to judge.
    fn name_last(&mut self, slot: Slot, findings: &Findings) -> Option<Confidence> {
        let (application, confidence) = findings.iter().find_map(|finding| match finding {
            Finding::Application(application, confidence) => Some((*application, *confidence)),
            _ => None,
        })?;
        if self.table.record(slot).application.is_known() {
            return None;
        }
        self.table.record_mut(slot).application = application;
        self.counters.add(Counter::AppidIdentified, 1);
        Some(confidence)
    }

    /// Whether the engine's last word on a flow that it looks at was said.
    pub(super) fn is_settled(&self, slot: Slot) -> bool {
        matches!(self.table.identification(slot), Identification::Running(id) if self.inspector.is_settled(id))
    }

    /// Whether a SYN begins another connection than the one that waits for an answer and whose SYN brought data.
    pub(super) fn begins_another(&self, packet: &Packet<'_>, slot: Slot) -> bool {
        let Transport::Tcp(segment) = &packet.info.transport else { return false };
        let identification = self.table.identification(slot);
        matches!(identification, Identification::Running(id) if self.inspector.begins_another(id, segment.sequence))
    }

    fn begin(&mut self, now: Nanos, slot: Slot) -> Option<InspectionId> {
        let record = self.table.record(slot);
        let key = self.table.key(slot);
        let (client, server) = (key.end(record.client()), key.end(record.client().other()));
        let id = self.inspector.begin(FlowStart {
            protocol: record.protocol(),
            server_port: server.port,
            resolved: self.resolved.find(now, &client.address, key.realm(), &server.address),
            from_start: record.protocol() != crate::wire::protocol::TCP || record.has(Flags::FROM_START),
        });
        let (counter, identification) = match id {
            Some(id) => (Counter::AppidInspected, Identification::Running(id)),
            None => (Counter::AppidNoSlot, Identification::Over),
        };
        self.counters.add(counter, 1);
        self.table.set_identification(slot, identification);
        id
    }

    fn show_syns(&mut self, now: Nanos, id: InspectionId, initial: InitialSequences, findings: &mut Findings) {
        let acknowledged = initial[0].map(|sequence| sequence.wrapping_add(1));
        let acknowledgments = [None, acknowledged];
        for (direction, (sequence, acknowledgment)) in
            [Direction::ToServer, Direction::ToClient].into_iter().zip(initial.into_iter().zip(acknowledgments))
        {
            let Some(sequence) = sequence else { continue };
            let segment = Segment { direction, sequence, syn: true, acknowledgment, payload: &[] };
            // Without payload nothing is found, and nothing contradicts.
            let _ = self.inspector.inspect(id, now, segment, findings);
        }
    }

    fn heed(&mut self, packet: &Packet<'_>, slot: Slot, shown: Shown, findings: &Findings) -> Result<(), DropReason> {
        if shown.released {
            self.table.set_identification(slot, Identification::Over);
        }
        let was_known = self.table.record(slot).application.is_known();
        let mut named = None;
        for finding in findings {
            match finding {
                Finding::Application(application, confidence) if !was_known => {
                    self.table.record_mut(slot).application = *application;
                    self.watch_named(slot, *application);
                    named = Some(Occasion::Named(*confidence));
                }
                Finding::Resolved(resolved) => {
                    let (key, record) = (self.table.key(slot), self.table.record(slot));
                    let client = key.end(record.client()).address;
                    self.resolved.learn(packet.now, &client, key.realm(), resolved);
                }
                Finding::Application(..) | Finding::SignOn(_) => {}
            }
        }
        let occasion = match (named, shown.progress) {
            (Some(occasion), _) => {
                self.counters.add(Counter::AppidIdentified, 1);
                Some(occasion)
            }
            (None, Progress::Finished | Progress::GaveUp) if !was_known => {
                self.counters.add(Counter::AppidGaveUp, 1);
                Some(Occasion::Unnamed)
            }
            _ => None,
        };
        if let Some(occasion) = occasion {
            self.judge_again(packet, slot, occasion)?;
        }
        self.report_sign_ons(packet.now, slot, findings);
        Ok(())
    }

    /// Reports what the engine saw of users, where the rule wants the flow inspected.
    fn report_sign_ons(&mut self, now: Nanos, slot: Slot, findings: &Findings) {
        if !self.table.record(slot).has(Flags::INSPECT) {
            return;
        }
        for finding in findings {
            let Finding::SignOn(sign_on) = finding else { continue };
            if matches!(sign_on.sighting, Sighting::Login | Sighting::Online | Sighting::Opened) {
                self.table.record_mut(slot).set(Flags::SIGNED_ON, true);
                self.table.reclassify(slot);
            }
            self.report_sign_on(now, slot, *sign_on);
        }
    }
}

/// What of a packet the engine is shown.
fn shown<'a>(packet: &Packet<'a>, direction: Direction) -> Option<Segment<'a>> {
    let payload = packet.info.payload(packet.frame.bytes);
    match packet.info.transport {
        Transport::Tcp(segment) if segment.flags & RST == 0 => {
            let acknowledgment = (segment.flags & ACK != 0).then_some(segment.acknowledgment);
            let syn = segment.flags & SYN != 0;
            Some(Segment { direction, sequence: segment.sequence, syn, acknowledgment, payload })
        }
        Transport::Udp => Some(Segment { direction, sequence: 0, syn: false, acknowledgment: None, payload }),
        _ => None,
    }
}
