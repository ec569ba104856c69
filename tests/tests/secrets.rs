//! Passwords and tokens stay in their frames: whatever a conversation holds, nothing that the program says or keeps has any.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::pktgen::frames::{Ends, Link};
use bench::pktgen::pcap;
use bench::pktgen::script::TimedFrame;
use ostiary_tests::captures;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::conversation::{self, Conversation, SECRET, SECRET_ALONE, SECRET_PLAIN, conversations};
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{free_port, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{program, skip};

/// The frames of a conversation of the client 10.0.0.`host`.
fn frames(conversation: &Conversation, host: usize) -> Vec<TimedFrame> {
    let client = format!("10.0.0.{host}:40000").parse().unwrap();
    let server = format!("192.0.2.1:{}", conversation.port).parse().unwrap();
    let at = Duration::from_secs(1_772_352_000 + 10 * host as u64);
    conversation::frames(conversation, Ends { client, server }, &Link::plain(), at, 1_400)
}

fn capture(frames: Vec<TimedFrame>, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    pcap::write_frames(frames.into_iter(), &mut std::fs::File::create(&path).unwrap()).unwrap();
    path
}

/// All that a command says.
fn said(arguments: &[&OsStr]) -> Vec<u8> {
    let output = program::run(arguments);
    [output.stdout, output.stderr].concat()
}

/// All that a replay says, for people and for programs.
fn replayed(file: &Path) -> Vec<u8> {
    [said(&["replay".as_ref(), "--json".as_ref(), file.as_ref()]), said(&["replay".as_ref(), file.as_ref()])].concat()
}

fn has(said: &[u8], what: &[u8]) -> bool {
    said.windows(what.len()).any(|window| window == what)
}

/// No spelling of the secret is in what was said; `where_from` tells people.
#[track_caller]
fn is_silent(said: &[u8], where_from: &str) {
    let digits = |octets: &str, between: &str| {
        octets.bytes().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(between)
    };
    let (hex, spaced) = (digits(SECRET, ""), digits(SECRET, " "));
    for spelling in [SECRET, SECRET_PLAIN, SECRET_ALONE, &hex, &spaced] {
        assert!(!has(said, spelling.as_bytes()), "{where_from}: {}", String::from_utf8_lossy(said));
    }
}

#[test]
fn no_password_of_any_protocol_leaves_a_replay() {
    let folder = tempfile::tempdir().unwrap();
    for conversation in conversations() {
        let name = conversation.name;
        let spoken = conversation.turns.iter().any(|(_, turn)| {
            [SECRET, SECRET_PLAIN, SECRET_ALONE].iter().any(|spelling| has(turn, spelling.as_bytes()))
        });
        assert!(spoken, "{name}");
        let file = capture(frames(&conversation, 1), folder.path(), "one.pcap");
        let said = replayed(&file);
        assert!(has(&said, b"\"flows\":1"), "{name}: {}", String::from_utf8_lossy(&said));
        is_silent(&said, name);
    }
}

/// `sigdb test` shows octets, but of what its rules look at: never a password.
#[test]
fn no_password_is_shown_to_who_writes_signatures() {
    let folder = tempfile::tempdir().unwrap();
    let signatures = program::root().join("sigdb/signatures");
    for conversation in conversations() {
        let file = capture(frames(&conversation, 1), folder.path(), "one.pcap");
        let application = conversation.name.split(' ').next().unwrap();
        for name in [application, "http", "tls"] {
            let signature = signatures.join(format!("{name}.toml"));
            let said = said(&["sigdb".as_ref(), "test".as_ref(), signature.as_ref(), file.as_ref()]);
            assert!(!said.is_empty(), "{name}");
            is_silent(&said, &format!("sigdb test {name}.toml {}", conversation.name));
        }
    }
}

/// Records as syslog and IPFIX, what is kept over a restart, what `show` says, and the program's own words.
#[test]
fn no_password_of_any_protocol_leaves_the_firewall() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let (folder, packets) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let all: Vec<_> = conversations().iter().enumerate().flat_map(|(host, one)| frames(one, host + 1)).collect();
    let count = all.len() as u64;
    let capture = capture(all, packets.path(), "all.pcap");
    let path = |name: &str| packets.path().join(name).display().to_string();
    pcap::write_frames(std::iter::empty(), &mut std::fs::File::create(path("none.pcap")).unwrap()).unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
    let port = free_port();
    let collector = std::net::UdpSocket::bind(("127.0.0.1", port)).unwrap();
    collector.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut policy = Policy::new(
        format!("net_pcap0,rx_pcap={},tx_pcap={}", capture.display(), path("inside.pcap")),
        format!("net_pcap1,rx_pcap={},tx_pcap={}", path("none.pcap"), path("outside.pcap")),
    )
    .rule("all", "action = \"permit\"\nsession-logging = true\n")
    .tls(&certificates)
    .host("siem", rsyslog.tls, "transport = \"tls\"\nssl-policy = \"collector\"\nformat = \"syslog\"\n")
    .host("flows", port, "transport = \"udp\"\nformat = \"binary\"\n");
    policy.full = true;
    policy.dataplane = "mirror = true\n".to_owned();
    policy.system = format!("state-directory = \"{}\"\n", folder.path().join("state").display());
    let firewall = Firewall::start(folder.path(), &policy);
    wait_for("every frame", || (firewall.counter("packets_received") == count).then_some(()));
    let mut shown = Vec::new();
    for what in ["im", "sessions", "statistics", "counters"] {
        shown.extend(firewall.show(what).iter().flat_map(|row| row.to_string().into_bytes()));
    }
    // Accounts do leave, by each of the ways: silence would prove nothing.
    for account in ["someone", "someone@example.com", "10001", "20001"] {
        let is_recorded = || rsyslog.records().iter().any(|record| record["account"] == account).then_some(());
        wait_for(&format!("a record of {account}"), is_recorded);
    }
    firewall.wait_until_sent();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();
    let mut exported = Vec::new();
    let mut datagram = vec![0; 65_536];
    while let Ok(length) = collector.recv(&mut datagram) {
        exported.extend_from_slice(&datagram[..length]);
    }
    assert!(has(&exported, b"someone@example.com"), "{} octets of IPFIX", exported.len());
    is_silent(&exported, "IPFIX");
    is_silent(&shown, "show");
    is_silent(log.as_bytes(), "log");
    let mut files = 0;
    for folder in ["", "state", "rsyslog"].map(|name| folder.path().join(name)) {
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
        {
            is_silent(&std::fs::read(&file).unwrap(), &file.display().to_string());
            files += 1;
        }
    }
    assert!(files > 5);
}

#[test]
fn what_is_looked_for_would_be_found() {
    // The account of the same conversation does leave: silence would prove nothing.
    let folder = tempfile::tempdir().unwrap();
    let irc = conversations().remove(0);
    let file = capture(frames(&irc, 1), folder.path(), "irc.pcap");
    assert!(has(&replayed(&file), b"\"account\":\"someone\""));
}

/// What stands behind these words, up to an octet that ends it, is a secret wherever it occurs.
const BEFORE_SECRETS: [&[u8]; 7] = [
    b"\nPASS ",
    b"AUTH PLAIN ",
    b"mechanism=\"PLAIN\">",
    b"mechanism='PLAIN'>",
    b" response=\"",
    b"Cookie: ",
    b"Authorization: ",
];

#[test]
fn no_secret_of_a_real_capture_leaves() {
    let Some(folder) = captures::folder() else { return };
    for file in captures::all(&folder) {
        let octets = std::fs::read(&file).unwrap();
        let mut secrets: Vec<&[u8]> = Vec::new();
        for before in BEFORE_SECRETS {
            let places = octets.windows(before.len()).enumerate().filter(|(_, window)| *window == before);
            for (at, _) in places {
                let rest = &octets[at + before.len()..];
                let end = rest.iter().position(|octet| b"\r\n\"<'\0".contains(octet)).unwrap_or(rest.len());
                // What is shorter is found in anything.
                secrets.extend(rest.get(..end.min(200)).filter(|secret| secret.len() >= 8));
            }
        }
        if secrets.is_empty() {
            continue;
        }
        let said = replayed(&file);
        for secret in secrets {
            assert!(!has(&said, secret), "{}: {}", file.display(), String::from_utf8_lossy(secret));
        }
    }
}
