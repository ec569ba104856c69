//! DHCP for IPv6.

use super::users::{self, Kind};

/// Shows them.
pub fn run(data: &[u8]) {
    users::run(data, &[Kind::Dhcpv6], |_, _| {});
}
