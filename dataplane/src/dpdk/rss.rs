//! How flows are spread over workers: both directions of a flow must reach the same one.

use std::fmt;

use super::errno::Errno;

/// Why a port cannot spread flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSpread {
    /// It has fewer queues.
    Queues {
        /// As many as it has.
        have: u16,
    },
    /// A software port that gives all frames to one queue, or in no order.
    Software,
    /// A NIC without a hash over addresses and ports.
    NoHash,
    /// The NIC did not keep the key that makes both directions alike.
    KeyRefused,
    /// It and another port send a flow to different workers.
    Differs {
        /// The other's device.
        from: String,
    },
    /// The NIC does not say which key it uses.
    KeyUnknown(Errno),
}

impl fmt::Display for NoSpread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queues { have: 1 } => f.write_str("it has one queue (net_af_packet takes more with qpairs=)"),
            Self::Queues { have } => write!(f, "it has {have} queues (net_af_packet takes more with qpairs=)"),
            Self::Software => f.write_str("it does not send both directions of a flow to the same queue"),
            Self::NoHash => f.write_str("it has no receive-side scaling"),
            Self::KeyRefused => f.write_str("it did not keep the symmetric hash key"),
            Self::Differs { from } => {
                write!(f, "it and {from} send the two directions of a flow to different queues")
            }
            Self::KeyUnknown(errno) => write!(f, "it does not say which hash key it uses ({errno})"),
        }
    }
}

/// How a port spreads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Receive-side scaling over these fields (RTE_ETH_RSS_*).
    Hash(u64),
    /// The kernel's symmetric flow hash (PACKET_FANOUT_HASH); there is nothing to configure.
    Kernel,
}

impl NoSpread {
    /// The one software driver that spreads flows, both directions alike (the kernel does, by PACKET_FANOUT_HASH).
    pub const SPREADING_VDEV: &str = "net_af_packet";
}

impl Spread {
    /// How `driver` would spread, whose NIC can hash `types`.
    pub(super) fn of(driver: &str, is_nic: bool, types: u64) -> Result<Self, NoSpread> {
        // Software ports may accept a key and hash nothing (net_null), or leave it to a kernel device's own, asymmetric
        // key (net_af_xdp).
        if !is_nic {
            return if driver == NoSpread::SPREADING_VDEV { Ok(Self::Kernel) } else { Err(NoSpread::Software) };
        }
        let wanted = dpdk_sys::OSTIARY_RSS_IP | dpdk_sys::OSTIARY_RSS_TCP | dpdk_sys::OSTIARY_RSS_UDP;
        match wanted & types {
            0 => Err(NoSpread::NoHash),
            types => Ok(Self::Hash(types)),
        }
    }
}

/// The longest key of any driver, and more.
pub(super) const MAX_KEY: usize = 255;

/// A Toeplitz key that hashes (a, b) as (b, a): with a period of 16 bits, each of address and port pairs meets the same
/// key bits in either order (S. Woo and K. Park, "Scalable TCP session monitoring with symmetric receive-side scaling",
/// 2012).
pub(super) fn symmetric_key() -> [u8; MAX_KEY] {
    std::array::from_fn(|octet| if octet % 2 == 0 { 0x6d } else { 0x5a })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash as the NICs compute it.
    fn toeplitz(key: &[u8], input: &[u8]) -> u32 {
        let bit = |octets: &[u8], index: usize| octets[index / 8] >> (7 - index % 8) & 1 == 1;
        (0..input.len() * 8).filter(|&index| bit(input, index)).fold(0, |hash, index| {
            let window = (0..32).fold(0, |window, offset| window << 1 | u32::from(bit(key, index + offset)));
            hash ^ window
        })
    }

    #[test]
    fn both_directions_hash_alike_and_flows_differ() {
        let key = symmetric_key();
        let there = [10, 1, 2, 3, 192, 0, 2, 9, 0x9c, 0x40, 0x01, 0xbb];
        let back = [192, 0, 2, 9, 10, 1, 2, 3, 0x01, 0xbb, 0x9c, 0x40];
        let other = [10, 1, 2, 3, 192, 0, 2, 9, 0x9c, 0x41, 0x01, 0xbb];
        assert_eq!(toeplitz(&key, &there), toeplitz(&key, &back));
        assert_ne!(toeplitz(&key, &there), toeplitz(&key, &other));
    }

    #[test]
    fn software_ports_are_known_by_name() {
        let all = u64::MAX;
        assert_eq!(Spread::of("net_null", false, all), Err(NoSpread::Software));
        assert_eq!(Spread::of("net_af_packet", false, 0), Ok(Spread::Kernel));
        assert_eq!(Spread::of("net_ixgbe", true, 0), Err(NoSpread::NoHash));
        let Ok(Spread::Hash(types)) = Spread::of("net_ixgbe", true, all) else { panic!("ixgbe hashes") };
        assert_eq!(
            Spread::of("net_ixgbe", true, types & dpdk_sys::OSTIARY_RSS_IP),
            Ok(Spread::Hash(dpdk_sys::OSTIARY_RSS_IP))
        );
    }
}
