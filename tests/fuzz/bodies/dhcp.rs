//! DHCP for IPv4.

use super::users::{self, Kind};

/// Shows them.
pub fn run(data: &[u8]) {
    users::run(data, &[Kind::Dhcp], |_, _| {});
}
