//! A record as a sentence for people: ASCII, whatever the account is.

use std::fmt;
use std::net::SocketAddr;

use dataplane::guard::Phase;

use super::access::legible;
use super::audit::Outcome;
use super::{Body, FlowContext, ImAction, SessionAction, beginning, close_reason_text};
use crate::presence::access::AccessAction;

/// Fields of the trail that a sentence says.
const SENTENCE_FIELDS: usize = 3;

/// Prints it.
pub(crate) struct Sentence<'a>(pub &'a Body);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Body::Session(session) => {
                let (client, server) = ends(&session.flow);
                let rule = ascii(&session.flow.rule);
                match session.action {
                    SessionAction::Create => write!(f, "session {client} to {server} created by rule {rule}"),
                    SessionAction::Close { reason, .. } => {
                        write!(f, "session {client} to {server} closed: {}", close_reason_text(reason))
                    }
                    SessionAction::Deny { packets: 1, .. } => {
                        write!(f, "packet {client} to {server} denied by rule {rule}")
                    }
                    SessionAction::Deny { packets, .. } => {
                        write!(f, "{packets} packets like {client} to {server} denied by rule {rule}")
                    }
                }
            }
            Body::Im(im) => {
                let (client, _) = ends(&im.flow);
                write!(f, "{} user ", ascii(&im.flow.application))?;
                if let Some(account) = &im.account {
                    write!(f, "{} ", ascii(account))?;
                }
                match im.action {
                    ImAction::Login => write!(f, "logged in from {client}"),
                    ImAction::Logout => write!(f, "logged out at {client}: {}", im.reason.text()),
                    ImAction::Result { success: true } => write!(f, "was accepted at {client}"),
                    ImAction::Result { success: false } => write!(f, "was refused at {client}"),
                    ImAction::Seen => write!(f, "seen at {client}"),
                }
            }
            Body::Attack(attack) => {
                let (client, server) = ends(&attack.flow);
                let (kind, port) = (attack.kind, ascii(&attack.flow.interfaces.0));
                match attack.phase {
                    Phase::Begin => write!(f, "attack {kind} at {port} begins, like {client} to {server}"),
                    Phase::Ongoing => {
                        write!(
                            f,
                            "attack {kind} at {port}: {} packets, like {client} to {server}",
                            attack.recent.packets
                        )
                    }
                    Phase::End => write!(f, "attack {kind} at {port} is over: {} packets", attack.total.packets),
                }
            }
            Body::Access(access) => {
                write!(f, "{} user {} ", access.user.source.name(), ascii(&legible(&access.user.account)))?;
                match access.action {
                    AccessAction::Login => write!(f, "logged in"),
                    AccessAction::Logout => write!(f, "logged out: {}", access.reason.text()),
                    AccessAction::Seen => write!(f, "seen"),
                    AccessAction::Result { success: true } => write!(f, "was let in"),
                    AccessAction::Result { success: false } => write!(f, "was refused: {}", access.reason.text()),
                }
            }
            Body::Audit(audit) => {
                let subject = &audit.subject;
                match (&subject.user, subject.uid) {
                    (Some(user), _) => write!(f, "{} of {}", audit.event.name(), ascii(user))?,
                    (None, Some(uid)) => write!(f, "{} of uid {uid}", audit.event.name())?,
                    (None, None) => f.write_str(audit.event.name())?,
                }
                if let Some(origin) = subject.origin {
                    write!(f, " from {origin}")?;
                }
                for (field, text) in audit.fields.iter().take(SENTENCE_FIELDS) {
                    write!(f, ", {} {}", field.name(), ascii(text))?;
                }
                if audit.outcome == Outcome::Failure { f.write_str(": failed") } else { Ok(()) }
            }
            Body::Loss(loss) => {
                write!(f, "{} {} records lost at {}", loss.count, loss.class.text(), ascii(&loss.place.to_string()))
            }
        }
    }
}

fn ends(flow: &FlowContext) -> (SocketAddr, SocketAddr) {
    (flow.tuple.client.socket(), flow.tuple.server.socket())
}

/// Printable ASCII as it is, everything else as `\u{…}`, in what fits a sentence.
pub(crate) fn ascii(text: &str) -> impl fmt::Display {
    beginning(text, 64).escape_default()
}
