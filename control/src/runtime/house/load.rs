//! How busy the workers are, from one look to the next.

/// How busy a worker, or the dispatcher, was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// Busy and idle cycles, when they were last looked at.
    seen: (u64, u64),
    /// Share of the busy ones between the last two looks.
    pub(super) percent: u8,
}

impl Load {
    /// Looks again, at busy and idle cycles in all.
    pub(super) fn look(&mut self, (busy, idle): (u64, u64)) {
        let (busy_now, idle_now) = (busy.saturating_sub(self.seen.0), idle.saturating_sub(self.seen.1));
        let all = busy_now.saturating_add(idle_now);
        if all > 0 {
            self.percent = (u128::from(busy_now) * 100 / u128::from(all)) as u8;
            self.seen = (busy, idle);
        }
    }
}
