//! Which users and groups the rules of a policy name, and who is one of them.

use std::collections::HashMap;

use dataplane::access::{Text, UserTags};

use super::AccessUser;

/// Users and groups, each with a label: a bit of [`UserTags`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UserLabels {
    /// By label.
    labels: Vec<Label>,
    users: HashMap<Box<[u8]>, u64>,
    classes: HashMap<Box<[u8]>, u64>,
    filters: HashMap<Box<[u8]>, u64>,
}

/// Whom a rule names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// The user of this name.
    User(String),
    /// The group of this name.
    Group(String),
}

/// By what somebody is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The name.
    User,
    /// Class of RADIUS.
    Class,
    /// Filter-Id of RADIUS.
    Filter,
}

impl UserLabels {
    /// The bits of a label, which gets one where it has none; none where there are too many.
    pub fn label(&mut self, label: &Label) -> Option<u64> {
        let place = self.labels.iter().position(|known| known == label).unwrap_or_else(|| {
            self.labels.push(label.clone());
            self.labels.len() - 1
        });
        if place >= UserTags::LABELS {
            self.labels.truncate(UserTags::LABELS);
            return None;
        }
        if let Label::User(name) = label {
            self.add(Sign::User, name.as_bytes(), 1 << place);
        }
        Some(1 << place)
    }

    /// The bit of a group, if some rule names it.
    pub fn group(&self, name: &str) -> Option<u64> {
        let is_it = |label: &Label| matches!(label, Label::Group(group) if group == name);
        self.labels.iter().position(is_it).map(|place| 1 << place)
    }

    /// Whoever has this gets these labels.
    pub fn add(&mut self, sign: Sign, octets: &[u8], labels: u64) {
        let signs = match sign {
            Sign::User => &mut self.users,
            Sign::Class => &mut self.classes,
            Sign::Filter => &mut self.filters,
        };
        *signs.entry(octets.into()).or_default() |= labels;
    }

    /// Whether rules name nobody.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Whom rules name.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.labels.iter()
    }

    /// The labels of a user, by what is known of this sign-on alone.
    pub fn of(&self, user: &AccessUser) -> u64 {
        by(&self.users, user.name().unwrap_or_default()) | self.granted(user)
    }

    /// The labels of whoever has this name, whatever else is known of him.
    pub fn of_name(&self, name: &str) -> u64 {
        by(&self.users, name.as_bytes())
    }

    /// Those by what RADIUS granted, whatever the name.
    pub(super) fn granted(&self, user: &AccessUser) -> u64 {
        by(&self.classes, user.text(Text::Class)) | by(&self.filters, user.text(Text::Filter))
    }

    /// The users that labels stand for.
    pub fn users(&self, labels: u64) -> Vec<String> {
        self.named(labels)
            .filter_map(|label| if let Label::User(name) = label { Some(name.clone()) } else { None })
            .collect()
    }

    /// The groups that labels stand for.
    pub fn groups(&self, labels: u64) -> Vec<String> {
        let group = |label: &Label| if let Label::Group(name) = label { Some(name.clone()) } else { None };
        self.named(labels).filter_map(group).collect()
    }

    fn named(&self, labels: u64) -> impl Iterator<Item = &Label> {
        self.labels.iter().enumerate().filter(move |(place, _)| labels >> place & 1 == 1).map(|(_, label)| label)
    }
}

fn by(signs: &HashMap<Box<[u8]>, u64>, octets: &[u8]) -> u64 {
    match octets {
        [] => 0,
        octets => signs.get(octets).copied().unwrap_or(0),
    }
}
