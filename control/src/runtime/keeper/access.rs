//! The same for access users, who may be many: a million of them are copied in some seconds.

use std::time::{Duration, Instant};

use dataplane::time::Nanos;

use super::super::reload::{Kept, Reloader};
use crate::config::Compiled;
use crate::presence::access::AccessTable;
use crate::presence::access::store::{self, Snapshot};
use crate::state::StateFolder;

/// How often, where anything changed.
const PERIOD: Duration = Duration::from_secs(10);
/// The same, of many users.
const PERIOD_MANY: Duration = Duration::from_secs(60);
/// More than this are many.
const MANY: usize = 100_000;
/// Users copied in one turn of the loop: some 100 \u{b5}s.
const PIECE: usize = 256;

/// What was kept, and what is under way.
#[derive(Debug)]
pub(in crate::runtime) struct AccessKeeper {
    /// None: nothing is kept.
    folder: Option<StateFolder>,
    under_way: Option<Snapshot>,
    /// The table's changes when it was copied last; none before.
    kept: Option<u64>,
    due: Instant,
}

/// The seed under which the run before numbered sign-ons; none where nothing was kept, or not by us.
pub(in crate::runtime) fn seed(folder: &StateFolder) -> Option<u64> {
    store::seed(&folder.read(store::FILE).ok()??).ok()
}

impl AccessKeeper {
    /// Keeps in this folder, if in any.
    pub(in crate::runtime) fn new(folder: Option<StateFolder>) -> Self {
        Self { folder, under_way: None, kept: None, due: Instant::now() + PERIOD }
    }

    /// Takes over who was signed on when the firewall ran last; what is said of it is for people.
    pub(in crate::runtime) fn take_over(
        &self,
        table: &mut AccessTable,
        compiled: &Compiled,
        now: Nanos,
    ) -> Option<String> {
        let folder = self.folder.as_ref()?;
        let octets = match folder.read(store::FILE) {
            Ok(octets) => octets?,
            Err(error) => return Some(format!("no access user is known to be signed on: {error}")),
        };
        match table.take_over(&octets, &compiled.names, now) {
            Ok(0) => None,
            Ok(count) => Some(format!("{count} access users were signed on when it ran last, and are taken to be")),
            Err(why) => {
                let file = folder.path().join(store::FILE);
                Some(format!("no access user is known to be signed on: {}: {why}", file.display()))
            }
        }
    }

    /// Goes on; call it at every turn.
    pub(in crate::runtime) fn turn(
        &mut self,
        table: &AccessTable,
        compiled: &Compiled,
        now: (Instant, Nanos),
        reloader: &Reloader,
    ) {
        let Some(folder) = &self.folder else { return };
        if self.under_way.is_none() && now.0 >= self.due && self.kept != Some(table.changes()) {
            self.kept = Some(table.changes());
            self.under_way = Some(Snapshot::default());
        }
        let Some(snapshot) = &mut self.under_way else { return };
        if snapshot.copy(table, PIECE)
            && let Some(snapshot) = self.under_way.take()
        {
            self.due = now.0 + if table.len() > MANY { PERIOD_MANY } else { PERIOD };
            reloader.keep(folder.clone(), kept(snapshot, compiled), now.1);
        }
    }

    /// Writes the table as it stands, and waits for it: the end is near.
    pub(in crate::runtime) fn finish(
        &mut self,
        table: &AccessTable,
        compiled: &Compiled,
        now: Nanos,
    ) -> Option<String> {
        let folder = self.folder.take()?;
        let mut snapshot = Snapshot::default();
        while !snapshot.copy(table, usize::MAX) {}
        self.under_way = None;
        let (file, octets) = kept(snapshot, compiled).encode(now);
        let written = folder.write(file, &octets);
        written.err().map(|error| format!("a restart will not know which access users are signed on: {error}"))
    }
}

fn kept(snapshot: Snapshot, compiled: &Compiled) -> Kept {
    let ports = compiled.names.ports.iter().map(ToString::to_string).collect();
    Kept::Access { snapshot, seed: compiled.access.settings.seed, ports }
}
