//! A peer's process and the files it leaves, gone when it is dropped.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::telemetry;
use crate::harness::Fallible;

/// A running peer.
#[derive(Debug)]
pub struct Process {
    child: Child,
    prefix: String,
}

impl Process {
    /// Starts a DPDK program whose EAL has this file prefix, its output to `log` in `folder`.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(command: &mut Command, prefix: &str, folder: &Path) -> Fallible<Self> {
        let log = File::create(folder.join(format!("{prefix}.log")))?;
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{program} does not start: {error}"))?;
        Ok(Self { child, prefix: prefix.to_owned() })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first, so that it removes what it has in namespaces and shared memory.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let begin = Instant::now();
        while begin.elapsed() < FAREWELL && self.child.try_wait().is_ok_and(|status| status.is_none()) {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(telemetry::runtime(&self.prefix));
    }
}

/// A file prefix of this process's own.
pub fn prefix(of: &str) -> String {
    format!("ostiary-{of}-{}", std::process::id())
}

/// Runs a tool to its end.
///
/// # Errors
/// Where it fails, with what it said.
pub fn run(command: &mut Command) -> Fallible<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program} does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How long a peer may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(2);
