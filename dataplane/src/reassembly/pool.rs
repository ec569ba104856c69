//! Room for frames that wait: chunks of a fixed size, chained.

use crate::dpdk::HugeSlice;

/// Octets of a chunk: a frame of the usual size fits in one.
const CHUNK: usize = 2048;
/// No chunk.
pub(super) const NONE: u32 = u32::MAX;

/// Frames in chunks.
#[derive(Debug)]
pub(super) struct Pool {
    chunks: HugeSlice<[u8; CHUNK]>,
    /// By chunk: the next of its frame, or the next free one.
    next: Box<[u32]>,
    free: u32,
    left: usize,
}

impl Pool {
    /// With so many octets, rounded up to chunks.
    pub(super) fn new(octets: usize) -> Self {
        let chunks = octets.div_ceil(CHUNK).clamp(1, NONE as usize - 1);
        let next = (1..=chunks as u32).map(|next| if next == chunks as u32 { NONE } else { next }).collect();
        Self { chunks: HugeSlice::new(chunks, [0; CHUNK]), next, free: 0, left: chunks }
    }

    /// Whether a frame of so many octets fits in now.
    pub(super) fn has_room(&self, length: usize) -> bool {
        length.div_ceil(CHUNK).max(1) <= self.left
    }

    /// Takes a frame, for which there is room, and gives its first chunk.
    pub(super) fn store(&mut self, frame: &[u8]) -> u32 {
        let (mut first, mut last) = (NONE, NONE);
        for piece in frame.chunks(CHUNK) {
            let chunk = self.free;
            let (Some(room), Some(next)) = (self.chunks.get_mut(chunk as usize), self.next.get_mut(chunk as usize))
            else {
                break;
            };
            if let Some(room) = room.get_mut(..piece.len()) {
                room.copy_from_slice(piece);
            }
            self.free = std::mem::replace(next, NONE);
            self.left -= 1;
            match self.next.get_mut(last as usize) {
                Some(before) => *before = chunk,
                None => first = chunk,
            }
            last = chunk;
        }
        first
    }

    /// Copies a frame from its octet `at` on, as much as fits.
    pub(super) fn copy(&self, first: u32, at: usize, mut into: &mut [u8]) {
        let (mut chunk, mut skip) = (first, at);
        while let (Some(octets), false) = (self.chunks.get(chunk as usize), into.is_empty()) {
            let rest = octets.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(CHUNK);
            let length = rest.len().min(into.len());
            let (room, later) = into.split_at_mut(length);
            room.copy_from_slice(&rest[..length]);
            into = later;
            chunk = self.next.get(chunk as usize).copied().unwrap_or(NONE);
        }
    }

    /// Gives a frame's chunks back.
    pub(super) fn release(&mut self, first: u32) {
        let mut chunk = first;
        while let Some(next) = self.next.get_mut(chunk as usize) {
            let following = std::mem::replace(next, self.free);
            self.free = chunk;
            self.left += 1;
            chunk = following;
        }
    }

    /// Chunks in all, and free.
    pub(super) fn chunks(&self) -> (usize, usize) {
        (self.next.len(), self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut pool = Pool::new(5 * CHUNK);
        let frames = [1, 60, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK];
        for length in frames {
            let frame: Vec<u8> = (0..length).map(|octet| (octet / 7) as u8).collect();
            assert!(pool.has_room(length));
            let first = pool.store(&frame);
            for at in [0, 1, length / 2, length - 1] {
                let mut copy = vec![0; length - at];
                pool.copy(first, at, &mut copy);
                assert!(copy == frame[at..], "{length} from {at}");
            }
            pool.release(first);
            assert_eq!(pool.chunks(), (5, 5));
        }
        assert!(!pool.has_room(5 * CHUNK + 1));
    }
}
