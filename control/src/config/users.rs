//! Users and groups in rules: each that some rule names gets a label, and who is in a group is gathered.

use std::path::PathBuf;

use dataplane::access::UserTags;

use super::document::{Located, Notes};
use super::group::{ANY, quoted};
use super::near;
use super::schema::Source;
use super::schema::rules::Rule;
use super::schema::users::{NAME_LIMIT, UserGroup};
use crate::presence::access::labels::{Label, Sign, UserLabels};

/// Gathers the labels of a policy.
pub(super) struct Users<'a> {
    groups: &'a [UserGroup],
    labels: UserLabels,
    /// There are more than there are labels; said once.
    too_many: bool,
}

/// Names in a file at most.
const FILE_LIMIT: usize = 1_000_000;

impl<'a> Users<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self { groups: &source.user_groups, labels: UserLabels::default(), too_many: false }
    }

    /// Whom a rule names; 0: anybody.
    pub(super) fn of_rule(&mut self, rule: &Rule, notes: &mut Notes) -> u64 {
        let (users, groups) = (without_any(&rule.users, notes), without_any(&rule.user_groups, notes));
        let mut found = 0;
        for user in users {
            found |= self.label(Label::User(user.value.clone()), user, notes);
        }
        for group in groups {
            if !self.groups.iter().any(|known| known.name.value == group.value) {
                let known = self.groups.iter().map(|known| known.name.value.as_str());
                let advice = near::suggest(&group.value, known, "define it in [user-group]");
                notes.fault(&group.place, Some(quoted(&group.value)), "the name of a group in [user-group]", advice);
                continue;
            }
            found |= self.label(Label::Group(group.value.clone()), group, notes);
        }
        found
    }

    fn label(&mut self, label: Label, written: &Located<String>, notes: &mut Notes) -> u64 {
        let found = self.labels.label(&label);
        if found.is_none() && !self.too_many {
            self.too_many = true;
            let expected = format!("at most {} different users and groups in all rules", UserTags::LABELS);
            let advice = "put users whom rules treat alike into a group, in [user-group]";
            notes.fault(&written.place, Some("one more".to_owned()), expected, advice);
        }
        found.unwrap_or(0)
    }

    /// All of them, with who is in which group.
    pub(super) fn finish(mut self, notes: &mut Notes) -> UserLabels {
        for group in self.groups {
            let names = group.file.as_ref().map(|file| members(file, notes)).unwrap_or_default();
            let Some(label) = self.labels.group(&group.name.value) else {
                let effect = "no rule names this group";
                notes.warn(&group.name.place, effect, "name it in a rule's user-group, or remove it");
                continue;
            };
            for name in names {
                self.labels.add(Sign::User, &name, label);
            }
            for (sign, list) in
                [(Sign::User, &group.users), (Sign::Class, &group.classes), (Sign::Filter, &group.filters)]
            {
                list.iter().for_each(|item| self.labels.add(sign, item.value.as_bytes(), label));
            }
        }
        self.labels
    }
}

/// The items of a list; none where it says that anybody is meant.
fn without_any<'r>(list: &'r [Located<String>], notes: &mut Notes) -> &'r [Located<String>] {
    let Some(any) = list.iter().find(|item| item.value == ANY) else { return list };
    super::compile::any_alone(list, any, notes);
    &[]
}

/// The names in a group's file: one in each line, without blanks around it; empty lines and those that begin with `#` count for
/// nothing.
fn members(file: &Located<PathBuf>, notes: &mut Notes) -> Vec<Box<[u8]>> {
    let path = file.value.display();
    let octets = match std::fs::read(&file.value) {
        Ok(octets) => octets,
        Err(error) => {
            let advice = "write the group's users there, one in each line, or correct the path";
            notes.fault(&file.place, Some(format!("{path} ({error})")), "a file that can be read", advice);
            return Vec::new();
        }
    };
    let mut names = Vec::new();
    for (line, text) in octets.split(|octet| *octet == b'\n').enumerate() {
        let name = text.trim_ascii();
        if name.is_empty() || name.starts_with(b"#") {
            continue;
        }
        if name.len() > NAME_LIMIT || names.len() == FILE_LIMIT {
            let (found, expected) = if name.len() > NAME_LIMIT {
                (format!("{} octets", name.len()), format!("a name of at most {NAME_LIMIT} octets in each line"))
            } else {
                ("one more name".to_owned(), format!("at most {FILE_LIMIT} names"))
            };
            let found = Some(format!("{path}, line {} ({found})", line + 1));
            notes.fault(&file.place, found, expected, "correct the file");
            return names;
        }
        names.push(name.into());
    }
    if names.is_empty() {
        let advice = "write the group's users there, one in each line";
        notes.fault(&file.place, Some(format!("{path} (no name)")), "a file with at least one name", advice);
    }
    names
}
