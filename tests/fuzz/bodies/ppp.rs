//! PPPoE: its discovery, and PPP within it.

use super::users::{self, Kind};

/// Shows them.
pub fn run(data: &[u8]) {
    users::run(data, &[Kind::Discovery, Kind::Session, Kind::Carried], |_, _| {});
}
