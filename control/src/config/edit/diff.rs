//! What differs between two configurations, by names rather than by numbers of lines.

use std::collections::HashMap;
use std::fmt;

use toml::{Table, Value};

use super::kind::{self, ListKind};
use super::path::{Path, Step};

/// One difference. Comments and the order of keys are none; the order of a list's members is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where.
    pub path: Path,
    /// What.
    pub kind: ChangeKind,
    /// What stood there; none of what was added or moved.
    pub old: Option<Value>,
    /// What stands there; none of what was deleted or moved.
    pub new: Option<Value>,
    /// Of a member of a list that was added or moved: behind which one it stands now; none within: it is the first.
    pub after: Option<Option<String>>,
}

/// Kinds of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there.
    Add,
    /// It is not there any more.
    Delete,
    /// It is another.
    Modify,
    /// It stands elsewhere in its list.
    Move,
}

impl ChangeKind {
    /// As it is written in records and answers.
    pub fn text(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Delete => "delete",
            Self::Modify => "modify",
            Self::Move => "move",
        }
    }
}

impl Change {
    /// What stood there, on one line, secrets masked.
    pub fn old_text(&self) -> Option<String> {
        self.old.as_ref().map(|value| self.text(value))
    }

    /// What stands there, on one line, secrets masked.
    pub fn new_text(&self) -> Option<String> {
        self.new.as_ref().map(|value| self.text(value))
    }

    /// Where it stands now, of what was added to a list or moved within.
    pub fn place_text(&self) -> Option<String> {
        self.after.as_ref().map(|after| match after {
            Some(name) => format!("after {name}"),
            None => "first".to_owned(),
        })
    }

    fn text(&self, value: &Value) -> String {
        let secret = self.path.last_key().is_some_and(is_secret);
        mask(value.clone(), secret).to_string()
    }
}

/// One line for people: `+ rule[guests] = { … } (after staff)`.
impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = (self.old_text().unwrap_or_default(), self.new_text().unwrap_or_default());
        match self.kind {
            ChangeKind::Add => write!(formatter, "+ {} = {new}", self.path)?,
            ChangeKind::Delete => write!(formatter, "- {} = {old}", self.path)?,
            ChangeKind::Modify => write!(formatter, "~ {}: {old} -> {new}", self.path)?,
            ChangeKind::Move => write!(formatter, "> {} moved", self.path)?,
        }
        match self.place_text() {
            Some(place) if self.kind == ChangeKind::Move => write!(formatter, " {place}"),
            Some(place) => write!(formatter, " ({place})"),
            None => Ok(()),
        }
    }
}

/// What is written for a secret.
pub(in crate::config) const MASK: &str = "(masked)";

/// Whether the value of a key is a secret itself. Keys that end in `-file` name a file.
pub(in crate::config) fn is_secret(key: &str) -> bool {
    const SECRET: [&str; 6] = ["password", "passphrase", "secret", "community", "pseudonym-key", "private-key"];
    SECRET.iter().any(|word| key.ends_with(word))
}

fn mask(value: Value, secret: bool) -> Value {
    match value {
        Value::Table(table) => Value::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    let secret = secret || is_secret(&key);
                    (key, mask(value, secret))
                })
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.into_iter().map(|value| mask(value, secret)).collect()),
        _ if secret => Value::String(MASK.to_owned()),
        other => other,
    }
}

/// What turns `old` into `new`, in an order in which it can be done.
pub fn diff(old: &Table, new: &Table) -> Vec<Change> {
    let mut changes = Vec::new();
    tables(&Path::default(), old, new, &mut changes);
    changes
}

fn tables(path: &Path, old: &Table, new: &Table, changes: &mut Vec<Change>) {
    for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        changes.push(deleted(path.key(key), value));
    }
    for (key, value) in new {
        let path = path.key(key);
        match old.get(key) {
            Some(before) => values(path, before, value, changes),
            None => changes.push(added(path, value, None)),
        }
    }
}

fn values(path: Path, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Table(old), Value::Table(new)) => tables(&path, old, new, changes),
        (Value::Array(old), Value::Array(new)) if ListKind::of(old) == ListKind::of(new) => match ListKind::of(old) {
            ListKind::Named => {
                members(&path, old, new, |value| kind::name(value).unwrap_or_default().to_owned(), changes)
            }
            ListKind::Values => members(&path, old, new, |value| kind::plain(value).unwrap_or_default(), changes),
            ListKind::Numbered => numbered(&path, old, new, changes),
            ListKind::Whole => changes.push(modified(path, &Value::Array(old.clone()), &Value::Array(new.clone()))),
        },
        _ => changes.push(modified(path, old, new)),
    }
}

/// Lists whose members are known by a text of their own.
fn members(path: &Path, old: &[Value], new: &[Value], text: impl Fn(&Value) -> String, changes: &mut Vec<Change>) {
    let before: HashMap<String, usize> = old.iter().enumerate().map(|(at, value)| (text(value), at)).collect();
    let after: HashMap<String, usize> = new.iter().enumerate().map(|(at, value)| (text(value), at)).collect();
    let member = |value: &Value| path.with(Step::Member(text(value)));
    for value in old.iter().filter(|value| !after.contains_key(&text(value))) {
        changes.push(deleted(member(value), value));
    }
    // Of those that stay, most stand in the order that they had: the others are moved, from the first to the last, each
    // behind one that is in its place already.
    let staying: Vec<usize> = new.iter().filter_map(|value| before.get(&text(value)).copied()).collect();
    let mut standing = longest_increasing(&staying).into_iter().peekable();
    let mut front = None;
    for value in new {
        match before.get(&text(value)) {
            None => changes.push(added(member(value), value, Some(front.clone()))),
            Some(&at) => {
                if standing.next_if_eq(&at).is_none() {
                    let (path, after) = (member(value), Some(front.clone()));
                    changes.push(Change { path, kind: ChangeKind::Move, old: None, new: None, after });
                }
                values(member(value), &old[at], value, changes);
            }
        }
        front = Some(text(value));
    }
}

/// Lists of tables without names.
fn numbered(path: &Path, old: &[Value], new: &[Value], changes: &mut Vec<Change>) {
    let member = |at: usize| path.with(Step::Number(at + 1));
    for (at, value) in old.iter().enumerate().skip(new.len()).rev() {
        changes.push(deleted(member(at), value));
    }
    for (at, value) in new.iter().enumerate() {
        match old.get(at) {
            // As a whole: a table that gets a name on the way would be known by it.
            Some(before) if before != value => changes.push(modified(member(at), before, value)),
            Some(_) => {}
            None => changes.push(added(member(at), value, None)),
        }
    }
}

/// The longest of its subsequences that rises, by patience sorting.
fn longest_increasing(sequence: &[usize]) -> Vec<usize> {
    let mut piles: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(sequence.len());
    for (at, value) in sequence.iter().enumerate() {
        let pile = piles.partition_point(|&top| sequence[top] < *value);
        before.push(pile.checked_sub(1).map(|pile| piles[pile]));
        if pile == piles.len() {
            piles.push(at);
        } else {
            piles[pile] = at;
        }
    }
    let mut chain = Vec::new();
    let mut next = piles.last().copied();
    while let Some(at) = next {
        chain.push(sequence[at]);
        next = before[at];
    }
    chain.reverse();
    chain
}

fn added(path: Path, value: &Value, after: Option<Option<String>>) -> Change {
    Change { path, kind: ChangeKind::Add, old: None, new: Some(value.clone()), after }
}

fn deleted(path: Path, value: &Value) -> Change {
    Change { path, kind: ChangeKind::Delete, old: Some(value.clone()), new: None, after: None }
}

fn modified(path: Path, old: &Value, new: &Value) -> Change {
    Change { path, kind: ChangeKind::Modify, old: Some(old.clone()), new: Some(new.clone()), after: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
        [address]
        office = ["10.1.0.0/16", "10.2.0.0/16"]
        [[rule]]
        name = "staff"      # a comment with a password
        action = "permit"
        [[rule]]
        name = "guests"
        action = "deny"
        [[rule]]
        name = "rest"
        action = "deny"
        [[wire]]
        ports = ["a", "b"]
    "#;

    fn lines(from: &str, to: &str) -> Vec<String> {
        let new = OLD.replace(from, to);
        assert!(from.is_empty() || new != OLD);
        diff(&OLD.parse().unwrap(), &new.parse().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_rule_put_in_front_is_one_change() {
        let rule = "[[rule]]\nname = \"first\"\naction = \"permit\"\n[[rule]]\n        name = \"staff\"";
        assert_eq!(
            lines("[[rule]]\n        name = \"staff\"", rule),
            [r#"+ rule[first] = { action = "permit", name = "first" } (first)"#]
        );
    }

    #[test]
    fn changes_are_told_by_name() {
        assert_eq!(lines("permit", "deny"), [r#"~ rule[staff].action: "permit" -> "deny""#]);
        assert_eq!(lines(", \"10.2.0.0/16\"", ""), [r#"- address.office[10.2.0.0/16] = "10.2.0.0/16""#]);
        assert_eq!(
            lines("[\"a\", \"b\"]", "[\"a\", \"c\"]"),
            [r#"~ wire[1]: { ports = ["a", "b"] } -> { ports = ["a", "c"] }"#]
        );
        assert_eq!(lines("\"guests\"", "\"visitors\"").len(), 2);
    }

    #[test]
    fn a_move_is_one_change() {
        let rule = "[[rule]]\n        name = \"rest\"\n        action = \"deny\"\n";
        let moved = OLD
            .replace(rule, "")
            .replace("[[rule]]\n        name = \"staff\"", &format!("{rule}[[rule]]\nname = \"staff\""));
        let changes = diff(&OLD.parse().unwrap(), &moved.parse().unwrap());
        assert_eq!(changes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["> rule[rest] moved first"]);
    }

    #[test]
    fn comments_and_the_order_of_keys_are_no_changes() {
        assert!(lines("# a comment with a password", "# another").is_empty());
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let (old, new): (Table, Table) = (
            "a.password = \"one\"\nx = 1".parse().unwrap(),
            "a.password = \"two\"\n[[b]]\nname = \"n\"\nsecret = [\"three\"]".parse().unwrap(),
        );
        let text: String = diff(&old, &new).iter().map(ToString::to_string).collect();
        for secret in ["one", "two", "three"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("(masked)"));
        // The name of a file is none.
        assert!(!is_secret("secret-file") && !is_secret("key"));
    }
}
