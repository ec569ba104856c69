//! Which message a record is: severity and identifier, the same in every format that is text.

use dataplane::guard::Phase;

use super::{Body, ImAction, SessionAction};
use crate::presence::access::AccessAction;

/// Severities in use, RFC 5424, table 2.
const WARNING: u8 = 4;
const NOTICE: u8 = 5;
const INFORMATIONAL: u8 = 6;

/// Severity and MSGID.
pub(crate) fn kind(body: &Body) -> (u8, &'static str) {
    match body {
        Body::Session(session) => match session.action {
            SessionAction::Create => (INFORMATIONAL, "SESSION_CREATE"),
            SessionAction::Close { .. } => (INFORMATIONAL, "SESSION_CLOSE"),
            SessionAction::Deny { .. } => (NOTICE, "SESSION_DENY"),
        },
        Body::Im(im) => match im.action {
            ImAction::Login => (INFORMATIONAL, "IM_LOGIN"),
            ImAction::Logout => (INFORMATIONAL, "IM_LOGOUT"),
            ImAction::Result { .. } => (NOTICE, "IM_RESULT"),
            ImAction::Seen => (INFORMATIONAL, "IM_SEEN"),
        },
        Body::Attack(attack) => match attack.phase {
            Phase::Begin => (WARNING, "ATTACK_BEGIN"),
            Phase::Ongoing => (WARNING, "ATTACK"),
            Phase::End => (NOTICE, "ATTACK_END"),
        },
        Body::Access(access) => match access.action {
            AccessAction::Login => (INFORMATIONAL, "ACCESS_LOGIN"),
            AccessAction::Logout => (INFORMATIONAL, "ACCESS_LOGOUT"),
            AccessAction::Seen => (INFORMATIONAL, "ACCESS_SEEN"),
            AccessAction::Result { success: true } => (INFORMATIONAL, "CALL_STATUS"),
            AccessAction::Result { success: false } => (NOTICE, "CALL_STATUS"),
        },
        Body::Audit(audit) => (audit.severity, audit.event.id()),
        Body::Loss(_) => (WARNING, "LOG_LOSS"),
    }
}
