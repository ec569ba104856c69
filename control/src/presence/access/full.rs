//! Who gives way when the table is full: hosts before persons, and of those whoever would be over soonest, as far as a glance
//! shows. A host is never let in in the place of a person: a flood of requests for addresses signs nobody off.

use dataplane::access::Source;
use dataplane::time::Nanos;

use super::entry::Entry;
use super::index::Slot;
use super::{AccessReason, AccessTable, AccessTransition};

/// Sign-ons that are looked at.
const GLANCE: usize = 16;

impl AccessTable {
    /// Makes room for one more; false where nobody gives way.
    pub(super) fn make_room(&mut self, source: Source, time: Nanos, out: &mut Vec<AccessTransition>) -> bool {
        if self.index.len() < self.limits.users {
            return true;
        }
        let front = |is_personal| self.queue.front(is_personal, GLANCE);
        let candidates = front(false).chain(front(true)).chain(self.some_slots());
        let rank = |slot: &Slot| {
            let entry = self.index.get(*slot)?;
            // What is over first: nobody signs off by it.
            let due = if entry.is_there() { entry.due(&self.limits) } else { Nanos(0) };
            Some((entry.user.source.is_personal() && entry.is_there(), due, *slot))
        };
        match candidates.filter_map(|slot| rank(&slot)).min() {
            Some((is_personal, _, slot)) if source.is_personal() || !is_personal => {
                self.tally.evicted += u64::from(self.index.get(slot).is_some_and(Entry::is_there));
                self.leave(slot, time, AccessReason::Evicted, out);
                true
            }
            _ => {
                self.tally.refused += 1;
                false
            }
        }
    }

    /// As many slots, others every time: those without a deadline are in no queue.
    fn some_slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let slots = self.index.slots();
        let begin = (self.changes.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16) as usize;
        (0..GLANCE.min(slots)).map(move |step| ((begin + step) % slots) as Slot)
    }
}
