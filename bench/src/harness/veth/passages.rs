//! The table of all runs between the cables.

use std::fmt;

use hdrhistogram::Histogram;

use super::{Forwarder, Passage};

/// Runs by offered rate and forwarder.
#[derive(Debug, Default)]
pub struct Passages(Vec<(u32, Forwarder, Vec<Passage>)>);

impl Passages {
    /// One more run.
    pub fn add(&mut self, rate: u32, forwarder: Forwarder, passage: Passage) {
        match self.0.iter_mut().find(|row| (row.0, row.1) == (rate, forwarder)) {
            Some((.., passages)) => passages.push(passage),
            None => self.0.push((rate, forwarder, vec![passage])),
        }
    }
}

impl fmt::Display for Passages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<18} {:>9} {:>9} {:>9} {:>17} {:>8} {:>9} {:>9} {:>9}",
            "veth", "asked/s", "offered/s", "arrived/s", "[low .. high]", "lost", "p50 us", "p99 us", "p99.9 us"
        )?;
        for (rate, forwarder, passages) in &self.0 {
            let arrived: Vec<f64> = passages.iter().map(|passage| passage.delivered).collect();
            let offered: Vec<f64> = passages.iter().map(|passage| passage.offered).collect();
            let lost: Vec<f64> = passages.iter().map(|one| 1.0 - one.delivered / one.offered).collect();
            let low = arrived.iter().copied().fold(f64::INFINITY, f64::min);
            let high = arrived.iter().copied().fold(0.0, f64::max);
            let at = |quantile: f64| {
                let times = passages.iter().map(|passage| quantile_of(&passage.latency, quantile));
                median(&times.collect::<Vec<_>>())
            };
            writeln!(
                f,
                "{:<18} {:>9} {:>9.0} {:>9.0} {:>17} {:>7.2}% {:>9.1} {:>9.1} {:>9.1}",
                forwarder.name(),
                rate,
                median(&offered),
                median(&arrived),
                format!("[{low:.0} .. {high:.0}]"),
                median(&lost).max(0.0) * 100.0,
                at(0.5),
                at(0.99),
                at(0.999),
            )?;
        }
        Ok(())
    }
}

/// In microseconds.
fn quantile_of(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_the_runs_of_one_forwarder_at_one_rate() {
        let mut passages = Passages::default();
        for (rate, delivered) in [(100, 90.0), (200, 150.0), (100, 100.0), (100, 95.0)] {
            let latency = Histogram::new(3).expect("three digits are allowed");
            passages.add(rate, Forwarder::AfXdp, Passage { offered: 100.0, delivered, latency });
        }
        let text = passages.to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.contains(" 95 ") && line.contains("5.00%")), "{text}");
    }
}
