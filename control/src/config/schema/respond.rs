//! `[[respond]]`: what is done when something happens, or happens often.

use std::time::Duration;

use toml::de::DeValue;

use super::super::audit::SEVERITIES;
use super::super::describe::{Kind, Shape};
use super::super::document::{Located, Notes, Section};
use super::super::near;
use super::super::respond::{Builtin, By, Response};
use super::super::value::{self, Refusal};
use crate::record::audit::{AuditEvent, AuditField};

/// One `[[respond]]`.
#[derive(Debug)]
pub(crate) struct Respond {
    /// `name`.
    pub(crate) name: Option<Located<String>>,
    /// `on`: the events.
    pub(crate) on: Vec<Located<AuditEvent>>,
    /// `where`: what their fields have to be.
    pub(crate) conditions: Vec<(Located<String>, Located<String>)>,
    /// `count`; default 1.
    pub(crate) count: u32,
    /// `within`; default 1 min.
    pub(crate) within: Duration,
    /// `by`; default: all are counted together.
    pub(crate) by: Option<By>,
    /// `then`.
    pub(crate) then: Vec<Response>,
    /// `limit`; default 6/min.
    pub(crate) limit: (u32, Duration),
}

const BY: &[(&str, By)] = &[("origin", By::Origin), ("user", By::User)];

const BUILTINS: &[(&str, Builtin)] =
    &[("rotate", Builtin::Rotate), ("rescue", Builtin::Rescue), ("clear-sessions", Builtin::ClearSessions)];

/// Conditions may be put to these, beside the fields of the events.
pub(crate) const SUBJECT: [&str; 5] = ["user", "origin", "role", "via", "outcome"];

impl Respond {
    pub(super) fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let name = section.required("name", notes, "the response's name, like \"guessing\"", value::name);
        if let Some(name) = &name {
            section.rename(format!("respond[{}]", name.value));
        }
        if !section.has("on") || !section.has("then") {
            let place = section.place().clone();
            let advice = "write on = [\"login-failed\"] and then = [{ raise = \"alert\" }]";
            notes.fault(&place, None, "on and then", advice);
        }
        let read = Self {
            name,
            on: section.list("on", notes, event).map(|list| list.value).unwrap_or_default(),
            conditions: conditions(&mut section, notes),
            count: section.optional("count", notes, value::number(1_u32, 1_000)).map_or(1, |count| count.value),
            within: section
                .optional("within", notes, value::duration(Duration::from_secs(1), Duration::from_secs(86_400)))
                .map_or(Duration::from_secs(60), |within| within.value),
            by: section.optional("by", notes, value::choice(BY, &[])).map(|by| by.value),
            then: responses(&mut section, notes),
            limit: section.optional("limit", notes, rate).map_or((6, Duration::from_secs(60)), |limit| limit.value),
        };
        section.finish(notes);
        read
    }
}

/// One of `on`.
fn event(value: &DeValue<'_>) -> Result<AuditEvent, Refusal> {
    let words = || Shape::Choice(AuditEvent::ALL.iter().map(|event| event.name()).collect());
    let text = value::text(value).map_err(|refusal| refusal.of(words()))?;
    AuditEvent::named(&text).ok_or_else(|| {
        let known = AuditEvent::ALL.iter().map(|event| event.name());
        let advice = near::suggest(&text, known, "list the events with: ostiary records --audit");
        Refusal::new("the name of an event of the audit trail", advice)
    })
}

/// `where = { FIELD = "text" }`.
fn conditions(section: &mut Section<'_, '_>, notes: &mut Notes) -> Vec<(Located<String>, Located<String>)> {
    let mut conditions = Vec::new();
    let Some(table) = section.table("where", notes) else { return conditions };
    if notes.describe("respond[].where.NAME", Kind::Value(Shape::Text), false) {
        return conditions;
    }
    for (field, value) in table.entries(notes) {
        let known = || AuditField::ALL.iter().map(|field| field.name()).chain(SUBJECT);
        if !known().any(|name| name == field.value) {
            let advice = near::suggest(&field.value, known(), "see the fields of that event: ostiary records --audit");
            notes.fault(&field.place, Some(field.value.clone()), "a field of audit records", advice);
            continue;
        }
        match value::text(value.get_ref()) {
            Ok(text) => {
                let place = field.place.clone();
                conditions.push((field, Located { value: text, place }));
            }
            Err(refusal) => notes.refused(&field.place, value, refusal),
        }
    }
    conditions
}

/// `then = [{ … }]`, or `[[respond.then]]`.
fn responses(section: &mut Section<'_, '_>, notes: &mut Notes) -> Vec<Response> {
    let mut responses = Vec::new();
    let tables = section.tables("then", notes);
    if tables.is_empty() && section.is_list("then") {
        let advice = "write what is to be done, like then = [{ raise = \"alert\" }]";
        notes.fault(&section.place().clone(), None, "at least one response in then", advice);
    }
    for mut table in tables {
        let before = responses.len();
        let blocked = value::duration(Duration::from_secs(1), Duration::from_secs(7 * 86_400));
        if let Some(time) = table.optional("block-source", notes, blocked) {
            responses.push(Response::BlockSource(time.value));
        }
        if let Some(severity) = table.optional("raise", notes, severity) {
            responses.push(Response::Raise(severity.value));
        }
        if let Some(builtin) = table.optional("run", notes, value::choice(BUILTINS, &[])) {
            responses.push(Response::Run(builtin.value));
        }
        if let Some(file) = table.optional("upload", notes, value::name) {
            responses.push(Response::Upload(file.value.into()));
        }
        if let Some(address) = table.optional("mail", notes, mail_address) {
            responses.push(Response::Mail(address.value));
        }
        if let Some(program) = table.list("program", notes, value::text) {
            match program.value.first() {
                Some(path) if !path.value.starts_with('/') => {
                    let advice = "write it like [\"/usr/local/sbin/page\", \"noc\"]; no shell is asked";
                    notes.fault(&path.place, Some(path.value.clone()), "the absolute path of a program", advice);
                }
                _ => responses.push(Response::Program(program.value.into_iter().map(|word| word.value).collect())),
            }
        }
        if responses.len() > before + 1 {
            let advice = "write a list: then = [{ raise = \"alert\" }, { run = \"rotate\" }]";
            notes.fault(table.place(), None, "one response in each table", advice);
        }
        table.finish(notes);
    }
    responses
}

fn severity(value: &DeValue<'_>) -> Result<u8, Refusal> {
    let text = value::text(value).map_err(|refusal| refusal.of(Shape::Choice(SEVERITIES.to_vec())))?;
    let place = SEVERITIES.iter().position(|word| *word == text).and_then(|place| u8::try_from(place).ok());
    place.ok_or_else(|| {
        let expected = format!("one of {}", SEVERITIES.join(", "));
        Refusal::new(expected, near::suggest(&text, SEVERITIES, "write one of these words"))
    })
}

/// `"6/min"`: so often within that time.
fn rate(value: &DeValue<'_>) -> Result<(u32, Duration), Refusal> {
    let text = value::text(value)?;
    let refusal = || Refusal::new("how often in which time", "write it like \"6/min\", \"1/s\" or \"10/h\"");
    let (count, unit) = text.split_once('/').ok_or_else(refusal)?;
    let seconds = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(refusal()),
    };
    let count = count.trim().parse().ok().filter(|count| (1..=1_000).contains(count)).ok_or_else(refusal)?;
    Ok((count, Duration::from_secs(seconds)))
}

/// `name@domain`, which can be nobody's option.
fn mail_address(value: &DeValue<'_>) -> Result<String, Refusal> {
    let text = value::text(value)?;
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._+-".contains(&octet))
    };
    match text.split_once('@') {
        Some((name, domain)) if plain(name) && plain(domain) && !text.starts_with('-') => Ok(text),
        _ => Err(Refusal::new(
            "an address like \"noc@example.net\"",
            "write letters, digits and any of . _ + - around one @",
        )),
    }
}
