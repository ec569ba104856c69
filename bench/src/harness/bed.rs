//! What a contender of ours finds when it starts: DPDK, a pool, and the two ports of the wire with traffic on them. DPDK
//! starts once a process, so each measurement is a process of its own.

use std::path::Path;
use std::sync::Arc;

use dataplane::dpdk::{
    Burst, Clock, Device, Dispatched, Eal, EalConfig, Found, Memory, Pool, PoolConfig, Port, QueuePair, Queues, Ring,
    SetupError, mbufs_needed, port_from_rings,
};

use super::Fallible;
use super::measurement::Measurement;
use super::wire::{self, Wire};
use crate::pktgen::frames::Side;

/// DPDK, ready to be measured on.
#[derive(Debug)]
pub struct Bed {
    /// Time.
    pub clock: Clock,
    /// Of all buffers.
    pub pool: Arc<Pool>,
    /// The first is the clients'.
    pub ports: Vec<Arc<Port>>,
    /// A queue pair of each port.
    pub queues: [QueuePair; 2],
}

impl Bed {
    /// Starts DPDK. `folder` is for capture files.
    pub fn make(measurement: &Measurement, folder: &Path) -> Fallible<Self> {
        Self::with(measurement, |eal, pool| wire_ports(measurement, eal, pool, folder))
    }

    /// The same with nothing coming from the servers' side.
    pub fn one_way(measurement: &Measurement, folder: &Path) -> Fallible<Self> {
        Self::with(measurement, |eal, _| {
            let (clients, _) = wire::captures(folder, measurement)?;
            Ok([find(eal, &capture(0, &clients))?, find(eal, "net_null0,no-rx=1")?])
        })
    }

    /// The same with ports of one's own.
    pub fn with(
        measurement: &Measurement,
        ports: impl FnOnce(&Arc<Eal>, &Arc<Pool>) -> Fallible<[Found; 2]>,
    ) -> Fallible<Self> {
        let (eal, pool) = ground(measurement, 1)?;
        Self::lay(measurement, &eal, &pool, ports(&eal, &pool)?)
    }

    /// As many of them beside each other as workers, with buffers of one pool, as the product's workers have.
    pub fn several(measurement: &Measurement, workers: u32, folder: &Path) -> Fallible<Vec<Self>> {
        let (eal, pool) = ground(measurement, workers)?;
        let (clients, servers) = wire::captures(folder, measurement)?;
        let captures = |worker| {
            Fallible::Ok([find(&eal, &capture(2 * worker, &clients))?, find(&eal, &capture(2 * worker + 1, &servers))?])
        };
        (0..workers).map(|worker| Self::lay(measurement, &eal, &pool, captures(worker)?)).collect()
    }

    fn lay(measurement: &Measurement, eal: &Arc<Eal>, pool: &Arc<Pool>, found: [Found; 2]) -> Fallible<Self> {
        let mut ports = Vec::new();
        let mut queues = Vec::new();
        for found in found {
            let (port, pairs) = found.start(asked(measurement), pool)?;
            ports.push(port);
            queues.extend(pairs);
        }
        let queues = queues.try_into().map_err(|_| "a wire has two ports")?;
        Ok(Self { clock: Clock::start(eal), pool: Arc::clone(pool), ports, queues })
    }

    /// The same with a dispatcher between ports and worker: its share of the ports.
    pub fn dispatched(measurement: &Measurement, folder: &Path) -> Fallible<(Self, Vec<Dispatched>)> {
        // Rings between the two hold as many frames again as a port's queues do.
        let (eal, pool) = ground(measurement, 2)?;
        let (clients, servers) = wire::captures(folder, measurement)?;
        let (mut ports, mut queues, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for (index, path) in [clients, servers].iter().enumerate() {
            let found = find(&eal, &capture(index as u32, path))?;
            let (port, share, pairs) = found.start_dispatched(asked(measurement), &pool)?;
            ports.push(port);
            shares.push(share);
            queues.extend(pairs);
        }
        let queues = queues.try_into().map_err(|_| "a wire has two ports")?;
        Ok((Self { clock: Clock::start(&eal), pool, ports, queues }, shares))
    }
}

/// DPDK, and a pool for so many workers.
fn ground(measurement: &Measurement, workers: u32) -> Fallible<(Arc<Eal>, Arc<Pool>)> {
    let mib = memory(measurement) * workers;
    let memory = if measurement.hugepages { Memory::Hugepages { mib } } else { Memory::Ordinary { mib } };
    let eal = Eal::start(&EalConfig { file_prefix: "ostiary-bench".to_owned(), memory, nics: Vec::new() })?;
    let config = PoolConfig {
        name: "frames".to_owned(),
        mbufs: mbufs(measurement) * workers,
        data_room: data_room(measurement),
        node: None,
    };
    let pool = Pool::create(&eal, &config)?;
    Ok((eal, pool))
}

/// A port that repeats a capture for ever.
fn capture(index: u32, path: &Path) -> String {
    format!("net_pcap{index},rx_pcap={},infinite_rx=1", path.display())
}

/// Memory of EAL that a measurement needs, in MiB.
pub fn memory(measurement: &Measurement) -> u32 {
    // On ordinary pages no buffer crosses from one page to the next: each takes whole pages of 4 KiB.
    let buffer = (u32::from(data_room(measurement)) + 512).next_multiple_of(4096);
    let buffers = u64::from(mbufs(measurement)) * u64::from(buffer + 512);
    128 + (buffers >> 20) as u32
}

fn wire_ports(measurement: &Measurement, eal: &Arc<Eal>, pool: &Arc<Pool>, folder: &Path) -> Fallible<[Found; 2]> {
    Ok(match measurement.wire {
        Wire::Null => [find(eal, "net_null0")?, find(eal, "net_null1")?],
        Wire::Pcap => {
            let (clients, servers) = wire::captures(folder, measurement)?;
            [find(eal, &capture(0, &clients))?, find(eal, &capture(1, &servers))?]
        }
        Wire::Ring => {
            // What leaves by one port of the wire comes in at the other again: clients' frames go round in one ring,
            // servers' in the other.
            let size = (measurement.on_the_wire() + 1).next_power_of_two();
            let clients = Ring::create(eal, "clients", size)?;
            let servers = Ring::create(eal, "servers", size)?;
            fill(&clients, "fill_clients", measurement, Side::Client, pool)?;
            fill(&servers, "fill_servers", measurement, Side::Server, pool)?;
            [port_from_rings("inside", &clients, &servers)?, port_from_rings("outside", &servers, &clients)?]
        }
    })
}

fn find(eal: &Arc<Eal>, device: &str) -> Fallible<Found> {
    Ok(Found::probe(eal, &device.parse::<Device>()?)?)
}

fn fill(
    ring: &Arc<Ring>,
    name: &str,
    measurement: &Measurement,
    side: Side,
    pool: &Arc<Pool>,
) -> Result<(), SetupError> {
    let (_port, mut pairs) = port_from_rings(name, ring, ring)?.start(asked(measurement), pool)?;
    let mut burst = Burst::new();
    for frame in wire::frames(measurement, side) {
        let mut mbuf = pool.allocate().expect("the pool was sized for these frames");
        assert!(mbuf.append(&frame) && burst.push(mbuf).is_ok(), "a frame fits, and a burst is sent when full");
        if burst.is_full() {
            pairs[0].send(&mut burst);
        }
    }
    pairs[0].send(&mut burst);
    Ok(())
}

/// Queues and MTU of its ports.
pub fn asked(measurement: &Measurement) -> Queues {
    // The driver's limits are of the frame without FCS and two tags.
    Queues { pairs: 1, receive: 1024, transmit: 1024, mtu: measurement.size.longest().max(1518) - 18 }
}

/// One buffer a frame, whatever its size: net_pcap repeats no others.
fn data_room(measurement: &Measurement) -> u16 {
    PoolConfig::DATA_ROOM.max(measurement.size.longest() + 128)
}

fn mbufs(measurement: &Measurement) -> u32 {
    let queues = asked(measurement);
    let ports = mbufs_needed([(queues.receive, queues.transmit); 2], 1);
    let frames = measurement.on_the_wire();
    match measurement.wire {
        Wire::Null => ports,
        // The frames themselves live in the pool, of net_pcap in a ring of the next power of two.
        Wire::Ring => ports + 2 * frames,
        Wire::Pcap => ports + 2 * (frames + 1).next_power_of_two(),
    }
}
