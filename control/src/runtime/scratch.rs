//! A pipeline as workers have it, small and without ports: for questions about a configuration that does not run.

use std::sync::Arc;

use dataplane::appid::ResolvedTable;
use dataplane::endpoint::Mac;
use dataplane::event::{self, Sizes, WorkerId};
use dataplane::pipeline::{Pipeline, Settings};
use dataplane::policy::PortId;

use super::{ports, workers};
use crate::config::Compiled;

/// Sessions that it has room for.
const SESSIONS: usize = 64;
/// Flows under inspection, and datagrams in fragments.
const SLOTS: usize = 4;
/// Events that may wait. Nobody reads them.
const EVENTS: usize = 16;

/// The address of a port, where there is no device to ask: one of the locally administered.
pub fn made_up_mac(port: PortId) -> Mac {
    let [high, low] = port.0.to_be_bytes();
    Mac([0x02, 0, 0, 0xfe, high, low])
}

/// A pipeline that judges as a worker of this configuration does at its start.
pub fn scratch(compiled: &Compiled) -> Pipeline {
    let config = &compiled.dataplane;
    // Made-up addresses are always there.
    let routing = ports::routing(&config.routing, |port| Ok(made_up_mac(port))).unwrap_or_default();
    let settings = Settings {
        max_sessions: SESSIONS.min(config.max_sessions),
        inspection_slots: SLOTS,
        fragment_slots: SLOTS,
        ..workers::settings(config, &routing, WorkerId(0))
    };
    let (sender, _) = event::channels(WorkerId(0), Sizes { session: EVENTS, sign_on: EVENTS, access: EVENTS });
    Pipeline::new(settings, Arc::clone(&compiled.policy), Arc::clone(&compiled.database), sender)
        .sharing(Arc::new(ResolvedTable::new(0)))
        .watching(Arc::clone(&compiled.access.settings))
}
