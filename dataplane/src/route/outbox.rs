//! Frames that the firewall sends besides those that it forwards: a buffer of fixed size, emptied after every burst.

use std::ops::Range;

use crate::policy::PortId;

/// Frames that wait to be sent, behind each other in one piece of memory.
#[derive(Debug)]
pub struct Outbox {
    octets: Box<[u8]>,
    used: usize,
    frames: Vec<(PortId, Range<usize>)>,
}

/// Octets that wait at most: a burst of the largest datagrams in fragments.
const OCTETS: usize = 1 << 20;
/// Frames that wait at most.
const FRAMES: usize = 1024;
/// Octets of an Ethernet frame at least, without FCS.
const LEAST_FRAME: usize = 60;

impl Outbox {
    /// Takes its memory now; none where nothing is `routed`, and then nothing fits in.
    pub fn new(routed: bool) -> Self {
        let (octets, frames) = if routed { (OCTETS, FRAMES) } else { (0, 0) };
        Self { octets: vec![0; octets].into_boxed_slice(), used: 0, frames: Vec::with_capacity(frames) }
    }

    /// Octets that it takes.
    pub fn octets(&self) -> usize {
        self.octets.len() + self.frames.capacity() * size_of::<(PortId, Range<usize>)>()
    }

    /// Room for a frame of `length` octets, which the caller fills; none where there is no more. A frame shorter than
    /// Ethernet's least is padded with zeroes.
    pub fn push(&mut self, port: PortId, length: usize) -> Option<&mut [u8]> {
        if self.frames.len() == self.frames.capacity() {
            return None;
        }
        let padded = length.max(LEAST_FRAME);
        let range = self.used..self.used.checked_add(padded)?;
        let frame = self.octets.get_mut(range.clone())?;
        frame.get_mut(length..)?.fill(0);
        self.used = range.end;
        self.frames.push((port, range));
        frame.get_mut(..length)
    }

    /// A frame as it is; false where there is no room.
    pub fn push_whole(&mut self, port: PortId, frame: &[u8]) -> bool {
        self.push(port, frame.len()).map(|room| room.copy_from_slice(frame)).is_some()
    }

    /// What waits, in order.
    pub fn frames(&self) -> impl Iterator<Item = (PortId, &[u8])> {
        self.frames.iter().filter_map(|(port, range)| Some((*port, self.octets.get(range.clone())?)))
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_until_it_is_full() {
        let mut outbox = Outbox::new(true);
        let mut sent = 0;
        while outbox.push_whole(PortId(3), &[7; 9_000]) {
            sent += 1;
        }
        assert_eq!(sent, OCTETS / 9_000);
        assert!(outbox.push_whole(PortId(4), &[1, 2, 3]));
        let last = outbox.frames().last().map(|(port, frame)| (port, frame.to_vec()));
        let padded: Vec<u8> = [1, 2, 3].into_iter().chain([0; 57]).collect();
        assert_eq!(last, Some((PortId(4), padded)));
        outbox.clear();
        assert!(outbox.is_empty() && outbox.push_whole(PortId(0), &[7; 9_000]));
        assert!(!Outbox::new(false).push_whole(PortId(0), &[0]));
    }

    #[test]
    fn its_list_never_grows() {
        let mut outbox = Outbox::new(true);
        let taken = (0..5_000).filter(|_| outbox.push_whole(PortId(0), &[0])).count();
        assert_eq!(taken, outbox.frames.capacity());
    }
}
