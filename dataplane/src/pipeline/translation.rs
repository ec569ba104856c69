//! Source NAT on the packet path: what comes for a pool address is brought to its inside endpoint before it is looked up,
//! and what belongs to a translated session is rewritten after its verdict.

use std::sync::Arc;

use super::{Frame, Packet, Pipeline};
use crate::counters::Counter;
use crate::endpoint::{Address, Direction, Endpoint};
use crate::flow::{End, FlowKey, Slot};
use crate::nat::{
    self, Inside, Inward, Kind, Layout, MappingId, Payload, Refusal, Reversal, Rewrite, Translation, Usage,
};
use crate::packet::{PacketInfo, Quoted, Transport};
use crate::policy::RuleId;
use crate::time::Nanos;
use crate::verdict::DropReason;

impl Pipeline {
    /// How much of the pools of source NAT is in use, where there are any.
    pub fn nat_usage(&self) -> Option<&Arc<Usage>> {
        self.nat.as_ref().map(|nat| nat.usage())
    }

    /// Brings a packet for a pool address to the inside endpoint that it is for, and tells its mapping; none where it is
    /// for no pool address. What nobody inside asked for is dropped.
    pub(super) fn bring_inside(&self, info: &mut PacketInfo) -> Result<Option<MappingId>, DropReason> {
        let Some(nat) = &self.nat else { return Ok(None) };
        let (source, destination) = info.addresses();
        if nat.is_pool_address(source) {
            return Err(DropReason::BadAddress);
        }
        if !nat.is_pool_address(destination) {
            return Ok(None);
        }
        let id = match &info.transport {
            Transport::Error(None) => return Err(DropReason::IcmpUnknownFlow),
            Transport::Error(Some(quoted)) => {
                mapping(nat, Kind::of(quoted.key.protocol()), quoted.key.end(quoted.sender))
            }
            Transport::Query { reply: false, .. } | Transport::Other => None,
            _ => mapping(nat, Kind::of(info.key.protocol()), info.key.end(info.sender.other())),
        };
        let id = id.filter(|id| nat.inside(*id).realm == info.key.realm()).ok_or(DropReason::NatUnsolicited)?;
        let inside = nat.inside(id);
        let ours = Endpoint { address: Address::v4(inside.address), port: inside.port };
        if let Transport::Error(Some(quoted)) = &mut info.transport {
            let theirs = quoted.key.end(quoted.sender.other());
            let (key, sender) = FlowKey::of(ours, theirs, quoted.key.protocol(), quoted.key.realm());
            *quoted = Quoted { key, sender };
        }
        let has_port = !matches!(info.transport, Transport::Error(_));
        let receiver = Endpoint { port: if has_port { inside.port } else { 0 }, ..ours };
        let (key, sender) = (info.key, info.key.end(info.sender));
        (info.key, info.sender) = FlowKey::of(sender, receiver, key.protocol(), key.realm());
        Ok(Some(id))
    }

    /// Whether a packet comes by the endpoint that its session shows to the other side: what answers a translated session
    /// comes to its mapping, and nothing else does.
    pub(super) fn check_translation(&self, packet: &Packet<'_>, slot: Slot) -> Result<(), DropReason> {
        let Some(nat) = &self.nat else { return Ok(()) };
        let expected = match self.direction(packet.info, slot) {
            Direction::ToServer => None,
            Direction::ToClient => nat.binding(slot.index()),
        };
        if packet.mapping == expected { Ok(()) } else { Err(DropReason::NatUnsolicited) }
    }

    /// The mapping of a new session whose client is at this end, where the rule that lets it through translates.
    /// [`Pipeline::tie`] must follow.
    pub(super) fn map(
        &mut self,
        packet: &Packet<'_>,
        client: End,
        rule: RuleId,
    ) -> Result<Option<MappingId>, DropReason> {
        let Some(inside) = self.to_translate(packet, client, rule)? else { return Ok(None) };
        let Some(nat) = &mut self.nat else { return Ok(None) };
        nat.bind(inside).map(Some).map_err(|refusal| match refusal {
            Refusal::Exhausted => DropReason::NatExhausted,
            Refusal::Limit => DropReason::NatHostLimit,
        })
    }

    /// What of a new session is to be translated, and to which pool, where the rule that lets it through says so.
    pub(super) fn to_translate(
        &self,
        packet: &Packet<'_>,
        client: End,
        rule: RuleId,
    ) -> Result<Option<Inside>, DropReason> {
        let info = packet.info;
        if self.nat.is_none() {
            return Ok(None);
        }
        let source = info.key.end(client);
        let Some(pool) = self.policy.source_nat(rule).filter(|_| source.address.is_v4()) else { return Ok(None) };
        // Somebody outside calls a client by its inside address.
        if client != info.sender {
            return Err(DropReason::NatUnsolicited);
        }
        let kind = Kind::of(info.key.protocol()).filter(|_| is_translatable(&info.transport));
        let kind = kind.ok_or(DropReason::NatProtocol)?;
        let [.., a, b, c, d] = source.address.0;
        let inside = Inside { address: [a, b, c, d], port: source.port, kind, pool, realm: info.key.realm() };
        Ok(Some(inside))
    }

    /// Ties a mapping to the entry of its session, or gives it back where there is none.
    pub(super) fn tie(
        &mut self,
        now: Nanos,
        entered: Result<Slot, DropReason>,
        id: Option<MappingId>,
    ) -> Result<Slot, DropReason> {
        if let Some((nat, id)) = self.nat.as_mut().zip(id) {
            match entered {
                Ok(slot) => {
                    nat.attach(slot.index(), id);
                    self.table.record_mut(slot).set_translated();
                    self.counters.add(Counter::SessionsTranslated, 1);
                }
                Err(_) => nat.refuse(now, id),
            }
        }
        entered
    }

    /// Gives the mapping of an entry back whose first packet was refused after all, if it was made for that.
    pub(super) fn untie_refused(&mut self, now: Nanos, slot: Slot) {
        if let Some(nat) = &mut self.nat {
            nat.refuse_attached(now, slot.index());
        }
    }

    /// Lets go of the mapping of an entry that leaves the table.
    pub(super) fn untie(&mut self, now: Nanos, slot: Slot) {
        if let Some(nat) = &mut self.nat {
            nat.detach(now, slot.index());
        }
    }

    /// Whether a session's mapping is what the rule that applies now asks for.
    pub(super) fn keeps_translation(&self, slot: Slot, rule: RuleId) -> bool {
        let Some(nat) = &self.nat else { return true };
        let wanted = self.policy.source_nat(rule).filter(|_| self.table.record(slot).is_v4());
        nat.binding(slot.index()).map(|id| nat.pool(id)) == wanted
    }

    /// What the client's end of a session is outside, where that is another.
    pub(super) fn translation(&self, slot: Slot) -> Option<Translation> {
        let nat = self.nat.as_ref()?;
        nat.binding(slot.index()).map(|id| nat.outside(id))
    }

    /// Where the sender of a packet for a pool address sent it.
    pub(super) fn outside_of(&self, packet: &Packet<'_>) -> Option<Translation> {
        Some(self.nat.as_ref()?.outside(packet.mapping?))
    }

    /// Which way a packet of an entry goes. An ICMP error goes the other way than what it quotes.
    pub(super) fn direction(&self, info: &PacketInfo, slot: Slot) -> Direction {
        let client = self.table.record(slot).client();
        let sender = match &info.transport {
            Transport::Error(Some(quoted)) => quoted.sender.other(),
            _ => info.sender,
        };
        sender.direction(client)
    }

    /// Rewrites a packet that is let through, where its session is translated; gives what makes it again what it was.
    pub(super) fn translate(&self, frame: &mut Frame<'_>, info: &PacketInfo, slot: Slot) -> Option<Reversal> {
        let (rewrite, back, payload) = self.rewriting(info, slot)?;
        let (network, transport) = (usize::from(info.link.offset), usize::from(info.transport_offset));
        let layout = Layout { network, transport, payload };
        rewrite.apply(frame.bytes, layout);
        frame.edited = true;
        Some(Reversal { rewrite: back, layout })
    }

    /// What is to be rewritten in a packet of an entry, how it is undone, and what follows its IP header.
    pub(super) fn rewriting(&self, info: &PacketInfo, slot: Slot) -> Option<(Rewrite, Rewrite, Payload)> {
        let nat = self.nat.as_ref()?;
        let id = nat.binding(slot.index())?;
        let (inside, outside) = (nat.inside(id), nat.outside(id));
        let inside = Translation { address: inside.address, port: inside.port };
        let (end, to, back) = match self.direction(info, slot) {
            Direction::ToServer => (nat::End::Source, outside, inside),
            Direction::ToClient => (nat::End::Destination, inside, outside),
        };
        let payload = match &info.transport {
            Transport::Other => Payload::None,
            Transport::Tcp(_) => Payload::Tcp,
            Transport::Udp => Payload::Udp,
            Transport::Query { .. } => Payload::Query,
            Transport::Error(_) => Payload::Error,
        };
        Some((Rewrite { end, to }, Rewrite { end, to: back }, payload))
    }
}

/// The mapping of an outside endpoint.
fn mapping(nat: &nat::Nat, kind: Option<Kind>, outside: Endpoint) -> Option<MappingId> {
    match nat.inward(kind, outside) {
        Inward::To(id) => Some(id),
        Inward::NotOurs | Inward::Unknown => None,
    }
}

/// Whether a packet has a port, or an identifier, that can be another. Of ICMP those are the queries with a reply.
fn is_translatable(transport: &Transport) -> bool {
    match transport {
        Transport::Tcp(_) | Transport::Udp => true,
        Transport::Query { kind, .. } => matches!(kind, 8 | 13 | 15 | 17 | 37 | 42),
        Transport::Error(_) | Transport::Other => false,
    }
}
