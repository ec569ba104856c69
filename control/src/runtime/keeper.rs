//! Has who is online written down every few seconds, so that a restart knows: copied here a piece at a turn, as the loop may
//! not wait, and written by the thread that takes up policies.

mod access;

use std::time::{Duration, Instant};

use dataplane::time::Nanos;

pub(super) use self::access::{AccessKeeper, seed};
use super::reload::{Kept, Reloader};
use crate::config::Compiled;
use crate::presence::im::Presence;
use crate::presence::store::{self, Snapshot};
use crate::state::StateFolder;

/// How often, where anything changed.
const PERIOD: Duration = Duration::from_secs(10);
/// Places copied in one turn of the loop: some 100 \u{b5}s.
const PIECE: usize = 256;

/// What was kept, and what is under way.
#[derive(Debug)]
pub(super) struct Keeper {
    /// None: nothing is kept.
    folder: Option<StateFolder>,
    under_way: Option<Snapshot>,
    /// The table's changes when it was copied last.
    kept: u64,
    due: Instant,
}

impl Keeper {
    /// Keeps in this folder, if in any.
    pub(super) fn new(folder: Option<StateFolder>) -> Self {
        Self { folder, under_way: None, kept: 0, due: Instant::now() + PERIOD }
    }

    /// Takes over who was online when the firewall ran last; what is said of it is for people.
    pub(super) fn take_over(&self, presence: &mut Presence, compiled: &Compiled, now: Nanos) -> Option<String> {
        let folder = self.folder.as_ref()?;
        let octets = match folder.read(store::FILE) {
            Ok(octets) => octets?,
            Err(error) => return Some(format!("nobody is known to be online: {error}")),
        };
        match presence.take_over(&octets, &compiled.names, &compiled.database, now) {
            Ok(0) => None,
            Ok(count) => Some(format!("{count} users were online when it ran last, and are taken to be")),
            Err(why) => {
                let file = folder.path().join(store::FILE);
                Some(format!("nobody is known to be online: {}: {why}", file.display()))
            }
        }
    }

    /// Goes on; call it at every turn.
    pub(super) fn turn(
        &mut self,
        presence: &Presence,
        compiled: &Compiled,
        now: (Instant, Nanos),
        reloader: &Reloader,
    ) {
        let Some(folder) = &self.folder else { return };
        if self.under_way.is_none() && now.0 >= self.due && presence.changes() != self.kept {
            self.kept = presence.changes();
            self.under_way = Some(Snapshot::begin(presence));
        }
        let Some(snapshot) = &mut self.under_way else { return };
        if snapshot.copy(presence, &compiled.names, PIECE)
            && let Some(snapshot) = self.under_way.take()
        {
            self.due = now.0 + PERIOD;
            reloader.keep(folder.clone(), Kept::Presence(snapshot), now.1);
        }
    }

    /// Writes the table as it stands, and waits for it: the end is near.
    pub(super) fn finish(&mut self, presence: &Presence, compiled: &Compiled, now: Nanos) -> Option<String> {
        let folder = self.folder.as_ref()?;
        let mut snapshot = Snapshot::begin(presence);
        while !snapshot.copy(presence, &compiled.names, usize::MAX) {}
        self.under_way = None;
        let written = folder.write(store::FILE, &snapshot.encode(now));
        // What ends from now on ends because we do.
        self.folder = None;
        written.err().map(|error| format!("a restart will not know who is online: {error}"))
    }
}
