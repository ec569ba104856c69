//! The audit trail of a running firewall, on its disk: read by other programs, killed, cut, tampered with, without room.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::{program, skip, stories};
use serde_json::Value;

/// A firewall that plays a day of sign-ons at each start and keeps all of its records in the file `all`.
fn policy(folder: &Path, keys: &str) -> (Policy, usize) {
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
    policy.audit = keys.to_owned();
    policy.rest += "[[audit.file]]\nname = \"all\"\nselect = [\"any/debug\"]\n";
    (policy, story.frames.len())
}

fn seen_all(firewall: &Firewall, frames: usize) {
    wait_for("the firewall to see every frame", || {
        (firewall.counter("packets_received") == frames as u64).then_some(())
    });
}

fn trail(folder: &Path) -> PathBuf {
    folder.join("audit")
}

/// `ostiary audit …` on the trail of a test.
fn audit(folder: &Path, arguments: &[&str]) -> Output {
    let trail = trail(folder);
    let directory = ["--directory", trail.to_str().unwrap()];
    program::run(["audit"].iter().chain(arguments).chain(&directory))
}

/// Whether it holds, and what is said.
fn verify(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = audit(folder, &[&["verify"], arguments].concat());
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// The records of a file, with conditions.
fn records(folder: &Path, file: &str, conditions: &[&str]) -> Vec<Value> {
    let output = audit(folder, &[&["export", "--file", file], conditions].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Names of the trail's events, in their order.
fn events(folder: &Path) -> Vec<String> {
    let records = records(folder, "audit", &[]);
    // It also has records of losses.
    let trail = records.iter().filter(|record| record["event"] == "audit");
    trail.map(|record| record["action"].as_str().unwrap().to_owned()).collect()
}

fn live(folder: &Path, name: &str) -> PathBuf {
    trail(folder).join(format!("{name}.jsonl"))
}

/// The records of one run, made and stored.
fn run_once(folder: &Path, keys: &str) {
    let (policy, frames) = policy(folder, keys);
    let firewall = Firewall::start(folder, &policy);
    seen_all(&firewall, frames);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

/// B1, of the disk: what is stored is JSON for others, a crash's torn tail is set aside, and the series goes on.
#[test]
fn b01_records_are_stored_and_a_cut_tail_is_recovered() {
    if !skip::has_programs(&["jq"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run_once(folder, "");
    let output = Command::new("jq").arg("-r").arg(".event // empty").arg(live(folder, "all")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let kinds: BTreeSet<&str> = text.lines().collect();
    assert_eq!(kinds, BTreeSet::from(["audit", "session", "signon"]));
    assert_eq!(events(folder)[0], "audit-start", "nothing comes before it");
    assert!(events(folder).iter().any(|event| event == "key-change"), "its key was made");
    let (code, said) = verify(folder, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("not signed yet"), "a stop signs all: {said}");
    let numbers =
        |file| records(folder, file, &[]).iter().map(|record| record["n"].as_u64().unwrap()).collect::<Vec<_>>();
    for file in ["all", "audit"] {
        let numbers = numbers(file);
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{file}");
    }
    for cut in [1, 40, 700] {
        let length = std::fs::metadata(live(folder, "audit")).unwrap().len();
        let file = std::fs::OpenOptions::new().write(true).open(live(folder, "audit")).unwrap();
        file.set_len(length - cut).unwrap();
        let (code, log) = Firewall::start_again(folder).stop();
        assert_eq!(code, 0, "{log}");
        let (code, said) = verify(folder, &[]);
        assert_eq!(code, 0, "{said}");
    }
    let recovered = events(folder).iter().filter(|event| *event == "audit-recovered").count();
    assert_eq!(recovered, 3, "{:?}", events(folder));
}

/// Who is killed leaves a trail that holds, and the next run says that there was no stop.
#[test]
fn a_kill_leaves_a_trail_that_holds_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (policy, frames) = policy(folder, "");
    let mut firewall = Firewall::start(folder, &policy);
    for _ in 0..3 {
        seen_all(&firewall, frames);
        firewall.kill();
        let (code, said) = verify(folder, &[]);
        // A write that was not finished is all that may be wrong.
        assert!(code == 0 || said.contains("ends within a line"), "{said}");
        firewall = Firewall::start_again(folder);
    }
    firewall.stop();
    let (code, said) = verify(folder, &[]);
    assert_eq!(code, 0, "{said}");
    let events = events(folder);
    let count = |event: &str| events.iter().filter(|other| *other == event).count();
    assert_eq!((count("audit-start"), count("audit-stop"), count("audit-recovered")), (4, 1, 6), "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("audit-stop"), "nothing comes after it");
}

/// One octet, anywhere: found, its line named, and all other records are still read.
#[test]
fn one_changed_octet_is_found_and_its_line_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run_once(folder, "");
    let path = live(folder, "all");
    let whole = std::fs::read(&path).unwrap();
    let before = records(folder, "all", &[]).len();
    for at in (7..whole.len()).step_by(whole.len() / 25) {
        let mut changed = whole.clone();
        changed[at] ^= 0x01;
        std::fs::write(&path, &changed).unwrap();
        let line = whole[..at].iter().filter(|octet| **octet == b'\n').count() + 1;
        let (code, said) = verify(folder, &["--file", "all"]);
        assert_eq!(code, 1, "octet {at}: {said}");
        assert!(said.contains(&format!("{}:{line}: ", path.display())), "octet {at}, line {line}: {said}");
        assert!(records(folder, "all", &[]).len() >= before - 2, "the rest is readable");
    }
    // The end cut off, at a line: only who has a checkpoint elsewhere can tell.
    let checkpoints = records(folder, "audit", &["--event", "audit-checkpoint"]);
    let lines: Vec<&[u8]> = whole.split_inclusive(|octet| *octet == b'\n').collect();
    std::fs::write(&path, lines[..lines.len() - 2].concat()).unwrap();
    assert_eq!(verify(folder, &["--file", "all"]).0, 0);
    let last = before as u64;
    let hash = {
        let output = audit(folder, &["verify", "--file", "all", "--json"]);
        let row: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(row["last"].as_u64().unwrap() < last, "{row} {checkpoints:?}");
        "A".repeat(43)
    };
    let (code, said) = verify(folder, &["--file", "all", "--anchor", &format!("{last}:{hash}")]);
    assert_eq!(code, 1);
    assert!(said.contains("the end is missing"), "{said}");
}

/// B15, of the files: owner and group read, nobody else.
#[test]
fn b15_others_cannot_read_the_files() {
    if !skip::is_root() || !skip::has_programs(&["setpriv"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let folder = folder.path();
    run_once(folder, "group = \"4242\"\n");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&trail(folder)), mode(&live(folder, "audit"))), (0o750, 0o640));
    assert_eq!(mode(&trail(folder).join("audit.key")), 0o600);
    let read_by = |groups: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "4241", "--regid", "4241", groups, "cat"]).arg(live(folder, "audit"));
        command.output().unwrap().status.success()
    };
    assert!(!read_by("--clear-groups"));
    assert!(read_by("--groups=4242"));
}

/// A small file system, mounted as long as this lives.
struct Small(PathBuf);

impl Small {
    fn mount(folder: PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        let options = format!("size={size}");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder);
        assert!(command.status().unwrap().success(), "{command:?}");
        Self(folder)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// No room: what is not in the file is counted to the last record, and said once there is room again.
#[test]
fn a_full_disk_costs_records_that_are_all_counted_and_told() {
    if !skip::is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let disk = Small::mount(trail(folder), "1m");
    let ballast = trail(folder).join("ballast");
    std::fs::write(&ballast, vec![0; (1 << 20) - (24 << 10)]).unwrap();
    let (policy, frames) = policy(folder, "when-full = \"drop-new\"\n");
    let firewall = Firewall::start(folder, &policy);
    seen_all(&firewall, frames);
    wait_for("the disk to be full", || firewall.log().contains("there is no room for the trail").then_some(()));
    std::fs::remove_file(&ballast).unwrap();
    wait_for("the losses to be told", || {
        records(folder, "all", &[]).iter().any(|record| record["event"] == "log-loss").then_some(())
    });
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    let (code, said) = verify(folder, &[]);
    assert_eq!(code, 0, "{said}");
    let all = records(folder, "all", &[]);
    let of_all = |record: &&Value| record["event"] == "log-loss" && record["place"] == "store:all";
    let told: u64 = all.iter().filter(of_all).map(|record| record["count"].as_u64().unwrap()).sum();
    let numbers: BTreeSet<u64> = all.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    let missing = numbers.last().unwrap() - numbers.len() as u64;
    assert!(missing > 0, "{log}");
    assert_eq!(told, missing, "the file has all but those that it says are missing");
    assert!(events(folder).iter().any(|event| event == "audit-full"), "{:?}", events(folder));
    drop(disk);
}
