//! The flows of a measurement, by number: everybody who makes frames of flow 7 means the same flow.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::pktgen::frames::{Ends, Side};

/// Source and destination of a packet as its header has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Source address.
    pub source: u32,
    /// Destination address.
    pub destination: u32,
    /// Source port in the upper half, destination port in the lower.
    pub ports: u32,
}

/// A flow's number; below [`MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow(pub u32);

/// Flows at most: each has a client address of its own in 10.0.0.0/8.
pub const MOST: u32 = 1 << 24;

impl Flow {
    /// What `side` sends. Clients are in 10.0.0.0/8, servers in 198.18.0.0/24 (RFC 2544's network for benchmarks).
    #[inline(always)]
    pub const fn header(self, side: Side) -> Header {
        let client = 0x0a00_0000 | self.0 & (MOST - 1);
        let server = 0xc612_0000 | self.0 & 0xff;
        // Ephemeral ports as Linux has them: 32768 and up.
        let port = 0x8000 | (self.0 >> 8) & 0x3fff;
        match side {
            Side::Client => Header { source: client, destination: server, ports: port << 16 | SERVER_PORT },
            Side::Server => Header { source: server, destination: client, ports: SERVER_PORT << 16 | port },
        }
    }

    /// Both ends, for who builds frames octet by octet.
    pub fn ends(self) -> Ends {
        let Header { source, destination, ports } = self.header(Side::Client);
        let socket = |address, port| SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from_bits(address), port as u16));
        Ends { client: socket(source, ports >> 16), server: socket(destination, ports & 0xffff) }
    }
}

/// No application lives there.
const SERVER_PORT: u32 = 5001;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_directions_mirror_each_other() {
        let (there, back) = (Flow(70_000).header(Side::Client), Flow(70_000).header(Side::Server));
        assert_eq!((there.source, there.destination), (back.destination, back.source));
        assert_eq!(there.ports.rotate_left(16), back.ports);
        assert_eq!(Flow(70_000).ends().client, "10.1.17.112:33041".parse().unwrap());
    }
}
