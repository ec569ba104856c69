//! What identification knows of one flow, and how it goes on with each piece of its payload.
//!
//! A flow is undecided until a message of it fits a clue; from then on its messages are told apart by the protocol's framing
//! and each is read for what it says of a user. The caller puts TCP in order and keeps what a message still lacks.

mod explain;
mod identify;
mod session;
mod transaction;

use arrayvec::ArrayVec;

use crate::database::Database;
use crate::dns;
use crate::framing::{Context, Framed, Looks, Next, Skip, frame};
use crate::matcher::View;
use crate::program::{Framing, Protocol, Sender, Transport, WINDOW};
use crate::scratch::{Memory, Scratch};
use crate::sighting::{AppId, Confidence, Resolved, Sighting, SignOn};
use crate::turns::Turns;
use identify::{Named, Row};
use session::{Session, Sighted};

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The application, once a flow.
    Application(AppId, Confidence),
    /// A sighting of a user.
    SignOn(SignOn),
    /// An address that an application's name resolved to.
    Resolved(Resolved),
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

/// What is known of a flow before its first payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// What carries it.
    pub transport: Transport,
    /// Where its server listens: a hint, never more.
    pub server_port: u16,
    /// TCP: its first octets will be shown; false for a flow met in its middle. UDP: true.
    pub from_start: bool,
    /// The application for one of whose names its client was just told the server's address: a hint, too.
    pub resolved: Option<AppId>,
}

/// Segments (datagrams) that fit no clue before a flow is given up.
const PATIENCE: u8 = 12;

/// Octets of a side that is not listened to any more which count as one of those.
const MISS: usize = 256;

/// Octets that are looked at, of both sides, before a flow is given up: eight windows full.
const BUDGET: u16 = 8 * WINDOW as u16;

/// Addresses of one answer that are told; what it means beside has room in [`Findings`].
const RESOLVED_A_MESSAGE: usize = 6;

/// The state of one flow.
#[derive(Clone, Debug)]
pub struct FlowState {
    start: Start,
    protocol: Option<u16>,
    misses: u8,
    /// Octets of sides that are not listened to which do not count as a miss yet.
    unheard: u16,
    /// Octets of both sides that were looked at while undecided.
    looked_at: u16,
    /// Per side (client, server): its first message fitted no clue, or there is nothing more to read from it.
    deaf: [bool; 2],
    /// Per side: octets up to the end of a message that was longer than the window are passed over.
    skipping: [Option<Skip>; 2],
    /// What the sides sent in turn, and per side how much of that is to be shown again.
    turns: Turns,
    pending: [u16; 2],
    /// Clues that fitted and are evidence for others, by their bits.
    evidence: u64,
    /// A protocol that names the flow if nothing better does, and which side showed it.
    fallback: Option<(Named, Sender)>,
    /// The best that fitted while other clues waited for more.
    so_far: Option<Named>,
    row: Option<Row>,
    memory: Memory,
    session: Session,
}

const _: () = assert!(size_of::<FlowState>() <= 312, "there is one of them in each slot of every worker");

impl FlowState {
    /// A flow at its beginning, or met in its middle.
    pub fn new(start: Start) -> Self {
        Self {
            start,
            protocol: None,
            misses: 0,
            unheard: 0,
            looked_at: 0,
            deaf: [false; 2],
            skipping: [None; 2],
            turns: Turns::new(),
            pending: [0; 2],
            evidence: 0,
            fallback: None,
            so_far: None,
            row: None,
            memory: Memory::default(),
            session: Session::default(),
        }
    }

    /// The protocol, once decided, as an index into the database's list.
    pub fn protocol(&self) -> Option<u16> {
        self.protocol
    }

    /// Reads on from one side. `now` is in nanoseconds; `data` begins where the last step of this side said. For UDP it is
    /// one datagram. `findings` is emptied first.
    pub fn read(
        &mut self,
        database: &Database,
        scratch: &mut Scratch,
        now: u64,
        from: Sender,
        data: &[u8],
        findings: &mut Findings,
    ) -> Step {
        findings.clear();
        let piece = Piece { database, now, from, data };
        let Some(index) = self.protocol else {
            let fresh = data.len().saturating_sub(self.pending[side(from)].into());
            self.turns.count(from, fresh);
            if !self.deaf[side(from)] {
                self.looked_at = self.looked_at.saturating_add(fresh.min(WINDOW) as u16);
            }
            let step = match self.identify(&piece, scratch, findings) {
                Step::GaveUp => self.by_address(database, findings),
                step => step,
            };
            self.pending[side(from)] = match step {
                Step::More => data.len().min(WINDOW) as u16,
                Step::Consumed(length) => data.len().saturating_sub(length).min(WINDOW) as u16,
                Step::Resync | Step::Finished | Step::GaveUp => 0,
            };
            return step;
        };
        if self.deaf[side(from)] {
            return Step::Resync;
        }
        match database.protocol(index) {
            Some(protocol) => self.message(&piece, scratch, index, protocol, findings),
            None => Step::GaveUp,
        }
    }

    /// What a flow that tells nothing itself is by the name that its server's address was found by, if it was.
    fn by_address(&self, database: &Database, findings: &mut Findings) -> Step {
        let Some(application) = self.start.resolved.filter(|known| database.may_name(*known)) else {
            return Step::GaveUp;
        };
        let _ = findings.try_push(Finding::Application(application, Confidence::Likely));
        Step::Finished
    }

    /// The flow ended undecided: what it showed names it, now that nothing better can come, or else the name that its server's
    /// address was found by. None where there is neither, or it is named already.
    pub fn last_name(&mut self, database: &Database) -> Option<(AppId, Confidence)> {
        if self.protocol.is_some() {
            return None;
        }
        let named = Named::better(self.so_far, self.fallback.map(|(named, _)| named));
        let Some(named) = Named::better(named, Named::of_row(self.row, self.misses)) else {
            let resolved = self.start.resolved.filter(|known| database.may_name(*known))?;
            return Some((resolved, Confidence::Likely));
        };
        self.protocol = Some(named.index());
        Some((database.application(named.index())?, named.confidence()))
    }

    /// The flow ended: a connection that carried a session says so.
    pub fn end(&mut self, database: &Database) -> Option<SignOn> {
        let index = self.protocol?;
        let (confidence, account) = self.session.close()?;
        Some(SignOn {
            application: database.application(index)?,
            protocol: index,
            database: database.generation(),
            confidence,
            sighting: Sighting::Closed,
            account,
        })
    }

    /// Reads the message at the start of a decided flow's piece.
    fn message(
        &mut self,
        piece: &Piece<'_>,
        scratch: &mut Scratch,
        index: u16,
        protocol: &Protocol,
        findings: &mut Findings,
    ) -> Step {
        let Piece { data, from, .. } = *piece;
        if let Some(skip) = &mut self.skipping[side(from)] {
            let (length, ended) = skip.over(data);
            if ended {
                self.skipping[side(from)] = None;
            }
            return Step::Consumed(length);
        }
        let names = piece.database.names();
        let looks = Looks::by(&protocol.framing, self.start.transport, names, data, scratch, &mut self.memory);
        let turns = self.turns;
        let context = Context { server_port: self.start.server_port, turns: &turns };
        let frame = match frame(protocol, data, &looks, context) {
            Framed::Message(frame) if frame.next == Next::Later => return Step::More,
            Framed::Message(frame) => frame,
            Framed::More if data.len() < WINDOW => return Step::More,
            Framed::More | Framed::No => return Step::Resync,
        };
        if let Some(message) = looks.dns() {
            self.resolve(piece.database, message, &frame.view, findings);
        }
        let reading = match self.session.read(piece, protocol, &frame.view, self.start.from_start) {
            Some(reading) => reading,
            None => return Step::More,
        };
        if let Some(Sighted { sighting, confidence, account }) = reading.sighted
            && let Some(application) = piece.database.application(index)
        {
            let database = piece.database.generation();
            let sign_on = SignOn { application, protocol: index, database, confidence, sighting, account };
            let _ = findings.try_push(Finding::SignOn(sign_on));
        }
        if reading.closes {
            self.deaf = [true; 2];
            // The connection's end still tells something where it is a session.
            return if self.session.is_carried() { Step::Resync } else { Step::Finished };
        }
        match frame.next {
            Next::At(length) => Step::Consumed(length),
            Next::BeyondWindow(skip) => {
                // What was looked at was the window: the rest of it, if there is more, is passed over next.
                self.skipping[side(from)] = Some(skip);
                Step::Consumed(data.len().min(WINDOW))
            }
            Next::Later | Next::Unknown => {
                self.deaf[side(from)] = protocol.framing == Framing::Stream;
                Step::Resync
            }
        }
    }

    /// Tells the addresses that an answer gives for the names of an application; for other names that they are nobody's.
    fn resolve(&mut self, database: &Database, message: &dns::Message<'_>, view: &View<'_>, findings: &mut Findings) {
        let Memory::Dns(asked) = &mut self.memory else { return };
        asked.ask(message);
        if !asked.answers(message) {
            return;
        }
        let application = database.owner(view.names).unwrap_or(AppId::UNKNOWN);
        for address in message.addresses().take(RESOLVED_A_MESSAGE) {
            let resolved = Resolved { application, address: address.octets, seconds: address.seconds };
            let _ = findings.try_push(Finding::Resolved(resolved));
        }
    }
}

/// What one call is shown.
#[derive(Clone, Copy)]
struct Piece<'a> {
    database: &'a Database,
    now: u64,
    from: Sender,
    data: &'a [u8],
}

fn side(from: Sender) -> usize {
    usize::from(from == Sender::Server)
}
