//! Why the dataplane does not start: each says what to do next.

use dataplane::dpdk::{PciAddress, SetupError};

use crate::record::Name;

/// A reason not to start. Nothing runs, and nothing is held, when one is returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A configuration without ports.
    #[error("no port is configured: add a [[port]]")]
    NoPorts,
    /// More ports than DPDK was built for.
    #[error("{have} ports are configured, and DPDK takes {most}")]
    TooManyPorts {
        /// Configured.
        have: usize,
        /// At most.
        most: usize,
    },
    /// A configuration without workers.
    #[error("no worker is configured: name a CPU in [dataplane] workers")]
    NoWorkers,
    /// Two that poll on one CPU.
    #[error("CPU {cpu} is given to two workers, or to a worker and a dispatcher that polls")]
    CpuTwice {
        /// Which.
        cpu: u16,
    },
    /// A worker's CPU that this process cannot use.
    #[error(
        "a worker or the dispatcher is to run on CPU {cpu}, and this process may run on {allowed}: change [dataplane]"
    )]
    NoCpu {
        /// Which.
        cpu: u16,
        /// Those it may run on, as `0-3,8`.
        allowed: String,
    },
    /// Two ports over one device.
    #[error("ports {first} and {second} are both {device}")]
    DeviceTwice {
        /// One port.
        first: Name,
        /// The other.
        second: Name,
        /// The device.
        device: String,
    },
    /// A wire that names a port that is not there, or one that is in a wire already.
    #[error("a wire needs two ports, each of one wire only: {port} is not")]
    BadWire {
        /// The port's name, or its number where it has none.
        port: String,
    },
    /// An interface whose port has no MAC address.
    #[error("port {port} has no MAC address, which an interface needs: use another driver, or put it in a wire")]
    NoMac {
        /// The port.
        port: Name,
    },
    /// A file prefix that cannot name a folder.
    #[error("file prefix {0:?}: letters, digits, '-' and '_' only, at most 32 of them")]
    BadFilePrefix(String),
    /// Too few hugepages are free.
    #[error(
        "{need} MiB of hugepages are needed and {free} MiB are free: ostiary doctor has the command that reserves them (or, with software ports only, set hugepages = false)"
    )]
    NoHugepages {
        /// MiB.
        need: u32,
        /// MiB.
        free: u32,
    },
    /// More for DPDK than the machine has left, whatever the tables take.
    #[error("memory is {need} MiB and the machine has {free} MiB left: lower memory in [dataplane]")]
    MemoryTooLarge {
        /// MiB.
        need: u32,
        /// MiB.
        free: u32,
    },
    /// Tables larger than the machine's memory.
    #[error(
        "tables for {sessions} sessions take {need} MiB and the machine has {free} MiB left: lower max-sessions in [dataplane]"
    )]
    TablesTooLarge {
        /// Of all workers.
        sessions: usize,
        /// MiB.
        need: u32,
        /// MiB, ordinary memory and hugepages together, beside what DPDK takes.
        free: u32,
    },
    /// A NIC without hugepages.
    #[error("port {port} is a NIC ({address}), which needs hugepages: set hugepages = true")]
    NicWithoutHugepages {
        /// The port.
        port: Name,
        /// The NIC.
        address: PciAddress,
    },
    /// Less memory than the pool takes.
    #[error("the packet pool needs {need} MiB, and memory is {have} MiB: raise it in [dataplane]")]
    MemoryTooSmall {
        /// MiB, of the pool, the rings and EAL's own.
        need: u32,
        /// MiB.
        have: u32,
    },
    /// Fewer packet buffers than ports and workers need.
    #[error("mbufs = {have}, and ports and workers need {need}: raise it, or leave it out")]
    PoolTooSmall {
        /// Buffers.
        need: u32,
        /// Buffers.
        have: u32,
    },
    /// A PCI address with nothing behind it.
    #[error(
        "port {port}: there is no PCI device {address}; ostiary-bind-nic (scripts/bind-nic) lists those that are there"
    )]
    NoPciDevice {
        /// The port.
        port: Name,
        /// As configured.
        address: PciAddress,
    },
    /// A PCI device that is no NIC.
    #[error("port {port}: PCI device {address} is no network interface (class {class})")]
    NotNic {
        /// The port.
        port: Name,
        /// As configured.
        address: PciAddress,
        /// As the bus has it.
        class: String,
    },
    /// A NIC that the kernel, or nobody, drives.
    #[error(
        "port {port}: NIC {address} is bound to {driver}, not to a driver that hands it to DPDK: ostiary doctor has the command that binds it"
    )]
    PortUnbound {
        /// The port.
        port: Name,
        /// Its NIC.
        address: PciAddress,
        /// The driver; `no driver` where there is none.
        driver: String,
    },
    /// A NIC whose VFIO group this process may not open.
    #[error("port {port}: {path} cannot be opened: {reason}; run as root, or give this user the file")]
    NoVfioAccess {
        /// The port.
        port: Name,
        /// `/dev/vfio/…`.
        path: String,
        /// What the kernel says.
        reason: String,
    },
    /// A network interface that is not there.
    #[error("port {port}: there is no network interface {interface} (in this network namespace)")]
    NoInterface {
        /// The port.
        port: Name,
        /// As configured.
        interface: String,
    },
    /// A file that a software port is to read is not there.
    #[error("port {port}: {path} cannot be read: {reason}")]
    NoFile {
        /// The port.
        port: Name,
        /// As configured.
        path: String,
        /// What the kernel says.
        reason: String,
    },
    /// A privilege is missing.
    #[error("port {port}: {device} needs {capability}: run as root, or with that capability")]
    NoPrivilege {
        /// The port.
        port: Name,
        /// Its device's name.
        device: String,
        /// `CAP_…`.
        capability: &'static str,
    },
    /// Found out by DPDK.
    #[error("port {port}: {error}")]
    Port {
        /// The port.
        port: Name,
        /// What.
        error: SetupError,
    },
    /// Found out by DPDK, of no port.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A thread could not be started.
    #[error("a worker's thread does not start: {0}")]
    Spawn(String),
}
