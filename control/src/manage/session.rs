//! Connections that are sessions: they have a number, may hold a lock, and may be killed.

use std::net::SocketAddr;

use dataplane::time::Nanos;
use serde::{Deserialize, Serialize};

use super::peer::Asker;
use super::view::time_text;

/// The sessions that are open.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// The number of the last one.
    last: u32,
    open: Vec<Session>,
    /// Those that are to end, and which session, or 0, has them ended.
    killed: Vec<(u32, u32)>,
}

/// One of them.
#[derive(Clone, Debug)]
struct Session {
    id: u32,
    asker: Asker,
    claims: Option<SocketAddr>,
    since: Nanos,
}

/// What a session is told when it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SessionOpened {
    /// Its number, from 1.
    pub id: u32,
    /// Its user's role.
    pub role: String,
    /// The user, where this machine knows the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Requests that it may make: `show counters`, `do commit`.
    pub capabilities: Vec<String>,
}

/// A session, as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NetconfSessionRow {
    /// Its number.
    pub id: u32,
    /// By which way: `netconf` or `cli`.
    pub via: String,
    /// The user, where this machine knows the name.
    pub user: Option<String>,
    /// Its number.
    pub uid: u32,
    /// What the user may.
    pub role: String,
    /// The process.
    pub pid: i32,
    /// From where, as sshd says.
    pub origin: Option<String>,
    /// From where, as the client says where sshd says nothing, or another place.
    pub claims: Option<String>,
    /// Since when.
    pub since: String,
}

/// Why a session cannot be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotKilled {
    /// It is the one that asks (RFC 6241, 7.9).
    Own,
    /// There is none of that number.
    Unknown,
}

impl Sessions {
    /// Begins one; its number.
    pub(super) fn open(&mut self, asker: Asker, claims: Option<SocketAddr>, since: Nanos) -> u32 {
        self.last = self.last.checked_add(1).unwrap_or(1);
        while self.open.iter().any(|session| session.id == self.last) {
            self.last = self.last.checked_add(1).unwrap_or(1);
        }
        self.open.push(Session { id: self.last, asker: Asker { session: Some(self.last), ..asker }, claims, since });
        self.last
    }

    /// Ends one.
    pub(super) fn close(&mut self, id: u32) {
        self.open.retain(|session| session.id != id);
    }

    /// Has another one ended.
    pub(super) fn kill(&mut self, id: u32, by: Option<u32>) -> Result<(), NotKilled> {
        if by == Some(id) {
            return Err(NotKilled::Own);
        }
        if !self.open.iter().any(|session| session.id == id) {
            return Err(NotKilled::Unknown);
        }
        self.killed.push((id, by.unwrap_or(0)));
        Ok(())
    }

    /// Those that are to be ended now, each with who has that done.
    pub(super) fn take_killed(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.killed)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// All.
    pub(super) fn rows(&self) -> impl Iterator<Item = NetconfSessionRow> {
        self.open.iter().map(|session| {
            let Asker { peer, role, via, origin, .. } = &session.asker;
            NetconfSessionRow {
                id: session.id,
                via: via.text().to_owned(),
                user: peer.user.as_deref().map(str::to_owned),
                uid: peer.uid,
                role: role.text().to_owned(),
                pid: peer.pid,
                origin: origin.map(|origin| origin.to_string()),
                claims: session.claims.map(|claims| claims.to_string()),
                since: time_text(session.since),
            }
        })
    }
}
