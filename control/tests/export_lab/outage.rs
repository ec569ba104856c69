//! Outages of real collectors, three rounds of each, in a stream of records that does not pause for them. `scripts/outages` has
//! those of a running firewall.

use std::thread;
use std::time::{Duration, Instant};

use control::export::{Delivery, HostConfig, SpoolLimits};
use control::record::Class;

use super::bed::{Bed, Program, Way, syslog_ng};
use super::{PATIENCE, Rig, create, flow_v4, have, login};

/// The second outage must end like the first (facts of other senders say that it need not), and the third too.
const ROUNDS: usize = 3;

/// Records before an outage, and again behind it.
const BESIDES: u64 = 400;

/// Records a turn of the loop.
const A_TURN: u64 = 15;

/// Of a host that has a spool; an outage brings more.
const QUEUE: usize = 4_000;

/// The records of these tests are old.
const LIMITS: SpoolLimits = SpoolLimits {
    octets: 256 << 20,
    age: Duration::from_secs(100 * 365 * 86_400),
    share: 50,
    sync: Vec::new(),
    drop_new: false,
};

/// Besides what a turn sleeps.
const PAUSE: Duration = Duration::from_millis(4);

/// How long an outage of each round lasts: shorter than anything is given up, and longer than a connection is.
const LENGTHS: [Duration; ROUNDS] =
    [Duration::from_millis(400), Duration::from_millis(1_200), Duration::from_millis(3_000)];

/// A stream of records to one collector.
pub struct Story {
    pub bed: Bed,
    rig: Rig,
    /// Its spool's, if it has one.
    _folder: Option<tempfile::TempDir>,
    sent: u64,
    /// Copies that the collector may make by itself.
    own_copies: u64,
}

impl Story {
    /// Begins with the connection. Without a spool all waits in memory.
    pub fn new(bed: Bed, has_spool: bool) -> Self {
        let folder = has_spool.then(|| tempfile::tempdir().unwrap());
        let host = match has_spool {
            true => HostConfig { spool: Some(LIMITS), queue: QUEUE, ..bed.host("siem") },
            false => bed.host("siem"),
        };
        let spool = folder.as_ref().map(|folder| folder.path().to_owned());
        let mut rig = Rig::with(Delivery { hosts: vec![host], spool, ..Delivery::default() });
        rig.until_up("siem");
        Self { bed, rig, _folder: folder, sent: 0, own_copies: 0 }
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
    pub fn outage(&mut self, what: Outage, round: usize) {
        self.push(BESIDES);
        what.begin(&mut self.bed, round);
        self.push_for(LENGTHS[round]);
        what.end(&mut self.bed, round);
        self.push(BESIDES);
        self.settles(&format!("{}, round {}", what.name(), round + 1));
    }

    fn push_for(&mut self, length: Duration) {
        let start = Instant::now();
        while start.elapsed() < length {
            self.push(A_TURN);
        }
    }

    /// All that was pushed is written down; what is so twice was written again by us, in the same words.
    pub fn settles(&mut self, what: &str) {
        let start = Instant::now();
        while (self.bed.tally().len() as u64) < self.sent {
            if start.elapsed() > PATIENCE {
                panic!("{what}: missing {:?}, {:#?}", self.missing(), (self.rig.status("siem"), &self.rig.notices));
            }
            (0..5).for_each(|_| self.rig.turn());
        }
        assert_eq!(self.missing(), [] as [u64; 0], "{what}");
        self.rig.until("nothing to wait", |rig| {
            rig.status("siem").classes.iter().all(|class| (class.counts.queued, class.counts.spooled) == (0, 0))
        });
        let [session, im] = [Class::Session, Class::Im].map(|class| self.rig.counts("siem", class));
        assert_eq!((session.dropped(), im.dropped()), (0, 0), "{what}");
        assert_eq!(session.acknowledged + im.acknowledged, self.sent, "{what}");
        let copies: usize = self.bed.tally().values().map(|(count, _)| count - 1).sum();
        assert!(
            copies as u64 <= session.resent + im.resent + self.own_copies,
            "{what}: {copies} copies, {session:?}, {im:?}"
        );
        let spooled = session.spooled_ever + im.spooled_ever;
        println!("{}, {what}: {} records, {copies} again, {spooled} from the spool so far", self.bed, self.sent);
    }

    /// The first that the collector does not have.
    fn missing(&mut self) -> Vec<u64> {
        let tally = self.bed.tally();
        let have: std::collections::BTreeSet<u64> = tally.keys().map(|(_, sequence)| *sequence).collect();
        (1..=self.sent).filter(|sequence| !have.contains(sequence)).take(5).collect()
    }
}

/// Whether what the outages take is here; says what is not.
pub fn equipped(program: Program) -> bool {
    have(&["ip", "nft", "tc", "python3"])
        && match program {
            Program::Rsyslog => have(&["rsyslogd"]),
            Program::SyslogNg => syslog_ng().is_some(),
        }
}

/// What happens to a collector, or on the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// In the second round it is killed then: what its kernel has acknowledged dies with it.
    Stopped,
    Killed,
    /// Every packet to it; in the second round only new connections, and the old one ends.
    PortDropped,
    LinkDead,
    /// Slower than records come.
    LinkSlow,
    Certificate,
}

impl Outage {
    pub const ALL: [Self; 6] =
        [Self::Stopped, Self::Killed, Self::PortDropped, Self::LinkDead, Self::LinkSlow, Self::Certificate];

    /// Whether it can happen to those that come this way.
    pub fn concerns(self, way: Way) -> bool {
        self != Self::Certificate || matches!(way, Way::Tls | Way::RelpTls)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::PortDropped => "port dropped",
            Self::LinkDead => "link dead",
            Self::LinkSlow => "link slow",
            Self::Certificate => "certificate expired",
        }
    }

    pub fn begin(self, bed: &mut Bed, round: usize) {
        match self {
            Self::Stopped => bed.stop(),
            Self::Killed => bed.kill(),
            Self::PortDropped => drop_port(bed, round),
            Self::LinkDead => bed.namespace.run("tc qdisc add dev lo root tbf rate 8bit burst 1 limit 1"),
            Self::LinkSlow => bed.namespace.run("tc qdisc add dev lo root tbf rate 400kbit burst 70kb latency 2s"),
            Self::Certificate => restart(bed, "expired"),
        }
    }

    pub fn end(self, bed: &mut Bed, round: usize) {
        match self {
            Self::Stopped if round != 1 => bed.go_on(),
            Self::Stopped => {
                bed.kill();
                bed.start();
            }
            Self::Killed => bed.start(),
            Self::PortDropped => bed.namespace.run("nft delete table inet outage"),
            Self::LinkDead | Self::LinkSlow => bed.namespace.run("tc qdisc del dev lo root"),
            Self::Certificate => restart(bed, "server"),
        }
    }
}

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

fn restart(bed: &mut Bed, certificate: &str) {
    bed.kill();
    bed.certificate(certificate);
    bed.start();
}

/// All of one collector; in the end its spool was of use.
pub fn outages(program: Program, way: Way) {
    let Some(bed) = equipped(program).then(|| Bed::new(program, way)).flatten() else { return };
    let mut story = Story::new(bed, true);
    for round in 0..ROUNDS {
        // A slow link is one that is up: `outages_slow` has it.
        for what in Outage::ALL.into_iter().filter(|what| what.concerns(way) && *what != Outage::LinkSlow) {
            story.outage(what, round);
        }
    }
    let spooled = [Class::Session, Class::Im].map(|class| story.rig.counts("siem", class).spooled_ever);
    assert!(spooled.iter().all(|count| *count > 0), "{spooled:?}");
}

/// Of one collector whose host has no spool.
pub fn outages_in_memory(program: Program, way: Way) {
    let Some(bed) = equipped(program).then(|| Bed::new(program, way)).flatten() else { return };
    let mut story = Story::new(bed, false);
    for round in 0..ROUNDS {
        story.outage(Outage::Stopped, round);
        story.outage(Outage::Killed, round);
    }
}

/// The file system on which the collector writes is full, and then is not.
pub fn full_disk(program: Program, way: Way) {
    let Some(bed) = equipped(program).then(|| Bed::with_disk(program, way, "64m")).flatten() else { return };
    let mut story = Story::new(bed, true);
    for (round, length) in (1..).zip(LENGTHS) {
        let size = story.bed.written() + 256 * 1024;
        story.bed.resize(&size.to_string());
        // Until it is full, which the collector tells nobody.
        let start = Instant::now();
        while story.bed.written() + 8_192 < size {
            assert!(start.elapsed() < PATIENCE, "the disk does not fill");
            story.push(A_TURN);
        }
        // syslog-ng writes the line that did not fit once more than it has to.
        story.own_copies += u64::from(program == Program::SyslogNg);
        story.push_for(length);
        story.bed.resize("64m");
        story.push(BESIDES);
        story.settles(&format!("disk full, round {round}"));
    }
}
