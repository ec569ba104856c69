//! The audit trail of a test's firewall, as `ostiary audit export` reads it, and what is said to its socket of the system log.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use serde_json::Value;

use crate::process::wait_for;
use crate::program;

/// The records of the trail, in their order; of a firewall with its files in `folder`, running or not.
pub fn records(folder: &Path) -> Vec<Value> {
    let trail = folder.join("audit");
    let words = ["audit", "export", "--directory"].map(std::ffi::OsStr::new);
    let output = program::run(words.into_iter().chain([trail.as_os_str()]));
    let text = String::from_utf8_lossy(&output.stdout);
    // What was being written when it was read is there the next time.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits for a record.
///
/// # Panics
/// Where none comes.
#[track_caller]
pub fn wait_for_record(folder: &Path, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || records(folder).into_iter().find(&is_it))
}

/// Says something to the socket `log` in a folder as a program of this machine does; who says it is this process.
pub fn say(folder: &Path, tag: &str, text: &str) {
    let socket = UnixDatagram::unbound().expect("a socket can be made");
    let line = format!("<38>Nov 22 01:12:02 {tag}[{}]: {text}", std::process::id());
    socket.send_to(line.as_bytes(), folder.join("log")).expect("the firewall listens");
}

/// What sshd says of a login that fails: one connection of its own.
pub fn say_failure(folder: &Path, user: &str, from: &str) {
    say(folder, "sshd", &format!("Connection from {from} port 4000 on 192.0.2.9 port 830 rdomain \"\""));
    say(folder, "sshd", &format!("Failed password for invalid user {user} from {from} port 4000 ssh2"));
}
