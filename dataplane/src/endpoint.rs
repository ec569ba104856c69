//! Who talks to whom: addresses and ports as the records and the flow table's users see them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An IP address in 16 octets; IPv4 in the mapped form of RFC 4291, 2.5.5.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Address(pub [u8; 16]);

impl Address {
    /// An IPv4 address in its mapped form.
    pub const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// Whether this is an IPv4 address.
    pub const fn is_v4(self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..])
    }

    /// The standard library's form.
    pub fn ip(self) -> IpAddr {
        Ipv6Addr::from(self.0).to_canonical()
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.ip())
    }
}

/// A MAC address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// To all.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether a host may have it: neither a group's nor all zeroes.
    pub const fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }
}

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// One end of a flow. `port` is 0 where the protocol has none; for ICMP see [`Tuple`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Endpoint {
    /// The address.
    pub address: Address,
    /// The transport port, host order.
    pub port: u16,
}

impl Endpoint {
    /// The standard library's form; prints as `ip:port`, IPv6 in brackets.
    pub fn socket(self) -> SocketAddr {
        SocketAddr::new(self.address.ip(), self.port)
    }
}

/// A flow as the client sees it: the client is who opened it, as far as can be told.
///
/// ICMP and ICMPv6 echo flows carry the identifier as the client's port and 0 as the server's; other ICMP queries likewise
/// with what identifies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Tuple {
    /// Who opened the flow.
    pub client: Endpoint,
    /// Who was asked.
    pub server: Endpoint,
    /// IANA protocol number: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6 …
    pub protocol: u8,
    /// Outer VLAN id, 0 where untagged.
    pub svlan: u16,
    /// Inner VLAN id, 0 where there are not two tags.
    pub cvlan: u16,
}

/// Which way a packet of a flow goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// The other way.
    pub const fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}
