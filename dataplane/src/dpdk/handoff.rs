//! Frames from one thread to another: a bounded ring with one end each, without locks (rte_ring).

use std::sync::Arc;

use super::eal::Eal;
use super::error::SetupError;
use super::mbuf::Burst;
use super::queue::Marks;
use super::rings::Ring;

/// Makes a ring for `size` − 1 frames; `size` is a power of two. The name is the ring's own, at most 28 octets.
///
/// # Errors
/// If DPDK has no memory or no room in its list of rings.
pub fn frame_ring(eal: &Arc<Eal>, name: &str, size: u32) -> Result<(FrameSender, FrameReceiver), SetupError> {
    let ring = Arc::new(FrameRing(Ring::create(eal, name, size)?));
    Ok((FrameSender(Arc::clone(&ring)), FrameReceiver(ring)))
}

/// The end that frames go into. There is one of it, and using it takes it whole: one producer.
#[derive(Debug)]
pub struct FrameSender(Arc<FrameRing>);

impl FrameSender {
    /// Sends a burst, which is empty afterwards; returns how many frames the ring had no room for, which were freed.
    pub fn send(&mut self, burst: &mut Burst) -> usize {
        let ring = self.0.0.as_ptr();
        // SAFETY: the ring is live and this its one producer; it owns as many frames as it says, from the first on.
        unsafe { burst.take(|frames, count| dpdk_sys::ostiary_enqueue(ring, frames, count)) }
    }

    /// Whether the other end is gone.
    pub fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Frees frames that nobody will receive any more, and says how many; none while the other end is there.
    pub fn reclaim(&mut self) -> usize {
        Arc::get_mut(&mut self.0).map_or(0, FrameRing::clear)
    }
}

/// The end that frames come out of. There is one of it, and using it takes it whole: one consumer.
#[derive(Debug)]
pub struct FrameReceiver(Arc<FrameRing>);

impl FrameReceiver {
    /// Adds frames to a burst, as many as fit in at most; says what of them is not as usual.
    pub fn receive(&mut self, burst: &mut Burst) -> Marks {
        // SAFETY: this is the one consumer.
        unsafe { self.0.receive(burst) }
    }

    /// Whether the other end is gone.
    pub fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// A ring that frees what is left in it.
#[derive(Debug)]
struct FrameRing(Arc<Ring>);

impl FrameRing {
    /// Adds frames to a burst.
    ///
    /// # Safety
    /// Nobody else receives meanwhile.
    unsafe fn receive(&self, burst: &mut Burst) -> Marks {
        let ring = self.0.as_ptr();
        let mut marks = 0;
        // SAFETY: the ring is live and the caller says that it is the one consumer; the frames that it gives out are ours.
        unsafe { burst.fill(|frames, most| dpdk_sys::ostiary_dequeue(ring, frames, most, &raw mut marks)) };
        Marks(marks)
    }

    /// Frees what is left in it; how many frames.
    fn clear(&mut self) -> usize {
        let mut burst = Burst::new();
        let mut count = 0;
        loop {
            // SAFETY: the ring is borrowed exclusively: no end uses it.
            unsafe { self.receive(&mut burst) };
            if burst.is_empty() {
                return count;
            }
            count += burst.frames().len();
            burst.clear();
        }
    }
}

impl Drop for FrameRing {
    fn drop(&mut self) {
        self.clear();
    }
}
