//! Packets that wait for their neighbour's MAC address: a fixed number of places, each for one frame.

use crate::nat::Reversal;
use crate::policy::PortId;

/// A place; [`NONE`] is no place.
pub(super) type Place = u16;
/// No place.
pub(super) const NONE: Place = Place::MAX;

/// All places.
#[derive(Debug)]
pub(super) struct Waiting {
    octets: Box<[u8]>,
    /// Octets of a place.
    room: usize,
    /// What each place holds, and the next of the same neighbour, or the next free one.
    places: Box<[(Held, Place)]>,
    free: Place,
}

/// What is to be known of a frame that waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    length: u16,
    /// Where it came in.
    pub from: PortId,
    /// Whether its sender may be told that it is lost.
    pub answerable: bool,
    /// What its sender knows it by, where it was translated.
    pub reversal: Option<Reversal>,
}

impl Held {
    /// A frame that came in there.
    pub const fn new(from: PortId, answerable: bool) -> Self {
        Self { length: 0, from, answerable, reversal: None }
    }
}

/// The frames of one neighbour, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    first: Place,
    last: Place,
    count: u8,
}

impl Default for Queue {
    fn default() -> Self {
        Self { first: NONE, last: NONE, count: 0 }
    }
}

impl Queue {
    /// Frames of one neighbour at most: a datagram in fragments.
    const MOST: u8 = 8;

    /// How many wait.
    pub(super) const fn len(self) -> u8 {
        self.count
    }
}

impl Waiting {
    /// Takes memory for `count` frames of up to `room` octets now.
    pub(super) fn new(count: u16, room: usize) -> Self {
        let count = count.min(NONE - 1);
        let places = (1..=count).map(|next| (Held::default(), if next == count { NONE } else { next })).collect();
        let octets = vec![0; usize::from(count) * room].into_boxed_slice();
        Self { octets, room, places, free: if count == 0 { NONE } else { 0 } }
    }

    /// Octets that it takes.
    pub(super) fn octets(&self) -> usize {
        self.octets.len() + size_of_val(&*self.places)
    }

    /// Has a frame wait; false where the queue or the whole is full, or the frame too long.
    pub(super) fn push(&mut self, queue: &mut Queue, held: Held, frame: &[u8]) -> bool {
        let place = self.free;
        if queue.count == Queue::MOST || frame.len() > self.room {
            return false;
        }
        let start = usize::from(place) * self.room;
        let (Some(&(_, next)), Some(room)) =
            (self.places.get(usize::from(place)), self.octets.get_mut(start..start + frame.len()))
        else {
            return false;
        };
        room.copy_from_slice(frame);
        self.free = next;
        self.places[usize::from(place)] = (Held { length: frame.len() as u16, ..held }, NONE);
        match self.places.get_mut(usize::from(queue.last)) {
            Some(last) => last.1 = place,
            None => queue.first = place,
        }
        queue.last = place;
        queue.count += 1;
        true
    }

    /// Copies the oldest frame of a queue out and frees its place; none where nothing waits.
    pub(super) fn pop<'a>(&mut self, queue: &mut Queue, into: &'a mut [u8]) -> Option<(Held, &'a mut [u8])> {
        let place = usize::from(queue.first);
        let (held, next) = *self.places.get(place)?;
        self.places[place].1 = self.free;
        self.free = queue.first;
        queue.first = next;
        queue.count -= 1;
        if next == NONE {
            queue.last = NONE;
        }
        let start = place * self.room;
        let frame = self.octets.get(start..start + usize::from(held.length))?;
        let into = into.get_mut(..frame.len())?;
        into.copy_from_slice(frame);
        Some((held, into))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The twin is a list for each neighbour.
        #[test]
        fn every_frame_comes_out_once_and_in_order(steps in prop::collection::vec((0..3_usize, any::<bool>()), 0..200)) {
            let mut waiting = Waiting::new(12, 4);
            let mut queues = [Queue::default(); 3];
            let mut slow: [Vec<u32>; 3] = Default::default();
            for (number, (queue, push)) in steps.into_iter().enumerate() {
                let number = number as u32;
                if push {
                    let all: usize = slow.iter().map(Vec::len).sum();
                    let taken = waiting.push(&mut queues[queue], Held::new(PortId(7), true), &number.to_be_bytes());
                    prop_assert_eq!(taken, all < 12 && slow[queue].len() < 8);
                    if taken {
                        slow[queue].push(number);
                    }
                } else {
                    let mut room = [0; 4];
                    let popped = waiting.pop(&mut queues[queue], &mut room).map(|(_, frame)| frame.to_vec());
                    let expected = (!slow[queue].is_empty()).then(|| slow[queue].remove(0).to_be_bytes().to_vec());
                    prop_assert_eq!(popped, expected);
                }
                prop_assert_eq!(usize::from(queues[queue].len()), slow[queue].len());
            }
        }
    }

    #[test]
    fn a_frame_that_is_too_long_does_not_wait() {
        let (mut waiting, mut queue) = (Waiting::new(1, 4), Queue::default());
        let held = Held::new(PortId(7), true);
        assert!(!waiting.push(&mut queue, held, &[0; 5]) && waiting.push(&mut queue, held, &[0; 4]));
        assert!(!Waiting::new(0, 4).push(&mut Queue::default(), held, &[0; 4]));
        assert_eq!(
            waiting.pop(&mut queue, &mut [0; 4]).map(|(held, _)| (held.from, held.answerable)),
            Some((PortId(7), true))
        );
    }
}
