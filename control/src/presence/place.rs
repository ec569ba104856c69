//! What is known of the users of one application at one address.

use std::time::Duration;

use arrayvec::ArrayVec;
use dataplane::event::{SessionId, SignOnEvent};
use dataplane::time::Nanos;
use sigdb::AccountText;

use crate::record::account::Kept;

/// Connections that carry one user's session, at most; of more the oldest is no longer waited for.
pub(super) const CONNECTIONS: usize = 16;

/// Users of one application at one address.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Who was last named as signed in here.
    pub(super) identity: Identity,
    /// When.
    pub(super) named: Nanos,
    pub(super) users: Vec<User>,
    /// The time for which the place stands in the queue of deadlines.
    pub(super) queued: Option<Nanos>,
}

/// Who was last named as signed in at a place, for protocols whose sessions show no account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nothing was said.
    #[default]
    Unknown,
    /// The application said that nobody is signed in.
    Nobody,
    /// This account.
    Account(AccountText),
}

/// One user.
#[derive(Clone, Debug)]
pub(super) struct User {
    /// Empty where the account is not visible.
    pub(super) account: AccountText,
    pub(super) phase: Phase,
    /// The end of the silence that is still allowed, over all protocols.
    pub(super) limit: Nanos,
    /// The same over datagram protocols only, which no connection's end can close.
    pub(super) datagrams: Nanos,
    /// Connections that carry the session.
    pub(super) connections: ArrayVec<SessionId, CONNECTIONS>,
    /// When the last of them ended, and until when another may take its place.
    pub(super) closed: Option<(Nanos, Nanos)>,
    /// When anything was seen of the session last.
    pub(super) seen: Nanos,
    /// How long it may be silent, by the protocol that showed it last.
    pub(super) silence: Duration,
    /// Whether the opening of a connection is all that tells of the login.
    pub(super) opened: bool,
    /// How the account was kept over a restart, until it is seen again.
    pub(super) kept: Option<Kept>,
    /// The flow that showed the user last, for records.
    pub(super) context: SignOnEvent,
}

/// Where a user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Asked to log in.
    Trying {
        /// When last.
        since: Nanos,
    },
    /// Shown to be here, but what to report waits a moment for the rest of the story.
    Pending {
        /// Since when.
        since: Nanos,
        /// Whether it will be a login; otherwise a sighting.
        login: bool,
    },
    /// Named without proof of a session.
    Mentioned {
        /// When first.
        since: Nanos,
    },
    /// Online.
    Online {
        /// Since when, as far as was seen.
        since: Nanos,
        /// Whether the login was seen.
        login: bool,
    },
    /// Gone; remembered, so that what is still under way is not taken for a return.
    Gone {
        /// Since when.
        since: Nanos,
    },
}

impl Place {
    pub(super) fn user(&mut self, account: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.account[..] == *account)
    }

    /// The user whose session a connection carries.
    pub(super) fn carried_by(&mut self, session: SessionId) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.connections.contains(&session))
    }
}

impl User {
    pub(super) fn new(account: AccountText, phase: Phase, event: &SignOnEvent) -> Self {
        Self {
            account,
            phase,
            limit: event.header.time,
            datagrams: Nanos(0),
            connections: ArrayVec::new(),
            closed: None,
            seen: event.header.time,
            silence: Duration::ZERO,
            opened: false,
            kept: None,
            context: *event,
        }
    }

    pub(super) fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online { .. })
    }

    /// Whether the user may be dropped to make room for another.
    pub(super) fn gives_way(&self) -> bool {
        matches!(self.phase, Phase::Trying { .. } | Phase::Mentioned { .. } | Phase::Gone { .. })
    }

    /// Since when nothing is heard of a session that could have moved elsewhere: its connections ended, or it is silent for
    /// a quarter of what it may be, which is longer than signed-in clients are between two signs of life.
    pub(super) fn gone_quiet(&self, now: Nanos) -> Option<Nanos> {
        match self.closed {
            _ if !self.is_online() => None,
            Some((ended, _)) if self.datagrams <= now => Some(ended),
            _ => (now.since(self.seen) > self.silence / 4).then_some(now),
        }
    }
}
