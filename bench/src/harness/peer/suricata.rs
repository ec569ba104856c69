//! Suricata 7 as an intrusion prevention system over DPDK: the peer that identifies applications.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::is_installed;
use super::lab::{self, Process};
use super::telemetry::Telemetry;
use crate::harness::Fallible;
use crate::harness::bed;
use crate::harness::contender::Contender;
use crate::harness::measurement::{Measurement, Outcome};
use crate::harness::wire::{self, Wire};

/// `suricata --dpdk`, `copy-mode: ips`, one worker. With two CPUs it wants one port, copied to itself, so that port has both
/// directions.
#[derive(Clone, Copy, Debug)]
pub struct Suricata;

impl Contender for Suricata {
    fn name(&self) -> String {
        "suricata ips".to_owned()
    }

    fn can(&self, measurement: &Measurement) -> bool {
        let is_plain = measurement.wire == Wire::Pcap && measurement.rewritten.is_none();
        is_plain && measurement.hugepages && is_installed("suricata")
    }

    fn measure(&self, measurement: &Measurement, folder: &Path) -> Fallible<Outcome> {
        let capture = folder.join("both.pcap");
        let (clients, servers) = wire::captures(folder, measurement)?;
        interleave(&clients, &servers, &capture)?;
        let prefix = lab::prefix("suricata");
        fs::write(folder.join("applications.rules"), RULES)?;
        let settings = folder.join("suricata.yaml");
        fs::write(&settings, configuration(measurement, folder, &capture, &prefix))?;
        let mut command = Command::new("suricata");
        command.arg("-c").arg(&settings).arg("--dpdk").arg("-l").arg(folder);
        let _process = Process::start(&mut command, &prefix, folder)?;
        let mut telemetry = Telemetry::connect(&prefix, START)?;
        thread::sleep(WARM_UP);
        Ok(Outcome::of_rate(telemetry.sent_rate(&[0], measurement.window)?))
    }
}

/// One capture of two, packet by packet in turn.
fn interleave(first: &Path, second: &Path, both: &Path) -> Fallible<()> {
    let (first, second) = (fs::read(first)?, fs::read(second)?);
    let mut file = std::io::BufWriter::new(fs::File::create(both)?);
    let (header, mut left) = first.split_at(FILE_HEADER);
    let mut right = &second[FILE_HEADER..];
    file.write_all(header)?;
    while !left.is_empty() || !right.is_empty() {
        for side in [&mut left, &mut right] {
            let Some(length) = side.get(8..12) else { continue };
            let length = PACKET_HEADER + u32::from_le_bytes(length.try_into()?) as usize;
            let (packet, rest) = side.split_at(length);
            file.write_all(packet)?;
            *side = rest;
        }
    }
    file.flush()?;
    Ok(())
}

fn configuration(measurement: &Measurement, folder: &Path, capture: &Path, prefix: &str) -> String {
    let Measurement { cpu, main_cpu, .. } = measurement;
    let memory = bed::memory(measurement).max(LEAST_MEMORY);
    format!(
        "%YAML 1.1
---
vars:
  address-groups: {{HOME_NET: \"[10.0.0.0/8]\", EXTERNAL_NET: \"any\"}}
  port-groups: {{HTTP_PORTS: \"80\"}}
default-log-dir: {folder}
stats: {{enabled: no}}
logging: {{default-log-level: warning}}
dpdk:
  eal-params:
    proc-type: primary
    no-pci: true
    file-prefix: {prefix}
    huge-unlink: always
    m: {memory}
    vdev: [\"net_pcap0,rx_pcap={capture},infinite_rx=1\"]
  interfaces:
    - interface: net_pcap0
      threads: 1
      promisc: true
      multicast: false
      checksum-checks: false
      checksum-checks-offload: false
      mtu: 1500
      mempool-size: 524287
      mempool-cache-size: 257
      rx-descriptors: 1024
      tx-descriptors: 1024
      copy-mode: ips
      copy-iface: net_pcap0
threading:
  set-cpu-affinity: yes
  cpu-affinity:
    - management-cpu-set: {{cpu: [{main_cpu}]}}
    - worker-cpu-set: {{cpu: [{cpu}], mode: exclusive}}
runmode: workers
flow: {{memcap: 2gb, hash-size: 1048576, prealloc: 300000}}
stream: {{memcap: 256mb, midstream: true, inline: yes}}
app-layer:
  protocols:
    tls: {{enabled: yes}}
    http: {{enabled: yes}}
default-rule-path: {folder}
rule-files: [applications.rules]
",
        folder = folder.display(),
        capture = capture.display(),
    )
}

/// What our shipped signatures look for, as near as its rules come to it.
const RULES: &str = r#"
alert udp any any -> any 8000 (msg:"qq oicq"; content:"|02|"; depth:1; content:"|03|"; isdataat:!1,relative; sid:1;)
alert udp any 8000 -> any any (msg:"qq oicq answer"; content:"|02|"; depth:1; content:"|03|"; isdataat:!1,relative; sid:2;)
alert tcp any any -> any [80,443,8080,14000] (msg:"qq msf"; flow:to_server; content:"|00 00 00 0a|"; offset:4; depth:4; sid:3;)
alert tcp any any -> any [80,443,8080,14000] (msg:"qq msf b"; flow:to_server; content:"|00 00 00 0b|"; offset:4; depth:4; sid:4;)
alert tcp any any -> any any (msg:"wechat mmtls"; flow:to_server; content:"|16 f1 04|"; depth:3; sid:5;)
alert tcp any any -> any any (msg:"wechat mmtls b"; flow:to_server; content:"|19 f1 04|"; depth:3; sid:6;)
alert tls any any -> any any (msg:"qq tls"; tls.sni; content:"qq.com"; endswith; sid:7;)
alert tls any any -> any any (msg:"wechat tls"; tls.sni; content:"weixin.qq.com"; endswith; sid:8;)
alert tls any any -> any any (msg:"wechat tls b"; tls.sni; content:"wechat.com"; endswith; sid:9;)
alert http any any -> any any (msg:"qq http"; http.host; content:"im.qq.com"; endswith; sid:10;)
alert http any any -> any any (msg:"wechat http"; http.host; content:"weixin.qq.com"; endswith; sid:11;)
alert http any any -> any any (msg:"wechat mmtls http"; http.uri; content:"/mmtls/"; startswith; sid:12;)
"#;

/// Octets of pcap's file header and of each packet's.
const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// MiB.
const LEAST_MEMORY: u32 = 1024;
/// How long it may take to start.
const START: Duration = Duration::from_secs(30);
/// Its flow table is filled and its threads run after this.
const WARM_UP: Duration = Duration::from_secs(5);
