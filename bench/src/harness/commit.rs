//! Commits of large policies under full load: compiled beside the worker, taken up by it from its mailbox between two
//! bursts, the old one taken apart where it was compiled, as `ostiary reload` does; and how long the worker's turns take
//! meanwhile, beside turns without commits and those of a bare relay.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};
use dataplane::command::Command;
use dataplane::counters::Counter;
use dataplane::dpdk::WorkerThread;
use sigdb::Database;

use super::Fallible;
use super::bed::Bed;
use super::firewall::{Firewall, settings, spawn};
use super::measurement::Measurement;
use super::relay::{self, Meter};
use super::rules::{self, Rules};
use super::scene::{Figure, LIMIT, Plan, figure, pauses, rate};
use super::turns::{Turns, timed};
use super::wire::Wire;

/// Measures in this process: the relay for half the window, then the firewall for a window without commits and one with, in
/// halves that take turns.
pub fn measure(plan: &Plan, folder: &Path) -> Fallible<Vec<Figure>> {
    let flows = plan.size(65_536) as u32;
    let measurement = Measurement { flows, rewritten: None, ..plan.measurement(Wire::Pcap) };
    let bed = Bed::make(&measurement, folder)?;
    let (bed, wire) = bare(bed, plan)?;
    let (probe, calm) = timed(());
    let (probe, busy) = timed(probe);
    let firewall = Firewall::start(bed, plan.cpu, settings(flows as usize * 2), Rules::logging(plan.rules), probe)?;
    let watch = Watch { firewall, calm, busy, flows, plan: plan.clone() };
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

/// Who consumes events and counts.
struct Watch {
    firewall: Firewall,
    calm: Turns,
    busy: Turns,
    flows: u32,
    plan: Plan,
}

/// What moved in one kind of half windows.
#[derive(Default)]
struct Moved {
    packets: u64,
    lost: u64,
    rejudged: u64,
    span: Duration,
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
        let mut moved: [Moved; 2] = Default::default();
        for with in [false, true, false, true] {
            committer.on.store(with, Ordering::Relaxed);
            // What was begun comes to its end; and the first commit comes before counting, as those before the next do.
            self.firewall.wait(Duration::from_millis(300));
            self.half(with, &mut moved[usize::from(with)]);
        }
        let (commits, longest) = committer.stop(&mut self.firewall)?;
        let events_lost = self.firewall.lost_events();
        let opened = self.firewall.value(Counter::SessionsOpened);
        self.firewall.stop()?;
        if opened != all {
            return Err(format!("{opened} sessions were opened, and {all} are on the wire").into());
        }
        let [calm, busy] = moved;
        let mut figures = vec![
            figure("commits", commits as f64, ""),
            figure("compiled in at most", longest.as_secs_f64() * 1e3, "ms"),
            figure("sessions judged again", busy.rejudged as f64 / 1e6, "M"),
            figure("packets lost", busy.lost as f64, ""),
            figure("events lost", events_lost as f64, ""),
        ];
        for (name, moved, turns) in [("without", &calm, &self.calm), ("with commits", &busy, &self.busy)] {
            let rates = rate("packets", moved.packets as usize, moved.span);
            figures.extend(rates.into_iter().chain(pauses(turns)).map(|figure| named(name, figure)));
        }
        Ok(figures)
    }

    /// Half a window.
    fn half(&mut self, with: bool, moved: &mut Moved) {
        let counters = [Counter::PacketsReceived, Counter::SessionsRejudged];
        let read = |firewall: &Firewall| (counters.map(|one| firewall.value(one)), firewall.drops());
        let turns = if with { &self.busy } else { &self.calm };
        let ((before, lost), begin) = (read(&self.firewall), Instant::now());
        turns.record(true);
        self.firewall.wait(self.plan.window / 2);
        turns.record(false);
        let (after, lost_after) = read(&self.firewall);
        moved.span += begin.elapsed();
        moved.packets += after[0] - before[0];
        moved.rejudged += after[1] - before[1];
        moved.lost += lost_after - lost;
    }
}

fn named(name: &str, figure: Figure) -> Figure {
    Figure { name: format!("{name}: {}", figure.name), ..figure }
}

/// The thread that compiles, commits and takes apart.
struct Committer {
    on: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    thread: thread::JoinHandle<Result<Duration, String>>,
}

impl Committer {
    /// It runs where the calling thread may.
    fn start(plan: &Plan, mailbox: Sender<Command>) -> Self {
        let [on, over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let commits = Arc::new(AtomicU64::new(0));
        let signatures = control::signatures::shipped();
        let (seed, size) = (plan.seed, plan.size(RULES));
        let (seen_on, seen_over, count) = (Arc::clone(&on), Arc::clone(&over), Arc::clone(&commits));
        let body = move || {
            let mut longest = Duration::ZERO;
            while !seen_over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                if seen_on.load(Ordering::Relaxed) {
                    let number = count.load(Ordering::Relaxed);
                    longest = longest.max(commit(seed + number, size, &signatures, &mailbox)?);
                    count.store(number + 1, Ordering::Relaxed);
                }
                thread::sleep(EVERY.saturating_sub(begin.elapsed()));
            }
            Ok(longest)
        };
        Self { on, over, commits, thread: thread::spawn(body) }
    }

    /// How many there were, and how long the longest took to compile.
    fn stop(self, firewall: &mut Firewall) -> Fallible<(u64, Duration)> {
        self.over.store(true, Ordering::Relaxed);
        firewall.until(LIMIT, |_| self.thread.is_finished());
        let longest = self.thread.join().map_err(|_| "the committer panicked")??;
        Ok((self.commits.load(Ordering::Relaxed), longest))
    }
}

/// Compiles a policy, has the worker take it up, and takes the old one apart; how long it took to compile.
fn commit(seed: u64, size: usize, signatures: &Database, mailbox: &Sender<Command>) -> Result<Duration, String> {
    let source = rules::permits(seed, size, signatures);
    let begin = Instant::now();
    let policy = dataplane::policy::Policy::build(source).map_err(|error| error.to_string())?;
    let took = begin.elapsed();
    let (retired, old) = bounded(1);
    mailbox.send(Command::Policy { policy: Arc::new(policy), retired }).map_err(|error| error.to_string())?;
    // The control core looks now and then too: nobody is to be woken by the worker.
    while old.is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
    drop(old.try_recv());
    Ok(took)
}

/// Of each policy.
const RULES: usize = 10_000;
/// From one commit to the next, where compiling takes no longer.
const EVERY: Duration = Duration::from_millis(100);
