//! Ports made of rings, whose other ends are the test's, and what every pipeline between them has in common.

use std::sync::Arc;
use std::thread;

use dataplane::dpdk::{Burst, Eal, Mbuf, Pool, QueuePair, Queues, Ring, WorkerThread, port_from_rings};
use dataplane::event::WorkerId;
use dataplane::guard::Protection;
use dataplane::pipeline::{Midstream, Settings, Timeouts};
use dataplane::policy::{Action, Policy, PolicySource, PortId, RuleSource, ZoneId};
use dataplane::worker::WorkerExit;

/// One wire between ports 0 and 1, everything else as usual.
pub fn settings(worker: u16) -> Settings {
    Settings {
        worker: WorkerId(worker),
        max_sessions: 1000,
        inspection_slots: 10,
        fragment_slots: 10,
        timeouts: Timeouts::default(),
        wires: vec![(PortId(0), PortId(1))],
        nat: vec![],
        routing: Default::default(),
        midstream: Midstream::Permit,
        verify_checksums: true,
        protection: Protection::default(),
    }
}

/// From inside to outside, only: an answer passes with its session or not at all.
pub fn outbound() -> RuleSource {
    let (from, to) = (vec![ZoneId(0)], vec![ZoneId(1)]);
    RuleSource { from, to, session_logging: true, ..RuleSource::any(Action::Permit) }
}

/// A policy of one rule; port 0 is in zone 0, and so on.
pub fn policy(rule: RuleSource) -> Arc<Policy> {
    Arc::new(Policy::compile(PolicySource {
        rules: vec![rule],
        implicit_deny_logging: false,
        full_identification: false,
        zones: (0..3).map(ZoneId).collect(),
    }))
}

/// A port of a firewall made of two rings, as the firewall has it.
pub struct Cable {
    /// What the firewall receives.
    pub receive: Arc<Ring>,
    /// What it sends.
    pub transmit: Arc<Ring>,
}

impl Cable {
    /// The rings hold one frame less each.
    pub fn new(eal: &Arc<Eal>, name: &str, receive: u16, transmit: u16) -> Self {
        let ring = |direction: &str, size| Ring::create(eal, &format!("{direction}_{name}"), u32::from(size)).unwrap();
        Self { receive: ring("to", receive), transmit: ring("from", transmit) }
    }

    /// The firewall's end, of one queue pair.
    pub fn firewall(&self, name: &str, pool: &Arc<Pool>) -> QueuePair {
        start(name, &self.receive, &self.transmit, pool)
    }

    /// The other end.
    pub fn peer(&self, name: &str, pool: &Arc<Pool>) -> Peer {
        let name = format!("{name}_peer");
        Peer { queues: start(&name, &self.transmit, &self.receive, pool), pool: Arc::clone(pool) }
    }
}

fn start(name: &str, receive: &Arc<Ring>, transmit: &Arc<Ring>, pool: &Arc<Pool>) -> QueuePair {
    let queues = Queues { pairs: 1, receive: 64, transmit: 64, mtu: 1500 };
    port_from_rings(name, receive, transmit).unwrap().start(queues, pool).unwrap().1.remove(0)
}

/// The other end of a port of rings.
pub struct Peer {
    queues: QueuePair,
    pool: Arc<Pool>,
}

impl Peer {
    pub fn send(&mut self, frames: impl IntoIterator<Item = Vec<u8>>) {
        let pool = Arc::clone(&self.pool);
        self.send_as_they_are(frames.into_iter().map(|frame| mbuf(&pool, &frame)));
    }

    pub fn send_as_they_are(&mut self, frames: impl IntoIterator<Item = Mbuf>) {
        let mut burst = Burst::new();
        for frame in frames {
            assert!(burst.push(frame).is_ok());
            if burst.is_full() {
                assert_eq!(self.queues.send(&mut burst), 0);
            }
        }
        assert_eq!(self.queues.send(&mut burst), 0);
    }

    /// What has arrived, each frame in one piece.
    pub fn receive_some(&mut self) -> Vec<Vec<u8>> {
        let mut burst = Burst::new();
        self.queues.receive(&mut burst);
        let whole = |frame: &Mbuf| {
            let mut whole = vec![0; frame.length() as usize];
            assert_eq!(frame.copy_to(&mut whole), whole.len());
            whole
        };
        burst.frames().iter().map(whole).collect()
    }

    /// So many frames.
    pub fn receive(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while frames.len() < count {
            frames.extend(self.receive_some());
            thread::yield_now();
        }
        assert_eq!(frames.len(), count);
        frames
    }
}

/// A frame in one segment.
pub fn mbuf(pool: &Arc<Pool>, bytes: &[u8]) -> Mbuf {
    let mut mbuf = pool.allocate().unwrap();
    assert!(mbuf.append(bytes));
    mbuf
}

/// A thread registered with DPDK on a CPU that this process may use: all share it, so that a busy machine is no trouble.
pub fn on_first_cpu(body: impl FnOnce() -> WorkerExit + Send + 'static) -> thread::JoinHandle<WorkerExit> {
    thread::spawn(move || {
        let _registered = WorkerThread::enter(first_cpu()).expect("the CPU is ours");
        body()
    })
}

fn first_cpu() -> u16 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let digits: String = list.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
