//! Other people's dataplanes over the same wires: programs of Debian packages, set up by `scripts/peers`. One that is not
//! installed takes no turn, and the table says so.

mod l3fwd;
mod lab;
mod ovs;
mod suricata;
mod telemetry;

pub use l3fwd::L3fwd;
pub use ovs::OpenVswitch;
pub use suricata::Suricata;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Finds a program: by its path, or by its name in `PATH`.
fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// Where `scripts/peers` puts what has to be built.
fn built() -> PathBuf {
    std::env::var_os("OSTIARY_PEERS").map_or_else(|| Path::new("target/peers").to_owned(), PathBuf::from)
}
