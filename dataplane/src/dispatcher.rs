//! The loop of a core that receives for the workers, where ports cannot give each worker its flows.
//!
//! It hashes each frame's flow and hands the frame to its worker by a ring, and sends for the workers where a port has too
//! few transmit queues for them. Fragments and ICMP errors reach the worker of their flow, which a NIC's hash does not do.

use std::sync::Arc;

use crossbeam::channel::{Receiver, TryRecvError};

use crate::command::Command;
use crate::counters::{Counter, Counters};
use crate::dpdk::{Burst, Dispatched, cycles_per_second};
use crate::load::{Idle, Load};
use crate::pipeline::Frame;
use crate::policy::PortId;
use crate::verdict::DropReason;
use crate::worker::WorkerExit;

mod sort;

use sort::Sorter;

/// One dispatcher: all ports' receive queues.
#[derive(Debug)]
pub struct Dispatcher {
    /// By [`PortId`].
    ports: Vec<Dispatched>,
    sorter: Sorter,
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
        mailbox: Receiver<Command>,
    ) -> Self {
        Self {
            ports,
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
            if self.told_to_stop() {
                return self.stop();
            }
            self.load.rest(idle);
        }
    }

    /// A burst of each of a port's queues to the workers; false where none came.
    fn receive(&mut self, port: usize) -> bool {
        let Some(share) = self.ports.get_mut(port) else { return false };
        let mut any = false;
        for queue in 0..share.queues() {
            share.receive(queue, &mut self.received);
            any |= !self.received.is_empty();
            for mut frame in self.received.drain() {
                let length = frame.length();
                // The headers are in the first segment, or the frame goes to any worker.
                let worker = self.sorter.worker(&Frame::new(PortId(port as u16), frame.bytes_mut(), length));
                if let Some(sorted) = self.sorted.get_mut(worker) {
                    // As many fit in as were received.
                    let _ = sorted.push(frame);
                }
            }
            for (worker, sorted) in self.sorted.iter_mut().enumerate() {
                let count = sorted.frames().len();
                if count > 0 {
                    let refused = share.hand(worker, sorted);
                    self.counters.add(Counter::FramesDispatched, (count - refused) as u64);
                    self.counters.add_drop(DropReason::DispatchFull, refused as u64);
                }
            }
        }
        any
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

/// Turns of the loop between two looks into the mailbox, under load.
const HOUSEKEEPING: u32 = 256;
const LAST_BURSTS: u32 = 1024;
