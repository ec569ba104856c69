//! Ports made of rings in memory (net_ring): for measurements and tests, where the other end of a wire is ours.

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;

use dpdk_sys::rte_ring;

use super::eal::Eal;
use super::errno::Errno;
use super::error::SetupError;
use super::port::{Found, PortNumber};

/// A ring of frames between one producer and one consumer, for [`port_from_rings`].
///
/// Frames in it stay there when it is dropped, and its memory with them: receive them first.
#[derive(Debug)]
pub struct Ring {
    ring: NonNull<rte_ring>,
    eal: Arc<Eal>,
}

// SAFETY: it is only handed to ports; their queues are used by one thread each.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    /// A ring for `size` − 1 frames; `size` is a power of two. The name is the ring's own, at most 28 octets.
    pub fn create(eal: &Arc<Eal>, name: &str, size: u32) -> Result<Arc<Self>, SetupError> {
        let text = CString::new(name).map_err(|_| SetupError::ZeroByte(name.to_owned()))?;
        // SAFETY: EAL runs, `text` lives past the call.
        let ring = unsafe { dpdk_sys::rte_ring_create(text.as_ptr(), size, ANY_NODE, SINGLE_ENDS) };
        let failed = || SetupError::Port {
            device: name.to_owned(),
            driver: "net_ring".to_owned(),
            step: "making a ring",
            errno: Errno::last(),
        };
        Ok(Arc::new(Self { ring: NonNull::new(ring).ok_or_else(failed)?, eal: Arc::clone(eal) }))
    }
}

impl Ring {
    /// For the rooms next door; live as long as this value.
    pub(super) fn as_ptr(&self) -> *mut rte_ring {
        self.ring.as_ptr()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: ports that use it hold it. Frames left in it are lost to their pool, which notices.
        unsafe { dpdk_sys::rte_ring_free(self.ring.as_ptr()) };
    }
}

/// A port of one queue that receives from `receive` and sends into `transmit`, which may be the same ring.
pub fn port_from_rings(name: &str, receive: &Arc<Ring>, transmit: &Arc<Ring>) -> Result<Found, SetupError> {
    let text = CString::new(name).map_err(|_| SetupError::ZeroByte(name.to_owned()))?;
    let (rx, tx) = (receive.ring.as_ptr(), transmit.ring.as_ptr());
    // SAFETY: EAL runs; the rings are live, and the port will hold them. The arrays of one are read in the call.
    let number = unsafe { dpdk_sys::rte_eth_from_rings(text.as_ptr(), &raw const rx, 1, &raw const tx, 1, 0) };
    let Ok(number) = u16::try_from(number) else {
        return Err(SetupError::Port {
            device: name.to_owned(),
            driver: "net_ring".to_owned(),
            step: "making a port of rings",
            errno: Errno::last(),
        });
    };
    let rings = vec![Arc::clone(receive), Arc::clone(transmit)];
    Found::new(&receive.eal, PortNumber(number), name.to_owned(), false, rings)
}

/// SOCKET_ID_ANY.
const ANY_NODE: i32 = -1;
/// RING_F_SP_ENQ and RING_F_SC_DEQ: no locked instructions.
const SINGLE_ENDS: u32 = 0x0001 | 0x0002;
