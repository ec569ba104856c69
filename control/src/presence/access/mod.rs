//! Users of the access network: who holds which address, since when, and until when.

mod clock;
mod departed;
mod entry;
mod forged;
mod former;
mod full;
mod index;
pub mod labels;
mod life;
mod memory;
mod person;
mod queue;
mod recent;
mod sources;
pub mod store;
mod sweep;
mod table;
mod tagging;
mod tally;
mod user;

use std::sync::Arc;
use std::time::Duration;

use dataplane::time::Nanos;

pub use self::forged::Forgery;
pub use self::person::Person;
pub use self::table::{AccessLimits, AccessTable, Holder};
pub use self::tally::{AccessTally, SourceTally};
pub use self::user::AccessUser;

/// What an access user did, as the table concludes.
#[derive(Clone, Debug)]
pub struct AccessTransition {
    /// When it happened.
    pub time: Nanos,
    /// What.
    pub action: AccessAction,
    /// On what ground.
    pub reason: AccessReason,
    /// Who.
    pub user: Arc<AccessUser>,
    /// Of a logout whose login was seen: how long the user was signed on.
    pub online: Option<Duration>,
}

/// What an access user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessAction {
    /// Signed on, with an address.
    Login,
    /// Signed off.
    Logout,
    /// Is signed on; the login was not seen.
    Seen,
    /// Was let in or refused. Of class `call-status`, the others of class `access`.
    Result {
        /// Whether the user was let in.
        success: bool,
    },
}

/// On what ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessReason {
    /// The protocol's own message (accounting begins or ends, the network phase opened).
    Message,
    /// An address was leased.
    Lease,
    /// A lease was renewed whose beginning was not seen.
    Renewal,
    /// An interim message of a sign-on whose beginning was not seen.
    MidSession,
    /// The server let the user in.
    Accepted,
    /// The server refused.
    Rejected,
    /// The server did not answer.
    AuthTimeout,
    /// The DHCP server refused the address.
    Nak,
    /// The concentrator had no session to give.
    ServiceError,
    /// Another failure of authentication.
    Failure,
    /// The user ended it.
    UserRequest,
    /// The carrier was lost.
    LostCarrier,
    /// The user was idle for too long.
    IdleTimeout,
    /// The session's time was over.
    SessionTimeout,
    /// An administrator ended it.
    AdminReset,
    /// The session was ended by either side of it; the message does not say why.
    Terminated,
    /// The lease was given back.
    Release,
    /// The address was found in use by another.
    Decline,
    /// The lease ended and was not renewed.
    Expired,
    /// Nothing was heard for as long as the source's limit is.
    Silence,
    /// Another user, or another sign-on, has the address.
    Replaced,
    /// The same host has another address.
    Moved,
    /// The access server begins anew.
    NasReboot,
    /// The supplicant logged off.
    Logoff,
    /// The table was full.
    Evicted,
    /// A cause of RADIUS (Acct-Terminate-Cause) without a name here.
    Other(u16),
}

impl AccessAction {
    /// In the words of the records.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Seen => "seen",
            Self::Result { .. } => "result",
        }
    }

    /// The verdict, in the words of the records.
    pub const fn result_text(self) -> Option<&'static str> {
        match self {
            Self::Result { success: true } => Some("ok"),
            Self::Result { success: false } => Some("fail"),
            Self::Login | Self::Logout | Self::Seen => None,
        }
    }
}

impl AccessReason {
    /// In the words of the records; of a cause without a name its number stands apart.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Lease => "lease",
            Self::Renewal => "renewal",
            Self::MidSession => "mid-session",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::AuthTimeout => "timeout",
            Self::Nak => "nak",
            Self::ServiceError => "service-error",
            Self::Failure => "failure",
            Self::UserRequest => "user-request",
            Self::LostCarrier => "lost-carrier",
            Self::IdleTimeout => "idle-timeout",
            Self::SessionTimeout => "session-timeout",
            Self::AdminReset => "admin-reset",
            Self::Terminated => "terminated",
            Self::Release => "release",
            Self::Decline => "decline",
            Self::Expired => "expired",
            Self::Silence => "silence",
            Self::Replaced => "replaced",
            Self::Moved => "moved",
            Self::NasReboot => "nas-reboot",
            Self::Logoff => "logoff",
            Self::Evicted => "evicted",
            Self::Other(_) => "other",
        }
    }
}

#[cfg(test)]
mod tests;
