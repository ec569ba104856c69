//! What one sighting changes at its place.

use arrayvec::ArrayVec;
use dataplane::event::{SessionId, SignOnEvent};
use dataplane::time::Nanos;
use sigdb::{AccountText, Database, Sighting};

use super::im::Transition;
use super::life::{ATTEMPT, ECHO, arrival, leave, resolve};
use super::place::{CONNECTIONS, Identity, Phase, Place, User};
use crate::record::account::AccountPolicy;
use crate::record::{ImAction, ImReason};

/// One sighting at one place.
pub(super) struct Visit<'a> {
    pub(super) database: &'a Database,
    pub(super) policy: &'a AccountPolicy,
    pub(super) now: Nanos,
    pub(super) event: &'a SignOnEvent,
    pub(super) room: usize,
    pub(super) per_address: usize,
    pub(super) refused: u64,
    pub(super) out: Vec<Transition>,
}

impl Visit<'_> {
    pub(super) fn sighting(&mut self, place: &mut Place) {
        let account = self.event.sign_on.account;
        self.recognise(place, &account);
        match self.event.sign_on.sighting {
            Sighting::Attempt => self.attempt(place, account),
            Sighting::Failure => self.failure(account),
            Sighting::Identity => self.identity(place, account),
            Sighting::Mention => self.mention(place, account),
            Sighting::Logout => self.logout(place, account),
            Sighting::Closed => self.closed(place),
            Sighting::KeepAlive => self.keepalive(place, account),
            Sighting::Login => self.here(place, account, true, false),
            Sighting::Online => self.here(place, account, false, false),
            // A connection of an application in which nobody is signed in is nobody's session.
            Sighting::Opened if account.is_empty() && place.identity == Identity::Nobody => {}
            Sighting::Opened => self.here(place, account, true, true),
        }
    }

    /// Gives a user who was kept over a restart the account that is seen of them now.
    fn recognise(&self, place: &mut Place, account: &AccountText) {
        if account.is_empty() || place.users.iter().any(|user| user.kept.is_none() && user.account == *account) {
            return;
        }
        let known =
            |user: &&mut User| user.kept.is_some_and(|kept| self.policy.recognises(account, &user.account, kept));
        if let Some(user) = place.users.iter_mut().find(known) {
            user.account = *account;
            user.kept = None;
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
            kept: None,
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
    /// `connection`: that one was opened is all that says so.
    fn here(&mut self, place: &mut Place, account: AccountText, login: bool, connection: bool) {
        let account = self.whose(place, account);
        self.replace(place, account);
        if !account.is_empty() {
            place.identity = Identity::Account(account);
            place.named = self.now;
        }
        let (nameless, waited) = self.adopt(place, account);
        // A message says more than a connection, whichever came first.
        let by_connection = if login { connection } else { waited == Some(true) };
        let login = login || waited.is_some();
        let phase = if account.is_empty() {
            Phase::Pending { since: self.now, login }
        } else {
            Phase::Online { since: self.now, login }
        };
        let Some(known) = place.user(&account).map(|user| user.phase) else {
            if let Some(user) = self.enter(place, account, phase) {
                user.connections = nameless;
                user.opened = login && by_connection;
                self.touch(user);
                if user.is_online() {
                    self.arrive(user, login);
                }
            }
            return;
        };
        let Some(user) = place.user(&account) else { return };
        match known {
            Phase::Online { .. } => {}
            _ if login && !by_connection => user.opened = false,
            // A message had said it before.
            Phase::Pending { login: true, .. } => {}
            _ => user.opened = by_connection,
        }
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
    /// was seen to begin: then also, whether by a connection alone.
    fn adopt(&mut self, place: &mut Place, account: AccountText) -> (ArrayVec<SessionId, CONNECTIONS>, Option<bool>) {
        let waits = |user: &User| user.account.is_empty() && matches!(user.phase, Phase::Pending { .. });
        match place.users.iter().position(waits) {
            Some(at) if !account.is_empty() => {
                let user = place.users.swap_remove(at);
                let login = matches!(user.phase, Phase::Pending { login: true, .. });
                (user.connections, login.then_some(user.opened))
            }
            _ => (ArrayVec::new(), None),
        }
    }

    /// Another account in the same session: the one before is gone.
    fn replace(&mut self, place: &mut Place, account: AccountText) {
        let session = self.event.session;
        let several = self.database.carries_several(self.event.sign_on.protocol);
        if several || account.is_empty() || self.event.sign_on.account.is_empty() {
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
        if place.users.len() >= self.per_address || self.room == 0 {
            // Who is no longer here, or never was, gives way to who is.
            let oldest =
                place.users.iter().enumerate().filter(|(_, user)| user.gives_way()).min_by_key(|(_, user)| user.seen);
            let Some((at, _)) = oldest else {
                self.refused += 1;
                return None;
            };
            place.users.swap_remove(at);
        } else {
            self.room -= 1;
        }
        place.users.push(User::new(account, phase, self.event));
        place.users.last_mut()
    }

    /// Notes that the user was just seen.
    fn touch(&self, user: &mut User) {
        let protocol = self.event.sign_on.protocol;
        user.silence = self.database.limit(protocol);
        user.seen = self.now;
        let limit = self.now + user.silence;
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
        let (action, reason) = arrival(login, user.opened);
        self.report(user, self.now, action, reason);
    }

    fn depart(&mut self, user: &mut User, reason: ImReason) {
        if self.event.logged || !user.context.logged {
            user.context = *self.event;
        }
        leave(user, self.now, reason, &mut self.out);
    }

    fn report(&mut self, user: &User, time: Nanos, action: ImAction, reason: ImReason) {
        let (account, kept, context) = (user.account, user.kept, user.context);
        self.out.push(Transition { time, action, reason, account, kept, online: None, context });
    }
}

/// IANA protocol number.
const UDP: u8 = 17;
