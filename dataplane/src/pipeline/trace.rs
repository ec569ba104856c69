//! What would become of a frame, step by step, if it came now: asked of a pipeline that stays as it is.
//!
//! The steps are those of the packet path, in its order, by the same functions; where the path changes something, its fate
//! is read off a copy, or it is said what it hangs on. A test compares the answer with what the pipeline then does.

use sigdb::AppId;

use super::flows::opens_tcp;
use super::judgement::{reason, refusal};
use super::routing::Way;
use super::{Frame, Packet, Pipeline};
use crate::command::SessionView;
use crate::endpoint::{Direction, Endpoint, Tuple};
use crate::event::WorkerId;
use crate::flow::{self, FlowKey, Identification, Slot, State, Step};
use crate::nat::PoolId;
use crate::packet::{Fragment, PacketInfo, Parsed, Quoted, Transport};
use crate::policy::{Application, Decision, PortId, Query};
use crate::route::{self, Hop, NeighbourView};
use crate::time::Nanos;
use crate::verdict::{DropReason, Verdict};

/// A step on a packet's way, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The port and the headers are read.
    Read,
    /// A packet for a pool address is brought to whom it is for.
    Pool,
    /// The way on is looked for.
    Route,
    /// Screens look at every packet.
    Screen,
    /// The session that it belongs to is looked for.
    Session,
    /// What may open a session at all: screens and origin of first packets, who the client is, what control refuses.
    Admission,
    /// How many sessions its ends have opened.
    Flood,
    /// The rules are asked.
    Policy,
    /// An inspected packet has to be one that its receiver takes.
    Inspection,
    /// The rule translates.
    Translation,
    /// It leaves.
    Departure,
}

/// What the answer hangs on that cannot be told without changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unless {
    /// It is a fragment: its datagram is judged when it is whole.
    Fragment,
    /// It is for the interface itself: ARP, neighbour discovery.
    Neighbourhood,
    /// The table is full: another entry has to give way.
    TableFull,
    /// The engine is shown what it carries, and may name its application.
    Inspection,
    /// A port of the pool has to be free.
    Pool,
    /// Its next hop has to answer first.
    Unresolved,
    /// What waits in it is cut in pieces.
    Cut,
}

/// What a trace takes for given, in place of what is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Assumed {
    /// The application of a session that it opens.
    pub application: Option<AppId>,
    /// Labels of the users at the client's address.
    pub labels: Option<u64>,
}

/// A frame that does not come, of which it is asked what would become of it.
#[derive(Clone, Debug)]
pub struct Example {
    /// Where it would come in.
    pub port: PortId,
    /// The frame, or its beginning.
    pub bytes: Box<[u8]>,
    /// The whole frame's length on the wire.
    pub length: u32,
    /// What is taken for given.
    pub assumed: Assumed,
}

/// What the rules are asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The question.
    pub query: Query,
    /// The answer.
    pub decision: Decision,
    /// Whether the packet's fate is this answer; otherwise the session was judged before, and this is how it would be now.
    pub decides: bool,
}

/// What would become of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    /// Whose table was looked into.
    pub worker: WorkerId,
    /// The policy that was asked.
    pub epoch: u32,
    /// The last step that it came to.
    pub stage: Stage,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What that hangs on.
    pub unless: Option<Unless>,
    /// Its ends, the sender first; none where it is no IP packet, or was not read.
    pub tuple: Option<Tuple>,
    /// Where it goes at an interface.
    pub hop: Option<Hop>,
    /// The port by which it leaves, whatever the policy says.
    pub out: Option<PortId>,
    /// Its next hop, if it is known.
    pub neighbour: Option<NeighbourView>,
    /// Whom a packet for a pool address is for.
    pub inside: Option<Endpoint>,
    /// Its session, if there is one.
    pub session: Option<SessionView>,
    /// What the rules say; none where it does not come to that.
    pub asked: Option<Asked>,
    /// Where its session's client gets an address.
    pub pool: Option<PoolId>,
}

impl Pipeline {
    /// Follows a frame without moving it: nothing is opened, counted, learned or sent. [`Pipeline::turn`] or a burst has to
    /// have told the time before.
    pub fn trace(&self, now: Nanos, frame: &Frame<'_>, assumed: Assumed) -> Trace {
        let mut trace = Trace {
            worker: self.settings.worker,
            epoch: self.policy.epoch(),
            stage: Stage::Read,
            verdict: Verdict::Taken,
            unless: None,
            tuple: None,
            hop: None,
            out: None,
            neighbour: None,
            inside: None,
            session: None,
            asked: None,
            pool: None,
        };
        trace.verdict = self.follow(now, frame, assumed, &mut trace).unwrap_or_else(Verdict::Drop);
        trace
    }

    /// The same of an example, in memory that is there already; of a longer one its beginning.
    pub fn trace_example(&mut self, now: Nanos, example: &Example) -> Trace {
        let mut room = std::mem::take(&mut self.room);
        let at_hand = room.len().min(example.bytes.len());
        let bytes = room.get_mut(..at_hand).unwrap_or_default();
        bytes.copy_from_slice(example.bytes.get(..at_hand).unwrap_or_default());
        let trace = self.trace(now, &Frame::new(example.port, bytes, example.length), example.assumed);
        self.room = room;
        trace
    }

    fn follow(
        &self,
        now: Nanos,
        frame: &Frame<'_>,
        assumed: Assumed,
        trace: &mut Trace,
    ) -> Result<Verdict, DropReason> {
        let wire = self.wires.from(frame.port);
        trace.out = wire.map(|(_, out)| out);
        let mut info = match self.parse(frame, wire.map(|(wire, _)| wire))? {
            Parsed::Packet(info) => info,
            parsed => {
                if matches!(parsed, Parsed::LinkControl) {
                    self.settings.protection.screen_link_control(frame.bytes)?;
                }
                trace.unless = wire.is_none().then_some(Unless::Neighbourhood);
                return Ok(wire.map_or(Verdict::Taken, |(_, out)| Verdict::Forward(out)));
            }
        };
        trace.tuple = Some(info.key.tuple(info.sender));
        if info.fragment != Fragment::None {
            trace.unless = Some(Unless::Fragment);
            return Ok(Verdict::Taken);
        }
        let mut mapping = None;
        if self.nat.is_some() {
            trace.stage = Stage::Pool;
            mapping = self.bring_inside(&mut info)?;
            trace.inside = mapping.map(|_| info.key.end(info.sender.other()));
        }
        let hash = self.table.hash(info.flow_key());
        let way = if wire.is_none() {
            trace.stage = Stage::Route;
            trace.hop = self.router.way(frame.port, info.addresses().1);
            let way = self.find_way(frame, &info, info.length).map_err(|(reason, _)| reason)?;
            trace.out = Some(self.port_of(way));
            Some(way)
        } else {
            None
        };
        let path = way.map(|way| (frame.port, self.port_of(way)));
        let packet = Packet { now, frame, info: &info, hash, mapping, path, octets: info.length };
        trace.stage = Stage::Screen;
        self.settings.protection.screen(frame.bytes, &info)?;
        trace.stage = Stage::Session;
        match info.transport {
            Transport::Error(quoted) => self.follow_error(&packet, quoted, trace)?,
            _ => self.follow_flow(&packet, assumed, trace)?,
        }
        trace.stage = Stage::Departure;
        match (way, trace.out) {
            (None, out) => Ok(out.map_or(Verdict::Taken, Verdict::Forward)),
            (Some(Way::Own), _) => self.follow_up(frame, &info),
            (Some(Way::On(target)), _) => {
                trace.neighbour = self.router.neighbour_of(target);
                let is_ready = trace.neighbour.is_some_and(|neighbour| neighbour.mac.is_some());
                let mtu = self.router.interface(target.port).map_or(0, |interface| u32::from(interface.mtu));
                trace.unless = trace.unless.or(match is_ready {
                    false => Some(Unless::Unresolved),
                    true if info.length > mtu => Some(Unless::Cut),
                    true => None,
                });
                let leaves = is_ready && info.length <= mtu;
                Ok(if leaves { Verdict::Forward(target.port) } else { Verdict::Taken })
            }
        }
    }

    /// A packet for one of our own addresses.
    fn follow_up(&self, frame: &Frame<'_>, info: &PacketInfo) -> Result<Verdict, DropReason> {
        if let Some(port) = self.router.leads_up() {
            return Ok(Verdict::Forward(port));
        }
        let is_echo = route::is_echo_request(frame.bytes, &info.link, usize::from(info.transport_offset));
        if is_echo { Ok(Verdict::Taken) } else { Err(DropReason::NoLocalService) }
    }

    /// An ICMP error, as [`Pipeline::icmp_error`].
    fn follow_error(&self, packet: &Packet<'_>, quoted: Option<Quoted>, trace: &mut Trace) -> Result<(), DropReason> {
        let quoted = quoted.ok_or(DropReason::IcmpUnknownFlow)?;
        let slot = self.look_up(&quoted.key, packet.hash).ok_or(DropReason::IcmpUnknownFlow)?;
        let state = self.table.record(slot).state();
        if state == State::Denied {
            return Err(DropReason::IcmpUnknownFlow);
        }
        trace.session = Some(self.view(slot));
        self.check_translation(packet, slot)?;
        let direction = quoted.sender.direction(self.table.record(slot).client()).reverse();
        self.check_side(packet, slot, direction)?;
        self.check_path(packet, slot, direction)?;
        self.follow_policy(slot, trace).map(drop)
    }

    /// The entry of a key, unless its time is over.
    pub(super) fn look_up(&self, key: &FlowKey, hash: u64) -> Option<Slot> {
        let slot = self.table.find(key, hash)?;
        (!self.table.is_silent(slot, self.patience(self.table.record(slot)))).then_some(slot)
    }

    /// As [`Pipeline::flow_packet`].
    fn follow_flow(&self, packet: &Packet<'_>, assumed: Assumed, trace: &mut Trace) -> Result<(), DropReason> {
        let Some(slot) = self.look_up(&packet.info.key, packet.hash) else {
            return self.follow_first(packet, AppId::UNKNOWN, assumed, false, trace);
        };
        trace.session = Some(self.view(slot));
        self.check_translation(packet, slot)?;
        let application = if opens_tcp(packet) { AppId::UNKNOWN } else { self.table.record(slot).application };
        if self.follow_known(packet, slot, trace)? {
            return self.follow_first(packet, application, assumed, true, trace);
        }
        Ok(())
    }

    /// A packet of an entry; true where the entry gives way and the packet may open another session.
    fn follow_known(&self, packet: &Packet<'_>, slot: Slot, trace: &mut Trace) -> Result<bool, DropReason> {
        let record = self.table.record(slot);
        let (state, direction) = (record.state(), packet.info.sender.direction(record.client()));
        self.check_side(packet, slot, direction)?;
        if opens_tcp(packet) {
            match state {
                State::Denied | State::Closed => return Ok(true),
                State::Closing if !self.is_on_its_side(packet, slot, direction) => return Err(DropReason::Spoofed),
                State::Closing => return self.check_path(packet, slot, direction).map(|()| true),
                State::SynSent if direction == Direction::ToServer && self.begins_another(packet, slot) => {
                    return self.check_path(packet, slot, direction).map(|()| true);
                }
                _ => {}
            }
        }
        self.check_path(packet, slot, direction)?;
        match self.follow_policy(slot, trace) {
            Err(DropReason::NatChanged) if direction == Direction::ToServer => return Ok(true),
            judged => judged?,
        }
        if state == State::Denied {
            return Ok(true);
        }
        let rejudged = !record.is_of_epoch(self.policy.epoch()) && state.is_open();
        let inspected = match trace.asked {
            Some(asked) if rejudged => {
                let goes_on = asked.decision.inspect || self.is_settled(slot);
                match record.stage() {
                    flow::Stage::Running if goes_on => true,
                    flow::Stage::Over => false,
                    flow::Stage::Running | flow::Stage::NotBegun => asked.decision.inspect,
                }
            }
            _ => record.is_inspected(),
        };
        if inspected && state.is_open() {
            trace.stage = Stage::Inspection;
            self.verify(packet)?;
            let is_running = matches!(self.table.identification(slot), Identification::Running(_));
            if is_running || !packet.info.payload(packet.frame.bytes).is_empty() {
                trace.unless = Some(Unless::Inspection);
            }
        }
        if let Transport::Tcp(segment) = &packet.info.transport {
            let mut track = record.tcp;
            match track.step(state, direction, segment, self.settings.protection.tcp_window) {
                Step::OutOfWindow => return Err(DropReason::TcpOutOfWindow),
                Step::ResetOutOfWindow => return Err(DropReason::TcpResetOutOfWindow),
                Step::AckOutOfRange => return Err(DropReason::TcpAckOutOfRange),
                Step::Stray => return Err(DropReason::TcpNotSyn),
                _ => {}
            }
        }
        Ok(false)
    }

    /// What the rules say of an entry now, as [`Pipeline::ensure_current`].
    fn follow_policy(&self, slot: Slot, trace: &mut Trace) -> Result<(), DropReason> {
        let record = self.table.record(slot);
        let query = self.query_of(slot, self.application(slot));
        let decision = self.policy.decide(&query);
        let state = record.state();
        let decides = state == State::Denied || state.is_open() && !record.is_of_epoch(self.policy.epoch());
        trace.asked = Some(Asked { query, decision, decides });
        if !decides {
            return Ok(());
        }
        trace.stage = Stage::Policy;
        if state == State::Denied {
            let (rule, action) = self.present_denial(slot);
            return reason(rule, action).map_or(Ok(()), Err);
        }
        if let Some(reason) = refusal(&decision) {
            return Err(reason);
        }
        if self.keeps_translation(slot, decision.rule) { Ok(()) } else { Err(DropReason::NatChanged) }
    }

    /// The first packet of a flow, as [`Pipeline::open`]; `replaces` where it takes the place of an entry.
    fn follow_first(
        &self,
        packet: &Packet<'_>,
        application: AppId,
        assumed: Assumed,
        replaces: bool,
        trace: &mut Trace,
    ) -> Result<(), DropReason> {
        trace.asked = None;
        trace.stage = Stage::Admission;
        let client = self.admit_first(packet)?;
        trace.stage = Stage::Flood;
        self.would_limit_first(packet)?;
        let (_, mut query) = self.first(packet, client, application);
        if let Some(application) = assumed.application {
            query.application = Application::Named(application);
        }
        query.labels = assumed.labels.unwrap_or(query.labels);
        let decision = self.policy.decide(&query);
        trace.asked = Some(Asked { query, decision, decides: true });
        trace.stage = Stage::Policy;
        if let Some(reason) = refusal(&decision) {
            return Err(reason);
        }
        if decision.inspect {
            trace.stage = Stage::Inspection;
            self.verify(packet)?;
            self.admit_data(packet)?;
            let is_shown = matches!(packet.info.transport, Transport::Tcp(_) | Transport::Udp);
            if is_shown && !packet.info.payload(packet.frame.bytes).is_empty() && assumed.application.is_none() {
                trace.unless = Some(Unless::Inspection);
            }
        }
        trace.stage = Stage::Translation;
        if let Some(inside) = self.to_translate(packet, client, decision.rule)? {
            trace.pool = Some(inside.pool);
            trace.unless = trace.unless.or(Some(Unless::Pool));
        }
        if !replaces && self.table.len() >= self.table.capacity() {
            trace.unless = Some(Unless::TableFull);
        }
        Ok(())
    }
}
