//! `[address]`, `[service]` and `[profile.NAME]`: objects that rules refer to by name.

use toml::de::DeValue;

use super::super::describe::{Kind, Shape};
use super::super::document::{Located, Notes, Section, read_list};
use super::super::value;

/// A named list: of addresses or of services.
#[derive(Debug)]
pub(crate) struct Object {
    /// Its name.
    pub(crate) name: Located<String>,
    /// What is in it: literals, and names of other objects of its kind.
    pub(crate) items: Vec<Located<String>>,
}

/// Reads the objects of `[address]` or `[service]`; `kind` is "an address" or "a service".
pub(super) fn read(kind: &str, section: Option<Section<'_, '_>>, notes: &mut Notes) -> Vec<Object> {
    let Some(section) = section else { return Vec::new() };
    let mut objects = Vec::new();
    for (name, value) in section.named(notes) {
        if !name.value.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let advice = format!("begin it with a letter: it could be taken for {kind}");
            notes.fault(&name.place, Some(name.value.clone()), "a name that begins with a letter", advice);
            continue;
        }
        let place = notes.place(value.span(), name.place.key.clone());
        // One item needs no brackets.
        notes.describe(&place.key, Kind::Value(Shape::Text), false);
        let items = match value.get_ref() {
            DeValue::String(text) => vec![Located { value: text.to_string(), place }],
            _ => read_list(&place, value, notes, value::text).unwrap_or_default(),
        };
        objects.push(Object { name, items });
    }
    objects
}

/// Which sign-ons of an application a profile has recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImAudit {
    /// Coming online: logins, failed logins, and being seen.
    Online,
    /// Going offline.
    Offline,
    /// Both.
    Both,
}

/// One `[profile.NAME]`.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Its name.
    pub(crate) name: Located<String>,
    /// `im-audit`: application and what of it.
    pub(crate) im_audit: Vec<(Located<String>, ImAudit)>,
}

impl Profile {
    pub(super) fn read_all(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Vec<Self> {
        let sections = section.map_or_else(Vec::new, |section| section.named_tables(notes));
        sections.into_iter().map(|(name, section)| Self::read(name, section, notes)).collect()
    }

    fn read(name: Located<String>, mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        if !section.has("im-audit") {
            let expected = "what the profile is for: im-audit = { qq = \"both\" }";
            notes.fault(&name.place, None, expected, "add im-audit = { … }, or remove the profile");
        }
        let im_audit = section.table("im-audit", notes).map(|audit| read_im_audit(&audit, notes)).unwrap_or_default();
        section.finish(notes);
        Self { name, im_audit }
    }
}

fn read_im_audit(section: &Section<'_, '_>, notes: &mut Notes) -> Vec<(Located<String>, ImAudit)> {
    let parse =
        value::choice(&[("both", ImAudit::Both), ("online", ImAudit::Online), ("offline", ImAudit::Offline)], &[]);
    let mut audit = Vec::new();
    for (application, value) in section.entries(notes) {
        match parse(value.get_ref()) {
            Ok(what) => audit.push((application, what)),
            Err(refusal) => {
                let place = notes.place(value.span(), application.place.key.clone());
                notes.refused(&place, value, refusal);
            }
        }
    }
    audit
}
