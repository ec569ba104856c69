//! The IPv6 header and the chain of extension headers after it (RFC 8200).

use super::checksum::Sum;
use super::{be16, be32, protocol};
use crate::endpoint::Address;

/// Octets of the fixed header.
pub const HEADER: usize = 40;
/// Extension headers followed at most; RFC 8200, 4.1 recommends at most one of each, destination options twice.
const MAXIMUM_EXTENSIONS: usize = 8;

/// The fixed header.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6 {
    /// Octets after the fixed header.
    pub payload_length: u16,
    /// What follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Sender.
    pub source: Address,
    /// Receiver.
    pub destination: Address,
}

/// Why a header or its extensions could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv6Error {
    /// The bytes end before the headers do.
    Truncated,
    /// Not version 6.
    Contradiction,
    /// The chain is longer than we follow, out of order, or passes the end of the packet.
    Chain,
}

/// The fragment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentHeader {
    /// Identification.
    pub identification: u32,
    /// Where this fragment's payload belongs, in octets.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// Where the fragment's payload begins, from the start of the IPv6 header.
    pub payload: usize,
}

/// The end of an extension chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The transport's protocol number.
    pub protocol: u8,
    /// Where it begins, from the start of the IPv6 header; up to 8 × 2,048 octets more than the fixed header.
    pub offset: usize,
    /// The fragment header, where there is one. Where its offset is not 0, the chain ends with it.
    pub fragment: Option<FragmentHeader>,
}

impl Ipv6 {
    /// Reads the header at the beginning of `bytes`.
    pub fn read(bytes: &[u8]) -> Result<Self, Ipv6Error> {
        let fixed: &[u8; HEADER] = bytes.first_chunk().ok_or(Ipv6Error::Truncated)?;
        if fixed[0] >> 4 != 6 {
            return Err(Ipv6Error::Contradiction);
        }
        let (mut source, mut destination) = (Address::default(), Address::default());
        source.0.copy_from_slice(&fixed[8..24]);
        destination.0.copy_from_slice(&fixed[24..40]);
        let payload_length = u16::from_be_bytes([fixed[4], fixed[5]]);
        Ok(Self { payload_length, next_header: fixed[6], hop_limit: fixed[7], source, destination })
    }

    /// Follows the extension headers in `bytes`, which begin with this header and end with the packet.
    pub fn chain(&self, bytes: &[u8]) -> Result<Chain, Ipv6Error> {
        let packet = HEADER + usize::from(self.payload_length);
        let mut chain = Chain { protocol: self.next_header, offset: HEADER, fragment: None };
        for position in 0..=MAXIMUM_EXTENSIONS {
            let length = match chain.protocol {
                // Only directly after the fixed header (RFC 8200, 4.1).
                protocol::HOP_BY_HOP if position > 0 => return Err(Ipv6Error::Chain),
                protocol::HOP_BY_HOP
                | protocol::ROUTING
                | protocol::DESTINATION
                | protocol::MOBILITY
                | protocol::HOST_IDENTITY
                | protocol::SHIM6 => extension_length(bytes, chain.offset, 8)?,
                protocol::AUTHENTICATION => extension_length(bytes, chain.offset, 4)?,
                protocol::FRAGMENT if chain.fragment.is_some() => return Err(Ipv6Error::Chain),
                protocol::FRAGMENT => {
                    chain.fragment = Some(fragment_header(bytes, chain.offset)?);
                    8
                }
                _ => return Ok(chain),
            };
            // Mobility, HIP and Shim6 with nothing after them are the transport themselves.
            let next = *bytes.get(chain.offset).ok_or(Ipv6Error::Truncated)?;
            if is_own_transport(chain.protocol) && next == protocol::NO_NEXT_HEADER {
                return Ok(chain);
            }
            chain.protocol = next;
            chain.offset += length;
            if chain.offset > packet {
                return Err(Ipv6Error::Chain);
            }
            if chain.fragment.is_some_and(|fragment| fragment.offset > 0) {
                return Ok(chain);
            }
        }
        Err(Ipv6Error::Chain)
    }
}

const fn is_own_transport(number: u8) -> bool {
    matches!(number, protocol::MOBILITY | protocol::HOST_IDENTITY | protocol::SHIM6)
}

/// The length of an extension header at `at` that counts units of `unit` octets: of 8 beyond the first 8 (RFC 8200,
/// 4.2), or of 4 minus 2 for the authentication header (RFC 4302, 2.2).
fn extension_length(bytes: &[u8], at: usize, unit: usize) -> Result<usize, Ipv6Error> {
    let units = usize::from(*bytes.get(at + 1).ok_or(Ipv6Error::Truncated)?);
    let length = 8 + units * unit;
    if bytes.len() < at + length { Err(Ipv6Error::Truncated) } else { Ok(length) }
}

fn fragment_header(bytes: &[u8], at: usize) -> Result<FragmentHeader, Ipv6Error> {
    let offset = be16(bytes, at + 2).ok_or(Ipv6Error::Truncated)?;
    let identification = be32(bytes, at + 4).ok_or(Ipv6Error::Truncated)?;
    Ok(FragmentHeader { identification, offset: u32::from(offset & 0xfff8), more: offset & 1 != 0, payload: at + 8 })
}

/// The beginning of a sum for an upper layer over IPv6: the pseudo header (RFC 8200, 8.1), of the fixed header at the
/// beginning of `bytes`.
pub fn pseudo_header(bytes: &[u8], protocol: u8, length: u32) -> Sum {
    Sum::default().octets(bytes.get(8..HEADER).unwrap_or_default()).add_u32(length).add_u32(u32::from(protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with this chain behind the fixed header.
    fn packet(next_header: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[0] = 0x60;
        bytes[4..6].copy_from_slice(&(rest.len() as u16).to_be_bytes());
        bytes[6] = next_header;
        bytes.extend_from_slice(rest);
        bytes
    }

    fn walk(next_header: u8, rest: &[u8]) -> Result<Chain, Ipv6Error> {
        let bytes = packet(next_header, rest);
        Ipv6::read(&bytes).unwrap().chain(&bytes)
    }

    #[test]
    fn follows_every_extension_to_the_transport() {
        let mut rest = vec![60, 0, 0, 0, 0, 0, 0, 0]; // hop-by-hop
        rest.extend([43, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // destination options, 16 octets
        rest.extend([51, 0, 0, 0, 0, 0, 0, 0]); // routing
        rest.extend([44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // authentication, 12 octets
        rest.extend([6, 0, 0, 1, 0, 0, 0, 7]); // first fragment
        let offset = HEADER + rest.len();
        rest.extend([0; 20]);
        let fragment = Some(FragmentHeader { identification: 7, offset: 0, more: true, payload: offset });
        assert_eq!(walk(0, &rest), Ok(Chain { protocol: 6, offset, fragment }));
    }

    #[test]
    fn a_later_fragment_ends_the_chain() {
        let fragment = Some(FragmentHeader { identification: 7, offset: 1448, more: false, payload: HEADER + 8 });
        let walked = walk(44, &[60, 0, 0x05, 0xa8, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(walked, Ok(Chain { protocol: 60, offset: HEADER + 8, fragment }));
    }

    #[test]
    fn refuses_disorder_length_and_overrun() {
        assert_eq!(walk(60, &[0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]), Err(Ipv6Error::Chain));
        assert_eq!(walk(60, &[60, 0, 0, 0, 0, 0, 0, 0].repeat(9)), Err(Ipv6Error::Chain));
        assert_eq!(walk(60, &[6, 1, 0, 0, 0, 0, 0, 0]), Err(Ipv6Error::Truncated));
        let mut padded = packet(60, &[6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        padded[5] = 8; // the packet ends within the extension; what follows is padding
        assert_eq!(Ipv6::read(&padded).unwrap().chain(&padded), Err(Ipv6Error::Chain));
    }
}
