//! From the start of a frame to its IP header: tags, PPPoE and SNAP.

use crate::verdict::DropReason;
use crate::wire::vlan::{TagError, Tags};
use crate::wire::{ethernet, pppoe};

/// Which IP a frame carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// What lies in front of the IP header.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// VLAN tags.
    pub tags: Tags,
    /// Where the IP header begins; at most 38.
    pub offset: u16,
    /// Which IP.
    pub network: Network,
    /// Where a PPPoE header begins, if there is one.
    pub pppoe: Option<u16>,
    /// Where the length of an IEEE 802.3 frame stands, if it is one.
    pub length_at: Option<u16>,
    /// Where PPPoE says that its payload ends.
    end: Option<u16>,
}

impl Link {
    /// Reads a frame's link headers; none where it does not carry IP.
    pub fn read(frame: &[u8]) -> Result<Option<Self>, DropReason> {
        let ether_type = ethernet::ether_type(frame).ok_or(DropReason::Truncated)?;
        let (tags, ether_type, at) = Tags::read(frame, ether_type, ethernet::HEADER).map_err(|error| match error {
            TagError::Truncated => DropReason::Truncated,
            TagError::TooMany => DropReason::TooManyTags,
        })?;
        let snap = ethernet::snap(frame, ether_type, at);
        let length_at = snap.map(|_| at as u16 - 2);
        let (ether_type, at) = snap.unwrap_or((ether_type, at));
        let link = |network| Self { tags, offset: at as u16, network, pppoe: None, length_at, end: None };
        Ok(match ether_type {
            ethernet::IPV4 => Some(link(Network::Ipv4)),
            ethernet::IPV6 => Some(link(Network::Ipv6)),
            ethernet::PPPOE_SESSION if length_at.is_none() => Self::read_pppoe(frame, tags, at),
            _ => None,
        })
    }

    /// Of an Ethernet II frame with these tags.
    pub const fn tagged(tags: Tags, offset: u8, network: Network) -> Self {
        Self { tags, offset: offset as u16, network, pppoe: None, length_at: None, end: None }
    }

    fn read_pppoe(frame: &[u8], tags: Tags, at: usize) -> Option<Self> {
        let session = pppoe::Session::read(frame, at)?;
        let network = match session.protocol {
            pppoe::IPV4 => Network::Ipv4,
            pppoe::IPV6 => Network::Ipv6,
            _ => return None,
        };
        let offset = at + pppoe::HEADER;
        let end = Some((offset + session.length).min(usize::from(u16::MAX)) as u16);
        Some(Self { tags, offset: offset as u16, network, pppoe: Some(at as u16), length_at: None, end })
    }

    /// Where the link says that an IP packet must end, in a frame of `length` octets.
    pub fn limit(&self, length: u32) -> u32 {
        self.end.map_or(length, |end| length.min(u32::from(end)))
    }
}
