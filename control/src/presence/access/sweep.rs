//! What concerns many users at once, done a piece at a time: an access server that begins anew, other limits.

use std::collections::VecDeque;

use dataplane::access::{AccessEvent, Text};
use dataplane::endpoint::Address;
use dataplane::time::Nanos;

use super::entry::age;
use super::index::Slot;
use super::table::PIECE;
use super::{AccessReason, AccessTable, AccessTransition, AccessUser};

/// Access servers that may begin anew at the same time; of more, the first is forgotten.
const MOST: usize = 256;

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    gone: VecDeque<Gone>,
    /// Where the limits are looked at next.
    limits: Option<usize>,
}

/// An access server that began anew.
#[derive(Debug)]
struct Gone {
    address: Option<Address>,
    /// The address is what the message itself names the server by, not only where it came from: that may be a proxy's.
    by_address: bool,
    name: Box<[u8]>,
    time: Nanos,
    /// Whose users are looked at next.
    at: usize,
}

impl Gone {
    /// Whether a user was signed on there: by its name where both have one, else by its address. A message has to have one of
    /// both (RFC 2866, 4.1); one that has none is about those whose own messages had no name either.
    fn has(&self, user: &AccessUser) -> bool {
        let is_there = match (&*self.name, user.text(Text::NasId)) {
            ([], name) if !name.is_empty() && !self.by_address => false,
            ([], _) | (_, []) => self.address.is_some() && self.address == user.nas,
            (name, other) => name == other,
        };
        is_there && user.since <= self.time
    }
}

impl Sweep {
    pub(super) fn is_under_way(&self) -> bool {
        self.limits.is_some() || !self.gone.is_empty()
    }

    pub(super) fn look_at_all(&mut self) {
        self.limits = Some(0);
    }
}

impl AccessTable {
    pub(super) fn nas_gone(&mut self, event: &AccessEvent, out: &mut Vec<AccessTransition>) {
        if self.sweep.gone.len() == MOST {
            self.sweep.gone.pop_front();
        }
        let name = event.texts.get(Text::NasId).into();
        let time = event.header.time - age(event);
        let by_address = event.cause == AccessEvent::BY_ADDRESS;
        self.sweep.gone.push_back(Gone { address: event.nas, by_address, name, time, at: 0 });
        // Where there are few users, and as a rule nothing else is under way, this is all.
        self.turn_sweep(out);
    }

    /// A piece of what is under way; whether there is more.
    pub(super) fn turn_sweep(&mut self, out: &mut Vec<AccessTransition>) -> bool {
        if let Some(mut gone) = self.sweep.gone.pop_front() {
            let end = (gone.at + PIECE).min(self.index.slots());
            for slot in gone.at as Slot..end as Slot {
                if self.index.get(slot).is_some_and(|entry| gone.has(&entry.user)) {
                    self.leave(slot, gone.time, AccessReason::NasReboot, out);
                }
            }
            gone.at = end;
            if end < self.index.slots() {
                self.sweep.gone.push_front(gone);
            }
        } else if let Some(at) = self.sweep.limits {
            let end = (at + PIECE).min(self.index.slots());
            (at as Slot..end as Slot).for_each(|slot| self.requeue(slot));
            self.sweep.limits = (end < self.index.slots()).then_some(end);
        }
        self.sweep.is_under_way()
    }
}
