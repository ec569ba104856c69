//! One record of each kind, made by what the unit tests use.
#![allow(dead_code, unused_imports, reason = "the unit tests use the rest")]

pub use std::sync::Arc;
pub use std::time::Duration;

pub use control::export::Cause;
pub use control::record::access::AccessRecord;
pub use control::record::*;
pub use dataplane::endpoint::{Mac, Tuple};
pub use dataplane::event::{CloseReason, SessionId, Volume};
pub use dataplane::guard::Phase;
pub use dataplane::nat::Translation;
pub use dataplane::time::Nanos;
pub use sigdb::Confidence;

#[path = "../../src/record/sample.rs"]
pub mod sample;
