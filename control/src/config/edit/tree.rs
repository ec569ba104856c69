//! A configuration file that is edited at paths: what an edit does not name stays as it is written, comments among it.

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::diff::{Change, ChangeKind};
use super::kind::NAME;
use super::path::{Path, Step};
use super::{EditError, EditKind, EditOp, Insert, Tag, order};

/// A file's text, taken apart.
#[derive(Clone, Debug)]
pub struct Tree(DocumentMut);

/// One edit, its path read.
struct Edit<'a> {
    path: &'a Path,
    kind: EditKind,
    value: Option<&'a toml::Value>,
    insert: Option<&'a Insert>,
}

impl Tree {
    /// Of a file's text.
    ///
    /// # Errors
    /// Where it is no TOML; the text says where.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: toml_edit::TomlError| error.to_string())
    }

    /// Its text.
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// Makes an edit.
    ///
    /// # Errors
    /// Where it cannot be made; then nothing was changed.
    pub fn edit(&mut self, op: &EditOp) -> Result<(), EditError> {
        let path = Path::parse(&op.path)?;
        self.make(&Edit { path: &path, kind: op.kind, value: op.value.as_ref(), insert: op.insert.as_ref() })
    }

    /// Makes what differs between two configurations.
    ///
    /// # Errors
    /// Where it cannot be made: this is not the one that the difference is of. Then nothing was changed.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), EditError> {
        let mut tree = self.clone();
        for change in changes {
            let insert = change.after.as_ref().map(|after| match after {
                Some(name) => Insert::After(name.clone()),
                None => Insert::First,
            });
            let kind = match change.kind {
                ChangeKind::Add => EditKind::Create,
                ChangeKind::Delete => EditKind::Delete,
                ChangeKind::Modify => EditKind::Replace,
                ChangeKind::Move => EditKind::Merge,
            };
            tree.make(&Edit { path: &change.path, kind, value: change.new.as_ref(), insert: insert.as_ref() })?;
        }
        *self = tree;
        Ok(())
    }

    fn make(&mut self, edit: &Edit<'_>) -> Result<(), EditError> {
        if edit.value.is_some_and(holds_date) {
            return Err(edit.error(Tag::InvalidValue, "no key of a configuration is a date: write it as a text"));
        }
        // An edit that fails half way was made of this one.
        let mut document = self.0.clone();
        order::renumber(document.as_table_mut());
        let end = order::last(document.as_table());
        within(Node::Table(document.as_table_mut()), &edit.path.0, edit, end)?;
        self.0 = document;
        Ok(())
    }
}

impl Edit<'_> {
    fn error(&self, tag: Tag, text: impl Into<String>) -> EditError {
        EditError::new(tag, self.path, text)
    }

    fn deletes(&self) -> bool {
        matches!(self.kind, EditKind::Delete | EditKind::Remove)
    }

    /// What a deletion does where nothing stands.
    fn missing(&self) -> Result<(), EditError> {
        if self.kind == EditKind::Remove { Ok(()) } else { Err(self.error(Tag::DataMissing, "is not there")) }
    }

    fn value(&self) -> Result<&toml::Value, EditError> {
        self.value.ok_or_else(|| self.error(Tag::InvalidValue, "a value is missing"))
    }

    /// The value of a table that is known by its name.
    fn named(&self, name: &str) -> Result<toml::Table, EditError> {
        let mut table = match self.value {
            Some(toml::Value::Table(table)) => table.clone(),
            Some(_) => return Err(self.error(Tag::InvalidValue, "a table is expected, such as { action = \"deny\" }")),
            None => toml::Table::new(),
        };
        match table.entry(NAME).or_insert_with(|| toml::Value::from(name)) {
            toml::Value::String(given) if given == name => Ok(table),
            other => Err(self.error(Tag::InvalidValue, format!("its name is another: {other}"))),
        }
    }
}

/// What a path leads through.
enum Node<'a> {
    Table(&'a mut Table),
    Inline(&'a mut InlineTable),
    Tables(&'a mut ArrayOfTables),
    Array(&'a mut Array),
}

impl<'a> Node<'a> {
    fn of(item: &'a mut Item) -> Option<Self> {
        match item {
            Item::Table(table) => Some(Self::Table(table)),
            Item::ArrayOfTables(tables) => Some(Self::Tables(tables)),
            Item::Value(value) => Self::of_value(value),
            Item::None => None,
        }
    }

    fn of_value(value: &'a mut Value) -> Option<Self> {
        match value {
            Value::InlineTable(table) => Some(Self::Inline(table)),
            Value::Array(array) => Some(Self::Array(array)),
            _ => None,
        }
    }

    fn is_list(&self) -> bool {
        matches!(self, Self::Tables(_) | Self::Array(_))
    }
}

/// Follows the path from `node` on. `end`: the number of the last table of the file.
fn within(node: Node<'_>, steps: &[Step], edit: &Edit<'_>, end: isize) -> Result<(), EditError> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    let wrong = |what: &str| Err(edit.error(Tag::BadElement, what));
    match (node, step) {
        (Node::Table(table), Step::Key(key)) => {
            // The root's are the file's.
            let behind = table.position().map(|number| if number == 0 { end } else { order::last(table) });
            let has_heads = !table.is_dotted();
            in_table(table, has_heads, key, rest, edit, end)?;
            // What is new within has no number yet; where this is new itself, what it is in numbers both.
            if let Some(number) = behind {
                place_new(table, number);
            }
            Ok(())
        }
        (Node::Inline(table), Step::Key(key)) => in_table(table, false, key, rest, edit, end),
        (Node::Tables(tables), Step::Member(_) | Step::Number(_)) => in_tables(tables, step, rest, edit, end),
        (Node::Array(array), Step::Member(_) | Step::Number(_)) => in_array(array, step, rest, edit, end),
        (Node::Table(_) | Node::Inline(_), _) => wrong("a list is expected before [, and there is a table"),
        (Node::Tables(_) | Node::Array(_), _) => wrong("is a list: say which member, as in rule[NAME]"),
    }
}

/// `has_heads`: tables within are written with heads of their own.
fn in_table(
    table: &mut dyn TableLike,
    has_heads: bool,
    key: &str,
    rest: &[Step],
    edit: &Edit<'_>,
    end: isize,
) -> Result<(), EditError> {
    let here = table.get_mut(key).filter(|item| !item.is_none());
    if rest.is_empty() {
        if edit.insert.is_some() {
            return Err(edit.error(Tag::InvalidValue, "is no member of a list: it has no place in one"));
        }
        return match here {
            Some(_) if edit.deletes() => {
                table.remove(key);
                Ok(())
            }
            None if edit.deletes() => edit.missing(),
            Some(_) if edit.kind == EditKind::Create => Err(edit.error(Tag::DataExists, "is there already")),
            Some(item) if edit.kind == EditKind::Merge => merge(item, edit.value()?, edit, end),
            Some(item) => {
                replace(item, edit.value()?, has_heads);
                Ok(())
            }
            None => {
                table.insert(key, item_of(edit.value()?, has_heads));
                Ok(())
            }
        };
    }
    let Some(item) = here else {
        if edit.deletes() {
            return edit.missing();
        }
        let mut item = empty(&rest[0], edit, has_heads);
        let Some(node) = Node::of(&mut item) else { return Ok(()) };
        within(node, rest, edit, end)?;
        table.insert(key, item);
        return Ok(());
    };
    let Some(node) = Node::of(item) else {
        return Err(edit.error(Tag::BadElement, format!("{key} is a plain value: nothing is below it")));
    };
    let is_list = node.is_list();
    within(node, rest, edit, end)?;
    // A list without members is no list of a configuration: it goes with its last one.
    if is_list && edit.deletes() && is_empty_list(item) {
        table.remove(key);
    } else if let Item::Table(inner) = item
        && inner.is_empty()
        && !inner.is_dotted()
    {
        // It was told by the heads of those within: without them it needs one of its own, or it is gone too.
        inner.set_implicit(false);
    }
    Ok(())
}

/// What a path makes where nothing was, for its next step.
fn empty(next: &Step, edit: &Edit<'_>, has_heads: bool) -> Item {
    let plain_member = edit.value.is_none_or(|value| !value.is_table());
    match next {
        Step::Key(_) if has_heads => {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        }
        Step::Key(_) => Item::Value(Value::InlineTable(InlineTable::new())),
        // The last step names a plain value, or a table within the member.
        Step::Member(_) if plain_member && matches!(edit.path.0.last(), Some(Step::Member(_))) => {
            Item::Value(Value::Array(Array::new()))
        }
        Step::Member(_) | Step::Number(_) if has_heads => Item::ArrayOfTables(ArrayOfTables::new()),
        Step::Member(_) | Step::Number(_) => Item::Value(Value::Array(Array::new())),
    }
}

/// A list of tables, each with a head.
fn in_tables(
    tables: &mut ArrayOfTables,
    step: &Step,
    rest: &[Step],
    edit: &Edit<'_>,
    end: isize,
) -> Result<(), EditError> {
    let names: Vec<Option<String>> = tables.iter().map(|table| name_in(table)).collect();
    let at = find(&names, step, edit)?;
    if !rest.is_empty() {
        let table = match at {
            Some(at) => tables.get_mut(at),
            None if edit.deletes() => return edit.missing(),
            None => {
                let last = tables.len();
                put(tables, last, table_of(&new_member_value(step, edit)?));
                tables.get_mut(last)
            }
        };
        return table.map_or(Ok(()), |table| within(Node::Table(table), rest, edit, end));
    }
    let table = match at {
        Some(at) if edit.deletes() => {
            tables.remove(at);
            return Ok(());
        }
        None if edit.deletes() => return edit.missing(),
        Some(_) if edit.kind == EditKind::Create => return Err(edit.error(Tag::DataExists, "is there already")),
        Some(at) => {
            let value = member_value(step, edit)?;
            if let Some(table) = tables.get_mut(at) {
                let numbers = table.position();
                let last = order::last(table);
                if edit.kind == EditKind::Merge {
                    merge_table(table, &value, edit, end)?;
                } else {
                    let mut fresh = table_of(&value);
                    *fresh.decor_mut() = table.decor().clone();
                    fresh.set_position(numbers);
                    *table = fresh;
                }
                place_new(table, last);
            }
            if edit.insert.is_none() {
                return Ok(());
            }
            tables.remove(at)
        }
        None => table_of(&member_value(step, edit)?),
    };
    let names: Vec<Option<String>> = tables.iter().map(|table| name_in(table)).collect();
    let at = destination(&names, edit)?;
    put(tables, at, table);
    Ok(())
}

/// Puts a table into a list, and into the file where its neighbours are; the first of a list has no number yet.
fn put(tables: &mut ArrayOfTables, at: usize, mut table: Table) {
    if let Some(front) = at.checked_sub(1).and_then(|at| tables.get(at)) {
        order::behind(&mut table, order::last(front));
    } else if let Some(next) = tables.get(at) {
        order::before(&mut table, next.position().unwrap_or(0));
    }
    tables.insert(at, table);
}

/// A list within brackets: of plain values, or of tables on one line.
fn in_array(array: &mut Array, step: &Step, rest: &[Step], edit: &Edit<'_>, end: isize) -> Result<(), EditError> {
    let has_tables = array.iter().any(Value::is_inline_table);
    let is_plain = if array.is_empty() {
        rest.is_empty() && edit.value.is_none_or(|value| !value.is_table())
    } else {
        !has_tables
    };
    let names: Vec<Option<String>> =
        array.iter().map(|value| if has_tables { name_of(value) } else { plain(value) }).collect();
    let at = find(&names, step, edit)?;
    if !rest.is_empty() {
        if is_plain && !array.is_empty() {
            return Err(edit.error(Tag::BadElement, "is a list of plain values: nothing is below them"));
        }
        let at = match at {
            Some(at) => at,
            None if edit.deletes() => return edit.missing(),
            None => {
                array.push(inline_of(&new_member_value(step, edit)?));
                array.len() - 1
            }
        };
        let Some(node) = array.get_mut(at).and_then(Node::of_value) else { return Ok(()) };
        return within(node, rest, edit, end);
    }
    let value = match at {
        Some(at) if edit.deletes() => {
            array.remove(at);
            tidy(array);
            return Ok(());
        }
        None if edit.deletes() => return edit.missing(),
        Some(_) if edit.kind == EditKind::Create => return Err(edit.error(Tag::DataExists, "is there already")),
        Some(at) => {
            let value =
                if is_plain { plain_value(array, step, edit)? } else { toml::Value::Table(member_value(step, edit)?) };
            if let Some(slot) = array.get_mut(at) {
                let mut fresh = Item::Value(slot.clone());
                if edit.kind == EditKind::Merge && !is_plain {
                    merge(&mut fresh, &value, edit, end)?;
                } else if edit.kind == EditKind::Replace || edit.value.is_some() {
                    replace(&mut fresh, &value, false);
                }
                if let Item::Value(fresh) = fresh {
                    *slot = fresh;
                }
            }
            if edit.insert.is_none() {
                return Ok(());
            }
            array.remove(at)
        }
        None if is_plain => value_of(&plain_value(array, step, edit)?),
        None => inline_of(&member_value(step, edit)?),
    };
    let names: Vec<Option<String>> =
        array.iter().map(|value| if has_tables { name_of(value) } else { plain(value) }).collect();
    let at = destination(&names, edit)?;
    // A list that is written one to a line goes on so.
    let like = array.get(0).map(|value| value.decor().clone()).filter(|decor| {
        decor
            .prefix()
            .and_then(|prefix| prefix.as_str())
            .is_some_and(|prefix| prefix.trim().is_empty() && prefix.contains('\n'))
    });
    let mut value = value;
    let decor = value.decor_mut();
    match like {
        Some(like) => decor.set_prefix(like.prefix().cloned().unwrap_or_default()),
        None => decor.set_prefix(if at == 0 { "" } else { " " }),
    }
    decor.set_suffix("");
    array.insert_formatted(at, value);
    tidy(array);
    Ok(())
}

/// Mends the space before the first values of a list on one line.
fn tidy(array: &mut Array) {
    for (at, value) in array.iter_mut().enumerate().take(2) {
        let decor = value.decor_mut();
        let blank =
            decor.prefix().and_then(|prefix| prefix.as_str()).is_some_and(|prefix| prefix.chars().all(|c| c == ' '));
        if blank {
            decor.set_prefix(if at == 0 { "" } else { " " });
        }
    }
}

/// The place of the member that a step names; none where there is none of it.
fn find(names: &[Option<String>], step: &Step, edit: &Edit<'_>) -> Result<Option<usize>, EditError> {
    let by_number = |number: usize| match number.checked_sub(1) {
        Some(at) if at < names.len() => Ok(Some(at)),
        Some(at) if at == names.len() => Ok(None),
        _ => Err(edit.error(Tag::DataMissing, format!("there are {} members", names.len()))),
    };
    match step {
        Step::Number(number) => by_number(*number),
        Step::Member(name) => {
            let at = names.iter().position(|other| other.as_ref() == Some(name));
            match name.parse() {
                Ok(number) if at.is_none() && names.iter().any(Option::is_none) => by_number(number),
                _ => Ok(at),
            }
        }
        Step::Key(_) => Ok(None),
    }
}

/// Where a member goes that is not in the list now.
fn destination(names: &[Option<String>], edit: &Edit<'_>) -> Result<usize, EditError> {
    let of = |name: &String| {
        let at = names.iter().position(|other| other.as_ref() == Some(name));
        at.ok_or_else(|| edit.error(Tag::BadElement, format!("no member is called {name}")))
    };
    match edit.insert {
        None | Some(Insert::Last) => Ok(names.len()),
        Some(Insert::First) => Ok(0),
        Some(Insert::Before(name)) => of(name),
        Some(Insert::After(name)) => of(name).map(|at| at + 1),
    }
}

/// The value of a table in a list, with its name.
fn member_value(step: &Step, edit: &Edit<'_>) -> Result<toml::Table, EditError> {
    match (step, edit.value) {
        (Step::Number(_), Some(toml::Value::Table(table))) => Ok(table.clone()),
        (Step::Member(name), Some(toml::Value::Table(table))) if is_number(name) && !table.contains_key(NAME) => {
            Ok(table.clone())
        }
        (Step::Member(name), _) => edit.named(name),
        (Step::Number(_) | Step::Key(_), _) => Err(edit.error(Tag::InvalidValue, "a table is expected")),
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<u32>().is_ok()
}

/// A table that an edit below it makes.
fn new_member_value(step: &Step, edit: &Edit<'_>) -> Result<toml::Table, EditError> {
    match step {
        Step::Member(name) if is_number(name) => Ok(toml::Table::new()),
        Step::Member(name) => Ok(toml::Table::from_iter([(NAME.to_owned(), toml::Value::from(name.as_str()))])),
        Step::Number(_) => Ok(toml::Table::new()),
        Step::Key(_) => Err(edit.error(Tag::BadElement, "say which member, as in rule[NAME]")),
    }
}

/// A plain value that a path names, of the kind of its neighbours.
fn plain_value(array: &Array, step: &Step, edit: &Edit<'_>) -> Result<toml::Value, EditError> {
    match (edit.value, step) {
        (Some(value), _) => Ok(value.clone()),
        (None, Step::Member(text)) => {
            let wants_number = array.get(0).is_some_and(Value::is_integer);
            let number = text.parse::<i64>().ok().filter(|_| wants_number);
            Ok(number.map_or_else(|| toml::Value::from(text.as_str()), toml::Value::from))
        }
        (None, Step::Number(_) | Step::Key(_)) => Err(edit.error(Tag::InvalidValue, "a value is missing")),
    }
}

fn name_in(table: &dyn TableLike) -> Option<String> {
    table.get(NAME)?.as_str().map(str::to_owned)
}

fn name_of(value: &Value) -> Option<String> {
    value.as_inline_table().and_then(|table| name_in(table))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) => Some(toml::Value::Float(*number.value()).to_string()),
        Value::Boolean(boolean) => Some(boolean.value().to_string()),
        Value::Datetime(time) => Some(time.value().to_string()),
        Value::Array(_) | Value::InlineTable(_) => None,
    }
}

fn is_empty_list(item: &Item) -> bool {
    match item {
        Item::ArrayOfTables(tables) => tables.is_empty(),
        Item::Value(Value::Array(array)) => array.is_empty(),
        _ => false,
    }
}

/// Joins a value with what is there.
fn merge(item: &mut Item, value: &toml::Value, edit: &Edit<'_>, end: isize) -> Result<(), EditError> {
    match (item, value) {
        (Item::Table(table), toml::Value::Table(value)) => {
            let behind = order::last(table);
            merge_table(table, value, edit, end)?;
            place_new(table, behind);
            Ok(())
        }
        (Item::Value(Value::InlineTable(table)), toml::Value::Table(value)) => merge_table(table, value, edit, end),
        (item @ (Item::ArrayOfTables(_) | Item::Value(Value::Array(_))), toml::Value::Array(values)) => {
            for value in values {
                let Some(node) = Node::of(item) else { break };
                merge_member(node, value, edit, end)?;
            }
            Ok(())
        }
        (item, value) => {
            replace(item, value, true);
            Ok(())
        }
    }
}

fn merge_table(table: &mut dyn TableLike, value: &toml::Table, edit: &Edit<'_>, end: isize) -> Result<(), EditError> {
    for (key, value) in value {
        match table.get_mut(key).filter(|item| !item.is_none()) {
            Some(item) => merge(item, value, edit, end)?,
            None => {
                let inline = matches!(value, toml::Value::Table(_) | toml::Value::Array(_));
                table.insert(key, item_of(value, !inline));
            }
        }
    }
    Ok(())
}

/// Joins one member with a list: tables by their names, plain values where they are not there yet.
fn merge_member(list: Node<'_>, value: &toml::Value, edit: &Edit<'_>, end: isize) -> Result<(), EditError> {
    let step = match super::kind::name(value).map(str::to_owned).or_else(|| super::kind::plain(value)) {
        Some(name) => Step::Member(name),
        None => match &list {
            Node::Tables(tables) => Step::Number(tables.len() + 1),
            Node::Array(array) => Step::Number(array.len() + 1),
            Node::Table(_) | Node::Inline(_) => return Ok(()),
        },
    };
    let edit = Edit { path: edit.path, kind: EditKind::Merge, value: Some(value), insert: None };
    within(list, &[step], &edit, end)
}

/// Puts a value in the place of another; what is written around it stays.
fn replace(item: &mut Item, value: &toml::Value, has_heads: bool) {
    let mut fresh = match item {
        // Where it was on one line, it is again.
        Item::Value(_) => item_of(value, false),
        _ => item_of(value, has_heads),
    };
    match (&*item, &mut fresh) {
        (Item::Value(old), Item::Value(new)) => *new.decor_mut() = old.decor().clone(),
        (Item::Table(old), Item::Table(new)) => {
            *new.decor_mut() = old.decor().clone();
            new.set_position(old.position());
        }
        _ => {}
    }
    *item = fresh;
}

/// Gives tables below that have no number one behind `number`.
fn place_new(table: &mut Table, number: isize) {
    let mut next = number;
    number_new(table, &mut next);
}

fn number_new(table: &mut Table, next: &mut isize) {
    if table.position().is_none() && !table.is_dotted() {
        *next += 1;
        table.set_position(Some(*next));
    }
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(table) => number_new(table, next),
            Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| number_new(table, next)),
            Item::None | Item::Value(_) => {}
        }
    }
}

fn holds_date(value: &toml::Value) -> bool {
    match value {
        toml::Value::Datetime(_) => true,
        toml::Value::Array(list) => list.iter().any(holds_date),
        toml::Value::Table(table) => table.values().any(holds_date),
        _ => false,
    }
}

/// A value as it is written: tables, and lists of them, with heads where there may be some.
fn item_of(value: &toml::Value, has_heads: bool) -> Item {
    match value {
        toml::Value::Table(table) if has_heads => Item::Table(table_of(table)),
        toml::Value::Array(list) if has_heads && !list.is_empty() && list.iter().all(toml::Value::is_table) => {
            let tables = list.iter().filter_map(toml::Value::as_table).map(table_of);
            Item::ArrayOfTables(tables.collect())
        }
        other => Item::Value(value_of(other)),
    }
}

/// A table with a head; those within are on one line. Its name comes first.
fn table_of(table: &toml::Table) -> Table {
    let mut fresh = Table::new();
    for (key, value) in in_order(table) {
        fresh.insert(key, Item::Value(value_of(value)));
    }
    fresh
}

fn inline_of(table: &toml::Table) -> Value {
    let mut fresh = InlineTable::new();
    for (key, value) in in_order(table) {
        fresh.insert(key, value_of(value));
    }
    Value::InlineTable(fresh)
}

fn in_order(table: &toml::Table) -> impl Iterator<Item = (&String, &toml::Value)> {
    let named = table.get_key_value(NAME);
    named.into_iter().chain(table.iter().filter(|(key, _)| *key != NAME))
}

fn value_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(boolean) => Value::from(*boolean),
        // Refused before.
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(list) => Value::Array(list.iter().map(value_of).collect()),
        toml::Value::Table(table) => inline_of(table),
    }
}
