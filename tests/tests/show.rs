//! `ostiary show` against the running process: what it says is what passed.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::{program, stories};

/// A firewall that has seen a user come online and stay.
fn firewall(folder: &Path) -> (Firewall, Story) {
    let mut story = catalogue::find("qq_silence").unwrap().tell(3);
    story.compress(Duration::from_millis(1));
    let capture = stories::write(&story, Layout::PLAIN, folder, "story.pcap");
    let nothing = Story { begins: 0, frames: Vec::new(), expected: Default::default() };
    let empty = stories::write(&nothing, Layout::PLAIN, folder, "empty.pcap");
    let device = |number, from: &Path| {
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", from.display(), folder.join(format!("out{number}")).display())
    };
    let mut policy = Policy::new(device(0, &capture), device(1, &empty))
        .rule("staff", "application = [\"qq\"]\naction = \"permit\"\nsession-logging = true\n")
        .rule("rest", "action = \"permit\"\n");
    // Both directions come in by one port.
    policy.dataplane = "mirror = true\n".to_owned();
    let firewall = Firewall::start(folder, &policy);
    wait_for("the firewall to see every frame", || {
        (firewall.counter("packets_received") == story.frames.len() as u64).then_some(())
    });
    (firewall, story)
}

#[test]
fn every_view_says_what_passed() {
    let folder = tempfile::tempdir().unwrap();
    let (firewall, story) = firewall(folder.path());
    let account = story.expected.sign_ons[0].account.as_str();

    let online = firewall.show("im");
    assert_eq!(online.len(), 1, "{online:?}");
    assert_eq!(online[0]["account"], account);
    assert_eq!(online[0]["application"], "qq");
    assert_eq!(online[0]["client"], "10.1.7.20");
    assert_eq!(online[0]["evidence"], "login");
    assert_eq!(online[0]["rule"], "staff");

    let sessions = firewall.show("sessions");
    let qq: Vec<_> = sessions.iter().filter(|session| session["application"] == "qq").collect();
    assert_eq!(qq.len(), 1, "{sessions:?}");
    assert_eq!(qq[0]["client"], "10.1.7.20:4009");
    assert_eq!(qq[0]["protocol"], "udp");
    assert_eq!(qq[0]["rule"], "staff");

    assert_eq!(firewall.statistics()["online"], 1);
    assert_eq!(firewall.counter("packets_received"), story.frames.len() as u64);

    let ports = firewall.show("ports");
    assert_eq!(ports.iter().map(|port| port["name"].as_str().unwrap()).collect::<Vec<_>>(), ["inside", "outside"]);

    let rules = firewall.show("policy");
    let names: Vec<_> = rules.iter().map(|rule| rule["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["staff", "rest", "implicit-deny"]);

    let database = firewall.show("sigdb");
    let known = database[0]["applications"].as_array().unwrap();
    for name in ["qq", "wechat"] {
        assert!(known.iter().any(|application| application["name"] == name), "{name}");
    }
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn people_get_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (firewall, story) = firewall(folder.path());
    let account = story.expected.sign_ons[0].account.as_str();
    for (what, word) in [
        ("im", account),
        ("sessions", "10.1.7.20:4009"),
        ("statistics", "online"),
        ("counters", "packets_received"),
        ("ports", "outside"),
        ("policy", "implicit-deny"),
        ("sigdb", "wechat"),
    ] {
        let socket = firewall.socket();
        let output = program::run(["show".as_ref(), what.as_ref(), "--socket".as_ref(), socket.as_os_str()]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{what}");
        assert!(text.contains(word), "show {what} does not say {word}:\n{text}");
        assert!(!text.contains('{'), "show {what} is for people:\n{text}");
    }
}

#[test]
fn the_socket_is_for_owner_and_group_and_goes_with_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let (firewall, _) = firewall(folder.path());
    let socket = firewall.socket();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    assert_eq!(firewall.stop().0, 0);
    let output = program::run(["show".as_ref(), "im".as_ref(), "--socket".as_ref(), socket.as_os_str()]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("no ostiary is running"), "{text}");
}
