//! Protection as the pipeline applies it: what first packets are asked, who gives way in a full table, what is told.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::{Frame, Packet, Pipeline, Settings};
use crate::counters::Counter;
use crate::endpoint::{Address, Direction, Endpoint, Tuple};
use crate::event::{CloseReason, SessionChange, SessionEvent, SessionId, Volume};
use crate::flow::{Class, End, Flags, Record, Slot, State};
use crate::guard::{Denied, Denies, Due, HANDSHAKE, Limits, Noted, Notices, Origin, Protection, RetryFilter, reserve};
use crate::packet::{Link, Network, PacketInfo, Transport};
use crate::policy::RuleId;
use crate::time::Nanos;
use crate::verdict::DropReason;
use crate::wire::tcp::{ACK, RST, SYN};
use crate::wire::{ipv4, ipv6, protocol, udp};

/// What is kept for protection.
#[derive(Debug)]
pub(super) struct Guard {
    notices: Notices,
    /// Of each kind and port, the first packet since the last notice.
    examples: Box<[Tuple]>,
    denies: Denies,
    origin: Origin,
    /// Packets of a session have to come in on their side.
    bound: bool,
    tcp: Limits,
    udp: Limits,
    icmp: Limits,
    other: Limits,
    fragments: Limits,
    retries: Option<RetryFilter>,
    hasher: RandomState,
    /// Sessions that were answered, at most.
    proven: usize,
    /// What those that were not yet answered are left, of each class.
    floor: usize,
    /// Whether the last session to be opened took the place of one that had no time for an answer.
    displaced: bool,
    /// Whether sessions were opened without telling.
    quiet: bool,
}

impl Guard {
    /// Takes its memory now.
    pub(super) fn new(protection: &Protection, max_sessions: usize, ports: usize) -> Self {
        let notices = Notices::new(ports, protection.stray_rate);
        let origin = Origin::new(&protection.origins);
        let floods = &protection.floods;
        Self {
            examples: vec![Tuple::default(); notices.places()].into_boxed_slice(),
            notices,
            denies: Denies::default(),
            bound: origin.is_bound(),
            origin,
            tcp: Limits::new(floods.tcp),
            udp: Limits::new(floods.udp),
            icmp: Limits::new(floods.icmp),
            other: Limits::new(floods.other),
            fragments: Limits::new(floods.fragments),
            retries: protection.syn_retry.then(|| RetryFilter::new(max_sessions)),
            hasher: RandomState::default(),
            proven: max_sessions,
            floor: reserve(max_sessions) / 2,
            displaced: false,
            quiet: false,
        }
    }

    /// Whether packets of a session have to come in on their sender's side.
    pub(super) fn is_bound(&self) -> bool {
        self.bound
    }

    fn limits_mut(&mut self, reason: DropReason) -> &mut Limits {
        match reason {
            DropReason::SynFlood => &mut self.tcp,
            DropReason::UdpFlood => &mut self.udp,
            DropReason::IcmpFlood => &mut self.icmp,
            _ => &mut self.other,
        }
    }

    /// Takes note of a packet that was dropped.
    pub(super) fn dropped(&mut self, now: Nanos, frame: &Frame<'_>, reason: DropReason) {
        if reason.is_attack() && self.notices.note(now, reason, frame.port, frame.length) {
            let place = self.notices.place(reason, frame.port);
            if let Some(example) = self.examples.get_mut(place) {
                *example = ends(frame.bytes);
            }
        }
    }
}

impl Pipeline {
    /// Whether the first packet of a flow may be looked at further.
    pub(super) fn screen_first(&self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let origin = &self.guard.origin;
        origin.check(packet.frame.port, packet.info.addresses().0)?;
        self.settings.protection.screen_first(packet.info, |address| origin.is_broadcast(address))
    }

    /// Whether the ends of a new flow have not had their share of new flows yet.
    pub(super) fn limit_first(&mut self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let (source, destination) = packet.info.addresses();
        let reason = flood(packet.info.key.protocol());
        let admitted = self.guard.limits_mut(reason).admits(packet.now, source, destination);
        if admitted { Ok(()) } else { Err(reason) }
    }

    /// The same, without taking any of it.
    pub(super) fn would_limit_first(&self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let (source, destination) = packet.info.addresses();
        let reason = flood(packet.info.key.protocol());
        let guard = &self.guard;
        let limits = match reason {
            DropReason::SynFlood => &guard.tcp,
            DropReason::UdpFlood => &guard.udp,
            DropReason::IcmpFlood => &guard.icmp,
            _ => &guard.other,
        };
        let admitted = limits.would_admit(packet.now, source, destination);
        if admitted { Ok(()) } else { Err(reason) }
    }

    /// Whether the ends of a datagram in fragments have not had their share yet.
    pub(super) fn limit_fragments(&mut self, now: Nanos, info: &PacketInfo) -> Result<(), DropReason> {
        let (source, destination) = info.addresses();
        let admitted = self.guard.fragments.admits(now, source, destination);
        if admitted { Ok(()) } else { Err(DropReason::FragmentFlood) }
    }

    /// Whether a packet of a flow came in where its sender's packets come in; asked only where ports have addresses of
    /// their own, as a frame that passes a router may cross a wire in both directions.
    pub(super) fn check_side(&self, packet: &Packet<'_>, slot: Slot, direction: Direction) -> Result<(), DropReason> {
        let fits = !self.guard.bound || packet.path.is_some() || self.is_on_its_side(packet, slot, direction);
        if fits { Ok(()) } else { Err(DropReason::Spoofed) }
    }

    /// Whether a packet of a flow came in on the side that its session has its sender on. What does not may be a frame's
    /// second crossing of the wire, so it passes; but it proves nothing: who sits on one side can forge both directions.
    pub(super) fn is_on_its_side(&self, packet: &Packet<'_>, slot: Slot, direction: Direction) -> bool {
        let (client, server) = self.ports(slot);
        let other = if direction == Direction::ToServer { server } else { client };
        // Of two hosts behind one interface the port tells nothing.
        !self.settings.protection.has_sides || client == server || packet.frame.port != other
    }

    /// Sees to it that there is a place for a new entry. In a full table a handshake gives way to another before anything
    /// that was answered does, and only once it had time for a round trip: a SYN that comes earlier has to be repeated.
    pub(super) fn make_room(&mut self, packet: &Packet<'_>, record: &Record) -> Result<(), DropReason> {
        self.guard.displaced = false;
        if self.table.len() < self.table.capacity() {
            return Ok(());
        }
        let now = packet.now;
        let newcomer = record.natural_class();
        let victim = self.table.victim_for(newcomer, self.guard.floor).ok_or(DropReason::TableFull)?;
        let class = self.table.record(victim).natural_class();
        let is_young = class.waits() && !self.table.is_silent(victim, HANDSHAKE.into());
        if let Transport::Tcp(segment) = &packet.info.transport
            && is_young
            && class == Class::HalfOpen
            && segment.flags & (SYN | ACK | RST) == SYN
            && let Some(retries) = &mut self.guard.retries
        {
            if !retries.recalls(now, self.guard.hasher.hash_one((packet.hash, segment.sequence))) {
                return Err(DropReason::SynFlood);
            }
            self.counters.add(Counter::SynRetries, 1);
        }
        self.guard.displaced = is_young;
        self.leave(now, victim, CloseReason::Evicted);
        self.counters.add(Counter::SessionsEvicted, 1);
        Ok(())
    }

    /// Before an entry that was not answered gets the standing of those that were: another of those gives way where there
    /// are as many as there may be, so that newcomers always have the reserve.
    pub(super) fn make_standing(&mut self, now: Nanos, slot: Slot, state: State) {
        let class = self.table.record(slot).natural_class();
        let gains = class.waits()
            && !matches!(state, State::SynSent | State::SynReceived | State::Picked | State::OneWay)
            && state.is_open();
        if !gains {
            return;
        }
        let proven = self.table.population(Class::BothWays) + self.table.population(Class::SignedOn);
        if self.guard.floor > 0
            && proven >= self.guard.proven
            && let Some(victim) = self.table.victim_among(Class::BothWays)
        {
            self.leave(now, victim, CloseReason::Evicted);
            self.counters.add(Counter::SessionsEvicted, 1);
        }
    }

    /// Has the beginning of a new session told only with its answer, where it is one of a flood: one of more handshakes
    /// than honest clients have open at a time, or in the place of another that had no time for an answer.
    pub(super) fn open_quietly(&mut self, packet: &Packet<'_>, slot: Slot) {
        let record = self.table.record(slot);
        let class = record.natural_class();
        // While it is not certain which rule is a session's, that rule may be one that logs.
        let may_be_logged = record.has(Flags::LOGGED) || record.has(Flags::TENTATIVE);
        let is_logged = may_be_logged && !record.has(Flags::CREATE_SENT);
        let many = class == Class::HalfOpen && self.table.population(class) > self.guard.floor;
        if self.guard.floor == 0 || !class.waits() || !is_logged || !(many || self.guard.displaced) {
            return;
        }
        let reason = flood(record.protocol());
        self.table.record_mut(slot).set(Flags::LOGGED, false);
        self.guard.quiet = true;
        self.guard.dropped(packet.now, packet.frame, reason);
        self.counters.add(Counter::SessionsUnreported, 1);
    }

    /// Takes a session up into the log that was opened quietly and turned out to be one.
    pub(super) fn end_quiet(&mut self, slot: Slot) {
        if !self.guard.quiet {
            return;
        }
        let epoch = self.policy.epoch();
        let record = self.table.record(slot);
        let is_told = record.has(Flags::LOGGED) || record.has(Flags::CREATE_SENT);
        let is_one = !record.natural_class().waits() || self.table.volume(slot, Direction::ToServer).packets > 1;
        if is_told || !is_one || !record.is_of_epoch(epoch) || !self.policy.logs(record.rule) {
            return;
        }
        self.table.record_mut(slot).set(Flags::LOGGED, true);
    }

    /// Whether a session that ends was opened quietly and is not one to tell of: nobody answered its one packet.
    pub(super) fn is_unheard(&self, slot: Slot, reason: CloseReason) -> bool {
        let record = self.table.record(slot);
        let is_quiet = if record.has(Flags::TENTATIVE) {
            reason == CloseReason::Evicted || !record.has(Flags::LOGGED) && self.policy.logs(record.rule)
        } else {
            !record.has(Flags::LOGGED)
        };
        self.guard.quiet
            && is_quiet
            && !record.has(Flags::CREATE_SENT)
            && record.natural_class().waits()
            && self.table.volume(slot, Direction::ToServer).packets <= 1
    }

    /// Takes note of a denied packet under a rule that logs.
    pub(super) fn note_denied(&mut self, packet: &Packet<'_>, record: &Record, rule: RuleId) {
        let (client, server) = self.packet_ports(packet, record.client());
        let (tuple, ports) = (packet.info.key.tuple(record.client()), (client.0, server.0));
        let (now, octets) = (packet.now, packet.info.length);
        let room = self.events.has_session_room();
        if self.guard.denies.note(now, rule, tuple, ports, octets, room) != Noted::Counted {
            let volume = Volume { packets: 1, octets: octets.into() };
            self.tell_denied(&Denied { rule, tuple, ports, volume, span: (now, now) });
        }
    }

    /// Tells what is due of attacks and denied packets: a bounded part of it.
    pub(super) fn tell(&mut self, now: Nanos) {
        let mut looks = 0;
        while self.events.session_room() > 0
            && let Some(denied) = self.guard.denies.due(now, &mut looks)
        {
            self.tell_denied(&denied);
        }
        // A notice that finds no room waits and goes on counting.
        while self.events.session_room() > 0
            && let Some(due) = self.guard.notices.due(now)
        {
            self.tell_attack(now, &due);
        }
    }

    /// Tells the denied packets that were counted and not yet told, and that attacks are over; false where the queue has no
    /// room for all.
    pub(super) fn tell_rest(&mut self, now: Nanos, regardless: bool) -> bool {
        loop {
            if !regardless && self.events.session_room() == 0 {
                return false;
            }
            if let Some(denied) = self.guard.denies.rest() {
                if denied.volume.packets > 0 {
                    self.tell_denied(&denied);
                }
            } else if let Some(due) = self.guard.notices.rest(now) {
                self.tell_attack(now, &due);
            } else {
                return true;
            }
        }
    }

    fn tell_attack(&mut self, now: Nanos, due: &Due) {
        let example = self.guard.examples.get(self.guard.notices.place(due.kind, due.port)).copied();
        self.guard.notices.told(now, due);
        let tenths = (due.span.as_millis() / 100).min(255) as u8;
        let other = self.wires.from(due.port).map_or(due.port, |(_, other)| other);
        let denied = Denied {
            rule: RuleId::IMPLICIT,
            tuple: example.unwrap_or_default(),
            ports: (due.port.0, other.0),
            volume: due.recent,
            span: (due.begin, due.last),
        };
        self.tell_change(&denied, due.total, SessionChange::Attack { kind: due.kind, phase: due.phase, tenths });
    }

    fn tell_denied(&mut self, denied: &Denied) {
        self.tell_change(denied, Volume::default(), SessionChange::Deny);
    }

    fn tell_change(&mut self, told: &Denied, total: Volume, change: SessionChange) {
        let packets = told.volume.packets;
        let event = |header| SessionEvent {
            header,
            translation: None,
            session: SessionId(0),
            tuple: told.tuple,
            rule: told.rule,
            application: sigdb::AppId::UNKNOWN,
            ports: told.ports,
            logged: true,
            change,
            start: told.span.0,
            to_server: told.volume,
            to_client: total,
        };
        let time = told.span.1;
        let (counter, count) = if matches!(change, SessionChange::Attack { .. }) {
            let kept = self.events.attack(time, event);
            (if kept { Counter::AttackEvents } else { Counter::AttackEventsLost }, 1)
        } else if self.events.denied(time, packets, event) {
            (Counter::SessionEvents, 1)
        } else {
            (Counter::SessionEventsLost, packets)
        };
        self.counters.add(counter, count);
    }

    /// Ports of a notice are counted from the settings' wires and interfaces.
    pub(super) fn port_count(settings: &Settings) -> usize {
        let wired = settings.wires.iter().map(|(a, b)| a.0.max(b.0));
        let routed = settings.routing.interfaces.iter().map(|interface| interface.port.0);
        let own = settings.routing.own.map(|own| own.0);
        wired.chain(routed).chain(own).max().map_or(1, |last| usize::from(last) + 1)
    }
}

/// Whether what an end of a session sends came in on that end's side, the second of its wire or not.
#[inline]
pub(super) fn on_its_side(is_second: bool, sender: End, record: &Record) -> bool {
    let client_on_second = record.has(Flags::CLIENT_ON_SECOND);
    is_second == (client_on_second == (sender == record.client()))
}

/// What a flood of a protocol's first packets is called.
const fn flood(number: u8) -> DropReason {
    match number {
        protocol::TCP => DropReason::SynFlood,
        protocol::UDP => DropReason::UdpFlood,
        protocol::ICMP | protocol::ICMPV6 => DropReason::IcmpFlood,
        _ => DropReason::SessionFlood,
    }
}

/// The ends of whatever a frame carries, as far as they can be made out: an example for people.
fn ends(frame: &[u8]) -> Tuple {
    read_ends(frame).unwrap_or_default()
}

fn read_ends(frame: &[u8]) -> Option<Tuple> {
    let link = Link::read(frame).ok()??;
    let packet = frame.get(usize::from(link.offset)..)?;
    let (source, destination, number, at) = match link.network {
        Network::Ipv4 => {
            let source = packet.get(12..16)?.first_chunk()?;
            let destination = packet.get(16..20)?.first_chunk()?;
            let is_first = packet.get(6..8)?[0] & 0x1f == 0 && packet[7] == 0;
            let at = if is_first { usize::from(packet[0] & 0x0f) * 4 } else { usize::MAX };
            (Address::v4(*source), Address::v4(*destination), packet[9], at.max(ipv4::HEADER))
        }
        Network::Ipv6 => {
            let source = packet.get(8..24)?.first_chunk()?;
            let destination = packet.get(24..40)?.first_chunk()?;
            (Address(*source), Address(*destination), packet[6], ipv6::HEADER)
        }
    };
    let has_ports = matches!(number, protocol::TCP | protocol::UDP | protocol::SCTP);
    let ports = if has_ports { packet.get(at..).and_then(udp::ports) } else { None }.unwrap_or_default();
    Some(Tuple {
        client: Endpoint { address: source, port: ports.0 },
        server: Endpoint { address: destination, port: ports.1 },
        protocol: number,
        svlan: link.tags.outer,
        cvlan: link.tags.inner,
    })
}
