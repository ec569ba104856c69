//! Each fault that can be found before DPDK starts, on a machine made of files.

use std::os::unix::fs::symlink;
use std::time::Duration;

use dataplane::endpoint::Address;
use dataplane::load::Idle;
use dataplane::nat::PoolSource;
use dataplane::pipeline::{Midstream, Timeouts};
use dataplane::policy::{AddressRange, PortId, PortRange};
use tempfile::TempDir;

use super::*;
use crate::runtime::{InterfaceConfig, PortConfig};

/// A machine with one NIC, at 0000:3b:00.0, and 1,200 hugepages of 2 MiB.
fn machine() -> (TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    let host = Host { root: folder.path().to_owned() };
    host.write("sys/bus/pci/devices/0000:3b:00.0/class", "0x020000\n");
    host.write("sys/bus/pci/devices/0000:3c:00.0/class", "0x010802\n");
    host.write("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "1200\n");
    host.write("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "0\n");
    host.write("sys/class/net/eth1/ifindex", "2\n");
    host.write("proc/thread-self/status", "Name:\tostiary\nCapEff:\t0000000000003000\n");
    (folder, host)
}

impl Host {
    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn bind(&self, driver: &str) {
        let link = self.root.join("sys/bus/pci/devices/0000:3b:00.0/driver");
        let _ = fs::remove_file(&link);
        symlink(format!("../../../../bus/pci/drivers/{driver}"), link).unwrap();
    }
}

/// This process may run on the first of its CPUs, at least.
fn cpu() -> u16 {
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    (0..1024).find(|&cpu| allowed.is_set(cpu)).unwrap() as u16
}

fn port(name: &str, device: &str) -> PortConfig {
    PortConfig {
        name: name.into(),
        device: device.parse().unwrap(),
        rx_descriptors: PortConfig::DESCRIPTORS,
        tx_descriptors: PortConfig::DESCRIPTORS,
        mtu: PortConfig::MTU,
    }
}

fn config(devices: &[&str]) -> DataplaneConfig {
    let names = ["inside", "outside", "third"];
    DataplaneConfig {
        ports: names.iter().zip(devices).map(|(name, device)| port(name, device)).collect(),
        wires: vec![(PortId(0), PortId(1))],
        nat: vec![],
        routing: Default::default(),
        workers: vec![cpu()],
        dispatcher: None,
        idle: Idle::Poll,
        memory: 512,
        hugepages: true,
        file_prefix: "test".to_owned(),
        mbufs: None,
        max_sessions: 1000,
        inspection_slots: 10,
        resolved_addresses: 16,
        fragment_slots: 10,
        session_events: 100,
        sign_on_events: 100,
        timeouts: Timeouts::default(),
        midstream: Midstream::Permit,
        protection: Default::default(),
        verify_checksums: true,
    }
}

const RINGS: &[&str] = &["net_ring0", "net_ring1"];
const NIC: PciAddress = PciAddress { domain: 0, bus: 0x3b, device: 0, function: 0 };

#[test]
fn a_sound_configuration_passes() {
    let (_folder, host) = machine();
    assert_eq!(host.check(&config(RINGS)), Ok(()));
    assert_eq!(host.check(&config(&["net_af_packet0,iface=eth1", "net_tap0,iface=new0"])), Ok(()));
}

#[test]
fn ports_and_wires_must_fit_together() {
    let (_folder, host) = machine();
    assert_eq!(host.check(&config(&[])), Err(StartError::NoPorts));
    let twice =
        StartError::DeviceTwice { first: "inside".into(), second: "outside".into(), device: "net_ring0".to_owned() };
    assert_eq!(host.check(&config(&["net_ring0", "net_ring0,x=1"])), Err(twice));
    let mut knot = config(RINGS);
    knot.wires = vec![(PortId(0), PortId(0))];
    assert_eq!(host.check(&knot), Err(StartError::BadWire { port: "inside".to_owned() }));
    knot.wires = vec![(PortId(0), PortId(7))];
    assert_eq!(host.check(&knot), Err(StartError::BadWire { port: "7".to_owned() }));
    let mut prefix = config(RINGS);
    prefix.file_prefix = "../x".to_owned();
    assert_eq!(host.check(&prefix), Err(StartError::BadFilePrefix("../x".to_owned())));
    let mut many = config(RINGS);
    many.ports = (0..=MAX_PORTS).map(|index| port("p", &format!("net_ring{index}"))).collect();
    assert_eq!(host.check(&many), Err(StartError::TooManyPorts { have: MAX_PORTS + 1, most: MAX_PORTS }));
}

#[test]
fn workers_need_cpus_of_their_own() {
    let (_folder, host) = machine();
    let mut workers = config(RINGS);
    workers.workers = vec![];
    assert_eq!(host.check(&workers), Err(StartError::NoWorkers));
    workers.workers = vec![cpu(), cpu()];
    assert_eq!(host.check(&workers), Err(StartError::CpuTwice { cpu: cpu() }));
    workers.workers = vec![1023];
    let Err(StartError::NoCpu { cpu: 1023, allowed }) = host.check(&workers) else { panic!("CPU 1023 is not there") };
    assert!(allowed.starts_with(&cpu().to_string()));
}

#[test]
fn several_workers_need_ports_that_spread() {
    let spread = |device: &str, workers| check_spread(&"inside".into(), device, workers);
    assert_eq!(spread("net_ring0", 1), Ok(()));
    assert_eq!(spread("net_af_packet0,iface=eth1,qpairs=2", 2), Ok(()));
    let Err(StartError::Port { error: SetupError::NoSpread { driver, workers: 2, .. }, .. }) = spread("net_ring0", 2)
    else {
        panic!("net_ring spreads nothing")
    };
    assert_eq!(driver, "net_ring");
    for few in ["net_af_packet0,iface=eth1", "net_af_packet0,iface=eth1,qpairs=1"] {
        let Err(StartError::Port { error: SetupError::NoSpread { reason, .. }, .. }) = spread(few, 2) else {
            panic!("{few} has one queue")
        };
        assert_eq!(reason, NoSpread::Queues { have: 1 });
    }
}

#[test]
fn the_pool_covers_descriptors_and_the_memory_covers_the_pool() {
    let (_folder, host) = machine();
    let mut small = config(RINGS);
    small.mbufs = Some(4096);
    assert_eq!(host.check(&small), Err(StartError::PoolTooSmall { need: 4672, have: 4096 }));
    small.mbufs = Some(4672);
    assert_eq!(host.check(&small), Ok(()));
    small.mbufs = Some(500_000);
    let Err(StartError::MemoryTooSmall { need, have: 512 }) = host.check(&small) else { panic!("more than 512 MiB") };
    assert!(need > 1000);
}

#[test]
fn hugepages_are_counted_before_they_are_missed() {
    let (_folder, host) = machine();
    let mut large = config(RINGS);
    large.memory = 2401;
    assert_eq!(host.check(&large), Err(StartError::NoHugepages { need: 2401, free: 2400 }));
    large.hugepages = false;
    assert_eq!(host.check(&large), Ok(()));
}

#[test]
fn a_nic_must_be_there_and_bound_and_open() {
    let (_folder, host) = machine();
    let inside = || Name::from("inside");
    let nic = config(&["0000:3b:00.0", "net_ring0"]);

    let unbound = |driver: &str| StartError::PortUnbound { port: inside(), address: NIC, driver: driver.to_owned() };
    assert_eq!(host.check(&nic), Err(unbound("no driver")));
    host.bind("e1000e");
    assert_eq!(host.check(&nic), Err(unbound("e1000e")));
    for driver in ["uio_pci_generic", "mlx5_core", "vfio-pci"] {
        host.bind(driver);
        assert_eq!(host.check(&nic), Ok(()), "{driver}");
    }
    // Bound to VFIO, in group 12, whose file is not there, then is.
    symlink("../../../kernel/iommu_groups/12", host.root.join("sys/bus/pci/devices/0000:3b:00.0/iommu_group")).unwrap();
    assert!(matches!(host.check(&nic), Err(StartError::NoVfioAccess { path, .. }) if path.ends_with("dev/vfio/12")));
    host.write("dev/vfio/12", "");
    assert_eq!(host.check(&nic), Ok(()));

    let mut ordinary = nic;
    ordinary.hugepages = false;
    assert_eq!(host.check(&ordinary), Err(StartError::NicWithoutHugepages { port: inside(), address: NIC }));

    let absent = PciAddress { function: 1, ..NIC };
    assert_eq!(
        host.check(&config(&["3b:00.1", "net_ring0"])),
        Err(StartError::NoPciDevice { port: inside(), address: absent })
    );
    let disk = PciAddress { bus: 0x3c, ..NIC };
    let not_nic = StartError::NotNic { port: inside(), address: disk, class: "0x010802".to_owned() };
    assert_eq!(host.check(&config(&["3c:00.0", "net_ring0"])), Err(not_nic));
}

#[test]
fn software_ports_need_their_interface_file_and_privilege() {
    let (_folder, host) = machine();
    let missing = StartError::NoInterface { port: "inside".into(), interface: "eth9".to_owned() };
    assert_eq!(host.check(&config(&["net_af_xdp0,iface=eth9", "net_ring0"])), Err(missing));
    let no_file = host.check(&config(&["net_pcap0,rx_pcap=/nowhere/x.pcap", "net_ring0"]));
    assert!(matches!(no_file, Err(StartError::NoFile { path, .. }) if path == "/nowhere/x.pcap"));

    host.write("proc/thread-self/status", "CapEff:\t0000000000001000\n");
    let refused = StartError::NoPrivilege {
        port: "inside".into(),
        device: "net_af_packet0".to_owned(),
        capability: "CAP_NET_RAW",
    };
    assert_eq!(host.check(&config(&["net_af_packet0,iface=eth1", "net_ring0"])), Err(refused));
    assert_eq!(host.check(&config(RINGS)), Ok(()));
}

#[test]
fn tables_must_fit_into_memory() {
    let (_folder, host) = machine();
    let available = |mib: u32| {
        host.write("proc/meminfo", &format!("MemTotal:  99999999 kB\nMemAvailable:   {} kB\n", mib * 1024));
    };
    let mut large = config(RINGS);
    large.max_sessions = 20_000_000;
    // What the kernel does not tell is not judged.
    assert_eq!(host.check(&large), Ok(()));
    available(0);
    let greedy = DataplaneConfig { memory: 2401, hugepages: false, ..config(RINGS) };
    assert_eq!(host.check(&greedy), Err(StartError::MemoryTooLarge { need: 2401, free: 2400 }));
    let Err(StartError::TablesTooLarge { sessions: 20_000_000, need, free }) = host.check(&large) else {
        panic!("2,400 MiB of hugepages less 512 are too little")
    };
    // 128 octets each at most, the reserve included, and 32 MiB of remembered SYNs.
    assert!(free == 1888 && (free..=2442 + 32).contains(&need), "{need} {free}");
    large.protection.syn_retry = false;
    assert!(matches!(host.check(&large), Err(StartError::TablesTooLarge { need: less, .. }) if less == need - 32));
    large.protection.syn_retry = true;
    available(need - free);
    assert_eq!(host.check(&large), Ok(()));
    // What source NAT keeps is counted too: 172 octets a session where the pool has more ports than there are sessions.
    large.nat = vec![PoolSource {
        addresses: vec![AddressRange { first: Address::v4([198, 51, 100, 0]), last: Address::v4([198, 51, 103, 255]) }],
        ports: PortRange { first: 1024, last: u16::MAX },
        ports_per_host: None,
        hold: Duration::ZERO,
    }];
    let Err(StartError::TablesTooLarge { need: more, .. }) = host.check(&large) else {
        panic!("there was room for the sessions alone")
    };
    assert!((need + 20 * 100..need + 20 * 500).contains(&more), "{need} {more}");
    // Where packets are routed each session has a way of four octets, and there are routes and neighbours.
    let interface = |port, last| InterfaceConfig {
        port: PortId(port),
        addresses: vec![(Address::v4([10, port as u8, 0, last]), 24)],
        mtu: 1500,
        reverse_path: true,
    };
    large.nat = vec![];
    large.wires = vec![];
    large.routing.interfaces = vec![interface(0, 1), interface(1, 1)];
    large.routing.neighbours = 8192;
    let Err(StartError::TablesTooLarge { need: routed, .. }) = host.check(&large) else {
        panic!("what routing takes is not counted")
    };
    assert!((need + 76..need + 96).contains(&routed), "{need} {routed}");
}
