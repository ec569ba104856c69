//! What the firewall adds to a packet's way: generator and sink on one CPU, the worker on the other, rings between them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use dataplane::dpdk::{
    Burst, Eal, Found, Mbuf, Pool, QueuePair, Ring, WorkerThread, cycles, cycles_per_second, port_from_rings,
};
use hdrhistogram::Histogram;

use super::Fallible;
use super::bed::{self, Bed};
use super::firewall::{Firewall, settings, spawn};
use super::interruptions;
use super::relay::{self, Meter};
use super::rules::Rules;
use super::scene::{Figure, Plan, figure};
use super::turns::LONGEST;
use super::wire::{self, Wire};
use crate::pktgen::frames::Side;

/// Measures at 70 % of the rate that goes through, and at the same rate over a relay in the firewall's place: what is there
/// without it.
pub fn measure(plan: &Plan) -> Fallible<Vec<Figure>> {
    let measurement = plan.measurement(Wire::Ring);
    let asked = bed::asked(&measurement);
    let mut ends = Vec::new();
    let mut relayed = Vec::new();
    let bed = Bed::with(&measurement, |eal, pool| {
        let Way { inner, outer } = Way::make(eal, "relay")?;
        for found in inner {
            relayed.extend(found.start(asked, pool)?.1);
        }
        for found in outer {
            ends.extend(found.start(asked, pool)?.1);
        }
        let Way { inner, outer } = Way::make(eal, "wall")?;
        for found in outer {
            ends.extend(found.start(asked, pool)?.1);
        }
        Ok(inner)
    })?;
    let (pool, clock) = (Arc::clone(&bed.pool), bed.clock.clone());
    let frames = [Side::Client, Side::Server].map(|side| wire::frames(&measurement, side).collect());
    let outside = ends.split_off(2).try_into().map_err(|_| "two ports")?;
    let mut peer = Peer { queues: outside, pool, frames, next: [0; 2] };
    let mut relayed: [QueuePair; 2] = relayed.try_into().map_err(|_| "two ports")?;

    let mut firewall = Firewall::start(bed, plan.cpu, settings(plan.size(65_536)), Rules::logging(plan.rules), ())?;
    let (cpu, window) = (plan.main_cpu, plan.window);
    let measured = thread::spawn(move || peer.measure(cpu, window, None).map(|measured| (peer, measured)));
    // There is next to nothing to read, and it is the generator's CPU.
    while !measured.is_finished() {
        thread::sleep(NAP);
        firewall.consume();
    }
    let (mut peer, through_firewall) = measured.join().map_err(|_| "the generator panicked")??;
    firewall.stop()?;

    peer.queues = ends.try_into().map_err(|_| "two ports")?;
    let meter = Arc::new(Meter::default());
    let (counts, offered) = (Arc::clone(&meter), through_firewall.offered);
    let (relay, ()) = spawn(plan.cpu, move |ready| {
        ready(());
        relay::run(&mut relayed, (), (), &clock, &counts);
    })?;
    let measured = thread::spawn(move || peer.measure(cpu, window, Some(offered)));
    let through_relay = measured.join().map_err(|_| "the generator panicked")?;
    meter.stop.store(true, Ordering::Relaxed);
    relay.join().map_err(|_| "the relay panicked")?;

    let idle = [("worker's CPU", plan.cpu), ("generator's CPU", plan.main_cpu)];
    let idle = idle.map(|(of, cpu)| (of, interruptions::watch(cpu, window)));
    let mut figures = vec![
        figure("went through at most", through_firewall.most / 1e6, "M/s"),
        figure("offered", offered / 1e6, "M/s"),
    ];
    figures.extend(through_firewall.figures(""));
    figures.extend(through_relay?.figures("relay: "));
    for (of, watched) in idle {
        figures.extend(interruptions::figures(of, watched, window)?);
    }
    Ok(figures)
}

/// Rings between two ports and whatever is between them.
struct Way {
    /// The ports of what is between, the clients' first.
    inner: [Found; 2],
    /// The generator's.
    outer: [Found; 2],
}

impl Way {
    fn make(eal: &Arc<Eal>, name: &str) -> Fallible<Self> {
        let pair = |side: &str| -> Fallible<(Found, Found)> {
            let ring = |way: &str| Ring::create(eal, &format!("{name}_{way}_{side}"), RING);
            let (to, from) = (ring("to")?, ring("from")?);
            let port =
                |end: &str, receive, transmit| port_from_rings(&format!("{name}_{end}_{side}"), receive, transmit);
            Ok((port("inner", &to, &from)?, port("outer", &from, &to)?))
        };
        let (client, server) = (pair("c")?, pair("s")?);
        Ok(Self { inner: [client.0, server.0], outer: [client.1, server.1] })
    }
}

/// The other end of both ports.
struct Peer {
    queues: [QueuePair; 2],
    pool: Arc<Pool>,
    /// Of each side.
    frames: [Vec<Vec<u8>>; 2],
    next: [usize; 2],
}

/// What came out.
struct Measured {
    most: f64,
    offered: f64,
    lost: u64,
    latencies: Histogram<u64>,
}

impl Measured {
    fn figures(&self, of: &str) -> Vec<Figure> {
        let microseconds = |cycles: u64| cycles as f64 / cycles_per_second() as f64 * 1e6;
        let at = |quantile: f64| microseconds(self.latencies.value_at_quantile(quantile));
        let one = |name: &str, value, unit| figure(&format!("{of}{name}"), value, unit);
        vec![
            one("lost", self.lost as f64, "packets"),
            one("p50", at(0.5), "µs"),
            one("p99", at(0.99), "µs"),
            one("p99.9", at(0.999), "µs"),
            one("max", microseconds(self.latencies.max()), "µs"),
        ]
    }
}

impl Peer {
    /// At a rate, or at 70 % of what goes through.
    fn measure(&mut self, cpu: u16, window: Duration, rate: Option<f64>) -> Result<Measured, String> {
        let _registered = WorkerThread::enter(cpu).map_err(|error| error.to_string())?;
        let mut latencies = Histogram::new_with_bounds(1, LONGEST, 3).map_err(|error| error.to_string())?;
        let hertz = cycles_per_second() as f64;
        // Sessions, caches; then as much as goes through with never more on its way than half a ring holds.
        self.saturate((hertz / 5.0) as u64);
        let most = self.saturate((hertz / 5.0) as u64);
        let offered = rate.unwrap_or(most * LOAD);
        let warm_up = window / 4;
        self.pace(offered, (warm_up.as_secs_f64() * hertz) as u64, &mut latencies);
        latencies.reset();
        let lost = self.pace(offered, (window.as_secs_f64() * hertz) as u64, &mut latencies);
        Ok(Measured { most, offered, lost, latencies })
    }

    /// Packets a second with both rings always half full.
    fn saturate(&mut self, span: u64) -> f64 {
        let begin = cycles();
        let (mut on_its_way, mut through) = (0, 0);
        while cycles() - begin < span {
            for side in 0..2 {
                if on_its_way < RING as usize {
                    on_its_way += self.send(side, 32);
                }
                let received = self.receive(side, &mut |_| {});
                on_its_way = on_its_way.saturating_sub(received);
                through += received;
            }
        }
        let rate = through as f64 / ((cycles() - begin) as f64 / cycles_per_second() as f64);
        self.settle();
        rate
    }

    /// Sends so many packets a second in bursts of eight, and records how long each is under way; how many never came.
    fn pace(&mut self, rate: f64, span: u64, latencies: &mut Histogram<u64>) -> u64 {
        let interval = (cycles_per_second() as f64 / rate * PACED as f64) as u64;
        let begin = cycles();
        let (mut sent, mut received) = (0u64, 0u64);
        let mut due = begin;
        let mut side = 0;
        loop {
            let now = cycles();
            if now - begin >= span {
                break;
            }
            if now >= due {
                due += interval;
                sent += self.send(side, PACED) as u64;
                side = 1 - side;
            }
            for side in 0..2 {
                received += self.receive(side, &mut |passed| latencies.saturating_record(passed)) as u64;
            }
        }
        received += self.settle();
        sent - received.min(sent)
    }

    /// Waits until nothing is under way any more.
    fn settle(&mut self) -> u64 {
        let begin = cycles();
        let mut received = 0;
        while cycles() - begin < cycles_per_second() / 100 {
            for side in 0..2 {
                received += self.receive(side, &mut |_| {}) as u64;
            }
        }
        received
    }

    /// Sends packets that carry the time; how many the ring took.
    fn send(&mut self, side: usize, count: usize) -> usize {
        let mut burst = Burst::new();
        let frames = &self.frames[side];
        for _ in 0..count {
            let Some(mut mbuf) = self.pool.allocate() else { break };
            self.next[side] = (self.next[side] + 1) % frames.len();
            if !mbuf.append(&frames[self.next[side]]) {
                break;
            }
            stamp(&mut mbuf, cycles());
            if burst.push(mbuf).is_err() {
                break;
            }
        }
        let made = burst.frames().len();
        made - self.queues[side].send(&mut burst)
    }

    fn receive(&mut self, side: usize, passed: &mut dyn FnMut(u64)) -> usize {
        let mut burst = Burst::new();
        self.queues[side].receive(&mut burst);
        let now = cycles();
        for frame in burst.frames() {
            if let Some(stamp) = frame.bytes().get(STAMP..STAMP + 8).and_then(|octets| octets.try_into().ok()) {
                passed(now.saturating_sub(u64::from_ne_bytes(stamp)));
            }
        }
        burst.frames().len()
    }
}

/// Writes the time into a UDP datagram's data, whose frames carry no checksum.
fn stamp(frame: &mut Mbuf, now: u64) {
    if let Some(place) = frame.bytes_mut().get_mut(STAMP..STAMP + 8) {
        place.copy_from_slice(&now.to_ne_bytes());
    }
}

/// Behind Ethernet, IPv4 and UDP.
const STAMP: usize = 42;
/// Between two looks at events.
const NAP: Duration = Duration::from_millis(100);
/// Frames that a ring holds, and one.
const RING: u32 = 1024;
/// Part of the rate that goes through.
const LOAD: f64 = 0.7;
/// Packets sent at a time.
const PACED: usize = 8;
