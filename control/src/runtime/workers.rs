//! The workers' threads: started together, stopped together.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, bounded};
use dataplane::access::AccessSettings;
use dataplane::appid::ResolvedTable;
use dataplane::command::Command;
use dataplane::counters::Counters;
use dataplane::dispatcher::Dispatcher;
use dataplane::dpdk::{Clock, Dispatched, Pool, QueuePair, SetupError, WorkerThread};
use dataplane::event::{self, EventReceiver, EventSender, Sizes, WorkerId};
use dataplane::load::Idle;
use dataplane::nat::Usage;
use dataplane::pipeline::{Pipeline, Settings};
use dataplane::policy::Policy;
use dataplane::route;
use dataplane::worker::{Worker, WorkerExit};
use sigdb::Database;

use super::{DataplaneConfig, StartError};
use crate::config::AccessConfig;
use crate::confine;

/// A worker's thread, and what control has of it. It is told to stop when this is dropped.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) mailbox: Sender<Command>,
    pub(super) counters: Arc<Counters>,
    /// How much of the pools of source NAT is in use, where there are any.
    pub(super) nat: Option<Arc<Usage>>,
    thread: Option<JoinHandle<WorkerExit>>,
}

/// What control reads of a worker while it runs.
struct Watched {
    counters: Arc<Counters>,
    nat: Option<Arc<Usage>>,
}

/// What all workers are started with.
pub(super) struct Shared {
    pub(super) policy: Arc<Policy>,
    pub(super) signatures: Arc<Database>,
    pub(super) routing: route::Config,
    pub(super) clock: Clock,
    pub(super) pool: Arc<Pool>,
    pub(super) idle: Idle,
    pub(super) resolved: Arc<ResolvedTable>,
    pub(super) access: Arc<AccessSettings>,
}

/// Starts a worker for each row of queue pairs. Where one fails, the others end before this returns.
pub(super) fn start(
    config: &DataplaneConfig,
    queues: Vec<Vec<QueuePair>>,
    shared: &Shared,
) -> Result<(Vec<Handle>, Vec<EventReceiver>), StartError> {
    let mut handles = Vec::new();
    let mut receivers = Vec::new();
    for ((index, &cpu), queues) in config.workers.iter().enumerate().zip(queues) {
        let worker = WorkerId(index as u16);
        let (events, receiver) = event::channels(
            worker,
            Sizes { session: config.session_events, sign_on: config.sign_on_events, access: AccessConfig::EVENTS },
        );
        receivers.push(receiver);
        handles.push(spawn(cpu, settings(config, &shared.routing, worker), queues, events, shared)?);
    }
    Ok((handles, receivers))
}

pub(super) fn settings(config: &DataplaneConfig, routing: &route::Config, worker: WorkerId) -> Settings {
    Settings {
        worker,
        max_sessions: config.max_sessions.div_ceil(config.workers.len().max(1)),
        inspection_slots: config.inspection_slots,
        fragment_slots: config.fragment_slots,
        timeouts: config.timeouts,
        wires: config.wires.clone(),
        nat: config.nat.clone(),
        routing: routing.clone(),
        midstream: config.midstream,
        verify_checksums: config.verify_checksums,
        protection: config.protection.clone(),
    }
}

/// Starts a worker's thread and waits until the worker is about to run.
fn spawn(
    cpu: u16,
    settings: Settings,
    queues: Vec<QueuePair>,
    events: EventSender,
    shared: &Shared,
) -> Result<Handle, StartError> {
    let name = format!("worker-{}", settings.worker.0);
    let (policy, signatures) = (Arc::clone(&shared.policy), Arc::clone(&shared.signatures));
    let (resolved, access) = (Arc::clone(&shared.resolved), Arc::clone(&shared.access));
    let (clock, pool, idle) = (shared.clock.clone(), Arc::clone(&shared.pool), shared.idle);
    thread(name, cpu, idle, move |commands, ready| {
        let pipeline = Pipeline::new(settings, policy, signatures, events).sharing(resolved).watching(access);
        ready(Watched { counters: Arc::clone(pipeline.counters()), nat: pipeline.nat_usage().cloned() });
        Worker::new(queues, pipeline, commands, clock, pool).idling(idle).run()
    })
}

/// Starts the dispatcher's thread and waits until it is about to run.
pub(super) fn start_dispatcher(
    cpu: u16,
    workers: u16,
    idle: Idle,
    clock: Clock,
    ports: Vec<Dispatched>,
) -> Result<Handle, StartError> {
    thread("dispatcher".to_owned(), cpu, idle, move |commands, ready| {
        let counters = Arc::new(Counters::default());
        ready(Watched { counters: Arc::clone(&counters), nat: None });
        Dispatcher::new(ports, workers, counters, idle, clock, commands).run()
    })
}

/// Starts a thread on a CPU and waits until its body says that it is ready, with what control reads of it.
fn thread(
    name: String,
    cpu: u16,
    idle: Idle,
    body: impl FnOnce(Receiver<Command>, &dyn Fn(Watched)) -> WorkerExit + Send + 'static,
) -> Result<Handle, StartError> {
    let (mailbox, commands) = bounded(MAILBOX);
    let (ready, started) = bounded(1);
    let run = move || {
        // Bound to its CPU first: the pipeline's memory is then taken from that CPU's node.
        let registered = match WorkerThread::enter(cpu) {
            Ok(registered) => registered,
            Err(error) => {
                let _ = ready.send(Err(error));
                return WorkerExit::default();
            }
        };
        if idle == Idle::BackOff {
            // Else the kernel adds 50 µs to every sleep. Where it refuses, sleeps are that much longer.
            let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        }
        let exit = body(commands, &|watched| {
            // Its memory is taken and its queues are open. Where the kernel keeps what it has, it runs all the same.
            if let Err(error) = confine::nothing_left() {
                eprintln!("ostiary: a thread keeps what it does not need: {error}");
            }
            drop(ready.send(Ok(watched)));
        });
        drop(registered);
        exit
    };
    let thread = thread::Builder::new().name(name).spawn(run).map_err(|error| StartError::Spawn(error.to_string()))?;
    let Watched { counters, nat } = wait(&started)?;
    Ok(Handle { mailbox, counters, nat, thread: Some(thread) })
}

fn wait(started: &Receiver<Result<Watched, SetupError>>) -> Result<Watched, StartError> {
    match started.recv() {
        Ok(result) => Ok(result?),
        Err(_) => Err(StartError::Spawn("it ended before it was ready".to_owned())),
    }
}

impl Handle {
    /// Tells the worker to stop, without waiting for it.
    pub(super) fn tell_to_stop(&self) {
        // A full mailbox is emptied within 256 turns; a worker that is gone needs no telling.
        let _ = self.mailbox.send(Command::Stop);
    }

    /// Whether its thread has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end.
    pub(super) fn join(mut self) -> WorkerExit {
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.tell_to_stop();
            let _ = thread.join();
        }
    }
}

/// Commands that may wait for a worker.
const MAILBOX: usize = 64;
