//! Child processes that end with their test, and waiting for conditions rather than for time.

use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take before a test gives up: far longer than it ever does.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `ready` gives something.
///
/// # Panics
/// With `what` after [`PATIENCE`].
#[track_caller]
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < end, "gave up waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts a program with nothing on its standard input.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { child, name }
    }

    /// Starts a program, with its standard input and output.
    pub fn start_with_pipes(command: &mut Command) -> (Self, ChildStdin, ChildStdout) {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let (input, output) = (child.stdin.take().expect("it is a pipe"), child.stdout.take().expect("it is a pipe"));
        (Self { child, name }, input, output)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit code, once it has ended; -1 where a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("a child of ours can be waited for");
        status.map(|status| status.code().unwrap_or(-1))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id is positive");
        // One that has ended already is what was wanted.
        let _ = kill_process(pid, signal);
    }

    /// Asks it to end, waits, and gives its exit code.
    pub fn terminate(&mut self) -> i32 {
        self.signal(Signal::TERM);
        let name = self.name.clone();
        wait_for(&format!("{name} to end"), || self.ended())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A TCP or UDP port of loopback that was free a moment ago.
pub fn free_port() -> u16 {
    // Both protocols, since some collectors listen on both.
    wait_for("a free port", || {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).ok()?;
        let port = listener.local_addr().ok()?.port();
        std::net::UdpSocket::bind(("127.0.0.1", port)).ok()?;
        Some(port)
    })
}

/// Whether someone listens on a TCP port, in the network namespace of process `pid`; without connecting to it.
pub fn listens(pid: u32, port: u16) -> bool {
    ["tcp", "tcp6"].iter().any(|table| table_has(pid, table, port, "0A"))
}

/// Whether someone has bound a UDP port, in the network namespace of process `pid`.
pub fn bound_udp(pid: u32, port: u16) -> bool {
    ["udp", "udp6"].iter().any(|table| table_has(pid, table, port, "07"))
}

/// Looks a local port up in the kernel's table of sockets.
fn table_has(pid: u32, table: &str, port: u16, state: &str) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
    let wanted = format!(":{port:04X}");
    text.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.len() > 3 && fields[1].ends_with(&wanted) && fields[3] == state
    })
}
