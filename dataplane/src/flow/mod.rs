//! The flow table of one worker: both directions of a flow are one entry, all memory is taken at start.

mod fragment;
mod index;
mod key;
mod list;
mod record;
mod table;
mod tcp;
mod wheel;

pub use fragment::{Datagram, FragmentTable, Placed};
pub use key::{End, FlowKey, Realm};
pub use record::{Class, Flags, Identification, Record, State};
pub use table::{FlowId, Slot, Table};
pub use tcp::{Step, TcpTrack};

#[cfg(test)]
mod tests;
