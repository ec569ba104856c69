//! A shell that runs a page's commands one after the other, in namespaces of its own: what it makes is gone with it.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};

use tempfile::TempDir;

use super::console;
use super::pattern::fits;
use crate::process::{Running, wait_for};
use crate::{program, skip};

/// A bash as root of a network, a process table and a `/run` of its own.
#[derive(Debug)]
pub struct Shell {
    input: ChildStdin,
    /// Where it is, with the programs and the parts of the checkout that pages name.
    folder: TempDir,
    /// What commands said, and how they ended.
    exchange: TempDir,
    number: usize,
    running: Running,
}

/// How a command went wrong.
#[derive(Debug)]
pub struct Wrong {
    /// As typed.
    pub command: String,
    /// What the page shows.
    pub shown: String,
    /// What it said, and how it ended.
    pub said: String,
}

/// What a page finds where it runs, beside `target/release`.
const PARTS: [&str; 5] = ["contrib", "control", "scripts", "sigdb", "tests"];
/// Folders that are the shell's own: nothing of the machine is seen or changed in them.
const SETUP: &str = "
mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && mkdir /run/netns || exit 1
mkdir -p /tmp/lab && mount -t tmpfs tmpfs /tmp/lab || exit 1
ip link set lo up
cd \"$1\" || exit 1
exec bash --noprofile --norc
";

impl Shell {
    /// Starts one; none, and said, where this machine cannot.
    pub fn start() -> Option<Self> {
        if !skip::is_root()
            || !skip::has_programs(&["unshare", "ip", "ethtool", "curl", "python3", "socat", "jq", "text2pcap"])
        {
            return None;
        }
        let possible = Command::new("unshare").args(["-m", "-n", "-p", "-f", "--mount-proc", "true"]).output();
        if !possible.is_ok_and(|output| output.status.success()) {
            skip::skip("namespaces cannot be made here");
            return None;
        }
        let (folder, exchange) = (tempfile::tempdir().ok()?, tempfile::tempdir().ok()?);
        lay_out(folder.path());
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "bash",
            "-c",
            SETUP,
            "book",
        ]);
        command.arg(folder.path()).env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8").env_remove("OSTIARY_SKIPPED");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let ours = [folder.path().join("target/release"), folder.path().join("target")];
        let all = ours.into_iter().chain(std::env::split_paths(&path)).chain(["/usr/sbin".into(), "/sbin".into()]);
        command.env("PATH", std::env::join_paths(all).expect("no path has a colon"));
        command.stderr(Stdio::inherit());
        let (running, input, _) = Running::start_with_pipes(&mut command);
        Some(Self { input, folder, exchange, number: 0, running })
    }

    /// Where it began.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command and compares what it says with what is shown. One without output has to succeed; one with output may fail
    /// as shown. One that only looks is asked until what it sees is there.
    pub fn run(&mut self, command: &console::Command) -> Result<(), Wrong> {
        let mut tries = if command.looks() { 60 } else { 1 };
        loop {
            let (said, status) = self.once(command);
            let as_shown = if command.shown.is_empty() { status == 0 } else { fits(&command.shown, &said) };
            tries -= 1;
            if as_shown {
                return Ok(());
            }
            if tries == 0 {
                let said = format!("{said}(exit status {status})");
                return Err(Wrong { command: command.text.clone(), shown: command.shown.join("\n"), said });
            }
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
    }

    /// Runs it once; of one in the background, until it has said what is shown, or for as long as is waited for anything.
    fn once(&mut self, command: &console::Command) -> (String, i32) {
        self.number += 1;
        let file = |kind: &str| self.exchange.path().join(format!("{}.{kind}", self.number));
        let (script, output, ended) = (file("sh"), file("out"), file("rc"));
        std::fs::write(&script, format!("{}\n", command.text)).expect("a temporary folder can be written");
        let quoted = |path: &PathBuf| format!("'{}'", path.display());
        let (s, o, e) = (quoted(&script), quoted(&output), quoted(&ended));
        let line = format!(". {s} < /dev/null > {o} 2>&1; echo $? > {e}.new; mv {e}.new {e}\n");
        if self.input.write_all(line.as_bytes()).and_then(|()| self.input.flush()).is_err() {
            return ("the shell is gone\n".to_owned(), -1);
        }
        let status = wait_for(&format!("the end of: {}", command.text), || {
            if self.running.ended().is_some() {
                return Some(-1);
            }
            std::fs::read_to_string(&ended).ok()?.trim().parse().ok()
        });
        let said = || std::fs::read_to_string(&output).unwrap_or_default();
        if command.is_background() && !command.shown.is_empty() {
            let end = std::time::Instant::now() + crate::process::PATIENCE;
            while std::time::Instant::now() < end && !fits(&command.shown, &said()) {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        (said(), status)
    }
}

/// The programs where a build has them, and the checkout's folders.
fn lay_out(folder: &Path) {
    let release = folder.join("target/release");
    std::fs::create_dir_all(&release).expect("a temporary folder can be written");
    let built = program::path().parent().expect("a program lies in a folder");
    let link = |from: PathBuf, to: PathBuf| symlink(from, to).expect("a link can be made in a temporary folder");
    link(program::path().to_owned(), release.join("ostiary"));
    for name in ["pktgen", "bench"] {
        link(built.join(name), release.join(name));
    }
    // What pages build is built already.
    let cargo = "#!/bin/bash\nwhile [ $# -gt 0 ] && [ \"$1\" != --bin ]; do shift; done\nname=$2; shift 3\nexec \"$name\" \"$@\"\n";
    let path = folder.join("target/cargo");
    std::fs::write(&path, cargo).expect("a temporary folder can be written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("our own file");
    for part in PARTS {
        link(program::root().join(part), folder.join(part));
    }
}
