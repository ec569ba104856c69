//! A packet as its session's machine sees it, and the events that it makes.

use std::time::Duration;

use crate::access::negotiation::{Family, Negotiation, Side};
use crate::access::session::session;
use crate::access::{AccessEvent, AccessKind, AccessSettings, Sight, Source, Text};
use crate::endpoint::{Address, Mac};
use crate::time::Nanos;

/// A packet in its session.
pub(super) struct View<'a> {
    /// The session's number.
    pub(super) session: u64,
    /// The number of its two ends.
    pub(super) pair: u64,
    /// PPPoE's own.
    pub(super) id: u16,
    pub(super) now: Nanos,
    pub(super) at: &'a Sight,
    /// How often it is told that the session lives.
    pub(super) every: Duration,
}

impl<'a> View<'a> {
    pub(super) fn new(settings: &AccessSettings, now: Nanos, at: &'a Sight, id: u16) -> Self {
        let (from, to) = (at.macs.0.0, at.macs.1.0);
        let vlans = [at.realm.svlan().to_be_bytes(), at.realm.cvlan().to_be_bytes()];
        let ends: [&[u8]; 4] = [&[at.realm.wire()], vlans.as_flattened(), &from.min(to), &from.max(to)];
        let pair = session(settings.seed, Source::Pppoe, &ends);
        Self { session: at.pppoe_session(settings.seed, id), pair, id, now, at, every: settings.alive_every }
    }

    /// Whether a MAC address is the lower of the two.
    pub(super) fn is_lower(&self, mac: Mac) -> bool {
        let (from, to) = self.at.macs;
        mac.0 == from.0.min(to.0)
    }

    /// The host, if it has the lower of the two, or else the higher.
    pub(super) fn host(&self, is_lower: bool) -> Mac {
        let (from, to) = (self.at.macs.0.0, self.at.macs.1.0);
        Mac(if is_lower { from.min(to) } else { from.max(to) })
    }

    /// An event of the session of which nothing else is known.
    pub(super) fn bare(&self, event: AccessEvent) -> AccessEvent {
        let mut event = AccessEvent {
            session: self.session,
            svlan: self.at.realm.svlan(),
            cvlan: self.at.realm.cvlan(),
            is_local: true,
            ports: self.at.ports,
            ..event
        };
        push_number(&mut event, self.id);
        event
    }

    /// An event of a session with all that is known of it.
    pub(super) fn event(&self, kind: AccessKind, place: &Negotiation) -> AccessEvent {
        let (near, far) = self.at.ports;
        let mut event = AccessEvent {
            session: place.session,
            svlan: self.at.realm.svlan(),
            cvlan: self.at.realm.cvlan(),
            is_local: true,
            ports: if place.side(self.at.macs.0) == Side::Host { (near, far) } else { (far, near) },
            mac: Some(place.host),
            ipv4: place.ipv4(),
            ..AccessEvent::new(kind, Source::Pppoe)
        };
        event.texts.push(Text::User, &place.name);
        event.texts.push(Text::CircuitId, &place.circuit);
        event.texts.push(Text::RemoteId, &place.remote);
        event.texts.push(Text::CalledStation, &place.concentrator);
        push_number(&mut event, place.id);
        event
    }
}

/// PPPoE's number of a session, in decimal.
fn push_number(event: &mut AccessEvent, id: u16) {
    if id == 0 {
        return;
    }
    let digits = [10_000, 1_000, 100, 10, 1].map(|place| b'0' + (id / place % 10) as u8);
    let begin = digits.iter().position(|digit| *digit != b'0').unwrap_or(0);
    event.texts.push(Text::SessionId, digits.get(begin..).unwrap_or_default());
}

/// An address as its network protocol negotiates it: of IPv6 the interface identifier of one that is local to the link.
pub(super) fn negotiated(address: Address) -> (Family, [u8; 8]) {
    let mut octets = [0; 8];
    if address.is_v4() {
        let [.., a, b, c, d] = address.0;
        octets = [a, b, c, d, 0, 0, 0, 0];
        return (Family::V4, octets);
    }
    if let ([0xfe, 0x80, 0, 0, 0, 0, 0, 0], rest) = address.0.split_at(8) {
        octets.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    }
    (Family::V6, octets)
}
