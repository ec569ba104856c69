//! PPPoE (RFC 2516) and PPP within it (RFC 1661).

use super::{AccessSettings, Found, Sight, Tally};
use crate::time::Nanos;

/// Sessions whose negotiation is under way, and which of the others live.
#[derive(Debug)]
pub struct Pppoe {}

impl Pppoe {
    /// Takes all its memory now.
    pub fn new(_settings: &AccessSettings) -> Self {
        Self {}
    }

    /// Reads a packet of the discovery stage.
    pub fn discovery(
        &mut self,
        _settings: &AccessSettings,
        _now: Nanos,
        _at: &Sight,
        _payload: &[u8],
        _tally: &mut Tally,
        _found: &mut Found,
    ) {
    }

    /// Reads a control packet of the session stage.
    pub fn session(
        &mut self,
        _settings: &AccessSettings,
        _now: Nanos,
        _at: &Sight,
        _payload: &[u8],
        _tally: &mut Tally,
        _found: &mut Found,
    ) {
    }

    /// An IP packet passed in the session of `at`.
    pub fn carried(&mut self, _settings: &AccessSettings, _now: Nanos, _at: &Sight, _found: &mut Found) {}
}
