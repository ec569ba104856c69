//! What can be checked before DPDK starts, which it does once in a process: better a sentence here than half a page of
//! its log, or a port that starves.

use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use dataplane::dpdk::{
    Device, MAX_PORTS, NoSpread, PciAddress, PoolConfig, SetupError, mbufs_needed, mbufs_needed_dispatched,
};
use dataplane::load::Idle;
use dataplane::nat::Nat;
use dataplane::pipeline::Pipeline;
use dataplane::reassembly::Reassembler;
use dataplane::route::Mac;

use super::{DataplaneConfig, StartError, cpu_list, eal, ports};
use crate::record::Name;

/// Checks everything against this machine; the first fault is returned.
pub fn check(config: &DataplaneConfig) -> Result<(), StartError> {
    Host::at(Path::new("/")).check(config)
}

/// What a configuration takes of the machine's memory, in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// The packet pool, and what EAL and the drivers take beside it: part of `memory`.
    pub(crate) pool: u32,
    /// The tables of flows, routes, fragments and source NAT: beside `memory`.
    pub(crate) tables: u32,
}

/// The machine, as the kernel's file systems show it.
pub(crate) struct Host {
    /// `/`; elsewhere in tests, and where the tree of another machine is looked at.
    root: PathBuf,
}

impl Host {
    /// The machine whose file systems are below this folder.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn check(&self, config: &DataplaneConfig) -> Result<(), StartError> {
        self.faults(config).into_iter().next().map_or(Ok(()), Err)
    }

    /// Everything that keeps a configuration from starting, in the order in which it would be met.
    pub(crate) fn faults(&self, config: &DataplaneConfig) -> Vec<StartError> {
        let mut checks = vec![check_shape(config), self.check_cpus(config), check_pool(config)];
        for port in &config.ports {
            match &port.device {
                Device::Pci(address) => checks.push(self.check_nic(&port.name, *address, config.hugepages)),
                Device::Vdev(text) => {
                    checks.push(self.check_vdev(&port.name, text));
                    if config.dispatcher.is_none() {
                        checks.push(check_spread(&port.name, text, config.workers.len()));
                    }
                }
            }
        }
        if config.hugepages {
            let (need, free) = (config.memory, self.free_hugepages());
            checks.push(if free < need { Err(StartError::NoHugepages { need, free }) } else { Ok(()) });
        }
        checks.push(self.check_tables(config));
        checks.into_iter().filter_map(Result::err).collect()
    }

    fn check_cpus(&self, config: &DataplaneConfig) -> Result<(), StartError> {
        if config.workers.is_empty() {
            return Err(StartError::NoWorkers);
        }
        let allowed = self.allowed_cpus();
        let mut used = HashSet::new();
        for &cpu in config.workers.iter().chain(&config.dispatcher) {
            // One that sleeps while nothing comes leaves its CPU to the other; the dispatcher comes last.
            let shares = config.idle == Idle::BackOff && used.len() == config.workers.len();
            if !used.insert(cpu) && !shares {
                return Err(StartError::CpuTwice { cpu });
            }
            if !allowed.contains(&cpu) {
                return Err(StartError::NoCpu { cpu, allowed: cpu_list::text(&allowed) });
            }
        }
        Ok(())
    }

    /// The CPUs that the firewall may run on: those of this process, or all that run on the machine of a recorded tree.
    pub(crate) fn allowed_cpus(&self) -> Vec<u16> {
        let recorded = || fs::read_to_string(self.root.join("sys/devices/system/cpu/online")).ok();
        let recorded = if self.root == Path::new("/") { None } else { recorded() };
        recorded.map_or_else(crate::config::allowed_cores, |online| cpu_list::parse(&online))
    }

    /// Whether the tables of flows and routes fit into memory beside what DPDK takes.
    fn check_tables(&self, config: &DataplaneConfig) -> Result<(), StartError> {
        let Some(ordinary) = self.available() else { return Ok(()) };
        let need = need(config)?.tables;
        let all = ordinary.saturating_add(self.free_hugepages());
        let Some(free) = all.checked_sub(config.memory) else {
            return Err(StartError::MemoryTooLarge { need: config.memory, free: all });
        };
        if need > free {
            return Err(StartError::TablesTooLarge { sessions: config.max_sessions, need, free });
        }
        Ok(())
    }

    /// MiB of ordinary memory that programs can still take, as the kernel estimates it.
    fn available(&self) -> Option<u32> {
        let text = fs::read_to_string(self.root.join("proc/meminfo")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        u32::try_from(kib / 1024).ok()
    }

    /// MiB of hugepages that nobody has taken, of all sizes.
    fn free_hugepages(&self) -> u32 {
        let Ok(sizes) = fs::read_dir(self.root.join("sys/kernel/mm/hugepages")) else { return 0 };
        let free_of = |folder: PathBuf| {
            let name = folder.file_name()?.to_str()?;
            let kib: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
            let free: u64 = fs::read_to_string(folder.join("free_hugepages")).ok()?.trim().parse().ok()?;
            Some(free * kib / 1024)
        };
        let free: u64 = sizes.flatten().filter_map(|size| free_of(size.path())).sum();
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    fn check_nic(&self, port: &Name, address: PciAddress, hugepages: bool) -> Result<(), StartError> {
        let port = port.clone();
        let folder = self.root.join("sys/bus/pci/devices").join(address.to_string());
        let Ok(class) = fs::read_to_string(folder.join("class")) else {
            return Err(StartError::NoPciDevice { port, address });
        };
        let class = class.trim().to_owned();
        if !class.starts_with(NETWORK_CLASS) {
            return Err(StartError::NotNic { port, address, class });
        }
        if !hugepages {
            return Err(StartError::NicWithoutHugepages { port, address });
        }
        let driver = target(&folder.join("driver")).unwrap_or_else(|| "no driver".to_owned());
        match driver.as_str() {
            VFIO => self.check_vfio(port, &folder),
            known if DRIVERS.contains(&known) => Ok(()),
            _ => Err(StartError::PortUnbound { port, address, driver }),
        }
    }

    /// Whether the NIC's VFIO group can be opened.
    fn check_vfio(&self, port: Name, nic: &Path) -> Result<(), StartError> {
        let Some(group) = target(&nic.join("iommu_group")) else { return Ok(()) };
        let folder = self.root.join("dev/vfio");
        let without_iommu = folder.join(format!("noiommu-{group}"));
        let path = if without_iommu.exists() { without_iommu } else { folder.join(group) };
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let refused = |error: std::io::Error| StartError::NoVfioAccess {
            port,
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        opened.map(drop).map_err(refused)
    }

    fn check_vdev(&self, port: &Name, text: &str) -> Result<(), StartError> {
        let mut arguments = text.split(',');
        let device = arguments.next().unwrap_or_default();
        for (key, value) in arguments.filter_map(|argument| argument.split_once('=')) {
            let of_kernel = key == "iface" && !device.starts_with("net_tap") && !device.starts_with("virtio_user");
            if of_kernel && !self.root.join("sys/class/net").join(value).exists() {
                return Err(StartError::NoInterface { port: port.clone(), interface: value.to_owned() });
            }
            if key == "rx_pcap" {
                let no_file = |error: std::io::Error| StartError::NoFile {
                    port: port.clone(),
                    path: value.to_owned(),
                    reason: error.to_string(),
                };
                fs::File::open(value).map_err(no_file)?;
            }
        }
        let missing = PRIVILEGES.iter().find(|(driver, bit, _)| device.starts_with(driver) && !self.may(*bit));
        let Some(&(_, _, capability)) = missing else { return Ok(()) };
        Err(StartError::NoPrivilege { port: port.clone(), device: device.to_owned(), capability })
    }

    /// Whether the process has a capability, by its number in `linux/capability.h`.
    fn may(&self, bit: u32) -> bool {
        let Ok(status) = fs::read_to_string(self.root.join(STATUS)) else { return true };
        let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        // Where the kernel does not say, DPDK will.
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask >> bit & 1 == 1)
    }
}

/// What a configuration takes of the machine's memory.
pub(crate) fn need(config: &DataplaneConfig) -> Result<Need, StartError> {
    let workers = config.workers.len().max(1);
    // Beside the sessions there is a reserve of an eighth at most.
    let sessions = config.max_sessions.div_ceil(workers);
    // What the ports' MAC addresses are is not known yet, and takes no room.
    let routing = ports::routing(&config.routing, |_| Ok(Mac::default()))?;
    let of_worker =
        Pipeline::octets_for(sessions, &config.protection) + Pipeline::octets_for_routing(&routing, sessions);
    let of_worker = of_worker + Reassembler::octets_for(config.fragment_slots);
    let octets = workers * of_worker + Nat::octets_for(&config.nat, sessions + sessions / 8);
    let tables = u32::try_from(octets.div_ceil(1 << 20)).unwrap_or(u32::MAX);
    let mbufs = config.mbufs.unwrap_or_else(|| mbufs(config));
    let pool = eal::pool_config(mbufs, PoolConfig::DATA_ROOM, None).mib(config.hugepages);
    Ok(Need { pool: pool.saturating_add(eal::BESIDE_POOL), tables })
}

/// Packet buffers that ports and workers need.
fn mbufs(config: &DataplaneConfig) -> u32 {
    let descriptors = config.ports.iter().map(|port| (port.rx_descriptors, port.tx_descriptors));
    let workers = config.workers.len() as u16;
    match config.dispatcher {
        None => mbufs_needed(descriptors, workers),
        Some(_) => mbufs_needed_dispatched(descriptors, workers),
    }
}

/// Whether the configuration makes sense by itself.
fn check_shape(config: &DataplaneConfig) -> Result<(), StartError> {
    if config.ports.is_empty() {
        return Err(StartError::NoPorts);
    }
    if config.ports.len() > MAX_PORTS {
        return Err(StartError::TooManyPorts { have: config.ports.len(), most: MAX_PORTS });
    }
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !(1..=32).contains(&config.file_prefix.len()) || !config.file_prefix.bytes().all(letters) {
        return Err(StartError::BadFilePrefix(config.file_prefix.clone()));
    }
    let mut devices: HashMap<String, &Name> = HashMap::new();
    for port in &config.ports {
        let device = port.device.name();
        if let Some(first) = devices.insert(device.clone(), &port.name) {
            return Err(StartError::DeviceTwice { first: first.clone(), second: port.name.clone(), device });
        }
    }
    let mut wired = HashSet::new();
    for end in config.wires.iter().flat_map(|&(one, other)| [one, other]) {
        let port = config.ports.get(usize::from(end.0));
        if port.is_none() || !wired.insert(end) {
            let port = port.map_or_else(|| end.0.to_string(), |port| port.name.to_string());
            return Err(StartError::BadWire { port });
        }
    }
    Ok(())
}

/// Whether a software port can give each of several workers its flows, both directions to the same one.
fn check_spread(port: &Name, device: &str, workers: usize) -> Result<(), StartError> {
    let driver = device.split(',').next().unwrap_or(device).trim_end_matches(|c: char| c.is_ascii_digit());
    if workers < 2 {
        return Ok(());
    }
    let reason = if driver == NoSpread::SPREADING_VDEV {
        let pairs = device.split(',').find_map(|argument| argument.strip_prefix("qpairs=")).unwrap_or("1");
        // What is no number the driver will refuse.
        match pairs.parse() {
            Ok(have) if usize::from(have) < workers => NoSpread::Queues { have },
            _ => return Ok(()),
        }
    } else {
        NoSpread::Software
    };
    let (device, driver) = (device.to_owned(), driver.to_owned());
    let error = SetupError::NoSpread { device, driver, workers: workers as u16, reason };
    Err(StartError::Port { port: port.clone(), error })
}

/// Whether the pool is large enough for the ports, and the memory for the pool.
fn check_pool(config: &DataplaneConfig) -> Result<(), StartError> {
    let least = mbufs(config);
    let have = config.mbufs.unwrap_or(least);
    if have < least {
        return Err(StartError::PoolTooSmall { need: least, have });
    }
    let mib = need(config)?.pool;
    if config.memory < mib {
        return Err(StartError::MemoryTooSmall { need: mib, have: config.memory });
    }
    Ok(())
}

/// The last part of where a link of sysfs points.
fn target(link: &Path) -> Option<String> {
    Some(fs::read_link(link).ok()?.file_name()?.to_str()?.to_owned())
}

/// Network controllers, by the base class of the PCI code and ID assignment specification.
pub(crate) const NETWORK_CLASS: &str = "0x02";
pub(crate) const VFIO: &str = "vfio-pci";
/// What the calling thread may do: threads differ in it, see [`crate::confine`].
pub(crate) const STATUS: &str = "proc/thread-self/status";
/// Drivers that hand a NIC to DPDK, besides VFIO: UIO's, and those that share the NIC with the kernel (mlx4, mlx5, mana).
pub(crate) const DRIVERS: &[&str] = &["uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core", "mana"];
/// Software ports that need a privilege: CAP_NET_ADMIN is 12, CAP_NET_RAW 13.
const PRIVILEGES: &[(&str, u32, &str)] = &[
    ("net_af_packet", 13, "CAP_NET_RAW"),
    ("net_af_xdp", 13, "CAP_NET_RAW"),
    ("net_af_xdp", 12, "CAP_NET_ADMIN"),
    ("net_tap", 12, "CAP_NET_ADMIN"),
];

#[cfg(test)]
mod tests;
