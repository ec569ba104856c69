//! DPDK's environment and the packet pool, from the configuration.

use std::sync::Arc;

use dataplane::dpdk::{Device, Eal, EalConfig, Memory, Pool, PoolConfig};

use super::{DataplaneConfig, StartError};

/// Starts the environment. What can be checked before was checked by [`super::preflight()`].
pub(super) fn start(config: &DataplaneConfig) -> Result<Arc<Eal>, StartError> {
    let memory = if config.hugepages {
        Memory::Hugepages { mib: config.memory }
    } else {
        Memory::Ordinary { mib: config.memory }
    };
    let nic = |device: &Device| match device {
        Device::Pci(address) => Some(*address),
        Device::Vdev(_) => None,
    };
    let nics = config.ports.iter().filter_map(|port| nic(&port.device)).collect();
    Ok(Eal::start(&EalConfig { file_prefix: config.file_prefix.clone(), memory, nics })?)
}

/// Makes the pool that all ports receive into.
pub(super) fn pool(eal: &Arc<Eal>, mbufs: u32, data_room: u16, node: Option<u16>) -> Result<Arc<Pool>, StartError> {
    Ok(Pool::create(eal, &pool_config(mbufs, data_room, node))?)
}

/// What that pool is made with.
pub(super) fn pool_config(mbufs: u32, data_room: u16, node: Option<u16>) -> PoolConfig {
    PoolConfig { name: "frames".to_owned(), mbufs, data_room, node }
}

/// What EAL and the drivers take beside the pool, in MiB: descriptor rings, EAL's own tables.
pub(super) const BESIDE_POOL: u32 = 16;
