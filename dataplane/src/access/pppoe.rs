//! PPPoE (RFC 2516): who signs on at an access concentrator, told as it is said on the way.
//!
//! A session begins where its concentrator confirms it or where somebody shows who he is; nothing else makes one, so that
//! what merely looks like a session has no user. What ends one must come from one of its two ends: their MAC addresses are part
//! of its number.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
mod view;

use self::view::{View, negotiated};
use super::discovery::{Discovery, PADR, PADS, PADT};
use super::eap::Eap;
use super::lives::{Lives, Standing};
use super::negotiation::{Family, Method, Negotiation, Phase, Side, Verdict, kept};
use super::ppp::{self, Control};
use super::sessions::Sessions;
use super::{AccessEvent, AccessKind, AccessSettings, Found, ResultCode, Sight, Source, Tally, Text};
use crate::endpoint::Mac;
use crate::time::Nanos;
use crate::wire::be16;
use crate::wire::pppoe::{HEADER, SESSION, Session};

/// Sessions whose life is followed, for each negotiation that there is room for.
const SESSIONS: usize = 64;

/// Sessions whose negotiation is under way, and which of the others live.
#[derive(Debug)]
pub struct Pppoe {
    sessions: Sessions,
    lives: Lives,
}

impl Pppoe {
    /// With room for so many negotiations. Takes all its memory now: for 4,096 7 MiB.
    pub fn new(room: usize) -> Self {
        Self { sessions: Sessions::new(room), lives: Lives::new(room * SESSIONS) }
    }

    /// Reads a packet of the discovery stage.
    pub fn discovery(
        &mut self,
        settings: &AccessSettings,
        now: Nanos,
        at: &Sight,
        payload: &[u8],
        tally: &mut Tally,
        found: &mut Found,
    ) {
        tally.pppoe_control += 1;
        let Some(packet) = Discovery::read(payload) else {
            tally.malformed += 1;
            return;
        };
        let view = View::new(settings, now, at, packet.session);
        match packet.code {
            PADR if at.macs.0.is_unicast() && at.macs.1.is_unicast() => self.asked(&view, &packet, tally),
            PADS if packet.session == 0 => self.refused(&view, &packet, found),
            PADS if at.macs.0.is_unicast() && at.macs.1.is_unicast() => self.confirmed(&view, &packet, tally, found),
            PADT if packet.session != 0 => self.end(&view, PADT.into(), packet.error(), tally, found),
            _ => {}
        }
    }

    /// Reads a control packet of the session stage.
    pub fn session(
        &mut self,
        settings: &AccessSettings,
        now: Nanos,
        at: &Sight,
        payload: &[u8],
        tally: &mut Tally,
        found: &mut Found,
    ) {
        let Some(header) = Session::read(payload, 0) else {
            tally.malformed += 1;
            return;
        };
        let is_read = matches!(header.protocol, ppp::LCP | ppp::PAP | ppp::CHAP | ppp::EAP | ppp::IPCP | ppp::IPV6CP);
        if !is_read {
            return;
        }
        tally.pppoe_control += 1;
        let id = be16(payload, SESSION).unwrap_or_default();
        let Some(data) = payload.get(HEADER..HEADER + header.length).filter(|_| id != 0) else {
            tally.malformed += 1;
            return;
        };
        let view = View::new(settings, now, at, id);
        if header.protocol == ppp::EAP {
            match Eap::read(data) {
                Some(packet) => self.eap(&view, packet, tally, found),
                None => tally.malformed += 1,
            }
            return;
        }
        let Some(packet) = Control::read(data) else {
            tally.malformed += 1;
            return;
        };
        match header.protocol {
            ppp::LCP => self.link(&view, &packet, tally, found),
            ppp::PAP => self.pap(&view, &packet, tally, found),
            ppp::CHAP => self.chap(&view, &packet, tally, found),
            ppp::IPCP => self.network(&view, Family::V4, &packet, tally, found),
            _ => self.network(&view, Family::V6, &packet, tally, found),
        }
    }

    /// An IP packet passed in the session of `at`.
    pub fn carried(&mut self, settings: &AccessSettings, now: Nanos, at: &Sight, found: &mut Found) {
        let Some(id) = at.pppoe else { return };
        let (session, every) = (at.pppoe_session(settings.seed, id), settings.alive_every);
        match self.lives.get(session).map(|life| life.standing) {
            Some(Standing::Beginning) => self.used(&View::new(settings, now, at, id), found),
            Some(Standing::Online) => self.alive(&View { session, pair: 0, id, now, at, every }, false, found),
            _ => self.stranger_alive(&View { session, pair: 0, id, now, at, every }, found),
        }
    }

    /// PADR: a host asks for a session. What the access node put in is known only from here.
    fn asked(&mut self, view: &View<'_>, packet: &Discovery<'_>, tally: &mut Tally) {
        let host = view.at.macs.0;
        let is_known = self.sessions.asked(view.pair, host).is_some();
        let place = if is_known { self.sessions.asked(view.pair, host) } else { self.claim(view, tally) };
        let Some(place) = place else { return };
        (place.phase, place.touched, place.host) = (Phase::Asked, view.now, host);
        note(place, packet);
    }

    /// PADS without a session: none is to be had (RFC 2516, 5.4).
    fn refused(&mut self, view: &View<'_>, packet: &Discovery<'_>, found: &mut Found) {
        let Some(place) = self.sessions.asked(view.pair, view.at.macs.1) else { return };
        let mut event = view.event(AccessKind::Result { success: false }, place);
        event.session = 0;
        event.code = ResultCode::ServiceError;
        event.cause = PADS.into();
        event.texts.push(Text::Message, packet.error());
        place.phase = Phase::Free;
        let _ = found.try_push(event);
    }

    /// PADS: the concentrator confirms a session.
    fn confirmed(&mut self, view: &View<'_>, packet: &Discovery<'_>, tally: &mut Tally, found: &mut Found) {
        let host = view.at.macs.1;
        let asked = self.sessions.asked(view.pair, host).map(|place| {
            place.phase = Phase::Free;
            (place.circuit.clone(), place.remote.clone(), place.concentrator.clone())
        });
        let is_known = self.sessions.find(view.pair, view.session).is_some_and(|place| place.phase != Phase::Closed);
        match (&asked, is_known) {
            // Said again.
            (None, true) => return,
            // The number is used again, and its former user did not say good-bye.
            (Some(_), _) => self.end(view, PADS.into(), &[], tally, found),
            (None, false) => {}
        }
        let Some(place) = self.begin(view, host, tally) else { return };
        if let Some((circuit, remote, concentrator)) = asked {
            (place.circuit, place.remote, place.concentrator) = (circuit, remote, concentrator);
        }
        note(place, packet);
    }

    fn link(&mut self, view: &View<'_>, packet: &Control<'_>, tally: &mut Tally, found: &mut Found) {
        match packet.code {
            ppp::TERMINATE_REQUEST => self.end(view, packet.code.into(), packet.data, tally, found),
            ppp::PROTOCOL_REJECT => {
                let family = match be16(packet.data, 0) {
                    Some(ppp::IPCP) => Family::V4,
                    Some(ppp::IPV6CP) => Family::V6,
                    _ => return,
                };
                let Some(place) = self.sessions.find(view.pair, view.session) else { return };
                if place.reject(family) && place.phase == Phase::Online {
                    let event = view.event(AccessKind::Login { more: false }, place);
                    let _ = found.try_push(event);
                }
            }
            ppp::ECHO_REQUEST | ppp::ECHO_REPLY => match self.lives.get(view.session).map(|life| life.standing) {
                Some(Standing::Online) => self.alive(view, packet.code == ppp::ECHO_REPLY, found),
                Some(Standing::Beginning) => {}
                _ => self.stranger_alive(view, found),
            },
            _ => {}
        }
    }

    fn pap(&mut self, view: &View<'_>, packet: &Control<'_>, tally: &mut Tally, found: &mut Found) {
        match packet.code {
            1 => match packet.pap_name() {
                Some(name) => self.ask(view, Method::Pap, packet.id, Some(name), tally),
                None => tally.malformed += 1,
            },
            2 | 3 => {
                let verdict = Verdict { method: Method::Pap, id: packet.id, success: packet.code == 2 };
                self.decide(view, verdict, packet.pap_message(), tally, found);
            }
            _ => {}
        }
    }

    fn chap(&mut self, view: &View<'_>, packet: &Control<'_>, tally: &mut Tally, found: &mut Found) {
        match packet.code {
            2 => match packet.chap_name() {
                Some(name) => self.ask(view, Method::Chap, packet.id, Some(name), tally),
                None => tally.malformed += 1,
            },
            3 | 4 => {
                let verdict = Verdict { method: Method::Chap, id: packet.id, success: packet.code == 3 };
                self.decide(view, verdict, packet.data, tally, found);
            }
            _ => {}
        }
    }

    fn eap(&mut self, view: &View<'_>, packet: Eap<'_>, tally: &mut Tally, found: &mut Found) {
        match packet {
            Eap::Request => {}
            Eap::Response { id, identity } => self.ask(view, Method::Eap, id, identity, tally),
            Eap::Verdict { id, success } => {
                self.decide(view, Verdict { method: Method::Eap, id, success }, &[], tally, found);
            }
        }
    }

    /// The host says who it is; where nothing else tells, that makes it the host.
    fn ask(&mut self, view: &View<'_>, method: Method, id: u8, name: Option<&[u8]>, tally: &mut Tally) {
        let from = view.at.macs.0;
        if self.sessions.find(view.pair, view.session).is_none() && self.begin(view, from, tally).is_none() {
            return;
        }
        let Some(place) = self.sessions.find(view.pair, view.session) else { return };
        // A concentrator that shows who it is signs nobody on.
        if place.side(from) == Side::Concentrator {
            return;
        }
        let was_closed = place.phase == Phase::Closed;
        place.touched = view.now;
        place.ask(method, id, name);
        if was_closed {
            self.lives.set_standing(view.now, view.session, Standing::Beginning, view.is_lower(from));
        }
    }

    fn decide(&mut self, view: &View<'_>, verdict: Verdict, message: &[u8], tally: &mut Tally, found: &mut Found) {
        let Some(place) = self.sessions.find(view.pair, view.session) else {
            tally.pppoe_lost += 1;
            return;
        };
        place.touched = view.now;
        if place.side(view.at.macs.0) == Side::Host || !place.decide(view.now, verdict) {
            return;
        }
        let success = verdict.success;
        // The user is on already, and the beginning was forgotten.
        let is_online = self.lives.get(view.session).is_some_and(|life| life.standing == Standing::Online);
        if success && is_online && place.phase == Phase::Open {
            place.phase = Phase::Online;
            return;
        }
        let mut event = view.event(AccessKind::Result { success }, place);
        event.code = if success { ResultCode::Accepted } else { ResultCode::Rejected };
        event.texts.push(Text::Message, message);
        let _ = found.try_push(event);
    }

    fn network(&mut self, view: &View<'_>, family: Family, packet: &Control<'_>, tally: &mut Tally, found: &mut Found) {
        let Some(place) = self.sessions.find(view.pair, view.session) else {
            tally.pppoe_lost += 1;
            return;
        };
        place.touched = view.now;
        let side = place.side(view.at.macs.0);
        if place.configure(family, side, packet) {
            self.open(view, family, found);
        }
    }

    /// An IP packet in a session that is being negotiated: it may show that the negotiation is over.
    fn used(&mut self, view: &View<'_>, found: &mut Found) {
        let Some(place) = self.sessions.find(view.pair, view.session) else { return };
        let side = place.side(view.at.macs.0);
        let end = if side == Side::Host { view.at.source.address } else { view.at.destination.address };
        let (family, address) = negotiated(end);
        if place.use_address(family, side, address) {
            self.open(view, family, found);
        }
    }

    /// A network protocol is open: the user is on, or has more addresses.
    fn open(&mut self, view: &View<'_>, family: Family, found: &mut Found) {
        let Some(place) = self.sessions.find(view.pair, view.session) else { return };
        let was_online = std::mem::replace(&mut place.phase, Phase::Online) == Phase::Online;
        let has_moved = place.tell(family);
        let other = if family == Family::V4 { Family::V6 } else { Family::V4 };
        let kind = match (was_online, has_moved) {
            (true, true) => AccessKind::Update,
            _ => AccessKind::Login { more: place.is_expected(other) },
        };
        let (host, name) = (place.host, place.name.clone());
        let event = view.event(kind, place);
        let is_new = !was_online;
        if is_new && !name.is_empty() {
            // A host that dials again as the same user lost the session that it had.
            let is_former = |place: &&mut Negotiation| {
                place.phase == Phase::Online
                    && place.session != view.session
                    && place.host == host
                    && place.name == name
            };
            if let Some(former) = self.sessions.of(view.pair).find(is_former) {
                former.phase = Phase::Closed;
                let mut end = view.event(AccessKind::Logout, former);
                end.cause = PADS.into();
                self.lives.remove(former.session);
                let _ = found.try_push(end);
            }
        }
        if is_new {
            self.lives.set_standing(view.now, view.session, Standing::Online, view.is_lower(host));
        }
        let _ = found.try_push(event);
    }

    /// One of its ends says that the session is over, or that the number is another's now.
    fn end(&mut self, view: &View<'_>, cause: u16, message: &[u8], tally: &mut Tally, found: &mut Found) {
        let standing = self.lives.get(view.session).map_or(Standing::Unknown, |life| life.standing);
        let mut event = AccessEvent::new(AccessKind::Logout, Source::Pppoe);
        let is_new_number = cause == u16::from(PADS);
        match self.sessions.find(view.pair, view.session) {
            Some(place) => {
                place.touched = view.now;
                let phase = std::mem::replace(&mut place.phase, Phase::Closed);
                // Who was not on does not go; and who went does not go again.
                if phase != Phase::Online && standing != Standing::Online {
                    self.lives.remove(view.session);
                    return;
                }
                event = view.event(AccessKind::Logout, place);
            }
            None if standing == Standing::Online => {
                let life = self.lives.get(view.session).copied().unwrap_or_default();
                event = AccessEvent { mac: Some(view.host(life.host_is_lower)), ..view.bare(event) };
            }
            // Control may know of it from before.
            None if standing != Standing::Beginning && !is_new_number && self.lives.takes_stranger(view.now) => {
                tally.pppoe_lost += 1;
                event = view.bare(event);
            }
            None => {
                tally.pppoe_lost += u64::from(!is_new_number);
                return;
            }
        }
        self.lives.remove(view.session);
        event.cause = cause;
        event.texts.push(Text::Message, message);
        let _ = found.try_push(event);
    }

    /// A session that was not known begins.
    fn begin(&mut self, view: &View<'_>, host: Mac, tally: &mut Tally) -> Option<&mut Negotiation> {
        let known = self.lives.get(view.session).is_some_and(|life| life.standing == Standing::Online);
        if !known {
            self.lives.set_standing(view.now, view.session, Standing::Beginning, view.is_lower(host));
        }
        if let Some(place) = self.sessions.find(view.pair, view.session) {
            place.phase = Phase::Free;
        }
        let place = self.claim(view, tally)?;
        (place.session, place.id, place.host, place.phase) = (view.session, view.id, host, Phase::Open);
        Some(place)
    }

    fn claim(&mut self, view: &View<'_>, tally: &mut Tally) -> Option<&mut Negotiation> {
        let (place, displaces) = self.sessions.claim(view.now, view.pair)?;
        tally.pppoe_lost += u64::from(displaces);
        Some(place)
    }

    /// A sign of life in a session whose user is on: the host's, or none.
    fn alive(&mut self, view: &View<'_>, is_answer: bool, found: &mut Found) {
        let Some(life) = self.lives.get(view.session) else { return };
        let host = view.host(life.host_is_lower);
        if view.at.macs.0 == host && self.lives.hear(view.now, view.session, is_answer, view.every) {
            let event = view.bare(AccessEvent::new(AccessKind::Alive, Source::Pppoe));
            let cause = if is_answer { AccessEvent::ECHO } else { 0 };
            let _ = found.try_push(AccessEvent { mac: Some(host), cause, ..event });
        }
    }

    /// A sign of life in a session that did not begin here. Whose, only control may know, by the sender's MAC address.
    fn stranger_alive(&mut self, view: &View<'_>, found: &mut Found) {
        let from = view.at.macs.0;
        // Both sides are followed, each on its own.
        let name = view.session.rotate_left(1) ^ u64::from(view.is_lower(from));
        let is_due = match self.lives.get(name) {
            Some(_) => self.lives.hear(view.now, name, false, view.every),
            None => {
                self.lives.set_standing(view.now, name, Standing::Stranger, false);
                true
            }
        };
        if is_due && self.lives.takes_stranger(view.now) {
            let event = view.bare(AccessEvent::new(AccessKind::Alive, Source::Pppoe));
            let _ = found.try_push(AccessEvent { mac: Some(from), ..event });
        }
    }
}

/// What is known of a line by the tags of its discovery.
fn note(place: &mut Negotiation, packet: &Discovery<'_>) {
    for (text, tag) in [(&mut place.circuit, packet.circuit), (&mut place.remote, packet.remote)] {
        if !tag.is_empty() {
            *text = kept(tag);
        }
    }
    if !packet.concentrator.is_empty() {
        place.concentrator = kept(packet.concentrator);
    }
}
