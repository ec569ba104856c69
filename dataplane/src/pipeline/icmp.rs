//! ICMP errors: they belong to the flow whose packet they quote.

use super::{Packet, Pipeline};
use crate::counters::Counter;
use crate::flow::{Slot, State};
use crate::packet::Quoted;
use crate::verdict::DropReason;

impl Pipeline {
    /// An error passes with the flow that it quotes. It neither counts in the session nor keeps it alive nor ends it: who
    /// is off the path could send it (RFC 5927).
    pub(super) fn icmp_error(&mut self, packet: &Packet<'_>, quoted: Option<Quoted>) -> Result<Slot, DropReason> {
        let quoted = quoted.ok_or(DropReason::IcmpUnknownFlow)?;
        let slot = self.find(packet.now, &quoted.key, packet.hash).ok_or(DropReason::IcmpUnknownFlow)?;
        if self.table.record(slot).state() == State::Denied {
            return Err(DropReason::IcmpUnknownFlow);
        }
        self.check_translation(packet, slot)?;
        // It goes back to whom the quoted packet came from, by the way that such packets take: else a third zone would speak
        // to both ends by no rule.
        let direction = quoted.sender.direction(self.table.record(slot).client()).reverse();
        self.check_side(packet, slot, direction)?;
        self.check_path(packet, slot, direction)?;
        self.ensure_current(packet, slot)?;
        self.counters.add(Counter::IcmpErrors, 1);
        Ok(slot)
    }
}
