//! What is kept on disk for log hosts, and which of them stand for each other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::compiled::Compiled;
use super::document::Notes;
use super::group::quoted;
use super::near;
use super::schema::Source;
use super::schema::delivery::{LogGroup, SpoolKeys};
use super::schema::log_host::LogHost;
use crate::export::spool::{Leftover, leftovers as leftovers_in};
use crate::export::{Connect, Form, Format, GroupConfig, GroupMode, HostConfig, SpoolLimits, Transport};
use crate::record::{Class, Name};

/// Groups at most, and hosts of one.
const GROUPS: usize = 2;
const MEMBERS: usize = 16;

/// What a host keeps on disk; none where it keeps nothing.
pub(super) fn spool(host: &LogHost, source: &Source, notes: &mut Notes) -> Option<SpoolLimits> {
    let keys = match &host.spool {
        Some(own) => own.value.or(&source.log.spool),
        None => source.log.spool.clone(),
    };
    if !keys.enable.unwrap_or(false) {
        return None;
    }
    if source.system.state.is_none() {
        let place =
            host.spool.as_ref().map(|own| &own.place).or(source.log.spool_place.as_ref()).unwrap_or(&host.place);
        let expected = "[system] state-directory: the spool is kept in it";
        notes.fault(place, Some("a spool".to_owned()), expected, "set state-directory, or no spool");
    }
    let SpoolKeys { size, age, share, sync, drop_new, .. } = keys;
    Some(SpoolLimits {
        octets: size.unwrap_or(4 << 30),
        age: age.unwrap_or(Duration::from_secs(7 * 86_400)),
        share: share.unwrap_or(50),
        sync: sync.unwrap_or_else(|| vec![Class::Audit, Class::Access, Class::CallStatus, Class::Attack]),
        drop_new: drop_new.unwrap_or(false),
    })
}

/// Resolves all groups.
pub(super) fn groups(source: &Source, hosts: &[HostConfig], notes: &mut Notes) -> Vec<GroupConfig> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    let mut groups = Vec::new();
    if let Some(group) = source.groups.get(GROUPS) {
        let found = Some(format!("{} groups", source.groups.len()));
        notes.fault(&group.place, found, format!("at most {GROUPS} groups"), "join some of them");
    }
    for group in &source.groups {
        let name = group.name.as_ref().map_or("", |name| name.value.as_str());
        if let Some(written) = &group.name
            && let Some(line) = names.insert(name, written.place.line)
        {
            let advice = format!("line {line} has it already: rename one of them");
            notes.fault(&written.place, Some(quoted(name)), "a name of its own for each group", advice);
        }
        if let Some(host) = group.hosts.get(MEMBERS) {
            let found = Some(format!("{} hosts", group.hosts.len()));
            notes.fault(&host.place, found, format!("at most {MEMBERS} hosts in a group"), "remove some of them");
        }
        for member in &group.hosts {
            let found = Some(quoted(&member.value));
            if !hosts.iter().any(|host| *host.name == *member.value) {
                let known = hosts.iter().map(|host| &*host.name);
                let advice = near::suggest(&member.value, known, "define it as [[log-host]]");
                notes.fault(&member.place, found, "the name of a log host", advice);
            } else if let Some(other) = taken.insert(&member.value, name) {
                let advice = format!("group \"{other}\" has it already: remove it from one of them");
                notes.fault(&member.place, found, "each host in one group, once", advice);
            }
        }
        let Some(mode) = &group.mode else { continue };
        let members: Vec<&HostConfig> =
            group.hosts.iter().filter_map(|member| hosts.iter().find(|host| *host.name == *member.value)).collect();
        agree(group, mode.value, &members, notes);
        if let Some(after) = &group.return_after
            && mode.value != GroupMode::Failover
        {
            let expected = "return-after only with mode = \"failover\"";
            notes.fault(&after.place, Some("return-after".to_owned()), expected, "remove it");
        }
        groups.push(GroupConfig {
            name: Name::from(name),
            mode: mode.value,
            members: members.iter().map(|host| host.name.clone()).collect(),
            return_after: group.return_after.as_ref().map_or(Duration::from_secs(60), |after| after.value),
        });
    }
    groups
}

/// Hosts that stand for each other get the same records in the same form; two of them at least.
fn agree(group: &LogGroup, mode: GroupMode, members: &[&HostConfig], notes: &mut Notes) {
    if mode == GroupMode::Copies {
        return;
    }
    if group.hosts.len() == 1 {
        let place = &group.hosts[0].place;
        notes.fault(place, Some("one host".to_owned()), "two hosts at least", "add another, or remove the group");
    }
    for (member, written) in members.iter().zip(&group.hosts) {
        let found = || Some(quoted(&written.value));
        if member.connect == Connect::OnEvent {
            let expected = "a host that is connected to at once: whether this one is there, nobody would know";
            notes.fault(&written.place, found(), expected, "remove its connect, or set mode = \"copies\"");
        }
        if member.records != members[0].records {
            let expected = format!("the same records in the same format as \"{}\"", members[0].name);
            notes.fault(&written.place, found(), expected, "set records and format of both");
        }
        if mode == GroupMode::RoundRobin {
            let is_binary = member.records.iter().all(|(_, format)| *format == Format::Binary);
            if !is_binary || !matches!(member.transport, Transport::Udp | Transport::Tcp | Transport::Tls(_)) {
                let expected = "a host of binary records over udp, tcp or tls: only those may come in turn";
                notes.fault(&written.place, found(), expected, "set format = \"binary\", or mode = \"failover\"");
            }
        }
    }
}

/// Notes what is allowed and loses records that its operator may count on.
pub(super) fn advise(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    /// What kernels that do not tune it up hold for a program that does not read (tcp_rmem).
    const HELD: usize = 6 << 20;
    without_spool(source, compiled, notes);
    leftovers(source, compiled, notes);
    for (host, written) in compiled.hosts.iter().zip(&source.hosts) {
        if let Some(window) = &written.resend_window
            && host.window.reserve < HELD
        {
            let effect = "a host's kernel may hold more than this of records that its program never read: when both die, \
                          those are lost";
            notes.warn(&window.place, effect, "set at least \"6 MiB\", better \"32 MiB\", or use relp");
        }
        // Of a host that was warned of already its operator is told enough.
        let is_told = notes.warnings.iter().any(|warning| warning.place == written.place);
        let is_made = |class: Class| match class {
            Class::Session => false,
            Class::Im => compiled.im.enable,
            Class::Access => compiled.access.records_access,
            Class::CallStatus => compiled.access.records_call_status,
            Class::Attack | Class::Audit => true,
        };
        let chosen = written.records.iter().find(|class| is_made(class.value) && !is_told);
        if let (Transport::Udp, Some(class)) = (&host.transport, chosen) {
            let effect = format!("{} records over udp may be lost, and nobody will know", class.value.text());
            notes.warn(&class.place, effect, "set transport = \"relp\", \"relp-tls\", \"tls\" or \"tcp\"");
        }
    }
}

/// There is a place for spools, and of a host that can be away nothing is said.
fn without_spool(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    if source.system.state.is_none() || source.log.spool_place.is_some() {
        return;
    }
    let unsaid = |(host, written): &(&HostConfig, &LogHost)| {
        host.spool.is_none() && written.spool.is_none() && written.transport.is_connected()
    };
    if let Some((_, written)) = compiled.hosts.iter().zip(&source.hosts).find(unsaid) {
        let effect = "what it does not take waits in memory: it is lost when the queue is full, and with this process";
        notes.warn(&written.place, effect, "set enable = true in [log.spool], or spool = false here");
    }
}

/// What is on disk that no host sends.
fn leftovers(source: &Source, compiled: &Compiled, notes: &mut Notes) {
    let (Some(state), Some(spools)) = (&source.system.state, compiled.spools()) else { return };
    let spooled = compiled.hosts.iter().filter(|host| host.spool.is_some());
    let form = |host: &HostConfig, format| (host.name.clone(), Form::of(format, &host.transport));
    let known: Vec<(Name, Form)> =
        spooled.flat_map(|host| host.records.iter().map(|(_, format)| form(host, *format))).collect();
    for Leftover { host, form, records, folder, .. } in leftovers_in(&spools, &known) {
        let effect = format!("about {records} records ({form}) in the spool of {host} are not sent: no log host does");
        let advice = format!("have {host} send them again, or remove {}", folder.display());
        notes.warn(&state.place, effect, advice);
    }
}
