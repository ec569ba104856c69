//! Presence of instant-messaging users.
//!
//! The key is application, account and client address, not the flow: one user has many flows. A login is reported when the
//! other side has confirmed it, a user met in the middle of a session is reported as seen; both once. A logout is the
//! protocol's message, the end of the last connection that carried the session plus a grace time, silence beyond the
//! protocol's limit, or another account in the same session. Limits and grace are the signatures' to say.
//!
//! Some protocols show the account beside the session only (WeChat's newgetdns): what such a session shows is joined to the
//! account last named at its address, and waits [`super::life::PATIENCE`] for one to be named.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use dataplane::endpoint::Address;
use dataplane::event::SignOnEvent;
use dataplane::time::Nanos;
use hashbrown::HashMap;
use sigdb::{AccountText, AppId, Database, Generation};

use super::life::{MEMORY, deadline, expire, leave, resolve};
use super::moves::Homes;
use super::place::{Identity, Phase, Place};
use super::visit::Visit;
use crate::config::ImLogging;
use crate::record::account::{Accounts, Kept};
use crate::record::{ImAction, ImReason};

/// What became true.
#[derive(Clone, Debug)]
pub struct Transition {
    /// When it became true; for a logout by the end of a connection or by silence that lies back when it is reported.
    pub time: Nanos,
    /// What the user did.
    pub action: ImAction,
    /// On what ground.
    pub reason: ImReason,
    /// The account; empty where none is visible.
    pub account: AccountText,
    /// In what form the account was kept over a restart, where it was not seen again since.
    pub kept: Option<Kept>,
    /// How long the user was online, for a logout whose login was seen.
    pub online: Option<Duration>,
    /// The flow that showed it, its rule, and whether that rule logs.
    pub context: SignOnEvent,
}

/// A user as `show im` has it.
#[derive(Clone, Copy, Debug)]
pub struct UserView {
    /// Whose user.
    pub application: AppId,
    /// Empty where none is visible.
    pub account: AccountText,
    /// In what form the account was kept over a restart, where it was not seen again since.
    pub kept: Option<Kept>,
    /// Since when online, as far as was seen.
    pub since: Nanos,
    /// Whether the login was seen.
    pub login: bool,
    /// Connections that carry the session.
    pub connections: usize,
    /// The flow that showed the user last.
    pub context: SignOnEvent,
}

/// Who is online at a place.
fn views(key: &Key, place: &Place) -> impl Iterator<Item = UserView> {
    let application = key.application;
    place.users.iter().filter_map(move |user| match user.phase {
        Phase::Online { since, login } => Some(UserView {
            application,
            account: user.account,
            kept: user.kept,
            since,
            login,
            connections: user.connections.len(),
            context: user.context,
        }),
        _ => None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) application: AppId,
    pub(super) client: Address,
    pub(super) vlans: (u16, u16),
}

/// The table of who is online.
#[derive(Debug)]
pub struct Presence {
    /// Those that flows may still be read by, the newest last.
    databases: Vec<Arc<Database>>,
    accounts: Accounts,
    pub(super) places: HashMap<Key, Place, foldhash::fast::RandomState>,
    deadlines: BinaryHeap<Reverse<(Nanos, Key)>>,
    homes: Homes,
    users: usize,
    most: usize,
    per_address: usize,
    refused: u64,
    changes: u64,
}

impl Presence {
    /// A table of `most` users at most; one more is counted as refused, and not followed.
    pub fn new(database: Arc<Database>, most: usize, im: &ImLogging) -> Self {
        Self {
            databases: vec![database],
            accounts: im.accounts.clone(),
            places: HashMap::default(),
            deadlines: BinaryHeap::new(),
            homes: Homes::default(),
            users: 0,
            most,
            per_address: im.users_per_address,
            refused: 0,
            changes: 0,
        }
    }

    /// Goes on under another configuration. Flows that began on the databases before are still read by them.
    pub fn reconfigure(&mut self, database: &Arc<Database>, im: &ImLogging) {
        self.accounts = im.accounts.clone();
        self.per_address = im.users_per_address;
        if !self.databases.iter().any(|known| known.generation() == database.generation()) {
            self.databases.push(Arc::clone(database));
        }
    }

    /// Forgets a database by which no flow is read any more.
    pub fn retire(&mut self, generation: Generation) {
        if self.databases.len() > 1 {
            self.databases.retain(|database| database.generation() != generation);
        }
    }

    /// Takes a sighting.
    pub fn observe(&mut self, event: &SignOnEvent) -> Vec<Transition> {
        let key = Key {
            application: event.sign_on.application,
            client: event.tuple.client.address,
            vlans: (event.tuple.svlan, event.tuple.cvlan),
        };
        let generation = event.sign_on.database;
        let database = self.databases.iter().find(|database| database.generation() == generation);
        // One that is retired was the last reader of no flow: its events came before.
        let Some(database) = database.or(self.databases.last()).cloned() else { return Vec::new() };
        let mut place = self.places.remove(&key).unwrap_or_default();
        let before = place.users.len();
        let mut visit = Visit {
            database: &database,
            policy: self.accounts.of(database.name(key.application)),
            now: event.header.time,
            event,
            room: self.most.saturating_sub(self.users),
            per_address: self.per_address,
            refused: 0,
            out: Vec::new(),
        };
        visit.sighting(&mut place);
        let Visit { mut out, refused, .. } = visit;
        self.refused += refused;
        self.changes += 1;
        self.settle(key, place, before);
        self.move_house(key, event.header.time, &mut out, 0);
        out
    }

    /// Lets time pass: grace times, limits of silence, reports that waited.
    pub fn advance(&mut self, now: Nanos) -> Vec<Transition> {
        let mut out = Vec::new();
        while let Some(&Reverse((at, key))) = self.deadlines.peek() {
            if at > now {
                break;
            }
            self.deadlines.pop();
            let Some(mut place) = self.places.remove(&key) else { continue };
            if place.queued != Some(at) {
                self.places.insert(key, place);
                continue; // it stands elsewhere in the queue
            }
            place.queued = None;
            let (before, told) = (place.users.len(), out.len());
            expire(&mut place, now, &mut out);
            self.changes += 1;
            self.settle(key, place, before);
            self.move_house(key, now, &mut out, told);
        }
        out
    }

    /// Who came online here, by the reports from `first` on, and is online elsewhere where nothing is heard of them any
    /// more, has moved: the logout there goes before the arrival here.
    fn move_house(&mut self, key: Key, now: Nanos, out: &mut Vec<Transition>, first: usize) {
        let mut moved = Vec::new();
        for report in out.iter().skip(first) {
            if report.account.is_empty() || report.kept.is_some() {
                continue;
            }
            match report.action {
                ImAction::Logout => self.homes.left(key, &report.account),
                ImAction::Login | ImAction::Seen if report.reason != ImReason::Mention => {
                    for home in self.homes.others(key, &report.account) {
                        let Some(place) = self.places.get_mut(&home) else { continue };
                        let Some(user) = place.user(&report.account) else { continue };
                        if let Some(since) = user.gone_quiet(now) {
                            leave(user, since, ImReason::Moved, &mut moved);
                            self.homes.left(home, &report.account);
                            self.queue(home);
                        }
                    }
                    self.homes.entered(key, &report.account);
                }
                _ => {}
            }
        }
        out.splice(first..first, moved);
    }

    /// The end of a capture: what waited is reported as it stands. Who is online stays so.
    pub fn finish(&mut self) -> Vec<Transition> {
        let mut out = Vec::new();
        for place in self.places.values_mut() {
            for user in &mut place.users {
                resolve(user, &mut out);
            }
        }
        out.sort_by_key(|transition| transition.time);
        out
    }

    /// When [`Presence::advance`] has something to do next.
    pub fn next_deadline(&self) -> Option<Nanos> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    /// Who is online.
    pub fn online(&self) -> impl Iterator<Item = UserView> + '_ {
        self.places.iter().flat_map(|(key, place)| views(key, place))
    }

    /// Who is online at `most` places behind the first `from`. Places come and go between two looks: one may be missed, or
    /// be seen twice.
    pub fn page(&self, from: usize, most: usize) -> impl Iterator<Item = UserView> + '_ {
        self.places.iter().skip(from).take(most).flat_map(|(key, place)| views(key, place))
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.places.len()
    }

    /// Users that are followed, and sightings refused because the table was full.
    pub fn size(&self) -> (usize, u64) {
        (self.users, self.refused)
    }

    /// How often anything changed: what was kept is stale once this is another number.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes up users who were kept over a restart.
    pub(super) fn restore(&mut self, key: Key, place: Place) {
        for user in place.users.iter().filter(|user| user.kept.is_none() && !user.account.is_empty()) {
            self.homes.entered(key, &user.account);
        }
        self.settle(key, place, 0);
    }

    /// Whether there is room for more users.
    pub(super) fn has_room(&self) -> bool {
        self.users < self.most
    }

    /// What becomes of an application's accounts.
    pub(super) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Puts a place back, and in the queue for what is due there next. `before`: how many users it had.
    fn settle(&mut self, key: Key, place: Place, before: usize) {
        self.users = self.users + place.users.len() - before;
        let worth_it = place.identity != Identity::Unknown && self.places.len() < self.most;
        if place.users.is_empty() && !worth_it {
            return;
        }
        self.places.insert(key, place);
        self.queue(key);
    }

    /// Sees to it that a place is looked at when something is due there.
    fn queue(&mut self, key: Key) {
        let Some(place) = self.places.get_mut(&key) else { return };
        // With nobody here, what was said of the place still holds for a while.
        let due = place.users.iter().map(deadline).min().unwrap_or(place.named + MEMORY);
        if place.queued.is_none_or(|queued| due < queued) {
            place.queued = Some(due);
            self.deadlines.push(Reverse((due, key)));
        }
    }
}

#[cfg(test)]
#[path = "im_tests.rs"]
mod tests;
