//! What is done by itself when something happens, or happens often: `[[respond]]`.
//!
//! Judging is pure: a record comes in, what is due comes out, and the control core does it. What a response does is
//! recorded, and never is the ground of a response.

use std::net::IpAddr;
use std::time::Duration;

use dataplane::time::Nanos;

use crate::config::{By, Match, Response, ResponseRule};
use crate::record::audit::{AuditEvent, AuditField, AuditRecord, Occurrence, Subject, Via};
use crate::record::{Body, Name, Record, json};

pub mod blocked;
pub mod program;
pub mod window;

use window::{Rate, Window};

/// A response that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// By which rule.
    pub rule: Name,
    /// What is to be done.
    pub response: Response,
    /// The record that it answers: boot and number.
    pub cause: String,
    /// What that was.
    pub event: AuditEvent,
    /// Where whoever did that is.
    pub origin: Option<IpAddr>,
    /// Who that is.
    pub user: Option<Name>,
    /// The record as an object of JSON.
    pub line: String,
    /// How often the rule's limit had kept it from being done.
    pub refused: u64,
}

/// Judges records by the rules.
#[derive(Debug, Default)]
pub struct Responder {
    rules: Vec<Active>,
}

#[derive(Debug)]
struct Active {
    rule: ResponseRule,
    window: Window<Key>,
    rate: Rate,
}

/// Whom occurrences are counted apart for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    All,
    Origin(IpAddr),
    User(Name),
}

/// What comes of a record.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What is to be done.
    pub due: Vec<Due>,
    /// What is to be recorded of rules that were kept from it.
    pub limited: Vec<Occurrence>,
}

impl Responder {
    /// Goes on with these rules. A rule that is as it was goes on counting.
    pub fn reconfigure(&mut self, rules: Vec<ResponseRule>) {
        let mut before = std::mem::take(&mut self.rules);
        for rule in rules {
            let place = before.iter().position(|active| active.rule == rule);
            self.rules.push(match place {
                Some(place) => before.swap_remove(place),
                None => Active { window: Window::new(rule.count, rule.within), rate: Rate::new(rule.limit), rule },
            });
        }
    }

    /// What a record is the ground of.
    pub fn judge(&mut self, record: &Record) -> Judgement {
        let mut judgement = Judgement::default();
        let Body::Audit(audit) = &record.body else { return judgement };
        if audit.by_response || is_of_response(audit.event) {
            return judgement;
        }
        for active in &mut self.rules {
            active.judge(record, audit, &mut judgement);
        }
        judgement
    }
}

/// Whatever made it: responses answer nothing that is about responses.
fn is_of_response(event: AuditEvent) -> bool {
    use AuditEvent::{Raised, ResponseFailed, ResponseLimited, ResponseTaken};
    matches!(event, ResponseTaken | ResponseFailed | ResponseLimited | Raised)
}

impl Active {
    fn judge(&mut self, record: &Record, audit: &AuditRecord, judgement: &mut Judgement) {
        let rule = &self.rule;
        if !rule.on.contains(&audit.event) || !rule.conditions.iter().all(|(field, wanted)| holds(audit, field, wanted))
        {
            return;
        }
        let key = match rule.by {
            None => Some(Key::All),
            Some(By::Origin) => audit.subject.origin.map(|origin| Key::Origin(origin.address.to_canonical())),
            Some(By::User) => audit.subject.user.clone().map(Key::User),
        };
        let Some(key) = key else { return };
        if !self.window.happened(&key, record.time) {
            return;
        }
        let cause = format!("{}-{}", record.boot, record.sequence);
        match self.rate.ask(record.time) {
            Ok(refused) => {
                for response in rule.then.iter().filter(|response| !is_loop(audit.event, response)) {
                    judgement.due.push(Due {
                        rule: rule.name.clone(),
                        response: response.clone(),
                        cause: cause.clone(),
                        event: audit.event,
                        origin: audit.subject.origin.map(|origin| origin.address.to_canonical()),
                        user: audit.subject.user.clone(),
                        line: line(record),
                        refused,
                    });
                }
            }
            // The first says it; how many there were is told by the response that is taken next.
            Err(1) => judgement.limited.push(
                said(AuditEvent::ResponseLimited, &rule.name, &cause, record.time)
                    .with(AuditField::Reason, format!("the limit is {} within {}", rule.limit.0, span(rule.limit.1))),
            ),
            Err(_) => {}
        }
    }
}

/// An upload that fails must not be answered by an upload, nor a full store by a rotation that finds no room either.
fn is_loop(event: AuditEvent, response: &Response) -> bool {
    match response {
        Response::Upload(_) => matches!(event, AuditEvent::AuditUploadFailed | AuditEvent::AuditUploaded),
        Response::Run(_) => matches!(event, AuditEvent::AuditRotated),
        _ => false,
    }
}

fn holds(audit: &AuditRecord, field: &str, wanted: &Match) -> bool {
    let subject = &audit.subject;
    let text = match (field, wanted) {
        (_, Match::Network(network)) => {
            return subject.origin.is_some_and(|origin| network.contains(&origin.address.to_canonical()));
        }
        ("user", _) => subject.user.as_deref(),
        ("role", _) => subject.role.map(|role| role.text()),
        ("via", _) => subject.via.map(|via| via.text()),
        ("outcome", _) => audit.outcome.text(),
        (name, _) => audit.fields.iter().find(|(field, _)| field.name() == name).map(|(_, text)| &**text),
    };
    matches!(wanted, Match::Text(wanted) if text == Some(wanted.as_str()))
}

fn line(record: &Record) -> String {
    let mut line = Vec::new();
    json::write(&mut line, record);
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

fn span(span: Duration) -> String {
    format!("{} s", span.as_secs())
}

/// An occurrence that a response makes.
fn said(event: AuditEvent, rule: &Name, cause: &str, now: Nanos) -> Occurrence {
    let subject = Subject { via: Some(Via::Response), ..Subject::default() };
    Occurrence::new(event, now).by(subject).with(AuditField::Rule, rule).with(AuditField::Cause, cause)
}

impl Due {
    /// That it was done.
    pub fn taken(&self, measure: &str, now: Nanos) -> Occurrence {
        let taken = said(AuditEvent::ResponseTaken, &self.rule, &self.cause, now);
        let taken = self.about(taken).with(AuditField::Measure, measure);
        if self.refused > 0 { taken.with(AuditField::Count, self.refused) } else { taken }
    }

    /// That it could not be done.
    pub fn failed(&self, measure: &str, reason: &str, now: Nanos) -> Occurrence {
        let failed = self.about(said(AuditEvent::ResponseFailed, &self.rule, &self.cause, now));
        failed.with(AuditField::Measure, measure).with(AuditField::Reason, reason)
    }

    /// What happened, told again at another severity.
    pub fn raised(&self, severity: u8, now: Nanos) -> Occurrence {
        let raised = self.about(said(AuditEvent::Raised, &self.rule, &self.cause, now));
        let raised = raised.with(AuditField::What, self.event.name());
        Occurrence { severity: Some(severity), ..raised }
    }

    fn about(&self, mut occurrence: Occurrence) -> Occurrence {
        occurrence.subject.user = self.user.clone();
        occurrence.subject.origin = self.origin.map(|address| crate::record::audit::Origin { address, port: None });
        occurrence
    }
}

#[cfg(test)]
mod tests;
