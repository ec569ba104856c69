//! DHCP for IPv6 (RFC 8415), a message at a time.
//!
//! As with IPv4 question and answer may meet different workers, so nothing is kept here. Most often it gives addresses to a user
//! who signed on otherwise, by PPPoE or with an IPv4 lease: what is leased is an `Update` of that user, whom control finds by the
//! PPPoE session or by VLANs and MAC address. Only where DHCPv6 is a source of its own does it sign on: then the events are
//! those of IPv4, a `Hint` before them. What is given back, or ends, is a `Logout` either way, of that address and prefix.

mod options;
#[cfg(test)]
mod tests;

use arrayvec::ArrayVec;

use self::options::{
    CLIENT_ID, FQDN, INTERFACE_ID, LINK_LAYER, Leased, Malformed, Options, RELAYED, REMOTE_ID, SUBSCRIBER_ID,
};
use super::{
    AccessEvent, AccessKind, AccessSettings, Assigned, DHCPV6_CLIENT, DHCPV6_SERVER, Found, Sight, Source, Tally, Text,
    session,
};
use crate::endpoint::{Address, Mac};
use crate::wire::{be16, be32};

/// Types of messages (RFC 8415, 7.3), as [`AccessEvent::cause`] has them.
pub const SOLICIT: u8 = 1;
/// The client takes what was offered.
pub const REQUEST: u8 = 3;
/// The client asks its server for more time.
pub const RENEW: u8 = 5;
/// The client asks any server for more time.
pub const REBIND: u8 = 6;
/// The answer.
pub const REPLY: u8 = 7;
/// The client gives back what it has.
pub const RELEASE: u8 = 8;
/// Another has the address.
pub const DECLINE: u8 = 9;

const ADVERTISE: u8 = 2;
const RELAY_FORWARD: u8 = 12;
const RELAY_REPLY: u8 = 13;
/// Octets before the options of a relay's message, and of others.
const RELAY_HEADER: usize = 34;
const HEADER: usize = 4;
/// Relays one behind the other (RFC 8415, 7.6, HOP_COUNT_LIMIT).
const MOST_RELAYS: usize = 8;
/// Octets that are looked at.
const MOST: usize = 4096;

/// Whether a datagram is DHCPv6's, which has no mark of its own: by its ports.
pub fn resembles(at: &Sight, _payload: &[u8]) -> bool {
    let is_one = |port| port == DHCPV6_CLIENT || port == DHCPV6_SERVER;
    is_one(at.source.port) && is_one(at.destination.port)
}

/// Tells what a message says.
pub fn read(settings: &AccessSettings, at: &Sight, payload: &[u8], tally: &mut Tally, found: &mut Found) {
    if ![Source::Dhcp, Source::Pppoe, Source::Dhcpv6].into_iter().any(|source| settings.has(source)) {
        return;
    }
    tally.dhcpv6_messages += 1;
    let payload = &payload[..payload.len().min(MOST)];
    match Message::read(payload).and_then(|message| message.event(settings, at)) {
        Ok(event) => found.extend(event.into_iter().take(found.remaining_capacity())),
        Err(Malformed) => tally.malformed += 1,
    }
}

/// What the relay that is nearest to the client says of it.
#[derive(Clone, Copy, Debug, Default)]
struct Relay<'a> {
    link: Option<[u8; 16]>,
    interface: &'a [u8],
    remote: &'a [u8],
    subscriber: &'a [u8],
    mac: Option<Mac>,
}

/// What is of interest in a message.
#[derive(Debug)]
struct Message<'a> {
    kind: u8,
    xid: u32,
    relay: Option<Relay<'a>>,
    client: &'a [u8],
    leased: Leased,
    host_name: ArrayVec<u8, 255>,
}

impl<'a> Message<'a> {
    fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let (mut payload, mut relay) = (payload, None);
        for _ in 0..MOST_RELAYS {
            if !matches!(payload.first(), Some(&(RELAY_FORWARD | RELAY_REPLY))) {
                break;
            }
            let (near, inner) = Relay::read(payload)?;
            relay = Some(near);
            payload = inner;
        }
        let kind = *payload.first().filter(|kind| !matches!(**kind, RELAY_FORWARD | RELAY_REPLY)).ok_or(Malformed)?;
        let mut message = Self {
            kind,
            xid: be32(payload, 0).ok_or(Malformed)? & 0x00ff_ffff,
            relay,
            client: &[],
            leased: Leased::default(),
            host_name: ArrayVec::new(),
        };
        let options = Options::new(payload.get(HEADER..).unwrap_or_default());
        let is_success = options.is_success()?;
        for option in options {
            match option? {
                (CLIENT_ID, id) => message.client = id,
                (FQDN, name) => name_of(name.get(1..).unwrap_or_default(), &mut message.host_name),
                (code, value) if is_success => message.leased.read(code, value)?,
                _ => {}
            }
        }
        message.leased.forget_ended();
        Ok(message)
    }

    fn event(&self, settings: &AccessSettings, at: &Sight) -> Result<Option<AccessEvent>, Malformed> {
        // Within PPPoE it serves who signed on there.
        let in_session = at.pppoe.filter(|_| settings.has(Source::Pppoe));
        let signs_on = settings.has(Source::Dhcpv6) && in_session.is_none();
        let is_reply = matches!(self.kind, ADVERTISE | REPLY);
        let Leased { address, prefix } = self.leased;
        let is_any = address.is_some() || prefix.is_some();
        let kind = match self.kind {
            SOLICIT | REQUEST | RENEW | REBIND if signs_on => AccessKind::Hint,
            REPLY if !is_any => return Ok(None),
            REPLY if signs_on && self.leased.is_valid() => AccessKind::Login { more: false },
            REPLY if self.leased.is_valid() => AccessKind::Update,
            REPLY | RELEASE | DECLINE if is_any => AccessKind::Logout,
            _ => return Ok(None),
        };
        let mac = self.mac(at, is_reply);
        let mut event = AccessEvent {
            session: match in_session {
                Some(id) => at.pppoe_session(settings.seed, id),
                None => self.session(settings, at, mac)?,
            },
            transaction: u64::from(self.xid),
            mac,
            ipv6: address.map(|(address, _)| address),
            prefix: prefix.map(|(prefix, bits, _)| (prefix, bits)),
            assigned: if address.is_some() { Assigned::Dhcpv6 } else { Assigned::Delegated },
            nas: self.relay.and_then(|relay| relay.link).map(Address),
            cause: u16::from(self.kind),
            ..at.event(kind, Source::Dhcpv6)
        };
        match kind {
            // What a client would like to have it has only where it renews.
            AccessKind::Hint if matches!(self.kind, SOLICIT | REQUEST) => (event.ipv6, event.prefix) = (None, None),
            AccessKind::Hint | AccessKind::Logout => {}
            _ => {
                let seconds = [address.map(|(_, seconds)| seconds), prefix.map(|(.., seconds)| seconds)];
                event.lifetime = seconds.into_iter().flatten().max();
            }
        }
        if is_reply {
            event.ends = (event.ends.1, event.ends.0);
            event.ports = (event.ports.1, event.ports.0);
        }
        let near = if is_reply { at.macs.1 } else { at.macs.0 };
        event.is_local = in_session.is_some() || mac == Some(near);
        let relay = self.relay.unwrap_or_default();
        let texts = [
            (Text::HostName, &self.host_name[..]),
            (Text::ClientId, self.client),
            (Text::CircuitId, relay.interface),
            (Text::RemoteId, relay.remote),
            (Text::SubscriberId, relay.subscriber),
        ];
        texts.into_iter().filter(|(_, text)| !text.is_empty()).for_each(|(which, text)| event.texts.push(which, text));
        Ok(Some(event))
    }

    /// Of a client on the link the frame's, as it is that of its IPv4 lease too; else as the relay says, or its identifier,
    /// which may be that of another interface of the host.
    fn mac(&self, at: &Sight, is_reply: bool) -> Option<Mac> {
        let (client, mac) = if is_reply { (at.destination, at.macs.1) } else { (at.source, at.macs.0) };
        let is_link_local = matches!(client.address.0, [0xfe, 0x80..0xc0, ..]);
        match self.relay {
            None if is_link_local && mac.is_unicast() => Some(mac),
            None => mac_of(self.client),
            Some(relay) => relay.mac.or_else(|| mac_of(self.client)),
        }
    }

    fn session(&self, settings: &AccessSettings, at: &Sight, mac: Option<Mac>) -> Result<u64, Malformed> {
        let vlans = [at.realm.svlan().to_be_bytes(), at.realm.cvlan().to_be_bytes()];
        let client = match &mac {
            _ if !self.client.is_empty() => self.client,
            Some(mac) => &mac.0[..],
            None => return Err(Malformed),
        };
        Ok(session(settings.seed, Source::Dhcpv6, &[vlans.as_flattened(), client]))
    }
}

impl<'a> Relay<'a> {
    /// What a relay's message says, and the message in it.
    fn read(payload: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let link: [u8; 16] = *payload.get(2..).and_then(<[u8]>::first_chunk).ok_or(Malformed)?;
        let mut relay = Self { link: Some(link).filter(|link| *link != [0; 16]), ..Self::default() };
        let mut inner = None;
        for option in Options::new(payload.get(RELAY_HEADER..).ok_or(Malformed)?) {
            match option? {
                (RELAYED, message) => inner = Some(message),
                (INTERFACE_ID, id) => relay.interface = id,
                // Before the identifier stands whose it is.
                (REMOTE_ID, id) => relay.remote = id.get(4..).unwrap_or_default(),
                (SUBSCRIBER_ID, id) => relay.subscriber = id,
                (LINK_LAYER, address) if be16(address, 0) == Some(1) => {
                    relay.mac =
                        address.get(2..).and_then(|mac| Some(Mac(mac.try_into().ok()?))).filter(|mac| mac.is_unicast());
                }
                _ => {}
            }
        }
        Ok((relay, inner.ok_or(Malformed)?))
    }
}

/// The MAC address in a DUID that is made of one (RFC 8415, 11.2 and 11.4).
fn mac_of(duid: &[u8]) -> Option<Mac> {
    let mac = match (be16(duid, 0)?, be16(duid, 2)?) {
        (1, 1) => duid.get(8..)?,
        (3, 1) => duid.get(4..)?,
        _ => return None,
    };
    Some(Mac(mac.try_into().ok()?)).filter(|mac| mac.is_unicast())
}

/// A domain name, its labels with dots between them (RFC 4704, 4.2); as far as it is one.
fn name_of(mut labels: &[u8], name: &mut ArrayVec<u8, 255>) {
    name.clear();
    while let Some((&length @ 1..64, rest)) = labels.split_first() {
        let Some((label, rest)) = rest.split_at_checked(usize::from(length)) else { return };
        if name.remaining_capacity() < label.len() + 1 {
            return;
        }
        name.extend((!name.is_empty()).then_some(b'.'));
        name.extend(label.iter().copied());
        labels = rest;
    }
}
