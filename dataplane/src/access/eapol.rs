//! IEEE 802.1X: EAP over LAN (IEEE 802.1X-2020, 11).

use std::time::Duration;

use arrayvec::ArrayVec;

use super::eap::{self, Eap};
use super::session::session;
use super::{AccessEvent, AccessKind, AccessSettings, Found, ResultCode, Sight, Source, Tally, Text};
use crate::endpoint::Mac;
use crate::flow::Realm;
use crate::time::Nanos;
use crate::wire::be16;

/// Those of one set.
const WAYS: usize = 8;
/// Who answered lately: among them is who a verdict is for that is sent to the group.
const RECENT: usize = 64;
/// A response whose verdict is that late has none.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where stations of a link listen that do not know each other (IEEE 802.1X-2020, 11.1.1).
const GROUP: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 3]);

/// Conversations of supplicants with authenticators.
#[derive(Debug)]
pub struct Dot1x {
    places: Box<[Supplicant]>,
    recent: [Answer; RECENT],
    /// Where the next goes.
    next: usize,
}

/// A host that signs on.
#[derive(Clone, Debug, Default)]
struct Supplicant {
    /// Its number; 0 in a free place.
    session: u64,
    mac: Mac,
    touched: Nanos,
    name: ArrayVec<u8, 256>,
    /// The id of its last response, and when that was; none after the verdict.
    response: Option<(u8, Nanos)>,
    /// It was let in, and has not left.
    is_in: bool,
    /// It asked to begin (EAPOL-Start) since the last verdict.
    has_started: bool,
}

/// A response that waits for its verdict.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    realm: Realm,
    mac: Mac,
    id: u8,
    at: Nanos,
}

impl Dot1x {
    /// With room for so many supplicants, a multiple of 8. Takes all its memory now: for 1,024 0.4 MiB.
    pub fn new(room: usize) -> Self {
        let places = vec![Supplicant::default(); room.next_multiple_of(WAYS).max(WAYS)].into();
        Self { places, recent: [Answer::default(); RECENT], next: 0 }
    }

    /// Reads a frame.
    pub fn frame(
        &mut self,
        settings: &AccessSettings,
        now: Nanos,
        at: &Sight,
        payload: &[u8],
        tally: &mut Tally,
        found: &mut Found,
    ) {
        tally.eapol_frames += 1;
        let Some((kind, body)) = read(payload).filter(|_| at.macs.0.is_unicast()) else {
            tally.malformed += 1;
            return;
        };
        let view = View { seed: settings.seed, now, at };
        match kind {
            PACKET => match Eap::read(body) {
                Some(Eap::Request) => {}
                Some(Eap::Response { id, identity }) => self.answered(&view, id, identity, tally),
                Some(Eap::Verdict { id, success }) => self.decided(&view, id, success, found),
                None => tally.malformed += 1,
            },
            START => {
                if let Some(place) = self.find(&view, at.macs.0) {
                    place.has_started = true;
                }
            }
            LOGOFF => self.left(&view, found),
            _ => {}
        }
    }

    fn answered(&mut self, view: &View<'_>, id: u8, identity: Option<&[u8]>, tally: &mut Tally) {
        let mac = view.at.macs.0;
        let Some(place) = self.claim(view, mac, tally) else { return };
        place.response = Some((id, view.now));
        if let Some(name) = identity {
            let name: ArrayVec<u8, 256> = name.iter().copied().take(256).collect();
            // Another user at the same host.
            if place.is_in && place.name != name {
                place.has_started = true;
            }
            place.name = name;
        }
        let answer = Answer { realm: view.at.realm, mac, id, at: view.now };
        if let Some(place) = self.recent.get_mut(self.next) {
            *place = answer;
        }
        self.next = (self.next + 1) % RECENT;
    }

    /// Success or failure: once in a conversation, and only after a response that it can be the answer to.
    fn decided(&mut self, view: &View<'_>, id: u8, success: bool, found: &mut Found) {
        let Some(mac) = self.supplicant(view, id) else { return };
        let Some(place) = self.find(view, mac) else { return };
        let is_answer =
            place.response.is_some_and(|(asked, at)| eap::is_answer(id, asked) && view.now.since(at) <= PATIENCE);
        if !is_answer {
            return;
        }
        place.response = None;
        let was_in = std::mem::replace(&mut place.is_in, success);
        let has_started = std::mem::take(&mut place.has_started);
        // The authenticator asks again from time to time (IEEE 802.1X-2020, 8.6): who stays does not sign on anew.
        if success && was_in && !has_started {
            return;
        }
        let mut event = view.event(AccessKind::Result { success }, place);
        event.code = if success { ResultCode::Accepted } else { ResultCode::Rejected };
        let _ = found.try_push(event);
    }

    fn left(&mut self, view: &View<'_>, found: &mut Found) {
        let Some(place) = self.find(view, view.at.macs.0) else { return };
        (place.response, place.has_started) = (None, false);
        if std::mem::take(&mut place.is_in) {
            let _ = found.try_push(view.event(AccessKind::Logout, place));
        }
    }

    /// Whom a verdict is for.
    fn supplicant(&self, view: &View<'_>, id: u8) -> Option<Mac> {
        let to = view.at.macs.1;
        if to != GROUP {
            return Some(to);
        }
        let newest_first = (1..=RECENT).filter_map(|back| self.recent.get((self.next + RECENT - back) % RECENT));
        let mut waiting = newest_first.filter(|answer| {
            answer.realm == view.at.realm && answer.mac != view.at.macs.0 && view.now.since(answer.at) <= PATIENCE
        });
        waiting.find(|answer| eap::is_answer(id, answer.id)).map(|answer| answer.mac)
    }

    fn find(&mut self, view: &View<'_>, mac: Mac) -> Option<&mut Supplicant> {
        let session = view.session(mac);
        self.set(session).iter_mut().find(|place| place.session == session)
    }

    /// The place of a host; where it has none, that of who was silent for the longest time, of those who wait for no verdict,
    /// of those who are not in.
    fn claim(&mut self, view: &View<'_>, mac: Mac, tally: &mut Tally) -> Option<&mut Supplicant> {
        let session = view.session(mac);
        let waits = |place: &Supplicant| place.response.is_some_and(|(_, at)| view.now.since(at) <= PATIENCE);
        let rank = |place: &Supplicant| {
            let waits = waits(place);
            (place.session != session, place.session != 0, waits, place.is_in, place.touched)
        };
        let place = self.set(session).iter_mut().min_by_key(|place| rank(place))?;
        if place.session != session {
            tally.eapol_lost += u64::from(waits(place) || place.is_in);
            *place = Supplicant { session, mac, ..Supplicant::default() };
        }
        place.touched = view.now;
        Some(place)
    }

    fn set(&mut self, session: u64) -> &mut [Supplicant] {
        let begin = (session % (self.places.len() / WAYS) as u64) as usize * WAYS;
        self.places.get_mut(begin..begin + WAYS).unwrap_or_default()
    }
}

/// A frame where it was seen.
struct View<'a> {
    seed: u64,
    now: Nanos,
    at: &'a Sight,
}

impl View<'_> {
    /// The number of a host on this link.
    fn session(&self, mac: Mac) -> u64 {
        let realm = self.at.realm;
        let vlans = [realm.svlan().to_be_bytes(), realm.cvlan().to_be_bytes()];
        session(self.seed, Source::Dot1x, &[&[realm.wire()], vlans.as_flattened(), &mac.0])
    }

    fn event(&self, kind: AccessKind, place: &Supplicant) -> AccessEvent {
        let (near, far) = self.at.ports;
        let mut event = AccessEvent {
            session: place.session,
            svlan: self.at.realm.svlan(),
            cvlan: self.at.realm.cvlan(),
            is_local: true,
            ports: if self.at.macs.0 == place.mac { (near, far) } else { (far, near) },
            mac: Some(place.mac),
            ..AccessEvent::new(kind, Source::Dot1x)
        };
        event.texts.push(Text::User, &place.name);
        event
    }
}

/// The type and body of a frame; none where it is cut off.
fn read(payload: &[u8]) -> Option<(u8, &[u8])> {
    let &[_version, kind] = payload.first_chunk()?;
    let body = payload.get(4..4 + usize::from(be16(payload, 2)?))?;
    Some((kind, body))
}

/// EAPOL-EAP (IEEE 802.1X-2020, table 11-3).
const PACKET: u8 = 0;
/// EAPOL-Start.
const START: u8 = 1;
/// EAPOL-Logoff.
const LOGOFF: u8 = 2;

#[cfg(test)]
mod tests;
