//! The product under measurement: the worker and pipeline that are in service, on a CPU of their own, and on another what
//! control does with their events, less formatting and export.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};
use dataplane::command::Command;
use dataplane::counters::{Counter, Counters};
use dataplane::dpdk::{Pool, Port, SetupError, WorkerThread};
use dataplane::event::{self, EventReceiver, SessionChange, WorkerId};
use dataplane::pipeline::{Midstream, Pipeline, Settings, Timeouts};
use dataplane::policy::PortId;
use dataplane::worker::{Probe, Worker};

use super::Fallible;
use super::bed::Bed;
use super::disturbance::Disturbed;
use super::rules::{self, Rules};

/// A running firewall.
#[derive(Debug)]
pub struct Firewall {
    /// Of its worker.
    pub counters: Arc<Counters>,
    /// To its worker.
    pub mailbox: Sender<Command>,
    /// What the kernel does to its worker.
    pub disturbed: Disturbed,
    receiver: EventReceiver,
    /// Session events read, and of those the notices of attacks.
    read: u64,
    notices: u64,
    thread: JoinHandle<()>,
    pool: Arc<Pool>,
    ports: Vec<Arc<Port>>,
}

impl Firewall {
    /// Starts the worker on `cpu`.
    pub fn start<P: Probe + Send + 'static>(
        bed: Bed,
        cpu: u16,
        settings: Settings,
        rules: Rules,
        probe: P,
    ) -> Fallible<Self> {
        let Bed { clock, pool, ports, queues } = bed;
        let signatures = control::signatures::shipped();
        let policy = Arc::new(rules::policy(rules, &signatures));
        let (sender, receiver) = event::channel(WorkerId(0), SESSION_EVENTS, SIGN_ON_EVENTS);
        let (mailbox, commands) = bounded(4);
        let worker_pool = Arc::clone(&pool);
        let start = move |ready: &dyn Fn((Arc<Counters>, Disturbed))| {
            let pipeline = Pipeline::new(settings, policy, signatures, sender);
            ready((Arc::clone(pipeline.counters()), Disturbed::here(cpu)));
            Worker::probed(queues.into(), pipeline, commands, clock, worker_pool, probe).run();
        };
        let (thread, (counters, disturbed)) = spawn(cpu, start)?;
        Ok(Self { counters, mailbox, disturbed, receiver, read: 0, notices: 0, thread, pool, ports })
    }

    /// One counter's value.
    pub fn value(&self, counter: Counter) -> u64 {
        self.counters.value(counter)
    }

    /// Frames dropped, for whatever reason.
    pub fn drops(&self) -> u64 {
        self.counters.read().iter().filter(|(name, _)| name.starts_with("drop_")).map(|&(_, count)| count).sum()
    }

    /// Reads the events that wait.
    pub fn consume(&mut self) {
        loop {
            let notices = &mut self.notices;
            let read = self.receiver.sessions(1024, |event| {
                *notices += u64::from(matches!(event.change, SessionChange::Attack { .. }));
            });
            self.read += read as u64;
            if read == 0 {
                break;
            }
        }
        while self.receiver.sign_on().is_some() {}
    }

    /// Notices of attacks that were read.
    pub const fn notices(&self) -> u64 {
        self.notices
    }

    /// Session events lost because nobody read them in time.
    pub fn lost_events(&self) -> u64 {
        self.receiver.lost().session
    }

    /// Reads events until `done`, or for as long as `limit`; whether it is done.
    pub fn until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let begin = Instant::now();
        loop {
            self.consume();
            if done(self) {
                return true;
            }
            if begin.elapsed() >= limit {
                return false;
            }
            thread::sleep(STEP);
        }
    }

    /// Reads events for a while.
    pub fn wait(&mut self, span: Duration) {
        self.until(span, |_| false);
    }

    /// Stops the worker.
    ///
    /// # Errors
    /// Where its counts do not agree with each other, or a packet buffer did not come back.
    pub fn stop(self) -> Fallible<()> {
        let pool = Arc::clone(&self.pool);
        self.end()?;
        all_back(&pool)
    }

    /// Stops the worker where others have buffers of its pool still: see [`all_back`].
    ///
    /// # Errors
    /// Where its counts do not agree with each other.
    pub fn end(mut self) -> Fallible<()> {
        self.mailbox.send(Command::Stop)?;
        while !self.thread.is_finished() {
            self.consume();
            thread::yield_now();
        }
        self.consume();
        self.thread.join().map_err(|_| "the worker panicked")?;
        drop(self.ports);
        let value = |counter| self.counters.value(counter);
        let drops = self.counters.read().into_iter().filter(|(name, _)| name.starts_with("drop_"));
        let drops: u64 = drops.filter(|(name, _)| *name != "drop_tx_full").map(|(_, count)| count).sum();
        let equal = [
            (
                "frames",
                value(Counter::PacketsReceived),
                value(Counter::PacketsForwarded) + value(Counter::PacketsTaken) + drops,
            ),
            ("sessions", value(Counter::SessionsOpened), value(Counter::SessionsClosed)),
            ("session events", value(Counter::SessionEvents) + value(Counter::AttackEvents), self.read),
        ];
        match equal.iter().find(|(_, one, other)| one != other) {
            Some((what, one, other)) => Err(format!("{what} do not agree: {one} and {other}").into()),
            None => Ok(()),
        }
    }
}

/// That no buffer of a pool is in use, once all workers have ended and all ports are closed.
pub fn all_back(pool: &Pool) -> Fallible<()> {
    match pool.in_use() {
        0 => Ok(()),
        lost => Err(format!("{lost} packet buffers did not come back").into()),
    }
}

/// As the configuration's defaults are, for a table of so many sessions.
pub fn settings(max_sessions: usize) -> Settings {
    Settings {
        worker: WorkerId(0),
        max_sessions,
        inspection_slots: 65_536,
        fragment_slots: 4_096,
        timeouts: Timeouts::default(),
        wires: vec![(PortId(0), PortId(1))],
        nat: vec![],
        routing: Default::default(),
        midstream: Midstream::Permit,
        verify_checksums: true,
        protection: Default::default(),
    }
}

/// Runs `body` on a CPU of its own; returns when it has said that it is ready. What it needs is made on that CPU, as a
/// worker's is.
pub fn spawn<T: Send + 'static>(
    cpu: u16,
    body: impl FnOnce(&dyn Fn(T)) + Send + 'static,
) -> Fallible<(JoinHandle<()>, T)> {
    let (ready, started) = bounded::<Result<T, SetupError>>(1);
    let thread = thread::spawn(move || {
        let registered = match WorkerThread::enter(cpu) {
            Ok(registered) => registered,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        body(&|value| drop(ready.send(Ok(value))));
        drop(registered);
    });
    let value = started.recv()??;
    Ok((thread, value))
}

/// As the configuration's defaults.
const SESSION_EVENTS: usize = 65_536;
const SIGN_ON_EVENTS: usize = 8_192;
/// Between two looks at events.
const STEP: Duration = Duration::from_micros(200);
