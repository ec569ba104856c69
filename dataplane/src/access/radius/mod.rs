//! RADIUS (RFC 2865, RFC 2866) as it passes between access servers and RADIUS servers.

use super::{AccessSettings, Found, Sight, Tally};
use crate::time::Nanos;

/// Requests that wait for their answers.
#[derive(Debug)]
pub struct Radius {}

impl Radius {
    /// Takes all its memory now.
    pub fn new(_settings: &AccessSettings) -> Self {
        Self {}
    }

    /// Reads a datagram, of whatever it may be.
    pub fn datagram(
        &mut self,
        _settings: &AccessSettings,
        _now: Nanos,
        _at: &Sight,
        _payload: &[u8],
        _tally: &mut Tally,
        _found: &mut Found,
    ) {
    }

    /// Tells of requests that were never answered; a bounded piece.
    pub fn turn(&mut self, _settings: &AccessSettings, _now: Nanos, _tally: &mut Tally, _found: &mut Found) {}
}
