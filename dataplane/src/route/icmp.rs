//! ICMP errors of a router (RFC 792, RFC 1812, 4.3; RFC 4443): what they say, and how many are sent.

use std::time::Duration;

use super::outbox::Outbox;
use crate::endpoint::Address;
use crate::packet::Network;
use crate::policy::PortId;
use crate::time::Nanos;
use crate::wire::checksum::Sum;
use crate::wire::{ethernet, icmp, ipv4, ipv6, protocol};

/// Why a packet is not forwarded, as its sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Its time to live ran out here.
    TimeExceeded,
    /// No route leads there.
    NoRoute,
    /// Nobody answers at that address.
    HostUnreachable,
    /// It is larger than this MTU and must not be fragmented.
    TooBig(u16),
    /// A rule resets it.
    Prohibited,
}

/// Errors a second that an interface sends at most, and in a row (RFC 1812, 4.3.2.8; RFC 4443, 2.4 f).
const RATE: u64 = 1_000;
const ROW: u64 = 100;
const TOKEN: u64 = Duration::from_secs(1).as_nanos() as u64 / RATE;

/// An IPv4 error is at most so long (RFC 1812, 4.3.2.3), an IPv6 one as long as every link takes (RFC 4443, 2.4 c).
const LONGEST_V4: usize = 576;
const LONGEST_V6: usize = 1280;
/// Hop limit of what we send.
const HOP_LIMIT: u8 = 64;

/// A token bucket, in nanoseconds of credit.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    credit: u64,
    filled: Nanos,
}

impl Default for Limit {
    fn default() -> Self {
        Self { credit: ROW * TOKEN, filled: Nanos(0) }
    }
}

impl Limit {
    /// Whether one more may be sent now; if so, it is counted.
    pub fn allows(&mut self, now: Nanos) -> bool {
        let gained = now.since(self.filled).as_nanos().min(u128::from(ROW * TOKEN)) as u64;
        self.credit = (self.credit + gained).min(ROW * TOKEN);
        self.filled = now;
        let allowed = self.credit >= TOKEN;
        if allowed {
            self.credit -= TOKEN;
        }
        allowed
    }
}

impl Error {
    /// Type, code, and the four octets behind the checksum.
    const fn head(self, network: Network) -> ([u8; 2], [u8; 4]) {
        let none = [0; 4];
        match (self, network) {
            (Self::TimeExceeded, Network::Ipv4) => ([11, 0], none),
            (Self::NoRoute, Network::Ipv4) => ([3, 0], none),
            (Self::HostUnreachable, Network::Ipv4) => ([3, 1], none),
            (Self::TooBig(mtu), Network::Ipv4) => {
                let [high, low] = mtu.to_be_bytes();
                ([3, 4], [0, 0, high, low])
            }
            (Self::Prohibited, Network::Ipv4) => ([3, 13], none),
            (Self::TimeExceeded, Network::Ipv6) => ([3, 0], none),
            (Self::NoRoute, Network::Ipv6) => ([1, 0], none),
            (Self::HostUnreachable, Network::Ipv6) => ([1, 3], none),
            (Self::TooBig(mtu), Network::Ipv6) => ([2, 0], (mtu as u32).to_be_bytes()),
            (Self::Prohibited, Network::Ipv6) => ([1, 1], none),
        }
    }

    /// Puts the error about a packet into `outbox`: to its sender, by the port and the neighbour that it came from. `frame` is
    /// the packet with its Ethernet header, whose IP header is at `offset` and which ends at `end`; `from` is our address.
    /// False where there is no room.
    pub fn send(
        self,
        outbox: &mut Outbox,
        port: PortId,
        from: Address,
        frame: &[u8],
        offset: usize,
        end: usize,
    ) -> bool {
        let Some(packet) = frame.get(offset..end.min(frame.len())) else { return false };
        let (network, header, longest) = match packet.first().map(|octet| octet >> 4) {
            Some(4) => (Network::Ipv4, ipv4::HEADER, LONGEST_V4),
            Some(6) => (Network::Ipv6, ipv6::HEADER, LONGEST_V6),
            _ => return false,
        };
        let quotation = &packet[..packet.len().min(longest - header - icmp::HEADER)];
        let length = icmp::HEADER + quotation.len();
        let (kind, rest) = self.head(network);
        let at = ethernet::HEADER + header;
        let (Some(link), Some(room)) = (frame.first_chunk::<12>(), outbox.push(port, at + length)) else {
            return false;
        };
        room[..6].copy_from_slice(&link[6..]);
        room[6..12].copy_from_slice(&link[..6]);
        let (head, message) = room.split_at_mut(at);
        message[..2].copy_from_slice(&kind);
        message[2..4].fill(0);
        message[4..8].copy_from_slice(&rest);
        message[icmp::HEADER..].copy_from_slice(quotation);
        let pseudo = match network {
            Network::Ipv4 => {
                head[12..14].copy_from_slice(&ethernet::IPV4.to_be_bytes());
                let ip = &mut head[ethernet::HEADER..];
                // Precedence 6, internetwork control (RFC 1812, 4.3.2.5); not to be fragmented, so that the identification
                // may be 0 (RFC 6864, 4.1).
                ip[..2].copy_from_slice(&[0x45, 0xc0]);
                ip[2..4].copy_from_slice(&((header + length) as u16).to_be_bytes());
                ip[4..12].copy_from_slice(&[0, 0, 0x40, 0, HOP_LIMIT, protocol::ICMP, 0, 0]);
                ip[12..16].copy_from_slice(&from.0[12..]);
                ip[16..20].copy_from_slice(&packet[12..16]);
                ipv4::write_checksum(ip);
                Sum::default()
            }
            Network::Ipv6 => {
                let Some(sender) = packet.get(8..24) else { return true };
                head[12..14].copy_from_slice(&ethernet::IPV6.to_be_bytes());
                let ip = &mut head[ethernet::HEADER..];
                ip[..4].copy_from_slice(&[0x60, 0, 0, 0]);
                ip[4..6].copy_from_slice(&(length as u16).to_be_bytes());
                ip[6..8].copy_from_slice(&[protocol::ICMPV6, HOP_LIMIT]);
                ip[8..24].copy_from_slice(&from.0);
                ip[24..40].copy_from_slice(sender);
                ipv6::pseudo_header(ip, protocol::ICMPV6, length as u32)
            }
        };
        let checksum = pseudo.octets(message).finish();
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::wire::build::{transport_sum, udp};

    fn sent(error: Error, source: &str, destination: &str, from: &str, payload: usize) -> (Vec<u8>, Vec<u8>) {
        let frame = udp(source.parse().unwrap(), destination.parse().unwrap(), &vec![7; payload]).frame();
        let mut outbox = Outbox::new(true);
        let from: IpAddr = from.parse().unwrap();
        assert!(error.send(&mut outbox, PortId(2), from.into(), &frame, 14, frame.len()));
        let (port, reply) = outbox.frames().next().unwrap();
        assert_eq!((port, &reply[..6], &reply[6..12]), (PortId(2), &frame[6..12], &frame[..6]));
        (frame, reply.to_vec())
    }

    #[test]
    fn an_ipv4_error_quotes_what_fits_in_576_octets() {
        let (frame, reply) = sent(Error::TooBig(1400), "10.0.0.1:1", "192.0.2.1:2", "10.0.0.254", 1472);
        assert_eq!(reply.len(), 14 + 576);
        assert_eq!(Sum::default().octets(&reply[14..34]).finish(), 0);
        assert_eq!((&reply[26..30], &reply[30..34]), (&[10, 0, 0, 254][..], &[10, 0, 0, 1][..]));
        assert_eq!(Sum::default().octets(&reply[34..]).finish(), 0);
        assert_eq!((&reply[34..36], &reply[38..42]), (&[3, 4][..], &[0, 0, 0x05, 0x78][..]));
        assert_eq!(reply[42..], frame[14..14 + 548]);
    }

    #[test]
    fn an_ipv6_error_quotes_what_fits_in_1280_octets() {
        let (frame, reply) = sent(Error::TooBig(1400), "[2001:db8::1]:1", "[2001:db8:9::1]:2", "2001:db8::fe", 1452);
        assert_eq!(reply.len(), 14 + 1280);
        assert_eq!(reply[62..], frame[14..14 + 1232]);
        assert_eq!((&reply[54..56], &reply[58..62]), (&[2, 0][..], &[0, 0, 0x05, 0x78][..]));
        let ends = ("2001:db8::fe".parse().unwrap(), "2001:db8::1".parse().unwrap());
        assert_eq!(transport_sum(ends.0, ends.1, protocol::ICMPV6, &reply[54..]).finish(), 0);
    }

    #[test]
    fn padding_is_not_quoted() {
        let mut frame = udp("10.0.0.1:1".parse().unwrap(), "192.0.2.1:2".parse().unwrap(), b"x").frame();
        let end = frame.len();
        frame.resize(60, 0xee);
        let mut outbox = Outbox::new(true);
        assert!(Error::NoRoute.send(&mut outbox, PortId(0), Address::v4([10, 0, 0, 254]), &frame, 14, end));
        let reply = outbox.frames().next().unwrap().1;
        assert_eq!(reply[42..], frame[14..end]);
    }

    #[test]
    fn no_more_than_the_limit_is_sent() {
        let (mut limit, mut now) = (Limit::default(), Nanos::from_parts(1_800_000_000, 0));
        assert_eq!((0..1_000).filter(|_| limit.allows(now)).count() as u64, ROW);
        now = now + Duration::from_millis(10);
        assert_eq!((0..1_000).filter(|_| limit.allows(now)).count() as u64, RATE / 100);
    }
}
