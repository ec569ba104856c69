//! Records that wait for a host: by rank, because what matters less gives way; taken in the order in which they came.

use std::collections::VecDeque;

use super::owed::{Matter, Origin, Owed, Rank};

const RANKS: usize = Rank::ALL.len();

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queue {
    arrivals: u64,
    ranks: [VecDeque<Owed>; RANKS],
    /// Goes before `ranks`: what the last connection did not, or perhaps did not, deliver.
    again: VecDeque<Owed>,
}

impl Queue {
    /// Appends what is new.
    pub(super) fn push(&mut self, matter: Matter, origin: Origin) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        let owed = Owed { matter, arrival, origin, sent: false, acknowledged: false, refused: 0 };
        self.ranks[owed.matter.rank() as usize].push_back(owed);
    }

    /// Puts in front of everything, in their order, what was taken before.
    pub(super) fn put_back(&mut self, owed: impl DoubleEndedIterator<Item = Owed>) {
        owed.rev().for_each(|owed| self.again.push_front(owed));
    }

    /// Whether something goes before everything else.
    pub(super) fn has_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Takes of what goes before everything else what is like that, in its order.
    pub(super) fn extract_again(&mut self, is_like: impl Fn(&Owed) -> bool) -> Vec<Owed> {
        let (like, others) = std::mem::take(&mut self.again).into_iter().partition::<VecDeque<_>, _>(is_like);
        self.again = others;
        like.into()
    }

    /// The oldest of each place that has any; of those that were never taken, the oldest of each rank.
    pub(super) fn fronts(&self) -> impl Iterator<Item = &Owed> {
        self.again.iter().take(1).chain(self.ranks.iter().filter_map(VecDeque::front))
    }

    /// The next.
    pub(super) fn front(&self) -> Option<&Owed> {
        self.again.front().or_else(|| self.ranks[self.oldest()?].front())
    }

    /// Takes the next.
    pub(super) fn pop(&mut self) -> Option<Owed> {
        self.again.pop_front().or_else(|| self.ranks[self.oldest()?].pop_front())
    }

    /// Takes the youngest of the lowest rank below `rank` that waits.
    pub(super) fn evict(&mut self, rank: Rank) -> Option<Owed> {
        self.ranks[..rank as usize].iter_mut().find_map(VecDeque::pop_back)
    }

    /// All, in the order in which they would be taken.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Owed> {
        let mut fronts = self.ranks.each_ref().map(|rank| rank.iter().peekable());
        self.again.iter().chain(std::iter::from_fn(move || {
            let oldest = fronts.iter_mut().filter_map(|rank| Some((rank.peek()?.arrival, rank)));
            oldest.min_by_key(|(arrival, _)| *arrival)?.1.next()
        }))
    }

    /// Takes all, in their order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Owed> {
        std::iter::from_fn(|| self.pop())
    }

    /// The rank whose first came first.
    fn oldest(&self) -> Option<usize> {
        let arrival = |rank: &usize| self.ranks[*rank].front().map(|owed| owed.arrival);
        (0..RANKS).filter(|rank| arrival(rank).is_some()).min_by_key(arrival)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::presence::access::AccessAction;
    use crate::record::{Class, LossPlace, Record, SessionAction, sample};

    fn of(rank: Rank) -> Record {
        match rank {
            Rank::Create => sample::create(sample::flow_v4()),
            Rank::Close => sample::close(sample::flow_v4()),
            Rank::Deny => {
                let mut record = sample::create(sample::flow_v4());
                if let crate::record::Body::Session(session) = &mut record.body {
                    session.action = SessionAction::Deny { packets: 1, first: sample::TIME };
                }
                record
            }
            Rank::Im => sample::login("10001"),
            Rank::CallStatus => sample::access(AccessAction::Result { success: false }),
            Rank::Access => sample::access(AccessAction::Login),
            Rank::Attack => sample::attack(sample::flow_v4()),
            Rank::Audit => sample::loss(Class::Im, LossPlace::Worker(0), 1),
        }
    }

    #[test]
    fn ranks_give_way_in_order() {
        let mut queue = Queue::default();
        for rank in Rank::ALL.into_iter().rev().chain(Rank::ALL) {
            queue.push(Matter::Record(Arc::new(of(rank))), Origin::Live);
        }
        let arrivals: Vec<u64> = queue.iter().map(|owed| owed.arrival).collect();
        assert!(arrivals.is_sorted() && arrivals.len() == 2 * RANKS, "taken in the order in which they came");
        assert!(queue.evict(Rank::Create).is_none());
        let gone: Vec<(Rank, u64)> =
            std::iter::from_fn(|| queue.evict(Rank::Audit)).map(|owed| (owed.matter.rank(), owed.arrival)).collect();
        let ranks = Rank::ALL.into_iter().take(RANKS - 1).enumerate();
        let expected: Vec<(Rank, u64)> = ranks
            .flat_map(|(place, rank)| [(rank, (RANKS + place) as u64), (rank, (RANKS - 1 - place) as u64)])
            .collect();
        assert_eq!(gone, expected, "the lowest rank first, in it the youngest");
    }
}
