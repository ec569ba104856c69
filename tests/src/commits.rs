//! Commands about the configuration of a running firewall.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::program;

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Said {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// What it wrote, where it did what it was to do.
    ///
    /// # Panics
    /// Where it did not.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// Why it was refused.
    ///
    /// # Panics
    /// Where it was not.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!(self.code, 2, "{}{}", self.out, self.err);
        self.err
    }
}

/// Runs `ostiary` with these arguments at the management socket.
pub fn ostiary(socket: &Path, arguments: &[&str]) -> Said {
    let mut command = program::command(arguments);
    let Output { status, stdout, stderr } =
        command.arg("--socket").arg(socket).stdin(std::process::Stdio::null()).output().expect("ostiary runs");
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("ostiary writes UTF-8");
    Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

/// The generations, the newest first, as `ostiary generations --json` has them.
pub fn generations(socket: &Path) -> Vec<Value> {
    let text = ostiary(socket, &["generations", "--json"]).done();
    let row = |line: &str| serde_json::from_str::<Value>(line).expect("JSON lines")["generation"].clone();
    // Behind them it may say what is set for a time.
    text.lines().map(row).filter(|row| !row.is_null()).collect()
}
