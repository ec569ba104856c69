//! A log host that fails at random for as long as one likes, at a rate of one's choice: does every record arrive, is each
//! accounted for at any time, and does the memory stay as it is?
//!
//! Events become records in [`Recorder`] and go through [`Exporters`] in a loop like the control core's, to real rsyslogs
//! that write down the numbers of what they got. Those are stopped, killed and cut off as a seed says.

mod authority;
mod collector;
mod tally;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, process};

use clap::Args;
use control::export::{
    Counts, Delivery, Exporters, Format, HostConfig, HostStatus, SpoolLimits, Target, Transport, WindowLimits,
};
use control::presence::access::AccessTable;
use control::record::sequence::Recorder;
use control::record::{BootId, Class};
use control::{config, signatures};
use dataplane::endpoint::{Address, Endpoint, Tuple};
use dataplane::event::{CloseReason, Header, SessionChange, SessionEvent, SessionId, Volume, WorkerId};
use dataplane::policy::RuleId;
use dataplane::time::Nanos;
use mio::{Events, Poll, Token};
use rand::{SeedableRng, rngs::SmallRng};
use sigdb::AppId;

use super::Fallible;
use authority::Authority;
use collector::{Collector, Kind};
use tally::Tally;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Soak {
    /// For how long records are made; what waits then is delivered afterwards.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Records a second.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: u32,
    /// Of the outages.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Log hosts, each an rsyslog: relp, relp-tls, tcp, tls.
    #[arg(long, value_delimiter = ',', default_value = "relp")]
    hosts: Vec<Kind>,
    /// Of each host's spool, in MiB.
    #[arg(long, default_value_t = 4_096, value_parser = clap::value_parser!(u64).range(16..=1 << 20))]
    spool: u64,
    /// Where spools and what the collectors write are kept; some 26 octets a record and host, and what the outages last.
    #[arg(long, default_value = "/var/tmp")]
    folder: PathBuf,
}

/// Made in one turn at most, as the control core takes events.
const TURN: u64 = 4_096;

/// Sessions in the mix.
const FLOWS: u64 = 4_096;

/// Between two looks at the memory and the law.
const LOOK: Duration = Duration::from_secs(10);

/// Nothing was delivered for so long after the last outage: nothing will be.
const PATIENCE: Duration = Duration::from_secs(120);

/// The last third of the run may have so much more memory than the second: in per cent, and that many KiB, which are what
/// windows and queues differ by from one moment to the next.
const GROWTH: (u64, u64) = (5, 16 * 1024);

/// Runs it; prints what comes of it.
///
/// # Errors
/// Where something cannot be run; and where a record is missing, the numbers do not add up, or the memory grew.
pub fn run(soak: &Soak) -> Fallible<()> {
    let folder = soak.folder.join(format!("ostiary-soak-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let result = Run::new(soak, &folder).and_then(|run| run.finish(soak));
    // What can be told from the files was told.
    fs::remove_dir_all(&folder)?;
    result
}

struct Run {
    collectors: Vec<Collector>,
    exporters: Exporters,
    poll: Poll,
    events: Events,
    recorder: Recorder,
    users: AccessTable,
    begun: Instant,
    made: u64,
    /// Resident memory in KiB at each look, while records are made.
    memory: Vec<u64>,
}

impl Run {
    fn new(soak: &Soak, folder: &Path) -> Fallible<Self> {
        let authority = Authority::new(&folder.join("certificates"))?;
        let mut collectors = Vec::new();
        for (at, kind) in soak.hosts.iter().enumerate() {
            collectors.push(Collector::start(*kind, &folder.join(format!("{at}-{}", kind.name())), &authority)?);
        }
        let limits = SpoolLimits {
            octets: soak.spool << 20,
            age: Duration::from_secs(7 * 24 * 3600),
            share: 50,
            sync: Vec::new(),
            drop_new: false,
        };
        let host = |(at, collector): (usize, &Collector)| {
            let name = format!("{}-{at}", collector.kind().name());
            let target = Target::Address(collector.address());
            let transport = match collector.kind() {
                Kind::Relp => Transport::Relp,
                Kind::RelpTls => Transport::RelpTls(authority.policy()),
                Kind::Tcp => Transport::Tcp,
                Kind::Tls => Transport::Tls(authority.policy()),
            };
            HostConfig {
                host_name: "fw1".into(),
                backoff: (Duration::from_millis(500), Duration::from_secs(5)),
                window: WindowLimits { frames: 4_096, octets: 4 << 20, ..WindowLimits::default() },
                spool: Some(limits.clone()),
                ..HostConfig::new(&name, target, transport, vec![(Class::Session, Format::Syslog)])
            }
        };
        let hosts = collectors.iter().enumerate().map(host).collect();
        let delivery = Delivery { hosts, spool: Some(folder.join("spool")), ..Delivery::default() };
        // Another each time: what an earlier run left would show.
        let boot = BootId(now().0);
        let poll = Poll::new()?;
        let exporters = Exporters::new(delivery, boot, poll.registry(), Token(0))?;
        let configuration = config::replay_default(signatures::shipped());
        Ok(Self {
            collectors,
            exporters,
            poll,
            events: Events::with_capacity(64),
            recorder: Recorder::new(boot, &configuration),
            users: AccessTable::new(configuration.access.limits()),
            begun: Instant::now(),
            made: 0,
            memory: Vec::new(),
        })
    }

    fn finish(mut self, soak: &Soak) -> Fallible<()> {
        let span = Duration::from_secs_f64(soak.minutes * 60.0);
        println!("{} records a second for {:.0} s, seed {}", soak.rate, span.as_secs_f64(), soak.seed);
        self.make(soak, span)?;
        let rate = self.made as f64 / self.begun.elapsed().as_secs_f64();
        println!("{} records made, {rate:.0} a second; delivering what waits", self.made);
        self.collectors.iter_mut().try_for_each(Collector::recover)?;
        self.deliver()?;
        let left = self.exporters.drain(Instant::now() + Duration::from_secs(5));
        let statuses = self.exporters.status();
        self.hold(&statuses)?;
        let mut faults: Vec<String> = left.iter().map(|loss| format!("{} left at the end", loss.count)).collect();
        for (collector, status) in self.collectors.iter_mut().zip(&statuses) {
            collector.terminate()?;
            let tally = Tally::read(&collector.output(), self.made)?;
            let counts = counts(status);
            println!(
                "{}: {} of {} arrived, {} missing, {} twice; {} spooled, {} resent, {} dropped; {} outages",
                status.name,
                tally.arrived,
                self.made,
                tally.missing,
                tally.again,
                counts.spooled_ever,
                counts.resent,
                counts.dropped(),
                collector.outages(),
            );
            if tally.missing > 0 || tally.strange > 0 || counts.dropped() > 0 {
                let (missing, strange, dropped) = (tally.missing, tally.strange, counts.dropped());
                let what = format!("{missing} missing, {strange} that were never made, {dropped} dropped");
                faults.push(format!("{}: {what}", status.name));
            }
        }
        if rate < f64::from(soak.rate) * 0.95 {
            faults.push(format!("only {rate:.0} records a second could be made"));
        }
        faults.extend(self.growth());
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ").into()) }
    }

    /// Makes records, while the collectors fail.
    fn make(&mut self, soak: &Soak, span: Duration) -> Fallible<()> {
        let mut draw = SmallRng::seed_from_u64(soak.seed);
        self.collectors.iter_mut().for_each(|collector| collector.plan(span, &mut draw));
        let mut look = self.begun;
        loop {
            let now = Instant::now();
            let age = now - self.begun;
            if age >= span {
                return Ok(());
            }
            let due = (age.as_secs_f64() * f64::from(soak.rate)) as u64;
            for _ in 0..due.saturating_sub(self.made).min(TURN) {
                self.record();
            }
            self.turn()?;
            for collector in &mut self.collectors {
                collector.disturb(age, &mut draw)?;
            }
            if now >= look {
                look = now + LOOK;
                self.look(age)?;
            }
        }
    }

    fn record(&mut self) {
        self.made += 1;
        if let Some(record) = self.recorder.session(&close(self.made), &self.users) {
            self.exporters.push(&Arc::new(record));
        }
    }

    fn turn(&mut self) -> Fallible<()> {
        let now = Instant::now();
        self.exporters.tick(now);
        let sleep = self.exporters.next_deadline().map_or(Duration::MAX, |due| due.saturating_duration_since(now));
        match self.poll.poll(&mut self.events, Some(sleep.min(Duration::from_millis(5)))) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            self.exporters.event(event.token(), event.is_readable(), event.is_writable());
        }
        for notice in self.exporters.take_notices() {
            println!("  {}: {}", notice.host, notice.text);
        }
        Ok(())
    }

    /// The law, and the memory.
    fn look(&mut self, age: Duration) -> Fallible<()> {
        let statuses = self.exporters.status();
        self.hold(&statuses)?;
        let memory = resident()?;
        self.memory.push(memory);
        for status in &statuses {
            let counts = counts(status);
            println!(
                "{:>6.0} s  {:<10} {:<10} {} acknowledged, {} queued, {} spooled; {} MiB of memory",
                age.as_secs_f64(),
                status.name,
                format!("{:?}", status.state).to_lowercase(),
                counts.acknowledged,
                counts.queued,
                counts.spooled,
                memory >> 10,
            );
        }
        Ok(())
    }

    fn hold(&self, statuses: &[HostStatus]) -> Fallible<()> {
        for status in statuses {
            for class in &status.classes {
                if !class.counts.holds() {
                    return Err(format!("{}: the numbers do not add up: {:?}", status.name, class.counts).into());
                }
            }
            if counts(status).generated != self.made {
                return Err(
                    format!("{}: of {} records it was given {:?}", status.name, self.made, counts(status)).into()
                );
            }
        }
        Ok(())
    }

    /// Until nothing waits any more.
    fn deliver(&mut self) -> Fallible<()> {
        let (mut last, mut progress, mut look) = (u64::MAX, Instant::now(), Instant::now());
        loop {
            self.turn()?;
            let statuses = self.exporters.status();
            let waiting: u64 = statuses.iter().map(counts).map(|counts| counts.queued + counts.spooled).sum();
            if waiting == 0 {
                return Ok(());
            }
            if waiting < last {
                (last, progress) = (waiting, Instant::now());
            }
            if progress.elapsed() > PATIENCE {
                return Err(format!("{waiting} records are not taken any more: {statuses:?}").into());
            }
            if look.elapsed() >= LOOK {
                look = Instant::now();
                self.hold(&statuses)?;
                println!("  {waiting} wait");
            }
        }
    }

    /// Whether the memory is more at the end than in the middle; of a run that is long enough to tell.
    fn growth(&self) -> Option<String> {
        let third = self.memory.len() / 3;
        let most = |from: usize, to: usize| self.memory.get(from..to).and_then(|some| some.iter().max().copied());
        let (middle, end) = (most(third, 2 * third)?, most(2 * third, self.memory.len())?);
        println!("memory: {} MiB at most in the second third, {} MiB in the last", middle >> 10, end >> 10);
        let allowed = middle + middle * GROWTH.0 / 100 + GROWTH.1;
        (end > allowed).then(|| format!("the memory grew from {} to {} MiB", middle >> 10, end >> 10))
    }
}

fn counts(status: &HostStatus) -> Counts {
    // One class is asked for.
    status.classes.first().map(|class| class.counts).unwrap_or_default()
}

/// Resident memory of this process in KiB.
fn resident() -> Fallible<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// The end of a session, one of [`FLOWS`].
fn close(number: u64) -> SessionEvent {
    let flow = number % FLOWS;
    let client = Endpoint { address: Address::v4([10, 0, (flow >> 8) as u8, flow as u8]), port: 1_024 + flow as u16 };
    let server = Endpoint { address: Address::v4([192, 0, 2, (flow % 250) as u8]), port: 443 };
    let now = now();
    SessionEvent {
        header: Header::new(WorkerId(0), number, now),
        session: SessionId(number),
        tuple: Tuple { client, server, protocol: 6, svlan: 0, cvlan: 0 },
        translation: None,
        rule: RuleId(0),
        application: AppId::UNKNOWN,
        ports: (0, 1),
        logged: true,
        change: SessionChange::Close { reason: CloseReason::Fin },
        start: now - Duration::from_secs(flow % 60),
        to_server: Volume { packets: 5, octets: 700 },
        to_client: Volume { packets: 6, octets: 6_000 },
    }
}

fn now() -> Nanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Nanos::from_parts(since.as_secs(), since.subsec_nanos())
}
