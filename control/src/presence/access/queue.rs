//! When the table has to look at which sign-on. One that is heard stays where it is in the queue, and is put at its new place
//! when it comes up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use dataplane::time::Nanos;

use super::AccessLimits;
use super::entry::{Entry, NEVER};
use super::index::{Index, Slot};

/// Places that are taken off at a time, as they are of no sign-on any more.
const STALE: usize = 64;

/// When, which, and its number in the queue.
type Item = Reverse<(Nanos, Slot, u32)>;

/// The deadlines, by the table's clock.
#[derive(Debug)]
pub(super) struct Queue {
    /// Of hosts and of persons.
    heaps: [BinaryHeap<Item>; 2],
    tickets: u32,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { heaps: <_>::default(), tickets: 0 }
    }

    /// Sees to it that a sign-on is looked at when it is due, or before.
    pub(super) fn put(&mut self, slot: Slot, entry: &mut Entry, limits: &AccessLimits) {
        let due = entry.due(limits);
        if due < entry.queued {
            self.tickets = self.tickets.wrapping_add(1);
            (entry.queued, entry.ticket) = (due, self.tickets);
            self.heaps[usize::from(entry.user.source.is_personal())].push(Reverse((due, slot, self.tickets)));
        }
    }

    /// When the next one is to be looked at.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.heaps.iter().filter_map(BinaryHeap::peek).map(|Reverse((due, ..))| *due).min()
    }

    /// Takes the next place in the queue that is reached; it may be none of a sign-on any more.
    pub(super) fn pop(&mut self, index: &mut Index, now: Nanos) -> Option<Option<Slot>> {
        let next = self.next().filter(|due| *due <= now)?;
        let is_next = |heap: &&mut BinaryHeap<Item>| heap.peek().is_some_and(|Reverse((due, ..))| *due == next);
        let Reverse((_, slot, ticket)) = self.heaps.iter_mut().find(is_next)?.pop()?;
        let entry = index.get_mut(slot).filter(|entry| is_current(entry, ticket));
        Some(entry.map(|entry| {
            entry.queued = NEVER;
            slot
        }))
    }

    /// Takes what is of no sign-on any more off the front, a number of them.
    pub(super) fn clear_front(&mut self, index: &Index) {
        let is_stale =
            |Reverse((_, slot, ticket)): &Item| !index.get(*slot).is_some_and(|entry| is_current(entry, *ticket));
        for heap in &mut self.heaps {
            for _ in 0..STALE {
                if heap.peek().is_some_and(is_stale) {
                    heap.pop();
                }
            }
        }
    }

    /// Some of the hosts or of the persons that are due next, roughly.
    pub(super) fn front(&self, index: &Index, is_personal: bool, most: usize) -> impl Iterator<Item = Slot> {
        let items = self.heaps[usize::from(is_personal)].as_slice().iter().take(most);
        let current = |slot: Slot, ticket| index.get(slot).is_some_and(|entry| is_current(entry, ticket));
        items.filter(move |Reverse((_, slot, ticket))| current(*slot, *ticket)).map(|Reverse((_, slot, _))| *slot)
    }

    /// Leaves out what is of no sign-on any more, where that is more than there can be sign-ons.
    pub(super) fn tidy(&mut self, index: &Index, limits: &AccessLimits) {
        for heap in &mut self.heaps {
            if heap.len() > 2 * limits.users + 1_024 {
                heap.retain(|Reverse((_, slot, ticket))| {
                    index.get(*slot).is_some_and(|entry| is_current(entry, *ticket))
                });
            }
        }
    }
}

fn is_current(entry: &Entry, ticket: u32) -> bool {
    entry.ticket == ticket && entry.queued != NEVER
}
