//! Traffic and measurement for Ostiary.

pub mod harness;
pub mod pktgen;
