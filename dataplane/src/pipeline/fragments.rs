//! Fragments: the first is a packet of its flow, the later follow it.

use super::{Packet, Pipeline};
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::event::CloseReason;
use crate::flow::{Datagram, Placed, Slot, State};
use crate::packet::{Piece, Transport};
use crate::verdict::DropReason;

impl Pipeline {
    /// The first fragment of a datagram, which holds the ports.
    pub(super) fn first_fragment(&mut self, packet: &Packet<'_>, piece: Piece) -> Result<Slot, DropReason> {
        let datagram = self.datagram(packet, piece);
        self.fragments.admits(packet.now, &datagram)?;
        self.limit_fragments(packet)?;
        let slot = self.flow_packet(packet)?;
        if matches!(packet.info.transport, Transport::Tcp(_)) {
            // The rest of the segment is in fragments without sequence numbers.
            self.table.record_mut(slot).tcp.set_liberal();
        }
        self.fragments.first(packet.now, datagram, piece, self.table.id(slot));
        self.counters.add(Counter::Fragments, 1);
        self.counters.add(Counter::FragmentsTimedOut, self.fragments.take_timed_out());
        Ok(slot)
    }

    /// A later fragment.
    pub(super) fn later_fragment(&mut self, packet: &Packet<'_>, piece: Piece) -> Result<Slot, DropReason> {
        let datagram = self.datagram(packet, piece);
        let flow = match self.fragments.later(packet.now, datagram, piece) {
            Placed::Flow(flow) => flow,
            Placed::Unknown => return Err(DropReason::FragmentUnknown),
            Placed::Bad => return Err(DropReason::Teardrop),
        };
        let slot = self.table.by_id(flow).ok_or(DropReason::FragmentUnknown)?;
        if self.table.is_silent(slot, self.patience(self.table.record(slot))) {
            self.leave(packet.now, slot, CloseReason::Timeout);
            return Err(DropReason::FragmentUnknown);
        }
        self.check_translation(packet, slot)?;
        // The sender by its address: a fragment has no ports to compare ends by.
        let client = self.table.key(slot).end(self.table.record(slot).client()).address;
        let direction = if packet.info.addresses().0 == client { Direction::ToServer } else { Direction::ToClient };
        self.check_side(packet, slot, direction)?;
        self.check_path(packet, slot, direction)?;
        self.ensure_current(packet, slot)?;
        if self.table.record(slot).state() == State::Denied {
            return Err(DropReason::FragmentUnknown);
        }
        self.table.touch(slot);
        self.count(packet, slot, direction);
        self.counters.add(Counter::Fragments, 1);
        Ok(slot)
    }

    /// What the fragments of a packet's datagram have in common, as they were sent.
    fn datagram(&self, packet: &Packet<'_>, piece: Piece) -> Datagram {
        let (source, destination) = packet.info.addresses();
        let destination = self.outside_of(packet).map_or(destination, |outside| outside.endpoint().address);
        Datagram { source, destination, identification: piece.identification, realm: packet.info.key.realm() }
    }
}
