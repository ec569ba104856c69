//! Denied packets that look alike become one record a second with their number: the first is recorded at once, what
//! follows from the same source to the same service under the same rule is counted.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::quality::RandomState;

use crate::endpoint::Tuple;
use crate::event::Volume;
use crate::policy::RuleId;
use crate::time::Nanos;

/// What a record of denied packets needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The rule.
    pub rule: RuleId,
    /// Ends, protocol and tags of the first.
    pub tuple: Tuple,
    /// Ports of the client's side and of the other.
    pub ports: (u16, u16),
    /// How many, and their octets.
    pub volume: Volume,
    /// When the first and the last came.
    pub span: (Nanos, Nanos),
}

/// What to do with a denied packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Record it now: it is the first of its kind.
    First,
    /// It was counted, and will be told with others.
    Counted,
    /// Record it now: there is no room to count it.
    NoRoom,
}

/// The denied packets of the last second.
#[derive(Debug)]
pub struct Denies {
    hasher: RandomState,
    /// By rule, ends but the client's port, and tags. `volume` leaves out what was recorded already.
    alike: Box<[Option<Denied>]>,
    /// By rule alone, where there was no room above: a flood from many sources.
    by_rule: Box<[Option<Denied>]>,
    /// Entries in use.
    used: usize,
    /// Where the next look for what is due begins.
    next: usize,
}

/// Sources and services told apart at a time.
const ALIKE: usize = 1024;
/// Rules told apart beyond those.
const BY_RULE: usize = 64;
/// Places that an entry may have.
const WAYS: usize = 4;
/// How long packets are gathered.
const SPAN: Duration = Duration::from_secs(1);
/// Places looked at in one turn.
const LOOKED_AT: usize = 64;

impl Default for Denies {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            alike: vec![None; ALIKE].into_boxed_slice(),
            by_rule: vec![None; BY_RULE].into_boxed_slice(),
            used: 0,
            next: 0,
        }
    }
}

impl Denies {
    /// Takes note of a denied packet, which can be recorded now where there is `room`; where not, it waits to be told.
    pub fn note(
        &mut self,
        now: Nanos,
        rule: RuleId,
        tuple: Tuple,
        ports: (u16, u16),
        octets: u32,
        room: bool,
    ) -> Noted {
        let Tuple { client, server, protocol, svlan, cvlan } = tuple;
        let hash = self.hasher.hash_one((rule, client.address, server, protocol, svlan, cvlan)) as usize;
        let is_like = |denied: &Denied| {
            let other = &denied.tuple;
            denied.rule == rule
                && other.client.address == client.address
                && (other.server, other.protocol, other.svlan, other.cvlan) == (server, protocol, svlan, cvlan)
        };
        let empty = Denied { rule, tuple, ports, volume: Volume::default(), span: (now, now) };
        let one = Volume { packets: 1, octets: u64::from(octets) };
        let set = hash % (ALIKE / WAYS) * WAYS;
        let first = Denied { volume: one, ..empty };
        let new = if room { empty } else { first };
        match count(self.alike.get_mut(set..set + WAYS).unwrap_or_default(), now, is_like, new, one) {
            Some(false) => return Noted::Counted,
            Some(true) => {
                self.used += 1;
                return if room { Noted::First } else { Noted::Counted };
            }
            None => {}
        }
        let set = usize::from(rule.0) % (BY_RULE / WAYS) * WAYS;
        match count(
            self.by_rule.get_mut(set..set + WAYS).unwrap_or_default(),
            now,
            |denied| denied.rule == rule,
            first,
            one,
        ) {
            Some(false) => Noted::Counted,
            Some(true) => {
                self.used += 1;
                Noted::Counted
            }
            None => Noted::NoRoom,
        }
    }

    /// What has been gathered for a second, one at a time: call it until it has no more.
    pub fn due(&mut self, now: Nanos, looks: &mut usize) -> Option<Denied> {
        while self.used > 0 && *looks < LOOKED_AT {
            *looks += 1;
            self.next = (self.next + 1) % (ALIKE + BY_RULE);
            let place = match self.next.checked_sub(ALIKE) {
                None => self.alike.get_mut(self.next),
                Some(next) => self.by_rule.get_mut(next),
            };
            let Some(place) = place else { continue };
            let is_due = place.as_ref().is_some_and(|denied| now.since(denied.span.0) >= SPAN);
            let Some(denied) = is_due.then(|| place.take()).flatten() else { continue };
            self.used -= 1;
            if denied.volume.packets > 0 {
                return Some(denied);
            }
        }
        None
    }

    /// Everything that is left, for the end: one at a time.
    pub fn rest(&mut self) -> Option<Denied> {
        let place = self.alike.iter_mut().chain(&mut *self.by_rule).find_map(Option::take)?;
        self.used -= 1;
        Some(place)
    }
}

/// Counts one more in the entry that fits, or puts `new` into a free place: whether it is new; none where there is no
/// place.
fn count(
    set: &mut [Option<Denied>],
    now: Nanos,
    fits: impl Fn(&Denied) -> bool,
    new: Denied,
    one: Volume,
) -> Option<bool> {
    if let Some(denied) = set.iter_mut().flatten().find(|denied| fits(denied)) {
        denied.volume.packets += one.packets;
        denied.volume.octets += one.octets;
        denied.span.1 = now;
        return Some(false);
    }
    let place = set.iter_mut().find(|place| place.is_none())?;
    *place = Some(new);
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Address, Endpoint};

    const START: Nanos = Nanos::from_parts(1_800_000_000, 0);

    fn tuple(client: u32, port: u16) -> Tuple {
        Tuple {
            client: Endpoint { address: Address::v4(client.to_be_bytes()), port },
            server: Endpoint { address: Address::v4([192, 0, 2, 1]), port: 23 },
            protocol: 6,
            ..Tuple::default()
        }
    }

    fn gathered(denies: &mut Denies, now: Nanos) -> Vec<Denied> {
        let mut all = Vec::new();
        for _ in 0..100 {
            let mut looks = 0;
            all.extend(std::iter::from_fn(|| denies.due(now, &mut looks)));
        }
        all
    }

    #[test]
    fn what_is_alike_is_told_at_once_and_then_by_number() {
        let mut denies = Denies::default();
        let noted: Vec<Noted> =
            (0..50).map(|port| denies.note(START, RuleId(4), tuple(1, 1000 + port), (0, 1), 60, true)).collect();
        assert_eq!(noted[0], Noted::First);
        assert!(noted[1..].iter().all(|noted| *noted == Noted::Counted));
        assert_eq!(gathered(&mut denies, START), []);
        let [denied] = gathered(&mut denies, START + SPAN).try_into().unwrap();
        assert_eq!((denied.volume.packets, denied.tuple.client.port), (49, 1000));
        assert_eq!(denies.note(START + SPAN, RuleId(4), tuple(1, 7), (0, 1), 60, true), Noted::First);
        assert_eq!(gathered(&mut denies, START + 3 * SPAN), [], "alone it was told");
        assert_eq!(denies.used, 0);
    }

    #[test]
    fn a_flood_from_everywhere_is_counted_whole() {
        let mut denies = Denies::default();
        let mut told = 0;
        for client in 0..100_000 {
            if denies.note(START, RuleId(client as u16 % 3), tuple(client, 9), (0, 1), 60, true) != Noted::Counted {
                told += 1;
            }
        }
        assert!(told <= ALIKE as u64);
        let records = gathered(&mut denies, START + SPAN);
        assert!(records.len() <= 3);
        assert_eq!(told + records.iter().map(|denied| denied.volume.packets).sum::<u64>(), 100_000);
    }
}
