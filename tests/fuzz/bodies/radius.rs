//! RADIUS: datagrams between access servers and RADIUS servers.

use super::users::{self, Kind};

/// Shows them.
pub fn run(data: &[u8]) {
    users::run(data, &[Kind::Radius], |_, _| {});
}
