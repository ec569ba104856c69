//! Capture files made by hand, octet by octet, in either byte order.
#![allow(dead_code, unreachable_pub, missing_docs)] // each test file uses its part

/// A byte order.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Most significant octet first.
    Big,
    /// Least significant octet first.
    Little,
}

/// Both.
pub const ORDERS: [Order; 2] = [Order::Big, Order::Little];

impl Order {
    pub fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Big => value.to_be_bytes(),
            Self::Little => value.to_le_bytes(),
        }
    }

    pub fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Big => value.to_be_bytes(),
            Self::Little => value.to_le_bytes(),
        }
    }

    pub fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Big => value.to_be_bytes(),
            Self::Little => value.to_le_bytes(),
        }
    }
}

/// A pcap file in the making.
pub struct Pcap {
    order: Order,
    nanoseconds: bool,
    pub bytes: Vec<u8>,
}

impl Pcap {
    pub fn new(order: Order, nanoseconds: bool, link: u32) -> Self {
        let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut bytes = Vec::new();
        bytes.extend(order.u32(magic));
        bytes.extend(order.u16(2));
        bytes.extend(order.u16(4));
        bytes.extend([0; 8]);
        bytes.extend(order.u32(262_144));
        bytes.extend(order.u32(link));
        Self { order, nanoseconds, bytes }
    }

    /// A packet at `time` (nanoseconds since the epoch) of which all was captured.
    pub fn packet(self, time: u64, packet: &[u8]) -> Self {
        let length = packet.len() as u32;
        self.cut_packet(time, packet, length)
    }

    /// A packet of `length` octets of which only `packet` was captured.
    pub fn cut_packet(mut self, time: u64, packet: &[u8], length: u32) -> Self {
        let fraction = (time % 1_000_000_000) as u32;
        self.bytes.extend(self.order.u32((time / 1_000_000_000) as u32));
        self.bytes.extend(self.order.u32(if self.nanoseconds { fraction } else { fraction / 1_000 }));
        self.bytes.extend(self.order.u32(packet.len() as u32));
        self.bytes.extend(self.order.u32(length));
        self.bytes.extend(packet);
        self
    }
}

/// A pcapng file in the making.
pub struct PcapNg {
    order: Order,
    pub bytes: Vec<u8>,
}

impl PcapNg {
    pub fn new(order: Order) -> Self {
        Self { order, bytes: Vec::new() }.section(order)
    }

    /// Begins a section, from here on in this order.
    pub fn section(mut self, order: Order) -> Self {
        self.order = order;
        let mut body = order.u32(0x1a2b_3c4d).to_vec();
        body.extend(order.u16(1));
        body.extend(order.u16(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    /// Describes an interface; `options` as (code, value).
    pub fn interface(self, link: u16, snap_length: u32, options: &[(u16, &[u8])]) -> Self {
        let mut body = self.order.u16(link).to_vec();
        body.extend([0; 2]);
        body.extend(self.order.u32(snap_length));
        body.extend(self.options(options));
        self.block(1, &body)
    }

    pub fn enhanced(self, interface: u32, ticks: u64, packet: &[u8], options: &[(u16, &[u8])]) -> Self {
        let mut body = Vec::new();
        body.extend(self.order.u32(interface));
        body.extend(self.order.u32((ticks >> 32) as u32));
        body.extend(self.order.u32(ticks as u32));
        body.extend(self.order.u32(packet.len() as u32));
        body.extend(self.order.u32(packet.len() as u32));
        body.extend(padded(packet));
        body.extend(self.options(options));
        self.block(6, &body)
    }

    pub fn obsolete(self, interface: u16, ticks: u64, packet: &[u8]) -> Self {
        let mut body = Vec::new();
        body.extend(self.order.u16(interface));
        body.extend(self.order.u16(0xffff));
        body.extend(self.order.u32((ticks >> 32) as u32));
        body.extend(self.order.u32(ticks as u32));
        body.extend(self.order.u32(packet.len() as u32));
        body.extend(self.order.u32(packet.len() as u32));
        body.extend(padded(packet));
        self.block(2, &body)
    }

    /// A Simple Packet Block of a packet of `length` octets.
    pub fn simple(self, packet: &[u8], length: u32) -> Self {
        let mut body = self.order.u32(length).to_vec();
        body.extend(padded(packet));
        self.block(3, &body)
    }

    pub fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let length = self.order.u32(12 + body.len() as u32);
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(length);
        self
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.order.u16(*code));
            bytes.extend(self.order.u16(value.len() as u16));
            bytes.extend(padded(value));
        }
        if !options.is_empty() {
            bytes.extend([0; 4]);
        }
        bytes
    }
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(4), 0);
    padded
}

/// A UDP datagram over IPv4, with its checksums right where they must be.
pub fn udp(source: ([u8; 4], u16), destination: ([u8; 4], u16), payload: &[u8]) -> Vec<u8> {
    let length = 28 + payload.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    packet.extend(source.0);
    packet.extend(destination.0);
    let mut sum: u32 = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    packet[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    packet.extend(source.1.to_be_bytes());
    packet.extend(destination.1.to_be_bytes());
    packet.extend((length - 20).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// An Ethernet frame around an IPv4 packet.
pub fn ethernet(packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend(packet);
    frame
}
