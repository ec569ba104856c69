//! IEEE 802.1X: EAP over LAN.

use super::{AccessSettings, Found, Sight, Tally};
use crate::time::Nanos;

/// Conversations of supplicants with authenticators.
#[derive(Debug)]
pub struct Dot1x {}

impl Dot1x {
    /// Takes all its memory now.
    pub fn new(_settings: &AccessSettings) -> Self {
        Self {}
    }

    /// Reads a frame.
    pub fn frame(
        &mut self,
        _settings: &AccessSettings,
        _now: Nanos,
        _at: &Sight,
        _payload: &[u8],
        _tally: &mut Tally,
        _found: &mut Found,
    ) {
    }
}
