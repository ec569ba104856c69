//! Packets at interfaces: routed, judged, and handed to their next hop; what is for the firewall itself is answered or
//! handed to the kernel.

use super::{Frame, Packet, Pipeline};
use crate::endpoint::Direction;
use crate::flow::{End, Slot, State};
use crate::nat::Reversal;
use crate::packet::{Fragment, Network, PacketInfo, Parsed};
use crate::policy::PortId;
use crate::route::{self, Departure, Error, Hop, Target};
use crate::time::Nanos;
use crate::verdict::{DropReason, Verdict};
use crate::wire::ethernet;

/// The ports by which a packet comes in and leaves.
pub(super) type Path = (PortId, PortId);

/// Where a packet goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// To the firewall itself.
    Own,
    /// To a neighbour.
    On(Target),
}

impl Pipeline {
    /// Judges a frame at an interface.
    pub(super) fn judge_routed(
        &mut self,
        now: Nanos,
        frame: &mut Frame<'_>,
        parsed: &Parsed,
        hash: u64,
    ) -> Result<Verdict, DropReason> {
        let info = match parsed {
            Parsed::NonIp => {
                let nat = self.nat.as_deref();
                let is_pool = |address| nat.is_some_and(|nat| nat.is_pool_address(address));
                self.router.arp(now, frame.port, frame.bytes, &self.counters, is_pool)?;
                return Ok(Verdict::Taken);
            }
            Parsed::LinkControl => {
                self.settings.protection.screen_link_control(frame.bytes)?;
                self.router.ndp(now, frame.port, frame.bytes, &self.counters)?;
                return Ok(Verdict::Taken);
            }
            Parsed::Packet(info) => info,
        };
        if let Fragment::First(piece) | Fragment::Later(piece) = info.fragment {
            self.admit_fragment(now, frame, info)?;
            return self.judge_fragment(now, frame, info, piece);
        }
        // The receiver inside, where the packet is sent to what source NAT put in its place.
        let mut info = *info;
        let mapping = if self.nat.is_some() { self.bring_inside(&mut info)? } else { None };
        let hash = if mapping.is_some() { self.table.hash(info.flow_key()) } else { hash };
        let info = &info;
        let way = self.way(now, frame, info, info.length)?;
        let path = (frame.port, self.port_of(way));
        let packet = Packet { now, frame, info, hash, mapping, path: Some(path), octets: info.length };
        let slot = self.judge_packet(&packet)?;
        self.take_urgent(frame, info);
        let reversal = if self.nat.is_some() { self.translate(frame, info, slot) } else { None };
        match way {
            Way::Own => self.deliver(frame, info, slot),
            Way::On(target) => self.depart(now, frame, info, target, reversal),
        }
    }

    /// The port by which it leaves.
    pub(super) fn port_of(&self, way: Way) -> PortId {
        match way {
            Way::Own => self.router.own(),
            Way::On(target) => target.port,
        }
    }

    /// Whether a fragment may wait for the rest of its datagram: it came to us, and has hops left.
    fn admit_fragment(&mut self, now: Nanos, frame: &Frame<'_>, info: &PacketInfo) -> Result<(), DropReason> {
        let (port, bytes) = (frame.port, &*frame.bytes);
        if !route::is_plain(&info.link) || !self.router.takes(port, bytes) {
            return Err(DropReason::NotForUs);
        }
        if ethernet::is_group(bytes) {
            return Err(DropReason::GroupDestination);
        }
        let is_ours = self.router.owns(info.addresses().1);
        if !is_ours && !self.router.is_management(port) && route::hop_limit(bytes, &info.link) <= 1 {
            self.router.refuse(now, port, Error::TimeExceeded, bytes, info, &self.counters);
            return Err(DropReason::TtlExpired);
        }
        Ok(())
    }

    /// Where a packet goes. Before the policy, as its zone depends on it; whoever sent it is told why it goes nowhere. It
    /// has `length` octets, of a datagram in fragments the longest of them.
    pub(super) fn way(
        &mut self,
        now: Nanos,
        frame: &Frame<'_>,
        info: &PacketInfo,
        length: u32,
    ) -> Result<Way, DropReason> {
        self.find_way(frame, info, length).map_err(|(reason, told)| {
            if let Some(error) = told {
                self.router.refuse(now, frame.port, error, frame.bytes, info, &self.counters);
            }
            reason
        })
    }

    /// The same, telling nobody: where it goes nowhere, why, and what its sender is to be told.
    pub(super) fn find_way(
        &self,
        frame: &Frame<'_>,
        info: &PacketInfo,
        length: u32,
    ) -> Result<Way, (DropReason, Option<Error>)> {
        let silent = |reason| Err((reason, None));
        let (port, bytes) = (frame.port, &*frame.bytes);
        if !route::is_plain(&info.link) || !self.router.takes(port, bytes) {
            return silent(DropReason::NotForUs);
        }
        // What the link gave to all of its hosts is not forwarded, or each router there would (RFC 1812, 5.3.4), nor is it
        // for a host by one of its addresses (RFC 1122, 3.3.6).
        if ethernet::is_group(bytes) {
            return silent(DropReason::GroupDestination);
        }
        let (source, destination) = info.addresses();
        let is_kernels = self.router.is_management(port);
        if self.router.owns(source) != is_kernels || !info.is_from_host() {
            return silent(DropReason::BadAddress);
        }
        let target = match self.router.way(port, destination) {
            Some(Hop::Own) if !is_kernels => return Ok(Way::Own),
            Some(Hop::Own | Hop::Group) => return silent(DropReason::GroupDestination),
            Some(Hop::Discard) => return silent(DropReason::DiscardRoute),
            Some(hop) => hop.target(destination).ok_or((DropReason::NoRoute, None))?,
            None => return Err((DropReason::NoRoute, Some(Error::NoRoute))),
        };
        // What a link-local address sent stays on its link (RFC 4291, 2.5.6).
        if info.is_link_local() {
            return silent(DropReason::GroupDestination);
        }
        if !is_kernels && route::hop_limit(bytes, &info.link) <= 1 {
            return Err((DropReason::TtlExpired, Some(Error::TimeExceeded)));
        }
        let mtu = self.router.interface(target.port).map_or(0, |interface| interface.mtu);
        if length > u32::from(mtu) {
            let packet = bytes.get(usize::from(info.link.offset)..).unwrap_or_default();
            if info.link.network == Network::Ipv6 || route::is_dont_fragment(packet) {
                return Err((DropReason::MtuExceeded, Some(Error::TooBig(mtu))));
            }
        }
        Ok(Way::On(target))
    }

    /// Hands a packet that is let through to its next hop.
    fn depart(
        &mut self,
        now: Nanos,
        frame: &mut Frame<'_>,
        info: &PacketInfo,
        target: Target,
        reversal: Option<Reversal>,
    ) -> Result<Verdict, DropReason> {
        let from = frame.port;
        frame.edited = true;
        let departure = self.router.depart(now, from, target, frame.bytes, (info, reversal), &self.counters)?;
        Ok(match departure {
            Departure::Now(port) => Verdict::Forward(port),
            Departure::Taken => Verdict::Taken,
        })
    }

    /// Takes a packet for one of our own addresses: the kernel's, where there is a management port; otherwise an echo
    /// request is answered, and nothing else is served.
    fn deliver(&mut self, frame: &mut Frame<'_>, info: &PacketInfo, slot: Slot) -> Result<Verdict, DropReason> {
        if let Some(port) = self.router.hand_up(frame.bytes) {
            frame.edited = true;
            return Ok(Verdict::Forward(port));
        }
        if !self.router.echo(frame.port, frame.bytes, info, &self.counters) {
            return Err(DropReason::NoLocalService);
        }
        self.table.count(slot, Direction::ToClient, info.length);
        if self.table.record(slot).state() == State::OneWay {
            self.change_state(slot, State::BothWays);
        }
        Ok(Verdict::Taken)
    }

    /// The ports of the client's and the server's side of a packet's flow.
    pub(super) fn packet_ports(&self, packet: &Packet<'_>, client: End) -> Path {
        let is_client = packet.info.sender == client;
        match packet.path {
            Some((from, to)) if is_client => (from, to),
            Some((from, to)) => (to, from),
            None => {
                let swapped = self.wires.is_second(packet.frame.port) == is_client;
                self.wires.pair(packet.info.key.realm().wire(), swapped)
            }
        }
    }

    /// Whether a new session may come from where it does: its source has to be routed to the zone that it comes from.
    pub(super) fn check_origin(&self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let Some((from, _)) = packet.path else { return Ok(()) };
        if !self.router.interface(from).is_some_and(|interface| interface.reverse_path) {
            return Ok(());
        }
        let source = packet.info.addresses().0;
        let back = match self.router.route(source) {
            // Link-local: a neighbour's.
            Some(Hop::Group) if packet.info.is_link_local() => return Ok(()),
            Some(hop) => hop.port(),
            None => None,
        };
        let same_zone = back.is_some_and(|port| port == from || self.policy.zone(port) == self.policy.zone(from));
        if same_zone { Ok(()) } else { Err(DropReason::ReversePath) }
    }

    /// Whether a packet of a session takes a way between the zones that the session was judged for.
    pub(super) fn check_path(&self, packet: &Packet<'_>, slot: Slot, direction: Direction) -> Result<(), DropReason> {
        let Some((from, to)) = packet.path else { return Ok(()) };
        let Some(&(client, server)) = self.paths.get(slot.index()) else { return Ok(()) };
        let judged = if direction == Direction::ToServer { (client, server) } else { (server, client) };
        let zones = |(from, to)| (self.policy.zone(from), self.policy.zone(to));
        if judged == (from, to) || zones(judged) == zones((from, to)) { Ok(()) } else { Err(DropReason::WrongZone) }
    }

    /// Tells the sender of a packet at an interface that a rule refuses it; false at a wire.
    pub(super) fn prohibit_routed(&mut self, packet: &Packet<'_>) -> bool {
        if let Some((from, _)) = packet.path {
            self.router.refuse(packet.now, from, Error::Prohibited, packet.frame.bytes, packet.info, &self.counters);
        }
        packet.path.is_some()
    }

    /// Gives a reply to the receiver of a routed packet its MAC addresses; false where they are not known, or the receiver is
    /// the firewall itself.
    pub(super) fn address_reply(&mut self, packet: &Packet<'_>, reply: &mut [u8]) -> bool {
        let destination = packet.info.addresses().1;
        let target = self.router.route(destination).and_then(|hop| hop.target(destination));
        target.is_some_and(|target| self.router.address(packet.now, target, reply))
    }

    /// Frames that the firewall sends of its own at interfaces, and fragments that waited for their datagram; the caller sends them and calls
    /// [`Pipeline::clear_originated`].
    pub fn originated(&self) -> impl Iterator<Item = (PortId, &[u8])> {
        self.router.outbox().frames().chain(self.outbox.frames())
    }

    /// Forgets them.
    pub fn clear_originated(&mut self) {
        self.router.clear_outbox();
        self.outbox.clear();
    }
}
