//! Packets of flows: found in the table, or the first of a new session.

use std::time::Duration;

use sigdb::AppId;

use super::{Packet, Pipeline};
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::event::{CloseReason, SessionId};
use crate::flow::{Flags, FlowKey, Identification, Record, Slot, State, Step, TcpTrack};
use crate::packet::Transport;
use crate::policy::Application;
use crate::time::Nanos;
use crate::verdict::DropReason;
use crate::wire::protocol;
use crate::wire::tcp::{ACK, RST, SYN};

/// How long TCP waits after a FIN from one side only.
const HALF_CLOSED: Duration = Duration::from_secs(120);
/// How long a denied flow is remembered after its last packet.
const DENIED: Duration = Duration::from_secs(30);

/// The sequence numbers of the client's and the server's SYN, where they were seen.
pub(super) type InitialSequences = [Option<u32>; 2];

impl Pipeline {
    /// Judges a packet that has its ports, whole or first fragment, and gives its entry.
    pub(super) fn flow_packet(&mut self, packet: &Packet<'_>) -> Result<Slot, DropReason> {
        let info = packet.info;
        let Some(slot) = self.find(packet.now, &info.key, packet.hash) else {
            return self.open(packet, AppId::UNKNOWN);
        };
        // The next session between the same ports need not be of the same application; the same one, readmitted, is.
        let application = if opens_tcp(packet) { AppId::UNKNOWN } else { self.table.record(slot).application };
        match self.known(packet, slot)? {
            Some(slot) => Ok(slot),
            None => self.open(packet, application),
        }
    }

    /// The entry of a key, unless its time is over.
    pub(super) fn find(&mut self, now: Nanos, key: &FlowKey, hash: u32) -> Option<Slot> {
        let slot = self.table.find(key, hash)?;
        if self.due(self.table.record(slot)) <= now {
            self.leave(now, slot, CloseReason::Timeout);
            return None;
        }
        Some(slot)
    }

    /// A packet of an entry; `None` where the entry gave way to a new session that the packet may open.
    fn known(&mut self, packet: &Packet<'_>, slot: Slot) -> Result<Option<Slot>, DropReason> {
        let now = packet.now;
        let record = self.table.record(slot);
        let (state, direction) = (record.state, packet.info.sender.direction(record.client()));
        if opens_tcp(packet) && matches!(state, State::Denied | State::Closed | State::Closing) {
            self.leave(now, slot, CloseReason::Fin);
            return Ok(None);
        }
        self.ensure_current(packet, slot)?;
        if state == State::Denied {
            self.leave(now, slot, CloseReason::Policy);
            return Ok(None);
        }
        let initial = self.initial_sequences(slot);
        let step = match &packet.info.transport {
            Transport::Tcp(segment) => {
                let record = self.table.record_mut(slot);
                match record.tcp.step(state, direction, segment) {
                    Step::OutOfWindow => return Err(DropReason::TcpOutOfWindow),
                    Step::Stray => return Err(DropReason::TcpNotSyn),
                    step => step,
                }
            }
            _ if state == State::OneWay && direction == Direction::ToClient => Step::Pass(State::BothWays),
            _ => Step::Pass(state),
        };
        self.table.record_mut(slot).last = now;
        if let Step::Pass(new) = step
            && new != state
        {
            self.change_state(now, slot, new);
        }
        self.inspect(packet, slot, direction, initial)?;
        self.count(packet, slot, direction);
        if let Step::Close(reason) = step {
            self.close(now, slot, reason);
            self.change_state(now, slot, State::Closed);
        }
        Ok(Some(slot))
    }

    /// Counts a packet that passes.
    pub(super) fn count(&mut self, packet: &Packet<'_>, slot: Slot, direction: Direction) {
        let record = self.table.record_mut(slot);
        record.count(direction, packet.info.length);
        // The engine gets the connection from its start, or is told that it does not.
        if let Transport::Tcp(segment) = &packet.info.transport
            && segment.payload_length > 0
        {
            record.flags.set(Flags::FROM_START, false);
        }
    }

    /// The numbers of both SYNs, as long as no data passed.
    fn initial_sequences(&self, slot: Slot) -> InitialSequences {
        let record = self.table.record(slot);
        if !record.flags.has(Flags::FROM_START) {
            return [None; 2];
        }
        [Direction::ToServer, Direction::ToClient].map(|direction| record.tcp.initial_sequence(direction))
    }

    /// The first packet of a flow: judged, and where it is let through, a session.
    fn open(&mut self, packet: &Packet<'_>, application: AppId) -> Result<Slot, DropReason> {
        let info = packet.info;
        let client = self.client_of_first(packet)?;
        let direction = info.sender.direction(client);
        let mut record = self.record(packet, client);
        if let Transport::Tcp(segment) = &info.transport {
            (record.tcp, record.state) = TcpTrack::open(direction, segment);
            record.flags.set(Flags::FROM_START, record.state == State::SynSent);
            if segment.flags & SYN == 0 {
                self.counters.add(Counter::TcpMidstream, 1);
            }
        }
        let inspectable = matches!(record.protocol(), protocol::TCP | protocol::UDP);
        let application = match application {
            AppId::UNKNOWN if inspectable => Application::Undecided,
            AppId::UNKNOWN => Application::Unknown,
            named => {
                record.application = named;
                record.set_identification(Identification::Over);
                Application::Named(named)
            }
        };
        let decision = self.policy.decide(&self.query(&record, application));
        self.refuse_first(packet, &record, &decision)?;
        self.apply(&mut record, &decision);
        let slot = self.enter(packet, record)?;
        self.report_create(slot);
        self.inspect(packet, slot, direction, [None; 2])?;
        self.count(packet, slot, direction);
        Ok(slot)
    }

    /// Puts a record into the table, another giving way where it is full.
    fn enter(&mut self, packet: &Packet<'_>, record: Record) -> Result<Slot, DropReason> {
        let now = packet.now;
        if self.table.len() == self.table.capacity() {
            let victim = self.table.victim(now).ok_or(DropReason::TableFull)?;
            self.leave(now, victim, CloseReason::Evicted);
            self.counters.add(Counter::SessionsEvicted, 1);
        }
        self.sessions += 1;
        let session = SessionId(u64::from(self.settings.worker.0) << 48 | self.sessions);
        let due = self.due(&record);
        let slot = self.table.insert(packet.hash, record, session, due).ok_or(DropReason::TableFull)?;
        self.active += 1;
        self.counters.add(Counter::SessionsOpened, 1);
        self.count_table();
        Ok(slot)
    }

    /// Takes an entry out of the table, its session ended.
    pub(super) fn leave(&mut self, now: Nanos, slot: Slot, reason: CloseReason) {
        self.close(now, slot, reason);
        self.table.remove(slot);
        self.count_table();
    }

    /// Ends the session of an entry, if it is still open.
    pub(super) fn close(&mut self, now: Nanos, slot: Slot, reason: CloseReason) {
        if !self.table.record(slot).state.is_open() {
            return;
        }
        self.end_inspection(now, slot, true, Identification::Over);
        self.report_close(now, slot, reason);
        self.active -= 1;
        self.counters.add(Counter::SessionsClosed, 1);
        if reason == CloseReason::Timeout {
            self.counters.add(Counter::SessionsTimedOut, 1);
        }
        self.count_table();
    }

    /// Sets an entry's state, with what hangs on it: its class, and its time where that became shorter.
    pub(super) fn change_state(&mut self, now: Nanos, slot: Slot, state: State) {
        let before = self.due(self.table.record(slot));
        self.table.record_mut(slot).state = state;
        self.table.reclassify(slot);
        let due = self.due(self.table.record(slot));
        if due < before {
            self.table.reschedule(slot, now, due);
        }
    }

    /// When an entry's time is over, if nothing more comes.
    pub(super) fn due(&self, record: &Record) -> Nanos {
        let timeouts = &self.settings.timeouts;
        let patience = match (record.state, record.protocol()) {
            (State::SynSent | State::SynReceived | State::Picked, _) => timeouts.tcp_opening,
            (State::Established, _) => timeouts.tcp_established,
            (State::HalfClosed, _) => HALF_CLOSED.min(timeouts.tcp_established),
            (State::Closing | State::Closed, _) => timeouts.tcp_closing,
            (State::Denied, _) => DENIED,
            (State::OneWay, protocol::UDP) => timeouts.udp,
            (State::BothWays, protocol::UDP) => timeouts.udp_stream,
            (_, protocol::ICMP | protocol::ICMPV6) => timeouts.icmp,
            _ => timeouts.other,
        };
        record.last + patience
    }

    pub(super) fn count_table(&self) {
        self.counters.set(Counter::SessionsActive, self.active);
        self.counters.set(Counter::TableEntries, self.table.len() as u64);
    }
}

/// Whether a packet is a SYN that opens a connection.
fn opens_tcp(packet: &Packet<'_>) -> bool {
    matches!(&packet.info.transport, Transport::Tcp(segment) if segment.flags & (SYN | ACK | RST) == SYN)
}
