//! A configuration file being read: its tables with their places, and the faults found so far.
//!
//! Nothing stops at the first fault. A value that cannot be taken is noted and treated as absent, and reading goes on, so
//! that an operator mends a file in one go.

use std::cell::Cell;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::describe::{self, Kind, Shape};
use super::edit::MASK;
use super::excerpt::Excerpt;
use super::fault::{Fault, Place, Warning};
use super::near;
use super::secret;
use super::value::{self, Refusal};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// Where faults and warnings are gathered.
#[derive(Debug)]
pub(super) struct Notes {
    file: Arc<Path>,
    text: Arc<str>,
    line_starts: Vec<usize>,
    /// Offset and column of the last place: long lists are read from left to right, and their columns counted once.
    last: Cell<(usize, usize)>,
    /// Where secrets stand, in order.
    masked: Vec<Range<usize>>,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Warning>,
    /// Paths of keys, what they take, and whether they are required: where nothing is read but keys are described.
    pub(super) described: Option<Vec<(String, Kind, bool)>>,
    /// The sections that were read, each with the keys that it knows.
    #[cfg(test)]
    pub(super) sections: Vec<(String, Vec<&'static str>)>,
}

impl Notes {
    pub(super) fn new(file: &Path, text: &str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self {
            file: Arc::from(file),
            text: Arc::from(text),
            line_starts,
            last: Cell::new((0, 1)),
            masked: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            described: None,
            #[cfg(test)]
            sections: Vec::new(),
        }
    }

    /// Of no file: keys are described.
    pub(super) fn describing(name: &Path) -> Self {
        Self { described: Some(Vec::new()), ..Self::new(name, "") }
    }

    /// Whether nothing is read, but keys are described.
    pub(super) fn is_describing(&self) -> bool {
        self.described.is_some()
    }

    /// Describes a key, where that is asked for; whether it is.
    pub(super) fn describe(&mut self, path: &str, kind: Kind, required: bool) -> bool {
        if let Some(described) = &mut self.described {
            described.push((path.to_owned(), kind, required));
        }
        self.described.is_some()
    }

    /// Likewise a value of its own kind: what does not take a table says in its refusal what it takes.
    fn describe_value<T>(
        &mut self,
        path: &str,
        kind: fn(Shape) -> Kind,
        required: bool,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Refusal>,
    ) -> bool {
        if !self.is_describing() {
            return false;
        }
        if let Some(Refusal { shape: Some(shape), .. }) = parse(describe::probe().get_ref()).err() {
            self.describe(path, kind(*shape), required);
        }
        true
    }

    /// The place of the octets of `span`.
    pub(super) fn place(&self, span: Range<usize>, key: impl Into<String>) -> Place {
        let offset = span.start;
        let line = self.line_starts.partition_point(|&start| start <= offset).max(1);
        let mut start = (self.line_starts[line - 1], 1);
        let last = self.last.get();
        if (start.0..=offset).contains(&last.0) {
            start = last;
        }
        let end = offset.min(self.text.len());
        let column = start.1 + self.text.get(start.0..end).map_or(0, |before| before.chars().count());
        self.last.set((end, column));
        Place { file: Arc::clone(&self.file), line, column, key: key.into(), span: (span.start, span.end) }
    }

    /// The file as a whole.
    pub(super) fn whole(&self, key: impl Into<String>) -> Place {
        Place { file: Arc::clone(&self.file), line: 0, column: 0, key: key.into(), span: (0, 0) }
    }

    /// Notes a fault.
    pub(super) fn fault(
        &mut self,
        place: &Place,
        found: Option<String>,
        expected: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let (place, excerpt) = (place.clone(), self.excerpt(place));
        self.faults.push(Fault { place, excerpt, found, expected: expected.into(), advice: advice.into() });
    }

    /// Notes a value that was refused, as it stands in the file.
    pub(super) fn refused(&mut self, place: &Place, value: &Spanned<DeValue<'_>>, refusal: Refusal) {
        if let Some(shape) = refusal.shape.as_deref().filter(|_| self.is_describing()) {
            self.describe(&place.key, Kind::Value(shape.clone()), false);
        }
        let found = self.source(value.span());
        self.fault(place, Some(found), refusal.expected, refusal.advice);
    }

    /// Notes a warning.
    pub(super) fn warn(&mut self, place: &Place, effect: impl Into<String>, advice: impl Into<String>) {
        let (place, excerpt) = (place.clone(), self.excerpt(place));
        self.warnings.push(Warning { place, excerpt, effect: effect.into(), advice: advice.into() });
    }

    /// The line of a place; none of the file as a whole.
    fn excerpt(&self, place: &Place) -> Option<Excerpt> {
        let number = place.line.checked_sub(1)?;
        let line = |number: usize| -> Option<Range<usize>> {
            let start = *self.line_starts.get(number)?;
            let end = self.line_starts.get(number + 1).map_or(self.text.len(), |next| next - 1);
            let text = self.text.get(start..end)?;
            Some(start..start + text.strip_suffix('\r').unwrap_or(text).len())
        };
        let (start, end) = place.span;
        let last = self.line_starts.partition_point(|&start| start <= end).max(1);
        let column = match last == place.line {
            true => place.column + self.text.get(start..end).map_or(0, |text| text.chars().count()),
            false => 1 + self.text.get(line(last - 1)?.start..end).map_or(0, |text| text.chars().count()),
        };
        Some(Excerpt::new(&self.text, place.line, (last, column), line(number)?, start..end, &self.masked))
    }

    /// What stands in the file from `span.start` to `span.end`, in one line, secrets masked.
    pub(super) fn source(&self, span: Range<usize>) -> String {
        let mut text = String::new();
        let mut at = span.start;
        for mask in self.masked.iter().filter(|mask| mask.start < span.end && mask.end > span.start) {
            text.push_str(self.text.get(at..mask.start).unwrap_or_default());
            text.push_str(MASK);
            at = mask.end;
        }
        text.push_str(self.text.get(at..span.end).unwrap_or_default());
        let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.chars().count() <= 72 { line } else { line.chars().take(71).chain(['…']).collect() }
    }

    /// Parses the text into tables; faults of the syntax are noted, and what can be read is returned.
    pub(super) fn parse<'i>(&mut self, text: &'i str) -> Spanned<DeTable<'i>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        self.masked = secret::places(text, &table, !errors.is_empty());
        for error in errors {
            let span = error.span().unwrap_or_default();
            let place = self.place(span.clone(), "");
            let found = if span.is_empty() { "end of line".to_owned() } else { self.source(span) };
            self.fault(&place, Some(found), format!("TOML: {}", error.message()), "mend the syntax of this line");
        }
        table
    }
}

/// A table being read key by key. What is left over at the end is unknown.
#[derive(Debug)]
pub(super) struct Section<'t, 'i> {
    path: String,
    place: Place,
    table: &'t DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'t, 'i> Section<'t, 'i> {
    pub(super) fn new(path: impl Into<String>, span: Range<usize>, table: &'t DeTable<'i>, notes: &Notes) -> Self {
        let path = path.into();
        let place = notes.place(span, path.clone());
        Self { path, place, table, known: Vec::new() }
    }

    /// The place of the section's head.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Calls the section by its name from now on, rather than by its number.
    pub(super) fn rename(&mut self, path: String) {
        self.place.key.clone_from(&path);
        self.path = path;
    }

    /// An optional value.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        notes: &mut Notes,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Refusal>,
    ) -> Option<Located<T>> {
        if notes.describe_value(&self.key(key), Kind::Value, false, &parse) {
            return None;
        }
        let (place, value) = self.entry(key, notes)?;
        match parse(value.get_ref()) {
            Ok(value) => Some(Located { value, place }),
            Err(refusal) => {
                notes.refused(&place, value, refusal);
                None
            }
        }
    }

    /// A value that must be there: where it is not, `expected` says what it would be.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        notes: &mut Notes,
        expected: &str,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Refusal>,
    ) -> Option<Located<T>> {
        if notes.describe_value(&self.key(key), Kind::Value, true, &parse) {
            return None;
        }
        if !self.has(key) {
            self.known.push(key);
            let mut place = self.place.clone();
            place.key = self.key(key);
            notes.fault(&place, None, expected, format!("add {key} = …"));
            return None;
        }
        self.optional(key, notes, parse)
    }

    /// A list of values; none where the key is absent. An empty list is a fault: what it would mean is not plain.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        notes: &mut Notes,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Refusal>,
    ) -> Option<Located<Vec<Located<T>>>> {
        if notes.describe_value(&self.key(key), Kind::List, false, &parse) {
            return None;
        }
        let (place, value) = self.entry(key, notes)?;
        let value = read_list(&place, value, notes, parse)?;
        Some(Located { value, place })
    }

    /// A list of values that must be there: where it is not, `expected` says what it would be.
    pub(super) fn required_list<T>(
        &mut self,
        key: &'static str,
        notes: &mut Notes,
        expected: &str,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Refusal>,
    ) -> Option<Located<Vec<Located<T>>>> {
        if notes.describe_value(&self.key(key), Kind::List, true, &parse) {
            return None;
        }
        if !self.has(key) {
            // Notes that it is missing.
            self.required(key, notes, expected, |_| Ok(()));
            return None;
        }
        self.list(key, notes, parse)
    }

    /// A table within; none where the key is absent.
    pub(super) fn table(&mut self, key: &'static str, notes: &mut Notes) -> Option<Section<'t, 'i>> {
        if notes.describe(&self.key(key), Kind::Table, false) {
            let path = self.key(key);
            return Some(Section { place: notes.whole(path.clone()), path, table: self.table, known: Vec::new() });
        }
        let (place, value) = self.entry(key, notes)?;
        let DeValue::Table(table) = value.get_ref() else {
            let advice = format!("write it as [{}]", place.key);
            notes.refused(&place, value, Refusal::new("a table", advice));
            return None;
        };
        Some(Section { path: place.key.clone(), place, table, known: Vec::new() })
    }

    /// The tables of an array of tables, `[[key]]`; sections are called `key[1]` until they are renamed.
    pub(super) fn tables(&mut self, key: &'static str, notes: &mut Notes) -> Vec<Section<'t, 'i>> {
        if notes.describe(&self.key(key), Kind::Tables, false) {
            let path = format!("{}[]", self.key(key));
            return vec![Section { place: notes.whole(path.clone()), path, table: self.table, known: Vec::new() }];
        }
        let Some((place, value)) = self.entry(key, notes) else { return Vec::new() };
        let refusal = || Refusal::new("an array of tables", format!("begin each with a line [[{}]]", place.key));
        let DeValue::Array(array) = value.get_ref() else {
            notes.refused(&place, value, refusal());
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in array.iter().enumerate() {
            let path = format!("{}[{}]", place.key, index + 1);
            let place = notes.place(item.span(), path.clone());
            let DeValue::Table(table) = item.get_ref() else {
                notes.refused(&place, item, refusal());
                continue;
            };
            sections.push(Section { path, place, table, known: Vec::new() });
        }
        sections
    }

    /// All keys and their values, for tables whose keys are names that the operator chose.
    pub(super) fn entries(&self, notes: &Notes) -> Vec<(Located<String>, &'t Spanned<DeValue<'i>>)> {
        if notes.is_describing() {
            let value = describe::NAME.to_owned();
            let place = notes.whole(self.key(&value));
            return vec![(Located { value, place }, describe::probe())];
        }
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| {
                let name = key.get_ref().to_string();
                let place = notes.place(key.span(), format!("{}.{name}", self.path));
                (key.span().start, (Located { value: name, place }, value))
            })
            .collect();
        entries.sort_by_key(|(at, _)| *at);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Likewise, without those whose keys are no names; these are refused.
    pub(super) fn named(&self, notes: &mut Notes) -> Vec<(Located<String>, &'t Spanned<DeValue<'i>>)> {
        let mut entries = self.entries(notes);
        entries.retain(|(name, _)| match value::name_text(&name.value) {
            Ok(()) => true,
            Err(refusal) => {
                notes.fault(&name.place, Some(name.value.clone()), refusal.expected, refusal.advice);
                false
            }
        });
        entries
    }

    /// The tables below names that the operator chose, `[section.NAME]`; what else stands there is refused.
    pub(super) fn named_tables(&self, notes: &mut Notes) -> Vec<(Located<String>, Section<'t, 'i>)> {
        let mut sections = Vec::new();
        for (name, value) in self.named(notes) {
            let DeValue::Table(table) = value.get_ref() else {
                let advice = format!("write it as [{}]", name.place.key);
                notes.refused(&name.place, value, Refusal::new("a table", advice));
                continue;
            };
            notes.describe(&name.place.key, Kind::Table, false);
            let section = Section::new(name.place.key.clone(), value.span(), table, notes);
            sections.push((name, section));
        }
        sections
    }

    /// Whether a key is there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether a key is there and its value is a table.
    pub(super) fn is_table(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Table(_)))
    }

    /// Whether a key is there and its value is a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Array(_)))
    }

    /// Refuses a key that a later version will have.
    pub(super) fn later(&mut self, key: &'static str, notes: &mut Notes) {
        if notes.describe(&self.key(key), Kind::Later, false) {
            return;
        }
        let Some((place, _)) = self.entry(key, notes) else { return };
        let expected = format!("nothing: \"{}\" is not implemented in this version", place.key);
        notes.fault(&place, Some(key.to_owned()), expected, "remove it");
    }

    /// Ends the section: whatever was not asked for is unknown.
    pub(super) fn finish(self, notes: &mut Notes) {
        #[cfg(test)]
        notes.sections.push((self.path.clone(), self.known.clone()));
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let place = notes.place(key.span(), self.key(name));
            let mut known = self.known.clone();
            known.sort_unstable();
            let list = format!("one of the known keys: {}", known.join(", "));
            let advice = near::suggest(name, known, "remove it, or write it in the section that it belongs to");
            notes.fault(&place, Some(name.to_owned()), list, advice);
        }
    }

    fn entry(&mut self, key: &'static str, notes: &Notes) -> Option<(Place, &'t Spanned<DeValue<'i>>)> {
        self.known.push(key);
        let value = self.table.get(key)?;
        // A table's span is its head; for everything else the value is what the operator has to change.
        let place = notes.place(value.span(), self.key(key));
        Some((place, value))
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// The values of a list that stands at `place`.
pub(super) fn read_list<T>(
    place: &Place,
    value: &Spanned<DeValue<'_>>,
    notes: &mut Notes,
    parse: impl Fn(&DeValue<'_>) -> Result<T, Refusal>,
) -> Option<Vec<Located<T>>> {
    if notes.describe_value(&place.key, Kind::List, false, &parse) {
        return None;
    }
    let array: &DeArray<'_> = match value.get_ref() {
        DeValue::Array(array) if !array.is_empty() => array,
        DeValue::Array(_) => {
            notes.refused(place, value, Refusal::new("at least one item", "fill the list in, or leave the key out"));
            return None;
        }
        _ => {
            notes.refused(place, value, Refusal::new("a list", "write it in brackets: [\"…\", \"…\"]"));
            return None;
        }
    };
    let mut list = Vec::new();
    for item in array {
        let place = notes.place(item.span(), place.key.clone());
        match parse(item.get_ref()) {
            Ok(value) => list.push(Located { value, place }),
            Err(refusal) => notes.refused(&place, item, refusal),
        }
    }
    Some(list)
}
