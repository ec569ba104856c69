//! The configuration as written: every key with its type, its limits and its default; names not yet resolved.

pub(super) mod access;
pub(super) mod audit;
pub(super) mod dataplane;
pub(super) mod delivery;
pub(super) mod log_host;
pub(super) mod logging;
pub(super) mod management;
pub(super) mod nat;
pub(super) mod objects;
pub(super) mod protection;
pub(super) mod respond;
pub(super) mod route;
pub(super) mod rules;
pub(super) mod users;

use std::path::PathBuf;

use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::DeTable;

use super::document::{Located, Notes, Section};
use super::value;

use access::Access;
use audit::Audit;
use dataplane::{Dataplane, Port, Wire};
use delivery::LogGroup;
use log_host::LogHost;
use logging::{Log, SslPolicy};
use management::{Configuration, Dashboard, Management, Metrics};
use nat::NatPool;
use objects::{Object, Profile};
use respond::Respond;
use route::{Interface, Route};
use rules::{Identification, Rule};
use users::UserGroup;

/// A configuration file as written.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) system: System,
    pub(super) management: Management,
    pub(super) dataplane: Dataplane,
    pub(super) ports: Vec<Port>,
    pub(super) wires: Vec<Wire>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) routes: Vec<Route>,
    pub(super) addresses: Vec<Object>,
    pub(super) services: Vec<Object>,
    pub(super) profiles: Vec<Profile>,
    pub(super) user_groups: Vec<UserGroup>,
    pub(super) nat: Vec<NatPool>,
    pub(super) rules: Vec<Rule>,
    pub(super) implicit_deny_logging: bool,
    pub(super) protection: protection::Source,
    pub(super) identification: Identification,
    pub(super) log: Log,
    pub(super) access: Access,
    pub(super) hosts: Vec<LogHost>,
    pub(super) groups: Vec<LogGroup>,
    pub(super) ssl_policies: Vec<SslPolicy>,
    pub(super) audit: Audit,
    pub(super) responses: Vec<Respond>,
    pub(super) configuration: Configuration,
    pub(super) metrics: Option<Metrics>,
    pub(super) dashboard: Option<Dashboard>,
}

/// `[system]`.
#[derive(Debug)]
pub(super) struct System {
    /// `host-name`; default: the kernel's.
    pub(super) host_name: Option<Located<String>>,
    /// `time-zone` of syslog time stamps; default UTC.
    pub(super) time_zone: Option<TimeZone>,
    /// `clock-synchronised`: whether something keeps the machine's clock right; default false.
    pub(super) synchronised: bool,
    /// `confine`: whether the process gives away what it does not need once it runs; default true.
    pub(super) confine: bool,
    /// `state-directory`: what is kept over a restart; default: nothing is.
    pub(super) state: Option<Located<PathBuf>>,
}

impl Source {
    /// Reads a parsed file. Faults are noted; what was refused is absent from the result.
    pub(super) fn read(document: &Spanned<DeTable<'_>>, notes: &mut Notes) -> Self {
        let mut root = Section::new("", 0..0, document.get_ref(), notes);
        let source = Self {
            system: System::read(root.table("system", notes), notes),
            management: Management::read(root.table("management", notes), notes),
            dataplane: Dataplane::read(root.table("dataplane", notes), notes),
            ports: root.tables("port", notes).into_iter().map(|section| Port::read(section, notes)).collect(),
            wires: root.tables("wire", notes).into_iter().filter_map(|section| Wire::read(section, notes)).collect(),
            interfaces: root
                .tables("interface", notes)
                .into_iter()
                .map(|section| Interface::read(section, notes))
                .collect(),
            routes: root.tables("route", notes).into_iter().map(|section| Route::read(section, notes)).collect(),
            addresses: objects::read("an address", root.table("address", notes), notes),
            services: objects::read("a service", root.table("service", notes), notes),
            profiles: Profile::read_all(root.table("profile", notes), notes),
            user_groups: UserGroup::read_all(root.table("user-group", notes), notes),
            nat: NatPool::read_all(root.table("nat", notes), notes),
            rules: root.tables("rule", notes).into_iter().map(|section| Rule::read(section, notes)).collect(),
            implicit_deny_logging: rules::read_policy(root.table("policy", notes), notes),
            protection: protection::Source::read(root.table("protection", notes), notes),
            identification: Identification::read(root.table("application-identification", notes), notes),
            log: Log::read(root.table("log", notes), notes),
            access: Access::read(root.table("access", notes), notes),
            hosts: root.tables("log-host", notes).into_iter().map(|section| LogHost::read(section, notes)).collect(),
            groups: LogGroup::read_all(&mut root, notes),
            ssl_policies: SslPolicy::read_all(root.table("ssl-policy", notes), notes),
            audit: Audit::read(root.table("audit", notes), notes),
            responses: root.tables("respond", notes).into_iter().map(|section| Respond::read(section, notes)).collect(),
            configuration: Configuration::read(root.table("configuration", notes), notes),
            metrics: Metrics::read(root.table("metrics", notes), notes),
            dashboard: Dashboard::read(root.table("dashboard", notes), notes),
        };
        root.finish(notes);
        source
    }
}

impl System {
    fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let Some(mut section) = section else {
            return Self { host_name: None, time_zone: None, synchronised: false, confine: true, state: None };
        };
        let host_name = section.optional("host-name", notes, value::host_name);
        let time_zone = section.optional("time-zone", notes, value::time_zone).map(|zone| zone.value);
        let synchronised = section.optional("clock-synchronised", notes, value::boolean).is_some_and(|on| on.value);
        let confine = section.optional("confine", notes, value::boolean).is_none_or(|on| on.value);
        let state = section.optional("state-directory", notes, value::directory);
        section.finish(notes);
        Self { host_name, time_zone, synchronised, confine, state }
    }
}
