//! Where something stands in a configuration: `rule[staff-im].action`, `address.office[10.1.0.0/16]`.

use std::fmt;

use super::{EditError, Tag};

/// A path from the root of a file. Keys are joined by dots; members of lists stand in brackets: tables by their `name`, or by
/// their number from 1 where they have none; plain values by themselves. What is not of letters, digits and `-_.:/@+*` (of
/// keys: without `.:/@+*`) is written in quotes, as in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub(super) Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// A key of a table.
    Key(String),
    /// A member of a list, by its name, its own text, or its number.
    Member(String),
    /// A member of a list of tables without names, from 1.
    Number(usize),
}

/// Steps at most: no configuration is as deep.
const DEPTH: usize = 32;

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, EditError> {
        let fail = |what: &str| EditError::new(Tag::BadElement, text, format!("is no path: {what}"));
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            let (key, after) = part(rest, is_key).ok_or_else(|| fail("a key is expected, such as rule or log"))?;
            steps.push(Step::Key(key));
            rest = after;
            while let Some(inner) = rest.strip_prefix('[') {
                let (member, after) = part(inner, is_member).ok_or_else(|| fail("a name is expected after ["))?;
                steps.push(Step::Member(member));
                rest = after.strip_prefix(']').ok_or_else(|| fail("] is missing"))?;
            }
            if steps.len() > DEPTH {
                return Err(fail("it is too deep"));
            }
            rest = match rest.strip_prefix('.') {
                Some(after) => after,
                None if rest.is_empty() => return Ok(Self(steps)),
                None => return Err(fail("a dot is missing between two keys")),
            };
        }
    }

    /// The path of a key below this one.
    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// Likewise of any step.
    pub(super) fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The last key of it.
    pub(super) fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Member(_) | Step::Number(_) => None,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    if at > 0 {
                        formatter.write_str(".")?;
                    }
                    write_part(formatter, key, is_key)?;
                }
                Step::Member(member) => {
                    formatter.write_str("[")?;
                    write_part(formatter, member, is_member)?;
                    formatter.write_str("]")?;
                }
                Step::Number(number) => write!(formatter, "[{number}]")?,
            }
        }
        Ok(())
    }
}

/// The first part of a text, bare or quoted, and what follows it.
fn part(text: &str, is_bare: fn(char) -> bool) -> Option<(String, &str)> {
    if text.starts_with('"') {
        // A string of JSON ends where the reader of it says.
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let part = stream.next()?.ok()?;
        return Some((part, &text[stream.byte_offset()..]));
    }
    let end = text.find(|character| !is_bare(character)).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

fn write_part(formatter: &mut fmt::Formatter<'_>, part: &str, is_bare: fn(char) -> bool) -> fmt::Result {
    if !part.is_empty() && part.chars().all(is_bare) {
        return formatter.write_str(part);
    }
    write!(formatter, "{}", serde_json::Value::from(part))
}

fn is_key(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_".contains(character)
}

fn is_member(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.:/@+*".contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_read_as_they_are_written() {
        for text in [
            "rule[staff-im].action",
            "address.office[10.1.0.0/16]",
            "log.im",
            "wire[1].ports",
            r#"user-group."gold plus".users["a]b"]"#,
        ] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a.", "a..b", "[a]", "a[", "a[]", "a[b", "a[b]c", "a b", "a[\"b]", "a\u{0}"] {
            let error = Path::parse(text).unwrap_err();
            assert_eq!(error.tag, Tag::BadElement, "{text}");
        }
        assert!(Path::parse(&"a.".repeat(40)).is_err());
    }

    proptest! {
        #[test]
        fn any_keys_and_names_come_back(parts in prop::collection::vec((any::<String>(), any::<Option<String>>()), 1..6)) {
            let mut steps = Vec::new();
            for (key, member) in parts {
                steps.push(Step::Key(key));
                steps.extend(member.map(Step::Member));
            }
            let path = Path(steps);
            prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = Path::parse(&text);
        }
    }
}
