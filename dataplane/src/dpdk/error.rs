//! Why the dataplane could not be set up, and what to do about it.

use super::errno::Errno;
use super::rss::NoSpread;

/// A failure on the way from nothing to running ports. Nothing of what was set up before it stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// DPDK can be started once in the life of a process.
    #[error("DPDK was started before in this process; start a new process")]
    StartedBefore,
    /// A name or argument that cannot be given to DPDK.
    #[error("{0:?} contains a zero byte")]
    ZeroByte(String),
    /// `rte_eal_init` failed; DPDK wrote the reason to standard error.
    #[error("DPDK's environment does not start: {errno}; the lines above, from DPDK, say more")]
    Eal {
        /// What it returned.
        errno: Errno,
    },
    /// The pool was given fewer buffers than the ports and workers need.
    #[error(
        "the packet pool has {have} buffers, and ports and workers need {need}: set mbufs to {need} or more, or leave it out"
    )]
    PoolTooSmall {
        /// Buffers needed.
        need: u32,
        /// Buffers configured.
        have: u32,
    },
    /// The pool does not fit in the memory that EAL has.
    #[error("a packet pool of {mbufs} buffers ({mib} MiB) could not be made: {errno}; raise the dataplane's memory")]
    Pool {
        /// Its buffers.
        mbufs: u32,
        /// What they take.
        mib: u32,
        /// Why not.
        errno: Errno,
    },
    /// No driver took the device.
    #[error("device {device}: no driver accepts it: {errno}; the lines above, from DPDK, say more")]
    Probe {
        /// As configured.
        device: String,
        /// What DPDK returned.
        errno: Errno,
    },
    /// The device was accepted, but no port came of it.
    #[error(
        "device {device}: DPDK made no port of it; is a driver for it installed, and the NIC bound to vfio-pci? ostiary doctor says"
    )]
    NoPort {
        /// As configured.
        device: String,
    },
    /// A step of bringing a port up failed.
    #[error("device {device} (driver {driver}): {step} fails: {errno}")]
    Port {
        /// As configured.
        device: String,
        /// DPDK's driver.
        driver: String,
        /// Which step.
        step: &'static str,
        /// Why.
        errno: Errno,
    },
    /// The MTU is out of the device's range.
    #[error("device {device}: its driver ({driver}) takes an MTU from {min} to {max}, not {mtu}")]
    Mtu {
        /// As configured.
        device: String,
        /// DPDK's driver.
        driver: String,
        /// As configured.
        mtu: u16,
        /// Least.
        min: u16,
        /// Most.
        max: u16,
    },
    /// Several workers, and a port that cannot give each its share.
    #[error(
        "device {device}: its driver ({driver}) cannot spread flows over {workers} workers: {reason}; use one worker, another device, or a dispatcher"
    )]
    NoSpread {
        /// As configured.
        device: String,
        /// DPDK's driver.
        driver: String,
        /// How many.
        workers: u16,
        /// What is missing.
        reason: NoSpread,
    },
    /// A worker's thread could not be bound to its CPU or made known to DPDK.
    #[error("the worker of CPU {cpu} cannot {step}: {errno}")]
    Thread {
        /// Its CPU.
        cpu: u16,
        /// Which step.
        step: &'static str,
        /// Why.
        errno: Errno,
    },
}
