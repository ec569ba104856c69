//! Several workers on one machine: what two do at once, each with ports and sessions of its own, beside what each does
//! alone; and what a dispatcher's core costs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded};
use dataplane::command::Command;
use dataplane::counters::{Counter, Counters};
use dataplane::dispatcher::Dispatcher;
use dataplane::dpdk::{QueuePair, bind_to, cycles_per_second};
use dataplane::load::Idle;

use super::Fallible;
use super::bed::Bed;
use super::draw::Draw;
use super::firewall::{Firewall, all_back, settings, spawn};
use super::gate::{Gate, gated};
use super::measurement::Measurement;
use super::relay::{self, Meter};
use super::rewrite::Rewriter;
use super::rules::Rules;
use super::scene::{Figure, LIMIT, Plan, figure};
use super::wire::Wire;

/// Two workers with `flows` sessions each, and as the machine's own share two relays that only receive, rewrite and send:
/// in either case the first alone, the second alone, and both.
pub fn measure(plan: &Plan, flows: usize, folder: &Path) -> Fallible<Vec<Figure>> {
    let cpus = [plan.cpu, plan.main_cpu];
    if plan.cpu == plan.main_cpu {
        return Err("two workers need two CPUs".into());
    }
    let flows = plan.size(flows) as u32;
    let beds = Bed::several(&plan.measurement(Wire::Pcap), 2, folder)?;
    let pool = Arc::clone(&beds[0].pool);
    let mut relays = Vec::new();
    for (bed, cpu) in beds.into_iter().zip(cpus) {
        relays.push(Relay::start(bed, cpu, flows, plan)?);
    }
    let gates = relays.iter().map(|relay| relay.gate.clone()).collect::<Vec<_>>();
    let bare = played(&gates, plan, |worker| relays[worker].meter.received.load(Ordering::Relaxed));
    let beds = relays.into_iter().map(Relay::stop).collect::<Fallible<Vec<Bed>>>()?;
    let mut firewalls = Vec::new();
    let mut gates = Vec::new();
    for (index, (bed, cpu)) in beds.into_iter().zip(cpus).enumerate() {
        let rewriter = Rewriter::new(flows, Draw::Uniform, plan.seed + index as u64);
        let swept = rewriter.swept();
        let (probe, gate) = gated(rewriter);
        // Events of new sessions are read on the CPU of the worker that sleeps; afterwards there are none.
        bind_to(cpus[1 - index])?;
        let settings = settings(flows.max(1024) as usize);
        let mut firewall = Firewall::start(bed, cpu, settings, Rules::logging(plan.rules), probe)?;
        if !firewall.until(LIMIT, |_| swept.load(Ordering::Relaxed)) {
            return Err("not every session came up".into());
        }
        gate.set(false);
        firewall.wait(SETTLE);
        gates.push(gate);
        firewalls.push(firewall);
    }
    bind_to(plan.main_cpu)?;
    let opened = |firewalls: &[Firewall]| firewalls.iter().map(|one| one.value(Counter::SessionsOpened)).sum::<u64>();
    let before = opened(&firewalls);
    let worked = played(&gates, plan, |worker| firewalls[worker].value(Counter::PacketsReceived));
    let (after, drops) = (opened(&firewalls), firewalls.iter().map(Firewall::drops).sum::<u64>());
    for (firewall, gate) in firewalls.into_iter().zip(gates) {
        gate.set(true);
        firewall.end()?;
    }
    all_back(&pool)?;
    if (before, after, drops) != (2 * u64::from(flows), before, 0) {
        return Err(format!("{before} sessions before, {after} after, {drops} frames dropped").into());
    }
    Ok([("", worked), ("relay: ", bare)].iter().flat_map(|(name, rates)| rates.figures(name)).collect())
}

/// Packets a second: the first and the second alone, and both of them at once.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    alone: [f64; 2],
    together: [f64; 2],
}

impl Rates {
    fn figures(&self, name: &str) -> Vec<Figure> {
        let named = |what: &str, value, unit| figure(&format!("{name}{what}"), value, unit);
        let hertz = cycles_per_second() as f64;
        let (alone, together) = (self.alone.iter().sum::<f64>() / 2.0, self.together.iter().sum::<f64>());
        vec![
            named("first alone", self.alone[0] / 1e6, "M/s"),
            named("second alone", self.alone[1] / 1e6, "M/s"),
            named("first of both", self.together[0] / 1e6, "M/s"),
            named("second of both", self.together[1] / 1e6, "M/s"),
            named("both at once", together / 1e6, "M/s"),
            named("alone, a packet", hertz / alone, "cycles"),
            named("at once, a packet", hertz / (together / 2.0), "cycles"),
            named("scaling", together / alone, "× one"),
        ]
    }
}

/// Opens the gates of one, the other and both, several times, and counts.
fn played(gates: &[Gate], plan: &Plan, received: impl Fn(usize) -> u64) -> Rates {
    let mut rates = Rates::default();
    for _ in 0..ROUNDS {
        for open in [[true, false], [false, true], [true, true]] {
            gates.iter().zip(open).for_each(|(gate, open)| gate.set(open));
            thread::sleep(SETTLE);
            let read = || [received(0), received(1)];
            let (from, begin) = (read(), Instant::now());
            // Asleep, so that the CPU is the worker's.
            thread::sleep(plan.window / (2 * ROUNDS));
            let (mut to, mut took) = (read(), begin.elapsed());
            // On a busy machine one of them may not have run at all in a short window: that is no rate.
            while (0..2).any(|worker| open[worker] && to[worker] == from[worker]) && took < LIMIT {
                thread::sleep(Duration::from_millis(1));
                (to, took) = (read(), begin.elapsed());
            }
            let span = took.as_secs_f64() * f64::from(ROUNDS);
            let kind = if open == [true; 2] { &mut rates.together } else { &mut rates.alone };
            for worker in (0..2).filter(|&worker| open[worker]) {
                kind[worker] += (to[worker] - from[worker]) as f64 / span;
            }
        }
    }
    gates.iter().for_each(|gate| gate.set(false));
    rates
}

/// A loop that only receives, rewrites and sends.
struct Relay {
    gate: Gate,
    meter: Arc<Meter>,
    rest: Rest,
    queues: Receiver<[QueuePair; 2]>,
    thread: thread::JoinHandle<()>,
}

/// What of a bed a relay does not use.
struct Rest {
    clock: dataplane::dpdk::Clock,
    pool: Arc<dataplane::dpdk::Pool>,
    ports: Vec<Arc<dataplane::dpdk::Port>>,
}

impl Relay {
    fn start(bed: Bed, cpu: u16, flows: u32, plan: &Plan) -> Fallible<Self> {
        let Bed { clock, pool, ports, mut queues } = bed;
        let (probe, gate) = gated(Rewriter::new(flows, Draw::Uniform, plan.seed));
        let time = clock.clone();
        let (back, returned) = bounded(1);
        let start = move |ready: &dyn Fn(Arc<Meter>)| {
            let meter = Arc::new(Meter::default());
            ready(Arc::clone(&meter));
            relay::run(&mut queues, probe, (), &time, &meter);
            // Whoever waits for them reads on.
            let _ = back.send(queues);
        };
        let (thread, meter) = spawn(cpu, start)?;
        Ok(Self { gate, meter, rest: Rest { clock, pool, ports }, queues: returned, thread })
    }

    fn stop(self) -> Fallible<Bed> {
        self.meter.stop.store(true, Ordering::Relaxed);
        self.gate.set(true);
        let queues = self.queues.recv()?;
        self.thread.join().map_err(|_| "the relay panicked")?;
        let Rest { clock, pool, ports } = self.rest;
        Ok(Bed { clock, pool, ports, queues })
    }
}

/// One core dispatches, another works, with 1,024 sessions. The wire never runs dry, so the dispatcher shows its own rate,
/// whether the worker keeps up with it or not.
pub fn dispatcher(plan: &Plan, folder: &Path) -> Fallible<Vec<Figure>> {
    let measurement = Measurement { flows: FLOWS, rewritten: None, ..plan.measurement(Wire::Pcap) };
    let (bed, shares) = Bed::dispatched(&measurement, folder)?;
    let (pool, clock) = (Arc::clone(&bed.pool), bed.clock.clone());
    let mut firewall = Firewall::start(bed, plan.cpu, settings(FLOWS as usize), Rules::logging(plan.rules), ())?;
    let (mailbox, commands) = bounded(1);
    let start = move |ready: &dyn Fn(Arc<Counters>)| {
        let counters = Arc::new(Counters::default());
        ready(Arc::clone(&counters));
        Dispatcher::new(shares, 1, counters, Idle::Poll, clock, commands).run();
    };
    let (thread, counters) = spawn(plan.main_cpu, start)?;
    if !firewall.until(LIMIT, |firewall| firewall.value(Counter::SessionsOpened) == u64::from(FLOWS)) {
        return Err("not every session came up".into());
    }
    firewall.wait(SETTLE);
    let read = || {
        let of = |name: &str| counters.read().iter().find(|(known, _)| *known == name).map_or(0, |&(_, count)| count);
        let worked = firewall.value(Counter::PacketsReceived);
        [counters.value(Counter::FramesDispatched), of("drop_dispatch_full"), worked, firewall.counters.load().0]
    };
    let (from, begin) = (read(), Instant::now());
    thread::sleep(plan.window);
    let (to, span) = (read(), begin.elapsed().as_secs_f64());
    let [handed, refused, worked, busy] = std::array::from_fn(|index| (to[index] - from[index]) as f64 / span);
    mailbox.send(Command::Stop)?;
    firewall.end()?;
    thread.join().map_err(|_| "the dispatcher panicked")?;
    all_back(&pool)?;
    let hertz = cycles_per_second() as f64;
    Ok(vec![
        figure("dispatched", (handed + refused) / 1e6, "M/s"),
        figure("each", hertz / (handed + refused), "cycles"),
        figure("taken by the worker", handed / (handed + refused) * 100.0, "%"),
        figure("worker", worked / 1e6, "M/s"),
        figure("worker, a packet", busy / worked, "busy cycles"),
        figure("worker busy", busy / hertz * 100.0, "%"),
    ])
}

/// Of the dispatcher's scene.
const FLOWS: u32 = 1024;
/// Each kind of phase is played so many times, in turns.
const ROUNDS: u32 = 3;
/// After a gate is opened or closed.
const SETTLE: Duration = Duration::from_millis(50);
