//! What a worker counts: written by one core with plain stores, read by control at any time.

/// The counters of one worker.
#[derive(Debug, Default)]
pub struct Counters {}

impl Counters {
    /// Every counter by its name, in a fixed order, zeros included; drops are `drop_<reason>`.
    pub fn read(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}
