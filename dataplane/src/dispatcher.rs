//! The loop of a core that receives for the workers, where ports cannot give each worker its flows.
//!
//! It hashes each frame's flow and hands the frame to its worker by a ring, and sends for the workers where a port has too
//! few transmit queues for them. Fragments, in whatever order, and ICMP errors reach the worker of their flow, which a NIC's hash does
//! not do.

use std::sync::Arc;

use crossbeam::channel::{Receiver, TryRecvError};

use crate::command::Command;
use crate::counters::{Counter, Counters};
use crate::dpdk::{Burst, Clock, Dispatched, Mbuf, cycles_per_second};
use crate::load::{Idle, Load};
use crate::pipeline::{BURST, Frame};
use crate::policy::PortId;
use crate::verdict::DropReason;
use crate::worker::WorkerExit;

mod sort;
mod waiting;

use sort::{Place, Sorter};
use waiting::Waiting;

/// One dispatcher: all ports' receive queues.
#[derive(Debug)]
pub struct Dispatcher {
    /// By [`PortId`].
    ports: Vec<Dispatched>,
    /// By [`PortId`]: fragments that overtook their first.
    waiting: Vec<Waiting<Mbuf>>,
    sorter: Sorter,
    clock: Clock,
    counters: Arc<Counters>,
    load: Load,
    mailbox: Receiver<Command>,
    received: Burst,
    /// By worker.
    sorted: Vec<Burst>,
}

impl Dispatcher {
    /// For so many workers. Of `mailbox` only [`Command::Stop`] is for it: it has no table and no policy.
    pub fn new(
        ports: Vec<Dispatched>,
        workers: u16,
        counters: Arc<Counters>,
        idle: Idle,
        clock: Clock,
        mailbox: Receiver<Command>,
    ) -> Self {
        Self {
            waiting: ports.iter().map(|_| Waiting::new()).collect(),
            ports,
            clock,
            sorter: Sorter::new(workers),
            load: Load::new(Arc::clone(&counters), idle, cycles_per_second()),
            counters,
            mailbox,
            received: Burst::new(),
            sorted: (0..workers).map(|_| Burst::new()).collect(),
        }
    }

    /// Serves the ports until it is told to stop, or control is gone; then sends what workers still want sent, until all of
    /// them have ended. The calling thread is a [`crate::dpdk::WorkerThread`].
    pub fn run(mut self) -> WorkerExit {
        let mut turn: u32 = 0;
        loop {
            let mut idle = true;
            for port in 0..self.ports.len() {
                idle &= !self.receive(port);
                idle &= !self.send(port);
            }
            self.load.turned(idle);
            turn = turn.wrapping_add(1);
            if !idle && !turn.is_multiple_of(HOUSEKEEPING) {
                continue;
            }
            for port in 0..self.ports.len() {
                self.give_up(port);
            }
            if self.told_to_stop() {
                return self.stop();
            }
            self.load.rest(idle);
        }
    }

    /// A burst of each of a port's queues to the workers; false where none came.
    fn receive(&mut self, port: usize) -> bool {
        let Self { ports, waiting, sorter, clock, counters, received, sorted, .. } = self;
        let (Some(share), Some(waiting)) = (ports.get_mut(port), waiting.get_mut(port)) else { return false };
        let mut any = false;
        for queue in 0..share.queues() {
            share.receive(queue, received);
            if received.is_empty() {
                continue;
            }
            any = true;
            let now = clock.now();
            let mut give = |worker: usize, frame: Mbuf| give(share, sorted, counters, worker, frame);
            for mut frame in received.drain() {
                let length = frame.length();
                // The headers are in the first segment, or the frame goes to any worker.
                match sorter.place(now, &Frame::new(PortId(port as u16), frame.bytes_mut(), length)) {
                    Place::Worker(worker) => give(worker, frame),
                    Place::First { worker, datagram } => {
                        give(worker, frame);
                        while let Some(frame) = waiting.take(datagram) {
                            give(worker, frame);
                        }
                    }
                    Place::Later { otherwise, datagram } => {
                        if let Some((worker, frame)) = waiting.hold(now, datagram, otherwise, frame) {
                            give(worker, frame);
                        }
                    }
                }
            }
            hand_all(share, sorted, counters);
        }
        any
    }

    /// Fragments of a port whose first did not come go to a worker, which gives them up in its time; a burst of them at most.
    fn give_up(&mut self, port: usize) {
        let Self { ports, waiting, clock, counters, sorted, .. } = self;
        let (Some(share), Some(waiting)) = (ports.get_mut(port), waiting.get_mut(port)) else { return };
        if waiting.count() == 0 {
            return;
        }
        let now = clock.now();
        for (worker, frame) in std::iter::from_fn(|| waiting.overdue(now)).take(BURST) {
            give(share, sorted, counters, worker, frame);
        }
        hand_all(share, sorted, counters);
    }

    /// A burst of each worker out of a port; false where there was none.
    fn send(&mut self, port: usize) -> bool {
        let Some(share) = self.ports.get_mut(port) else { return false };
        let (sent, refused) = share.send(&mut self.received);
        self.counters.add_drop(DropReason::TxFull, refused as u64);
        sent + refused > 0
    }

    fn told_to_stop(&self) -> bool {
        loop {
            match self.mailbox.try_recv() {
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return true,
                Ok(_) => {}
                Err(TryRecvError::Empty) => return false,
            }
        }
    }

    /// Receives no more; frames that workers sent leave until the workers are gone, and what is left in rings is freed.
    fn stop(mut self) -> WorkerExit {
        let mut exit = WorkerExit::default();
        exit.abandoned += self.waiting.drain(..).map(|waiting| waiting.count() as u64).sum::<u64>();
        for share in &mut self.ports {
            for queue in 0..share.queues() {
                // A port that never runs dry is left after as many bursts as would fill any ring of descriptors.
                for _ in 0..LAST_BURSTS {
                    share.receive(queue, &mut self.received);
                    if self.received.is_empty() {
                        break;
                    }
                    exit.abandoned += self.received.frames().len() as u64;
                    self.received.clear();
                }
            }
        }
        loop {
            // Looked at before the rings are, so that what a worker sent last is seen.
            let alone = self.ports.iter().all(Dispatched::is_abandoned);
            let mut idle = true;
            for port in 0..self.ports.len() {
                idle &= !self.send(port);
            }
            if alone && idle {
                // A worker that was told first may not have taken what was handed to it since.
                exit.abandoned += self.ports.iter_mut().map(|share| share.reclaim() as u64).sum::<u64>();
                self.load.rest(false);
                return exit;
            }
            if idle {
                std::thread::yield_now();
            }
        }
    }
}

/// Puts a frame with the others for its worker; those before it are handed over where there are a burst of them.
fn give(share: &mut Dispatched, sorted: &mut [Burst], counters: &Counters, worker: usize, frame: Mbuf) {
    let Some(burst) = sorted.get_mut(worker) else { return };
    if burst.is_full() {
        hand(share, burst, counters, worker);
    }
    // There is room now.
    let _ = burst.push(frame);
}

fn hand_all(share: &mut Dispatched, sorted: &mut [Burst], counters: &Counters) {
    for (worker, burst) in sorted.iter_mut().enumerate() {
        hand(share, burst, counters, worker);
    }
}

/// Hands a worker its frames.
fn hand(share: &mut Dispatched, burst: &mut Burst, counters: &Counters, worker: usize) {
    let count = burst.frames().len();
    if count > 0 {
        let refused = share.hand(worker, burst);
        counters.add(Counter::FramesDispatched, (count - refused) as u64);
        counters.add_drop(DropReason::DispatchFull, refused as u64);
    }
}

/// Turns of the loop between two looks into the mailbox, under load.
const HOUSEKEEPING: u32 = 256;
const LAST_BURSTS: u32 = 1024;
