//! A subscription to records: what was kept first, then what is made, without a gap and none twice.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam::channel::{Receiver, TryRecvError};
use dataplane::time::Nanos;

use super::configure::Refusal;
use super::protocol::{Answer, Stream};
use super::server::Source;
use crate::audit::{Query, TRAIL};
use crate::record::audit::AuditEvent;
use crate::record::json::Formatter;
use crate::record::{Body, Class, Record, rfc5424};

/// Records that wait for a subscriber at most. One that is further behind has its subscription ended, and is told so.
pub(super) const WAITING: usize = 4_096;

/// The stream NETCONF has these: RFC 6470 has a notification for each.
const NETCONF: [AuditEvent; 9] = [
    AuditEvent::ConfigCommit,
    AuditEvent::ConfigChange,
    AuditEvent::ConfigUnconfirmed,
    AuditEvent::ConfigConfirmed,
    AuditEvent::ConfigReverted,
    AuditEvent::ConfigScheduled,
    AuditEvent::RescueLoad,
    AuditEvent::NetconfSessionStart,
    AuditEvent::NetconfSessionEnd,
];

/// Which records subscribers want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those of the trail.
    pub audit: bool,
    /// All others.
    pub others: bool,
}

/// A subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    stream: Stream,
    wanted: Wanted,
    stage: Stage,
    /// From when on what was kept is sent.
    from: Option<Nanos>,
    /// Until when.
    until: Option<Nanos>,
    /// The record that tells of this subscription: what is made later is sent as it is made.
    beginning: u64,
    waiting: VecDeque<Arc<Record>>,
    overrun: bool,
    formatter: Formatter,
    /// For lines of RFC 5424, where they are wanted.
    syslog: Option<rfc5424::Formatter>,
    /// Events sent.
    sent: u64,
}

#[derive(Debug)]
enum Stage {
    /// Nothing was said yet.
    Begun,
    /// What is kept is not all on disk.
    Settling,
    /// What was kept is read.
    Replaying(Receiver<Box<str>>),
    /// What is made is sent.
    Live,
}

/// What comes next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub(super) enum Next {
    /// A row.
    Row(Answer),
    /// An event, as an object in JSON.
    Event(Vec<u8>),
    /// Nothing, for now.
    Nothing,
}

impl Subscription {
    /// Of whoever may look at these.
    pub(super) fn new(
        stream: Stream,
        allowed: Wanted,
        (from, until): (Option<Nanos>, Option<Nanos>),
        host: &str,
    ) -> Self {
        let wanted = match stream {
            Stream::Netconf | Stream::Audit => Wanted { audit: true, others: false },
            Stream::Records => allowed,
        };
        Self {
            stream,
            wanted,
            stage: Stage::Begun,
            from,
            until,
            beginning: u64::MAX,
            waiting: VecDeque::new(),
            overrun: false,
            formatter: Formatter::new(host, None, 6),
            syslog: None,
            sent: 0,
        }
    }

    /// The same, each event with its line of RFC 5424.
    pub(super) fn with_syslog(self, host: &str) -> Self {
        Self { syslog: Some(rfc5424::Formatter::new(host, std::process::id(), None)), ..self }
    }

    /// That record told of it.
    pub(super) fn begin(&mut self, sequence: u64) {
        self.beginning = sequence;
    }

    /// What it is of.
    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// Which records it is to be shown.
    pub(super) fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// How many events were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether nothing but a new record gives it something to do.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Live)
    }

    /// When it ends by itself.
    pub(super) fn until(&self) -> Option<Nanos> {
        self.until
    }

    /// Shows it a record that was made; whether it has something to do now.
    pub(super) fn push(&mut self, record: &Arc<Record>) -> bool {
        if record.sequence <= self.beginning || !self.takes(record) {
            return false;
        }
        if self.waiting.len() == WAITING {
            self.overrun = true;
        } else if !self.overrun {
            self.waiting.push_back(Arc::clone(record));
        }
        true
    }

    fn takes(&self, record: &Record) -> bool {
        match (&record.body, self.stream) {
            (Body::Audit(audit), Stream::Netconf) => NETCONF.contains(&audit.event),
            (Body::Audit(_), _) => self.wanted.audit,
            (Body::Loss(loss), Stream::Audit) => loss.class == Class::Audit,
            (Body::Loss(loss), Stream::Records) => match loss.class {
                Class::Audit => self.wanted.audit,
                _ => self.wanted.others,
            },
            (_, Stream::Records) => self.wanted.others,
            (_, Stream::Netconf | Stream::Audit) => false,
        }
    }

    /// What is to be sent next.
    pub(super) fn next(&mut self, source: &mut dyn Source) -> Next {
        match &self.stage {
            Stage::Begun => {
                self.stage = if self.from.is_some() { Stage::Settling } else { Stage::Live };
                Next::Row(Answer::Subscribed {})
            }
            Stage::Settling => match source.kept(self.beginning) {
                None => Next::Nothing,
                Some(Err(why)) => Next::Row(Answer::Refused(Refusal::new("operation-failed", why))),
                Some(Ok(())) => match self.replay(source) {
                    Ok(lines) => {
                        self.stage = Stage::Replaying(lines);
                        self.next(source)
                    }
                    Err(why) => Next::Row(Answer::Refused(Refusal::new("operation-failed", why))),
                },
            },
            Stage::Replaying(lines) => match lines.try_recv() {
                Ok(line) => {
                    self.sent += 1;
                    Next::Event(line.trim_end().as_bytes().to_vec())
                }
                Err(TryRecvError::Empty) => Next::Nothing,
                Err(TryRecvError::Disconnected) => {
                    self.stage = Stage::Live;
                    Next::Row(Answer::ReplayComplete {})
                }
            },
            Stage::Live => self.live(source.now()),
        }
    }

    fn live(&mut self, now: Nanos) -> Next {
        let late = |time: Nanos| self.until.is_some_and(|until| time >= until);
        while let Some(record) = self.waiting.pop_front() {
            if late(record.time) {
                continue;
            }
            let mut event = Vec::new();
            self.formatter.format(&record, &mut event);
            if let Some(syslog) = &mut self.syslog {
                let mut line = Vec::new();
                syslog.format(&record, &mut line);
                add(&mut event, "rfc5424", &String::from_utf8_lossy(&line));
            }
            self.sent += 1;
            return Next::Event(event);
        }
        if self.overrun {
            let text =
                format!("more than {WAITING} events waited: the subscription ends; subscribe again from the last");
            return Next::Row(Answer::Refused(Refusal::new("overrun", text)));
        }
        if late(now) {
            return Next::Row(Answer::End { rows: usize::try_from(self.sent).unwrap_or(usize::MAX), more: false });
        }
        Next::Nothing
    }

    fn replay(&self, source: &mut dyn Source) -> Result<Receiver<Box<str>>, String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let (file, events) = match (self.stream, self.wanted) {
            (Stream::Netconf, _) => (TRAIL.to_owned(), words(&NETCONF.map(AuditEvent::name))),
            (Stream::Audit, _) => (TRAIL.to_owned(), Vec::new()),
            (Stream::Records, Wanted { others: false, .. }) => (TRAIL.to_owned(), words(&["audit", "log-loss"])),
            (Stream::Records, Wanted { audit: true, .. }) => (source.widest_file()?, Vec::new()),
            (Stream::Records, Wanted { audit: false, .. }) => {
                (source.widest_file()?, words(&["session", "signon", "attack", "log-loss"]))
            }
        };
        source.replay(Query {
            file,
            from: self.from,
            to: self.until,
            until_sequence: Some((source.boot(), self.beginning)),
            events,
            ..Query::default()
        })
    }
}

/// Adds a member to an object in JSON.
fn add(object: &mut Vec<u8>, name: &str, text: &str) {
    object.pop();
    // Writing text into memory cannot fail.
    let text = serde_json::to_string(text).unwrap_or_default();
    object.extend_from_slice(format!(",\"{name}\":{text}}}").as_bytes());
}
