//! Presence of instant-messaging users.
//!
//! The key is application, account and client address, not the flow: one user has many flows. A login is reported when the
//! other side has confirmed it, a user met in the middle of a session is reported as seen; both once. A logout is the
//! protocol's message, the end of the last connection that carried the session plus a grace time, silence beyond the
//! protocol's limit, or another account in the same session. Limits and grace are the signatures' to say.
//!
//! Some protocols show the account beside the session only (WeChat's newgetdns): what such a session shows is joined to the
//! account last named at its address, and waits [`PATIENCE`] for one to be named.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use dataplane::endpoint::Address;
use dataplane::event::{SessionId, SignOnEvent};
use dataplane::time::Nanos;
use hashbrown::HashMap;
use sigdb::{AccountText, AppId, Database, Sighting};

use super::place::{CONNECTIONS, Identity, Phase, Place, User};
use crate::record::{ImAction, ImReason};

/// How long a report waits for the rest of the story.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after an attempt traffic of a session means that it succeeded.
const ATTEMPT: Duration = Duration::from_secs(120);
/// How long after a logout traffic still under way is not taken for a return.
const ECHO: Duration = Duration::from_secs(60);
/// How long one who is gone is remembered, so that a logout sent again is not reported again.
const MEMORY: Duration = Duration::from_secs(600);
/// How long one who was only mentioned is remembered, so that each report is not a sighting of its own.
const MENTION: Duration = Duration::from_secs(86_400);

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

/// One sighting at one place.
struct Visit<'a> {
    database: &'a Database,
    now: Nanos,
    event: &'a SignOnEvent,
    room: usize,
    refused: u64,
    out: Vec<Transition>,
}

impl Visit<'_> {
    fn sighting(&mut self, place: &mut Place) {
        let account = self.event.sign_on.account;
        match self.event.sign_on.sighting {
            Sighting::Attempt => self.attempt(place, account),
            Sighting::Failure => self.failure(account),
            Sighting::Identity => self.identity(place, account),
            Sighting::Mention => self.mention(place, account),
            Sighting::Logout => self.logout(place, account),
            Sighting::Closed => self.closed(place),
            Sighting::KeepAlive => self.keepalive(place, account),
            Sighting::Login => self.here(place, account, true),
            Sighting::Online => self.here(place, account, false),
            // A connection of an application in which nobody is signed in is nobody's session.
            Sighting::Opened if account.is_empty() && place.identity == Identity::Nobody => {}
            Sighting::Opened => self.here(place, account, true),
        }
    }

    fn attempt(&mut self, place: &mut Place, account: AccountText) {
        if account.is_empty() {
            return;
        }
        let trying = Phase::Trying { since: self.now };
        match place.user(&account) {
            Some(user) if matches!(user.phase, Phase::Trying { .. } | Phase::Gone { .. } | Phase::Mentioned { .. }) => {
                user.phase = trying;
            }
            Some(_) => {}
            None => {
                self.enter(place, account, trying);
            }
        }
    }

    fn failure(&mut self, account: AccountText) {
        self.out.push(Transition {
            time: self.now,
            action: ImAction::Result { success: false },
            reason: ImReason::Refused,
            account,
            online: None,
            context: *self.event,
        });
    }

    /// An account was named as signed in here, or that none is.
    fn identity(&mut self, place: &mut Place, account: AccountText) {
        place.named = self.now;
        if account.is_empty() {
            place.identity = Identity::Nobody;
            // Whoever's last connection ended before this has left; with one still open it may be another device.
            let [user] = &mut place.users[..] else { return };
            if user.is_online() && user.connections.is_empty() {
                self.depart(user, ImReason::Message);
            }
            return;
        }
        place.identity = Identity::Account(account);
        let known = place.user(&account).map(|user| user.phase);
        if let Some(Phase::Online { .. } | Phase::Pending { .. }) = known {
            if let Some(user) = place.user(&account) {
                self.touch(user);
            }
            return;
        }
        // Whose account was not visible until now.
        if known.is_none()
            && let Some(user) = place.user("")
            && matches!(user.phase, Phase::Pending { .. } | Phase::Online { .. })
        {
            user.account = account;
            self.touch(user);
            match user.phase {
                Phase::Pending { .. } => resolve(user, &mut self.out),
                _ => self.report(user, self.now, ImAction::Seen, ImReason::MidSession),
            }
            return;
        }
        let pending = Phase::Pending { since: self.now, login: false };
        if let Some(user) = self.ensure(place, account, pending) {
            user.phase = pending;
            self.touch(user);
        }
    }

    fn mention(&mut self, place: &mut Place, account: AccountText) {
        if account.is_empty() || place.user(&account).is_some() {
            return;
        }
        let mentioned = Phase::Mentioned { since: self.now };
        if let Some(user) = self.enter(place, account, mentioned) {
            let user = user.clone();
            self.report(&user, self.now, ImAction::Seen, ImReason::Mention);
        }
    }

    fn logout(&mut self, place: &mut Place, account: AccountText) {
        let account = self.whose(place, account);
        let gone = Phase::Gone { since: self.now };
        match place.user(&account) {
            Some(user) if matches!(user.phase, Phase::Gone { .. }) => {}
            Some(user) => self.depart(user, ImReason::Message),
            None if account.is_empty() => {}
            None => {
                if let Some(user) = self.enter(place, account, gone) {
                    let user = user.clone();
                    self.report(&user, self.now, ImAction::Logout, ImReason::Message);
                }
            }
        }
    }

    fn closed(&mut self, place: &mut Place) {
        let session = self.event.session;
        let Some(user) = place.carried_by(session) else { return };
        user.connections.retain(|one| *one != session);
        if user.connections.is_empty() {
            user.closed = Some((self.now, self.now + self.database.grace(self.event.sign_on.protocol)));
        }
    }

    /// Says that a session lives, but makes none.
    fn keepalive(&mut self, place: &mut Place, account: AccountText) {
        let session = self.event.session;
        let account = match place.carried_by(session) {
            Some(user) => user.account,
            None => self.whose(place, account),
        };
        if let Some(user) = place.user(&account)
            && matches!(user.phase, Phase::Online { .. } | Phase::Pending { .. })
        {
            self.touch(user);
        }
    }

    /// The account is here: it came online (`login`), or is online and how it came was not seen.
    fn here(&mut self, place: &mut Place, account: AccountText, login: bool) {
        let account = self.whose(place, account);
        self.replace(place, account);
        if !account.is_empty() {
            place.identity = Identity::Account(account);
            place.named = self.now;
        }
        let (nameless, opened) = self.adopt(place, account);
        let login = login || opened;
        let phase = if account.is_empty() {
            Phase::Pending { since: self.now, login }
        } else {
            Phase::Online { since: self.now, login }
        };
        let Some(known) = place.user(&account).map(|user| user.phase) else {
            if let Some(user) = self.enter(place, account, phase) {
                user.connections = nameless;
                self.touch(user);
                if user.is_online() {
                    self.arrive(user, login);
                }
            }
            return;
        };
        let Some(user) = place.user(&account) else { return };
        for session in nameless {
            if !user.connections.is_full() && !user.connections.contains(&session) {
                user.connections.push(session);
            }
        }
        match known {
            Phase::Online { .. } => {}
            Phase::Pending { since, login: already } => {
                user.phase = Phase::Pending { since, login: already || login };
                if login && !account.is_empty() {
                    resolve(user, &mut self.out);
                }
            }
            Phase::Gone { since } if !login && self.now.since(since) < ECHO => return,
            Phase::Mentioned { .. } if !login => user.phase = phase,
            Phase::Trying { since } if !login => {
                let login = self.now.since(since) < ATTEMPT;
                user.phase = Phase::Online { since: self.now, login };
                self.arrive(user, login);
            }
            Phase::Gone { .. } | Phase::Mentioned { .. } | Phase::Trying { .. } => {
                user.phase = phase;
                if user.is_online() {
                    self.arrive(user, login);
                }
            }
        }
        self.touch(user);
    }

    /// A session that shows no account, and waits for one to be named, is this account's: its connections, and whether it
    /// was seen to begin.
    fn adopt(&mut self, place: &mut Place, account: AccountText) -> (ArrayVec<SessionId, CONNECTIONS>, bool) {
        let waits = |user: &User| user.account.is_empty() && matches!(user.phase, Phase::Pending { .. });
        match place.users.iter().position(waits) {
            Some(at) if !account.is_empty() => {
                let user = place.users.swap_remove(at);
                (user.connections, matches!(user.phase, Phase::Pending { login: true, .. }))
            }
            _ => (ArrayVec::new(), false),
        }
    }

    /// Another account in the same session: the one before is gone.
    fn replace(&mut self, place: &mut Place, account: AccountText) {
        let session = self.event.session;
        if account.is_empty() || self.event.sign_on.account.is_empty() {
            return;
        }
        for user in &mut place.users {
            let same = user.context.session == session || user.connections.contains(&session);
            if same && user.is_online() && user.account != account && !user.account.is_empty() {
                self.depart(user, ImReason::Replaced);
            }
        }
    }

    /// The account of a sighting: its own, or the one last named here.
    fn whose(&self, place: &Place, account: AccountText) -> AccountText {
        match place.identity {
            Identity::Account(named) if account.is_empty() => named,
            _ => account,
        }
    }

    fn ensure<'p>(&mut self, place: &'p mut Place, account: AccountText, phase: Phase) -> Option<&'p mut User> {
        match place.users.iter().position(|user| user.account == account) {
            Some(at) => place.users.get_mut(at),
            None => self.enter(place, account, phase),
        }
    }

    fn enter<'p>(&mut self, place: &'p mut Place, account: AccountText, phase: Phase) -> Option<&'p mut User> {
        if self.room == 0 {
            self.refused += 1;
            return None;
        }
        self.room -= 1;
        place.users.push(User::new(account, phase, self.event));
        place.users.last_mut()
    }

    /// Notes that the user was just seen.
    fn touch(&self, user: &mut User) {
        let protocol = self.event.sign_on.protocol;
        let limit = self.now + self.database.limit(protocol);
        user.limit = user.limit.max(limit);
        if self.event.tuple.protocol == UDP {
            user.datagrams = user.datagrams.max(limit);
        }
        if self.database.carries_session(protocol) {
            let session = self.event.session;
            if !user.connections.contains(&session) {
                if user.connections.len() == CONNECTIONS {
                    user.connections.remove(0);
                }
                user.connections.push(session);
            }
            user.closed = None;
        }
        // A flow whose rule logs is the better witness: without one there is no record.
        if self.event.logged || !user.context.logged {
            user.context = *self.event;
        }
    }

    fn arrive(&mut self, user: &mut User, login: bool) {
        user.context = *self.event;
        let (action, reason) = arrival(login);
        self.report(user, self.now, action, reason);
    }

    fn depart(&mut self, user: &mut User, reason: ImReason) {
        if self.event.logged || !user.context.logged {
            user.context = *self.event;
        }
        leave(user, self.now, reason, &mut self.out);
    }

    fn report(&mut self, user: &User, time: Nanos, action: ImAction, reason: ImReason) {
        self.out.push(Transition { time, action, reason, account: user.account, online: None, context: user.context });
    }
}

/// IANA protocol number.
const UDP: u8 = 17;

fn arrival(login: bool) -> (ImAction, ImReason) {
    if login { (ImAction::Login, ImReason::Message) } else { (ImAction::Seen, ImReason::MidSession) }
}

/// Reports what waited.
fn resolve(user: &mut User, out: &mut Vec<Transition>) {
    let Phase::Pending { since, login } = user.phase else { return };
    user.phase = Phase::Online { since, login };
    let (action, reason) = arrival(login);
    out.push(Transition { time: since, action, reason, account: user.account, online: None, context: user.context });
}

fn leave(user: &mut User, time: Nanos, reason: ImReason, out: &mut Vec<Transition>) {
    let online = match user.phase {
        Phase::Online { since, login: true } => Some(time.since(since)),
        _ => None,
    };
    user.phase = Phase::Gone { since: time };
    user.connections.clear();
    user.closed = None;
    user.limit = time;
    user.datagrams = Nanos(0);
    out.push(Transition {
        time,
        action: ImAction::Logout,
        reason,
        account: user.account,
        online,
        context: user.context,
    });
}

/// When something is due for a user.
fn deadline(user: &User) -> Nanos {
    match user.phase {
        Phase::Trying { since } => since + ATTEMPT,
        Phase::Pending { since, .. } => since + PATIENCE,
        Phase::Mentioned { since } => since + MENTION,
        Phase::Gone { since } => since + MEMORY,
        Phase::Online { .. } => match user.closed {
            Some((_, grace)) => grace.min(user.limit),
            None => user.limit,
        },
    }
}

fn expire(place: &mut Place, now: Nanos, out: &mut Vec<Transition>) {
    for user in &mut place.users {
        if matches!(user.phase, Phase::Pending { .. }) && deadline(user) <= now {
            resolve(user, out);
        }
        if !user.is_online() {
            continue;
        }
        if let Some((ended, grace)) = user.closed
            && grace <= now
        {
            if user.datagrams > grace {
                // Alive elsewhere, and from now on by that alone.
                user.closed = None;
                user.limit = user.datagrams;
            } else {
                leave(user, ended, ImReason::ConnectionClosed, out);
                continue;
            }
        }
        if user.limit <= now {
            leave(user, user.limit, ImReason::Timeout, out);
        }
    }
    place.users.retain(|user| match user.phase {
        Phase::Trying { .. } | Phase::Mentioned { .. } | Phase::Gone { .. } => deadline(user) > now,
        Phase::Pending { .. } | Phase::Online { .. } => true,
    });
    if place.named + MEMORY <= now && place.users.is_empty() {
        place.identity = Identity::Unknown;
    }
}

#[cfg(test)]
#[path = "im_tests.rs"]
mod tests;
