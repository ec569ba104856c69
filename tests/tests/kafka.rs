//! A running firewall and a Kafka cluster that is not there at first: records go to disk, outlive a kill, and arrive.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::stories;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

const PARTITIONS: i32 = 3;

/// A firewall that plays a day of sign-ons at each start.
fn policy(folder: &Path, brokers: &str) -> (Policy, usize) {
    let mut story = catalogue::find("wechat_legacy_day").unwrap().tell(3);
    story.compress(Duration::from_millis(1));
    let capture = stories::write(&story, Layout::PLAIN, folder, "story.pcap");
    let nothing = Story { begins: 0, frames: Vec::new(), expected: Default::default() };
    let empty = stories::write(&nothing, Layout::PLAIN, folder, "empty.pcap");
    let device = |number, from: &Path| {
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", from.display(), folder.join(format!("out{number}")).display())
    };
    let mut policy = Policy::new(device(0, &capture), device(1, &empty))
        .rule("all", "action = \"permit\"\nsession-logging = true\n");
    let brokers: Vec<String> = brokers.split(',').map(|broker| format!("\"{broker}\"")).collect();
    policy.full = true;
    policy.system = format!("state-directory = \"{}\"\n", folder.join("state").display());
    policy.rest += &format!(
        "[log.spool]\nenable = true\n[[log-host]]\nname = \"lake\"\ntransport = \"kafka\"\nbrokers = [{}]\ntopic = \"log\"\n\
         format = \"json\"\nstall = \"300 ms\"\nretry-first = \"50 ms\"\nretry-longest = \"200 ms\"\n",
        brokers.join(", ")
    );
    (policy, story.frames.len())
}

fn row(firewall: &Firewall) -> Value {
    firewall.show("log-hosts").into_iter().find(|row| row["name"] == "lake").unwrap()
}

/// The objects in the topic, with their partitions and keys.
fn read(servers: &str) -> Vec<(i32, Vec<u8>, Value)> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("group.id", "reader").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut all = TopicPartitionList::new();
    (0..PARTITIONS).for_each(|number| all.add_partition_offset("log", number, Offset::Beginning).unwrap());
    consumer.assign(&all).unwrap();
    let (mut got, mut ends, start) = (Vec::new(), 0, Instant::now());
    while ends < PARTITIONS {
        assert!(start.elapsed() < Duration::from_secs(60), "the topic cannot be read");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let key = message.key().unwrap_or_default().to_vec();
                got.push((message.partition(), key, serde_json::from_slice(message.payload().unwrap()).unwrap()));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            Some(Err(_)) | None => {}
        }
    }
    got
}

#[test]
fn what_a_cluster_could_not_take_outlives_a_kill_and_arrives_with_its_key() {
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic("log", PARTITIONS, 2).unwrap();
    let servers = cluster.bootstrap_servers();
    cluster.broker_down(-1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (policy, frames) = policy(folder.path(), &servers);
    let firewall = Firewall::start(folder.path(), &policy);
    let seen_all = |firewall: &Firewall| {
        wait_for("the firewall to see every frame", || {
            (firewall.counter("packets_received") == frames as u64).then_some(())
        });
    };
    seen_all(&firewall);
    let waiting = wait_for("the records to be on disk", || {
        let row = row(&firewall);
        (row["queued"] == 0 && row["spooled"].as_u64() > Some(0)).then_some(row)
    });
    assert_eq!((&waiting["transport"], &waiting["acknowledged"]), (&Value::from("kafka"), &Value::from(0)));
    assert_eq!(waiting["target"], format!("{servers}/log"));
    assert!(["connecting", "waiting"].contains(&waiting["state"].as_str().unwrap()), "{waiting}");
    firewall.kill();

    let firewall = Firewall::start_again(folder.path());
    seen_all(&firewall);
    cluster.broker_up(-1).unwrap();
    let done = wait_for("the cluster to have everything", || {
        let row = row(&firewall);
        (row["queued"] == 0 && row["spooled"] == 0 && row["state"] == "up").then_some(row)
    });
    assert_eq!(done["dropped"], 0, "{done}");
    for row in firewall.show("log statistics").iter().filter(|row| row["host"] == "lake") {
        let of = |key: &str| row[key].as_u64().unwrap();
        let dropped: u64 = row["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        let kept = of("acknowledged") + dropped + of("queued") + of("spooled") + of("handed-over");
        assert_eq!(of("records") + of("recovered"), kept, "{row}");
    }
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");

    let (mut numbers, mut places) = (BTreeMap::<String, BTreeSet<u64>>::new(), BTreeMap::new());
    for (partition, key, record) in read(&servers) {
        assert_ne!(record["event"], "log-loss", "{record}");
        assert!(!key.is_empty(), "{record}");
        if let Some(account) = record["account"].as_str() {
            assert_eq!(key, account.as_bytes(), "{record}");
        }
        assert_eq!(*places.entry(key).or_insert(partition), partition, "{record}");
        let boot = record["boot"].as_str().unwrap().to_owned();
        numbers.entry(boot).or_default().insert(record["seq"].as_u64().unwrap());
    }
    assert_eq!(numbers.len(), 2, "two runs");
    for numbers in numbers.values() {
        assert_eq!(*numbers, (1..=numbers.len() as u64).collect::<BTreeSet<u64>>(), "no gap");
    }
}
