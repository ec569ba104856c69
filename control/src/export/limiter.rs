//! How many records of a class a host is given in a second. What is above that is given up, counted, and said.

use std::time::{Duration, Instant};

use crate::record::{Body, Class, Record};

/// The cost of a record, in nanoseconds of a limit of one record a second.
const RECORD: u64 = 1_000_000_000;

/// One token bucket a limited class, as deep as a second fills it.
#[derive(Debug)]
pub(super) struct Limiter {
    buckets: Vec<Bucket>,
    refilled: Instant,
}

#[derive(Debug)]
struct Bucket {
    class: Class,
    /// Records a second.
    rate: u64,
    /// In units of which a record costs [`RECORD`].
    credit: u64,
}

impl Limiter {
    /// With these limits, in records a second; classes that are not named have none.
    pub(super) fn new(limits: &[(Class, u32)], now: Instant) -> Self {
        let bucket = |&(class, rate): &(Class, u32)| {
            let rate = u64::from(rate);
            Bucket { class, rate, credit: rate * RECORD }
        };
        Self { buckets: limits.iter().map(bucket).collect(), refilled: now }
    }

    /// Lets time pass: the clock is read once a turn, not once a record.
    pub(super) fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled).min(Duration::from_secs(1));
        self.refilled = self.refilled.max(now);
        // A second at most.
        let elapsed = elapsed.as_nanos() as u64;
        for bucket in &mut self.buckets {
            bucket.credit = (bucket.credit + elapsed * bucket.rate).min(bucket.rate * RECORD);
        }
    }

    /// Whether the record may go on. Records about losses always may: they stand for many.
    pub(super) fn admits(&mut self, record: &Record) -> bool {
        let class = record.body.class();
        let Some(bucket) = self.buckets.iter_mut().find(|bucket| bucket.class == class) else { return true };
        if matches!(record.body, Body::Loss(_)) {
            return true;
        }
        let rest = bucket.credit.checked_sub(RECORD);
        bucket.credit = rest.unwrap_or(bucket.credit);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{LossPlace, sample};

    fn admitted(limiter: &mut Limiter, records: u64) -> u64 {
        (0..records).filter(|_| limiter.admits(&sample::login("10001"))).count() as u64
    }

    #[test]
    fn a_second_of_records_may_come_at_once_and_no_more() {
        let start = Instant::now();
        let mut limiter = Limiter::new(&[(Class::Im, 3)], start);
        assert_eq!(admitted(&mut limiter, 5), 3);
        limiter.refill(start + Duration::from_millis(400));
        assert_eq!(admitted(&mut limiter, 5), 1, "0.4 s are 1.2 records");
        limiter.refill(start + Duration::from_millis(700));
        assert_eq!(admitted(&mut limiter, 5), 1, "and 0.2 were left");
        limiter.refill(start + Duration::from_secs(3600));
        assert_eq!(admitted(&mut limiter, 5), 3, "what is not used is not saved up");
    }

    #[test]
    fn other_classes_and_losses_are_not_limited() {
        let mut limiter = Limiter::new(&[(Class::Im, 1)], Instant::now());
        assert_eq!(admitted(&mut limiter, 2), 1);
        let loss = sample::loss(Class::Im, LossPlace::Worker(0), 3);
        assert!((0..100).all(|_| limiter.admits(&loss)));
        assert!((0..100).all(|_| limiter.admits(&sample::deny(sample::flow_v4()))));
    }

    proptest! {
        /// In any stretch of time no more goes through than the limit of it and a second's worth, and after a second of
        /// quiet no less than a second's worth.
        #[test]
        fn the_limit_holds_in_every_stretch(
            rate in 1_u32..50,
            steps in prop::collection::vec((0_u64..3_000, 0_u64..30), 1..60),
        ) {
            let start = Instant::now();
            let mut limiter = Limiter::new(&[(Class::Im, rate)], start);
            let mut now = 0;
            let mut through: Vec<(u64, u64)> = Vec::new();
            for (pause, records) in steps {
                now += pause;
                limiter.refill(start + Duration::from_millis(now));
                let count = admitted(&mut limiter, records);
                if pause >= 1_000 {
                    prop_assert_eq!(count, records.min(rate.into()), "a whole second fills it");
                }
                through.push((now, count));
            }
            for from in 0..through.len() {
                for to in from..through.len() {
                    let sum: u64 = through[from..=to].iter().map(|(_, count)| count).sum();
                    let elapsed = through[to].0 - through[from].0;
                    prop_assert!(sum * 1_000 <= u64::from(rate) * (elapsed + 1_000));
                }
            }
        }
    }
}
