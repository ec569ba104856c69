//! The table of access users.

use std::time::Duration;

use dataplane::access::AccessEvent;
use dataplane::endpoint::Address;
use dataplane::time::Nanos;

use super::{AccessTransition, AccessUser};

/// How long and how many users are kept.
#[derive(Clone, Copy, Debug)]
pub struct AccessLimits {
    /// Users at most.
    pub users: usize,
    /// How long a silent user is believed to be there, where the source says no other time; none: until told otherwise.
    pub silence: Option<Duration>,
    /// The same of a PPPoE session that answered echoes.
    pub echo_timeout: Duration,
}

/// Who is signed on at the access network.
#[derive(Debug)]
pub struct AccessTable {
    limits: AccessLimits,
}

impl AccessTable {
    /// An empty one.
    pub fn new(limits: AccessLimits) -> Self {
        Self { limits }
    }

    /// Takes other limits.
    pub fn reconfigure(&mut self, limits: AccessLimits) {
        self.limits = limits;
    }

    /// Takes an event up; what follows from it is appended to `out`.
    pub fn observe(&mut self, _event: &AccessEvent, _out: &mut Vec<AccessTransition>) {}

    /// Traffic of any kind was heard until `now`: silence after that is the users' own.
    pub fn heard(&mut self, _now: Nanos) {}

    /// What is due by `now`, a bounded number; call it again while [`Self::next_deadline`] is not after `now`.
    pub fn advance(&mut self, _now: Nanos, _out: &mut Vec<AccessTransition>) {}

    /// The end of a capture: what waits for more is told.
    pub fn finish(&mut self, _out: &mut Vec<AccessTransition>) {}

    /// When something is due next.
    pub fn next_deadline(&self) -> Option<Nanos> {
        None
    }

    /// Who had an address at a time: VLANs (outer, inner), address.
    pub fn holder(&self, _vlans: (u16, u16), _address: Address, _at: Nanos) -> Option<&AccessUser> {
        None
    }

    /// Everyone who is signed on.
    pub fn users(&self) -> impl Iterator<Item = &AccessUser> {
        std::iter::empty()
    }

    /// How many are.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
