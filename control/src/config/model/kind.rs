//! What a key of the configuration can be.

/// A key.
#[derive(Debug)]
pub struct Node {
    /// As written.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub about: &'static str,
    /// What stands there.
    pub kind: Kind,
}

/// What stands at a key.
#[derive(Debug)]
pub enum Kind {
    /// `[name]`.
    Container(&'static [Node]),
    /// A table, or `true` or `false` in place of a table with `enable` alone.
    Switch(&'static [Node]),
    /// `[[name]]`, in an order that counts.
    List {
        /// What tells its members from each other.
        key: Key,
        /// The keys of each.
        children: &'static [Node],
    },
    /// `[name.NAME]`.
    Named(&'static [Node]),
    /// `[name]` with `NAME = value`.
    Map {
        /// What a value is called where it needs a name.
        value: &'static str,
        /// Its kind.
        kind: Type,
        /// Whether it may be a list.
        many: bool,
    },
    /// A list of values.
    LeafList(Type),
    /// One value.
    Leaf(Type),
}

/// What tells the members of an array of tables from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// One of its keys.
    Leaf(&'static str),
    /// Its place, from 1: edits of such lists name places, which move when one is removed.
    Number,
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any text.
    Text,
    /// The name of an object.
    Name,
    /// A whole number, from the first to the last.
    Number(u64, u64),
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A duration with its unit.
    Duration,
    /// A duration, or one of these words.
    DurationOr(&'static [&'static str]),
    /// A size in octets with its unit.
    Size,
    /// An IP address.
    Address,
    /// An IP address and the length of a prefix.
    Prefix,
    /// A path.
    Path,
    /// A whole number up to this one, or a text.
    NumberOrText(u64),
}

impl Node {
    /// The keys below.
    pub fn children(&self) -> &'static [Self] {
        match self.kind {
            Kind::Container(children)
            | Kind::Switch(children)
            | Kind::List { children, .. }
            | Kind::Named(children) => children,
            Kind::Map { .. } | Kind::LeafList(_) | Kind::Leaf(_) => &[],
        }
    }

    /// The element that tells members of a list from each other; none where there is only one.
    pub fn key(&self) -> Option<&'static str> {
        match self.kind {
            Kind::List { key: Key::Leaf(key), .. } => Some(key),
            Kind::List { key: Key::Number, .. } => Some("number"),
            Kind::Named(_) | Kind::Map { .. } => Some("name"),
            Kind::Container(_) | Kind::Switch(_) | Kind::LeafList(_) | Kind::Leaf(_) => None,
        }
    }

    /// Whether `key` is written in the file beside the others of a member.
    pub fn writes_key(&self) -> bool {
        matches!(self.kind, Kind::List { key: Key::Leaf(_), .. })
    }
}

pub(super) const fn leaf(name: &'static str, kind: Type, about: &'static str) -> Node {
    Node { name, about, kind: Kind::Leaf(kind) }
}

pub(super) const fn leaves(name: &'static str, kind: Type, about: &'static str) -> Node {
    Node { name, about, kind: Kind::LeafList(kind) }
}

pub(super) const fn container(name: &'static str, about: &'static str, children: &'static [Node]) -> Node {
    Node { name, about, kind: Kind::Container(children) }
}

pub(super) const fn list(name: &'static str, key: Key, about: &'static str, children: &'static [Node]) -> Node {
    Node { name, about, kind: Kind::List { key, children } }
}
