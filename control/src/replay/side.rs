//! Which port a captured frame came in on, which a capture does not say: told by who sent it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dataplane::packet::{Link, Network};
use dataplane::policy::PortId;
use ipnet::IpNet;

/// The networks that are inside unless told otherwise: private (RFC 1918), shared (RFC 6598), unique local (RFC 4193) and
/// link-local addresses.
pub const INSIDE: [&str; 7] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

/// Tells the port of frames.
#[derive(Debug)]
pub struct Sides {
    inside: Vec<IpNet>,
    wire: (PortId, PortId),
}

impl Sides {
    /// For the networks inside (none: [`INSIDE`]) and the wire whose first port is theirs.
    pub fn new(inside: &[IpNet], wire: (PortId, PortId)) -> Self {
        let inside = if inside.is_empty() {
            INSIDE.iter().filter_map(|network| network.parse().ok()).collect()
        } else {
            inside.to_vec()
        };
        Self { inside, wire }
    }

    /// The port of a frame: the first where its sender is inside, the second where only its receiver is, and the first
    /// where that tells nothing: both are inside, or neither, or it is not IP.
    pub fn port(&self, frame: &[u8]) -> PortId {
        match addresses(frame) {
            Some((source, destination)) if !self.contains(source) && self.contains(destination) => self.wire.1,
            _ => self.wire.0,
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.inside.iter().any(|network| network.contains(&address))
    }
}

/// Who sent an IP packet, and to whom.
fn addresses(frame: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let link = Link::read(frame).ok()??;
    let packet = frame.get(usize::from(link.offset)..)?;
    match link.network {
        Network::Ipv4 => {
            let at = |from: usize| packet.get(from..)?.first_chunk::<4>().copied().map(|v4| Ipv4Addr::from(v4).into());
            Some((at(12)?, at(16)?))
        }
        Network::Ipv6 => {
            let at = |from: usize| packet.get(from..)?.first_chunk::<16>().copied().map(|v6| Ipv6Addr::from(v6).into());
            Some((at(8)?, at(24)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: (PortId, PortId) = (PortId(4), PortId(5));

    fn frame(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0]);
        frame.extend(source);
        frame.extend(destination);
        frame
    }

    #[test]
    fn all_networks_are_read() {
        assert_eq!(Sides::new(&[], WIRE).inside.len(), INSIDE.len());
    }

    #[test]
    fn the_sender_decides_where_one_end_is_inside() {
        let sides = Sides::new(&[], WIRE);
        assert_eq!(sides.port(&frame([10, 0, 0, 1], [192, 0, 2, 1])), PortId(4));
        assert_eq!(sides.port(&frame([192, 0, 2, 1], [10, 0, 0, 1])), PortId(5));
        assert_eq!(sides.port(&frame([192, 0, 2, 1], [198, 51, 100, 1])), PortId(4));
        assert_eq!(sides.port(&frame([10, 0, 0, 1], [10, 0, 0, 2])), PortId(4));
        assert_eq!(sides.port(&frame([192, 0, 2, 1], [10, 0, 0, 1])[..30]), PortId(4));
        assert_eq!(sides.port(&[]), PortId(4));
    }

    #[test]
    fn tags_are_looked_behind() {
        let mut tagged = frame([192, 0, 2, 1], [10, 0, 0, 1]);
        tagged.splice(12..12, [0x81, 0x00, 0, 5]);
        assert_eq!(Sides::new(&[], WIRE).port(&tagged), PortId(5));
    }

    #[test]
    fn networks_that_are_named_replace_the_usual_ones() {
        let sides = Sides::new(&["192.0.2.0/24".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()], WIRE);
        assert_eq!(sides.port(&frame([10, 0, 0, 1], [192, 0, 2, 1])), PortId(5));
        let mut v6 = vec![0; 12];
        v6.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 59, 64]);
        v6.extend("2001:db8:2::1".parse::<Ipv6Addr>().unwrap().octets());
        v6.extend("2001:db8:1::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(sides.port(&v6), PortId(5));
    }
}
