//! `[management.roles]`: which groups have which role.

use super::document::{Located, Notes};
use super::groups;
use super::schema::management;
use crate::manage::{Right, Role};

/// The groups of each role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The number of a group, and what its members are.
    groups: Vec<(u32, Role)>,
}

impl Roles {
    /// These groups have these roles.
    pub fn new(groups: impl IntoIterator<Item = (u32, Role)>) -> Self {
        Self { groups: groups.into_iter().collect() }
    }

    pub(super) fn compile(written: &management::Roles, notes: &mut Notes) -> Self {
        let mut groups: Vec<(u32, Role)> = Vec::new();
        let mut add = |list: &[Located<String>], role| {
            for group in list {
                let Some(number) = groups::resolve(group, notes) else { continue };
                if groups.iter().any(|(other, _)| *other == number) {
                    let advice = "leave it with the one role that its members are to have";
                    notes.fault(&group.place, Some(group.value.clone()), "each group in one role", advice);
                }
                groups.push((number, role));
            }
        };
        add(&written.read_only, Role::ReadOnly);
        add(&written.auditor, Role::Auditor);
        add(&written.operator, Role::Operator);
        add(&written.administrator, Role::Administrator);
        Self { groups }
    }

    /// What a member of these groups is called: the role of those that can do most.
    pub fn of(&self, groups: &[u32]) -> Role {
        self.roles(groups).max().unwrap_or(Role::None)
    }

    /// Whether a member of these groups may do that, by any of its roles.
    pub fn allow(&self, groups: &[u32], right: Right) -> bool {
        self.roles(groups).any(|role| role.may(right))
    }

    fn roles(&self, groups: &[u32]) -> impl Iterator<Item = Role> {
        self.groups.iter().filter(|(group, _)| groups.contains(group)).map(|(_, role)| *role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_several_groups_may_what_each_may() {
        let roles = Roles::new([(10, Role::Auditor), (20, Role::Operator), (30, Role::ReadOnly)]);
        assert_eq!(roles.of(&[1, 10, 30]), Role::Auditor);
        assert_eq!(roles.of(&[10, 20]), Role::Operator);
        assert!(roles.allow(&[10, 20], Right::ShowAudit) && roles.allow(&[10, 20], Right::Reset));
        assert!(!roles.allow(&[20], Right::ShowAudit) && !roles.allow(&[10], Right::ShowConfiguration));
        assert_eq!(roles.of(&[1, 2]), Role::None);
        assert!(!roles.allow(&[], Right::Show) && !roles.allow(&[1, 2], Right::Show));
    }
}
