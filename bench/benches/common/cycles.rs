//! Cycles of the time-stamp counter as criterion's measure: what the budgets are written in.

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{Criterion, Throughput};
use dataplane::dpdk::cycles;

/// Measures with the time-stamp counter.
#[derive(Clone, Copy, Debug)]
pub struct Cycles;

impl Cycles {
    /// A criterion that counts cycles.
    pub fn criterion() -> Criterion<Self> {
        Criterion::default().with_measurement(Self).configure_from_args()
    }
}

impl Measurement for Cycles {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        cycles()
    }

    fn end(&self, start: u64) -> u64 {
        cycles().wrapping_sub(start)
    }

    fn add(&self, one: &u64, other: &u64) -> u64 {
        one + other
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Cycles {
    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        "cycles"
    }

    fn scale_throughputs(&self, _typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        match throughput {
            Throughput::Elements(elements) => {
                values.iter_mut().for_each(|value| *value /= *elements as f64);
                "cycles each"
            }
            _ => "cycles",
        }
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "cycles"
    }
}
