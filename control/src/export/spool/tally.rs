//! How many records of each class and run, and between which numbers: what is said of them if they are lost.

use dataplane::time::Nanos;

use super::SpoolLoss;
use super::record::Head;
use crate::export::Cause;
use crate::record::{BootId, Class};

/// Records of one class and run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// Their class.
    pub(super) class: Class,
    /// The run that made them.
    pub(super) boot: BootId,
    /// Whether they are counted: not what was made here, and not what was acknowledged before.
    pub(super) counts: bool,
    /// How many.
    pub(super) count: u64,
    /// Lowest and highest number.
    pub(super) sequences: (u64, u64),
    /// Earliest and latest time.
    pub(super) span: (Nanos, Nanos),
    /// Sum of the numbers, modulo 2^64: the number of the one that is missing from it.
    sum: u64,
}

/// One a class and run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tallies(Vec<Tally>);

impl Tallies {
    /// One more.
    pub(super) fn add(&mut self, head: &Head) {
        self.add_all(Tally {
            class: head.class,
            boot: head.boot,
            counts: head.counts(),
            count: 1,
            sequences: (head.sequence, head.sequence),
            span: (head.time, head.time),
            sum: head.sequence,
        });
    }

    /// So many that nobody can read, taken to be like `like` and to count, with these numbers as far as can be told.
    pub(super) fn add_unread(&mut self, like: &Head, count: u64, sequences: (u64, u64)) {
        let span = (like.time, like.time);
        let (class, boot) = (like.class, like.boot);
        self.add_all(Tally { class, boot, counts: true, count, sequences, span, sum: 0 });
    }

    /// So many of which nothing is known at all.
    pub(super) fn add_unknown(&mut self, count: u64) {
        let none = (Nanos(0), Nanos(0));
        let (class, boot) = (Class::Session, BootId(0));
        self.add_all(Tally { class, boot, counts: true, count, sequences: (0, 0), span: none, sum: 0 });
    }

    fn add_all(&mut self, more: Tally) {
        // The last is the likeliest: most records are of sessions.
        let same = |tally: &&mut Tally| tally.key() == more.key();
        let Some(tally) = self.0.iter_mut().rev().find(same) else { return self.0.push(more) };
        tally.count += more.count;
        tally.sum = tally.sum.wrapping_add(more.sum);
        tally.sequences = (tally.sequences.0.min(more.sequences.0), tally.sequences.1.max(more.sequences.1));
        tally.span = (tally.span.0.min(more.span.0), tally.span.1.max(more.span.1));
    }

    /// Adds those of another.
    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|tally| self.add_all(*tally));
    }

    /// What is in here and not in `left`, which is a part of it. Numbers are exact where one is missing, and bounds where
    /// more are.
    pub(super) fn without(&self, left: &Self) -> Self {
        let missing = self.0.iter().filter_map(|tally| {
            let Some(rest) = left.0.iter().find(|rest| rest.key() == tally.key()) else { return Some(*tally) };
            let (count, sum) = (tally.count.saturating_sub(rest.count), tally.sum.wrapping_sub(rest.sum));
            let sequences = if count == 1 { (sum, sum) } else { tally.sequences };
            (count > 0).then_some(Tally { count, sum, sequences, ..*tally })
        });
        Self(missing.collect())
    }

    /// At most so many of these, whichever come first.
    pub(super) fn at_most(&self, mut room: u64) -> Self {
        let mut some = Vec::new();
        for tally in &self.0 {
            let count = tally.count.min(room);
            room -= count;
            if count > 0 {
                some.push(Tally { count, ..*tally });
            }
        }
        Self(some)
    }

    /// How many in all.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|tally| tally.count).sum()
    }

    /// How many are counted, by class.
    pub(super) fn by_class(&self) -> Vec<(Class, u64)> {
        let of =
            |class| self.0.iter().filter(|tally| tally.counts && tally.class == class).map(|tally| tally.count).sum();
        Class::ALL.into_iter().map(|class| (class, of(class))).filter(|(_, count)| *count > 0).collect()
    }

    /// When the latest happened.
    pub(super) fn latest(&self) -> Option<Nanos> {
        self.0.iter().map(|tally| tally.span.1).max()
    }

    /// When the earliest happened.
    pub(super) fn earliest(&self) -> Option<Nanos> {
        self.0.iter().map(|tally| tally.span.0).min()
    }

    /// What is said of them where they are lost; of those that are counted.
    pub(super) fn losses(&self, cause: Cause) -> impl Iterator<Item = SpoolLoss> + '_ {
        let counted = self.0.iter().filter(|tally| tally.counts);
        counted.map(move |&Tally { class, boot, count, sequences, span, .. }| SpoolLoss {
            class,
            cause,
            boot,
            count,
            sequences,
            span,
        })
    }
}

impl Tally {
    fn key(&self) -> (Class, BootId, bool) {
        (self.class, self.boot, self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{self, tests::payload};
    use super::*;

    fn head(sequence: u64, own: bool) -> Head {
        let mut payload = payload(sequence);
        payload.own = own;
        record::write(&payload, sequence, &mut Vec::new())
    }

    fn of(sequences: &[u64]) -> Tallies {
        let mut tallies = Tallies::default();
        sequences.iter().for_each(|sequence| tallies.add(&head(*sequence, false)));
        tallies
    }

    #[test]
    fn what_is_missing_is_told_by_class_and_exactly_where_it_is_one() {
        // Two of the first class, three of the second, one of the third.
        let all = of(&[1, 2, 6, 7, 12, 13]);
        assert_eq!(all.without(&all), Tallies::default());
        let missing = all.without(&of(&[1, 2, 6, 12, 13]));
        let losses: Vec<SpoolLoss> = missing.losses(Cause::SpoolCorrupt).collect();
        assert_eq!(losses.len(), 1);
        assert_eq!((losses[0].class, losses[0].count, losses[0].sequences), (Class::ALL[1], 1, (7, 7)));
        // All of a class; and two of three, between the bounds.
        let missing = all.without(&of(&[13, 2]));
        assert_eq!(missing.by_class(), [(Class::ALL[0], 2), (Class::ALL[1], 2)]);
        assert!(missing.losses(Cause::SpoolFull).any(|loss| loss.sequences == (1, 13)));
        assert_eq!((missing.total(), missing.at_most(3).total()), (4, 3));
    }

    #[test]
    fn what_was_made_here_is_in_no_count() {
        let mut tallies = of(&[1]);
        tallies.add(&head(6, true));
        assert_eq!((tallies.total(), tallies.by_class()), (2, vec![(Class::ALL[1], 1)]));
        assert_eq!(tallies.losses(Cause::SpoolFull).count(), 1);
        assert_eq!((tallies.earliest(), tallies.latest()), (Some(Nanos(1_001)), Some(Nanos(1_006))));
    }
}
