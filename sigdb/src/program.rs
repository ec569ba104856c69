//! A compiled database as data: what the compiler makes, the file carries and the matcher runs.

use serde::{Deserialize, Serialize};

use crate::sighting::Confidence;

/// Octets of a message that can be looked at; what lies behind is skipped unseen.
pub const WINDOW: usize = 4096;

/// Messages that one protocol can name (they are bits of a word in each flow).
pub const MESSAGES: usize = 64;

/// Everything a database says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Program {
    /// Content version, free text such as `2026.11.1`.
    pub version: String,
    /// Date of the content, `YYYY-MM-DD`.
    pub date: String,
    /// Goes up with every change of the content: a lower one is older.
    pub serial: u64,
    /// Applications; the id is the place plus one.
    pub applications: Vec<Application>,
    /// Protocols of all applications.
    pub protocols: Vec<Protocol>,
}

/// An application.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Application {
    /// The name in rules and records: lower case.
    pub name: String,
    /// The name in its maker's spelling.
    pub title: String,
}

/// One way in which an application talks, over one transport.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Protocol {
    /// Place in [`Program::applications`].
    pub application: u16,
    /// Name within the application, such as `oicq/udp`.
    pub name: String,
    /// What carries it.
    pub transport: Transport,
    /// Where servers listen: tells client from server in a flow met in its middle. Never decides alone.
    pub server_ports: Vec<u16>,
    /// How messages are told apart.
    pub framing: Framing,
    /// Whether the connection is the session: its end, plus `grace`, is a logout.
    pub session: bool,
    /// Seconds of silence after which a user of it counts as gone.
    pub limit: u32,
    /// Seconds after the end of the last connection in which a new one continues the session.
    pub grace: u32,
    /// Named places behind fields of variable length.
    pub anchors: Vec<Anchor>,
    /// What identifies it; any one is enough.
    pub clues: Vec<Clue>,
    /// What its messages mean, first match first.
    pub messages: Vec<Message>,
}

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// How messages are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Framing {
    /// One datagram, one message.
    Datagram,
    /// The first octets of each direction are the only message.
    Stream,
    /// A length at a fixed place.
    Length {
        /// Offset of the length.
        at: u16,
        /// Its octets: 1, 2 or 4.
        size: u8,
        /// Least significant octet first.
        little: bool,
        /// What to add to it for the whole message's length, header included.
        add: i32,
        /// Octets in front that the tests do not count.
        strip: u16,
        /// Least and most of the sum; anything else is no frame.
        range: (u32, u32),
    },
    /// HTTP/1 (RFC 9112): head, and as much of the body as is looked at.
    Http,
    /// TLS: the ClientHello (RFC 8446, 4.1.2).
    Tls,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sender {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Either.
    Either,
}

/// What identifies a protocol: all tests hold for a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clue {
    /// Whose message.
    pub from: Sender,
    /// How much it rests on.
    pub confidence: Certainty,
    /// All of them.
    pub tests: Vec<Test>,
}

/// [`Confidence`] as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// [`Confidence::Certain`].
    Certain,
    /// [`Confidence::Likely`].
    Likely,
}

impl From<Certainty> for Confidence {
    fn from(certainty: Certainty) -> Self {
        match certainty {
            Certainty::Certain => Self::Certain,
            Certainty::Likely => Self::Likely,
        }
    }
}

/// A kind of message and what it means.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Its name, for people.
    pub name: String,
    /// Whose message.
    pub from: Sender,
    /// All of them hold.
    pub tests: Vec<Test>,
    /// Bits of the messages, one of which it answers: it counts only after one of them.
    pub answers: u64,
    /// Where the account is.
    pub account: Option<Field>,
    /// Whether it counts without its account.
    pub account_optional: bool,
    /// Whether it is about the account that its flow showed last; then it shows none itself.
    pub account_of_flow: bool,
    /// What it means.
    pub means: Meaning,
    /// What it means in a flow whose start was seen, where that differs.
    pub from_start: Option<Meaning>,
}

/// What a message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// Nothing by itself; others may answer it.
    Nothing,
    /// [`crate::Sighting::Attempt`]
    Attempt,
    /// [`crate::Sighting::Login`]
    Login,
    /// [`crate::Sighting::Failure`]
    Failure,
    /// [`crate::Sighting::Online`]; after an attempt, from the server, a login.
    Online,
    /// [`crate::Sighting::KeepAlive`]
    Keepalive,
    /// [`crate::Sighting::Logout`]
    Logout,
    /// [`crate::Sighting::Identity`]
    Identity,
    /// [`crate::Sighting::Mention`]
    Mention,
    /// [`crate::Sighting::Opened`]; in a flow met in its middle, online.
    Opened,
}

/// A place in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// From where.
    pub base: Base,
    /// How far.
    pub offset: i32,
}

/// From where a place counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// The message's first octet.
    Start,
    /// Behind its last.
    End,
    /// HTTP: the first octet of the body.
    Body,
    /// Behind a field of variable length.
    Anchor(u8),
}

/// A field of variable length; the anchor is the place behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Anchor {
    /// Its name.
    pub name: String,
    /// Where its length is.
    pub at: Position,
    /// Octets of the length.
    pub prefix: u8,
    /// Whether the length counts itself.
    pub inclusive: bool,
}

/// Inclusive ranges of numbers.
pub type Ranges = Vec<(u64, u64)>;

/// A condition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Test {
    /// Octets, under a mask of the same length.
    Octets(Position, Vec<u8>, Vec<u8>),
    /// A number of so many octets.
    Number {
        /// Where.
        at: Position,
        /// 1, 2 or 4.
        size: u8,
        /// Least significant octet first.
        little: bool,
        /// One of these.
        ranges: Ranges,
    },
    /// A number that, plus `add`, is the message's length.
    Length {
        /// Where.
        at: Position,
        /// 1, 2 or 4.
        size: u8,
        /// Least significant octet first.
        little: bool,
        /// Added before the comparison.
        add: i32,
    },
    /// A base-128 number as protocol buffers have it.
    Varint(Position, Ranges),
    /// A field that can be read.
    Field(Field),
    /// Octets anywhere within so many from the start.
    Contains(Vec<u8>, u16),
    /// The message's length.
    Size(Ranges),
    /// The server's port.
    Port(Vec<u16>),
    /// HTTP request: method.
    Method(Vec<String>),
    /// HTTP request: the target begins so.
    Path(Vec<String>),
    /// HTTP request: host; `*.name` means every name below it.
    Host(Vec<String>),
    /// HTTP: a field (lower case) whose value contains this text, whatever its case.
    Header(String, String),
    /// HTTP: Content-Length.
    ContentLength(Ranges),
    /// HTTP response: status.
    Status(Ranges),
    /// TLS: the server name; patterns as for `Host`.
    ServerName(Vec<String>),
}

/// Text to be read from a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Field {
    /// Where it begins.
    pub place: Place,
    /// Octets of a length in front of it; 0 where there is none.
    pub prefix: u8,
    /// Whether that length counts itself.
    pub inclusive: bool,
    /// How it is written.
    pub form: Form,
    /// For numbers: least and most.
    pub range: (u64, u64),
}

/// Where a field begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Place {
    /// There.
    At(Position),
    /// Behind these octets, within the window.
    After(Vec<u8>),
    /// HTTP request: this parameter of the query.
    Query(String),
}

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Four octets, most significant first.
    U32,
    /// Four octets, least significant first.
    U32Little,
    /// Decimal digits.
    Digits,
    /// Printable ASCII.
    Ascii,
    /// A base-128 number.
    Varint,
}
