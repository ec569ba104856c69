//! The numbers of rules over many versions of a policy: a rule keeps its number for as long as it keeps its name, and the
//! number of one that is gone is given to another as late as possible. So what is left of sessions under it (those that no
//! packet has had judged again) is still told under its name.

use std::collections::{HashMap, VecDeque};

use dataplane::policy::{Policy, RuleId};

use crate::record::Name;

/// Numbers in use, and those that were.
#[derive(Debug)]
pub struct Numbering {
    /// By number: the rule's name, or that of the last one that had the number.
    names: Vec<Name>,
    numbers: HashMap<Name, RuleId>,
    /// Of rules that are gone, the first one first.
    free: VecDeque<RuleId>,
}

/// Numbers at most: more than a policy has rules, so that numbers rest before they are given again.
const NUMBERS: usize = 65_000;
const _: () = assert!(Policy::RULE_LIMIT < NUMBERS);

impl Numbering {
    /// Of a policy whose rules are numbered by their places.
    pub fn new(rules: &[Name]) -> Self {
        let mut numbering = Self { names: Vec::new(), numbers: HashMap::new(), free: VecDeque::new() };
        numbering.assign(rules);
        numbering
    }

    /// The numbers of the rules of the next version, in their order.
    pub fn assign(&mut self, rules: &[Name]) -> Vec<RuleId> {
        let mut before = std::mem::take(&mut self.numbers);
        let kept: Vec<Option<RuleId>> = rules.iter().map(|name| before.remove(name)).collect();
        let mut gone: Vec<RuleId> = before.into_values().collect();
        gone.sort_unstable();
        self.free.extend(gone);
        let mut numbers = Vec::with_capacity(rules.len());
        for (name, kept) in rules.iter().zip(kept) {
            let number = kept.unwrap_or_else(|| self.next(name));
            self.numbers.insert(name.clone(), number);
            numbers.push(number);
        }
        numbers
    }

    /// By number, those of rules that are gone too.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    fn next(&mut self, name: &Name) -> RuleId {
        if self.names.len() < NUMBERS || self.free.is_empty() {
            self.names.push(name.clone());
            return RuleId((self.names.len() - 1) as u16);
        }
        let number = self.free.pop_front().unwrap_or(RuleId::IMPLICIT);
        if let Some(place) = self.names.get_mut(usize::from(number.0)) {
            place.clone_from(name);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<Name> {
        list.iter().map(|name| Name::from(*name)).collect()
    }

    fn numbers(list: &[u16]) -> Vec<RuleId> {
        list.iter().map(|number| RuleId(*number)).collect()
    }

    #[test]
    fn a_rule_keeps_its_number_wherever_it_moves() {
        let mut numbering = Numbering::new(&names(&["a", "b", "c"]));
        assert_eq!(numbering.assign(&names(&["c", "new", "a"])), numbers(&[2, 3, 0]));
        // What is gone keeps its name, and does not come back under another's number.
        assert_eq!(&*numbering.names()[1], "b");
        assert_eq!(numbering.assign(&names(&["b", "c", "a"])), numbers(&[4, 2, 0]));
    }

    #[test]
    fn numbers_are_given_again_only_when_there_are_no_others() {
        let mut numbering = Numbering::new(&names(&["stays"]));
        for version in 1..NUMBERS {
            assert_eq!(numbering.assign(&names(&["stays", &format!("r{version}")]))[1], RuleId(version as u16));
        }
        assert_eq!(numbering.assign(&names(&["stays", "late"])), numbers(&[0, 1]));
        assert_eq!((&*numbering.names()[1], &*numbering.names()[2]), ("late", "r2"));
        assert_eq!(numbering.assign(&names(&["later"])), numbers(&[2]));
    }
}
