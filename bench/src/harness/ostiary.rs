//! One measurement of our own: the worker and pipeline that are in service, and beside them the bare relay with what makes
//! it a floor.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;
use dataplane::command::Command;
use dataplane::counters::{Counter, Counters};
use dataplane::dpdk::{SetupError, WorkerThread};
use dataplane::event::{self, EventReceiver, WorkerId};
use dataplane::pipeline::{Midstream, Pipeline, Settings, Timeouts};
use dataplane::policy::PortId;
use dataplane::worker::{Probe, Worker};

use super::Fallible;
use super::bed::Bed;
use super::floor::Floor;
use super::measurement::{Measurement, Outcome};
use super::relay::{self, Meter, Work};
use super::rewrite::Rewriter;
use super::rules;

/// Contenders that are code of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// The product.
    Ostiary,
    /// A bare flow table.
    Floor,
    /// Frames received, rewritten, sent.
    Generator,
    /// Frames received, sent.
    Wire,
}

impl Own {
    /// All.
    pub const ALL: [Self; 4] = [Self::Ostiary, Self::Floor, Self::Generator, Self::Wire];

    /// In tables and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ostiary => "ostiary",
            Self::Floor => "floor",
            Self::Generator => "generator",
            Self::Wire => "wire",
        }
    }
}

impl FromStr for Own {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|own| own.name() == name).ok_or_else(|| format!("no contender {name:?} of ours"))
    }
}

/// Measures in this process. `folder` is for capture files.
pub fn measure(own: Own, measurement: &Measurement, folder: &Path) -> Fallible<Outcome> {
    let bed = Bed::make(measurement, folder)?;
    let seed = measurement.seed;
    match measurement.rewritten.filter(|_| own != Own::Wire) {
        Some(draw) => {
            let rewriter = Rewriter::new(measurement.flows, draw, seed);
            let swept = rewriter.swept();
            run(own, measurement, bed, rewriter, &swept)
        }
        None => run(own, measurement, bed, (), &AtomicBool::new(true)),
    }
}

fn run<P: Probe + Send + 'static>(
    own: Own,
    measurement: &Measurement,
    bed: Bed,
    probe: P,
    swept: &AtomicBool,
) -> Fallible<Outcome> {
    match own {
        Own::Ostiary => firewall(measurement, bed, probe, swept),
        Own::Floor => relay(measurement, bed, probe, swept, Floor::new),
        Own::Generator | Own::Wire => relay(measurement, bed, probe, swept, |_| ()),
    }
}

/// The product: [`Worker`] and [`Pipeline`], on their own CPU; here, on another, what control would do.
fn firewall<P: Probe + Send + 'static>(
    measurement: &Measurement,
    bed: Bed,
    probe: P,
    swept: &AtomicBool,
) -> Fallible<Outcome> {
    let Bed { clock, pool, ports, queues } = bed;
    let signatures = control::signatures::shipped();
    let policy = Arc::new(rules::policy(measurement.rules, &signatures));
    let (sender, mut receiver) = event::channel(WorkerId(0), SESSION_EVENTS, SIGN_ON_EVENTS);
    let (mailbox, commands) = bounded(4);
    let (settings, worker_pool) = (settings(measurement), Arc::clone(&pool));
    let start = move |ready: &dyn Fn(Arc<Counters>)| {
        let pipeline = Pipeline::new(settings, policy, signatures, sender);
        ready(Arc::clone(pipeline.counters()));
        Worker::probed(queues.into(), pipeline, commands, clock, worker_pool, probe).run();
    };
    let (thread, counters) = spawn(measurement.cpu, start)?;

    let value = |counter| counters.value(counter);
    let dropped =
        || counters.read().iter().filter(|(name, _)| name.starts_with("drop_")).map(|&(_, count)| count).sum();
    let received = || value(Counter::PacketsReceived);
    warm_up(measurement, swept, &received, || drain(&mut receiver));
    let (opened, lost): (u64, u64) = (value(Counter::SessionsOpened), dropped());
    let rate = count(measurement.window, &received, || drain(&mut receiver));
    let outcome = Outcome {
        rate,
        sessions: Some(value(Counter::SessionsActive)),
        opened: value(Counter::SessionsOpened) - opened,
        dropped: dropped() - lost,
        lost_buffers: 0,
    };
    mailbox.send(Command::Stop)?;
    while !thread.is_finished() {
        drain(&mut receiver);
    }
    thread.join().map_err(|_| "the worker panicked")?;
    drop(ports);
    Ok(Outcome { lost_buffers: pool.in_use(), ..outcome })
}

/// The relay with some work, which is made on the forwarding CPU.
fn relay<P: Probe + Send + 'static, W: Work>(
    measurement: &Measurement,
    bed: Bed,
    probe: P,
    swept: &AtomicBool,
    work: impl FnOnce(u32) -> W + Send + 'static,
) -> Fallible<Outcome> {
    let Bed { clock, pool, ports, queues } = bed;
    let flows = measurement.flows;
    let start = move |ready: &dyn Fn(Arc<Meter>)| {
        let work = work(flows);
        let meter = Arc::new(Meter::default());
        ready(Arc::clone(&meter));
        relay::run(queues, probe, work, &clock, &meter);
    };
    let (thread, meter) = spawn(measurement.cpu, start)?;
    let received = || meter.received.load(Ordering::Relaxed);
    warm_up(measurement, swept, &received, || {});
    let known = || meter.flows.load(Ordering::Relaxed);
    let (flows, refused) = (known(), meter.refused.load(Ordering::Relaxed));
    let rate = count(measurement.window, &received, || {});
    let outcome = Outcome {
        rate,
        sessions: (known() > 0).then_some(known()),
        opened: known() - flows,
        dropped: meter.refused.load(Ordering::Relaxed) - refused,
        lost_buffers: 0,
    };
    meter.stop.store(true, Ordering::Relaxed);
    thread.join().map_err(|_| "the relay panicked")?;
    drop(ports);
    Ok(Outcome { lost_buffers: pool.in_use(), ..outcome })
}

/// Runs `body` on a CPU of its own; returns when it has said that it is ready. What it needs is made on that CPU, as a
/// worker's is.
fn spawn<T: Send + 'static>(
    cpu: u16,
    body: impl FnOnce(&dyn Fn(T)) + Send + 'static,
) -> Fallible<(thread::JoinHandle<()>, T)> {
    let (ready, started) = bounded::<Result<T, SetupError>>(1);
    let thread = thread::spawn(move || {
        let registered = match WorkerThread::enter(cpu) {
            Ok(registered) => registered,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        body(&|value| drop(ready.send(Ok(value))));
        drop(registered);
    });
    let value = started.recv()??;
    Ok((thread, value))
}

/// Waits until every session is open in both directions and every cache is warm.
fn warm_up(measurement: &Measurement, swept: &AtomicBool, received: &dyn Fn() -> u64, mut between: impl FnMut()) {
    let begin = Instant::now();
    let enough = u64::from(measurement.flows) * 2;
    while begin.elapsed() < WARM_UP || received() < enough || !swept.load(Ordering::Relaxed) {
        between();
        thread::sleep(STEP);
    }
    // After the last flow's first packets, the caches still hold what was made, not what is asked for.
    let begin = Instant::now();
    while begin.elapsed() < WARM_UP {
        between();
        thread::sleep(STEP);
    }
}

/// Packets a second over the window.
fn count(window: Duration, received: &dyn Fn() -> u64, mut between: impl FnMut()) -> f64 {
    let (first, begin) = (received(), Instant::now());
    while begin.elapsed() < window {
        between();
        thread::sleep(STEP.min(window.saturating_sub(begin.elapsed())));
    }
    (received() - first) as f64 / begin.elapsed().as_secs_f64()
}

/// What control does with events, less formatting and export.
fn drain(receiver: &mut EventReceiver) {
    while receiver.session().is_some() {}
    while receiver.sign_on().is_some() {}
}

/// As the configuration's defaults are, but for the size of the table.
fn settings(measurement: &Measurement) -> Settings {
    Settings {
        worker: WorkerId(0),
        max_sessions: measurement.flows.max(1024) as usize,
        inspection_slots: 65_536,
        fragment_slots: 4_096,
        timeouts: Timeouts::default(),
        wires: vec![(PortId(0), PortId(1))],
        midstream: Midstream::Permit,
        verify_checksums: true,
    }
}

/// As the configuration's default.
const SESSION_EVENTS: usize = 65_536;
const SIGN_ON_EVENTS: usize = 8_192;
/// Before counting begins.
const WARM_UP: Duration = Duration::from_millis(300);
/// Between two looks at counters and events.
const STEP: Duration = Duration::from_millis(2);
