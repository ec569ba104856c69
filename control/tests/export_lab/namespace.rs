//! A network namespace of a test's own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Has a loopback interface, and goes with the test.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// None where this machine does not let us make one; says so.
    pub fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ostl-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let made = Command::new("ip").args(["netns", "add", &name]).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: no network namespace to be had, which takes root");
            return None;
        }
        let this = Self { name };
        this.run("ip link set lo up");
        Some(this)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// As `ip netns` keeps it.
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// A program that runs in it; the process is the program's own.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a command, whose words are told apart by spaces, to a good end.
    pub fn run(&self, words: &str) {
        let mut words = words.split(' ');
        let output = self.command(Path::new(words.next().unwrap())).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}
