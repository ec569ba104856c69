//! What the page shows, as JSON. Names are as in `ostiary show`, and only ever added to; no list has more than
//! [`ROWS`] rows, however much there is.

use dataplane::counters::Counter;
use dataplane::policy::RuleId;
use dataplane::verdict::DropReason;
use serde_json::{Value, json};

use super::super::metrics::Measured;
use super::super::{PolicyRow, time_text};
use super::Watched;
use super::search::has;

/// Rows of a list.
pub(super) const ROWS: usize = 200;
/// Rules that are looked through for a text: all that there can be.
const RULES: usize = 65_536;

/// What is true now.
pub(super) fn now(watched: &dyn Watched, measured: &Measured, shows: (bool, bool)) -> Value {
    let cores = || measured.cores.iter();
    let sum = |counter| cores().map(|core| core.counters.value(counter)).sum::<u64>();
    let drops = DropReason::ALL.iter().filter_map(|reason| {
        let count = cores().map(|core| core.counters.drops(*reason)).sum::<u64>();
        (count > 0).then(|| json!({ "name": reason.name(), "about": reason.help().trim(), "count": count }))
    });
    let worker = |core: &super::super::metrics::CoreLoad| {
        let dropped: u64 = DropReason::ALL.iter().map(|reason| core.counters.drops(*reason)).sum();
        let value = |counter| core.counters.value(counter);
        json!({
            "name": core.worker, "core": core.core, "busy-percent": core.percent,
            "packets": value(Counter::PacketsReceived), "octets": value(Counter::OctetsReceived),
            "dropped": dropped, "sessions": value(Counter::SessionsActive),
            "lost-events": value(Counter::SessionEventsLost) + value(Counter::SignonEventsLost)
                + value(Counter::AttackEventsLost) + value(Counter::AccessEventsLost),
        })
    };
    let mut hosts = watched.log_hosts();
    let mut ports: Vec<_> = measured.ports.iter().collect();
    hosts.truncate(ROWS);
    ports.truncate(ROWS);
    let commits = measured.commits;
    json!({
        "time": time_text(watched.now()),
        "host-name": measured.host_name,
        "version": measured.version,
        "boot": measured.boot,
        "started": time_text(measured.started),
        "signatures": measured.signatures,
        "shows": { "users": shows.0, "audit": shows.1 },
        "policy": { "version": measured.policy, "since": time_text(measured.policy_since), "rules": measured.rules },
        "configuration": { "modified": commits.modified, "unconfirmed": commits.unconfirmed, "scheduled": commits.scheduled },
        "online": { "im": measured.im_users.0, "access": measured.access_users },
        "blocked": measured.blocked,
        "sessions": { "active": sum(Counter::SessionsActive), "opened": sum(Counter::SessionsOpened) },
        "packets": sum(Counter::PacketsReceived),
        "octets": sum(Counter::OctetsReceived),
        "drops": drops.collect::<Vec<_>>(),
        "pool": measured.pool,
        "workers": cores().take(ROWS).map(worker).collect::<Vec<_>>(),
        "ports": ports,
        "records": measured.records,
        "hosts": hosts,
        "applications": applications(watched),
    })
}

/// Applications, those with most flows first.
fn applications(watched: &dyn Watched) -> Vec<Value> {
    let names = &watched.compiled().names;
    let mut all: Vec<_> = watched.applications().into_iter().collect();
    all.sort_by(|(one, a), (other, b)| (b.named, b.octets, one.0).cmp(&(a.named, a.octets, other.0)));
    let row = |(id, tally): &(sigdb::AppId, AppTally)| {
        let AppTally { named, closed, octets } = *tally;
        json!({ "name": names.application(*id).as_ref(), "flows": named, "closed": closed, "octets": octets })
    };
    all.iter().take(ROWS).map(row).collect()
}

/// What was seen of an application since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppTally {
    /// Flows that turned out to be of it.
    pub named: u64,
    /// Recorded sessions of it that ended,
    pub closed: u64,
    /// and octets of those, both ways.
    pub octets: u64,
}

/// The rules in whose name, zones, applications or action a text stands, in small letters, with how many flows came
/// under each.
pub(super) fn policy(watched: &dyn Watched, text: &str) -> Value {
    let compiled = watched.compiled();
    let count = compiled.policy.source().rules.len();
    let mut rows = Vec::new();
    let mut more = false;
    for at in 0..(count + 1).min(RULES) {
        // A look at the name alone is cheap; the whole row is made of few.
        let id = if at == count { RuleId::IMPLICIT } else { compiled.policy.number(at) };
        let is_named = text.is_empty() || compiled.names.rule(id).to_lowercase().contains(text);
        if !is_named && at >= 4 * ROWS {
            continue;
        }
        let Some(row) = PolicyRow::of(compiled, at).and_then(|row| serde_json::to_value(row).ok()) else { continue };
        if !is_named && !has(&row, text) {
            continue;
        }
        if rows.len() == ROWS {
            more = true;
            break;
        }
        let mut row = row;
        if let Some(fields) = row.as_object_mut() {
            fields.insert("hits".to_owned(), watched.hits(id).into());
        }
        rows.push(row);
    }
    json!({ "rows": rows, "more": more, "rules": count })
}
