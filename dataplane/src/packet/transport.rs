//! The transport header: ports, TCP's numbers, what an ICMP message is about.

use super::network::NetworkHeader;
use super::{Fragment, Parsed, Quoted, Segment, Transport, describe};
use crate::endpoint::{Address, Endpoint};
use crate::flow::{FlowKey, Realm};
use crate::guard::{Screen, Screens};
use crate::packet::{Link, Network};
use crate::verdict::DropReason;
use crate::wire::icmp::{self, Message};
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::Ipv6;
use crate::wire::protocol;
use crate::wire::tcp::{self, Tcp, TcpError};
use crate::wire::udp::{self, Udp};

/// Reads the transport header of a packet whose network header is `header`.
pub(super) fn read(
    bytes: &[u8],
    link: Link,
    realm: Realm,
    header: &NetworkHeader,
    screens: Screens,
) -> Result<Parsed, DropReason> {
    let at = header.transport;
    let whole = |ports, payload, transport| {
        Ok(Parsed::Packet(describe(bytes, link, realm, header, ports, payload..header.end, transport)))
    };
    if let Fragment::Later(piece) = header.fragment {
        // At 8 octets it could rewrite the ports or flags that the first had shown (RFC 3128).
        if piece.start == 8 && header.protocol == protocol::TCP {
            return Err(DropReason::BadFragment);
        }
        return whole((0, 0), at, Transport::Other);
    }
    // Everything below reads a header that must lie within the packet, padding not included.
    let end = header.end.min(bytes.len());
    let rest = bytes.get(at..end).unwrap_or_default();
    let short = |length: usize| short(header, length);
    let same_endpoint = |ports| {
        let land = screens.has(Screen::Land) && same_endpoint(header, ports);
        if land { Err(DropReason::Land) } else { Ok(()) }
    };
    match header.protocol {
        protocol::TCP => {
            let tcp = Tcp::read(rest).map_err(|error| match error {
                TcpError::Truncated => short(tcp::HEADER),
                TcpError::Contradiction => DropReason::BadTransportHeader,
            })?;
            if at + tcp.header_length > header.end {
                return Err(short(tcp.header_length));
            }
            same_endpoint((tcp.source, tcp.destination))?;
            if screens.has(Screen::TcpFlags) && !tcp.flags_are_sane() {
                return Err(DropReason::BadTcpFlags);
            }
            let payload = at + tcp.header_length;
            let options = rest.get(tcp::HEADER..tcp.header_length.min(rest.len())).unwrap_or_default();
            let segment = Segment {
                flags: tcp.flags,
                sequence: tcp.sequence,
                acknowledgment: tcp.acknowledgment,
                window: tcp.window,
                payload_length: (header.end - payload) as u32,
                scale: if tcp.flags & tcp::SYN != 0 { tcp::window_scale(options) } else { None },
            };
            whole((tcp.source, tcp.destination), payload, Transport::Tcp(segment))
        }
        protocol::UDP => {
            let udp = Udp::read(rest).ok_or_else(|| short(udp::HEADER))?;
            same_endpoint((udp.source, udp.destination))?;
            let length = usize::from(udp.length);
            let room = header.end - at;
            if length < udp::HEADER || length > room && header.fragment == Fragment::None {
                return Err(DropReason::BadTransportHeader);
            }
            // What lies between UDP's end and IP's is no payload (RFC 9868 puts options there).
            let payload_end = at + length.min(room);
            let payload = at + udp::HEADER..payload_end;
            let ports = (udp.source, udp.destination);
            Ok(Parsed::Packet(describe(bytes, link, realm, header, ports, payload, Transport::Udp)))
        }
        protocol::SCTP => {
            let ports = udp::ports(rest).ok_or_else(|| short(SCTP_HEADER))?;
            same_endpoint(ports)?;
            whole(ports, at, Transport::Other)
        }
        protocol::ICMP if link.network == Network::Ipv4 => {
            let message = icmp::v4(rest).ok_or_else(|| short(icmp::HEADER))?;
            read_icmp(bytes, link, realm, header, message, rest)
        }
        protocol::ICMPV6 if link.network == Network::Ipv6 => {
            let message = icmp::v6(rest).ok_or_else(|| short(icmp::HEADER))?;
            read_icmp(bytes, link, realm, header, message, rest)
        }
        _ => {
            same_endpoint((0, 0))?;
            whole((0, 0), at, Transport::Other)
        }
    }
}

/// Octets of SCTP's common header (RFC 9260, 3.1).
const SCTP_HEADER: usize = 12;

/// Why a header of `length` octets is not there: the first fragment is too small for it (RFC 1858; RFC 7112), the packet
/// itself ends before, or its bytes are not at hand.
fn short(header: &NetworkHeader, length: usize) -> DropReason {
    if header.transport + length <= header.end {
        DropReason::Truncated
    } else if header.fragment == Fragment::None {
        DropReason::BadTransportHeader
    } else {
        DropReason::BadFragment
    }
}

/// LAND: a packet that claims to come from where it goes.
fn same_endpoint(header: &NetworkHeader, ports: (u16, u16)) -> bool {
    header.source == header.destination && ports.0 == ports.1
}

fn read_icmp(
    bytes: &[u8],
    link: Link,
    realm: Realm,
    header: &NetworkHeader,
    message: Message,
    rest: &[u8],
) -> Result<Parsed, DropReason> {
    let (ports, transport) = match message {
        Message::Link { hop_limit } if header.hop_limit == hop_limit => {
            let of_the_link = hop_limit == 255 || is_link_local(header.source);
            // Nobody fragments these (RFC 6980).
            if of_the_link && header.fragment == Fragment::None {
                return Ok(Parsed::LinkControl);
            }
            ((0, u16::from(rest[0])), Transport::Query { kind: rest[0], reply: false })
        }
        Message::Link { .. } => ((0, u16::from(rest[0])), Transport::Query { kind: rest[0], reply: false }),
        Message::Query { kind, identifier, reply } => {
            let asked = u16::from(kind);
            let ports = if reply { (asked, identifier) } else { (identifier, asked) };
            (ports, Transport::Query { kind, reply })
        }
        Message::Error => {
            let quoted = rest.get(icmp::HEADER..).and_then(|packet| quoted(packet, link.network, realm));
            // An error is told to whoever sent the packet.
            let quoted = quoted.filter(|quoted| quoted.key.end(quoted.sender).address == header.destination);
            ((0, 0), Transport::Error(quoted))
        }
    };
    let payload = header.transport + icmp::HEADER..header.end;
    Ok(Parsed::Packet(describe(bytes, link, realm, header, ports, payload, transport)))
}

/// Link-local, or unspecified as multicast listener reports of a starting host are (RFC 3590).
fn is_link_local(address: Address) -> bool {
    matches!(address.0, [0xfe, 0x80..=0xbf, ..]) || address == Address::default()
}

/// The flow of the packet whose beginning `packet` is; none where it has no ports to tell, or is of the other family.
fn quoted(packet: &[u8], network: Network, realm: Realm) -> Option<Quoted> {
    let (source, destination, number, at) = match network {
        Network::Ipv4 => {
            let header = Ipv4::read(packet).ok().filter(|header| header.fragment_offset == 0)?;
            (header.source, header.destination, header.protocol, header.header.len())
        }
        Network::Ipv6 => {
            let header = Ipv6::read(packet).ok()?;
            let chain = header.chain(packet).ok()?;
            chain.fragment.is_none_or(|fragment| fragment.offset == 0).then_some(())?;
            (header.source, header.destination, chain.protocol, chain.offset)
        }
    };
    let rest = packet.get(at..)?;
    let ports = match (number, network) {
        (protocol::TCP | protocol::UDP | protocol::SCTP, _) => udp::ports(rest)?,
        (protocol::ICMP, Network::Ipv4) => query_ports(icmp::v4(rest)?)?,
        (protocol::ICMPV6, Network::Ipv6) => query_ports(icmp::v6(rest)?)?,
        _ => (0, 0),
    };
    let source = Endpoint { address: source, port: ports.0 };
    let destination = Endpoint { address: destination, port: ports.1 };
    let (key, sender) = FlowKey::of(source, destination, number, realm);
    Some(Quoted { key, sender })
}

fn query_ports(message: Message) -> Option<(u16, u16)> {
    match message {
        Message::Query { kind, identifier, reply: false } => Some((identifier, u16::from(kind))),
        Message::Query { kind, identifier, reply: true } => Some((u16::from(kind), identifier)),
        Message::Error | Message::Link { .. } => None,
    }
}
