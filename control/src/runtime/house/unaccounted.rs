//! What the run before this one took with it when it was killed.

use super::House;

impl House {
    /// Tells each log host how many records for it were in memory only.
    pub(in super::super) fn tell_unaccounted(&mut self) {
        for (host, loss) in self.exporters.unaccounted() {
            let record = self.recorder.noticed(loss);
            self.put_for(&host, record);
        }
    }
}
