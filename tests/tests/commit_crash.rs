//! Killed at any moment of a commit: the policy file is the configuration before or the one after, whole, and the next start
//! says which. `OSTIARY_KILLS` says how often; `scripts/commits` takes 200.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ostiary_tests::commits::{generations, ostiary};
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::program;

/// The number in the policy file.
fn mark(text: &str) -> u64 {
    let (_, rest) = text.split_once("mark = [\"10.0.").unwrap_or_else(|| panic!("half a file:\n{text}"));
    let mut octets = rest.split(['.', '/']).map(|octet| octet.parse::<u64>().unwrap());
    octets.next().unwrap() * 256 + octets.next().unwrap()
}

fn prefix(number: u64) -> String {
    format!("[\"10.0.{}.{}/32\"]", number / 256, number % 256)
}

/// Commits one number after the other until the firewall is gone; `done` is the last one that it said was committed.
fn commit_on(socket: &Path, done: &AtomicU64) {
    loop {
        let next = done.load(Ordering::SeqCst) + 1;
        if ostiary(socket, &["set", "address.mark", &prefix(next)]).code != 0 || ostiary(socket, &["commit"]).code != 0
        {
            return;
        }
        done.store(next, Ordering::SeqCst);
    }
}

/// The highest number of a generation that was written.
fn written(folder: &Path) -> u64 {
    let names = std::fs::read_dir(folder).unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.split('.').next()?.parse().ok()).max().unwrap_or(0)
}

#[test]
fn a_kill_leaves_the_old_or_the_new_configuration() {
    let kills: u64 = std::env::var("OSTIARY_KILLS").map_or(40, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut policy = Policy::new("net_null0", "net_null1").rule("all", "source = [\"mark\"]\naction = \"permit\"");
    policy.system = format!("state-directory = \"{}\"\n", folder.path().join("state").display());
    policy.rest = format!("[address]\nmark = {}\n", prefix(0));
    let mut firewall = Firewall::start(folder.path(), &policy);
    let file = folder.path().join("policy.toml");
    let generations_folder = folder.path().join("state/config/generations");
    let (mut old, mut new) = (0, 0);
    let mut delay = 17;
    for kill in 0..kills {
        let before = mark(&std::fs::read_to_string(&file).unwrap());
        let done = AtomicU64::new(before);
        let socket = firewall.socket();
        thread::scope(|scope| {
            scope.spawn(|| commit_on(&socket, &done));
            // At least one commit ends; then anywhere in those that follow.
            let start = Instant::now();
            while done.load(Ordering::SeqCst) == before && start.elapsed() < Duration::from_secs(30) {
                thread::sleep(Duration::from_millis(1));
            }
            delay = (delay * 7_919 + 13) % 104_729;
            if kill % 2 == 0 {
                thread::sleep(Duration::from_micros(delay));
            } else {
                // What is written last takes a few milliseconds of many.
                let known = written(&generations_folder);
                while written(&generations_folder) == known && start.elapsed() < Duration::from_secs(30) {}
                thread::sleep(Duration::from_micros(delay / 10));
            }
            firewall.kill();
        });
        let done = done.load(Ordering::SeqCst);
        assert!(done > before, "no commit was made before kill {kill}");
        let text = std::fs::read_to_string(&file).unwrap();
        let found = mark(&text);
        assert!(found == done || found == done + 1, "kill {kill}: {found} after {done} was committed");
        if found == done {
            old += 1
        } else {
            new += 1
        }
        let checked = program::run(["check".as_ref(), file.as_os_str()]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        firewall = Firewall::start_again(folder.path());
        let rows = generations(&firewall.socket());
        let head = rows.iter().find(|row| row["state"] == "in force").unwrap();
        let number = head["number"].to_string();
        assert_eq!(ostiary(&firewall.socket(), &["generations", &number]).done(), text);
        // What is above it was not finished, and the start said so.
        for row in rows.iter().take_while(|row| row["state"] != "in force") {
            assert_eq!(row["state"], "reverted", "{row}");
        }
        // The candidate of a commit that was not finished is still there; it must not be in the way of the next.
        ostiary(&firewall.socket(), &["discard"]).done();
    }
    println!("{kills} kills: {old} left the configuration that was committed last, {new} the next one");
    assert_eq!(firewall.stop().0, 0);
}
