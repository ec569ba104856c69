//! Records of the audit trail: what was done to the firewall and by whom, and what it found out about itself.
//!
//! Each source makes an [`Occurrence`]; [`Recorder::audit`](super::sequence::Recorder::audit) numbers it among all records.
//! What can happen is one table, [`AuditEvent`].

use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};

use dataplane::time::Nanos;

use super::fields::{Fields, label};
use super::rfc5424::visible;
use super::{Name, beginning};
use crate::manage::Role;

mod event;
mod page;
mod producer;

pub use event::{AuditEvent, AuditField};
pub use page::page;

/// A text of a record of the trail has so many octets at most.
pub const MAX_TEXT: usize = 1_024;
/// And a record so many texts beside who did it.
pub const MAX_FIELDS: usize = 16;

/// A record of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// What happened.
    pub event: AuditEvent,
    /// From 0, emergency, to 7, debug (RFC 5424, table 2).
    pub severity: u8,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub subject: Subject,
    /// What of it, in the order in which it was said.
    pub fields: Box<[(AuditField, Box<str>)]>,
    /// Made by a response: it never is the ground of another.
    pub by_response: bool,
}

/// How what happened ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// As whoever did it wanted.
    Success,
    /// Refused, or not brought to its end.
    Failure,
    /// There is nothing to succeed in.
    #[default]
    None,
}

/// Who did it, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The account.
    pub user: Option<Name>,
    /// Its number.
    pub uid: Option<u32>,
    /// The process.
    pub pid: Option<i32>,
    /// What the account may do.
    pub role: Option<Role>,
    /// From where.
    pub origin: Option<Origin>,
    /// By which way.
    pub via: Option<Via>,
    /// In which session of NETCONF.
    pub session: Option<u32>,
}

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The address.
    pub address: IpAddr,
    /// The port, where it is known.
    pub port: Option<u16>,
}

/// By which way something was asked, or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A command, over the management socket.
    Cli,
    /// NETCONF.
    Netconf,
    /// A signal to the process.
    Signal,
    /// SSH.
    Ssh,
    /// A terminal of this machine.
    Console,
    /// The page.
    Dashboard,
    /// The system, or the firewall itself.
    System,
    /// A response to another record.
    Response,
}

/// What happened, before it is a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// When.
    pub time: Nanos,
    /// What.
    pub event: AuditEvent,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub subject: Subject,
    /// What of it.
    pub fields: Vec<(AuditField, String)>,
    /// Where it is not that of the event.
    pub severity: Option<u8>,
}

impl Occurrence {
    /// Of an event at a time: successful where it is one that can fail, done by nobody who is known.
    pub fn new(event: AuditEvent, time: Nanos) -> Self {
        Self { time, event, outcome: event.outcome(), subject: Subject::default(), fields: Vec::new(), severity: None }
    }

    /// The same, done by that one.
    #[must_use]
    pub fn by(self, subject: Subject) -> Self {
        Self { subject, ..self }
    }

    /// The same, failed.
    #[must_use]
    pub fn failed(self) -> Self {
        Self { outcome: Outcome::Failure, ..self }
    }

    /// The same, with one field more. Fields beyond [`MAX_FIELDS`] are left out.
    #[must_use]
    pub fn with(mut self, field: AuditField, value: impl Display) -> Self {
        debug_assert!(self.event.fields().contains(&field), "{} has no {}", self.event.name(), field.name());
        self.fields.push((field, value.to_string()));
        self
    }

    /// What it says in a field; none where it has none such.
    pub fn field(&self, field: AuditField) -> Option<&str> {
        self.fields.iter().find(|(name, _)| *name == field).map(|(_, value)| value.as_str())
    }

    /// As a record: texts cut and made legible.
    pub fn into_record(self) -> AuditRecord {
        let mut subject = self.subject;
        subject.user = subject.user.map(|user| legible(&user).into());
        let fields = self.fields.into_iter().take(MAX_FIELDS).map(|(field, text)| (field, legible(&text)));
        AuditRecord {
            event: self.event,
            severity: self.severity.unwrap_or(self.event.severity()).min(7),
            outcome: self.outcome,
            by_response: subject.via == Some(Via::Response),
            fields: fields.collect(),
            subject,
        }
    }
}

/// What others said, as a trail may have it: no controls, no more than [`MAX_TEXT`] octets.
fn legible(text: &str) -> Box<str> {
    let text = beginning(text, MAX_TEXT);
    if text.chars().all(|character| visible(character) == character) {
        return text.into();
    }
    let shown: String = text.chars().map(visible).collect();
    beginning(&shown, MAX_TEXT).into()
}

impl AuditRecord {
    /// What it says in a field; none where it has none such.
    pub fn field(&self, field: AuditField) -> Option<&str> {
        self.fields.iter().find(|(name, _)| *name == field).map(|(_, value)| &**value)
    }

    /// Its fields, for the formats that are text.
    pub(super) fn write<F: Fields + ?Sized>(&self, out: &mut F) {
        out.word(label!("action"), self.event.name());
        if let Some(outcome) = self.outcome.text() {
            out.word(label!("outcome"), outcome);
        }
        let subject = &self.subject;
        if let Some(user) = &subject.user {
            out.text(label!("user"), user);
        }
        if let Some(uid) = subject.uid {
            out.number(label!("uid"), uid.into());
        }
        if let Some(pid) = subject.pid {
            out.number(label!("pid"), pid.unsigned_abs().into());
        }
        if let Some(role) = subject.role {
            out.word(label!("role"), role.text());
        }
        if let Some(origin) = subject.origin {
            out.text(label!("origin"), &origin.to_string());
        }
        if let Some(via) = subject.via {
            out.word(label!("via"), via.text());
        }
        if let Some(session) = subject.session {
            out.number(label!("session"), session.into());
        }
        for (field, text) in &self.fields {
            match text.parse() {
                Ok(number) if field.is_number() => out.number(field.label(), number),
                _ => out.text(field.label(), text),
            }
        }
    }

    /// Its fields but those of who did it, as one text: `name=value`, and a space between two.
    pub(super) fn detail(&self) -> String {
        let texts: Vec<String> = self.fields.iter().map(|(field, text)| format!("{}={text}", field.name())).collect();
        texts.join(" ")
    }
}

impl Outcome {
    /// In the words of the records; none where there was nothing to succeed in.
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::Success => Some("success"),
            Self::Failure => Some("failure"),
            Self::None => None,
        }
    }
}

impl Via {
    /// In the words of the records.
    pub fn text(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Netconf => "netconf",
            Self::Signal => "signal",
            Self::Ssh => "ssh",
            Self::Console => "console",
            Self::Dashboard => "dashboard",
            Self::System => "system",
            Self::Response => "response",
        }
    }
}

impl Subject {
    /// The firewall itself, or the system.
    pub fn system() -> Self {
        Self { via: Some(Via::System), ..Self::default() }
    }
}

impl From<SocketAddr> for Origin {
    fn from(end: SocketAddr) -> Self {
        Self { address: end.ip(), port: Some(end.port()) }
    }
}

impl Display for Origin {
    /// As a socket address, or as an address where the port is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_says_what_happened() {
        let subject = Subject { uid: Some(0), via: Some(Via::Cli), ..Subject::default() };
        let occurrence = Occurrence::new(AuditEvent::StatisticsReset, Nanos(5)).by(subject.clone());
        let record = occurrence.with(AuditField::What, "access").into_record();
        assert_eq!((record.severity, record.outcome, &record.subject), (5, Outcome::Success, &subject));
        assert_eq!((record.field(AuditField::What), record.field(AuditField::Host)), (Some("access"), None));
        assert_eq!(record.detail(), "what=access");
        assert!(!record.by_response);
    }

    #[test]
    fn what_fails_and_what_answers_is_marked() {
        let failed = Occurrence::new(AuditEvent::LoginFailed, Nanos(5));
        assert_eq!(failed.outcome, Outcome::Failure);
        let mut raised = Occurrence::new(AuditEvent::Raised, Nanos(5));
        raised.severity = Some(1);
        let record = raised.by(Subject { via: Some(Via::Response), ..Subject::default() }).into_record();
        assert!(record.by_response && record.severity == 1);
    }

    proptest! {
        /// Whatever was said: bounded, one line, and not more fields than a record has.
        #[test]
        fn texts_are_bounded_and_legible(text in ".{0,1500}", fields in 0..40_usize) {
            let mut occurrence = Occurrence::new(AuditEvent::ConfigChange, Nanos(1));
            for _ in 0..fields {
                occurrence = occurrence.with(AuditField::Old, &text);
            }
            occurrence.subject.user = Some(text.as_str().into());
            let record = occurrence.into_record();
            prop_assert_eq!(record.fields.len(), fields.min(MAX_FIELDS));
            let texts = record.fields.iter().map(|(_, text)| &**text).chain(record.subject.user.as_deref());
            for shown in texts {
                prop_assert!(shown.len() <= MAX_TEXT && !shown.contains(|c: char| c.is_control()));
                prop_assert!(text.contains(|c: char| visible(c) != c) || text.starts_with(shown));
            }
        }
    }
}
