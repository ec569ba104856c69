//! Neighbour discovery for IPv6 (RFC 4861): solicitations and advertisements.

use crate::endpoint::Address;
use crate::endpoint::Mac;
use crate::wire::{ethernet, icmp, ipv6, protocol};

/// A message without options: the ICMPv6 header, then the target.
const MESSAGE: usize = icmp::HEADER + 16;
/// An option with a MAC address.
const OPTION: usize = 8;
/// A frame of ours: link and network header, message, one option.
const FRAME: usize = ethernet::HEADER + ipv6::HEADER + MESSAGE + OPTION;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
/// All nodes of the link.
pub(super) const ALL_NODES: Address = Address([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

/// A solicitation or an advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ndp {
    /// Sender of the packet; unspecified where a host that has no address yet asks whether one is free.
    pub source: Address,
    /// Receiver of the packet.
    pub destination: Address,
    /// Whom it is about.
    pub target: Address,
    /// The MAC address that the sender states: its own in a solicitation, the target's in an advertisement.
    pub mac: Option<Mac>,
    /// What kind it is.
    pub kind: Kind,
}

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It asks who has the target.
    Solicitation,
    /// It says who has it.
    Advertisement {
        /// It answers a question.
        solicited: bool,
        /// It replaces what was known.
        overrides: bool,
    },
}

/// What a link-local ICMPv6 packet turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A message.
    Message(Ndp),
    /// Another of the link's own: router discovery, multicast listeners, redirects.
    Other,
    /// It contradicts RFC 4861, 7.1.
    Bad,
}

impl Ndp {
    /// Reads the message of a frame whose IPv6 header is at `offset` and whose ICMPv6 header at `transport`.
    pub fn read(frame: &[u8], offset: usize, transport: usize) -> Read {
        let kind = frame.get(transport).copied();
        if !matches!(kind, Some(SOLICITATION | ADVERTISEMENT)) {
            return Read::Other;
        }
        Self::parse(frame, offset, transport).map_or(Read::Bad, Read::Message)
    }

    fn parse(frame: &[u8], offset: usize, transport: usize) -> Option<Self> {
        let header: &[u8; ipv6::HEADER] = frame.get(offset..)?.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let message = frame.get(transport..offset + ipv6::HEADER + length)?;
        let sum = ipv6::pseudo_header(header, protocol::ICMPV6, message.len() as u32).octets(message).finish();
        let fixed: &[u8; MESSAGE] = message.first_chunk()?;
        let [kind, code, _, _, flags, ..] = *fixed;
        let source = Address(*header.get(8..)?.first_chunk()?);
        let destination = Address(*header.get(24..)?.first_chunk()?);
        let target = Address(*fixed.get(8..)?.first_chunk()?);
        let (kind, option) = match kind {
            SOLICITATION => (Kind::Solicitation, SOURCE_LINK_ADDRESS),
            _ => (
                Kind::Advertisement { solicited: flags & SOLICITED != 0, overrides: flags & OVERRIDE != 0 },
                TARGET_LINK_ADDRESS,
            ),
        };
        let mac = link_address(message.get(MESSAGE..)?, option)?;
        let unspecified = source == Address::default();
        let to_group = destination.0[0] == 0xff;
        let sound = match kind {
            // A host without an address states no MAC address and asks the group (RFC 4861, 7.1.1).
            Kind::Solicitation => !unspecified || mac.is_none() && to_group,
            Kind::Advertisement { solicited, .. } => !(unspecified || solicited && to_group),
        };
        let sound = sound && sum == 0 && header[7] == 255 && code == 0 && target.0[0] != 0xff;
        sound.then_some(Self { source, destination, target, mac, kind })
    }

    /// The frame that carries it from `from` to `to`. We are a router, and say so.
    pub fn frame(&self, from: Mac, to: Mac) -> [u8; FRAME] {
        const AT: usize = ethernet::HEADER + ipv6::HEADER;
        let (kind, option, flags) = match self.kind {
            Kind::Solicitation => (SOLICITATION, SOURCE_LINK_ADDRESS, 0),
            Kind::Advertisement { solicited, overrides } => {
                let flags = if solicited { SOLICITED } else { 0 } | if overrides { OVERRIDE } else { 0 };
                (ADVERTISEMENT, TARGET_LINK_ADDRESS, ROUTER | flags)
            }
        };
        let mut frame = [0; FRAME];
        frame[0..6].copy_from_slice(&to.0);
        frame[6..12].copy_from_slice(&from.0);
        frame[12..14].copy_from_slice(&ethernet::IPV6.to_be_bytes());
        frame[14] = 0x60;
        frame[18..20].copy_from_slice(&((MESSAGE + OPTION) as u16).to_be_bytes());
        frame[20] = protocol::ICMPV6;
        frame[21] = 255;
        frame[22..38].copy_from_slice(&self.source.0);
        frame[38..54].copy_from_slice(&self.destination.0);
        frame[AT] = kind;
        frame[AT + 4] = flags;
        frame[AT + 8..AT + 24].copy_from_slice(&self.target.0);
        frame[AT + 24] = option;
        frame[AT + 25] = 1;
        frame[AT + 26..AT + 32].copy_from_slice(&from.0);
        let (head, message) = frame.split_at_mut(AT);
        let pseudo = ipv6::pseudo_header(&head[ethernet::HEADER..], protocol::ICMPV6, message.len() as u32);
        let checksum = pseudo.octets(message).finish();
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        frame
    }
}

/// The MAC address in the options of a kind; `None` where they contradict themselves.
fn link_address(mut options: &[u8], kind: u8) -> Option<Option<Mac>> {
    let mut found = None;
    while let [number, units, ..] = *options {
        // An option of length 0 has no end (RFC 4861, 4.6).
        let length = usize::from(units) * 8;
        let option = options.get(..length).filter(|_| length > 0)?;
        if number == kind && found.is_none() {
            found = Some(Mac(*option.get(2..)?.first_chunk()?)).filter(|mac| mac.is_unicast());
            found?;
        }
        options = options.get(length..)?;
    }
    options.is_empty().then_some(found)
}

/// The group that an address's owner listens to (RFC 4291, 2.7.1), and the MAC address of any group (RFC 2464, 7).
pub(super) fn solicited_node(target: Address) -> Address {
    let Address([.., a, b, c]) = target;
    Address([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// The MAC address of an IPv6 group (RFC 2464, 7).
pub(super) fn group_mac(group: Address) -> Mac {
    let Address([.., a, b, c, d]) = group;
    Mac([0x33, 0x33, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Address = Address([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    const US: Address = Address([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);

    fn question() -> Ndp {
        let destination = solicited_node(US);
        Ndp { source: HOST, destination, target: US, mac: Some(MAC), kind: Kind::Solicitation }
    }

    #[test]
    fn what_is_written_is_read() {
        let answer = Kind::Advertisement { solicited: true, overrides: false };
        let answer = Ndp { destination: HOST, kind: answer, ..question() };
        for message in [question(), answer] {
            let frame = message.frame(MAC, group_mac(message.destination));
            assert_eq!(Ndp::read(&frame, 14, 54), Read::Message(message));
        }
        assert_eq!(group_mac(solicited_node(US)), Mac([0x33, 0x33, 0xff, 0, 0, 1]));
    }

    #[test]
    fn what_contradicts_the_rfc_is_bad() {
        let frame = question().frame(MAC, group_mac(solicited_node(US)));
        // Checksum, hop limit (the pseudo header has none), the option's length, and a frame cut short.
        for (at, octet) in [(56, 1), (21, 64), (79, 0)] {
            let mut bad = frame;
            bad[at] = octet;
            assert_eq!(Ndp::read(&bad, 14, 54), Read::Bad, "octet {at}");
        }
        assert_eq!(Ndp::read(&frame[..80], 14, 54), Read::Bad);
        let nobody = Ndp { source: Address::default(), ..question() };
        assert_eq!(Ndp::read(&nobody.frame(MAC, MAC), 14, 54), Read::Bad);
        let answer = Kind::Advertisement { solicited: true, overrides: true };
        let to_all = Ndp { destination: ALL_NODES, kind: answer, ..question() };
        assert_eq!(Ndp::read(&to_all.frame(MAC, MAC), 14, 54), Read::Bad);
        let mut router = frame;
        router[54] = 133;
        assert_eq!(Ndp::read(&router, 14, 54), Read::Other);
    }
}
