//! What an exporter says of itself (RFC 7011, 4): how much it sent, and how many records it never will.

use dataplane::time::Nanos;

use super::encoder::{int, long};
use super::field::Specifier;

/// What was exported since the process began to: all that stands before the statement on this connection, and what was
/// written on those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Exported {
    pub messages: u64,
    pub records: u64,
    pub octets: u64,
}

/// Records that were given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotSent {
    /// How many.
    pub records: u64,
    /// When the first and the last were.
    pub span: (Nanos, Nanos),
}

/// How many fields of each template are scope (RFC 7011, 3.4.2.2).
pub(super) const SCOPES: u16 = 1;

/// Of what was exported: observationDomainId (the scope), exportedMessageTotalCount, exportedFlowRecordTotalCount,
/// exportedOctetTotalCount. Of what was not: exportingProcessId (the scope), notSentFlowTotalCount, and twice
/// observationTimeMilliseconds, of the first and of the last (RFC 7011, 4.3). Packets and octets not sent are those of the
/// traffic that the records tell of: most kinds of record tell of none, and those that a spool gave up are known by number
/// only, so that the sums would be of no use.
pub(super) const TEMPLATES: &[(u16, &[Specifier]); 2] = &[
    (257, &[(None, 149, 4), (None, 41, 8), (None, 42, 8), (None, 40, 8)]),
    (258, &[(None, 144, 4), (None, 166, 8), (None, 323, 8), (None, 323, 8)]),
];

impl Exported {
    pub(super) fn write(self, out: &mut Vec<u8>, domain: u32) {
        int(out, domain);
        [self.messages, self.records, self.octets].into_iter().for_each(|count| long(out, count));
    }
}

impl NotSent {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        int(out, std::process::id());
        long(out, self.records);
        long(out, self.span.0.millis());
        long(out, self.span.1.millis());
    }
}
