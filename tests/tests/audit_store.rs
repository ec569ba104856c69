//! The audit trail of a running firewall, on its disk: read by other programs, killed, cut, tampered with, without room.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::commits::ostiary;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{free_port, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
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

/// B2: the trail does not wait for hosts, and one that is away does not keep another from its records.
#[test]
fn b02_a_dead_host_delays_nothing() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let certificates = Certificates::make(folder);
    let rsyslog = Rsyslog::start(folder, &certificates);
    let text = "transport = \"tcp\"\nformat = \"syslog\"";
    let (policy, frames) = policy(folder, "");
    let policy = policy.host("dead", free_port(), text).host("alive", rsyslog.tcp, text);
    let firewall = Firewall::start(folder, &policy);
    seen_all(&firewall, frames);
    let queued = |name: &str| {
        let hosts = firewall.statistics()["hosts"].clone();
        let host = hosts.as_array().unwrap().iter().find(|host| host["name"] == name).unwrap().clone();
        host["classes"].as_array().unwrap().iter().map(|class| class["queued"].as_u64().unwrap()).sum::<u64>()
    };
    wait_for("the living to have all", || (queued("alive") == 0).then_some(()));
    // All that waits for the dead is in the file meanwhile, and at the other host.
    let waits = queued("dead");
    assert!(waits > 50, "{waits}");
    wait_for("the file to have all", || (records(folder, "all", &[]).len() as u64 >= waits).then_some(()));
    wait_for("the other host to have all", || (rsyslog.records().len() as u64 >= waits).then_some(()));
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("records did not reach log host dead"), "{log}");
}

/// B5: a file takes what its selectors name, which a slow twin picks from the file of all.
#[test]
fn b05_file_syslog_any_info() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut policy, frames) = policy(folder, "");
    let files: [(&str, &[&str]); 4] = [
        ("syslog", &["any/info"]),
        ("grave", &["any/notice"]),
        ("chat", &["im"]),
        ("mixed", &["im/info", "audit/notice"]),
    ];
    for (name, select) in files {
        policy.rest += &format!("[[audit.file]]\nname = \"{name}\"\nselect = {select:?}\n");
    }
    let firewall = Firewall::start(folder, &policy);
    seen_all(&firewall, frames);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    let all = records(folder, "all", &[]);
    let class = |record: &Value| match record["event"].as_str().unwrap() {
        "signon" => "im".to_owned(),
        "log-loss" => record["class"].as_str().unwrap().to_owned(),
        event => event.to_owned(),
    };
    let severities = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
    let picks = |selector: &str, record: &Value| {
        let (wanted, least) = selector.split_once('/').unwrap_or((selector, "debug"));
        let least = severities.iter().position(|severity| *severity == least).unwrap() as u64;
        (wanted == "any" || wanted == class(record)) && record["severity"].as_u64().unwrap() <= least
    };
    let numbers = |records: &[Value]| records.iter().map(|record| record["seq"].as_u64().unwrap()).collect::<Vec<_>>();
    for (name, select) in files {
        let picked = all.iter().filter(|record| select.iter().any(|selector| picks(selector, record)));
        let picked: Vec<Value> = picked.cloned().collect();
        let stored = numbers(&records(folder, name, &[]));
        assert_eq!(stored, numbers(&picked), "{name}");
        assert!(!stored.is_empty() && (name == "syslog" || stored.len() < all.len()), "{name}");
    }
}

/// B12: so many sizes of a file make so many archives as are kept, and the chain goes through all of them.
#[test]
fn b12_n_archives_are_kept() {
    if !skip::has_programs(&["gunzip"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut policy, frames) = policy(folder, "");
    policy.rest += "archive = { files = 3, size = \"64 KiB\" }\n";
    let mut firewall = Firewall::start(folder, &policy);
    let rotated = || {
        let rotated = records(folder, "audit", &["--event", "audit-rotated"]);
        rotated.iter().filter(|record| record["file"] == "all" && record["reason"] == "size").count()
    };
    while rotated() < 5 {
        seen_all(&firewall, frames);
        let (code, log) = firewall.stop();
        assert_eq!(code, 0, "{log}");
        firewall = Firewall::start_again(folder);
    }
    let archives = || {
        let entries = std::fs::read_dir(trail(folder)).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut archives: Vec<PathBuf> =
            entries.filter(|path| name(path).starts_with("all.0") && name(path).contains(".jsonl")).collect();
        archives.sort();
        archives
    };
    let kept = wait_for("the archiver", || {
        let archives = archives();
        let done = archives.len() == 3 && archives.iter().all(|path| path.extension().unwrap() == "gz");
        done.then_some(archives)
    });
    for archive in &kept {
        assert!(Command::new("gunzip").arg("-t").arg(archive).status().unwrap().success(), "{archive:?}");
    }
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    let (code, said) = verify(folder, &["--file", "all"]);
    assert_eq!(code, 0, "{said}");
    let deleted = records(folder, "audit", &["--event", "audit-deleted"]);
    let serials: Vec<u64> = deleted.iter().map(|record| record["serial"].as_u64().unwrap()).collect();
    assert_eq!(serials, (1..=serials.len() as u64).collect::<Vec<_>>(), "the oldest first: {deleted:#?}");
    assert!(serials.len() >= 2);
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

/// Where the oldest are to give way: on a full disk archives are deleted, and no record is lost.
#[test]
fn a_full_disk_costs_the_oldest_archives_where_they_are_to_give_way() {
    if !skip::is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let disk = Small::mount(trail(folder), "640k");
    let (mut policy, frames) = policy(folder, "when-full = \"overwrite-oldest\"\n");
    policy.rest += "archive = { files = 100, size = \"64 KiB\", compress = false }\n";
    let mut firewall = Firewall::start(folder, &policy);
    let deleted = || {
        let deleted = records(folder, "audit", &["--event", "audit-deleted"]);
        deleted.iter().filter(|record| record["reason"] == "no room on the disk").count()
    };
    while deleted() < 3 {
        seen_all(&firewall, frames);
        let (code, log) = firewall.stop();
        assert_eq!(code, 0, "{log}");
        firewall = Firewall::start_again(folder);
    }
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    for file in ["all", "audit"] {
        assert!(!records(folder, file, &[]).iter().any(|record| record["event"] == "log-loss"), "{log}");
    }
    assert!(events(folder).iter().any(|event| event == "audit-space"), "{:?}", events(folder));
    let (code, said) = verify(folder, &[]);
    assert_eq!(code, 0, "{said}");
    drop(disk);
}

/// A policy between two cables, with a trail in a folder of its own that is a small file system.
fn between_cables(keys: &str) -> Policy {
    let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
        .rule("all", "from = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\n");
    policy.audit = keys.to_owned();
    policy
}

/// Leaves not an octet free.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    for piece in [1 << 16, 1 << 12, 1 << 8, 1] {
        while file.write_all(&vec![0; piece]).is_ok() {}
    }
}

/// No room, and traffic is not to go on: what goes on is what was there before; nothing new, and no commit.
#[test]
fn without_room_new_sessions_and_commits_are_refused_where_they_are_to_be() {
    let Some(lab) = Lab::build() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let disk = Small::mount(trail(folder), "1m");
    let firewall = Firewall::start_in(&lab.firewall, folder, &between_cables("when-full = \"refuse-traffic\"\n"));
    let socket = firewall.socket();
    let server = inside(&lab.server, || UdpSocket::bind((SERVER, 9)).unwrap());
    server.set_nonblocking(true).unwrap();
    let client = || inside(&lab.client, || UdpSocket::bind((CLIENT, 0)).unwrap());
    let arrives = |client: &UdpSocket| {
        client.send_to(b"hello", (SERVER, 9)).unwrap();
        let port = client.local_addr().unwrap().port();
        let mut octets = [0; 16];
        std::iter::from_fn(|| server.recv_from(&mut octets).ok()).any(|(_, from)| from.port() == port)
    };
    let old = client();
    wait_for("the path", || arrives(&old).then_some(()));
    let ballast = trail(folder).join("ballast");
    fill(&ballast);
    // Each is a record; sooner or later one finds no room.
    wait_for("the trail to be full", || {
        ostiary(&socket, &["reset", "statistics", "log", "--yes"]);
        firewall.log().contains("new sessions are refused").then_some(())
    });
    wait_for("new sessions to be refused", || {
        assert!(arrives_in_the_end(|| arrives(&old)), "what was let through goes on");
        let before = firewall.counter("drop_audit_full");
        let new = client();
        (!arrives(&new) && firewall.counter("drop_audit_full") > before).then_some(())
    });
    let refused = ostiary(&socket, &["commit"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("the audit trail has no room"), "{}", refused.err);
    std::fs::remove_file(&ballast).unwrap();
    wait_for("new sessions to be let through again", || arrives(&client()).then_some(()));
    ostiary(&socket, &["commit"]).done();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    let (code, said) = verify(folder, &[]);
    assert_eq!(code, 0, "{said}");
    // What found no room is told once there is some.
    let losses = records(folder, "audit", &[]).into_iter().filter(|record| record["event"] == "log-loss");
    let losses: Vec<Value> = losses.collect();
    assert!(losses.iter().any(|loss| loss["place"] == "store:audit" && loss["reason"] == "store-full"), "{losses:?}");
    drop(disk);
}

/// A datagram takes a moment.
fn arrives_in_the_end(mut arrives: impl FnMut() -> bool) -> bool {
    wait_for("a datagram", || arrives().then_some(true))
}

/// Who has the answer of a commit has its record on the disk; without room the answer says that it has not.
#[test]
fn a_commit_is_answered_when_its_record_is_on_the_disk() {
    let Some(lab) = Lab::build() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let disk = Small::mount(trail(folder), "1m");
    let mut policy = between_cables("when-full = \"drop-new\"\n");
    policy.system = format!("state-directory = {:?}\n", folder.join("state"));
    let firewall = Firewall::start_in(&lab.firewall, folder, &policy);
    let socket = firewall.socket();
    let commits = |comment: &str| {
        let trail = std::fs::read_to_string(live(folder, "audit")).unwrap();
        trail.lines().filter(|line| line.contains("config-commit") && line.contains(comment)).count()
    };
    let path = folder.join("policy.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    for count in 0..10 {
        let limit = format!("[address]\nnet = [\"10.0.{count}.0/24\"]\n");
        std::fs::write(&path, format!("{text}{limit}")).unwrap();
        let comment = format!("change {count}.");
        ostiary(&socket, &["commit", "--comment", &comment]).done();
        assert_eq!(commits(&comment), 1, "at once");
    }
    fill(&trail(folder).join("ballast"));
    wait_for("the trail to be full", || {
        ostiary(&socket, &["reset", "statistics", "log", "--yes"]);
        firewall.log().contains("no room for the trail").then_some(())
    });
    std::fs::write(&path, &text).unwrap();
    let said = ostiary(&socket, &["commit", "--comment", "the last"]);
    assert_eq!((said.code, commits("the last")), (0, 0), "{}{}", said.out, said.err);
    assert!(
        format!("{}{}", said.out, said.err).contains("the audit trail does not know it"),
        "{}{}",
        said.out,
        said.err
    );
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    drop(disk);
}
