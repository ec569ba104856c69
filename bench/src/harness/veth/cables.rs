//! Three namespaces in a row: sender, forwarder, sink. Everything that arrives at the sink is counted and dropped there
//! before the kernel spends work on it, but probes.

use std::fs::File;
use std::io::Write;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::sender::{PROBES, now};
use crate::harness::Fallible;

/// The namespaces; they go when this is dropped.
#[derive(Debug)]
pub struct Cables {
    sender: String,
    forwarder: String,
    sink: String,
    transparent: bool,
}

/// Frames since the cables were laid.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// That the sender's device took.
    pub offered: u64,
    /// That the sink's device got.
    pub delivered: u64,
}

impl Cables {
    /// Lays them; `transparent` where the forwarder is a wire and not a router.
    ///
    /// # Errors
    /// Where `ip` or `nft` refuse.
    pub fn lay(transparent: bool) -> Fallible<Self> {
        let name = |part: &str| format!("ostb{}{part}", std::process::id());
        let cables = Self { sender: name("g"), forwarder: name("f"), sink: name("s"), transparent };
        let (g, f, s) = (&cables.sender, &cables.forwarder, &cables.sink);
        for namespace in [g, f, s] {
            run(&format!("ip netns add {namespace}"))?;
            run(&format!("ip -n {namespace} link set lo up"))?;
        }
        for (namespace, device, peer, mac) in [(g, "g0", INSIDE, SENDER_MAC), (s, "s0", OUTSIDE, SINK_MAC)] {
            run(&format!("ip -n {namespace} link add {device} address {mac} type veth peer name {peer} netns {f}"))?;
            run(&format!("ip netns exec {namespace} sysctl -qw net.ipv6.conf.{device}.disable_ipv6=1"))?;
            run(&format!("ip netns exec {f} sysctl -qw net.ipv6.conf.{peer}.disable_ipv6=1"))?;
            run(&format!("ip netns exec {namespace} ethtool -K {device} tx off gro off"))?;
            run(&format!("ip netns exec {f} ethtool -K {peer} tx off gro off"))?;
            run(&format!("ip -n {f} link set {peer} promisc on up"))?;
            run(&format!("ip -n {namespace} link set {device} up"))?;
        }
        run(&format!("ip -n {f} link set {INSIDE} address {INSIDE_MAC}"))?;
        run(&format!("ip -n {s} addr add {SINK}/24 dev s0"))?;
        run(&format!("ip netns exec {s} sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.s0.rp_filter=0"))?;
        cables.filter(&cables.sink, &format!(
            "table netdev sink {{\n chain arrivals {{\n type filter hook ingress device \"s0\" priority 0; policy accept;\n \
             udp dport {PROBES} accept\n drop\n }}\n}}\n"
        ))?;
        Ok(cables)
    }

    /// A program in the sender's namespace.
    pub fn in_sender(&self, program: impl AsRef<Path>) -> Command {
        within(&self.sender, program.as_ref())
    }

    /// A program in the forwarder's namespace.
    pub fn in_forwarder(&self, program: impl AsRef<Path>) -> Command {
        within(&self.forwarder, program.as_ref())
    }

    /// The Ethernet address that the sender's frames go to: the sink's over a wire, the router's otherwise.
    pub fn sender_mac(&self) -> &'static str {
        if self.transparent { SINK_MAC } else { INSIDE_MAC }
    }

    /// Loads nftables rules in the forwarder's namespace.
    ///
    /// # Errors
    /// Where `nft` refuses them.
    pub fn filter_forwarder(&self, rules: &str) -> Fallible<()> {
        self.filter(&self.forwarder, rules)
    }

    /// Makes the forwarder's namespace a router between the cables, whose softirq work for arriving frames is `cpu`'s.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn route(&self, cpu: u16) -> Fallible<()> {
        let f = &self.forwarder;
        run(&format!("ip -n {f} addr add 10.255.255.254/8 dev {INSIDE}"))?;
        run(&format!("ip -n {f} addr add 198.18.0.254/24 dev {OUTSIDE}"))?;
        run(&format!("ip netns exec {f} sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0"))?;
        run(&format!("ip netns exec {f} sysctl -qw net.ipv4.conf.{INSIDE}.rp_filter=0"))?;
        let neighbours: String = (0..=255)
            .filter(|host| *host != 254)
            .map(|host| format!("neigh replace 198.18.0.{host} lladdr {SINK_MAC} dev {OUTSIDE}\n"))
            .collect();
        feed(Command::new("ip").args(["-n", f, "-batch", "-"]), &neighbours)?;
        let mask = format!("echo {:x} > /sys/class/net/{INSIDE}/queues/rx-0/rps_cpus", 1_u64 << cpu);
        let status = self.in_forwarder("sh").args(["-c", &mask]).status()?;
        if status.success() { Ok(()) } else { Err("the kernel takes no CPU for the cable".into()) }
    }

    /// What went in and came out so far.
    ///
    /// # Errors
    /// Where the devices are gone.
    pub fn counts(&self) -> Fallible<Counts> {
        let read = |namespace: &str, file: &str| -> Fallible<u64> {
            let output = within(namespace, Path::new("cat")).arg(file).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
        };
        Ok(Counts {
            offered: read(&self.sender, "/sys/class/net/g0/statistics/tx_packets")?,
            delivered: read(&self.sink, "/sys/class/net/s0/statistics/rx_packets")?,
        })
    }

    /// Begins to wait for probes.
    ///
    /// # Errors
    /// Where the sink's namespace cannot be entered.
    pub fn listen(&self) -> Fallible<Listener> {
        let namespace = File::open(format!("/run/netns/{}", self.sink))?;
        // A socket stays in the namespace in which it was made.
        let socket = thread::spawn(move || -> std::io::Result<UdpSocket> {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            UdpSocket::bind((SINK, PROBES))
        });
        let socket = socket.join().map_err(|_| "the listener panicked")??;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        Ok(Listener(socket))
    }

    fn filter(&self, namespace: &str, rules: &str) -> Fallible<()> {
        feed(within(namespace, Path::new("nft")).args(["-f", "-"]), rules)
    }
}

impl Drop for Cables {
    fn drop(&mut self) {
        for namespace in [&self.sender, &self.forwarder, &self.sink] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).stderr(Stdio::null()).status();
        }
    }
}

/// Waits at the sink for probes.
#[derive(Debug)]
pub struct Listener(UdpSocket);

impl Listener {
    /// Times of probes that arrive within `time`, in nanoseconds.
    ///
    /// # Errors
    /// Where the socket fails.
    pub fn collect(&self, time: Duration) -> Fallible<Histogram<u64>> {
        let mut histogram = Histogram::new(3)?;
        let mut payload = [0; 64];
        // What came before has waited for us.
        self.0.set_nonblocking(true)?;
        while self.0.recv(&mut payload).is_ok() {}
        self.0.set_nonblocking(false)?;
        let begin = Instant::now();
        while begin.elapsed() < time {
            let length = match self.0.recv(&mut payload) {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            };
            if let Some(sent) = payload[..length].first_chunk::<8>() {
                histogram.record(now().saturating_sub(u64::from_be_bytes(*sent)).max(1))?;
            }
        }
        Ok(histogram)
    }
}

fn within(namespace: &str, program: &Path) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

fn run(line: &str) -> Fallible<()> {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap_or_default()).args(words).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

fn feed(command: &mut Command, text: &str) -> Fallible<()> {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("no standard input")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
}

/// The forwarder's end of the sender's cable.
pub const INSIDE: &str = "bench-in";
/// The forwarder's end of the sink's cable.
pub const OUTSIDE: &str = "bench-out";
/// Where probes go: one of the servers.
pub const SINK: &str = "198.18.0.1";
const SENDER_MAC: &str = "02:00:00:00:00:01";
const SINK_MAC: &str = "02:00:00:00:00:02";
const INSIDE_MAC: &str = "02:00:00:00:00:f0";
