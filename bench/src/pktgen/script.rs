//! What a story is written on: a wire that collects timed frames, and the account of what the firewall should say of
//! them.

use std::net::IpAddr;
use std::time::Duration;

use super::dice::Dice;
use super::frames::{Ends, Link, Segment, Side, TCP, UDP, tcp_packet, udp_packet};

/// A frame and when it passes, from the start of its story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedFrame {
    /// When.
    pub at: Duration,
    /// Who sent it.
    pub from: Side,
    /// Ethernet frame without FCS.
    pub bytes: Vec<u8>,
}

/// What an account did, in the words of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Came online.
    Login,
    /// Went offline.
    Logout,
    /// Is online; the login was not in the traffic.
    Seen,
}

impl Action {
    /// The word in records and replay output.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Seen => "seen",
        }
    }
}

/// A sign-on that the firewall should report, exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOn {
    /// Application name: `qq`, `wechat`.
    pub application: &'static str,
    /// What happened.
    pub action: Action,
    /// The account in decimal.
    pub account: String,
    /// Where the user is.
    pub client: IpAddr,
    /// On what ground, in the words of the records; none where more than one is right.
    pub reason: Option<&'static str>,
    /// Not before and not after.
    pub window: (Duration, Duration),
}

impl SignOn {
    /// What a QQ account did.
    pub fn of_qq(
        account: u32,
        client: IpAddr,
        action: Action,
        reason: Option<&'static str>,
        window: (Duration, Duration),
    ) -> Self {
        Self { application: "qq", action, account: account.to_string(), client, reason, window }
    }
}

/// A record of an access user that the firewall should make, exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessSignOn {
    /// `radius`, `pppoe`, `8021x`, `dhcp`.
    pub application: &'static str,
    /// `login`, `logout`, `seen`; `ok` and `fail` of a result.
    pub action: &'static str,
    /// On what ground, in the words of the records.
    pub reason: &'static str,
    /// The account as records write it: octets that are no UTF-8 as `\xHH`.
    pub account: String,
    /// Other keys of the record, and their values as text.
    pub details: Vec<(&'static str, String)>,
    /// Not before and not after.
    pub window: (Duration, Duration),
}

/// A flow whose application the firewall should name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFlow {
    /// Application name.
    pub application: &'static str,
    /// Both ends.
    pub ends: Ends,
    /// IANA protocol number.
    pub protocol: u8,
    /// May be named or not: names of the application in DNS, handshakes of a few octets.
    pub optional: bool,
}

/// Everything that should be said of a story; what is not listed is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Sign-ons, in the order of their windows.
    pub sign_ons: Vec<SignOn>,
    /// Flows named as an instant messenger.
    pub flows: Vec<NamedFlow>,
    /// Records of access users, in the order of their windows.
    pub access: Vec<AccessSignOn>,
    /// Passwords: no record may have one.
    pub secrets: Vec<String>,
}

/// A story in the making.
#[derive(Debug)]
pub struct Script {
    /// Where the traffic is seen.
    pub link: Link,
    /// Its randomness.
    pub dice: Dice,
    /// Frames in the order of writing.
    pub frames: Vec<TimedFrame>,
    /// What should be said of them.
    pub expected: Expected,
    identification: u16,
}

impl Script {
    /// An empty script on a piece of wire.
    pub fn new(link: Link, dice: Dice) -> Self {
        Self { link, dice, frames: Vec::new(), expected: Expected::default(), identification: 1 }
    }

    /// One datagram.
    pub fn udp(&mut self, at: Duration, from: Side, ends: Ends, payload: &[u8]) {
        let (source, destination) = ends.of(from);
        let id = self.identify();
        self.packet(at, from, &udp_packet(source, destination, id, payload));
    }

    /// One segment.
    pub fn tcp(&mut self, at: Duration, from: Side, ends: Ends, segment: Segment<'_>) {
        let (source, destination) = ends.of(from);
        let id = self.identify();
        self.packet(at, from, &tcp_packet(source, destination, id, segment));
    }

    /// What is not IP, or an IP packet, on a piece of wire of its own.
    pub fn control(&mut self, at: Duration, from: Side, link: &Link, ether_type: u16, payload: &[u8]) {
        let bytes = link.carry(from, ether_type, payload);
        self.frames.push(TimedFrame { at, from, bytes });
    }

    /// One datagram on a piece of wire of its own.
    pub fn udp_on(&mut self, at: Duration, from: Side, link: &Link, ends: Ends, payload: &[u8]) {
        let (source, destination) = ends.of(from);
        let id = self.identify();
        let bytes = link.frame(from, &udp_packet(source, destination, id, payload));
        self.frames.push(TimedFrame { at, from, bytes });
    }

    /// Says that a record of an access user should be made.
    pub fn expect_access(&mut self, sign_on: AccessSignOn) {
        self.expected.access.push(sign_on);
    }

    /// Says that a UDP flow is `application`.
    pub fn names_udp(&mut self, application: &'static str, ends: Ends) {
        self.names(NamedFlow { application, ends, protocol: UDP, optional: false });
    }

    /// Says that a TCP flow is `application`.
    pub fn names_tcp(&mut self, application: &'static str, ends: Ends) {
        self.names(NamedFlow { application, ends, protocol: TCP, optional: false });
    }

    /// Says that a TCP flow may be called `application`.
    pub fn may_name_tcp(&mut self, application: &'static str, ends: Ends) {
        self.names(NamedFlow { application, ends, protocol: TCP, optional: true });
    }

    /// Says that a UDP flow may be called `application`.
    pub fn may_name_udp(&mut self, application: &'static str, ends: Ends) {
        self.names(NamedFlow { application, ends, protocol: UDP, optional: true });
    }

    /// Says that a sign-on should be reported.
    pub fn expect(&mut self, sign_on: SignOn) {
        self.expected.sign_ons.push(sign_on);
    }

    /// Puts the frames into the order of the wire.
    pub fn in_order(mut self) -> (Vec<TimedFrame>, Expected) {
        self.frames.sort_by_key(|frame| frame.at);
        self.expected.sign_ons.sort_by_key(|sign_on| sign_on.window);
        self.expected.access.sort_by_key(|sign_on| sign_on.window);
        (self.frames, self.expected)
    }

    fn packet(&mut self, at: Duration, from: Side, packet: &[u8]) {
        let bytes = self.link.frame(from, packet);
        self.frames.push(TimedFrame { at, from, bytes });
    }

    fn names(&mut self, flow: NamedFlow) {
        if !self.expected.flows.iter().any(|known| known.ends == flow.ends && known.protocol == flow.protocol) {
            self.expected.flows.push(flow);
        }
    }

    fn identify(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }
}
