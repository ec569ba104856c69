//! Commits of large policies under full load: compiled beside the worker, taken up by it from its mailbox between two
//! bursts, the old one taken apart where it was compiled, as `ostiary reload` does; and how long the worker's turns take
//! meanwhile, beside turns without commits and those of a bare relay. What a commit itself does is told apart from what
//! compiling does to the process, and that from what any other process on the other CPU does.

use std::path::Path;
use std::process::{self, Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use crossbeam::channel::{Sender, bounded};
use dataplane::command::Command;
use dataplane::counters::Counter;
use dataplane::dpdk::{WorkerThread, cycles_per_second};
use dataplane::policy::Policy;
use hdrhistogram::Histogram;
use sigdb::Database;

use super::Fallible;
use super::bed::Bed;
use super::disturbance::Disturbance;
use super::firewall::{Firewall, settings, spawn};
use super::measurement::Measurement;
use super::relay::{self, Meter};
use super::rules::{self, Rules};
use super::scene::{Figure, LIMIT, Plan, figure, pauses, quantiles, rate};
use super::turns::{LONGEST, Turns, timed, timed_by_phase};
use super::wire::Wire;

/// Measures in this process: the relay for half the window, then the firewall for a window of each [`Phase`], in halves that
/// take turns.
pub fn measure(plan: &Plan, folder: &Path) -> Fallible<Vec<Figure>> {
    let flows = plan.size(65_536) as u32;
    let measurement = Measurement { flows, rewritten: None, ..plan.measurement(Wire::Pcap) };
    let bed = Bed::make(&measurement, folder)?;
    let (bed, wire) = bare(bed, plan)?;
    let (probe, turns) = timed_by_phase((), Phase::ALL.len());
    let firewall = Firewall::start(bed, plan.cpu, settings(flows as usize * 2), Rules::logging(plan.rules), probe)?;
    let watch = Watch { firewall, turns, flows, plan: plan.clone() };
    // A thread of its own, so that it can keep off the worker's CPU, and those that it starts with it.
    let watched = thread::spawn(move || watch.run().map_err(|error| error.to_string()));
    let mut figures = watched.join().map_err(|_| "the watcher panicked")??;
    figures.extend(pauses(&wire).into_iter().map(|figure| named("wire", figure)));
    Ok(figures)
}

/// The same bed, and the turns of a loop over it that only receives and sends.
fn bare(bed: Bed, plan: &Plan) -> Fallible<(Bed, Turns)> {
    let Bed { clock, pool, ports, mut queues } = bed;
    let (probe, turns) = timed(());
    let time = clock.clone();
    let (back, returned) = bounded(1);
    let start = move |ready: &dyn Fn(Arc<Meter>)| {
        let meter = Arc::new(Meter::default());
        ready(Arc::clone(&meter));
        relay::run(&mut queues, probe, (), &time, &meter);
        // Whoever waits for them reads on.
        let _ = back.send(queues);
    };
    let (thread, meter) = spawn(plan.cpu, start)?;
    thread::sleep(plan.window / 4);
    turns.record(true);
    thread::sleep(plan.window / 2);
    turns.record(false);
    meter.stop.store(true, Ordering::Relaxed);
    let queues = returned.recv()?;
    thread.join().map_err(|_| "the relay panicked")?;
    Ok((Bed { clock, pool, ports, queues }, turns))
}

/// What else happens while turns are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing.
    Calm,
    /// Another process compiles: what a busy second CPU does to this one.
    Elsewhere,
    /// A thread of this process compiles, and throws away: what it does to the memory that both map.
    Compile,
    /// It commits as well.
    Commit,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Calm, Self::Elsewhere, Self::Compile, Self::Commit];

    const fn name(self) -> &'static str {
        match self {
            Self::Calm => "without",
            Self::Elsewhere => "another process compiles",
            Self::Compile => "compiled, not committed",
            Self::Commit => "with commits",
        }
    }
}

/// Who consumes events and counts.
struct Watch {
    firewall: Firewall,
    turns: Turns,
    flows: u32,
    plan: Plan,
}

/// What moved in one kind of phases.
#[derive(Clone, Default)]
struct Moved {
    packets: u64,
    lost: u64,
    rejudged: u64,
    span: Duration,
    disturbance: Disturbance,
}

impl Watch {
    fn run(mut self) -> Fallible<Vec<Figure>> {
        let _registered = WorkerThread::enter(self.plan.main_cpu)?;
        let all = u64::from(self.flows);
        if !self.firewall.until(LIMIT, |firewall| firewall.value(Counter::SessionsActive) == all) {
            return Err("not every session came up".into());
        }
        self.firewall.wait(self.plan.window / 4);
        let committer = Committer::start(&self.plan, self.firewall.mailbox.clone());
        let mut moved = vec![Moved::default(); Phase::ALL.len()];
        for phase in [Phase::ALL; 2].as_flattened() {
            let other = (*phase == Phase::Elsewhere).then(|| Elsewhere::start(&self.plan)).transpose()?;
            committer.turn_to(*phase);
            // What was begun comes to its end; and the first commit comes before counting, as those before the next do.
            self.firewall.wait(Duration::from_millis(300));
            self.half(*phase, &mut moved[*phase as usize]);
            other.map(Elsewhere::stop).transpose()?;
        }
        let (commits, longest) = committer.stop(&mut self.firewall)?;
        let events_lost = self.firewall.lost_events();
        let opened = self.firewall.value(Counter::SessionsOpened);
        self.firewall.stop()?;
        if opened != all {
            return Err(format!("{opened} sessions were opened, and {all} are on the wire").into());
        }
        let mut figures = vec![
            figure("commits", commits as f64, ""),
            figure("compiled in at most", longest.as_secs_f64() * 1e3, "ms"),
            figure("sessions judged again", moved[Phase::Commit as usize].rejudged as f64 / 1e6, "M"),
            figure("events lost", events_lost as f64, ""),
        ];
        for ((phase, moved), turns) in Phase::ALL.into_iter().zip(&moved).zip(self.turns.by_phase()) {
            let mut of_phase = rate("packets", moved.packets as usize, moved.span);
            of_phase.push(figure("packets lost", moved.lost as f64, ""));
            of_phase.extend(quantiles(&turns));
            of_phase.push(figure("turns over 200 µs", over(&turns, 200.0) / moved.span.as_secs_f64(), "a second"));
            of_phase.extend(moved.disturbance.figures(moved.span));
            figures.extend(of_phase.into_iter().map(|figure| named(phase.name(), figure)));
        }
        Ok(figures)
    }

    /// Half a window.
    fn half(&mut self, phase: Phase, moved: &mut Moved) {
        let counters = [Counter::PacketsReceived, Counter::SessionsRejudged];
        let read = |firewall: &Firewall| (counters.map(|one| firewall.value(one)), firewall.drops());
        let disturbed = self.firewall.disturbed.read();
        let ((before, lost), begin) = (read(&self.firewall), Instant::now());
        self.turns.record_as(Some(phase as usize));
        self.firewall.wait(self.plan.window / 2);
        self.turns.record_as(None);
        let (after, lost_after) = read(&self.firewall);
        moved.span += begin.elapsed();
        moved.disturbance += self.firewall.disturbed.read() - disturbed;
        moved.packets += after[0] - before[0];
        moved.rejudged += after[1] - before[1];
        moved.lost += lost_after - lost;
    }
}

/// Turns that took longer than so many microseconds.
fn over(turns: &Histogram<u64>, microseconds: f64) -> f64 {
    let least = (microseconds / 1e6 * cycles_per_second() as f64) as u64;
    turns.count_between(least, LONGEST) as f64
}

fn named(name: &str, figure: Figure) -> Figure {
    Figure { name: format!("{name}: {}", figure.name), ..figure }
}

/// The thread that compiles, commits and takes apart.
struct Committer {
    phase: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    thread: thread::JoinHandle<Result<Duration, String>>,
}

impl Committer {
    /// It runs where the calling thread may.
    fn start(plan: &Plan, mailbox: Sender<Command>) -> Self {
        let phase = Arc::new(AtomicUsize::new(Phase::Calm as usize));
        let over = Arc::new(AtomicBool::new(false));
        let commits = Arc::new(AtomicU64::new(0));
        let mut policies = Policies::new(plan);
        let (seen_phase, seen_over, count) = (Arc::clone(&phase), Arc::clone(&over), Arc::clone(&commits));
        let body = move || {
            let mut longest = Duration::ZERO;
            while !seen_over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                let phase = seen_phase.load(Ordering::Relaxed);
                if phase == Phase::Compile as usize {
                    policies.compile()?;
                }
                if phase == Phase::Commit as usize {
                    let (policy, took) = policies.compile()?;
                    commit(policy, &mailbox)?;
                    longest = longest.max(took);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(EVERY.saturating_sub(begin.elapsed()));
            }
            Ok(longest)
        };
        Self { phase, over, commits, thread: thread::spawn(body) }
    }

    fn turn_to(&self, phase: Phase) {
        self.phase.store(phase as usize, Ordering::Relaxed);
    }

    /// How many there were, and how long the longest took to compile.
    fn stop(self, firewall: &mut Firewall) -> Fallible<(u64, Duration)> {
        self.over.store(true, Ordering::Relaxed);
        firewall.until(LIMIT, |_| self.thread.is_finished());
        let longest = self.thread.join().map_err(|_| "the committer panicked")??;
        Ok((self.commits.load(Ordering::Relaxed), longest))
    }
}

/// A series of policies.
struct Policies {
    signatures: Arc<Database>,
    size: usize,
    next: u64,
}

impl Policies {
    fn new(plan: &Plan) -> Self {
        Self { signatures: control::signatures::shipped(), size: plan.size(RULES), next: plan.seed }
    }

    /// The next one, and how long it took to compile.
    fn compile(&mut self) -> Result<(Policy, Duration), String> {
        let source = rules::permits(self.next, self.size, &self.signatures);
        self.next += 1;
        let begin = Instant::now();
        let policy = Policy::build(source).map_err(|error| error.to_string())?;
        Ok((policy, begin.elapsed()))
    }
}

/// Has the worker take a policy up, and takes the old one apart.
fn commit(policy: Policy, mailbox: &Sender<Command>) -> Result<(), String> {
    let (retired, old) = bounded(1);
    mailbox
        .send(Command::Policy { policy: Arc::new(policy), database: None, retired })
        .map_err(|error| error.to_string())?;
    // The control core looks now and then too: nobody is to be woken by the worker.
    while old.is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
    drop(old.try_recv());
    Ok(())
}

/// The same compiler in a process of its own.
struct Elsewhere(Child);

impl Elsewhere {
    /// It runs where the calling thread may.
    fn start(plan: &Plan) -> Fallible<Self> {
        let mut command = process::Command::new(env::current_exe()?);
        command.args(["compile", &serde_json::to_string(plan)?]).stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    fn stop(mut self) -> Fallible<()> {
        // Its input ends.
        drop(self.0.stdin.take());
        match self.0.wait()?.success() {
            true => Ok(()),
            false => Err("the other process could not compile".into()),
        }
    }
}

/// What that process does: compiles policies as often as the scene does, until its input ends.
pub fn compile_until_told(plan: &Plan) -> Result<(), String> {
    let told = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&told);
    thread::spawn(move || {
        // Whatever comes of it, nobody is there to be compiled for any more.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        tell.store(true, Ordering::Relaxed);
    });
    let mut policies = Policies::new(plan);
    while !told.load(Ordering::Relaxed) {
        let begin = Instant::now();
        drop(policies.compile()?);
        thread::sleep(EVERY.saturating_sub(begin.elapsed()));
    }
    Ok(())
}

/// Of each policy.
const RULES: usize = 10_000;
/// From one commit to the next, where compiling takes no longer.
const EVERY: Duration = Duration::from_millis(100);
