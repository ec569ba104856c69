//! Virtual wires: what enters one port leaves by the other.

use crate::flow::Realm;
use crate::policy::PortId;

/// The wire of each port.
#[derive(Debug)]
pub(super) struct Wires {
    /// By port: the wire's number, the port on its other end, and whether this port is its second.
    ports: Box<[Option<(u8, PortId, bool)>]>,
    pairs: Box<[(PortId, PortId)]>,
}

impl Wires {
    pub(super) fn new(pairs: &[(PortId, PortId)]) -> Self {
        let last = pairs.iter().map(|(a, b)| a.0.max(b.0)).max().unwrap_or(0);
        let mut ports = vec![None; usize::from(last) + 1].into_boxed_slice();
        for (number, &(first, second)) in pairs.iter().enumerate() {
            let number =
                u8::try_from(number).ok().filter(|wire| *wire != Realm::ROUTED).expect("there are at most 255 wires");
            ports[usize::from(first.0)] = Some((number, second, false));
            ports[usize::from(second.0)] = Some((number, first, true));
        }
        Self { ports, pairs: pairs.into() }
    }

    /// The wire that a port belongs to, and its other end.
    pub(super) fn from(&self, port: PortId) -> Option<(u8, PortId)> {
        let (wire, other, _) = (*self.ports.get(usize::from(port.0))?)?;
        Some((wire, other))
    }

    /// Whether a port is its wire's second.
    pub(super) fn is_second(&self, port: PortId) -> bool {
        matches!(self.ports.get(usize::from(port.0)), Some(Some((_, _, true))))
    }

    /// The ports of a wire, the second first where `swapped`.
    pub(super) fn pair(&self, wire: u8, swapped: bool) -> (PortId, PortId) {
        let (first, second) = self.pairs.get(usize::from(wire)).copied().unwrap_or((PortId(0), PortId(0)));
        if swapped { (second, first) } else { (first, second) }
    }
}
