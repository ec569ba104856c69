//! What control asks of a worker, by its mailbox.

use std::sync::Arc;

use crossbeam::channel::Sender;

use crate::access::{AccessSettings, Leavers};
use crate::blocked::BlockedSources;
use crate::endpoint::Tuple;
use crate::event::{SessionId, Volume};
use crate::nat::Translation;
use crate::pipeline::{Example, Trace};
use crate::policy::{Policy, RuleId};
use crate::route::NeighbourView;
use crate::time::Nanos;
use sigdb::{AppId, Database};

/// A command; taken up between bursts.
#[derive(Debug)]
pub enum Command {
    /// Judge by this policy from now on (a flow at its next packet). What it takes the place of goes back to control to be
    /// dropped.
    Policy {
        /// The new policy.
        policy: Arc<Policy>,
        /// The database that it was compiled against, where that is another: flows that are not yet inspected begin on it,
        /// the others go on with theirs.
        database: Option<Arc<Database>>,
        /// Where what is old is returned: the policy at once, a database when the last flow that reads by it ends (control
        /// keeps the receiver until then). A database of which there is one too many ([`crate::appid::DATABASES`]) comes
        /// back itself, not taken.
        retired: Sender<Retired>,
    },
    /// Look for sign-ons of access users by these settings from now on. What they take the place of goes back to control.
    Access {
        /// The new settings.
        settings: Arc<AccessSettings>,
        /// Where the old ones are returned.
        retired: Sender<Retired>,
    },
    /// Send what the table holds, a bounded piece at each turn; the sender is dropped at the end. Where the channel is
    /// full, the rest waits for the next turn.
    Dump(Sender<SessionView>),
    /// End the sessions of clients that signed off, a bounded piece at each turn. One waits while another is carried out, a
    /// third is not: send the next when the worker has let go of the one before.
    EndSessions(Arc<Leavers>),
    /// Send what the table of neighbours holds, likewise.
    Neighbours(Sender<NeighbourView>),
    /// Say what would become of a frame; nothing changes by it.
    Trace {
        /// The frame.
        example: Arc<Example>,
        /// Where the answer is sent, if there is room.
        to: Sender<Trace>,
    },
    /// Refuse the new flows of these sources from now on, and of no others. What they take the place of goes back to control.
    Block {
        /// The sources.
        sources: Arc<BlockedSources>,
        /// Where the ones before are returned.
        retired: Sender<Retired>,
    },
    /// Refuse all new flows from now on, or do so no more: the audit trail has no room.
    Hold(bool),
    /// End: close all sessions and return.
    Stop,
}

/// What a worker needs no more.
#[derive(Clone, Debug)]
pub enum Retired {
    /// A policy.
    Policy(Arc<Policy>),
    /// Settings of access users.
    Access(Arc<AccessSettings>),
    /// Sources that were refused.
    Blocked(Arc<BlockedSources>),
    /// A database; [`Database::generation`] tells which.
    Database(Arc<Database>),
}

/// A session as `show sessions` has it.
#[derive(Clone, Copy, Debug)]
pub struct SessionView {
    /// Its id.
    pub session: SessionId,
    /// Both ends.
    pub tuple: Tuple,
    /// What the client's end is outside, where source NAT makes it another.
    pub translation: Option<Translation>,
    /// The rule that let it through.
    pub rule: RuleId,
    /// Its application.
    pub application: AppId,
    /// Ingress port of the client's side and of the other.
    pub ports: (u16, u16),
    /// When it was created.
    pub start: Nanos,
    /// When its last packet came.
    pub last: Nanos,
    /// The state in words: `opening`, `established`, `closing`, `one-way`, `both-ways`.
    pub state: &'static str,
    /// Client to server.
    pub to_server: Volume,
    /// Server to client.
    pub to_client: Volume,
}
