//! What a running port says of itself: what it counted, and its link.

use std::mem::MaybeUninit;

use dpdk_sys::rte_eth_stats;

use super::port::Port;

/// What a port counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortStatistics {
    /// Frames received.
    pub received: u64,
    /// Octets of those.
    pub received_octets: u64,
    /// Frames sent.
    pub sent: u64,
    /// Octets of those.
    pub sent_octets: u64,
    /// Frames that the device dropped because the worker was too slow.
    pub missed: u64,
    /// Frames received damaged.
    pub receive_errors: u64,
    /// Frames that could not be sent.
    pub send_errors: u64,
    /// Times that no buffer was left to receive into: the pool is too small.
    pub no_buffer: u64,
}

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether there is one.
    pub up: bool,
    /// Its speed in Mbit/s, where known.
    pub megabits: Option<u32>,
}

impl Port {
    /// What it counted since the start. A driver that counts nothing says zeroes.
    pub fn statistics(&self) -> PortStatistics {
        let mut statistics = MaybeUninit::<rte_eth_stats>::zeroed();
        // SAFETY: the port exists, a whole structure is there to be written, and zeroes are a valid value of it.
        let statistics = unsafe {
            dpdk_sys::rte_eth_stats_get(self.number.0, statistics.as_mut_ptr());
            statistics.assume_init()
        };
        PortStatistics {
            received: statistics.ipackets,
            received_octets: statistics.ibytes,
            sent: statistics.opackets,
            sent_octets: statistics.obytes,
            missed: statistics.imissed,
            receive_errors: statistics.ierrors,
            send_errors: statistics.oerrors,
            no_buffer: statistics.rx_nombuf,
        }
    }

    /// The state of its link, as last seen by the driver.
    pub fn link(&self) -> Link {
        let (mut up, mut megabits) = (0, 0);
        // SAFETY: the port exists, the two numbers are there to be written.
        unsafe { dpdk_sys::ostiary_link(self.number.0, &raw mut up, &raw mut megabits) };
        // RTE_ETH_SPEED_NUM_UNKNOWN and RTE_ETH_SPEED_NUM_NONE; net_vmxnet3 states a speed also where there is no link.
        let known = up != 0 && megabits != u32::MAX && megabits != 0;
        Link { up: up != 0, megabits: known.then_some(megabits) }
    }
}
