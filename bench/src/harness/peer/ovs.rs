//! Open vSwitch with DPDK and connection tracking: the stateful peer that Debian packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::is_installed;
use super::lab::{self, Process, run};
use super::telemetry::{self, Telemetry};
use crate::harness::Fallible;
use crate::harness::bed;
use crate::harness::contender::Contender;
use crate::harness::measurement::{Measurement, Outcome};
use crate::harness::wire::{self, Wire};

/// `ovs-vswitchd` with one forwarding thread, `ct` for every packet.
#[derive(Clone, Copy, Debug)]
pub struct OpenVswitch;

impl Contender for OpenVswitch {
    fn name(&self) -> String {
        "ovs conntrack".to_owned()
    }

    fn can(&self, measurement: &Measurement) -> bool {
        let is_plain = measurement.wire == Wire::Pcap && measurement.rewritten.is_none();
        is_plain && measurement.hugepages && is_installed(SWITCH) && is_installed("ovsdb-server")
    }

    fn measure(&self, measurement: &Measurement, folder: &Path) -> Fallible<Outcome> {
        let (clients, servers) = wire::captures(folder, measurement)?;
        let switch = Switch::start(measurement, &folder.join("ovs"))?;
        for (number, capture) in [clients, servers].iter().enumerate() {
            let port = format!("p{number}");
            let device = format!("net_pcap{number},rx_pcap={},infinite_rx=1", capture.display());
            let interface = ["--", "set", "Interface", &port, "type=dpdk"];
            switch.configure(
                &[&["add-port", BRIDGE, &port], &interface[..], &[&format!("options:dpdk-devargs={device}")]].concat(),
            )?;
        }
        run(switch.tool("ovs-ofctl").args(["add-flows", BRIDGE]).arg(switch.file("flows")))?;
        let mut telemetry = Telemetry::connect(&switch.prefix, START)?;
        thread::sleep(WARM_UP);
        let rate = telemetry.sent_rate(&[0, 1], measurement.window)?;
        Ok(Outcome::of_rate(rate))
    }
}

/// A database and a switch, in a folder of their own; gone when dropped.
struct Switch {
    folder: PathBuf,
    prefix: String,
    _switch: Process,
    _database: Process,
}

impl Switch {
    fn start(measurement: &Measurement, folder: &Path) -> Fallible<Self> {
        // Of a run before.
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder)?;
        fs::write(folder.join("flows"), FLOWS)?;
        let file = |name: &str| folder.join(name).display().to_string();
        run(Command::new("ovsdb-tool").args(["create", &file("database"), SCHEMA]))?;
        let mut database = Command::new("ovsdb-server");
        database.args([file("database"), format!("--remote=punix:{}", file("database.sock"))]);
        let database = Process::start(
            in_folder(&mut database, folder).arg(format!("--unixctl={}", file("database.ctl"))),
            "ovsdb",
            folder,
        )?;
        thread::sleep(Duration::from_millis(500));

        let prefix = lab::prefix("ovs");
        let setting = |name: &str, value: String| format!("other_config:{name}={value}");
        let mut settings = Command::new("ovs-vsctl");
        settings.arg(format!("--db=unix:{}", file("database.sock"))).args(["--no-wait", "--timeout=10"]);
        run(settings.args(["init", "--", "set", "Open_vSwitch", "."]).args([
            setting("dpdk-init", "true".to_owned()),
            setting("pmd-cpu-mask", format!("{:#x}", 1_u64 << measurement.cpu)),
            setting("dpdk-lcore-mask", format!("{:#x}", 1_u64 << measurement.main_cpu)),
            setting("dpdk-socket-mem", bed::memory(measurement).max(LEAST_MEMORY).to_string()),
            setting("dpdk-extra", format!("--no-pci --huge-unlink=always --file-prefix={prefix}")),
        ]))?;
        let mut switch = Command::new(SWITCH);
        switch.args([format!("unix:{}", file("database.sock")), format!("--unixctl={}", file("switch.ctl"))]);
        let switch = Process::start(in_folder(&mut switch, folder), &prefix, folder)?;
        let started = Self { folder: folder.to_owned(), prefix, _switch: switch, _database: database };
        started.configure(&["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev"])?;
        Ok(started)
    }

    fn configure(&self, arguments: &[&str]) -> Fallible<String> {
        let database = format!("--db=unix:{}", self.file("database.sock").display());
        run(self.tool("ovs-vsctl").args([&database, "--timeout=20"]).args(arguments))
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        in_folder(&mut command, &self.folder);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(telemetry::runtime(&self.prefix));
    }
}

fn in_folder<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
        command.env(variable, folder);
    }
    command
}

/// New connections from the clients' side only, as our policy has it.
const FLOWS: &str = "\
table=0,priority=10,ip,ct_state=-trk actions=ct(table=1)
table=1,priority=10,ip,ct_state=+trk+new,in_port=p0 actions=ct(commit),output:p1
table=1,priority=10,ip,ct_state=+trk+est,in_port=p0 actions=output:p1
table=1,priority=10,ip,ct_state=+trk+est,in_port=p1 actions=output:p0
";
const BRIDGE: &str = "br0";
/// Debian's build with DPDK.
const SWITCH: &str = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// MiB.
const LEAST_MEMORY: u32 = 1024;
/// How long it may take to start.
const START: Duration = Duration::from_secs(20);
/// Both directions of every connection are known after this.
const WARM_UP: Duration = Duration::from_secs(4);
