//! PPPoE sessions that are being negotiated, and those that were lately.

use std::time::Duration;

use super::negotiation::{Negotiation, Phase};
use crate::endpoint::Mac;
use crate::time::Nanos;

/// Negotiations of one set. Those of two ends stand in one set: whoever makes up sessions displaces those of few others.
const WAYS: usize = 8;
/// A negotiation that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The negotiations; what is least likely to go on gives way.
#[derive(Debug)]
pub struct Sessions {
    places: Box<[Negotiation]>,
}

impl Sessions {
    /// With room for so many, a multiple of 8.
    pub fn new(most: usize) -> Self {
        Self { places: vec![Negotiation::default(); most.next_multiple_of(WAYS).max(WAYS)].into() }
    }

    /// A session of a pair of hosts by its number; 0 for one that was only asked for.
    pub fn find(&mut self, pair: u64, session: u64) -> Option<&mut Negotiation> {
        self.of(pair).find(|place| place.session == session)
    }

    /// What a host asked for and has not got yet.
    pub fn asked(&mut self, pair: u64, host: Mac) -> Option<&mut Negotiation> {
        self.of(pair).find(|place| place.phase == Phase::Asked && place.host == host)
    }

    /// What there is of a pair of hosts.
    pub fn of(&mut self, pair: u64) -> impl Iterator<Item = &mut Negotiation> {
        self.set(pair).iter_mut().filter(move |place| place.pair == pair && place.phase != Phase::Free)
    }

    /// A place for a negotiation that begins, and whether another had to give way that was under way.
    pub fn claim(&mut self, now: Nanos, pair: u64) -> Option<(&mut Negotiation, bool)> {
        let rank = |place: &Negotiation| {
            let is_stale = now.since(place.touched) > PATIENCE;
            let rank = match place.phase {
                Phase::Free => 0,
                Phase::Closed => 1,
                Phase::Asked | Phase::Open if is_stale => 1,
                Phase::Online => 2,
                Phase::Asked => 3,
                Phase::Open => 4,
            };
            (rank, place.touched)
        };
        let place = self.set(pair).iter_mut().min_by_key(|place| rank(place))?;
        let displaces = rank(place).0 > 2;
        *place = Negotiation::default();
        (place.pair, place.touched) = (pair, now);
        Some((place, displaces))
    }

    fn set(&mut self, pair: u64) -> &mut [Negotiation] {
        let sets = self.places.len() / WAYS;
        let begin = (pair % sets as u64) as usize * WAYS;
        self.places.get_mut(begin..begin + WAYS).unwrap_or_default()
    }
}
