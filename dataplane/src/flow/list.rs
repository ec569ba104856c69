//! Doubly linked lists over slots: links in one array, any number of heads. Everything is constant time.

use super::table::Slot;

/// No slot.
const NONE: u32 = u32::MAX;

/// The links of every slot; a slot is on one list of these links at most.
#[derive(Debug)]
pub(super) struct Links(Box<[(u32, u32)]>);

/// Both ends of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl List {
    /// An empty list.
    pub(super) const EMPTY: Self = Self { head: NONE, tail: NONE };

    /// The first slot.
    pub(super) fn first(&self) -> Option<Slot> {
        (self.head != NONE).then_some(Slot(self.head))
    }
}

impl Links {
    /// For `capacity` slots.
    pub(super) fn new(capacity: usize) -> Self {
        Self(vec![(NONE, NONE); capacity].into_boxed_slice())
    }

    /// Puts a slot, which is on no list, at the end.
    pub(super) fn push(&mut self, list: &mut List, slot: Slot) {
        self.0[slot.index()] = (list.tail, NONE);
        match list.tail {
            NONE => list.head = slot.0,
            tail => self.0[tail as usize].1 = slot.0,
        }
        list.tail = slot.0;
    }

    /// Takes a slot off the list that it is on.
    pub(super) fn remove(&mut self, list: &mut List, slot: Slot) {
        let (before, after) = self.0[slot.index()];
        match before {
            NONE => list.head = after,
            before => self.0[before as usize].1 = after,
        }
        match after {
            NONE => list.tail = before,
            after => self.0[after as usize].0 = before,
        }
        self.0[slot.index()] = (NONE, NONE);
    }

    /// What follows a slot on its list.
    pub(super) fn after(&self, slot: Slot) -> Option<Slot> {
        let after = self.0[slot.index()].1;
        (after != NONE).then_some(Slot(after))
    }
}
