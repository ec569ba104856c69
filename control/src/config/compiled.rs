//! The configuration as the rest of the house takes it: names resolved, defaults filled in, nothing left to check.

use std::path::PathBuf;
use std::sync::Arc;

use dataplane::access::UserTags;
use dataplane::nat::PoolId;
use dataplane::policy::{Policy, RuleId, ZoneId};
use sigdb::{AppId, Database};

use super::access::AccessConfig;
use super::audit;
use super::dashboard::DashboardConfig;
use super::document::Notes;
use super::fixed::Fixed;
use super::metrics::MetricsConfig;
use super::numbering::Numbering;
use super::respond::ResponseRule;
use super::roles::Roles;
use super::schema::Source;
use super::schema::objects::ImAudit;
use crate::audit::StoreConfig;
use crate::export::{Delivery, Format, GroupConfig, HostConfig};
use crate::presence::access::labels::UserLabels;
use crate::record::account::Accounts;
use crate::record::{ImAction, Name};
use crate::runtime::DataplaneConfig;
use crate::signatures::key::PublicKey;
use crate::state::StateFolder;

/// A configuration ready to run.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// HOSTNAME of records.
    pub host_name: Name,
    /// What workers judge by.
    pub policy: Arc<Policy>,
    /// The names behind the policy's numbers.
    pub names: Names,
    /// What the dataplane is started with; replay takes its wires, limits and timeouts.
    pub dataplane: DataplaneConfig,
    /// Log hosts, each with its classes.
    pub hosts: Vec<HostConfig>,
    /// Which of them stand for each other.
    pub groups: Vec<GroupConfig>,
    /// What of the sign-ons is recorded.
    pub im: ImLogging,
    /// Access users.
    pub access: AccessConfig,
    /// Whom rules name, and who that is.
    pub users: Arc<UserLabels>,
    /// `[log.session] type`: how session records are written where a host does not say otherwise.
    pub session_format: Format,
    /// The signatures that the policy's applications were looked up in.
    pub database: Arc<Database>,
    /// Where they were read from; none: they are those that the program was built with.
    pub signatures: Option<PathBuf>,
    /// Who signed that file.
    pub signer: Option<PublicKey>,
    /// Where what is kept over a restart is; none: nothing is kept.
    pub state: Option<StateFolder>,
    /// Whether the process gives away what it does not need.
    pub confine: bool,
    /// The management socket.
    pub socket: PathBuf,
    /// Who may what there; none: whoever may connect is an administrator.
    pub roles: Option<Roles>,
    /// What is kept on this machine.
    pub audit: StoreConfig,
    /// Where the system's messages are heard.
    pub syslog_socket: Option<PathBuf>,
    /// What sends mail.
    pub mail_program: PathBuf,
    /// What is done when something happens.
    pub responses: Vec<ResponseRule>,
    /// How many committed configurations are kept.
    pub generations: usize,
    /// Where counters are read over HTTP.
    pub metrics: Option<MetricsConfig>,
    /// The page.
    pub dashboard: Option<DashboardConfig>,
    /// What cannot change while it runs.
    pub fixed: Fixed,
}

/// Why a configuration does not take the place of the one that runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NeedsRestart {
    /// Keys differ that are read at start only.
    #[error("{} cannot change while it runs: restart it, or put back what was there", few(.0))]
    Keys(Vec<String>),
    /// What may come in by some port is another, though the keys that say so are the same: they name address objects and
    /// zones of ports, which the policy may change.
    #[error(
        "[protection]: the networks of its zones cannot change while it runs, and an address object that they name or the zone of a port did: restart it, or put back what was there"
    )]
    Networks,
}

impl NeedsRestart {
    /// The keys.
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::Keys(keys) => keys.clone(),
            Self::Networks => vec!["protection".to_owned()],
        }
    }
}

/// Not more keys than one message can bear.
fn few(keys: &[String]) -> String {
    const NAMED: usize = 10;
    match keys.len().checked_sub(NAMED) {
        None | Some(0) => keys.join(", "),
        Some(others) => format!("{} and {others} others", keys[..NAMED].join(", ")),
    }
}

impl Compiled {
    /// Makes this the successor of a configuration that runs: rules that stay keep their numbers, and what cannot change is
    /// the same.
    ///
    /// # Errors
    /// Where something changed that cannot; then neither this nor `numbering` was changed.
    pub fn succeed(&mut self, before: &Self, numbering: &mut Numbering) -> Result<(), NeedsRestart> {
        if let Some(needs) = self.needs_restart(before) {
            return Err(needs);
        }
        // The same content under another path is the same database, and its numbers are: one library gave them.
        if self.database.digest() == before.database.digest() {
            self.database = Arc::clone(&before.database);
        }
        self.dataplane = before.dataplane.clone();
        // Sign-ons go on under the numbers that they have.
        Arc::make_mut(&mut self.access.settings).seed = before.access.settings.seed;
        self.hosts.clone_from(&before.hosts);
        self.groups.clone_from(&before.groups);
        let numbers = numbering.assign(&self.names.rules);
        // A rule that is gone keeps its name and what its profile records, for what is left of its sessions.
        let mut audits = before.im.audits.clone();
        audits.resize(numbering.names().len(), None);
        for (number, audit) in numbers.iter().zip(std::mem::take(&mut self.im.audits)) {
            audits[usize::from(number.0)] = audit;
        }
        self.im.audits = audits;
        self.names.rules = numbering.names().to_vec();
        if let Some(policy) = Arc::get_mut(&mut self.policy) {
            policy.renumber(numbers);
        }
        // Labels that mean the same may be looked up where they are; others need a table of their own, as workers go over
        // to the new policy one after the other.
        match before.policy.tags() {
            Some(tags) if self.users == before.users => {
                self.users = Arc::clone(&before.users);
                self.look_up_users_in(tags);
            }
            _ => self.make_user_table(),
        }
        Ok(())
    }

    /// What keeps this from taking the place of a configuration that runs; nothing where it can.
    pub fn needs_restart(&self, before: &Self) -> Option<NeedsRestart> {
        let changed = before.fixed.changed(&self.fixed);
        if !changed.is_empty() {
            return Some(NeedsRestart::Keys(changed.into_iter().map(str::to_owned).collect()));
        }
        (self.dataplane.protection.origins != before.dataplane.protection.origins).then_some(NeedsRestart::Networks)
    }

    /// Looks up the groups that the file names, on this machine.
    pub(super) fn resolve_groups(&mut self, source: &Source, notes: &mut Notes) {
        self.roles = source.management.roles.as_ref().map(|roles| Roles::compile(roles, notes));
        self.audit.group = audit::group(source, notes);
    }

    /// What the exporters are started with.
    pub fn delivery(&self) -> Delivery {
        let has_spool = self.hosts.iter().any(|host| host.spool.is_some());
        let spool = self.spools().filter(|_| has_spool);
        Delivery { hosts: self.hosts.clone(), groups: self.groups.clone(), spool }
    }

    /// The folder of all spools, where anything is kept over a restart at all.
    pub fn spools(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|state| state.path().join(SPOOL))
    }

    /// Takes the memory in which control tells workers who is where, if rules name users.
    pub fn make_user_table(&mut self) {
        if self.policy.names_users() {
            self.look_up_users_in(&Arc::new(UserTags::new(self.access.max_users)));
        }
    }

    fn look_up_users_in(&mut self, tags: &Arc<UserTags>) {
        if let Some(policy) = Arc::get_mut(&mut self.policy) {
            policy.look_up_in(Arc::clone(tags));
        }
    }
}

/// Where spools are, below the folder of what is kept over a restart.
const SPOOL: &str = "spool";

/// The names of rules, zones and ports, by their numbers; and of applications.
#[derive(Clone, Debug)]
pub struct Names {
    /// By [`RuleId`].
    pub rules: Vec<Name>,
    /// By [`ZoneId`].
    pub zones: Vec<Name>,
    /// By [`dataplane::policy::PortId`].
    pub ports: Vec<Name>,
    /// The zone of each port.
    pub port_zones: Vec<ZoneId>,
    /// By [`dataplane::nat::PoolId`].
    pub pools: Vec<Name>,
    /// By [`AppId`]; the first is `unknown`. Those of databases before the one in use are among them.
    pub applications: Vec<Name>,
    /// What the deny at the end of the policy is called.
    implicit_deny: Name,
    /// What has no name.
    unknown: Name,
}

impl Names {
    /// Of a configuration with these rules, zones and ports, each port in a zone.
    pub(super) fn new(
        rules: Vec<Name>,
        zones: Vec<Name>,
        ports: Vec<Name>,
        port_zones: Vec<ZoneId>,
        pools: Vec<Name>,
        database: &Database,
    ) -> Self {
        let applications = database.all_names().map(Name::from);
        let unknown = Name::from("unknown");
        let applications = std::iter::once(Arc::clone(&unknown)).chain(applications).collect();
        Self { rules, zones, ports, port_zones, pools, applications, implicit_deny: Name::from(IMPLICIT_DENY), unknown }
    }

    /// The rule's name; `implicit-deny` for [`RuleId::IMPLICIT`].
    pub fn rule(&self, rule: RuleId) -> &Name {
        if rule == RuleId::IMPLICIT {
            return &self.implicit_deny;
        }
        self.rules.get(usize::from(rule.0)).unwrap_or(&self.unknown)
    }

    /// The number of a rule.
    pub fn rule_of(&self, name: &str) -> Option<RuleId> {
        if *self.implicit_deny == *name {
            return Some(RuleId::IMPLICIT);
        }
        let place = self.rules.iter().position(|rule| **rule == *name)?;
        Some(RuleId(place as u16))
    }

    /// The number of a port; one that none has where there is no port of that name.
    pub fn port_of(&self, name: &str) -> u16 {
        self.ports.iter().position(|port| **port == *name).map_or(u16::MAX, |place| place as u16)
    }

    /// The port's name.
    pub fn port(&self, port: u16) -> &Name {
        self.ports.get(usize::from(port)).unwrap_or(&self.unknown)
    }

    /// The name of the zone that a port is in.
    pub fn zone_of_port(&self, port: u16) -> &Name {
        let zone = self.port_zones.get(usize::from(port));
        zone.and_then(|zone| self.zones.get(usize::from(zone.0))).unwrap_or(&self.unknown)
    }

    /// The name of a pool of source NAT.
    pub fn pool(&self, pool: PoolId) -> &Name {
        self.pools.get(usize::from(pool.0)).unwrap_or(&self.unknown)
    }

    /// The application's name; `unknown` for [`AppId::UNKNOWN`].
    pub fn application(&self, application: AppId) -> &Name {
        self.applications.get(usize::from(application.0)).unwrap_or(&self.unknown)
    }
}

/// What the deny at the end of the policy is called in records; no rule may be called so.
pub(super) const IMPLICIT_DENY: &str = "implicit-deny";

/// `[log.im]` and the profiles of rules: which sign-ons are recorded, and how their accounts are written.
#[derive(Clone, Debug)]
pub struct ImLogging {
    /// Whether any is.
    pub enable: bool,
    /// What becomes of the accounts.
    pub accounts: Accounts,
    /// Users of one application at one address that are followed at most.
    pub users_per_address: usize,
    /// The classes' form where a host does not say otherwise.
    pub format: Option<Format>,
    /// Only these applications; none: all.
    pub applications: Option<Vec<Name>>,
    /// By [`RuleId`]: what the rule's profile records; none for a rule without a profile, under which all is.
    pub audits: Vec<Option<Vec<(Name, ImAudit)>>>,
}

impl Default for ImLogging {
    fn default() -> Self {
        Self {
            enable: false,
            accounts: Accounts::default(),
            users_per_address: Self::USERS_PER_ADDRESS,
            format: None,
            applications: None,
            audits: Vec::new(),
        }
    }
}

impl ImLogging {
    /// The default of `users-per-address`.
    pub const USERS_PER_ADDRESS: usize = 64;

    /// Whether what a user of `application` did in a session under `rule` is recorded. That the rule logs sessions is a
    /// condition of its own, which the event carries.
    pub fn records(&self, rule: RuleId, application: &str, action: ImAction) -> bool {
        if !self.enable {
            return false;
        }
        if let Some(applications) = &self.applications
            && !applications.iter().any(|name| **name == *application)
        {
            return false;
        }
        let Some(Some(audit)) = self.audits.get(usize::from(rule.0)) else { return true };
        let offline = matches!(action, ImAction::Logout);
        audit.iter().any(|(name, what)| {
            **name == *application
                && match what {
                    ImAudit::Both => true,
                    ImAudit::Online => !offline,
                    ImAudit::Offline => offline,
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logging() -> ImLogging {
        let audit = vec![(Name::from("qq"), ImAudit::Online), (Name::from("wechat"), ImAudit::Offline)];
        let audits = vec![None, Some(audit), Some(vec![(Name::from("qq"), ImAudit::Both)])];
        ImLogging { enable: true, audits, ..ImLogging::default() }
    }

    #[test]
    fn nothing_is_recorded_unless_enabled() {
        assert!(!ImLogging { enable: false, ..logging() }.records(RuleId(0), "qq", ImAction::Login));
        assert!(!ImLogging::default().records(RuleId(0), "qq", ImAction::Login));
    }

    #[test]
    fn a_rule_without_a_profile_records_all() {
        for action in [ImAction::Login, ImAction::Logout, ImAction::Seen, ImAction::Result { success: false }] {
            assert!(logging().records(RuleId(0), "xmpp", action));
        }
    }

    #[test]
    fn a_profile_records_what_it_names_and_nothing_else() {
        let im = logging();
        assert!(im.records(RuleId(1), "qq", ImAction::Login));
        assert!(im.records(RuleId(1), "qq", ImAction::Seen));
        assert!(im.records(RuleId(1), "qq", ImAction::Result { success: false }));
        assert!(!im.records(RuleId(1), "qq", ImAction::Logout));
        assert!(im.records(RuleId(1), "wechat", ImAction::Logout));
        assert!(!im.records(RuleId(1), "wechat", ImAction::Login));
        assert!(!im.records(RuleId(1), "xmpp", ImAction::Login));
        assert!(im.records(RuleId(2), "qq", ImAction::Login) && im.records(RuleId(2), "qq", ImAction::Logout));
    }

    #[test]
    fn a_list_of_applications_leaves_out_the_others() {
        let im = ImLogging { applications: Some(vec![Name::from("qq")]), ..logging() };
        assert!(im.records(RuleId(0), "qq", ImAction::Login));
        assert!(!im.records(RuleId(0), "wechat", ImAction::Login));
    }
}
