//! Frames in DPDK's buffers, each with one owner: a frame is moved, sent or dropped.

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use dpdk_sys::rte_mbuf;

use crate::pipeline::BURST;

/// A frame in one or more segments; dropped, it goes back to its pool.
///
/// It must not outlive the process's EAL; a pool that is dropped first stays allocated for it.
#[repr(transparent)]
pub struct Mbuf(pub(super) NonNull<rte_mbuf>);

// SAFETY: an mbuf belongs to whoever holds the `Mbuf`; pools are made for many threads.
unsafe impl Send for Mbuf {}
// SAFETY: a shared `Mbuf` is only read.
unsafe impl Sync for Mbuf {}

impl Mbuf {
    /// Takes what DPDK allocated; none of a null pointer.
    ///
    /// # Safety
    /// `mbuf` is null, or the first segment of a frame that nobody else owns.
    pub(super) unsafe fn from_raw(mbuf: *mut rte_mbuf) -> Option<Self> {
        NonNull::new(mbuf).map(Self)
    }

    /// Octets in all segments.
    pub fn length(&self) -> u32 {
        // SAFETY: the offset is that of a u32 in a live mbuf.
        unsafe { field(self.0.as_ptr(), dpdk_sys::OSTIARY_MBUF_PKT_LEN) }
    }

    /// Number of segments, at least 1.
    pub fn segments(&self) -> u16 {
        // SAFETY: the offset is that of a u16 in a live mbuf.
        unsafe { field(self.0.as_ptr(), dpdk_sys::OSTIARY_MBUF_NB_SEGS) }
    }

    /// The first segment; the whole frame where there is one.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a live mbuf, not written while `self` is borrowed.
        unsafe { segment(self.0.as_ptr()) }
    }

    /// The first segment, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: a live mbuf that we own, so that nothing else refers to its octets while `self` is borrowed.
        unsafe { segment_mut(self.0.as_ptr()) }
    }

    /// Copies the frame's beginning, across segments, as far as `into` has room; returns how much that is.
    pub fn copy_to(&self, into: &mut [u8]) -> usize {
        let mut copied = 0;
        let mut next = self.0.as_ptr();
        for _ in 0..self.segments() {
            if next.is_null() {
                break;
            }
            // SAFETY: `next` is a live segment of this frame, not written while `self` is borrowed.
            let bytes = unsafe { segment(next) };
            let room = &mut into[copied..];
            let count = bytes.len().min(room.len());
            room[..count].copy_from_slice(&bytes[..count]);
            copied += count;
            // SAFETY: the offset is that of the pointer to the next segment, null in the last.
            next = unsafe { field(next, dpdk_sys::OSTIARY_MBUF_NEXT) };
        }
        copied
    }

    /// Writes over the frame's beginning, across segments, as far as `from` and the frame reach.
    pub fn copy_from(&mut self, mut from: &[u8]) {
        let mut next = self.0.as_ptr();
        for _ in 0..self.segments() {
            if next.is_null() || from.is_empty() {
                break;
            }
            // SAFETY: `next` is a live segment of this frame, which only we hold.
            let bytes = unsafe { segment_mut(next) };
            let (now, rest) = from.split_at(bytes.len().min(from.len()));
            bytes[..now.len()].copy_from_slice(now);
            from = rest;
            // SAFETY: the offset is that of the pointer to the next segment, null in the last.
            next = unsafe { field(next, dpdk_sys::OSTIARY_MBUF_NEXT) };
        }
    }

    /// Adds octets at the end of the last segment; false where they do not fit in it.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let Ok(length) = u16::try_from(bytes.len()) else { return false };
        // SAFETY: a live mbuf that we own.
        let tail = unsafe { dpdk_sys::rte_pktmbuf_append(self.0.as_ptr(), length) };
        if tail.is_null() {
            return false;
        }
        // SAFETY: rte_pktmbuf_append returned room for `length` octets, which nothing else refers to.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), tail.cast(), bytes.len()) };
        true
    }

    /// Adds the segments of another frame behind its own; gives it back where there would be too many.
    pub fn chain(&mut self, tail: Self) -> Result<(), Self> {
        // SAFETY: two live frames that we own.
        let refused = unsafe { dpdk_sys::rte_pktmbuf_chain(self.0.as_ptr(), tail.0.as_ptr()) } != 0;
        if refused {
            return Err(tail);
        }
        // Its segments are ours now.
        std::mem::forget(tail);
        Ok(())
    }

    /// Moves the frame into its first segment (`rte_pktmbuf_linearize`); false where it has no room, and nothing changed.
    pub fn linearize(&mut self) -> bool {
        // SAFETY: a live mbuf that we own.
        unsafe { dpdk_sys::rte_pktmbuf_linearize(self.0.as_ptr()) == 0 }
    }
}

impl Drop for Mbuf {
    fn drop(&mut self) {
        // SAFETY: we own it, and it is not used again.
        unsafe { dpdk_sys::rte_pktmbuf_free(self.0.as_ptr()) };
    }
}

impl fmt::Debug for Mbuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mbuf({} octets in {} segments)", self.length(), self.segments())
    }
}

/// Up to [`BURST`] frames; those left in it when it is dropped go back to their pool.
pub struct Burst {
    /// The first `length` are initialised.
    frames: [MaybeUninit<Mbuf>; BURST],
    length: usize,
}

impl Burst {
    /// An empty one.
    pub const fn new() -> Self {
        Self { frames: [const { MaybeUninit::uninit() }; BURST], length: 0 }
    }

    /// The frames in it.
    pub fn frames(&self) -> &[Mbuf] {
        // SAFETY: the first `length` are initialised, and MaybeUninit<Mbuf> is laid out as Mbuf.
        unsafe { std::slice::from_raw_parts(self.frames.as_ptr().cast(), self.length) }
    }

    /// The frames in it, to be changed in place.
    pub fn frames_mut(&mut self) -> &mut [Mbuf] {
        // SAFETY: as in `frames`; `self` is borrowed for as long as they are.
        unsafe { std::slice::from_raw_parts_mut(self.frames.as_mut_ptr().cast(), self.length) }
    }

    /// Whether no frame is in it.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether no further frame fits in.
    pub fn is_full(&self) -> bool {
        self.length == BURST
    }

    /// Adds a frame; gives it back where the burst is full.
    pub fn push(&mut self, frame: Mbuf) -> Result<(), Mbuf> {
        let Some(slot) = self.frames.get_mut(self.length) else { return Err(frame) };
        slot.write(frame);
        self.length += 1;
        Ok(())
    }

    /// Gives every frame to whoever asks, in order; those not asked for are dropped.
    pub fn drain(&mut self) -> Drain<'_> {
        let length = std::mem::take(&mut self.length);
        Drain { frames: &mut self.frames, next: 0, length }
    }

    /// Frees all frames.
    pub fn clear(&mut self) {
        let length = std::mem::take(&mut self.length);
        // SAFETY: the first `length` were initialised, and are not used again.
        unsafe { free(&mut self.frames[..length]) };
    }

    /// Has `fill` write frames behind each other and adds as many as it says it wrote.
    ///
    /// # Safety
    /// `fill` is given room for a number of pointers, and returns how many of them (from the first on) it set to frames
    /// that are ours now.
    pub(super) unsafe fn fill(&mut self, fill: impl FnOnce(*mut *mut rte_mbuf, u16) -> u16) {
        let room = &mut self.frames[self.length..];
        let count = fill(room.as_mut_ptr().cast(), room.len() as u16);
        self.length = (self.length + usize::from(count)).min(BURST);
    }

    /// Has `take` take frames from the beginning; what it leaves is freed, and its number returned.
    ///
    /// # Safety
    /// `take` is given that many frames, and returns how many of them (from the first on) are not ours any more.
    pub(super) unsafe fn take(&mut self, take: impl FnOnce(*mut *mut rte_mbuf, u16) -> u16) -> usize {
        let length = std::mem::take(&mut self.length);
        let taken = usize::from(take(self.frames.as_mut_ptr().cast(), length as u16)).min(length);
        // SAFETY: what was not taken is initialised and ours, and not used again.
        unsafe { free(&mut self.frames[taken..length]) };
        length - taken
    }
}

impl Default for Burst {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.frames()).finish()
    }
}

/// Frames on their way out of a [`Burst`].
#[derive(Debug)]
pub struct Drain<'a> {
    /// Those from `next` to `length` are initialised and ours.
    frames: &'a mut [MaybeUninit<Mbuf>; BURST],
    next: usize,
    length: usize,
}

impl Iterator for Drain<'_> {
    type Item = Mbuf;

    fn next(&mut self) -> Option<Mbuf> {
        if self.next >= self.length {
            return None;
        }
        let slot = self.frames.get(self.next)?;
        self.next += 1;
        // SAFETY: it was initialised, and `next` is past it now.
        Some(unsafe { slot.assume_init_read() })
    }
}

impl Drop for Drain<'_> {
    fn drop(&mut self) {
        // SAFETY: these are initialised and ours, and not used again.
        unsafe { free(&mut self.frames[self.next..self.length]) };
    }
}

/// Frees frames in one call, which returns runs of one pool together.
///
/// # Safety
/// All are initialised, and none is used afterwards.
unsafe fn free(frames: &mut [MaybeUninit<Mbuf>]) {
    if !frames.is_empty() {
        // SAFETY: an Mbuf is a pointer to an mbuf that we own.
        unsafe { dpdk_sys::rte_pktmbuf_free_bulk(frames.as_mut_ptr().cast(), frames.len() as u32) };
    }
}

/// Reads a field of an mbuf.
///
/// # Safety
/// `mbuf` is live, and `offset` is that of a field of type `T`.
unsafe fn field<T: Copy>(mbuf: *const rte_mbuf, offset: usize) -> T {
    // SAFETY: as the caller says.
    unsafe { mbuf.byte_add(offset).cast::<T>().read() }
}

/// The octets of one segment.
///
/// # Safety
/// `mbuf` is live, and not written for `'a`.
unsafe fn segment<'a>(mbuf: *const rte_mbuf) -> &'a [u8] {
    // SAFETY: the offsets are those of these fields; DPDK keeps data_off + data_len within the buffer.
    unsafe {
        let buffer: *const u8 = field(mbuf, dpdk_sys::OSTIARY_MBUF_BUF_ADDR);
        let offset: u16 = field(mbuf, dpdk_sys::OSTIARY_MBUF_DATA_OFF);
        let length: u16 = field(mbuf, dpdk_sys::OSTIARY_MBUF_DATA_LEN);
        std::slice::from_raw_parts(buffer.add(usize::from(offset)), usize::from(length))
    }
}

/// The octets of one segment, to be changed.
///
/// # Safety
/// `mbuf` is live, and nothing else refers to its octets for `'a`.
unsafe fn segment_mut<'a>(mbuf: *mut rte_mbuf) -> &'a mut [u8] {
    // SAFETY: as in `segment`.
    unsafe {
        let buffer: *mut u8 = field(mbuf, dpdk_sys::OSTIARY_MBUF_BUF_ADDR);
        let offset: u16 = field(mbuf, dpdk_sys::OSTIARY_MBUF_DATA_OFF);
        let length: u16 = field(mbuf, dpdk_sys::OSTIARY_MBUF_DATA_LEN);
        std::slice::from_raw_parts_mut(buffer.add(usize::from(offset)), usize::from(length))
    }
}
