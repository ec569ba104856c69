//! The last sign-ons, and the end of the audit trail: what happened just now.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use crate::record::{Body, Class, Record, json};

/// Records that are kept of each kind.
const KEPT: usize = 200;
/// And shown.
const SHOWN: usize = 100;

/// See the module.
#[derive(Debug)]
pub struct Feed {
    users: bool,
    audit: bool,
    sign_ons: VecDeque<Arc<Record>>,
    trail: VecDeque<Arc<Record>>,
}

impl Feed {
    /// Of users, of the trail, or of both.
    pub fn new(users: bool, audit: bool) -> Self {
        Self { users, audit, sign_ons: VecDeque::new(), trail: VecDeque::new() }
    }

    /// Takes what it is of.
    pub fn see(&mut self, record: &Arc<Record>) {
        let ring = match &record.body {
            Body::Im(_) | Body::Access(_) if self.users => &mut self.sign_ons,
            Body::Audit(_) if self.audit => &mut self.trail,
            Body::Loss(loss) if self.audit && loss.class == Class::Audit => &mut self.trail,
            _ => return,
        };
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(Arc::clone(record));
    }

    /// Sign-ons, the newest first.
    pub(super) fn sign_ons(&self) -> Vec<Value> {
        values(&self.sign_ons)
    }

    /// What the trail was told, the newest first.
    pub(super) fn trail(&self) -> Vec<Value> {
        values(&self.trail)
    }
}

fn values(ring: &VecDeque<Arc<Record>>) -> Vec<Value> {
    let value = |record: &Arc<Record>| {
        let mut line = Vec::new();
        json::write(&mut line, record);
        // What was just written is JSON.
        serde_json::from_slice(&line).unwrap_or_default()
    };
    ring.iter().rev().take(SHOWN).map(value).collect()
}
