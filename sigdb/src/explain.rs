//! Why a rule fits a flow, or not: for people who write signatures. Allocates; the packet path never comes here.

use std::fmt;

use crate::database::Database;
use crate::flow::{Findings, FlowState, Start, Step};
use crate::program::{Sender, Transport, WINDOW};
use crate::sample::Found;
use crate::scratch::Scratch;
use crate::sighting::AppId;

/// Octets that one side of a flow sends at once.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Who sends.
    pub from: Sender,
    /// What; of TCP in order.
    pub octets: Vec<u8>,
    /// Seconds since the piece before.
    pub after: u32,
}

/// What an application's rules made of a flow.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The name that the flow got from the whole database; `none` where it got none.
    pub application: String,
    /// What was seen of users, in order.
    pub sightings: Vec<String>,
    /// Rules in the order in which they were tried.
    pub notes: Vec<Note>,
}

/// What one rule made of one message.
#[derive(Clone, Debug)]
pub struct Note {
    /// The piece that brought the message, from 1.
    pub piece: usize,
    /// Who sent it.
    pub from: Sender,
    /// The rule: protocol, and number of the clue or name of the message.
    pub rule: String,
    /// Whether all of it holds.
    pub held: Held,
    /// Its conditions.
    pub tests: Vec<Tested>,
}

/// A condition, and what stood where it looked.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The condition, much as it is written.
    pub test: String,
    /// Whether it holds.
    pub held: Held,
    /// Offset and octets, where the condition is on a place that is there.
    pub found: Option<(usize, Vec<u8>)>,
}

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// More octets decide.
    More,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::More => "waits",
        })
    }
}

/// Runs a flow's pieces as the packet path would, and says what the rules of one application make of each message.
pub fn explain(database: &Database, application: AppId, start: Start, pieces: &[Piece]) -> Explanation {
    let mut notes = Vec::new();
    let mut scratch = Scratch::new();
    let found = play(database, start, pieces, |flow, piece, from, data| {
        for note in flow.explain(database, &mut scratch, application, from, data) {
            let note = Note { piece, ..note };
            // A message that waited for more is looked at again: the last look counts.
            notes.retain(|one: &Note| !(one.held == Held::More && one.from == from && one.rule == note.rule));
            notes.push(note);
        }
    });
    Explanation { application: found.application, sightings: found.sightings, notes }
}

/// Runs pieces through the engine; `look` sees each state and message before it is read.
pub(crate) fn play(
    database: &Database,
    start: Start,
    pieces: &[Piece],
    mut look: impl FnMut(&FlowState, usize, Sender, &[u8]),
) -> Found {
    let mut found = Found::default();
    let mut flow = FlowState::new(start);
    let mut scratch = Scratch::new();
    let mut waiting = [Vec::new(), Vec::new()];
    let mut unwanted = [0usize; 2];
    let mut now = 1_000_000_000_000u64;
    'pieces: for (number, piece) in pieces.iter().enumerate() {
        now += u64::from(piece.after) * 1_000_000_000;
        let side = usize::from(piece.from == Sender::Server);
        let skip = unwanted[side].min(piece.octets.len());
        unwanted[side] -= skip;
        waiting[side].extend_from_slice(&piece.octets[skip..]);
        let mut at = 0;
        while at < waiting[side].len() {
            let data = &waiting[side][at..];
            look(&flow, number + 1, piece.from, data);
            let mut findings = Findings::new();
            let step = flow.read(database, &mut scratch, now, piece.from, data, &mut findings);
            found.add(database, &findings);
            match step {
                Step::Consumed(length) => at += length.max(1),
                Step::More if start.transport == Transport::Tcp && data.len() < WINDOW => break,
                Step::More | Step::Resync => at = waiting[side].len(),
                Step::Finished | Step::GaveUp => break 'pieces,
            }
        }
        unwanted[side] = at.saturating_sub(waiting[side].len());
        let done = at.min(waiting[side].len());
        waiting[side].drain(..done);
    }
    if let Some((application, _)) = flow.last_name(database) {
        found.application = database.name(application).into();
    }
    if let Some(end) = flow.end(database) {
        found.end(&end);
    }
    found
}
