//! Log hosts and SSL policies: from what is written to what the exporters take.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::document::{Located, Notes};
use super::group::quoted;
use super::near;
use super::schema::Source;
use super::schema::logging::{LogHost, SslPolicy, TransportKind, default_port};
use crate::export::{BinaryOptions, Format, Framing, HostConfig, Target, TlsPolicy, TlsVersion, Transport};
use crate::record::{Class, Name};

/// First and longest pause between connection attempts, unless told otherwise.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Resolves all log hosts.
pub(super) fn compile(source: &Source, host_name: &Name, notes: &mut Notes) -> Vec<HostConfig> {
    let policies: BTreeMap<&str, &SslPolicy> =
        source.ssl_policies.iter().map(|policy| (policy.name.value.as_str(), policy)).collect();
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    let mut hosts = Vec::new();
    for host in &source.hosts {
        if let Some(name) = &host.name
            && let Some(line) = lines.insert(&name.value, name.place.line)
        {
            let advice = format!("line {line} has it already: rename one of them");
            notes.fault(&name.place, Some(quoted(&name.value)), "a name of its own for each log host", advice);
        }
        let records = records(host, source, notes);
        let transport = transport(host, &policies, notes);
        let format = records.first().map_or(source.log.session.format, |(_, format)| *format);
        refuse_what_has_no_effect(host, format, notes);
        let Some(address) = &host.address else { continue };
        let port = host.port.unwrap_or_else(|| default_port(format, host.transport));
        let target = Target::Address(SocketAddr::new(address.value, port));
        let name = host.name.as_ref().map_or("", |name| name.value.as_str());
        let binary = BinaryOptions {
            observation_domain: host.observation_domain.as_ref().map_or(1, |domain| domain.value),
            access_version: source.log.access.version.as_ref().map(|version| version.value).unwrap_or_default(),
            ..BinaryOptions::default()
        };
        hosts.push(HostConfig {
            framing: host.framing.as_ref().map_or(Framing::OctetCounting, |framing| framing.value),
            queue: host.queue,
            host_name: host_name.clone(),
            time_zone: source.system.time_zone.clone(),
            backoff: retry(host, notes),
            binary,
            ..HostConfig::new(name, target, transport, records)
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
        && (takes(Format::Syslog).is_some() || takes(Format::Huawei).is_some())
    {
        let effect = "the version has no effect: it is of binary records, and every log host takes these as text";
        notes.warn(&version.place, effect, "remove it, or set type = \"binary\"");
    }
}

/// The classes and their formats. One host takes one format: no collector reads both on one port.
fn records(host: &LogHost, source: &Source, notes: &mut Notes) -> Vec<(Class, Format)> {
    let own = |class: Class| match class {
        Class::Session | Class::Attack => source.log.session.format,
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
    match (host.transport, &host.ssl_policy) {
        (TransportKind::Udp, None) => Transport::Udp,
        (TransportKind::Tcp, None) => Transport::Tcp,
        (TransportKind::Udp | TransportKind::Tcp, Some(policy)) => {
            let word = if host.transport == TransportKind::Udp { "udp" } else { "tcp" };
            let found = Some(format!("\"{}\" with transport = \"{word}\"", policy.value));
            notes.fault(
                &policy.place,
                found,
                "transport = \"tls\" where an ssl-policy is bound",
                "set transport = \"tls\", or remove the ssl-policy",
            );
            Transport::Udp
        }
        (TransportKind::Tls, None) => {
            let mut place = host.place.clone();
            place.key.push_str(".ssl-policy");
            notes.fault(
                &place,
                None,
                "an ssl-policy: transport = \"tls\" needs one",
                "add ssl-policy = \"NAME\" and [ssl-policy.NAME]",
            );
            Transport::Udp
        }
        (TransportKind::Tls, Some(name)) => match policies.get(name.value.as_str()) {
            Some(policy) => Transport::Tls(tls_policy(policy)),
            None => {
                let advice = near::suggest(&name.value, policies.keys().copied(), "define it as [ssl-policy.NAME]");
                notes.fault(&name.place, Some(quoted(&name.value)), "the name of an ssl-policy", advice);
                Transport::Udp
            }
        },
    }
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

/// A key that would do nothing is a misunderstanding.
fn refuse_what_has_no_effect(host: &LogHost, format: Format, notes: &mut Notes) {
    if let Some(framing) = &host.framing {
        let expected = "framing only for syslog over tcp or tls";
        if format == Format::Binary {
            notes.fault(
                &framing.place,
                Some("framing of binary records".to_owned()),
                expected,
                "remove it: IPFIX messages carry their length",
            );
        } else if host.transport == TransportKind::Udp {
            notes.fault(
                &framing.place,
                Some("framing over udp".to_owned()),
                expected,
                "remove it: a datagram is a message",
            );
        }
    }
    if let Some(domain) = &host.observation_domain
        && format.is_text()
    {
        let found = Some("an observation domain for syslog".to_owned());
        notes.fault(
            &domain.place,
            found,
            "observation-domain only for binary records",
            "remove it, or set format = \"binary\"",
        );
    }
}
