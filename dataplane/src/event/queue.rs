//! The queues between one worker and control: written in chunks, read in chunks.
//!
//! The line that holds a queue's write index moves between two cores each time it is written and read. So session events
//! are staged with the worker and published together, once a burst: latency is a burst, or a turn of the idle loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;
use crossbeam::utils::CachePadded;
use rtrb::{Consumer, Producer, RingBuffer};

use super::{Header, SessionEvent, SignOnEvent, WorkerId};
use crate::access::AccessEvent;
use crate::time::Nanos;

/// Session events staged at most; one more publishes them.
const STAGE: usize = 32;

/// Events lost by class, since start: because a queue was full, or one segment showed more sign-ons than can be told.
#[derive(Debug, Default)]
struct Losses {
    session: CachePadded<AtomicU64>,
    attack: CachePadded<AtomicU64>,
    sign_on: CachePadded<AtomicU64>,
    access: CachePadded<AtomicU64>,
}

/// Events lost by class, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Of sessions; an event about several denied packets counts as many.
    pub session: u64,
    /// Of attacks.
    pub attack: u64,
    /// Of users.
    pub sign_on: u64,
    /// Of access users.
    pub access: u64,
}

/// Events that the queues of a worker hold at most; each at least 1.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Of sessions.
    pub session: usize,
    /// Of users.
    pub sign_on: usize,
    /// Of access users.
    pub access: usize,
}

/// Makes the queues of one worker, for `session` and `sign_on` events at most (each at least 1) and few of access users.
pub fn channel(worker: WorkerId, session: usize, sign_on: usize) -> (EventSender, EventReceiver) {
    channels(worker, Sizes { session, sign_on, access: 64 })
}

/// Makes the queues of one worker.
pub fn channels(worker: WorkerId, sizes: Sizes) -> (EventSender, EventReceiver) {
    let Sizes { session, sign_on, access } = sizes;
    let (session_in, session_out) = RingBuffer::new(session.max(1));
    let (sign_on_in, sign_on_out) = RingBuffer::new(sign_on.max(1));
    let (access_in, access_out) = RingBuffer::new(access.max(1));
    let losses = Arc::new(Losses::default());
    let sender = EventSender {
        worker,
        stage: ArrayVec::new(),
        room: session.max(1),
        session: session_in,
        sign_on: sign_on_in,
        access: access_in,
        losses: Arc::clone(&losses),
        session_sequence: 0,
        sign_on_sequence: 0,
        access_sequence: 0,
    };
    (sender, EventReceiver { worker, session: session_out, sign_on: sign_on_out, access: access_out, losses })
}

/// The worker's end of its queues. Dropped, it publishes what is staged.
#[derive(Debug)]
pub struct EventSender {
    worker: WorkerId,
    /// To be published together.
    stage: ArrayVec<SessionEvent, STAGE>,
    /// Places that are free for certain, beside those that the staged events will take.
    room: usize,
    session: Producer<SessionEvent>,
    sign_on: Producer<SignOnEvent>,
    access: Producer<AccessEvent>,
    losses: Arc<Losses>,
    session_sequence: u64,
    sign_on_sequence: u64,
    access_sequence: u64,
}

impl EventSender {
    /// Stamps and stages a session event; `false` where the queue is full and it was lost (and counted). Control sees it
    /// after [`Self::publish`], or when as many are staged as go together.
    #[inline]
    pub fn session(&mut self, time: Nanos, event: impl FnOnce(Header) -> SessionEvent) -> bool {
        let kept = self.stage(time, event);
        if !kept {
            bump(&self.losses.session, 1);
        }
        kept
    }

    /// The same of an event about so many denied packets, which are lost with it.
    pub fn denied(&mut self, time: Nanos, packets: u64, event: impl FnOnce(Header) -> SessionEvent) -> bool {
        let kept = self.stage(time, event);
        if !kept {
            bump(&self.losses.session, packets);
        }
        kept
    }

    /// The same of a notice of an attack.
    pub fn attack(&mut self, time: Nanos, event: impl FnOnce(Header) -> SessionEvent) -> bool {
        let kept = self.stage(time, event);
        if !kept {
            bump(&self.losses.attack, 1);
        }
        kept
    }

    #[inline]
    fn stage(&mut self, time: Nanos, event: impl FnOnce(Header) -> SessionEvent) -> bool {
        self.session_sequence += 1;
        if !self.has_session_room() {
            return false;
        }
        self.room -= 1;
        self.stage.push(event(Header::new(self.worker, self.session_sequence, time)));
        if self.stage.is_full() {
            self.publish();
        }
        true
    }

    /// Lets control see what is staged.
    #[inline]
    pub fn publish(&mut self) {
        if !self.stage.is_empty() {
            // There is room: it was looked at before each event was staged.
            let kept = self.session.push_entire_slice(&self.stage);
            debug_assert!(kept.is_ok());
            self.stage.clear();
        }
    }

    /// Whether the queue would still take a session event.
    pub fn has_session_room(&mut self) -> bool {
        self.room > 0 || self.session_room() > 0
    }

    /// Session events that the queue would still take.
    pub fn session_room(&mut self) -> usize {
        self.room = self.session.slots() - self.stage.len();
        self.room
    }

    /// Stamps and pushes a sign-on event; `false` where it was lost (and counted).
    pub fn sign_on(&mut self, time: Nanos, event: impl FnOnce(Header) -> SignOnEvent) -> bool {
        self.sign_on_sequence += 1;
        let event = event(Header::new(self.worker, self.sign_on_sequence, time));
        let kept = self.sign_on.push(event).is_ok();
        if !kept {
            bump(&self.losses.sign_on, 1);
        }
        kept
    }

    /// Stamps and pushes an event of an access user; `false` where it was lost (and counted).
    pub fn access(&mut self, time: Nanos, mut event: AccessEvent) -> bool {
        self.access_sequence += 1;
        event.header = Header::new(self.worker, self.access_sequence, time);
        let kept = self.access.push(event).is_ok();
        if !kept {
            bump(&self.losses.access, 1);
        }
        kept
    }

    /// Counts sign-ons that were seen and cannot be told; control makes a record of the loss, as of a full queue's.
    pub fn lose_sign_ons(&mut self, count: u64) {
        self.sign_on_sequence += count;
        bump(&self.losses.sign_on, count);
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        self.publish();
    }
}

/// Control's end of a worker's queues.
#[derive(Debug)]
pub struct EventReceiver {
    worker: WorkerId,
    session: Consumer<SessionEvent>,
    sign_on: Consumer<SignOnEvent>,
    access: Consumer<AccessEvent>,
    losses: Arc<Losses>,
}

impl EventReceiver {
    /// Whose queues these are.
    pub fn worker(&self) -> WorkerId {
        self.worker
    }

    /// The oldest session event.
    pub fn session(&mut self) -> Option<SessionEvent> {
        self.session.pop().ok()
    }

    /// Shows the oldest session events to `each`, `most` at most, and takes them from the queue together; returns how many
    /// there were.
    pub fn sessions(&mut self, most: usize, mut each: impl FnMut(&SessionEvent)) -> usize {
        let count = self.session.slots().min(most);
        let Ok(chunk) = self.session.read_chunk(count) else { return 0 };
        let (older, younger) = chunk.as_slices();
        older.iter().chain(younger).for_each(&mut each);
        chunk.commit_all();
        count
    }

    /// The oldest sign-on event.
    pub fn sign_on(&mut self) -> Option<SignOnEvent> {
        self.sign_on.pop().ok()
    }

    /// The oldest event of an access user.
    pub fn access(&mut self) -> Option<AccessEvent> {
        self.access.pop().ok()
    }

    /// Events of access users that wait.
    pub fn access_waiting(&self) -> usize {
        self.access.slots()
    }

    /// Events lost since start.
    pub fn lost(&self) -> Lost {
        let Losses { session, attack, sign_on, access } = &*self.losses;
        let [session, attack, sign_on, access] =
            [session, attack, sign_on, access].map(|cell| cell.load(Ordering::Relaxed));
        Lost { session, attack, sign_on, access }
    }

    /// How many events wait: session, sign-on.
    pub fn waiting(&self) -> (usize, usize) {
        (self.session.slots(), self.sign_on.slots())
    }
}

/// A load and a store instead of a locked addition: the worker alone writes.
fn bump(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::thread;

    use proptest::prelude::*;
    use sigdb::AppId;

    use super::*;
    use crate::endpoint::Tuple;
    use crate::event::{SessionChange, SessionId, Volume};
    use crate::policy::RuleId;

    fn create(header: Header) -> SessionEvent {
        SessionEvent {
            header,
            session: SessionId(header.sequence()),
            translation: None,
            tuple: Tuple::default(),
            rule: RuleId(0),
            application: AppId::UNKNOWN,
            ports: (0, 1),
            logged: true,
            change: SessionChange::Create,
            start: header.time,
            to_server: Volume::default(),
            to_client: Volume::default(),
        }
    }

    #[test]
    fn a_staged_event_is_seen_once_it_is_published() {
        let (mut sender, mut receiver) = channel(WorkerId(7), 4, 1);
        assert!(sender.session(Nanos(3), create));
        assert_eq!((receiver.waiting(), sender.session_room()), ((0, 0), 3));
        sender.publish();
        let event = receiver.session().unwrap();
        assert_eq!((event.header.worker(), event.header.sequence(), event.header.time), (WorkerId(7), 1, Nanos(3)));
        assert_eq!((receiver.waiting(), sender.session_room()), ((0, 0), 4));
        assert!(sender.session(Nanos(4), create));
        drop(sender);
        assert_eq!(receiver.session().unwrap().header.time, Nanos(4));
    }

    #[test]
    fn a_full_queue_keeps_the_oldest_and_counts_what_it_loses() {
        let (mut sender, mut receiver) = channel(WorkerId(0), 3, 1);
        let kept: Vec<bool> = (0..5).map(|time| sender.session(Nanos(time), create)).collect();
        assert_eq!(kept, [true, true, true, false, false]);
        sender.publish();
        assert_eq!(receiver.lost(), Lost { session: 2, ..Lost::default() });
        assert_eq!(receiver.session().unwrap().header.sequence(), 1);
        assert!(sender.session(Nanos(9), create), "there is room again");
        sender.publish();
        let mut seen = Vec::new();
        assert_eq!(receiver.sessions(10, |event| seen.push(event.header.sequence())), 3);
        assert_eq!(seen, [2, 3, 6]);
    }

    #[test]
    fn two_threads_see_every_event_in_order() {
        const EVENTS: u64 = 200_000;
        let (mut sender, mut receiver) = channel(WorkerId(0), 1000, 1);
        let writer = thread::spawn(move || {
            let mut next = 1;
            while next <= EVENTS {
                if sender.session_room() == 0 {
                    sender.publish();
                    thread::yield_now();
                    continue;
                }
                assert!(sender.session(Nanos(next), create));
                next += 1;
                if next % 7 == 0 {
                    sender.publish();
                }
            }
        });
        let mut next = 1;
        while next <= EVENTS {
            receiver.sessions(100, |event| {
                assert_eq!((event.header.sequence(), event.session, event.start), (next, SessionId(next), Nanos(next)));
                next += 1;
            });
        }
        writer.join().unwrap();
        assert_eq!((receiver.lost(), receiver.waiting()), (Lost::default(), (0, 0)));
    }

    proptest! {
        /// Against a queue that publishes each event at once: what is kept, lost and read is the same, and nothing that was
        /// published is held back.
        #[test]
        fn it_is_a_bounded_queue(capacity in 1..100_usize, steps in prop::collection::vec((0..3_u8, 1..80_usize), 1..60)) {
            let (mut sender, mut receiver) = channel(WorkerId(0), capacity, 1);
            let (mut plain, mut lost, mut sequence) = (VecDeque::new(), 0, 0);
            for (step, count) in steps {
                match step {
                    0 => for _ in 0..count {
                        sequence += 1;
                        let room = plain.len() < capacity;
                        prop_assert_eq!(sender.session(Nanos(sequence), create), room);
                        if room {
                            plain.push_back(sequence);
                        } else {
                            lost += 1;
                        }
                    },
                    1 => {
                        sender.publish();
                        prop_assert_eq!(receiver.waiting().0, plain.len());
                    }
                    _ => {
                        let mut read = Vec::new();
                        prop_assert_eq!(receiver.sessions(count, |event| read.push(event.header.sequence())), read.len());
                        let expected: Vec<u64> = plain.drain(..read.len()).collect();
                        prop_assert_eq!(read, expected);
                    }
                }
                prop_assert_eq!(receiver.lost().session, lost);
                prop_assert_eq!(sender.session_room(), capacity - plain.len());
            }
        }
    }
}
