//! Records of access users on their way to log hosts: classes apart, versions, one event a message, and what waits.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::export::{BinaryOptions, Cause, Format, HostConfig, Transport};
use control::presence::access::{AccessAction, AccessReason, AccessUser};
use control::record::access::AccessRecord;
use control::record::ipfix::AccessVersion;
use control::record::{Body, Class, Record};
use dataplane::access::{AccessEvent, AccessKind, Assigned, Source, Text};
use dataplane::endpoint::{Address, Mac};
use export_lab::{BOOT, Collector, Rig, TIME, free_port, have, host, loopback, messages, parameter};

/// Logs on, off, or is refused.
const LOGIN: AccessAction = AccessAction::Login;
const LOGOUT: AccessAction = AccessAction::Logout;
const REFUSED: AccessAction = AccessAction::Result { success: false };

/// A user of RADIUS with IPv4 and IPv6 behind two VLANs; `change` makes another of him.
fn record(sequence: u64, action: AccessAction, change: impl FnOnce(&mut AccessUser)) -> Arc<Record> {
    let mut event = AccessEvent::new(AccessKind::Login { more: false }, Source::Radius);
    (event.svlan, event.cvlan, event.ports) = (200, 101, (0, 1));
    event.mac = Some(Mac([2, 0, 0x5e, 0, 0x53, 1]));
    event.ipv4 = Some([198, 51, 100, 7]);
    event.ipv6 = Some(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).octets());
    event.prefix = Some((std::net::Ipv6Addr::new(0x2001, 0xdb8, 0x700, 0, 0, 0, 0, 0).octets(), 56));
    event.assigned = Assigned::Radius;
    event.nas = Some(Address::v4([10, 0, 0, 1]));
    event.texts.push(Text::User, b"alice@example.net");
    event.texts.push(Text::SessionId, format!("s{sequence}").as_bytes());
    let mut user = AccessUser::of(&event);
    change(&mut user);
    let reason = if action == REFUSED { AccessReason::Rejected } else { AccessReason::Message };
    let body = Body::Access(AccessRecord {
        action,
        reason,
        user: Arc::new(user),
        online: None,
        port: Some("inside".into()),
        zone: Some("trust".into()),
    });
    Arc::new(Record { boot: BOOT, sequence, time: TIME, body })
}

fn plain(sequence: u64, action: AccessAction) -> Arc<Record> {
    record(sequence, action, |_| ())
}

/// A host that takes these classes in one format.
fn with_version(config: HostConfig, access_version: AccessVersion) -> HostConfig {
    HostConfig { binary: BinaryOptions { access_version, ..config.binary }, ..config }
}

fn taking(name: &str, port: u16, transport: Transport, format: Format, classes: &[Class]) -> HostConfig {
    let records = classes.iter().map(|class| (*class, format)).collect();
    HostConfig { records, ..host(name, loopback(port), transport, format) }
}

const BOTH: &[Class] = &[Class::Access, Class::CallStatus];

/// The datagrams that came.
fn received(socket: &UdpSocket) -> Vec<Vec<u8>> {
    socket.set_nonblocking(true).unwrap();
    let (mut datagrams, mut buffer) = (Vec::new(), [0; 65_536]);
    while let Ok(octets) = socket.recv(&mut buffer) {
        datagrams.push(buffer[..octets].to_vec());
    }
    datagrams
}

#[test]
fn a07_access_and_call_status_go_to_two_hosts_at_once() {
    let udp = UdpSocket::bind(loopback(0)).unwrap();
    let tcp = Collector::listen(loopback(0), true);
    let mut rig = Rig::new(vec![
        taking("a", udp.local_addr().unwrap().port(), Transport::Udp, Format::Syslog, &[Class::Access]),
        taking("c", tcp.address.port(), Transport::Tcp, Format::Syslog, &[Class::CallStatus]),
    ]);
    for (sequence, action) in [(1, REFUSED), (2, LOGIN), (3, LOGOUT)] {
        rig.push(&plain(sequence, action));
    }
    rig.until_sent("a");
    rig.until_sent("c");
    rig.exporters.drain(Instant::now() + Duration::from_millis(500));
    let numbers = |messages: Vec<String>| -> Vec<String> {
        messages
            .iter()
            .map(|message| format!("{} {}", parameter(message, "seq").unwrap(), parameter(message, "class").unwrap()))
            .collect()
    };
    let datagrams = received(&udp).into_iter().map(|octets| String::from_utf8(octets).unwrap()).collect();
    assert_eq!(numbers(datagrams), ["2 access", "3 access"]);
    assert_eq!(numbers(messages(&tcp.end().concat())), ["1 call-status"]);
}

#[test]
fn a10_version_1_to_4_as_ipfixdump_reads_them() {
    if !have(&["ipfixDump"]) {
        return;
    }
    let versions = [AccessVersion::V1, AccessVersion::V2, AccessVersion::V3, AccessVersion::V4];
    for version in versions {
        let collector = Collector::listen(loopback(0), true);
        let config = taking("nms", collector.address.port(), Transport::Tcp, Format::Binary, BOTH);
        let mut rig = Rig::new(vec![with_version(config, version)]);
        // One VLAN, so that every version can tell him.
        rig.push(&record(1, LOGIN, |user| user.cvlan = 0));
        rig.push(&record(2, REFUSED, |user| user.user = Some((*b"\xff\"]\0").into())));
        rig.until_sent("nms");
        rig.exporters.drain(Instant::now() + Duration::from_millis(500));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stream.ipfix");
        fs::write(&file, collector.end().concat()).unwrap();
        let output = Command::new("ipfixDump").args(["--rfc5610", "-d", "-i"]).arg(&file).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let is_login = |data: &&str| data.contains("ostiarySignOnAction : (len: 5) login");
        let login = text.split("--- data record").find(is_login).unwrap_or_else(|| panic!("no login: {text}"));
        let has = |field: &str| assert!(login.contains(field), "version {}: no {field}: {login}", version.number());
        has("sourceIPv4Address : 198.51.100.7");
        has("userName : (len: 17) alice@example.net");
        has("sourceMacAddress : 02:00:5e:00:53:01");
        has("ostiaryAccessInterface : (len: 10) inside.200");
        has("ostiaryNasIPv4Address : 10.0.0.1");
        let (stacked, has_ipv6) = (matches!(version.number(), 2 | 4), version.number() > 2);
        assert_eq!(login.contains(" vlanId : 200"), !stacked, "{login}");
        assert_eq!(
            login.contains(" dot1qVlanId : 200") && login.contains(" dot1qCustomerVlanId : 0"),
            stacked,
            "{login}"
        );
        assert_eq!(login.contains("ostiaryUserIPv6Address : 2001:0db8::0007"), has_ipv6, "{login}");
        assert_eq!(login.contains("ostiaryUserIPv6Prefix : 2001:0db8:0700::"), has_ipv6, "{login}");
        assert_eq!(login.contains("ostiaryUserIPv6PrefixLength : 56"), has_ipv6, "{login}");
        assert_eq!(login.contains("ostiaryIPv6Assignment : 4"), has_ipv6, "{login}");
        assert!(text.contains("ostiarySignOnResult : (len: 4) fail"), "a13: results have no version: {text}");
    }
}

#[test]
fn a10_what_a_version_cannot_carry_is_counted() {
    let binary = UdpSocket::bind(loopback(0)).unwrap();
    let syslog = UdpSocket::bind(loopback(0)).unwrap();
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let nms = taking("nms", port(&binary), Transport::Udp, Format::Binary, BOTH);
    let mut rig = Rig::new(vec![
        with_version(nms, AccessVersion::V1),
        taking("siem", port(&syslog), Transport::Udp, Format::Syslog, BOTH),
    ]);
    rig.push(&plain(1, LOGIN));
    rig.push(&record(2, LOGIN, |user| (user.cvlan, user.ipv4) = (0, None)));
    rig.push(&record(3, LOGIN, |user| user.cvlan = 0));
    rig.push(&plain(4, REFUSED));
    rig.until_sent("nms");
    rig.until_sent("siem");
    let counts = rig.counts("nms", Class::Access);
    assert_eq!(
        (counts.generated, counts.sent, counts.dropped_by(Cause::Uncarried)),
        (3, 1, 2),
        "two VLANs, only IPv6; one VLAN and IPv4"
    );
    assert_eq!(rig.counts("nms", Class::CallStatus).sent, 1, "results have no version");
    let counts = rig.counts("siem", Class::Access);
    assert_eq!(
        (counts.generated, counts.sent, counts.dropped_by(Cause::Uncarried)),
        (3, 3, 0),
        "text carries everybody"
    );
    assert_eq!(received(&syslog).len(), 4);
}

#[test]
fn a11_syslog_and_huawei_carry_one_event_a_datagram() {
    for format in [Format::Syslog, Format::Huawei] {
        let socket = UdpSocket::bind(loopback(0)).unwrap();
        let mut rig = Rig::new(vec![taking("nms", socket.local_addr().unwrap().port(), Transport::Udp, format, BOTH)]);
        for (sequence, action) in [(1, REFUSED), (2, LOGIN), (3, LOGOUT)] {
            rig.push(&plain(sequence, action));
        }
        rig.until_sent("nms");
        let datagrams = received(&socket);
        let words: &[&str] = match format {
            Format::Huawei => &["[USER_INFO_AUTHENTICATION]", "[USER_INFO_ACCESS]", "[USER_INFO_OFFLINE]"],
            _ => &[" CALL_STATUS ", " ACCESS_LOGIN ", " ACCESS_LOGOUT "],
        };
        assert_eq!(datagrams.len(), 3);
        for (datagram, word) in datagrams.iter().zip(words) {
            let text = String::from_utf8_lossy(datagram);
            let others = words.iter().filter(|other| text.contains(**other)).count();
            assert!(text.contains(word) && others == 1 && text.contains("alice@example.net"), "{text}");
        }
    }
}

#[test]
fn huawei_over_tcp_is_framed_as_syslog_is() {
    let collector = Collector::listen(loopback(0), true);
    let mut rig = Rig::new(vec![taking("nms", collector.address.port(), Transport::Tcp, Format::Huawei, BOTH)]);
    rig.push(&plain(1, LOGIN));
    rig.push(&plain(2, LOGOUT));
    rig.until_sent("nms");
    rig.exporters.drain(Instant::now() + Duration::from_millis(500));
    let messages = messages(&collector.end().concat());
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].starts_with("<189>2026-03-01 08:15:30 fw1 %%01CM/5/USER_ACCESSRESULT(l):"), "{messages:?}");
    assert!(messages[1].ends_with(";AUTHID:-;"), "{messages:?}");
}

#[test]
fn a18_received_is_sent_dropped_queued_and_uncarried() {
    let absent = taking("absent", free_port(), Transport::Tcp, Format::Binary, BOTH);
    let mut rig = Rig::new(vec![HostConfig { queue: 3, ..with_version(absent, AccessVersion::V3) }]);
    rig.until("a refusal", |rig| rig.noticed("absent", "cannot connect") > 0);
    for sequence in 1..=9 {
        rig.push(&record(sequence, LOGIN, |user| user.cvlan = u16::from(sequence % 3 == 0)));
        // Every turn of the rig holds the law against the counters.
        rig.turn();
    }
    let counts = rig.counts("absent", Class::Access);
    let dropped = |cause| counts.dropped_by(cause);
    assert_eq!((dropped(Cause::QueueFull), dropped(Cause::Uncarried)), (3, 3));
    assert_eq!((counts.generated, counts.sent, counts.queued), (9, 0, 3));
}

#[test]
fn a21_buffer_shows_positions_and_records_while_the_collector_is_down() {
    let port = free_port();
    let mut rig = Rig::new(vec![taking("nms", port, Transport::Tcp, Format::Syslog, BOTH)]);
    rig.until("a refusal", |rig| rig.noticed("nms", "cannot connect") > 0);
    for sequence in 1..=20 {
        rig.push(&plain(sequence, if sequence % 2 == 0 { LOGIN } else { REFUSED }));
    }
    let waiting = |rig: &Rig, class, places| -> Vec<(u64, u64)> {
        let mut hosts = rig.exporters.waiting(class, places);
        assert_eq!((hosts.len(), &*hosts[0].host), (1, "nms"));
        hosts.remove(0).records.into_iter().map(|(place, record)| (place, record.sequence)).collect()
    };
    assert_eq!(waiting(&rig, Class::Access, 0..7), [(0, 2), (1, 4), (2, 6), (3, 8), (4, 10), (5, 12), (6, 14)]);
    assert_eq!(waiting(&rig, Class::Access, 7..14), [(7, 16), (8, 18), (9, 20)]);
    assert_eq!(waiting(&rig, Class::CallStatus, 9..10), [(9, 19)]);
    let collector = Collector::listen(loopback(port), true);
    rig.until_sent("nms");
    assert_eq!(waiting(&rig, Class::Access, 0..14), [], "nothing waits any more");
    rig.exporters.drain(Instant::now() + Duration::from_millis(500));
    assert_eq!(messages(&collector.end().concat()).len(), 20);
}

#[test]
fn a22_login_logout_and_result_wait_and_arrive() {
    let port = free_port();
    let mut rig = Rig::new(vec![taking("nms", port, Transport::Tcp, Format::Huawei, BOTH)]);
    rig.until("a refusal", |rig| rig.noticed("nms", "cannot connect") > 0);
    for (sequence, action) in [(1, REFUSED), (2, LOGIN), (3, LOGOUT)] {
        rig.push(&plain(sequence, action));
    }
    let queued = |rig: &Rig| BOTH.iter().map(|class| rig.counts("nms", *class).queued).collect::<Vec<_>>();
    assert_eq!(queued(&rig), [2, 1]);
    let collector = Collector::listen(loopback(port), true);
    rig.until_sent("nms");
    assert_eq!(queued(&rig), [0, 0]);
    rig.exporters.drain(Instant::now() + Duration::from_millis(500));
    let messages = messages(&collector.end().concat());
    let kinds = ["USER_AUTHENRESULT", "USER_ACCESSRESULT", "USER_OFFLINERESULT"];
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages.iter().zip(kinds).all(|(message, kind)| message.contains(kind)), "{messages:?}");
}
