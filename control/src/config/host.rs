//! Log hosts and SSL policies: from what is written to what the exporters take.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Located, Notes};
use super::group::quoted;
use super::schema::Source;
use super::schema::log_host::{Address, BinaryKeys, FileKeys, LogHost, TextKeys, TransportKind, default_port};
use super::schema::logging::SslPolicy;
use super::{delivery, effect, near};
use crate::export::{
    BinaryOptions, FileSync, FileTarget, Format, Framing, HostConfig, KafkaTarget, Patience, Target, TextOptions,
    TlsPolicy, TlsVersion, Transport, Via, WindowLimits,
};
use crate::record::{Class, Name};

/// First and longest pause between connection attempts, unless told otherwise.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Resolves all log hosts.
pub(super) fn compile(source: &Source, host_name: &Name, notes: &mut Notes) -> Vec<HostConfig> {
    let policies: BTreeMap<&str, &SslPolicy> =
        source.ssl_policies.iter().map(|policy| (policy.name.value.as_str(), policy)).collect();
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    let mut paths: BTreeMap<&Path, usize> = BTreeMap::new();
    let mut hosts = Vec::new();
    for host in &source.hosts {
        if let Some(name) = &host.name
            && let Some(line) = lines.insert(&name.value, name.place.line)
        {
            let advice = format!("line {line} has it already: rename one of them");
            notes.fault(&name.place, Some(quoted(&name.value)), "a name of its own for each log host", advice);
        }
        if let Some(path) = &host.file.path
            && let Some(line) = paths.insert(&path.value, path.place.line)
        {
            let found = Some(path.value.display().to_string());
            let advice = format!("line {line} has it already: choose another");
            notes.fault(&path.place, found, "a file of its own for each log host", advice);
        }
        let records = records(host, source, notes);
        let transport = transport(host, &policies, notes);
        let format = records.first().map_or(source.log.session.format, |(_, format)| *format);
        effect::refuse(host, format, notes);
        let spool = delivery::spool(host, source, notes);
        let target = match &host.address {
            Some(address) => target(address, host, format),
            None if host.transport.is_network() => continue,
            None => Target::None,
        };
        let name = host.name.as_ref().map_or("", |name| name.value.as_str());
        let defaults = HostConfig::new(name, target, transport, records);
        hosts.push(HostConfig {
            framing: value(&host.framing, Framing::OctetCounting),
            queue: host.queue,
            host_name: host_name.clone(),
            time_zone: source.system.time_zone.clone(),
            connect: value(&host.connect, defaults.connect),
            backoff: retry(host, notes),
            via: Via {
                source: host.way.source.as_ref().map(|source| source.value),
                interface: host.way.interface.as_ref().map(|interface| Name::from(interface.value.as_str())),
                namespace: host.way.namespace.as_ref().map(|namespace| namespace.value.clone()),
                dscp: host.way.dscp.as_ref().map(|dscp| dscp.value),
            },
            patience: Patience { stall: value(&host.stall, defaults.patience.stall), ..defaults.patience },
            window: WindowLimits {
                frames: value(&host.window, defaults.window.frames),
                reserve: host.resend_window.as_ref().map_or(defaults.window.reserve, |size| size.value as usize),
                age: value(&host.resend_age, defaults.window.age),
                ..defaults.window
            },
            spool,
            text: TextOptions { synchronised: source.system.synchronised, ..text(&host.text, defaults.text) },
            binary: BinaryOptions {
                access_version: source.log.access.version.as_ref().map(|version| version.value).unwrap_or_default(),
                ..binary(&host.binary, defaults.binary)
            },
            limits: host.limits.iter().map(|limit| limit.value).collect(),
            ..defaults
        });
    }
    versions(source, &hosts, notes);
    for policy in &source.ssl_policies {
        let used = source.hosts.iter().filter_map(|host| host.ssl_policy.as_ref());
        if !used.into_iter().any(|used| used.value == policy.name.value) {
            notes.warn(&policy.name.place, "no log host uses this policy", "name it in a log host, or remove it");
        }
    }
    hosts
}

/// The value of a key, or its default.
fn value<T: Copy>(key: &Option<Located<T>>, default: T) -> T {
    key.as_ref().map_or(default, |key| key.value)
}

fn target(address: &Located<Address>, host: &LogHost, format: Format) -> Target {
    let port = value(&host.port, default_port(format, host.transport));
    match &address.value {
        Address::Ip(address) => Target::Address(SocketAddr::new(*address, port)),
        Address::Name(name) => Target::Name { name: name.as_str().into(), port },
    }
}

fn text(keys: &TextKeys, defaults: TextOptions) -> TextOptions {
    TextOptions {
        facility: value(&keys.facility, defaults.facility),
        bom: value(&keys.bom, defaults.bom),
        digits: value(&keys.digits, defaults.digits),
        quality: value(&keys.quality, defaults.quality),
        origin: value(&keys.origin, defaults.origin),
        sentence: value(&keys.sentence, defaults.sentence),
        sequence_id: value(&keys.sequence_id, defaults.sequence_id),
        ..defaults
    }
}

fn binary(keys: &BinaryKeys, defaults: BinaryOptions) -> BinaryOptions {
    BinaryOptions {
        observation_domain: value(&keys.observation_domain, defaults.observation_domain),
        message: keys.message.as_ref().map(|size| size.value).or(defaults.message),
        refresh: (value(&keys.refresh, defaults.refresh.0), value(&keys.refresh_messages, defaults.refresh.1)),
        statistics: value(&keys.statistics, defaults.statistics),
        ..defaults
    }
}

/// Binary records of logins and logouts need a version, which has no default: only its operator knows what a collector takes.
fn versions(source: &Source, hosts: &[HostConfig], notes: &mut Notes) {
    let access = &source.log.access;
    let Some(place) = &access.place else { return };
    let takes = |format: Format| hosts.iter().find(|host| host.records.contains(&(Class::Access, format)));
    let binary = takes(Format::Binary);
    if access.enable
        && access.version.is_none()
        && let Some(host) = binary
    {
        let mut place = place.clone();
        place.key.push_str(".version");
        let expected =
            format!("a version from 1 to 4: log host \"{}\" takes binary records of access users", host.name);
        let advice =
            "1: one VLAN and IPv4; 2: stacked VLANs and IPv4; 3 and 4: the same with IPv6; or set type = \"syslog\"";
        notes.fault(&place, None, expected, advice);
    }
    if let Some(version) = &access.version
        && binary.is_none()
        && (Format::ALL.into_iter().any(|format| format.is_text() && takes(format).is_some()))
    {
        let effect = "the version has no effect: it is of binary records, and every log host takes these as text";
        notes.warn(&version.place, effect, "remove it, or set type = \"binary\"");
    }
}

/// The classes and their formats. One host takes one format: no collector reads both on one port.
fn records(host: &LogHost, source: &Source, notes: &mut Notes) -> Vec<(Class, Format)> {
    let own = |class: Class| match class {
        Class::Session | Class::Attack | Class::Audit => source.log.session.format,
        Class::Access => source.log.access.format.unwrap_or(source.log.session.format),
        Class::CallStatus => source.log.call_status.format.unwrap_or(source.log.session.format),
        Class::Im => source.log.im.format.unwrap_or(source.log.session.format),
    };
    let has = |class: &Class| host.format.as_ref().is_none_or(|format| format.value.has(*class));
    let classes: Vec<Class> = if host.records.is_empty() {
        Class::ALL.into_iter().filter(has).collect()
    } else {
        host.records.iter().map(|class| class.value).collect()
    };
    for (index, class) in host.records.iter().enumerate() {
        if classes[..index].contains(&class.value) {
            notes.fault(&class.place, Some("a class named twice".to_owned()), "each class once", "remove one of them");
        }
    }
    for class in host.records.iter().filter(|class| !has(&class.value)) {
        let found = Some(format!("\"{}\" with format = \"huawei\"", class.value.text()));
        let advice = "remove the class, or make another log host for it";
        notes.fault(&class.place, found, "access or call-status: the format has no other records", advice);
    }
    let format = |class: Class| host.format.as_ref().map_or_else(|| own(class), |format| format.value);
    let records: Vec<(Class, Format)> = classes.into_iter().map(|class| (class, format(class))).collect();
    if records.iter().any(|(_, format)| *format != records[0].1) {
        let found = Some("records of different types".to_owned());
        let mut place = host.place.clone();
        place.key.push_str(".format");
        notes.fault(&place, found, "one format for one host", "set format, or make two log hosts, one a class");
    }
    records
}

fn transport(host: &LogHost, policies: &BTreeMap<&str, &SslPolicy>, notes: &mut Notes) -> Transport {
    let policy = ssl_policy(host, policies, notes);
    match (host.transport, policy) {
        (TransportKind::Udp, _) => Transport::Udp,
        (TransportKind::Tcp, _) => Transport::Tcp,
        (TransportKind::Relp, _) => Transport::Relp,
        (TransportKind::Tls, Some(policy)) => Transport::Tls(policy),
        (TransportKind::RelpTls, Some(policy)) => Transport::RelpTls(policy),
        // A fault was noted.
        (TransportKind::Tls | TransportKind::RelpTls, None) => Transport::Udp,
        (TransportKind::File, _) => {
            let (rotate, keep) = value(&host.file.rotate, FileKeys::ROTATE);
            let path = host.file.path.as_ref().map(|path| path.value.clone()).unwrap_or_default();
            let sync = value(&host.file.sync, FileSync::Off);
            Transport::File(FileTarget { path, rotate, keep, sync })
        }
        (TransportKind::Kafka, tls) => Transport::Kafka(kafka(host, tls, notes)),
    }
}

/// The policy that a host names; that it needs one and names none, or names one and has no use for it, is noted.
fn ssl_policy(host: &LogHost, policies: &BTreeMap<&str, &SslPolicy>, notes: &mut Notes) -> Option<TlsPolicy> {
    let word = host.transport.text();
    let Some(name) = &host.ssl_policy else {
        if matches!(host.transport, TransportKind::Tls | TransportKind::RelpTls) {
            let expected = format!("an ssl-policy: transport = \"{word}\" needs one");
            missing(host, "ssl-policy", &expected, "add ssl-policy = \"NAME\" and [ssl-policy.NAME]", notes);
        }
        return None;
    };
    if !matches!(host.transport, TransportKind::Tls | TransportKind::RelpTls | TransportKind::Kafka) {
        let found = Some(format!("\"{}\" with transport = \"{word}\"", name.value));
        notes.fault(
            &name.place,
            found,
            "transport = \"tls\" where an ssl-policy is bound",
            "set transport = \"tls\", or remove the ssl-policy",
        );
        return None;
    }
    let policy = policies.get(name.value.as_str());
    if policy.is_none() {
        let advice = near::suggest(&name.value, policies.keys().copied(), "define it as [ssl-policy.NAME]");
        notes.fault(&name.place, Some(quoted(&name.value)), "the name of an ssl-policy", advice);
    }
    policy.map(|policy| tls_policy(policy))
}

fn kafka(host: &LogHost, tls: Option<TlsPolicy>, notes: &mut Notes) -> KafkaTarget {
    if let (Some(policy), Some(written)) = (&tls, &host.ssl_policy) {
        let keys = [
            ("server-name", policy.server_name.is_some()),
            ("crl", !policy.crl.is_empty()),
            ("min-version", policy.versions.0 != TlsVersion::V1_2),
            ("max-version", policy.versions.1 != TlsVersion::V1_3),
        ];
        for (key, _) in keys.into_iter().filter(|(_, is_set)| *is_set) {
            let found = Some(format!("\"{}\", which has {key}, with transport = \"kafka\"", written.value));
            let expected = "a policy of ca, certificate and key only: brokers are known by the names they go by";
            let advice = format!("make an ssl-policy of its own, without {key}, for this log host");
            notes.fault(&written.place, found, expected, advice);
        }
    }
    let brokers: Vec<&str> = match &host.kafka.brokers {
        Some(list) => list.value.iter().map(|broker| broker.value.as_str()).collect(),
        None => {
            let expected = "some brokers of the cluster: transport = \"kafka\" needs them";
            missing(host, "brokers", expected, "add brokers = [\"HOST:PORT\", …]", notes);
            Vec::new()
        }
    };
    let topic = host.kafka.topic.as_ref().map_or("", |topic| topic.value.as_str());
    if topic.is_empty() {
        missing(host, "topic", "the topic: transport = \"kafka\" needs one", "add topic = \"ostiary\"", notes);
    }
    KafkaTarget { brokers: brokers.join(",").into(), topic: topic.into(), tls, linger: Duration::from_millis(20) }
}

/// Notes a key that a host needs and has not.
fn missing(host: &LogHost, key: &str, expected: &str, advice: &str, notes: &mut Notes) {
    let mut place = host.place.clone();
    place.key = format!("{}.{key}", place.key);
    notes.fault(&place, None, expected, advice);
}

fn tls_policy(policy: &SslPolicy) -> TlsPolicy {
    let path = |path: &Option<Located<PathBuf>>| path.as_ref().map(|path| path.value.clone());
    let version = |version: &Option<Located<TlsVersion>>| version.as_ref().map(|version| version.value);
    TlsPolicy {
        name: Name::from(policy.name.value.as_str()),
        ca: path(&policy.ca).unwrap_or_default(),
        client: path(&policy.certificate).zip(path(&policy.key)),
        server_name: policy.server_name.as_ref().map(|name| name.value.clone()),
        crl: policy.crl.iter().map(|path| path.value.clone()).collect(),
        versions: (
            version(&policy.min_version).unwrap_or(TlsVersion::V1_2),
            version(&policy.max_version).unwrap_or(TlsVersion::V1_3),
        ),
    }
}

fn retry(host: &LogHost, notes: &mut Notes) -> (Duration, Duration) {
    let (first, longest) = &host.retry;
    let pause = |pause: &Option<Located<Duration>>| pause.as_ref().map(|pause| pause.value);
    let retry = match (pause(first), pause(longest)) {
        (None, None) => RETRY,
        (Some(first), None) => (first, first.max(RETRY.1)),
        (None, Some(longest)) => (longest.min(RETRY.0), longest),
        (Some(first), Some(longest)) => (first, longest),
    };
    if let Some(longest) = longest
        && retry.0 > retry.1
    {
        let found = Some("a longest pause below the first".to_owned());
        notes.fault(&longest.place, found, "retry-longest not below retry-first", "raise retry-longest");
    }
    retry
}
