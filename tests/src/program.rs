//! The built `ostiary` program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// The program, built from this checkout in the profile of the tests; `OSTIARY_BINARY` names another.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(path) = std::env::var_os("OSTIARY_BINARY").map(PathBuf::from) {
            assert!(path.is_file(), "OSTIARY_BINARY names no file: {}", path.display());
            return path;
        }
        build();
        let tests = std::env::current_exe().expect("a process knows its program");
        let folder = tests.ancestors().nth(2).expect("tests live in target/PROFILE/deps");
        folder.join("ostiary")
    })
}

fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(root());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "cargo build failed");
}

/// The top of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout")
}

/// A command of the program.
pub fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(path());
    command.args(arguments).env("NO_COLOR", "1");
    command
}

/// Runs a command to its end.
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    command(arguments).stdin(std::process::Stdio::null()).output().expect("ostiary runs")
}

/// What a replay said.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Exit code; -1 where a signal ended it.
    pub code: i32,
    /// Its lines, the last one the summary.
    pub events: Vec<Value>,
    /// What it said to people.
    pub errors: String,
}

impl Replay {
    /// `ostiary replay --json` with these further arguments.
    ///
    /// # Panics
    /// Where a line is no JSON object.
    pub fn of<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = command(["replay", "--json"]);
        let output = command.args(arguments).stdin(std::process::Stdio::null()).output().expect("ostiary runs");
        let text = String::from_utf8(output.stdout).expect("replay writes UTF-8");
        let events = text
            .lines()
            .map(|line| match serde_json::from_str(line) {
                Ok(value @ Value::Object(_)) => value,
                other => panic!("not a JSON object: {line}: {other:?}"),
            })
            .collect();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code().unwrap_or(-1), events, errors }
    }

    /// The events of one kind.
    pub fn events(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["event"] == kind)
    }

    /// The last line.
    ///
    /// # Panics
    /// Where it is no summary.
    pub fn summary(&self) -> &Value {
        let last = self.events.last().unwrap_or_else(|| panic!("replay said nothing: {}", self.errors));
        assert_eq!(last["event"], "summary", "{last}");
        last
    }
}
