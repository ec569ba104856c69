//! What the router and its neighbours say to each other: ARP and NDP, read, answered, asked and announced.

use super::{DEFEND, Router, address_frame, send_in_fragments};
use crate::counters::{Counter, Counters};
use crate::endpoint::Address;
use crate::endpoint::Mac;
use crate::packet::Link;
use crate::policy::PortId;
use crate::route::arp::Arp;
use crate::route::hop;
use crate::route::ndp::{self, ALL_NODES, Kind, Ndp, Read};
use crate::route::neighbour::{Claim, Id, Learned};
use crate::time::Nanos;
use crate::verdict::DropReason;
use crate::wire::ethernet;

impl Router {
    /// Reads an ARP message.
    ///
    /// # Errors
    /// Where it is none, contradicts itself, or says what cannot be.
    pub fn arp(
        &mut self,
        now: Nanos,
        port: PortId,
        frame: &[u8],
        counters: &Counters,
        is_pool: impl Fn(Address) -> bool,
    ) -> Result<(), DropReason> {
        if ethernet::ether_type(frame) != Some(ethernet::ARP) || !self.takes(port, frame) {
            return Err(DropReason::NotForUs);
        }
        let arp = Arp::read(frame).ok_or(DropReason::BadNeighbourMessage)?;
        if self.is_management(port) {
            return self.answer_kernel(port, &arp, counters);
        }
        let Some(interface) = self.interface(port) else { return Err(DropReason::NotForUs) };
        let (mac, address) = arp.sender;
        // Who is on a network with addresses of a pool asks for them by ARP (RFC 3022, 4.4).
        let is_ours = |address| interface.owns(address) || interface.is_neighbour(address) && is_pool(address);
        let about_us = is_ours(arp.target.1);
        let ours = interface.mac;
        if is_ours(address) {
            return self.defend(now, port, address, mac, counters);
        }
        // A host that asks whether an address is free names none as its own (RFC 5227, 2.1.1).
        if address != Address::v4([0; 4]) {
            if !interface.is_neighbour(address) {
                return Err(DropReason::BadNeighbourMessage);
            }
            let claim = Claim {
                port,
                address,
                mac: Some(mac),
                asks_us: arp.asks && about_us,
                answers: !arp.asks && about_us,
                overrides: true,
            };
            self.learn(now, &claim, counters);
        }
        if arp.asks && about_us {
            let answer = Arp { asks: false, sender: (ours, arp.target.1), target: arp.sender };
            self.say(port, &answer.frame(mac), Counter::NeighbourAnswers, counters);
        }
        Ok(())
    }

    /// Reads what came of ICMPv6 of the link itself: solicitations and advertisements; the rest is none of ours.
    ///
    /// # Errors
    /// Where it contradicts itself, or says what cannot be.
    pub fn ndp(&mut self, now: Nanos, port: PortId, frame: &[u8], counters: &Counters) -> Result<(), DropReason> {
        const TRANSPORT: usize = ethernet::HEADER + crate::wire::ipv6::HEADER;
        let is_plain = ethernet::ether_type(frame) == Some(ethernet::IPV6);
        if !is_plain || !self.takes(port, frame) {
            return Err(DropReason::NotForUs);
        }
        // Extension headers in front of these are nobody's (RFC 6980); what has one is a listener report.
        if frame.get(ethernet::HEADER + 6) != Some(&crate::wire::protocol::ICMPV6) {
            return Ok(());
        }
        let message = match Ndp::read(frame, ethernet::HEADER, TRANSPORT) {
            Read::Message(message) => message,
            Read::Other => return Ok(()),
            Read::Bad => return Err(DropReason::BadNeighbourMessage),
        };
        if self.is_management(port) {
            return self.advertise_to_kernel(port, &message, counters);
        }
        let Some(interface) = self.interface(port).filter(|interface| interface.has_ipv6()) else {
            return Err(DropReason::NotForUs);
        };
        let about_us = interface.owns(message.target);
        let ours = interface.mac;
        let sender = Mac(frame.get(6..12).and_then(|mac| mac.first_chunk()).copied().unwrap_or_default());
        match message.kind {
            Kind::Solicitation => {
                let asker = message.source;
                if asker != Address::default() {
                    if interface.owns(asker) {
                        return self.defend(now, port, asker, sender, counters);
                    }
                    if !interface.is_neighbour(asker) {
                        return Err(DropReason::BadNeighbourMessage);
                    }
                    let claim = Claim {
                        port,
                        address: asker,
                        mac: message.mac,
                        asks_us: about_us,
                        answers: false,
                        overrides: true,
                    };
                    self.learn(now, &claim, counters);
                }
                if about_us {
                    // To a host that has no address yet the answer goes to all (RFC 4861, 7.2.4).
                    let known = asker != Address::default();
                    let destination = if known { asker } else { ALL_NODES };
                    let kind = Kind::Advertisement { solicited: known, overrides: true };
                    let answer =
                        Ndp { source: message.target, destination, target: message.target, mac: Some(ours), kind };
                    let to = if known { message.mac.unwrap_or(sender) } else { ndp::group_mac(ALL_NODES) };
                    self.say(port, &answer.frame(ours, to), Counter::NeighbourAnswers, counters);
                }
            }
            Kind::Advertisement { .. } if about_us => {
                return self.defend(now, port, message.target, sender, counters);
            }
            Kind::Advertisement { solicited, overrides } => {
                if !interface.is_neighbour(message.target) {
                    return Err(DropReason::BadNeighbourMessage);
                }
                let (address, mac) = (message.target, message.mac);
                let claim = Claim { port, address, mac, asks_us: false, answers: solicited, overrides };
                self.learn(now, &claim, counters);
            }
        }
        Ok(())
    }

    fn learn(&mut self, now: Nanos, claim: &Claim, counters: &Counters) {
        match self.neighbours.learn(now, claim) {
            Learned::Resolved(id) => self.release(id, counters),
            Learned::Contested => {
                counters.add(Counter::NeighbourConflicts, 1);
                self.ask(claim.port, claim.address, None, counters);
            }
            Learned::Quiet => {}
        }
    }

    /// Sends what waited for a neighbour that is known now.
    fn release(&mut self, id: Id, counters: &Counters) {
        let Some((port, neighbour)) = self.neighbours.of(id) else { return };
        let Some((mac, mtu)) = self.interface(port).map(|interface| (interface.mac, interface.mtu)) else { return };
        let management = self.management.and(self.own);
        while let Some((held, packet)) = self.neighbours.release(id) {
            if management != Some(held.from)
                && let Ok(Some(link)) = Link::read(packet)
            {
                hop::decrement(packet, &link);
            }
            address_frame(packet, neighbour, mac);
            if packet.len() > usize::from(mtu) + ethernet::HEADER {
                let cut = send_in_fragments(&mut self.outbox, port, packet, mtu, counters);
                counters.add(if cut { Counter::NeighbourReleased } else { Counter::NeighbourLost }, 1);
                continue;
            }
            counters.add(Counter::NeighbourReleased, 1);
            if !self.outbox.push_whole(port, packet) {
                counters.add(Counter::OriginatedLost, 1);
            }
        }
    }

    pub(super) fn ask(&mut self, port: PortId, address: Address, to: Option<Mac>, counters: &Counters) {
        let Some(interface) = self.interface(port) else { return };
        let (mac, Some(own)) = (interface.mac, interface.address_towards(address)) else { return };
        if address.is_v4() {
            let question = Arp { asks: true, sender: (mac, own), target: (Mac::default(), address) };
            self.say(port, &question.frame(to.unwrap_or(Mac::BROADCAST)), Counter::NeighbourQuestions, counters);
        } else {
            let group = ndp::solicited_node(address);
            let destination = if to.is_some() { address } else { group };
            let question = Ndp { source: own, destination, target: address, mac: Some(mac), kind: Kind::Solicitation };
            let frame = question.frame(mac, to.unwrap_or_else(|| ndp::group_mac(group)));
            self.say(port, &frame, Counter::NeighbourQuestions, counters);
        }
    }

    fn say(&mut self, port: PortId, frame: &[u8], counter: Counter, counters: &Counters) {
        counters.add(if self.outbox.push_whole(port, frame) { counter } else { Counter::OriginatedLost }, 1);
    }

    /// Another claims an address of ours.
    fn defend(
        &mut self,
        now: Nanos,
        port: PortId,
        address: Address,
        by: Mac,
        counters: &Counters,
    ) -> Result<(), DropReason> {
        let number = self.by_port.get(usize::from(port.0)).copied().flatten().map(usize::from);
        let Some(at) = number else { return Err(DropReason::NotForUs) };
        // What we said ourselves came back: a loop in the network, and no conflict.
        if by == self.interfaces[at].mac {
            return Err(DropReason::NotForUs);
        }
        if now.since(self.defended[at]) >= DEFEND {
            self.defended[at] = now;
            self.announce_address(at, address, counters);
        }
        Err(DropReason::AddressConflict)
    }

    pub(super) fn announce(&mut self, at: usize, counters: &Counters) {
        let interface = &self.interfaces[at];
        let link_local = interface.has_ipv6().then(|| interface.link_local());
        for number in 0..interface.addresses.len() {
            let address = self.interfaces[at].addresses[number].0;
            self.announce_address(at, address, counters);
        }
        if let Some(address) = link_local {
            self.announce_address(at, address, counters);
        }
    }

    fn announce_address(&mut self, at: usize, address: Address, counters: &Counters) {
        let (port, mac) = (self.interfaces[at].port, self.interfaces[at].mac);
        if address.is_v4() {
            let announcement = Arp { asks: true, sender: (mac, address), target: (Mac::default(), address) };
            self.say(port, &announcement.frame(Mac::BROADCAST), Counter::NeighbourAnnouncements, counters);
        } else {
            let kind = Kind::Advertisement { solicited: false, overrides: true };
            let announcement = Ndp { source: address, destination: ALL_NODES, target: address, mac: Some(mac), kind };
            let frame = announcement.frame(mac, ndp::group_mac(ALL_NODES));
            self.say(port, &frame, Counter::NeighbourAnnouncements, counters);
        }
    }

    /// To the kernel everybody is behind us.
    fn answer_kernel(&mut self, port: PortId, arp: &Arp, counters: &Counters) -> Result<(), DropReason> {
        let sought = arp.target.1;
        if let Some(ours) = self.kernel_facing()
            && arp.asks
            && arp.sender.1 != Address::v4([0; 4])
            && !self.owns(sought)
        {
            let answer = Arp { asks: false, sender: (ours, sought), target: arp.sender };
            self.say(port, &answer.frame(arp.sender.0), Counter::NeighbourAnswers, counters);
        }
        Ok(())
    }

    fn advertise_to_kernel(&mut self, port: PortId, message: &Ndp, counters: &Counters) -> Result<(), DropReason> {
        if let (Some(ours), Kind::Solicitation, Some(kernel)) = (self.kernel_facing(), message.kind, message.mac)
            && !self.owns(message.target)
        {
            let (source, destination) = (message.target, message.source);
            let kind = Kind::Advertisement { solicited: true, overrides: true };
            let answer = Ndp { source, destination, target: source, mac: Some(ours), kind };
            self.say(port, &answer.frame(ours, kernel), Counter::NeighbourAnswers, counters);
        }
        Ok(())
    }
}
