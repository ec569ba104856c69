//! Showing what may tell of access users to who reads it, and telling control.

use std::sync::Arc;

use sigdb::AppId;

use super::{Frame, Packet, Pipeline};
use crate::access::{AccessSettings, Found, Sight, Tally};
use crate::counters::Counter;
use crate::endpoint::{Direction, Endpoint, Mac};
use crate::flow::{Flags, FlowKey, Realm, Slot};
use crate::packet::Transport;
use crate::policy::PortId;
use crate::time::Nanos;
use crate::wire::vlan::Tags;
use crate::wire::{be16, ethernet, pppoe, protocol};

impl Pipeline {
    /// Goes on with other settings; returns those that it has no more. A pipeline that was made without
    /// [`Self::watching`] has no memory for sign-ons, and returns the new ones.
    pub(super) fn set_access(&mut self, settings: Arc<AccessSettings>) -> Arc<AccessSettings> {
        match &mut self.access {
            Some(access) => access.set(settings),
            None => settings,
        }
    }

    /// Whether a UDP flow's ports, or the application that it has by now, are those of a protocol by which users sign on.
    pub(super) fn is_watched(&self, key: &FlowKey, application: AppId) -> bool {
        let Some(access) = &self.access else { return false };
        let (one, other) = (key.end(crate::flow::End::Low), key.end(crate::flow::End::High));
        access.watches((one.port, other.port)) || access.settings().applications.contains(&application)
    }

    /// Watches a flow that the engine named as such a protocol, whatever its ports.
    pub(super) fn watch_named(&mut self, slot: Slot, application: AppId) {
        let record = self.table.record(slot);
        let is_one = self.access.as_ref().is_some_and(|access| access.settings().applications.contains(&application));
        if is_one && record.protocol() == protocol::UDP {
            self.table.record_mut(slot).set(Flags::WATCHED, true);
        }
    }

    /// Shows a packet that its flow's rule lets through.
    pub(super) fn watch(&mut self, packet: &Packet<'_>, slot: Slot, direction: Direction) {
        let record = self.table.record(slot);
        let (is_datagram, session) = (record.protocol() == protocol::UDP, packet.info.link.pppoe);
        let is_shown = is_datagram && record.has(Flags::WATCHED);
        if self.access.is_none() || !is_shown && session.is_none() {
            return;
        }
        let (entry, exit) = self.packet_ports(packet, packet.info.sender);
        let Some(access) = &mut self.access else { return };
        let (key, client) = (self.table.key(slot), record.client());
        let (from, to) = match direction {
            Direction::ToServer => (client, client.other()),
            Direction::ToClient => (client.other(), client),
        };
        let bytes: &[u8] = packet.frame.bytes;
        let at = Sight {
            source: key.end(from),
            destination: key.end(to),
            macs: macs(bytes),
            realm: packet.info.key.realm(),
            ports: (entry.0, exit.0),
            pppoe: session.and_then(|header| be16(bytes, usize::from(header) + pppoe::SESSION)),
        };
        let mut found = Found::new();
        if at.pppoe.is_some() {
            access.carried(packet.now, &at, &mut found);
        }
        if is_shown && matches!(packet.info.transport, Transport::Udp) {
            access.datagram(packet.now, &at, packet.info.payload(bytes), &mut found);
        }
        self.tell_access(packet.now, found);
    }

    /// Shows a frame on a wire that is not IP.
    pub(super) fn watch_control(&mut self, now: Nanos, frame: &Frame<'_>, out: PortId) {
        let Some(access) = &mut self.access else { return };
        let bytes: &[u8] = frame.bytes;
        let Some(ether_type) = ethernet::ether_type(bytes) else { return };
        let Ok((tags, ether_type, at)) = Tags::read(bytes, ether_type, ethernet::HEADER) else { return };
        let Some((wire, _)) = self.wires.from(frame.port) else { return };
        let sight = Sight {
            source: Endpoint::default(),
            destination: Endpoint::default(),
            macs: macs(bytes),
            realm: Realm::new(wire, tags.outer, tags.inner),
            ports: (frame.port.0, out.0),
            pppoe: None,
        };
        let mut found = Found::new();
        access.control(now, &sight, ether_type, bytes.get(at..).unwrap_or_default(), &mut found);
        self.tell_access(now, found);
    }

    /// What time asks for.
    pub(super) fn turn_access(&mut self, now: Nanos) {
        let Some(access) = &mut self.access else { return };
        let mut found = Found::new();
        access.turn(now, &mut found);
        self.tell_access(now, found);
    }

    fn tell_access(&mut self, now: Nanos, found: Found) {
        for event in found {
            let sent = self.events.access(now, event);
            self.counters.add(if sent { Counter::AccessEvents } else { Counter::AccessEventsLost }, 1);
        }
        let Some(access) = &mut self.access else { return };
        let tally = access.take_tally();
        if tally != Tally::default() {
            for (counter, count) in counted(&tally) {
                self.counters.add(counter, count);
            }
        }
    }
}

/// A frame's source and destination.
fn macs(frame: &[u8]) -> (Mac, Mac) {
    match frame.first_chunk::<12>() {
        Some(&[a, b, c, d, e, f, g, h, i, j, k, l]) => (Mac([g, h, i, j, k, l]), Mac([a, b, c, d, e, f])),
        None => Default::default(),
    }
}

/// The counters of a tally.
const fn counted(tally: &Tally) -> [(Counter, u64); 14] {
    [
        (Counter::RadiusRequests, tally.radius_requests),
        (Counter::RadiusAnswers, tally.radius_answers),
        (Counter::RadiusUnmatched, tally.radius_unmatched),
        (Counter::RadiusForged, tally.radius_forged),
        (Counter::RadiusUnverified, tally.radius_unverified),
        (Counter::RadiusEvicted, tally.radius_evicted),
        (Counter::PppoeControl, tally.pppoe_control),
        (Counter::PppoeLost, tally.pppoe_lost),
        (Counter::EapolFrames, tally.eapol_frames),
        (Counter::EapolLost, tally.eapol_lost),
        (Counter::DhcpMessages, tally.dhcp_messages),
        (Counter::Dhcpv6Messages, tally.dhcpv6_messages),
        (Counter::DhcpUnlisted, tally.dhcp_unlisted),
        (Counter::AccessMalformed, tally.malformed),
    ]
}
