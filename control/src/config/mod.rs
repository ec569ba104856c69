//! The configuration: one TOML file, checked as a whole and compiled to what the rest of the house takes.
//!
//! Text is parsed once, here. What leaves this room is typed and complete; a file with any fault compiles to nothing, and
//! all its faults are told at once.

mod access;
mod address;
mod advise;
mod audit;
mod compile;
mod compiled;
mod dashboard;
mod delivery;
mod describe;
mod document;
pub mod edit;
mod effect;
mod environment;
mod excerpt;
mod fault;
mod fixed;
pub mod format;
pub mod generation;
mod group;
mod groups;
mod host;
mod metrics;
pub mod model;
mod nat;
mod near;
mod numbering;
mod port;
mod protection;
pub mod reference;
mod respond;
mod roles;
mod route;
mod schema;
mod secret;
mod service;
mod signatures;
pub mod store;
mod units;
mod users;
mod value;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use sigdb::Database;

pub use access::AccessConfig;
pub use compiled::{Compiled, ImLogging, Names, NeedsRestart};
pub use dashboard::{DashboardConfig, TokenDigest};
pub(crate) use environment::allowed_cores;
pub use excerpt::Excerpt;
pub use fault::{Fault, Place, Warning};
pub use fixed::Fixed;
pub use metrics::{ListenTls, MetricsConfig};
pub use numbering::Numbering;
pub use respond::{Builtin, By, Match, Response, ResponseRule};
pub use roles::Roles;
pub use schema::objects::ImAudit;
pub use signatures::KEY as SIGNATURES;

use crate::signatures::Library;

use document::Notes;
use schema::Source;

/// Where the configuration is unless told otherwise.
pub const DEFAULT_FILE: &str = "/etc/ostiary/policy.toml";

/// Where `ostiary show` finds the running process unless told otherwise.
pub const DEFAULT_SOCKET: &str = schema::management::Management::SOCKET;

/// What a configuration is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To run on this machine: its cores and the files of SSL policies are checked too.
    Run,
    /// To replay captures: only the policy and what it records matter; the machine is not looked at.
    Replay,
    /// To take the place of a configuration that runs: what depends on the machine cannot change then.
    Reload,
}

/// Loads and compiles `file`.
///
/// # Errors
/// Every fault of the file (and, for [`Purpose::Run`], of the machine as far as the file depends on it), in the order of
/// their lines.
pub fn load(file: &Path, purpose: Purpose) -> Result<(Compiled, Vec<Warning>), Vec<Fault>> {
    load_after(file, purpose, None)
}

/// Likewise, to take the place of a configuration that runs: `library` is what its signature databases leave behind.
///
/// # Errors
/// As [`load`].
pub fn reload(file: &Path, library: &mut Library) -> Result<(Compiled, Vec<Warning>), Vec<Fault>> {
    load_after(file, Purpose::Reload, Some(library))
}

/// Likewise of a text that is in no file, or was read already; `name` is what it is called where its faults are told.
///
/// # Errors
/// As [`load`].
pub fn reload_text(name: &Path, text: &str, library: &mut Library) -> Result<(Compiled, Vec<Warning>), Vec<Fault>> {
    compile_text(name, text, Purpose::Reload, Some(library))
}

fn load_after(
    file: &Path,
    purpose: Purpose,
    library: Option<&mut Library>,
) -> Result<(Compiled, Vec<Warning>), Vec<Fault>> {
    match std::fs::read_to_string(file) {
        Ok(text) => compile_text(file, &text, purpose, library),
        Err(error) => {
            let mut notes = Notes::new(file, "");
            let (expected, advice) = match error.kind() {
                std::io::ErrorKind::InvalidData => ("a text in UTF-8", "convert it, see: iconv --to-code UTF-8"),
                std::io::ErrorKind::NotFound => ("a configuration file", "write one, or name it with --config"),
                _ => ("a configuration file that can be read", "see its mode and owner: ls -l"),
            };
            let place = notes.whole("");
            notes.fault(&place, Some(error.to_string()), expected, advice);
            Err(notes.faults)
        }
    }
}

/// What `ostiary replay` does without a policy file: two ports, `inside` and `outside`, on one wire; everything permitted
/// by the rule `replay`, which logs sessions; every flow identified; sign-ons recorded, accounts and names in clear.
pub fn replay_default(database: Arc<Database>) -> Compiled {
    let mut notes = Notes::new(Path::new("(replay)"), REPLAY_DEFAULT);
    let document = notes.parse(REPLAY_DEFAULT);
    let source = Source::read(&document, &mut notes);
    let mut compiled = compile::compile(&source, Some(database), &mut notes);
    (compiled.access.records_access, compiled.access.records_call_status) = (true, true);
    compiled
}

const REPLAY_DEFAULT: &str = r#"
[dataplane]
verify-checksums = false                    # captures taken at a sender often lack them

[[port]]
name = "inside"
device = "net_null0"
zone = "inside"

[[port]]
name = "outside"
device = "net_null1"
zone = "outside"

[[wire]]
ports = ["inside", "outside"]

[[rule]]
name = "replay"
action = "permit"
session-logging = true

[application-identification]
mode = "full"

[log.im]
enable = true
"#;

fn compile_text(
    file: &Path,
    text: &str,
    purpose: Purpose,
    library: Option<&mut Library>,
) -> Result<(Compiled, Vec<Warning>), Vec<Fault>> {
    let mut notes = Notes::new(file, text);
    let document = notes.parse(text);
    // After a fault of syntax, what was recovered would only breed faults that are none.
    if !notes.faults.is_empty() {
        return Err(sorted(notes.faults));
    }
    let source = Source::read(&document, &mut notes);
    let (database, signer) = signatures::open(&source, purpose, library, &mut notes).unzip();
    let mut compiled = compile::compile(&source, database, &mut notes);
    compiled.signer = signer.flatten();
    // Captures are replayed on machines that have other groups and files.
    if purpose != Purpose::Replay {
        compiled.resolve_groups(&source, &mut notes);
        if let (Some(metrics), Some(written)) = (&compiled.metrics, &source.metrics) {
            metrics.inspect(written, &mut notes);
        }
        if let (Some(dashboard), Some(written)) = (&mut compiled.dashboard, &source.dashboard) {
            dashboard.inspect(written, &mut notes);
        }
    }
    if purpose == Purpose::Run {
        environment::inspect(&source, &mut notes);
    }
    if !notes.faults.is_empty() {
        return Err(sorted(notes.faults));
    }
    compiled.fixed = Fixed::of(document.get_ref());
    advise::advise(&source, &compiled, &mut notes);
    notes.warnings.sort_by(|a, b| a.place.cmp(&b.place));
    Ok((compiled, notes.warnings))
}

fn sorted(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.sort_by(|a, b| a.place.cmp(&b.place));
    faults.dedup();
    faults
}
