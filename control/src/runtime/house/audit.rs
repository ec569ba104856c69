//! The one door of the audit trail: what happened becomes a record here, and goes to whoever takes it.

use std::sync::Arc;

use super::House;
use crate::manage::Peer;
use crate::record::audit::{Occurrence, Subject, Via};

impl House {
    /// Records what happened. The number of the record.
    pub(super) fn audit(&mut self, occurrence: Occurrence) -> u64 {
        let record = Arc::new(self.recorder.audit(occurrence));
        (self.audit.events, self.audit.records) = (self.audit.events + 1, self.audit.records + 1);
        self.exporters.push(&record);
        record.sequence
    }
}

/// Who is at the other end of a connection to the management socket.
pub(super) fn subject(peer: Peer) -> Subject {
    Subject { uid: Some(peer.uid), pid: Some(peer.pid), via: Some(Via::Cli), ..Subject::default() }
}
