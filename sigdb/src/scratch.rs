//! Working memory of the decoders.

use crate::program::WINDOW;
use crate::{dns, quic, tls};

/// What decoders need beside the octets they are shown; one a worker. Of what outlives a call, the parts of QUIC hellos, the
/// oldest give way.
#[derive(Debug)]
pub struct Scratch {
    pub(crate) joined: Box<tls::Joined>,
    pub(crate) quic: quic::Workspace,
}

/// What decoders keep of a flow between its messages: a flow is of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory {
    /// A hello in parts.
    Quic(quic::State),
    /// Questions without their answers.
    Dns(dns::Asked),
}

impl Default for Memory {
    fn default() -> Self {
        Self::Quic(quic::State::default())
    }
}

/// QUIC hellos in parts at a time: their packets come one after the other, so few are open at once.
const QUIC_HELLOS: u16 = 256;

impl Scratch {
    /// Takes all its memory now.
    pub fn new() -> Self {
        Self { joined: Box::new([0; WINDOW]), quic: quic::Workspace::new(QUIC_HELLOS) }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}
