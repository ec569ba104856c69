//! Which flow has which slot of the identification engine: few have one, so it is kept beside the table.

use super::index::Index;
use super::slot::Slot;
use crate::appid::InspectionId;
use crate::dpdk::HugeSlice;

/// The engine's slots in use.
#[derive(Debug)]
pub(super) struct Inspections {
    /// By flow; holds numbers of the engine's slots.
    index: Index,
    /// By the engine's slot.
    flows: HugeSlice<u32>,
}

/// No flow.
const NONE: u32 = u32::MAX;

impl Inspections {
    /// For an engine with `capacity` slots.
    pub(super) fn new(capacity: usize) -> Self {
        Self { index: Index::new(capacity), flows: HugeSlice::new(capacity, NONE) }
    }

    /// Notes that a flow, which has none, got a slot of the engine. False where that is none of the engine's.
    pub(super) fn insert(&mut self, flow: Slot, id: InspectionId) -> bool {
        let Some(place) = self.flows.get_mut(id.0 as usize) else { return false };
        *place = flow.0;
        self.index.insert(hash(flow), Slot(id.0));
        true
    }

    /// The slot that a flow has.
    pub(super) fn of(&self, flow: Slot) -> Option<InspectionId> {
        let is_it = |id: Slot| self.flows.get(id.index()).is_some_and(|owner| *owner == flow.0);
        self.index.find(hash(flow), is_it).map(|id| InspectionId(id.0))
    }

    /// Notes that a flow has none any more.
    pub(super) fn remove(&mut self, flow: Slot) {
        let Some(id) = self.of(flow) else { return };
        self.index.remove(hash(flow), Slot(id.0));
        if let Some(place) = self.flows.get_mut(id.0 as usize) {
            *place = NONE;
        }
    }
}

/// Slots are the table's to choose, not a stranger's; this only spreads them (Knuth's multiplicative hashing, with the
/// golden ratio).
const fn hash(flow: Slot) -> u64 {
    let spread = (flow.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    spread ^ spread >> 29
}
