//! What was written and is not safe yet: records that the host has not acknowledged, and a reserve of those that it has,
//! as far as its transport can tell, but that its program may not have read.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::WindowLimits;
use super::outbox::TRANSACTIONS;
use super::owed::Owed;

/// How many records leave the reserve in one turn because of their age.
const EXPIRE_AT_ONCE: usize = 1_024;

/// What tells that a written record has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// The host's TCP acknowledged so many octets of the connection.
    Position(u64),
    /// An answer of the host to its transaction, one a record.
    Answer,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    limits: WindowLimits,
    /// Not acknowledged, in the order in which they were written.
    out: VecDeque<Out>,
    /// Octets in `out`.
    octets: usize,
    /// The transaction of the first in `out`.
    transaction: u32,
    /// Acknowledged, with when, and how many octets.
    reserve: VecDeque<(Instant, usize, Owed)>,
    /// Octets in `reserve`.
    reserved: usize,
}

#[derive(Debug)]
struct Out {
    /// None: answered, before one that was written earlier.
    owed: Option<Owed>,
    until: Until,
    octets: usize,
    written: Instant,
}

impl Window {
    /// With these limits.
    pub(super) fn new(limits: WindowLimits) -> Self {
        let reserve = VecDeque::new();
        Self { limits, out: VecDeque::new(), octets: 0, transaction: 1, reserve, reserved: 0 }
    }

    /// A connection begins, on which the next record written has this transaction.
    pub(super) fn begin(&mut self, transaction: u32) {
        self.transaction = transaction;
    }

    /// Whether another record may be written that has to be answered, when so many more are about to be.
    pub(super) fn has_room(&self, besides: usize) -> bool {
        self.out.len() + besides < self.limits.frames && self.octets < self.limits.octets
    }

    /// A record was wholly written.
    pub(super) fn sent(&mut self, owed: Owed, until: Until, octets: usize, now: Instant) {
        self.octets += octets;
        self.out.push_back(Out { owed: Some(owed), until, octets, written: now });
    }

    /// The host's TCP acknowledged the connection up to this octet: tells `each` record that is, and keeps them in reserve.
    pub(super) fn acknowledged(&mut self, position: u64, now: Instant, mut each: impl FnMut(&Owed)) {
        while let Some(Until::Position(end)) = self.out.front().map(|out| out.until) {
            if end > position {
                break;
            }
            let Some(mut out) = self.out.pop_front() else { break };
            self.octets -= out.octets;
            if let Some(owed) = &mut out.owed {
                each(owed);
                owed.acknowledged = true;
            }
            if let Some(owed) = out.owed {
                self.reserved += out.octets;
                self.reserve.push_back((now, out.octets, owed));
            }
            self.trim();
        }
        self.expire(now);
    }

    /// A connection on which nothing can have been out for so `long` lives on: what was written before that arrived.
    pub(super) fn outlived(&mut self, long: Duration, now: Instant, each: impl FnMut(&Owed)) {
        let old = |out: &&Out| now.saturating_duration_since(out.written) > long;
        let position = self.out.iter().take_while(old).filter_map(|out| match out.until {
            Until::Position(end) => Some(end),
            Until::Answer => None,
        });
        if let Some(position) = position.last() {
            self.acknowledged(position, now, each);
        }
    }

    /// The host answered a transaction: its record, whatever the answer; none where it is not out, which no sane host does.
    pub(super) fn answered(&mut self, transaction: u32) -> Option<Owed> {
        let place = (transaction + TRANSACTIONS).checked_sub(self.transaction)? % TRANSACTIONS;
        let out = self.out.get_mut(place as usize)?;
        let owed = out.owed.take()?;
        self.octets -= out.octets;
        while self.out.front().is_some_and(|out| out.owed.is_none()) {
            self.out.pop_front();
            self.transaction = self.transaction % TRANSACTIONS + 1;
        }
        Some(owed)
    }

    /// Forgets of the reserve, oldest first, what is too much.
    fn trim(&mut self) {
        while self.reserved > self.limits.reserve
            && let Some((_, octets, _)) = self.reserve.pop_front()
        {
            self.reserved -= octets;
        }
    }

    /// Forgets of the reserve what is old, some of it in each turn.
    pub(super) fn expire(&mut self, now: Instant) {
        for _ in 0..EXPIRE_AT_ONCE {
            let Some((when, octets, _)) = self.reserve.front() else { return };
            if now.saturating_duration_since(*when) <= self.limits.age {
                return;
            }
            self.reserved -= octets;
            self.reserve.pop_front();
        }
    }

    /// The connection broke: what was not acknowledged, and the reserve; each oldest first.
    pub(super) fn broke(&mut self) -> (Vec<Owed>, Vec<Owed>) {
        self.octets = 0;
        self.reserved = 0;
        let owed = self.out.drain(..).filter_map(|out| out.owed).collect();
        (owed, self.reserve.drain(..).map(|(_, _, owed)| owed).collect())
    }

    /// What is not acknowledged, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Owed> {
        self.out.iter().filter_map(|out| out.owed.as_ref())
    }

    /// Forgets the reserve.
    pub(super) fn forget_reserve(&mut self) {
        self.reserve.clear();
        self.reserved = 0;
    }

    /// Since when the oldest is not acknowledged.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.out.front().map(|out| out.written)
    }

    /// Octets that are not acknowledged.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Whether everything written was acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::owed::{Matter, Origin};
    use super::*;
    use crate::record::sample;

    fn owed(arrival: u64) -> Owed {
        let matter = Matter::Record(Arc::new(sample::login("10001")));
        Owed { matter, arrival, origin: Origin::Live, sent: true, acknowledged: false, refused: 0 }
    }

    fn window(frames: usize, reserve: usize) -> Window {
        let age = Duration::from_secs(600);
        Window::new(WindowLimits { frames, octets: 1_000, reserve, age })
    }

    fn numbers(owed: &[Owed]) -> Vec<u64> {
        owed.iter().map(|owed| owed.arrival).collect()
    }

    #[test]
    fn positions_acknowledge_in_order_and_fill_the_reserve() {
        let (now, mut window) = (Instant::now(), window(10, 250));
        (1..=5).for_each(|number| window.sent(owed(number), Until::Position(number * 100), 100, now));
        let mut acknowledged = Vec::new();
        window.acknowledged(399, now, |owed| acknowledged.push(owed.arrival));
        assert_eq!(acknowledged, [1, 2, 3]);
        let (left, reserve) = window.broke();
        assert_eq!((numbers(&left), numbers(&reserve)), (vec![4, 5], vec![2, 3]), "the reserve holds 250 octets");
        assert!(reserve.iter().all(|owed| owed.acknowledged) && window.is_empty());
    }

    #[test]
    fn no_acknowledgement_fills_the_reserve_beyond_its_octets() {
        // Many times what leaves in one turn by age.
        let (now, count) = (Instant::now(), 20 * EXPIRE_AT_ONCE as u64);
        let mut window = window(usize::MAX, 25_000);
        for round in 0..3 {
            (1..=count).for_each(|number| window.sent(owed(number), Until::Position(number * 100), 100, now));
            window.acknowledged(count * 100, now, |_| ());
            assert_eq!((window.reserve.len(), window.reserved), (250, 25_000), "round {round}");
        }
        // One that is larger than the whole reserve leaves nothing.
        window.sent(owed(1), Until::Position(1), 25_001, now);
        window.acknowledged(1, now, |_| ());
        assert_eq!((window.reserve.len(), window.reserved), (0, 0));
    }

    #[test]
    fn age_is_forgotten_in_turns() {
        let now = Instant::now();
        let mut window = window(usize::MAX, usize::MAX);
        (1..=1_500).for_each(|number| window.sent(owed(number), Until::Position(number * 100), 100, now));
        window.acknowledged(150_000, now, |_| ());
        let later = now + Duration::from_secs(601);
        window.expire(later);
        assert_eq!((window.reserve.len(), window.reserved), (1_500 - EXPIRE_AT_ONCE, (1_500 - EXPIRE_AT_ONCE) * 100));
        window.expire(later);
        assert_eq!((window.reserve.len(), window.reserved), (0, 0));
    }

    #[test]
    fn the_reserve_forgets_what_is_old() {
        let (now, mut window) = (Instant::now(), window(10, 1_000));
        window.sent(owed(1), Until::Position(100), 100, now);
        window.acknowledged(100, now, |_| ());
        window.expire(now + Duration::from_secs(601));
        assert!(window.broke().1.is_empty());
    }

    #[test]
    fn a_connection_that_lives_on_acknowledges_what_is_old() {
        let (now, mut window) = (Instant::now(), window(10, 1_000));
        let (long, later) = (Duration::from_secs(60), now + Duration::from_secs(61));
        window.sent(owed(1), Until::Position(100), 100, now);
        window.sent(owed(2), Until::Position(200), 100, later);
        let mut acknowledged = Vec::new();
        window.outlived(long, now + long, |owed| acknowledged.push(owed.arrival));
        assert!(acknowledged.is_empty());
        window.outlived(long, later, |owed| acknowledged.push(owed.arrival));
        assert_eq!(acknowledged, [1]);
    }

    #[test]
    fn answers_come_in_any_order_and_each_once() {
        let (now, mut window) = (Instant::now(), window(3, 0));
        window.begin(TRANSACTIONS - 1);
        (1..=3).for_each(|number| window.sent(owed(number), Until::Answer, 100, now));
        assert!(!window.has_room(0));
        assert_eq!(window.answered(TRANSACTIONS).map(|owed| owed.arrival), Some(2));
        assert!(window.answered(TRANSACTIONS).is_none() && window.answered(2).is_none());
        assert!(!window.has_room(0), "the first is still out");
        assert_eq!(window.answered(TRANSACTIONS - 1).map(|owed| owed.arrival), Some(1));
        assert!(window.has_room(1) && !window.has_room(2));
        assert_eq!(window.answered(1).map(|owed| owed.arrival), Some(3));
        assert!(window.is_empty() && window.oldest().is_none());
    }
}
