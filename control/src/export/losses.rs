//! What a host lost and was not told of yet.
//!
//! Each record about a loss has the name (boot, sequence) of the first record lost. This host never gets that one, so the
//! name is unique at this host, and a receiver that collapses duplicates by it collapses this record too.

use std::time::{Duration, Instant};

use dataplane::time::Nanos;

use super::Cause;
use crate::record::{Body, BootId, Class, LossPlace, LossReason, LossRecord, Name, Record};

/// Losses that an operator asked for are told this often.
const PERIOD: Duration = Duration::from_secs(10);

/// What is told in one record.
pub(super) type Key = (Class, Cause, BootId);

/// A loss that the host was not told of yet.
#[derive(Clone, Copy, Debug)]
struct Loss {
    key: Key,
    count: u64,
    /// First and last.
    sequences: (u64, u64),
    span: (Nanos, Nanos),
    /// Not to be told earlier.
    due: Instant,
}

/// The losses of one host.
#[derive(Debug)]
pub(super) struct Losses {
    host: Name,
    /// Few: by class, cause and boot.
    open: Vec<Loss>,
    /// Of which records are on their way.
    saying: Vec<Key>,
}

impl Losses {
    /// Of `host`.
    pub(super) fn new(host: Name) -> Self {
        Self { host, open: Vec::new(), saying: Vec::new() }
    }

    /// Counts records of a run that were lost: how many, their first and last sequence, and when.
    pub(super) fn add(&mut self, key: Key, count: u64, sequences: (u64, u64), span: (Nanos, Nanos)) {
        match self.open.iter_mut().find(|loss| loss.key == key) {
            None => {
                let pause = if matches!(key.1, Cause::Uncarried | Cause::Suppressed) { PERIOD } else { Duration::ZERO };
                self.open.push(Loss { key, count, sequences, span, due: Instant::now() + pause });
            }
            Some(loss) => {
                loss.count += count;
                loss.sequences = (loss.sequences.0.min(sequences.0), loss.sequences.1.max(sequences.1));
                loss.span = (loss.span.0.min(span.0), loss.span.1.max(span.1));
            }
        }
    }

    /// The record about the loss that was noticed first, of those of which none is on its way: so a host that is always too
    /// slow gets one for each length of its queue. None is told before it is due, but `at_once`.
    pub(super) fn say(&mut self, now: Instant, at_once: bool) -> Option<Record> {
        let ready = |loss: &Loss| (at_once || loss.due <= now) && !self.saying.contains(&loss.key);
        let place = self.open.iter().position(ready)?;
        let loss = self.open.remove(place);
        self.saying.push(loss.key);
        let (boot, sequence, time) = (loss.key.2, loss.sequences.0, loss.span.1);
        Some(Record { boot, sequence, time, body: Body::Loss(self.body(loss)) })
    }

    /// A record of [`Self::say`] was written.
    pub(super) fn said(&mut self, record: &Record) {
        let Some((key, _)) = key(record) else { return };
        self.saying.retain(|saying| *saying != key);
    }

    /// A record of [`Self::say`] is not going to be sent: it is said later, with what was lost since.
    pub(super) fn unsay(&mut self, record: &Record) {
        let Some((key, loss)) = key(record) else { return };
        self.saying.retain(|saying| *saying != key);
        let sequences = loss.sequences.unwrap_or((record.sequence, record.sequence));
        self.add(key, loss.count, sequences, loss.span);
    }

    /// How many records were lost for that cause that the host was not told of yet.
    pub(super) fn unsaid(&self, cause: Cause) -> u64 {
        self.open.iter().filter(|loss| loss.key.1 == cause).map(|loss| loss.count).sum()
    }

    /// All that the host was not told of, which it never will be.
    pub(super) fn give_up(&mut self) -> Vec<LossRecord> {
        let mut open = std::mem::take(&mut self.open);
        open.sort_by_key(|loss| (loss.key.0, loss.key.1));
        open.into_iter().map(|loss| self.body(loss)).collect()
    }

    fn body(&self, Loss { key: (class, cause, _), count, sequences, span, .. }: Loss) -> LossRecord {
        let host = self.host.clone();
        let place = match cause {
            Cause::QueueFull | Cause::Uncarried | Cause::Refused => LossPlace::Host(host),
            Cause::SpoolFull | Cause::SpoolAge | Cause::SpoolCorrupt => LossPlace::Spool(host),
            Cause::Suppressed => LossPlace::Rate(host),
            Cause::Shutdown => LossPlace::Shutdown(host),
        };
        LossRecord { class, place, reason: LossReason::Host(cause), count, sequences: Some(sequences), span }
    }
}

fn key(record: &Record) -> Option<(Key, &LossRecord)> {
    let Body::Loss(loss) = &record.body else { return None };
    let LossReason::Host(cause) = loss.reason else { return None };
    Some(((loss.class, cause, record.boot), loss))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: (Nanos, Nanos) = (Nanos(5), Nanos(7));

    #[test]
    fn losses_across_two_boots_and_of_two_causes_are_told_apart() {
        let mut losses = Losses::new("siem".into());
        losses.add((Class::Im, Cause::QueueFull, BootId(1)), 1, (9, 9), SPAN);
        losses.add((Class::Im, Cause::QueueFull, BootId(2)), 1, (2, 2), SPAN);
        losses.add((Class::Im, Cause::SpoolAge, BootId(1)), 3, (3, 7), SPAN);
        losses.add((Class::Im, Cause::QueueFull, BootId(1)), 1, (8, 8), SPAN);
        let said: Vec<Record> = std::iter::from_fn(|| losses.say(Instant::now(), false)).collect();
        let told = |record: &Record| (record.boot.0, record.sequence, record.body.clone());
        let told: Vec<(u64, u64, Body)> = said.iter().map(told).collect();
        let [(1, 8, Body::Loss(one)), (2, 2, Body::Loss(two)), (1, 3, Body::Loss(three))] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!((one.count, one.sequences, one.place.to_string()), (2, Some((8, 9)), "host:siem".to_owned()));
        assert_eq!((two.count, two.sequences, two.reason.text()), (1, Some((2, 2)), "queue-full"));
        assert_eq!((three.count, three.sequences, three.place.to_string()), (3, Some((3, 7)), "spool:siem".to_owned()));
    }

    #[test]
    fn what_was_not_sent_is_said_later_with_what_came_since() {
        let mut losses = Losses::new("siem".into());
        let key = (Class::Session, Cause::QueueFull, BootId(1));
        losses.add(key, 2, (4, 5), SPAN);
        let said = losses.say(Instant::now(), false).unwrap();
        losses.add(key, 1, (8, 8), (Nanos(9), Nanos(9)));
        assert!(losses.say(Instant::now(), true).is_none(), "one of them at a time");
        losses.unsay(&said);
        let Body::Loss(loss) = losses.say(Instant::now(), false).unwrap().body else { panic!("a loss") };
        assert_eq!((loss.count, loss.sequences, loss.span), (3, Some((4, 8)), (Nanos(5), Nanos(9))));
    }

    #[test]
    fn what_was_asked_for_is_told_now_and_then() {
        let (now, mut losses) = (Instant::now(), Losses::new("siem".into()));
        (1..=5).for_each(|number| losses.add((Class::Im, Cause::Suppressed, BootId(1)), 1, (number, number), SPAN));
        assert!(losses.say(now, false).is_none());
        let Body::Loss(loss) = losses.say(now + PERIOD * 2, false).unwrap().body else { panic!("a loss") };
        assert_eq!((loss.count, loss.sequences, loss.place.to_string()), (5, Some((1, 5)), "rate:siem".to_owned()));
        losses.add((Class::Im, Cause::Uncarried, BootId(1)), 1, (6, 6), SPAN);
        assert!(losses.say(now, true).is_some(), "before the end");
    }
}
