//! Datagrams in fragments: held until they are whole, judged as one packet, and sent on as they came.

use super::routing::Way;
use super::{Packet, Pipeline};
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::flow::{Realm, Slot};
use crate::nat::{Layout, Payload, Rewrite};
use crate::packet::{self, PacketInfo, Parsed, Piece};
use crate::pipeline::Frame;
use crate::policy::PortId;
use crate::reassembly::{Datagram, Fragment, LARGEST, Offered, WholeId};
use crate::route::Departure;
use crate::time::Nanos;
use crate::verdict::{DropReason, Verdict};

/// Octets of a frame that is sent on at most: an MTU of 9,600 and all that wraps it.
const LARGEST_FRAME: usize = 10_240;
/// Octets of room for a whole datagram, and for a frame of it.
pub(super) const ROOM: usize = LARGEST + LARGEST_FRAME;

/// Where the fragments of a datagram that is let through leave.
#[derive(Clone, Copy)]
enum Exit {
    Wire(PortId),
    Interface(Way),
}

impl Pipeline {
    /// Takes a fragment. It waits, or its datagram is whole and all of it leaves, or nothing.
    pub(super) fn judge_fragment(
        &mut self,
        now: Nanos,
        frame: &Frame<'_>,
        info: &PacketInfo,
        piece: Piece,
    ) -> Result<Verdict, DropReason> {
        self.settings.protection.screen(frame.bytes, info)?;
        self.settings.protection.screen_fragment(info)?;
        if frame.bytes.len() > LARGEST_FRAME {
            return Err(DropReason::Oversize);
        }
        let (source, destination) = info.addresses();
        let port = if self.settings.protection.has_sides { frame.port } else { PortId(0) };
        let realm = info.key.realm();
        let datagram = Datagram { source, destination, identification: piece.identification, realm, port };
        if !self.reassembler.knows(now, &datagram) {
            self.limit_fragments(now, info)?;
        }
        let offered = self.reassembler.offer(now, frame, info, datagram, piece);
        self.count_lost_fragments();
        match offered? {
            Offered::Held => {
                self.counters.add(Counter::FragmentsHeld, 1);
                Ok(Verdict::Taken)
            }
            Offered::Whole(id) => self.judge_whole(now, frame.port, id),
        }
    }

    /// Housekeeping: gives up datagrams whose rest does not come.
    pub(super) fn turn_fragments(&mut self, now: Nanos) {
        self.reassembler.turn(now);
        self.count_lost_fragments();
    }

    fn count_lost_fragments(&mut self) {
        let (timed_out, lost) = self.reassembler.take_lost();
        self.counters.add(Counter::FragmentsTimedOut, timed_out);
        self.counters.add(Counter::FragmentsLost, lost);
    }

    fn judge_whole(&mut self, now: Nanos, port: PortId, id: WholeId) -> Result<Verdict, DropReason> {
        let mut room = std::mem::take(&mut self.room);
        let mut sent = 0;
        let mut fragments = 0;
        let judged = self.pass_whole(now, port, id, &mut room, (&mut sent, &mut fragments));
        self.room = room;
        self.reassembler.release(id);
        self.counters.add(Counter::Fragments, sent);
        if judged.is_err() {
            // The one that made it whole is counted by why it is dropped.
            self.counters.add(Counter::FragmentsLost, (fragments - sent).saturating_sub(1));
        }
        judged.map(|()| Verdict::Taken)
    }

    /// Judges a whole datagram and sends its fragments on; says how many, and of how many.
    fn pass_whole(
        &mut self,
        now: Nanos,
        port: PortId,
        id: WholeId,
        room: &mut [u8],
        (sent, fragments): (&mut u64, &mut u64),
    ) -> Result<(), DropReason> {
        let (datagram, piece_room) = room.split_at_mut_checked(LARGEST).ok_or(DropReason::Oversize)?;
        *fragments = self.reassembler.count(id) as u64;
        let whole = self.reassembler.write(id, datagram)?;
        let wire = self.wires.from(port);
        let number = wire.map_or(Realm::ROUTED, |(wire, _)| wire);
        let frame = Frame::new(port, datagram.get_mut(..whole.at_hand).unwrap_or_default(), whole.length);
        // The link's own messages are never in fragments (RFC 6980).
        let Parsed::Packet(mut info) = packet::parse(&frame, number, false, self.settings.protection.screens)? else {
            return Err(DropReason::BadFragment);
        };
        let mapping = if self.nat.is_some() { self.bring_inside(&mut info)? } else { None };
        let hash = self.table.hash(info.flow_key());
        let (exit, path) = match wire {
            Some((_, out)) => (Exit::Wire(out), None),
            None => {
                let way = self.way(now, &frame, &info, whole.longest)?;
                (Exit::Interface(way), Some((port, self.port_of(way))))
            }
        };
        let first = self.reassembler.next(id, None).ok_or(DropReason::BadFragment)?;
        let packet = Packet { now, frame: &frame, info: &info, hash, mapping, path, octets: first.octets };
        let slot = self.judge_packet(&packet)?;
        let direction = self.direction(&info, slot);
        let is_urgent = std::mem::take(&mut self.clears_urgent);
        let rewriting = self.rewriting(&info, slot);
        let mut next = Some(first);
        while let Some(fragment) = next {
            let room = piece_room.get_mut(..fragment.at_hand).ok_or(DropReason::Oversize)?;
            self.reassembler.copy(fragment, room);
            if is_urgent && fragment.is_first {
                let mut frame = Frame::new(port, room, fragment.length);
                self.clears_urgent = true;
                self.take_urgent(&mut frame, &info);
            }
            self.send_fragment(now, (port, number), exit, room, fragment, rewriting)?;
            *sent += 1;
            if !fragment.is_first {
                self.count_fragment(slot, direction, fragment.octets);
            }
            next = self.reassembler.next(id, Some(fragment));
        }
        Ok(())
    }

    fn count_fragment(&mut self, slot: Slot, direction: Direction, octets: u32) {
        if self.table.record(slot).state().is_open() {
            self.table.count(slot, direction, octets);
        }
    }

    /// Sends one fragment of what was let through.
    fn send_fragment(
        &mut self,
        now: Nanos,
        (port, number): (PortId, u8),
        exit: Exit,
        bytes: &mut [u8],
        fragment: Fragment,
        rewriting: Option<(Rewrite, Rewrite, Payload)>,
    ) -> Result<(), DropReason> {
        let info =
            match packet::parse(&Frame::new(port, bytes, fragment.length), number, false, crate::guard::Screens::NONE)?
            {
                Parsed::Packet(info) => info,
                Parsed::NonIp | Parsed::LinkControl => return Err(DropReason::BadFragment),
            };
        let reversal = rewriting.map(|(there, back, payload)| {
            let payload = if fragment.is_first { payload } else { Payload::None };
            let (network, transport) = (usize::from(info.link.offset), usize::from(fragment.payload));
            let layout = Layout { network, transport, payload };
            there.apply(bytes, layout);
            crate::nat::Reversal { rewrite: back, layout }
        });
        let to = match exit {
            Exit::Wire(out) => out,
            Exit::Interface(Way::Own) => self.router.hand_up(bytes).ok_or(DropReason::NoLocalService)?,
            Exit::Interface(Way::On(target)) => {
                match self.router.depart(now, port, target, bytes, (&info, reversal), &self.counters)? {
                    Departure::Now(port) => port,
                    Departure::Taken => return Ok(()),
                }
            }
        };
        if !self.outbox.push_whole(to, bytes) {
            self.counters.add(Counter::OriginatedLost, 1);
        }
        Ok(())
    }
}
