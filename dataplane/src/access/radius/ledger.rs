//! Requests that wait for their answers: as many as there is room for, those that were answered giving way first.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::access::{AccessEvent, AccessKind, Source};
use crate::endpoint::Endpoint;
use crate::flow::Realm;
use crate::time::Nanos;

/// Places where one request may be.
const WAYS: usize = 8;
/// How long after it was last sent a request is kept.
pub(super) const KEPT: Duration = Duration::from_secs(30);
/// A server that does not answer has this long, from the first to the last time that it is asked ...
const PATIENCE: Duration = Duration::from_secs(30);
/// ... and from then on.
const LAST_CHANCE: Duration = Duration::from_secs(5);
/// How often a request has to be sent for its silence to say something.
const TRIES: u8 = 3;
/// An access server that uses a number again after this time has given the other request up.
const GIVEN_UP: Duration = Duration::from_secs(3);
/// Requests looked at in a turn.
const SWEPT: usize = 64;

/// What a request and its answer have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub asker: Endpoint,
    pub answerer: Endpoint,
    pub realm: Realm,
    /// Of the request.
    pub code: u8,
    pub id: u8,
}

/// Where a request is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    #[default]
    Free,
    Waiting,
    /// It was told that nobody answers; somebody may yet.
    TimedOut,
    Answered,
}

/// A request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Request {
    pub key: Key,
    pub authenticator: [u8; 16],
    /// The authenticator of its answer, once there is one.
    answer: [u8; 16],
    /// A number for all of its octets.
    pub transaction: u64,
    pub phase: Phase,
    /// Whether it is believed though nobody answers.
    pub is_believed: bool,
    first: Nanos,
    last: Nanos,
    sent: u8,
}

/// Where a request is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

#[derive(Debug)]
pub(super) struct Ledger {
    requests: Box<[Request]>,
    /// What is told of each when its answer comes.
    events: Box<[AccessEvent]>,
    hasher: RandomState,
    swept: usize,
}

impl Ledger {
    /// With room for so many, a multiple of 8.
    pub fn new(room: usize) -> Self {
        let room = room.next_multiple_of(WAYS).max(WAYS);
        let event = AccessEvent::new(AccessKind::Update, Source::Radius);
        Self {
            requests: vec![Request::default(); room].into(),
            events: vec![event; room].into(),
            hasher: RandomState::new(),
            swept: 0,
        }
    }

    /// Whether a request was seen already, by its number; then it is sent once more.
    pub fn repeats(&mut self, now: Nanos, key: &Key, transaction: u64) -> bool {
        let bucket = self.bucket(key);
        let requests = self.requests.get_mut(bucket..bucket + WAYS).unwrap_or_default();
        let is_it = |request: &&mut Request| request.is_of(now, key) && request.transaction == transaction;
        let Some(request) = requests.iter_mut().find(is_it) else { return false };
        request.last = now;
        request.sent = request.sent.saturating_add(1);
        true
    }

    /// Takes up a request, and what is to be told. Returns whether another that waits gave way.
    pub fn add(
        &mut self,
        now: Nanos,
        key: Key,
        (authenticator, transaction): ([u8; 16], u64),
        is_believed: bool,
        event: impl FnOnce(&mut AccessEvent),
    ) -> bool {
        let bucket = self.bucket(&key);
        let requests = self.requests.get_mut(bucket..bucket + WAYS).unwrap_or_default();
        let order = |request: &Request| match request.phase {
            _ if request.is_over(now) => (0, Nanos::default()),
            Phase::Free => (0, Nanos::default()),
            Phase::Answered | Phase::TimedOut => (1, request.last),
            Phase::Waiting => (2, request.last),
        };
        let Some((way, place)) = requests.iter_mut().enumerate().min_by_key(|(_, request)| order(request)) else {
            return false;
        };
        let gave_way = order(place).0 == 2;
        *place = Request {
            key,
            authenticator,
            answer: [0; 16],
            transaction,
            phase: Phase::Waiting,
            is_believed,
            first: now,
            last: now,
            sent: 1,
        };
        if let Some(kept) = self.events.get_mut(bucket + way) {
            event(kept);
        }
        gave_way
    }

    /// The requests that an answer may be to: those that wait first, and of them the latest.
    pub fn candidates(&self, now: Nanos, key: &Key) -> arrayvec::ArrayVec<Place, WAYS> {
        let bucket = self.bucket(key);
        let requests = self.requests.get(bucket..bucket + WAYS).unwrap_or_default();
        let mut places: arrayvec::ArrayVec<_, WAYS> =
            (bucket..).map(Place).zip(requests).filter(|(_, request)| request.is_of(now, key)).collect();
        places.sort_unstable_by_key(|(_, request)| {
            (request.phase == Phase::Answered, std::cmp::Reverse((request.first, request.last)))
        });
        places.into_iter().map(|(place, _)| place).collect()
    }

    /// Which of several requests an answer is to that nothing verifies: one that was answered so before; else the latest that
    /// waits, if no other does that its access server has not given up; otherwise it cannot be told.
    pub fn likely(&self, now: Nanos, candidates: &[Place], answer: &[u8; 16]) -> Option<Place> {
        let in_phase = |place: &Place, phase| self.request(*place).filter(|request| request.phase == phase);
        // Where both have the same authenticator, so have their answers.
        let is_shared = |authenticator: &[u8; 16]| {
            candidates
                .iter()
                .filter_map(|place| in_phase(place, Phase::Waiting))
                .any(|request| request.authenticator == *authenticator)
        };
        let is_repeated = |place: &&Place| {
            in_phase(place, Phase::Answered)
                .is_some_and(|request| request.answer == *answer && !is_shared(&request.authenticator))
        };
        if let Some(place) = candidates.iter().find(is_repeated) {
            return Some(*place);
        }
        let (latest, others) = candidates.split_first()?;
        let is_open = |place: &Place| {
            self.request(*place)
                .is_some_and(|request| request.phase == Phase::Waiting && now.since(request.last) < GIVEN_UP)
        };
        (!others.iter().any(is_open)).then_some(*latest)
    }

    /// A request.
    pub fn request(&self, place: Place) -> Option<&Request> {
        self.requests.get(place.0)
    }

    /// Ends the wait of a request; what is to be told, if nothing was yet.
    pub fn answered(&mut self, now: Nanos, place: Place, answer: &[u8; 16]) -> Option<&AccessEvent> {
        let request = self.requests.get_mut(place.0)?;
        let is_first = request.phase != Phase::Answered;
        request.phase = Phase::Answered;
        request.answer = *answer;
        request.last = now;
        if is_first { self.events.get(place.0) } else { None }
    }

    /// Looks at some requests; the first of which it is time to tell that nobody answers.
    pub fn sweep(&mut self, now: Nanos) -> Option<(Request, &AccessEvent)> {
        for _ in 0..SWEPT {
            let at = self.swept;
            self.swept = (at + 1) % self.requests.len();
            let request = self.requests.get_mut(at)?;
            let is_lost = request.phase == Phase::Waiting
                && request.sent >= TRIES
                && now.since(request.first) >= PATIENCE
                && now.since(request.last) >= LAST_CHANCE;
            if is_lost {
                request.phase = Phase::TimedOut;
                let request = *request;
                return self.events.get(at).map(|event| (request, event));
            }
            if request.is_over(now) {
                request.phase = Phase::Free;
            }
        }
        None
    }

    fn bucket(&self, key: &Key) -> usize {
        self.hasher.hash_one(key) as usize % (self.requests.len() / WAYS) * WAYS
    }
}

impl Request {
    fn is_of(&self, now: Nanos, key: &Key) -> bool {
        self.phase != Phase::Free && self.key == *key && !self.is_over(now)
    }

    /// Whether it was not sent for so long that it is forgotten. One that was sent often enough is told of first.
    fn is_over(&self, now: Nanos) -> bool {
        let kept = if self.phase == Phase::Waiting && self.sent >= TRIES { KEPT * 2 } else { KEPT };
        now.since(self.last) >= kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::ROOM;

    fn key(id: u8, port: u16) -> Key {
        let asker = Endpoint { port, ..Endpoint::default() };
        Key { asker, code: 1, id, ..Key::default() }
    }

    fn at(seconds: u64) -> Nanos {
        Nanos::from_parts(1_000_000 + seconds, 0)
    }

    #[test]
    fn a_flood_takes_no_more_room_and_answered_requests_give_way_first() {
        let mut ledger = Ledger::new(ROOM);
        for port in 0..100 {
            ledger.add(at(0), key(1, port), ([1; 16], 1), true, |_| {});
        }
        let mut evicted = 0;
        for n in 0..100_000_u32 {
            let key = Key { id: n as u8, code: 4, ..key(2, (n >> 8) as u16) };
            evicted += usize::from(ledger.add(at(1), key, ([2; 16], 2), true, |_| {}));
            let place = ledger.candidates(at(1), &key)[0];
            ledger.answered(at(1), place, &[9; 16]);
        }
        assert_eq!(evicted, 0);
        let waiting = (0..100).filter(|port| ledger.candidates(at(2), &key(1, *port)).len() == 1).count();
        assert_eq!((waiting, ledger.requests.len(), ledger.events.len()), (100, ROOM, ROOM));
        for n in 0..100_000_u32 {
            let key = Key { id: n as u8, code: 4, ..key(3, (n >> 8) as u16) };
            evicted += usize::from(ledger.add(at(2), key, ([2; 16], 2), true, |_| {}));
        }
        assert!(evicted >= 100_000 - ROOM);
    }

    #[test]
    fn a_request_is_forgotten_after_a_while() {
        let mut ledger = Ledger::new(ROOM);
        ledger.add(at(0), key(1, 1), ([1; 16], 1), true, |_| {});
        assert!(!ledger.repeats(at(1), &key(1, 1), 2));
        assert!(ledger.repeats(at(29), &key(1, 1), 1));
        assert_eq!(ledger.candidates(at(58), &key(1, 1)).len(), 1);
        assert_eq!(ledger.candidates(at(59), &key(1, 1)).len(), 0);
        assert!(!ledger.repeats(at(59), &key(1, 1), 1));
    }

    #[test]
    fn of_two_that_wait_none_is_likely_until_one_is_given_up() {
        let mut ledger = Ledger::new(ROOM);
        ledger.add(at(0), key(1, 1), ([1; 16], 1), true, |_| {});
        ledger.add(at(1), key(1, 1), ([2; 16], 2), true, |_| {});
        let candidates = ledger.candidates(at(2), &key(1, 1));
        let authenticator = |place| ledger.request(place).unwrap().authenticator;
        assert_eq!(candidates.iter().copied().map(authenticator).collect::<Vec<_>>(), [[2; 16], [1; 16]]);
        assert_eq!(ledger.likely(at(2), &candidates, &[9; 16]), None);
        assert_eq!(ledger.likely(at(3), &candidates, &[9; 16]), Some(candidates[0]));
        // Once one has its answer, another is the other's, and the same again still the first's.
        ledger.answered(at(3), candidates[1], &[9; 16]);
        let candidates = ledger.candidates(at(3), &key(1, 1));
        assert_eq!(ledger.likely(at(3), &candidates, &[8; 16]), Some(candidates[0]));
        assert_eq!(ledger.likely(at(3), &candidates, &[9; 16]), Some(candidates[1]));
    }
}
