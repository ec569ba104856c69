//! What is allowed and probably not meant: the warnings of `ostiary check`.

use dataplane::access::Source::{Dot1x, Pppoe, Radius};
use dataplane::policy::{Action, RuleSource};

use super::compiled::Compiled;
use super::delivery;
use super::document::Notes;
use super::schema::Source;
use crate::export::{Format, Transport};
use crate::record::Class;
use crate::record::account::AccountPolicy;
use crate::record::ipfix::AccessVersion;

/// Notes every warning about a configuration without faults.
pub(super) fn advise(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    unreachable_rules(source, compiled, notes);
    rules_that_match_nothing(source, compiled, notes);
    im_logging_without_effect(source, compiled, notes);
    profiles_without_logging(source, compiled, notes);
    classes_without_host(source, compiled, notes);
    accounts_in_clear(source, compiled, notes);
    names_in_clear(source, compiled, notes);
    versions_that_leave_out(source, compiled, notes);
    radius_not_looked_at(source, compiled, notes);
    users_that_nobody_names(source, compiled, notes);
    users_that_anybody_can_be(source, compiled, notes);
    delivery::advise(source, compiled, notes);
    secret_file_modes(source, notes);
    key_file_mode(source, notes);
    page_for_everybody(source, compiled, notes);
}

fn matches_all(rule: &RuleSource) -> bool {
    rule.from.is_empty()
        && rule.to.is_empty()
        && rule.source.is_empty()
        && rule.destination.is_empty()
        && rule.service.is_empty()
        && rule.application.is_empty()
        && rule.users == 0
}

fn unreachable_rules(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let Some(last) = compiled.policy.source().rules.iter().position(matches_all) else { return };
    for rule in source.rules.iter().skip(last + 1) {
        let effect = format!("never reached: rule \"{}\" before it matches everything", compiled.names.rules[last]);
        notes.warn(&rule.place, effect, "move it before that rule, or remove it");
    }
}

fn rules_that_match_nothing(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let zone = |port: dataplane::policy::PortId| compiled.names.port_zones[usize::from(port.0)];
    let routing = &compiled.dataplane.routing;
    let routed: Vec<_> =
        routing.interfaces.iter().map(|interface| interface.port).chain(routing.own).map(zone).collect();
    let pairs: Vec<_> = compiled
        .dataplane
        .wires
        .iter()
        .flat_map(|&(a, b)| [(zone(a), zone(b)), (zone(b), zone(a))])
        .chain(routed.iter().flat_map(|&a| routed.iter().map(move |&b| (a, b))))
        .collect();
    for (rule, written) in compiled.policy.source().rules.iter().zip(&source.rules) {
        let from = |zone| rule.from.is_empty() || rule.from.contains(&zone);
        let to = |zone| rule.to.is_empty() || rule.to.contains(&zone);
        if !pairs.iter().any(|&(a, b)| from(a) && to(b)) {
            notes.warn(&written.place, "never matches: no wire or interface joins these zones", "correct from and to");
        }
        let family = |v4: bool, ranges: &[dataplane::policy::AddressRange]| {
            ranges.is_empty() || ranges.iter().any(|range| range.first.is_v4() == v4)
        };
        let either = [true, false].into_iter().any(|v4| family(v4, &rule.source) && family(v4, &rule.destination));
        if !either {
            let effect = "never matches: source and destination have no address family in common";
            notes.warn(&written.place, effect, "correct source and destination");
        }
    }
}

/// Whether sessions under the rule are recorded and looked into.
fn records_sign_ons(rule: &RuleSource, full: bool) -> bool {
    rule.action == Action::Permit && rule.session_logging && (full || rule.profile || !rule.application.is_empty())
}

fn im_logging_without_effect(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let full = compiled.policy.source().full_identification;
    let Some(place) = &source.log.im.place else { return };
    if compiled.im.enable && !compiled.policy.source().rules.iter().any(|rule| records_sign_ons(rule, full)) {
        let effect = "no sign-on will be recorded: no rule that permits has session-logging and is looked into";
        let advice = "on such a rule set session-logging = true, and an application or a profile \
                      (or set [application-identification] mode = \"full\")";
        notes.warn(place, effect, advice);
    }
}

fn profiles_without_logging(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    for (rule, written) in compiled.policy.source().rules.iter().zip(&source.rules) {
        let Some(profile) = &written.profile else { continue };
        if !rule.session_logging {
            let effect = "the profile records nothing: the rule does not log sessions";
            notes.warn(&profile.place, effect, "set session-logging = true on the rule");
        } else if !compiled.im.enable {
            let effect = "the profile records nothing: sign-ons are not logged at all";
            notes.warn(&profile.place, effect, "set enable = true in [log.im]");
        }
    }
}

fn classes_without_host(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let taken = |class: Class| compiled.hosts.iter().any(|host| host.records.iter().any(|(taken, _)| *taken == class));
    let logging = source.rules.iter().find(|rule| rule.session_logging);
    if !taken(Class::Session)
        && let Some(rule) = logging
    {
        let effect = "session records are made, but no log host takes them";
        notes.warn(&rule.place, effect, "add \"session\" to the records of a [[log-host]]");
    }
    if compiled.im.enable
        && !taken(Class::Im)
        && let Some(place) = &source.log.im.place
    {
        let effect = "sign-on records are made, but no log host takes them";
        notes.warn(place, effect, "add \"im\" to the records of a [[log-host]]");
    }
    for (class, log) in [(Class::Access, &source.log.access), (Class::CallStatus, &source.log.call_status)] {
        if log.enable
            && !taken(class)
            && let Some(place) = &log.place
        {
            let effect = format!("{} records are made, but no log host takes them", class.text());
            notes.warn(place, effect, format!("add \"{}\" to the records of a [[log-host]]", class.text()));
        }
    }
}

/// Classes of access users that are recorded.
fn access_classes(compiled: &Compiled) -> impl Iterator<Item = Class> + Clone {
    let classes =
        [(Class::Access, compiled.access.records_access), (Class::CallStatus, compiled.access.records_call_status)];
    classes.into_iter().filter(|(_, on)| *on).map(|(class, _)| class)
}

fn names_in_clear(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let classes = access_classes(compiled);
    for (host, written) in compiled.hosts.iter().zip(&source.hosts) {
        if !is_in_clear(&host.transport) {
            continue;
        }
        if host.records.iter().any(|(taken, _)| classes.clone().any(|class| class == *taken)) {
            let transport = host.transport.text();
            let effect = format!(
                "names and addresses of access users leave in clear over {transport}: anybody on the way can read them"
            );
            let advice = format!("{}, or have IPsec between here and the host", under_tls(&host.transport));
            notes.warn(&written.place, effect, advice);
        }
    }
}

/// Whether records leave the machine for anybody on the way to read.
fn is_in_clear(transport: &Transport) -> bool {
    !matches!(transport, Transport::File(_)) && transport.tls().is_none()
}

/// What to write for nobody to read them.
fn under_tls(transport: &Transport) -> &'static str {
    match transport {
        Transport::Relp | Transport::RelpTls(_) => "set transport = \"relp-tls\" with an ssl-policy",
        Transport::Kafka(_) => "set an ssl-policy",
        Transport::Udp | Transport::Tcp | Transport::Tls(_) | Transport::File(_) => {
            "set transport = \"tls\" with an ssl-policy"
        }
    }
}

/// A version says what a record can tell of where a user is.
fn versions_that_leave_out(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let Some(version) = &source.log.access.version else { return };
    let binary = (Class::Access, Format::Binary);
    if !compiled.access.records_access || !compiled.hosts.iter().any(|host| host.records.contains(&binary)) {
        return;
    }
    let (left_out, advice) = match version.value {
        AccessVersion::V1 => ("two VLANs, or only IPv6", "set version = 4 where the collector takes it"),
        AccessVersion::V2 => ("only IPv6", "set version = 4 where the collector takes it"),
        AccessVersion::V3 => ("two VLANs", "set version = 4 where the collector takes it"),
        AccessVersion::V4 => return,
    };
    let effect = format!("records of users with {left_out} are not sent, and counted as uncarried");
    notes.warn(&version.place, effect, advice);
}

fn radius_not_looked_at(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let Some(sources) = &source.access.sources else { return };
    let is_looked_at = compiled.access.settings.has(Radius) || compiled.access.receiver.is_some();
    if !is_looked_at && !compiled.access.settings.clients.is_empty() {
        let effect = "the secrets of [[access.nas]] are of no use: RADIUS is not looked at";
        notes.warn(&sources.place, effect, "add \"radius\", or remove [[access.nas]]");
    }
}

/// Rules ask for users, or for what RADIUS says of them, and nothing tells of these.
fn users_that_nobody_names(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    if !compiled.policy.names_users() {
        return;
    }
    let settings = &compiled.access.settings;
    let has_radius = settings.has(Radius) || compiled.access.receiver.is_some();
    let Some(sources) = &source.access.sources else { return };
    if !has_radius && ![Pppoe, Dot1x].into_iter().any(|source| settings.has(source)) {
        let effect = "rules that name users never match: no source is looked at that tells names";
        notes.warn(&sources.place, effect, "add \"radius\", \"pppoe\" or \"8021x\"");
    } else if !has_radius {
        let mut signs = source.user_groups.iter().flat_map(|group| group.classes.iter().chain(&group.filters));
        if let Some(sign) = signs.next() {
            let effect = "nobody has it: Class and Filter-Id are RADIUS's, which is not looked at";
            notes.warn(&sign.place, effect, "add \"radius\" to the sources of [access], or remove it");
        }
    }
}

/// What rules permit to a user is permitted to whoever can make the firewall believe to be one.
fn users_that_anybody_can_be(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let settings = &compiled.access.settings;
    let named = source.rules.iter().zip(&compiled.policy.source().rules).find(|(_, rule)| rule.users != 0);
    if let Some((written, _)) = named
        && settings.has(Radius)
        && settings.believes_unknown
    {
        let effect = "whoever can send RADIUS through the firewall can be any user of this rule: access servers without \
                      a secret are believed";
        let advice = "set unknown-nas = \"refuse\" in [access.radius], and write a [[access.nas]] for each";
        notes.warn(&written.place, effect, advice);
    }
}

fn secret_file_modes(source: &Source, notes: &mut Notes) {
    for file in source.access.servers.iter().filter_map(|server| server.secret_file.as_ref()) {
        if others_can_read(&file.value) {
            let effect = "others than its owner can read the secret, and so forge what the access server says";
            notes.warn(&file.place, effect, format!("chmod 600 {}", file.value.display()));
        }
    }
}

/// Whether a file's mode lets others than its owner at it.
fn others_can_read(file: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

fn accounts_in_clear(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    if !compiled.im.enable || !compiled.im.accounts.policies().any(|policy| matches!(policy, AccountPolicy::Clear)) {
        return;
    }
    for (host, written) in compiled.hosts.iter().zip(&source.hosts) {
        if !is_in_clear(&host.transport) {
            continue;
        }
        let transport = host.transport.text();
        if host.records.iter().any(|(class, _)| *class == Class::Im) {
            let effect = format!("users' accounts leave in clear over {transport}: anybody on the way can read them");
            let tls = under_tls(&host.transport);
            let advice = format!("{tls}, or account = \"pseudonym\" or \"omit\" in [log.im]");
            notes.warn(&written.place, effect, advice);
        }
    }
}

fn key_file_mode(source: &Source, notes: &mut Notes) {
    let Some(file) = &source.log.im.key_file else { return };
    if others_can_read(&file.value) {
        let effect = "others than its owner can read the key, and so tell accounts from pseudonyms";
        notes.warn(&file.place, effect, format!("chmod 600 {}", file.value.display()));
    }
}

/// Loopback is shared by all who are on this machine.
fn page_for_everybody(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let (Some(written), Some(page)) = (&source.dashboard, &compiled.dashboard) else { return };
    if page.token.is_none() && (page.users || page.audit) {
        let what = if page.users { "users" } else { "the audit trail" };
        let effect =
            format!("every process of this machine can read the page, and with it {what}: there is no token-file");
        notes.warn(&written.place, effect, "make one: (umask 077; openssl rand -hex 32 > FILE)");
    }
    if let Some(file) = written.token_file.as_ref().filter(|file| others_can_read(&file.value)) {
        let effect = "others than its owner can read the token, and so the page";
        notes.warn(&file.place, effect, format!("chmod 600 {}", file.value.display()));
    }
}
