//! The packet path: pure from frames to verdicts and events, with a thin shell around DPDK.

pub mod access;
pub mod appid;
pub mod blocked;
pub mod command;
pub mod counters;
pub mod dispatcher;
#[allow(unsafe_code)] // the room in which DPDK is made safe
pub mod dpdk;
pub mod endpoint;
pub mod event;
pub mod flow;
pub mod guard;
pub mod load;
pub mod nat;
pub mod packet;
pub mod pipeline;
pub mod policy;
pub mod reassembly;
pub mod route;
pub mod time;
pub mod verdict;
pub mod wire;
pub mod worker;
