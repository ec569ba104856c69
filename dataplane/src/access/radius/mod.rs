//! RADIUS (RFC 2865, RFC 2866, RFC 5176) as it passes between access servers and RADIUS servers.
//!
//! An answer does not say of whom it is, so requests are kept until theirs comes. What accounting says is told at the request:
//! it is the access server's word, whether or not anybody takes it. Where the secret is known nothing is believed whose
//! authenticator is not right.

mod identity;
mod ledger;
mod packet;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod verify;

use std::time::Duration;

pub use self::identity::accounting;
use self::identity::{describe, is_about_somebody, number};
use self::ledger::{Key, Ledger};
pub use self::packet::{
    ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT, ACCESS_REQUEST, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE,
    Attributes, COA_ACK, COA_NAK, COA_REQUEST, DISCONNECT_ACK, DISCONNECT_NAK, DISCONNECT_REQUEST, HEADER, LONGEST,
    Message, STATUS_SERVER,
};
pub use self::verify::{Check, answer, verify_answer, verify_request};
use super::{AccessEvent, AccessKind, AccessSettings, Found, ResultCode, Sight, Source, Tally, Trust};
use crate::endpoint::Address;
use crate::event::Volume;
use crate::time::Nanos;

/// Acct-Terminate-Cause of who was signed off by an administrator (RFC 2866, 5.10).
const ADMIN_RESET: u16 = 6;
/// Between two messages that are told to be forged: one who forges shall not fill the queue.
const FORGED_EVERY: Duration = Duration::from_millis(100);

/// Requests that wait for their answers.
#[derive(Debug)]
pub struct Radius {
    ledger: Ledger,
    /// When the next forged message may be told.
    next_forged: Nanos,
    /// Those that were not told yet, and the last of them.
    untold: Volume,
    forger: AccessEvent,
    /// The message in hand, from its IP header on.
    octets: u64,
}

impl Radius {
    /// With room for so many. Takes all its memory now.
    pub fn new(room: usize) -> Self {
        Self {
            ledger: Ledger::new(room),
            next_forged: Nanos::default(),
            untold: Volume::default(),
            forger: AccessEvent::new(AccessKind::Forged, Source::Radius),
            octets: 0,
        }
    }

    /// Reads a datagram, of whatever it may be.
    pub fn datagram(
        &mut self,
        settings: &AccessSettings,
        now: Nanos,
        at: &Sight,
        payload: &[u8],
        tally: &mut Tally,
        found: &mut Found,
    ) {
        let Some(message) = Message::parse(payload) else {
            tally.malformed += 1;
            return;
        };
        self.octets = at.volume(payload).octets;
        let told = match message.code() {
            ACCESS_REQUEST | ACCOUNTING_REQUEST | DISCONNECT_REQUEST | COA_REQUEST => {
                self.request(settings, now, at, &message, tally)
            }
            code => match request_of(code) {
                Some(request) => self.answer(settings, now, at, (&message, request), tally),
                None => return,
            },
        };
        if let Some(event) = told {
            // There is room: nothing else was found.
            let _ = found.try_push(event);
        }
    }

    /// Tells of requests that were never answered; a bounded piece.
    pub fn turn(&mut self, _settings: &AccessSettings, now: Nanos, tally: &mut Tally, found: &mut Found) {
        if self.untold.packets > 0
            && let Some(event) = self.tell_forged(now)
        {
            // There is room: nothing was found before.
            let _ = found.try_push(event);
        }
        let Some((request, event)) = self.ledger.sweep(now) else { return };
        if request.key.code != ACCESS_REQUEST {
            return;
        }
        if !request.is_believed {
            tally.radius_unverified += 1;
            return;
        }
        let event = AccessEvent { code: ResultCode::Timeout, ..event.clone() };
        let _ = found.try_push(event);
    }

    fn request(
        &mut self,
        settings: &AccessSettings,
        now: Nanos,
        at: &Sight,
        message: &Message<'_>,
        tally: &mut Tally,
    ) -> Option<AccessEvent> {
        tally.radius_requests += 1;
        let code = message.code();
        let key = Key { asker: at.source, answerer: at.destination, realm: at.realm, code, id: message.id() };
        let transaction = transaction(&key, message, settings.seed);
        if self.ledger.repeats(now, &key, transaction) {
            return None;
        }
        let (trust, is_believed) = match settings.client(client_of(&key)) {
            Some(client) => match verify_request(message, &client.secret) {
                Check::Good => (Trust::Verified, true),
                // Its answer can be verified.
                Check::Nothing => (Trust::NoSecret, client.believes_unverified),
                Check::Bad => return self.forged(now, at, &key, tally),
            },
            None if settings.believes_unknown => (Trust::NoSecret, true),
            None => {
                tally.radius_unverified += 1;
                return None;
            }
        };
        let event = match code {
            ACCOUNTING_REQUEST => accounting(message, at, settings.seed, Source::Radius),
            COA_REQUEST => None,
            _ => Some(asked(message, at, code, settings.seed)),
        };
        let event = event.map(|event| AccessEvent { trust, transaction, ..event });
        let (kept, told) = if code == ACCOUNTING_REQUEST { (None, event) } else { (event, None) };
        let gave_way = self.ledger.add(now, key, (*message.authenticator(), transaction), is_believed, |place| {
            if let Some(event) = kept {
                *place = event;
            }
        });
        tally.radius_evicted += u64::from(gave_way);
        told
    }

    fn answer(
        &mut self,
        settings: &AccessSettings,
        now: Nanos,
        at: &Sight,
        (message, code): (&Message<'_>, u8),
        tally: &mut Tally,
    ) -> Option<AccessEvent> {
        let key = Key { asker: at.destination, answerer: at.source, realm: at.realm, code, id: message.id() };
        let candidates = self.ledger.candidates(now, &key);
        if candidates.is_empty() {
            tally.radius_unmatched += 1;
            return None;
        }
        let client = settings.client(client_of(&key));
        let (place, trust) = match client {
            Some(client) => {
                let is_right = |place: &&ledger::Place| {
                    self.ledger.request(**place).is_some_and(|request| {
                        verify_answer(message, &request.authenticator, &client.secret) == Check::Good
                    })
                };
                match candidates.iter().find(is_right) {
                    Some(place) => (*place, Trust::Verified),
                    None => return self.forged(now, at, &key, tally),
                }
            }
            None => match self
                .ledger
                .likely(now, &candidates, message.authenticator())
                .filter(|_| settings.believes_unknown)
            {
                Some(place) => (place, Trust::NoSecret),
                None => {
                    tally.radius_unverified += 1;
                    return None;
                }
            },
        };
        tally.radius_answers += 1;
        let event = self.ledger.answered(now, place, message.authenticator())?;
        let (kind, result) = match message.code() {
            ACCESS_ACCEPT => (AccessKind::Result { success: true }, ResultCode::Accepted),
            ACCESS_REJECT => (AccessKind::Result { success: false }, ResultCode::Rejected),
            DISCONNECT_ACK if event.kind == AccessKind::Logout => (AccessKind::Logout, ResultCode::None),
            _ => return None,
        };
        let mut event = AccessEvent { kind, code: result, trust, ..event.clone() };
        if code == ACCESS_REQUEST {
            describe(message, &mut event);
        }
        Some(event)
    }

    /// Of a message that is not believed control is told where it came from.
    fn forged(&mut self, now: Nanos, at: &Sight, key: &Key, tally: &mut Tally) -> Option<AccessEvent> {
        tally.radius_forged += 1;
        self.untold = Volume { packets: self.untold.packets + 1, octets: self.untold.octets + self.octets };
        self.forger = AccessEvent { nas: Some(client_of(key)), ..at.event(AccessKind::Forged, Source::Radius) };
        self.tell_forged(now)
    }

    /// Tells of the last of those that were not told, and how many they are, once it is time.
    fn tell_forged(&mut self, now: Nanos) -> Option<AccessEvent> {
        if now < self.next_forged {
            return None;
        }
        self.next_forged = now + FORGED_EVERY;
        let traffic = Some([std::mem::take(&mut self.untold), Volume::default()]);
        Some(AccessEvent { traffic, ..self.forger.clone() })
    }
}

/// What is told once an answer comes to a request: who asked to be let in, or whom the access server is to sign off.
fn asked(message: &Message<'_>, at: &Sight, code: u8, seed: u64) -> AccessEvent {
    let mut event = at.event(AccessKind::Result { success: false }, Source::Radius);
    if code == DISCONNECT_REQUEST {
        // The access server is who is asked.
        event.ports = (at.ports.1, at.ports.0);
        event.nas = Some(at.destination.address);
        describe(message, &mut event);
        let is_meant = is_about_somebody(&event, message);
        event.kind = if is_meant { AccessKind::Logout } else { AccessKind::Update };
        event.cause = ADMIN_RESET;
        event.session = number(message, &event, seed);
        return event;
    }
    event.nas = Some(at.source.address);
    let proxies = message.attributes().filter(|(kind, _)| *kind == packet::attribute::PROXY_STATE).count();
    event.proxies = u8::try_from(proxies).unwrap_or(u8::MAX);
    describe(message, &mut event);
    // Until it has an address, nothing but the session's own name says which one it will be.
    if message.find(packet::attribute::ACCT_SESSION_ID).is_some() {
        event.session = number(message, &event, seed);
    }
    event
}

/// The code of the requests that an answer is to.
const fn request_of(code: u8) -> Option<u8> {
    match code {
        ACCESS_ACCEPT | ACCESS_REJECT | ACCESS_CHALLENGE => Some(ACCESS_REQUEST),
        ACCOUNTING_RESPONSE => Some(ACCOUNTING_REQUEST),
        DISCONNECT_ACK | DISCONNECT_NAK => Some(DISCONNECT_REQUEST),
        COA_ACK | COA_NAK => Some(COA_REQUEST),
        _ => None,
    }
}

/// Whose secret a request and its answer are verified by: the access server's, which is asked to disconnect and asks otherwise.
const fn client_of(key: &Key) -> Address {
    match key.code {
        DISCONNECT_REQUEST | COA_REQUEST => key.answerer.address,
        _ => key.asker.address,
    }
}

/// A number for a request, by which it is known if it is seen again: one that is sent once more has the same octets (RFC 2865,
/// 2.5; RFC 2866, 4.1), and access servers whose authenticators are no random numbers exist.
fn transaction(key: &Key, message: &Message<'_>, seed: u64) -> u64 {
    let port = key.asker.port.to_be_bytes();
    super::session::session(seed, Source::Radius, &[&key.asker.address.0, &port, message.octets()])
}
