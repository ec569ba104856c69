//! Which protocol a flow is.

use super::{BUDGET, Finding, Findings, FlowState, MISS, PATIENCE, Piece, Step, side};
use crate::automaton::names::Names;
use crate::dns;
use crate::framing::{Context, Framed, Looks, Next, frame};
use crate::matcher::Outcome;
use crate::program::{Clue, Framing, Protocol, Sender, Test, Transport, WINDOW};
use crate::scratch::{Memory, Scratch};
use crate::sighting::Confidence;

/// A protocol that a clue named, and how surely.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    index: u16,
    confidence: Confidence,
    /// Whether it only carries others.
    base: bool,
    /// How many datagrams may tell more before it names the flow.
    yields: u8,
}

/// Datagrams of a flow, from its first on, that all fitted clues of an application which one alone hardly proves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    application: u16,
    count: u8,
    /// What the flow is where it ends with them.
    at_end: Option<Named>,
}

impl Named {
    /// An application goes before what carries it, and what is certain before what is likely.
    fn rank(self) -> (bool, bool) {
        (!self.base, self.confidence == Confidence::Certain)
    }

    /// Of two the one that goes before the other; of equals the first.
    pub(super) fn better(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        first.filter(|first| second.is_none_or(|second| first.rank() >= second.rank())).or(second)
    }

    /// What a flow is that ended after so many datagrams, all of which had to be of the row.
    pub(super) fn of_row(row: Option<Row>, datagrams: u8) -> Option<Self> {
        row.filter(|row| row.count == datagrams)?.at_end
    }

    pub(super) fn index(self) -> u16 {
        self.index
    }

    pub(super) fn confidence(self) -> Confidence {
        self.confidence
    }
}

impl FlowState {
    /// Tries all clues that can fit. Bounded by the database: each clue looks at the window once, at eight messages at most.
    pub(super) fn identify(&mut self, piece: &Piece<'_>, scratch: &mut Scratch, findings: &mut Findings) -> Step {
        let Piece { database, from, data, .. } = *piece;
        if self.deaf[side(from)] {
            return self.missed(piece, scratch, findings);
        }
        if data.is_empty() {
            return Step::Consumed(0);
        }
        let transport = self.start.transport;
        let sifted = database.sieve(transport).sift(from, self.start.server_port, data);
        let looks = Looks::of(transport, &sifted.kinds(), database.names(), data, scratch, &mut self.memory);
        let turns = self.turns;
        let context = Context { server_port: self.start.server_port, turns: &turns };
        let mut waits = false;
        let (mut best, mut certain): (Option<Named>, Option<Named>) = (None, None);
        let mut row = None;
        let mut cut = Cut::default();
        for (index, clue) in sifted.left(&looks) {
            let Some(protocol) = database.protocol(index) else { continue };
            let Some(clue) = protocol.clues.get(usize::from(clue)) else { continue };
            if clue.needs & !self.evidence != 0 {
                continue;
            }
            let framing = database.framing(index);
            match fits(context, protocol, clue, data, &looks, database.names(), cut.of(framing)) {
                Outcome::Yes if clue.shows != 0 => self.evidence |= clue.shows,
                Outcome::Yes => {
                    let base = database.is_base(index);
                    let named = Named { index, confidence: clue.confidence.into(), base, yields: clue.yields };
                    if clue.times > 1 {
                        let Some(longer) = self.longer(protocol.application, named, clue.ends, row) else { continue };
                        row = Some(longer);
                        if longer.count < clue.times {
                            continue;
                        }
                    }
                    if named.rank() == (true, true) {
                        certain = Some(named);
                        break;
                    }
                    best = Named::better(best, Some(named));
                }
                Outcome::More => waits = true,
                Outcome::No => {}
            }
        }
        if let Some(named) = certain {
            return self.decide(piece, scratch, named, findings);
        }
        self.row = row.or(self.row);
        if waits && data.len() < WINDOW && self.start.transport == Transport::Tcp && self.looked_at < BUDGET {
            self.so_far = Named::better(self.so_far, best);
            return Step::More;
        }
        match best {
            Some(named) if !(named.base && (waits || self.may_tell(piece, named) || self.misses < named.yields)) => {
                // What the other side showed goes before what this one does, where both carry as surely.
                let named = Named::better(self.fallback.map(|(fallback, _)| fallback), Some(named)).unwrap_or(named);
                self.decide(piece, scratch, named, findings)
            }
            Some(named) => {
                // Wherever it is cut, what comes behind the message is this side going on, and nothing before its end is.
                let protocol = database.protocol(named.index);
                let message = protocol.map(|protocol| frame(protocol, data, &looks, context));
                let is_open = data.len() < WINDOW && self.start.transport == Transport::Tcp;
                let end = match message {
                    Some(Framed::Message(frame)) => match frame.next {
                        Next::At(length) => Some(length),
                        Next::Later if is_open => {
                            self.so_far = Named::better(self.so_far, Some(named));
                            return Step::More;
                        }
                        _ => None,
                    },
                    _ => None,
                };
                self.fallback.get_or_insert((named, from));
                match (self.missed(piece, scratch, findings), end) {
                    (Step::Resync, Some(length)) if self.start.transport == Transport::Tcp => Step::Consumed(length),
                    (step, _) => step,
                }
            }
            None => self.missed(piece, scratch, findings),
        }
    }

    /// Whether the other side may still name what this base protocol carries.
    fn may_tell(&self, piece: &Piece<'_>, named: Named) -> bool {
        let other = if piece.from == Sender::Client { Sender::Server } else { Sender::Client };
        let heard = self.deaf[side(other)] || self.fallback.is_some_and(|(_, from)| from == other);
        !heard && self.start.transport == Transport::Tcp && piece.database.other_side_may_tell(named.index)
    }

    /// The flow's row with this datagram in it, which `named` fits; none where a datagram before it was not of the row.
    /// `row` is what another clue made of the same datagram.
    fn longer(&self, application: u16, named: Named, ends: bool, row: Option<Row>) -> Option<Row> {
        let before = match self.row {
            Some(row) if row.application == application && row.count == self.misses => Some(row),
            None if self.misses == 0 => None,
            _ => return None,
        };
        let at_end = row.or(before).and_then(|row| row.at_end).or(ends.then_some(named));
        Some(Row { application, count: self.misses + 1, at_end })
    }

    /// No clue fits this piece.
    fn missed(&mut self, piece: &Piece<'_>, scratch: &mut Scratch, findings: &mut Findings) -> Step {
        // The first message of a direction is tried once; in a flow met in its middle any segment may begin one.
        let again = std::mem::replace(
            &mut self.deaf[side(piece.from)],
            self.start.transport == Transport::Tcp && self.start.from_start,
        );
        self.misses = self.misses.saturating_add(if again { self.unheard(piece) } else { 1 });
        let over = self.deaf == [true; 2] || self.misses >= PATIENCE || self.looked_at >= BUDGET;
        match self.fallback {
            // The other side had its say, or this one goes on without it.
            Some((named, _)) if named.yields > 0 && self.misses > named.yields => {
                self.decide(piece, scratch, named, findings)
            }
            Some((named, from)) if over || again || (from != piece.from && self.start.transport == Transport::Tcp) => {
                self.decide(piece, scratch, named, findings)
            }
            _ if over => Step::GaveUp,
            _ => Step::Resync,
        }
    }

    /// How many misses there are in what a side sends that nobody listens to any more: by its octets, as many small segments
    /// tell no more than a large one.
    fn unheard(&mut self, piece: &Piece<'_>) -> u8 {
        let octets = usize::from(self.unheard) + piece.data.len();
        self.unheard = (octets % MISS) as u16;
        u8::try_from(octets / MISS).unwrap_or(u8::MAX)
    }

    fn decide(&mut self, piece: &Piece<'_>, scratch: &mut Scratch, named: Named, findings: &mut Findings) -> Step {
        let database = piece.database;
        let Some(protocol) = database.protocol(named.index) else { return Step::GaveUp };
        let Some(application) = database.application(named.index) else { return Step::GaveUp };
        self.protocol = Some(named.index);
        self.deaf = [false; 2];
        if protocol.framing == Framing::Dns {
            self.memory = Memory::Dns(dns::Asked::default());
        }
        let _ = findings.try_push(Finding::Application(application, named.confidence));
        // What names resolve to is of use to other flows, as long as this one asks.
        if protocol.messages.is_empty() && protocol.framing != Framing::Dns {
            return Step::Finished;
        }
        self.message(piece, scratch, named.index, protocol, findings)
    }
}

/// The first message as one framing cuts it: protocols that cut it alike come one after the other.
#[derive(Default)]
pub(super) struct Cut<'a> {
    framing: Option<u16>,
    framed: Option<Framed<'a>>,
}

impl<'a> Cut<'a> {
    /// For a framing of that number; empty where the last one was another.
    fn of(&mut self, framing: Option<u16>) -> &mut Option<Framed<'a>> {
        if self.framing != framing {
            *self = Self { framing, framed: None };
        }
        &mut self.framed
    }
}

/// Whether a clue fits a side's messages from the first on, which `cut` keeps as this framing cuts it.
pub(super) fn fits<'a>(
    context: Context<'a>,
    protocol: &'a Protocol,
    clue: &Clue,
    data: &'a [u8],
    looks: &'a Looks<'_>,
    names: &Names,
    cut: &mut Option<Framed<'a>>,
) -> Outcome {
    // On another port than its own no octet needs to be waited for.
    if clue.tests.iter().any(|test| matches!(test, Test::Port(ports) if !ports.contains(&context.server_port))) {
        return Outcome::No;
    }
    if clue.also.is_empty() && clue.messages <= 1 {
        return match cut.get_or_insert_with(|| frame(protocol, data, looks, context)) {
            Framed::Message(frame) => {
                frame.view.anchors = &protocol.anchors;
                frame.view.all(&clue.tests)
            }
            Framed::More => Outcome::More,
            Framed::No => Outcome::No,
        };
    }
    // Bit 0: `tests`; bit n: `also[n - 1]`.
    let mut missing = (1u32 << (clue.also.len() + 1)) - 1;
    let mut rest = data;
    let mut seen = 0;
    while seen < clue.messages {
        if rest.is_empty() {
            return Outcome::More;
        }
        let looks = Looks::plain(&protocol.framing, protocol.transport, names, rest);
        let frame = match frame(protocol, rest, &looks, context) {
            Framed::Message(frame) => frame,
            Framed::More => return Outcome::More,
            Framed::No => return Outcome::No,
        };
        // Empty lines, and white space between elements, which may come in any number of pieces, are none of them.
        if let (Next::At(length), true) = (frame.next, frame.view.octets.trim_ascii().is_empty()) {
            rest = rest.get(length.max(1)..).unwrap_or_default();
            continue;
        }
        seen += 1;
        let mut outcome = Outcome::No;
        for (number, tests) in std::iter::once(&clue.tests).chain(&clue.also).enumerate() {
            if missing & 1 << number == 0 {
                continue;
            }
            match frame.view.all(tests) {
                Outcome::Yes => {
                    missing &= !(1 << number);
                    outcome = Outcome::Yes;
                    break;
                }
                Outcome::More => outcome = Outcome::More,
                Outcome::No => {}
            }
        }
        if missing == 0 {
            return Outcome::Yes;
        }
        if outcome == Outcome::No && !clue.between.is_empty() {
            outcome = frame.view.all(&clue.between);
        }
        if outcome != Outcome::Yes {
            return outcome;
        }
        match frame.next {
            Next::At(length) if length <= rest.len() => rest = rest.get(length..).unwrap_or_default(),
            Next::At(_) | Next::Later => return Outcome::More,
            Next::BeyondWindow(_) | Next::Unknown => return Outcome::No,
        }
    }
    Outcome::No
}

#[cfg(test)]
mod tests;
