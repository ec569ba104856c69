//! Which clues can fit a message at all, told for all of them at once.
//!
//! Each clue is a bit. For every place among a message's first octets and every value of the octet there, one set says which
//! clues that octet leaves possible; so do sets for the sender, the server's port, what the decoders saw and the names shown.
//! What is in all of these sets is tried, in the clues' own order; the others would not fit (bit-parallel matching, as in
//! Baeza-Yates and Gonnet, 1992, of which only what is anchored is needed here).

use arrayvec::ArrayVec;

use super::names::NameHits;
use super::opening::{PLACES, SETTLED, allows};
use crate::framing::{Kind, Looks};
use crate::program::{Clue, Framing, Protocol, Sender, Test, Transport};

/// The clues of one transport.
#[derive(Debug)]
pub(crate) struct Sieve {
    transport: Transport,
    /// As (protocol, clue), in the order in which they are tried.
    clues: Vec<(u16, u16)>,
    /// Of a set.
    words: usize,
    /// A set for each octet at each of the first places.
    octets: Box<[u64]>,
    /// A set for the client's messages, and one for the server's.
    senders: [Box<[u64]>; 2],
    /// Ports that clues ask for, in order, a set for each, and one behind them for any other port.
    ports: Box<[u16]>,
    by_port: Box<[u64]>,
    /// A set for each decoder's clues.
    kinds: [Box<[u64]>; Kind::ALL.len()],
    /// Those that need a name of a list, and a set for each list of those that need it.
    named: Box<[u64]>,
    by_list: Box<[u64]>,
}

/// What the first octets, the sender and the port leave.
#[derive(Debug)]
pub(crate) struct Sifted<'s> {
    sieve: &'s Sieve,
    sets: ArrayVec<&'s [u64], { PLACES + 2 }>,
}

/// Lists that a message's names may be on; with more, the clues are tried without regard to names.
const MOST_HITS: usize = 32;

impl Sieve {
    /// The clues of all protocols over a transport; there are so many lists of names.
    pub(crate) fn new(transport: Transport, protocols: &[Protocol], lists: usize) -> Self {
        let of_transport = protocols.iter().enumerate().filter(|(_, protocol)| protocol.transport == transport);
        let all: Vec<_> = of_transport
            .flat_map(|(index, protocol)| {
                let clues = protocol.clues.iter().enumerate();
                clues.map(move |(number, clue)| ((index as u16, number as u16), protocol, clue))
            })
            .collect();
        let words = all.len().div_ceil(64);
        let set = |holds: &dyn Fn(&Protocol, &Clue) -> bool| -> Box<[u64]> {
            let mut set = vec![0; words].into_boxed_slice();
            for (number, (_, protocol, clue)) in all.iter().enumerate() {
                set[number / 64] |= u64::from(holds(protocol, clue)) << (number % 64);
            }
            set
        };
        let mut ports: Vec<u16> = all.iter().flat_map(|(_, _, clue)| asked_ports(clue)).flatten().copied().collect();
        ports.sort_unstable();
        ports.dedup();
        let places = (0..PLACES).flat_map(|place| (0..=255).map(move |octet| (place, octet)));
        let octets = places.flat_map(|(place, octet)| set(&|protocol, clue| allows(protocol, clue, place, octet)));
        let by_port = ports.iter().map(|port| Some(*port)).chain([None]);
        let by_port = by_port.flat_map(|port| set(&|_, clue| admits(clue, port)));
        let by_list = (0..lists).flat_map(|list| set(&|protocol, clue| needed_list(protocol, clue) == Some(list)));
        Self {
            transport,
            words,
            octets: octets.collect(),
            senders: [Sender::Client, Sender::Server]
                .map(|side| set(&|_, clue| clue.from == Sender::Either || clue.from == side)),
            by_port: by_port.collect(),
            ports: ports.into(),
            kinds: Kind::ALL.map(|kind| set(&|protocol, _| Kind::of(&protocol.framing) == Some(kind))),
            named: set(&|protocol, clue| needed_list(protocol, clue).is_some()),
            by_list: by_list.collect(),
            clues: all.iter().map(|(place, ..)| *place).collect(),
        }
    }

    /// What the first octets of a message, its sender and its flow's port leave.
    pub(crate) fn sift(&self, from: Sender, server_port: u16, data: &[u8]) -> Sifted<'_> {
        let mut sets = ArrayVec::new();
        let side = usize::from(from == Sender::Server);
        let place = self.ports.binary_search(&server_port).unwrap_or(self.ports.len());
        for set in [Some(&*self.senders[side]), self.row(&self.by_port, place)].into_iter().flatten() {
            let _ = sets.try_push(set);
        }
        for (place, octet) in data.iter().enumerate().take(SETTLED.of(data)) {
            if let Some(set) = self.row(&self.octets, place * 256 + usize::from(*octet)) {
                let _ = sets.try_push(set);
            }
        }
        Sifted { sieve: self, sets }
    }

    /// How many clues there are.
    pub(crate) fn count(&self) -> usize {
        self.clues.len()
    }

    fn row<'s>(&'s self, rows: &'s [u64], number: usize) -> Option<&'s [u64]> {
        rows.get(number * self.words..(number + 1) * self.words)
    }
}

impl<'s> Sifted<'s> {
    /// How many they leave.
    pub(crate) fn count(&self) -> usize {
        (0..self.sieve.words).map(|word| self.word(word).count_ones() as usize).sum()
    }

    /// Which decoders' clues are among them.
    pub(crate) fn kinds(&self) -> ArrayVec<Kind, { Kind::ALL.len() }> {
        let mut found = [0; Kind::ALL.len()];
        for word in 0..self.sieve.words {
            let left = self.word(word);
            for (found, set) in found.iter_mut().zip(&self.sieve.kinds) {
                *found |= left & set.get(word).copied().unwrap_or_default();
            }
        }
        Kind::ALL.into_iter().zip(found).filter(|(_, found)| *found != 0).map(|(kind, _)| kind).collect()
    }

    /// Those that are left when it is known what the decoders saw, as (protocol, clue) in the order in which they are tried.
    pub(crate) fn left(&self, looks: &Looks<'_>) -> impl Iterator<Item = (u16, u16)> {
        let hits = Hits::of(looks.names());
        let stands = Kind::ALL.map(|kind| looks.stands(kind, self.sieve.transport));
        (0..self.sieve.words).flat_map(move |word| {
            let mut left = self.word(word);
            if left != 0 {
                left &= self.seen(word, stands, &hits);
            }
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                self.sieve.clues.get(64 * word + bit).copied()
            })
        })
    }

    fn word(&self, word: usize) -> u64 {
        self.sets.iter().fold(u64::MAX, |left, set| left & set.get(word).copied().unwrap_or_default())
    }

    /// Part of the set that what the decoders saw leaves.
    fn seen(&self, word: usize, stands: [Stands; Kind::ALL.len()], hits: &Hits) -> u64 {
        let of = |set: &[u64]| set.get(word).copied().unwrap_or_default();
        let mut left = u64::MAX;
        for (set, stands) in self.sieve.kinds.iter().zip(stands) {
            match stands {
                Stands::Absent => left &= !of(set),
                Stands::Shown => left &= !(of(set) & of(&self.sieve.named)) | self.on_lists(word, hits),
                Stands::Perhaps => {}
            }
        }
        left
    }

    fn on_lists(&self, word: usize, hits: &Hits) -> u64 {
        let Hits(Some(lists)) = hits else { return u64::MAX };
        let sets = lists.iter().map(|list| self.sieve.by_list.get(usize::from(*list) * self.sieve.words + word));
        sets.flatten().fold(0, |all, set| all | set)
    }
}

/// What a decoder made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It is none of its messages.
    Absent,
    /// It is one, its names known.
    Shown,
    /// It may be one.
    Perhaps,
}

/// The lists that a message's names are on; none where there are too many to keep.
struct Hits(Option<ArrayVec<u16, MOST_HITS>>);

impl Hits {
    fn of(names: &NameHits) -> Self {
        let mut lists = ArrayVec::new();
        let fits = names.numbers().all(|list| lists.try_push(list as u16).is_ok());
        Self(fits.then_some(lists))
    }
}

/// The lists of ports that a clue asks for.
fn asked_ports(clue: &Clue) -> impl Iterator<Item = &Vec<u16>> {
    clue.tests.iter().filter_map(|test| if let Test::Port(ports) = test { Some(ports) } else { None })
}

/// Whether a clue may fit a flow to this port; none stands for one that no clue asks for.
fn admits(clue: &Clue, port: Option<u16>) -> bool {
    asked_ports(clue).all(|ports| port.is_some_and(|port| ports.contains(&port)))
}

/// The list on which the name of a message has to be that a clue fits.
fn needed_list(protocol: &Protocol, clue: &Clue) -> Option<usize> {
    if !clue.also.is_empty() || clue.messages > 1 {
        return None;
    }
    clue.tests.iter().find_map(|test| match (&protocol.framing, test) {
        (Framing::Http, Test::Host(list))
        | (Framing::Tls, Test::ServerName(list) | Test::Certificate(list))
        | (Framing::Quic, Test::ServerName(list))
        | (Framing::Dns, Test::DnsName(list)) => Some(list.number()),
        _ => None,
    })
}
