//! What is measured, and what came out: passed as JSON between the program and the process that measures.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::draw::Draw;
use super::wire::{Size, Wire};

/// What is measured, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Over which wire.
    pub wire: Wire,
    /// How many sessions are established.
    pub flows: u32,
    /// How packets are spread over them; none: a frame of each comes in turn, from the wire itself. Otherwise the wire has
    /// [`TEMPLATES`] frames, and headers are rewritten in line.
    pub rewritten: Option<Draw>,
    /// Rules of the policy.
    pub rules: u16,
    /// Frames.
    pub size: Size,
    /// The forwarding CPU.
    pub cpu: u16,
    /// The CPU for everything else.
    pub main_cpu: u16,
    /// How long is counted.
    pub window: Duration,
    /// Whether EAL has hugepages.
    pub hugepages: bool,
    /// Of the generator.
    pub seed: u64,
}

/// Frames a direction that the wire repeats where headers are rewritten.
pub const TEMPLATES: u32 = 1024;

impl Measurement {
    /// Frames a direction that the wire itself has.
    pub fn on_the_wire(&self) -> u32 {
        if self.rewritten.is_some() { TEMPLATES } else { self.flows }
    }

    /// One for tests: 1,024 sessions over net_pcap.
    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self {
            wire: Wire::Pcap,
            flows: 1024,
            rewritten: None,
            rules: 1,
            size: Size::default(),
            cpu: 0,
            main_cpu: 0,
            window: Duration::from_secs(1),
            hugepages: false,
            seed: 1,
        }
    }

    /// A table's row: `pcap, 1000000 flows uniform, 64 octets`.
    pub fn title(&self) -> String {
        let mut title = self.wire.name().to_owned();
        if self.wire.has_flows() {
            title += &format!(", {} flows", self.flows);
        }
        if let Some(draw) = self.rewritten {
            title += &format!(" {draw}");
        }
        if self.size != Size::default() && self.wire.has_flows() {
            title += &format!(", {} octets", self.size);
        }
        title
    }
}

/// One run's result, with what makes it valid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Packets received a second.
    pub rate: f64,
    /// Sessions open at the end, where the contender knows sessions.
    pub sessions: Option<u64>,
    /// Sessions that were opened while counting; 0, or not all were established.
    pub opened: u64,
    /// Frames dropped while counting, for whatever reason.
    pub dropped: u64,
    /// Buffers that did not come back.
    pub lost_buffers: u32,
}

impl Outcome {
    /// Of a contender that says only how fast it was.
    pub fn of_rate(rate: f64) -> Self {
        Self { rate, sessions: None, opened: 0, dropped: 0, lost_buffers: 0 }
    }

    /// Why it is not a measurement of established sessions, if it is none.
    pub fn fault(&self, measurement: &Measurement) -> Option<String> {
        let expected = if measurement.wire.has_flows() { u64::from(measurement.flows) } else { 0 };
        let is_whole = self.sessions.is_none_or(|sessions| sessions == expected)
            && (self.opened, self.dropped, self.lost_buffers) == (0, 0, 0);
        (!is_whole).then(|| format!("not a measurement of {expected} established sessions: {self:?}"))
    }
}
