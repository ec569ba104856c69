//! DHCP for IPv4 (RFC 2131, RFC 2132), a message at a time.
//!
//! What a client asks and what it is answered are different flows (from no address to all, from the server to the client), which
//! may meet different workers. So nothing is kept here: each message is told as it is, and control joins those that have VLANs,
//! client and transaction in common.
//!
//! | message | event | IPv4 address of it |
//! |---|---|---|
//! | DISCOVER, REQUEST, INFORM | `Hint`, `cause` says which | what the client has already (ciaddr) |
//! | ACK that leases an address | `Login`; `Seen` where it says that the client had the address. A REQUEST knows better: servers copy | the leased one |
//! | NAK | `Result`, for control to believe if it answers a REQUEST | none |
//! | RELEASE, DECLINE | `Logout` | the one given back |
//!
//! OFFER promises nothing yet, BOOTP leases nothing, FORCERENEW and lease queries (RFC 4388, RFC 6926) are between servers and
//! relays: nothing of them is told.

mod options;
#[cfg(test)]
mod tests;

use self::options::Options;
use super::{AccessEvent, AccessKind, AccessSettings, Found, ResultCode, Sight, Source, Tally, Text, session};
use crate::endpoint::{Address, Mac};
use crate::wire::be32;

const COOKIE: usize = 236;
/// Where the fields of a message stand (RFC 2131, 2).
const XID: usize = 4;
const CIADDR: usize = 12;
const YIADDR: usize = 16;
const GIADDR: usize = 24;
const CHADDR: usize = 28;

const BOOTREQUEST: u8 = 1;
const BOOTREPLY: u8 = 2;

/// Types of messages (RFC 2132, 9.6), as [`AccessEvent::cause`] has them.
pub const DISCOVER: u8 = 1;
/// The client asks for an address, or for more time.
pub const REQUEST: u8 = 3;
/// The address is in use by another.
pub const DECLINE: u8 = 4;
/// It is the client's.
pub const ACK: u8 = 5;
/// It is not.
pub const NAK: u8 = 6;
/// The client gives it back.
pub const RELEASE: u8 = 7;
/// The client has an address, and asks for the rest.
pub const INFORM: u8 = 8;

/// Sub-options of relays (RFC 3046, 2.0; RFC 3993).
const CIRCUIT_ID: u8 = 1;
const REMOTE_ID: u8 = 2;
const SUBSCRIBER_ID: u8 = 6;

/// Whether octets are DHCP's: the magic cookie is where it must be, in a request or a reply.
pub fn resembles(payload: &[u8]) -> bool {
    payload.get(COOKIE..COOKIE + 4) == Some(&[99, 130, 83, 99])
        && matches!(payload.first(), Some(&(BOOTREQUEST | BOOTREPLY)))
}

/// Tells what a message says. One within PPPoE leases nothing: PPP has its own way (RFC 1332).
pub fn read(settings: &AccessSettings, at: &Sight, payload: &[u8], tally: &mut Tally, found: &mut Found) {
    if !settings.has(Source::Dhcp) || at.pppoe.is_some() {
        return;
    }
    tally.dhcp_messages += 1;
    let Some(message) = Message::read(payload) else {
        tally.malformed += 1;
        return;
    };
    if !message.is_request && !is_listed(settings, at.source.address) {
        tally.dhcp_unlisted += 1;
        return;
    }
    match message.event(settings, at) {
        Ok(event) => found.extend(event.into_iter().take(found.remaining_capacity())),
        Err(Malformed) => tally.malformed += 1,
    }
}

fn is_listed(settings: &AccessSettings, address: Address) -> bool {
    let servers = &settings.dhcp_servers;
    servers.is_empty() || servers.iter().any(|server| Address::v4(server.octets()) == address)
}

/// A message contradicts itself.
struct Malformed;

/// What is of interest in a message.
struct Message {
    is_request: bool,
    xid: u32,
    /// Addresses, where they are not 0: what the client has, what it gets, of the relay.
    ciaddr: Option<[u8; 4]>,
    yiaddr: Option<[u8; 4]>,
    giaddr: Option<[u8; 4]>,
    /// Where the link has addresses of six octets, as Ethernet and Wi-Fi.
    mac: Option<Mac>,
    options: Options,
}

impl Message {
    fn read(payload: &[u8]) -> Option<Self> {
        let &[op, _, hlen, ..] = payload else { return None };
        if hlen > 16 {
            return None;
        }
        let chaddr = Mac(*payload.get(CHADDR..)?.first_chunk()?);
        Some(Self {
            is_request: op == BOOTREQUEST,
            xid: be32(payload, XID)?,
            ciaddr: address(payload, CIADDR),
            yiaddr: address(payload, YIADDR),
            giaddr: address(payload, GIADDR),
            mac: (hlen == 6 && chaddr.is_unicast()).then_some(chaddr),
            options: Options::read(payload)?,
        })
    }

    fn event(&self, settings: &AccessSettings, at: &Sight) -> Result<Option<AccessEvent>, Malformed> {
        let options = &self.options;
        let (kind, ipv4, lifetime) = match (options.kind(), self.is_request) {
            (DISCOVER | REQUEST | INFORM, true) => (AccessKind::Hint, self.ciaddr, None),
            (ACK, false) => match (self.yiaddr, options.lease()) {
                (Some(leased), Some(seconds)) if is_host(leased) && seconds > 0 => {
                    let has_it = self.ciaddr == Some(leased);
                    let kind = if has_it { AccessKind::Seen } else { AccessKind::Login { more: false } };
                    (kind, Some(leased), Some(seconds))
                }
                (Some(_), Some(_)) => return Err(Malformed),
                // The answer to INFORM.
                _ => return Ok(None),
            },
            (NAK, false) => (AccessKind::Result { success: false }, None, None),
            (RELEASE, true) => (AccessKind::Logout, self.ciaddr, None),
            (DECLINE, true) => (AccessKind::Logout, options.requested, None),
            (DISCOVER | REQUEST | INFORM | RELEASE | DECLINE, false) | (ACK | NAK, true) => return Err(Malformed),
            _ => return Ok(None),
        };
        let mut event = AccessEvent {
            session: self.session(settings, at)?,
            transaction: u64::from(self.xid),
            mac: self.mac,
            ipv4,
            lifetime,
            nas: self.giaddr.map(Address::v4),
            cause: u16::from(options.kind()),
            code: if options.kind() == NAK { ResultCode::Nak } else { ResultCode::None },
            ..at.event(kind, Source::Dhcp)
        };
        // Behind a router the frame is the router's, and the VLANs are not the client's.
        event.is_local = if self.is_request {
            self.mac == Some(at.macs.0)
        } else {
            event.ends = (event.ends.1, event.ends.0);
            event.ports = (event.ports.1, event.ports.0);
            self.mac == Some(at.macs.1) || at.macs.1 == Mac::BROADCAST
        };
        let texts = [
            (Text::HostName, &options.host_name[..]),
            (Text::ClientId, &options.client_id[..]),
            (Text::CircuitId, options.agent(CIRCUIT_ID)),
            (Text::RemoteId, options.agent(REMOTE_ID)),
            (Text::SubscriberId, options.agent(SUBSCRIBER_ID)),
            (Text::Message, &options.message[..]),
        ];
        texts.into_iter().filter(|(_, text)| !text.is_empty()).for_each(|(which, text)| event.texts.push(which, text));
        Ok(Some(event))
    }

    /// A client has one lease in its VLANs. The relay is no part of its name: renewal and release go around it.
    fn session(&self, settings: &AccessSettings, at: &Sight) -> Result<u64, Malformed> {
        let vlans = [at.realm.svlan().to_be_bytes(), at.realm.cvlan().to_be_bytes()];
        let client = match &self.mac {
            Some(mac) => &mac.0[..],
            None if self.options.client_id.is_empty() => return Err(Malformed),
            None => &self.options.client_id,
        };
        Ok(session(settings.seed, Source::Dhcp, &[vlans.as_flattened(), client]))
    }
}

/// An address that is said: not 0.0.0.0.
fn address(payload: &[u8], at: usize) -> Option<[u8; 4]> {
    be32(payload, at).filter(|address| *address != 0).map(u32::to_be_bytes)
}

/// Whether a host can have an address: not of this network, the host itself, a group or all.
const fn is_host([first, ..]: [u8; 4]) -> bool {
    !matches!(first, 0 | 127 | 224..)
}
