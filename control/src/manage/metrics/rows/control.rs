//! The process itself: policy, users, trail, management.

use dataplane::access::Source;

use super::super::text::{Kind, Page};
use super::super::{ANSWERS, FileSize, Measured, Tally};
use super::{Family, counter, gauge, size, table};

pub(super) fn process(page: &mut Page, measured: &Measured) {
    let seconds = |nanos: dataplane::time::Nanos| nanos.0 as f64 / 1e9;
    let about = "The program, this run of it, and the signatures in force; always 1.";
    page.family("ostiary_build_info", Kind::Gauge, None, about);
    let labels = [
        ("version", measured.version),
        ("boot", &measured.boot),
        ("host_name", &measured.host_name),
        ("signatures", &measured.signatures),
    ];
    page.sample(&labels, 1);
    let mut gauge = |name, unit, help, value: f64| page.single(name, Kind::Gauge, unit, help, value);
    let second = Some("seconds");
    let about = "When the process started, in seconds since 1970.";
    gauge("ostiary_start_timestamp_seconds", second, about, seconds(measured.started));
    gauge(
        "ostiary_policy_version",
        None,
        "Number of the policy in force, from 1 at the start.",
        measured.policy as f64,
    );
    let about = "When the workers were given the policy, in seconds since 1970.";
    gauge("ostiary_policy_timestamp_seconds", second, about, seconds(measured.policy_since));
    let about = "How long the policy took to compile; 0 for that of the start.";
    gauge("ostiary_policy_compile_seconds", second, about, measured.policy_took.as_secs_f64());
    gauge("ostiary_policy_rules", None, "Rules in force, without the deny at the end.", measured.rules as f64);
    let about = "Memory of the policy's tables and rules.";
    gauge("ostiary_policy_memory_bytes", Some("bytes"), about, measured.policy_octets as f64);
    let state = measured.commits;
    let about = "Whether a commit is under way.";
    gauge("ostiary_commit_underway", None, about, f64::from(u8::from(state.underway)));
    let about = "Whether a commit waits to be confirmed.";
    gauge("ostiary_commit_unconfirmed", None, about, f64::from(u8::from(state.unconfirmed)));
    let about = "Whether a commit waits for its time.";
    gauge("ostiary_commit_scheduled", None, about, f64::from(u8::from(state.scheduled)));
    let about = "Whether the candidate has edits that nobody has committed.";
    gauge("ostiary_candidate_modified", None, about, f64::from(u8::from(state.modified)));
    gauge(
        "ostiary_configuration_locks",
        None,
        "Locks of the configuration that are held, of two.",
        f64::from(state.locks),
    );
}

pub(super) fn users(page: &mut Page, measured: &Measured) {
    let (followed, refused) = measured.im_users;
    page.single("ostiary_im_users", Kind::Gauge, None, "Users of messengers that are followed.", followed);
    let about = "Sightings of users of messengers that found no room.";
    page.single("ostiary_im_users_refused", Kind::Counter, None, about, refused);
    page.single("ostiary_access_users", Kind::Gauge, None, "Access users who are signed on.", measured.access_users);
    page.family("ostiary_access_user_changes", Kind::Counter, None, "What access users did, by who told it.");
    let mut names: Vec<&str> = Source::ALL.into_iter().map(Source::name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let tally = measured.access.named(name);
        for (change, value) in [
            ("login", tally.logins),
            ("logout", tally.logouts),
            ("seen", tally.seen),
            ("accepted", tally.successes),
            ("refused", tally.failures),
        ] {
            page.sample(&[("source", name), ("change", change)], value);
        }
    }
    let tally = &measured.access;
    let about = "Messages about access users that are told in no record, and users for whom the table had no room.";
    page.family("ostiary_access_table", Kind::Counter, None, about);
    for (outcome, value) in [
        ("repeated", tally.repeated),
        ("unknown", tally.unknown),
        ("unasked", tally.unasked),
        ("merged", tally.merged),
        ("evicted", tally.evicted),
        ("refused", tally.refused),
    ] {
        page.sample(&[("outcome", outcome)], value);
    }
    let about = "What came to the firewall as an accounting server, and what it answered.";
    page.family("ostiary_access_receiver", Kind::Counter, None, about);
    if let Some(tally) = &measured.receiver {
        for (outcome, value) in [
            ("requests", tally.requests),
            ("repeated", tally.repeated),
            ("status", tally.status),
            ("answers", tally.answers),
            ("unsent", tally.unsent),
            ("unknown", tally.unknown),
            ("forged", tally.forged),
            ("malformed", tally.malformed),
            ("refused", tally.refused),
        ] {
            page.sample(&[("outcome", outcome)], value);
        }
    }
}

pub(super) fn trail(page: &mut Page, measured: &Measured) {
    let about = "What the audit trail was told, by event: commits, logins, responses, channels and so on.";
    page.family("ostiary_audit_events", Kind::Counter, None, about);
    for (event, count) in &measured.audit {
        page.sample(&[("event", event.name())], count);
    }
    const FILES: &[Family<FileSize>] = &[
        counter("ostiary_audit_file_records", "Records written to the file of the trail by this run.", |file| {
            file.records
        }),
        counter("ostiary_audit_file_lost_records", "Records that were for the file and will never be in it.", |file| {
            file.lost
        }),
        gauge("ostiary_audit_file_serial", "Place of the file in its series.", |file| file.serial),
        gauge("ostiary_audit_file_full", "Whether nothing can be written to the file now.", |file| file.full as u64),
        size("ostiary_audit_file_bytes", "Octets in the file.", |file| file.octets),
        size("ostiary_audit_file_limit_bytes", "Octets at which the file is archived.", |file| file.limit),
    ];
    table(page, &measured.files, |file| [("file", &file.name)], FILES);
    let about = "Records of sessions that went to log hosts only, as the trail's mode has it.";
    page.single("ostiary_audit_forwarded_records", Kind::Counter, None, about, measured.forwarded);
    let about = "Lines of the system log about sshd that say nothing known, or that their sender had no right to say.";
    page.family("ostiary_ssh_lines_ignored", Kind::Counter, None, about);
    for (cause, value) in [("unknown", measured.ssh.unknown), ("refused", measured.ssh.refused)] {
        page.sample(&[("cause", cause)], value);
    }
    let about = "Sources whose traffic responses drop now.";
    page.single("ostiary_blocked_sources", Kind::Gauge, None, about, measured.blocked);
}

pub(super) fn management(page: &mut Page, measured: &Measured) {
    let (clients, dumps, refused) = measured.clients;
    page.single("ostiary_management_clients", Kind::Gauge, None, "Clients of the management socket.", clients);
    let about = "Clients of the management socket that are sent sessions.";
    page.single("ostiary_management_dumps", Kind::Gauge, None, about, dumps);
    let about = "Clients of the management socket refused because there were too many.";
    page.single("ostiary_management_clients_refused", Kind::Counter, None, about, refused);
    let about = "Sessions of management, those of NETCONF among them.";
    page.single("ostiary_management_sessions", Kind::Gauge, None, about, measured.sessions);
}

pub(super) fn scrapes(page: &mut Page, tally: &Tally) {
    page.family(
        "ostiary_metrics_answers",
        Kind::Counter,
        None,
        "Answers to requests for metrics, this one included, by code.",
    );
    for (status, value) in ANSWERS.into_iter().zip(tally.answers) {
        page.sample(&[("code", status.code())], value);
    }
    let about = "Connections for metrics that were cut off for slowness, or broke.";
    page.single("ostiary_metrics_connections_broken", Kind::Counter, None, about, tally.broken);
}
