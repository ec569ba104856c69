//! Texts of flows that a configuration made, in the form that they have in messages: rule, ports and zones. There are few
//! of them, so that each is escaped once and copied from then on.

use super::{FlowContext, Name};

/// Remembers what was made of the names of a flow, in places by the addresses of the names.
#[derive(Debug)]
pub(crate) struct Statics {
    places: Box<[Option<Box<Entry>>]>,
}

/// The names, held so that no other name can come to their addresses, and what they became.
#[derive(Debug)]
struct Entry {
    names: [Name; 5],
    made: Made,
}

/// What names became.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Made {
    /// The fields.
    pub fields: Vec<u8>,
    /// The rule's name in a sentence.
    pub rule: Vec<u8>,
}

/// As many combinations of names are remembered: far more than are in use at a time, since two that share a place are made
/// anew each time that they alternate.
const PLACES: usize = 4_096;

impl Default for Statics {
    fn default() -> Self {
        Self { places: std::iter::repeat_with(|| None).take(PLACES).collect() }
    }
}

impl Statics {
    /// What the names of a flow are in messages; made by `make` where it is not remembered.
    #[inline]
    pub(crate) fn of(&mut self, flow: &FlowContext, make: impl FnOnce(&FlowContext) -> Made) -> &Made {
        let names = names(flow);
        // Names lie 16 octets apart at least. Rules are many, ports and zones few.
        let mixed = address(names[0]) ^ address(names[1]).rotate_left(7) ^ address(names[2]).rotate_left(13);
        let place = &mut self.places[(mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize % PLACES];
        let is_there = |entry: &Entry| entry.names.iter().zip(names).all(|(held, name)| Name::ptr_eq(held, name));
        if !place.as_deref().is_some_and(is_there) {
            *place = None;
        }
        let entry = place.get_or_insert_with(|| Box::new(Entry { names: names.map(Name::clone), made: make(flow) }));
        &entry.made
    }
}

fn names(flow: &FlowContext) -> [&Name; 5] {
    [&flow.rule, &flow.interfaces.0, &flow.interfaces.1, &flow.zones.0, &flow.zones.1]
}

fn address(name: &Name) -> u64 {
    name.as_ptr().addr() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    fn make(flow: &FlowContext) -> Made {
        let mut fields = Vec::new();
        names(flow).iter().for_each(|name| fields.extend_from_slice(name.as_bytes()));
        Made { fields, rule: flow.rule.as_bytes().to_vec() }
    }

    #[test]
    fn what_is_remembered_is_what_would_be_made() {
        let mut statics = Statics::default();
        let rules: Vec<Name> = (0..2_000).map(|number| format!("rule {number}").into()).collect();
        for rule in rules.iter().chain(&rules).chain(rules[..9].iter().cycle().take(99)) {
            let mut flow = sample::flow_v4();
            flow.rule.clone_from(rule);
            assert_eq!(*statics.of(&flow, make), make(&flow));
        }
    }

    #[test]
    fn names_that_are_gone_leave_nothing_behind() {
        let mut statics = Statics::default();
        for number in 0..10_000 {
            let mut flow = sample::flow_v4();
            flow.rule = format!("{number:05}").as_str().into();
            assert_eq!(statics.of(&flow, make).rule, format!("{number:05}").into_bytes());
        }
    }

    #[test]
    fn the_same_names_are_made_once() {
        let (mut statics, flow, mut times) = (Statics::default(), sample::flow_v4(), 0);
        for _ in 0..10 {
            statics.of(&flow, |flow| {
                times += 1;
                make(flow)
            });
        }
        assert_eq!(times, 1);
    }
}
