//! What the firewall adds to a packet's way: generator and sink on one CPU, the worker on the other, rings between them.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dataplane::dpdk::{Burst, Mbuf, Pool, QueuePair, Ring, WorkerThread, cycles, cycles_per_second, port_from_rings};
use hdrhistogram::Histogram;

use super::Fallible;
use super::bed::{self, Bed};
use super::firewall::{Firewall, settings};
use super::machine;
use super::scene::{Figure, Plan};
use super::turns::LONGEST;
use super::wire::{self, Wire};
use crate::pktgen::frames::Side;

/// Measures at 70 % of the rate that goes through.
pub fn measure(plan: &Plan) -> Fallible<Vec<Figure>> {
    let measurement = plan.measurement(Wire::Ring);
    let mut outside = Vec::new();
    let bed = Bed::with(&measurement, |eal, pool| {
        let ring = |name| Ring::create(eal, name, RING);
        let [to_inside, from_inside] = [ring("to_inside")?, ring("from_inside")?];
        let [to_outside, from_outside] = [ring("to_outside")?, ring("from_outside")?];
        let asked = bed::asked(&measurement);
        for (name, receive, transmit) in [("client", &from_inside, &to_inside), ("server", &from_outside, &to_outside)]
        {
            outside.extend(port_from_rings(name, receive, transmit)?.start(asked, pool)?.1);
        }
        Ok([
            port_from_rings("inside", &to_inside, &from_inside)?,
            port_from_rings("outside", &to_outside, &from_outside)?,
        ])
    })?;
    let pool = Arc::clone(&bed.pool);
    let frames = [Side::Client, Side::Server].map(|side| wire::frames(&measurement, side).collect());
    let peer = Peer { queues: outside.try_into().map_err(|_| "two ports")?, pool, frames, next: [0; 2] };
    let firewall = Firewall::start(bed, plan.cpu, settings(plan.size(65_536)), plan.rules, ())?;

    let (cpu, window) = (plan.main_cpu, plan.window);
    // A thread of its own, so that the CPUs of this one stay as they are.
    let measured = thread::spawn(move || peer.measure(cpu, window));
    let mut firewall = firewall;
    firewall.until(Duration::from_secs(3600), |_| measured.is_finished());
    let Measured { most, offered, lost, latencies } = measured.join().map_err(|_| "the generator panicked")??;
    firewall.stop()?;
    let figure = |name: &str, value: f64, unit: &str| Figure { name: name.to_owned(), value, unit: unit.to_owned() };
    let hertz = machine::cycles_per_second();
    let microseconds = |cycles: u64| cycles as f64 / hertz * 1e6;
    let at = |quantile: f64| microseconds(latencies.value_at_quantile(quantile));
    Ok(vec![
        figure("went through at most", most / 1e6, "M/s"),
        figure("offered", offered / 1e6, "M/s"),
        figure("lost", lost as f64, "packets"),
        figure("p50", at(0.5), "µs"),
        figure("p99", at(0.99), "µs"),
        figure("p99.9", at(0.999), "µs"),
        figure("max", microseconds(latencies.max()), "µs"),
    ])
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

impl Peer {
    fn measure(mut self, cpu: u16, window: Duration) -> Result<Measured, String> {
        let _registered = WorkerThread::enter(cpu).map_err(|error| error.to_string())?;
        let mut latencies = Histogram::new_with_bounds(1, LONGEST, 3).map_err(|error| error.to_string())?;
        let hertz = cycles_per_second() as f64;
        // Sessions, caches; then as much as goes through with never more on its way than half a ring holds.
        self.saturate((hertz / 5.0) as u64);
        let most = self.saturate((hertz / 5.0) as u64);
        let offered = most * LOAD;
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
/// Frames that a ring holds, and one.
const RING: u32 = 1024;
/// Part of the rate that goes through.
const LOAD: f64 = 0.7;
/// Packets sent at a time.
const PACED: usize = 8;
