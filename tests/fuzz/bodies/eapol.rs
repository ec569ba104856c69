//! 802.1X: EAP over LAN.

use super::users::{self, Kind};

/// Shows them.
pub fn run(data: &[u8]) {
    users::run(data, &[Kind::Eapol], |_, _| {});
}
