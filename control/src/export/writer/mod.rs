//! Records into messages of a host's format. What frames them on the wire is the outbox's.

mod binary;
mod text;

use std::time::Instant;

use super::outbox::{Frame, Outbox, Unsent};
use super::owed::{Matter, Payload, Rank};
use super::{Form, Format, Framing, HostConfig, Transport, kafka, relp};
use crate::record::ipfix::NotSent;
use crate::record::{Class, Record};
use binary::Binary;
use text::Text;

/// How much may be encoded ahead of the socket.
const AHEAD: usize = 64 * 1024;

/// Where records to write come from.
pub(super) trait Source {
    /// The next; none where nothing waits, or no more may be on its way.
    fn front(&self) -> Option<&Matter>;

    /// The front is in a message now.
    fn take(&mut self);

    /// What the host will never get, for statistics of the export.
    fn not_sent(&self) -> NotSent;
}

/// Writes the records of one host in one format.
#[derive(Debug)]
pub(super) struct Writer {
    form: Form,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text(Box<Text>),
    Binary(Box<Binary>),
}

impl Writer {
    /// For records of `classes` to `host`.
    pub(super) fn new(host: &HostConfig, format: Format, classes: Vec<Class>) -> Self {
        let kind = match Text::new(host, format) {
            Some(text) => Kind::Text(Box::new(text)),
            None => Kind::Binary(Box::new(Binary::new(host, classes))),
        };
        Self { form: Form::of(format, &host.transport), kind }
    }

    /// How its messages are told apart on a transport that does not do so itself.
    pub(super) fn frame(host: &HostConfig, format: Format) -> Frame {
        match (&host.transport, host.framing) {
            (Transport::Udp, _) => Frame::Bare,
            (Transport::Relp | Transport::RelpTls(_), _) => Frame::Relp { next: relp::FIRST_MESSAGE },
            (Transport::Kafka(_), _) => Frame::Length,
            _ if !format.is_text() => Frame::Bare,
            (Transport::File(_), _) => Frame::Lf,
            (_, Framing::OctetCounting) => Frame::OctetCounting,
            (_, Framing::Lf) => Frame::Lf,
        }
    }

    /// Whether the format can tell a record.
    pub(super) fn carries(&self, record: &Record) -> bool {
        match &self.kind {
            Kind::Text(_) => self.form.format.has(record.body.class()),
            Kind::Binary(binary) => binary.encoder.carries(record),
        }
    }

    /// What its encoded records are.
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Encodes a record that the format can tell, to be kept and sent later: as it would be sent now.
    pub(super) fn payload(&mut self, record: &Record) -> Payload {
        let mut octets = Vec::with_capacity(512);
        let template = match &mut self.kind {
            Kind::Text(text) => {
                if self.form.is_keyed() {
                    kafka::key::write(record, &mut octets);
                }
                text.write(record, &mut octets);
                0
            }
            Kind::Binary(binary) => binary.encoder.encode(record, &mut octets),
        };
        Payload {
            boot: record.boot,
            sequence: record.sequence,
            time: record.time,
            class: record.body.class(),
            rank: Rank::of(record),
            template,
            own: false,
            again: false,
            octets: octets.into(),
        }
    }

    /// Moves records from their source to the outbox until it is well filled or nothing waits. An IPFIX message that has
    /// room stays open until its time has come, or `flush` is set: there is nothing more to come.
    pub(super) fn fill(&mut self, source: &mut impl Source, outbox: &mut Outbox, now: Instant, flush: bool) {
        let is_keyed = self.form.is_keyed();
        let text = match &mut self.kind {
            Kind::Text(text) => text,
            Kind::Binary(binary) => return binary.fill(source, outbox, now, flush),
        };
        while outbox.len() < AHEAD {
            let Some(matter) = source.front() else { break };
            outbox.push(1, 0, |out| {
                if is_keyed {
                    let (boot, sequence) = matter.name();
                    out.extend_from_slice(&boot.0.to_be_bytes());
                    out.extend_from_slice(&sequence.to_be_bytes());
                }
                match matter {
                    Matter::Record(record) if is_keyed => {
                        kafka::key::write(record, out);
                        text.write(record, out);
                    }
                    Matter::Record(record) => text.write(record, out),
                    Matter::Payload(payload) => out.extend_from_slice(&payload.octets),
                }
            });
            source.take();
        }
    }

    /// When the open message, or a statement of the export, has to go.
    pub(super) fn flush_at(&self) -> Option<Instant> {
        match &self.kind {
            Kind::Text(_) => None,
            Kind::Binary(binary) => binary.flush_at(),
        }
    }

    /// The transport broke, and these messages that were finished never left. On a stream the next connection
    /// is a new transport session (RFC 7011, 8): sequence from 0, all templates first. Over UDP the session goes on, but
    /// the collector behind it may be another.
    pub(super) fn broke(&mut self, unsent: Unsent) {
        match &mut self.kind {
            Kind::Text(_) => {}
            Kind::Binary(binary) => binary.broke(unsent),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::backlog::Backlog;
    use super::super::{BinaryOptions, KafkaTarget, Target};
    use super::binary::FLUSH;
    use super::*;
    use crate::record::LossPlace;
    use crate::record::sample;

    fn writer(transport: Transport) -> (Writer, Backlog, Outbox) {
        let target = Target::Address(([127, 0, 0, 1], 4739).into());
        let host = HostConfig::new("nms", target, transport, vec![(Class::Im, Format::Binary)]);
        let writer = Writer::new(&host, Format::Binary, vec![Class::Im]);
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
        parts.0.broke(Unsent::default());
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

    /// A source of what was encoded before.
    struct Encoded(Vec<Matter>);

    impl Source for Encoded {
        fn front(&self) -> Option<&Matter> {
            self.0.first()
        }

        fn take(&mut self) {
            self.0.remove(0);
        }

        fn not_sent(&self) -> NotSent {
            NotSent::default()
        }
    }

    #[test]
    fn what_was_encoded_is_sent_as_the_record_would_be() {
        let target = Target::Address(([127, 0, 0, 1], 4739).into());
        let all = [sample::login("10001"), sample::close_v6(), sample::loss(Class::Im, LossPlace::Worker(1), 3)];
        let kafka = KafkaTarget { brokers: "".into(), topic: "".into(), tls: None, linger: Duration::ZERO };
        let forms = Format::ALL.into_iter().map(|format| (format, Transport::Tcp));
        let forms = forms.chain([(Format::Json, Transport::Kafka(kafka))]);
        for (format, transport) in forms.filter(|(format, _)| *format != Format::Huawei) {
            let classes = vec![Class::Im, Class::Session];
            let records = classes.iter().map(|class| (*class, format)).collect();
            let mut host = HostConfig::new("nms", target.clone(), transport, records);
            host.text.sequence_id = false;
            let writer = || Writer::new(&host, format, classes.clone());
            let (mut keeper, mut sender, mut direct) = (writer(), writer(), writer());
            let payloads: Vec<_> = all.iter().map(|record| Matter::Payload(keeper.payload(record))).collect();
            assert!(payloads.iter().all(|payload| payload.name() == (all[0].boot, all[0].sequence)));
            let records = all.iter().map(|record| Matter::Record(Arc::new(record.clone()))).collect();
            let sent = |writer: &mut Writer, matter| {
                let mut outbox = Outbox::new(Writer::frame(&host, format));
                writer.fill(&mut Encoded(matter), &mut outbox, Instant::now(), true);
                let mut stream = outbox.stream().to_vec();
                // The time of export is that of sending.
                stream.chunks_mut(1).skip(4).take(4).for_each(|octet| octet[0] = 0);
                (stream, outbox.advance(outbox.len()))
            };
            let (kept, made) = (sent(&mut sender, payloads), sent(&mut direct, records));
            assert_eq!(kept.1, 3);
            if format.is_text() {
                assert_eq!(String::from_utf8_lossy(&kept.0), String::from_utf8_lossy(&made.0));
            } else {
                assert_eq!(kept.0.len(), made.0.len());
            }
        }
    }

    #[test]
    fn statistics_are_sent_in_their_time_and_at_the_end() {
        let target = Target::Address(([127, 0, 0, 1], 4739).into());
        let mut host = HostConfig::new("nms", target, Transport::Tcp, vec![(Class::Im, Format::Binary)]);
        let interval = Duration::from_secs(10);
        host.binary.statistics = Some(interval);
        let mut writer = Writer::new(&host, Format::Binary, vec![Class::Im]);
        let (now, mut outbox) = (Instant::now(), Outbox::new(Frame::Bare));
        // The number of the first set of the last message.
        let mut fill = |after: Duration, flush| {
            writer.fill(&mut Encoded(Vec::new()), &mut outbox, now + after, flush);
            let stream = outbox.stream();
            let (mut at, mut last) = (0, None);
            while at < stream.len() {
                last = Some(u16::from_be_bytes([stream[at + 16], stream[at + 17]]));
                at += usize::from(u16::from_be_bytes([stream[at + 2], stream[at + 3]]));
            }
            outbox.advance(outbox.len());
            last
        };
        assert_eq!(fill(Duration::ZERO, false), None);
        assert_eq!(fill(interval / 2, false), None);
        assert_eq!(fill(interval, false), Some(257));
        assert_eq!(fill(interval * 3 / 2, false), None);
        assert_eq!(fill(interval * 3 / 2, true), Some(257));
        assert_eq!(fill(interval * 3 / 2, true), None, "once is the end");
    }

    /// The statement counts the messages before it that were written, on this connection and on those that broke.
    #[test]
    fn statistics_count_what_left() {
        let (now, interval) = (Instant::now(), Duration::from_secs(10));
        for transport in [Transport::Tcp, Transport::Udp] {
            let (_, mut backlog, mut outbox) = writer(transport.clone());
            let target = Target::Address(([127, 0, 0, 1], 4739).into());
            let mut host = HostConfig::new("nms", target, transport, vec![(Class::Im, Format::Binary)]);
            host.binary.statistics = Some(interval);
            let mut writer = Writer::new(&host, Format::Binary, vec![Class::Im]);
            let mut left: Vec<Vec<u8>> = Vec::new();
            for round in 0..3 {
                backlog.push(&Arc::new(sample::login("10001")));
                // Its message is closed in its time.
                writer.fill(&mut backlog, &mut outbox, now, false);
                writer.fill(&mut backlog, &mut outbox, now + FLUSH, false);
                while outbox.len() > 0 {
                    let message = outbox.datagram().to_vec();
                    // The connection breaks over the last message of the first two rounds.
                    if round < 2 && message.len() == outbox.len() {
                        outbox.advance(message.len() / 2);
                        break;
                    }
                    outbox.advance(message.len());
                    left.push(message);
                }
                if round < 2 {
                    writer.broke(outbox.clear());
                }
            }
            backlog.push(&Arc::new(sample::login("10002")));
            writer.fill(&mut backlog, &mut outbox, now + interval, false);
            // What was encoded before the statement stands before it.
            let mut statement = Vec::new();
            while outbox.len() > 0 {
                left.append(&mut statement);
                statement.push(outbox.datagram().to_vec());
                outbox.advance(statement[0].len());
            }
            let number = |at: usize| u64::from_be_bytes(statement[0][at..at + 8].try_into().unwrap());
            assert_eq!(statement[0][16..18], 257_u16.to_be_bytes());
            let octets: usize = left.iter().map(Vec::len).sum();
            assert_eq!((number(24), number(40)), (left.len() as u64, octets as u64));
            assert_eq!(number(32), left.iter().map(|message| data_records(message)).sum::<u64>());
        }
    }

    /// Data records of a message of ours that has templates, type information, sign-ons or statements.
    fn data_records(message: &[u8]) -> u64 {
        let word = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
        let (mut at, mut records) = (16, 0);
        while at < message.len() {
            let end = at + word(at + 2);
            let mut record = at + 4;
            while word(at) >= 256 && record < end {
                records += 1;
                record = match word(at) {
                    // Fixed fields, then two texts.
                    256 => (0..2).fold(record + 26, |text, _| text + 1 + usize::from(message[text])),
                    // Each is in a set of its own.
                    _ => end,
                };
            }
            at = end;
        }
        records
    }
}
