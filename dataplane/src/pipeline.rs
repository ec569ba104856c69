//! From a burst of frames to a verdict for each, and events: everything of the packet path meets here, without DPDK.

mod access;
mod burst;
mod flows;
mod fragments;
mod housekeeping;
mod icmp;
mod inspection;
mod judgement;
mod lifetimes;
mod normalise;
mod orientation;
mod protection;
mod reply;
mod report;
mod routing;
mod trace;
mod translation;
mod wires;

use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use crossbeam::channel::Sender;

use self::burst::{Lane, Stages};
pub use self::housekeeping::Room;
use self::housekeeping::{DUMPS, Dump, FAREWELLS, Farewell};
use self::lifetimes::Lifetimes;
use self::protection::Guard;
use self::reply::Replies;
pub use self::trace::{Asked, Assumed, Example, Stage, Trace, Unless};
use self::wires::Wires;
use crate::access::{Access, AccessSettings};
use crate::appid::{Inspector, ResolvedTable};
use crate::blocked::BlockedSources;
use crate::command::Retired;
use crate::counters::{Counter, Counters};
use crate::event::{EventSender, WorkerId};
use crate::flow::{Slot, Table};
use crate::guard::{Protection, RetryFilter, Screen, reserve};
use crate::nat::{MappingId, Nat, PoolSource};
use crate::packet::{Fragment, PacketInfo, Parsed, Transport};
use crate::policy::{Policy, PortId};
use crate::reassembly::Reassembler;
use crate::route::{self, NeighbourView, Outbox, Router};
use crate::time::Nanos;
use crate::verdict::{DropReason, Verdict};

/// Frames handled together at most.
pub const BURST: usize = 64;

/// Places of a table for so many sessions.
fn places(max_sessions: usize) -> usize {
    max_sessions + reserve(max_sessions)
}

/// How long a silent flow stays in the table.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TCP before its handshake is complete.
    pub tcp_opening: Duration,
    /// TCP, established.
    pub tcp_established: Duration,
    /// TCP after a FIN from both sides or a RST. After a FIN from one side only the other may go on sending: that waits
    /// two minutes, or as long as an established session if that is less.
    pub tcp_closing: Duration,
    /// UDP seen in one direction only.
    pub udp: Duration,
    /// UDP seen in both.
    pub udp_stream: Duration,
    /// ICMP and ICMPv6 queries.
    pub icmp: Duration,
    /// Any other protocol.
    pub other: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp_opening: Duration::from_secs(20),
            tcp_established: Duration::from_secs(3600),
            tcp_closing: Duration::from_secs(10),
            udp: Duration::from_secs(30),
            udp_stream: Duration::from_secs(180),
            icmp: Duration::from_secs(10),
            other: Duration::from_secs(60),
        }
    }
}

/// What a TCP segment without SYN does that no entry knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Midstream {
    /// It may open a session, judged as the policy says: sessions survive a restart of the firewall.
    Permit,
    /// It is dropped as `tcp_not_syn`.
    Drop,
}

/// What a pipeline is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The worker that runs it.
    pub worker: WorkerId,
    /// Sessions at most, of this worker.
    pub max_sessions: usize,
    /// Flows under inspection at most.
    pub inspection_slots: usize,
    /// Datagrams in fragments that wait to be whole, at most, with room for 4 KiB each.
    pub fragment_slots: usize,
    /// Per protocol.
    pub timeouts: Timeouts,
    /// Pairs of ports: what enters one leaves by the other.
    pub wires: Vec<(PortId, PortId)>,
    /// The pools of source NAT. They can be used by one worker only, as ports are not shared between workers.
    pub nat: Vec<PoolSource>,
    /// Ports that are interfaces, in no wire, and the routes between them.
    pub routing: route::Config,
    /// TCP picked up in its middle.
    pub midstream: Midstream,
    /// Whether the IPv4 header checksum is verified; captures taken at a sender often lack it. Where it is not, a total
    /// length of 0 is taken too: a sender that leaves segmentation to its NIC shows that to a capture.
    pub verify_checksums: bool,
    /// What is dropped and told as an attack.
    pub protection: Protection,
}

/// A frame as it came, and as it leaves.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Where it came in.
    pub port: PortId,
    /// Ethernet frame without FCS; of a longer frame the part at hand (its beginning, or what the capture kept).
    pub bytes: &'a mut [u8],
    /// The whole frame's length on the wire.
    pub length: u32,
    /// Whether the pipeline changed `bytes`, so that whoever gave a copy writes it back.
    pub edited: bool,
}

impl<'a> Frame<'a> {
    /// A frame as it came in at a port.
    pub fn new(port: PortId, bytes: &'a mut [u8], length: u32) -> Self {
        Self { port, bytes, length, edited: false }
    }
}

/// A frame that the firewall itself sends: a RST, an ICMP error.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Where it leaves.
    pub port: PortId,
    /// The Ethernet frame.
    pub bytes: ArrayVec<u8, 128>,
}

/// The packet path of one worker.
#[derive(Debug)]
pub struct Pipeline {
    settings: Settings,
    policy: Arc<Policy>,
    inspector: Inspector,
    resolved: Arc<ResolvedTable>,
    /// Where sign-ons of access users are looked for.
    access: Option<Box<Access>>,
    events: EventSender,
    counters: Arc<Counters>,
    table: Table,
    lifetimes: Lifetimes,
    reassembler: Reassembler,
    /// Fragments that leave, once their datagram was let through.
    outbox: Outbox,
    /// Room for a whole datagram, and for one of its frames.
    room: Box<[u8]>,
    wires: Wires,
    /// Where there are pools.
    nat: Option<Box<Nat>>,
    router: Router,
    /// By slot: the ports of the client's and the server's side of a routed flow. Empty where nothing is routed.
    paths: Box<[routing::Path]>,
    replies: Replies,
    guard: Guard,
    active: u64,
    /// Where control takes back what is old, since it last sent something new.
    retired: Option<Sender<Retired>>,
    /// The packet at hand is inspected and has an urgent pointer, which it is to lose.
    clears_urgent: bool,
    farewells: ArrayVec<Farewell, FAREWELLS>,
    blocked: Arc<BlockedSources>,
    /// Nothing new is let through.
    held: bool,
    dumps: ArrayVec<Dump, DUMPS>,
    /// Like `dumps`, of neighbours: where to, and the place to go on from.
    neighbour_dumps: ArrayVec<(Sender<NeighbourView>, usize), DUMPS>,
    /// How far [`Pipeline::shutdown`] has come.
    ended: usize,
    /// When the first burst came.
    started: Option<Nanos>,
    /// The burst at hand, between its stages; here so that its memory is used again.
    stages: Option<Box<Stages>>,
    lane: Lane,
    /// Whether usual packets take the short lane, which does not rewrite; tests compare it with the whole way.
    short_lane: bool,
}

impl Pipeline {
    /// Octets of what grows with the number of sessions: their table, the reserve included, and the SYNs that are remembered.
    pub fn octets_for(max_sessions: usize, protection: &Protection) -> usize {
        let retries = if protection.syn_retry { RetryFilter::octets_for(max_sessions) } else { 0 };
        Table::octets_for(places(max_sessions)) + retries
    }

    /// Takes all its memory now. The signature database is the one that `policy` was compiled against.
    ///
    /// # Panics
    /// Where `settings` has more than 255 wires: DPDK has fewer ports than that needs.
    pub fn new(settings: Settings, policy: Arc<Policy>, signatures: Arc<sigdb::Database>, events: EventSender) -> Self {
        let router = Router::new(&settings.routing);
        let table = Table::new(settings.worker, places(settings.max_sessions), settings.inspection_slots);
        let paths = if router.is_on() { table.capacity() } else { 0 };
        // A binding for each of the table's places, the reserve's too.
        let nat = (!settings.nat.is_empty()).then(|| Box::new(Nat::new(&settings.nat, table.capacity())));
        Self {
            inspector: Inspector::new(signatures, settings.inspection_slots)
                .refusing_contradictions(settings.protection.screens.has(Screen::TcpOverlap)),
            guard: Guard::new(&settings.protection, settings.max_sessions, Self::port_count(&settings)),
            table,
            lifetimes: Lifetimes::new(&settings.timeouts),
            reassembler: Reassembler::new(settings.fragment_slots),
            outbox: Outbox::new(true),
            room: vec![0; fragments::ROOM].into_boxed_slice(),
            wires: Wires::new(&settings.wires),
            nat,
            paths: vec![routing::Path::default(); paths].into_boxed_slice(),
            router,
            replies: Replies::default(),
            counters: Arc::default(),
            active: 0,
            resolved: Arc::new(ResolvedTable::new(0)),
            access: None,
            retired: None,
            clears_urgent: false,
            farewells: ArrayVec::new(),
            blocked: Arc::default(),
            held: false,
            dumps: ArrayVec::new(),
            neighbour_dumps: ArrayVec::new(),
            ended: 0,
            started: None,
            stages: Some(Box::default()),
            lane: Lane::new(&settings.timeouts),
            short_lane: true,
            settings,
            policy,
            events,
        }
    }

    /// The same with a table of the addresses that names resolved to, which workers share; without one they are not
    /// remembered.
    #[must_use]
    pub fn sharing(self, resolved: Arc<ResolvedTable>) -> Self {
        Self { resolved, ..self }
    }

    /// The same, looking for sign-ons of access users; without this it does not. Takes the memory for that now, also where
    /// `settings` have no source yet: others may come while packets pass, when there is no time for it.
    #[must_use]
    pub fn watching(self, settings: Arc<AccessSettings>) -> Self {
        Self { access: Some(Box::new(Access::new(settings))), ..self }
    }

    /// Octets that routing takes beside the flow table of one worker: the router's tables, and the ports of every flow.
    pub fn octets_for_routing(routing: &route::Config, max_sessions: usize) -> usize {
        let router = Router::new(routing);
        let places = if router.is_on() { places(max_sessions) } else { 0 };
        router.octets() + places * size_of::<routing::Path>()
    }

    /// Frames that the last burst asks to be sent; the caller empties it.
    pub fn replies(&mut self) -> impl Iterator<Item = Reply> + '_ {
        self.replies.take()
    }

    /// The counters, shared with control.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What becomes of a frame that is not [`crate::packet::Plain`], or whose flow does not just go on.
    fn judge(&mut self, now: Nanos, frame: &mut Frame<'_>, parsed: &Parsed, hash: u64) -> Result<Verdict, DropReason> {
        let Some((_, out)) = self.wires.from(frame.port) else { return self.judge_routed(now, frame, parsed, hash) };
        let info = match parsed {
            Parsed::NonIp => {
                self.watch_control(now, frame, out);
                self.counters.add(Counter::PassedNonIp, 1);
                return Ok(Verdict::Forward(out));
            }
            Parsed::LinkControl => {
                self.settings.protection.screen_link_control(frame.bytes)?;
                self.counters.add(Counter::PassedLinkControl, 1);
                return Ok(Verdict::Forward(out));
            }
            Parsed::Packet(info) => info,
        };
        if let Fragment::First(piece) | Fragment::Later(piece) = info.fragment {
            return self.judge_fragment(now, frame, info, piece);
        }
        let octets = info.length;
        if self.nat.is_none() {
            self.judge_packet(&Packet { now, frame, info, hash, mapping: None, path: None, octets })?;
            self.take_urgent(frame, info);
            return Ok(Verdict::Forward(out));
        }
        let mut info = *info;
        let mapping = self.bring_inside(&mut info)?;
        let hash = if mapping.is_some() { self.table.hash(info.flow_key()) } else { hash };
        let slot = self.judge_packet(&Packet { now, frame, info: &info, hash, mapping, path: None, octets })?;
        self.take_urgent(frame, &info);
        self.translate(frame, &info, slot);
        Ok(Verdict::Forward(out))
    }

    /// The judgement of a whole IP packet as what it is, and the entry of its flow.
    fn judge_packet(&mut self, packet: &Packet<'_>) -> Result<Slot, DropReason> {
        self.clears_urgent = false;
        self.settings.protection.screen(packet.frame.bytes, packet.info)?;
        match packet.info.transport {
            Transport::Error(quoted) => self.icmp_error(packet, quoted),
            _ => self.flow_packet(packet),
        }
    }
}

/// A packet on its way through the pipeline.
struct Packet<'a> {
    now: Nanos,
    frame: &'a Frame<'a>,
    info: &'a PacketInfo,
    hash: u64,
    /// The mapping whose outside endpoint it was sent to; its key is that of the inside one.
    mapping: Option<MappingId>,
    /// The ports between which it is routed; none on a wire.
    path: Option<routing::Path>,
    /// Octets that it counts for, from the IP header on: of a datagram in fragments those of the first.
    octets: u32,
}

#[cfg(test)]
mod tests;
