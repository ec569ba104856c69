//! A place in the flow table.

/// A place in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slot(pub(super) u32);

impl Slot {
    /// One that no table has.
    pub(super) const NOWHERE: Self = Self(u32::MAX);

    /// Its number, from 0: for arrays beside the table that have an element a slot.
    #[inline(always)]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
