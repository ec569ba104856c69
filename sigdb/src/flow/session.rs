//! What a decided flow's messages say of its user.

use super::Piece;
use super::transaction::{Open, Question};
use crate::matcher::{FieldText, Outcome, View};
use crate::program::{Meaning, Message, Protocol, Sender};
use crate::sighting::{AccountText, Confidence, Sighting};

/// How long an unanswered attempt explains what follows it.
const ATTEMPT_SECONDS: u64 = 120;
/// A session that lives is reported at most so often for each flow.
const REPORT_SECONDS: u64 = 20;
const SECOND: u64 = 1_000_000_000;

/// What a flow showed of its user so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// Messages seen that another may answer, by their bits.
    asked: u64,
    open: Open,
    attempt: Moment,
    /// When the flow last said that its user is here, and when that the session lives.
    shown: Moment,
    reported: Moment,
    opened: bool,
    /// How surely the connection is a user's session, where it is one.
    carries: Option<Confidence>,
    account: AccountText,
}

/// What a message came to.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) sighted: Option<Sighted>,
    /// Nothing behind it can be read.
    pub(super) closes: bool,
}

/// A sighting, how surely, and of whom.
pub(super) struct Sighted {
    pub(super) sighting: Sighting,
    pub(super) confidence: Confidence,
    pub(super) account: AccountText,
}

/// What a message's tests and account came to.
enum Fit {
    Yes(Option<AccountText>),
    No,
    More,
}

impl Session {
    /// Reads a message; none where more of it has to be here first.
    pub(super) fn read(
        &mut self,
        piece: &Piece<'_>,
        protocol: &Protocol,
        view: &View<'_>,
        from_start: bool,
    ) -> Option<Reading> {
        for (place, message) in protocol.messages.iter().enumerate() {
            if message.from != Sender::Either && message.from != piece.from {
                continue;
            }
            if message.answers != 0 && self.asked & message.answers == 0 {
                continue;
            }
            let account = match fit(message, view) {
                Fit::Yes(account) => account,
                Fit::No => continue,
                Fit::More => return None,
            };
            if !self.transact(piece.from, place as u8, message, view) {
                continue;
            }
            let account = match account {
                None if message.account_of_flow => Some(self.account).filter(|account| !account.is_empty()),
                account => account,
            };
            let sighting = self.meaning(piece, protocol, message, from_start, account);
            let sighted = sighting.map(|sighting| Sighted {
                sighting,
                confidence: message.confidence.into(),
                account: account.unwrap_or_default(),
            });
            return Some(Reading { sighted, closes: message.closes });
        }
        Some(Reading::default())
    }

    /// Notes a question, or finds the one that this message answers; false where there is none.
    fn transact(&mut self, from: Sender, place: u8, message: &Message, view: &View<'_>) -> bool {
        if message.transaction.is_empty() {
            self.asked = self.asked & !message.answers | 1 << place;
            return true;
        }
        let Some(digest) = view.key(&message.transaction) else { return false };
        if message.answers == 0 {
            self.open.ask(Question { key: Question::key(digest, from), place });
            self.asked |= 1 << place;
            return true;
        }
        let asked_by = if from == Sender::Client { Sender::Server } else { Sender::Client };
        let answered = self.open.answer(Question::key(digest, asked_by), message.answers);
        // What it brought about may have an end of its own, that needs no key.
        self.asked |= u64::from(answered) << place;
        answered
    }

    /// Whether one of these messages, by their bits, waits for its answer.
    pub(super) fn awaits(&self, messages: u64) -> bool {
        self.asked & messages != 0
    }

    /// Whether the connection is a session.
    pub(super) fn is_carried(&self) -> bool {
        self.carries.is_some()
    }

    /// The connection ended: how surely it was a session, and whose; once.
    pub(super) fn close(&mut self) -> Option<(Confidence, AccountText)> {
        self.carries.take().map(|confidence| (confidence, self.account))
    }

    fn meaning(
        &mut self,
        piece: &Piece<'_>,
        protocol: &Protocol,
        message: &Message,
        from_start: bool,
        account: Option<AccountText>,
    ) -> Option<Sighting> {
        let Piece { now, from, .. } = *piece;
        let means = match message.from_start {
            Some(otherwise) if from_start => otherwise,
            _ => message.means,
        };
        let same = account.is_none_or(|account| account == self.account);
        if let Some(account) = account {
            self.account = account;
        }
        let tried = self.attempt.within(now, ATTEMPT_SECONDS);
        let fresh = |at: Moment| same && at.within(now, REPORT_SECONDS);
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
            Meaning::Opened if !self.opened && from_start => Sighting::Opened,
            Meaning::Opened if !self.opened => Sighting::Online,
            Meaning::Online if fresh(self.shown) => return None,
            Meaning::Online => Sighting::Online,
            Meaning::Keepalive | Meaning::Opened if fresh(self.reported) => return None,
            Meaning::Keepalive | Meaning::Opened => Sighting::KeepAlive,
        };
        match sighting {
            Sighting::Attempt => self.attempt = Moment::at(now),
            Sighting::Login | Sighting::Failure | Sighting::Logout => self.attempt = Moment::default(),
            _ => {}
        }
        if matches!(sighting, Sighting::Login | Sighting::Online | Sighting::Opened | Sighting::KeepAlive) {
            self.reported = Moment::at(now);
            if sighting != Sighting::KeepAlive {
                self.shown = Moment::at(now);
            }
            self.opened |= means == Meaning::Opened;
            if protocol.session && sighting != Sighting::KeepAlive {
                self.carries = Some(message.confidence.into());
            }
        }
        Some(sighting)
    }
}

/// A time, or none, to an eighth of a second: small, because every flow under inspection has three. Zero stands for none.
#[derive(Clone, Copy, Debug, Default)]
struct Moment(u32);

/// Nanoseconds, as a power of two, that a moment counts.
const TICK: u32 = 27;

impl Moment {
    fn at(now: u64) -> Self {
        Self(((now >> TICK) as u32).max(1))
    }

    /// Whether it was less than so many seconds ago; the count wraps after 18 years.
    fn within(self, now: u64, seconds: u64) -> bool {
        let ticks = ((now >> TICK) as u32).wrapping_sub(self.0);
        self.0 != 0 && u64::from(ticks) << TICK < seconds * SECOND
    }
}

fn fit(message: &Message, view: &View<'_>) -> Fit {
    match view.all(&message.tests) {
        Outcome::No => return Fit::No,
        Outcome::More => return Fit::More,
        Outcome::Yes => {}
    }
    for field in &message.accounts {
        match view.field(field) {
            FieldText::Text(account) => return Fit::Yes(Some(account)),
            FieldText::Absent => {}
            FieldText::More => return Fit::More,
        }
    }
    if message.accounts.is_empty() || message.account_optional { Fit::Yes(None) } else { Fit::No }
}
