//! Records, and what became of them at log hosts and on disk.

use super::super::text::{Kind, Page};
use super::super::{LeftSpool, Measured};
use super::{Family, counter, gauge, size, table};
use crate::export::{Cause, Counts, HostState, HostStatus, Role};
use crate::manage::RecordRow;

pub(super) fn records(page: &mut Page, rows: &[RecordRow]) {
    const FAMILIES: &[Family<RecordRow>] = &[
        counter(
            "ostiary_events",
            "Events taken: from the workers, of the class audit from whatever tells them.",
            |row| row.events,
        ),
        counter(
            "ostiary_events_lost",
            "Events lost because a worker's queue was full; each loss was recorded.",
            |row| row.lost_events,
        ),
        counter("ostiary_records", "Records made.", |row| row.records),
    ];
    table(page, rows, |row| [("class", &row.class)], FAMILIES);
}

/// A class at a host.
struct Taken<'a> {
    host: &'a str,
    format: &'static str,
    class: &'static str,
    counts: Counts,
}

pub(super) fn hosts(page: &mut Page, hosts: &[HostStatus]) {
    let families: &[Family<Taken<'_>>] = &[
        counter("ostiary_log_host_records", "Records for the host.", |row| row.counts.generated),
        counter(
            "ostiary_log_host_recovered_records",
            "Records found in the spool at start, from an earlier run.",
            |row| row.counts.recovered,
        ),
        counter("ostiary_log_host_sent_records", "Records wholly written, once each.", |row| row.counts.sent),
        counter(
            "ostiary_log_host_acknowledged_records",
            "Records taken by the host, as far as its transport can tell.",
            |row| row.counts.acknowledged,
        ),
        counter("ostiary_log_host_resent_records", "Records written again, on top of those sent.", |row| {
            row.counts.resent
        }),
        counter(
            "ostiary_log_host_refused_records",
            "Answers of the host that it does not take a record; it is tried again.",
            |row| row.counts.refused,
        ),
        counter("ostiary_log_host_handed_over_records", "Records given to another host of the group.", |row| {
            row.counts.handed_over
        }),
        counter("ostiary_log_host_spooled_records", "Records ever put on disk.", |row| row.counts.spooled_ever),
        counter("ostiary_log_host_losses_said", "Records about losses that were written.", |row| {
            row.counts.losses_said
        }),
        gauge("ostiary_log_host_queued_records", "Records in memory: waiting, or not acknowledged.", |row| {
            row.counts.queued
        }),
        gauge(
            "ostiary_log_host_unacknowledged_records",
            "Records in memory that are written and not acknowledged.",
            |row| row.counts.unacknowledged,
        ),
        gauge("ostiary_log_host_records_on_disk", "Records on disk that are not acknowledged.", |row| {
            row.counts.spooled
        }),
    ];
    let taken: Vec<Taken<'_>> = hosts
        .iter()
        .flat_map(|host| {
            let (name, format) = (&*host.name, host.format.text());
            host.classes.iter().map(move |class| Taken {
                host: name,
                format,
                class: class.class.text(),
                counts: class.counts,
            })
        })
        .collect();
    table(page, &taken, |row| [("host", row.host), ("format", row.format), ("class", row.class)], families);
    let about = "Records given up, by cause; said to the host in band.";
    page.family("ostiary_log_host_dropped_records", Kind::Counter, None, about);
    for row in &taken {
        for cause in Cause::ALL {
            let labels = [("host", row.host), ("format", row.format), ("class", row.class), ("cause", cause.text())];
            page.sample(&labels, row.counts.dropped_by(cause));
        }
    }
    channels(page, hosts);
}

fn channels(page: &mut Page, hosts: &[HostStatus]) {
    const STATES: [HostState; 6] = [
        HostState::Opening,
        HostState::Connecting,
        HostState::Up,
        HostState::Stalled,
        HostState::Waiting,
        HostState::Stopped,
    ];
    const FAMILIES: &[Family<HostStatus>] = &[
        gauge(
            "ostiary_log_host_up",
            "Whether the host takes records; over UDP, whether nothing is known to the contrary.",
            |host| matches!(host.state, HostState::Up) as u64,
        ),
        counter("ostiary_log_host_reconnects", "Connections after the first.", |host| host.reconnects),
        size("ostiary_log_host_unacknowledged_bytes", "Octets that are written and not acknowledged.", |host| {
            host.unacknowledged as u64
        }),
    ];
    fn labels(host: &HostStatus) -> [(&str, &str); 2] {
        [("host", &host.name), ("format", host.format.text())]
    }
    table(page, hosts, labels, FAMILIES);
    page.family(
        "ostiary_log_host_state",
        Kind::Gauge,
        None,
        "1 for the state that the host's channel is in, 0 for others.",
    );
    for host in hosts {
        for state in STATES {
            let [name, format] = labels(host);
            page.sample(&[name, format, ("state", state.text())], u8::from(state == host.state));
        }
    }
    page.family(
        "ostiary_log_group_active",
        Kind::Gauge,
        None,
        "Whether the host is the one of its group that gets records.",
    );
    for host in hosts {
        if let Some((group, role)) = &host.group {
            let [name, format] = labels(host);
            page.sample(&[("group", group), name, format], u8::from(*role == Role::Active));
        }
    }
}

pub(super) fn spools(page: &mut Page, measured: &Measured) {
    let spools = || measured.hosts.iter().filter_map(|host| Some((host, host.spool?)));
    page.family("ostiary_spool_bytes", Kind::Gauge, Some("bytes"), "Octets of the host's spool on disk.");
    for (host, spool) in spools() {
        page.sample(&[("host", &host.name), ("format", host.format.text())], spool.octets);
    }
    page.family("ostiary_spool_files", Kind::Gauge, None, "Files of the host's spool.");
    for (host, spool) in spools() {
        page.sample(&[("host", &host.name), ("format", host.format.text())], spool.segments);
    }
    let about = "When that happened which the oldest record on disk tells of, about, in seconds since 1970; absent where there is none.";
    page.family("ostiary_spool_oldest_timestamp_seconds", Kind::Gauge, Some("seconds"), about);
    for (host, spool) in spools().filter(|(_, spool)| spool.records > 0) {
        if let Some(oldest) = spool.oldest {
            page.sample(&[("host", &host.name), ("format", host.format.text())], oldest.0 / 1_000_000_000);
        }
    }
    const LEFT: &[Family<LeftSpool>] = &[
        gauge(
            "ostiary_spool_left_records",
            "Records on disk of hosts that are no more, or have another form now.",
            |left| left.records,
        ),
        size("ostiary_spool_left_bytes", "Octets of those records.", |left| left.octets),
    ];
    table(page, &measured.left, |left| [("host", &left.host), ("form", &left.form)], LEFT);
}
