//! Traffic and measurement for Ostiary.

pub mod pktgen;
