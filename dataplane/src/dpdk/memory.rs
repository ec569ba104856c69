//! Memory for large tables, on the largest pages that can be had.
//!
//! A table of a million sessions spans tens of thousands of ordinary pages: each lookup would miss the TLB as well as the
//! cache. All memory is touched when it is taken, so that no packet ever waits for the kernel to zero a page.

use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// What pages a piece of memory lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pages {
    /// Ordinary ones.
    Ordinary,
    /// Ordinary ones that the kernel was asked to put together to huge ones (transparent hugepages).
    Transparent,
    /// Reserved hugepages of 2 MiB.
    Huge,
}

/// A slice of fixed length, made once: on reserved hugepages where enough are free, otherwise on ordinary memory for which
/// transparent hugepages are asked. What is smaller than a hugepage lies on ordinary pages.
pub struct HugeSlice<T> {
    /// Of `length` initialised elements.
    first: NonNull<T>,
    length: usize,
    mapping: Mapping,
}

impl<T: Copy> HugeSlice<T> {
    /// Takes and fills the memory.
    ///
    /// # Panics
    /// Where the kernel gives no address space at all.
    pub fn new(length: usize, value: T) -> Self {
        let size = length.checked_mul(size_of::<T>()).expect("tables are smaller than the address space");
        let mapping = Mapping::new(size, align_of::<T>());
        let first: NonNull<T> = mapping.start.cast();
        for at in 0..length {
            // SAFETY: the mapping is writable, aligned for T, and at least `length` elements long.
            unsafe { first.add(at).write(value) };
        }
        Self { first, length, mapping }
    }
}

impl<T> HugeSlice<T> {
    /// Octets that a slice of this length takes.
    pub const fn octets_for(length: usize) -> usize {
        whole_pages(length.saturating_mul(size_of::<T>()))
    }

    /// What it lies on.
    pub const fn pages(&self) -> Pages {
        self.mapping.pages
    }

    /// Octets of memory taken, whole pages.
    pub const fn octets(&self) -> usize {
        self.mapping.size
    }
}

impl<T> Deref for HugeSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `length` elements were initialised, and the mapping lives as long as this.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.length) }
    }
}

impl<T> DerefMut for HugeSlice<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above; and it is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.length) }
    }
}

impl<T> std::fmt::Debug for HugeSlice<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HugeSlice({} elements, {} octets, {:?})", self.length, self.octets(), self.pages())
    }
}

// SAFETY: it owns its elements, as a boxed slice does; only Copy types are ever in it, so none needs to be dropped.
unsafe impl<T: Send> Send for HugeSlice<T> {}
// SAFETY: likewise.
unsafe impl<T: Sync> Sync for HugeSlice<T> {}

/// Anonymous memory of this process.
struct Mapping {
    start: NonNull<u8>,
    size: usize,
    pages: Pages,
}

impl Mapping {
    fn new(size: usize, align: usize) -> Self {
        assert!(align <= PAGE, "a page begins at every such boundary");
        let size = whole_pages(size);
        if size < HUGE {
            return Self::map(size, MapFlags::PRIVATE, Pages::Ordinary).expect("the kernel has address space");
        }
        let huge = Self::map(size, MapFlags::PRIVATE | MapFlags::HUGETLB | MapFlags::HUGE_2MB, Pages::Huge);
        // A container may have fewer hugepages than the mapping promised; without this the first touch would be fatal.
        if let Some(huge) = huge.filter(Self::populate) {
            return huge;
        }
        let mut ordinary = Self::map_aligned(size).expect("the kernel has address space");
        if ordinary.advise(Advice::LinuxHugepage) {
            ordinary.pages = Pages::Transparent;
        }
        ordinary
    }

    fn map(size: usize, flags: MapFlags, pages: Pages) -> Option<Self> {
        // SAFETY: a new anonymous mapping at an address of the kernel's choice replaces none.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, flags) };
        Some(Self { start: NonNull::new(start.ok()?.cast())?, size, pages })
    }

    /// Ordinary memory that begins where a hugepage can.
    fn map_aligned(size: usize) -> Option<Self> {
        let Mapped { start, size: mapped } = Self::map(size + HUGE, MapFlags::PRIVATE, Pages::Ordinary)?.release();
        let before = start.as_ptr().align_offset(HUGE);
        // SAFETY: both lie within the new mapping: `before` is less than HUGE, which it is longer than `size`. The ends
        // that are given back hold nothing.
        unsafe {
            let aligned = start.add(before);
            if before > 0 {
                let _ = munmap(start.as_ptr().cast(), before);
            }
            let after = mapped - before - size;
            if after > 0 {
                let _ = munmap(aligned.add(size).as_ptr().cast(), after);
            }
            Some(Self { start: aligned, size, pages: Pages::Ordinary })
        }
    }

    /// Has the kernel give every page now; false where it cannot, or is too old to be asked (before 5.14).
    fn populate(&self) -> bool {
        self.advise(Advice::LinuxPopulateWrite)
    }

    fn advise(&self, advice: Advice) -> bool {
        // SAFETY: the range is ours; neither advice changes what it holds.
        unsafe { madvise(self.start.as_ptr().cast(), self.size, advice) }.is_ok()
    }

    /// Gives up ownership.
    fn release(self) -> Mapped {
        let mapped = Mapped { start: self.start, size: self.size };
        std::mem::forget(self);
        mapped
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody refers to it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.size) };
    }
}

/// A range that somebody has to unmap.
struct Mapped {
    start: NonNull<u8>,
    size: usize,
}

/// What a mapping of so many octets comes to.
const fn whole_pages(octets: usize) -> usize {
    let page = if octets < HUGE { PAGE } else { HUGE };
    (if octets == 0 { 1 } else { octets }).next_multiple_of(page)
}

/// The smallest page of the machines that DPDK runs on.
const PAGE: usize = 4096;
/// The hugepages that are used.
const HUGE: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_is_filled_and_aligned() {
        for length in [0, 1, 63, 64, 100_000, 200_000] {
            let mut slice = HugeSlice::new(length, [7_u64; 2]);
            assert_eq!(slice.len(), length);
            assert!(slice.iter().all(|value| *value == [7, 7]));
            slice.fill([9, 9]);
            assert!(slice.iter().all(|value| *value == [9, 9]));
            assert!(slice.octets() >= length * 16 && slice.octets() % PAGE == 0);
            let huge = length * 16 >= HUGE;
            assert_eq!(slice.pages() == Pages::Ordinary, !huge, "{slice:?}");
            assert!(!huge || slice.as_ptr().addr() % HUGE == 0);
        }
    }
}
