//! `ostiary show log-hosts` and `show log` for people.

use super::output::{Failure, Output, Style, visible};
use super::show::seconds;
use super::table::{Cell, Table};
use crate::manage::{LogBufferRow, LogHostRow, LogStatisticsRow, LogWaitingRow};

/// Log hosts, and below them why those that have troubles do.
pub(super) fn hosts(rows: &[LogHostRow], output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(&[
        "LOG HOST",
        "TARGET",
        "TRANSPORT",
        "FORMAT",
        "GROUP",
        "STATE",
        "SINCE",
        "ACKNOWLEDGED",
        "QUEUED",
        "UNACKNOWLEDGED",
        "SPOOLED",
        "OLDEST SPOOLED",
        "DROPPED",
    ]);
    for row in rows {
        let state = if row.state == "up" { Style::Good } else { Style::Bad };
        let group = match (&row.group, &row.role) {
            (Some(group), Some(role)) => format!("{group} ({role})"),
            (Some(group), None) => group.clone(),
            (None, _) => "-".to_owned(),
        };
        table.row(vec![
            Cell::text(&row.name),
            Cell::text(&row.target),
            Cell::text(&row.transport),
            Cell::text(&row.format),
            Cell::text(group),
            Cell::text(&row.state).style(state),
            Cell::text(seconds(&row.since)),
            Cell::count(row.acknowledged),
            Cell::count(row.queued),
            Cell::count(row.unacknowledged),
            Cell::count(row.spooled),
            Cell::text(row.oldest.as_deref().map_or("-".to_owned(), seconds)),
            lost(row.dropped),
        ]);
    }
    table.print("no log hosts", output)?;
    for row in rows {
        if let Some(error) = &row.error {
            output.line(&format!("{}: {} reconnects, last because: {}", row.name, row.reconnects, visible(error)))?;
        }
    }
    Ok(())
}

fn lost(count: u64) -> Cell {
    Cell::count(count).style(if count > 0 { Style::Bad } else { Style::Plain })
}

/// What became of records: a line a counter, a column a class, host by host, and the law below.
pub(super) fn statistics(rows: &[LogStatisticsRow], output: &mut Output) -> Result<(), Failure> {
    for line in statistics_lines(rows, output.colour()) {
        output.line(&line)?;
    }
    Ok(())
}

fn statistics_lines(rows: &[LogStatisticsRow], colour: bool) -> Vec<String> {
    /// A counter, its name, and whether it is bad where it is not 0.
    type Line = (&'static str, fn(&LogStatisticsRow) -> u64, bool);
    const LINES: [Line; 11] = [
        ("records", |row| row.records, false),
        ("recovered", |row| row.recovered, false),
        ("acknowledged", |row| row.acknowledged, false),
        ("queued", |row| row.queued, false),
        ("  of them unacknowledged", |row| row.unacknowledged, false),
        ("spooled", |row| row.spooled, false),
        ("handed over", |row| row.handed_over, false),
        ("dropped", LogStatisticsRow::dropped, true),
        ("sent", |row| row.sent, false),
        ("resent", |row| row.resent, false),
        ("refused by the host", |row| row.refused, false),
    ];
    if rows.is_empty() {
        return vec!["no records for log hosts".to_owned()];
    }
    let mut lines = Vec::new();
    for of_host in rows.chunk_by(|a, b| a.host == b.host) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let (host, since) = (&of_host[0].host, seconds(&of_host[0].since));
        lines.push(format!("{} since {since}", visible(host)));
        // Heads of a table are the program's own words; classes are few and known.
        let mut table = Table::new(&["COUNT", "TOTAL", "BY CLASS"]);
        let mut put = |name: &str, count: &dyn Fn(&LogStatisticsRow) -> u64, is_bad: bool| {
            let total: u64 = of_host.iter().map(count).sum();
            let by_class =
                of_host.iter().filter(|row| count(row) > 0).map(|row| format!("{} {}", row.class, count(row)));
            let by_class: Vec<String> = by_class.collect();
            let total = if is_bad { lost(total) } else { Cell::count(total) };
            table.row(vec![Cell::text(name), total, Cell::text(by_class.join(", "))]);
        };
        for (name, count, is_bad) in LINES {
            put(name, &count, is_bad);
            if name == "dropped" {
                for cause in of_host[0].dropped.keys() {
                    let count = |row: &LogStatisticsRow| row.dropped.get(cause).copied().unwrap_or(0);
                    if of_host.iter().any(|row| count(row) > 0) {
                        put(&format!("  {cause}"), &count, true);
                    }
                }
            }
        }
        lines.extend(table.lines(colour));
        lines.push(match of_host.iter().find(|row| !row.holds()) {
            None => "records + recovered = acknowledged + queued + spooled + handed over + dropped".to_owned(),
            Some(row) => format!("the counts of class {} do not add up: this is a fault of the program", row.class),
        });
    }
    lines
}

pub(super) fn buffer_table() -> Table {
    Table::new(&["LOG HOST", "CLASS", "WAITING", "UNACKNOWLEDGED", "SPOOLED", "OLDEST WAITS SINCE"])
}

pub(super) fn buffer_cells(row: &LogBufferRow) -> Vec<Cell> {
    vec![
        Cell::text(&row.host),
        Cell::text(&row.class),
        Cell::count(row.waiting),
        Cell::count(row.unacknowledged),
        Cell::count(row.spooled),
        Cell::text(row.oldest.as_deref().map_or_else(|| "-".to_owned(), seconds)),
    ]
}

/// A record that waits, in a line as programs have it.
pub(super) fn waiting(row: &LogWaitingRow, output: &mut Output) -> Result<(), Failure> {
    output.line(&format!("{:>8}  {}", row.place, visible(&row.fields.to_string())))
}

#[cfg(test)]
mod tests {
    use dataplane::time::Nanos;

    use super::*;
    use crate::export::{Cause, Counts};
    use crate::record::Class;

    fn row(class: Class, change: impl Fn(&mut Counts)) -> LogStatisticsRow {
        let mut counts = Counts { generated: 9, acknowledged: 4, queued: 2, ..Counts::default() };
        counts.dropped[Cause::QueueFull as usize] = 3;
        change(&mut counts);
        LogStatisticsRow::since("siem", class, Nanos::from_parts(1_772_352_930, 0), counts, Counts::default())
    }

    #[test]
    fn causes_that_lost_something_have_a_line_and_the_law_is_written_below() {
        let lines = statistics_lines(&[row(Class::Session, |_| ()), row(Class::Im, |_| ())], false);
        assert_eq!(lines[0], "siem since 2026-03-01T08:15:30Z");
        let line = |name: &str| {
            let line = lines.iter().find(|line| line.trim_start().starts_with(name)).unwrap();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("records"), "records 18 session 9, im 9");
        assert_eq!(line("queue-full"), "queue-full 6 session 3, im 3");
        assert!(!lines.iter().any(|line| line.contains("spool-age")), "{lines:#?}");
        assert!(lines.last().unwrap().starts_with("records + recovered ="));
        let broken = statistics_lines(&[row(Class::Session, |counts| counts.queued += 1)], false);
        assert!(broken.last().unwrap().contains("class session do not add up"));
        assert_eq!(statistics_lines(&[], false), ["no records for log hosts"]);
    }
}
