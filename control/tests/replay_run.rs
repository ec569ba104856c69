//! Replays of captures made by hand, to the last line that they print.

mod replay_forge;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use control::replay::{Form, Options, ReplayError, Summary, run};
use dataplane::policy::Policy;
use replay_forge::{Order, Pcap, PcapNg, ethernet, udp};
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;
const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 40_000);
const SERVER: ([u8; 4], u16) = ([192, 0, 2, 1], 9);

struct Replayed {
    lines: Vec<Value>,
    remarks: String,
    summary: Summary,
}

impl Replayed {
    fn last(&self) -> &Value {
        self.lines.last().expect("a summary")
    }

    /// Time, event, action, reason and client's interface of all but the summary; times in seconds of the story.
    fn story(&self) -> Vec<String> {
        let text = |line: &Value, name: &str| line[name].as_str().unwrap_or("-").to_owned();
        let one = |line: &Value| {
            format!("{} {} {}", text(line, "action"), text(line, "reason"), text(line, "client-interface"))
        };
        self.lines.iter().filter(|line| line["event"] != "summary").map(one).collect()
    }
}

/// Writes the captures to files and replays them.
fn replay(captures: &[&[u8]]) -> Result<Replayed, ReplayError> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |(at, bytes): (usize, &&[u8])| {
        let path = folder.path().join(format!("{at}.pcap"));
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    replay_files(captures.iter().enumerate().map(file).collect())
}

fn options(files: Vec<PathBuf>) -> Options {
    let configuration = control::config::replay_default(control::signatures::shipped());
    Options { files, form: Form::Json, inside: Vec::new(), configuration }
}

fn replay_files(files: Vec<PathBuf>) -> Result<Replayed, ReplayError> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let summary = run(options(files), &mut out, &mut err)?;
    let lines = out.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    let lines = lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect();
    Ok(Replayed { lines, remarks: String::from_utf8(err).expect("text"), summary })
}

fn refused(captures: &[&[u8]]) -> String {
    let error = replay(captures).err().expect("an error");
    let text = error.to_string();
    // What is in front is the folder.
    text.split_once(".pcap: ").map_or(text.clone(), |(_, reason)| reason.to_owned())
}

#[test]
fn a_flow_is_told_from_its_creation_to_its_timeout() {
    let file = Pcap::new(Order::Little, true, 1)
        .packet(START, &ethernet(&udp(CLIENT, SERVER, b"ping")))
        .packet(START + SECOND, &ethernet(&udp(SERVER, CLIENT, b"pong!")))
        .packet(START + 10_000_000 * SECOND, &ethernet(&udp(CLIENT, ([192, 0, 2, 2], 9), b"")));
    let replayed = replay(&[&file.bytes]).expect("a replay");
    assert_eq!(replayed.story(), ["create - inside", "close timeout inside", "create - inside"]);
    let close = &replayed.lines[1];
    assert_eq!((&close["client"], &close["server"]), (&json!("10.0.0.1:40000"), &json!("192.0.2.1:9")));
    assert_eq!((&close["to-server-octets"], &close["to-client-octets"]), (&json!(32), &json!(33)));
    // 180 seconds of silence after the answer; the table is looked at about each second.
    let duration = close["duration"].as_f64().expect("seconds");
    assert!((181.0..185.0).contains(&duration), "{duration}");
    let expected = json!({
        "event": "summary", "files": 1, "packets": 3, "octets": 42 * 3 + 9, "skipped": 0, "truncated": false,
        "first": "2023-11-14T22:13:20.000000Z", "last": "2024-03-09T16:00:00.000000Z", "flows": 2, "open": 1,
        "applications": {}, "signons": {}, "drops": {},
    });
    assert_eq!(replayed.last(), &expected);
    assert_eq!(replayed.remarks, "");
}

#[test]
fn files_are_one_story_in_which_time_never_runs_backwards() {
    let first = Pcap::new(Order::Little, false, 101).packet(START, &udp(CLIENT, SERVER, b"ping"));
    let second = PcapNg::new(Order::Big).interface(228, 0, &[]).enhanced(0, 1, &udp(SERVER, CLIENT, b"pong"), &[]);
    let replayed = replay(&[&first.bytes, &second.bytes]).expect("a replay");
    assert_eq!(replayed.story(), ["create - inside"]);
    assert_eq!((replayed.summary.packets, replayed.summary.flows, replayed.summary.files), (2, 1, 2));
    assert_eq!(replayed.last()["last"], "2023-11-14T22:13:20.000000Z");
}

#[test]
fn who_is_inside_tells_the_port() {
    let opened = Pcap::new(Order::Little, false, 101)
        .packet(START, &udp((SERVER.0, 40_000), (CLIENT.0, 9), b""))
        .packet(START, &udp((SERVER.0, 40_001), ([198, 51, 100, 7], 9), b""));
    assert_eq!(replay(&[&opened.bytes]).expect("a replay").story(), ["create - outside", "create - inside"]);
}

#[test]
fn a_truncated_file_gives_what_is_whole_and_says_so() {
    let file = Pcap::new(Order::Little, false, 101).packet(START, &udp(CLIENT, SERVER, b"ping"));
    let whole = file.bytes.len();
    let mut file = file.packet(START, &udp(CLIENT, SERVER, b"ping")).bytes;
    file.pop();
    let replayed = replay(&[&file]).expect("a replay");
    assert_eq!((&replayed.last()["truncated"], &replayed.last()["packets"]), (&json!(true), &json!(1)));
    let remark = format!("it is truncated: it ends within the record at octet {whole}; the 1 packets before");
    assert!(replayed.remarks.contains(&remark), "{}", replayed.remarks);
}

#[test]
fn dropped_frames_are_counted_by_name() {
    let mut bad = udp(CLIENT, SERVER, b"");
    bad[0] = 0x44;
    let file = Pcap::new(Order::Little, false, 101).packet(START, &bad).packet(START, &udp(CLIENT, SERVER, b"")[..10]);
    let replayed = replay(&[&file.bytes]).expect("a replay");
    assert_eq!(replayed.last()["drops"], json!({"truncated": 1, "bad_ip_header": 1}));
}

#[test]
fn what_cannot_be_replayed_is_refused_before_anything_is_printed() {
    let good = Pcap::new(Order::Little, false, 101).packet(START, &udp(CLIENT, SERVER, b"")).bytes;
    let wireless = Pcap::new(Order::Little, false, 105).bytes;
    // What is no capture is; a capture of another link type is not.
    assert_eq!(replay(&[&good, &wireless]).expect("a replay").summary.packets, 1);
    assert_eq!(refused(&[b""]), "it is empty");
    assert!(refused(&[b"GET /"]).starts_with("it is neither pcap nor pcapng"));
    assert!(replay_files(vec![PathBuf::from("/nonexistent.pcap")]).is_err());
    let directory = replay_files(vec![std::env::temp_dir()]).err().expect("an error").to_string();
    assert!(directory.ends_with("it is a directory; name the capture files in it"), "{directory}");
}

#[test]
fn an_interface_that_cannot_be_replayed_among_others_is_left_out_and_said() {
    let file = PcapNg::new(Order::Little)
        .interface(105, 0, &[])
        .interface(101, 0, &[])
        .enhanced(0, START / 1_000, b"beacon", &[])
        .enhanced(1, START / 1_000, &udp(CLIENT, SERVER, b""), &[])
        .enhanced(0, START / 1_000, b"beacon", &[]);
    let replayed = replay(&[&file.bytes]).expect("a replay");
    assert_eq!((replayed.summary.packets, replayed.summary.skipped), (1, 2));
    let remark =
        "2 packets of link type IEEE802_11 (105) were skipped: it cannot be replayed; those that can: Ethernet (1), ";
    assert!(replayed.remarks.contains(remark), "{}", replayed.remarks);
}

#[test]
fn a_rule_that_does_not_log_leaves_the_summary_alone() {
    let file = Pcap::new(Order::Little, false, 101).packet(START, &udp(CLIENT, SERVER, b"ping"));
    let path = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(path.path(), &file.bytes).expect("a file");
    let mut options = options(vec![path.path().to_owned()]);
    let mut source = options.configuration.policy.source().clone();
    for rule in &mut source.rules {
        rule.session_logging = false;
    }
    options.configuration.policy = Arc::new(Policy::compile(source));
    let mut out = Vec::new();
    let summary = run(options, &mut out, &mut io::sink()).expect("a replay");
    assert_eq!((summary.flows, out.iter().filter(|octet| **octet == b'\n').count()), (1, 1));
}

/// An output whose reader has gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// An output that cannot take more.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_leaves_ends_the_replay_quietly_and_a_full_disk_does_not() {
    let file = Pcap::new(Order::Little, false, 101).packet(START, &udp(CLIENT, SERVER, b"ping"));
    let path = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(path.path(), &file.bytes).expect("a file");
    let files = |path: &Path| options(vec![path.to_owned()]);
    assert!(run(files(path.path()), &mut Gone, &mut io::sink()).is_ok());
    let error = run(files(path.path()), &mut Full, &mut io::sink()).expect_err("a full disk");
    assert!(matches!(error, ReplayError::Output(_)), "{error}");
}
