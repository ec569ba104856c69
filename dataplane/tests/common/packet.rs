//! Packets of TCP and UDP whose checksums are put in, or left to others.

/// A packet in an Ethernet frame.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The frame; its checksums are 0.
    bare: Vec<u8>,
    /// Where the IP header begins.
    pub link: usize,
    /// Octets of the IP header with options or extensions.
    pub network: usize,
    protocol: u8,
}

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// A packet of IPv4 (4 octets an address) or IPv6 (16), `extra` octets of options or extensions in its header.
pub fn packet(protocol: u8, ends: [(&[u8], u16); 2], extra: u8, payload: &[u8]) -> Packet {
    let mut transport: Vec<u8> = ends.iter().flat_map(|(_, port)| port.to_be_bytes()).collect();
    if protocol == TCP {
        transport.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    } else {
        transport.extend((8 + payload.len() as u16).to_be_bytes());
        transport.extend([0, 0]);
    }
    transport.extend(payload);
    let is_v4 = ends[0].0.len() == 4;
    let [high, low] = (transport.len() as u16 + u16::from(extra) + if is_v4 { 20 } else { 0 }).to_be_bytes();
    let addresses = ends.iter().flat_map(|(address, _)| *address).copied();
    let mut ip = if is_v4 {
        vec![0x45 + extra / 4, 0, high, low, 0, 1, 0x40, 0, 64, protocol, 0, 0]
    } else {
        // Hop-by-hop options stand before the transport.
        vec![0x60, 0, 0, 0, high, low, if extra > 0 { 0 } else { protocol }, 64]
    };
    ip.extend(addresses);
    if is_v4 {
        ip.extend(vec![1; usize::from(extra)]);
    } else if extra > 0 {
        ip.extend([protocol, extra / 8 - 1, 1, extra - 4]);
        ip.extend(vec![0; usize::from(extra) - 4]);
    }
    let ether_type = if is_v4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    let network = ip.len();
    let bare = [&MACS[..], &ether_type, &ip, &transport].concat();
    Packet { bare, link: 14, network, protocol }
}

impl Packet {
    /// The frame, its checksums 0.
    pub fn bare(&self) -> Vec<u8> {
        self.bare.clone()
    }

    /// The frame, its checksums put in.
    pub fn whole(&self) -> Vec<u8> {
        let mut frame = self.bare.clone();
        put_checksums(&mut frame, self.link, self.network, self.protocol);
        frame
    }

    /// Behind VLAN tags, (TPID, TCI) from outside inwards.
    pub fn tagged(&self, tags: &[(u16, u16)]) -> Self {
        let mut packet = self.clone();
        for (kind, tci) in tags.iter().rev() {
            let tag = [kind.to_be_bytes(), tci.to_be_bytes()].concat();
            packet.bare.splice(12..12, tag);
            packet.link += 4;
        }
        packet
    }

    /// With octets behind the packet that belong to nobody.
    pub fn padded(&self, octets: usize) -> Self {
        let mut packet = self.clone();
        packet.bare.extend(vec![0xa5; octets]);
        packet
    }

    /// With another source, hop limit or whatever else stands at an offset of the IP header.
    pub fn with(&self, at: usize, octets: &[u8]) -> Self {
        let mut packet = self.clone();
        packet.bare[self.link + at..][..octets.len()].copy_from_slice(octets);
        packet
    }

    /// Between other MAC addresses, destination first.
    pub fn between(&self, macs: [[u8; 6]; 2]) -> Self {
        let mut packet = self.clone();
        packet.bare[..12].copy_from_slice(macs.as_flattened());
        packet
    }
}

/// Puts in the checksums of RFC 791, 768 and 9293, word by word.
pub fn put_checksums(frame: &mut [u8], link: usize, network: usize, protocol: u8) {
    let is_v4 = frame[link] >> 4 == 4;
    if is_v4 {
        frame[link + 10..link + 12].fill(0);
        let sum = checksum(&frame[link..link + network]);
        frame[link + 10..link + 12].copy_from_slice(&sum.to_be_bytes());
    }
    let word = |at: usize| usize::from(frame[link + at]) << 8 | usize::from(frame[link + at + 1]);
    let end = link + if is_v4 { word(2) } else { 40 + word(4) };
    let at = link + network;
    let field = at + if protocol == TCP { 16 } else { 6 };
    frame[field..field + 2].fill(0);
    let addresses = if is_v4 { link + 12..link + 20 } else { link + 8..link + 40 };
    let mut summed = frame[addresses].to_vec();
    summed.extend([0, protocol]);
    summed.extend(((end - at) as u16).to_be_bytes());
    summed.extend(&frame[at..end]);
    let sum = checksum(&summed);
    let sum = if sum == 0 && protocol == UDP { 0xffff } else { sum };
    frame[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |octet| u32::from(*octet)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !sum as u16
}
