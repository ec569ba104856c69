//! When the table has to look at which sign-on. One that is heard stays where it is in the queue, and is put at its new place
//! when it comes up. Who leaves is taken out at once: nothing has ever to be cleared away.

use std::collections::BTreeSet;

use dataplane::time::Nanos;

use super::AccessLimits;
use super::entry::{Entry, NEVER};
use super::index::{Index, Slot};

/// The deadlines, by the table's clock.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Of hosts and of persons.
    levels: [BTreeSet<(Nanos, Slot)>; 2],
}

impl Queue {
    /// Sees to it that a sign-on is looked at when it is due, or before.
    pub(super) fn put(&mut self, slot: Slot, entry: &mut Entry, limits: &AccessLimits) {
        let due = entry.due(limits);
        if due < entry.queued {
            self.take(slot, entry);
            entry.queued = due;
            self.level(entry).insert((due, slot));
        }
    }

    /// Takes out a sign-on that is no more, or is put elsewhere.
    pub(super) fn take(&mut self, slot: Slot, entry: &Entry) {
        if entry.queued != NEVER {
            self.level(entry).remove(&(entry.queued, slot));
        }
    }

    /// When the next one is to be looked at.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.levels.iter().filter_map(BTreeSet::first).map(|(due, _)| *due).min()
    }

    /// Takes the next that is due.
    pub(super) fn pop(&mut self, index: &mut Index, now: Nanos) -> Option<Slot> {
        let next = self.next().filter(|due| *due <= now)?;
        let is_next = |level: &&mut BTreeSet<_>| level.first().is_some_and(|(due, _)| *due == next);
        let (_, slot) = self.levels.iter_mut().find(is_next)?.pop_first()?;
        if let Some(entry) = index.get_mut(slot) {
            entry.queued = NEVER;
        }
        Some(slot)
    }

    /// The hosts, or the persons, that are looked at next.
    pub(super) fn front(&self, is_personal: bool, most: usize) -> impl Iterator<Item = Slot> {
        self.levels[usize::from(is_personal)].iter().take(most).map(|(_, slot)| *slot)
    }

    fn level(&mut self, entry: &Entry) -> &mut BTreeSet<(Nanos, Slot)> {
        &mut self.levels[usize::from(entry.user.source.is_personal())]
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.levels.iter().map(BTreeSet::len).sum()
    }
}
