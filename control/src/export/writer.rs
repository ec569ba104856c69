//! Records into messages of a host's format, framed for its transport.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use super::outbox::{Frame, Outbox};
use super::owed::Matter;
use super::{Format, Framing, HostConfig, Transport, relp};
use crate::record::huawei;
use crate::record::ipfix::{Encoder, Outcome};
use crate::record::rfc5424::Formatter;
use crate::record::{Class, Record};

/// How long a record may wait for company in its IPFIX message.
pub(super) const FLUSH: Duration = Duration::from_millis(100);

/// IPFIX over UDP stays below the MTU of any usual path (RFC 7011, 10.3.3).
const DATAGRAM: usize = 1_400;
/// On a stream, larger messages cost less.
const STREAM_MESSAGE: usize = 8_192;

/// How much may be encoded ahead of the socket.
const AHEAD: usize = 64 * 1024;

/// Where records to write come from.
pub(super) trait Source {
    /// The next; none where nothing waits, or no more may be on its way.
    fn front(&self) -> Option<&Matter>;

    /// The front is in a message now.
    fn take(&mut self);
}

/// Writes the records of one host in one format.
#[derive(Debug)]
pub(super) enum Writer {
    /// RFC 5424.
    Syslog {
        /// The format.
        formatter: Formatter,
    },
    /// The vendor's line.
    Huawei {
        /// The format.
        formatter: huawei::Formatter,
    },
    /// RFC 7011.
    Ipfix {
        /// The format.
        encoder: Encoder,
        /// Which templates are needed.
        classes: Vec<Class>,
        /// Whether over UDP.
        datagrams: bool,
        /// Over UDP, templates are sent again after so long, or so many messages.
        refresh: (Duration, u32),
        /// When, and how many messages ago, templates were sent in this transport session.
        announced: Option<(Instant, u32)>,
        /// Records in the open message, and when it was opened.
        open: (usize, Option<Instant>),
    },
}

impl Writer {
    /// For records of `classes` to `host`.
    ///
    /// # Errors
    /// If the format is not in this build.
    pub(super) fn new(host: &HostConfig, format: Format, classes: Vec<Class>) -> io::Result<Self> {
        let datagrams = matches!(host.transport, Transport::Udp);
        Ok(match format {
            Format::Syslog => {
                Self::Syslog { formatter: Formatter::new(&host.host_name, std::process::id(), host.time_zone.clone()) }
            }
            Format::Huawei => {
                Self::Huawei { formatter: huawei::Formatter::new(&host.host_name, host.time_zone.clone()) }
            }
            Format::Binary => Self::Ipfix {
                encoder: Encoder::new(
                    host.binary.observation_domain,
                    if datagrams { DATAGRAM } else { STREAM_MESSAGE },
                )
                .with_access(host.binary.access_version),
                classes,
                datagrams,
                refresh: host.binary.refresh,
                announced: None,
                open: (0, None),
            },
            Format::Rfc3164 | Format::Json | Format::Cef => {
                let words = format!("format {} is not in this build", format.text());
                return Err(io::Error::new(io::ErrorKind::Unsupported, words));
            }
        })
    }

    /// How its messages are told apart on a transport that does not do so itself.
    pub(super) fn frame(host: &HostConfig, format: Format) -> Frame {
        match (&host.transport, host.framing) {
            (Transport::Udp, _) => Frame::Bare,
            (Transport::Relp | Transport::RelpTls(_), _) => Frame::Relp { next: relp::FIRST_MESSAGE },
            _ if !format.is_text() => Frame::Bare,
            (_, Framing::OctetCounting) => Frame::OctetCounting,
            (_, Framing::Lf) => Frame::Lf,
        }
    }

    /// Whether the format can tell a record.
    pub(super) fn carries(&self, record: &Record) -> bool {
        match self {
            Self::Syslog { .. } => true,
            Self::Huawei { .. } => Format::Huawei.has(record.body.class()),
            Self::Ipfix { encoder, .. } => encoder.carries(record),
        }
    }

    /// Moves records from their source to the outbox until it is well filled or nothing waits. An IPFIX message that has
    /// room stays open until its time has come, or `flush` is set.
    pub(super) fn fill(&mut self, source: &mut impl Source, outbox: &mut Outbox, now: Instant, flush: bool) {
        while outbox.len() < AHEAD {
            let Some(matter) = source.front() else { break };
            match self {
                Self::Syslog { formatter } => outbox.push(1, 0, |out| match matter {
                    Matter::Record(record) => formatter.format(record, out),
                    Matter::Payload(payload) => out.extend_from_slice(&payload.octets),
                }),
                Self::Huawei { formatter } => outbox.push(1, 0, |out| match matter {
                    Matter::Record(record) => formatter.format(record, out),
                    Matter::Payload(payload) => out.extend_from_slice(&payload.octets),
                }),
                Self::Ipfix { encoder, classes, datagrams, refresh, announced, open } => {
                    if open.0 == 0 && announce_is_due(*announced, datagrams.then_some(*refresh), now) {
                        encoder.announce(classes, seconds(), |message, counted| {
                            outbox.push(0, counted, |out| out.extend_from_slice(message));
                        });
                        *announced = Some((now, 0));
                    }
                    let outcome = match matter {
                        Matter::Record(record) => encoder.add(record),
                        Matter::Payload(payload) => encoder.add_encoded(payload.template, &payload.octets),
                    };
                    if outcome == Outcome::Full {
                        self.close(outbox);
                        continue;
                    }
                    open.0 += 1;
                    open.1.get_or_insert(now);
                }
            }
            source.take();
        }
        if self.flush_at().is_some_and(|due| flush || due <= now) {
            self.close(outbox);
        }
    }

    /// When the open message has to go.
    pub(super) fn flush_at(&self) -> Option<Instant> {
        match self {
            Self::Syslog { .. } | Self::Huawei { .. } => None,
            Self::Ipfix { open, .. } => open.1.map(|opened| opened + FLUSH),
        }
    }

    /// Moves the open message to the outbox.
    fn close(&mut self, outbox: &mut Outbox) {
        let Self::Ipfix { encoder, announced, open, .. } = self else { return };
        if let Some((message, counted)) = encoder.finish(seconds()) {
            outbox.push(open.0, counted, |out| out.extend_from_slice(message));
        }
        if let Some((_, messages)) = announced {
            *messages += 1;
        }
        *open = (0, None);
    }

    /// The transport broke, and `counted` IPFIX data records that were finished never left. On a stream the next connection
    /// is a new transport session (RFC 7011, 8): sequence from 0, all templates first. Over UDP the session goes on, but
    /// the collector behind it may be another.
    pub(super) fn broke(&mut self, counted: u32) {
        let Self::Ipfix { encoder, datagrams, announced, open, .. } = self else { return };
        if *datagrams {
            encoder.abandon();
            encoder.rewind(counted);
        } else {
            encoder.restart();
        }
        *announced = None;
        *open = (0, None);
    }
}

fn announce_is_due(announced: Option<(Instant, u32)>, refresh: Option<(Duration, u32)>, now: Instant) -> bool {
    match (announced, refresh) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some((sent, before)), Some((age, messages))) => {
            before >= messages || now.saturating_duration_since(sent) >= age
        }
    }
}

/// Export time (RFC 7011, 3.1): seconds since the epoch, modulo 2^32.
fn seconds() -> u32 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::backlog::Backlog;
    use super::super::{BinaryOptions, Target};
    use super::*;
    use crate::record::sample;

    fn writer(transport: Transport) -> (Writer, Backlog, Outbox) {
        let target = Target::Address(([127, 0, 0, 1], 4739).into());
        let host = HostConfig::new("nms", target, transport, vec![(Class::Im, Format::Binary)]);
        let writer = Writer::new(&host, Format::Binary, vec![Class::Im]).unwrap();
        (writer, Backlog::new(&host), Outbox::new(Frame::Bare))
    }

    /// Writes one record at that time; whether templates went before it.
    fn announced((writer, backlog, outbox): &mut (Writer, Backlog, Outbox), now: Instant) -> bool {
        backlog.push(&Arc::new(sample::login("10001")));
        writer.fill(backlog, outbox, now, true);
        let first_set = outbox.stream()[17];
        let octets = outbox.len();
        backlog.written(outbox.advance(octets), octets, None, now);
        assert!(backlog.is_empty());
        first_set == 3
    }

    #[test]
    fn templates_are_sent_again_over_udp_by_time_and_by_messages() {
        let (now, mut parts) = (Instant::now(), writer(Transport::Udp));
        let (age, messages) = BinaryOptions::default().refresh;
        assert!(announced(&mut parts, now));
        assert!(!announced(&mut parts, now + age / 2));
        assert!(announced(&mut parts, now + age));
        let after = (1..=messages).map(|_| announced(&mut parts, now + age)).collect::<Vec<_>>();
        assert_eq!(after.iter().position(|announced| *announced), Some(messages as usize - 1));
    }

    #[test]
    fn templates_are_sent_once_a_connection() {
        let (now, mut parts) = (Instant::now(), writer(Transport::Tcp));
        assert!(announced(&mut parts, now));
        assert!(!announced(&mut parts, now + Duration::from_secs(3_000)));
        parts.0.broke(0);
        assert!(announced(&mut parts, now));
    }

    #[test]
    fn an_open_message_waits_for_company_but_not_for_long() {
        let (now, (mut writer, mut backlog, mut outbox)) = (Instant::now(), writer(Transport::Tcp));
        writer.fill(&mut backlog, &mut outbox, now, false);
        assert_eq!((writer.flush_at(), outbox.len()), (None, 0));
        backlog.push(&Arc::new(sample::login("1")));
        writer.fill(&mut backlog, &mut outbox, now, false);
        let templates = outbox.len();
        assert_eq!(writer.flush_at(), Some(now + FLUSH));
        backlog.push(&Arc::new(sample::login("2")));
        writer.fill(&mut backlog, &mut outbox, now + FLUSH / 2, false);
        assert_eq!((writer.flush_at(), outbox.len()), (Some(now + FLUSH), templates));
        writer.fill(&mut backlog, &mut outbox, now + FLUSH, false);
        assert_eq!(writer.flush_at(), None);
        assert_eq!(outbox.advance(outbox.len()), 2);
    }
}
