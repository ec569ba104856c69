//! Real traffic: every capture replays without a crash, and applications and sign-ons are told as `truth.tsv` has them.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ostiary_tests::program::{self, Replay};
use ostiary_tests::{captures, skip};

/// Replays all captures, several at a time, and gives what `judge` finds.
fn over_all(folder: &Path, judge: impl Fn(&Path, &Replay) -> Option<String> + Sync) -> Vec<String> {
    let files = captures::all(folder);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let fault = judge(file, &Replay::of([file]));
                    found.lock().unwrap().extend(fault.map(|fault| format!("{}: {fault}", file.display())));
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// Exit code 0 with a summary; or 2 with a reason, for captures that are cut short.
#[test]
fn every_capture_replays_without_a_crash() {
    let Some(folder) = captures::folder() else { return };
    let faults = over_all(&folder, |_, replay| match replay.code {
        0 => (replay.events.last().is_none_or(|last| last["event"] != "summary")).then(|| "no summary".to_owned()),
        2 if replay.errors.contains("truncated") => None,
        code => Some(format!("exit code {code}: {}", replay.errors.trim())),
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The scores of the captures' own checker: nothing missed, and nothing false, in any capture.
#[test]
fn all_is_told_as_the_truth_table_has_it() {
    let Some(folder) = captures::folder() else { return };
    if !skip::has_programs(&["python3"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let table = scratch.path().join("differences.tsv");
    let command = format!("'{}' replay --json {{pcap}}", program::path().display());
    let mut checker = Command::new("python3");
    checker
        .arg(folder.join("check.py"))
        .arg(&folder)
        .args(["--cmd", &command, "--timeout", "120", "--out"])
        .arg(&table);
    let output = checker.output().unwrap();
    let differences = std::fs::read_to_string(&table)
        .unwrap_or_else(|error| panic!("check.py: {error}: {}", String::from_utf8_lossy(&output.stderr)));
    let unexpected: Vec<&str> = differences.lines().skip(1).collect();
    assert!(unexpected.is_empty(), "file, what, application, action, account, note:\n{}", unexpected.join("\n"));
}

/// 29 report packets: they look like the logout of an older generation, and are none.
#[test]
fn reports_of_qq_are_neither_login_nor_logout() {
    let Some(folder) = captures::folder() else { return };
    let replay = Replay::of([folder.join("im-qq/oicq.pcap")]);
    assert_eq!(replay.code, 0, "{}", replay.errors);
    let actions: Vec<&str> = replay.events("signon").filter_map(|event| event["action"].as_str()).collect();
    assert_eq!(actions, ["seen"]);
    assert!(replay.events("signon").all(|event| event["account"].is_string()));
    assert_eq!(replay.events("application").filter(|event| event["application"] == "qq").count(), 29);
}
