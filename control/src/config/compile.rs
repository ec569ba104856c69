//! From what is written to what runs: names become numbers, lists become ranges, and every name that does not exist is noted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use dataplane::policy::{Action, AddressRange, Policy, PolicySource, RuleSource, ServiceMatch, ZoneId};
use sigdb::{AppId, Database};

use super::access::AccessConfig;
use super::address;
use super::audit;
use super::compiled::{Compiled, IMPLICIT_DENY, ImLogging, Names};
use super::dashboard::DashboardConfig;
use super::delivery;
use super::document::{Located, Notes};
use super::fixed::Fixed;
use super::group::{ANY, Groups, quoted};
use super::host;
use super::metrics::MetricsConfig;
use super::nat;
use super::near;
use super::port::{self, Ports};
use super::protection;
use super::respond;
use super::route::{self, Used};
use super::schema::Source;
use super::schema::logging::AccountForm;
use super::schema::nat::NatPool;
use super::schema::objects::{ImAudit, Profile};
use super::schema::rules::Rule;
use super::service;
use super::users::Users;
use crate::record::Name;
use crate::record::account::{AccountPolicy, Accounts, PseudonymKey, PseudonymKeys};
use crate::runtime::DataplaneConfig;
use crate::state::StateFolder;

/// Compiles `source`. Where a fault is noted, the result is not to be used. Without a database (whose absence was noted)
/// applications are not looked up.
pub(super) fn compile(source: &Source, database: Option<Arc<Database>>, notes: &mut Notes) -> Compiled {
    let mut ports = Ports::resolve(source, notes);
    let mut used = Used::new();
    let wires = ports.wires(source, &mut used, notes);
    let routing = route::routing(source, &ports, &mut used, notes);
    ports.unused(source, &used, notes);
    ports.add_own(source, &routing, notes);
    let lists = Lists {
        zones: &ports.zones,
        addresses: Groups::resolve(address::KIND, &source.addresses, notes),
        services: Groups::resolve(service::KIND, &source.services, notes),
        profiles: profiles(source, notes),
        database: database.as_deref(),
    };
    let nat = nat::pools(source, &lists.addresses, notes);
    let mut users = Users::new(source);
    let rules = lists.rules(source, &mut users, notes);
    let users = users.finish(notes);
    let protection = protection::compile(source, &ports, &lists.addresses, notes);
    let rule_names = rule_names(&source.rules, notes);
    let im = lists.im_logging(source, notes);
    let host_name =
        Name::from(source.system.host_name.as_ref().map_or_else(kernel_host_name, |name| name.value.clone()));
    let hosts = host::compile(source, &host_name, notes);
    let groups = delivery::groups(source, &hosts, notes);
    let database = database.unwrap_or_default();
    let access = AccessConfig::compile(source, &database, notes);
    let audit = audit::compile(source, notes);
    let responses = respond::compile(source, &audit, notes);
    let policy = PolicySource {
        rules,
        implicit_deny_logging: source.implicit_deny_logging,
        full_identification: source.identification.full,
        zones: ports.port_zones.clone(),
    };
    let policy = Policy::build(policy).unwrap_or_else(|error| {
        let place = source.rules.first().map_or_else(|| notes.whole("rule"), |rule| rule.place.clone());
        let expected = format!("a policy of at most {} MiB", Policy::MEMORY_LIMIT >> 20);
        notes.fault(&place, Some(error.to_string()), expected, "use prefixes in place of ranges, or objects in common");
        Policy::compile(PolicySource::default())
    });
    Compiled {
        policy: Arc::new(policy),
        dataplane: DataplaneConfig { protection, nat, ..port::dataplane(source, &ports, wires, routing) },
        names: Names::new(
            rule_names,
            ports.zones.iter().map(|zone| Name::from(zone.as_str())).collect(),
            ports.names.iter().map(|name| Name::from(name.as_str())).collect(),
            ports.port_zones,
            source.nat.iter().map(|pool| Name::from(pool.name.value.as_str())).collect(),
            &database,
        ),
        host_name,
        hosts,
        groups,
        im,
        access,
        users: Arc::new(users),
        session_format: source.log.session.format,
        database,
        signatures: source.identification.signatures.as_ref().map(|path| path.value.clone()),
        signer: None,
        state: source.system.state.as_ref().map(|state| StateFolder::new(&state.value)),
        confine: source.system.confine,
        socket: source.management.socket.clone(),
        roles: None,
        audit,
        syslog_socket: source.audit.syslog_socket.clone(),
        mail_program: source.audit.mail_program.clone().unwrap_or_else(|| MAIL_PROGRAM.into()),
        responses,
        generations: source.configuration.generations,
        metrics: source.metrics.as_ref().and_then(|metrics| MetricsConfig::compile(metrics, notes)),
        dashboard: source.dashboard.as_ref().and_then(|dashboard| DashboardConfig::compile(dashboard, notes)),
        fixed: Fixed::default(),
    }
}

/// What sends mail unless another is named.
const MAIL_PROGRAM: &str = "/usr/sbin/sendmail";

/// What a rule's names are looked up in.
struct Lists<'a> {
    zones: &'a [String],
    addresses: Groups<AddressRange>,
    services: Groups<ServiceMatch>,
    profiles: BTreeMap<&'a str, &'a Profile>,
    database: Option<&'a Database>,
}

impl Lists<'_> {
    /// All rules, up to where they are more than a policy takes.
    fn rules(&self, source: &Source, users: &mut Users<'_>, notes: &mut Notes) -> Vec<RuleSource> {
        let (mut rules, mut items) = (Vec::new(), 0);
        if let Some(rule) = source.rules.get(Policy::RULE_LIMIT) {
            let (found, limit) = (format!("{} rules", source.rules.len()), Policy::RULE_LIMIT);
            notes.fault(&rule.place, Some(found), format!("at most {limit} rules"), "join some of them");
            return rules;
        }
        for written in &source.rules {
            let rule = self.rule(written, &source.nat, users, notes);
            items += rule.source.len() + rule.destination.len() + rule.service.len();
            rules.push(rule);
            if items > Policy::ITEM_LIMIT {
                let found = format!("{items} addresses and services up to here, those of objects counted in each rule");
                let expected = format!("at most {} in all rules", Policy::ITEM_LIMIT);
                notes.fault(&written.place, Some(found), expected, "use prefixes and ranges, or join rules");
                return Vec::new();
            }
        }
        rules
    }

    fn rule(&self, rule: &Rule, pools: &[NatPool], users: &mut Users<'_>, notes: &mut Notes) -> RuleSource {
        if let Some(profile) = &rule.profile
            && !self.profiles.contains_key(profile.value.as_str())
        {
            let advice = near::suggest(&profile.value, self.profiles.keys().copied(), "define it as [profile.NAME]");
            notes.fault(&profile.place, Some(quoted(&profile.value)), "the name of a profile", advice);
        }
        RuleSource {
            from: self.zones(&rule.from, notes),
            to: self.zones(&rule.to, notes),
            source: self.addresses.look_up(&rule.source, notes),
            destination: self.addresses.look_up(&rule.destination, notes),
            service: self.services.look_up(&rule.service, notes),
            application: self.applications(&rule.application, notes),
            users: users.of_rule(rule, notes),
            action: rule.action.as_ref().map_or(Action::Deny, |action| action.value),
            session_logging: rule.session_logging,
            profile: rule.profile.is_some(),
            source_nat: nat::pool_of(rule, pools, notes),
        }
    }

    fn zones(&self, names: &[Located<String>], notes: &mut Notes) -> Vec<ZoneId> {
        let mut zones = Vec::new();
        for name in names {
            if name.value == ANY {
                any_alone(names, name, notes);
                return Vec::new();
            }
            match self.zones.iter().position(|zone| *zone == name.value).and_then(|index| u8::try_from(index).ok()) {
                Some(zone) => zones.push(ZoneId(zone)),
                None => {
                    let known = self.zones.iter().map(String::as_str);
                    let advice =
                        near::suggest(&name.value, known, "give a [[port]] this zone, or name one that a port has");
                    notes.fault(&name.place, Some(quoted(&name.value)), "the zone of a port", advice);
                }
            }
        }
        zones.sort_unstable();
        zones.dedup();
        zones
    }

    fn applications(&self, names: &[Located<String>], notes: &mut Notes) -> Vec<AppId> {
        let mut found = Vec::new();
        for name in names {
            if name.value == ANY {
                any_alone(names, name, notes);
                return Vec::new();
            }
            found.extend(self.application(name, notes));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn application(&self, name: &Located<String>, notes: &mut Notes) -> Option<AppId> {
        let database = self.database?;
        let found = database.by_name(&name.value);
        if found.is_none() {
            let known = database.applications().map(|(name, _)| name);
            let otherwise = "list the applications with: ostiary sigdb show FILE";
            let advice = near::suggest(&name.value, known, otherwise);
            let expected = format!("an application of the signature database (version {})", database.version());
            notes.fault(&name.place, Some(quoted(&name.value)), expected, advice);
        }
        found
    }

    fn im_logging(&self, source: &Source, notes: &mut Notes) -> ImLogging {
        for profile in &source.profiles {
            for (application, _) in &profile.im_audit {
                self.application(application, notes);
            }
        }
        let named = source.log.im.accounts.iter().map(|(name, _)| name);
        for name in source.log.im.applications.iter().flatten().chain(named) {
            self.application(name, notes);
        }
        let audit = |profile: &&Profile| -> Vec<(Name, ImAudit)> {
            profile.im_audit.iter().map(|(name, what)| (Name::from(name.value.as_str()), *what)).collect()
        };
        let audit_of = |rule: &Rule| self.profiles.get(rule.profile.as_ref()?.value.as_str()).map(audit);
        let names = |list: &Vec<Located<String>>| list.iter().map(|name| Name::from(name.value.as_str())).collect();
        ImLogging {
            enable: source.log.im.enable,
            accounts: accounts(source, notes),
            users_per_address: source.log.im.users_per_address,
            format: source.log.im.format,
            applications: source.log.im.applications.as_ref().map(names),
            audits: source.rules.iter().map(audit_of).collect(),
        }
    }
}

pub(super) fn any_alone(names: &[Located<String>], any: &Located<String>, notes: &mut Notes) {
    if names.len() > 1 {
        let found = Some("\"any\" beside other items".to_owned());
        notes.fault(&any.place, found, "\"any\" alone, or a list without it", "remove one or the other");
    }
}

fn profiles<'a>(source: &'a Source, notes: &mut Notes) -> BTreeMap<&'a str, &'a Profile> {
    let profiles: BTreeMap<_, _> =
        source.profiles.iter().map(|profile| (profile.name.value.as_str(), profile)).collect();
    for profile in &source.profiles {
        if !source.rules.iter().filter_map(|rule| rule.profile.as_ref()).any(|used| used.value == profile.name.value) {
            notes.warn(&profile.name.place, "no rule uses this profile", "name it in a rule's profile, or remove it");
        }
    }
    profiles
}

fn rule_names(rules: &[Rule], notes: &mut Notes) -> Vec<Name> {
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names = Vec::new();
    for rule in rules {
        let Some(name) = &rule.name else {
            names.push(Name::from(""));
            continue;
        };
        if name.value == IMPLICIT_DENY {
            let expected = "a name other than that of the deny at the end";
            notes.fault(&name.place, Some(quoted(IMPLICIT_DENY)), expected, "choose another name");
        }
        if let Some(line) = lines.insert(&name.value, name.place.line) {
            let advice = format!("line {line} has it already: rename one of them");
            notes.fault(&name.place, Some(quoted(&name.value)), "a name of its own for each rule", advice);
        }
        names.push(Name::from(name.value.as_str()));
    }
    names
}

fn accounts(source: &Source, notes: &mut Notes) -> Accounts {
    let im = &source.log.im;
    let mut forms = std::iter::once(im.account).chain(im.accounts.iter().map(|(_, form)| *form));
    let file = im.key_file.as_ref().filter(|_| forms.any(|form| form == AccountForm::Pseudonym));
    let keys = file.and_then(|file| pseudonym_keys(file, notes));
    let policy = |form: AccountForm| match (form, &keys) {
        (AccountForm::Clear, _) => AccountPolicy::Clear,
        (AccountForm::Pseudonym, Some(keys)) => AccountPolicy::Pseudonym(keys.clone()),
        // A pseudonym without its key was noted where it was read.
        (AccountForm::Omit, _) | (AccountForm::Pseudonym, None) => AccountPolicy::Omit,
    };
    let named = im.accounts.iter().map(|(name, form)| (Name::from(name.value.as_str()), policy(*form)));
    Accounts { general: policy(im.account), named: named.collect() }
}

fn pseudonym_keys(file: &Located<PathBuf>, notes: &mut Notes) -> Option<PseudonymKeys> {
    let octets = match std::fs::read(&file.value) {
        Ok(octets) => octets,
        Err(error) => {
            let found = Some(format!("{} ({error})", file.value.display()));
            notes.fault(&file.place, found, "a file that can be read", "make the key, or correct the path");
            return None;
        }
    };
    let keys = PseudonymKeys::read(&octets);
    if keys.is_none() {
        let found = Some(file.value.display().to_string());
        let expected = format!("a key of at least {} octets in each line of the file", PseudonymKey::SHORTEST);
        let advice = "make one with: head -c 32 /dev/urandom | base64 > FILE; chmod 600 FILE";
        notes.fault(&file.place, found, expected, advice);
    }
    keys
}

/// `uname -n`; `-` where it holds what RFC 5424 does not allow.
fn kernel_host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let printable = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
    if printable { name } else { "-".to_owned() }
}
