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
