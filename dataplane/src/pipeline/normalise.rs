//! What a packet of an inspected flow has to be, so that its receiver takes what the engine sees: its checksum right, and
//! enough hops left to get there. An urgent pointer is taken off, since stacks differ in which octet it takes out of the
//! stream.

use super::{Frame, Packet, Pipeline};
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::flow::{Identification, Slot};
use crate::guard::Screen;
use crate::packet::{Fragment, Network, PacketInfo, Transport};
use crate::route;
use crate::verdict::DropReason;
use crate::wire::checksum::{self, Sum};
use crate::wire::tcp::URG;
use crate::wire::{ipv4, ipv6, protocol, tcp, udp};

impl Pipeline {
    /// Whether a packet of an entry, if it is inspected, will be taken by its receiver.
    pub(super) fn normalise(
        &mut self,
        packet: &Packet<'_>,
        slot: Slot,
        direction: Direction,
    ) -> Result<(), DropReason> {
        let record = self.table.record(slot);
        if !record.is_inspected() || !record.state().is_open() {
            return Ok(());
        }
        self.normalise_first(packet)?;
        let hops = route::hop_limit(packet.frame.bytes, &packet.info.link);
        if let Identification::Running(id) = self.table.identification(slot)
            && self.settings.protection.screens.has(Screen::TtlAnomaly)
            && !self.inspector.hops_fit(id, direction, hops)
        {
            return Err(DropReason::TtlAnomaly);
        }
        Ok(())
    }

    /// Likewise the first packet of a flow that is to be inspected.
    pub(super) fn normalise_first(&mut self, packet: &Packet<'_>) -> Result<(), DropReason> {
        self.verify(packet)?;
        self.clears_urgent = matches!(&packet.info.transport, Transport::Tcp(segment) if segment.flags & URG != 0);
        Ok(())
    }

    /// Whether the checksum of a packet that is to be inspected is not wrong.
    pub(super) fn verify(&self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let is_asked =
            self.settings.verify_checksums && self.settings.protection.screens.has(Screen::TransportChecksum);
        let is_wrong = is_asked && checksum_holds(packet.frame.bytes, packet.info) == Some(false);
        if is_wrong { Err(DropReason::BadTransportChecksum) } else { Ok(()) }
    }

    /// Takes the urgent pointer off a segment that is let through, where its flow is inspected.
    pub(super) fn take_urgent(&mut self, frame: &mut Frame<'_>, info: &PacketInfo) {
        if std::mem::take(&mut self.clears_urgent) && clear_urgent(frame.bytes, info).is_some() {
            frame.edited = true;
            self.counters.add(Counter::UrgentCleared, 1);
        }
    }
}

/// Whether the checksum of TCP or UDP is right; none where that cannot be told: there is none, not all is at hand, or it is of
/// another protocol.
fn checksum_holds(frame: &[u8], info: &PacketInfo) -> Option<bool> {
    let offset = usize::from(info.link.offset);
    let start = usize::from(info.transport_offset);
    if info.fragment != Fragment::None {
        return None;
    }
    let packet = frame.get(offset..offset.checked_add(info.length as usize)?)?;
    let transport = packet.get(start.checked_sub(offset)?..)?;
    let transport = match info.transport {
        Transport::Tcp(_) => transport,
        Transport::Udp => {
            let &[_, _, _, _, high, low, check_high, check_low] = transport.first_chunk::<{ udp::HEADER }>()?;
            if [check_high, check_low] == [0, 0] {
                return None;
            }
            transport.get(..usize::from(u16::from_be_bytes([high, low])))?
        }
        _ => return None,
    };
    let addresses = match info.link.network {
        Network::Ipv4 => packet.get(12..ipv4::HEADER)?,
        // The sum is over the last address of a routing header (RFC 8200, 8.1).
        Network::Ipv6 if has_routing_header(packet) => return None,
        Network::Ipv6 => packet.get(8..ipv6::HEADER)?,
    };
    let number = u32::from(info.key.protocol());
    let sum = Sum::default().octets(addresses).add_u32(number).add_u32(transport.len() as u32);
    Some(sum.octets(transport).finish() == 0)
}

fn has_routing_header(packet: &[u8]) -> bool {
    const MOST: usize = 8;
    let (mut next, mut at) = (packet.get(6).copied(), ipv6::HEADER);
    for _ in 0..MOST {
        let length = packet.get(at + 1).map_or(0, |length| usize::from(*length));
        let header = match next {
            Some(protocol::ROUTING) => return true,
            Some(protocol::HOP_BY_HOP | protocol::DESTINATION) => (length + 1) * 8,
            Some(protocol::AUTHENTICATION) => (length + 2) * 4,
            Some(protocol::FRAGMENT) => 8,
            _ => return false,
        };
        next = packet.get(at).copied();
        at += header;
    }
    true
}

/// Where TCP's flags, checksum and urgent pointer stand.
const FLAGS: usize = 12;
const CHECKSUM: usize = 16;
const POINTER: usize = 18;

/// Clears the flag and the pointer, and mends the checksum.
fn clear_urgent(frame: &mut [u8], info: &PacketInfo) -> Option<()> {
    let header = frame.get_mut(usize::from(info.transport_offset)..)?.first_chunk_mut::<{ tcp::HEADER }>()?;
    let word = |header: &[u8; tcp::HEADER], at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (flags, pointer) = (word(header, FLAGS), word(header, POINTER));
    let cleared = flags & !u16::from(URG);
    let sum = checksum::replace(checksum::replace(word(header, CHECKSUM), flags, cleared), pointer, 0);
    header[FLAGS..FLAGS + 2].copy_from_slice(&cleared.to_be_bytes());
    header[CHECKSUM..POINTER].copy_from_slice(&sum.to_be_bytes());
    header[POINTER..].fill(0);
    Some(())
}
