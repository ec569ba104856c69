//! DPDK's l3fwd with its access control list: stateless, the yardstick of a firewall's forwarding.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::lab::{self, Process};
use super::telemetry::Telemetry;
use super::{built, is_installed};
use crate::harness::Fallible;
use crate::harness::bed;
use crate::harness::contender::Contender;
use crate::harness::measurement::{Measurement, Outcome};
use crate::harness::wire::{self, Wire};

/// l3fwd `--lookup=acl`, with SSE classification.
#[derive(Clone, Copy, Debug)]
pub struct L3fwd;

impl Contender for L3fwd {
    fn name(&self) -> String {
        "l3fwd-acl".to_owned()
    }

    fn can(&self, measurement: &Measurement) -> bool {
        let is_plain = measurement.wire == Wire::Pcap && measurement.rewritten.is_none();
        is_plain && measurement.hugepages && is_installed(&program())
    }

    fn measure(&self, measurement: &Measurement, folder: &Path) -> Fallible<Outcome> {
        let (clients, servers) = wire::captures(folder, measurement)?;
        fs::write(folder.join("rules4"), rules(measurement))?;
        // It wants IPv6 rules too.
        fs::write(folder.join("rules6"), "R0:0:0:0:0:0:0:0/0 0:0:0:0:0:0:0:0/0 0 : 65535 0 : 65535 0x00/0x00 0\n")?;
        let prefix = lab::prefix("l3fwd");
        let file = |name: &str| folder.join(name).display().to_string();
        let mut command = Command::new(program());
        command
            .arg(format!("--lcores=1@{}", measurement.cpu))
            .args(["--main-lcore=1", "--no-pci", "--huge-unlink=always", "--log-level=*:error"])
            .arg(format!("-m{}", bed::memory(measurement).max(BUFFERS)))
            .arg(format!("--file-prefix={prefix}"))
            .arg(format!("--vdev=net_pcap0,rx_pcap={},infinite_rx=1", clients.display()))
            .arg(format!("--vdev=net_pcap1,rx_pcap={},infinite_rx=1", servers.display()))
            .args(["--", "-p3", "-P", "--lookup=acl", "--alg=sse", "--config=(0,0,1),(1,0,1)"])
            .args(["--no-numa", "--parse-ptype"])
            .arg(format!("--rule_ipv4={}", file("rules4")))
            .arg(format!("--rule_ipv6={}", file("rules6")));
        let _process = Process::start(&mut command, &prefix, folder)?;
        let mut telemetry = Telemetry::connect(&prefix, START)?;
        thread::sleep(WARM_UP);
        Ok(Outcome::of_rate(telemetry.sent_rate(&[0, 1], measurement.window)?))
    }
}

/// Rules of which none matches the traffic but the last two, which send either direction to its port.
fn rules(measurement: &Measurement) -> String {
    let mut random = SmallRng::seed_from_u64(measurement.seed);
    let mut text = String::new();
    for _ in 2..measurement.rules {
        let [a, b, c, d] = [(); 4].map(|()| random.random_range(0..=255_u8));
        let port = random.random_range(1..=65_535_u16);
        let _ = writeln!(text, "@172.{a}.{b}.0/24 20.{c}.{d}.0/24 0 : 65535 {port} : {port} 0x06/0xff");
    }
    text + "R0.0.0.0/0 10.0.0.0/8 0 : 65535 0 : 65535 0x00/0x00 0\n\
            R0.0.0.0/0 0.0.0.0/0 0 : 65535 0 : 65535 0x00/0x00 1\n"
}

fn program() -> String {
    built().join("l3fwd").display().to_string()
}

/// MiB that its 150,000 buffers take.
const BUFFERS: u32 = 640;
/// How long it may take to start.
const START: Duration = Duration::from_secs(20);
/// Rules are built and caches warm after this.
const WARM_UP: Duration = Duration::from_secs(3);
