//! Figures of several runs: median, spread, and the ratio to a contender of the same runs, as a table or as JSON.

use serde_json::{Value, json};

use super::measurement::Measurement;

/// All runs of one contender in one measurement.
#[derive(Clone, Debug)]
pub struct Row {
    /// Of the measurement: `null`, `ring, 1024 flows` …
    pub title: String,
    /// What was measured.
    pub measurement: Measurement,
    /// `ostiary`, `testpmd io` …
    pub contender: String,
    /// Packets a second of each run; at least one.
    pub rates: Vec<f64>,
    /// Cycles of the time-stamp counter a second.
    pub hertz: f64,
    /// The rates of the floor in the same runs, where it took part.
    pub floor: Option<Vec<f64>>,
}

impl Row {
    /// Packets a second: median of the runs.
    pub fn median(&self) -> f64 {
        median(&self.rates)
    }

    /// Lowest and highest.
    pub fn range(&self) -> (f64, f64) {
        let rates = self.rates.iter().copied();
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
        self.hertz / self.median()
    }

    /// How many times the floor's cycles it takes: the median of the ratios within each run.
    pub fn floors(&self) -> Option<f64> {
        let floor = self.floor.as_ref()?;
        let ratios: Vec<f64> = floor.iter().zip(&self.rates).map(|(floor, rate)| floor / rate).collect();
        Some(median(&ratios))
    }

    fn json(&self) -> Value {
        json!({
            "measurement": self.title,
            "flows": self.measurement.flows,
            "rules": self.measurement.rules,
            "size": self.measurement.size.to_string(),
            "contender": self.contender,
            "packets_per_second": self.median(),
            "cycles_per_packet": self.cycles(),
            "times_the_floor": self.floors(),
            "spread": self.spread(),
            "unsteady": self.is_unsteady(),
            "runs": self.rates,
        })
    }
}

/// The middle one, or the mean of the two in the middle; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

/// The table for people.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<34} {:<16} {:>8} {:>17} {:>7} {:>11} {:>7}\n",
        "", "", "Mpps", "[low .. high]", "spread", "cycles/pkt", "/floor"
    );
    let mut last = "";
    for row in rows {
        let (low, high) = row.range();
        let title = if row.title == last { "" } else { &row.title };
        last = &row.title;
        text += &format!(
            "{:<34} {:<16} {:>8.2} {:>17} {:>6.0}% {:>11.1} {:>7}{}\n",
            title,
            row.contender,
            row.median() / 1e6,
            format!("[{:.2} .. {:.2}]", low / 1e6, high / 1e6),
            row.spread() * 100.0,
            row.cycles(),
            row.floors().map_or(String::new(), |floors| format!("{floors:.2}")),
            if row.is_unsteady() { " !" } else { "" },
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
pub const STEADY: f64 = 0.15;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rates: &[f64]) -> Row {
        Row {
            title: "null".to_owned(),
            measurement: Measurement::example(),
            contender: "ostiary".to_owned(),
            rates: rates.to_vec(),
            hertz: 2e9,
            floor: None,
        }
    }

    #[test]
    fn the_median_stands_where_outliers_do_not_move_it() {
        assert_eq!(row(&[3e6, 1e6, 2e6]).median(), 2e6);
        assert_eq!(row(&[4e6, 1e6, 2e6, 3e6]).median(), 2.5e6);
        assert_eq!(row(&[1e6, 2e6, 9e6]).cycles(), 1000.0);
    }

    #[test]
    fn ratios_are_of_the_same_run() {
        let row = Row { floor: Some(vec![20.0, 40.0, 10.0]), ..row(&[10.0, 10.0, 10.0]) };
        assert_eq!(row.floors(), Some(2.0));
    }

    #[test]
    fn runs_that_differ_are_marked() {
        assert!(!row(&[100.0, 110.0, 105.0]).is_unsteady());
        let unsteady = row(&[100.0, 120.0, 105.0]);
        assert!(unsteady.is_unsteady());
        assert!(table(&[unsteady]).contains("19% "));
    }
}
