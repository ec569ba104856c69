//! How a PPP session begins: who asks to be let in, the answer, and the addresses that both ends agree on.

use std::time::Duration;

use arrayvec::ArrayVec;

use super::eap;
use super::ppp::{CONFIGURE_ACK, CONFIGURE_REQUEST, Control, INTERFACE_IDENTIFIER, IP_ADDRESS, TERMINATE_REQUEST};
use crate::endpoint::Mac;
use crate::time::Nanos;

/// Octets of a name that are kept, and one more, by which it is known to be cut.
const NAME: usize = 256;
/// Octets of other texts that are kept, and one more.
const TEXT: usize = 65;
/// Another refusal of the same name within that time is the first one's repetition.
const REPETITION: Duration = Duration::from_secs(1);

/// How far a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// There is none; a free place.
    #[default]
    Free,
    /// A host asked for one (PADR).
    Asked,
    /// It has a number.
    Open,
    /// Its user is signed on.
    Online,
    /// It ended.
    Closed,
}

/// An end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who signs on.
    Host,
    /// The access concentrator.
    Concentrator,
}

/// A protocol of the network layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPCP.
    V4,
    /// IPv6CP.
    V6,
}

/// What one side asked for last, and whether the other agreed.
#[derive(Clone, Copy, Debug, Default)]
struct Offer {
    /// Id and a checksum of the options; none before the first.
    request: Option<(u8, u32)>,
    /// The address: four octets, or the interface identifier.
    address: [u8; 8],
    is_agreed: bool,
}

/// The negotiation of one network protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    host: Offer,
    concentrator: Offer,
    /// One side does not speak it.
    is_rejected: bool,
    /// The host's address that was told.
    told: Option<[u8; 8]>,
}

/// By what a user shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// PAP.
    Pap,
    /// CHAP.
    Chap,
    /// EAP.
    Eap,
}

/// What a concentrator says of who a user is.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// By what.
    pub method: Method,
    /// Which question it answers.
    pub id: u8,
    /// Whether the user is let in.
    pub success: bool,
}

impl Verdict {
    /// Whether it answers a question.
    fn is_of(self, method: Method, id: u8) -> bool {
        let is_answer = if method == Method::Eap { eap::is_answer(self.id, id) } else { self.id == id };
        self.method == method && is_answer
    }
}

/// The beginning of one session.
#[derive(Clone, Debug, Default)]
pub struct Negotiation {
    /// The session's number; 0 before it has an id.
    pub session: u64,
    /// The number of the two ends.
    pub pair: u64,
    /// PPPoE's id of it.
    pub id: u16,
    /// When something was last heard of it.
    pub touched: Nanos,
    /// How far it is.
    pub phase: Phase,
    /// Who signs on.
    pub host: Mac,
    /// Name of the user.
    pub name: ArrayVec<u8, NAME>,
    /// The access node's name for the line.
    pub circuit: ArrayVec<u8, TEXT>,
    /// And for the subscriber.
    pub remote: ArrayVec<u8, TEXT>,
    /// The access concentrator's name.
    pub concentrator: ArrayVec<u8, TEXT>,
    /// IPv4.
    pub v4: Network,
    /// IPv6.
    pub v6: Network,
    /// Questions that wait for the verdict.
    asked: Option<(Method, ArrayVec<u8, 3>)>,
    is_granted: bool,
    /// When the name was refused last.
    refused: Option<Nanos>,
}

impl Negotiation {
    /// Which end a MAC address is.
    pub fn side(&self, mac: Mac) -> Side {
        if mac == self.host { Side::Host } else { Side::Concentrator }
    }

    /// The host says who it is: by a name, or by another step of the same question.
    pub fn ask(&mut self, method: Method, id: u8, name: Option<&[u8]>) {
        if self.phase == Phase::Closed {
            // The link begins anew in the same session.
            self.phase = Phase::Open;
            (self.is_granted, self.refused, self.v4, self.v6) = Default::default();
        }
        let is_same_name = name.is_none_or(|name| kept::<NAME>(name) == self.name);
        if !is_same_name {
            (self.is_granted, self.refused) = (false, None);
            self.name = kept(name.unwrap_or_default());
        }
        match &mut self.asked {
            Some((asked, ids)) if *asked == method && is_same_name => {
                if ids.contains(&id) {
                    return;
                }
                if ids.is_full() {
                    ids.remove(0);
                }
                ids.push(id);
            }
            _ => self.asked = Some((method, [id].into_iter().collect())),
        }
    }

    /// The concentrator's verdict. Whether it says something new: of a session one success, of a question one refusal.
    pub fn decide(&mut self, now: Nanos, verdict: Verdict) -> bool {
        if !self.asked.as_ref().is_some_and(|(method, ids)| ids.iter().any(|id| verdict.is_of(*method, *id))) {
            return false;
        }
        self.asked = None;
        if verdict.success {
            return !std::mem::replace(&mut self.is_granted, true);
        }
        self.is_granted = false;
        let last = self.refused.replace(now);
        last.is_none_or(|last| now.since(last) > REPETITION)
    }

    /// A packet of a network protocol. Whether the protocol is open, and what the host has by it was not told yet.
    pub fn configure(&mut self, family: Family, side: Side, packet: &Control<'_>) -> bool {
        // Who is refused does not get on the network, whatever is said.
        if self.refused.is_some() && !self.is_granted {
            return false;
        }
        self.network_mut(family).take(family, side, packet) && self.is_up(family)
    }

    /// A packet of the network protocol passes, from or to `address`. Whether that opens it: an agreement was not seen, but
    /// what is agreed on is used.
    pub fn use_address(&mut self, family: Family, side: Side, address: [u8; 8]) -> bool {
        if self.refused.is_some() && !self.is_granted || !matches!(self.phase, Phase::Open | Phase::Online) {
            return false;
        }
        let network = self.network_mut(family);
        let is_its = address != [0; 8] && network.host.request.is_some() && network.host.address == address;
        // The host could say that it has any address; that the other side agrees, or sends to it, it cannot.
        if !is_its || side == Side::Host && !network.host.is_agreed || network.told == Some(address) {
            return false;
        }
        network.host.is_agreed = true;
        network.concentrator.is_agreed = true;
        true
    }

    /// One side does not speak a protocol. Whether it was waited for.
    pub fn reject(&mut self, family: Family) -> bool {
        let was_expected = self.is_expected(family);
        self.network_mut(family).is_rejected = true;
        was_expected
    }

    /// Whether a protocol is being negotiated.
    pub fn is_expected(&self, family: Family) -> bool {
        let network = self.network(family);
        let is_asked = network.host.request.is_some() || network.concentrator.request.is_some();
        is_asked && !network.is_rejected && network.told.is_none()
    }

    /// The host's address is told now. Whether another one was before.
    pub fn tell(&mut self, family: Family) -> bool {
        let network = self.network_mut(family);
        network.told.replace(network.host.address).is_some()
    }

    /// The host's IPv4 address, where IPv4 is open.
    pub fn ipv4(&self) -> Option<[u8; 4]> {
        let [a, b, c, d, ..] = self.v4.told?;
        ([a, b, c, d] != [0; 4]).then_some([a, b, c, d])
    }

    fn is_up(&self, family: Family) -> bool {
        let network = self.network(family);
        let agreed = network.host.is_agreed && network.concentrator.is_agreed;
        agreed && network.told != Some(network.host.address) && matches!(self.phase, Phase::Open | Phase::Online)
    }

    const fn network(&self, family: Family) -> &Network {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    const fn network_mut(&mut self, family: Family) -> &mut Network {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

impl Network {
    /// Takes a packet up. Whether it agreed to something.
    fn take(&mut self, family: Family, side: Side, packet: &Control<'_>) -> bool {
        let (own, others) = match side {
            Side::Host => (&mut self.host, &mut self.concentrator),
            Side::Concentrator => (&mut self.concentrator, &mut self.host),
        };
        let said = (packet.id, checksum(packet.data));
        match packet.code {
            CONFIGURE_REQUEST => {
                if own.request != Some(said) {
                    let which = if family == Family::V4 { IP_ADDRESS } else { INTERFACE_IDENTIFIER };
                    let length = if family == Family::V4 { 4 } else { 8 };
                    let mut address = [0; 8];
                    let value = packet.option(which).filter(|value| value.len() == length).unwrap_or_default();
                    address.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
                    *own = Offer { request: Some(said), address, is_agreed: false };
                }
                false
            }
            // What is agreed to is repeated as it was asked for (RFC 1661, 5.2).
            CONFIGURE_ACK if others.request == Some(said) => !std::mem::replace(&mut others.is_agreed, true),
            TERMINATE_REQUEST => {
                (self.host.is_agreed, self.concentrator.is_agreed) = (false, false);
                false
            }
            _ => false,
        }
    }
}

/// As much of a text as is kept.
pub fn kept<const MOST: usize>(text: &[u8]) -> ArrayVec<u8, MOST> {
    text.iter().copied().take(MOST).collect()
}

/// FNV-1a: only tells whether the other side repeated what it heard.
fn checksum(octets: &[u8]) -> u32 {
    octets.iter().fold(0x811c_9dc5, |sum, octet| (sum ^ u32::from(*octet)).wrapping_mul(0x0100_0193))
}
