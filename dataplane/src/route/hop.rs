//! What a route says, and what a hop does to a packet's header.

use crate::endpoint::Address;
use crate::packet::{Link, Network};
use crate::policy::PortId;
use crate::wire::{be16, checksum};

/// Where a destination leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// To the firewall itself.
    Own,
    /// To a host on this port's network.
    Connected(PortId),
    /// To a router.
    Via {
        /// The port that leads to it.
        port: PortId,
        /// Its address.
        gateway: Address,
    },
    /// Nowhere, by a route that says so.
    Discard,
    /// To a group, all hosts of a network, or a place within one link or host: not forwarded.
    Group,
}

/// Who a packet is handed to next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The port.
    pub port: PortId,
    /// The neighbour behind it.
    pub neighbour: Address,
}

impl Hop {
    /// Whom a packet for `destination` is handed to; none where it is not forwarded.
    pub fn target(self, destination: Address) -> Option<Target> {
        match self {
            Self::Connected(port) => Some(Target { port, neighbour: destination }),
            Self::Via { port, gateway } => Some(Target { port, neighbour: gateway }),
            Self::Own | Self::Discard | Self::Group => None,
        }
    }

    /// The port that it leads to.
    pub const fn port(self) -> Option<PortId> {
        match self {
            Self::Connected(port) | Self::Via { port, .. } => Some(port),
            Self::Own | Self::Discard | Self::Group => None,
        }
    }
}

/// IPv4's time to live or IPv6's hop limit.
pub fn hop_limit(frame: &[u8], link: &Link) -> u8 {
    let at = usize::from(link.offset) + if link.network == Network::Ipv4 { 8 } else { 7 };
    frame.get(at).copied().unwrap_or(0)
}

/// Takes one off it; IPv4's checksum follows by the difference (RFC 1624). The caller knows it to be above 0.
pub fn decrement(frame: &mut [u8], link: &Link) {
    let Some(packet) = frame.get_mut(usize::from(link.offset)..) else { return };
    match link.network {
        Network::Ipv4 => {
            let (Some(old), Some(sum)) = (be16(packet, 8), be16(packet, 10)) else { return };
            let new = old.wrapping_sub(0x0100);
            packet[8..10].copy_from_slice(&new.to_be_bytes());
            packet[10..12].copy_from_slice(&checksum::replace(sum, old, new).to_be_bytes());
        }
        Network::Ipv6 => {
            if let Some(limit) = packet.get_mut(7) {
                *limit = limit.wrapping_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::build::Packet;
    use crate::wire::ipv4;

    proptest! {
        #[test]
        fn the_checksum_that_follows_is_the_one_computed_in_full(
            source in any::<[u8; 4]>(), destination in any::<[u8; 4]>(), protocol: u8, ttl in 1..=255_u8, id: u16,
        ) {
            let (from, to) = (Ipv4Addr::from(source), Ipv4Addr::from(destination));
            let mut packet = Packet::new(from.into(), to.into(), protocol, vec![0; 8]).fragment(id, false, 0);
            packet.hop_limit = ttl;
            let mut frame = packet.frame();
            let link = Link::read(&frame).unwrap().unwrap();
            prop_assert_eq!(hop_limit(&frame, &link), ttl);
            decrement(&mut frame, &link);
            prop_assert_eq!(hop_limit(&frame, &link), ttl - 1);
            let mut full = frame.clone();
            ipv4::write_checksum(&mut full[14..]);
            prop_assert_eq!(frame, full);
        }
    }
}
