//! Who of a new flow's ends is the client, when its first packet need not be the first that was ever sent.

use super::judgement::refusal;
use super::{Midstream, Packet, Pipeline};
use crate::flow::{End, Flags, Record};
use crate::packet::Transport;
use crate::policy::Application;
use crate::verdict::DropReason;
use crate::wire::tcp::{ACK, RST, SYN};

/// Ports below are services' (RFC 6335, 6).
const FIRST_USER_PORT: u16 = 1024;

impl Pipeline {
    /// The client's end of a new flow. `Err` where its packet cannot open one.
    pub(super) fn client_of_first(&self, packet: &Packet<'_>) -> Result<End, DropReason> {
        let client = self.likely_client(packet)?;
        let sender = packet.info.sender;
        let is_answer = client != sender && self.is_permitted(packet, client) && self.may_answer_first(packet);
        Ok(if is_answer { client } else { sender })
    }

    /// Whose end of the key the client's most likely is.
    fn likely_client(&self, packet: &Packet<'_>) -> Result<End, DropReason> {
        let info = packet.info;
        let (sender, receiver) = (info.sender, info.sender.other());
        match &info.transport {
            Transport::Tcp(segment) => match segment.flags & (SYN | ACK | RST) {
                SYN => Ok(sender),
                _ if segment.flags & RST != 0 || self.settings.midstream == Midstream::Drop => {
                    Err(DropReason::TcpNotSyn)
                }
                flags if flags & SYN != 0 => Ok(receiver),
                _ => Ok(self.client_by_port(packet)),
            },
            Transport::Query { reply: true, .. } => Err(DropReason::IcmpUnknownFlow),
            Transport::Query { .. } | Transport::Error(_) => Ok(sender),
            Transport::Udp | Transport::Other => Ok(self.client_by_port(packet)),
        }
    }

    /// The end whose port is not a server's: by the signatures' hints, then by the well-known range; the sender where
    /// neither tells.
    fn client_by_port(&self, packet: &Packet<'_>) -> End {
        let info = packet.info;
        let (sender, receiver) = (info.key.end(info.sender).port, info.key.end(info.sender.other()).port);
        let number = info.key.protocol();
        let is_hinted = |port| self.inspector.is_server_port(number, port);
        let is_low = |port| port != 0 && port < FIRST_USER_PORT;
        let sender_serves = match (is_hinted(sender), is_hinted(receiver)) {
            (true, false) => true,
            (false, true) => false,
            _ => is_low(sender) && !is_low(receiver),
        };
        if sender_serves { info.sender.other() } else { info.sender }
    }

    /// A new record of a packet's flow, `client` being the client's end.
    pub(super) fn record(&self, packet: &Packet<'_>, client: End) -> Record {
        let mut record = Record::new(&packet.info.key, client);
        let client_is_here = packet.info.sender == client;
        let client_on_second = self.wires.is_second(packet.frame.port) == client_is_here;
        record.set(Flags::CLIENT_ON_SECOND, client_on_second);
        record
    }

    /// Whether a first packet may be taken for an answer, and its flow judged by the question's direction. Just after the
    /// start it may, as long as the other side could wait for it: sessions survive a restart. Later the question would
    /// have been seen, and a port that looks like a server's proves nothing: the policy has to permit the packet's own
    /// direction too.
    fn may_answer_first(&self, packet: &Packet<'_>) -> bool {
        let timeouts = &self.settings.timeouts;
        let patience = match packet.info.transport {
            Transport::Tcp(_) => timeouts.tcp_established,
            _ => timeouts.udp_stream,
        };
        let picks_up = self.settings.midstream == Midstream::Permit;
        if picks_up && self.started.is_none_or(|started| packet.now.since(started) < patience) {
            return true;
        }
        self.is_permitted(packet, packet.info.sender)
    }

    /// Whether the policy lets a first packet's flow through, if its client is at this end.
    fn is_permitted(&self, packet: &Packet<'_>, client: End) -> bool {
        let record = self.record(packet, client);
        let ports = self.packet_ports(packet, client);
        refusal(&self.policy.decide(&self.query(&packet.info.key, &record, ports, Application::Undecided))).is_none()
    }
}
