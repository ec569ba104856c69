//! One client of the management socket: its half-read request, and its half-sent answer.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, TryRecvError};
use dataplane::command::SessionView;
use dataplane::route::NeighbourView;
use mio::net::UnixStream;

use super::configure::{Configure, Configured};
use super::protocol::{AccessView, Action, Answer, IM_LIMIT, REQUEST_LIMIT, Request};
use super::server::{Peer, Source};
use super::view::{
    AccessConfigRow, NeighbourRow, PACKET, PolicyRow, ReloadRow, RouteRow, SessionRow, SigdbRow, UserFilter, UserRow,
    WaitingRow,
};
use crate::record::Class;

/// A client that neither reads nor asks for so long is cut off.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Rows that one turn makes at most.
const ROWS_PER_TURN: usize = 512;

/// Access users that are looked at in one turn: well below a millisecond.
const USERS_PER_TURN: usize = 2_048;

/// Octets that one turn writes at most.
const OCTETS_PER_TURN: usize = 256 << 10;

/// Above this, no more rows are made until the client has read.
const OUTPUT_HIGH: usize = 64 << 10;

/// Sessions that wait between the workers and this client.
pub(super) const DUMP_QUEUE: usize = 1_024;

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

/// A client.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: UnixStream,
    pub(super) state: State,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    answer: Option<Rows>,
    /// The client will ask nothing more.
    ended: bool,
    progress: Instant,
}

/// Rows that an answer still has to make.
#[derive(Debug)]
enum Rows {
    /// Sessions as workers send them.
    Sessions { views: Receiver<SessionView>, limit: usize, made: usize },
    /// Neighbours as workers send them.
    Neighbours { views: Receiver<NeighbourView>, limit: usize, made: usize },
    /// Rows that were gathered when the request came.
    Gathered { rows: std::vec::IntoIter<Answer>, made: usize, more: bool },
    /// Rules from this one on.
    Policy { next: usize },
    /// Access users, as the table is looked through piece by piece.
    Users { filter: UserFilter, from: usize, page: std::vec::IntoIter<UserRow>, ends: bool, limit: usize, made: usize },
    /// What comes of a request about the configuration.
    Configure(Receiver<Configured>),
    /// What comes of a reload.
    Reload(Receiver<Result<ReloadRow, String>>),
}

impl Connection {
    pub(super) fn new(stream: UnixStream, now: Instant) -> Self {
        Self {
            stream,
            state: State::Ready,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            answer: None,
            ended: false,
            progress: now,
        }
    }

    /// Does what can be done now, a bounded piece of it.
    pub(super) fn turn(&mut self, now: Instant, source: &mut dyn Source) {
        self.state = self.step(now, source);
    }

    /// Whether the workers' tables are being read for this client.
    pub(super) fn dumps(&self) -> bool {
        matches!(self.answer, Some(Rows::Sessions { .. } | Rows::Neighbours { .. }))
    }

    /// Whether the client let us wait for too long.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.progress) > PATIENCE
    }

    fn step(&mut self, now: Instant, source: &mut dyn Source) -> State {
        let mut rows = 0;
        let mut octets = 0;
        loop {
            if rows >= ROWS_PER_TURN || octets >= OCTETS_PER_TURN {
                return State::Ready;
            }
            match self.flush() {
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
                Err(_) => return State::Closed,
            }
            if self.answer.is_some() {
                match self.make_rows(ROWS_PER_TURN - rows, source) {
                    0 if self.output.is_empty() => {
                        // The workers have sent nothing yet; that is not the client's fault.
                        self.progress = now;
                        return State::Ready;
                    }
                    made => rows += made,
                }
                continue;
            }
            match self.next_request() {
                Next::Request(line) => {
                    self.progress = now;
                    rows += 1;
                    self.begin(&line, source);
                }
                Next::TooLong => {
                    self.put(&Answer::Error(format!("a request is a line of at most {REQUEST_LIMIT} octets")));
                    self.ended = true;
                    self.input.clear();
                }
                Next::Nothing if self.ended => return State::Closed,
                Next::Nothing => match self.fill() {
                    Ok(true) => {}
                    Ok(false) => return State::Waiting,
                    Err(_) => return State::Closed,
                },
            }
        }
    }

    /// Starts the answer to a request.
    fn begin(&mut self, line: &[u8], source: &mut dyn Source) {
        let gathered = |rows: Vec<Answer>, more| Rows::Gathered { rows: rows.into_iter(), made: 0, more };
        match serde_json::from_slice(line) {
            Ok(Action::Reload {}) => {
                self.answer = Some(Rows::Reload(source.reload(self.peer().ok())));
                return;
            }
            Ok(Action::ResetStatistics { class }) => {
                let done = self.peer().and_then(|peer| source.reset_statistics(class.class(), peer));
                match done {
                    Ok(row) => self.answer = Some(gathered(vec![Answer::Reset(row)], false)),
                    Err(why) => self.put(&Answer::Error(why)),
                }
                return;
            }
            Ok(Action::ResetLogStatistics { host }) => {
                let done = self.peer().and_then(|peer| source.reset_log_statistics(host.as_deref(), peer));
                match done {
                    Ok(row) => self.answer = Some(gathered(vec![Answer::Reset(row)], false)),
                    Err(why) => self.put(&Answer::Error(why)),
                }
                return;
            }
            Err(_) => {}
        }
        if let Some(request) = Configure::read(line) {
            let request = request.map_err(|error| format!("not understood: {error}"));
            match request.and_then(|request| self.peer().map(|peer| source.configure(request, peer, None))) {
                Ok(outcome) => self.answer = Some(Rows::Configure(outcome)),
                Err(why) => self.put(&Answer::Error(why)),
            }
            return;
        }
        let request = match serde_json::from_slice::<Request>(line) {
            Ok(request) => request,
            Err(error) => return self.put(&Answer::Error(format!("not understood: {error}"))),
        };
        self.answer = Some(match request {
            Request::Access { view, packet, record } => match access(source, Class::Access, view, packet, record) {
                Ok(rows) => gathered(rows, false),
                Err(why) => return self.put(&Answer::Error(why)),
            },
            Request::CallStatus { view, packet, record } => {
                match access(source, Class::CallStatus, view, packet, record) {
                    Ok(rows) => gathered(rows, false),
                    Err(why) => return self.put(&Answer::Error(why)),
                }
            }
            Request::Users { limit, user, address, mac, interface, source, nas } => {
                match UserFilter::read([&user, &address, &mac, &interface, &source, &nas]) {
                    Ok(filter) => {
                        let page = Vec::new().into_iter();
                        Rows::Users { filter, from: 0, page, ends: false, limit, made: 0 }
                    }
                    Err(why) => return self.put(&Answer::Error(why)),
                }
            }
            Request::Sessions { limit } => {
                let (sender, views) = crossbeam::channel::bounded(DUMP_QUEUE);
                source.dump(sender);
                Rows::Sessions { views, limit, made: 0 }
            }
            Request::Im { limit } => {
                let table = source.im(limit.min(IM_LIMIT));
                gathered(table.rows.into_iter().map(Answer::Im).collect(), table.more)
            }
            Request::LogHosts {} => {
                let rows = source.log_hosts().into_iter().map(|row| Answer::LogHost(Box::new(row)));
                gathered(rows.collect(), false)
            }
            Request::LogStatistics { host, class } => match log_statistics(source, host.as_deref(), class.as_deref()) {
                Ok(rows) => gathered(rows, false),
                Err(why) => return self.put(&Answer::Error(why)),
            },
            Request::LogBuffer { host: None, .. } => {
                gathered(source.log_buffer(None).into_iter().map(Answer::LogBuffer).collect(), false)
            }
            Request::LogBuffer { host: Some(host), .. } if !source.has_log_host(&host) => {
                return self.put(&Answer::Error(no_log_host(&host)));
            }
            Request::LogBuffer { host: Some(host), limit } => {
                let (rows, more) = source.log_waiting(&host, limit.min(IM_LIMIT));
                gathered(rows.into_iter().map(Answer::LogWaiting).collect(), more)
            }
            Request::Statistics {} => gathered(vec![Answer::Statistics(Box::new(source.statistics()))], false),
            Request::Counters {} => gathered(source.workers().into_iter().map(Answer::Worker).collect(), false),
            Request::Ports {} => gathered(source.ports().into_iter().map(Answer::Port).collect(), false),
            Request::Interfaces {} => gathered(source.interfaces().into_iter().map(Answer::Interface).collect(), false),
            Request::Routes {} => {
                gathered(RouteRow::all(source.compiled()).into_iter().map(Answer::Route).collect(), false)
            }
            Request::Neighbours { limit } => {
                let (sender, views) = crossbeam::channel::bounded(DUMP_QUEUE);
                source.neighbours(sender);
                Rows::Neighbours { views, limit, made: 0 }
            }
            Request::Policy {} => Rows::Policy { next: 0 },
            Request::Nat {} => gathered(source.nat().into_iter().map(Answer::Nat).collect(), false),
            Request::Sigdb {} => {
                let compiled = source.compiled();
                gathered(vec![Answer::Sigdb(SigdbRow::new(&compiled.database, compiled.signatures.as_deref()))], false)
            }
        });
    }

    /// Who is at the other end.
    fn peer(&self) -> Result<Peer, String> {
        let peer = rustix::net::sockopt::socket_peercred(&self.stream);
        let peer = peer.map_err(|error| format!("the kernel does not say who asks: {error}"))?;
        Ok(Peer { uid: peer.uid.as_raw(), pid: peer.pid.as_raw_nonzero().get() })
    }

    /// Makes at most `most` rows, as long as the output is not full; returns how many lines were put.
    fn make_rows(&mut self, most: usize, source: &mut dyn Source) -> usize {
        let mut put = 0;
        while put < most && self.output.len() < OUTPUT_HIGH {
            let Some(answer) = &mut self.answer else { break };
            let Some(line) = answer.next(source) else { break };
            if matches!(line, Answer::End { .. } | Answer::Error(_) | Answer::Refused(_)) {
                self.answer = None;
            }
            self.put(&line);
            put += 1;
        }
        put
    }

    fn put(&mut self, answer: &Answer) {
        // Plain data with text keys: serialising it into memory cannot fail.
        if serde_json::to_writer(&mut self.output, answer).is_ok() {
            self.output.push(b'\n');
        }
    }

    fn flush(&mut self) -> std::io::Result<Flushed> {
        let before = self.sent;
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Flushed::Part(self.sent - before)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let count = self.sent - before;
        self.output.clear();
        self.sent = 0;
        Ok(Flushed::All(count))
    }

    /// Takes a line from the input.
    fn next_request(&mut self) -> Next {
        match self.input.iter().position(|octet| *octet == b'\n') {
            Some(end) => {
                let line = self.input.drain(..=end).collect();
                Next::Request(line)
            }
            None if self.input.len() >= REQUEST_LIMIT => Next::TooLong,
            None => Next::Nothing,
        }
    }

    /// Reads what there is, up to the limit of a line; false where there is nothing yet.
    fn fill(&mut self) -> std::io::Result<bool> {
        let mut buffer = [0; REQUEST_LIMIT];
        let room = REQUEST_LIMIT - self.input.len();
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => {
                self.ended = true;
                Ok(true)
            }
            Ok(count) => {
                self.input.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Rows {
    /// The next line; none where it is not there yet.
    fn next(&mut self, source: &mut dyn Source) -> Option<Answer> {
        match self {
            Self::Sessions { views, limit, made } => match views.try_recv() {
                Ok(_) if *made >= *limit => Some(Answer::End { rows: *made, more: true }),
                Ok(view) => {
                    *made += 1;
                    Some(Answer::Session(SessionRow::new(&view, &source.compiled().names)))
                }
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Answer::End { rows: *made, more: false }),
            },
            Self::Configure(outcome) => match outcome.try_recv() {
                Ok(answer) => {
                    let rows = match answer {
                        Ok(rows) => rows,
                        Err(mut refusal) => {
                            let faults = std::mem::take(&mut refusal.faults).into_iter().map(Answer::Fault);
                            faults.chain([Answer::Refused(refusal)]).collect()
                        }
                    };
                    *self = Self::Gathered { rows: rows.into_iter(), made: 0, more: false };
                    self.next(source)
                }
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Answer::Error("the firewall stops".to_owned())),
            },
            Self::Reload(outcome) => match outcome.try_recv() {
                Ok(Ok(row)) => {
                    *self = Self::Gathered { rows: Vec::new().into_iter(), made: 1, more: false };
                    Some(Answer::Reload(row))
                }
                Ok(Err(why)) => Some(Answer::Error(why)),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Answer::Error("the firewall stops".to_owned())),
            },
            Self::Neighbours { views, limit, made } => match views.try_recv() {
                Ok(_) if *made >= *limit => Some(Answer::End { rows: *made, more: true }),
                Ok(view) => {
                    *made += 1;
                    Some(Answer::Neighbour(NeighbourRow::new(&view, source.compiled())))
                }
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Answer::End { rows: *made, more: false }),
            },
            Self::Users { filter, from, page, ends, limit, made } => match page.next() {
                Some(_) if *made >= *limit => Some(Answer::End { rows: *made, more: true }),
                Some(row) => {
                    *made += 1;
                    Some(Answer::User(Box::new(row)))
                }
                None if *ends => Some(Answer::End { rows: *made, more: false }),
                None => {
                    let next = source.users(filter, *from, USERS_PER_TURN);
                    (*from, *page, *ends) = (*from + USERS_PER_TURN, next.rows.into_iter(), next.ends);
                    None
                }
            },
            Self::Gathered { rows, made, more } => Some(match rows.next() {
                Some(row) => {
                    *made += 1;
                    row
                }
                None => Answer::End { rows: *made, more: *more },
            }),
            Self::Policy { next } => Some(match PolicyRow::of(source.compiled(), *next) {
                Some(row) => {
                    *next += 1;
                    Answer::Rule(row)
                }
                None => Answer::End { rows: *next, more: false },
            }),
        }
    }
}

/// What became of records, of those hosts and classes that are asked for.
fn log_statistics(source: &dyn Source, host: Option<&str>, class: Option<&str>) -> Result<Vec<Answer>, String> {
    if let Some(host) = host.filter(|host| !source.has_log_host(host)) {
        return Err(no_log_host(host));
    }
    let known = |word: &str| {
        let found = Class::ALL.into_iter().find(|class| class.text() == word);
        found.ok_or_else(|| format!("\"{word}\": not one of session, im, attack, access, call-status"))
    };
    let class = class.map(known).transpose()?;
    let rows = source.log_statistics(host, class).into_iter();
    Ok(rows.map(|row| Answer::LogStatistics(Box::new(row))).collect())
}

fn no_log_host(host: &str) -> String {
    format!("\"{host}\": no log host has that name")
}

/// What is asked of a class of access users' records.
fn access(
    source: &dyn Source,
    class: Class,
    view: AccessView,
    packet: Option<u64>,
    record: Option<u8>,
) -> Result<Vec<Answer>, String> {
    match (view, packet, record) {
        (AccessView::Config, None, None) => {
            Ok(vec![Answer::AccessConfig(AccessConfigRow::new(source.compiled(), class))])
        }
        (AccessView::Statistics, None, None) => Ok(vec![Answer::AccessStatistics(source.access_statistics(class))]),
        (AccessView::Buffer, None, None) => {
            Ok(source.access_buffer(class).into_iter().map(Answer::AccessBuffer).collect())
        }
        (AccessView::Buffer, None, Some(_)) => Err("a record is one of a packet: say which packet".to_owned()),
        (AccessView::Buffer, Some(_), Some(record)) if u64::from(record) >= PACKET => {
            Err(format!("record {record}: a packet has records 0 to {}", PACKET - 1))
        }
        (AccessView::Buffer, Some(packet), record) => {
            let rows = source.access_waiting(class, WaitingRow::places(packet, record));
            Ok(rows.into_iter().map(Answer::Waiting).collect())
        }
        (AccessView::Config | AccessView::Statistics, ..) => Err("only the buffer has packets".to_owned()),
    }
}

/// How far the output was written, and how many octets of it now.
enum Flushed {
    All(usize),
    Part(usize),
}

enum Next {
    Request(Vec<u8>),
    TooLong,
    Nothing,
}
