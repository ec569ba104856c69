//! Packets of flows: found in the table, or the first of a new session.

use sigdb::AppId;

use super::{Packet, Pipeline};
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::event::CloseReason;
use crate::flow::{End, Flags, FlowKey, Identification, Patience, Record, Slot, Stage, State, Step, TcpTrack};
use crate::packet::Transport;
use crate::policy::{Application, Query};
use crate::time::Nanos;
use crate::verdict::DropReason;
use crate::wire::protocol;
use crate::wire::tcp::{ACK, RST, SYN};

/// The sequence numbers of the client's and the server's SYN, where they were seen.
pub(super) type InitialSequences = [Option<u32>; 2];

impl Pipeline {
    /// Judges a packet that has its ports, and gives its entry.
    pub(super) fn flow_packet(&mut self, packet: &Packet<'_>) -> Result<Slot, DropReason> {
        let info = packet.info;
        let Some(slot) = self.find(packet.now, &info.key, packet.hash) else {
            return self.open(packet, AppId::UNKNOWN, None);
        };
        self.check_translation(packet, slot)?;
        // The next session between the same ports need not be of the same application; the same one, readmitted, is.
        let application = if opens_tcp(packet) { AppId::UNKNOWN } else { self.table.record(slot).application };
        match self.known(packet, slot)? {
            Known::GoesOn => Ok(slot),
            Known::GivesWay(reason) => self.open(packet, application, Some((slot, reason))),
        }
    }

    /// The entry of a key, unless its time is over.
    pub(super) fn find(&mut self, now: Nanos, key: &FlowKey, hash: u64) -> Option<Slot> {
        let slot = self.table.find(key, hash)?;
        if self.table.is_silent(slot, self.patience(self.table.record(slot))) {
            self.leave(now, slot, CloseReason::Timeout);
            return None;
        }
        Some(slot)
    }

    /// A packet of an entry.
    fn known(&mut self, packet: &Packet<'_>, slot: Slot) -> Result<Known, DropReason> {
        let now = packet.now;
        let record = self.table.record(slot);
        let (state, direction) = (record.state(), packet.info.sender.direction(record.client()));
        self.check_side(packet, slot, direction)?;
        let is_on_its_side = self.is_on_its_side(packet, slot, direction);
        if opens_tcp(packet) {
            match state {
                State::Denied | State::Closed => return Ok(Known::GivesWay(CloseReason::Fin)),
                // The session is still open: who ends it has to be one of its ends.
                State::Closing if !is_on_its_side => return Err(DropReason::Spoofed),
                State::Closing => {
                    self.check_path(packet, slot, direction)?;
                    return Ok(Known::GivesWay(CloseReason::Fin));
                }
                // Nobody answered: what its SYN brought says nothing of the next.
                State::SynSent if direction == Direction::ToServer && self.begins_another(packet, slot) => {
                    self.check_path(packet, slot, direction)?;
                    return Ok(Known::GivesWay(CloseReason::Timeout));
                }
                _ => {}
            }
        }
        self.check_path(packet, slot, direction)?;
        match self.ensure_current(packet, slot) {
            // The client itself may begin anew at once.
            Err(DropReason::NatChanged) if direction == Direction::ToServer => {
                return Ok(Known::GivesWay(CloseReason::Policy));
            }
            judged => judged?,
        }
        if state == State::Denied {
            return Ok(Known::GivesWay(CloseReason::Policy));
        }
        self.normalise(packet, slot, direction)?;
        let initial = self.initial_sequences(slot);
        let heeded = is_on_its_side || !proves(packet, self.table.record(slot));
        let step = match &packet.info.transport {
            Transport::Tcp(segment) => {
                let record = self.table.record_mut(slot);
                let mut track = record.tcp;
                let step = match track.step(state, direction, segment, self.settings.protection.tcp_window) {
                    Step::OutOfWindow => return Err(DropReason::TcpOutOfWindow),
                    Step::ResetOutOfWindow => return Err(DropReason::TcpResetOutOfWindow),
                    Step::AckOutOfRange => return Err(DropReason::TcpAckOutOfRange),
                    Step::Stray => return Err(DropReason::TcpNotSyn),
                    _ if !heeded => Step::Pass(state),
                    step => step,
                };
                if heeded {
                    record.tcp = track;
                }
                step
            }
            _ if heeded && answers(state, direction) => Step::Pass(State::BothWays),
            _ => Step::Pass(state),
        };
        self.table.touch(slot);
        if let Step::Pass(new) = step
            && new != state
        {
            self.make_standing(now, slot, new);
            self.change_state(slot, new);
            self.end_quiet(slot);
            self.report_create(slot);
        }
        if heeded {
            self.inspect(packet, slot, direction, initial)?;
            self.watch(packet, slot, direction);
        }
        self.count(packet, slot, direction);
        if let Step::Close(reason) = step {
            self.close(now, slot, reason);
            self.change_state(slot, State::Closed);
        }
        Ok(Known::GoesOn)
    }

    /// Counts a packet that passes.
    pub(super) fn count(&mut self, packet: &Packet<'_>, slot: Slot, direction: Direction) {
        self.table.count(slot, direction, packet.octets);
        // The engine gets the connection from its start, or is told that it does not.
        if let Transport::Tcp(segment) = &packet.info.transport
            && segment.payload_length > 0
        {
            self.table.record_mut(slot).set(Flags::FROM_START, false);
        }
    }

    /// The numbers of both SYNs, as long as no data passed.
    fn initial_sequences(&self, slot: Slot) -> InitialSequences {
        let record = self.table.record(slot);
        if record.protocol() != protocol::TCP || !record.has(Flags::FROM_START) {
            return [None; 2];
        }
        [Direction::ToServer, Direction::ToClient].map(|direction| record.tcp.initial_sequence(direction))
    }

    /// The first packet of a flow: judged, and where it is let through, a session. Only then does the entry of the flow's
    /// last session go.
    fn open(
        &mut self,
        packet: &Packet<'_>,
        application: AppId,
        last: Option<(Slot, CloseReason)>,
    ) -> Result<Slot, DropReason> {
        let client = self.admit_first(packet)?;
        self.limit_first(packet)?;
        let direction = packet.info.sender.direction(client);
        let (mut record, query) = self.first(packet, client, application);
        if matches!(&packet.info.transport, Transport::Tcp(segment) if segment.flags & SYN == 0) {
            self.counters.add(Counter::TcpMidstream, 1);
        }
        let decision = self.policy.decide(&query);
        self.refuse_first(packet, &record, &decision)?;
        self.apply(&mut record, &decision);
        if decision.inspect {
            self.normalise_first(packet)?;
            self.admit_data(packet)?;
        }
        let mapping = self.map(packet, client, decision.rule)?;
        if let Some((last, reason)) = last {
            self.leave(packet.now, last, reason);
        }
        let entered = self.enter(packet, record);
        let slot = self.tie(packet.now, entered, mapping)?;
        self.open_quietly(packet, slot);
        self.report_create(slot);
        if let Err(reason) = self.inspect(packet, slot, direction, [None; 2]) {
            self.untie_refused(packet.now, slot);
            return Err(reason);
        }
        self.watch(packet, slot, direction);
        self.count(packet, slot, direction);
        Ok(slot)
    }

    /// Whether the first packet of a flow may open a session, whatever the rules say and whatever came before it; and the
    /// client's end.
    pub(super) fn admit_first(&self, packet: &Packet<'_>) -> Result<End, DropReason> {
        if packet.mapping.is_some() {
            // The mapping is for others: whom its client did not ask may not answer.
            return Err(DropReason::NatUnsolicited);
        }
        self.screen_first(packet)?;
        self.check_origin(packet)?;
        let client = self.client_of_first(packet)?;
        self.refuse_held(packet, client)?;
        Ok(client)
    }

    /// The record of a new session before it is judged, and what the policy is asked.
    pub(super) fn first(&self, packet: &Packet<'_>, client: End, application: AppId) -> (Record, Query) {
        let info = packet.info;
        let direction = info.sender.direction(client);
        let mut record = self.record(packet, client);
        if let Transport::Tcp(segment) = &info.transport {
            let (track, state) = TcpTrack::open(direction, segment);
            record.tcp = track;
            record.set_state(state);
            record.set(Flags::FROM_START, state == State::SynSent);
        } else if direction == Direction::ToClient && record.protocol() == protocol::UDP {
            record.set_state(State::Picked);
        }
        if record.protocol() == protocol::UDP && self.is_watched(&info.key, application) {
            record.set(Flags::WATCHED, true);
        }
        let inspectable = matches!(record.protocol(), protocol::TCP | protocol::UDP);
        let application = match application {
            AppId::UNKNOWN if inspectable => Application::Undecided,
            AppId::UNKNOWN => Application::Unknown,
            named => {
                record.application = named;
                record.set_stage(Stage::Over);
                Application::Named(named)
            }
        };
        let ports = self.packet_ports(packet, client);
        let query = self.query(&info.key, &record, ports, application);
        (record, query)
    }

    /// What control refuses whatever the rules say.
    fn refuse_held(&self, packet: &Packet<'_>, client: End) -> Result<(), DropReason> {
        if self.held {
            return Err(DropReason::AuditFull);
        }
        let (key, sender) = (&packet.info.key, packet.info.sender);
        if !self.blocked.is_empty() && [client, sender].iter().any(|side| self.blocked.has(key.end(*side).address)) {
            return Err(DropReason::BlockedSource);
        }
        Ok(())
    }

    /// Puts a record into the table, another giving way where it is full.
    fn enter(&mut self, packet: &Packet<'_>, record: Record) -> Result<Slot, DropReason> {
        self.make_room(packet, &record)?;
        let ports = self.packet_ports(packet, record.client());
        let patience = self.patience(&record);
        let slot = self.table.insert(packet.hash, &packet.info.key, record, patience).ok_or(DropReason::TableFull)?;
        if let Some(path) = self.paths.get_mut(slot.index()) {
            *path = ports;
        }
        self.active += 1;
        self.counters.add(Counter::SessionsOpened, 1);
        self.counters.hit(record.rule);
        self.count_table();
        Ok(slot)
    }

    /// Takes an entry out of the table, its session ended.
    pub(super) fn leave(&mut self, now: Nanos, slot: Slot, reason: CloseReason) {
        self.close(now, slot, reason);
        self.untie(now, slot);
        self.table.remove(slot);
        self.count_table();
    }

    /// Ends the session of an entry, if it is still open.
    pub(super) fn close(&mut self, now: Nanos, slot: Slot, reason: CloseReason) {
        if !self.table.record(slot).state().is_open() {
            return;
        }
        let named = self.end_inspection(now, slot, true, Identification::Over);
        self.end_quiet(slot);
        self.report_close(now, slot, reason, named);
        self.active -= 1;
        self.counters.add(Counter::SessionsClosed, 1);
        if reason == CloseReason::Timeout {
            self.counters.add(Counter::SessionsTimedOut, 1);
        }
        self.count_table();
    }

    /// Sets an entry's state, with what hangs on it: its class, and its time where that became shorter.
    pub(super) fn change_state(&mut self, slot: Slot, state: State) {
        let before = self.patience(self.table.record(slot));
        self.table.record_mut(slot).set_state(state);
        self.table.reclassify(slot);
        let patience = self.patience(self.table.record(slot));
        if patience < before {
            self.table.schedule(slot, patience);
        }
    }

    /// How long an entry stays after its last packet.
    #[inline]
    pub(super) fn patience(&self, record: &Record) -> Patience {
        self.lifetimes.of(record)
    }

    pub(super) fn count_table(&self) {
        self.counters.set(Counter::SessionsActive, self.active);
        self.counters.set(Counter::TableEntries, self.table.len() as u64);
    }
}

/// What becomes of an entry when a packet of its flow comes.
enum Known {
    /// Its session goes on.
    GoesOn,
    /// It is over: the packet may open another.
    GivesWay(CloseReason),
}

/// Whether a packet, were it taken for its sender's, would show that the sender is there: as the answer that a session
/// waits for, or as a SYN within one.
fn proves(packet: &Packet<'_>, record: &Record) -> bool {
    let is_syn = matches!(&packet.info.transport, Transport::Tcp(segment) if segment.flags & SYN != 0);
    is_syn || record.natural_class().waits()
}

/// Whether a packet, not TCP's, that goes in `direction` is what an entry in `state` waits for.
const fn answers(state: State, direction: Direction) -> bool {
    matches!((state, direction), (State::OneWay, Direction::ToClient) | (State::Picked, Direction::ToServer))
}

/// Whether a packet is a SYN that opens a connection.
pub(super) fn opens_tcp(packet: &Packet<'_>) -> bool {
    matches!(&packet.info.transport, Transport::Tcp(segment) if segment.flags & (SYN | ACK | RST) == SYN)
}
