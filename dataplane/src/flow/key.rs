//! What makes two packets one flow.

use crate::endpoint::{Address, Direction, Endpoint, Tuple};
use crate::wire::protocol;

/// Where a flow lives: the wire and the VLAN ids. The same addresses in two realms are two flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Realm(u32);

impl Realm {
    /// In a wire's place: the flow is routed, and has neither wire nor tags.
    pub const ROUTED: u8 = u8::MAX;

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
///
/// It is held in words that are hashed, compared and stored as they are. The last 32 bits of both addresses, ports and
/// realm, and protocol and family are all there is of IPv4; what IPv6 has more stands apart and is zero otherwise.
/// [`FlowKey::of_v4`] makes a key of what stands in the headers without a branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowKey {
    /// Last 32 bits of the lower address, and of the higher.
    pub(super) pair: u64,
    /// Ports, lower address's first, and realm.
    pub(super) ports: u64,
    /// Protocol, and above it the family: [`FAMILY_4`] or [`FAMILY_6`].
    pub(super) kind: u16,
    /// IPv6: the first 64 bits of both addresses, and bits 64 to 95 of both.
    pub(super) upper: [u64; 3],
}

/// Above the protocol in a key's kind: IPv4, or both addresses mapped IPv4.
pub(super) const FAMILY_4: u16 = 1 << 8;
/// Above the protocol in a key's kind: IPv6.
pub(super) const FAMILY_6: u16 = 2 << 8;

impl FlowKey {
    /// The key of a packet, and which end sent it.
    pub fn of(source: Endpoint, destination: Endpoint, protocol: u8, realm: Realm) -> (Self, End) {
        let from = (u128::from_be_bytes(source.address.0), source.port);
        let to = (u128::from_be_bytes(destination.address.0), destination.port);
        if from.0 >> 32 == MAPPED && to.0 >> 32 == MAPPED {
            return Self::v4((from.0 as u32, from.1), (to.0 as u32, to.1), protocol, realm);
        }
        let (low, high, sender) = if from <= to { (from, to, End::Low) } else { (to, from, End::High) };
        let key = Self {
            pair: u64::from(low.0 as u32) << 32 | u64::from(high.0 as u32),
            ports: u64::from(low.1) << 48 | u64::from(high.1) << 32 | u64::from(realm.0),
            kind: FAMILY_6 | u16::from(protocol),
            upper: [
                (low.0 >> 64) as u64,
                (high.0 >> 64) as u64,
                u64::from((low.0 >> 32) as u32) << 32 | u64::from((high.0 >> 32) as u32),
            ],
        };
        (key, sender)
    }

    /// The key of a packet of IPv4 from an address and port to another, and which end sent it; none where both are the
    /// same. Without a branch, as which is lower cannot be foretold.
    #[inline(always)]
    pub fn of_v4(source: (u32, u16), destination: (u32, u16), protocol: u8, realm: Realm) -> Option<(Self, End)> {
        (source != destination).then(|| Self::v4(source, destination, protocol, realm))
    }

    #[inline(always)]
    fn v4(source: (u32, u16), destination: (u32, u16), protocol: u8, realm: Realm) -> (Self, End) {
        let number = |(address, port): (u32, u16)| u64::from(address) << 16 | u64::from(port);
        let (source, destination) = (number(source), number(destination));
        let (low, high) = (source.min(destination), source.max(destination));
        let sender = if source == low { End::Low } else { End::High };
        let key = Self {
            pair: (low >> 16) << 32 | high >> 16,
            ports: low << 48 | (high & 0xffff) << 32 | u64::from(realm.0),
            kind: FAMILY_4 | u16::from(protocol),
            upper: [0; 3],
        };
        (key, sender)
    }

    /// IANA protocol number.
    pub const fn protocol(&self) -> u8 {
        self.kind as u8
    }

    /// Wire and tags.
    pub const fn realm(&self) -> Realm {
        Realm(self.ports as u32)
    }

    /// Whether it is IPv4's.
    pub const fn is_v4(&self) -> bool {
        self.kind & FAMILY_4 != 0
    }

    /// Both ends, where `client` is the client's.
    pub fn tuple(&self, client: End) -> Tuple {
        let (client, mut server) = (self.end(client), self.end(client.other()));
        if matches!(self.protocol(), protocol::ICMP | protocol::ICMPV6) {
            server.port = 0;
        }
        let realm = self.realm();
        Tuple { client, server, protocol: self.protocol(), svlan: realm.svlan(), cvlan: realm.cvlan() }
    }

    /// The endpoint at an end.
    pub const fn end(&self, end: End) -> Endpoint {
        let [low, high, middle] = self.upper;
        let (last, port, first, middle) = match end {
            End::Low => (self.pair >> 32, self.ports >> 48, low, middle >> 32),
            End::High => (self.pair & 0xffff_ffff, self.ports >> 32, high, middle & 0xffff_ffff),
        };
        let upper = if self.is_v4() { MAPPED } else { (first as u128) << 32 | middle as u128 };
        Endpoint { address: Address((upper << 32 | last as u128).to_be_bytes()), port: port as u16 }
    }
}

/// The first 96 bits of a mapped IPv4 address.
const MAPPED: u128 = 0xffff;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// Addresses of both families, many of them alike.
    fn address() -> impl Strategy<Value = Address> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(Address::v4),
            (0..3_u8).prop_map(|last| Address::v4([10, 0, 0, last])),
            any::<[u8; 16]>().prop_map(Address),
            (0..16_usize, 0..3_u8).prop_map(|(at, value)| {
                let mut octets = [0x20; 16];
                octets[at] = value;
                Address(octets)
            }),
        ]
    }

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        (address(), prop_oneof![any::<u16>(), 0..3_u16]).prop_map(|(address, port)| Endpoint { address, port })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        /// A key holds all that it was made of, whichever way; and keys are equal exactly where that is.
        #[test]
        fn a_key_is_its_ends_in_order(
            [a, b, c, d] in prop::array::uniform4(endpoint()),
            protocols in prop::array::uniform2(0..2_u8),
            wires in prop::array::uniform2(0..2_u8),
        ) {
            let realms = wires.map(|wire| Realm::new(wire, 4095, 1));
            let (key, sender) = FlowKey::of(a, b, protocols[0], realms[0]);
            prop_assert_eq!((key.end(sender), key.end(sender.other())), (a, b));
            prop_assert_eq!((key.protocol(), key.realm()), (protocols[0], realms[0]));
            prop_assert_eq!(key.is_v4(), a.address.is_v4() && b.address.is_v4());
            let (low, high) = (key.end(End::Low), key.end(End::High));
            prop_assert!((low.address, low.port) <= (high.address, high.port));
            prop_assert_eq!(FlowKey::of(b, a, protocols[0], realms[0]).0, key);
            let other = FlowKey::of(c, d, protocols[1], realms[1]).0;
            let ends = |key: &FlowKey| (key.end(End::Low), key.end(End::High), key.protocol(), key.realm());
            prop_assert_eq!(other == key, ends(&other) == ends(&key));
        }

        #[test]
        fn ipv4_made_short_is_the_same(from: u32, to: u32, ports: [u16; 2], same: bool) {
            let (to, ports) = if same { (from, [ports[0]; 2]) } else { (to, ports) };
            let endpoint = |address: u32, port| Endpoint { address: Address::v4(address.to_be_bytes()), port };
            let long = FlowKey::of(endpoint(from, ports[0]), endpoint(to, ports[1]), 17, Realm::new(1, 2, 3));
            let short = FlowKey::of_v4((from, ports[0]), (to, ports[1]), 17, Realm::new(1, 2, 3));
            prop_assert_eq!(short, Some(long).filter(|_| (from, ports[0]) != (to, ports[1])));
        }
    }
}
