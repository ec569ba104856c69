//! What a worker or a dispatcher has of a port: queues to receive and send by, or rings in their place.

use std::sync::Arc;

use super::handoff::{FrameReceiver, FrameSender};
use super::mbuf::Burst;
use super::port::{Port, QueueId};

/// What of a received burst is not as usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks(pub(super) u32);

impl Marks {
    /// Whether a frame is in several segments.
    pub const fn has_segments(self) -> bool {
        self.0 & dpdk_sys::OSTIARY_SEVERAL != 0
    }

    /// Whether a frame's octets are not yet those of the wire: see [`super::Mbuf::settle`].
    pub const fn is_unsettled(self) -> bool {
        self.0 & dpdk_sys::OSTIARY_UNSETTLED != 0
    }
}

/// Where a worker's share of a port's frames comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// A queue that is this worker's.
    Queue(QueueId),
    /// The dispatcher.
    Ring(FrameReceiver),
}

/// Where a worker's frames for a port go.
#[derive(Debug)]
pub(super) enum Sink {
    /// A queue that is this worker's.
    Queue(QueueId),
    /// The dispatcher.
    Ring(FrameSender),
}

/// One worker's share of a port: a receive and a transmit queue, or rings in their place.
#[derive(Debug)]
pub struct QueuePair {
    pub(super) receive: Source,
    pub(super) send: Sink,
    pub(super) multi_segment: bool,
    pub(super) port: Arc<Port>,
}

impl QueuePair {
    /// Adds received frames to a burst, as many as fit in at most; says what of them is not as usual.
    pub fn receive(&mut self, burst: &mut Burst) -> Marks {
        match &mut self.receive {
            // SAFETY: the port runs, and this pair is the queue's only user.
            Source::Queue(queue) => unsafe { receive(&self.port, *queue, burst) },
            Source::Ring(ring) => ring.receive(burst),
        }
    }

    /// Sends a burst, which is empty afterwards; returns how many frames the queue refused, which were freed.
    pub fn send(&mut self, burst: &mut Burst) -> usize {
        match &mut self.send {
            // SAFETY: the port runs, and this pair is the queue's only user.
            Sink::Queue(queue) => unsafe { send(&self.port, *queue, burst) },
            Sink::Ring(ring) => ring.send(burst),
        }
    }

    /// Whether frames of several segments can be sent.
    pub fn sends_segments(&self) -> bool {
        self.multi_segment
    }

    /// Whose queues these are.
    pub fn port(&self) -> &Arc<Port> {
        &self.port
    }
}

/// A dispatcher's share of a port: all of its receive queues, rings to the workers, and those back that it sends for them.
#[derive(Debug)]
pub struct Dispatched {
    pub(super) queues: u16,
    /// By worker.
    pub(super) to: Vec<FrameSender>,
    /// By worker; none where workers send by queues of their own.
    pub(super) back: Vec<FrameReceiver>,
    pub(super) port: Arc<Port>,
}

impl Dispatched {
    /// Places of each ring of a port with so many receive descriptors.
    pub const fn ring_size(descriptors: u16) -> u32 {
        (descriptors as u32).next_power_of_two()
    }

    /// How many receive queues there are.
    pub fn queues(&self) -> u16 {
        self.queues
    }

    /// Adds frames received by a queue, from 0, to a burst, as many as fit in at most.
    pub fn receive(&mut self, queue: u16, burst: &mut Burst) {
        if queue < self.queues {
            // SAFETY: the port runs with that queue, and this is its only user.
            let _ = unsafe { receive(&self.port, QueueId(queue), burst) };
        }
    }

    /// Hands a burst to a worker; it is empty afterwards. Returns how many frames its ring had no room for, which were freed.
    pub fn hand(&mut self, worker: usize, burst: &mut Burst) -> usize {
        match self.to.get_mut(worker) {
            Some(ring) => ring.send(burst),
            None => {
                let count = burst.frames().len();
                burst.clear();
                count
            }
        }
    }

    /// Sends a burst of what each worker wants sent by this port; `burst` is empty before and after. Returns how many frames
    /// were sent, and how many the port refused, which were freed.
    pub fn send(&mut self, burst: &mut Burst) -> (usize, usize) {
        let (mut sent, mut refused) = (0, 0);
        for ring in &mut self.back {
            ring.receive(burst);
            let count = burst.frames().len();
            if count > 0 {
                // SAFETY: the port runs; where there are rings back, no worker uses a queue of it.
                let left = unsafe { send(&self.port, QueueId(0), burst) };
                (sent, refused) = (sent + count - left, refused + left);
            }
        }
        (sent, refused)
    }

    /// Frees frames that were handed to workers that are gone, and says how many.
    pub fn reclaim(&mut self) -> usize {
        self.to.iter_mut().map(FrameSender::reclaim).sum()
    }

    /// Whether every worker's end of the rings is gone.
    pub fn is_abandoned(&self) -> bool {
        self.to.iter().all(FrameSender::is_abandoned) && self.back.iter().all(FrameReceiver::is_abandoned)
    }
}

/// Adds received frames to a burst; says what of them is not as usual.
///
/// # Safety
/// The port runs, has that queue, and nobody else receives by it meanwhile.
unsafe fn receive(port: &Port, queue: QueueId, burst: &mut Burst) -> Marks {
    let (port, queue) = (port.number.0, queue.0);
    let mut marks = 0;
    // SAFETY: as the caller says; the driver sets as many pointers as it says, to frames that are ours.
    unsafe { burst.fill(|frames, most| dpdk_sys::ostiary_receive(port, queue, frames, most, &raw mut marks)) };
    Marks(marks)
}

/// Sends a burst; returns how many frames were refused and freed.
///
/// # Safety
/// The port runs, has that queue, and nobody else sends by it meanwhile.
unsafe fn send(port: &Port, queue: QueueId, burst: &mut Burst) -> usize {
    let (port, queue) = (port.number.0, queue.0);
    // SAFETY: as the caller says; the driver owns as many frames as it says.
    unsafe { burst.take(|frames, count| dpdk_sys::rte_eth_tx_burst(port, queue, frames, count)) }
}
