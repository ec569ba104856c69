//! DNS messages (RFC 1035, 4): what was asked, and which addresses the answer gives.
//!
//! A view; only names are copied, out of their compressed form. The work on one message is bounded: names are at most 255
//! octets long and each pointer goes backwards, and no more than [`MOST_RECORDS`] records are looked at.

use std::hash::BuildHasher;

use arrayvec::ArrayVec;

/// A name as text: labels with dots between, no dot at the end; empty for the root.
pub type Name = ArrayVec<u8, 253>;

/// Answer records that are looked at.
pub const MOST_RECORDS: usize = 64;
/// Names of a message that are told: the one asked for and those it is an alias of.
pub const MOST_NAMES: usize = 8;

const HEADER: usize = 12;
/// Pointers that one name may follow.
const JUMPS: usize = 16;
/// Record types (IANA, DNS Resource Record TYPEs).
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const HTTPS: u16 = 65;
/// The class of the Internet; its first bit has another meaning in multicast DNS (RFC 6762, 10.2).
const INTERNET: u16 = 1;
const CLASS_BITS: u16 = 0x7fff;

/// A message with a question.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    octets: &'a [u8],
    /// Behind the first question.
    answers_at: usize,
    questions: u16,
    answers: u16,
    /// What answers are told apart by.
    pub id: u16,
    /// Whether it answers.
    pub response: bool,
    /// Result; 0 is success (RFC 1035, 4.1.1).
    pub code: u8,
    /// The type asked for.
    pub kind: u16,
}

/// The questions of a flow that wait for their answers: what was not asked is not believed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Prints of identifier, type and name; zero where there is none.
    prints: [u32; 4],
    next: u8,
}

/// An address in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// IPv6, or IPv4 mapped into it (RFC 4291, 2.5.5.2).
    pub octets: [u8; 16],
    /// How long it may be used.
    pub seconds: u32,
}

/// Reads a message's header and first question. None where it is no such message: a server would refuse it too.
pub fn look(octets: &[u8]) -> Option<Message<'_>> {
    let header: &[u8; HEADER] = octets.first_chunk()?;
    let number = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (flags, questions, answers) = (number(2), number(4), number(6));
    let response = flags & 0x8000 != 0;
    let operation = flags >> 11 & 15;
    // Query, inverse query, status, notify, update, stateful operations; the bit behind them is zero (RFC 1035, 4.1.1).
    if operation > 6 || flags & 0x0040 != 0 || !(1..=4).contains(&questions) || (!response && flags & 15 != 0) {
        return None;
    }
    if !response && operation == 0 && (answers != 0 || number(10) > 8) {
        return None;
    }
    let behind = skip_name(octets, HEADER)?;
    let question = octets.get(behind..behind + 4)?;
    let (kind, class) =
        (u16::from_be_bytes([question[0], question[1]]), u16::from_be_bytes([question[2], question[3]]));
    if kind == 0 || !matches!(class & CLASS_BITS, INTERNET | 3 | 4 | 254 | 255) {
        return None;
    }
    Some(Message {
        octets,
        answers_at: behind + 4,
        questions,
        answers,
        id: number(0),
        response,
        code: (flags & 15) as u8,
        kind,
    })
}

impl<'a> Message<'a> {
    /// The name asked for.
    pub fn question(&self) -> Option<Name> {
        read_name(self.octets, HEADER)
    }

    /// The name asked for and, in an answer, those that it is an alias of; at most [`MOST_NAMES`].
    pub fn names(&self) -> impl Iterator<Item = Name> + use<'a> {
        let octets = self.octets;
        let aliases = self.records().filter(|record| record.kind == CNAME);
        let aliases = aliases.filter_map(move |record| read_name(octets, record.data_at));
        self.question().into_iter().chain(aliases).take(MOST_NAMES)
    }

    /// The addresses that an answer without error gives, whatever aliases lie between; hints of HTTPS records too
    /// (RFC 9460, 7.3).
    pub fn addresses(&self) -> impl Iterator<Item = Address> + use<'a> {
        let useful = self.response && self.code == 0;
        self.records().take(if useful { MOST_RECORDS } else { 0 }).flat_map(|record| record.addresses())
    }

    fn records(&self) -> Records<'a> {
        let mut at = Some(self.answers_at);
        for _ in 1..self.questions {
            at = at.and_then(|at| skip_name(self.octets, at)).map(|at| at + 4);
        }
        Records { octets: self.octets, at: at.unwrap_or(usize::MAX), left: usize::from(self.answers).min(MOST_RECORDS) }
    }
}

/// A resource record.
struct Record<'a> {
    kind: u16,
    class: u16,
    seconds: u32,
    data: &'a [u8],
    data_at: usize,
}

impl<'a> Record<'a> {
    fn addresses(&self) -> ArrayVec<Address, 8> {
        let mut found = ArrayVec::<[u8; 16], 8>::new();
        if self.class & CLASS_BITS != INTERNET {
            return ArrayVec::new();
        }
        match self.kind {
            A => found.extend(mapped(self.data)),
            AAAA => found.extend(self.data.try_into().ok()),
            HTTPS => found.extend(self.hints().unwrap_or_default()),
            _ => {}
        }
        let seconds = self.seconds;
        found.into_iter().map(|octets| Address { octets, seconds }).collect()
    }

    /// Addresses that a service's parameters give; none of a record that only points to another (RFC 9460, 2.1).
    fn hints(&self) -> Option<ArrayVec<[u8; 16], 8>> {
        let mut found = ArrayVec::new();
        let priority = self.data.first_chunk::<2>()?;
        let mut rest = self.data.get(skip_name(self.data, 2)?..)?;
        while let (true, Some((header, value))) = (*priority != [0, 0], rest.split_first_chunk::<4>()) {
            let (value, next) = value.split_at_checked(usize::from(u16::from_be_bytes([header[2], header[3]])))?;
            rest = next;
            let (size, kind) = (found.remaining_capacity(), u16::from_be_bytes([header[0], header[1]]));
            match kind {
                4 => found.extend(value.chunks_exact(4).filter_map(mapped).take(size)),
                6 => found.extend(value.chunks_exact(16).filter_map(|six| six.try_into().ok()).take(size)),
                _ => {}
            }
        }
        Some(found)
    }
}

/// IPv4 as IPv6 has it.
fn mapped(four: &[u8]) -> Option<[u8; 16]> {
    let four: [u8; 4] = four.try_into().ok()?;
    Some(std::net::Ipv4Addr::from(four).to_ipv6_mapped().octets())
}

impl Asked {
    /// Keeps a question; the oldest of four gives way.
    pub fn ask(&mut self, message: &Message<'_>) {
        if let (false, Some(print)) = (message.response, print(message)) {
            if let Some(place) = self.prints.get_mut(usize::from(self.next)) {
                *place = print;
            }
            self.next = (self.next + 1) % 4;
        }
    }

    /// Whether a message answers one of them, which it then did.
    pub fn answers(&mut self, message: &Message<'_>) -> bool {
        let (true, Some(print)) = (message.response, print(message)) else { return false };
        let open = self.prints.iter_mut().find(|open| **open == print);
        open.map(|open| *open = 0).is_some()
    }
}

/// Clients may write names in any case, and get them back so.
fn print(message: &Message<'_>) -> Option<u32> {
    let mut name = message.question()?;
    name.make_ascii_lowercase();
    let hash = foldhash::fast::FixedState::default().hash_one((message.id, message.kind, &name[..]));
    Some(hash as u32 | 1)
}

struct Records<'a> {
    octets: &'a [u8],
    at: usize,
    left: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        self.left = self.left.checked_sub(1)?;
        let behind = skip_name(self.octets, self.at)?;
        let fixed: &[u8; 10] = self.octets.get(behind..)?.first_chunk()?;
        let data_at = behind + 10;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let data = self.octets.get(data_at..data_at + length)?;
        self.at = data_at + length;
        Some(Record {
            kind: u16::from_be_bytes([fixed[0], fixed[1]]),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            seconds: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            data,
            data_at,
        })
    }
}

/// A part of a name.
enum Part<'a> {
    Label(&'a [u8]),
    Pointer(usize),
    End,
}

fn part(octets: &[u8], at: usize) -> Option<Part<'_>> {
    let length = *octets.get(at)?;
    match length >> 6 {
        0 if length == 0 => Some(Part::End),
        0 => Some(Part::Label(octets.get(at + 1..at + 1 + usize::from(length))?)),
        3 => Some(Part::Pointer(usize::from(length & 0x3f) << 8 | usize::from(*octets.get(at + 1)?))),
        _ => None,
    }
}

/// The place behind a name.
fn skip_name(octets: &[u8], mut at: usize) -> Option<usize> {
    // A name of 255 octets has at most 127 labels (RFC 1035, 2.3.4).
    for _ in 0..128 {
        match part(octets, at)? {
            Part::Label(label) => at += 1 + label.len(),
            Part::Pointer(_) => return Some(at + 2),
            Part::End => return Some(at + 1),
        }
    }
    None
}

fn read_name(octets: &[u8], mut at: usize) -> Option<Name> {
    let mut name = Name::new();
    let mut jumps = 0;
    loop {
        match part(octets, at)? {
            Part::Label(label) => {
                if !name.is_empty() {
                    name.try_push(b'.').ok()?;
                }
                name.try_extend_from_slice(label).ok()?;
                at += 1 + label.len();
            }
            // To a prior occurrence only (RFC 1035, 4.1.4): it ends.
            Part::Pointer(to) if to < at && jumps < JUMPS => {
                at = to;
                jumps += 1;
            }
            Part::Pointer(_) => return None,
            Part::End => return Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(name: &str) -> Vec<u8> {
        let mut octets: Vec<u8> =
            name.split('.').flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat()).collect();
        octets.push(0);
        octets
    }

    fn message(flags: u16, counts: [u16; 4], sections: &[&[u8]]) -> Vec<u8> {
        let mut octets = vec![0xca, 0xfe];
        octets.extend(flags.to_be_bytes());
        octets.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
        sections.iter().for_each(|section| octets.extend(*section));
        octets
    }

    fn question(name: &str, kind: u8) -> Vec<u8> {
        [text(name), vec![0, kind, 0, 1]].concat()
    }

    fn record(owner: &[u8], kind: u8, seconds: u32, data: &[u8]) -> Vec<u8> {
        let mut octets = [owner, &[0, kind, 0, 1]].concat();
        octets.extend(seconds.to_be_bytes());
        octets.extend((data.len() as u16).to_be_bytes());
        octets.extend(data);
        octets
    }

    fn names(message: &Message<'_>) -> Vec<String> {
        message.names().map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
    }

    fn four(last: u8) -> [u8; 16] {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last]
    }

    /// The names of RFC 1035, 4.1.4, at their places: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, ARPA at 64, the root at 92.
    #[test]
    fn names_are_compressed_as_the_rfc_shows() {
        let mut octets = vec![0; 93];
        octets[20..32].copy_from_slice(b"\x01F\x03ISI\x04ARPA\0");
        octets[40..46].copy_from_slice(b"\x03FOO\xc0\x14");
        octets[64..66].copy_from_slice(b"\xc0\x1a");
        let name = |at| read_name(&octets, at).map(|name| String::from_utf8(name.to_vec()).unwrap());
        assert_eq!(name(20).as_deref(), Some("F.ISI.ARPA"));
        assert_eq!(name(40).as_deref(), Some("FOO.F.ISI.ARPA"));
        assert_eq!(name(64).as_deref(), Some("ARPA"));
        assert_eq!(name(92).as_deref(), Some(""));
        assert_eq!((skip_name(&octets, 40), skip_name(&octets, 64)), (Some(46), Some(66)));
    }

    #[test]
    fn a_question_is_read() {
        let octets = message(0x0100, [1, 0, 0, 1], &[&question("web.example", 1), &record(&[0], 41, 0, &[])]);
        let query = look(&octets).unwrap();
        assert_eq!(
            (query.id, query.response, query.kind, names(&query)),
            (0xcafe, false, 1, vec!["web.example".into()])
        );
        assert_eq!(query.addresses().count(), 0);
    }

    #[test]
    fn an_answer_gives_addresses_behind_aliases() {
        let alias = record(&[0xc0, 12], 5, 60, &[3, b'c', b'd', b'n', 0xc0, 16]);
        let octets = message(
            0x8180,
            [1, 4, 0, 0],
            &[
                &question("web.example", 1),
                &alias,
                &record(&text("cdn.example"), 1, 30, &[192, 0, 2, 7]),
                &record(&text("cdn.example"), 28, 40, &[0x20; 16]),
                &record(&text("cdn.example"), 1, 30, &[192, 0, 2]),
            ],
        );
        let answer = look(&octets).unwrap();
        assert_eq!(names(&answer), ["web.example", "cdn.example"]);
        let addresses: Vec<_> = answer.addresses().collect();
        let six = Address { octets: [0x20; 16], seconds: 40 };
        assert_eq!(addresses, [Address { octets: four(7), seconds: 30 }, six]);
        let refused = [&octets[..3], &[0x83], &octets[4..]].concat();
        assert_eq!(look(&refused).unwrap().addresses().count(), 0);
    }

    #[test]
    fn an_https_record_gives_its_hints() {
        let service =
            [&[0, 1, 0][..], &[0, 1, 0, 3, 2, b'h', b'2'], &[0, 4, 0, 8, 192, 0, 2, 1, 192, 0, 2, 2]].concat();
        let octets =
            message(0x8180, [1, 1, 0, 0], &[&question("web.example", 65), &record(&[0xc0, 12], 65, 9, &service)]);
        let addresses: Vec<_> = look(&octets).unwrap().addresses().collect();
        assert_eq!(addresses, [1, 2].map(|last| Address { octets: four(last), seconds: 9 }));
    }

    #[test]
    fn names_that_never_end_are_refused() {
        let mut octets = message(0x0100, [1, 0, 0, 0], &[&[0xc0, 12, 0, 1, 0, 1]]);
        assert!(look(&octets).unwrap().question().is_none()); // points to itself
        octets[13] = 14;
        assert!(look(&octets).unwrap().question().is_none()); // points ahead
        let long = message(0x0100, [1, 0, 0, 0], &[&[[3, b'a', b'b', b'c']; 100].concat(), &[0, 0, 1, 0, 1]]);
        assert!(look(&long).unwrap().question().is_none()); // longer than a name may be
    }

    #[test]
    fn only_what_was_asked_is_answered() {
        let query = message(0x0100, [1, 0, 0, 0], &[&question("Web.Example", 1)]);
        let mut answer = message(0x8180, [1, 0, 0, 0], &[&question("web.example", 1)]);
        let mut asked = Asked::default();
        assert!(!asked.answers(&look(&answer).unwrap()));
        asked.ask(&look(&query).unwrap());
        assert!(!asked.answers(&look(&query).unwrap()));
        answer[0] ^= 1;
        assert!(!asked.answers(&look(&answer).unwrap()));
        answer[0] ^= 1;
        assert!(asked.answers(&look(&answer).unwrap()));
        assert!(!asked.answers(&look(&answer).unwrap()));
    }

    #[test]
    fn other_datagrams_are_not_dns() {
        assert!(look(&[]).is_none());
        assert!(look(&message(0x0100, [0, 0, 0, 0], &[&question("web.example", 1)])).is_none());
        assert!(look(&message(0x0140, [1, 0, 0, 0], &[&question("web.example", 1)])).is_none());
        assert!(look(&message(0x3800, [1, 0, 0, 0], &[&question("web.example", 1)])).is_none());
        assert!(look(&message(0x0100, [1, 1, 0, 0], &[&question("web.example", 1)])).is_none());
        assert!(look(&message(0x0100, [1, 0, 0, 0], &[&[0x40, 1, 0, 1, 0, 1]])).is_none());
        assert!(look(&message(0x0100, [1, 0, 0, 0], &[&text("web.example"), &[0, 1, 0, 9]])).is_none());
    }

    #[test]
    fn every_cut_is_survived() {
        let answer = record(&[0xc0, 12], 1, 30, &[192, 0, 2, 7]);
        let octets = message(0x8180, [1, 1, 0, 0], &[&question("web.example", 1), &answer]);
        for end in 0..octets.len() {
            let addresses = look(&octets[..end]).map_or(0, |message| message.addresses().count());
            assert_eq!(addresses, 0, "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_looked_at_without_harm(
            flags in prop::sample::select(vec![0x0100_u16, 0x8180]),
            counts: [u16; 4],
            body in prop::collection::vec(prop_oneof![Just(0xc0_u8), Just(0), 1..16_u8, any::<u8>()], 0..600),
        ) {
            let octets = message(flags, [counts[0] % 5, counts[1] % 100, 0, 0], &[&body]);
            if let Some(message) = look(&octets) {
                prop_assert!(message.names().count() <= MOST_NAMES);
                prop_assert!(message.addresses().count() <= 8 * MOST_RECORDS);
            }
        }
    }
}
