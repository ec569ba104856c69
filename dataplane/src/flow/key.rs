//! What makes two packets one flow.

use std::hash::{Hash, Hasher};

use crate::endpoint::{Address, Direction, Endpoint, Tuple};
use crate::wire::protocol;

/// Where a flow lives: the wire and the VLAN ids. The same addresses in two realms are two flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Realm(u32);

impl Realm {
    /// A wire's number and two VLAN ids (12 bits each).
    pub const fn new(wire: u8, svlan: u16, cvlan: u16) -> Self {
        Self((wire as u32) << 24 | (svlan as u32 & 0xfff) << 12 | cvlan as u32 & 0xfff)
    }

    /// The wire's number.
    pub const fn wire(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// Outer VLAN id, 0 where untagged.
    pub const fn svlan(self) -> u16 {
        (self.0 >> 12) as u16 & 0xfff
    }

    /// Inner VLAN id, 0 where there are not two tags.
    pub const fn cvlan(self) -> u16 {
        self.0 as u16 & 0xfff
    }
}

/// Which end of a key is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The lower endpoint.
    #[default]
    Low,
    /// The higher endpoint.
    High,
}

/// A flow's key, the same for both directions: the lower endpoint stands first.
///
/// ICMP and ICMPv6 queries have the identifier as the asking side's port and the query's type as the other's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowKey {
    /// Lower endpoint.
    pub low: Endpoint,
    /// Higher endpoint.
    pub high: Endpoint,
    /// IANA protocol number.
    pub protocol: u8,
    /// Wire and tags.
    pub realm: Realm,
}

impl FlowKey {
    /// The key of a packet, and which end sent it.
    pub fn of(source: Endpoint, destination: Endpoint, protocol: u8, realm: Realm) -> (Self, End) {
        if order(source) <= order(destination) {
            (Self { low: source, high: destination, protocol, realm }, End::Low)
        } else {
            (Self { low: destination, high: source, protocol, realm }, End::High)
        }
    }

    /// The key of a packet of IPv4 from an address and port to another, and which end sent it; none where both are the
    /// same. Without a branch, as which is lower cannot be foretold.
    #[inline(always)]
    pub fn of_v4(source: (u32, u16), destination: (u32, u16), protocol: u8, realm: Realm) -> Option<(Self, End)> {
        let number = |(address, port): (u32, u16)| u64::from(address) << 16 | u64::from(port);
        let (source, destination) = (number(source), number(destination));
        let endpoint =
            |number: u64| Endpoint { address: Address::v4(((number >> 16) as u32).to_be_bytes()), port: number as u16 };
        let (low, high) = (source.min(destination), source.max(destination));
        let sender = if source == low { End::Low } else { End::High };
        (low != high).then(|| (Self { low: endpoint(low), high: endpoint(high), protocol, realm }, sender))
    }

    /// Both ends, where `client` is the client's.
    pub fn tuple(&self, client: End) -> Tuple {
        let (client, mut server) = match client {
            End::Low => (self.low, self.high),
            End::High => (self.high, self.low),
        };
        if matches!(self.protocol, protocol::ICMP | protocol::ICMPV6) {
            server.port = 0;
        }
        Tuple { client, server, protocol: self.protocol, svlan: self.realm.svlan(), cvlan: self.realm.cvlan() }
    }

    /// The endpoint at an end.
    pub const fn end(&self, end: End) -> Endpoint {
        match end {
            End::Low => self.low,
            End::High => self.high,
        }
    }
}

impl End {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// Which way a packet goes that this end sends, where `client` is the client's end.
    pub fn direction(self, client: Self) -> Direction {
        if self == client { Direction::ToServer } else { Direction::ToClient }
    }
}

// By hand, because the derived one hashes each octet array as a slice with its length.
impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(number(self.low.address));
        state.write_u128(number(self.high.address));
        state.write_u64(u64::from(self.low.port) << 48 | u64::from(self.high.port) << 32 | u64::from(self.realm.0));
        state.write_u8(self.protocol);
    }
}

fn number(address: Address) -> u128 {
    u128::from_be_bytes(address.0)
}

fn order(endpoint: Endpoint) -> (u128, u16) {
    (number(endpoint.address), endpoint.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_key() {
        let a = Endpoint { address: Address::v4([10, 0, 0, 1]), port: 4000 };
        let b = Endpoint { address: Address::v4([192, 0, 2, 1]), port: 443 };
        let realm = Realm::new(3, 100, 10);
        let (there, from_a) = FlowKey::of(a, b, 6, realm);
        let (back, from_b) = FlowKey::of(b, a, 6, realm);
        assert_eq!(there, back);
        assert_eq!(from_a, from_b.other());
        let tuple = there.tuple(from_a);
        assert_eq!((tuple.client, tuple.server, tuple.svlan, tuple.cvlan), (a, b, 100, 10));
        assert_eq!(realm.wire(), 3);
    }

    #[test]
    fn another_realm_is_another_flow() {
        let a = Endpoint { address: Address::v4([10, 0, 0, 1]), port: 1 };
        let b = Endpoint { address: Address::v4([10, 0, 0, 1]), port: 2 };
        assert_ne!(FlowKey::of(a, b, 17, Realm::new(0, 1, 0)).0, FlowKey::of(a, b, 17, Realm::new(0, 0, 1)).0);
    }
}
