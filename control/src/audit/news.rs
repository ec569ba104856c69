//! What the trail says about itself, as what happened.

use dataplane::time::Nanos;

use super::StoreNews;
use super::archive::Done;
use super::desk::Told;
use super::live::Found;
use crate::record::LossReason;
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject};
use crate::signatures::key::PublicKey;

fn occurrence(event: AuditEvent, time: Nanos) -> Occurrence {
    Occurrence::new(event, time).by(Subject::system())
}

/// The key that signs was made.
pub(super) fn key_made(time: Nanos, key: &PublicKey) -> Occurrence {
    let made = occurrence(AuditEvent::KeyChange, time).with(AuditField::Key, "audit trail");
    made.with(AuditField::Change, "made").with(AuditField::Fingerprint, key)
}

/// What a file was found to be at the start.
pub(super) fn found(time: Nanos, name: &str, found: Found) -> Occurrence {
    match found {
        Found::Recovered { serial, octets, unsigned } => occurrence(AuditEvent::AuditRecovered, time)
            .with(AuditField::File, name)
            .with(AuditField::Serial, serial)
            .with(AuditField::Octets, octets)
            .with(AuditField::Count, unsigned),
        Found::Tampered { file, line, what } => occurrence(AuditEvent::AuditTampered, time)
            .with(AuditField::File, file.display())
            .with(AuditField::Line, line)
            .with(AuditField::Reason, what),
    }
}

/// What a file says while it is written; none of what is no news.
pub(super) fn told(time: Nanos, name: &str, told: Told, refuses: bool) -> Option<StoreNews> {
    let file = |event| occurrence(event, time).with(AuditField::File, name);
    let said = match told {
        Told::Rotated(rotated, reason) => file(AuditEvent::AuditRotated)
            .with(AuditField::Serial, rotated.serial)
            .with(AuditField::FirstRecord, rotated.records.0)
            .with(AuditField::LastRecord, rotated.records.1)
            .with(AuditField::Digest, rotated.digest)
            .with(AuditField::Reason, reason),
        Told::Checkpoint { n, digest, signature } => file(AuditEvent::AuditCheckpoint)
            .with(AuditField::LastRecord, n)
            .with(AuditField::Hash, digest)
            .with(AuditField::Signature, signature),
        Told::Space { percent, of } => file(AuditEvent::AuditSpace)
            .with(AuditField::Percent, percent)
            .with(AuditField::Measure, if of == "disk" { "the disk" } else { "the files that are kept" }),
        Told::Full { reason } => {
            let measure = if refuses { "new sessions are refused" } else { "new records are dropped" };
            file(AuditEvent::AuditFull).with(AuditField::Measure, format!("{measure}: {reason}"))
        }
        Told::Room => return Some(StoreNews::Notice(format!("the audit trail's file {name} can be written again"))),
        Told::Archive(gone) => return Some(done(time, name, gone)),
        Told::Lost(class, lost) => {
            return Some(StoreNews::Lost {
                file: name.into(),
                class,
                count: lost.count,
                sequences: lost.sequences,
                span: lost.span,
                reason: LossReason::StoreFull,
            });
        }
        Told::Fault(text) => return Some(StoreNews::Notice(text)),
    };
    Some(StoreNews::Occurred(said))
}

/// What was done with an archive.
pub(super) fn done(time: Nanos, name: &str, done: Done) -> StoreNews {
    let file = |event| occurrence(event, time).with(AuditField::File, name);
    StoreNews::Occurred(match done {
        Done::Deleted { serial, records, digest, reason } => file(AuditEvent::AuditDeleted)
            .with(AuditField::Serial, serial)
            .with(AuditField::FirstRecord, records.0)
            .with(AuditField::LastRecord, records.1)
            .with(AuditField::Digest, digest)
            .with(AuditField::Reason, reason),
        Done::Uploaded { serial, site, digest } => file(AuditEvent::AuditUploaded)
            .with(AuditField::Serial, serial)
            .with(AuditField::Site, site)
            .with(AuditField::Digest, digest),
        Done::UploadFailed { serial, site, reason } => file(AuditEvent::AuditUploadFailed)
            .with(AuditField::Serial, serial)
            .with(AuditField::Site, site)
            .with(AuditField::Reason, reason),
        Done::Fault(text) => return StoreNews::Notice(format!("the audit trail's file {name}: {text}")),
    })
}
