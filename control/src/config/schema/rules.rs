//! `[[rule]]`, `[policy]` and `[application-identification]`: what is let through, and what is looked into.

use std::path::PathBuf;

use dataplane::policy::Action;

use super::super::document::{Located, Notes, Section};
use super::super::fault::Place;
use super::super::value;
use super::users;
use crate::signatures::Trust;

/// One `[[rule]]`. A list that is absent matches everything, as `["any"]` does.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Where it is written.
    pub(crate) place: Place,
    /// `name`.
    pub(crate) name: Option<Located<String>>,
    /// `from`: zones of the client's side.
    pub(crate) from: Vec<Located<String>>,
    /// `to`: zones of the server's side.
    pub(crate) to: Vec<Located<String>>,
    /// `source`: the client's addresses.
    pub(crate) source: Vec<Located<String>>,
    /// `destination`: the server's addresses.
    pub(crate) destination: Vec<Located<String>>,
    /// `service`.
    pub(crate) service: Vec<Located<String>>,
    /// `application`.
    pub(crate) application: Vec<Located<String>>,
    /// `user`: names of the client's user.
    pub(crate) users: Vec<Located<String>>,
    /// `user-group`: groups of which that user is in one.
    pub(crate) user_groups: Vec<Located<String>>,
    /// `action`.
    pub(crate) action: Option<Located<Action>>,
    /// `session-logging`; default false.
    pub(crate) session_logging: bool,
    /// `profile`; default none.
    pub(crate) profile: Option<Located<String>>,
    /// `source-nat`: the pool that its sessions are translated to; default none.
    pub(crate) source_nat: Option<Located<String>>,
}

impl Rule {
    pub(super) fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let name = section.required("name", notes, "the rule's name, which appears in records", value::name);
        if let Some(name) = &name {
            section.rename(format!("rule[{}]", name.value));
        }
        let mut names = |key| section.list(key, notes, value::text).map(|list| list.value).unwrap_or_default();
        let (from, to) = (names("from"), names("to"));
        let (source, destination) = (names("source"), names("destination"));
        let (service, application) = (names("service"), names("application"));
        let user_groups = names("user-group");
        let users = section.list("user", notes, users::user).map(|list| list.value).unwrap_or_default();
        let actions = &[("permit", Action::Permit), ("deny", Action::Deny), ("reset", Action::Reset)];
        let action =
            section.required("action", notes, "one of \"permit\", \"deny\", \"reset\"", value::choice(actions, &[]));
        let session_logging = section.optional("session-logging", notes, value::boolean).is_some_and(|on| on.value);
        let profile = section.optional("profile", notes, value::name);
        let source_nat = section.optional("source-nat", notes, value::name);
        let place = section.place().clone();
        section.finish(notes);
        Self {
            place,
            name,
            from,
            to,
            source,
            destination,
            service,
            application,
            users,
            user_groups,
            action,
            session_logging,
            profile,
            source_nat,
        }
    }
}

/// `[policy]`: `implicit-deny-logging`, default false.
pub(super) fn read_policy(section: Option<Section<'_, '_>>, notes: &mut Notes) -> bool {
    let Some(mut section) = section else { return false };
    let logging = section.optional("implicit-deny-logging", notes, value::boolean);
    section.finish(notes);
    logging.is_some_and(|on| on.value)
}

/// `[application-identification]`.
#[derive(Debug)]
pub(crate) struct Identification {
    /// `mode = "full"`; default `"on-demand"`.
    pub(crate) full: bool,
    /// `signatures`; default: the database that the program was built with.
    pub(crate) signatures: Option<Located<PathBuf>>,
    /// `trusted-keys` and `unsigned`: whose databases are taken; default: nobody's.
    pub(crate) trust: Trust,
    /// `downgrade = "allow"`; default `"refuse"`.
    pub(crate) downgrade: bool,
}

impl Identification {
    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let mut read = Self { full: false, signatures: None, trust: Trust::default(), downgrade: false };
        let Some(mut section) = section else { return read };
        let modes = value::choice(&[("on-demand", false), ("full", true)], &[]);
        read.full = section.optional("mode", notes, modes).is_some_and(|mode| mode.value);
        read.signatures = section.optional("signatures", notes, value::path);
        if let Some(keys) = section.list("trusted-keys", notes, value::public_key) {
            read.trust.keys = keys.value.into_iter().map(|key| key.value).collect();
        }
        let exceptions = value::choice(&[("refuse", false), ("allow", true)], &[]);
        read.trust.unsigned = section.optional("unsigned", notes, &exceptions).is_some_and(|allow| allow.value);
        read.downgrade = section.optional("downgrade", notes, &exceptions).is_some_and(|allow| allow.value);
        section.finish(notes);
        read
    }
}
