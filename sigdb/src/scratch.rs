//! Working memory of the decoders.

/// What decoders need beside the octets they are shown; one a worker. Nothing in it outlives a call.
#[derive(Clone, Debug, Default)]
pub struct Scratch {}

impl Scratch {
    /// Takes all its memory now.
    pub fn new() -> Self {
        Self::default()
    }
}
