//! What OpenSSH's server says to the system log, as events of the trail: who logged in and out, who failed and why, what was
//! started, which connections came to nothing.
//!
//! Lines are taken by what the kernel says of their sender, not by what they say of themselves. Up to authentication they
//! come from root's process; behind it from one of the user, which root's process named before (`User child is on pid`).
//! From that one only the end of its session and what it starts are believed. Everything in a line that a client chose (the
//! user's name above all) is cut off at the connection's own address and port, which root's process said first.
//!
//! Needs `LogLevel VERBOSE`. Texts are those of OpenSSH 9.2, and of later ones where its source differs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dataplane::time::Nanos;

use crate::record::audit::{AuditEvent, AuditField, Occurrence, Origin, Outcome, Subject, Via};
use crate::record::beginning;

mod line;
#[cfg(test)]
mod tests;

use line::{Line, parse};

/// Processes of the server that are followed; the one that was silent the longest gives way.
pub const PROCESSES: usize = 256;
/// Sessions of one connection that are followed (sshd's own `MaxSessions` is 10).
const SESSIONS: usize = 32;
/// A user's name is cut at so many octets.
const USER: usize = 255;

/// Follows the processes of the server.
#[derive(Debug, Default)]
pub struct Tracker {
    /// By the process that the connection began with.
    processes: BTreeMap<i32, Process>,
    /// Processes of users, and which of the above each belongs to.
    children: BTreeMap<i32, i32>,
    /// Orders processes by their last line.
    lines: u64,
    unknown: u64,
    refused: u64,
}

/// One connection.
#[derive(Debug, Default)]
struct Process {
    origin: Option<Origin>,
    user: Option<String>,
    /// Of the user's process, once there is one.
    uid: Option<u32>,
    /// Why the user may not log in, whatever the proof.
    barred: Option<String>,
    failures: u32,
    authenticated: bool,
    /// All was said: what follows belongs to it.
    ended: bool,
    /// What the client said when it went.
    farewell: Option<String>,
    /// Numbers of sessions, and what each is.
    sessions: Vec<(String, String)>,
    last: u64,
}

impl Tracker {
    /// Takes the text of a line behind `sshd[…]: `, of the process and user that the kernel names.
    pub fn line(&mut self, pid: i32, uid: u32, text: &str, now: Nanos) -> Vec<Occurrence> {
        let owner = match (uid, self.children.get(&pid)) {
            (_, Some(owner)) => *owner,
            (0, None) => pid,
            (_, None) => {
                self.refused += 1;
                return Vec::new();
            }
        };
        let origin = self.processes.get(&owner).and_then(|process| process.origin);
        let Some(line) = parse(text, origin) else {
            self.unknown += 1;
            return Vec::new();
        };
        if uid != 0 && !line.is_of_session() {
            self.refused += 1;
            return Vec::new();
        }
        self.lines += 1;
        let lines = self.lines;
        match line {
            Line::Nothing => return Vec::new(),
            Line::Child(child) => return self.adopt(child, owner),
            Line::Server { state, reason } => return vec![server(now, state, reason)],
            Line::Dropped { origin, reason } => return vec![dropped(now, origin, reason)],
            Line::Grace(pid) => return self.end(pid, now, "login-grace"),
            Line::Connection(origin) => {
                self.forget(pid);
                self.make_room();
                let process = Process { origin: Some(origin), last: lines, ..Process::default() };
                let connect = process.occurrence(AuditEvent::SshConnect, pid, now);
                self.processes.insert(pid, process);
                return vec![connect];
            }
            _ => {}
        }
        if !self.processes.contains_key(&owner) {
            self.make_room();
        }
        let process = self.processes.entry(owner).or_default();
        process.last = lines;
        if uid != 0 {
            process.uid = Some(uid);
        }
        process.take(line, owner, now)
    }

    /// A process that is no more there: what it did not say before is said for it.
    pub fn gone(&mut self, pid: i32, now: Nanos) -> Vec<Occurrence> {
        let said = self.end(pid, now, "login-grace");
        self.forget(pid);
        said
    }

    /// The connections' processes that are followed.
    pub fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.processes.keys().copied()
    }

    /// Who is logged in at a process, the connection's or the user's, and from where.
    pub fn session_of(&self, pid: i32) -> Option<(&str, Option<Origin>)> {
        let owner = self.children.get(&pid).copied().unwrap_or(pid);
        let process = self.processes.get(&owner).filter(|process| process.authenticated && !process.ended)?;
        Some((process.user.as_deref()?, process.origin))
    }

    /// Lines that said nothing that is known, and lines that their sender had no right to say.
    pub fn ignored(&self) -> (u64, u64) {
        (self.unknown, self.refused)
    }

    fn adopt(&mut self, child: i32, owner: i32) -> Vec<Occurrence> {
        if child != owner && self.processes.contains_key(&owner) {
            self.children.insert(child, owner);
        }
        Vec::new()
    }

    fn end(&mut self, pid: i32, now: Nanos, reason: &str) -> Vec<Occurrence> {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| !process.ended) else { return Vec::new() };
        if process.authenticated {
            return process.log_out(pid, now, "the server's process ended");
        }
        process.ended = true;
        vec![process.occurrence(AuditEvent::SshDisconnected, pid, now).with(AuditField::Reason, reason)]
    }

    fn forget(&mut self, pid: i32) {
        self.processes.remove(&pid);
        self.children.retain(|child, owner| *owner != pid && *child != pid);
    }

    fn make_room(&mut self) {
        if self.processes.len() < PROCESSES {
            return;
        }
        let oldest = self.processes.iter().min_by_key(|(_, process)| (!process.ended, process.last));
        if let Some(pid) = oldest.map(|(pid, _)| *pid) {
            self.forget(pid);
        }
    }
}

impl Process {
    fn take(&mut self, line: Line<'_>, pid: i32, now: Nanos) -> Vec<Occurrence> {
        if self.ended {
            return Vec::new();
        }
        match line {
            Line::Barred { user, reason } => {
                self.name(user);
                self.barred = Some(beginning(reason, USER).to_owned());
                Vec::new()
            }
            Line::Accepted { method, user, origin, key } => {
                self.name(user);
                self.origin = self.origin.or(origin);
                self.authenticated = true;
                let login = self.occurrence(AuditEvent::Login, pid, now).with(AuditField::Method, method);
                vec![with(login, AuditField::Fingerprint, key)]
            }
            Line::Failed { method, user, origin, key } => {
                self.name(user);
                self.origin = self.origin.or(origin);
                let reason = match (&self.barred, method) {
                    (Some(barred), _) => barred.clone(),
                    (None, "password") => "wrong password".to_owned(),
                    (None, "publickey") => "key not accepted".to_owned(),
                    (None, method) => format!("{method} not accepted"),
                };
                vec![with(self.failure(pid, now, Some(method), &reason), AuditField::Fingerprint, key)]
            }
            Line::Threshold => {
                let reached = self.occurrence(AuditEvent::LoginThreshold, pid, now);
                let reached = reached.with(AuditField::Count, self.failures);
                vec![reached.with(AuditField::Reason, "maximum authentication attempts exceeded")]
            }
            Line::Negotiation { reason, offer } => {
                self.ended = true;
                let failed = self.occurrence(AuditEvent::SshNegotiationFailed, pid, now);
                vec![with(failed.with(AuditField::Reason, reason), AuditField::Offer, offer)]
            }
            Line::Broken(reason) => {
                self.ended = true;
                vec![self.occurrence(AuditEvent::SshDisconnected, pid, now).with(AuditField::Reason, reason)]
            }
            Line::Session { what, user, number } => {
                if self.sessions.len() < SESSIONS {
                    self.sessions.push((number.to_owned(), what.to_owned()));
                }
                self.name_once(user);
                let subsystem = what.strip_prefix("subsystem '").and_then(|what| what.strip_suffix('\''));
                let (event, what) = match subsystem {
                    Some(subsystem) => (AuditEvent::SubsystemStart, subsystem),
                    None => (AuditEvent::SessionStart, what),
                };
                vec![self.occurrence(event, pid, now).with(AuditField::What, what)]
            }
            Line::NoSubsystem { what, reason } => {
                let refused = self.occurrence(AuditEvent::SubsystemStart, pid, now).failed();
                vec![refused.with(AuditField::What, what).with(AuditField::Reason, reason)]
            }
            Line::SessionClosed(number) => {
                let Some(place) = self.sessions.iter().position(|(known, _)| known == number) else {
                    return Vec::new();
                };
                let (_, what) = self.sessions.remove(place);
                vec![self.occurrence(AuditEvent::SessionEnd, pid, now).with(AuditField::What, what)]
            }
            Line::Farewell(text) => {
                self.farewell = Some(beginning(text, USER).to_owned());
                Vec::new()
            }
            Line::Closed { user, reason } => self.close(user, reason, pid, now),
            Line::Connection(_)
            | Line::Child(_)
            | Line::Server { .. }
            | Line::Dropped { .. }
            | Line::Grace(_)
            | Line::Nothing => Vec::new(),
        }
    }

    /// The connection ended.
    fn close(&mut self, user: Option<&str>, reason: &str, pid: i32, now: Nanos) -> Vec<Occurrence> {
        let farewell = self.farewell.take();
        let reason = farewell.as_deref().unwrap_or(reason);
        if self.authenticated || self.uid.is_some() {
            if let Some(user) = user {
                self.name_once(user);
            }
            return self.log_out(pid, now, reason);
        }
        if self.failures > 0 {
            self.ended = true;
            return Vec::new();
        }
        match user {
            Some(user) => {
                self.name(user);
                let reason = self.barred.clone().unwrap_or_else(|| "closed before authentication".to_owned());
                let failure = self.failure(pid, now, None, &reason);
                self.ended = true;
                vec![failure]
            }
            None => {
                self.ended = true;
                vec![self.occurrence(AuditEvent::SshDisconnected, pid, now).with(AuditField::Reason, reason)]
            }
        }
    }

    fn log_out(&mut self, pid: i32, now: Nanos, reason: &str) -> Vec<Occurrence> {
        self.ended = true;
        let mut said = Vec::new();
        for (_, what) in std::mem::take(&mut self.sessions) {
            said.push(self.occurrence(AuditEvent::SessionEnd, pid, now).with(AuditField::What, what));
        }
        said.push(self.occurrence(AuditEvent::Logout, pid, now).with(AuditField::Reason, reason));
        said
    }

    fn failure(&mut self, pid: i32, now: Nanos, method: Option<&str>, reason: &str) -> Occurrence {
        self.failures += 1;
        let failed = self.occurrence(AuditEvent::LoginFailed, pid, now);
        with(failed, AuditField::Method, method).with(AuditField::Reason, reason)
    }

    fn name(&mut self, user: &str) {
        self.user = Some(beginning(user, USER).to_owned());
    }

    fn name_once(&mut self, user: &str) {
        if self.user.is_none() {
            self.name(user);
        }
    }

    fn occurrence(&self, event: AuditEvent, pid: i32, now: Nanos) -> Occurrence {
        let subject = Subject {
            user: self.user.as_deref().map(Into::into),
            uid: self.uid,
            pid: Some(pid),
            origin: self.origin,
            via: Some(Via::Ssh),
            ..Subject::default()
        };
        Occurrence::new(event, now).by(subject).with(AuditField::Service, SERVICE)
    }
}

/// The field's name in the records.
const SERVICE: &str = "sshd";

fn with(occurrence: Occurrence, field: AuditField, value: Option<&str>) -> Occurrence {
    match value {
        Some(value) => occurrence.with(field, value),
        None => occurrence,
    }
}

fn server(now: Nanos, state: &str, reason: Option<&str>) -> Occurrence {
    let said = Occurrence::new(AuditEvent::SshServer, now).by(Subject::system());
    with(said.with(AuditField::Service, SERVICE).with(AuditField::State, state), AuditField::Reason, reason)
}

fn dropped(now: Nanos, origin: Option<Origin>, reason: &str) -> Occurrence {
    let subject = Subject { origin, via: Some(Via::Ssh), ..Subject::default() };
    let said = Occurrence::new(AuditEvent::SshDisconnected, now).by(subject);
    Occurrence { outcome: Outcome::Failure, ..said }.with(AuditField::Service, SERVICE).with(AuditField::Reason, reason)
}

/// `ADDRESS port PORT`, all of `text`.
fn end(text: &str) -> Option<Origin> {
    let (address, port) = text.split_once(" port ")?;
    Some(Origin { address: address.parse::<IpAddr>().ok()?, port: Some(port.parse().ok()?) })
}
