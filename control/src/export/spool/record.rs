//! A record on disk: a head of 56 octets, then what is written to the host. All integers are big-endian.
//!
//! | octets | what |
//! |---|---|
//! | 0–3 | `OSre` |
//! | 4–7 | octets of the payload, at most 65,535 |
//! | 8–15 | ordinal: counts the records of this spool |
//! | 16–23, 24–31 | boot and sequence of the record |
//! | 32–39 | when it happened, nanoseconds since 1970 |
//! | 40, 41, 42, 43 | class, rank, flags (1: made at this host, 2: acknowledged before), 0 |
//! | 44–45, 46–47 | IPFIX template or 0, 0 |
//! | 48–51 | CRC32C of the payload |
//! | 52–55 | CRC32C of octets 4–51 |
//!
//! The head has a sum of its own: a payload that rotted can still be named, its length is known, and the search for the
//! next record behind a head that rotted looks at each octet once.

use crc32c::crc32c;
use dataplane::time::Nanos;

use super::super::owed::{Payload, Rank};
use crate::record::{BootId, Class};

/// Octets before the payload.
pub const HEAD: usize = 56;

/// Longest payload.
pub const MAX_PAYLOAD: usize = 65_535;

/// Begins a record.
const MAGIC: [u8; 4] = *b"OSre";

/// Made at this host, to say a loss.
const OWN: u8 = 1;
/// Acknowledged before.
const AGAIN: u8 = 2;

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Octets of the payload.
    pub length: usize,
    /// Its place in the spool.
    pub ordinal: u64,
    /// The run that made the record.
    pub boot: BootId,
    /// Its number in that run.
    pub sequence: u64,
    /// When it happened.
    pub time: Nanos,
    /// Its class.
    pub class: Class,
    /// Its rank.
    pub rank: Rank,
    /// Made at this host, to say a loss.
    pub own: bool,
    /// Was acknowledged before it was kept.
    pub again: bool,
    /// IPFIX template; 0 of text.
    pub template: u16,
    /// CRC32C of the payload.
    sum: u32,
}

/// What some octets begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A record, whole and good: `HEAD + length` octets.
    Record(Head),
    /// A good head, and a payload that is not what it was: `HEAD + length` octets.
    Spoiled(Head),
    /// So many octets that are no record; at least 1.
    Garbage(usize),
    /// Less than a head, or a good head and less than its payload.
    Short,
}

impl Head {
    /// Of a payload at this place.
    fn of(payload: &Payload, ordinal: u64) -> Self {
        let Payload { boot, sequence, time, class, rank, template, own, again, .. } = *payload;
        let (length, sum) = (payload.octets.len(), crc32c(&payload.octets));
        Self { length, ordinal, boot, sequence, time, class, rank, own, again, template, sum }
    }

    /// The record again.
    pub fn payload(&self, octets: &[u8]) -> Payload {
        let Self { boot, sequence, time, class, rank, template, own, again, .. } = *self;
        Payload { boot, sequence, time, class, rank, template, own, again, octets: octets.into() }
    }

    /// Whether it is one of the records that are counted.
    pub fn counts(&self) -> bool {
        !self.own && !self.again
    }

    fn write(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&(self.length as u32).to_be_bytes());
        for number in [self.ordinal, self.boot.0, self.sequence, self.time.0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        let flags = if self.own { OWN } else { 0 } | if self.again { AGAIN } else { 0 };
        out.extend_from_slice(&[class_code(self.class), self.rank as u8, flags, 0]);
        out.extend_from_slice(&self.template.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.sum.to_be_bytes());
        let sum = crc32c(&out[begin + MAGIC.len()..]);
        out.extend_from_slice(&sum.to_be_bytes());
    }

    /// None where the octets are no head.
    fn read(octets: &[u8; HEAD]) -> Option<Self> {
        if octets[..4] != MAGIC || crc32c(&octets[4..52]) != be32(&octets[52..]) {
            return None;
        }
        let length = be32(&octets[4..8]) as usize;
        let (class, rank) = (class_of(octets[40])?, *Rank::ALL.get(usize::from(octets[41]))?);
        let known = length <= MAX_PAYLOAD && octets[42] & !(OWN | AGAIN) == 0;
        known.then(|| Self {
            length,
            ordinal: be64(&octets[8..16]),
            boot: BootId(be64(&octets[16..24])),
            sequence: be64(&octets[24..32]),
            time: Nanos(be64(&octets[32..40])),
            class,
            rank,
            own: octets[42] & OWN != 0,
            again: octets[42] & AGAIN != 0,
            template: u16::from_be_bytes([octets[44], octets[45]]),
            sum: be32(&octets[48..52]),
        })
    }
}

/// Appends a record; a payload longer than [`MAX_PAYLOAD`] is cut there, which no encoder of ours makes. Its head.
pub fn write(payload: &Payload, ordinal: u64, out: &mut Vec<u8>) -> Head {
    debug_assert!(payload.octets.len() <= MAX_PAYLOAD);
    let head = Head::of(payload, ordinal);
    head.write(out);
    out.extend_from_slice(&payload.octets);
    head
}

/// What `octets` begin with. Never looks further than it has to, and never at an octet of garbage twice.
pub fn step(octets: &[u8]) -> Step {
    let Some((first, rest)) = octets.split_first_chunk::<HEAD>() else { return Step::Short };
    let Some(head) = Head::read(first) else {
        // What begins with a part of the magic may go on behind the end.
        let next = octets[1..].windows(MAGIC.len()).position(|window| window == MAGIC);
        return Step::Garbage(next.map_or(octets.len() - MAGIC.len() + 1, |next| next + 1));
    };
    match rest.get(..head.length) {
        None => Step::Short,
        Some(payload) if crc32c(payload) == head.sum => Step::Record(head),
        Some(_) => Step::Spoiled(head),
    }
}

/// Whether garbage begins as a record does.
pub(super) fn begins_as_record(octets: &[u8]) -> bool {
    octets.starts_with(&MAGIC)
}

/// The head of a record whose payload is cut off, where it can be read.
pub(super) fn cut_head(octets: &[u8]) -> Option<Head> {
    octets.first_chunk::<HEAD>().and_then(Head::read)
}

/// On disk, for good: not the order of [`Class::ALL`], which may change.
pub(super) fn class_code(class: Class) -> u8 {
    match class {
        Class::Session => 0,
        Class::Im => 1,
        Class::Attack => 2,
        Class::Access => 3,
        Class::CallStatus => 4,
        Class::Audit => 5,
    }
}

/// The class of a code.
pub(super) fn class_of(code: u8) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class_code(*class) == code)
}

/// Of 4 octets, at least.
pub(super) fn be32(octets: &[u8]) -> u32 {
    octets.first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets))
}

/// Of 8 octets, at least.
pub(super) fn be64(octets: &[u8]) -> u64 {
    octets.first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A record with that number, of a class and of a length that differ from one to the next.
    pub(in super::super) fn payload(sequence: u64) -> Payload {
        let class = Class::ALL[sequence as usize % Class::ALL.len()];
        let octets = format!("<134>1 record {sequence} {}", "x".repeat(sequence as usize % 37)).into_bytes();
        Payload {
            boot: BootId(7),
            sequence,
            time: Nanos(1_000 + sequence),
            class,
            rank: Rank::Access,
            template: 0,
            own: false,
            again: false,
            octets: octets.into(),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut payload = payload(9);
        for (own, again, template, rank) in [(false, false, 0, Rank::Create), (true, true, 278, Rank::Audit)] {
            (payload.own, payload.again, payload.template, payload.rank) = (own, again, template, rank);
            let mut out = b"before".to_vec();
            let head = write(&payload, 0x0102_0304_0506_0708, &mut out);
            let Step::Record(read) = step(&out[6..]) else { panic!("{:?}", step(&out[6..])) };
            assert_eq!((read, read.ordinal), (head, 0x0102_0304_0506_0708));
            assert_eq!(read.payload(&out[6 + HEAD..]), payload);
            assert_eq!(out.len(), 6 + HEAD + payload.octets.len());
        }
    }

    #[test]
    fn classes_keep_their_codes() {
        let codes: Vec<u8> = Class::ALL.map(class_code).to_vec();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5]);
        assert!(Class::ALL.into_iter().all(|class| class_of(class_code(class)) == Some(class)));
        assert_eq!(class_of(6), None);
        assert!(Rank::ALL.iter().enumerate().all(|(at, rank)| *rank as usize == at));
    }

    #[test]
    fn each_octet_that_rots_is_seen() {
        let mut good = Vec::new();
        let head = write(&payload(36), 5, &mut good);
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut octets = good.clone();
                octets[at] ^= 1 << bit;
                match step(&octets) {
                    Step::Spoiled(read) => assert!(at >= HEAD && read == head, "{at}"),
                    Step::Garbage(_) => assert!(at < HEAD, "{at}"),
                    other => panic!("octet {at}: {other:?}"),
                }
            }
        }
        assert!((0..good.len()).all(|end| step(&good[..end]) == Step::Short));
    }

    proptest! {
        /// The twin reads from every place there is.
        #[test]
        fn no_record_behind_garbage_is_missed(garbage in prop::collection::vec(any::<u8>(), 0..200), magics in 0..3_usize) {
            let mut octets = garbage;
            (0..magics).for_each(|_| octets.extend_from_slice(&MAGIC));
            octets.extend_from_slice(b"OS");
            let begin = octets.len();
            let head = write(&payload(3), 3, &mut octets);
            let slow = (0..octets.len()).find(|at| matches!(step(&octets[*at..]), Step::Record(_)));
            prop_assert_eq!(slow, Some(begin));
            let mut at = 0;
            let found = loop {
                match step(&octets[at..]) {
                    Step::Garbage(count) => { prop_assert!(count > 0); at += count; }
                    other => break other,
                }
            };
            prop_assert_eq!((at, found), (begin, Step::Record(head)));
        }

        #[test]
        fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut at = 0;
            while let Step::Garbage(count) = step(&octets[at..]) {
                prop_assert!(count > 0 && at + count <= octets.len());
                at += count;
            }
        }
    }
}
