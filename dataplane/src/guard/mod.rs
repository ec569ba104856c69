//! Protection against attacks: what is dropped though the policy might permit it, who gives way in a flood, and what the
//! log is told. Everything is bounded and taken at start; established flows pay for none of it but a few compares.

mod deny;
mod limit;
mod notice;
mod origin;
mod retry;
mod screen;

pub use self::deny::{Denied, Denies, Noted};
pub use self::limit::{Limit, Limits};
pub use self::notice::{Due, Notices, Phase};
pub use self::origin::{Origin, OriginRule};
pub use self::retry::RetryFilter;
pub use self::screen::{Screen, Screens};

use std::time::Duration;

use crate::flow::Window;

/// What a pipeline protects against.
#[derive(Clone, Debug)]
pub struct Protection {
    /// Which kinds of packets are dropped.
    pub screens: Screens,
    /// ICMP and ICMPv6 packets with more octets from the IP header on are dropped, where [`Screen::LargeIcmp`] is on.
    pub large_icmp: u32,
    /// How strictly TCP is held to its window.
    pub tcp_window: Window,
    /// New sessions and fragmented datagrams a second.
    pub floods: Floods,
    /// Whether a SYN that would push a young handshake out of a full table has to be repeated by its sender.
    pub syn_retry: bool,
    /// Source addresses of each port, by [`crate::policy::PortId`]; a port that is missing has any.
    pub origins: Vec<OriginRule>,
    /// Whether a frame's port tells on which side its sender is. A live port does; of a capture it is a guess, and no reason
    /// not to take a packet for an answer.
    pub has_sides: bool,
    /// What may also be a fault of honest hosts (a segment without session, outside its window …) is noticed from so many
    /// packets a second on.
    pub stray_rate: u64,
}

/// How many sessions a second may begin, by what their first packet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floods {
    /// TCP.
    pub tcp: Limit,
    /// UDP.
    pub udp: Limit,
    /// ICMP and ICMPv6 queries.
    pub icmp: Limit,
    /// Any other protocol.
    pub other: Limit,
    /// Datagrams in fragments.
    pub fragments: Limit,
}

impl Default for Protection {
    fn default() -> Self {
        Self {
            screens: Screens::default(),
            large_icmp: 1024,
            tcp_window: Window::default(),
            floods: Floods::default(),
            syn_retry: true,
            origins: Vec::new(),
            has_sides: true,
            stray_rate: 100,
        }
    }
}

/// How long a handshake is protected from giving way to another: longer than any round trip and than the first
/// retransmission of its SYN (RFC 6298, 2: 1 s).
pub const HANDSHAKE: Duration = Duration::from_secs(1);

/// Entries of the table, beyond the sessions that the configuration asks for, that are kept for sessions which have yet to
/// be answered: an eighth, 65,536 at most.
pub const fn reserve(max_sessions: usize) -> usize {
    const MOST: usize = 65_536;
    let eighth = max_sessions / 8;
    if eighth < MOST { eighth } else { MOST }
}
