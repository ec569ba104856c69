//! A router's parts held together: the forwarding table, the neighbours, and what is sent besides the packets.

mod discovery;

use std::time::Duration;

use super::fib::Fib;
use super::fragment::Fragments;
use super::hop::{self, Hop, Target};
use super::icmp::{Error, Limit};
use super::interface::Interface;
use super::neighbour::{Due, NeighbourView, Neighbours, Resolution};
use super::outbox::Outbox;
use super::waiting::Held;
use super::{Config, echo};
use crate::counters::{Counter, Counters};
use crate::endpoint::Address;
use crate::endpoint::Mac;
use crate::nat::Reversal;
use crate::packet::{Link, PacketInfo};
use crate::policy::PortId;
use crate::time::Nanos;
use crate::verdict::DropReason;
use crate::wire::ethernet;

/// How often our addresses are announced at start, and with which pause (RFC 5227, 2.3; RFC 4861, 7.2.6).
const ANNOUNCEMENTS: u8 = 2;
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(2);
/// How often an address is defended against another that claims it, at most (RFC 5227, 2.4: DEFEND_INTERVAL).
const DEFEND: Duration = Duration::from_secs(10);
/// Time between two looks at the neighbours, and places looked at in one.
const SWEEP: Duration = Duration::from_millis(1);
const SWEPT: usize = 512;

/// Everything that routes.
#[derive(Debug)]
pub struct Router {
    interfaces: Vec<Interface>,
    /// By port: its interface.
    by_port: Box<[Option<u8>]>,
    fib: Fib,
    neighbours: Neighbours,
    outbox: Outbox,
    /// By interface.
    limits: Box<[Limit]>,
    defended: Box<[Nanos]>,
    own: Option<PortId>,
    management: Option<Mac>,
    announced: u8,
    next_announcement: Nanos,
    next_sweep: Nanos,
}

/// What becomes of a packet that is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It leaves by this port as it is now.
    Now(PortId),
    /// It waits, or was sent in fragments.
    Taken,
}

impl Router {
    /// Takes all its memory now; hardly any where there is no interface.
    pub fn new(config: &Config) -> Self {
        let interfaces = config.interfaces.clone();
        let last = interfaces.iter().map(|interface| interface.port.0).max().map_or(0, |last| usize::from(last) + 1);
        let mut by_port = vec![None; last].into_boxed_slice();
        for (number, interface) in interfaces.iter().enumerate() {
            by_port[usize::from(interface.port.0)] = u8::try_from(number).ok();
        }
        let longest =
            interfaces.iter().map(|interface| usize::from(interface.mtu) + ethernet::HEADER).max().unwrap_or(0);
        let neighbours = if interfaces.is_empty() { 0 } else { config.neighbours.max(1) };
        Self {
            fib: Fib::new(config),
            neighbours: Neighbours::new(neighbours, longest),
            outbox: Outbox::new(!interfaces.is_empty()),
            limits: interfaces.iter().map(|_| Limit::default()).collect(),
            defended: interfaces.iter().map(|_| Nanos(0)).collect(),
            own: config.own,
            management: config.management,
            announced: 0,
            next_announcement: Nanos(0),
            next_sweep: Nanos(0),
            by_port,
            interfaces,
        }
    }

    /// Octets that its tables take.
    pub fn octets(&self) -> usize {
        self.fib.octets() + self.neighbours.octets() + self.outbox.octets()
    }

    /// Whether anything is routed.
    pub fn is_on(&self) -> bool {
        !self.interfaces.is_empty()
    }

    /// Whether a port routes; the management port does too.
    pub fn routes(&self, port: PortId) -> bool {
        self.interface(port).is_some() || self.is_management(port)
    }

    /// Whether a port leads to the kernel.
    pub fn is_management(&self, port: PortId) -> bool {
        self.management.is_some() && self.own == Some(port)
    }

    /// The firewall itself, as a port.
    pub fn own(&self) -> PortId {
        self.own.unwrap_or(PortId(u16::MAX))
    }

    /// The interface of a port.
    pub fn interface(&self, port: PortId) -> Option<&Interface> {
        let number = (*self.by_port.get(usize::from(port.0))?)?;
        self.interfaces.get(usize::from(number))
    }

    /// Whether a frame is for us by its Ethernet header: ours alone, or a group's.
    pub fn takes(&self, port: PortId, frame: &[u8]) -> bool {
        let ours = self.interface(port).map(|interface| interface.mac).or_else(|| self.kernel_facing());
        ethernet::is_group(frame) || ours.is_some_and(|mac| frame.starts_with(&mac.0))
    }

    /// Where a packet leads that came in at `port`.
    pub fn way(&self, port: PortId, destination: Address) -> Option<Hop> {
        match self.interface(port) {
            Some(interface) if interface.owns(destination) => Some(Hop::Own),
            _ => self.fib.find(destination),
        }
    }

    /// Where an address leads, whoever asks.
    pub fn route(&self, destination: Address) -> Option<Hop> {
        self.fib.find(destination)
    }

    /// Whether an address is ours, on whatever interface.
    pub fn owns(&self, address: Address) -> bool {
        self.fib.find(address) == Some(Hop::Own) || self.interfaces.iter().any(|interface| interface.owns(address))
    }

    /// Tells the sender of a packet, which came in at `port`, why it goes nowhere; not too often, and only where an error may
    /// be sent (RFC 1122, 3.2.2; RFC 4443, 2.4 e).
    pub fn refuse(
        &mut self,
        now: Nanos,
        port: PortId,
        error: Error,
        frame: &[u8],
        info: &PacketInfo,
        counters: &Counters,
    ) {
        if info.is_answerable(frame) {
            let offset = usize::from(info.link.offset);
            self.send_error(now, port, error, frame, (offset, offset + info.length as usize), counters);
        }
    }

    /// Answers an echo request to one of our addresses; false where the packet is none.
    pub fn echo(&mut self, port: PortId, frame: &[u8], info: &PacketInfo, counters: &Counters) -> bool {
        let (transport, offset) = (usize::from(info.transport_offset), usize::from(info.link.offset));
        let end = offset + info.length as usize;
        let answered = echo::answer(&mut self.outbox, port, frame, &info.link, transport, end);
        if let Some(sent) = answered {
            counters.add(if sent { Counter::EchoReplies } else { Counter::OriginatedLost }, 1);
        }
        answered.is_some()
    }

    /// Sends a packet on its way to its neighbour: with its MAC addresses where that is known, in fragments where it is too
    /// long; otherwise it waits. Its hop is counted when it leaves, so that an error quotes it as it came; a packet of our
    /// own makes none. `reversal` makes a translated packet what its sender knows.
    ///
    /// # Errors
    /// Why it is dropped; its sender was told.
    pub fn depart(
        &mut self,
        now: Nanos,
        from: PortId,
        target: Target,
        frame: &mut [u8],
        (info, reversal): (&PacketInfo, Option<Reversal>),
        counters: &Counters,
    ) -> Result<Departure, DropReason> {
        let Some(interface) = self.interface(target.port) else { return Err(DropReason::NoRoute) };
        let (mac, mtu) = (interface.mac, u32::from(interface.mtu));
        let end = usize::from(info.link.offset) + info.length as usize;
        match self.neighbours.resolve(now, target.port, target.neighbour) {
            Resolution::Ready(neighbour) => {
                if !self.is_management(from) {
                    hop::decrement(frame, &info.link);
                }
                address_frame(frame, neighbour, mac);
                if info.length <= mtu {
                    return Ok(Departure::Now(target.port));
                }
                let packet = frame.get(..end).ok_or(DropReason::Oversize)?;
                let cut = send_in_fragments(&mut self.outbox, target.port, packet, mtu as u16, counters);
                if cut { Ok(Departure::Taken) } else { Err(DropReason::MtuExceeded) }
            }
            Resolution::Wait { id, ask } => {
                if ask {
                    counters.add(Counter::NeighbourLost, self.neighbours.take_forsaken());
                    self.ask(target.port, target.neighbour, None, counters);
                }
                let mut held = Held::new(from, info.is_answerable(frame));
                held.reversal = reversal;
                let packet = frame.get(..end).ok_or(DropReason::NeighbourUnresolved)?;
                if !self.neighbours.hold(id, held, packet) {
                    return Err(DropReason::NeighbourUnresolved);
                }
                counters.add(Counter::NeighbourHeld, 1);
                Ok(Departure::Taken)
            }
            Resolution::Unreachable => {
                if let Some(reversal) = reversal {
                    reversal.apply(frame);
                }
                self.refuse(now, from, Error::HostUnreachable, frame, info, counters);
                Err(DropReason::NeighbourUnresolved)
            }
            Resolution::Full => Err(DropReason::NeighbourUnresolved),
        }
    }

    /// Writes the MAC addresses of a frame of our own, where its neighbour is known; false where it is not.
    pub fn address(&mut self, now: Nanos, target: Target, frame: &mut [u8]) -> bool {
        let Some(mac) = self.interface(target.port).map(|interface| interface.mac) else { return false };
        match self.neighbours.resolve(now, target.port, target.neighbour) {
            Resolution::Ready(neighbour) => {
                address_frame(frame, neighbour, mac);
                true
            }
            _ => false,
        }
    }

    /// Hands a packet for ourselves to the kernel; none where there is no management port.
    pub fn hand_up(&self, frame: &mut [u8]) -> Option<PortId> {
        let (kernel, ours) = (self.management?, self.kernel_facing()?);
        address_frame(frame, kernel, ours);
        self.own
    }

    /// The port that leads to the kernel, where packets for ourselves go there.
    pub fn leads_up(&self) -> Option<PortId> {
        self.management.and(self.kernel_facing()).and(self.own)
    }

    /// Housekeeping: announcements, questions that are due, packets that waited in vain. Bounded.
    pub fn turn(&mut self, now: Nanos, counters: &Counters) {
        if !self.is_on() || now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP;
        if self.announced < ANNOUNCEMENTS && now >= self.next_announcement {
            (self.announced, self.next_announcement) = (self.announced + 1, now + ANNOUNCE_AGAIN);
            for at in 0..self.interfaces.len() {
                self.announce(at, counters);
            }
        }
        let mut budget = SWEPT;
        while let Some(due) = self.neighbours.sweep(now, &mut budget) {
            match due {
                Due::Ask { port, address, to } => self.ask(port, address, to, counters),
                Due::Lost(id) => {
                    while let Some((held, packet)) = self.neighbours.release(id) {
                        counters.add(Counter::NeighbourLost, 1);
                        let Some(number) = self.by_port.get(usize::from(held.from.0)).copied().flatten() else {
                            continue;
                        };
                        let (interface, limit) =
                            (&self.interfaces[usize::from(number)], &mut self.limits[usize::from(number)]);
                        if held.answerable {
                            if let Some(reversal) = held.reversal {
                                reversal.apply(packet);
                            }
                            let place = (ethernet::HEADER, packet.len());
                            error(
                                &mut self.outbox,
                                now,
                                interface,
                                limit,
                                Error::HostUnreachable,
                                packet,
                                place,
                                counters,
                            );
                        }
                    }
                }
            }
        }
        counters.add(Counter::NeighbourLost, self.neighbours.take_forsaken());
        counters.set(Counter::Neighbours, self.neighbours.len() as u64);
    }

    /// What is to be sent besides the packets forwarded.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Forgets it, sent.
    pub fn clear_outbox(&mut self) {
        self.outbox.clear();
    }

    /// The neighbour that a packet is handed to, if it is known or asked for.
    pub fn neighbour_of(&self, target: Target) -> Option<NeighbourView> {
        self.neighbours.of_address(target.port, target.neighbour)
    }

    /// Places of the table of neighbours, and what is at one.
    pub fn neighbour(&self, place: usize) -> Option<NeighbourView> {
        self.neighbours.view(place)
    }

    /// How many places that table has.
    pub fn neighbour_places(&self) -> usize {
        self.neighbours.capacity()
    }

    fn send_error(
        &mut self,
        now: Nanos,
        port: PortId,
        what: Error,
        frame: &[u8],
        place: (usize, usize),
        counters: &Counters,
    ) {
        let Some(number) = self.by_port.get(usize::from(port.0)).copied().flatten() else { return };
        let (interface, limit) = (&self.interfaces[usize::from(number)], &mut self.limits[usize::from(number)]);
        error(&mut self.outbox, now, interface, limit, what, frame, place, counters);
    }

    /// Our MAC address on the management port.
    fn kernel_facing(&self) -> Option<Mac> {
        self.management?;
        self.interfaces.first().map(|interface| interface.mac)
    }
}

/// Sends an ICMP error to whoever sent the packet between `place.0` and `place.1` of `frame`.
#[allow(clippy::too_many_arguments, reason = "parts of the router, borrowed apart")]
fn error(
    outbox: &mut Outbox,
    now: Nanos,
    interface: &Interface,
    limit: &mut Limit,
    what: Error,
    frame: &[u8],
    place: (usize, usize),
    counters: &Counters,
) {
    let source = match frame.get(place.0).map(|octet| octet >> 4) {
        Some(4) => frame.get(place.0 + 12..).and_then(|at| at.first_chunk()).map(|octets| Address::v4(*octets)),
        _ => frame.get(place.0 + 8..).and_then(|at| at.first_chunk()).map(|octets| Address(*octets)),
    };
    let Some(own) = source.and_then(|source| interface.address_towards(source)) else { return };
    if !limit.allows(now) {
        counters.add(Counter::ErrorsLimited, 1);
        return;
    }
    let sent = what.send(outbox, interface.port, own, frame, place.0, place.1);
    counters.add(if sent { Counter::ErrorsSent } else { Counter::OriginatedLost }, 1);
}

/// False where the packet cannot be cut.
fn send_in_fragments(outbox: &mut Outbox, port: PortId, frame: &[u8], mtu: u16, counters: &Counters) -> bool {
    let Some((link, packet)) = frame.split_at_checked(ethernet::HEADER) else { return false };
    let Some(fragments) = Fragments::of(packet, mtu) else { return false };
    counters.add(Counter::Fragmented, 1);
    for piece in fragments {
        let (header, payload) = (&piece.header[..], packet.get(piece.payload).unwrap_or_default());
        let Some(room) = outbox.push(port, link.len() + header.len() + payload.len()) else {
            counters.add(Counter::OriginatedLost, 1);
            continue;
        };
        let (first, rest) = room.split_at_mut(link.len());
        first.copy_from_slice(link);
        let (first, rest) = rest.split_at_mut(header.len());
        first.copy_from_slice(header);
        rest.copy_from_slice(payload);
        counters.add(Counter::FragmentsMade, 1);
    }
    true
}

fn address_frame(frame: &mut [u8], to: Mac, from: Mac) {
    if let Some(addresses) = frame.first_chunk_mut::<12>() {
        addresses[..6].copy_from_slice(&to.0);
        addresses[6..].copy_from_slice(&from.0);
    }
}

/// Whether a frame has nothing between its Ethernet header and its IP header: what an interface takes.
pub(crate) fn is_plain(link: &Link) -> bool {
    usize::from(link.offset) == ethernet::HEADER
}
