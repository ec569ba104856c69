//! DHCP for IPv4 (RFC 2131, RFC 2132).

use super::{AccessSettings, Found, Sight, Tally};

/// Whether octets are DHCP's: the magic cookie is where it must be.
pub fn resembles(payload: &[u8]) -> bool {
    payload.get(236..240) == Some(&[99, 130, 83, 99])
}

/// Tells what a message says.
pub fn read(_settings: &AccessSettings, _at: &Sight, _payload: &[u8], _tally: &mut Tally, _found: &mut Found) {}
