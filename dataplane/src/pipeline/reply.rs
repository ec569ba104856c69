//! Frames of the firewall's own: RST and ICMP errors of the action `reset`, in the encapsulation of the frame that they
//! answer.

use std::time::Duration;

use arrayvec::ArrayVec;

use super::{BURST, Packet, Pipeline, Reply};
use crate::counters::Counter;
use crate::flow::{Slot, State};
use crate::nat::{End, Layout, Payload, Rewrite, Translation};
use crate::packet::{Fragment, Network, Segment, Transport};
use crate::policy::PortId;
use crate::time::Nanos;
use crate::wire::checksum::Sum;
use crate::wire::tcp::{ACK, FIN, RST, SYN};
use crate::wire::{icmp, ipv4, ipv6, pppoe, protocol, tcp};

/// Replies a second at most, on average (RFC 4443, 2.4 f asks for a limit).
const RATE: u64 = 10_000;
/// Replies in a row at most.
const ROW: u64 = 1_000;
/// Octets of an Ethernet frame at least, without FCS.
const LEAST_FRAME: usize = 60;
/// Hop limit of what we send.
const HOP_LIMIT: u8 = 64;
/// ICMP destination unreachable, communication administratively prohibited (RFC 1812, 5.2.7.1).
const PROHIBITED_V4: [u8; 2] = [3, 13];
/// ICMPv6 destination unreachable, communication administratively prohibited (RFC 4443, 3.1).
const PROHIBITED_V6: [u8; 2] = [1, 1];

/// What waits to be sent, and how much may.
#[derive(Debug)]
pub(super) struct Replies {
    waiting: ArrayVec<Reply, { 2 * BURST }>,
    /// A token bucket, in nanoseconds of credit.
    credit: u64,
    filled: Nanos,
}

impl Default for Replies {
    fn default() -> Self {
        Self { waiting: ArrayVec::new(), credit: ROW * TOKEN, filled: Nanos(0) }
    }
}

const TOKEN: u64 = Duration::from_secs(1).as_nanos() as u64 / RATE;

impl Replies {
    /// Everything that waits.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Reply> + '_ {
        self.waiting.drain(..)
    }

    /// Takes a reply; false where there are too many.
    fn push(&mut self, now: Nanos, reply: Reply) -> bool {
        let gained = now.since(self.filled).as_nanos().min(u128::from(ROW * TOKEN)) as u64;
        self.credit = (self.credit + gained).min(ROW * TOKEN);
        self.filled = now;
        if self.credit < TOKEN || self.waiting.try_push(reply).is_err() {
            return false;
        }
        self.credit -= TOKEN;
        true
    }
}

/// To whom a reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    /// Who sent the packet.
    Sender,
    /// Whom the packet was for.
    Receiver,
}

impl Pipeline {
    /// Tells the sender of a packet that it is refused.
    pub(super) fn reset_sender(&mut self, packet: &Packet<'_>) {
        let Transport::Tcp(segment) = &packet.info.transport else { return self.prohibit(packet) };
        if packet.info.fragment == Fragment::None {
            self.reset(packet, segment, To::Sender, self.outside_of(packet));
        }
    }

    /// Tells both ends of a session that it is over.
    pub(super) fn reset_both(&mut self, packet: &Packet<'_>, slot: Slot) {
        self.reset_sender(packet);
        if let Transport::Tcp(segment) = &packet.info.transport
            && packet.info.fragment == Fragment::None
            && self.table.record(slot).state() != State::SynSent
        {
            let outside = self.translation(slot).filter(|_| packet.mapping.is_none());
            self.reset(packet, segment, To::Receiver, outside);
        }
    }

    /// `outside` is what the receiver of the reply knows the other end by, where that is another.
    fn reset(&mut self, packet: &Packet<'_>, segment: &Segment, to: To, outside: Option<Translation>) {
        if segment.flags & RST != 0 {
            return;
        }
        let (sequence, acknowledgment, flags) = numbers(segment, to);
        let mut header = [0; tcp::HEADER];
        let info = packet.info;
        let (mut from, mut receiver) = (info.key.end(info.sender).port, info.key.end(info.sender.other()).port);
        if to == To::Sender {
            std::mem::swap(&mut from, &mut receiver);
        }
        header[0..2].copy_from_slice(&from.to_be_bytes());
        header[2..4].copy_from_slice(&receiver.to_be_bytes());
        header[4..8].copy_from_slice(&sequence.to_be_bytes());
        header[8..12].copy_from_slice(&acknowledgment.to_be_bytes());
        header[12] = (tcp::HEADER as u8 / 4) << 4;
        header[13] = flags;
        let layout = (protocol::TCP, 16);
        self.reply(packet, to, layout, &mut header, outside);
    }

    /// Sends ICMP "administratively prohibited", where one may be sent (RFC 1122, 3.2.2; RFC 4443, 2.4 e).
    fn prohibit(&mut self, packet: &Packet<'_>) {
        let info = packet.info;
        if self.prohibit_routed(packet) || !info.is_answerable(packet.frame.bytes) {
            return;
        }
        let (number, kind) = match info.link.network {
            Network::Ipv4 => (protocol::ICMP, PROHIBITED_V4),
            Network::Ipv6 => (protocol::ICMPV6, PROHIBITED_V6),
        };
        let mut message: ArrayVec<u8, 128> = ArrayVec::new();
        message.extend([kind[0], kind[1], 0, 0, 0, 0, 0, 0]);
        message.extend(info.quotation(packet.frame.bytes).iter().copied());
        debug_assert!(message.len() >= icmp::HEADER);
        self.reply(packet, To::Sender, (number, 2), &mut message, self.outside_of(packet));
    }

    /// Wraps `transport`, of this protocol and with its checksum there, in the headers of the packet that it answers.
    fn reply(
        &mut self,
        packet: &Packet<'_>,
        to: To,
        (number, checksum): (u8, usize),
        transport: &mut [u8],
        outside: Option<Translation>,
    ) {
        let port = match to {
            To::Sender => Some(packet.frame.port),
            To::Receiver if packet.path.is_some() => packet.path.map(|(_, to)| to),
            To::Receiver => self.wires.from(packet.frame.port).map(|(_, other)| other),
        };
        let reply = port.and_then(|port| frame(packet, to, port, number, transport, checksum));
        let Some(mut reply) = reply else { return };
        if let Some(outside) = outside {
            let network = usize::from(packet.info.link.offset);
            let payload = if number == protocol::TCP { Payload::Tcp } else { Payload::None };
            let layout = Layout { network, transport: network + ipv4::HEADER, payload };
            Rewrite { end: End::Source, to: outside }.apply(&mut reply.bytes, layout);
        }
        if to == To::Receiver && packet.path.is_some() && !self.address_reply(packet, &mut reply.bytes) {
            return;
        }
        let sent = self.replies.push(packet.now, reply);
        self.counters.add(if sent { Counter::Replies } else { Counter::RepliesLimited }, 1);
    }
}

/// The numbers of a RST (RFC 9293, 3.10.7.1): to the sender as from a closed port; to the receiver as the sender itself
/// would abort, at the number that the receiver expects.
fn numbers(segment: &Segment, to: To) -> (u32, u32, u8) {
    let acknowledges = segment.flags & ACK != 0;
    match to {
        To::Sender if acknowledges => (segment.acknowledgment, 0, RST),
        To::Sender => {
            let controls = u32::from(segment.flags & SYN != 0) + u32::from(segment.flags & FIN != 0);
            (0, segment.sequence.wrapping_add(segment.payload_length).wrapping_add(controls), RST | ACK)
        }
        To::Receiver if acknowledges => (segment.sequence, segment.acknowledgment, RST | ACK),
        To::Receiver => (segment.sequence, 0, RST),
    }
}

/// A frame with the link header of the one that it answers, turned round where it goes back.
fn frame(
    packet: &Packet<'_>,
    to: To,
    port: PortId,
    number: u8,
    transport: &mut [u8],
    checksum: usize,
) -> Option<Reply> {
    let info = packet.info;
    let offset = usize::from(info.link.offset);
    let mut bytes: ArrayVec<u8, 128> = ArrayVec::new();
    bytes.try_extend_from_slice(packet.frame.bytes.get(..offset)?).ok()?;
    if to == To::Sender {
        let addresses = bytes.first_chunk_mut::<12>()?;
        addresses.rotate_left(6);
    }
    let (mut source, mut destination) = info.addresses();
    if to == To::Sender {
        std::mem::swap(&mut source, &mut destination);
    }
    let length = transport.len() as u16;
    match info.link.network {
        Network::Ipv4 => {
            let mut header = [0; ipv4::HEADER];
            header[0] = 0x45;
            header[2..4].copy_from_slice(&(ipv4::HEADER as u16 + length).to_be_bytes());
            header[6] = 0x40; // do not fragment: then the identification may be 0 (RFC 6864, 4.1)
            header[8] = HOP_LIMIT;
            header[9] = number;
            header[12..16].copy_from_slice(&source.0[12..]);
            header[16..20].copy_from_slice(&destination.0[12..]);
            ipv4::write_checksum(&mut header);
            // ICMP has no pseudo header (RFC 792).
            let pseudo =
                if number == protocol::ICMP { Sum::default() } else { ipv4::pseudo_header(&header, number, length) };
            put_checksum(transport, checksum, pseudo);
            bytes.try_extend_from_slice(&header).ok()?;
        }
        Network::Ipv6 => {
            let mut header = [0; ipv6::HEADER];
            header[0] = 0x60;
            header[4..6].copy_from_slice(&length.to_be_bytes());
            header[6] = number;
            header[7] = HOP_LIMIT;
            header[8..24].copy_from_slice(&source.0);
            header[24..40].copy_from_slice(&destination.0);
            put_checksum(transport, checksum, ipv6::pseudo_header(&header, number, u32::from(length)));
            bytes.try_extend_from_slice(&header).ok()?;
        }
    }
    bytes.try_extend_from_slice(transport).ok()?;
    if let Some(at) = info.link.pppoe.map(usize::from) {
        // The payload's length counts the PPP protocol number too.
        let length = (bytes.len() - at - pppoe::HEADER + 2) as u16;
        bytes.get_mut(at + pppoe::LENGTH..at + pppoe::LENGTH + 2)?.copy_from_slice(&length.to_be_bytes());
    }
    if let Some(at) = info.link.length_at.map(usize::from) {
        let length = (bytes.len() - at - 2) as u16;
        bytes.get_mut(at..at + 2)?.copy_from_slice(&length.to_be_bytes());
    }
    while bytes.len() < LEAST_FRAME {
        bytes.push(0);
    }
    Some(Reply { port, bytes })
}

fn put_checksum(transport: &mut [u8], at: usize, pseudo: Sum) {
    let checksum = pseudo.octets(transport).finish();
    if let Some(field) = transport.get_mut(at..at + 2) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}
