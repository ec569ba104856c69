//! Messages on their way: one run of octets, and marks where each message ends.

use std::collections::VecDeque;

use super::kafka;

/// Written octets are cut off the front when they are this many.
const COMPACT: usize = 64 * 1024;

/// The messages that were encoded and are not wholly written.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    frame: Frame,
    bytes: Vec<u8>,
    written: usize,
    marks: VecDeque<Mark>,
}

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Each is a datagram, or says itself how long it is.
    Bare,
    /// `MSG-LEN SP` before each (RFC 6587, 3.4.1).
    OctetCounting,
    /// LF behind each (RFC 6587, 3.4.2).
    Lf,
    /// `TXNR SP syslog SP DATALEN SP` before each, LF behind it.
    Relp {
        /// The next transaction.
        next: u32,
    },
    /// How long it is, in 4 octets, before each: to our producer of Kafka.
    Length,
}

impl Frame {
    /// The transaction of the next message, at the begin of a connection on which each is answered.
    pub(super) fn transaction(self) -> Option<u32> {
        match self {
            Self::Relp { next } => Some(next),
            Self::Length => Some(kafka::FIRST_MESSAGE),
            Self::Bare | Self::OctetCounting | Self::Lf => None,
        }
    }
}

/// Transactions of RELP, and of Kafka's messages here, are numbered from 1 to this, and then from 1 again.
pub(super) const TRANSACTIONS: u32 = 999_999_999;

/// The end of a message.
#[derive(Clone, Copy, Debug)]
struct Mark {
    end: usize,
    /// Records of the backlog in it.
    records: usize,
    /// IPFIX data records in it, type information included.
    counted: u32,
    /// Octets of it, with what frames it.
    octets: usize,
}

/// Messages that were encoded and never wholly written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unsent {
    /// How many.
    pub messages: u64,
    /// IPFIX data records in them.
    pub counted: u32,
    /// Octets of them.
    pub octets: u64,
}

impl Outbox {
    /// For messages told apart like that.
    pub(super) fn new(frame: Frame) -> Self {
        Self { frame, bytes: Vec::new(), written: 0, marks: VecDeque::new() }
    }

    /// A connection begins, on which messages are told apart like that; nothing is in the outbox.
    pub(super) fn begin(&mut self, frame: Frame) {
        self.frame = frame;
    }

    /// How messages are told apart, and which transaction is next.
    pub(super) fn frame(&self) -> Frame {
        self.frame
    }

    /// Appends a message with that many records of the backlog, and IPFIX data records.
    pub(super) fn push(&mut self, records: usize, counted: u32, write: impl FnOnce(&mut Vec<u8>)) {
        /// Digits of the length of most messages; another length costs a move of its octets.
        const USUAL: usize = 3;
        let start = self.bytes.len();
        match &mut self.frame {
            Frame::Bare => write(&mut self.bytes),
            Frame::Lf => {
                write(&mut self.bytes);
                self.bytes.push(b'\n');
            }
            Frame::Length => {
                self.bytes.extend_from_slice(&[0; 4]);
                write(&mut self.bytes);
                let length = (self.bytes.len() - start - 4) as u32;
                self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
            }
            Frame::OctetCounting | Frame::Relp { .. } => {
                if let Frame::Relp { next } = &mut self.frame {
                    self.bytes.extend_from_slice(next.to_string().as_bytes());
                    self.bytes.extend_from_slice(b" syslog ");
                    *next = *next % TRANSACTIONS + 1;
                }
                let place = self.bytes.len();
                self.bytes.extend_from_slice(&[b' '; USUAL + 1]);
                write(&mut self.bytes);
                let length = (self.bytes.len() - place - USUAL - 1).to_string();
                self.bytes.splice(place..place + USUAL, length.bytes());
                if let Frame::Relp { .. } = self.frame {
                    self.bytes.push(b'\n');
                }
            }
        }
        debug_assert!(self.bytes.len() > start);
        self.marks.push_back(Mark { end: self.bytes.len(), records, counted, octets: self.bytes.len() - start });
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

    /// Forgets everything, and says what was not wholly written.
    pub(super) fn clear(&mut self) -> Unsent {
        self.bytes.clear();
        self.written = 0;
        self.marks.drain(..).fold(Unsent::default(), |sum, mark| Unsent {
            messages: sum.messages + 1,
            counted: sum.counted.wrapping_add(mark.counted),
            octets: sum.octets + mark.octets as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_when_the_last_octet_of_their_message_is_written() {
        let mut outbox = Outbox::new(Frame::Bare);
        outbox.push(2, 2, |out| out.extend_from_slice(b"abcd"));
        outbox.push(1, 1, |out| out.extend_from_slice(b"efg"));
        assert_eq!(outbox.datagram(), b"abcd");
        assert_eq!(outbox.advance(3), 0);
        assert_eq!(outbox.stream(), b"defg");
        assert_eq!(outbox.advance(1), 2);
        assert_eq!(outbox.datagram(), b"efg");
        assert_eq!(outbox.advance(1), 0);
        assert_eq!(outbox.clear(), Unsent { messages: 1, counted: 1, octets: 3 });
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn marks_survive_compaction() {
        let mut outbox = Outbox::new(Frame::Bare);
        (0..100).for_each(|_| outbox.push(1, 0, |out| out.resize(out.len() + 1_000, 0)));
        assert_eq!(outbox.advance(70_500), 70);
        assert_eq!(outbox.advance(500), 1);
        assert_eq!(outbox.advance(29_000), 29);
    }

    #[test]
    fn messages_are_framed() {
        let framed = |frame, messages: &[&str]| {
            let mut outbox = Outbox::new(frame);
            messages.iter().for_each(|message| outbox.push(1, 0, |out| out.extend_from_slice(message.as_bytes())));
            assert_eq!(outbox.clone().advance(outbox.len()), messages.len());
            String::from_utf8(outbox.stream().to_vec()).unwrap()
        };
        let (short, long) = ("a", "b".repeat(1_234));
        assert_eq!(framed(Frame::Length, &[short, "bc"]), "\0\0\0\x01a\0\0\0\x02bc");
        assert_eq!(framed(Frame::Lf, &[short, short]), "a\na\n");
        assert_eq!(framed(Frame::OctetCounting, &[short, &long, short]), format!("1 a1234 {long}1 a"));
        let relp = framed(Frame::Relp { next: TRANSACTIONS }, &[short, &long]);
        assert_eq!(relp, format!("999999999 syslog 1 a\n1 syslog 1234 {long}\n"));
    }
}
