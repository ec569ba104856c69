//! Tables for people: columns as wide as their widest cell.

use super::output::{Failure, Output, Style, paint, visible};

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    style: Style,
    right: bool,
}

impl Cell {
    /// Text, to the left.
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self { text: visible(text.as_ref()), style: Style::Plain, right: false }
    }

    /// A number, to the right, its thousands apart.
    pub(super) fn count(count: u64) -> Self {
        Self { text: thousands(count), style: Style::Plain, right: true }
    }

    /// The same in a style.
    pub(super) fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

/// A table, its rows in order.
#[derive(Debug)]
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Writes the table; where it has no rows, `none` instead.
    pub(super) fn print(&self, none: &str, output: &mut Output) -> Result<(), Failure> {
        if self.rows.is_empty() {
            return output.line(none);
        }
        for line in self.lines(output.colour()) {
            output.line(&line)?;
        }
        Ok(())
    }

    /// The table line by line, its head first.
    pub(super) fn lines(&self, colour: bool) -> Vec<String> {
        let right = |column: usize| self.rows.iter().all(|row| row.get(column).is_some_and(|cell| cell.right));
        let head: Vec<Cell> = self
            .head
            .iter()
            .enumerate()
            .map(|(column, head)| Cell { right: right(column), ..Cell::text(head).style(Style::Bold) })
            .collect();
        let width = |column: usize| {
            let cells = std::iter::once(&head).chain(&self.rows).filter_map(|row| row.get(column));
            cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        std::iter::once(&head).chain(&self.rows).map(|row| line(row, &widths, colour)).collect()
    }
}

fn line(row: &[Cell], widths: &[usize], colour: bool) -> String {
    let mut line = String::new();
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        let space = " ".repeat(width.saturating_sub(cell.text.chars().count()));
        let text = paint(colour, cell.style, &cell.text);
        if column > 0 {
            line.push_str("  ");
        }
        if cell.right {
            line.push_str(&space);
            line.push_str(&text);
        } else {
            line.push_str(&text);
            if column + 1 < row.len() {
                line.push_str(&space);
            }
        }
    }
    line.truncate(line.trim_end().len());
    line
}

fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["NAME", "PACKETS", "NOTE"]);
        table.row(vec![Cell::text("inside"), Cell::count(1_234_567), Cell::text("x")]);
        table.row(vec![Cell::text("o"), Cell::count(7), Cell::text("")]);
        assert_eq!(table.lines(false), ["NAME      PACKETS  NOTE", "inside  1,234,567  x", "o               7"]);
    }

    #[test]
    fn colour_does_not_widen_a_column() {
        let mut table = Table::new(&["A", "B"]);
        table.row(vec![Cell::text("up").style(Style::Good), Cell::text("b")]);
        assert_eq!(table.lines(true)[1], "\u{1b}[32mup\u{1b}[0m  b");
    }

    #[test]
    fn thousands_are_apart() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(count), text);
        }
    }
}
