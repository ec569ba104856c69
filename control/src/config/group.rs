//! Objects that may name one another: `[address]` and `[service]` lists, resolved once to what they hold in the end.

use std::collections::BTreeMap;

use super::document::{Located, Notes};
use super::near;
use super::schema::objects::Object;
use super::value::Refusal;

/// The word that matches everything; no object may be called so.
pub(super) const ANY: &str = "any";

/// Groups within groups at most.
const DEPTH_LIMIT: usize = 16;

/// What an object may hold at most, groups counted with what is in them.
const SIZE_LIMIT: usize = 100_000;

/// How an item of a list is to be taken.
#[derive(Debug)]
pub(super) enum Item<T> {
    /// As it stands.
    Literal(Vec<T>),
    /// As another object's name.
    Name,
    /// Not at all.
    Refused(Refusal),
}

/// What addresses and services differ in.
pub(super) struct Kind<T> {
    /// The section: `address`, `service`.
    pub(super) section: &'static str,
    /// Reads an item.
    pub(super) read: fn(&str) -> Item<T>,
    /// Orders items, so that none is kept twice.
    pub(super) key: fn(&T) -> [u128; 2],
    /// Objects that need no definition.
    pub(super) predefined: fn() -> Vec<(&'static str, Vec<T>)>,
}

/// All objects of a kind, each with what it holds.
pub(super) struct Groups<T> {
    kind: Kind<T>,
    resolved: BTreeMap<String, Vec<T>>,
}

impl<T: Clone> Groups<T> {
    /// Resolves all objects. Names that do not exist, cycles, and objects that are too deep or too large are noted.
    pub(super) fn resolve(kind: Kind<T>, objects: &[Object], notes: &mut Notes) -> Self {
        let resolved: BTreeMap<String, Vec<T>> =
            (kind.predefined)().into_iter().map(|(name, items)| (name.to_owned(), items)).collect();
        let mut groups = Self { kind, resolved };
        let mut index: BTreeMap<&str, &Object> = BTreeMap::new();
        for object in objects {
            let name = object.name.value.as_str();
            if name == ANY || groups.resolved.contains_key(name) {
                let expected = format!("a name that is not predefined; \"{name}\" is");
                notes.fault(&object.name.place, Some(name.to_owned()), expected, "choose another name");
            } else {
                index.insert(name, object);
            }
        }
        for object in index.values() {
            let mut path = Vec::new();
            groups.visit(object, &index, &mut path, notes);
        }
        groups
    }

    /// What the items of a rule's list match; empty for everything. Faults are noted.
    pub(super) fn look_up(&self, items: &[Located<String>], notes: &mut Notes) -> Vec<T> {
        let mut found = Vec::new();
        for item in items {
            if item.value == ANY {
                if items.len() > 1 {
                    let expected = "\"any\" alone, or a list without it";
                    notes.fault(
                        &item.place,
                        Some("\"any\" beside other items".to_owned()),
                        expected,
                        "remove one or the other",
                    );
                }
                return Vec::new();
            }
            match (self.kind.read)(&item.value) {
                Item::Literal(literal) => found.extend(literal),
                Item::Refused(refusal) => {
                    notes.fault(&item.place, Some(quoted(&item.value)), refusal.expected, refusal.advice);
                }
                Item::Name => match self.resolved.get(&item.value) {
                    Some(items) => found.extend(items.iter().cloned()),
                    None => self.unknown(item, self.resolved.keys().map(String::as_str), notes),
                },
            }
        }
        self.sort(&mut found);
        found
    }

    /// Depth first. `path` holds the objects that are being resolved: to meet one of them again is a cycle.
    fn visit(&mut self, object: &Object, index: &BTreeMap<&str, &Object>, path: &mut Vec<String>, notes: &mut Notes) {
        let name = object.name.value.clone();
        if self.resolved.contains_key(&name) {
            return;
        }
        path.push(name.clone());
        let mut found: Vec<T> = Vec::new();
        for item in &object.items {
            if item.value == ANY {
                let expected = format!("{} objects with a limit", self.kind.section);
                notes.fault(&item.place, Some(quoted(ANY)), expected, "write \"any\" in the rule itself");
                continue;
            }
            match (self.kind.read)(&item.value) {
                Item::Literal(literal) => found.extend(literal),
                Item::Refused(refusal) => {
                    notes.fault(&item.place, Some(quoted(&item.value)), refusal.expected, refusal.advice);
                }
                Item::Name if path.contains(&item.value) => {
                    let from = path.iter().position(|name| *name == item.value).unwrap_or(0);
                    let mut cycle: Vec<&str> = path[from..].iter().map(String::as_str).collect();
                    cycle.push(&item.value);
                    let found = cycle.join(" → ");
                    notes.fault(&item.place, Some(found), "groups that do not contain themselves", "break the circle");
                }
                Item::Name => {
                    if let Some(inner) = index.get(item.value.as_str()) {
                        if path.len() >= DEPTH_LIMIT {
                            let expected = format!("at most {DEPTH_LIMIT} groups within groups");
                            notes.fault(&item.place, Some(quoted(&item.value)), expected, "flatten the groups");
                            continue;
                        }
                        self.visit(inner, index, path, notes);
                    }
                    match self.resolved.get(&item.value) {
                        Some(items) => found.extend(items.iter().cloned()),
                        None => {
                            let known = index.keys().copied().chain(self.resolved.keys().map(String::as_str));
                            self.unknown(item, known, notes);
                        }
                    }
                }
            }
            // Sorting takes out what is there twice; done now and then, it costs little.
            if found.len() > 2 * SIZE_LIMIT {
                self.sort(&mut found);
                if found.len() > SIZE_LIMIT {
                    break;
                }
            }
        }
        self.sort(&mut found);
        if found.len() > SIZE_LIMIT {
            let expected = format!("at most {SIZE_LIMIT} items, those of inner groups included");
            notes.fault(&object.name.place, Some("more than that".to_owned()), expected, "use prefixes or ranges");
            found.truncate(SIZE_LIMIT);
        }
        path.pop();
        self.resolved.insert(name, found);
    }

    fn unknown<'n>(&self, item: &Located<String>, known: impl Iterator<Item = &'n str>, notes: &mut Notes) {
        let section = self.kind.section;
        let otherwise = format!("define it in [{section}]");
        let advice = near::suggest(&item.value, known, &otherwise);
        let expected = format!("the name of an object in [{section}], or a literal {section}");
        notes.fault(&item.place, Some(quoted(&item.value)), expected, advice);
    }

    fn sort(&self, items: &mut Vec<T>) {
        items.sort_by_key(self.kind.key);
        items.dedup_by_key(|item| (self.kind.key)(item));
    }
}

/// A text as it stands in the file.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
