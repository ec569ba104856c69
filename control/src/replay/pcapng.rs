//! The blocks of a pcapng file: sections, interfaces, packets; every other block is stepped over.

use std::io::Read;

use dataplane::time::Nanos;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{
    InterfaceDescriptionBlock, OptionCode, parse_enhancedpacketblock_be, parse_enhancedpacketblock_le,
    parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le, parse_sectionheaderblock,
    parse_simplepacketblock_be, parse_simplepacketblock_le,
};

use super::capture::{Fault, LARGEST, Packet, Stop, wire_length, without_fcs};
use super::link::LinkType;
use super::window::Window;

/// The type of a Section Header Block: the same in both byte orders.
pub(super) const SECTION_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// The Packet Block that the Enhanced Packet Block replaced.
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type, length and byte-order magic: what is needed to step from block to block.
const BLOCK_HEADER: usize = 12;
/// Interfaces of one section that are kept; more is damage, not a capture.
const MOST_INTERFACES: usize = 65_536;

/// The section that is being read.
pub(super) struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

impl Section {
    /// From the first octets of a file, which stay to be read; none where the byte order is not told.
    pub(super) fn of_file(head: &[u8]) -> Option<Self> {
        let big_endian = byte_order(head.get(8..12)?)?;
        Some(Self { big_endian, interfaces: Vec::new() })
    }

    /// Reads blocks up to and with the next packet.
    pub(super) fn next_packet<'a, R: Read>(&mut self, window: &'a mut Window<R>) -> Result<Option<Packet<'a>>, Stop> {
        let (kind, length) = loop {
            let offset = window.position();
            let stop = |fault| Stop::Fault(Some(offset), fault);
            let head = window.peek(BLOCK_HEADER)?;
            if head.is_empty() {
                return Ok(None);
            }
            let &[t0, t1, t2, t3, l0, l1, l2, l3, ref order @ ..] = head else {
                return Err(stop(Fault::Truncated));
            };
            if [t0, t1, t2, t3] == SECTION_MAGIC {
                self.big_endian = byte_order(order).ok_or(stop(Fault::Damaged("a section without byte order")))?;
            }
            let kind = self.number([t0, t1, t2, t3]);
            let length = self.number([l0, l1, l2, l3]);
            if (length as usize) < BLOCK_HEADER {
                return Err(stop(Fault::Damaged("a block shorter than its header")));
            }
            let wanted = matches!(kind, SECTION | INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET);
            if !wanted {
                if !window.skip(u64::from(length))? {
                    return Err(stop(Fault::Truncated));
                }
                continue;
            }
            if length as usize > LARGEST {
                return Err(stop(Fault::Damaged("a block of more than 16 MiB")));
            }
            match kind {
                SECTION | INTERFACE => {
                    let block = window.take(length as usize)?.ok_or(stop(Fault::Truncated))?;
                    let begun = if kind == SECTION { self.begin(block) } else { self.describe(block) };
                    begun.map_err(|what| stop(Fault::Damaged(what)))?;
                }
                _ => break (kind, length as usize),
            }
        };
        let offset = window.position();
        let stop = |fault| Stop::Fault(Some(offset), fault);
        let block = window.take(length)?.ok_or(stop(Fault::Truncated))?;
        let packet = match kind {
            ENHANCED_PACKET => self.enhanced_packet(block),
            SIMPLE_PACKET => self.simple_packet(block),
            _ => self.obsolete_packet(block),
        };
        packet.map(Some).map_err(|what| stop(Fault::Damaged(what)))
    }

    fn begin(&mut self, block: &[u8]) -> Result<(), &'static str> {
        let (_, header) = parse_sectionheaderblock(block).map_err(|_| "a section header that is none")?;
        if header.major_version != 1 {
            return Err("a section of a pcapng version that is not 1");
        }
        self.interfaces.clear();
        Ok(())
    }

    fn describe(&mut self, block: &[u8]) -> Result<(), &'static str> {
        let parse =
            if self.big_endian { parse_interfacedescriptionblock_be } else { parse_interfacedescriptionblock_le };
        let (_, description) = parse(block).map_err(|_| "an interface description that is none")?;
        if self.interfaces.len() >= MOST_INTERFACES {
            return Err("a section with more than 65536 interfaces");
        }
        self.interfaces.push(Interface::new(&description, self.big_endian));
        Ok(())
    }

    fn enhanced_packet<'a>(&self, block: &'a [u8]) -> Result<Packet<'a>, &'static str> {
        let parse = if self.big_endian { parse_enhancedpacketblock_be } else { parse_enhancedpacketblock_le };
        let (_, packet) = parse(block).map_err(|_| "a packet block that contradicts itself")?;
        let bytes = packet.data.get(..packet.caplen as usize).ok_or("a packet longer than its block")?;
        let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        Ok(self.interface(packet.if_id)?.packet(Some(ticks), bytes, packet.origlen))
    }

    /// A Simple Packet Block: of the first interface, without a time, and its captured length to be inferred.
    fn simple_packet<'a>(&self, block: &'a [u8]) -> Result<Packet<'a>, &'static str> {
        let parse = if self.big_endian { parse_simplepacketblock_be } else { parse_simplepacketblock_le };
        let (_, packet) = parse(block).map_err(|_| "a simple packet block that contradicts itself")?;
        let interface = self.interface(0)?;
        let limit = if interface.snap_length == 0 { usize::MAX } else { interface.snap_length as usize };
        let padded: &'a [u8] = packet.data;
        let bytes = &padded[..padded.len().min(limit).min(packet.orig_len() as usize)];
        Ok(interface.packet(None, bytes, packet.origlen))
    }

    /// The Packet Block of early pcapng: 16 bits each for the interface and for drops, then as the enhanced one.
    fn obsolete_packet<'a>(&self, block: &'a [u8]) -> Result<Packet<'a>, &'static str> {
        let field = |at: usize| {
            let octets = block.get(at..at + 4).and_then(|octets| octets.try_into().ok());
            octets.map(|octets| self.number(octets)).ok_or("a packet block that is too short")
        };
        // The interface is the first half of its word.
        let interface = if self.big_endian { field(8)? >> 16 } else { field(8)? & 0xffff };
        let ticks = u64::from(field(12)?) << 32 | u64::from(field(16)?);
        let (captured, original) = (field(20)? as usize, field(24)?);
        let end = captured.checked_add(28).ok_or("a packet longer than its block")?;
        let bytes = block.get(28..end).filter(|_| end + 4 <= block.len()).ok_or("a packet longer than its block")?;
        Ok(self.interface(interface)?.packet(Some(ticks), bytes, original))
    }

    fn interface(&self, id: u32) -> Result<&Interface, &'static str> {
        self.interfaces.get(id as usize).ok_or("a packet of an interface that was not described")
    }

    fn number(&self, octets: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
    }
}

/// What the byte-order magic of a section says.
fn byte_order(magic: &[u8]) -> Option<bool> {
    match magic {
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(true),
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(false),
        _ => None,
    }
}

/// An interface that a section describes.
struct Interface {
    link: LinkType,
    snap_length: u32,
    clock: Clock,
    /// Octets of frame check sequence at the end of each packet.
    fcs: u32,
}

impl Interface {
    fn new(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        const FCS_LENGTH: OptionCode = OptionCode(13);
        // The crate's own getters read multi-octet options as little-endian whatever the section is.
        let option = |code| {
            let option = description.options.iter().find(|option| option.code == code)?;
            option.as_bytes().ok()
        };
        let resolution = option(OptionCode::IfTsresol).and_then(|value| value.first().copied()).unwrap_or(6);
        let offset = option(OptionCode::IfTsoffset)
            .and_then(|value| value.try_into().ok())
            .map_or(0, |octets| if big_endian { i64::from_be_bytes(octets) } else { i64::from_le_bytes(octets) });
        let fcs = option(FCS_LENGTH).and_then(|value| value.first().copied()).map_or(0, |bits| u32::from(bits) / 8);
        Self {
            // LINKTYPE values have 16 bits here.
            link: LinkType(description.linktype.0 as u16),
            snap_length: description.snaplen,
            clock: Clock { resolution, offset },
            fcs,
        }
    }

    fn packet<'a>(&self, ticks: Option<u64>, bytes: &'a [u8], original: u32) -> Packet<'a> {
        Packet {
            time: ticks.map(|ticks| self.clock.time(ticks)),
            link: self.link,
            bytes: without_fcs(bytes, original, self.fcs),
            length: wire_length(bytes, original, self.fcs),
        }
    }
}

/// How an interface counts time.
#[derive(Clone, Copy)]
struct Clock {
    /// `if_tsresol`: the negative power of 10, or of 2 where the upper bit is set.
    resolution: u8,
    /// `if_tsoffset`: seconds to add.
    offset: i64,
}

impl Clock {
    /// Nanoseconds since the epoch, held within what [`Nanos`] can tell.
    fn time(self, ticks: u64) -> Nanos {
        let ticks = u128::from(ticks);
        let exponent = u32::from(self.resolution & 0x7f);
        let nanoseconds = if self.resolution & 0x80 != 0 {
            // Below 2^64 · 10^9 < 2^94, so nothing is lost.
            (ticks * 1_000_000_000) >> exponent
        } else if exponent <= 9 {
            ticks * 10_u128.pow(9 - exponent)
        } else {
            10_u128.checked_pow(exponent - 9).map_or(0, |divisor| ticks / divisor)
        };
        let total = nanoseconds as i128 + i128::from(self.offset) * 1_000_000_000;
        Nanos(total.clamp(0, i128::from(u64::MAX)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resolution_gives_the_same_moment() {
        let second = |resolution, ticks| Clock { resolution, offset: 0 }.time(ticks).0;
        assert_eq!(second(6, 1_500_000), 1_500_000_000);
        assert_eq!(second(9, 1_500_000_000), 1_500_000_000);
        assert_eq!(second(0, 2), 2_000_000_000);
        assert_eq!(second(12, 1_500_000_000_000), 1_500_000_000);
        assert_eq!(second(0x80 | 10, 1536), 1_500_000_000);
        assert_eq!(second(0x80 | 127, u64::MAX), 0);
        assert_eq!(second(127, u64::MAX), 0);
        assert_eq!(Clock { resolution: 6, offset: -1 }.time(1_500_000).0, 500_000_000);
        assert_eq!(Clock { resolution: 0, offset: i64::MAX }.time(u64::MAX).0, u64::MAX);
        assert_eq!(Clock { resolution: 6, offset: i64::MIN }.time(1).0, 0);
    }
}
