//! Finds DPDK.
fn main() {}
