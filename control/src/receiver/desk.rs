//! What becomes of a datagram: who may speak, whether it is true, and what is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dataplane::access::radius::{
    ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE, Check, LONGEST, Message, STATUS_SERVER, accounting, answer, verify_request,
};
use dataplane::access::{AccessEvent, AccessKind, AccessSettings, Sight, Source, Trust};
use dataplane::endpoint::{Address, Endpoint, Mac};
use dataplane::event::{Header, Volume, WorkerId};
use dataplane::flow::Realm;
use dataplane::time::Nanos;

use super::recent::Recent;

/// In a worker's place in events: none saw them.
const NO_WORKER: WorkerId = WorkerId(u16::MAX);
/// For so long a request is known to be the one that was answered already (RFC 5080, 2.2.2: at least what a client tries for).
const REMEMBERED: Duration = Duration::from_secs(30);
/// So many at most.
const MOST_REMEMBERED: usize = 65_536;

/// What became of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverTally {
    /// Accounting requests that were taken.
    pub requests: u64,
    /// Those that came again, and were only answered.
    pub repeated: u64,
    /// Questions whether the server is there (Status-Server, RFC 5997).
    pub status: u64,
    /// Answers that were sent.
    pub answers: u64,
    /// Answers that could not be.
    pub unsent: u64,
    /// From addresses that no access server has.
    pub unknown: u64,
    /// With a wrong authenticator.
    pub forged: u64,
    /// Neither an accounting request nor a signed Status-Server, or what contradicts itself.
    pub malformed: u64,
    /// For which there was no room in the table of users; not answered.
    pub refused: u64,
}

impl ReceiverTally {
    /// What was counted since it was `before`.
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            repeated: self.repeated - before.repeated,
            status: self.status - before.status,
            answers: self.answers - before.answers,
            unsent: self.unsent - before.unsent,
            unknown: self.unknown - before.unknown,
            forged: self.forged - before.forged,
            malformed: self.malformed - before.malformed,
            refused: self.refused - before.refused,
        }
    }
}

/// Who reads and answers.
#[derive(Debug)]
pub(super) struct Desk {
    settings: Arc<AccessSettings>,
    tally: ReceiverTally,
    /// By access server, number and authenticator.
    answered: Recent<(SocketAddr, u8, [u8; 16])>,
    sequence: u64,
}

impl Desk {
    pub(super) fn new(settings: Arc<AccessSettings>) -> Self {
        let answered = Recent::new(MOST_REMEMBERED, REMEMBERED);
        Self { settings, tally: ReceiverTally::default(), answered, sequence: 0 }
    }

    pub(super) fn reconfigure(&mut self, settings: Arc<AccessSettings>) {
        self.settings = settings;
    }

    pub(super) const fn tally(&self) -> &ReceiverTally {
        &self.tally
    }

    /// An answer was sent, or could not be.
    pub(super) const fn sent(&mut self, was_sent: bool) {
        self.tally.answers += was_sent as u64;
        self.tally.unsent += !was_sent as u64;
    }

    /// Takes a datagram `from` its first address to the second, ours; returns the answer, if there is one.
    pub(super) fn take(
        &mut self,
        now: Nanos,
        (from, to): (SocketAddr, SocketAddr),
        datagram: &[u8],
        hear: &mut impl FnMut(AccessEvent) -> bool,
    ) -> Option<Vec<u8>> {
        let settings = Arc::clone(&self.settings);
        let Some(client) = settings.client(Address::from(from.ip().to_canonical())) else {
            self.tally.unknown += 1;
            return None;
        };
        let is_for_us = |message: &Message<'_>| matches!(message.code(), ACCOUNTING_REQUEST | STATUS_SERVER);
        let Some(request) = Message::parse(datagram).filter(is_for_us) else {
            self.tally.malformed += 1;
            return None;
        };
        let at = sight(from, to);
        match verify_request(&request, &client.secret) {
            Check::Good => {}
            // Nobody need know a secret to send it: not answered (RFC 5997, 3).
            Check::Nothing => {
                self.tally.malformed += 1;
                return None;
            }
            Check::Bad => {
                self.tally.forged += 1;
                let forged = AccessEvent {
                    nas: Some(at.source.address),
                    ends: (at.source, at.destination),
                    traffic: Some([at.volume(datagram), Volume::default()]),
                    ..AccessEvent::new(AccessKind::Forged, Source::Receiver)
                };
                hear(self.stamp(now, forged));
                return None;
            }
        }
        if request.code() == STATUS_SERVER {
            self.tally.status += 1;
            let mut room = [0; LONGEST];
            return answer(&request, ACCOUNTING_RESPONSE, &client.secret, &mut room).map(<[u8]>::to_vec);
        }
        let key = (from, request.id(), *request.authenticator());
        if self.answered.has(now, &key) {
            self.tally.repeated += 1;
        } else {
            if let Some(event) = accounting(&request, &at, settings.seed, Source::Receiver) {
                let event = AccessEvent { trust: Trust::Verified, ..event };
                if !hear(self.stamp(now, event)) {
                    self.tally.refused += 1;
                    return None;
                }
            }
            self.tally.requests += 1;
            self.answered.insert(now, key);
        }
        let mut room = [0; LONGEST];
        answer(&request, ACCOUNTING_RESPONSE, &client.secret, &mut room).map(<[u8]>::to_vec)
    }

    fn stamp(&mut self, now: Nanos, event: AccessEvent) -> AccessEvent {
        self.sequence += 1;
        AccessEvent { header: Header::new(NO_WORKER, self.sequence, now), ..event }
    }
}

/// It came by no port of the dataplane.
fn sight(from: SocketAddr, to: SocketAddr) -> Sight {
    let end = |address: SocketAddr| Endpoint { address: address.ip().to_canonical().into(), port: address.port() };
    Sight {
        source: end(from),
        destination: end(to),
        macs: <(Mac, Mac)>::default(),
        realm: Realm::default(),
        ports: (u16::MAX, u16::MAX),
        pppoe: None,
    }
}
