//! What the table counts.

use dataplane::access::Source;

use super::AccessAction;

/// What became of the events of access users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessTally {
    /// By source, in the order of [`Source::ALL`].
    sources: [SourceTally; Source::ALL.len()],
    /// Users who gave way to others as the table was full.
    pub evicted: u64,
    /// Users who are not followed as the table was full.
    pub refused: u64,
    /// Messages about a sign-on that is not known: told by nobody.
    pub unknown: u64,
    /// Messages that came twice, or after those that end what they begin.
    pub repeated: u64,
    /// Refusals of an address that nobody was seen to ask for.
    pub unasked: u64,
    /// Sign-ons of whom another source had told already: the same person at the same address.
    pub merged: u64,
}

/// What a source told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceTally {
    /// Users who signed on.
    pub logins: u64,
    /// Users who signed off.
    pub logouts: u64,
    /// Users who were signed on already.
    pub seen: u64,
    /// Users who were let in.
    pub successes: u64,
    /// Users who were refused.
    pub failures: u64,
}

impl AccessTally {
    /// Of a source.
    pub fn of(&self, source: Source) -> SourceTally {
        self.sources[source as usize]
    }

    /// Of all sources of a name: what is told to the firewall itself is RADIUS too.
    pub fn named(&self, name: &str) -> SourceTally {
        let of_name = Source::ALL.into_iter().filter(|source| source.name() == name);
        of_name.map(|source| self.of(source)).fold(SourceTally::default(), SourceTally::and)
    }

    /// What was counted since it was `before`.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            sources: std::array::from_fn(|at| self.sources[at].since(before.sources[at])),
            evicted: self.evicted - before.evicted,
            refused: self.refused - before.refused,
            unknown: self.unknown - before.unknown,
            repeated: self.repeated - before.repeated,
            unasked: self.unasked - before.unasked,
            merged: self.merged - before.merged,
        }
    }

    pub(super) fn count(&mut self, source: Source, action: AccessAction) {
        let tally = &mut self.sources[source as usize];
        let counter = match action {
            AccessAction::Login => &mut tally.logins,
            AccessAction::Logout => &mut tally.logouts,
            AccessAction::Seen => &mut tally.seen,
            AccessAction::Result { success: true } => &mut tally.successes,
            AccessAction::Result { success: false } => &mut tally.failures,
        };
        *counter += 1;
    }
}

impl SourceTally {
    fn and(self, other: Self) -> Self {
        Self {
            logins: self.logins + other.logins,
            logouts: self.logouts + other.logouts,
            seen: self.seen + other.seen,
            successes: self.successes + other.successes,
            failures: self.failures + other.failures,
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            logins: self.logins - before.logins,
            logouts: self.logouts - before.logouts,
            seen: self.seen - before.seen,
            successes: self.successes - before.successes,
            failures: self.failures - before.failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_firewall_itself_is_told_counts_as_radius() {
        let mut tally = AccessTally::default();
        tally.count(Source::Radius, AccessAction::Login);
        tally.count(Source::Receiver, AccessAction::Logout);
        let before = tally;
        tally.count(Source::Receiver, AccessAction::Result { success: false });
        tally.count(Source::Dhcp, AccessAction::Seen);
        let radius = SourceTally { logins: 1, logouts: 1, failures: 1, ..SourceTally::default() };
        assert_eq!((tally.named("radius"), tally.named("dhcp").seen), (radius, 1));
        let since = tally.since(&before).named("radius");
        assert_eq!(since, SourceTally { failures: 1, ..SourceTally::default() });
    }
}
