//! Figures of several runs: median and spread, as a table or as JSON.

use serde_json::{Value, json};

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Packets received by the worker a second.
    pub rate: f64,
    /// Cycles of the time-stamp counter a second.
    pub cycles_per_second: f64,
}

/// All runs of one contender over one wire.
#[derive(Clone, Debug)]
pub struct Row {
    /// `null`, `ring 1024 flows` …
    pub wire: String,
    /// `ostiary`, `testpmd io` …
    pub contender: String,
    /// At least one.
    pub samples: Vec<Sample>,
}

impl Row {
    /// Packets a second: median of the runs.
    pub fn median(&self) -> f64 {
        let mut rates: Vec<f64> = self.samples.iter().map(|sample| sample.rate).collect();
        rates.sort_by(f64::total_cmp);
        match rates.len() {
            0 => 0.0,
            count if count % 2 == 1 => rates[count / 2],
            count => (rates[count / 2 - 1] + rates[count / 2]) / 2.0,
        }
    }

    /// Lowest and highest.
    pub fn range(&self) -> (f64, f64) {
        let rates = self.samples.iter().map(|sample| sample.rate);
        (rates.clone().fold(f64::INFINITY, f64::min), rates.fold(0.0, f64::max))
    }

    /// Highest less lowest, as a part of the median.
    pub fn spread(&self) -> f64 {
        let (low, high) = self.range();
        (high - low) / self.median()
    }

    /// Whether the runs differ too much for the median to mean something.
    pub fn is_unsteady(&self) -> bool {
        self.spread() > STEADY
    }

    /// Cycles of the time-stamp counter a packet, at the median.
    pub fn cycles(&self) -> f64 {
        self.samples.first().map_or(0.0, |sample| sample.cycles_per_second / self.median())
    }

    fn json(&self) -> Value {
        json!({
            "wire": self.wire,
            "contender": self.contender,
            "packets_per_second": self.median(),
            "cycles_per_packet": self.cycles(),
            "spread": self.spread(),
            "unsteady": self.is_unsteady(),
            "runs": self.samples.iter().map(|sample| sample.rate).collect::<Vec<_>>(),
        })
    }
}

/// The table for people.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<18} {:<16} {:>8} {:>17} {:>8} {:>11}\n",
        "wire", "", "Mpps", "[low .. high]", "spread", "cycles/pkt"
    );
    for row in rows {
        let (low, high) = row.range();
        let mark = if row.is_unsteady() { " !" } else { "" };
        text += &format!(
            "{:<18} {:<16} {:>8.2} {:>17} {:>7.0}% {:>11.1}{mark}\n",
            row.wire,
            row.contender,
            row.median() / 1e6,
            format!("[{:.2} .. {:.2}]", low / 1e6, high / 1e6),
            row.spread() * 100.0,
            row.cycles(),
        );
    }
    if rows.iter().any(Row::is_unsteady) {
        text += "! the runs differ by more than 15 %: something else was running; compare with care\n";
    }
    text
}

/// The same for programs.
pub fn json(rows: &[Row]) -> Value {
    json!({ "rows": rows.iter().map(Row::json).collect::<Vec<_>>() })
}

/// The largest spread of runs that can be compared.
const STEADY: f64 = 0.15;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rates: &[f64]) -> Row {
        let samples = rates.iter().map(|&rate| Sample { rate, cycles_per_second: 2e9 }).collect();
        Row { wire: "null".to_owned(), contender: "ostiary".to_owned(), samples }
    }

    #[test]
    fn the_median_stands_where_outliers_do_not_move_it() {
        assert_eq!(row(&[3e6, 1e6, 2e6]).median(), 2e6);
        assert_eq!(row(&[4e6, 1e6, 2e6, 3e6]).median(), 2.5e6);
        assert_eq!(row(&[1e6, 2e6, 9e6]).cycles(), 1000.0);
    }

    #[test]
    fn runs_that_differ_are_marked() {
        assert!(!row(&[100.0, 110.0, 105.0]).is_unsteady());
        let unsteady = row(&[100.0, 120.0, 105.0]);
        assert!(unsteady.is_unsteady());
        assert!(table(&[unsteady]).contains("19% "));
    }
}
