//! Requests that were denied, as the trail has them: each, unless somebody asks so often that the trail would hold nothing
//! else; then so many of them are told together.

use std::time::{Duration, Instant};

use dataplane::time::Nanos;

use super::peer::Asker;
use super::role::Right;
use super::server::Source;
use crate::record::audit::{AuditEvent, AuditField, Occurrence};

/// So many in a row are told one by one.
const BURST: u32 = 32;
/// And one more each.
const EVERY: Duration = Duration::from_millis(200);

/// What is still to be told of them.
#[derive(Debug)]
pub(super) struct Denials {
    left: u32,
    refilled: Option<Instant>,
    /// The last one that was not told, and how many were not.
    untold: Option<(Asker, String, Right, u64)>,
}

impl Default for Denials {
    fn default() -> Self {
        Self { left: BURST, refilled: None, untold: None }
    }
}

impl Denials {
    /// One more.
    pub(super) fn note(&mut self, asker: &Asker, request: String, right: Right, now: Instant, source: &mut dyn Source) {
        self.turn(now, source);
        let count = self.untold.take().map_or(0, |(.., count)| count) + 1;
        self.untold = Some((asker.clone(), request, right, count));
        self.turn(now, source);
    }

    /// Tells what may be told by now.
    pub(super) fn turn(&mut self, now: Instant, source: &mut dyn Source) {
        let refilled = *self.refilled.get_or_insert(now);
        let more = (now.saturating_duration_since(refilled).as_millis() / EVERY.as_millis()) as u32;
        if more > 0 {
            self.left = self.left.saturating_add(more).min(BURST);
            self.refilled = Some(now);
        }
        if self.left == 0 {
            return;
        }
        if let Some((asker, request, right, count)) = self.untold.take() {
            self.left -= 1;
            let mut occurrence = occurrence(source.now(), &asker, &request, right);
            if count > 1 {
                occurrence = occurrence.with(AuditField::Count, count);
            }
            source.audit(occurrence);
        }
    }
}

fn occurrence(now: Nanos, asker: &Asker, request: &str, right: Right) -> Occurrence {
    Occurrence::new(AuditEvent::AccessDenied, now)
        .by(asker.subject())
        .with(AuditField::Request, request)
        .with(AuditField::Right, right.text())
}
