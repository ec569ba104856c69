//! Host names against all lists of patterns at once: one lookup a label, however many patterns there are.
//!
//! A list takes a name that one of its patterns fits and none of its exclusions. Patterns stand for whole labels (RFC 1034,
//! 3.1): `web.example` is that name, `*.web.example` every name below it, and `!` in front excludes.

use std::fmt;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// Lists that a database may have.
pub(crate) const LISTS: usize = 1024;
/// Octets of the longest name (RFC 1035, 2.3.4), as text.
pub(crate) const LONGEST: usize = 253;
/// Labels that are looked at, from the last one on. Patterns may have no more of them.
const LABELS: usize = 16;

/// A list of patterns. Its number is the database's to give: equal lists have one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameList {
    /// In lower case.
    pub(crate) patterns: Vec<String>,
    #[serde(skip)]
    number: u16,
}

/// The lists that take a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameHits([u64; LISTS / 64]);

/// All lists of a database.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By the text that a pattern has behind its `!` and `*.`.
    by_text: HashMap<Box<[u8]>, Entry, foldhash::fast::FixedState>,
    /// One bit for each length that such a text has: most of a name's endings need no lookup.
    lengths: [u64; 4],
    lists: usize,
}

/// Lists with a pattern of some text.
#[derive(Debug, Default)]
struct Entry {
    exact: Effect,
    below: Effect,
}

#[derive(Debug, Default)]
struct Effect {
    takes: Vec<u16>,
    excludes: Vec<u16>,
}

impl NameList {
    /// Checks patterns as people write them. The error says which is wrong and what is expected.
    pub(crate) fn new(patterns: &[String]) -> Result<Self, String> {
        let patterns = patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect::<Vec<_>>();
        for pattern in &patterns {
            let text = parts(pattern).2;
            let label = |label: &str| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
            };
            if text.len() > LONGEST || text.split('.').count() > LABELS || !text.split('.').all(label) {
                return Err(format!(
                    "{pattern:?} is no name such as web.example, *.web.example (all below it) or !web.example (not that one)"
                ));
            }
        }
        if !patterns.iter().any(|pattern| !pattern.starts_with('!')) {
            return Err("a list of names needs one that it takes, not only exclusions".into());
        }
        Ok(Self { patterns, number: u16::MAX })
    }

    /// Its number; one that no database has where it was not taken in.
    pub(crate) fn number(&self) -> usize {
        usize::from(self.number)
    }
}

impl Names {
    /// Takes a list in and numbers it; one more than [`LISTS`] is never taken for a hit.
    pub(crate) fn add(&mut self, list: &mut NameList, known: &mut HashMap<Vec<String>, u16>) {
        if let Some(number) = known.get(&list.patterns) {
            list.number = *number;
            return;
        }
        if self.lists >= LISTS {
            // The compiler refuses so many; in a file made otherwise the list takes no name.
            list.number = u16::MAX;
            return;
        }
        let number = self.lists as u16;
        self.lists += 1;
        list.number = number;
        known.insert(list.patterns.clone(), number);
        for pattern in &list.patterns {
            let (excludes, below, text) = parts(pattern);
            self.lengths[text.len() / 64 % 4] |= 1 << (text.len() % 64);
            let entry = self.by_text.entry(text.as_bytes().into()).or_default();
            let effect = if below { &mut entry.below } else { &mut entry.exact };
            let lists = if excludes { &mut effect.excludes } else { &mut effect.takes };
            lists.push(number);
        }
    }

    /// How many different lists there are.
    pub(crate) fn lists(&self) -> usize {
        self.lists
    }

    /// The lists that take `name`, whatever its case. A last dot (the root's) does not count.
    pub(crate) fn look(&self, name: &[u8]) -> NameHits {
        let mut hits = NameHits::NONE;
        let name = name.strip_suffix(b".").unwrap_or(name);
        let mut lower = [0; LONGEST];
        let Some(lower) = lower.get_mut(..name.len()) else { return hits };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let mut excluded = NameHits::NONE;
        let mut end = lower.len();
        for _ in 0..LABELS {
            let dot = memchr::memrchr(b'.', &lower[..end]);
            let text = &lower[dot.map_or(0, |dot| dot + 1)..];
            if let Some(entry) = self.entry(text) {
                let effect = if dot.is_none() { &entry.exact } else { &entry.below };
                effect.takes.iter().for_each(|list| hits.set(*list));
                effect.excludes.iter().for_each(|list| excluded.set(*list));
            }
            match dot {
                Some(dot) => end = dot,
                None => break,
            }
        }
        hits.without(&excluded)
    }

    fn entry(&self, text: &[u8]) -> Option<&Entry> {
        let present = self.lengths[text.len() / 64 % 4] & 1 << (text.len() % 64) != 0;
        if present { self.by_text.get(text) } else { None }
    }
}

impl NameHits {
    /// No list.
    pub(crate) const NONE: Self = Self([0; LISTS / 64]);

    /// Whether a list is among them.
    pub(crate) fn has(&self, list: &NameList) -> bool {
        let number = usize::from(list.number);
        self.0.get(number / 64).is_some_and(|word| word & 1 << (number % 64) != 0)
    }

    fn set(&mut self, list: u16) {
        let number = usize::from(list);
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    /// The numbers of the lists.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(64 * place + bit)
            })
        })
    }

    /// Adds another name's hits.
    pub(crate) fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }

    fn without(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        self
    }
}

impl fmt::Debug for NameHits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.numbers()).finish()
    }
}

/// Whether a pattern excludes, whether it means the names below, and its text.
fn parts(pattern: &str) -> (bool, bool, &str) {
    let (excludes, rest) = pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
    let (below, text) = rest.strip_prefix("*.").map_or((false, rest), |text| (true, text));
    (excludes, below, text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(patterns: &[&str]) -> NameList {
        NameList::new(&patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn names(lists: &mut [NameList]) -> Names {
        let (mut names, mut known) = (Names::default(), HashMap::new());
        lists.iter_mut().for_each(|list| names.add(list, &mut known));
        names
    }

    #[test]
    fn names_match_whole_labels() {
        let mut lists = [list(&["*.chat.example", "web.example", "!work.chat.example", "!*.work.chat.example"])];
        let names = names(&mut lists);
        let takes = |name: &str| names.look(name.as_bytes()).has(&lists[0]);
        assert!(takes("short.Chat.EXAMPLE"));
        assert!(takes("a.b.chat.example."));
        assert!(takes("web.example"));
        for other in ["chat.example", "notchat.example", "a.web.example", "work.chat.example", "x.work.chat.example"] {
            assert!(!takes(other), "{other}");
        }
        assert!(!takes("x.chat.example.evil.test"));
        assert!(!takes(""));
        assert!(!takes("."));
        assert!(!takes(&"x.".repeat(200)));
    }

    #[test]
    fn equal_lists_have_one_number() {
        let mut lists = [list(&["a.example"]), list(&["b.example"]), list(&["A.example"])];
        let names = names(&mut lists);
        assert_eq!(names.lists, 2);
        let hits = names.look(b"a.example");
        assert_eq!([hits.has(&lists[0]), hits.has(&lists[1]), hits.has(&lists[2])], [true, false, true]);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in ["*chat.example", "", "*.", "a..example", "*.*.example", "a b.example", "!", "*"] {
            assert!(NameList::new(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
        assert!(NameList::new(&["!a.example".to_owned()]).is_err());
        assert!(NameList::new(&[format!("{}example", "a.".repeat(LABELS))]).is_err());
        assert!(NameList::new(&[]).is_err());
    }

    #[test]
    fn lists_beyond_the_limit_take_nothing() {
        let mut lists: Vec<_> = (0..=LISTS).map(|n| list(&[&format!("n{n}.example")])).collect();
        let names = names(&mut lists);
        assert!(names.look(b"n1023.example").has(&lists[1023]));
        assert!(!names.look(b"n1024.example").has(&lists[1024]));
    }

    /// The slow twin: every pattern of the list, one after the other.
    fn plainly(patterns: &[String], name: &str) -> bool {
        let fits = |pattern: &str| match pattern.strip_prefix('*') {
            Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
            None => name == pattern,
        };
        !patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(fits)
            && patterns.iter().any(|one| fits(one))
    }

    fn name() -> impl Strategy<Value = String> {
        prop::collection::vec("[ab]{1,2}", 1..5).prop_map(|labels| labels.join("."))
    }

    proptest! {
        #[test]
        fn agrees_with_pattern_after_pattern(
            sources in prop::collection::vec(prop::collection::vec(("!?(\\*\\.)?", name()), 1..5), 1..5),
            asked in prop::collection::vec(name(), 1..20),
        ) {
            let joined = |(mark, name): &(String, String)| format!("{mark}{name}");
            let mut lists: Vec<_> = sources
                .iter()
                .filter_map(|one| NameList::new(&one.iter().map(joined).collect::<Vec<_>>()).ok())
                .collect();
            let names = names(&mut lists);
            for name in &asked {
                let hits = names.look(name.as_bytes());
                for list in &lists {
                    prop_assert_eq!(hits.has(list), plainly(&list.patterns, name), "{:?} {}", list, name);
                }
            }
        }
    }
}
