//! The workers' threads: started together, stopped together.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, bounded};
use dataplane::command::Command;
use dataplane::counters::Counters;
use dataplane::dpdk::{Clock, Pool, QueuePair, SetupError, WorkerThread};
use dataplane::event::{self, EventReceiver, EventSender, WorkerId};
use dataplane::pipeline::{Pipeline, Settings};
use dataplane::policy::Policy;
use dataplane::worker::{Worker, WorkerExit};
use sigdb::Database;

use super::{DataplaneConfig, StartError};

/// A worker's thread, and what control has of it. It is told to stop when this is dropped.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) mailbox: Sender<Command>,
    pub(super) counters: Arc<Counters>,
    thread: Option<JoinHandle<WorkerExit>>,
}

/// What all workers are started with.
pub(super) struct Shared {
    pub(super) policy: Arc<Policy>,
    pub(super) signatures: Arc<Database>,
    pub(super) clock: Clock,
    pub(super) pool: Arc<Pool>,
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
        let (events, receiver) = event::channel(worker, config.session_events, config.sign_on_events);
        receivers.push(receiver);
        handles.push(spawn(cpu, settings(config, worker), queues, events, shared)?);
    }
    Ok((handles, receivers))
}

fn settings(config: &DataplaneConfig, worker: WorkerId) -> Settings {
    Settings {
        worker,
        max_sessions: config.max_sessions.div_ceil(config.workers.len().max(1)),
        inspection_slots: config.inspection_slots,
        fragment_slots: config.fragment_slots,
        timeouts: config.timeouts,
        wires: config.wires.clone(),
        midstream: config.midstream,
        verify_checksums: config.verify_checksums,
    }
}

/// Starts a thread and waits until its worker is about to run.
fn spawn(
    cpu: u16,
    settings: Settings,
    queues: Vec<QueuePair>,
    events: EventSender,
    shared: &Shared,
) -> Result<Handle, StartError> {
    let (mailbox, commands) = bounded(MAILBOX);
    let (ready, started) = bounded(1);
    let name = format!("worker-{}", settings.worker.0);
    let (policy, signatures) = (Arc::clone(&shared.policy), Arc::clone(&shared.signatures));
    let (clock, pool) = (shared.clock.clone(), Arc::clone(&shared.pool));
    let body = move || {
        // Bound to its CPU first: the pipeline's memory is then taken from that CPU's node.
        let thread = match WorkerThread::enter(cpu) {
            Ok(thread) => thread,
            Err(error) => {
                let _ = ready.send(Err(error));
                return WorkerExit::default();
            }
        };
        let pipeline = Pipeline::new(settings, policy, signatures, events);
        let _ = ready.send(Ok(Arc::clone(pipeline.counters())));
        let exit = Worker::new(queues, pipeline, commands, clock, pool).run();
        drop(thread);
        exit
    };
    let thread = thread::Builder::new().name(name).spawn(body).map_err(|error| StartError::Spawn(error.to_string()))?;
    let counters = wait(&started)?;
    Ok(Handle { mailbox, counters, thread: Some(thread) })
}

fn wait(started: &Receiver<Result<Arc<Counters>, SetupError>>) -> Result<Arc<Counters>, StartError> {
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
