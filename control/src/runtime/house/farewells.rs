//! Ending the sessions of users who signed off, where the configuration wants that: workers walk over their tables, and one
//! walk serves all who signed off while the one before was under way.

use std::sync::Arc;

use ::dataplane::access::{Leavers, TagPlace};
use ::dataplane::command::Command;
use ::dataplane::time::Nanos;
use crossbeam::channel::Sender;

use super::House;
use crate::presence::access::AccessTransition;

/// Who waits for a walk, and the walk under way.
#[derive(Debug, Default)]
pub(super) struct Farewells {
    waiting: Leavers,
    under_way: Option<Walk>,
}

#[derive(Debug)]
struct Walk {
    leavers: Arc<Leavers>,
    /// Mailboxes that were full.
    untold: Vec<Sender<Command>>,
}

impl Walk {
    fn tell(&mut self) {
        let leavers = &self.leavers;
        self.untold.retain(|mailbox| {
            mailbox.try_send(Command::EndSessions(Arc::clone(leavers))).is_err_and(|error| error.is_full())
        });
    }

    /// Whether every worker has let go of it.
    fn is_over(&self) -> bool {
        self.untold.is_empty() && Arc::strong_count(&self.leavers) == 1
    }
}

impl Farewells {
    /// Whoever is at a place has its sessions ended that began before `until`.
    pub(super) fn add(&mut self, place: TagPlace, until: Nanos) {
        self.waiting.add(place, until);
    }
}

impl House {
    /// Notes whose sessions are to end by what users did.
    pub(super) fn see_off(&mut self, transitions: &[AccessTransition]) {
        if self.compiled.access.end_sessions && !transitions.is_empty() {
            let now = self.dataplane.now();
            transitions.iter().for_each(|told| self.access.see_off(told, now, &mut self.farewells.waiting));
        }
    }

    /// Goes on; call it at every turn.
    pub(super) fn turn_farewells(&mut self) {
        if let Some(walk) = &mut self.farewells.under_way {
            walk.tell();
            if !walk.is_over() {
                return;
            }
            self.farewells.under_way = None;
        }
        if !self.farewells.waiting.is_empty() {
            let leavers = Arc::new(std::mem::take(&mut self.farewells.waiting));
            let mut walk = Walk { leavers, untold: self.dataplane.mailboxes() };
            walk.tell();
            self.farewells.under_way = Some(walk);
        }
    }
}
