//! What devices do with frames beside carrying them: tags taken out, and checksums and tags put in. No port is asked for any
//! of it, as the pipeline wants the octets of the wire; some drivers do it unasked, and whoever hands frames over by pointer
//! may leave work to the device that he takes us for.

use super::mbuf::Mbuf;

/// Work on a frame that is left to the device that sends it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// Octets before the IP header, of the frame as it is; below 128.
    pub link: u16,
    /// Octets of the IP header, with options or extensions; below 512.
    pub network: u16,
    /// Octets of the TCP header; below 256.
    pub transport: u16,
    /// Whether the packet is of IPv6.
    pub is_v6: bool,
    /// IPv4's header checksum.
    pub network_checksum: bool,
    /// The checksum of TCP or UDP.
    pub transport_checksum: Option<Transport>,
    /// To cut the packet into some that carry so many octets of TCP each (TSO).
    pub cut: Option<u16>,
    /// A VLAN tag, by its control information.
    pub tag: Option<u16>,
    /// A provider's tag outside of that one.
    pub outer_tag: Option<u16>,
}

/// A protocol whose checksum a device can put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

impl Mbuf {
    /// Makes the octets those of the wire: puts back VLAN tags that the receiving device took out, and does what whoever
    /// passed the frame on by pointer left to the transmitting device (checksums, tags). False where that cannot be, as
    /// of a large segment that a device is to cut.
    pub fn settle(&mut self) -> bool {
        // SAFETY: a live mbuf that we own; every offset that its fields tell is checked.
        unsafe { dpdk_sys::ostiary_settle(self.0.as_ptr()) == 0 }
    }

    /// Takes the VLAN tag out and notes it, as devices do that strip tags; of two tags, a provider's before a VLAN's, the
    /// outer one or both. False where there are not so many.
    pub fn strip_tags(&mut self, count: u16) -> bool {
        // SAFETY: a live mbuf that we own; its length is checked.
        unsafe { dpdk_sys::ostiary_strip_tags(self.0.as_ptr(), count) == 0 }
    }

    /// Leaves work to the device. What it says of the frame is not looked at here.
    pub fn leave(&mut self, work: &Work) {
        let lengths = [work.link, work.network, work.transport, work.cut.unwrap_or(0)];
        let tags = [work.tag.unwrap_or(0), work.outer_tag.unwrap_or(0)];
        // SAFETY: a live mbuf that we own; only flags, lengths and tags are written, and as many are there as are read.
        unsafe { dpdk_sys::ostiary_leave(self.0.as_ptr(), work.flags(), lengths.as_ptr(), tags.as_ptr()) };
    }
}

impl Work {
    fn flags(&self) -> u64 {
        let when = |is_set: bool, flag: u64| if is_set { flag } else { 0 };
        let family = if self.is_v6 { dpdk_sys::OSTIARY_TX_IPV6 } else { dpdk_sys::OSTIARY_TX_IPV4 };
        let tags = if self.outer_tag.is_some() { dpdk_sys::OSTIARY_TX_TAGS } else { dpdk_sys::OSTIARY_TX_TAG };
        let transport = match self.transport_checksum {
            Some(Transport::Tcp) => dpdk_sys::OSTIARY_TX_TCP_CHECKSUM,
            Some(Transport::Udp) => dpdk_sys::OSTIARY_TX_UDP_CHECKSUM,
            None => 0,
        };
        when(self.network > 0, family)
            | when(self.network_checksum, dpdk_sys::OSTIARY_TX_IP_CHECKSUM)
            | transport
            | when(self.cut.is_some(), dpdk_sys::OSTIARY_TX_TCP_CUT)
            | when(self.tag.is_some() || self.outer_tag.is_some(), tags)
    }
}
