//! One client of the management socket: what it asks, what it may, and how far its answer is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::time::Nanos;
use jiff::Timestamp;
use mio::net::UnixStream;

use super::answer::{Line, Rows};
use super::configure::{DoneRow, Refusal};
use super::denials::Denials;
use super::peer::{Asker, Peer, lineage};
use super::pipe::{Flushed, Next, Pipe};
use super::protocol::{Action, Answer, Asked, LONG_REQUEST_LIMIT, REQUEST_LIMIT, SessionWay, Stream, capabilities};
use super::role::{Right, Role};
use super::server::Source;
use super::session::{NotKilled, SessionOpened, Sessions};
use super::subscription::{Subscription, Wanted};
use crate::record::Record;
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Via};

/// A client that neither reads nor asks for so long is cut off, unless it is a session, which may be silent.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Rows that one turn makes at most.
const ROWS_PER_TURN: usize = 512;

/// Octets that one turn writes at most.
const OCTETS_PER_TURN: usize = 256 << 10;

/// Among the words that a session is offered: subscribers may have what was recorded before they asked.
const REPLAY: &str = "do replay";

/// What a turn left a connection in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for its socket.
    Waiting,
    /// It has work of its own and wants another turn soon.
    Ready,
    /// It is over.
    Closed,
}

/// Why a connection is over, as the trail has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client had asked all it wanted.
    Closed,
    /// The connection broke, or the client did not read.
    Dropped,
    /// A session, or 0, had it ended.
    Killed(u32),
    /// The firewall stops.
    Stopped,
}

/// What connections have in common.
#[derive(Debug, Default)]
pub(super) struct Common {
    pub(super) sessions: Sessions,
    pub(super) denials: Denials,
}

/// A client.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) pipe: Pipe,
    pub(super) state: State,
    asker: Asker,
    answer: Option<Rows>,
    /// A view of users that is being shown: what, narrowed to what, and rows so far.
    viewing: Option<(&'static str, String, u64)>,
    ending: Ending,
    progress: Instant,
}

impl Connection {
    pub(super) fn new(stream: UnixStream, peer: Peer, role: Role, now: Instant) -> Self {
        Self {
            pipe: Pipe::new(stream),
            state: State::Ready,
            asker: Asker { peer, role, session: None, via: Via::Cli, origin: None },
            answer: None,
            viewing: None,
            ending: Ending::Closed,
            progress: now,
        }
    }

    /// Does what can be done now, a bounded piece of it.
    pub(super) fn turn(&mut self, now: Instant, source: &mut dyn Source, common: &mut Common) {
        // A role may be another by now.
        let role = self.asker.peer.role(source.compiled().roles.as_ref());
        if role != self.asker.role {
            self.asker.role = role;
            if let Some(Rows::Subscription(subscription)) = &self.answer
                && (!self.may(subscription.stream().right(), source)
                    || (subscription.stream() == Stream::Records && subscription.wanted() != self.allowed(source)))
            {
                let request = format!("subscription to {}", subscription.stream().text());
                self.end(&Answer::Refused(denied(&request, role)), source);
            }
        }
        self.state = self.step(now, source, common);
    }

    /// Whether the workers' tables are being read for this client.
    pub(super) fn dumps(&self) -> bool {
        self.answer.as_ref().is_some_and(Rows::dumps)
    }

    /// Whether the client let us wait for too long.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        let may_be_silent = self.asker.session.is_some() || self.answer.as_ref().is_some_and(Rows::is_open_ended);
        let owes = !self.pipe.is_clear() || !may_be_silent;
        owes && now.saturating_duration_since(self.progress) > PATIENCE
    }

    fn step(&mut self, now: Instant, source: &mut dyn Source, common: &mut Common) -> State {
        let mut rows = 0;
        let mut octets = 0;
        loop {
            if rows >= ROWS_PER_TURN || octets >= OCTETS_PER_TURN {
                return State::Ready;
            }
            match self.pipe.flush() {
                Ok(Flushed::All(count)) => {
                    octets += count;
                    if count > 0 {
                        self.progress = now;
                    }
                }
                Ok(Flushed::Part(count)) => {
                    if count > 0 {
                        self.progress = now;
                    }
                    return State::Waiting;
                }
                Err(_) => return self.broken(),
            }
            if self.answer.is_some() {
                match self.make_rows(ROWS_PER_TURN - rows, source) {
                    0 if self.pipe.is_clear() => {
                        // There is nothing yet; that is not the client's fault.
                        self.progress = now;
                        return self.idle();
                    }
                    made => rows += made,
                }
                continue;
            }
            match self.pipe.next_line(self.limit(source)) {
                Next::Line(line) => {
                    self.progress = now;
                    rows += 1;
                    self.begin(&line, now, source, common);
                }
                Next::TooLong => {
                    let text = format!("a request is a line of at most {} octets", self.limit(source));
                    self.pipe.put(&Answer::Refused(Refusal::new("too-big", text)));
                    self.pipe.give_up();
                }
                Next::Nothing if self.pipe.has_ended() => return State::Closed,
                Next::Nothing => match self.pipe.fill() {
                    Ok(count) if count > 0 || self.pipe.has_ended() => octets += count,
                    Ok(_) => return State::Waiting,
                    Err(_) => return self.broken(),
                },
            }
        }
    }

    /// Starts the answer to a request.
    fn begin(&mut self, line: &[u8], now: Instant, source: &mut dyn Source, common: &mut Common) {
        let asked = match Asked::read(line) {
            Ok(asked) => asked,
            Err(why) => return self.pipe.put(&Answer::Error(why)),
        };
        let right = asked.right();
        if !self.may(right, source) {
            let word = asked.word();
            self.pipe.put(&Answer::Refused(denied(&word, self.asker.role)));
            common.denials.note(&self.asker, word, right, now, source);
            return;
        }
        let begun = match asked {
            Asked::Show(request) => {
                self.viewing = request.sensitive().map(|(view, filter)| (view, filter, 0));
                let rows = Rows::of(request, source, &common.sessions);
                rows.map_err(Refusal::from)
            }
            Asked::Do(action) => self.act(action, source, common),
            Asked::Configure(asked) => Ok(Rows::Configure(source.configure(asked, &self.asker))),
        };
        match begun {
            Ok(rows) => self.answer = Some(rows),
            Err(refusal) => self.end(&Answer::Refused(refusal), source),
        }
    }

    fn record_command(&self, request: String, source: &mut dyn Source) {
        let asked = Occurrence::new(AuditEvent::CliCommand, source.now()).by(self.asker.subject());
        source.audit(asked.with(AuditField::Request, request));
    }

    /// Carries out what is done at once, or begins what takes longer.
    fn act(&mut self, action: Action, source: &mut dyn Source, common: &mut Common) -> Result<Rows, Refusal> {
        match action {
            Action::Reload {} => {
                self.record_command("reload".to_owned(), source);
                Ok(Rows::Reload(source.reload(&self.asker)))
            }
            Action::AuditRotate { file } => {
                self.record_command(format!("audit rotate {file}"), source);
                source.rotate_trail(&file)?;
                Ok(Rows::whole(vec![Answer::Done(DoneRow { text: format!("the file {file} is closed") })]))
            }
            Action::AuditUpload { file } => {
                self.record_command(format!("audit upload {file}"), source);
                source.upload_trail(&file)?;
                Ok(Rows::whole(vec![Answer::Done(DoneRow { text: format!("archives of the file {file} are sent") })]))
            }
            Action::ResetStatistics { class } => {
                let row = source.reset_statistics(class.class(), &self.asker)?;
                Ok(Rows::whole(vec![Answer::Reset(row)]))
            }
            Action::ResetLogStatistics { host } => {
                let row = source.reset_log_statistics(host.as_deref(), &self.asker)?;
                Ok(Rows::whole(vec![Answer::Reset(row)]))
            }
            Action::Session { via, origin } => self.open_session(via, origin, source, &mut common.sessions),
            Action::KillSession { id } => {
                let invalid = |text: &str| Refusal::new("invalid-value", text);
                match common.sessions.kill(id, self.asker.session) {
                    Ok(()) => Ok(Rows::whole(Vec::new())),
                    Err(NotKilled::Own) => Err(invalid("a session does not kill itself: close it")),
                    Err(NotKilled::Unknown) => Err(invalid("there is no such session")),
                }
            }
            Action::Subscribe { stream, from, to, syslog } => {
                self.subscribe(stream, (from.as_deref(), to.as_deref()), syslog, source)
            }
        }
    }

    fn open_session(
        &mut self,
        via: SessionWay,
        claims: Option<SocketAddr>,
        source: &mut dyn Source,
        sessions: &mut Sessions,
    ) -> Result<Rows, Refusal> {
        if self.asker.session.is_some() {
            return Err(Refusal::new("in-use", "this connection is a session already"));
        }
        self.asker.via = match via {
            SessionWay::Netconf => Via::Netconf,
            SessionWay::Cli => Via::Cli,
        };
        // What sshd said of the processes above this one is proven; what the client says of itself is not.
        self.asker.origin = source.login(&lineage(self.asker.peer.pid));
        let proven = self.asker.origin.map(|origin| origin.to_string());
        let claims = claims.filter(|claims| proven != Some(claims.to_string()));
        let id = sessions.open(self.asker.clone(), claims, source.now());
        self.asker.session = Some(id);
        let mut started = Occurrence::new(AuditEvent::NetconfSessionStart, source.now()).by(self.asker.subject());
        if let Some(claims) = claims {
            started = started.with(AuditField::Claims, claims);
        }
        source.audit(started);
        let mut words = capabilities(|right| self.may(right, source));
        words.push(REPLAY.to_owned());
        let opened = SessionOpened {
            id,
            role: self.asker.role.text().to_owned(),
            user: self.asker.peer.user.as_deref().map(str::to_owned),
            capabilities: words,
        };
        Ok(Rows::whole(vec![Answer::Opened(opened)]))
    }

    fn subscribe(
        &mut self,
        stream: Stream,
        (from, to): (Option<&str>, Option<&str>),
        syslog: bool,
        source: &mut dyn Source,
    ) -> Result<Rows, Refusal> {
        let bad = |text: &str| Err(Refusal::new("bad-element", text));
        let read = |time: Option<&str>| time.map(str::parse::<Timestamp>).transpose();
        let (Ok(from), Ok(to)) = (read(from), read(to)) else {
            return bad("\"from\" and \"to\" are times of RFC 3339, with their offset");
        };
        let (from, to) = (from.map(nanos), to.map(nanos));
        match (from, to) {
            (Some(from), _) if from > source.now() => return bad("\"from\" is in the future (RFC 5277, 2.1.1)"),
            (None, Some(_)) => return bad("\"to\" needs a \"from\" (RFC 5277, 2.1.1)"),
            (Some(from), Some(to)) if to < from => return bad("\"to\" is before \"from\" (RFC 5277, 2.1.1)"),
            (Some(_), _) if syslog => {
                let text = "what is kept has no lines of RFC 5424: \"syslog\" goes without \"from\"";
                return Err(Refusal::new("operation-not-supported", text));
            }
            _ => {}
        }
        let allowed = self.allowed(source);
        if from.is_some() && stream == Stream::Records && allowed.others {
            source.widest_file().map_err(|why| Refusal::new("operation-failed", why))?;
        }
        let host = source.compiled().host_name.to_string();
        let mut subscription = Subscription::new(stream, allowed, (from, to), &host);
        if syslog {
            subscription = subscription.with_syslog(&host);
        }
        source.want(subscription.wanted());
        let started = Occurrence::new(AuditEvent::SubscriptionStart, source.now()).by(self.asker.subject());
        subscription.begin(source.audit(started.with(AuditField::Stream, stream.text())));
        Ok(Rows::Subscription(Box::new(subscription)))
    }

    /// What it may see of records of all classes.
    fn allowed(&self, source: &dyn Source) -> Wanted {
        Wanted { audit: self.may(Right::ShowAudit, source), others: self.may(Right::ShowUsers, source) }
    }

    fn may(&self, right: Right, source: &dyn Source) -> bool {
        self.asker.peer.may(right, source.compiled().roles.as_ref())
    }

    /// What this client is to be shown of records that are made.
    pub(super) fn wanted(&self) -> Wanted {
        match &self.answer {
            Some(Rows::Subscription(subscription)) => subscription.wanted(),
            _ => Wanted::default(),
        }
    }

    /// Shows it a record that was made.
    pub(super) fn push(&mut self, record: &Arc<Record>) {
        if let Some(Rows::Subscription(subscription)) = &mut self.answer
            && subscription.push(record)
        {
            self.state = State::Ready;
        }
    }

    /// Whether its subscription ends by now.
    pub(super) fn is_due(&self, now: Nanos) -> bool {
        let Some(Rows::Subscription(subscription)) = &self.answer else { return false };
        subscription.until().is_some_and(|until| now >= until)
    }

    /// The session that it is.
    pub(super) fn session(&self) -> Option<u32> {
        self.asker.session
    }

    /// Whose it is.
    pub(super) fn uid(&self) -> u32 {
        self.asker.peer.uid
    }

    /// Ends it, for another reason than that the client closed it.
    pub(super) fn finish(&mut self, ending: Ending) {
        self.ending = ending;
    }

    /// Tells what there is to tell at its end.
    pub(super) fn farewell(&mut self, source: &mut dyn Source, sessions: &mut Sessions) {
        self.viewed(source);
        if let Some(Rows::Subscription(subscription)) = self.answer.take() {
            self.unsubscribed(&subscription, self.ending.text(), source);
        }
        let Some(id) = self.asker.session else { return };
        sessions.close(id);
        let mut ended = Occurrence::new(AuditEvent::NetconfSessionEnd, source.now())
            .by(self.asker.subject())
            .with(AuditField::Reason, self.ending.text());
        if let Ending::Killed(by) = self.ending {
            ended = ended.with(AuditField::Holder, by);
        }
        source.audit(ended);
        source.session_ended(id);
    }

    /// Tells who was shown users.
    fn viewed(&mut self, source: &mut dyn Source) {
        let Some((view, filter, rows)) = self.viewing.take() else { return };
        let viewed = Occurrence::new(AuditEvent::SensitiveView, source.now()).by(self.asker.subject());
        let mut viewed = viewed.with(AuditField::View, view).with(AuditField::Rows, rows);
        if !filter.is_empty() {
            viewed = viewed.with(AuditField::Filter, filter);
        }
        source.audit(viewed);
    }

    fn unsubscribed(&self, subscription: &Subscription, reason: &str, source: &mut dyn Source) {
        let ended = Occurrence::new(AuditEvent::SubscriptionEnd, source.now())
            .by(self.asker.subject())
            .with(AuditField::Stream, subscription.stream().text())
            .with(AuditField::Reason, reason)
            .with(AuditField::Count, subscription.sent());
        source.audit(ended);
    }

    /// Puts the last line of an answer.
    fn end(&mut self, answer: &Answer, source: &mut dyn Source) {
        self.pipe.put(answer);
        self.viewed(source);
        if let Some(Rows::Subscription(subscription)) = self.answer.take() {
            let reason = match answer {
                Answer::Refused(refusal) => refusal.text.as_str(),
                _ => "its time is over",
            };
            self.unsubscribed(&subscription, reason, source);
        }
    }

    /// Makes at most `most` rows, as long as the output is not full; returns how many lines were put.
    fn make_rows(&mut self, most: usize, source: &mut dyn Source) -> usize {
        let mut put = 0;
        while put < most && !self.pipe.is_full() {
            let Some(answer) = &mut self.answer else { break };
            match answer.next(source) {
                Some(Line::Row(last @ (Answer::End { .. } | Answer::Error(_) | Answer::Refused(_)))) => {
                    self.end(&last, source);
                    self.answer = None;
                }
                Some(Line::Row(row)) => {
                    self.pipe.put(&row);
                    if let Some((.., rows)) = &mut self.viewing {
                        *rows += 1;
                    }
                }
                Some(Line::Event(event)) => {
                    self.pipe.put_event(&event);
                }
                None => break,
            }
            put += 1;
        }
        put
    }

    /// What it is in while its answer has no row: one that goes on for as long as the client wants waits to be woken, and
    /// ends with the client.
    fn idle(&mut self) -> State {
        let waits_for_records = matches!(&self.answer, Some(Rows::Subscription(own)) if own.is_live());
        if self.pipe.read_ahead().is_err() {
            return self.broken();
        }
        match (waits_for_records, self.pipe.has_ended()) {
            (true, true) => State::Closed,
            (true, false) => State::Waiting,
            (false, _) => State::Ready,
        }
    }

    fn broken(&mut self) -> State {
        if self.ending == Ending::Closed {
            self.ending = Ending::Dropped;
        }
        State::Closed
    }

    /// Octets of a request at most: a configuration is taken only of who may edit one.
    fn limit(&self, source: &dyn Source) -> usize {
        if self.may(Right::Edit, source) { LONG_REQUEST_LIMIT } else { REQUEST_LIMIT }
    }
}

impl Ending {
    /// In the words of RFC 6470, 2.2.
    fn text(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Dropped => "dropped",
            Self::Killed(_) => "killed",
            Self::Stopped => "other",
        }
    }
}

/// For want of a right.
fn denied(request: &str, role: Role) -> Refusal {
    Refusal::new("access-denied", format!("\"{request}\" is not for you: your role is {}", role.text()))
}

fn nanos(time: Timestamp) -> Nanos {
    Nanos::from_parts(
        u64::try_from(time.as_second()).unwrap_or(0),
        u32::try_from(time.subsec_nanosecond()).unwrap_or(0),
    )
}
