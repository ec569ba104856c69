//! Log hosts that are down, refuse, stall or show the wrong certificate: retried, told, counted, and nobody else's trouble.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{free_port, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{skip, stories};
use serde_json::Value;

fn policy(folder: &Path) -> (Policy, Story) {
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
    policy.full = true;
    (policy, story)
}

fn host(firewall: &Firewall, name: &str) -> Value {
    let statistics = firewall.statistics();
    let hosts = statistics["hosts"].as_array().unwrap();
    hosts.iter().find(|host| host["name"] == name).unwrap_or_else(|| panic!("no host {name}")).clone()
}

/// Records of all classes that the host was to have, has got, has lost, and still has to get.
fn balance(host: &Value) -> [u64; 4] {
    let sum = |key: &str| host["classes"].as_array().unwrap().iter().map(|class| class[key].as_u64().unwrap()).sum();
    [sum("records"), sum("sent"), sum("dropped"), sum("queued")]
}

/// Waits until `name` has everything, and says how much.
fn wait_for_all(firewall: &Firewall, name: &str) -> u64 {
    wait_for("a log host to have everything", || {
        let [records, sent, dropped, queued] = balance(&host(firewall, name));
        (records > 0 && sent == records && dropped == 0 && queued == 0).then_some(sent)
    })
}

fn seen_all(firewall: &Firewall, story: &Story) {
    wait_for("the firewall to see every frame", || {
        (firewall.counter("packets_received") == story.frames.len() as u64).then_some(())
    });
}

#[test]
fn a_host_that_comes_up_late_gets_everything() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
    rsyslog.stop();
    let (policy, story) = policy(folder.path());
    let tls = "transport = \"tls\"\nssl-policy = \"collector\"\nformat = \"syslog\"";
    let policy = policy.tls(&certificates).host("late", rsyslog.tls, tls);
    let firewall = Firewall::start(folder.path(), &policy);
    seen_all(&firewall, &story);
    wait_for("the refusal to be told", || {
        host(&firewall, "late")["error"].as_str().filter(|error| error.contains("refused")).map(|_| ())
    });
    assert_eq!(balance(&host(&firewall, "late"))[1], 0);
    rsyslog.resume();
    let sent = wait_for_all(&firewall, "late");
    assert_eq!(firewall.stop().0, 0);
    rsyslog.stop();
    let mut numbers: Vec<u64> =
        rsyslog.records().iter().map(|record| record["seq"].as_str().unwrap().parse().unwrap()).collect();
    assert!(numbers.len() as u64 >= sent);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "no gap");
}

#[test]
fn a_host_that_stalls_holds_up_nobody() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let rsyslog = Rsyslog::start(folder.path(), &certificates);
    // It accepts by backlog, and never reads.
    let stalled = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (policy, story) = policy(folder.path());
    let policy = policy
        .host("stalled", stalled.local_addr().unwrap().port(), "transport = \"tcp\"\nqueue = 16")
        .host("down", free_port(), "transport = \"tcp\"\nqueue = 16")
        .host("good", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"");
    let firewall = Firewall::start(folder.path(), &policy);
    seen_all(&firewall, &story);
    wait_for_all(&firewall, "good");
    let [records, sent, dropped, queued] = balance(&host(&firewall, "down"));
    assert_eq!((sent, records), (0, dropped + queued), "every record is accounted for");
    assert!(dropped > 0, "a queue of 16 is soon full");
    let [records, sent, dropped, queued] = balance(&host(&firewall, "stalled"));
    assert_eq!(records, sent + dropped + queued, "every record is accounted for");
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn a_wrong_certificate_is_refused_and_told() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    for folder in [&ours, &theirs] {
        std::fs::create_dir(folder).unwrap();
    }
    let (ours, theirs) = (Certificates::make(&ours), Certificates::make(&theirs));
    let stranger = Rsyslog::start(&folder.path().join("theirs"), &theirs);
    let friend = Rsyslog::start(&folder.path().join("ours"), &ours);
    let (policy, story) = policy(folder.path());
    let tls = "transport = \"tls\"\nssl-policy = \"collector\"\nformat = \"syslog\"";
    let policy = policy.tls(&ours).host("stranger", stranger.tls, tls).host("friend", friend.tls, tls);
    let firewall = Firewall::start(folder.path(), &policy);
    seen_all(&firewall, &story);
    wait_for_all(&firewall, "friend");
    let error = wait_for("the refusal to be told", || {
        host(&firewall, "stranger")["error"].as_str().filter(|error| error.contains("certificate")).map(str::to_owned)
    });
    assert!(error.contains("signed by no authority"), "{error}");
    assert_eq!(balance(&host(&firewall, "stranger"))[1], 0);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("stranger"), "the log names the host:\n{log}");
    assert!(stranger.messages().is_empty());
}

#[test]
fn a_host_that_restarts_misses_nothing() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
    let (policy, story) = policy(folder.path());
    let policy = policy.host("syslog", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"");
    let firewall = Firewall::start(folder.path(), &policy);
    seen_all(&firewall, &story);
    let sent = wait_for_all(&firewall, "syslog");
    rsyslog.stop();
    wait_for("the end of the connection to be told", || host(&firewall, "syslog")["error"].as_str().map(|_| ()));
    rsyslog.resume();
    wait_for("the connection to come back", || {
        let host = host(&firewall, "syslog");
        (host["state"] == "up" && host["reconnects"] != 0).then_some(())
    });
    // What ends with the firewall is recorded too, on the new connection.
    assert_eq!(firewall.stop().0, 0);
    rsyslog.stop();
    let mut numbers: Vec<u64> =
        rsyslog.records().iter().map(|record| record["seq"].as_str().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.len() as u64 >= sent);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "no gap");
}
