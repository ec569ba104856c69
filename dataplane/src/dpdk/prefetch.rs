//! Asking for memory before it is needed, so that the waits of a burst's packets overlap.

/// Asks for the cache line of `place` (its first, of what spans several) in every level; a hint that never faults.
#[inline(always)]
pub fn prefetch<T>(place: &T) {
    // SAFETY: a hint: it reads nothing, and a reference is a valid address.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
