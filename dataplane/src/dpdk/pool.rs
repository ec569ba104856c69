//! Pools of packet buffers, sized from the configuration.

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;

use dpdk_sys::rte_mempool;

use super::eal::Eal;
use super::errno::Errno;
use super::error::SetupError;
use super::mbuf::Mbuf;
use crate::pipeline::BURST;

/// What a pool is made with.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Its name; no two pools at a time share one. At most 25 octets.
    pub name: String,
    /// Buffers.
    pub mbufs: u32,
    /// Octets of a frame that one buffer holds, without headroom; longer frames take several.
    pub data_room: u16,
    /// NUMA node; none: wherever there is memory.
    pub node: Option<u16>,
}

impl PoolConfig {
    /// Octets that a buffer holds unless ports need more: every driver can work with 2 KiB.
    pub const DATA_ROOM: u16 = dpdk_sys::RTE_MBUF_DEFAULT_DATAROOM as u16;
    /// The most that a buffer can be made to hold.
    pub const MAX_DATA_ROOM: u16 = u16::MAX - HEADROOM;
    /// Buffers that DPDK keeps at hand for each worker.
    pub const CACHE: u32 = 256;

    /// Memory that the pool takes, in MiB, rounded up. Without hugepages a buffer takes whole pages of its own: none crosses
    /// from one page to the next.
    pub fn mib(&self, hugepages: bool) -> u32 {
        const PAGE: u64 = 4096;
        // Padding that spreads buffers over memory channels is left out: EAL must run to know it.
        // SAFETY: computes; a null pointer says that the parts are not asked for.
        let size = unsafe { dpdk_sys::rte_mempool_calc_obj_size(self.element(), NO_SPREAD, std::ptr::null_mut()) };
        // That padding and page borders cost some; DPDK's ring of free buffers takes a pointer each.
        let size = u64::from(size);
        let each = if hugepages { size + size / 16 } else { (size + size / 16).next_multiple_of(PAGE) };
        let octets = u64::from(self.mbufs) * (each + 8);
        u32::try_from(octets.div_ceil(1 << 20)).unwrap_or(u32::MAX)
    }

    fn element(&self) -> u32 {
        size_of::<dpdk_sys::rte_mbuf>() as u32 + u32::from(HEADROOM) + u32::from(self.data_room)
    }
}

/// Buffers that `workers` need on ports with these (receive, transmit) descriptors a queue: a pool with fewer starves a
/// port sooner or later. Every port has a queue pair for each worker.
pub fn mbufs_needed(ports: impl IntoIterator<Item = (u16, u16)>, workers: u16) -> u32 {
    let workers = u32::from(workers);
    let (mut descriptors, mut count) = (0u32, 0u32);
    for (receive, transmit) in ports {
        descriptors = descriptors.saturating_add(u32::from(receive) + u32::from(transmit));
        count = count.saturating_add(1);
    }
    // On its way through a worker: the burst at hand, and what waits for each port.
    let in_flight = (1 + count).saturating_mul(BURST as u32);
    // A cache is flushed at one and a half times its size.
    let cached = PoolConfig::CACHE + PoolConfig::CACHE / 2;
    workers.saturating_mul(descriptors.saturating_add(in_flight).saturating_add(cached))
}

/// The same where a dispatcher receives for the workers, on ports of one receive queue: its own, and what may wait in the
/// rings to each worker and back.
pub fn mbufs_needed_dispatched(ports: impl IntoIterator<Item = (u16, u16)>, workers: u16) -> u32 {
    let (mut need, mut count) = (0u32, 0u32);
    for (receive, transmit) in ports {
        let queues = u32::from(receive).saturating_add(u32::from(workers).saturating_mul(u32::from(transmit)));
        let rings = super::Dispatched::ring_size(receive).saturating_mul(2 * u32::from(workers));
        need = need.saturating_add(queues).saturating_add(rings);
        count = count.saturating_add(1);
    }
    // A burst at hand, of the dispatcher one for each worker too; what waits for each port; a cache.
    let thread = (1 + count + u32::from(workers)).saturating_mul(BURST as u32);
    let cached = PoolConfig::CACHE + PoolConfig::CACHE / 2;
    need.saturating_add((u32::from(workers) + 1).saturating_mul(thread.saturating_add(cached)))
}

/// A pool of packet buffers.
#[derive(Debug)]
pub struct Pool {
    pool: NonNull<rte_mempool>,
    mbufs: u32,
    data_room: u16,
    eal: Arc<Eal>,
}

// SAFETY: rte_mempool's functions may be called by any thread at any time.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Pool {
    /// Allocates it.
    pub fn create(eal: &Arc<Eal>, config: &PoolConfig) -> Result<Arc<Self>, SetupError> {
        let name = CString::new(config.name.clone()).map_err(|_| SetupError::ZeroByte(config.name.clone()))?;
        let node = config.node.map_or(ANY_NODE, i32::from);
        // DPDK asks that the cache is not more than two thirds of the pool.
        let cache = PoolConfig::CACHE.min(config.mbufs / 2);
        let room = config.data_room.saturating_add(HEADROOM);
        // SAFETY: EAL runs, `name` lives past the call.
        let pool = unsafe { dpdk_sys::rte_pktmbuf_pool_create(name.as_ptr(), config.mbufs, cache, 0, room, node) };
        let Some(pool) = NonNull::new(pool) else {
            return Err(SetupError::Pool {
                mbufs: config.mbufs,
                mib: config.mib(eal.hugepages()),
                errno: Errno::last(),
            });
        };
        Ok(Arc::new(Self { pool, mbufs: config.mbufs, data_room: config.data_room, eal: Arc::clone(eal) }))
    }

    /// A buffer with an empty frame; none where the pool is empty.
    pub fn allocate(&self) -> Option<Mbuf> {
        // SAFETY: the pool is live; what it returns is null or a buffer of ours.
        unsafe { Mbuf::from_raw(dpdk_sys::rte_pktmbuf_alloc(self.pool.as_ptr())) }
    }

    /// A frame with these octets, in as many buffers as they take; none where the pool has too few.
    pub fn frame(&self, octets: &[u8]) -> Option<Mbuf> {
        let mut frame = self.allocate()?;
        let (first, rest) = octets.split_at(octets.len().min(usize::from(self.data_room)));
        if !frame.append(first) {
            return None;
        }
        for piece in rest.chunks(usize::from(self.data_room.max(1))) {
            let mut next = self.allocate()?;
            if !next.append(piece) || frame.chain(next).is_err() {
                return None;
            }
        }
        Some(frame)
    }

    /// All its buffers.
    pub fn size(&self) -> u32 {
        self.mbufs
    }

    /// Octets that a buffer holds.
    pub fn data_room(&self) -> u16 {
        self.data_room
    }

    /// Buffers that are out: in a port's rings, in a worker's hands. Approximate while others use the pool.
    pub fn in_use(&self) -> u32 {
        // SAFETY: the pool is live.
        unsafe { dpdk_sys::rte_mempool_in_use_count(self.pool.as_ptr()) }
    }

    pub(super) fn as_ptr(&self) -> *mut rte_mempool {
        self.pool.as_ptr()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.in_use() == 0 {
            // SAFETY: no buffer is out, and ports that could take one hold this value.
            unsafe { dpdk_sys::rte_mempool_free(self.pool.as_ptr()) };
        } else {
            self.eal.leak();
        }
    }
}

const HEADROOM: u16 = dpdk_sys::RTE_PKTMBUF_HEADROOM as u16;
/// RTE_MEMPOOL_F_NO_SPREAD.
const NO_SPREAD: u32 = 0x0001;
/// SOCKET_ID_ANY.
const ANY_NODE: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descriptor_burst_and_cache_is_counted() {
        // Two ports of 1024 + 1024, a burst at hand and one for each port, a full cache.
        assert_eq!(mbufs_needed([(1024, 1024), (1024, 1024)], 1), 4096 + 3 * 64 + 384);
        assert_eq!(mbufs_needed([(1024, 1024), (1024, 1024)], 2), 2 * (4096 + 3 * 64 + 384));
    }

    #[test]
    fn a_pool_of_absurd_size_is_said_to_be_large_rather_than_small() {
        assert_eq!(mbufs_needed(vec![(u16::MAX, u16::MAX); 40_000], u16::MAX), u32::MAX);
    }
}
