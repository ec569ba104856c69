//! A compiled database as data: what the compiler makes, the file carries and the matcher runs.

mod describe;
mod field;
mod framing;
mod pattern;
mod test;

use serde::{Deserialize, Serialize};

pub(crate) use describe::describe;
pub use field::{Encoding, Field, Form, Place};
pub use framing::Framing;
pub(crate) use pattern::Search;
pub use pattern::{PATTERNS, Pattern};
pub use test::{Anchor, Base, DEAREST_ANCHOR, Position, Ranges, Span, Test, Tlv};

use crate::automaton::names::NameList;
use crate::sighting::Confidence;

/// Octets of a message that can be looked at; what lies behind is skipped unseen.
pub const WINDOW: usize = 4096;

/// Messages that one protocol can name (they are bits of a word in each flow).
pub const MESSAGES: usize = 64;

/// Clues of a database that can be evidence for others (bits of a word in each flow, too).
pub const EVIDENCE: u32 = 64;

/// Turns of a flow's two sides that are counted.
pub const TURNS: usize = 4;

/// Everything a database says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Program {
    /// Content version, free text such as `2026.11.1`.
    pub version: String,
    /// Date of the content, `YYYY-MM-DD`.
    pub date: String,
    /// Goes up with every change of the content: a lower one is older.
    pub serial: u64,
    /// Applications, in the order of their numbers.
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
    /// Whether it is what others are carried by, such as HTTP: it names a flow only when nothing else can any more.
    pub base: bool,
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
    /// Whether one flow may carry several users, of whom one's sign-on says nothing of another's.
    pub several_users: bool,
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

/// What identifies a protocol: all tests hold for one message, or several messages of a side fit in their turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clue {
    /// Whose message.
    pub from: Sender,
    /// How much it rests on.
    pub confidence: Certainty,
    /// All of them.
    pub tests: Vec<Test>,
    /// Further messages of the same side, in any order, each with all of its tests.
    pub also: Vec<Vec<Test>>,
    /// What may stand between or before these messages; empty where nothing may.
    pub between: Vec<Test>,
    /// How many messages from the side's first on may be looked at.
    pub messages: u8,
    /// Bits of the clues that the flow must have shown before.
    pub needs: u64,
    /// The bit that it sets when it fits: then it is evidence for others and names nothing itself.
    pub shows: u64,
    /// How many of the flow's datagrams have to fit, from its first on, by this clue or others of the application.
    pub times: u8,
    /// Whether fewer do where they are all that the flow showed when it ended.
    pub ends: bool,
    /// How many datagrams may still tell more before this one names the flow.
    pub yields: u8,
}

impl Program {
    /// Every list of names, wherever a test has it.
    pub(crate) fn name_lists(&mut self) -> impl Iterator<Item = &mut NameList> {
        self.tests().filter_map(Test::names)
    }

    /// Every regular expression.
    pub(crate) fn patterns(&mut self) -> impl Iterator<Item = &mut Pattern> {
        self.tests().filter_map(|test| match test {
            Test::Regex { pattern, .. } => Some(pattern),
            _ => None,
        })
    }

    /// Every test of clues and messages.
    fn tests(&mut self) -> impl Iterator<Item = &mut Test> {
        self.protocols.iter_mut().flat_map(|protocol| {
            let clues = protocol.clues.iter_mut().flat_map(|clue| {
                let also = clue.also.iter_mut().flatten();
                clue.tests.iter_mut().chain(also).chain(&mut clue.between)
            });
            clues.chain(protocol.messages.iter_mut().flat_map(|message| &mut message.tests))
        })
    }
}

impl Clue {
    /// Lists of tests, one of which the side's first message has to fit if the clue is ever to hold.
    pub fn openings(&self) -> impl Iterator<Item = &[Test]> {
        let between = (self.messages > 1 && !self.between.is_empty()).then_some(&self.between);
        std::iter::once(&self.tests).chain(&self.also).chain(between).map(|tests| &tests[..])
    }
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
    /// Where the account is: the first of these that can be read.
    pub accounts: Vec<Field>,
    /// Whether it counts without its account.
    pub account_optional: bool,
    /// Whether it is about the account that its flow showed last; then it shows none itself.
    pub account_of_flow: bool,
    /// What it means.
    pub means: Meaning,
    /// What it means in a flow whose start was seen, where that differs.
    pub from_start: Option<Meaning>,
    /// How much its meaning rests on.
    pub confidence: Certainty,
    /// What tells a question from others that are open at the same time: an answer has the same.
    pub transaction: Vec<Field>,
    /// Whether what follows it, on both sides, cannot be read (TLS, compression).
    pub closes: bool,
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
