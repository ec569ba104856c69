//! DHCP for IPv6 (RFC 8415).

use super::{AccessSettings, DHCPV6_CLIENT, DHCPV6_SERVER, Found, Sight, Tally};

/// Whether a datagram is DHCPv6's, which has no mark of its own: by its ports.
pub fn resembles(at: &Sight, _payload: &[u8]) -> bool {
    let is_one = |port| port == DHCPV6_CLIENT || port == DHCPV6_SERVER;
    is_one(at.source.port) && is_one(at.destination.port)
}

/// Tells what a message says.
pub fn read(_settings: &AccessSettings, _at: &Sight, _payload: &[u8], _tally: &mut Tally, _found: &mut Found) {}
