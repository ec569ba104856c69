//! What a log host is still owed, and the accounts of it: the queue, what is being written, the window, and what was lost.
//!
//! A record is pushed, waits, is taken into a message, is wholly written, and is acknowledged. On a stream it then stays in
//! *reserve*, because what the host's TCP took its program may not have read: what breaks with the connection is written
//! again on the next one. The law of [`Counts`] holds for each class, always.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::time::Nanos;

use super::depot::Depot;
use super::losses::Losses;
use super::owed::{Matter, Origin, Owed, Rank};
use super::queue::Queue;
use super::window::{Until, Window};
use super::writer::Source;
use super::{Cause, Counts, HostConfig, Transport, WindowLimits};
use crate::record::ipfix::NotSent;
use crate::record::{Class, LossPlace, LossReason, LossRecord, Name, Record};

mod disk;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

const CLASSES: usize = Class::ALL.len();

/// So far a record of a class is looked for.
const LOOK: usize = 64;

/// A record that the host does not take so often is given up.
const REFUSALS: u8 = 5;

/// See the module.
#[derive(Debug)]
pub(super) struct Backlog {
    host: Name,
    /// Records that may wait.
    capacity: usize,
    /// The host answers each record.
    answers: bool,
    /// Records that wait or are partly written, and were never sent.
    unsent: [u64; CLASSES],
    queue: Queue,
    /// In a message that is not wholly written.
    taken: VecDeque<Owed>,
    window: Window,
    depot: Option<Depot>,
    /// Records that left the queue in their turn.
    left: [u64; CLASSES],
    /// Numbers of the last record pushed.
    newest: [u64; CLASSES],
    counts: [Counts; CLASSES],
    losses: Losses,
    /// When the first and the last record were lost.
    lost: Option<(Nanos, Nanos)>,
}

impl Backlog {
    /// For a host.
    pub(super) fn new(host: &HostConfig) -> Self {
        Self {
            host: host.name.clone(),
            capacity: host.queue.max(1),
            answers: matches!(host.transport, Transport::Relp | Transport::RelpTls(_) | Transport::Kafka(_)),
            unsent: Default::default(),
            queue: Queue::default(),
            taken: VecDeque::new(),
            window: Window::new(match host.transport {
                // What is in a file needs no reserve.
                Transport::File(_) => WindowLimits { reserve: 0, ..host.window },
                _ => host.window,
            }),
            depot: None,
            left: Default::default(),
            newest: Default::default(),
            counts: Default::default(),
            losses: Losses::new(host.name.clone()),
            lost: None,
        }
    }

    /// Queues a record. Where there is no room, the youngest of the lowest rank below its own gives way; else it is lost.
    pub(super) fn push(&mut self, record: &Arc<Record>) {
        let class = record.body.class();
        self.counts[at(class)].generated += 1;
        self.newest[at(class)] = record.sequence;
        if self.is_filled(100) {
            match self.queue.evict(Rank::of(record)) {
                Some(victim) => {
                    self.unsent[at(victim.matter.class())] -= 1;
                    self.counts[at(victim.matter.class())].queued -= 1;
                    self.lose(&victim.matter, Cause::QueueFull, record.time);
                }
                None => return self.lose(&Matter::Record(Arc::clone(record)), Cause::QueueFull, record.time),
            }
        }
        self.unsent[at(class)] += 1;
        self.counts[at(class)].queued += 1;
        self.queue.push(Matter::Record(Arc::clone(record)), Origin::Live);
    }

    /// Counts a record that is not even queued.
    pub(super) fn leave_out(&mut self, record: &Arc<Record>, cause: Cause) {
        self.counts[at(record.body.class())].generated += 1;
        self.lose(&Matter::Record(Arc::clone(record)), cause, record.time);
    }

    /// The records of a class that wait at these places, or are partly written: the first that was ever queued had place 0.
    pub(super) fn waiting(&self, class: Class, places: Range<u64>) -> Vec<(u64, Arc<Record>)> {
        let leaving = self.depot.iter().flat_map(Depot::leaving);
        let owed = leaving.chain(self.taken.iter()).chain(self.queue.iter());
        let records =
            owed.filter(|owed| owed.origin == Origin::Live && !owed.sent).filter_map(|owed| match &owed.matter {
                Matter::Record(record) if record.body.class() == class => Some(record),
                Matter::Record(_) | Matter::Payload(_) => None,
            });
        (self.left[at(class)]..)
            .zip(records)
            .skip_while(|(place, _)| *place < places.start)
            .take_while(|(place, _)| *place < places.end)
            .map(|(place, record)| (place, Arc::clone(record)))
            .collect()
    }

    /// Records of a class that left the queue in their turn: the place of the first that waits.
    pub(super) fn left(&self, class: Class) -> u64 {
        self.left[at(class)]
    }

    /// Records of a class that wait, and were never sent.
    pub(super) fn unsent(&self, class: Class) -> u64 {
        self.unsent[at(class)]
    }

    /// Counts what is given up, noticed at that time.
    fn lose(&mut self, matter: &Matter, cause: Cause, time: Nanos) {
        let (class, (boot, sequence)) = (matter.class(), matter.name());
        self.counts[at(class)].drop_by(cause, 1);
        let (first, last) = self.lost.unwrap_or((time, time));
        self.lost = Some((first.min(time), last.max(time)));
        self.losses.add((class, cause, boot), 1, (sequence, sequence), (time, time));
    }

    /// Queues a record about each loss that is due, now that there is room; about every loss if that is to be `at_once`.
    pub(super) fn say_losses(&mut self, now: Instant, at_once: bool) {
        while !self.is_filled(100)
            && let Some(record) = self.losses.say(now, at_once)
        {
            self.queue.push(Matter::Record(Arc::new(record)), Origin::Saying);
        }
    }

    /// The messages with the oldest `records` taken were wholly written, in that many octets.
    pub(super) fn written(&mut self, records: usize, octets: usize, until: Option<Until>, now: Instant) {
        for index in 0..records {
            let Some(mut owed) = self.taken.pop_front() else { return };
            let counts = &mut self.counts[at(owed.matter.class())];
            match (owed.sent, owed.origin, &owed.matter) {
                (true, _, _) => counts.resent += 1,
                (false, Origin::Saying, Matter::Record(record)) => {
                    counts.losses_said += 1;
                    self.losses.said(record);
                }
                (false, _, Matter::Payload(payload)) if payload.own => counts.losses_said += 1,
                (false, Origin::Saying | Origin::Live | Origin::Spool(_), _) => {
                    counts.sent += 1;
                    if owed.counts() {
                        self.unsent[at(owed.matter.class())] -= 1;
                        self.left[at(owed.matter.class())] += 1;
                    }
                }
            }
            owed.sent = true;
            match until {
                Some(until) => {
                    counts.unacknowledged += u64::from(owed.counts());
                    // What a message holds costs its records alike.
                    let share = octets * (index + 1) / records - octets * index / records;
                    self.window.sent(owed, until, share, now);
                }
                None => _ = acknowledge(&mut self.counts, &mut self.depot, &owed, false),
            }
        }
    }

    /// The host's TCP acknowledged the connection up to this octet; whether any record was by that.
    pub(super) fn acknowledged(&mut self, position: u64, now: Instant) -> bool {
        let (counts, depot, mut any) = (&mut self.counts, &mut self.depot, false);
        self.window.acknowledged(position, now, |owed| any |= acknowledge(counts, depot, owed, true));
        any
    }

    /// The connection lives, on which nothing can be out for so `long`: whether any record was acknowledged by that.
    pub(super) fn outlived(&mut self, long: Duration, now: Instant) -> bool {
        let (counts, depot, mut any) = (&mut self.counts, &mut self.depot, false);
        self.window.outlived(long, now, |owed| any |= acknowledge(counts, depot, owed, true));
        any
    }

    /// A connection begins, on which the next record has this transaction.
    pub(super) fn begin(&mut self, transaction: u32) {
        self.window.begin(transaction);
    }

    /// The host answered a transaction, whether it took the record; false where that is not out.
    pub(super) fn answered(&mut self, transaction: u32, took: bool, time: Nanos) -> bool {
        let Some(mut owed) = self.window.answered(transaction) else { return false };
        if took {
            acknowledge(&mut self.counts, &mut self.depot, &owed, true);
            return true;
        }
        let counts = &mut self.counts[at(owed.matter.class())];
        counts.refused += 1;
        counts.unacknowledged -= u64::from(owed.counts());
        owed.refused += 1;
        if owed.refused < REFUSALS {
            self.queue.put_back(std::iter::once(owed));
            return true;
        }
        if owed.is_lawful() {
            let place = if owed.counts() { &mut counts.queued } else { &mut counts.spooled };
            *place = place.saturating_sub(1);
            self.lose(&owed.matter, Cause::Refused, time);
        }
        if let (Some(ordinal), Some(depot)) = (owed.on_disk(), &mut self.depot) {
            depot.done(ordinal);
        }
        true
    }

    /// Forgets of the reserve what is old.
    pub(super) fn expire(&mut self, now: Instant) {
        self.window.expire(now);
    }

    /// Octets that are written and not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.window.octets()
    }

    /// Since when the oldest record that is out was not acknowledged.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.window.oldest()
    }

    /// The connection broke: what it did not, or perhaps did not, deliver goes first on the next; what came from disk, as the
    /// first of that.
    pub(super) fn broke(&mut self) {
        let (owed, reserve) = self.window.broke();
        for owed in owed.iter().filter(|owed| owed.counts()) {
            self.counts[at(owed.matter.class())].unacknowledged -= 1;
        }
        self.queue.put_back(self.taken.drain(..));
        self.queue.put_back(owed.into_iter());
        self.queue.put_back(reserve.into_iter());
        if let Some(depot) = &mut self.depot {
            depot.put_back(self.queue.extract_again(|owed| owed.on_disk().is_some()));
        }
    }

    /// Gives up what is in memory, the oldest first, for another host.
    pub(super) fn hand_over(&mut self) -> Vec<Owed> {
        self.broke();
        let (all, mut kept): (Vec<Owed>, Vec<Owed>) =
            self.queue.drain().partition(|owed| owed.origin != Origin::Saying);
        // What this host lost, it is told itself.
        for owed in kept.extract_if(.., |owed| !owed.sent) {
            if let Matter::Record(record) = &owed.matter {
                self.losses.unsay(record);
            }
        }
        self.queue.put_back(kept.into_iter());
        for owed in all.iter().filter(|owed| owed.counts()) {
            let class = at(owed.matter.class());
            self.counts[class].queued -= 1;
            self.counts[class].handed_over += 1;
            self.unsent[class] -= u64::from(!owed.sent);
            self.left[class] += u64::from(!owed.sent);
        }
        all
    }

    /// Takes what another host gave up: what that one had acknowledged goes first, and is in no count.
    pub(super) fn take_over(&mut self, owed: Vec<Owed>) {
        let (reserve, owed): (Vec<Owed>, Vec<Owed>) = owed.into_iter().partition(|owed| owed.acknowledged);
        self.queue.put_back(reserve.into_iter().map(|owed| Owed { origin: Origin::Live, refused: 0, ..owed }));
        for owed in owed {
            if let Matter::Record(record) = &owed.matter {
                self.push(record);
            }
        }
    }

    /// The host said goodbye: it read everything.
    pub(super) fn forget_reserve(&mut self) {
        self.window.forget_reserve();
    }

    /// Whether nothing in memory waits, is partly written, or is not acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        let settled = self.depot.as_ref().is_none_or(Depot::is_settled);
        self.taken.is_empty() && self.queue.front().is_none() && self.window.is_empty() && settled
    }

    /// Whether a record waits to be taken.
    pub(super) fn waits(&self) -> bool {
        self.front().is_some()
    }

    /// How many records were lost for want of room that the host was not told of yet.
    pub(super) fn unsaid(&self) -> u64 {
        self.losses.unsaid(Cause::QueueFull)
    }

    /// The counters of a class.
    pub(super) fn counts(&self, class: Class) -> Counts {
        self.counts[at(class)]
    }

    /// The host will take no more: what it did not get, by class, as losses at shutdown, and what it was never told of
    /// losses before.
    pub(super) fn give_up(&mut self, time: Nanos) -> Vec<LossRecord> {
        self.broke();
        let mut left = [const { None::<LossRecord> }; CLASSES];
        for owed in self.queue.drain() {
            let (class, (_, sequence)) = (owed.matter.class(), owed.matter.name());
            if let (Origin::Saying, false, Matter::Record(record)) = (owed.origin, owed.sent, &owed.matter) {
                self.losses.unsay(record);
            }
            if !owed.counts() {
                continue;
            }
            let counts = &mut self.counts[at(class)];
            counts.queued -= 1;
            counts.drop_by(Cause::Shutdown, 1);
            let loss = left[at(class)].get_or_insert_with(|| LossRecord {
                class,
                place: LossPlace::Shutdown(self.host.clone()),
                reason: LossReason::Host(Cause::Shutdown),
                count: 0,
                sequences: None,
                span: (time, time),
            });
            loss.count += 1;
            let (first, last) = loss.sequences.unwrap_or((sequence, sequence));
            loss.sequences = Some((first.min(sequence), last.max(sequence)));
        }
        self.unsent = Default::default();
        left.into_iter().flatten().chain(self.losses.give_up()).collect()
    }
}

/// Counts what the host acknowledged, which was in the window or not; whether that was news.
fn acknowledge(counts: &mut [Counts; CLASSES], depot: &mut Option<Depot>, owed: &Owed, windowed: bool) -> bool {
    let counts = &mut counts[at(owed.matter.class())];
    if owed.counts() {
        counts.queued -= 1;
        counts.unacknowledged -= u64::from(windowed);
        counts.acknowledged += 1;
    } else if owed.is_lawful() && owed.on_disk().is_some() {
        counts.spooled = counts.spooled.saturating_sub(1);
        counts.acknowledged += 1;
    }
    if let (Some(ordinal), Some(depot)) = (owed.on_disk(), depot) {
        depot.done(ordinal);
    }
    !owed.acknowledged
}

impl Source for Backlog {
    fn front(&self) -> Option<&Matter> {
        if self.answers && !self.window.has_room(self.taken.len()) {
            return None;
        }
        let owed = match &self.depot {
            Some(depot) if self.takes_from_disk() => depot.front(),
            Some(_) | None => self.queue.front(),
        };
        owed.map(|owed| &owed.matter)
    }

    fn take(&mut self) {
        let from_disk = self.takes_from_disk();
        let both = self.queue.front().is_some() && !self.queue.has_again();
        let owed = match &mut self.depot {
            Some(depot) if from_disk || both && depot.front().is_some() => {
                if both {
                    depot.took(from_disk);
                }
                if from_disk { depot.pop() } else { self.queue.pop() }
            }
            Some(_) | None => self.queue.pop(),
        };
        self.taken.extend(owed);
    }

    fn not_sent(&self) -> NotSent {
        let records = self.counts.iter().map(Counts::dropped).sum();
        NotSent { records, span: self.lost.unwrap_or_default() }
    }
}

fn at(class: Class) -> usize {
    match class {
        Class::Session => 0,
        Class::Im => 1,
        Class::Attack => 2,
        Class::Access => 3,
        Class::CallStatus => 4,
        Class::Audit => 5,
    }
}
