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
use sigdb::{AccountText, AppId, Database};

use super::life::{MEMORY, deadline, expire, resolve};
use super::place::{Identity, Phase, Place};
use super::visit::Visit;
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
    /// Since when online, as far as was seen.
    pub since: Nanos,
    /// Whether the login was seen.
    pub login: bool,
    /// Connections that carry the session.
    pub connections: usize,
    /// The flow that showed the user last.
    pub context: SignOnEvent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    application: AppId,
    client: Address,
    vlans: (u16, u16),
}

/// The table of who is online.
#[derive(Debug)]
pub struct Presence {
    database: Arc<Database>,
    places: HashMap<Key, Place, foldhash::fast::RandomState>,
    deadlines: BinaryHeap<Reverse<(Nanos, Key)>>,
    users: usize,
    most: usize,
    refused: u64,
}

impl Presence {
    /// A table of `most` users at most; one more is counted as refused, and not followed.
    pub fn new(database: Arc<Database>, most: usize) -> Self {
        Self { database, places: HashMap::default(), deadlines: BinaryHeap::new(), users: 0, most, refused: 0 }
    }

    /// Takes a sighting.
    pub fn observe(&mut self, event: &SignOnEvent) -> Vec<Transition> {
        let key = Key {
            application: event.sign_on.application,
            client: event.tuple.client.address,
            vlans: (event.tuple.svlan, event.tuple.cvlan),
        };
        let mut place = self.places.remove(&key).unwrap_or_default();
        let before = place.users.len();
        let mut visit = Visit {
            database: &self.database,
            now: event.header.time,
            event,
            room: self.most.saturating_sub(self.users),
            refused: 0,
            out: Vec::new(),
        };
        visit.sighting(&mut place);
        let Visit { out, refused, .. } = visit;
        self.refused += refused;
        self.settle(key, place, before);
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
            let before = place.users.len();
            expire(&mut place, now, &mut out);
            self.settle(key, place, before);
        }
        out
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
        self.places.iter().flat_map(|(key, place)| {
            place.users.iter().filter_map(|user| match user.phase {
                Phase::Online { since, login } => Some(UserView {
                    application: key.application,
                    account: user.account,
                    since,
                    login,
                    connections: user.connections.len(),
                    context: user.context,
                }),
                _ => None,
            })
        })
    }

    /// Users that are followed, and sightings refused because the table was full.
    pub fn size(&self) -> (usize, u64) {
        (self.users, self.refused)
    }

    /// Puts a place back, and in the queue for what is due there next. `before`: how many users it had.
    fn settle(&mut self, key: Key, mut place: Place, before: usize) {
        self.users = self.users + place.users.len() - before;
        let due = match place.users.iter().map(deadline).min() {
            Some(due) => due,
            // Nobody here; what was said of the place still holds for a while, as far as there is room.
            None if place.identity != Identity::Unknown && self.places.len() < self.most => place.named + MEMORY,
            None => return,
        };
        if place.queued.is_none_or(|queued| due < queued) {
            place.queued = Some(due);
            self.deadlines.push(Reverse((due, key)));
        }
        self.places.insert(key, place);
    }
}

#[cfg(test)]
#[path = "im_tests.rs"]
mod tests;
