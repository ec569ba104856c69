//! The management socket: how `ostiary show` sees into the running process.
//!
//! A Unix stream socket, mode 0660, or 0666 where roles say who may what. A request is one line of JSON, at most 4 KiB (of who
//! may edit the configuration, 4 MiB): `{"show":"sessions","limit":1000}` (see [`protocol::Request`]). The answer is lines of JSON: one a row, then `{"end":{"rows":3,"more":false}}`, or
//! `{"error":"…"}` in place of it (see [`protocol::Answer`]). `{"do":"reload"}` takes the policy
//! file up again (see [`protocol::Action`]); the configuration has requests of its own (see [`configure`]). A client may send further requests on the same connection;
//! they are answered in order. `{"do":"session"}` makes the connection a [session](SessionOpened), `{"do":"subscribe"}` has
//! records sent as they are made, each as `{"event":{…}}`.
//!
//! The server never makes the control core wait: sockets are non-blocking, each turn does a bounded piece of work, a client
//! that does not read is cut off, and there are only so many clients at once.

mod answer;
mod client;
pub mod configure;
mod connection;
pub mod dashboard;
mod denials;
mod http;
pub mod metrics;
mod peer;
mod pipe;
pub mod protocol;
mod role;
mod server;
mod session;
mod subscription;
mod view;

#[cfg(test)]
mod tests;

pub use client::{Answers, ClientError, request};
pub use peer::{Asker, Peer};
pub use role::{Right, Role};
pub use server::{BindError, CLIENTS, Manager, Source};
pub use session::{NetconfSessionRow, SessionOpened};
pub use subscription::Wanted;
pub use view::{
    AccessBufferRow, AccessConfigRow, AccessHostCountsRow, AccessHostRow, AccessSourceRow, AccessStatisticsRow,
    AccessTableRow, ApplicationRow, CoreRow, HostClassRow, HostRow, ImRow, ImTable, InterfaceRow, LogBufferRow,
    LogHostRow, LogStatisticsRow, LogWaitingRow, NatRow, NeighbourRow, PolicyRow, PoolRow, PortRow, ReceiverRow,
    RecordRow, ReloadRow, ResetRow, RouteRow, SessionRow, SigdbRow, Statistics, UserFilter, UserPage, UserRow,
    WaitingRow, WorkerRow,
};
pub(crate) use view::{protocol_text, time_text};
