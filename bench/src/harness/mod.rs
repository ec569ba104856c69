//! Measurement: the real worker and pipeline beside `dpdk-testpmd`, over the same software wires, in the same run.

pub mod figure;
pub mod ostiary;
pub mod testpmd;
pub mod wire;
