//! One truth, many ways out: what `ostiary replay` says of a capture, and what real collectors receive when the running
//! firewall sees the same frames, agree field by field; over UDP, TCP and TLS, as syslog and as IPFIX.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bench::pktgen::pcap::{Container, Layout, LinkType};
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::ipfix::{self, Collector, Nfcapd, Over};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::program::Replay;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{skip, stories, tshark};
use serde_json::Value;

/// What two ways of saying the same have in common: time, and what names this run and this session, differ between a
/// replay and a live run.
type Said = BTreeMap<&'static str, String>;

const SIGN_ON: [&str; 16] = [
    "action",
    "result",
    "reason",
    "application",
    "account",
    "client",
    "server",
    "protocol",
    "rule",
    "client-interface",
    "server-interface",
    "client-zone",
    "server-zone",
    "svlan",
    "cvlan",
    "signatures",
];

fn of_json(record: &Value, keys: &[&'static str]) -> Said {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    keys.iter().map(|key| (*key, text(&record[*key]))).collect()
}

/// The keys of syslog and replay, out of an IPFIX record.
fn of_ipfix(record: &ipfix::Record) -> Said {
    let field = |name: &str| record.get(name).cloned().unwrap_or_default();
    // Syslog leaves out what there is not; IPFIX says 0.
    let tag = |name: &str| Some(field(name)).filter(|id| id != "0").unwrap_or_default();
    let protocol = match record["protocolIdentifier"].as_str() {
        "6" => "tcp",
        "17" => "udp",
        other => other,
    };
    let end = |v4: &str, v6: &str, port: &str| match (record.get(v4), record.get(v6)) {
        (Some(ip), _) => format!("{ip}:{}", field(port)),
        (None, Some(ip)) => {
            let ip: std::net::Ipv6Addr = ip.parse().unwrap();
            format!("[{ip}]:{}", field(port))
        }
        (None, None) => panic!("no address: {record:?}"),
    };
    Said::from([
        ("action", field("ostiarySignOnAction")),
        ("result", field("ostiarySignOnResult")),
        ("reason", field("ostiarySignOnReason")),
        ("application", field("applicationName")),
        ("account", field("ostiaryAccount")),
        ("client", end("sourceIPv4Address", "sourceIPv6Address", "sourceTransportPort")),
        ("server", end("destinationIPv4Address", "destinationIPv6Address", "destinationTransportPort")),
        ("protocol", protocol.to_owned()),
        ("rule", field("ostiaryRuleName")),
        ("client-interface", field("ostiaryClientInterfaceName")),
        ("server-interface", field("ostiaryServerInterfaceName")),
        ("client-zone", field("ostiaryClientZone")),
        ("server-zone", field("ostiaryServerZone")),
        ("svlan", tag("dot1qVlanId")),
        ("cvlan", tag("dot1qCustomerVlanId")),
        ("signatures", field("ostiarySignatureVersion")),
    ])
}

fn sorted(mut said: Vec<Said>) -> Vec<Said> {
    said.sort();
    said
}

/// A capture whose sign-ons do not depend on the clock: only what messages say.
fn compressed(name: &str) -> Story {
    let mut story = catalogue::find(name).unwrap().tell(4);
    story.compress(Duration::from_millis(5));
    story
}

fn policy(folder: &Path, capture: &Path) -> Policy {
    let empty = folder.join("empty.pcap");
    let nothing = Story { begins: 0, frames: Vec::new(), expected: Default::default() };
    stories::write(&nothing, Layout { container: Container::Pcap, link: LinkType::Ethernet }, folder, "empty.pcap");
    let (one, other) = (folder.join("inside-out.pcap"), folder.join("outside-out.pcap"));
    let mut policy = Policy::new(
        format!("net_pcap0,rx_pcap={},tx_pcap={}", capture.display(), one.display()),
        format!("net_pcap1,rx_pcap={},tx_pcap={}", empty.display(), other.display()),
    )
    .rule("all", "action = \"permit\"\nsession-logging = true\n");
    policy.full = true;
    // Both directions come in by one port.
    policy.dataplane = "mirror = true\n".to_owned();
    policy
}

/// Replays with the same policy file that the firewall ran with.
fn replayed(folder: &Path, capture: &Path) -> Replay {
    let config = folder.join("policy.toml");
    let replay = Replay::of(["--config".as_ref(), config.as_os_str(), capture.as_os_str()]);
    assert_eq!(replay.code, 0, "{}", replay.errors);
    replay
}

/// Waits until the firewall has seen the whole capture.
fn seen_all(firewall: &Firewall, story: &Story) {
    wait_for("the firewall to see every frame", || {
        let seen = firewall.counter("packets_received");
        assert!(seen <= story.frames.len() as u64);
        (seen == story.frames.len() as u64).then_some(())
    });
}

#[test]
fn syslog_and_ipfix_over_udp_tcp_and_tls_say_what_replay_says() {
    if !skip::has_programs(&["rsyslogd", "socat", "ipfixDump", "tshark"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let story = compressed("day");
    let capture = stories::write(&story, Layout::PLAIN, folder.path(), "day.pcap");
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
    let collectors = [Over::Udp, Over::Tcp, Over::Tls].map(|over| Collector::start(folder.path(), over, &certificates));
    let tls = "transport = \"tls\"\nssl-policy = \"collector\"";
    let policy = policy(folder.path(), &capture)
        .tls(&certificates)
        .host("syslog-udp", rsyslog.udp, "transport = \"udp\"\nformat = \"syslog\"\nrecords = [\"im\"]")
        .host("syslog-tcp", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"")
        .host("syslog-tls", rsyslog.tls, &format!("{tls}\nformat = \"syslog\""))
        .host("ipfix-udp", collectors[0].port, "transport = \"udp\"\nrecords = [\"im\"]")
        .host("ipfix-tcp", collectors[1].port, "transport = \"tcp\"")
        .host("ipfix-tls", collectors[2].port, tls);
    let firewall = Firewall::start(folder.path(), &policy);
    seen_all(&firewall, &story);
    firewall.wait_until_sent();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();

    let replay = replayed(folder.path(), &capture);
    let expected = sorted(replay.events("signon").map(|event| of_json(event, &SIGN_ON)).collect());
    assert!(expected.len() >= 6, "{expected:#?}");
    let records = rsyslog.records();
    for input in ["imudp", "imptcp", "imtcp"] {
        let received = records.iter().filter(|record| record["input"] == input && record["event"] == "signon");
        let received = sorted(received.map(|record| of_json(record, &SIGN_ON)).collect());
        assert_eq!(received, expected, "{input}");
    }
    for (collector, over) in collectors.iter().zip(["udp", "tcp", "tls"]) {
        let received = collector.records();
        let sign_ons = received.iter().filter(|record| record.contains_key("ostiarySignOnAction"));
        assert_eq!(sorted(sign_ons.map(of_ipfix).collect()), expected, "{over}");
    }
    sessions_agree(&replay, &records, &collectors[1].records());
    names_are_unique(&records, &collectors);
    tshark_understands(folder.path(), &rsyslog, &collectors);
}

/// A third opinion on both formats.
fn tshark_understands(folder: &Path, rsyslog: &Rsyslog, collectors: &[Collector]) {
    let messages = rsyslog.messages();
    let raw: Vec<Vec<u8>> = messages.iter().map(|message| message["raw"].as_str().unwrap().into()).collect();
    let fields = ["syslog.version", "syslog.appname", "syslog.msgid"];
    let (dissected, complaints) = tshark::dissect(folder, &raw, false, 514, "syslog", &fields);
    assert_eq!(complaints, [""; 0]);
    assert_eq!(dissected.len(), raw.len());
    assert!(dissected.iter().all(|fields| fields.starts_with("1\tostiary\t")), "{:?}", dissected.first());
    for (collector, stream) in collectors.iter().zip([false, true, true]) {
        let sent = collector.messages();
        let (dissected, complaints) = tshark::dissect(folder, &sent, stream, 4739, "cflow", &["cflow.version"]);
        assert_eq!(complaints, [""; 0]);
        let versions: usize = dissected.iter().map(|versions| versions.split(',').count()).sum();
        assert_eq!(versions, sent.len());
        assert!(dissected.iter().all(|versions| versions.split(',').all(|version| version == "10")));
    }
}

/// Sessions: created as often, and what ended by itself was closed with the same reason and the same counts.
fn sessions_agree(replay: &Replay, syslog: &[Value], ipfix: &[ipfix::Record]) {
    let created = replay.events("session").filter(|event| event["action"] == "create").count();
    assert!(created > 50);
    let over = |input: &'static str| {
        syslog.iter().filter(move |record| record["input"] == input && record["event"] == "session")
    };
    let tcp: Vec<&Value> = over("imptcp").collect();
    assert_eq!(tcp.iter().filter(|record| record["action"] == "create").count(), created);
    assert_eq!(over("imtcp").count(), tcp.len());
    let event =
        |number: &str| ipfix.iter().filter(|record| record.get("firewallEvent").is_some_and(|e| e == number)).count();
    assert_eq!(event("1"), created);
    let keys = ["client", "server", "application", "rule", "reason"];
    let finished = |records: &mut dyn Iterator<Item = &Value>, counts: [&'static str; 4]| {
        let ended = records.filter(|record| matches!(record["reason"].as_str(), Some("fin" | "reset")));
        let all = ended.map(|record| {
            let mut said = of_json(record, &keys);
            let volumes = of_json(record, &counts);
            said.insert("volumes", counts.map(|key| volumes[key].clone()).join(" "));
            said
        });
        sorted(all.collect())
    };
    let counts = ["to-server-packets", "to-server-octets", "to-client-packets", "to-client-octets"];
    let from_syslog = finished(&mut tcp.into_iter(), counts);
    let from_ipfix = ipfix
        .iter()
        .filter(|record| matches!(record.get("ostiaryCloseReason").map(String::as_str), Some("fin" | "reset")));
    let from_ipfix = from_ipfix.map(|record| {
        let mut said = of_ipfix(record);
        said.retain(|key, _| keys.contains(key));
        said.insert("reason", record["ostiaryCloseReason"].clone());
        let counts = ["packetDeltaCount", "octetDeltaCount", "reversePacketDeltaCount", "reverseOctetDeltaCount"];
        said.insert("volumes", counts.map(|name| record[name].clone()).join(" "));
        said
    });
    assert!(from_syslog.len() > 20);
    assert_eq!(from_syslog, sorted(from_ipfix.collect()));
    let from_replay = finished(&mut replay.events("session"), counts);
    assert_eq!(from_syslog, from_replay);
}

/// (boot, sequence) names a record once and for all, whichever way it went.
fn names_are_unique(syslog: &[Value], collectors: &[Collector]) {
    let mut names: Vec<(String, String)> = syslog
        .iter()
        .filter(|record| record["input"] == "imtcp")
        .map(|record| (record["boot"].as_str().unwrap().to_owned(), record["seq"].as_str().unwrap().to_owned()))
        .collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    let mut numbers: Vec<u64> = names.iter().map(|(_, number)| number.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=count as u64).collect::<Vec<_>>(), "the sequence has no gap");
    for collector in &collectors[1..] {
        let mut received: Vec<u64> =
            collector.records().iter().map(|record| record["ostiaryRecordSequence"].parse().unwrap()).collect();
        received.sort_unstable();
        assert_eq!(received, numbers);
    }
}

#[test]
fn both_families_agree_over_ipv6_and_vlans() {
    if !skip::has_programs(&["rsyslogd", "socat", "ipfixDump"]) {
        return;
    }
    for name in ["qq_ipv6", "wechat_qinq"] {
        let folder = tempfile::tempdir().unwrap();
        let story = compressed(name);
        let capture = stories::write(&story, Layout::PLAIN, folder.path(), "story.pcap");
        let certificates = Certificates::make(folder.path());
        let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
        let collector = Collector::start(folder.path(), Over::Tcp, &certificates);
        let policy = policy(folder.path(), &capture)
            .host("syslog", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"\nframing = \"lf\"")
            .host("ipfix", collector.port, "transport = \"tcp\"");
        let firewall = Firewall::start(folder.path(), &policy);
        seen_all(&firewall, &story);
        firewall.wait_until_sent();
        assert_eq!(firewall.stop().0, 0);
        rsyslog.stop();
        let replay = replayed(folder.path(), &capture);
        let expected = sorted(replay.events("signon").map(|event| of_json(event, &SIGN_ON)).collect());
        assert!(!expected.is_empty(), "{name}");
        let records = rsyslog.records();
        let received: Vec<&Value> = records.iter().filter(|record| record["event"] == "signon").collect();
        assert_eq!(sorted(received.iter().map(|record| of_json(record, &SIGN_ON)).collect()), expected, "{name}");
        let binary = collector.records();
        let sign_ons: Vec<_> = binary.iter().filter(|record| record.contains_key("ostiarySignOnAction")).collect();
        assert_eq!(sorted(sign_ons.iter().map(|record| of_ipfix(record)).collect()), expected, "{name}");
        if name == "wechat_qinq" {
            assert!(received.iter().all(|record| record["svlan"] == "200" && record["cvlan"] == "102"));
            assert!(sign_ons.iter().all(|r| r["dot1qVlanId"] == "200" && r["dot1qCustomerVlanId"] == "102"));
        }
    }
}

/// nfcapd keeps the sessions that it understands, with their counts.
#[test]
fn nfcapd_takes_our_sessions() {
    if !skip::has_programs(&["nfcapd", "nfdump"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let story = compressed("wechat_legacy_day");
    let capture = stories::write(&story, Layout::PLAIN, folder.path(), "story.pcap");
    let nfcapd = Nfcapd::start(folder.path());
    let policy = policy(folder.path(), &capture).host("flows", nfcapd.port, "transport = \"udp\"");
    let firewall = Firewall::start(folder.path(), &policy);
    seen_all(&firewall, &story);
    firewall.wait_until_sent();
    assert_eq!(firewall.stop().0, 0);
    let flows = nfcapd.finish();
    let replay = replayed(folder.path(), &capture);
    let closed: Vec<&Value> = replay.events("session").filter(|event| event["reason"] == "fin").collect();
    assert!(closed.len() > 10);
    for session in closed {
        let (client, port) = session["client"].as_str().unwrap().rsplit_once(':').unwrap();
        let counts = of_json(session, &["to-server-packets", "to-server-octets"]);
        let kept = flows.iter().any(|flow| {
            flow.get("sa").is_some_and(|ip| ip == client)
                && flow.get("sp").is_some_and(|sp| sp == port)
                && flow.get("ipkt") == counts.get("to-server-packets")
                && flow.get("ibyt") == counts.get("to-server-octets")
        });
        assert!(kept, "{session}\n{flows:#?}");
    }
}
