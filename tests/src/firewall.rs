//! A running firewall.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::policy::{Policy, signatures};
use crate::process::{Running, wait_for};
use crate::program;

/// `ostiary run`, with its files in a folder of the test. Of those whose workers poll only one runs at a time: such a worker takes
/// a core for itself, and a machine may have two.
#[derive(Debug)]
pub struct Firewall {
    folder: PathBuf,
    running: Running,
    _only: Option<MutexGuard<'static, ()>>,
}

static ONLY: Mutex<()> = Mutex::new(());

impl Firewall {
    /// Starts it in the network namespace of the test process, and waits until it answers.
    pub fn start(folder: &Path, policy: &Policy) -> Self {
        Self::start_with(folder, policy, Command::new(program::path()))
    }

    /// Starts it in the network namespace `namespace`.
    pub fn start_in(namespace: &str, folder: &Path, policy: &Policy) -> Self {
        Self::start_with(folder, policy, program_in(namespace))
    }

    /// Starts it with the policy file that one before had there, as it is by now.
    pub fn start_again(folder: &Path) -> Self {
        Self::launch(folder, Command::new(program::path()))
    }

    /// [`Self::start_again`] in a network namespace.
    pub fn start_again_in(namespace: &str, folder: &Path) -> Self {
        Self::launch(folder, program_in(namespace))
    }

    /// Starts it by a command that lacks only the arguments of `ostiary`.
    pub fn start_with(folder: &Path, policy: &Policy, command: Command) -> Self {
        let text = policy.text(&folder.join("ostiary.sock"), &signatures(folder));
        std::fs::write(folder.join("policy.toml"), text).expect("a file can be made in a temporary folder");
        Self::launch(folder, command)
    }

    fn launch(folder: &Path, mut command: Command) -> Self {
        let config = folder.join("policy.toml");
        let polls = std::fs::read_to_string(&config).is_ok_and(|text| text.contains("\nidle = \"poll\"\n"));
        // A test that failed has left nothing behind that could harm the next.
        let only = polls.then(|| ONLY.lock().unwrap_or_else(PoisonError::into_inner));
        let log = |name| File::create(folder.join(name)).expect("a file can be made in a temporary folder");
        command.arg("run").arg("--config").arg(&config).env("NO_COLOR", "1");
        command.stdout(Stdio::from(log("out"))).stderr(Stdio::from(log("err")));
        let mut firewall = Self { folder: folder.to_owned(), running: Running::start(&mut command), _only: only };
        wait_for("the firewall to answer", || {
            if let Some(code) = firewall.running.ended() {
                panic!("ostiary run ended with {code}: {}", firewall.log());
            }
            firewall.ask("statistics").map(|_| ())
        });
        firewall
    }

    /// `ostiary show WHAT --json`: its rows.
    ///
    /// # Panics
    /// Where it fails.
    pub fn show(&self, what: &str) -> Vec<Value> {
        self.ask(what).unwrap_or_else(|| panic!("ostiary show {what} failed; {}", self.log()))
    }

    /// The one row of `show statistics`.
    pub fn statistics(&self) -> Value {
        self.show("statistics").into_iter().next().expect("statistics are one row")
    }

    /// A counter, summed over workers; 0 where it never moved.
    pub fn counter(&self, name: &str) -> u64 {
        self.show("counters").iter().filter_map(|worker| worker["counters"][name].as_u64()).sum()
    }

    /// Waits until every log host has got what there was for it.
    pub fn wait_until_sent(&self) {
        wait_for("the log hosts to take all records", || {
            let statistics = self.statistics();
            let classes = statistics["hosts"].as_array()?.iter().flat_map(|host| host["classes"].as_array());
            classes.flatten().all(|class| class["queued"] == 0).then_some(())
        });
    }

    /// What it said to people.
    pub fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        format!("{}{}", read("out"), read("err"))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Its management socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("ostiary.sock")
    }

    /// Ends it by SIGTERM and gives its exit code and what it said.
    pub fn stop(mut self) -> (i32, String) {
        let code = self.running.terminate();
        (code, self.log())
    }

    /// Kills it, as a loss of power would.
    pub fn kill(mut self) {
        self.running.signal(rustix::process::Signal::KILL);
        wait_for("the firewall to be gone", || self.running.ended());
    }

    /// Its exit code, if it has ended.
    pub fn ended(&mut self) -> Option<i32> {
        self.running.ended()
    }

    fn ask(&self, what: &str) -> Option<Vec<Value>> {
        let socket = self.socket();
        let what = what.split(' ').map(std::ffi::OsStr::new);
        let arguments = ["show".as_ref()].into_iter().chain(what);
        let output = program::run(arguments.chain(["--json".as_ref(), "--socket".as_ref(), socket.as_os_str()]));
        if !output.status.success() {
            return None;
        }
        let text = String::from_utf8(output.stdout).expect("show writes UTF-8");
        Some(text.lines().map(|line| serde_json::from_str(line).expect("show --json writes JSON lines")).collect())
    }
}

fn program_in(namespace: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program::path());
    command
}
