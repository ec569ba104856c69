//! Traffic and measurement for Ostiary.

pub mod harness;
pub mod pktgen;
pub mod rules;
