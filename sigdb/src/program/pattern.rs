//! Regular expressions: automata that were built before any octet comes, so that a search takes one step an octet, whatever
//! the expression, and allocates nothing.

use std::error::Error;
use std::sync::Arc;

use regex_automata::dfa::dense::{self, DFA};
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::nfa::thompson;
use regex_automata::util::look::Look;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};
use serde::{Deserialize, Serialize};

/// Patterns that a database may have: with [`LARGEST`] octets each, what they take is bounded.
pub const PATTERNS: usize = 256;
/// Octets of an automaton at most.
const LARGEST: usize = 128 << 10;
/// Octets that building one may take.
const WORKSPACE: usize = 1 << 20;
/// Characters of an expression at most.
const LONGEST: usize = 512;

/// An expression over octets, and its automaton; a file carries the expression only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pattern {
    text: String,
    any_case: bool,
    #[serde(skip)]
    automaton: Option<Arc<DFA<Vec<u32>>>>,
    /// Whether a match may depend on what stands behind it: an end, a word's boundary.
    #[serde(skip)]
    looks_ahead: bool,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// The first match ends before or at so many octets.
    Found(usize),
    /// There is none.
    Absent,
    /// More octets decide.
    More,
}

impl Pattern {
    /// Compiles an expression. The error says what is wrong with it and what is expected.
    pub(crate) fn new(text: &str, any_case: bool) -> Result<Self, String> {
        let mut pattern = Self { text: text.into(), any_case, automaton: None, looks_ahead: false };
        pattern.build()?;
        if pattern.search(b"", true) == Search::Found(0) {
            return Err(format!("regex {text:?} fits nothing as well: it would hold always"));
        }
        Ok(pattern)
    }

    /// Makes the automaton.
    pub(crate) fn build(&mut self) -> Result<(), String> {
        if self.text.len() > LONGEST {
            return Err(format!("a regex has {LONGEST} characters at most"));
        }
        let syntax = syntax::Config::new().unicode(false).utf8(false).case_insensitive(self.any_case).nest_limit(32);
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(WORKSPACE)))
            .syntax(syntax)
            .build(&self.text)
            .map_err(|error| self.refused(&error, error.size_limit().is_some()))?;
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(LARGEST))
            .determinize_size_limit(Some(WORKSPACE));
        let automaton = dense::Builder::new()
            .configure(config)
            .build_from_nfa(&nfa)
            .map_err(|error| self.refused(&error, error.is_size_limit_exceeded()))?;
        self.looks_ahead = nfa.look_set_any().iter().any(|look| look != Look::Start);
        self.automaton = Some(Arc::new(automaton));
        Ok(())
    }

    fn refused(&self, error: &(dyn Error + 'static), is_size: bool) -> String {
        if is_size {
            let size = LARGEST >> 10;
            return format!("regex {:?} needs more than {size} KiB: fewer repetitions and alternatives", self.text);
        }
        let mut deepest: &dyn Error = error;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        format!("regex {:?} cannot be read: {}", self.text, deepest.to_string().trim())
    }

    /// The expression.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Searches octets, behind which others may come unless they are `ended`.
    pub(crate) fn search(&self, octets: &[u8], ended: bool) -> Search {
        let Some(automaton) = &self.automaton else { return Search::Absent };
        let Ok(mut state) = automaton.start_state(&start::Config::new().anchored(Anchored::No)) else {
            return Search::Absent;
        };
        // An automaton says that it matched one octet later, as that one may be asked for (a word's end).
        for (place, octet) in octets.iter().enumerate() {
            state = automaton.next_state(state, *octet);
            if automaton.is_special_state(state) {
                if automaton.is_match_state(state) {
                    return Search::Found(place);
                }
                if automaton.is_dead_state(state) || automaton.is_quit_state(state) {
                    return Search::Absent;
                }
            }
        }
        match ended || !self.looks_ahead {
            true if automaton.is_match_state(automaton.next_eoi_state(state)) => Search::Found(octets.len()),
            _ if ended => Search::Absent,
            _ => Search::More,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_automata::meta::Regex;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text, false).unwrap()
    }

    #[test]
    fn an_expression_is_found_where_it_stands() {
        let user = pattern(r"USER [a-z]+\r\n");
        assert_eq!(user.search(b"\xff\x00USER ab\r\n", true), Search::Found(11));
        assert_eq!(user.search(b"USER ab", false), Search::More);
        assert_eq!(user.search(b"USER ab", true), Search::Absent);
        assert_eq!(Pattern::new("user", true).unwrap().search(b"uSeR ", false), Search::Found(4));
    }

    #[test]
    fn what_is_tied_to_the_start_is_decided_early() {
        let octets = pattern(r"^\x00[\x01-\x0f]{2}");
        assert_eq!(octets.search(b"\x00\x01\x0f", true), Search::Found(3));
        assert_eq!(octets.search(b"\x00\x10", false), Search::Absent);
    }

    #[test]
    fn an_end_is_one_only_where_nothing_more_comes() {
        let word = pattern(r"^quit$");
        assert_eq!(word.search(b"quit", false), Search::More);
        assert_eq!(word.search(b"quit", true), Search::Found(4));
        assert_eq!(word.search(b"quit!", true), Search::Absent);
        assert_eq!(pattern(r"^quit\b").search(b"quit", false), Search::More);
    }

    #[test]
    fn what_grows_too_large_or_always_holds_is_refused() {
        let refused = |text: &str| Pattern::new(text, false).unwrap_err();
        assert!(refused("[a-z]*x?").contains("fits nothing as well"));
        assert!(refused("(a|b)*a(a|b){20}").contains("needs more than 128 KiB"));
        assert!(refused("((a{100}){100}){100}").contains("needs more than 128 KiB"));
        assert!(refused("(a").contains("cannot be read"));
        assert!(refused(r"(a)\1").contains("cannot be read"));
        assert!(refused(&"a".repeat(513)).contains("512 characters"));
    }

    proptest! {
        /// The twin is the library's own search; and a cut changes no answer that was given.
        #[test]
        fn a_search_is_the_librarys(text in "\\^?[ab.]{1,3}(\\[ab\\]\\+|a\\*b|\\$|\\\\b)?", octets in "[abc ]{0,12}", cut in 0..12_usize) {
            let Ok(pattern) = Pattern::new(&text, false) else { return Ok(()) };
            let twin = Regex::builder().syntax(syntax::Config::new().unicode(false).utf8(false)).build(&text).unwrap();
            let whole = pattern.search(octets.as_bytes(), true);
            prop_assert_eq!(matches!(whole, Search::Found(_)), twin.is_match(octets.as_bytes()));
            let early = pattern.search(&octets.as_bytes()[..cut.min(octets.len())], false);
            prop_assert!(early == Search::More || early == whole, "{:?}, then {:?}", early, whole);
        }
    }
}
