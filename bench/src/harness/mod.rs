//! Measurement: the real worker and pipeline, a floor of ours, and peers, over the same software wires, in the same run.

pub mod access;
pub mod appid;
pub mod attack;
pub mod bed;
pub mod commit;
pub mod compose;
pub mod contender;
pub mod disturbance;
pub mod draw;
pub mod figure;
pub mod firewall;
pub mod floor;
pub mod flow;
pub mod gate;
pub mod interruptions;
pub mod latency;
pub mod logs;
pub mod machine;
pub mod measurement;
pub mod ostiary;
pub mod peer;
pub mod playbill;
pub mod relay;
pub mod report;
pub mod rewrite;
pub mod rules;
pub mod scene;
pub mod sessions;
pub mod siege;
pub mod soak;
pub mod svg;
pub mod testpmd;
pub mod turns;
pub mod users;
pub mod veth;
pub mod wire;
pub mod workers;

/// What a measurement comes to, or why there is none.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;
