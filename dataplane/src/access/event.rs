//! What becomes known of access users, as workers tell it.

use crate::endpoint::{Address, Endpoint, Mac};
use crate::event::{Header, Volume};

/// What became known of an access user. Control makes truth of it: who is signed on, since when, until when.
#[derive(Clone, Debug)]
pub struct AccessEvent {
    /// Worker, sequence of this class, time; stamped when it is sent.
    pub header: Header,
    /// What happened.
    pub kind: AccessKind,
    /// Where it was seen.
    pub source: Source,
    /// The sign-on that it is about: what a logout ends is what a login began. A hash under [`super::AccessSettings::seed`];
    /// 0 where it is not known.
    pub session: u64,
    /// Of DHCP the transaction's number, of others a hash of the question; for what is seen twice.
    pub transaction: u64,
    /// Outer VLAN id, 0 where untagged.
    pub svlan: u16,
    /// Inner VLAN id, 0 where there are not two tags.
    pub cvlan: u16,
    /// Whether VLANs and port are the user's own (PPPoE, DHCP without a relay, 802.1X). Those of RADIUS are the server's.
    pub is_local: bool,
    /// The port of the user's or of the access server's side, and the other, as indices into the configuration's ports;
    /// `u16::MAX` where not known.
    pub ports: (u16, u16),
    /// Who asked and who answered; unspecified where it is not IP.
    pub ends: (Endpoint, Endpoint),
    /// The user's MAC address.
    pub mac: Option<Mac>,
    /// The user's IPv4 address.
    pub ipv4: Option<[u8; 4]>,
    /// The user's IPv6 address; where only a prefix is known for the link, its first address is not made up.
    pub ipv6: Option<[u8; 16]>,
    /// An IPv6 prefix that is the user's, delegated or of the link, and its length in bits, 128 at most.
    pub prefix: Option<([u8; 16], u8)>,
    /// How the user came to the IPv6 address or prefix.
    pub assigned: Assigned,
    /// The access server, as it names itself by address (RFC 2865, 5.4; RFC 3162, 2.1), else who asked.
    pub nas: Option<Address>,
    /// NAS-Port (RFC 2865, 5.5).
    pub nas_port: Option<u32>,
    /// Why, in the words of the source: Acct-Terminate-Cause, DHCP message type, PPP code ([`Self::ECHO`]) or that of PPPoE's
    /// discovery (0x65, PADS: the host has another session), or [`Self::BY_ADDRESS`]; 0 where it says nothing.
    pub cause: u16,
    /// Of a result: what it was.
    pub code: ResultCode,
    /// Seconds that it lasts unless it is renewed: DHCP lease, Session-Timeout; `u32::MAX` for ever.
    pub lifetime: Option<u32>,
    /// Seconds between the messages that say that it goes on (Acct-Interim-Interval, RFC 2869, 5.16).
    pub interim: Option<u32>,
    /// It happened so many seconds before it was told (Acct-Delay-Time, RFC 2866, 5.2).
    pub back: u32,
    /// From the user and to the user, as the access server counted.
    pub traffic: Option<[Volume; 2]>,
    /// How far it can be trusted.
    pub trust: Trust,
    /// How many proxies the question had passed (RFC 2865, 5.33).
    pub proxies: u8,
    /// Names and texts.
    pub texts: Texts,
}

const _: () = assert!(size_of::<AccessEvent>() <= 768);

impl AccessEvent {
    /// In `cause` of [`AccessKind::NasGone`]: the message names the access server by its address.
    pub const BY_ADDRESS: u16 = 1;
    /// Of [`AccessKind::Alive`]: the user's host answered an echo, as it will go on to do (LCP Echo-Reply, RFC 1661, 5.8).
    pub const ECHO: u16 = 10;

    /// One of which nothing is known yet but what and where.
    pub fn new(kind: AccessKind, source: Source) -> Self {
        Self {
            header: Header::default(),
            kind,
            source,
            session: 0,
            transaction: 0,
            svlan: 0,
            cvlan: 0,
            is_local: false,
            ports: (u16::MAX, u16::MAX),
            ends: <(Endpoint, Endpoint)>::default(),
            mac: None,
            ipv4: None,
            ipv6: None,
            prefix: None,
            assigned: Assigned::Unknown,
            nas: None,
            nas_port: None,
            cause: 0,
            code: ResultCode::None,
            lifetime: None,
            interim: None,
            back: 0,
            traffic: None,
            trust: Trust::NotApplicable,
            proxies: 0,
            texts: Texts::default(),
        }
    }
}

/// What happened to an access user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    /// What a DHCP client asks for: says who it is, and nothing yet of what it gets. `ipv4` is the address that it has and
    /// would keep (ciaddr), none where it begins.
    Hint,
    /// Who the user is was decided.
    Result {
        /// Whether the user was let in.
        success: bool,
    },
    /// The user is signed on and has an address.
    Login {
        /// An address of the other family is being negotiated: worth a short wait.
        more: bool,
    },
    /// Signed on already: a sign-on, if it is the first that is seen of it (RADIUS: Interim-Update). Tells what `Update` tells.
    Seen,
    /// More became known of who is signed on: an address, counts. Nothing where nobody is known to be.
    Update,
    /// Still there.
    Alive,
    /// Signed off.
    Logout,
    /// An access server begins or ends (Accounting-On, -Off): nobody is signed on there.
    NasGone,
    /// A message whose authenticator is wrong: nothing in it is believed.
    Forged,
}

/// Where sign-ons of access users are seen; what comes first is believed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// RADIUS accounting sent to the firewall itself.
    Receiver,
    /// RADIUS that passes.
    Radius,
    /// PPPoE.
    Pppoe,
    /// IEEE 802.1X.
    Dot1x,
    /// DHCP for IPv4.
    Dhcp,
    /// DHCP for IPv6.
    Dhcpv6,
}

impl Source {
    /// All, in order.
    pub const ALL: [Self; 6] = [Self::Receiver, Self::Radius, Self::Pppoe, Self::Dot1x, Self::Dhcp, Self::Dhcpv6];

    /// The name in records; the receiver's sign-ons are RADIUS's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receiver | Self::Radius => "radius",
            Self::Pppoe => "pppoe",
            Self::Dot1x => "8021x",
            Self::Dhcp => "dhcp",
            Self::Dhcpv6 => "dhcpv6",
        }
    }

    /// Whether it tells a person (a name that somebody proved to have), not only a host.
    pub const fn is_personal(self) -> bool {
        !matches!(self, Self::Dhcp | Self::Dhcpv6)
    }
}

/// How a user came to an IPv6 address or prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assigned {
    /// Not known.
    #[default]
    Unknown,
    /// By router advertisements (RFC 4862).
    Router,
    /// By DHCPv6 (RFC 8415).
    Dhcpv6,
    /// No address, only a delegated prefix (RFC 8415, 6.3).
    Delegated,
    /// As RADIUS says (RFC 3162, 2.3; RFC 6911, 3.1).
    Radius,
}

/// What a result was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResultCode {
    /// Not a result.
    #[default]
    None,
    /// Let in.
    Accepted,
    /// Refused: name, password, or what stands behind.
    Rejected,
    /// No answer, however often it was asked.
    Timeout,
    /// The address was refused (DHCPNAK).
    Nak,
    /// The access concentrator has no session to give (RFC 2516, 5.4).
    ServiceError,
    /// Another failure.
    Failure,
}

/// How far an event can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Its authenticator is right.
    Verified,
    /// It has an authenticator, and the secret is not known.
    NoSecret,
    /// The protocol has no authenticator.
    NotApplicable,
}

/// A text of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The user's name: 253 octets of RADIUS (RFC 2865, 5.1), 255 of PAP.
    User,
    /// Class (RFC 2865, 5.25).
    Class,
    /// Filter-Id (RFC 2865, 5.11).
    Filter,
    /// Host name (RFC 2132, 3.14).
    HostName,
    /// Client identifier (RFC 2132, 9.14), DUID.
    ClientId,
    /// Agent circuit id (RFC 3046, 3.1; RFC 4679, 3.3.1).
    CircuitId,
    /// Agent remote id (RFC 3046, 3.2; RFC 4679, 3.3.2).
    RemoteId,
    /// Subscriber id (RFC 3993).
    SubscriberId,
    /// NAS-Identifier (RFC 2865, 5.32).
    NasId,
    /// NAS-Port-Id (RFC 2869, 5.17).
    NasPortId,
    /// Acct-Session-Id (RFC 2866, 5.5).
    SessionId,
    /// What the server told the user: Reply-Message, PAP's or CHAP's message, DHCP option 56.
    Message,
    /// Called-Station-Id (RFC 2865, 5.30), the access concentrator's name.
    CalledStation,
}

impl Text {
    /// All.
    pub const ALL: [Self; 13] = [
        Self::User,
        Self::Class,
        Self::Filter,
        Self::HostName,
        Self::ClientId,
        Self::CircuitId,
        Self::RemoteId,
        Self::SubscriberId,
        Self::NasId,
        Self::NasPortId,
        Self::SessionId,
        Self::Message,
        Self::CalledStation,
    ];
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Octets that are kept at most.
    pub const fn most(self) -> usize {
        match self {
            Self::User => 255,
            Self::Message => 128,
            _ => 64,
        }
    }
}

/// Octets as they came: each text at most as [`Text::most`] says, as long as 448 last in all. The user's name goes first,
/// so that it is always whole.
#[derive(Clone)]
pub struct Texts {
    octets: [u8; Self::ROOM],
    /// Where each text begins and ends.
    places: [(u16, u16); Text::COUNT],
    used: u16,
    /// A bit for each text that is not whole.
    cut: u16,
}

impl Texts {
    /// Octets in all.
    pub const ROOM: usize = 448;

    /// Takes a text up, in the place of what was there by that name; what there is no room for is cut off, and known to be.
    pub fn push(&mut self, which: Text, octets: &[u8]) {
        let begin = usize::from(self.used);
        let kept = octets.len().min(which.most()).min(Self::ROOM - begin);
        self.octets[begin..begin + kept].copy_from_slice(&octets[..kept]);
        self.used += kept as u16;
        self.places[which as usize] = (begin as u16, self.used);
        let bit = 1 << which as usize;
        self.cut = if kept < octets.len() { self.cut | bit } else { self.cut & !bit };
    }

    /// A text; empty where there is none.
    pub fn get(&self, which: Text) -> &[u8] {
        let (begin, end) = self.places[which as usize];
        self.octets.get(usize::from(begin)..usize::from(end)).unwrap_or_default()
    }

    /// Whether a text was longer than what is kept of it.
    pub const fn was_cut(&self, which: Text) -> bool {
        self.cut & 1 << which as usize != 0
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self { octets: [0; Self::ROOM], places: [(0, 0); Text::COUNT], used: 0, cut: 0 }
    }
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.places.iter().enumerate().filter(|(_, (begin, end))| begin < end).map(
                |(which, (begin, end))| {
                    (which, String::from_utf8_lossy(&self.octets[usize::from(*begin)..usize::from(*end)]).into_owned())
                },
            ))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_whole_and_what_has_no_room_is_known_to_be_cut() {
        let mut texts = Texts::default();
        texts.push(Text::User, &[b'u'; 255]);
        texts.push(Text::Message, &[b'm'; 200]);
        texts.push(Text::Class, &[b'c'; 64]);
        texts.push(Text::HostName, b"late");
        assert_eq!(texts.get(Text::User), [b'u'; 255]);
        assert_eq!((texts.get(Text::Message).len(), texts.was_cut(Text::Message)), (128, true));
        assert_eq!((texts.get(Text::Class).len(), texts.was_cut(Text::Class)), (64, false));
        assert_eq!((texts.get(Text::HostName), texts.was_cut(Text::HostName)), (&b"l"[..], true));
        assert_eq!((texts.get(Text::Filter), texts.was_cut(Text::Filter)), (&b""[..], false));
    }
}
