//! The events of the trail in words: the page of the documentation that is made from the tables.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{AuditEvent, AuditField, MAX_FIELDS, MAX_TEXT, Outcome};
use crate::record::schema::VERSION;

/// Requirements, and what of this product answers them beside the events that name them.
const REQUIREMENTS: &[(&str, &str)] = &[
    ("FAU_GEN.1", "start and stop of auditing, logins and logouts, changes with what changed, keys by name, passwords"),
    ("FAU_STG.1", "the trail is a chain of hashes with signed checkpoints"),
    ("FAU_STG_EXT.1", "the trail is stored here and sent to log hosts; archives; what happens when it is full"),
    ("FAU_STG_EXT.2", "what was lost is counted exactly: records LOG_LOSS, see records.md"),
    ("FAU_STG_EXT.3", "a warning before it is full, in the trail itself"),
    ("FCS_SSHS_EXT.1", "failed negotiations of SSH, with reason"),
    ("FCS_TLSC_EXT.1", "failed connections under TLS, with reason"),
    ("FFW_RUL_EXT.1", "rules that log, and FFW_RUL_EXT.2, sessions: records of class session, see records.md"),
    ("FIA_AFL.1", "too many failed logins, with origin"),
    ("FIA_UIA_EXT.1", "every login that succeeds or fails, with origin"),
    ("FMT_MOF.1", "what a role does not allow; updates that were tried"),
    ("FMT_SMF.1", "everything that manages the firewall"),
    ("FPT_STM_EXT.1", "the clock was set: old and new time, by whom"),
    ("FPT_TUD_EXT.1", "an update and how it ended"),
    ("FTA_SSL.3", "sessions that were ended"),
    ("FTA_SSL.4", "sessions that their users ended"),
    ("FTP_ITC.1", "channels to log hosts and sites: begin, end and failure with reason"),
    ("FTP_TRP.1", "paths of administrators: begin, end and failure"),
];

/// Every event and field, as Markdown: the page control/audit.md.
pub fn page() -> String {
    let mut page = format!(
        "# Events of the audit trail\n\nVersion {VERSION} of the records. This page is what `ostiary records --audit` prints. In every \
         format `event` is `audit` and `action` the name; the MSGID is the name in capitals, with `_`. Each record has time, \
         boot and seq, and, where they are known, `outcome`, `user`, `uid`, `pid`, `role`, `origin`, `via` and `session`: who \
         did it, from where and how. At most {MAX_FIELDS} fields of {MAX_TEXT} octets.\n\n## Events\n\n\
         | event | severity | outcome | fields | asked for by | what | made in `control/src` |\n|---|---:|---|---|---|---|---|\n"
    );
    for event in AuditEvent::ALL {
        let outcome = match event.outcome() {
            Outcome::Success => "success or failure",
            Outcome::Failure => "failure",
            Outcome::None => "",
        };
        let fields: Vec<&str> = event.fields().iter().map(|field| field.name()).collect();
        let (name, severity, about) = (event.name(), event.severity(), event.about());
        let (fields, fau) = (fields.join(", "), event.fau().join(", "));
        let made = event.made_in();
        let _ = writeln!(page, "| {name} | {severity} | {outcome} | {fields} | {fau} | {about} | {made} |");
    }
    page.push_str("\n## Fields\n\n| field | what |\n|---|---|\n");
    for field in AuditField::ALL {
        let _ = writeln!(page, "| {} | {} |", field.name(), field.about());
    }
    page.push_str("\n## Requirements\n\nOf NDcPP 3.0e, the events that answer them, and the source files below `control/src` that make those.\n\n\
         | requirement | what | events | made in |\n|---|---|---|---|\n");
    for (id, about) in REQUIREMENTS {
        let answers = AuditEvent::ALL.iter().filter(|event| event.fau().contains(id));
        let events: Vec<&str> = answers.clone().map(|event| event.name()).collect();
        let files: BTreeSet<&str> = answers.map(|event| event.made_in()).collect();
        let files: Vec<&str> = files.into_iter().collect();
        // Records of other classes.
        let files = if files.is_empty() { vec!["record/sequence.rs"] } else { files };
        let _ = writeln!(page, "| {id} | {about} | {} | {} |", events.join(", "), files.join(", "));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_that_an_event_names_is_in_the_page() {
        for event in AuditEvent::ALL {
            for id in event.fau() {
                assert!(REQUIREMENTS.iter().any(|(known, _)| known == id), "{id}");
            }
        }
    }
}
