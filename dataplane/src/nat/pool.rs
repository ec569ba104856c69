//! The pools: which addresses they have, numbered through, and which ports.

use std::num::NonZeroU16;
use std::ops::Range;
use std::time::Duration;

use crate::endpoint::Address;
use crate::policy::{AddressRange, PortRange};
use crate::wire::protocol;

/// A pool's place in the configuration, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub u8);

/// A pool as the configuration resolved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSource {
    /// IPv4 addresses; no address is in two ranges, or in two pools. 65,536 at most in all.
    pub addresses: Vec<AddressRange>,
    /// Ports, and identifiers of ICMP queries.
    pub ports: PortRange,
    /// Ports of each protocol that one inside host may have at a time, those that are held included; none: no limit.
    pub ports_per_host: Option<NonZeroU16>,
    /// How long a port is held after its last session.
    pub hold: Duration,
}

/// What has ports of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// TCP ports.
    Tcp,
    /// UDP ports.
    Udp,
    /// Identifiers of ICMP queries.
    Icmp,
}

impl Kind {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// All.
    pub const ALL: [Self; Self::COUNT] = [Self::Tcp, Self::Udp, Self::Icmp];

    /// Of a protocol; none where it has nothing that could be translated.
    pub const fn of(number: u8) -> Option<Self> {
        match number {
            protocol::TCP => Some(Self::Tcp),
            protocol::UDP => Some(Self::Udp),
            protocol::ICMP => Some(Self::Icmp),
            _ => None,
        }
    }

    /// The word for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

/// A stretch of addresses of a pool.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: u32,
    last: u32,
    /// The number of the first.
    base: u32,
}

/// All pools.
#[derive(Debug)]
pub(super) struct Pools {
    pools: Box<[PoolSource]>,
    /// The numbers of each pool's addresses.
    numbers: Box<[Range<u16>]>,
    /// By address.
    stretches: Box<[Stretch]>,
    /// By number.
    addresses: Box<[u32]>,
}

impl Pools {
    /// Numbers the addresses through, pool by pool.
    pub(super) fn new(sources: &[PoolSource]) -> Self {
        let (mut stretches, mut addresses, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for pool in sources {
            let start = addresses.len();
            for range in &pool.addresses {
                let (Some(first), Some(last)) = (v4(range.first), v4(range.last)) else { continue };
                let last = last.min(first.saturating_add(Self::LIMIT as u32 - 1 - addresses.len() as u32));
                stretches.push(Stretch { first, last, base: addresses.len() as u32 });
                addresses.extend(first..=last);
            }
            numbers.push(start as u16..addresses.len() as u16);
        }
        stretches.sort_unstable_by_key(|stretch| stretch.first);
        Self {
            pools: sources.into(),
            numbers: numbers.into(),
            stretches: stretches.into(),
            addresses: addresses.into(),
        }
    }

    /// Addresses of all pools at most.
    pub(super) const LIMIT: usize = PoolSource::ADDRESSES;

    /// A pool.
    pub(super) fn pool(&self, id: PoolId) -> Option<&PoolSource> {
        self.pools.get(usize::from(id.0))
    }

    /// The pool of each address, by the address's number.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &PoolSource> {
        self.pools.iter().zip(&self.numbers).flat_map(|(pool, numbers)| numbers.clone().map(move |_| pool))
    }

    /// The numbers of a pool's addresses.
    pub(super) fn addresses_of(&self, id: PoolId) -> Range<u16> {
        self.numbers.get(usize::from(id.0)).cloned().unwrap_or(0..0)
    }

    /// The number of an address, if a pool has it.
    pub(super) fn find(&self, address: Address) -> Option<u16> {
        let address = v4(address)?;
        let after = self.stretches.partition_point(|stretch| stretch.first <= address);
        let stretch = self.stretches.get(after.checked_sub(1)?)?;
        (address <= stretch.last).then(|| (stretch.base + (address - stretch.first)) as u16)
    }

    /// The address of a number.
    pub(super) fn address(&self, number: u16) -> [u8; 4] {
        self.addresses.get(usize::from(number)).copied().unwrap_or(0).to_be_bytes()
    }
}

impl PoolSource {
    /// Addresses of all pools at most.
    pub const ADDRESSES: usize = 32_768;

    /// How many addresses it has.
    pub fn size(&self) -> u64 {
        let ends = self.addresses.iter().filter_map(|range| v4(range.first).zip(v4(range.last)));
        ends.map(|(first, last)| u64::from(last.saturating_sub(first)) + 1).sum()
    }
}

/// An IPv4 address as a number.
fn v4(address: Address) -> Option<u32> {
    match address.0 {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: [u8; 4], last: [u8; 4]) -> AddressRange {
        AddressRange { first: Address::v4(first), last: Address::v4(last) }
    }

    #[test]
    fn addresses_are_numbered_through_and_found_again() {
        let pool = |addresses| PoolSource {
            addresses,
            ports: PortRange { first: 1024, last: 2047 },
            ports_per_host: None,
            hold: Duration::ZERO,
        };
        let ranges = vec![range([198, 51, 100, 10], [198, 51, 100, 12]), range([192, 0, 2, 1], [192, 0, 2, 1])];
        let pools = Pools::new(&[pool(ranges), pool(vec![range([198, 51, 100, 13], [198, 51, 100, 13])])]);
        assert_eq!((pools.addresses_of(PoolId(0)), pools.addresses_of(PoolId(1))), (0..4, 4..5));
        assert_eq!(pools.addresses_of(PoolId(2)), 0..0);
        for number in 0..5 {
            assert_eq!(pools.find(Address::v4(pools.address(number))), Some(number));
        }
        assert_eq!(pools.address(3), [192, 0, 2, 1]);
        for other in [[198, 51, 100, 9], [198, 51, 100, 14], [192, 0, 2, 0], [192, 0, 2, 2], [0, 0, 0, 0], [255; 4]] {
            assert_eq!(pools.find(Address::v4(other)), None, "{other:?}");
        }
        assert_eq!(pools.find(Address([0xff; 16])), None);
    }
}
