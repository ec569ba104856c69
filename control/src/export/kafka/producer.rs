//! The thread's side: a producer of librdkafka, which answers once all in-sync replicas have a message (`acks=all`), and
//! writes no message twice while it lives (`enable.idempotence`). What the cluster does not take for a while it tries again
//! by itself; what ends it is told, and everything that was not answered is given to the next.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream as Pair;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::super::outbox::TRANSACTIONS;
use super::super::{HostConfig, KafkaTarget, TlsPolicy, tls};
use super::{FIRST_MESSAGE, tag};
use crate::record::BootId;

/// How long the producer is asked for news at a time; as long, an answer may wait for company.
const POLL: Duration = Duration::from_millis(20);

/// Octets of answers that wait for company, at most.
const ANSWERS: usize = 4 * 1_024;

/// How long one question for the topic may take, and the pause behind one that was answered badly.
const ASK: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);

/// How long to wait where the producer's own queue is full.
const FULL: Duration = Duration::from_millis(2);

/// What was said is said again after so long, and no more than so much in that time.
const AGAIN: Duration = Duration::from_secs(60);
const BROKERS: usize = 32;

/// Octets of words, at most.
const WORDS: usize = 400;

/// What a thread is for.
pub(super) struct Order {
    config: ClientConfig,
    topic: String,
    tls: Option<TlsPolicy>,
}

impl Order {
    /// For a host.
    pub(super) fn new(host: &HostConfig, target: &KafkaTarget) -> Self {
        let millis = |time: Duration| time.as_millis().to_string();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &*target.brokers)
            .set("client.id", "ostiary")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // When to give up is the channel's to say.
            .set("message.timeout.ms", "0")
            .set("linger.ms", millis(target.linger))
            // The window is full before it is.
            .set("queue.buffering.max.messages", (host.window.frames + 1).to_string())
            .set("queue.buffering.max.kbytes", (host.window.octets / 512 + 1_024).to_string())
            // As Java's clients do, so that what others write by the same key is in the same partition.
            .set("partitioner", "murmur2_random")
            .set("reconnect.backoff.ms", millis(host.backoff.0))
            .set("reconnect.backoff.max.ms", millis(host.backoff.1))
            .set("socket.keepalive.enable", "true")
            .set("log.connection.close", "false")
            // Nothing is told to the brokers that the operator did not ask for.
            .set("enable.metrics.push", "false")
            .set_log_level(RDKafkaLogLevel::Warning);
        if let Some(policy) = &target.tls {
            secure(&mut config, policy);
        }
        Self { config, topic: target.topic.to_string(), tls: target.tls.clone() }
    }
}

/// The cluster's certificates are verified, and are for the names that it goes by.
fn secure(config: &mut ClientConfig, policy: &TlsPolicy) {
    let mut path = |key: &str, path: &std::path::Path| {
        config.set(key, path.to_string_lossy());
    };
    path("ssl.ca.location", &policy.ca);
    if let Some((certificate, key)) = &policy.client {
        path("ssl.certificate.location", certificate);
        path("ssl.key.location", key);
    }
    config
        .set("security.protocol", "ssl")
        .set("enable.ssl.certificate.verification", "true")
        .set("ssl.endpoint.identification.algorithm", "https");
}

/// Serves the loop until it closes, or the producer ends.
pub(super) fn run(order: Order, from: Pair, ended: Arc<AtomicBool>) {
    let Ok(to) = from.try_clone() else { return };
    let teller = Arc::new(Teller { to: Mutex::new((to, Vec::new())), ended: Arc::clone(&ended) });
    // Of files that it cannot use, librdkafka has nothing to say that helps.
    if let Some(Err(trouble)) = order.tls.as_ref().map(tls::config) {
        return teller.fault(&trouble.to_string());
    }
    let context = Context { teller: Arc::clone(&teller), said: Mutex::new(Vec::new()) };
    let producer: Arc<Producer> = match order.config.create_with_context(context) {
        Ok(producer) => Arc::new(producer),
        Err(error) => return teller.fault(&words(&error)),
    };
    let polling = {
        let (producer, teller, ended) = (Arc::clone(&producer), Arc::clone(&teller), Arc::clone(&ended));
        let poll = move || {
            while !ended.load(Ordering::Acquire) {
                producer.poll(POLL);
                teller.flush();
            }
        };
        thread::Builder::new().name("log-kafka-poll".to_owned()).spawn(poll)
    };
    let polling = match polling {
        Ok(polling) => polling,
        Err(error) => return teller.fault(&format!("cannot start a thread: {error}")),
    };
    if await_topic(&producer, &order.topic, &teller) {
        serve(&producer, &order.topic, from, &teller);
    }
    ended.store(true, Ordering::Release);
    // One that panicked answers no more either.
    drop(polling.join());
    // What is not answered is given up here: it is the channel's again. The sockets close behind it, which says so.
    drop(producer);
}

type Producer = BaseProducer<Context>;

/// Asks for the topic until the cluster has it; whether it does, or it is over.
fn await_topic(producer: &Producer, topic: &str, teller: &Teller) -> bool {
    let mut told = String::new();
    while !teller.has_ended() {
        let problem = match ask(producer.client(), topic) {
            Ok(()) => {
                teller.tell(&[tag::UP]);
                return true;
            }
            Err(problem) => problem,
        };
        if let Some(problem) = problem.filter(|problem| *problem != told) {
            teller.words(tag::WORDS, &problem);
            told = problem;
        }
        thread::sleep(PAUSE);
    }
    false
}

/// Whether the cluster has the topic; else what it says of it, if it says anything.
fn ask(client: &Client<Context>, topic: &str) -> Result<(), Option<String>> {
    // Why no broker answers comes with the producer's news.
    let metadata = client.fetch_metadata(Some(topic), ASK).map_err(|_| None)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let error = found.and_then(|found| found.error()).map(RDKafkaErrorCode::from);
    match (found, error) {
        (Some(found), None) if !found.partitions().is_empty() => Ok(()),
        (_, Some(error)) => Err(Some(format!("topic {topic}: {error}"))),
        (_, None) => Err(Some(format!("the cluster has no topic {topic}"))),
    }
}

/// Gives the producer what the loop hands over.
fn serve(producer: &Producer, topic: &str, mut from: Pair, teller: &Teller) {
    let (mut buffer, mut filled, mut number) = (vec![0; 256 * 1_024], 0, FIRST_MESSAGE);
    loop {
        // Messages are shorter than half of this: there is always room.
        match from.read(&mut buffer[filled..]) {
            Ok(0) => return,
            Ok(octets) => filled += octets,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return teller.fault(&error.to_string()),
        }
        let mut rest = &buffer[..filled];
        while let Some((message, behind)) = Message::first(rest) {
            if let Err(problem) = hand_over(producer, topic, &message, number, teller) {
                return teller.fault(&problem);
            }
            number = number % TRANSACTIONS + 1;
            rest = behind;
        }
        let taken = filled - rest.len();
        buffer.copy_within(taken..filled, 0);
        filled -= taken;
    }
}

/// Gives the producer one message, whenever it has room.
fn hand_over(
    producer: &Producer,
    topic: &str,
    message: &Message<'_>,
    number: u32,
    teller: &Teller,
) -> Result<(), String> {
    let (boot, sequence) = (message.boot.to_string(), message.sequence.to_string());
    let headers = OwnedHeaders::new_with_capacity(2)
        .insert(Header { key: "boot", value: Some(&boot) })
        .insert(Header { key: "seq", value: Some(&sequence) });
    let mut record = BaseRecord::with_opaque_to(topic, number as usize).payload(message.value).headers(headers);
    record.key = (!message.key.is_empty()).then_some(message.key);
    loop {
        let (error, back) = match producer.send(record) {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        match error.rdkafka_error_code() {
            _ if teller.has_ended() => return Ok(()),
            Some(RDKafkaErrorCode::QueueFull) => thread::sleep(FULL),
            Some(code) if is_of_the_message(code) => {
                teller.answer(tag::REFUSED, number as usize);
                return Ok(());
            }
            _ => return Err(words(&error)),
        }
        record = back;
    }
}

/// Whether another attempt, or another message, may have another outcome.
fn is_of_the_message(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidTimestamp
    )
}

fn words(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientCreation(why) => why.clone(),
        KafkaError::ClientConfig(_, why, key, _) => format!("{key}: {why}"),
        other => other.rdkafka_error_code().map_or_else(|| other.to_string(), |code| code.to_string()),
    }
}

/// A message as the loop hands it over.
#[derive(Debug, PartialEq, Eq)]
struct Message<'a> {
    boot: BootId,
    sequence: u64,
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Message<'a> {
    /// The first, where all of it is there, and what is behind it.
    fn first(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (length, rest) = octets.split_first_chunk()?;
        let (message, behind) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let (boot, rest) = message.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let (key, value) = rest.split_at_checked(usize::from(*length))?;
        let (boot, sequence) = (BootId(u64::from_be_bytes(*boot)), u64::from_be_bytes(*sequence));
        Some((Self { boot, sequence, key, value }, behind))
    }
}

/// Tells the loop.
struct Teller {
    to: Mutex<(Pair, Vec<u8>)>,
    ended: Arc<AtomicBool>,
}

impl Teller {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Keeps an answer until some more are there, or [`Self::flush`].
    fn answer(&self, kind: u8, number: usize) {
        let [a, b, c, d] = (number as u32).to_be_bytes();
        let is_full = {
            let waiting = &mut self.to.lock().unwrap_or_else(PoisonError::into_inner).1;
            waiting.extend_from_slice(&[kind, a, b, c, d]);
            waiting.len() >= ANSWERS
        };
        if is_full {
            self.flush();
        }
    }

    fn flush(&self) {
        self.tell(&[]);
    }

    fn words(&self, kind: u8, words: &str) {
        let words = crate::record::beginning(words, WORDS);
        let mut octets = vec![kind];
        octets.extend_from_slice(&(words.len() as u16).to_be_bytes());
        octets.extend_from_slice(words.as_bytes());
        self.tell(&octets);
    }

    /// Says what ends it.
    fn fault(&self, words: &str) {
        self.words(tag::FAULT, words);
        self.ended.store(true, Ordering::Release);
        let to = &self.to.lock().unwrap_or_else(PoisonError::into_inner).0;
        // The thread may wait for what the loop has to say.
        let _ = to.shutdown(std::net::Shutdown::Read);
    }

    /// Behind everything that waits.
    fn tell(&self, octets: &[u8]) {
        let (to, waiting) = &mut *self.to.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend_from_slice(octets);
        // The loop is gone where it cannot be told: so is whoever would ask.
        let _ = to.write_all(waiting);
        waiting.clear();
    }
}

/// What librdkafka calls, from [`BaseProducer::poll`] only: its log goes through the same queue.
struct Context {
    teller: Arc<Teller>,
    /// What was said of late, and when.
    said: Mutex<Vec<(String, Instant)>>,
}

impl Context {
    fn say(&self, words: &str) {
        // How long it took is another number each time.
        let words = words.split_once(" (after ").map_or(words, |(words, _)| words);
        let now = Instant::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|(_, when)| now.saturating_duration_since(*when) < AGAIN);
        if said.len() < BROKERS && said.iter().all(|(before, _)| before != words) {
            self.teller.words(tag::WORDS, words);
            said.push((words.to_owned(), now));
        }
    }
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        // What fails comes as an error too.
        if facility != "FAIL" {
            self.say(&format!("librdkafka: {facility}: {line}"));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Fatal) => self.teller.fault(reason),
            // Which broker has what trouble is said apart.
            Some(RDKafkaErrorCode::AllBrokersDown) => {}
            _ => self.say(reason),
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        match result {
            Ok(_) => self.teller.answer(tag::TAKEN, number),
            Err((error, message)) => match error.rdkafka_error_code() {
                Some(code) if is_of_the_message(code) => self.teller.answer(tag::REFUSED, number),
                // It is given up: there is nobody to tell.
                _ if self.teller.has_ended() => {}
                _ => self.teller.fault(&format!("topic {}: {}", message.topic(), words(error))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_understood_when_all_of_it_is_there() {
        let octets =
            [&[0, 0, 0, 22][..], &[0, 0, 0, 0, 0, 0, 0xb0, 0x07], &[0, 0, 0, 0, 0, 0, 0, 9], b"\x02meTAG", b"x"];
        let octets = octets.concat();
        let message = Message { boot: BootId(0xb007), sequence: 9, key: b"me", value: b"TAG" };
        assert_eq!(Message::first(&octets), Some((message, &b"x"[..])));
        assert!((0..octets.len() - 1).all(|length| Message::first(&octets[..length]).is_none()));
    }
}
