//! Sign-ons of access users: RADIUS, PPPoE, 802.1X and DHCP as they cross the firewall.
//!
//! Requests and answers of RADIUS, PPPoE and 802.1X meet in one worker, which pairs them and tells what is certain. Those of
//! DHCP are different flows and may meet different workers: what each says is told, and control pairs them.

pub mod dhcp;
pub mod dhcpv6;
mod discovery;
mod eap;
mod eapol;
mod event;
mod leavers;
mod lives;
mod mac;
mod negotiation;
mod ppp;
mod pppoe;
pub mod radius;
mod session;
mod sessions;
mod settings;
mod tags;

use std::sync::Arc;

use arrayvec::ArrayVec;

use self::eapol::Dot1x;
pub use self::event::{AccessEvent, AccessKind, Assigned, ResultCode, Source, Text, Texts, Trust};
pub use self::leavers::Leavers;
pub use self::mac::parse_mac;
use self::pppoe::Pppoe;
use self::radius::Radius;
pub use self::session::session;
pub use self::settings::{AccessSettings, RadiusClient};
pub use self::tags::{TagPlace, UserTags};
use crate::endpoint::{Endpoint, Mac};
use crate::event::Volume;
use crate::flow::Realm;
use crate::time::Nanos;
use crate::wire::ethernet;

/// RADIUS requests and PPPoE negotiations that a worker keeps; of supplicants of 802.1X a quarter, of PPPoE sessions whose life
/// is followed 64 times as many.
pub const ROOM: usize = 4_096;

/// What one packet, or one turn, can make known.
pub type Found = ArrayVec<AccessEvent, 3>;

/// UDP port of DHCP servers and relays (RFC 2131, 4.1).
pub const DHCP_SERVER: u16 = 67;
/// UDP port of DHCP clients.
pub const DHCP_CLIENT: u16 = 68;
/// UDP port of DHCPv6 clients (RFC 8415, 7.2).
pub const DHCPV6_CLIENT: u16 = 546;
/// UDP port of DHCPv6 servers and relays.
pub const DHCPV6_SERVER: u16 = 547;

/// Where a packet was seen.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// Who sent it; unspecified where it is not IP.
    pub source: Endpoint,
    /// To whom.
    pub destination: Endpoint,
    /// The frame's source and destination.
    pub macs: (Mac, Mac),
    /// Wire and VLANs.
    pub realm: Realm,
    /// The port that it came in by, and the one that it leaves by.
    pub ports: (u16, u16),
    /// The PPPoE session that it was in.
    pub pppoe: Option<u16>,
}

impl Sight {
    /// One datagram of UDP with this payload, as volumes count it: octets from the IP header on, which has no options.
    pub fn volume(&self, payload: &[u8]) -> Volume {
        let headers = if self.source.address.is_v4() { 28 } else { 48 };
        Volume { packets: 1, octets: headers + payload.len() as u64 }
    }

    /// An event about the packet's sender.
    fn event(&self, kind: AccessKind, source: Source) -> AccessEvent {
        AccessEvent {
            svlan: self.realm.svlan(),
            cvlan: self.realm.cvlan(),
            ports: self.ports,
            ends: (self.source, self.destination),
            ..AccessEvent::new(kind, source)
        }
    }
}

/// How often what was seen, by what it was; read by the pipeline into its counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// RADIUS requests.
    pub radius_requests: u64,
    /// RADIUS answers to a request that was seen.
    pub radius_answers: u64,
    /// RADIUS answers without a request.
    pub radius_unmatched: u64,
    /// RADIUS messages with a wrong authenticator.
    pub radius_forged: u64,
    /// RADIUS messages that are not believed because nothing in them can be verified, or their client has no secret.
    pub radius_unverified: u64,
    /// RADIUS requests that gave way to others before they were answered.
    pub radius_evicted: u64,
    /// PPPoE discovery and PPP control packets.
    pub pppoe_control: u64,
    /// PPPoE sessions that gave way to others, and packets of sessions whose beginning was not seen.
    pub pppoe_lost: u64,
    /// EAPOL frames.
    pub eapol_frames: u64,
    /// Supplicants of 802.1X who were let in, or waited for their verdict, and gave way to others.
    pub eapol_lost: u64,
    /// DHCP messages.
    pub dhcp_messages: u64,
    /// DHCPv6 messages.
    pub dhcpv6_messages: u64,
    /// DHCP messages of servers that are not listed.
    pub dhcp_unlisted: u64,
    /// Messages that contradict themselves.
    pub malformed: u64,
}

/// What one worker knows of sign-ons that are under way.
#[derive(Debug)]
pub struct Access {
    settings: Arc<AccessSettings>,
    tally: Tally,
    radius: Radius,
    pppoe: Pppoe,
    dot1x: Dot1x,
}

impl Access {
    /// Takes all its memory now.
    pub fn new(settings: Arc<AccessSettings>) -> Self {
        Self::with_room(settings, ROOM)
    }

    /// The same with another [`ROOM`], so that what comes of too little can be tried with few packets.
    pub fn with_room(settings: Arc<AccessSettings>, room: usize) -> Self {
        Self {
            radius: Radius::new(room),
            pppoe: Pppoe::new(room),
            dot1x: Dot1x::new(room / 4),
            tally: Tally::default(),
            settings,
        }
    }

    /// Goes on with other settings; returns those that it had.
    pub fn set(&mut self, settings: Arc<AccessSettings>) -> Arc<AccessSettings> {
        std::mem::replace(&mut self.settings, settings)
    }

    /// The settings.
    pub fn settings(&self) -> &Arc<AccessSettings> {
        &self.settings
    }

    /// What was counted since the last call.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Whether datagrams between two ports are to be shown from the first on.
    pub fn watches(&self, ports: (u16, u16)) -> bool {
        let is_either = |port: u16| ports.0 == port || ports.1 == port;
        let settings = &self.settings;
        let leases = settings.has(Source::Dhcp) || settings.has(Source::Pppoe) || settings.has(Source::Dhcpv6);
        settings.has(Source::Radius) && settings.ports.iter().any(|port| is_either(*port))
            || leases && [DHCP_SERVER, DHCP_CLIENT, DHCPV6_CLIENT, DHCPV6_SERVER].into_iter().any(is_either)
    }

    /// Shows a datagram of a flow that is watched. What it is, its octets tell; the ports only help.
    pub fn datagram(&mut self, now: Nanos, at: &Sight, payload: &[u8], found: &mut Found) {
        let Self { settings, tally, radius, .. } = self;
        // Octets that a user chooses, as a name's, do not make anything else of what is RADIUS by its port.
        let is_radius = settings.ports.iter().any(|port| at.source.port == *port || at.destination.port == *port);
        if dhcp::resembles(payload) && !(is_radius && settings.has(Source::Radius)) {
            dhcp::read(settings, at, payload, tally, found);
        } else if dhcpv6::resembles(at, payload) {
            dhcpv6::read(settings, at, payload, tally, found);
        } else if settings.has(Source::Radius) {
            radius.datagram(settings, now, at, payload, tally, found);
        }
    }

    /// Shows what is not IP: the payload of a frame with that EtherType, behind its tags, as far as the frame goes.
    pub fn control(&mut self, now: Nanos, at: &Sight, ether_type: u16, payload: &[u8], found: &mut Found) {
        let Self { settings, tally, pppoe, dot1x, .. } = self;
        match ether_type {
            ethernet::PPPOE_DISCOVERY if settings.has(Source::Pppoe) => {
                pppoe.discovery(settings, now, at, payload, tally, found);
            }
            ethernet::PPPOE_SESSION if settings.has(Source::Pppoe) => {
                pppoe.session(settings, now, at, payload, tally, found);
            }
            ethernet::EAPOL if settings.has(Source::Dot1x) => dot1x.frame(settings, now, at, payload, tally, found),
            _ => {}
        }
    }

    /// An IP packet passed within a PPPoE session: it lives.
    pub fn carried(&mut self, now: Nanos, at: &Sight, found: &mut Found) {
        let Self { settings, pppoe, .. } = self;
        if settings.has(Source::Pppoe) {
            pppoe.carried(settings, now, at, found);
        }
    }

    /// A bounded piece of what time asks for, `now` and then: questions that were never answered.
    pub fn turn(&mut self, now: Nanos, found: &mut Found) {
        let Self { settings, tally, radius, .. } = self;
        radius.turn(settings, now, tally, found);
    }
}
