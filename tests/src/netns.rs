//! A laboratory of three network namespaces: clients, the firewall, servers; two Ethernet cables between them.

use std::os::fd::AsFd;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::skip;

/// The namespaces; they go when this is dropped.
#[derive(Debug)]
pub struct Lab {
    /// Where clients live, at [`CLIENT`].
    pub client: String,
    /// Where the firewall runs: `fw0` to the clients, `fw1` to the servers.
    pub firewall: String,
    /// Where servers live, at [`SERVER`].
    pub server: String,
}

/// The clients' address (RFC 2544's network for benchmarks).
pub const CLIENT: &str = "198.18.0.1";
/// The servers' address.
pub const SERVER: &str = "198.18.0.2";

impl Lab {
    /// Builds one; none, and said, where this machine cannot.
    pub fn build() -> Option<Self> {
        if !skip::is_root() || !skip::has_programs(&["ip", "ethtool"]) {
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("ost{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let lab = Self { client: format!("{id}c"), firewall: format!("{id}f"), server: format!("{id}s") };
        let (c, f, s) = (&lab.client, &lab.firewall, &lab.server);
        if !quietly(&["ip", "netns", "add", c]) {
            skip::skip("network namespaces cannot be made here");
            return None;
        }
        for namespace in [f, s] {
            run(&format!("ip netns add {namespace}"));
        }
        for (namespace, device, address, port) in [(c, "c0", CLIENT, "fw0"), (s, "s0", SERVER, "fw1")] {
            run(&format!("ip -n {namespace} link set lo up"));
            run(&format!("ip -n {namespace} link add {device} type veth peer name {port} netns {f}"));
            run(&format!("ip -n {namespace} addr add {address}/24 dev {device}"));
            // Offloads off, or segments with unfinished checksums and of any size reach the firewall.
            run(&format!(
                "ip netns exec {namespace} ethtool -K {device} tx off tso off gso off gro off sg off rxvlan off txvlan off"
            ));
            run(&format!("ip netns exec {f} ethtool -K {port} gro off gso off tso off rxvlan off txvlan off"));
            // The firewall's ends must not speak for themselves.
            run(&format!("ip netns exec {f} sysctl -qw net.ipv6.conf.{port}.disable_ipv6=1"));
            run(&format!("ip -n {f} link set {port} promisc on arp off up"));
            run(&format!("ip -n {namespace} link set {device} up"));
        }
        // Log hosts of the tests are on the loopback of the firewall's namespace.
        run(&format!("ip -n {f} link set lo up"));
        Some(lab)
    }

    /// A command in the clients' namespace.
    pub fn client(&self, program: &str) -> Command {
        within(&self.client, program)
    }

    /// A command in the servers' namespace.
    pub fn server(&self, program: &str) -> Command {
        within(&self.server, program)
    }

    /// A command in the firewall's namespace.
    pub fn firewall(&self, program: &str) -> Command {
        within(&self.firewall, program)
    }
}

/// Does something inside a network namespace, on a thread of its own. A socket made there belongs there for good, whichever
/// thread uses it afterwards.
pub fn inside<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let file = std::fs::File::open(format!("/run/netns/{namespace}")).expect("the namespace is there");
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may enter it");
            work()
        });
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.client, &self.firewall, &self.server] {
            quietly(&["ip", "netns", "del", namespace]);
        }
    }
}

fn within(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

fn output(words: &[&str]) -> Output {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn quietly(words: &[&str]) -> bool {
    output(words).status.success()
}

#[track_caller]
fn run(line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = output(&words);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}
