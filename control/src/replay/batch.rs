//! Frames on their way into the pipeline, in a memory of their own, as the reader's moves on beneath them.

use std::ops::Range;
use std::time::Duration;

use arrayvec::ArrayVec;
use dataplane::pipeline::{BURST, Frame};
use dataplane::policy::PortId;
use dataplane::time::Nanos;

/// A burst spans this at most. Its frames share the time of the first, so this bounds how early an event is dated; and
/// at the rates where bursts pay, there are many frames in it.
const SPAN: Duration = Duration::from_micros(100);

/// A burst in the making. Its memory grows to the largest burst, and is used again.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    frames: ArrayVec<(PortId, Range<usize>, u32), BURST>,
    time: Nanos,
}

impl Batch {
    /// Whether a frame of this time has to wait for the next batch.
    pub(super) fn is_complete(&self, time: Nanos) -> bool {
        self.frames.is_full() || (!self.frames.is_empty() && time.since(self.time) > SPAN)
    }

    /// Takes a frame that `write` appends to the memory it is given, returning the frame's length on the wire; and the
    /// port that `port` tells of it. False, and nothing taken, where `write` gives none. The batch must not be complete.
    pub(super) fn push(
        &mut self,
        time: Nanos,
        write: impl FnOnce(&mut Vec<u8>) -> Option<u32>,
        port: impl FnOnce(&[u8]) -> PortId,
    ) -> bool {
        let start = self.bytes.len();
        let Some(length) = write(&mut self.bytes) else { return false };
        if self.frames.is_empty() {
            self.time = time;
        }
        self.frames.push((port(&self.bytes[start..]), start..self.bytes.len(), length));
        true
    }

    /// The frames, with the time they share; none where there are none.
    pub(super) fn frames(&mut self) -> Option<(Nanos, ArrayVec<Frame<'_>, BURST>)> {
        // They lie behind each other.
        let mut rest = self.bytes.as_mut_slice();
        let frame = |(port, bytes, length): &(PortId, Range<usize>, u32)| {
            let (bytes, behind) = std::mem::take(&mut rest).split_at_mut(bytes.len());
            rest = behind;
            Frame::new(*port, bytes, *length)
        };
        (!self.frames.is_empty()).then(|| (self.time, self.frames.iter().map(frame).collect()))
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(batch: &mut Batch, time: u64, bytes: &[u8]) -> bool {
        let write = |memory: &mut Vec<u8>| {
            memory.extend_from_slice(bytes);
            (!bytes.is_empty()).then_some(1500)
        };
        batch.push(Nanos(time), write, |frame| PortId(frame.len() as u16))
    }

    #[test]
    fn frames_come_out_as_they_went_in_with_the_time_of_the_first() {
        let mut batch = Batch::default();
        assert!(batch.frames().is_none());
        assert!(!push(&mut batch, 3, b""));
        assert!(push(&mut batch, 5, b"one") && push(&mut batch, 6, b"three"));
        let (time, frames) = batch.frames().unwrap();
        assert_eq!(time, Nanos(5));
        let frames: Vec<_> = frames.into_iter().map(|frame| (frame.port, &*frame.bytes, frame.length)).collect();
        assert_eq!(frames, [(PortId(3), &b"one"[..], 1500), (PortId(5), b"three", 1500)]);
        batch.clear();
        assert!(batch.frames().is_none());
    }

    #[test]
    fn a_batch_is_complete_by_number_or_by_time() {
        let mut batch = Batch::default();
        assert!(!batch.is_complete(Nanos(u64::MAX)));
        push(&mut batch, 0, b"one");
        assert!(!batch.is_complete(Nanos(100_000)) && batch.is_complete(Nanos(100_001)));
        for _ in 1..BURST {
            assert!(!batch.is_complete(Nanos(0)));
            push(&mut batch, 0, b"one");
        }
        assert!(batch.is_complete(Nanos(0)));
    }
}
