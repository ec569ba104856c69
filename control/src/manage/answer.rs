//! An answer in the making: its rows, as they are asked for or as they come.

use std::vec::IntoIter;

use crossbeam::channel::{Receiver, TryRecvError};
use dataplane::command::SessionView;
use dataplane::route::NeighbourView;

use super::configure::Configured;
use super::protocol::{AccessView, Answer, IM_LIMIT, Request};
use super::server::Source;
use super::session::Sessions;
use super::subscription::{self, Subscription};
use super::view::{
    AccessConfigRow, NeighbourRow, PACKET, PolicyRow, ReloadRow, RouteRow, SessionRow, SigdbRow, UserFilter, UserRow,
    WaitingRow,
};
use crate::record::Class;
use crate::trace::{self, Tracing};

/// Sessions that wait between the workers and a client.
pub(super) const DUMP_QUEUE: usize = 1_024;

/// Access users that are looked at in one turn: well below a millisecond.
const USERS_PER_TURN: usize = 2_048;

/// Rows that an answer still has to make.
#[derive(Debug)]
pub(super) enum Rows {
    /// Sessions as workers send them.
    Sessions { views: Receiver<SessionView>, limit: usize, made: usize },
    /// Neighbours as workers send them.
    Neighbours { views: Receiver<NeighbourView>, limit: usize, made: usize },
    /// Rows that were gathered when the request came.
    Gathered { rows: IntoIter<Answer>, made: usize, more: bool },
    /// Rules from this one on.
    Policy { next: usize },
    /// Access users, as the table is looked through piece by piece.
    Users { filter: UserFilter, from: usize, page: IntoIter<UserRow>, ends: bool, limit: usize, made: usize },
    /// What would become of a packet, as workers say.
    Trace { tracing: Box<Tracing>, made: usize },
    /// What comes of a reload.
    Reload(Receiver<Result<ReloadRow, String>>),
    /// What comes of a request about the configuration.
    Configure(Receiver<Configured>),
    /// Records as they are made.
    Subscription(Box<Subscription>),
}

impl Rows {
    /// Begins the answer to a request to look.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub(super) fn of(request: Request, source: &mut dyn Source, sessions: &Sessions) -> Result<Self, String> {
        let gathered = |rows: Vec<Answer>, more| Self::Gathered { rows: rows.into_iter(), made: 0, more };
        Ok(match request {
            Request::Access { view, packet, record } => match access(source, Class::Access, view, packet, record) {
                Ok(rows) => gathered(rows, false),
                Err(why) => return Err(why),
            },
            Request::CallStatus { view, packet, record } => {
                match access(source, Class::CallStatus, view, packet, record) {
                    Ok(rows) => gathered(rows, false),
                    Err(why) => return Err(why),
                }
            }
            Request::Users { limit, user, address, mac, interface, source, nas } => {
                match UserFilter::read([&user, &address, &mac, &interface, &source, &nas]) {
                    Ok(filter) => {
                        let page = Vec::new().into_iter();
                        Self::Users { filter, from: 0, page, ends: false, limit, made: 0 }
                    }
                    Err(why) => return Err(why),
                }
            }
            Request::Sessions { limit } => {
                let (sender, views) = crossbeam::channel::bounded(DUMP_QUEUE);
                source.dump(sender);
                Self::Sessions { views, limit, made: 0 }
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
                Err(why) => return Err(why),
            },
            Request::LogBuffer { host: None, .. } => {
                gathered(source.log_buffer(None).into_iter().map(Answer::LogBuffer).collect(), false)
            }
            Request::LogBuffer { host: Some(host), .. } if !source.has_log_host(&host) => {
                return Err(no_log_host(&host));
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
                Self::Neighbours { views, limit, made: 0 }
            }
            Request::Policy {} => Self::Policy { next: 0 },
            Request::Nat {} => gathered(source.nat().into_iter().map(Answer::Nat).collect(), false),
            Request::Sigdb {} => {
                let compiled = source.compiled();
                gathered(vec![Answer::Sigdb(SigdbRow::new(&compiled.database, compiled.signatures.as_deref()))], false)
            }
            Request::Trace(question) => Self::Trace { tracing: Box::new(source.trace(&question)?), made: 0 },
            Request::SessionsNetconf {} => gathered(sessions.rows().map(Answer::NetconfSession).collect(), false),
        })
    }

    /// These, and nothing more.
    pub(super) fn whole(rows: Vec<Answer>) -> Self {
        Self::Gathered { rows: rows.into_iter(), made: 0, more: false }
    }

    /// Whether it goes on until the client has enough.
    pub(super) fn is_open_ended(&self) -> bool {
        matches!(self, Self::Subscription(_))
    }

    /// Whether the workers' tables are being read for it.
    pub(super) fn dumps(&self) -> bool {
        matches!(self, Self::Sessions { .. } | Self::Neighbours { .. })
    }

    /// The next line; none where it is not there yet.
    pub(super) fn next(&mut self, source: &mut dyn Source) -> Option<Line> {
        let Self::Subscription(subscription) = self else { return self.row(source).map(Line::Row) };
        match subscription.next(source) {
            subscription::Next::Row(row) => Some(Line::Row(row)),
            subscription::Next::Event(event) => Some(Line::Event(event)),
            subscription::Next::Nothing => None,
        }
    }

    fn row(&mut self, source: &mut dyn Source) -> Option<Answer> {
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
            Self::Trace { tracing, made } => match tracing.next(source.compiled()) {
                trace::Next::Row(row) => {
                    *made += 1;
                    Some(Answer::Trace(Box::new(row)))
                }
                trace::Next::Nothing => None,
                trace::Next::End => Some(Answer::End { rows: *made, more: false }),
                trace::Next::Refused(why) => Some(Answer::Error(why.to_owned())),
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
            Self::Configure(outcome) => match outcome.try_recv() {
                Ok(answer) => {
                    let rows = match answer {
                        Ok(rows) => rows,
                        Err(mut refusal) => {
                            let faults = std::mem::take(&mut refusal.faults).into_iter().map(Answer::Fault);
                            faults.chain([Answer::Refused(refusal)]).collect()
                        }
                    };
                    *self = Self::whole(rows);
                    self.row(source)
                }
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Answer::Error("the firewall stops".to_owned())),
            },
            // Its rows are not all of this kind.
            Self::Subscription(_) => None,
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

/// A line of an answer.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub(super) enum Line {
    /// A row, or the end.
    Row(Answer),
    /// An event, as an object in JSON.
    Event(Vec<u8>),
}
