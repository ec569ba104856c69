//! Kafka towards the mock cluster of librdkafka, whose brokers are real sockets: that go down, that refuse, that forget.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use control::export::{Cause, Format, HostConfig, HostState, KafkaTarget, Patience, Target, TlsPolicy, Transport};
use control::record::Class;
use export_lab::{Pki, Rig, TlsFront, close, flow_v4, host, login, loopback};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

const TOPIC: &str = "log";
const PARTITIONS: i32 = 4;

/// A cluster with the topic, three brokers of it unless told otherwise.
struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
}

/// A message as a consumer gets it.
#[derive(Debug)]
struct Got {
    partition: i32,
    key: Vec<u8>,
    /// Headers.
    boot: String,
    sequence: u64,
    value: String,
}

impl Cluster {
    fn new() -> Self {
        Self::of(3)
    }

    fn of(brokers: i32) -> Self {
        let mock = MockCluster::new(brokers).unwrap();
        mock.create_topic(TOPIC, PARTITIONS, brokers).unwrap();
        Self { mock }
    }

    fn host(&self) -> HostConfig {
        Self::host_at(&self.mock.bootstrap_servers(), None)
    }

    fn host_at(brokers: &str, tls: Option<TlsPolicy>) -> HostConfig {
        let linger = Duration::from_millis(5);
        let kafka = Transport::Kafka(KafkaTarget { brokers: brokers.into(), topic: TOPIC.into(), tls, linger });
        // What `host` makes of an address has no meaning here, but for the window of the transport.
        HostConfig { target: Target::None, ..host("lake", loopback(1), kafka, Format::Json) }
    }

    fn down(&self) {
        self.mock.broker_down(-1).unwrap();
    }

    fn up(&self) {
        self.mock.broker_up(-1).unwrap();
    }

    /// The next answers to messages are these errors.
    fn refuse(&self, errors: &[RDKafkaRespErr]) {
        self.mock.request_errors(RDKafkaApiKey::Produce, errors);
    }

    /// Everything in the topic, once all of `wanted` is there.
    fn read(&self, wanted: RangeInclusive<u64>) -> Vec<Got> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.mock.bootstrap_servers())
            .set("group.id", "reader")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        (0..PARTITIONS).for_each(|number| all.add_partition_offset(TOPIC, number, Offset::Beginning).unwrap());
        consumer.assign(&all).unwrap();
        let (mut got, mut ends, start) = (Vec::new(), 0, Instant::now());
        // All partitions are read to their ends.
        while ends < PARTITIONS {
            assert!(start.elapsed() < Duration::from_secs(60), "{} of {wanted:?}", got.len());
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let headers = message.headers().unwrap();
                    let header = |at: usize, name: &str| {
                        let header = headers.get(at);
                        assert_eq!(header.key, name);
                        String::from_utf8(header.value.unwrap().to_vec()).unwrap()
                    };
                    got.push(Got {
                        partition: message.partition(),
                        key: message.key().unwrap_or_default().to_vec(),
                        boot: header(0, "boot"),
                        sequence: header(1, "seq").parse().unwrap(),
                        value: String::from_utf8(message.payload().unwrap().to_vec()).unwrap(),
                    });
                }
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ends += 1,
                Some(Err(error)) => println!("reading: {error}"),
                None => {}
            }
        }
        got
    }

    /// That nothing is missing, and that what is there twice is the same: how many are.
    fn has(&self, wanted: RangeInclusive<u64>) -> usize {
        let got = self.read(wanted.clone());
        let mut values = BTreeMap::new();
        for message in got.iter().filter(|message| !message.value.contains("\"event\":\"log-loss\"")) {
            let name = (message.boot.clone(), message.sequence);
            assert_eq!(values.entry(name).or_insert(&message.value), &&message.value);
        }
        let sequences: BTreeSet<u64> = values.keys().map(|(_, sequence)| *sequence).collect();
        assert_eq!(sequences, wanted.collect::<BTreeSet<u64>>());
        got.len() - values.len()
    }
}

fn push(rig: &mut Rig, sequences: RangeInclusive<u64>) {
    sequences.for_each(|sequence| rig.push(&login(sequence, &format!("account{}", sequence % 40))));
}

fn patience() -> Patience {
    Patience { stall: Duration::from_millis(300), setup: Duration::from_secs(2), ..Patience::default() }
}

#[test]
fn everything_arrives_once_and_what_is_of_one_user_in_order() {
    let cluster = Cluster::new();
    let mut rig = Rig::new(vec![cluster.host()]);
    push(&mut rig, 1..=5_000);
    // A session of nobody who is known.
    rig.push(&close(5_001, flow_v4()));
    rig.until_sent("lake");
    let counts = rig.counts("lake", Class::Im);
    assert_eq!((counts.acknowledged, counts.resent, counts.unacknowledged), (5_000, 0, 0));
    assert_eq!(rig.noticed("lake", "writing to topic log of 127.0.0.1:"), 1, "{:?}", rig.notices);
    let status = rig.status("lake");
    assert_eq!((status.state, status.last_error, status.reconnects), (HostState::Up, None, 0));
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(20)).is_empty());
    assert_eq!(rig.status("lake").state, HostState::Stopped);

    let got = cluster.read(1..=5_001);
    assert_eq!(got.len(), 5_001);
    let mut places: BTreeMap<&[u8], (i32, u64)> = BTreeMap::new();
    for message in &got {
        let (partition, last) = places.entry(&message.key).or_insert((message.partition, 0));
        assert_eq!(*partition, message.partition, "{message:?}");
        assert!(*last < message.sequence, "{message:?}");
        *last = message.sequence;
        assert!(message.value.starts_with("{\"schema\":3,\"host\":\"fw1\","), "{message:?}");
        assert!(message.value.contains(&format!("\"boot\":\"{}\",\"seq\":{},", message.boot, message.sequence)));
    }
    assert_eq!(places.len(), 41);
    assert_eq!(places.values().map(|(partition, _)| partition).collect::<BTreeSet<_>>().len(), 4);
    assert!(places.contains_key(&b"10.1.2.3"[..]), "{:?}", places.keys());
}

#[test]
fn text_and_cef_are_values_too() {
    for (format, begin) in [(Format::Syslog, "<134>1 2026-"), (Format::Cef, "<134>Mar  1 "), (Format::Rfc3164, "<134>")]
    {
        let cluster = Cluster::new();
        let host = cluster.host();
        let records = vec![(Class::Im, format)];
        let mut rig = Rig::new(vec![HostConfig { records, ..host }]);
        push(&mut rig, 1..=1);
        rig.until_sent("lake");
        let got = cluster.read(1..=1);
        assert!(got[0].value.starts_with(begin), "{got:?}");
        assert_eq!(got[0].key, b"account1");
    }
}

#[test]
fn a_cluster_that_is_not_there_at_the_start_is_no_reason_not_to() {
    let cluster = Cluster::new();
    cluster.down();
    let mut rig = Rig::new(vec![HostConfig { patience: patience(), ..cluster.host() }]);
    push(&mut rig, 1..=100);
    rig.until("an attempt to be over", |rig| rig.noticed("lake", "the cluster cannot be used within 2 s") > 0);
    assert!(rig.noticed("lake", "Connection refused") > 0, "{:?}", rig.notices);
    assert!(rig.status("lake").last_error.is_some());
    assert_eq!(rig.counts("lake", Class::Im).queued, 100);
    cluster.up();
    rig.until_sent("lake");
    assert_eq!(cluster.has(1..=100), 0);
}

#[test]
fn a_cluster_that_goes_and_comes_thrice_has_everything_in_the_end() {
    let cluster = Cluster::new();
    let mut rig = Rig::new(vec![HostConfig { patience: patience(), ..cluster.host() }]);
    let mut last = 0;
    for _ in 1..=3 {
        push(&mut rig, last + 1..=last + 1_000);
        // In mid-stream, perhaps.
        rig.until("some to be there", |rig| rig.counts("lake", Class::Im).acknowledged > last);
        cluster.down();
        push(&mut rig, last + 1_001..=last + 2_000);
        rig.until("the host to be stalled", |rig| rig.status("lake").state == HostState::Stalled);
        last += 2_000;
        cluster.up();
        rig.until_sent("lake");
        assert_eq!(rig.counts("lake", Class::Im).acknowledged, last);
    }
    assert_eq!(rig.status("lake").reconnects, 0, "the producer connects again by itself");
    cluster.has(1..=6_000);
}

#[test]
fn what_is_not_answered_in_time_is_given_to_another_producer() {
    let cluster = Cluster::new();
    let patience = Patience { answer: Duration::from_millis(1_500), ..patience() };
    let mut rig = Rig::new(vec![HostConfig { patience, ..cluster.host() }]);
    push(&mut rig, 1..=10);
    rig.until_sent("lake");
    cluster.down();
    push(&mut rig, 11..=500);
    rig.until("the connection to be given up", |rig| rig.noticed("lake", "took nothing for 1 s") > 0);
    cluster.up();
    rig.until_sent("lake");
    assert!(rig.status("lake").reconnects >= 1);
    cluster.has(1..=500);
}

#[test]
fn brokers_that_refuse_for_a_while_lose_nothing() {
    use RDKafkaRespErr::*;
    let cluster = Cluster::new();
    let mut rig = Rig::new(vec![cluster.host()]);
    let passing = [
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    cluster.refuse(&passing);
    push(&mut rig, 1..=1_000);
    rig.until_sent("lake");
    assert_eq!(rig.counts("lake", Class::Im).acknowledged, 1_000);
    assert_eq!(rig.status("lake").reconnects, 0);
    cluster.has(1..=1_000);
}

#[test]
fn brokers_that_refuse_the_producer_are_told_of_and_tried_again() {
    let cluster = Cluster::new();
    let mut rig = Rig::new(vec![cluster.host()]);
    cluster.refuse(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 2]);
    push(&mut rig, 1..=1_000);
    rig.until_sent("lake");
    assert!(rig.noticed("lake", "topic log: ") > 0, "{:?}", rig.notices);
    assert!(rig.noticed("lake", "Topic authorization failed") > 0, "{:?}", rig.notices);
    let counts = rig.counts("lake", Class::Im);
    assert_eq!((counts.acknowledged, counts.refused, counts.dropped()), (1_000, 0, 0));
    assert!(rig.status("lake").reconnects >= 1);
    cluster.has(1..=1_000);
}

#[test]
fn a_message_that_the_cluster_does_not_take_is_tried_again_and_then_given_up() {
    let cluster = Cluster::new();
    let mut rig = Rig::new(vec![cluster.host()]);
    cluster.refuse(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 2]);
    push(&mut rig, 1..=1);
    rig.until_sent("lake");
    let counts = rig.counts("lake", Class::Im);
    assert_eq!((counts.acknowledged, counts.refused, counts.resent), (1, 2, 2));
    cluster.refuse(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 5]);
    push(&mut rig, 2..=2);
    rig.until("the loss to be said", |rig| rig.counts("lake", Class::Im).losses_said == 1);
    let counts = rig.counts("lake", Class::Im);
    assert_eq!((counts.acknowledged, counts.refused, counts.dropped_by(Cause::Refused)), (1, 7, 1));
    let said: Vec<String> = cluster.read(1..=1).into_iter().map(|message| message.value).collect();
    assert!(
        said.iter().any(|value| value.contains("log-loss") && value.contains("\"reason\":\"refused\"")),
        "{said:?}"
    );
}

#[test]
fn a_topic_that_is_not_there_is_told_of_until_it_is() {
    let cluster = Cluster::new();
    cluster.mock.topic_error(TOPIC, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let mut rig = Rig::new(vec![HostConfig { patience: patience(), ..cluster.host() }]);
    push(&mut rig, 1..=10);
    rig.until("words about the topic", |rig| rig.noticed("lake", "topic log: ") > 0);
    rig.until("an attempt to be over", |rig| {
        rig.noticed("lake", "the cluster cannot be used within 2 s: topic log") > 0
    });
    cluster.mock.topic_error(TOPIC, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    rig.until_sent("lake");
    assert_eq!(cluster.has(1..=10), 0);
}

#[test]
fn a_stop_while_no_broker_is_there_says_exactly_what_did_not_leave() {
    let cluster = Cluster::new();
    let mut rig = Rig::new(vec![HostConfig { patience: patience(), ..cluster.host() }]);
    push(&mut rig, 1..=500);
    rig.until_sent("lake");
    cluster.down();
    push(&mut rig, 501..=800);
    rig.until("the host to be stalled", |rig| rig.status("lake").state == HostState::Stalled);
    let losses = rig.exporters.drain(Instant::now() + Duration::from_millis(500));
    let told: Vec<_> = losses.iter().map(|loss| (loss.class, loss.count, loss.sequences)).collect();
    assert_eq!(told, [(Class::Im, 300, Some((501, 800)))]);
    let counts = rig.counts("lake", Class::Im);
    assert!(counts.holds());
    assert_eq!((counts.acknowledged, counts.dropped_by(Cause::Shutdown), counts.queued), (500, 300, 0));
    assert_eq!(rig.status("lake").state, HostState::Stopped);
}

fn policy(pki: &Pki) -> TlsPolicy {
    TlsPolicy { server_name: None, crl: Vec::new(), ..pki.policy() }
}

#[test]
fn brokers_under_tls_get_everything_from_who_has_a_certificate() {
    let (cluster, pki) = (Cluster::of(1), Pki::new());
    let front = TlsFront::listen(&pki, "server", cluster.mock.bootstrap_servers().parse().unwrap());
    let address = front.address.to_string();
    let mut rig = Rig::new(vec![Cluster::host_at(&address, Some(policy(&pki)))]);
    push(&mut rig, 1..=2_000);
    rig.until_sent("lake");
    assert_eq!(rig.status("lake").reconnects, 0);
    assert_eq!(cluster.has(1..=2_000), 0);
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(20)).is_empty());
}

#[test]
fn brokers_whose_certificate_is_not_good_get_nothing() {
    let (cluster, pki) = (Cluster::of(1), Pki::new());
    let behind = cluster.mock.bootstrap_servers().parse().unwrap();
    let expired = TlsFront::listen(&pki, "expired", behind);
    let good = TlsFront::listen(&pki, "server", behind);
    let stranger = TlsPolicy { ca: pki.path("other-ca.pem"), ..policy(&pki) };
    for (front, policy) in [(&expired, policy(&pki)), (&good, stranger)] {
        let host = Cluster::host_at(&front.address.to_string(), Some(policy));
        let mut rig = Rig::new(vec![HostConfig { patience: patience(), ..host }]);
        push(&mut rig, 1..=10);
        rig.until("an attempt to be over", |rig| rig.noticed("lake", "within 2 s") > 0);
        assert!(rig.noticed("lake", "certificate verify failed") > 0, "{:?}", rig.notices);
        let counts = rig.counts("lake", Class::Im);
        assert_eq!((counts.acknowledged, counts.queued), (0, 10));
    }
    assert!(cluster.read(RangeInclusive::new(1, 0)).is_empty());
}

#[test]
fn a_file_that_is_not_there_is_told_of() {
    let pki = Pki::new();
    let missing = TlsPolicy { ca: pki.path("none.pem"), ..policy(&pki) };
    let mut rig = Rig::new(vec![Cluster::host_at("127.0.0.1:1", Some(missing))]);
    rig.until("words about it", |rig| rig.noticed("lake", "Kafka: ssl-policy lab: ") > 0);
    assert!(rig.noticed("lake", "none.pem") > 0, "{:?}", rig.notices);
}
