//! Faults of `[[log-host]]` with `transport = "kafka"`.

use super::*;
#[cfg(feature = "kafka")]
use crate::export::{Format, Target, Transport};

const LAKE: &str = "[[log-host]]\nname = \"lake\"\ntransport = \"kafka\"\nbrokers = [\"kafka1:9092\", \"[2001:db8::1]:9092\"]\ntopic = \"log\"\nformat = \"json\"\n";

#[cfg(feature = "kafka")]
/// That the first fault of what is written behind a whole host is of that line and key.
fn refused_key(lines: &str, line: usize, key: &str, expected: &str) {
    refused(&format!("{LAKE}{lines}"), line, &format!("log-host[lake].{key}"), expected, "");
}

#[cfg(not(feature = "kafka"))]
#[test]
fn a_build_without_kafka_says_so() {
    refused(LAKE, 3, "log-host[lake].transport", "this build has no Kafka", "the feature \"kafka\"");
}

#[cfg(feature = "kafka")]
#[test]
fn a_cluster_has_brokers_and_a_topic() {
    let host = compiled(LAKE).hosts[0].clone();
    assert_eq!((host.target, host.records[0].1, host.window.frames), (Target::None, Format::Json, 16_384));
    let Transport::Kafka(target) = host.transport else { panic!("Kafka") };
    assert_eq!((&*target.brokers, &*target.topic), ("kafka1:9092,[2001:db8::1]:9092", "log"));
    assert!(target.tls.is_none());
    assert_eq!(compiled(&format!("{LAKE}window = 64\n")).hosts[0].window.frames, 64);

    let without = |key: &str| {
        let line = LAKE.lines().find(|line| line.starts_with(key)).expect("a line");
        LAKE.replace(&format!("{line}\n"), "")
    };
    refused(&without("brokers"), 1, "log-host[lake].brokers", "some brokers", "add brokers");
    refused(&without("topic"), 1, "log-host[lake].topic", "the topic", "add topic");
    refused(&without("format"), 1, "log-host[lake].format", "a text format", "json");
    refused(&LAKE.replace("json", "binary"), 6, "log-host[lake].format", "a text format", "json");
}

#[cfg(feature = "kafka")]
#[test]
fn what_kafka_has_no_use_for_is_refused() {
    refused_key("address = \"192.0.2.9\"\n", 7, "address", "no address");
    refused_key("port = 9092\n", 7, "port", "no address");
    refused_key("framing = \"lf\"\n", 7, "framing", "only for syslog over tcp or tls");
    refused_key("resend-age = \"1 min\"\n", 7, "resend-age", "only with tcp or tls");
    refused_key("source-address = \"192.0.2.1\"\n", 7, "source-address", "not with kafka");
    refused_key("sasl = \"plain\"\n", 7, "sasl", "not implemented");
}

#[cfg(feature = "kafka")]
#[test]
fn brokers_under_tls_are_known_by_their_names() {
    let secured = |keys: &str| {
        format!("{LAKE}ssl-policy = \"p\"\n[ssl-policy.p]\nca = \"/x\"\ncertificate = \"/c\"\nkey = \"/k\"\n{keys}")
    };
    // The files are looked at where it is to run.
    let load = |keys: &str| load_text(&format!("{BASE}{}", secured(keys)), Purpose::Replay);
    let compiled = load("").expect("it is whole").0;
    let Transport::Kafka(target) = compiled.hosts[0].transport.clone() else { panic!("Kafka") };
    let policy = target.tls.expect("TLS");
    assert_eq!((policy.ca, policy.client), ("/x".into(), Some(("/c".into(), "/k".into()))));
    let expected = "a policy of ca, certificate and key only";
    for keys in ["server-name = \"kafka\"\n", "crl = [\"/l\"]\n", "min-version = \"1.3\"\n", "max-version = \"1.2\"\n"]
    {
        let faults = load(keys).expect_err("a fault");
        let found = (faults.len(), faults[0].place.key.as_str(), faults[0].expected.contains(expected));
        assert_eq!(found, (1, "log-host[lake].ssl-policy", true), "{}", faults[0]);
    }
}
