//! All by which users sign on, one after the other.

use super::users::{self, Kind};

/// Shows it.
pub fn run(data: &[u8]) {
    users::run(
        data,
        &[Kind::Radius, Kind::Discovery, Kind::Session, Kind::Carried, Kind::Eapol, Kind::Dhcp, Kind::Dhcpv6],
    );
}
