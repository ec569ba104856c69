//! The dataplane as control has it: started from a configuration, watched, stopped.

use std::sync::Arc;

use ::dataplane::access::AccessSettings;
use crossbeam::channel::Sender;
use dataplane::appid::ResolvedTable;
use dataplane::command::Command;
use dataplane::counters::Counters;
use dataplane::dpdk::{Clock, Pool, Port};
use dataplane::event::EventReceiver;
use dataplane::nat::Usage;
use dataplane::policy::Policy;
use dataplane::time::Nanos;
use sigdb::Database;

use super::ports::{self, PortView};
use super::workers::{self, Handle, Shared};
use super::{DataplaneConfig, StartError, eal, preflight};
use crate::record::Name;

/// Running workers on running ports. Dropped, it stops them.
#[derive(Debug)]
pub struct Dataplane {
    // In the order in which they are dropped: workers end before their ports close.
    workers: Vec<Handle>,
    dispatcher: Option<Handle>,
    receivers: Vec<EventReceiver>,
    ports: Vec<Arc<Port>>,
    pool: Arc<Pool>,
    names: Vec<Name>,
    clock: Clock,
}

/// A pool of packet buffers as `show statistics` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// All its buffers.
    pub size: u32,
    /// Those in rings, caches' owners' hands and on their way.
    pub in_use: u32,
}

/// What is said at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopReport {
    /// The pool, after workers and ports are gone: none in use, or a frame was lost track of.
    pub pool: PoolView,
    /// Buffers at most that drivers do not give back when they close, though nothing was lost.
    pub kept_by_drivers: u32,
    /// Frames that had arrived and were dropped because the workers stopped.
    pub abandoned: u64,
}

impl StopReport {
    /// Whether every buffer came back that a driver gives back.
    pub fn is_clean(&self) -> bool {
        self.pool.in_use <= self.kept_by_drivers
    }
}

impl Dataplane {
    /// Checks, then starts DPDK (once in a process), the ports and the workers. On error nothing is left running, but
    /// DPDK may have been started. The workers judge by `policy`, identify by `signatures`, and look for access users as
    /// `access` says.
    pub fn start(
        config: &DataplaneConfig,
        policy: Arc<Policy>,
        signatures: Arc<Database>,
        access: Arc<AccessSettings>,
    ) -> Result<Self, StartError> {
        preflight::check(config)?;
        let eal = eal::start(config)?;
        let clock = Clock::start(&eal);
        let running = ports::start(&eal, config)?;
        let routing = ports::routing(&config.routing, |port| ports::mac(config, &running.ports, port))?;
        let pool = Arc::clone(&running.pool);
        let resolved = Arc::new(ResolvedTable::new(config.resolved_addresses));
        let shared =
            Shared { routing, policy, signatures, clock: clock.clone(), pool, idle: config.idle, resolved, access };
        let (workers, receivers) = workers::start(config, running.queues, &shared)?;
        let count = config.workers.len() as u16;
        let start_dispatcher =
            |cpu| workers::start_dispatcher(cpu, count, config.idle, clock.clone(), running.dispatched);
        let dispatcher = config.dispatcher.map(start_dispatcher).transpose()?;
        let names = config.ports.iter().map(|port| port.name.clone()).collect();
        Ok(Self { workers, dispatcher, receivers, ports: running.ports, pool: running.pool, names, clock })
    }

    /// The workers' event queues, once: by worker.
    pub fn take_events(&mut self) -> Vec<EventReceiver> {
        std::mem::take(&mut self.receivers)
    }

    /// Where each worker takes commands. They are bounded; use `try_send`.
    pub fn mailboxes(&self) -> Vec<Sender<Command>> {
        self.workers.iter().map(|worker| worker.mailbox.clone()).collect()
    }

    /// The counters of each worker, and of the dispatcher behind them, where there is one.
    pub fn counters(&self) -> Vec<Arc<Counters>> {
        self.workers.iter().chain(&self.dispatcher).map(|worker| Arc::clone(&worker.counters)).collect()
    }

    /// How much of the pools of source NAT is in use. They are one worker's.
    pub fn nat(&self) -> Option<Arc<Usage>> {
        self.workers.iter().find_map(|worker| worker.nat.clone())
    }

    /// The ports: link and statistics.
    pub fn ports(&self) -> Vec<PortView> {
        ports::view(&self.names, &self.ports)
    }

    /// The packet pool.
    pub fn pool(&self) -> PoolView {
        PoolView { size: self.pool.size(), in_use: self.pool.in_use() }
    }

    /// The time by the workers' clock: what control compares their events' time with.
    pub fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// Keeps the workers' clock true; call it every second or so.
    pub fn keep_time(&self) {
        self.clock.discipline();
    }

    /// Tells the workers to end their sessions and stop. Their last events come while they do: go on reading them until
    /// [`Self::has_stopped`], then until the queues are empty.
    pub fn begin_stop(&self) {
        self.workers.iter().chain(&self.dispatcher).for_each(Handle::tell_to_stop);
    }

    /// Whether all workers have ended, and the dispatcher.
    pub fn has_stopped(&self) -> bool {
        self.workers.iter().chain(&self.dispatcher).all(Handle::has_ended)
    }

    /// Waits for the workers, closes the ports and counts the buffers.
    pub fn stop(self) -> StopReport {
        self.begin_stop();
        let pairs = self.workers.len() as u32;
        // The dispatcher ends after the workers do.
        let abandoned = self.workers.into_iter().chain(self.dispatcher).map(|thread| thread.join().abandoned).sum();
        let kept_by_drivers = self.ports.iter().map(|port| port.unreturned_buffers() * pairs).sum();
        drop(self.ports);
        let pool = PoolView { size: self.pool.size(), in_use: self.pool.in_use() };
        StopReport { pool, kept_by_drivers, abandoned }
    }
}
