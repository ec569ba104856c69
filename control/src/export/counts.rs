//! What became of the records of one class at one host, and the law that binds the numbers.

/// Why records were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The queue was full, and nothing of a lower rank was in it.
    QueueFull,
    /// The spool had no room.
    SpoolFull,
    /// Too old to be kept in the spool any longer.
    SpoolAge,
    /// Unreadable in the spool.
    SpoolCorrupt,
    /// Above the rate limit of its class.
    Suppressed,
    /// The host's format cannot tell it.
    Uncarried,
    /// The host answered so often that it does not take it.
    Refused,
    /// Not delivered when the process stopped.
    Shutdown,
}

impl Cause {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All.
    pub const ALL: [Self; 8] = [
        Self::QueueFull,
        Self::SpoolFull,
        Self::SpoolAge,
        Self::SpoolCorrupt,
        Self::Suppressed,
        Self::Uncarried,
        Self::Refused,
        Self::Shutdown,
    ];

    /// In the words of records and of `show`.
    pub fn text(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::SpoolFull => "spool-full",
            Self::SpoolAge => "spool-age",
            Self::SpoolCorrupt => "spool-corrupt",
            Self::Suppressed => "suppressed",
            Self::Uncarried => "uncarried",
            Self::Refused => "refused",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The counters of one class at one host, since start.
///
/// Always: `generated + recovered = acknowledged + dropped + queued + spooled + handed_over` ([`Self::holds`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that were for this host.
    pub generated: u64,
    /// Found in the spool at start, from an earlier run.
    pub recovered: u64,
    /// Wholly written, once each.
    pub sent: u64,
    /// Taken by the host, as far as its transport can tell.
    pub acknowledged: u64,
    /// Written again, on top of `sent`.
    pub resent: u64,
    /// In memory: waiting, partly written, or not acknowledged.
    pub queued: u64,
    /// Of `queued`: wholly written, and not acknowledged.
    pub unacknowledged: u64,
    /// On disk, and not acknowledged.
    pub spooled: u64,
    /// Ever put on disk.
    pub spooled_ever: u64,
    /// Given to another host of the group.
    pub handed_over: u64,
    /// Given up, by [`Cause`] in the order of [`Cause::ALL`]; said to the host in band.
    pub dropped: [u64; Cause::COUNT],
    /// Records about losses that were written; in none of the counters above.
    pub losses_said: u64,
    /// Answers of the host that it does not take a record; the record is tried again.
    pub refused: u64,
}

impl Counts {
    /// Given up, for whatever cause.
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Given up for that cause.
    pub fn dropped_by(&self, cause: Cause) -> u64 {
        self.dropped[cause as usize]
    }

    /// Counts records given up.
    pub(super) fn drop_by(&mut self, cause: Cause, records: u64) {
        self.dropped[cause as usize] += records;
    }

    /// Whether every record is accounted for.
    pub fn holds(&self) -> bool {
        self.generated + self.recovered
            == self.acknowledged + self.dropped() + self.queued + self.spooled + self.handed_over
            && self.unacknowledged <= self.queued
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_counted_apart() {
        let mut counts = Counts { generated: 8, ..Counts::default() };
        assert!(!counts.holds());
        Cause::ALL.into_iter().for_each(|cause| counts.drop_by(cause, 1));
        assert!(Cause::ALL.into_iter().all(|cause| counts.dropped_by(cause) == 1));
        assert_eq!((counts.dropped(), counts.holds()), (8, true));
    }
}
