//! The loop of one core: receive, judge, send. It moves bursts between DPDK and the pipeline, and never waits.

use std::sync::Arc;

use arrayvec::ArrayVec;
use crossbeam::channel::{Receiver, TryRecvError};

use crate::command::Command;
use crate::counters::{Counter, Counters};
use crate::dpdk::{Burst, Clock, Mbuf, Pool, QueuePair, cycles_per_second};
use crate::load::{Idle, Load};
use crate::pipeline::{BURST, Frame, Pipeline, Room};
use crate::policy::PortId;
use crate::verdict::{DropReason, Verdict};

/// What somebody who measures does within the loop, so that what is measured is the loop itself. A worker in service has
/// `()`, of which the compiler leaves nothing.
pub trait Probe {
    /// Frames that a port has just received, before the pipeline sees them.
    fn received(&mut self, _port: PortId, _frames: &mut [Mbuf]) {}
    /// What the pipeline said of those frames.
    fn judged(&mut self, _port: PortId, _verdicts: &[Verdict]) {}
    /// Every port was served once; `idle` where none had a frame.
    fn turned(&mut self, _idle: bool) {}
}

impl Probe for () {}

/// One worker: a queue pair of every port, and a pipeline of its own.
#[derive(Debug)]
pub struct Worker<P = ()> {
    /// By [`PortId`].
    lanes: Vec<Lane>,
    pipeline: Pipeline,
    counters: Arc<Counters>,
    mailbox: Receiver<Command>,
    clock: Clock,
    /// For frames of our own.
    pool: Arc<Pool>,
    received: Burst,
    verdicts: ArrayVec<Verdict, BURST>,
    /// Frames that came in several buffers, [`SPREAD_FRAME`] octets for each of a burst.
    spread: Box<[u8]>,
    load: Load,
    probe: P,
}

/// A worker's share of a port.
#[derive(Debug)]
struct Lane {
    queues: QueuePair,
    /// To be sent at the end of the burst.
    waiting: Burst,
}

/// What a worker says at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerExit {
    /// Frames that had arrived and were dropped because the worker stopped.
    pub abandoned: u64,
}

impl Worker {
    /// `queues` holds a pair of every port, by [`PortId`].
    pub fn new(
        queues: Vec<QueuePair>,
        pipeline: Pipeline,
        mailbox: Receiver<Command>,
        clock: Clock,
        pool: Arc<Pool>,
    ) -> Self {
        Self::probed(queues, pipeline, mailbox, clock, pool, ())
    }
}

impl<P: Probe> Worker<P> {
    /// The same with a probe in its loop.
    pub fn probed(
        queues: Vec<QueuePair>,
        pipeline: Pipeline,
        mailbox: Receiver<Command>,
        clock: Clock,
        pool: Arc<Pool>,
        probe: P,
    ) -> Self {
        Self {
            lanes: queues.into_iter().map(|queues| Lane { queues, waiting: Burst::new() }).collect(),
            counters: Arc::clone(pipeline.counters()),
            load: Load::new(Arc::clone(pipeline.counters()), Idle::Poll, cycles_per_second()),
            pipeline,
            mailbox,
            clock,
            pool,
            received: Burst::new(),
            verdicts: ArrayVec::new(),
            spread: vec![0; SPREAD_FRAME * BURST].into_boxed_slice(),
            probe,
        }
    }

    /// The same, which does that while nothing comes; a worker polls unless told otherwise.
    #[must_use]
    pub fn idling(self, idle: Idle) -> Self {
        Self { load: Load::new(Arc::clone(&self.counters), idle, cycles_per_second()), ..self }
    }

    /// Serves the ports until it is told to stop, or control is gone. Then it ends all sessions and gives every buffer
    /// back. The calling thread is a [`crate::dpdk::WorkerThread`].
    pub fn run(mut self) -> WorkerExit {
        let mut turn: u32 = 0;
        loop {
            let mut idle = true;
            for port in 0..self.lanes.len() {
                idle &= !self.serve(port);
            }
            self.probe.turned(idle);
            self.load.turned(idle);
            turn = turn.wrapping_add(1);
            if !idle && !turn.is_multiple_of(HOUSEKEEPING) {
                continue;
            }
            if !self.obey() {
                return self.stop();
            }
            self.pipeline.turn(self.clock.now());
            self.reply();
            self.flush();
            self.load.rest(idle);
        }
    }

    /// One burst of one port; false where none came.
    fn serve(&mut self, port: usize) -> bool {
        let Some(lane) = self.lanes.get_mut(port) else { return false };
        let marks = lane.queues.receive(&mut self.received);
        if self.received.is_empty() {
            return false;
        }
        if marks.is_unsettled() {
            self.settle();
        }
        self.probe.received(PortId(port as u16), self.received.frames_mut());
        let now = self.clock.now();
        let mut frames: ArrayVec<Frame<'_>, BURST> = ArrayVec::new();
        for (frame, spread) in self.received.frames_mut().iter_mut().zip(self.spread.chunks_exact_mut(SPREAD_FRAME)) {
            frames.push(view(PortId(port as u16), frame, spread));
        }
        let common = self.pipeline.process(now, &mut frames, &mut self.verdicts);
        debug_assert_eq!(frames.len(), self.verdicts.len());
        self.probe.judged(PortId(port as u16), &self.verdicts);
        let edited = marks.has_segments().then(|| frames.iter().map(|frame| frame.edited).collect());
        drop(frames);
        if let Some(edited) = edited {
            self.write_back(edited);
        }
        match common.and_then(|to| self.lanes.get_mut(usize::from(to.0))) {
            // As usual: the burst goes on as it came.
            Some(lane) if !marks.has_segments() || lane.queues.sends_segments() => {
                lane.send(&mut self.received, &self.counters)
            }
            _ => self.sort(),
        }
        self.reply();
        self.flush();
        true
    }

    /// Sends what waits for any port.
    fn flush(&mut self) {
        for lane in &mut self.lanes {
            lane.flush(&self.counters);
        }
    }

    /// Makes all frames those of the wire; drops those of which that cannot be.
    fn settle(&mut self) {
        let mut settled = Burst::new();
        for mut frame in self.received.drain() {
            if frame.settle() {
                // No more come out than were in.
                let _ = settled.push(frame);
            } else {
                self.counters.add(Counter::PacketsReceived, 1);
                self.counters.add(Counter::OctetsReceived, u64::from(frame.length()));
                self.counters.add_drop(DropReason::OffloadRequested, 1);
            }
        }
        self.received = settled;
    }

    /// Writes the copies of frames in several segments that were edited back to them.
    fn write_back(&mut self, edited: ArrayVec<bool, BURST>) {
        let copies = self.spread.chunks_exact(SPREAD_FRAME);
        for ((frame, edited), copy) in self.received.frames_mut().iter_mut().zip(edited).zip(copies) {
            if edited && frame.segments() > 1 {
                frame.copy_from(copy);
            }
        }
    }

    /// Has each frame wait for its port, or drops it.
    fn sort(&mut self) {
        for (frame, verdict) in self.received.drain().zip(&self.verdicts) {
            match *verdict {
                Verdict::Forward(to) => forward(&mut self.lanes, &self.counters, to, frame),
                // The pipeline counted it.
                Verdict::Taken | Verdict::Drop(_) => drop(frame),
            }
        }
    }

    /// Sends what the pipeline itself has to say.
    fn reply(&mut self) {
        for reply in self.pipeline.replies() {
            let frame = self.pool.allocate().and_then(|mut frame| frame.append(&reply.bytes).then_some(frame));
            match frame {
                Some(frame) => forward(&mut self.lanes, &self.counters, reply.port, frame),
                None => self.counters.add(Counter::RepliesLimited, 1),
            }
        }
        for (port, bytes) in self.pipeline.originated() {
            match self.pool.frame(bytes) {
                Some(frame) => forward(&mut self.lanes, &self.counters, port, frame),
                None => self.counters.add(Counter::OriginatedLost, 1),
            }
        }
        self.pipeline.clear_originated();
    }

    /// Takes up commands, a few at a time; false where it is to stop.
    fn obey(&mut self) -> bool {
        for _ in 0..COMMANDS_A_TURN {
            match self.mailbox.try_recv() {
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Ok(command) => self.pipeline.command(self.clock.now(), command),
                Err(TryRecvError::Empty) => break,
            }
        }
        true
    }

    fn stop(mut self) -> WorkerExit {
        let start = self.clock.now();
        while !self.pipeline.shutdown(self.clock.now(), Room::Needed) {
            // Control reads the events of those that have ended. If it does not, the rest is counted as lost.
            if self.clock.now().since(start) > FAREWELL {
                while !self.pipeline.shutdown(self.clock.now(), Room::Regardless) {}
            }
            std::thread::yield_now();
        }
        // What is in the queues now is dropped; a port that never runs dry is left after as many frames as there are
        // buffers.
        let mut exit = WorkerExit::default();
        for lane in &mut self.lanes {
            for _ in 0..self.pool.size() as usize / BURST {
                lane.queues.receive(&mut self.received);
                if self.received.is_empty() {
                    break;
                }
                exit.abandoned += self.received.frames().len() as u64;
                self.received.clear();
            }
        }
        exit
    }
}

impl Lane {
    fn flush(&mut self, counters: &Counters) {
        if !self.waiting.is_empty() {
            count_refused(self.queues.send(&mut self.waiting), counters);
        }
    }

    /// Sends a burst as it is; nothing waits before it.
    fn send(&mut self, burst: &mut Burst, counters: &Counters) {
        count_refused(self.queues.send(burst), counters);
    }
}

fn count_refused(refused: usize, counters: &Counters) {
    if refused > 0 {
        counters.add_drop(DropReason::TxFull, refused as u64);
    }
}

/// What the pipeline sees of a frame: the frame in its buffer, or where it is spread over several, a copy in one piece.
fn view<'a>(port: PortId, frame: &'a mut Mbuf, spread: &'a mut [u8]) -> Frame<'a> {
    let length = frame.length();
    if frame.segments() == 1 {
        return Frame::new(port, frame.bytes_mut(), length);
    }
    let copied = frame.copy_to(spread);
    Frame::new(port, &mut spread[..copied], length)
}

/// Has a frame wait for a port.
fn forward(lanes: &mut [Lane], counters: &Counters, to: PortId, mut frame: Mbuf) {
    let Some(lane) = lanes.get_mut(usize::from(to.0)) else {
        counters.add_drop(DropReason::TxPort, 1);
        return;
    };
    if !lane.queues.sends_segments() && frame.segments() > 1 && !frame.linearize() {
        counters.add_drop(DropReason::TxSegments, 1);
        return;
    }
    if let Err(frame) = lane.waiting.push(frame) {
        lane.flush(counters);
        // The burst is empty now, so that this cannot fail.
        let _ = lane.waiting.push(frame);
    }
}

/// Turns of the loop between two rounds of housekeeping, under load.
const HOUSEKEEPING: u32 = 256;
/// How long control is given to read the last events.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(5);
/// Commands taken up at a time at most.
const COMMANDS_A_TURN: usize = 16;
/// The longest frame that is seen whole where it comes in several buffers: an MTU of 9,600 and all that wraps it.
const SPREAD_FRAME: usize = 10_240;
