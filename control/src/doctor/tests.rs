//! Machines that we do not have, as trees of files: what is said of each, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use dataplane::dpdk::Eal;
use tempfile::TempDir;

use super::*;
use crate::config;
use crate::signatures::Library;

/// A machine made of lines `PATH = TEXT` and `PATH -> TARGET`.
fn plant(tree: &str) -> (TempDir, Machine) {
    let folder = tempfile::tempdir().unwrap();
    let drivers = Eal::driver_folder().trim_start_matches('/');
    let abi = drivers.rsplit_once("pmds-").unwrap().1.split('.').next().unwrap();
    for line in tree.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let line = line.replace("{drivers}", drivers).replace("{abi}", abi);
        let place = |path: &str| {
            let path = folder.path().join(path.trim());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        if let Some((path, target)) = line.split_once(" -> ") {
            symlink(target, place(path)).unwrap();
        } else {
            let (path, text) = line.split_once(" =").unwrap();
            let text = text.trim_start().replace("\\n", "\n").replace("\\t", "\t").replace("\\0", "\0");
            fs::write(place(path), text).unwrap();
        }
    }
    let machine = Machine::at(folder.path());
    (folder, machine)
}

/// A policy with these devices on one wire, and further lines of `[dataplane]`.
fn policy(devices: [&str; 2], dataplane: &str) -> Compiled {
    let text = format!(
        "[dataplane]\n{dataplane}\n[[port]]\nname = \"inside\"\ndevice = \"{}\"\nzone = \"a\"\n\
         [[port]]\nname = \"outside\"\ndevice = \"{}\"\nzone = \"b\"\n\
         [[wire]]\nports = [\"inside\", \"outside\"]\n",
        devices[0], devices[1]
    );
    config::reload_text(Path::new("policy.toml"), &text, &mut Library::of(&crate::signatures::shipped())).unwrap().0
}

fn hands() -> Hands {
    Hands::of(Path::new("/usr/bin/ostiary"), Path::new("/root"))
}

fn examine(tree: &str, config: Option<&Compiled>) -> Vec<Finding> {
    let (_folder, machine) = plant(tree);
    Examination { machine: &machine, file: Path::new("policy.toml"), config, running: None, hands: &hands() }.findings()
}

/// What is not fine: severity, port, topic.
fn troubles(findings: &[Finding]) -> Vec<String> {
    let trouble = |finding: &Finding| {
        let port = finding.port.as_deref().unwrap_or("machine");
        format!("{} {port} {}", finding.severity.text(), finding.topic)
    };
    findings.iter().filter(|finding| finding.severity != Severity::Fine).map(trouble).collect()
}

#[track_caller]
fn find<'a>(findings: &'a [Finding], port: &str, topic: &str) -> &'a Finding {
    let is = |finding: &&Finding| finding.port.as_deref().unwrap_or("machine") == port && finding.topic == topic;
    findings.iter().find(is).unwrap_or_else(|| panic!("nothing of {port} {topic} in {findings:#?}"))
}

const X710: &str = include_str!("trees/x710.txt");
const NO_IOMMU: &str = include_str!("trees/no_iommu.txt");
const MLX5: &str = include_str!("trees/mlx5.txt");
const VIRTIO: &str = include_str!("trees/virtio.txt");
const CONTAINER: &str = include_str!("trees/container.txt");

#[test]
fn the_second_port_of_an_x710_is_still_the_kernels() {
    let config = policy(["0000:3b:00.0", "0000:3b:00.1"], "workers = [9, 10]\nmemory = \"1 GiB\"");
    let findings = examine(X710, Some(&config));
    assert_eq!(troubles(&findings), ["fault outside driver", "warning outside slot", "warning outside link"]);
    let driver = find(&findings, "outside", "driver");
    assert_eq!(driver.seen, "i40e");
    assert_eq!(driver.file, "/sys/bus/pci/devices/0000:3b:00.1/driver");
    assert_eq!(driver.command, "sudo ostiary-bind-nic --persist 0000:3b:00.1");
    assert_eq!(find(&findings, "inside", "driver").seen, "vfio-pci");
    assert_eq!(find(&findings, "inside", "dpdk-driver").seen, "net_i40e");
    assert_eq!(find(&findings, "outside", "firmware").seen, "9.20 0x8000d8c5 22.0.9");
    assert_eq!(find(&findings, "outside", "queues").seen, "2 to receive, as the kernel has it");
    assert!(find(&findings, "outside", "slot").seen.starts_with("PCIe x4"));
}

#[test]
fn workers_on_the_wrong_node_and_on_one_core_are_told() {
    let config = policy(["0000:3b:00.0", "0000:3b:00.1"], "workers = [2, 8]\nmemory = \"1 GiB\"");
    let findings = examine(X710, Some(&config));
    let of_cpus: Vec<String> = troubles(&findings)
        .into_iter()
        .filter(|line| ["siblings", "isolation", "governor", "numa"].iter().any(|topic| line.ends_with(topic)))
        .collect();
    assert_eq!(
        of_cpus,
        [
            "warning machine siblings",
            "warning machine isolation",
            "warning machine governor",
            "warning inside numa",
            "warning outside numa"
        ]
    );
    assert_eq!(find(&findings, "machine", "siblings").seen, "CPUs 2 and 8 are threads of one core");
    assert!(find(&findings, "machine", "isolation").command.contains("isolcpus=2,8 nohz_full=2,8 rcu_nocbs=2,8"));
    assert_eq!(find(&findings, "inside", "numa").expected, "workers on the NIC's node: CPUs 6-11");
}

#[test]
fn the_nic_that_the_machine_lives_by_is_a_danger() {
    let config = policy(["0000:3b:00.0", "0000:01:00.0"], "workers = [9]\nmemory = \"1 GiB\"");
    let findings = examine(X710, Some(&config));
    let own = find(&findings, "outside", "own-nic");
    assert_eq!((own.severity, own.seen.as_str()), (Severity::Fault, "eno1 carries this machine's default route"));
    let group = find(&findings, "outside", "iommu-group");
    assert_eq!((group.severity, group.seen.as_str()), (Severity::Fault, "group 7 also holds 0000:01:00.1 (mgag200)"));
    // igb's driver is not installed on that machine.
    let driver = find(&findings, "outside", "dpdk-driver");
    assert!(driver.command.starts_with("sudo apt-get install librte-net-e1000-"), "{}", driver.command);
}

#[test]
fn without_a_configuration_every_nic_is_listed() {
    let findings = examine(X710, None);
    assert_eq!(troubles(&findings), [""; 0]);
    let nics: Vec<(&str, &str)> = findings
        .iter()
        .filter(|finding| finding.topic == "nic")
        .map(|finding| (finding.seen.as_str(), finding.command.as_str()))
        .collect();
    assert_eq!(
        nics,
        [
            ("0000:01:00.0: 8086:1521, igb, eno1; carries the default route: not for the firewall", ""),
            ("0000:3b:00.0: 8086:1572, vfio-pci", ""),
            ("0000:3b:00.1: 8086:1572, i40e, enp59s0f1", "sudo ostiary-bind-nic --persist 0000:3b:00.1"),
        ]
    );
}

#[test]
fn a_machine_without_anything_is_told_everything() {
    let config = policy(["0000:05:00.0", "0000:05:00.1"], "workers = [0, 1]\nmemory = \"512 MiB\"");
    let findings = examine(NO_IOMMU, Some(&config));
    assert_eq!(
        troubles(&findings),
        [
            "fault machine hugepages",
            "warning machine iommu",
            "warning machine control-core",
            "warning machine siblings",
            "warning machine isolation",
            "warning machine clock-source",
            "warning machine time",
            "fault inside driver",
            "fault inside kernel-module",
            "fault inside dpdk-driver",
            "fault inside firmware",
            "warning inside link",
            "fault outside device",
        ]
    );
    // 20 pages of 120 are others': so many more that 512 MiB are free.
    assert_eq!(find(&findings, "machine", "hugepages").command, "sudo ostiary-hugepages 552M --persist");
    assert!(find(&findings, "machine", "iommu").command.contains("amd_iommu=on iommu=pt"));
    let driver = find(&findings, "inside", "dpdk-driver");
    assert!(driver.command.starts_with("sudo apt-get install librte-net-ice"), "{}", driver.command);
    assert!(find(&findings, "inside", "firmware").command.contains("firmware-intel-misc"));
    assert_eq!(find(&findings, "inside", "link").seen, "eth1 has no carrier");
    assert_eq!(find(&findings, "outside", "device").command, "ostiary-bind-nic");
}

#[test]
fn a_nic_that_is_shared_with_the_kernel_is_left_bound() {
    let config = policy(["0000:81:00.0", "0000:81:00.1"], "workers = [1, 2]\nmemory = \"1 GiB\"");
    let findings = examine(MLX5, Some(&config));
    assert_eq!(troubles(&findings), ["warning machine clock-source", "fault outside firmware"]);
    assert_eq!(find(&findings, "inside", "driver").seen, "mlx5_core, shared with the kernel: leave it bound so");
    assert_eq!(find(&findings, "inside", "firmware").seen, "mlx5_0, firmware 16.35.2000");
    assert_eq!(find(&findings, "inside", "link").seen, "ens1f0np0 is up, 100000 Mbit/s");
    assert!(find(&findings, "outside", "firmware").command.contains("modprobe -a mlx5_ib ib_uverbs"));
    assert!(!findings.iter().any(|finding| finding.topic == "iommu"));
}

#[test]
fn a_guest_whose_group_holds_a_disk_cannot_hand_out_the_nic() {
    let config = policy(["0000:00:03.0", "0000:00:04.0"], "workers = [1]\nmemory = \"512 MiB\"\nmax-sessions = 10_000");
    let findings = examine(VIRTIO, Some(&config));
    assert_eq!(troubles(&findings), ["fault machine memory-lock", "fault outside iommu-group"]);
    assert_eq!(find(&findings, "machine", "memory-lock").seen, "8 MiB");
    assert_eq!(find(&findings, "inside", "iommu-group").severity, Severity::Fine);
    let group = find(&findings, "outside", "iommu-group");
    assert_eq!(group.seen, "group 2 also holds 0000:00:05.0 (virtio-pci)");
    assert!(group.command.starts_with("echo 0000:00:05.0 | sudo tee /sys/bus/pci/devices/0000:00:05.0/driver/unbind"));
    assert_eq!(find(&findings, "inside", "dpdk-driver").seen, "net_virtio");
}

#[test]
fn enough_for_packets_and_too_little_for_tables_is_a_warning() {
    let config =
        policy(["0000:00:03.0", "0000:00:04.0"], "workers = [1]\nmemory = \"768 MiB\"\nmax-sessions = 4_000_000");
    let findings = examine(VIRTIO, Some(&config));
    let pages = find(&findings, "machine", "hugepages");
    assert_eq!(
        (pages.severity, pages.seen.as_str()),
        (Severity::Warning, "800 MiB free: enough for packets (768 MiB)")
    );
    let need = crate::runtime::preflight::need(&config.dataplane).unwrap();
    let all = (768 + need.tables).next_multiple_of(2);
    assert_eq!(pages.command, format!("sudo ostiary-hugepages {all}M --persist"));
}

#[test]
fn software_ports_have_faults_of_their_own() {
    let devices = ["net_af_packet0,iface=eth1", "net_pcap0,iface=eth2"];
    let config = policy(devices, "workers = [1]\nhugepages = false\nmemory = \"256 MiB\"\nidle = \"back-off\"");
    let findings = examine(CONTAINER, Some(&config));
    assert_eq!(
        troubles(&findings),
        [
            "fault inside privileges",
            "warning inside mtu",
            "warning inside offloads",
            "warning inside own-nic",
            "fault outside dpdk-driver",
            "warning outside link",
        ]
    );
    let privileges = find(&findings, "inside", "privileges");
    assert_eq!(privileges.seen, "CAP_NET_RAW is missing");
    assert_eq!(privileges.command, "sudo ostiary run --config policy.toml");
    assert_eq!(find(&findings, "inside", "offloads").command, "sudo ethtool -K eth1 gro off");
    assert_eq!(find(&findings, "inside", "mtu").command, "sudo ip link set eth1 mtu 1500");
    let driver = find(&findings, "outside", "dpdk-driver");
    assert!(driver.command.starts_with("sudo apt-get install librte-net-pcap"), "{}", driver.command);
    assert_eq!(find(&findings, "outside", "link").command, "sudo ip link set eth2 up");
    assert_eq!(find(&findings, "machine", "time").seen, "synchronised (chrony)");
}

#[test]
fn too_few_queues_and_one_interface_twice() {
    let devices = ["net_af_packet0,iface=eth2", "net_af_packet1,iface=eth2,qpairs=2"];
    let config = policy(devices, "workers = [0, 1]\nhugepages = false\nmemory = \"256 MiB\"\nidle = \"back-off\"");
    let findings = examine(CONTAINER, Some(&config));
    let queues = find(&findings, "inside", "queues");
    assert_eq!(queues.command, "in its [[port]]: device = \"net_af_packet0,iface=eth2,qpairs=2\"");
    assert_eq!(find(&findings, "inside", "interface").seen, "port outside is made of eth2 too");
    assert!(!findings.iter().any(|finding| finding.port.as_deref() == Some("outside") && finding.topic == "queues"));
}

#[test]
fn the_hands_are_called_as_they_are_found() {
    let checkout = tempfile::tempdir().unwrap();
    fs::create_dir_all(checkout.path().join("scripts")).unwrap();
    fs::write(checkout.path().join("scripts/bind-nic"), "").unwrap();
    let program = checkout.path().join("target/release/ostiary");
    let there = Hands::of(&program, checkout.path());
    assert_eq!(there.list_nics(), "scripts/bind-nic");
    assert_eq!(there.ostiary, "target/release/ostiary");
    let elsewhere = Hands::of(&program, Path::new("/srv"));
    assert_eq!(elsewhere.list_nics(), checkout.path().join("scripts/bind-nic").display().to_string());
    assert_eq!(hands().list_nics(), "ostiary-bind-nic");
}

#[test]
fn findings_of_one_subject_are_together_and_the_worst_first() {
    let config = policy(["0000:05:00.0", "0000:05:00.1"], "workers = [0]\nmemory = \"512 MiB\"");
    let findings = examine(NO_IOMMU, Some(&config));
    let order = |finding: &Finding| {
        (finding.port.as_deref().map(|port| port == "outside"), std::cmp::Reverse(finding.severity))
    };
    assert!(findings.is_sorted_by_key(order));
}
