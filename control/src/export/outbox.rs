//! Messages on their way: one run of octets, and marks where each message ends.

use std::collections::VecDeque;

/// Written octets are cut off the front when they are this many.
const COMPACT: usize = 64 * 1024;

/// The messages that were encoded and are not wholly written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    marks: VecDeque<Mark>,
}

/// The end of a message.
#[derive(Clone, Copy, Debug)]
struct Mark {
    end: usize,
    /// Records of the backlog in it.
    records: usize,
    /// IPFIX data records in it, type information included.
    counted: u32,
}

impl Outbox {
    /// Appends a message with that many records of the backlog, and IPFIX data records.
    pub(super) fn push(&mut self, records: usize, counted: u32, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.marks.push_back(Mark { end: self.bytes.len(), records, counted });
    }

    /// All that is not written.
    pub(super) fn stream(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// The first message; whole, as datagrams are never partly written.
    pub(super) fn datagram(&self) -> &[u8] {
        &self.bytes[self.written..self.marks.front().map_or(self.written, |mark| mark.end)]
    }

    /// `octets` more are written: how many records are wholly written by that.
    pub(super) fn advance(&mut self, octets: usize) -> usize {
        self.written += octets;
        let mut records = 0;
        while let Some(mark) = self.marks.front().filter(|mark| mark.end <= self.written) {
            records += mark.records;
            self.marks.pop_front();
        }
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        } else if self.written >= COMPACT {
            self.bytes.drain(..self.written);
            self.marks.iter_mut().for_each(|mark| mark.end -= self.written);
            self.written = 0;
        }
        records
    }

    /// How many octets are not written.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Forgets everything: how many IPFIX data records were in what was not wholly written.
    pub(super) fn clear(&mut self) -> u32 {
        self.bytes.clear();
        self.written = 0;
        self.marks.drain(..).map(|mark| mark.counted).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_when_the_last_octet_of_their_message_is_written() {
        let mut outbox = Outbox::default();
        outbox.push(2, 2, |out| out.extend_from_slice(b"abcd"));
        outbox.push(1, 1, |out| out.extend_from_slice(b"efg"));
        assert_eq!(outbox.datagram(), b"abcd");
        assert_eq!(outbox.advance(3), 0);
        assert_eq!(outbox.stream(), b"defg");
        assert_eq!(outbox.advance(1), 2);
        assert_eq!(outbox.datagram(), b"efg");
        assert_eq!(outbox.clear(), 1);
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn marks_survive_compaction() {
        let mut outbox = Outbox::default();
        (0..100).for_each(|_| outbox.push(1, 0, |out| out.resize(out.len() + 1_000, 0)));
        assert_eq!(outbox.advance(70_500), 70);
        assert_eq!(outbox.advance(500), 1);
        assert_eq!(outbox.advance(29_000), 29);
    }
}
