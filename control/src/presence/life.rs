//! How a user comes, stays and goes as time passes: what is due when, and what is reported then.

use std::time::Duration;

use dataplane::time::Nanos;

use super::im::Transition;
use super::place::{Identity, Phase, Place, User};
use crate::record::{ImAction, ImReason};

/// How long a report waits for the rest of the story.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long after an attempt traffic of a session means that it succeeded.
pub(super) const ATTEMPT: Duration = Duration::from_secs(120);
/// How long after a logout traffic still under way is not taken for a return.
pub(super) const ECHO: Duration = Duration::from_secs(60);
/// How long one who is gone is remembered, so that a logout sent again is not reported again.
pub(super) const MEMORY: Duration = Duration::from_secs(600);
/// How long one who was only mentioned is remembered, so that each report is not a sighting of its own.
pub(super) const MENTION: Duration = Duration::from_secs(86_400);

/// How the arrival of a user is told; `opened`: the opening of a connection is all that shows it.
pub(super) fn arrival(login: bool, opened: bool) -> (ImAction, ImReason) {
    match (login, opened) {
        (true, true) => (ImAction::Login, ImReason::ConnectionOpened),
        (true, false) => (ImAction::Login, ImReason::Message),
        (false, _) => (ImAction::Seen, ImReason::MidSession),
    }
}

/// Reports what waited.
pub(super) fn resolve(user: &mut User, out: &mut Vec<Transition>) {
    let Phase::Pending { since, login } = user.phase else { return };
    user.phase = Phase::Online { since, login };
    let (action, reason) = arrival(login, user.opened);
    let (account, kept, context) = (user.account, user.kept, user.context);
    out.push(Transition { time: since, action, reason, account, kept, online: None, context });
}

pub(super) fn leave(user: &mut User, time: Nanos, reason: ImReason, out: &mut Vec<Transition>) {
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
        kept: user.kept,
        online,
        context: user.context,
    });
}

/// When something is due for a user.
pub(super) fn deadline(user: &User) -> Nanos {
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

pub(super) fn expire(place: &mut Place, now: Nanos, out: &mut Vec<Transition>) {
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
