//! Everything that was measured, in files: JSON for programs, Markdown for people, SVG for their eyes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::figure::{self, Row};
use super::playbill::{self, Line};
use super::svg::{self, Bar, Series};
use super::wire::{Size, Wire};

/// A report.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What it was measured on, and how.
    pub machine: String,
    /// Established sessions.
    pub rows: Vec<Row>,
    /// Scenes.
    pub lines: Vec<Line>,
}

impl Report {
    /// For programs.
    pub fn json(&self) -> Value {
        let mut report = figure::json(&self.rows);
        report["machine"] = json!(self.machine);
        report["scenes"] = playbill::json(&self.lines);
        report
    }

    /// Writes `report.json`, `report.md` and the plots into a folder, which is made.
    ///
    /// # Errors
    /// As the file system has them.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("report.json"), format!("{:#}\n", self.json()))?;
        let plots = self.plots();
        for (name, svg) in &plots {
            fs::write(folder.join(format!("{name}.svg")), svg)?;
        }
        fs::write(folder.join("report.md"), self.markdown(&plots))
    }

    fn markdown(&self, plots: &[(&str, String)]) -> String {
        let mut text = format!("# Measurements\n\n{}\n", self.machine);
        if !self.rows.is_empty() {
            text += "\n| established sessions | contender | Mpps | range | spread | cycles a packet | × floor |\n";
            text += "|---|---|---:|---|---:|---:|---:|\n";
        }
        for row in &self.rows {
            let (low, high) = row.range();
            text += &format!(
                "| {} | {} | {:.2} | {:.2} – {:.2} | {:.0} %{} | {:.1} | {} |\n",
                row.title,
                row.contender,
                row.median() / 1e6,
                low / 1e6,
                high / 1e6,
                row.spread() * 100.0,
                if row.is_unsteady() { " (unsteady)" } else { "" },
                row.cycles(),
                row.floors().map_or(String::new(), |floors| format!("{floors:.2}")),
            );
        }
        if !self.lines.is_empty() {
            text += "\n| scene | figure | median | range | |\n|---|---|---:|---|---|\n";
        }
        for line in &self.lines {
            let (low, high) = line.range();
            let mark = if line.is_unsteady() { " (unsteady)" } else { "" };
            let (scene, name, unit) = (&line.scene, &line.name, &line.unit);
            text += &format!("| {scene} | {name} | {:.2} | {low:.2} – {high:.2} | {unit}{mark} |\n", line.median());
        }
        for (name, _) in plots {
            text += &format!("\n![{name}]({name}.svg)\n");
        }
        text
    }

    /// Those for which something was measured.
    fn plots(&self) -> Vec<(&'static str, String)> {
        let rate = |row: &Row| row.median() / 1e6;
        let flows = |row: &Row| f64::from(row.measurement.flows);
        let rules = |row: &Row| f64::from(row.measurement.rules);
        let size = |row: &Row| match row.measurement.size {
            Size::Fixed(octets) => f64::from(octets),
            Size::Imix => 0.0,
        };
        let plain = |row: &&Row| row.measurement.wire == Wire::Pcap && row.measurement.size == Size::Fixed(64);
        let common_rules = self.most(|row| u64::from(row.measurement.rules));
        let common_flows = self.most(|row| u64::from(row.measurement.flows));
        let of = |rows: &dyn Fn(&&Row) -> bool, x: &dyn Fn(&Row) -> f64, y: &dyn Fn(&Row) -> f64| {
            series(self.rows.iter().filter(rows).map(|row| (row.contender.clone(), x(row), y(row))))
        };
        let by_flows = |row: &&Row| plain(row) && u64::from(row.measurement.rules) == common_rules;
        let by_rules = |row: &&Row| plain(row) && u64::from(row.measurement.flows) == common_flows;
        let by_size = |row: &&Row| {
            let one = row.measurement.wire == Wire::Pcap && row.measurement.size != Size::Imix;
            one && u64::from(row.measurement.flows) == common_flows && u64::from(row.measurement.rules) == common_rules
        };
        let mut plots = Vec::new();
        let mut add = |name, title: &str, x: &str, y: &str, series: Vec<Series>| {
            // A curve has at least two points.
            if series.iter().any(|series| series.points.len() > 1) {
                plots.push((name, svg::lines(title, x, y, &series)));
            }
        };
        add("rate-by-flows", "Established sessions", "sessions", "Mpps", of(&by_flows, &flows, &rate));
        add(
            "cycles-by-flows",
            "Established sessions",
            "sessions",
            "cycles a packet",
            of(&by_flows, &flows, &Row::cycles),
        );
        add("cycles-by-rules", "Policy", "rules", "cycles a packet", of(&by_rules, &rules, &Row::cycles));
        add("rate-by-size", "Frames", "octets", "Mpps", of(&by_size, &size, &rate));
        let bars = |wanted: &dyn Fn(&Line) -> bool, name: &dyn Fn(&Line) -> String| -> Vec<Bar> {
            let bar = |line: &Line| Bar { name: name(line), value: line.median(), range: line.range() };
            self.lines.iter().filter(|line| wanted(line)).map(bar).collect()
        };
        let latency = |line: &Line| line.scene == "latency" && line.unit == "µs";
        let sessions = |line: &Line| line.name == "sessions" && line.unit == "M/s";
        let lost = |line: &Line| line.name == "established lost";
        for (name, title, unit, bars) in [
            ("latency", "Latency over net_ring at 70 % load", "µs", bars(&latency, &|line| line.name.clone())),
            ("sessions", "New sessions", "millions a second", bars(&sessions, &|line| line.scene.clone())),
            (
                "attacks",
                "Packets of established sessions lost",
                "%",
                bars(&lost, &|line| line.scene.replacen("attack-", "", 1)),
            ),
        ] {
            if !bars.is_empty() {
                plots.push((name, svg::bars(title, unit, &bars)));
            }
        }
        plots
    }

    /// The value that most rows have.
    fn most(&self, of: impl Fn(&Row) -> u64) -> u64 {
        let count = |value: u64| self.rows.iter().filter(|row| of(row) == value).count();
        self.rows.iter().map(&of).max_by_key(|&value| (count(value), std::cmp::Reverse(value))).unwrap_or(0)
    }
}

/// Points by contender, in order of x.
fn series(points: impl Iterator<Item = (String, f64, f64)>) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for (name, x, y) in points {
        match all.iter_mut().find(|series| series.name == name) {
            Some(series) => series.points.push((x, y)),
            None => all.push(Series { name, points: vec![(x, y)] }),
        }
    }
    for series in &mut all {
        series.points.sort_by(|one, other| one.0.total_cmp(&other.0));
        series.points.dedup_by(|one, other| one.0 == other.0);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::measurement::Measurement;

    #[test]
    fn a_report_has_a_plot_for_what_was_varied_and_none_else() {
        let row = |flows: u32, rate: f64| Row {
            title: format!("{flows} flows"),
            measurement: Measurement { flows, ..Measurement::example() },
            contender: "floor".to_owned(),
            rates: vec![rate],
            hertz: 2e9,
            floor: Some(vec![rate]),
        };
        let line =
            Line { scene: "tcp".to_owned(), name: "sessions".to_owned(), values: vec![1.0], unit: "M/s".to_owned() };
        let report =
            Report { machine: "this".to_owned(), rows: vec![row(1024, 5e7), row(65_536, 3e7)], lines: vec![line] };
        let plots = report.plots();
        let names: Vec<_> = plots.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["rate-by-flows", "cycles-by-flows", "sessions"]);
        let text = report.markdown(&plots);
        assert!(text.contains("| 1024 flows | floor | 50.00 | 50.00 – 50.00 | 0 % | 40.0 | 1.00 |"), "{text}");
        assert_eq!(report.json()["scenes"][0]["figure"], "sessions");
    }
}
