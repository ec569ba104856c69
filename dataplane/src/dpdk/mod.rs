//! DPDK made safe: every `unsafe` of the dataplane is in this room.
//!
//! What lives keeps what it needs alive: a [`QueuePair`] its [`Port`], a port its [`Pool`], a pool the [`Eal`]. So the
//! order in which they are dropped cannot be wrong. Only frames are not counted that way; a pool that is dropped while
//! frames are out stays allocated instead.

mod clock;
mod device;
mod eal;
mod errno;
mod error;
mod handoff;
mod mbuf;
mod memory;
mod offload;
mod pool;
mod port;
mod prefetch;
mod queue;
mod rings;
mod rss;
mod state;
mod thread;

pub use clock::{Clock, cycles, cycles_per_second};
pub use device::{BadDevice, Device, PciAddress};
pub use eal::{Eal, EalConfig, Memory};
pub use errno::Errno;
pub use error::SetupError;
pub use handoff::{FrameReceiver, FrameSender, frame_ring};
pub use mbuf::{Burst, Mbuf};
pub use memory::{HugeSlice, Pages};
pub use offload::{Transport, Work};
pub use pool::{Pool, PoolConfig, mbufs_needed, mbufs_needed_dispatched};
pub use port::{Found, MAX_PORTS, Port, PortNumber, QueueId, Queues};
pub use prefetch::prefetch;
pub use queue::{Dispatched, Marks, QueuePair};
pub use rings::{Ring, port_from_rings};
pub use rss::NoSpread;
pub use state::{Link, PortStatistics};
pub use thread::{WorkerThread, bind_to};
