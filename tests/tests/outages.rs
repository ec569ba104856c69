//! Outages of real collectors behind a running firewall that has a spool: killed by -9 in mid-outage, and with a full disk under its
//! spool. With `OSTIARY_OUTAGES=full` (`scripts/outages`) every outage there is, as long as real ones. Nothing is missing but what
//! is said to be lost.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

#[path = "../../control/tests/export_lab/mod.rs"]
mod export_lab;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use export_lab::{Bed, Mount, Outage, Program, Way, equipped, parameter};
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{Lab, SERVER, inside};
use ostiary_tests::policy::Policy;

const ROUNDS: usize = 3;

/// Far longer than anything takes: a host that is gone is tried again within half a minute, and left after a minute and a half.
const PATIENCE: Duration = Duration::from_secs(300);

/// As a number in the environment says, or else.
fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn at_full_length() -> bool {
    std::env::var_os("OSTIARY_OUTAGES").is_some_and(|length| length == "full")
}

/// How long an outage of each round lasts: shorter than a host may stall, longer, and longer than its connection is kept.
fn length(round: usize) -> Duration {
    Duration::from_secs([2, 12, 45][round % 3])
}

/// Connections that are refused, one after the other: each is a session that is created and closed.
struct Traffic {
    goes: Arc<AtomicBool>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    fn start(lab: &Lab) -> Self {
        let (goes, ends) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (client, run, end) = (lab.client.clone(), Arc::clone(&goes), Arc::clone(&ends));
        let address = SocketAddr::new(SERVER.parse().unwrap(), 9);
        let connect = move || {
            while !end.load(Ordering::Relaxed) {
                if run.load(Ordering::Relaxed) {
                    let _ = TcpStream::connect_timeout(&address, Duration::from_millis(500));
                }
                thread::sleep(Duration::from_millis(2));
            }
        };
        let thread = thread::spawn(move || inside(&client, connect));
        Self { goes, ends, thread: Some(thread) }
    }

    fn pause(&self, pause: bool) {
        self.goes.store(!pause, Ordering::Relaxed);
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// What became of the records so far, of all runs of the firewall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ledger {
    sent: u64,
    received: u64,
    copies: u64,
    /// Counts of log-loss records.
    said: u64,
    /// Those of them that a run said of the one before, which was killed.
    crashed: u64,
}

impl Ledger {
    fn missing(self) -> u64 {
        self.sent - self.received
    }

    fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
            copies: self.copies - before.copies,
            said: self.said - before.said,
            crashed: self.crashed - before.crashed,
        }
    }
}

/// A collector, a firewall and its traffic.
struct Scene {
    bed: Bed,
    firewall: Option<Firewall>,
    /// Under its spool.
    _disk: Option<Mount>,
    folder: tempfile::TempDir,
    traffic: Traffic,
    lab: Lab,
    before: Ledger,
    /// As its counters had it then.
    dropped: u64,
}

impl Scene {
    /// With a file system of that size under its spool; `keys` are further ones of the log host.
    fn new(bed: Bed, way: Way, size: Option<&str>, keys: &str) -> Option<Self> {
        let lab = Lab::build()?;
        let folder = tempfile::tempdir().unwrap();
        let disk = size.map(|size| {
            let spool = folder.path().join("state/spool");
            std::fs::create_dir_all(&spool).unwrap();
            Mount::new(spool, size)
        });
        let transport = match way {
            Way::Tcp => "tcp",
            Way::Tls => "tls",
            Way::Relp => "relp",
            Way::RelpTls => "relp-tls",
        };
        let tls = matches!(way, Way::Tls | Way::RelpTls);
        let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
            .rule("all", "action = \"permit\"\nsession-logging = true\n")
            .host(
                "siem",
                Bed::PORT,
                &format!(
                    "transport = \"{transport}\"\nformat = \"syslog\"\nnamespace = \"{}\"\n{}{keys}\n",
                    bed.namespace.name(),
                    if tls { "ssl-policy = \"collector\"\n" } else { "" },
                ),
            );
        policy.system = format!("state-directory = \"{}\"\n", folder.path().join("state").display());
        policy.im = false;
        policy.rest += "[log.spool]\nenable = true\n";
        if tls {
            let path = |file: &str| bed.pki.path(file).display().to_string();
            policy.rest += &format!(
                "[ssl-policy.collector]\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\nserver-name = \"collector.test\"\n",
                path("ca.pem"),
                path("client.pem"),
                path("client.key"),
            );
        }
        let firewall = Some(Firewall::start_in(&lab.firewall, folder.path(), &policy));
        let traffic = Traffic::start(&lab);
        Some(Self { bed, firewall, _disk: disk, folder, traffic, lab, before: Ledger::default(), dropped: 0 })
    }

    fn firewall(&self) -> &Firewall {
        self.firewall.as_ref().unwrap()
    }

    /// A counter of the log host, over its classes.
    fn sum(&self, key: &str) -> u64 {
        let statistics = self.firewall().statistics();
        let host = statistics["hosts"].as_array().unwrap().iter().find(|host| host["name"] == "siem").unwrap();
        host["classes"].as_array().unwrap().iter().map(|class| class[key].as_u64().unwrap()).sum()
    }

    #[track_caller]
    fn until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            if start.elapsed() > PATIENCE {
                let (ledger, hosts) = (self.ledger(), self.firewall().statistics()["hosts"].clone());
                panic!("{}: waited in vain for {what}: {ledger:?} {hosts}\n{}", self.bed, self.firewall().log());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn pushes(&mut self, records: u64) {
        let from = self.sum("records");
        self.until("traffic", |scene| scene.sum("records") >= from + records);
    }

    /// What the collector wrote. A record of a run that was killed and never was on disk is known by what came behind it, or by
    /// what the next run says.
    fn ledger(&mut self) -> Ledger {
        let mut ledger = Ledger::default();
        // Of each run: how many came, and the highest number that is heard of.
        let mut runs: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for ((boot, sequence), (count, words)) in self.bed.tally() {
            let field = |name: &str| parameter(words, name);
            let figure = |name: &str| field(name).and_then(|text| text.parse::<u64>().ok());
            ledger.copies += *count as u64 - 1;
            let (came, last) = runs.entry(boot.clone()).or_default();
            if field("event").as_deref() != Some("log-loss") {
                *came += 1;
                *last = (*last).max(*sequence);
                continue;
            }
            let lost = figure("count").unwrap();
            ledger.said += lost;
            if field("reason").as_deref() == Some("crash") {
                // It has a number of the run that says it.
                ledger.crashed += lost;
                *came += 1;
                *last = (*last).max(*sequence);
            } else {
                *last = (*last).max(figure("last-sequence").unwrap_or(*sequence));
            }
        }
        for (came, last) in runs.values() {
            ledger.sent += last;
            ledger.received += came;
        }
        ledger
    }

    /// Nothing waits any more, and all is written. What it came to since the last time, in a line of the table.
    fn settles(&mut self, row: &str, round: usize) -> Ledger {
        self.traffic.pause(true);
        self.until("all to be delivered", |scene| scene.sum("queued") == 0 && scene.sum("spooled") == 0);
        let dropped = self.sum("dropped");
        let crashed = self.before.crashed;
        // The collector may still be writing.
        self.until("the collector to have what was not lost", |scene| {
            let ledger = scene.ledger();
            ledger.missing() <= ledger.said && ledger.said - ledger.crashed.max(crashed) >= dropped
        });
        self.dropped = dropped;
        let ledger = self.ledger();
        let row_of = ledger.since(self.before);
        self.before = ledger;
        let Ledger { sent, received, copies, said, .. } = row_of;
        println!(
            "row|{}|{row}|{}|{sent}|{received}|{}|{copies}|{said}",
            self.bed,
            round + 1,
            row_of.sent as i64 - row_of.received as i64
        );
        self.traffic.pause(false);
        row_of
    }

    fn outage(&mut self, what: Outage, round: usize) {
        self.pushes(besides());
        what.begin(&mut self.bed, round);
        thread::sleep(length(round));
        what.end(&mut self.bed, round);
        self.pushes(besides());
        let row = self.settles(what.name(), round);
        assert_eq!((row.missing(), row.said), (0, 0), "{}, {}, round {}", self.bed, what.name(), round + 1);
    }

    /// Killed by -9 while its collector is away: with all on disk at first, and then in mid-stream.
    fn killed(&mut self, round: usize) {
        self.pushes(besides());
        self.bed.kill();
        self.until("records on disk", |scene| scene.sum("spooled") > 0);
        self.pushes(besides());
        if round == 0 {
            self.traffic.pause(true);
            self.until("all to be on disk", |scene| scene.sum("queued") == 0);
            // What is in memory only is written down some milliseconds later: its number of rows, behind magic, boot and end.
            let run = self.folder.path().join("state/spool/run");
            let rows = |run: &[u8]| run.get(17..21).map(|rows| u32::from_be_bytes(rows.try_into().unwrap()));
            self.until("the run to say so", |_| rows(&std::fs::read(&run).unwrap()) == Some(0));
        }
        self.firewall.take().unwrap().kill();
        self.traffic.pause(false);
        self.firewall = Some(Firewall::start_again_in(&self.lab.firewall, self.folder.path()));
        self.pushes(besides());
        self.bed.start();
        let row = self.settles("firewall killed", round);
        let what = format!("{}, firewall killed, round {}: {row:?}", self.bed, round + 1);
        assert_eq!(row.said, row.crashed, "{what}");
        if round == 0 {
            assert_eq!((row.missing(), row.said), (0, 0), "{what}");
        }
        assert!(row.missing() <= row.crashed, "{what}");
    }

    /// The file system of its spool is full: what is lost is said, to the record.
    fn spool_full(&mut self, round: usize) {
        self.pushes(besides());
        self.bed.kill();
        self.until("records on disk", |scene| scene.sum("spooled") > 0);
        let dropped = self.sum("dropped");
        self.until("records to be lost", |scene| scene.sum("dropped") > dropped + 100);
        self.bed.start();
        let row = self.settles("spool disk full", round);
        let what = format!("{}, spool disk full, round {}: {row:?}", self.bed, round + 1);
        assert!(row.said > 100, "{what}");
        assert_eq!((row.missing(), row.crashed), (row.said, 0), "{what}");
        assert_eq!(self.before.said, self.dropped, "{what}");
    }

    /// The file system that the collector writes to is full.
    fn collector_full(&mut self, round: usize) {
        let size = self.bed.written() + 256 * 1024;
        self.bed.resize(&size.to_string());
        self.until("the disk to be full", |scene| scene.bed.written() + 8_192 >= size);
        thread::sleep(length(round));
        self.bed.resize("64m");
        self.pushes(besides());
        let row = self.settles("collector disk full", round);
        assert_eq!((row.missing(), row.said), (0, 0), "{}, its disk full, round {}", self.bed, round + 1);
    }

    fn ends(mut self) {
        self.traffic.pause(true);
        let (code, log) = self.firewall.take().unwrap().stop();
        assert_eq!(code, 0, "{log}");
    }
}

/// Records before an outage, and again behind it.
fn besides() -> u64 {
    number("OSTIARY_OUTAGES_RECORDS", 200) as u64
}

fn rounds() -> usize {
    number("OSTIARY_OUTAGES_ROUNDS", ROUNDS)
}

/// Killed by -9, and whatever else there is time for.
fn all(program: Program, way: Way) {
    let Some(bed) = equipped(program).then(|| Bed::new(program, way)).flatten() else { return };
    let Some(mut scene) = Scene::new(bed, way, None, "") else { return };
    for round in 0..rounds() {
        if at_full_length() {
            Outage::ALL.into_iter().filter(|what| what.concerns(way)).for_each(|what| scene.outage(what, round));
        }
        scene.killed(round);
    }
    scene.ends();
}

/// With so little room under its spool that it is soon full; and, where there is time, under the collector's file.
fn full_disks(program: Program, way: Way) {
    let Some(bed) = equipped(program).then(|| Bed::new(program, way)).flatten() else { return };
    let Some(mut scene) = Scene::new(bed, way, Some("256k"), "queue = 64\n") else { return };
    (0..rounds()).for_each(|round| scene.spool_full(round));
    scene.ends();
    if !at_full_length() {
        return;
    }
    let Some(bed) = Bed::with_disk(program, way, "64m") else { return };
    let Some(mut scene) = Scene::new(bed, way, None, "") else { return };
    (0..rounds()).for_each(|round| scene.collector_full(round));
    scene.ends();
}

#[test]
fn rsyslog_over_tcp() {
    all(Program::Rsyslog, Way::Tcp);
}

#[test]
fn rsyslog_over_tls() {
    all(Program::Rsyslog, Way::Tls);
}

#[test]
fn rsyslog_over_relp() {
    all(Program::Rsyslog, Way::Relp);
}

#[test]
fn rsyslog_over_relp_tls() {
    all(Program::Rsyslog, Way::RelpTls);
}

#[test]
fn syslog_ng_over_tcp() {
    all(Program::SyslogNg, Way::Tcp);
}

#[test]
fn syslog_ng_over_tls() {
    all(Program::SyslogNg, Way::Tls);
}

#[test]
fn full_disks_and_rsyslog_over_tcp() {
    full_disks(Program::Rsyslog, Way::Tcp);
}

#[test]
fn full_disks_and_rsyslog_over_tls() {
    full_disks(Program::Rsyslog, Way::Tls);
}

#[test]
fn full_disks_and_rsyslog_over_relp() {
    full_disks(Program::Rsyslog, Way::Relp);
}

#[test]
fn full_disks_and_rsyslog_over_relp_tls() {
    full_disks(Program::Rsyslog, Way::RelpTls);
}

#[test]
fn full_disks_and_syslog_ng_over_tcp() {
    full_disks(Program::SyslogNg, Way::Tcp);
}

#[test]
fn full_disks_and_syslog_ng_over_tls() {
    full_disks(Program::SyslogNg, Way::Tls);
}
