//! `[[respond]]`, ready to be judged by.

use std::time::Duration;

use super::document::Notes;
use super::schema::Source;
use super::schema::respond::{Respond, SUBJECT};
use crate::audit::StoreConfig;
use crate::record::Name;
use crate::record::audit::AuditEvent;

/// What is done when something happens, or happens often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseRule {
    /// Its name.
    pub name: Name,
    /// One of these happened.
    pub on: Vec<AuditEvent>,
    /// And these fields say so.
    pub conditions: Vec<(Name, Match)>,
    /// So often.
    pub count: u32,
    /// In so long a time.
    pub within: Duration,
    /// Counted apart for each of these.
    pub by: Option<By>,
    /// What is done.
    pub then: Vec<Response>,
    /// So often within that time at most.
    pub limit: (u32, Duration),
}

/// What a field has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Just this.
    Text(String),
    /// An address of this network; of `origin`.
    Network(ipnet::IpNet),
}

/// What occurrences are counted apart for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The address that it comes from.
    Origin,
    /// The account.
    User,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Traffic from the origin is dropped for so long.
    BlockSource(Duration),
    /// A record of this severity is made.
    Raise(u8),
    /// The firewall does something that it can.
    Run(Builtin),
    /// A file of the trail is closed and sent to its sites.
    Upload(Name),
    /// Mail is sent to this address.
    Mail(String),
    /// A program is run with these arguments; the first is its path.
    Program(Vec<String>),
}

/// What the firewall can do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// Closes the files of the trail and begins new ones.
    Rotate,
    /// Loads the rescue configuration.
    Rescue,
    /// Ends the sessions of the origin.
    ClearSessions,
}

/// Responses at most.
const RESPONSES: usize = 64;

/// The responses, in order. `store` is what uploads are of.
pub(super) fn compile(source: &Source, store: &StoreConfig, notes: &mut Notes) -> Vec<ResponseRule> {
    let mut rules: Vec<ResponseRule> = Vec::new();
    for written in &source.responses {
        let Some(name) = &written.name else { continue };
        if rules.iter().any(|rule| *rule.name == *name.value) {
            notes.fault(&name.place, Some(name.value.clone()), "a name that no other response has", "choose another");
        } else if rules.len() == RESPONSES {
            notes.fault(&name.place, None, format!("at most {RESPONSES} responses"), "join some of them");
            return rules;
        }
        for response in &written.then {
            let Response::Upload(file) = response else { continue };
            let (expected, advice) = match store.files.iter().find(|known| known.name == *file) {
                None => ("then.upload: the name of a file", "name \"audit\", or an [[audit.file]]"),
                Some(known) if known.archive.sites.is_empty() => {
                    let expected = "then.upload: a file that has sites to be sent to";
                    (expected, "give that [[audit.file]] an archive with sites")
                }
                Some(_) => continue,
            };
            notes.fault(&name.place, Some(file.to_string()), expected, advice);
        }
        rules.push(ResponseRule {
            name: name.value.as_str().into(),
            on: written.on.iter().map(|event| event.value).collect(),
            conditions: conditions(written, notes),
            count: written.count,
            within: written.within,
            by: written.by,
            then: written.then.clone(),
            limit: written.limit,
        });
    }
    rules
}

/// What is asked of the origin is a network, an address being one of its own.
fn conditions(written: &Respond, notes: &mut Notes) -> Vec<(Name, Match)> {
    let mut conditions = Vec::new();
    for (field, text) in &written.conditions {
        let has = |event: AuditEvent| event.fields().iter().any(|known| known.name() == field.value);
        let without = written.on.iter().find(|event| !SUBJECT.contains(&&*field.value) && !has(event.value));
        if let Some(event) = without {
            let expected = format!("a field that records of {} have", event.value.name());
            notes.fault(&field.place, Some(field.value.clone()), expected, "see them with: ostiary records --audit");
            continue;
        }
        let matched = if field.value == "origin" {
            let address = || text.value.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
            match text.value.parse().or_else(|_| address()) {
                Ok(network) => Match::Network(network),
                Err(_) => {
                    let advice = "write it like \"192.0.2.0/24\" or \"2001:db8::1\"";
                    notes.fault(&text.place, Some(text.value.clone()), "an address or a prefix", advice);
                    continue;
                }
            }
        } else {
            Match::Text(text.value.clone())
        };
        conditions.push((field.value.as_str().into(), matched));
    }
    conditions
}
