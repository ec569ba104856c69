//! What each key of the policy file means, and what it is where nobody writes it. Kinds and limits are the reader's.

mod access;
mod delivery;
mod machine;
mod records;
mod rules;

/// What a key is where it is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Default {
    /// This value, as TOML writes it.
    Is(&'static str),
    /// In words: what follows from something else, or depends on other keys.
    Of(&'static str),
    /// Nothing.
    None,
}

/// A key's path, its default and its meaning, in Markdown; links are to the README.
pub(in crate::config) type Meaning = (&'static str, Default, &'static str);

/// Of every key, in no order.
pub(in crate::config) fn meanings() -> impl Iterator<Item = &'static Meaning> {
    [machine::KEYS, rules::KEYS, records::KEYS, access::KEYS, delivery::KEYS].into_iter().flatten()
}

/// Of one key.
pub(in crate::config) fn meaning(path: &str) -> Option<&'static Meaning> {
    meanings().find(|(known, ..)| *known == path)
}
