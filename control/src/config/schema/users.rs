//! `[user-group]`: users that rules refer to by one name.

use std::path::PathBuf;

use toml::de::DeValue;

use super::super::document::{Located, Notes, Section};
use super::super::value::{self, Refusal};

/// One group: whoever has any of what it lists is in it.
#[derive(Debug)]
pub(crate) struct UserGroup {
    /// Its name.
    pub(crate) name: Located<String>,
    /// `users`: names.
    pub(crate) users: Vec<Located<String>>,
    /// `class`: what RADIUS says as Class.
    pub(crate) classes: Vec<Located<String>>,
    /// `filter-id`: what it says as Filter-Id.
    pub(crate) filters: Vec<Located<String>>,
    /// `file`: a name in each line.
    pub(crate) file: Option<Located<PathBuf>>,
}

/// Octets of a user's name at most (RFC 2865, 5: what an attribute holds).
pub(crate) const NAME_LIMIT: usize = 253;
/// Octets of a Class or Filter-Id that are compared: longer ones are not kept whole.
const TEXT_LIMIT: usize = 63;

impl UserGroup {
    pub(super) fn read_all(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Vec<Self> {
        let sections = section.map_or_else(Vec::new, |section| section.named_tables(notes));
        sections.into_iter().map(|(name, section)| Self::read(name, section, notes)).collect()
    }

    fn read(name: Located<String>, mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        if !["users", "class", "filter-id", "file"].iter().any(|key| section.has(key)) {
            let advice = "write users = [\"…\"], class = [\"…\"], filter-id = [\"…\"] or file = \"…\"";
            notes.fault(&name.place, None, "who is in the group", advice);
        }
        let read = Self {
            users: section.list("users", notes, user).map(|list| list.value).unwrap_or_default(),
            classes: section.list("class", notes, attribute).map(|list| list.value).unwrap_or_default(),
            filters: section.list("filter-id", notes, attribute).map(|list| list.value).unwrap_or_default(),
            file: section.optional("file", notes, value::path),
            name,
        };
        section.finish(notes);
        read
    }
}

/// A user's name.
pub(super) fn user(value: &DeValue<'_>) -> Result<String, Refusal> {
    limited(value, NAME_LIMIT)
}

fn attribute(value: &DeValue<'_>) -> Result<String, Refusal> {
    limited(value, TEXT_LIMIT)
}

fn limited(value: &DeValue<'_>, most: usize) -> Result<String, Refusal> {
    let text = value::text(value)?;
    if text.len() > most {
        return Err(Refusal::new(format!("a text of at most {most} octets"), "no user has a longer one"));
    }
    Ok(text)
}
