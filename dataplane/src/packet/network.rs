//! The network header: IPv4, or IPv6 with its extensions, down to what both have in common.

use super::{Fragment, Link, Piece};
use crate::endpoint::Address;
use crate::verdict::DropReason;
use crate::wire::ipv4::{Ipv4, Ipv4Error};
use crate::wire::ipv6::{self, Ipv6, Ipv6Error};

/// What the network header says, whatever its version.
pub(super) struct NetworkHeader {
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) protocol: u8,
    /// Where the transport begins, from the start of the frame.
    pub(super) transport: usize,
    /// Where the packet ends by its own length, from the start of the frame; may lie beyond the bytes at hand.
    pub(super) end: usize,
    pub(super) fragment: Fragment,
    /// IPv6's, for the link's own ICMPv6.
    pub(super) hop_limit: u8,
}

/// On a wire every header has its checksum and its length; a capture at the sender may lack both.
pub(super) fn ipv4(bytes: &[u8], link: &Link, length: u32, on_a_wire: bool) -> Result<NetworkHeader, DropReason> {
    let offset = usize::from(link.offset);
    let packet = bytes.get(offset..).unwrap_or_default();
    let header = Ipv4::read(packet).map_err(|error| match error {
        Ipv4Error::Truncated => DropReason::Truncated,
        Ipv4Error::Contradiction => DropReason::BadIpHeader,
    })?;
    if on_a_wire && !header.checksum_holds() {
        return Err(DropReason::BadIpChecksum);
    }
    let transport = offset + header.header.len();
    let end = match header.total_length {
        Ipv4::OFFLOADED if on_a_wire => return Err(DropReason::BadIpHeader),
        Ipv4::OFFLOADED => (link.limit(length) as usize).max(transport),
        length => offset + usize::from(length),
    };
    let identification = u64::from(header.protocol) << 32 | u64::from(header.identification);
    let fragment = piece(identification, header.fragment_offset, (end - transport) as u32, header.more_fragments)?;
    Ok(NetworkHeader {
        source: header.source,
        destination: header.destination,
        protocol: header.protocol,
        transport,
        end,
        fragment,
        hop_limit: 0,
    })
}

pub(super) fn ipv6(bytes: &[u8], offset: usize) -> Result<NetworkHeader, DropReason> {
    let packet = bytes.get(offset..).unwrap_or_default();
    let drop = |error| match error {
        Ipv6Error::Truncated => DropReason::Truncated,
        Ipv6Error::Contradiction => DropReason::BadIpHeader,
        Ipv6Error::Chain => DropReason::BadExtensionChain,
    };
    let header = Ipv6::read(packet).map_err(drop)?;
    let chain = header.chain(packet).map_err(drop)?;
    let end = offset + ipv6::HEADER + usize::from(header.payload_length);
    let transport = offset + chain.offset;
    let fragment = match chain.fragment {
        Some(fragment) => {
            let length = (end - offset - fragment.payload) as u32;
            piece(u64::from(fragment.identification) | IPV6_FRAGMENT, fragment.offset, length, fragment.more)?
        }
        None => Fragment::None,
    };
    Ok(NetworkHeader {
        source: header.source,
        destination: header.destination,
        protocol: chain.protocol,
        transport,
        end,
        fragment,
        hop_limit: header.hop_limit,
    })
}

/// Sets IPv6 identifications apart from IPv4's with protocol 0.
const IPV6_FRAGMENT: u64 = 1 << 63;
/// A datagram's payload at most (RFC 791, 3.1).
const MAXIMUM_DATAGRAM: u32 = 65_535;

fn piece(identification: u64, start: u32, length: u32, more: bool) -> Result<Fragment, DropReason> {
    // An atomic fragment (RFC 6946) is whole.
    if start == 0 && !more {
        return Ok(Fragment::None);
    }
    let end = start.saturating_add(length);
    if end > MAXIMUM_DATAGRAM {
        return Err(DropReason::PingOfDeath);
    }
    if length == 0 || more && !length.is_multiple_of(8) {
        return Err(DropReason::BadFragment);
    }
    let piece = Piece { identification, start, end, more };
    Ok(if start == 0 { Fragment::First(piece) } else { Fragment::Later(piece) })
}

/// No host may send from these (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3 and 2.7). Loopback passes where both ends are: only a
/// capture of a host's own loopback interface shows it.
pub(super) fn check_addresses(source: Address, destination: Address) -> Result<(), DropReason> {
    let bad = match source.0 {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => {
            matches!(a, 224..=239) || [a, b, c, d] == [255; 4] || a == 127 && !is_loopback(destination)
        }
        [0xff, ..] => true,
        _ => is_loopback(source) && !is_loopback(destination),
    };
    if bad { Err(DropReason::BadAddress) } else { Ok(()) }
}

fn is_loopback(address: Address) -> bool {
    match address.0 {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, ..] => first == 127,
        octets => octets == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    }
}
