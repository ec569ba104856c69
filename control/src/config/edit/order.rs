//! The order in which tables are written. An editor of TOML keeps it as a number of each table, which a table that comes
//! new, or moves, needs too.

use toml_edit::{Item, Table};

/// Room between two numbers: for the tables of what is put between.
const STRIDE: isize = 1 << 20;

/// Numbers all tables below `root` anew, in the order in which they are written.
pub(super) fn renumber(root: &mut Table) {
    let mut numbers = Vec::new();
    // As the writer does: a table without a number follows the one that is visited before it.
    let mut last = 0;
    visit(root, &mut |table| {
        last = table.position().unwrap_or(last);
        numbers.push(last);
    });
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    // The root is written first, whatever its number.
    order.sort_by_key(|&at| (at != 0, numbers[at]));
    let mut places = vec![0; numbers.len()];
    for (place, at) in order.into_iter().enumerate() {
        places[at] = place as isize * STRIDE;
    }
    let mut places = places.into_iter();
    visit_mut(root, &mut |table| table.set_position(places.next()));
}

/// The greatest number of a table and all below it.
pub(super) fn last(table: &Table) -> isize {
    let mut greatest = 0;
    visit(table, &mut |table| greatest = greatest.max(table.position().unwrap_or(0)));
    greatest
}

/// How many tables there are, this one among them.
fn count(table: &Table) -> isize {
    let mut count = 0;
    visit(table, &mut |_| count += 1);
    count
}

/// Numbers a table and those below it, in their order, from behind `number`.
pub(super) fn behind(table: &mut Table, number: isize) {
    renumber_from(table, number + 1);
}

/// Likewise so that all come before `number`.
pub(super) fn before(table: &mut Table, number: isize) {
    let first = number - count(table);
    renumber_from(table, first);
}

fn renumber_from(table: &mut Table, first: isize) {
    renumber(table);
    visit_mut(table, &mut |table| {
        let place = table.position().unwrap_or(0) / STRIDE;
        table.set_position(Some(first + place));
    });
}

/// Visits tables with a head of their own, as the writer does.
fn visit(table: &Table, see: &mut impl FnMut(&Table)) {
    if !table.is_dotted() {
        see(table);
    }
    for (_, item) in table.iter() {
        match item {
            Item::Table(table) => visit(table, see),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|table| visit(table, see)),
            Item::None | Item::Value(_) => {}
        }
    }
}

fn visit_mut(table: &mut Table, see: &mut impl FnMut(&mut Table)) {
    if !table.is_dotted() {
        see(table);
    }
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(table) => visit_mut(table, see),
            Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| visit_mut(table, see)),
            Item::None | Item::Value(_) => {}
        }
    }
}
