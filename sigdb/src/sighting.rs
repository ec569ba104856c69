//! What a signature can say about a flow: which application it is, and what its users do.

use arrayvec::ArrayString;

/// An application's number; 0 where none is known. It is the same in every database that one process adopted by its
/// [`crate::Registry`], and another in the next process: records and files carry names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(pub u16);

impl AppId {
    /// Not (or not yet) identified.
    pub const UNKNOWN: Self = Self(0);

    /// Whether an application is named.
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }
}

/// How much an identification rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confidence {
    /// Bytes that no other application sends.
    Certain,
    /// Bytes that others could send, on a port or in a shape that makes it likely.
    Likely,
}

/// An account as text: digits of a QQ number, a JID, a telephone number … at most 128 octets, always valid UTF-8.
pub type AccountText = ArrayString<128>;

/// What one flow showed of a user. Workers report it as seen, repeats included; presence in control makes one login, one
/// logout or one sighting of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sighting {
    /// The client asked to log in; no verdict yet.
    Attempt,
    /// The other side confirmed that the account came online.
    Login,
    /// The other side refused.
    Failure,
    /// Traffic that only a signed-in client exchanges, its login not seen in this flow.
    Online,
    /// The session still lives.
    KeepAlive,
    /// The client, or the server, ended the session in so many words.
    Logout,
    /// Names who is signed in at this host, without being part of the session itself.
    Identity,
    /// Names an account, but proves no session: a report, a file transfer.
    Mention,
    /// A connection that carries a session opened and was answered; with the account where the connection shows it.
    Opened,
    /// That connection ended.
    Closed,
}

/// A sighting with what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignOn {
    /// Whose user.
    pub application: AppId,
    /// Which of the application's protocols showed it, as an index into the database's list; presence takes the limits of
    /// silence from there.
    pub protocol: u16,
    /// The database that this list is of.
    pub database: Generation,
    /// How much it rests on.
    pub confidence: Confidence,
    /// What was seen.
    pub sighting: Sighting,
    /// The account; empty where none is visible.
    pub account: AccountText,
}

/// Which of the databases that were loaded since the start; the first is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u16);

/// An address that a server of names gave for one of an application's names, in answer to a question of the same flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Whose name.
    pub application: AppId,
    /// The address; IPv4 as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// How long it holds.
    pub seconds: u32,
}
