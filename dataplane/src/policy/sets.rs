//! Sets of rules, thousands of them, of which most are nearly the same: kept as pieces of 512 rules, each distinct piece
//! once, with a summary that tells which of a set's words are not empty.
//!
//! Two sets that differ by one rule share all their pieces but one. The summary lets the words that several sets have in
//! common be found without looking at the others: 64 rules a bit.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use std::hash::BuildHasher;

use super::TooLarge;
use super::order::Order;

/// The number of a set.
pub(super) type SetNumber = u32;

/// Words of a piece: a cache line.
const PIECE: usize = 8;

/// All sets of a policy.
#[derive(Debug)]
pub(super) struct Sets {
    shape: Shape,
    /// Of every set, `shape.summary` words: a bit for each word that is not empty.
    summaries: Box<[u64]>,
    /// Of every set, `shape.pieces` numbers of pieces.
    places: Box<[u32]>,
    pieces: Box<[[u64; PIECE]]>,
    order: Order,
}

/// What follows from the number of rules.
#[derive(Clone, Copy, Debug)]
struct Shape {
    pieces: usize,
    summary: usize,
}

impl Shape {
    fn new(rules: usize) -> Self {
        let words = rules.div_ceil(64);
        Self { pieces: words.div_ceil(PIECE), summary: words.div_ceil(64) }
    }
}

impl Sets {
    /// The place of the first rule that is in all of these sets and that `accept` takes.
    #[inline]
    pub(super) fn first<const N: usize>(
        &self,
        sets: [SetNumber; N],
        mut accept: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let Shape { pieces, summary } = self.shape;
        let summaries = sets.map(|set| self.summaries.get(set as usize * summary..).unwrap_or_default());
        let mut first = NONE;
        for high in 0..summary {
            let mut words = and(summaries.map(|words| words.get(high).copied().unwrap_or(0)));
            while words != 0 {
                let word = high * 64 + words.trailing_zeros() as usize;
                words &= words - 1;
                if self.order.lowest(word) >= first {
                    continue;
                }
                let mut rules = and(sets.map(|set| self.word(set as usize * pieces + word / PIECE, word % PIECE)));
                while rules != 0 {
                    let place = self.order.place(word * 64 + rules.trailing_zeros() as usize);
                    if place >= first {
                        break;
                    }
                    if accept(usize::from(place)) {
                        first = place;
                        break;
                    }
                    rules &= rules - 1;
                }
            }
        }
        (first != NONE).then_some(usize::from(first))
    }

    #[inline]
    fn word(&self, place: usize, word: usize) -> u64 {
        let piece = self.places.get(place).and_then(|piece| self.pieces.get(*piece as usize));
        piece.map_or(0, |words| words[word % PIECE])
    }

    /// Octets that they take.
    pub(super) fn memory(&self) -> usize {
        let sets = size_of_val(&*self.summaries) + size_of_val(&*self.places) + size_of_val(&*self.pieces);
        sets + size_of_val(&*self.order.0)
    }
}

/// Past every rule's place.
const NONE: u16 = u16::MAX;

fn and<const N: usize>(words: [u64; N]) -> u64 {
    words.into_iter().fold(u64::MAX, |common, word| common & word)
}

/// Gathers the sets of a policy.
#[derive(Debug)]
pub(super) struct Gathering {
    rules: usize,
    shape: Shape,
    summaries: Vec<u64>,
    places: Vec<u32>,
    pieces: Vec<[u64; PIECE]>,
    /// Numbers of pieces.
    known_pieces: HashMap<[u64; PIECE], u32, FixedState>,
    /// Numbers of sets, by their pieces.
    known: HashTable<SetNumber>,
    hasher: FixedState,
    limit: usize,
}

/// A set that is being made.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    words: Vec<u64>,
    /// Pieces that changed since the set was last numbered.
    changed: Vec<usize>,
    summary: Vec<u64>,
    places: Vec<u32>,
}

impl Draft {
    /// Puts a rule in.
    pub(super) fn insert(&mut self, rule: usize) {
        self.words[rule / 64] |= 1 << (rule % 64);
        self.change(rule);
    }

    /// Takes a rule out.
    pub(super) fn remove(&mut self, rule: usize) {
        self.words[rule / 64] &= !(1 << (rule % 64));
        self.change(rule);
    }

    /// What two sets have in common.
    pub(super) fn common(&self, other: &Self) -> Self {
        let words = self.words.iter().zip(&other.words).map(|(one, other)| one & other).collect();
        Self { words, changed: (0..self.places.len()).collect(), ..self.clone() }
    }

    fn change(&mut self, rule: usize) {
        let piece = rule / (64 * PIECE);
        if self.changed.last() != Some(&piece) {
            self.changed.push(piece);
        }
    }
}

impl Gathering {
    /// For a policy with so many rules; its sets and all else may take `limit` octets.
    pub(super) fn new(rules: usize, limit: usize) -> Self {
        Self {
            rules,
            shape: Shape::new(rules),
            summaries: Vec::new(),
            places: Vec::new(),
            pieces: Vec::new(),
            known_pieces: HashMap::default(),
            known: HashTable::new(),
            hasher: FixedState::default(),
            limit,
        }
    }

    /// Rules of the policy.
    pub(super) fn rules(&self) -> usize {
        self.rules
    }

    /// A set without rules.
    pub(super) fn empty(&self) -> Draft {
        Draft {
            words: vec![0; self.shape.pieces * PIECE],
            changed: (0..self.shape.pieces).collect(),
            summary: vec![0; self.shape.summary],
            places: vec![0; self.shape.pieces],
        }
    }

    /// The number of a set as it is now; equal sets have the same.
    ///
    /// # Errors
    /// Where all sets so far take more than the limit.
    pub(super) fn number(&mut self, draft: &mut Draft) -> Result<SetNumber, TooLarge> {
        while let Some(at) = draft.changed.pop() {
            let words = &draft.words[at * PIECE..(at + 1) * PIECE];
            let piece: [u64; PIECE] = std::array::from_fn(|word| words[word]);
            let next = self.pieces.len() as u32;
            let number = *self.known_pieces.entry(piece).or_insert(next);
            if number == next {
                self.pieces.push(piece);
            }
            draft.places[at] = number;
            for (word, rules) in words.iter().enumerate() {
                let word = at * PIECE + word;
                // The last piece may be longer than the rules are.
                let Some(summary) = draft.summary.get_mut(word / 64) else { break };
                let bit = 1 << (word % 64);
                if *rules == 0 { *summary &= !bit } else { *summary |= bit }
            }
        }
        let width = self.shape.pieces;
        let places_of = |set: SetNumber| set as usize * width..(set as usize + 1) * width;
        let hash = self.hasher.hash_one(&draft.places);
        let same = |set: &SetNumber| self.places[places_of(*set)] == draft.places;
        if let Some(&set) = self.known.find(hash, same) {
            return Ok(set);
        }
        let set = self.known.len() as SetNumber;
        self.places.extend_from_slice(&draft.places);
        self.summaries.extend_from_slice(&draft.summary);
        let (places, hasher) = (&self.places, &self.hasher);
        self.known.insert_unique(hash, set, |set| hasher.hash_one(&places[places_of(*set)]));
        if self.memory() > self.limit {
            return Err(TooLarge::Memory { limit: self.limit });
        }
        Ok(set)
    }

    fn memory(&self) -> usize {
        size_of_val(&*self.summaries) + size_of_val(&*self.places) + size_of_val(&*self.pieces)
    }

    /// The sets, ready for lookups.
    pub(super) fn finish(self, order: Order) -> Sets {
        Sets {
            order,
            shape: self.shape,
            summaries: self.summaries.into(),
            places: self.places.into(),
            pieces: self.pieces.into(),
        }
    }
}
