//! IPFIX: when templates go, when a message closes, when the export says how it does.

use std::time::{Duration, Instant, SystemTime};

use super::{AHEAD, Source};
use crate::export::outbox::{Outbox, Unsent};
use crate::export::owed::Matter;
use crate::export::{HostConfig, Transport};
use crate::record::Class;
use crate::record::ipfix::{Encoder, Outcome};

/// How long a record may wait for company in its message.
pub(super) const FLUSH: Duration = Duration::from_millis(100);

/// Over UDP messages stay below the MTU of any usual path (RFC 7011, 10.3.3).
const DATAGRAM: usize = 1_400;
/// On a stream, larger messages cost less.
const STREAM_MESSAGE: usize = 8_192;

/// See the module.
#[derive(Debug)]
pub(super) struct Binary {
    pub(super) encoder: Encoder,
    /// Which templates are needed.
    classes: Vec<Class>,
    renewal: Renewal,
    /// When templates were sent in this transport session, and how many messages and octets ago.
    announced: Option<(Instant, u32, u64)>,
    /// Records in the open message, and when it was opened.
    open: (usize, Option<Instant>),
    /// How often the export is stated, and when it is the next time; none: never, or not before the first message.
    statistics: (Option<Duration>, Option<Instant>),
    /// The last statement was made.
    ended: bool,
}

/// When templates are sent again.
#[derive(Clone, Copy, Debug)]
enum Renewal {
    /// Over UDP: after so long, or so many messages (RFC 7011, 8.4).
    Datagrams(Duration, u32),
    /// On a connection: never.
    Connection,
    /// In a file, which is a transport session (RFC 5655, 4): after so many octets, in the next file.
    File(u64),
}

impl Binary {
    /// For records of `classes` to `host`.
    pub(super) fn new(host: &HostConfig, classes: Vec<Class>) -> Self {
        let options = &host.binary;
        let (renewal, limit) = match &host.transport {
            Transport::Udp => (Renewal::Datagrams(options.refresh.0, options.refresh.1), DATAGRAM),
            Transport::File(file) => (Renewal::File(file.rotate), STREAM_MESSAGE),
            _ => (Renewal::Connection, STREAM_MESSAGE),
        };
        let encoder = Encoder::new(options.observation_domain, options.message.unwrap_or(limit));
        Self {
            encoder: encoder.with_access(options.access_version),
            classes,
            renewal,
            announced: None,
            open: (0, None),
            statistics: (options.statistics, None),
            ended: false,
        }
    }

    pub(super) fn fill(&mut self, source: &mut impl Source, outbox: &mut Outbox, now: Instant, flush: bool) {
        while outbox.len() < AHEAD {
            let Some(matter) = source.front() else { break };
            self.announce(outbox, now);
            let outcome = match matter {
                Matter::Record(record) => self.encoder.add(record),
                Matter::Payload(payload) => self.encoder.add_encoded(payload.template, &payload.octets),
            };
            if outcome == Outcome::Full {
                self.close(outbox);
                continue;
            }
            self.open.0 += 1;
            self.open.1.get_or_insert(now);
            source.take();
        }
        if self.open.1.is_some_and(|opened| flush || opened + FLUSH <= now) {
            self.close(outbox);
        }
        self.state(source, outbox, now, flush && source.front().is_none());
    }

    pub(super) fn flush_at(&self) -> Option<Instant> {
        let opened = self.open.1.map(|opened| opened + FLUSH);
        opened.into_iter().chain(self.statistics.1).min()
    }

    pub(super) fn broke(&mut self, unsent: Unsent) {
        self.encoder.retract(unsent.messages, unsent.counted.into(), unsent.octets);
        if let Renewal::Datagrams(..) = self.renewal {
            self.encoder.abandon();
            self.encoder.rewind(unsent.counted);
        } else {
            self.encoder.restart();
        }
        self.announced = None;
        self.open = (0, None);
        self.ended = false;
    }

    /// Sends templates where they are due and no message is open.
    fn announce(&mut self, outbox: &mut Outbox, now: Instant) {
        let is_due = match (self.announced, self.renewal) {
            (None, _) => true,
            (Some(_), Renewal::Connection) => false,
            (Some((sent, before, _)), Renewal::Datagrams(age, messages)) => {
                before >= messages || now.saturating_duration_since(sent) >= age
            }
            (Some((_, _, octets)), Renewal::File(size)) => octets >= size,
        };
        if !is_due || self.open.0 > 0 {
            return;
        }
        if let (Some(_), Renewal::File(_)) = (self.announced, self.renewal) {
            self.encoder.restart();
        }
        let mut octets = 0;
        self.encoder.announce(&self.classes, seconds(), |message, counted| {
            octets += message.len() as u64;
            outbox.push(0, counted, |out| out.extend_from_slice(message));
        });
        self.announced = Some((now, 0, octets));
    }

    /// Moves the open message to the outbox.
    fn close(&mut self, outbox: &mut Outbox) {
        let mut length = 0;
        if let Some((message, counted)) = self.encoder.finish(seconds()) {
            length = message.len();
            outbox.push(self.open.0, counted, |out| out.extend_from_slice(message));
        }
        if let Some((_, messages, octets)) = &mut self.announced {
            *messages += 1;
            *octets += length as u64;
        }
        self.open = (0, None);
    }

    /// Says how the export does, where that is wanted and its time has come.
    fn state(&mut self, source: &impl Source, outbox: &mut Outbox, now: Instant, is_end: bool) {
        let Some(interval) = self.statistics.0 else { return };
        let due = *self.statistics.1.get_or_insert(now + interval);
        if (due > now && !is_end) || self.ended {
            return;
        }
        if self.open.0 > 0 {
            self.close(outbox);
        }
        self.announce(outbox, now);
        self.encoder.state(source.not_sent(), seconds(), |message, counted| {
            outbox.push(0, counted, |out| out.extend_from_slice(message));
        });
        self.statistics.1 = Some(now + interval);
        self.ended = is_end;
    }
}

/// Export time (RFC 7011, 3.1): seconds since the epoch, modulo 2^32.
fn seconds() -> u32 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}
