//! Error numbers as DPDK returns them.

use std::fmt;
use std::io;

/// A positive error number (`ENOMEM`, `EBUSY` …).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// Operation not supported, as drivers say of what they lack.
    pub const ENOTSUP: Self = Self(95);
    /// Invalid argument.
    pub const EINVAL: Self = Self(22);

    /// The calling thread's `rte_errno`, for functions that return a null pointer or -1.
    pub(super) fn last() -> Self {
        // SAFETY: reads a thread-local integer.
        Self(unsafe { dpdk_sys::ostiary_errno() })
    }

    /// The result of a function that returns 0 or more on success, a negative error number otherwise.
    pub(super) fn check(result: i32) -> Result<(), Self> {
        if result < 0 { Err(Self(result.wrapping_neg())) } else { Ok(()) }
    }

    /// The result of a function that returns 0, or a positive error number.
    pub(super) fn check_positive(result: i32) -> Result<(), Self> {
        if result == 0 { Ok(()) } else { Err(Self(result)) }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errno({}: {self})", self.0)
    }
}
