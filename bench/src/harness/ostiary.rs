//! One measurement of our own: the worker and pipeline that are in service, and beside them the bare relay with what makes
//! it a floor.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dataplane::counters::Counter;
use dataplane::dpdk::bind_to;
use dataplane::worker::Probe;

use super::Fallible;
use super::bed::Bed;
use super::firewall::{self, Firewall, spawn};
use super::floor::Floor;
use super::measurement::{Measurement, Outcome};
use super::relay::{self, Meter, Work};
use super::rewrite::Rewriter;
use super::rules::Rules;

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
    bind_to(measurement.main_cpu)?;
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

/// The product.
fn firewall<P: Probe + Send + 'static>(
    measurement: &Measurement,
    bed: Bed,
    probe: P,
    swept: &AtomicBool,
) -> Fallible<Outcome> {
    let settings = firewall::settings(measurement.flows.max(1024) as usize);
    let mut firewall = Firewall::start(bed, measurement.cpu, settings, Rules::logging(measurement.rules), probe)?;
    let counters = Arc::clone(&firewall.counters);
    let received = || counters.value(Counter::PacketsReceived);
    warm_up(measurement, swept, &received, || firewall.consume());
    // A flow is established once the engine has let go of it: before, its packets are the engine's to read.
    let mut low = (u64::MAX, Instant::now());
    firewall.until(LETTING_GO, |firewall| {
        let held = firewall.value(Counter::AppidSlots);
        if held < low.0 {
            low = (held, Instant::now());
        }
        held * FLOWS_PER_HELD <= u64::from(measurement.flows) || low.1.elapsed() >= STEADY
    });
    let (opened, lost) = (firewall.value(Counter::SessionsOpened), firewall.drops());
    let rate = count(measurement.window, &received, || firewall.consume());
    let outcome = Outcome {
        rate,
        sessions: Some(firewall.value(Counter::SessionsActive)),
        opened: firewall.value(Counter::SessionsOpened) - opened,
        dropped: firewall.drops() - lost,
        lost_buffers: 0,
    };
    firewall.stop()?;
    Ok(outcome)
}

/// The relay with some work, which is made on the forwarding CPU.
fn relay<P: Probe + Send + 'static, W: Work>(
    measurement: &Measurement,
    bed: Bed,
    probe: P,
    swept: &AtomicBool,
    work: impl FnOnce(u32) -> W + Send + 'static,
) -> Fallible<Outcome> {
    let Bed { clock, pool, ports, mut queues } = bed;
    let flows = measurement.flows;
    let start = move |ready: &dyn Fn(Arc<Meter>)| {
        let work = work(flows);
        let meter = Arc::new(Meter::default());
        ready(Arc::clone(&meter));
        relay::run(&mut queues, probe, work, &clock, &meter);
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

/// Before counting begins.
const WARM_UP: Duration = Duration::from_millis(300);
/// For how long the engine may take with the flows that it has room for. Of ten million each gets two packets a second.
const LETTING_GO: Duration = Duration::from_secs(10);
/// Of so many flows, one may still be with the engine when counting begins.
const FLOWS_PER_HELD: u64 = 1_000;
/// Or those that it still has are its to keep: for so long there were never fewer.
const STEADY: Duration = Duration::from_secs(2);
/// Between two looks at counters and events.
const STEP: Duration = Duration::from_millis(2);
