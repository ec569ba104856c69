//! `ostiary sigdb test`: a file's samples and a capture's flows, with the octets on which each rule rests or fails.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ostiary_tests::program;

/// An invented protocol: a mark, a kind, records.
const PARLEY: &str = r#"
[application]
name = "parley"
title = "Parley"
[[protocol]]
name = "talk"
[protocol.anchor]
user = { at = 5, tlv = 1 }
[[protocol.carrier]]
transport = "udp"
framing = { kind = "datagram" }
[[protocol.identify]]
from = "client"
when = [{ at = 0, text = "PRLY" }, { at = 4, u8 = 1 }, { regex = '[a-z]+@[a-z.]+', within = 64 }]
[[protocol.message]]
name = "login"
from = "client"
when = [{ at = 4, u8 = 1 }]
account = { value = "user", form = "utf8" }
means = "attempt"
[[protocol.message]]
name = "welcome"
from = "server"
when = [{ at = 4, u8 = 2 }]
answers = ["login"]
account-of-flow = true
means = "login"
[[sample]]
name = "login"
transport = "udp"
server-port = 7007
application = "parley"
sightings = ["attempt ann@a.example", "login ann@a.example"]
segment = [
  { from = "client", text = "PRLY", octets = "01 07 01 78 01 0d", tail = "61 6e 6e 40 61 2e 65 78 61 6d 70 6c 65" },
  { from = "server", text = "PRLY", octets = "02" },
]
[[sample]]
name = "another mark"
transport = "udp"
server-port = 7007
application = "none"
segment = [{ from = "client", text = "PRLX", octets = "01" }]
"#;

fn try_file(folder: &Path, capture: Option<&str>) -> (i32, String) {
    let mut command = Command::new(program::path());
    command.args(["sigdb", "test", "parley.toml"]).args(capture).current_dir(folder);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code().unwrap(), said)
}

#[track_caller]
fn says(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
}

#[test]
fn samples_show_what_holds_and_what_does_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("parley.toml"), PARLEY).unwrap();
    let (code, said) = try_file(folder.path(), None);
    assert_eq!(code, 0, "{said}");
    says(
        &said,
        &[
            "sample \"login\" holds: parley attempt ann@a.example, login ann@a.example",
            "client yes   talk/udp, identify 1",
            "yes   account ann@a.example",
            "sample \"another mark\" holds: none",
            "no    at 0: octets 50 52 4c 59   [0: \"PRLX\"]",
        ],
    );
    fs::write(folder.path().join("parley.toml"), PARLEY.replacen("u8 = 1 }, {", "u8 = 3 }, {", 1)).unwrap();
    let (code, said) = try_file(folder.path(), None);
    assert_eq!(code, 2);
    says(&said, &["sample \"login\" FAILS: expected application \"parley\"", "no    at 4: u8 = 0x3   [4: 01]"]);
}

#[test]
fn a_capture_shows_its_hits_and_what_comes_near() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("parley.toml"), PARLEY).unwrap();
    let (client, server) = (([192, 0, 2, 1], 5000), ([198, 51, 100, 7], 7007));
    let login = |kind: u8| [b"PRLY", &[kind, 7, 1, b'x', 1, 13][..], b"ann@a.example"].concat();
    let frames = [
        frame(client, server, &login(1)),
        frame(server, client, b"PRLY\x02"),
        frame((client.0, 5001), server, &login(3)),
        frame((client.0, 5002), (server.0, 9), b"other"),
    ];
    fs::write(folder.path().join("day.pcap"), pcap(&frames)).unwrap();
    let (code, said) = try_file(folder.path(), Some("day.pcap"));
    assert_eq!(code, 0, "{said}");
    says(
        &said,
        &[
            "udp 192.0.2.1:5000 -> 198.51.100.7:7007: parley attempt ann@a.example, login ann@a.example",
            "2 server yes   talk/udp, message \"welcome\"",
            "udp 192.0.2.1:5001 -> 198.51.100.7:7007: none",
            "no    at 4: u8 = 0x1   [4: 03]",
            "3 flows: 1 are parley, 1 come near it",
        ],
    );
    assert!(!said.contains("5002"), "a flow with nothing of it is not told");
    let (code, said) = try_file(folder.path(), Some("absent.pcap"));
    assert_eq!(code, 2);
    says(&said, &["absent.pcap: cannot read it"]);
}

/// A UDP datagram in an Ethernet frame, without checksums.
fn frame(from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend((28 + payload.len() as u16).to_be_bytes());
    frame.extend([0, 1, 0, 0, 64, 17, 0, 0]);
    frame.extend([from.0, to.0].concat());
    for number in [from.1, to.1, 8 + payload.len() as u16, 0] {
        frame.extend(number.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

/// A capture of Ethernet frames (LINKTYPE 1).
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: [u32; 4]| words.into_iter().flat_map(u32::to_le_bytes);
    let mut file: Vec<u8> = words([0xa1b2_c3d4, 0x0004_0002, 0, 0]).collect();
    file.extend([65_535_u32, 1].into_iter().flat_map(u32::to_le_bytes));
    for frame in frames {
        file.extend(words([1_000, 0, frame.len() as u32, frame.len() as u32]));
        file.extend(frame);
    }
    file
}
