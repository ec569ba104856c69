//! What identification knows of one flow, and how it goes on with each piece of its payload.
//!
//! A flow is undecided until one message of it fits a clue; from then on its messages are told apart by the protocol's
//! framing and each is read for what it says of a user. The caller puts TCP in order and keeps what a message still lacks.

use arrayvec::ArrayVec;

use crate::database::Database;
use crate::http::{self, BodyLength};
use crate::matcher::{FieldText, Outcome, View};
use crate::program::{Framing, Meaning, Message, Protocol, Sender, Transport, WINDOW};
use crate::sighting::{AccountText, AppId, Confidence, Sighting, SignOn};
use crate::tls;

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The application, once a flow.
    Application(AppId, Confidence),
    /// A sighting of a user.
    SignOn(SignOn),
}

/// What one call can find; a piece that holds more says the rest at its next message.
pub type Findings = ArrayVec<Finding, 8>;

/// What the engine made of the octets it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many are done with; where that is more than were shown, those to come are not wanted either.
    Consumed(usize),
    /// Show them again with more behind them.
    More,
    /// They belong to no message that can be told apart: go on at the start of this direction's next segment.
    Resync,
    /// Named, and nothing more to learn from this flow.
    Finished,
    /// Not to be named.
    GaveUp,
}

/// Segments (datagrams) that fit no clue before a flow is given up.
const PATIENCE: u8 = 12;
/// How long an unanswered attempt explains what follows it.
const ATTEMPT_SECONDS: u64 = 120;
/// A session that lives is reported at most so often for each flow.
const REPORT_SECONDS: u64 = 20;
const SECOND: u64 = 1_000_000_000;

/// The state of one flow.
#[derive(Clone, Debug)]
pub struct FlowState {
    transport: Transport,
    server_port: u16,
    from_start: bool,
    protocol: Option<u16>,
    misses: u8,
    /// Per side (client, server): its first message fitted no clue, or there is nothing more to read from it.
    deaf: [bool; 2],
    /// Messages seen that another may answer, by their bits.
    asked: u64,
    attempt: Option<u64>,
    /// When the flow last said that its user is here, and when that the session lives.
    shown: Option<u64>,
    reported: Option<u64>,
    opened: bool,
    carries_session: bool,
    account: AccountText,
}

impl FlowState {
    /// A flow at its beginning, or met in its middle (`from_start` false).
    pub fn new(transport: Transport, server_port: u16, from_start: bool) -> Self {
        Self {
            transport,
            server_port,
            from_start,
            protocol: None,
            misses: 0,
            deaf: [false; 2],
            asked: 0,
            attempt: None,
            shown: None,
            reported: None,
            opened: false,
            carries_session: false,
            account: AccountText::new(),
        }
    }

    /// The protocol, once decided, as an index into the database's list.
    pub fn protocol(&self) -> Option<u16> {
        self.protocol
    }

    /// Reads on from one side. `now` is in nanoseconds; `data` begins where the last step of this side said. For UDP it is
    /// one datagram. `findings` is emptied first.
    pub fn read(&mut self, database: &Database, now: u64, from: Sender, data: &[u8], findings: &mut Findings) -> Step {
        findings.clear();
        if self.deaf[side(from)] {
            return self.miss();
        }
        let Some(index) = self.protocol else { return self.identify(database, now, from, data, findings) };
        match database.protocol(index) {
            Some(protocol) => self.message(index, protocol, now, from, data, findings),
            None => Step::GaveUp,
        }
    }

    /// The flow ended: a connection that carried a session says so.
    pub fn end(&mut self, database: &Database) -> Option<SignOn> {
        let index = self.protocol?;
        let protocol = database.protocol(index)?;
        std::mem::take(&mut self.carries_session).then(|| SignOn {
            application: AppId(protocol.application + 1),
            protocol: index,
            sighting: Sighting::Closed,
            account: self.account,
        })
    }

    fn identify(&mut self, database: &Database, now: u64, from: Sender, data: &[u8], findings: &mut Findings) -> Step {
        let Some(&first) = data.first() else { return Step::Consumed(0) };
        let http = http::look(data);
        let tls = tls::look(data);
        let mut waits = false;
        let mut likely = None;
        for &(index, clue) in database.candidates(self.transport, first) {
            let (Some(protocol), true) = (database.protocol(index), data.len() <= WINDOW * 16) else { continue };
            let Some(clue) = protocol.clues.get(usize::from(clue)) else { continue };
            if clue.from != Sender::Either && clue.from != from {
                continue;
            }
            let frame = match frame(protocol, data, http, tls, self.server_port) {
                Framed::Message(frame) => frame,
                Framed::More => {
                    waits = true;
                    continue;
                }
                Framed::No => continue,
            };
            match frame.view.all(&clue.tests) {
                Outcome::Yes if Confidence::from(clue.confidence) == Confidence::Certain => {
                    return self.decide(database, index, Confidence::Certain, now, from, data, findings);
                }
                Outcome::Yes => likely = likely.or(Some(index)),
                Outcome::More => waits = true,
                Outcome::No => {}
            }
        }
        if waits && data.len() < WINDOW {
            return Step::More;
        }
        if let Some(index) = likely {
            return self.decide(database, index, Confidence::Likely, now, from, data, findings);
        }
        // The first message of a direction is tried once; in a flow met in its middle any segment may begin one.
        self.deaf[side(from)] = self.transport == Transport::Tcp && self.from_start;
        if self.deaf == [true; 2] {
            return Step::GaveUp;
        }
        self.miss()
    }

    fn miss(&mut self) -> Step {
        if self.protocol.is_some() {
            return Step::Resync;
        }
        self.misses = self.misses.saturating_add(1);
        if self.misses >= PATIENCE { Step::GaveUp } else { Step::Resync }
    }

    #[allow(clippy::too_many_arguments)] // one call, from where all of them are at hand
    fn decide(
        &mut self,
        database: &Database,
        index: u16,
        confidence: Confidence,
        now: u64,
        from: Sender,
        data: &[u8],
        findings: &mut Findings,
    ) -> Step {
        let Some(protocol) = database.protocol(index) else { return Step::GaveUp };
        self.protocol = Some(index);
        self.deaf = [false; 2];
        let _ = findings.try_push(Finding::Application(AppId(protocol.application + 1), confidence));
        if protocol.messages.is_empty() {
            return Step::Finished;
        }
        self.message(index, protocol, now, from, data, findings)
    }

    fn message(
        &mut self,
        index: u16,
        protocol: &Protocol,
        now: u64,
        from: Sender,
        data: &[u8],
        findings: &mut Findings,
    ) -> Step {
        let http = if protocol.framing == Framing::Http { http::look(data) } else { http::Look::No };
        let tls = if protocol.framing == Framing::Tls { tls::look(data) } else { tls::Look::No };
        let frame = match frame(protocol, data, http, tls, self.server_port) {
            Framed::Message(frame) => frame,
            Framed::More if data.len() < WINDOW => return Step::More,
            Framed::More | Framed::No => return Step::Resync,
        };
        for (place, message) in protocol.messages.iter().enumerate() {
            if message.from != Sender::Either && message.from != from {
                continue;
            }
            if message.answers != 0 && self.asked & message.answers == 0 {
                continue;
            }
            let account = match frame.read(message) {
                Reading::Fits(account) => account,
                Reading::Not => continue,
                Reading::More => return Step::More,
            };
            self.asked = self.asked & !message.answers | 1 << place;
            let account = match account {
                None if message.account_of_flow => Some(self.account).filter(|account| !account.is_empty()),
                account => account,
            };
            if let Some(sign_on) = self.meaning(index, protocol, message, now, from, account) {
                let _ = findings.try_push(Finding::SignOn(sign_on));
            }
            break;
        }
        match frame.length {
            Some(length) => Step::Consumed(length),
            None => {
                self.deaf[side(from)] = protocol.framing == Framing::Stream;
                Step::Resync
            }
        }
    }

    fn meaning(
        &mut self,
        index: u16,
        protocol: &Protocol,
        message: &Message,
        now: u64,
        from: Sender,
        account: Option<AccountText>,
    ) -> Option<SignOn> {
        let means = match message.from_start {
            Some(otherwise) if self.from_start => otherwise,
            _ => message.means,
        };
        let same = account.is_none_or(|account| account == self.account);
        if let Some(account) = account {
            self.account = account;
        }
        let tried = self.attempt.is_some_and(|at| now.saturating_sub(at) < ATTEMPT_SECONDS * SECOND);
        let fresh = |at: Option<u64>| same && at.is_some_and(|at| now.saturating_sub(at) < REPORT_SECONDS * SECOND);
        let sighting = match means {
            Meaning::Nothing => return None,
            Meaning::Attempt => Sighting::Attempt,
            Meaning::Login => Sighting::Login,
            Meaning::Failure => Sighting::Failure,
            Meaning::Logout => Sighting::Logout,
            Meaning::Identity => Sighting::Identity,
            Meaning::Mention => Sighting::Mention,
            // After an attempt only the other side's word makes it a login; the client's own is no proof of anything.
            Meaning::Online if tried && from == Sender::Server => Sighting::Login,
            Meaning::Online if tried => return None,
            Meaning::Opened if !self.opened && self.from_start => Sighting::Opened,
            Meaning::Opened if !self.opened => Sighting::Online,
            Meaning::Online if fresh(self.shown) => return None,
            Meaning::Online => Sighting::Online,
            Meaning::Keepalive | Meaning::Opened if fresh(self.reported) => return None,
            Meaning::Keepalive | Meaning::Opened => Sighting::KeepAlive,
        };
        match sighting {
            Sighting::Attempt => self.attempt = Some(now),
            Sighting::Login | Sighting::Failure | Sighting::Logout => self.attempt = None,
            _ => {}
        }
        if matches!(sighting, Sighting::Login | Sighting::Online | Sighting::Opened | Sighting::KeepAlive) {
            self.reported = Some(now);
            if sighting != Sighting::KeepAlive {
                self.shown = Some(now);
            }
            self.opened |= means == Meaning::Opened;
            self.carries_session |= protocol.session && sighting != Sighting::KeepAlive;
        }
        Some(SignOn {
            application: AppId(protocol.application + 1),
            protocol: index,
            sighting,
            account: account.unwrap_or_default(),
        })
    }
}

fn side(from: Sender) -> usize {
    usize::from(from == Sender::Server)
}

/// A message as the framing cuts it.
struct Frame<'a> {
    view: View<'a>,
    /// How far the next message is; none where only a segment's start can tell.
    length: Option<usize>,
}

enum Framed<'a> {
    Message(Frame<'a>),
    More,
    No,
}

enum Reading {
    Fits(Option<AccountText>),
    Not,
    More,
}

impl Frame<'_> {
    fn read(&self, message: &Message) -> Reading {
        match self.view.all(&message.tests) {
            Outcome::No => return Reading::Not,
            Outcome::More => return Reading::More,
            Outcome::Yes => {}
        }
        let Some(field) = &message.account else { return Reading::Fits(None) };
        match self.view.field(field) {
            FieldText::Text(account) => Reading::Fits(Some(account)),
            FieldText::Absent if message.account_optional => Reading::Fits(None),
            FieldText::Absent => Reading::Not,
            FieldText::More => Reading::More,
        }
    }
}

fn frame<'a>(
    protocol: &'a Protocol,
    data: &'a [u8],
    http: http::Look<'a>,
    tls: tls::Look<'a>,
    server_port: u16,
) -> Framed<'a> {
    let seen = data.len().min(WINDOW);
    let view = View {
        octets: &data[..seen],
        whole: None,
        complete: data.len() >= WINDOW,
        server_port,
        http: None,
        server_name: None,
        anchors: &protocol.anchors,
    };
    match &protocol.framing {
        Framing::Datagram => {
            let view = View { whole: Some(data.len()), complete: true, ..view };
            Framed::Message(Frame { view, length: Some(data.len()) })
        }
        Framing::Stream => Framed::Message(Frame { view, length: None }),
        Framing::Length { at, size, little, add, strip, range } => {
            let at = usize::from(*at);
            let Some(octets) = data.get(at..at + usize::from(*size)) else { return Framed::More };
            let fold = |number: i64, octet: &u8| number << 8 | i64::from(*octet);
            let number = if *little { octets.iter().rev().fold(0, fold) } else { octets.iter().fold(0, fold) };
            let length = number + i64::from(*add);
            if length < i64::from(range.0.max(1)) || length > i64::from(range.1) {
                return Framed::No;
            }
            let length = length as usize;
            let strip = usize::from(*strip);
            let Some(octets) = data.get(strip.min(length)..length.min(seen)) else { return Framed::More };
            let complete = data.len() >= length.min(WINDOW);
            let view = View { octets, whole: Some(length.saturating_sub(strip)), complete, ..view };
            Framed::Message(Frame { view, length: Some(length) })
        }
        Framing::Http => {
            let head = match http {
                http::Look::Head(head) => head,
                http::Look::More => return Framed::More,
                http::Look::No => return Framed::No,
            };
            let length = match head.body_length() {
                BodyLength::Known(body) => usize::try_from(body).ok().and_then(|body| body.checked_add(head.body_at)),
                BodyLength::Unknown => None,
            };
            let octets = &data[..length.unwrap_or(usize::MAX).min(seen)];
            let complete = data.len() >= length.unwrap_or(usize::MAX).min(WINDOW);
            let view = View { octets, whole: length, complete, http: Some(head), ..view };
            Framed::Message(Frame { view, length })
        }
        Framing::Tls => match tls {
            tls::Look::Hello(server_name) => {
                Framed::Message(Frame { view: View { server_name, ..view }, length: None })
            }
            tls::Look::More => Framed::More,
            tls::Look::No => Framed::No,
        },
    }
}
