//! What a log host is still owed: the bounded queue, what is being written, and what was written a moment ago.
//!
//! A record is pushed, waits, is taken into a message, and is sent once the last octet of that message was handed to the
//! kernel. On a stream it then stays in the *window*, because a write that returned is no delivery: what breaks with the
//! connection is written again on the next one. For each class, always:
//! `pushed = sent + dropped + queued + uncarried`.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::time::Nanos;

use crate::record::{Body, BootId, Class, LossPlace, LossRecord, Name, Record};

/// How many written records are kept for another connection. The send buffer is limited so that it holds fewer (see
/// `link`): what the host's TCP has not acknowledged is always among them.
pub(super) const WINDOW: usize = 16_384;

/// For how long they are kept. TCP_USER_TIMEOUT breaks a connection whose host acknowledged nothing for half of this: what
/// is older on a living connection has reached the host.
pub(super) const WINDOW_AGE: Duration = Duration::from_secs(60);

/// How many records leave the window in one turn because of their age.
const EXPIRE_AT_ONCE: usize = 1_024;

const CLASSES: usize = Class::ALL.len();

/// The counters of one class at one host, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that were for this host.
    pub pushed: u64,
    /// Wholly written, once each.
    pub sent: u64,
    /// Given up because the queue was full; said to the host in band.
    pub dropped: u64,
    /// Waiting, or partly written.
    pub queued: u64,
    /// Not for this host, whose format cannot tell them.
    pub uncarried: u64,
    /// Written again after a connection broke, on top of `sent`.
    pub resent: u64,
    /// Records about losses at this queue that were written; in none of the counters above.
    pub losses_said: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Backlog {
    host: Name,
    /// Records that may be queued.
    capacity: usize,
    /// Whether what was written is kept for another connection.
    keep: bool,
    queued: usize,
    arrivals: u64,
    waiting: [VecDeque<Owed>; CLASSES],
    /// Goes before `waiting`: what the last connection did not, or perhaps did not, deliver.
    again: VecDeque<Owed>,
    /// In a message that is not wholly written.
    taken: VecDeque<Owed>,
    window: VecDeque<(Instant, Owed)>,
    counts: [Counts; CLASSES],
    losses: [Option<Loss>; CLASSES],
    /// How many of ours are in `waiting`, `again` or `taken`, to say a loss.
    saying: [usize; CLASSES],
}

/// A record that the host is owed.
#[derive(Debug)]
struct Owed {
    record: Arc<Record>,
    arrival: u64,
    /// Made here, to say a loss.
    own: bool,
    /// Was wholly written before.
    sent: bool,
}

/// A loss that the host was not told of yet.
///
/// Of the records lost it has the name (boot, sequence) of the first. This host never gets that record, so the name is
/// unique at this host, and a receiver that collapses duplicates by it collapses this one too.
#[derive(Clone, Copy, Debug)]
struct Loss {
    boot: BootId,
    sequence: u64,
    count: u64,
    span: (Nanos, Nanos),
}

impl Backlog {
    /// For `host`; `keep`s a window where the transport is a stream.
    pub(super) fn new(host: Name, capacity: usize, keep: bool) -> Self {
        Self {
            host,
            capacity: capacity.max(1),
            keep,
            queued: 0,
            arrivals: 0,
            waiting: Default::default(),
            again: VecDeque::new(),
            taken: VecDeque::new(),
            window: VecDeque::new(),
            counts: Default::default(),
            losses: Default::default(),
            saying: Default::default(),
        }
    }

    /// Queues a record. Where there is no room, a sign-on or an attack takes the place of the youngest session record; else
    /// the new record is lost.
    pub(super) fn push(&mut self, record: &Arc<Record>) {
        let class = record.body.class();
        self.counts[at(class)].pushed += 1;
        if self.queued >= self.capacity && !(class != Class::Session && self.evict_session(record)) {
            self.lose(record, record);
            return;
        }
        self.queued += 1;
        self.counts[at(class)].queued += 1;
        self.enqueue(Arc::clone(record), false);
    }

    /// Counts a record that the host's format cannot tell.
    pub(super) fn leave_out(&mut self, class: Class) {
        let counts = &mut self.counts[at(class)];
        counts.pushed += 1;
        counts.uncarried += 1;
    }

    /// The records of a class that wait at these places, or are partly written: the first that was ever queued had place 0.
    pub(super) fn waiting(&self, class: Class, places: Range<u64>) -> Vec<(u64, Arc<Record>)> {
        let queue = self.taken.iter().chain(&self.again).chain(&self.waiting[at(class)]);
        let owed = queue.filter(|owed| !owed.own && !owed.sent && owed.record.body.class() == class);
        (self.counts[at(class)].sent..)
            .zip(owed)
            .skip_while(|(place, _)| *place < places.start)
            .take_while(|(place, _)| *place < places.end)
            .map(|(place, owed)| (place, Arc::clone(&owed.record)))
            .collect()
    }

    /// Drops the youngest waiting session record in favour of `newcomer`.
    fn evict_session(&mut self, newcomer: &Record) -> bool {
        loop {
            match self.waiting[at(Class::Session)].pop_back() {
                None => return false,
                Some(victim) if victim.own => self.unsay(&victim.record),
                Some(victim) => {
                    self.queued -= 1;
                    self.counts[at(Class::Session)].queued -= 1;
                    self.lose(&victim.record, newcomer);
                    return true;
                }
            }
        }
    }

    /// Counts `record`, for which there was no room when `cause` came.
    fn lose(&mut self, record: &Record, cause: &Record) {
        let class = at(record.body.class());
        self.counts[class].dropped += 1;
        let loss = self.losses[class].get_or_insert(Loss {
            boot: record.boot,
            sequence: record.sequence,
            count: 0,
            span: (cause.time, cause.time),
        });
        loss.count += 1;
        loss.span.1 = loss.span.1.max(cause.time);
    }

    /// Queues a record about each class's losses, now that there is room: one at a time, so that a host that is always too
    /// slow gets one for each length of its queue.
    pub(super) fn say_losses(&mut self) {
        for class in Class::ALL {
            if self.queued >= self.capacity || self.saying[at(class)] > 0 {
                continue;
            }
            let Some(Loss { boot, sequence, count, span }) = self.losses[at(class)].take() else { continue };
            let body = Body::Loss(LossRecord { class, place: LossPlace::Host(self.host.clone()), count, span });
            self.saying[at(class)] += 1;
            self.enqueue(Arc::new(Record { boot, sequence, time: span.1, body }), true);
        }
    }

    /// Takes back a record of [`Self::say_losses`] that was not sent: it is said later, with what was lost since.
    fn unsay(&mut self, record: &Record) {
        let Body::Loss(LossRecord { class, count, span, .. }) = &record.body else { return };
        let class = at(*class);
        self.saying[class] -= 1;
        let since = self.losses[class].take();
        self.losses[class] = Some(Loss {
            boot: record.boot,
            sequence: record.sequence,
            count: count + since.map_or(0, |loss| loss.count),
            span: (span.0, since.map_or(span.1, |loss| loss.span.1)),
        });
    }

    fn enqueue(&mut self, record: Arc<Record>, own: bool) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        let class = at(record.body.class());
        self.waiting[class].push_back(Owed { record, arrival, own, sent: false });
    }

    /// The next record to write.
    pub(super) fn front(&self) -> Option<&Record> {
        match self.again.front() {
            Some(owed) => Some(&owed.record),
            None => self.oldest().and_then(|class| self.waiting[class].front()).map(|owed| &*owed.record),
        }
    }

    /// The front is in a message now.
    pub(super) fn take(&mut self) {
        let owed = match self.again.pop_front() {
            Some(owed) => Some(owed),
            None => self.oldest().and_then(|class| self.waiting[class].pop_front()),
        };
        self.taken.extend(owed);
    }

    /// The class whose first waiting record came first.
    fn oldest(&self) -> Option<usize> {
        let arrival = |class: &usize| self.waiting[*class].front().map(|owed| owed.arrival);
        (0..CLASSES).filter(|class| arrival(class).is_some()).min_by_key(arrival)
    }

    /// The messages with the oldest `records` taken were wholly written.
    pub(super) fn written(&mut self, records: usize, now: Instant) {
        for _ in 0..records {
            let Some(mut owed) = self.taken.pop_front() else { return };
            let class = at(owed.record.body.class());
            match (owed.sent, owed.own) {
                (true, _) => self.counts[class].resent += 1,
                (false, true) => {
                    self.counts[class].losses_said += 1;
                    self.saying[class] -= 1;
                }
                (false, false) => {
                    self.counts[class].sent += 1;
                    self.counts[class].queued -= 1;
                    self.queued -= 1;
                }
            }
            owed.sent = true;
            if self.keep {
                self.window.push_back((now, owed));
            }
        }
        let over = self.window.len().saturating_sub(WINDOW);
        self.window.drain(..over);
    }

    /// Forgets what a living connection took long ago.
    pub(super) fn expire(&mut self, now: Instant) {
        let old = |(written, _): &&(Instant, Owed)| now.saturating_duration_since(*written) > WINDOW_AGE;
        let count = self.window.iter().take(EXPIRE_AT_ONCE).take_while(old).count();
        self.window.drain(..count);
    }

    /// The connection broke: what it did not, or perhaps did not, deliver goes first on the next.
    pub(super) fn broke(&mut self) {
        while let Some(owed) = self.taken.pop_back() {
            self.again.push_front(owed);
        }
        while let Some((_, owed)) = self.window.pop_back() {
            self.again.push_front(owed);
        }
    }

    /// Whether nothing waits or is partly written.
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty() && self.front().is_none()
    }

    /// Whether a record waits to be taken.
    pub(super) fn waits(&self) -> bool {
        self.front().is_some()
    }

    /// How many records were lost that the host was not told of yet.
    pub(super) fn unsaid(&self) -> u64 {
        self.losses.iter().flatten().map(|loss| loss.count).sum()
    }

    /// The counters of a class.
    pub(super) fn counts(&self, class: Class) -> Counts {
        self.counts[at(class)]
    }

    /// The host will take no more: what it did not get, by class, as losses at shutdown, and what it was never told of
    /// losses before.
    pub(super) fn give_up(&mut self, time: Nanos) -> Vec<LossRecord> {
        self.broke();
        let own: Vec<Arc<Record>> = (self.again.drain(..).chain(self.waiting.iter_mut().flat_map(|w| w.drain(..))))
            .filter(|owed| owed.own && !owed.sent)
            .map(|owed| owed.record)
            .collect();
        own.iter().for_each(|record| self.unsay(record));
        self.queued = 0;
        let mut left = Vec::new();
        for class in Class::ALL {
            let counts = &mut self.counts[at(class)];
            let count = std::mem::take(&mut counts.queued);
            counts.dropped += count;
            if count > 0 {
                let place = LossPlace::Shutdown(self.host.clone());
                left.push(LossRecord { class, place, count, span: (time, time) });
            }
            if let Some(Loss { count, span, .. }) = self.losses[at(class)].take() {
                left.push(LossRecord { class, place: LossPlace::Host(self.host.clone()), count, span });
            }
        }
        left
    }
}

fn at(class: Class) -> usize {
    match class {
        Class::Session => 0,
        Class::Im => 1,
        Class::Attack => 2,
        Class::Access => 3,
        Class::CallStatus => 4,
    }
}

#[cfg(test)]
mod tests;
