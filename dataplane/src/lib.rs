//! The packet path: pure from frames to verdicts and events, with a thin shell around DPDK.

pub mod appid;
pub mod endpoint;
pub mod event;
pub mod policy;
pub mod time;
pub mod verdict;
