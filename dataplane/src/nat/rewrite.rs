//! Writes another endpoint into a packet, in place, and mends every checksum by the difference (RFC 1624).

use super::Translation;
use crate::wire::{icmp, ipv4, protocol};

/// Which end of a packet gets another endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Who sends it.
    Source,
    /// Who gets it.
    Destination,
}

/// What follows the IPv4 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A TCP header.
    Tcp,
    /// A UDP header.
    Udp,
    /// The header of an ICMP query or of its reply.
    Query,
    /// An ICMP error: the packet that it quotes went the other way, so there the other end is changed.
    Error,
    /// Nothing with a port: a later fragment, or what is told for itself.
    None,
}

/// Where the headers lie.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The IPv4 header, from the start of the frame.
    pub network: usize,
    /// What follows it.
    pub transport: usize,
    /// What that is.
    pub payload: Payload,
}

/// A change to be made.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite {
    /// Of this end.
    pub end: End,
    /// To this endpoint.
    pub to: Translation,
}

/// What makes a translated packet again what it was: who sent it has to be told about that one (RFC 5508, 4.1).
#[derive(Clone, Copy, Debug)]
pub struct Reversal {
    /// The change.
    pub rewrite: Rewrite,
    /// Where.
    pub layout: Layout,
}

impl Reversal {
    /// Undoes the translation.
    pub fn apply(self, frame: &mut [u8]) {
        self.rewrite.apply(frame, self.layout);
    }
}

impl Rewrite {
    /// Makes it. What is not at hand stays as it is; a packet that was parsed has all of its headers at hand.
    pub fn apply(self, frame: &mut [u8], layout: Layout) {
        let address = address(frame.get_mut(layout.network..), self.end, self.to.address);
        let Some(transport) = frame.get_mut(layout.transport..) else { return };
        let port = self.end.port();
        match layout.payload {
            Payload::Tcp => {
                let difference = put(transport, port, self.to.port, address);
                mend(transport, TCP_CHECKSUM, difference);
            }
            Payload::Udp => {
                let difference = put(transport, port, self.to.port, address);
                mend_udp(transport, difference);
            }
            Payload::Query => {
                let difference = put(transport, QUERY_IDENTIFIER, self.to.port, Difference::default());
                mend(transport, ICMP_CHECKSUM, difference);
            }
            Payload::Error => {
                let difference = self.quoted(transport.get_mut(icmp::HEADER..).unwrap_or_default());
                mend(transport, ICMP_CHECKSUM, difference);
            }
            Payload::None => {}
        }
    }

    /// Changes the other end of the packet that an ICMP error quotes; gives by how much the quotation changed.
    fn quoted(self, packet: &mut [u8]) -> Difference {
        let Some(&[first, .., number]) = packet.first_chunk::<10>() else { return Difference::default() };
        let end = self.end.other();
        let pseudo = address(Some(packet), end, self.to.address);
        // The header's checksum made up for the address.
        let quoted = Difference::default();
        let at = usize::from(first & 0x0f) * 4;
        let Some(transport) = packet.get_mut(at.max(ipv4::HEADER)..) else { return quoted };
        let (field, checksum, pseudo) = match number {
            protocol::TCP => (end.port(), TCP_CHECKSUM, pseudo),
            protocol::UDP => (end.port(), UDP_CHECKSUM, pseudo),
            protocol::ICMP => (QUERY_IDENTIFIER, ICMP_CHECKSUM, Difference::default()),
            _ => return quoted,
        };
        let quoted = put(transport, field, self.to.port, quoted);
        let inner = pseudo.and(quoted);
        // RFC 792 asks for 8 octets of it only: its checksum may be missing.
        let mended =
            if number == protocol::UDP { mend_udp(transport, inner) } else { mend(transport, checksum, inner) };
        quoted.and(mended)
    }
}

impl End {
    /// Where its port stands in TCP and UDP.
    const fn port(self) -> usize {
        match self {
            Self::Source => 0,
            Self::Destination => 2,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Source => Self::Destination,
            Self::Destination => Self::Source,
        }
    }
}

const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;
const ICMP_CHECKSUM: usize = 2;
const QUERY_IDENTIFIER: usize = 4;

/// By how much a sum over 16-bit words changed: the ones' complement of what was, plus what is (RFC 1624, equation 3).
#[derive(Clone, Copy, Debug, Default)]
struct Difference(u32);

impl Difference {
    fn word(self, old: u16, new: u16) -> Self {
        Self(self.0 + u32::from(!old) + u32::from(new))
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// A checksum that covers the change.
    fn mend(self, checksum: u16) -> u16 {
        let mut sum = u32::from(!checksum) + self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        !(sum as u16)
    }
}

/// Puts an address into an IPv4 header and mends its checksum; gives the difference, which pseudo headers share.
fn address(header: Option<&mut [u8]>, end: End, new: [u8; 4]) -> Difference {
    let Some(header) = header.and_then(|header| header.first_chunk_mut::<{ ipv4::HEADER }>()) else {
        return Difference::default();
    };
    let [.., high, low, a, b, c, d, e, f, g, h] = header;
    let [a, b, c, d] = match end {
        End::Source => [a, b, c, d],
        End::Destination => [e, f, g, h],
    };
    let difference = Difference::default()
        .word(u16::from_be_bytes([*a, *b]), u16::from_be_bytes([new[0], new[1]]))
        .word(u16::from_be_bytes([*c, *d]), u16::from_be_bytes([new[2], new[3]]));
    [*a, *b, *c, *d] = new;
    [*high, *low] = difference.mend(u16::from_be_bytes([*high, *low])).to_be_bytes();
    difference
}

/// Puts a word at `at`, and adds the difference.
fn put(bytes: &mut [u8], at: usize, new: u16, difference: Difference) -> Difference {
    let Some(field) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<2>()) else { return difference };
    let difference = difference.word(u16::from_be_bytes(*field), new);
    *field = new.to_be_bytes();
    difference
}

/// Mends the checksum at `at`; gives by how much it changed.
fn mend(bytes: &mut [u8], at: usize, difference: Difference) -> Difference {
    let Some(field) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<2>()) else {
        return Difference::default();
    };
    let old = u16::from_be_bytes(*field);
    let new = difference.mend(old);
    *field = new.to_be_bytes();
    Difference::default().word(old, new)
}

/// Likewise of UDP, where 0 says that there is none, and a sum of 0 is sent as its other form (RFC 768).
fn mend_udp(bytes: &mut [u8], difference: Difference) -> Difference {
    let Some(field) = bytes.get_mut(UDP_CHECKSUM..).and_then(|rest| rest.first_chunk_mut::<2>()) else {
        return Difference::default();
    };
    let old = u16::from_be_bytes(*field);
    if old == 0 {
        return Difference::default();
    }
    let new = match difference.mend(old) {
        0 => 0xffff,
        new => new,
    };
    *field = new.to_be_bytes();
    Difference::default().word(old, new)
}
