//! Packets that are dropped for what their headers say, whatever the policy permits.

use super::Protection;
use crate::endpoint::Address;
use crate::packet::{Fragment, Network, PacketInfo, Transport};
use crate::verdict::DropReason;
use crate::wire::tcp::SYN;
use crate::wire::{ipv4, ipv6, protocol};

/// A kind of packet that can be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Screen {
    /// From and to the same address and port.
    Land,
    /// From an address that no host may send from.
    BadSource,
    /// TCP flags that no stack sends together.
    TcpFlags,
    /// Hop limit or TTL 0 (RFC 1122, 3.2.1.7).
    TtlZero,
    /// An IPv4 source route (RFC 7126, 4.3 and 4.4), or an IPv6 routing header of type 0 (RFC 5095).
    SourceRoute,
    /// IPv4 options that lie outside their header, or end before they do.
    BadIpOption,
    /// IPv4 record route (RFC 7126, 4.5).
    RecordRoute,
    /// IPv4 internet timestamp (RFC 7126, 4.7).
    IpTimestamp,
    /// Any other IPv4 option but padding and router alert, which IGMP and RSVP need.
    IpOption,
    /// An ICMP query to a broadcast address (RFC 2644).
    Smurf,
    /// UDP echo, discard, daytime, quote of the day or character generator to or from a broadcast address.
    Fraggle,
    /// ICMP redirects (RFC 792), and those of IPv6 (RFC 4861, 4.5).
    IcmpRedirect,
    /// Fragments of ICMP and ICMPv6.
    IcmpFragment,
    /// ICMP larger than [`Protection::large_icmp`].
    LargeIcmp,
    /// A SYN in fragments.
    SynFragment,
    /// A protocol number that IANA has not assigned.
    UnknownProtocol,
    /// TCP, of a flow that is inspected: it repeats octets with other content before their receiver has them.
    TcpOverlap,
    /// TCP or UDP, of a flow that is inspected, with a wrong checksum.
    TransportChecksum,
    /// Of a flow that is inspected: it has far fewer hops left than others of its side, and few.
    TtlAnomaly,
}

/// Which kinds are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screens(u32);

impl Screens {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether a kind is dropped.
    pub const fn has(self, screen: Screen) -> bool {
        self.0 >> screen as u8 & 1 != 0
    }

    /// Drops a kind, or lets it through.
    pub const fn set(&mut self, screen: Screen, on: bool) {
        let bit = 1 << screen as u8;
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }
}

impl Default for Screens {
    /// What honest hosts do not send.
    fn default() -> Self {
        let mut screens = Self::NONE;
        for screen in [
            Screen::Land,
            Screen::BadSource,
            Screen::TcpFlags,
            Screen::TtlZero,
            Screen::SourceRoute,
            Screen::BadIpOption,
            Screen::Smurf,
            Screen::Fraggle,
            Screen::TcpOverlap,
            Screen::TransportChecksum,
            Screen::TtlAnomaly,
        ] {
            screens.set(screen, true);
        }
        screens
    }
}

impl Protection {
    /// What every packet is looked at for that is not a plain one of an established flow.
    pub(crate) fn screen(&self, frame: &[u8], info: &PacketInfo) -> Result<(), DropReason> {
        let packet = frame.get(usize::from(info.link.offset)..).unwrap_or_default();
        match info.link.network {
            Network::Ipv4 => {
                self.hop_limit(packet.get(TTL))?;
                if packet.first().is_some_and(|first| *first != PLAIN) {
                    self.options(packet)?;
                }
            }
            Network::Ipv6 => {
                self.hop_limit(packet.get(HOP_LIMIT))?;
                self.routing_header(packet)?;
            }
        }
        if matches!(info.key.protocol(), protocol::ICMP | protocol::ICMPV6) {
            self.icmp(frame, info)?;
        }
        Ok(())
    }

    /// What the first packet of a flow is looked at for besides; `broadcasts` are the directed ones that are known.
    pub(crate) fn screen_first(
        &self,
        info: &PacketInfo,
        is_broadcast: impl Fn(Address) -> bool,
    ) -> Result<(), DropReason> {
        let on = |screen| self.screens.has(screen);
        let (source, destination) = info.addresses();
        match &info.transport {
            Transport::Query { .. } if on(Screen::Smurf) && is_broadcast(destination) => Err(DropReason::Smurf),
            Transport::Udp if on(Screen::Fraggle) => {
                let (from, to) = (info.key.end(info.sender).port, info.key.end(info.sender.other()).port);
                let reflects = SMALL_SERVICES.contains(&to) || SMALL_SERVICES.contains(&from);
                let is_fraggle = reflects && (is_broadcast(destination) || is_broadcast(source));
                if is_fraggle { Err(DropReason::Fraggle) } else { Ok(()) }
            }
            Transport::Other if on(Screen::UnknownProtocol) && is_unassigned(info.key.protocol()) => {
                Err(DropReason::UnknownProtocol)
            }
            _ => Ok(()),
        }
    }

    /// What every fragment is looked at for besides.
    pub(crate) fn screen_fragment(&self, info: &PacketInfo) -> Result<(), DropReason> {
        let is_syn = matches!(&info.transport, Transport::Tcp(segment) if segment.flags & SYN != 0);
        let refused = is_syn && info.fragment != Fragment::None && self.screens.has(Screen::SynFragment);
        if refused { Err(DropReason::SynFragment) } else { Ok(()) }
    }

    /// Whether a message of neighbour discovery, which otherwise passes, is refused: the redirect.
    pub(crate) fn screen_link_control(&self, frame: &[u8]) -> Result<(), DropReason> {
        let is_redirect = || {
            let link = crate::packet::Link::read(frame).ok()??;
            let packet = frame.get(usize::from(link.offset)..)?;
            let chain = ipv6::Ipv6::read(packet).ok()?.chain(packet).ok()?;
            Some(*packet.get(chain.offset)? == REDIRECT_V6)
        };
        let refused = self.screens.has(Screen::IcmpRedirect) && is_redirect() == Some(true);
        if refused { Err(DropReason::IcmpRedirect) } else { Ok(()) }
    }

    fn hop_limit(&self, hop_limit: Option<&u8>) -> Result<(), DropReason> {
        if hop_limit == Some(&0) && self.screens.has(Screen::TtlZero) { Err(DropReason::TtlZero) } else { Ok(()) }
    }

    fn options(&self, packet: &[u8]) -> Result<(), DropReason> {
        let length = packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
        let mut rest = packet.get(ipv4::HEADER..length).unwrap_or_default();
        let refuse = |screen, reason| if self.screens.has(screen) { Err(reason) } else { Ok(()) };
        loop {
            let (option, length) = match *rest {
                [] | [0, ..] => return Ok(()),
                [1, ..] => (1, 1),
                [option, length, ..] if length >= 2 && usize::from(length) <= rest.len() => {
                    (option, usize::from(length))
                }
                _ => return refuse(Screen::BadIpOption, DropReason::BadIpOption),
            };
            match option {
                1 | ROUTER_ALERT => {}
                LOOSE_ROUTE | STRICT_ROUTE => refuse(Screen::SourceRoute, DropReason::SourceRoute)?,
                RECORD_ROUTE => refuse(Screen::RecordRoute, DropReason::RecordRoute)?,
                TIMESTAMP => refuse(Screen::IpTimestamp, DropReason::IpTimestamp)?,
                _ => refuse(Screen::IpOption, DropReason::IpOption)?,
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    /// Walks the extension headers, of which parsing saw that there are few.
    fn routing_header(&self, packet: &[u8]) -> Result<(), DropReason> {
        let Some(&next) = packet.get(NEXT_HEADER) else { return Ok(()) };
        let (mut next, mut at) = (next, ipv6::HEADER);
        while matches!(next, HOP_BY_HOP | ROUTING | DESTINATION) {
            let Some(&[following, length, kind]) = packet.get(at..at + 3).and_then(|head| head.first_chunk()) else {
                break;
            };
            if next == ROUTING && kind == 0 && self.screens.has(Screen::SourceRoute) {
                return Err(DropReason::SourceRoute);
            }
            next = following;
            at += (usize::from(length) + 1) * 8;
        }
        Ok(())
    }

    fn icmp(&self, frame: &[u8], info: &PacketInfo) -> Result<(), DropReason> {
        let on = |screen| self.screens.has(screen);
        if on(Screen::IcmpFragment) && info.fragment != Fragment::None {
            return Err(DropReason::IcmpFragment);
        }
        if on(Screen::LargeIcmp) && info.length > self.large_icmp {
            return Err(DropReason::LargeIcmp);
        }
        let kind = frame.get(usize::from(info.transport_offset));
        let is_redirect = match info.key.protocol() {
            protocol::ICMP => kind == Some(&REDIRECT_V4),
            _ => kind == Some(&REDIRECT_V6),
        };
        let has_type = !matches!(info.fragment, Fragment::Later(_));
        if on(Screen::IcmpRedirect) && is_redirect && has_type {
            return Err(DropReason::IcmpRedirect);
        }
        Ok(())
    }
}

/// The first octet of an IPv4 header without options.
const PLAIN: u8 = 0x45;
/// Where the TTL stands in an IPv4 header.
const TTL: usize = 8;
/// Where the next header and the hop limit stand in an IPv6 header.
const NEXT_HEADER: usize = 6;
const HOP_LIMIT: usize = 7;

const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
const LOOSE_ROUTE: u8 = 131;
const STRICT_ROUTE: u8 = 137;
const ROUTER_ALERT: u8 = 148;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION: u8 = 60;

const REDIRECT_V4: u8 = 5;
const REDIRECT_V6: u8 = 137;

/// Echo, discard, daytime, quote of the day, character generator.
const SMALL_SERVICES: [u16; 5] = [7, 9, 13, 17, 19];

/// Beyond the assigned numbers, 253 and 254 being for experiments (RFC 3692) and 255 reserved.
const fn is_unassigned(number: u8) -> bool {
    number >= 148
}
