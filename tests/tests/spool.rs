//! Spools of a running firewall: killed in mid-outage, and on a disk that is full. What arrives in the end, and what is said of the rest.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{skip, stories};
use serde_json::Value;

/// A firewall that plays a day of sign-ons at each start, and keeps what its log host does not take.
fn policy(folder: &Path, port: u16, keys: &str) -> (Policy, usize) {
    let mut story = catalogue::find("wechat_legacy_day").unwrap().tell(3);
    story.compress(Duration::from_millis(1));
    let capture = stories::write(&story, Layout::PLAIN, folder, "story.pcap");
    let nothing = Story { begins: 0, frames: Vec::new(), expected: Default::default() };
    let empty = stories::write(&nothing, Layout::PLAIN, folder, "empty.pcap");
    let device = |number, from: &Path| {
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", from.display(), folder.join(format!("out{number}")).display())
    };
    let mut policy = Policy::new(device(0, &capture), device(1, &empty))
        .rule("all", "action = \"permit\"\nsession-logging = true\n")
        .host("siem", port, &format!("transport = \"tcp\"\nformat = \"syslog\"\n{keys}"));
    policy.full = true;
    policy.system = format!("state-directory = \"{}\"\n", folder.join("state").display());
    policy.rest += "[log.spool]\nenable = true\n";
    (policy, story.frames.len())
}

/// A counter of the log host, over its classes.
fn sum(firewall: &Firewall, key: &str) -> u64 {
    let statistics = firewall.statistics();
    let host = statistics["hosts"].as_array().unwrap().iter().find(|host| host["name"] == "siem").unwrap();
    host["classes"].as_array().unwrap().iter().map(|class| class[key].as_u64().unwrap()).sum()
}

fn seen_all(firewall: &Firewall, frames: usize) {
    wait_for("the firewall to see every frame", || {
        (firewall.counter("packets_received") == frames as u64).then_some(())
    });
}

/// Until nothing waits anywhere.
fn delivered(firewall: &Firewall) {
    wait_for("the log host to have everything", || {
        (sum(firewall, "queued") == 0 && sum(firewall, "spooled") == 0).then_some(())
    });
}

/// Numbers of records that are not about losses, by boot; and all that was said of losses.
fn arrived(rsyslog: &Rsyslog) -> (BTreeMap<String, BTreeSet<u64>>, Vec<Value>) {
    let (mut numbers, mut losses) = (BTreeMap::<String, BTreeSet<u64>>::new(), Vec::new());
    for record in rsyslog.records() {
        if record["id"] == "LOG_LOSS" {
            losses.push(record);
            continue;
        }
        let number = record["seq"].as_str().unwrap().parse().unwrap();
        numbers.entry(record["boot"].as_str().unwrap().to_owned()).or_default().insert(number);
    }
    (numbers, losses)
}

#[test]
fn a_firewall_that_is_killed_in_mid_outage_sends_what_it_had_spooled() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
    rsyslog.stop();
    let (policy, frames) = policy(folder.path(), rsyslog.tcp, "");
    let mut made = Vec::new();
    let mut firewall = Firewall::start(folder.path(), &policy);
    for _ in 0..3 {
        seen_all(&firewall, frames);
        wait_for("all records to be on disk", || {
            let (queued, spooled) = (sum(&firewall, "queued"), sum(&firewall, "spooled"));
            (queued == 0 && spooled > 0).then_some(())
        });
        made.push(sum(&firewall, "records"));
        firewall.kill();
        firewall = Firewall::start_again(folder.path());
    }
    seen_all(&firewall, frames);
    rsyslog.resume();
    delivered(&firewall);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();
    let (numbers, losses) = arrived(&rsyslog);
    assert_eq!(numbers.len(), 4, "three runs that were killed, and the last");
    for numbers in numbers.values() {
        let all = (1..=numbers.len() as u64).collect::<BTreeSet<_>>();
        assert_eq!(*numbers, all, "no gap; said of losses: {losses:?}");
    }
    // Each killed run made so many, and perhaps one or another between the last look and the end.
    let least: BTreeSet<u64> = made.iter().copied().collect();
    let most = numbers.values().map(|numbers| numbers.len() as u64).max().unwrap();
    assert!(least.iter().all(|count| *count > 0 && *count <= most), "{made:?} {most}");
}

/// A number of each loss.
fn of<'a>(losses: &'a [Value], key: &'a str) -> impl Iterator<Item = u64> + 'a {
    losses.iter().map(move |loss| loss[key].as_str().unwrap().parse().unwrap())
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

#[test]
fn a_full_disk_under_the_spool_costs_records_that_are_all_told() {
    if !skip::has_programs(&["rsyslogd"]) || !skip::is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
    rsyslog.stop();
    // Some sixty records on disk, and sixteen in memory.
    let disk = Small::mount(folder.path().join("state/spool"), "64k");
    let (policy, frames) = policy(folder.path(), rsyslog.tcp, "queue = 16");
    let firewall = Firewall::start(folder.path(), &policy);
    seen_all(&firewall, frames);
    wait_for("the disk to be full, and the queue", || (sum(&firewall, "dropped") > 0).then_some(()));
    assert!(sum(&firewall, "spooled") > 0, "{}", firewall.log());
    rsyslog.resume();
    delivered(&firewall);
    let dropped = sum(&firewall, "dropped");
    // Before the end, which makes more records than the queue has room for.
    let (numbers, losses) = wait_for("the collector to write what it was told", || {
        let (numbers, losses) = arrived(&rsyslog);
        (of(&losses, "count").sum::<u64>() >= dropped).then_some((numbers, losses))
    });
    assert_eq!(of(&losses, "count").sum::<u64>(), dropped, "{losses:?}");
    let numbers = numbers.values().next().unwrap();
    let last = of(&losses, "last-sequence").chain(numbers.last().copied()).max().unwrap();
    assert_eq!(last - numbers.len() as u64, dropped, "{losses:?}");
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    drop(disk);
}
