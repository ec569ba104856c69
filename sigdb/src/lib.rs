//! Application signatures as data: the language operators write, its compiler, the file that carries the result, and the
//! matcher that the packet path runs.
//!
//! `signatures/*.toml` → [`compile_folder`] → [`Database`] → `.sigdb` file → [`Database::load`] → [`FlowState::read`], a
//! message at a time.

mod automaton;
mod compile;
mod database;
mod diff;
pub mod dns;
mod explain;
mod flow;
mod format;
mod framing;
pub mod http;
mod matcher;
mod program;
pub mod quic;
mod registry;
mod sample;
mod scratch;
mod sighting;
mod sip;
mod source;
pub mod tls;
mod turns;

pub use automaton::literal::Literal;
pub use compile::{CompileError, DATABASE_FILE, Source, compile, compile_folder, sample_flows, try_samples};
pub use database::Database;
pub use diff::Diff;
pub use explain::{Explanation, Held, Note, Piece, Tested, explain};
pub use flow::{Finding, Findings, FlowState, Start, Step};
pub use format::{Container, FORMAT_VERSION, LoadError, Signature};
pub use program::{Sender, Transport, WINDOW};
pub use registry::{NoNumbers, Registry};
pub use sample::{SampleFlow, SampleReport};
pub use scratch::Scratch;
pub use sighting::{AccountText, AppId, Confidence, Generation, Resolved, Sighting, SignOn};
