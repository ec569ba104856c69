//! The flow table of one worker: both directions of a flow are one entry, all memory is taken at start.

mod bitset;
mod clock;
mod cold;
mod hash;
mod index;
mod inspections;
mod key;
mod record;
mod slot;
mod sweep;
mod table;
#[expect(unsafe_code, reason = "the CPU's vectors; compared with safe code in a property test")]
mod tags;
mod tcp;

pub use clock::Patience;
pub use key::{End, FlowKey, Realm};
pub use record::{Class, Flags, Record, Stage, State};
pub use slot::Slot;
pub use table::{FlowId, Flows, Identification, Table};
pub use tcp::{Step, TcpTrack, Window};

#[cfg(test)]
mod tests;
