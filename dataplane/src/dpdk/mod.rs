//! DPDK made safe: every `unsafe` of the dataplane is in this room.

mod device;

pub use device::{BadDevice, Device, PciAddress};
