//! Outages of real collectors, three rounds of each, in a stream of records that does not pause for them.

use std::thread;
use std::time::{Duration, Instant};

use control::record::Class;

use super::bed::{Bed, Program, Way, syslog_ng};
use super::{PATIENCE, Rig, create, flow_v4, have, login};

/// The second outage must end like the first (facts of other senders say that it need not), and the third too.
const ROUNDS: usize = 3;

/// Records before an outage, and again behind it.
const BESIDES: u64 = 400;

/// Records a turn of the loop.
const A_TURN: u64 = 15;

/// Besides what a turn sleeps.
const PAUSE: Duration = Duration::from_millis(4);

/// How long an outage of each round lasts: shorter than anything is given up, and longer than a connection is.
fn lengths() -> [Duration; ROUNDS] {
    if at_full_length() { [2_000, 20_000, 60_000] } else { [400, 1_200, 3_000] }.map(Duration::from_millis)
}

/// With the patience that hosts have in earnest, which takes a quarter of an hour (`scripts/outages`).
pub fn at_full_length() -> bool {
    std::env::var_os("OSTIARY_OUTAGES").is_some_and(|length| length == "full")
}

/// A stream of records to one collector.
pub struct Story {
    pub bed: Bed,
    rig: Rig,
    sent: u64,
    /// Copies that the collector may make by itself.
    own_copies: u64,
}

impl Story {
    /// Begins with the connection.
    pub fn new(bed: Bed) -> Self {
        let mut rig = Rig::new(vec![bed.host("siem")]);
        rig.until_up("siem");
        Self { bed, rig, sent: 0, own_copies: 0 }
    }

    /// Records, sign-ons and sessions in turn, and a turn of the loop for some.
    pub fn push(&mut self, records: u64) {
        for _ in 0..records {
            self.sent += 1;
            match self.sent % 2 {
                0 => self.rig.push(&login(self.sent, "10001")),
                _ => self.rig.push(&create(self.sent, flow_v4())),
            }
            if self.sent.is_multiple_of(A_TURN) {
                self.rig.turn();
                thread::sleep(PAUSE);
            }
        }
    }

    /// An outage in mid-stream. What was pushed before it is on its way when it begins, wherever on it.
    pub fn outage(&mut self, what: &str, round: usize, begin: impl FnOnce(&mut Bed), end: impl FnOnce(&mut Bed)) {
        self.push(BESIDES);
        begin(&mut self.bed);
        let start = Instant::now();
        while start.elapsed() < lengths()[round] {
            self.push(A_TURN);
        }
        end(&mut self.bed);
        self.push(BESIDES);
        self.settles(&format!("{what}, round {}", round + 1));
    }

    /// All that was pushed is written down; what is so twice was written again by us, in the same words.
    pub fn settles(&mut self, what: &str) {
        let start = Instant::now();
        while (self.bed.tally().len() as u64) < self.sent {
            if start.elapsed() > if at_full_length() { PATIENCE * 10 } else { PATIENCE } {
                panic!("{what}: missing {:?}, {:#?}", self.missing(), (self.rig.status("siem"), &self.rig.notices));
            }
            (0..5).for_each(|_| self.rig.turn());
        }
        assert_eq!(self.missing(), [] as [u64; 0], "{what}");
        self.rig.until_sent("siem");
        let [session, im] = [Class::Session, Class::Im].map(|class| self.rig.counts("siem", class));
        assert_eq!((session.dropped(), im.dropped()), (0, 0), "{what}");
        assert_eq!(session.acknowledged + im.acknowledged, self.sent, "{what}");
        let copies: usize = self.bed.tally().values().map(|(count, _)| count - 1).sum();
        assert!(
            copies as u64 <= session.resent + im.resent + self.own_copies,
            "{what}: {copies} copies, {session:?}, {im:?}"
        );
        println!("{}, {what}: {} records, {copies} of them again so far", self.bed, self.sent);
    }

    /// The first that the collector does not have.
    fn missing(&mut self) -> Vec<u64> {
        let tally = self.bed.tally();
        let have: std::collections::BTreeSet<u64> = tally.keys().map(|(_, sequence)| *sequence).collect();
        (1..=self.sent).filter(|sequence| !have.contains(sequence)).take(5).collect()
    }
}

/// Whether what the outages take is here; says what is not.
fn equipped(program: Program) -> bool {
    have(&["ip", "nft", "tc", "python3"])
        && match program {
            Program::Rsyslog => have(&["rsyslogd"]),
            Program::SyslogNg => syslog_ng().is_some(),
        }
}

/// All of one collector.
pub fn outages(program: Program, way: Way) {
    if !equipped(program) {
        return;
    }
    let Some(bed) = Bed::new(program, way) else { return };
    let mut story = Story::new(bed);
    for round in 0..ROUNDS {
        // What a stopped collector's kernel has acknowledged dies with it.
        story.outage(
            "stopped",
            round,
            |bed| bed.stop(),
            |bed| match round {
                1 => {
                    bed.kill();
                    bed.start();
                }
                _ => bed.go_on(),
            },
        );
        story.outage("killed", round, Bed::kill, Bed::start);
        story.outage(
            "port dropped",
            round,
            |bed| drop_port(bed, round),
            |bed| {
                bed.namespace.run("nft delete table inet outage");
            },
        );
        story.outage(
            "link dead",
            round,
            |bed| bed.namespace.run("tc qdisc add dev lo root tbf rate 8bit burst 1 limit 1"),
            |bed| {
                bed.namespace.run("tc qdisc del dev lo root");
            },
        );
        if matches!(way, Way::Tls | Way::RelpTls) {
            let restart = |bed: &mut Bed, certificate: &str| {
                bed.kill();
                bed.certificate(certificate);
                bed.start();
            };
            story.outage("certificate expired", round, |bed| restart(bed, "expired"), |bed| restart(bed, "server"));
        }
    }
}

/// Every packet to the port; in the second round only new connections, and the old one ends.
fn drop_port(bed: &mut Bed, round: usize) {
    let port = Bed::PORT;
    bed.namespace.run("nft add table inet outage");
    bed.namespace.run("nft add chain inet outage input { type filter hook input priority 0 ; }");
    match round {
        1 => {
            bed.namespace
                .run(&format!("nft add rule inet outage input tcp dport {port} tcp flags & (syn|ack) == syn drop"));
            bed.kill();
            bed.start();
        }
        _ => bed.namespace.run(&format!("nft add rule inet outage input tcp dport {port} drop")),
    }
}

/// The file system on which the collector writes is full, and then is not.
pub fn full_disk(program: Program, way: Way) {
    if !equipped(program) {
        return;
    }
    let Some(bed) = Bed::with_disk(program, way, "512k") else { return };
    let mut story = Story::new(bed);
    for (round, (full, room)) in [("512k", "2m"), ("2m", "4m"), ("4m", "64m")].into_iter().enumerate() {
        let size: u64 =
            full.trim_end_matches(['k', 'm']).parse::<u64>().unwrap() << if full.ends_with('k') { 10 } else { 20 };
        // Until it is full, which the collector tells nobody.
        let start = Instant::now();
        while story.bed.written() + 8_192 < size {
            assert!(start.elapsed() < PATIENCE, "the disk does not fill");
            story.push(A_TURN);
        }
        // syslog-ng writes the line that did not fit once more than it has to.
        story.own_copies += u64::from(program == Program::SyslogNg);
        story.outage("disk full", round, |_| {}, |bed| bed.resize(room));
    }
}
