//! Measurement: the real worker and pipeline, a floor of ours, and peers, over the same software wires, in the same run.

pub mod bed;
pub mod contender;
pub mod draw;
pub mod figure;
pub mod floor;
pub mod flow;
pub mod machine;
pub mod measurement;
pub mod ostiary;
pub mod relay;
pub mod rewrite;
pub mod rules;
pub mod testpmd;
pub mod wire;

/// What a measurement comes to, or why there is none.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;
