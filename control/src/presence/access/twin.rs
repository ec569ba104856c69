//! One person of whom two sources tell: RADIUS and PPPoE, at the same address and by the same name. That is one user. Whoever tells
//! first is told; the other is followed quietly, adds what it knows, and its end is the user's end too.

use std::sync::Arc;

use dataplane::time::Nanos;

use super::index::Slot;
use super::{AccessReason, AccessTable, AccessTransition};

impl AccessTable {
    /// Whether who just came is known by another source already: then both know what either does, and nothing is told.
    pub(super) fn joins(&mut self, slot: Slot) -> bool {
        let Some(twin) = self.index.twin(slot).filter(|twin| self.is_told(*twin)) else { return false };
        self.index.mark(slot, |entry| entry.is_quiet = true);
        self.tally.merged += 1;
        self.share(slot, twin);
        self.share(twin, slot);
        self.name_hosts_of(twin);
        true
    }

    fn is_told(&self, slot: Slot) -> bool {
        self.index.get(slot).is_some_and(super::entry::Entry::is_listed)
    }

    /// One whose twin was told has none any more: it is another user now, or its twin is elsewhere.
    pub(super) fn stand_alone(&mut self, slot: Slot, out: &mut Vec<AccessTransition>) {
        if self.index.get(slot).is_some_and(|entry| entry.is_quiet) && self.index.twin(slot).is_none() {
            self.index.mark(slot, |entry| entry.is_quiet = false);
            self.tell_arrival(slot, out);
        }
    }

    /// Gives one what the other knows, and where the user is: PPPoE knows the user's own port and VLANs. It is found by those that
    /// its source says all the same.
    fn share(&mut self, from: Slot, to: Slot) {
        let Some(other) = self.index.get(from).map(|entry| Arc::clone(&entry.user)) else { return };
        self.index.change(to, |entry| {
            let user = Arc::make_mut(&mut entry.user);
            user.join(&other);
            if other.is_local && !user.is_local {
                (user.ports, user.svlan, user.cvlan) = (other.ports, other.svlan, other.cvlan);
            }
        });
        self.changes += 1;
    }

    /// A sign-on is over: the slot whose end is to be told, if any. That a source fell silent, or had to give way, says nothing of
    /// the other; anything else is the user's end, of whichever source it comes.
    pub(super) fn part(&mut self, slot: Slot, time: Nanos, reason: AccessReason) -> Option<Slot> {
        let is_quiet = self.index.get(slot)?.is_quiet;
        let is_quiet_one = |slot: Slot| self.index.get(slot).is_some_and(|entry| entry.is_quiet);
        let is_other = |twin: &Slot| if is_quiet { self.is_told(*twin) } else { is_quiet_one(*twin) };
        let Some(twin) = self.index.twin(slot).filter(is_other) else {
            // Nobody was told of a quiet one.
            if is_quiet {
                self.forget(slot, time);
            }
            return (!is_quiet).then_some(slot);
        };
        let goes_on = matches!(reason, AccessReason::Silence | AccessReason::Evicted);
        let (told, quiet) = if is_quiet { (twin, slot) } else { (slot, twin) };
        match (goes_on, is_quiet) {
            (true, true) => {
                self.forget(quiet, time);
                self.name_hosts_of(told);
                None
            }
            (true, false) => {
                self.share(told, quiet);
                self.forget(told, time);
                self.index.mark(quiet, |entry| entry.is_quiet = false);
                self.name_hosts_of(quiet);
                None
            }
            (false, _) => {
                self.share(quiet, told);
                self.forget(quiet, time);
                Some(told)
            }
        }
    }
}
