//! One measurement of our own worker and pipeline. DPDK starts once a process, so each is a process of its own.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;
use dataplane::command::Command;
use dataplane::counters::Counter;
use dataplane::dpdk::{
    Burst, Clock, Device, Eal, EalConfig, Found, Memory, Pool, PoolConfig, Port, QueuePair, Queues, Ring, SetupError,
    WorkerThread, cycles, cycles_per_second, mbufs_needed, port_from_rings,
};
use dataplane::event::{self, WorkerId};
use dataplane::pipeline::{Midstream, Pipeline, Settings, Timeouts};
use dataplane::policy::{Action, Policy, PolicySource, PortId, RuleSource, ZoneId};
use dataplane::worker::Worker;

use super::figure::Sample;
use super::wire::{self, Wire};
use crate::pktgen::frames::Side;

/// What is measured, and where.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// Over which wire.
    pub wire: Wire,
    /// How many sessions are established.
    pub flows: u32,
    /// The worker's CPU.
    pub cpu: u16,
    /// How long is counted.
    pub window: Duration,
    /// For EAL.
    pub memory: Memory,
}

/// The result, with what makes it valid.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The figure.
    pub sample: Sample,
    /// Sessions open at the end.
    pub sessions: u64,
    /// Sessions that were opened while counting; 0, or not all were established.
    pub opened: u64,
    /// Frames dropped while counting, for whatever reason.
    pub dropped: u64,
    /// Buffers that did not come back.
    pub lost_buffers: u32,
}

/// Measures. `folder` is for capture files.
pub fn measure(measurement: &Measurement, folder: &Path) -> Fallible<Outcome> {
    let eal = Eal::start(&EalConfig {
        file_prefix: "ostiary-bench".to_owned(),
        memory: measurement.memory,
        nics: Vec::new(),
    })?;
    let pool = Pool::create(
        &eal,
        &PoolConfig {
            name: "frames".to_owned(),
            mbufs: mbufs(measurement),
            data_room: PoolConfig::DATA_ROOM,
            node: None,
        },
    )?;
    let (ports, queues) = ports(measurement, &eal, &pool, folder)?;

    let (sender, _receiver) = event::channel(WorkerId(0), 1024, 1024);
    let (mailbox, commands) = bounded(4);
    let clock = Clock::start(&eal);
    let (settings, worker_pool, cpu) = (settings(measurement), Arc::clone(&pool), measurement.cpu);
    let (ready, started) = bounded(1);
    let run = move || {
        let registered = match WorkerThread::enter(cpu) {
            Ok(registered) => registered,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        // Made on its own CPU, as a worker's is.
        let pipeline = Pipeline::new(settings, Arc::new(permit_all()), Arc::default(), sender);
        let _ = ready.send(Ok(Arc::clone(pipeline.counters())));
        Worker::new(queues, pipeline, commands, clock, worker_pool).run();
        drop(registered);
    };
    let thread = thread::spawn(run);
    let counters = started.recv()??;

    let value = |counter| counters.value(counter);
    let dropped =
        || counters.read().iter().filter(|(name, _)| name.starts_with("drop_")).map(|&(_, count)| count).sum();
    // Every session is open and every cache warm before anything is counted.
    let begin = Instant::now();
    let enough = u64::from(measurement.flows) * 2;
    while begin.elapsed() < WARM_UP || value(Counter::PacketsReceived) < enough {
        thread::sleep(Duration::from_millis(10));
    }
    let (first, opened, lost): (u64, u64, u64) =
        (value(Counter::PacketsReceived), value(Counter::SessionsOpened), dropped());
    let from = cycles();
    thread::sleep(measurement.window);
    let (last, to) = (value(Counter::PacketsReceived), cycles());
    let hertz = cycles_per_second() as f64;
    let outcome = Outcome {
        sample: Sample { rate: (last - first) as f64 * hertz / (to - from) as f64, cycles_per_second: hertz },
        sessions: value(Counter::SessionsActive),
        opened: value(Counter::SessionsOpened) - opened,
        dropped: dropped() - lost,
        lost_buffers: 0,
    };
    mailbox.send(Command::Stop)?;
    thread.join().map_err(|_| "the worker panicked")?;
    drop(ports);
    Ok(Outcome { lost_buffers: pool.in_use(), ..outcome })
}

/// What a measurement comes to, or why there is none.
type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// The two ports of the wire, and one worker's queues of them.
fn ports(
    measurement: &Measurement,
    eal: &Arc<Eal>,
    pool: &Arc<Pool>,
    folder: &Path,
) -> Fallible<(Vec<Arc<Port>>, Vec<QueuePair>)> {
    let find = |device: String| -> Fallible<Found> { Ok(Found::probe(eal, &device.parse::<Device>()?)?) };
    let found = match measurement.wire {
        Wire::Null => [find("net_null0".to_owned())?, find("net_null1".to_owned())?],
        Wire::Pcap => {
            let (clients, servers) = wire::captures(folder, measurement.flows)?;
            let device = |index: u32, path: &Path| format!("net_pcap{index},rx_pcap={},infinite_rx=1", path.display());
            [find(device(0, &clients))?, find(device(1, &servers))?]
        }
        Wire::Ring => {
            // What leaves by one port of the wire comes in at the other again: clients' frames go round in one ring,
            // servers' in the other.
            let size = (measurement.flows + 1).next_power_of_two();
            let clients = Ring::create(eal, "clients", size)?;
            let servers = Ring::create(eal, "servers", size)?;
            fill(&clients, "fill_clients", measurement.flows, Side::Client, pool)?;
            fill(&servers, "fill_servers", measurement.flows, Side::Server, pool)?;
            [port_from_rings("inside", &clients, &servers)?, port_from_rings("outside", &servers, &clients)?]
        }
    };
    let mut ports = Vec::new();
    let mut queues = Vec::new();
    for found in found {
        let (port, pairs) = found.start(QUEUES, pool)?;
        ports.push(port);
        queues.extend(pairs);
    }
    Ok((ports, queues))
}

fn fill(ring: &Arc<Ring>, name: &str, flows: u32, side: Side, pool: &Arc<Pool>) -> Result<(), SetupError> {
    let (_port, mut pairs) = port_from_rings(name, ring, ring)?.start(QUEUES, pool)?;
    let mut burst = Burst::new();
    for frame in wire::frames(flows, side) {
        let mut mbuf = pool.allocate().expect("the pool was sized for these frames");
        assert!(mbuf.append(&frame) && burst.push(mbuf).is_ok(), "a small frame fits, and a burst is sent when full");
        if burst.is_full() {
            pairs[0].send(&mut burst);
        }
    }
    pairs[0].send(&mut burst);
    Ok(())
}

fn mbufs(measurement: &Measurement) -> u32 {
    let descriptors = (QUEUES.receive, QUEUES.transmit);
    let ports = mbufs_needed([descriptors; 2], 1);
    match measurement.wire {
        Wire::Null => ports,
        // The frames themselves live in the pool, of net_pcap in a ring of the next power of two.
        Wire::Ring => ports + 2 * measurement.flows,
        Wire::Pcap => ports + 2 * (measurement.flows + 1).next_power_of_two(),
    }
}

/// Memory that a measurement needs, in MiB.
pub fn memory(wire: Wire, flows: u32) -> u32 {
    let buffers = if wire.has_flows() { 2 * (flows + 1).next_power_of_two() } else { 0 } + 8192;
    // On ordinary pages no buffer crosses from one page to the next: each takes a page of 4 KiB.
    128 + buffers * 9 / 2 / 1024
}

fn settings(measurement: &Measurement) -> Settings {
    Settings {
        worker: WorkerId(0),
        max_sessions: measurement.flows.max(1024) as usize * 2,
        inspection_slots: 1024,
        fragment_slots: 1024,
        timeouts: Timeouts::default(),
        wires: vec![(PortId(0), PortId(1))],
        midstream: Midstream::Permit,
        verify_checksums: true,
    }
}

fn permit_all() -> Policy {
    let rule = RuleSource {
        from: vec![ZoneId(0)],
        to: vec![ZoneId(1)],
        source: vec![],
        destination: vec![],
        service: vec![],
        application: vec![],
        action: Action::Permit,
        session_logging: true,
        profile: false,
    };
    Policy::compile(PolicySource {
        rules: vec![rule],
        implicit_deny_logging: false,
        full_identification: false,
        zones: vec![ZoneId(0), ZoneId(1)],
    })
}

const QUEUES: Queues = Queues { pairs: 1, receive: 1024, transmit: 1024, mtu: 1500 };
/// Before counting begins.
const WARM_UP: Duration = Duration::from_millis(500);
