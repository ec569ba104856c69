//! Who stands between the cables.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use super::cables::{Cables, INSIDE, OUTSIDE};
use crate::harness::Fallible;

/// A firewall between the cables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarder {
    /// The kernel's router, nftables with `ct state`.
    Nftables,
    /// `ostiary run` over AF_XDP sockets.
    AfXdp,
    /// `ostiary run` over AF_PACKET sockets.
    AfPacket,
}

impl Forwarder {
    /// All.
    pub const ALL: [Self; 3] = [Self::Nftables, Self::AfXdp, Self::AfPacket];

    /// In tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nftables => "nftables",
            Self::AfXdp => "ostiary af_xdp",
            Self::AfPacket => "ostiary af_packet",
        }
    }

    /// Whether it is a wire rather than a router.
    pub const fn is_transparent(self) -> bool {
        !matches!(self, Self::Nftables)
    }

    /// Starts it, on this CPU, with room for the flows and a probe.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(self, cables: &Cables, cpu: u16, flows: u32) -> Fallible<Running> {
        let device = |end: &str, number: u8| match self {
            Self::AfPacket => format!("net_af_packet{number},iface={end},framesz=2048,framecnt=2048"),
            _ => format!("net_af_xdp{number},iface={end}"),
        };
        if self == Self::Nftables {
            cables.route(cpu)?;
            cables.filter_forwarder(RULES)?;
            return Ok(Running(None));
        }
        let folder = env::temp_dir().join(format!("ostiary-veth-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let policy = folder.join("policy.toml");
        fs::write(&policy, text(cpu, flows, &device(INSIDE, 0), &device(OUTSIDE, 1), &folder))?;
        let mut command = cables.in_forwarder(program()?);
        command.args(["run", "--config"]).arg(&policy);
        let log = fs::File::create(folder.join("log"))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut running = Running(Some((child, folder)));
        thread::sleep(START);
        running.check()?;
        Ok(running)
    }
}

/// A forwarder at work; stopped when dropped.
#[derive(Debug)]
pub struct Running(Option<(Child, PathBuf)>);

impl Running {
    fn check(&mut self) -> Fallible<()> {
        let Some((child, folder)) = &mut self.0 else { return Ok(()) };
        match child.try_wait()? {
            None => Ok(()),
            Some(_) => Err(fs::read_to_string(folder.join("log"))?.into()),
        }
    }

    /// Stops it.
    ///
    /// # Errors
    /// Where it had ended before, or ends with an error.
    pub fn stop(mut self) -> Fallible<()> {
        self.check()?;
        let Some((mut child, folder)) = self.0.take() else { return Ok(()) };
        terminate(&child);
        let status = child.wait()?;
        let log = fs::read_to_string(folder.join("log"))?;
        let _ = fs::remove_dir_all(folder);
        if status.success() { Ok(()) } else { Err(log.into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((child, folder)) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn terminate(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// The firewall itself, beside this program.
fn program() -> Fallible<PathBuf> {
    let beside = env::current_exe()?.with_file_name("ostiary");
    if beside.exists() { Ok(beside) } else { Err(format!("no {}: build the firewall too", beside.display()).into()) }
}

fn text(cpu: u16, flows: u32, inside: &str, outside: &str, folder: &Path) -> String {
    format!(
        r#"[dataplane]
workers = [{cpu}]
max-sessions = {sessions}

[management]
socket = "{socket}"

[audit]
directory = "{trail}"

[[port]]
name = "inside"
device = "{inside}"
zone = "trust"

[[port]]
name = "outside"
device = "{outside}"
zone = "untrust"

[[wire]]
ports = ["inside", "outside"]

[[rule]]
name = "out"
from = ["trust"]
to = ["untrust"]
action = "permit"
session-logging = true
"#,
        sessions = flows * 2,
        socket = folder.join("ostiary.sock").display(),
        trail = folder.join("audit").display(),
    )
}

/// New connections from inside only, as the firewall's policy has it.
const RULES: &str = "table inet firewall {
 chain forward {
  type filter hook forward priority 0; policy drop;
  ct state established,related accept
  ct state new iifname \"bench-in\" accept
 }
}
";
/// It forwards after this.
const START: Duration = Duration::from_secs(3);
