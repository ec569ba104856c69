//! The security policy: an ordered list of rules, compiled for lookup and versioned by epoch.

mod classifier;
mod explain;
mod order;
#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
mod reference;
mod sets;
mod tree;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sigdb::AppId;

use self::classifier::Classifier;
pub use self::explain::{Field, Misfits};
use crate::access::UserTags;
use crate::endpoint::Address;
use crate::flow::Realm;
use crate::nat::PoolId;

/// A rule's number: its place in the policy, from 0, unless [`Policy::renumber`] gave it another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u16);

impl RuleId {
    /// The deny at the end of every policy.
    pub const IMPLICIT: Self = Self(u16::MAX);
}

/// A zone's number in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub u8);

/// A port's index in the configuration's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u16);

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Let through.
    Permit,
    /// Drop silently.
    Deny,
    /// Drop, and tell both ends: RST for TCP (RFC 9293, 3.5.2), otherwise ICMP administratively prohibited.
    Reset,
}

/// Addresses from `first` to `last`, both included and of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// Lowest.
    pub first: Address,
    /// Highest.
    pub last: Address,
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest.
    pub first: u16,
    /// Highest.
    pub last: u16,
}

impl PortRange {
    /// Every port.
    pub const ANY: Self = Self { first: 0, last: u16::MAX };
}

/// One service: a protocol and, for TCP, UDP and SCTP, ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceMatch {
    /// IANA protocol number; none matches every protocol.
    pub protocol: Option<u8>,
    /// The client's port.
    pub source: PortRange,
    /// The server's port; for ICMP and ICMPv6 the type in the upper octet and the code in the lower.
    pub destination: PortRange,
}

/// A rule as the configuration resolved it. An empty list matches everything.
#[derive(Clone, Debug)]
pub struct RuleSource {
    /// Zones of the client's side.
    pub from: Vec<ZoneId>,
    /// Zones of the server's side.
    pub to: Vec<ZoneId>,
    /// The client's addresses.
    pub source: Vec<AddressRange>,
    /// The server's addresses.
    pub destination: Vec<AddressRange>,
    /// Services.
    pub service: Vec<ServiceMatch>,
    /// Applications.
    pub application: Vec<AppId>,
    /// Users and groups of the client's side, one of which is enough: labels of [`UserTags`]; 0 for anybody.
    pub users: u64,
    /// What to do.
    pub action: Action,
    /// Whether create, close and deny (and a user's sign-ons) are recorded.
    pub session_logging: bool,
    /// Whether the rule has a content profile, which sends its traffic to the engine.
    pub profile: bool,
    /// The pool from which a permitted session's client gets an address and port.
    pub source_nat: Option<PoolId>,
}

impl RuleSource {
    /// A rule that matches everything and does not log.
    pub const fn any(action: Action) -> Self {
        Self {
            from: Vec::new(),
            to: Vec::new(),
            source: Vec::new(),
            destination: Vec::new(),
            service: Vec::new(),
            application: Vec::new(),
            users: 0,
            action,
            session_logging: false,
            profile: false,
            source_nat: None,
        }
    }
}

/// A policy as the configuration resolved it; by default one that denies everything.
#[derive(Clone, Debug, Default)]
pub struct PolicySource {
    /// Rules in order; at most [`Policy::RULE_LIMIT`].
    pub rules: Vec<RuleSource>,
    /// Whether the implicit deny records what it drops.
    pub implicit_deny_logging: bool,
    /// `mode = "full"`: every flow goes to the engine, whatever the rules need.
    pub full_identification: bool,
    /// The zone of each port, by [`PortId`].
    pub zones: Vec<ZoneId>,
}

/// What is known of a flow's application when the policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// The engine has not decided.
    Undecided,
    /// The engine gave up, or never looked.
    Unknown,
    /// Named.
    Named(AppId),
}

/// What the policy is asked about a flow.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Zone of the client's side.
    pub from: ZoneId,
    /// Zone of the server's side.
    pub to: ZoneId,
    /// The client's address.
    pub source: Address,
    /// The server's address.
    pub destination: Address,
    /// IANA protocol number.
    pub protocol: u8,
    /// The client's port; 0 where there is none.
    pub source_port: u16,
    /// The server's port; for ICMP and ICMPv6 as [`ServiceMatch::destination`] says.
    pub destination_port: u16,
    /// What is known of the application.
    pub application: Application,
    /// Users and groups at the client's address, as [`Policy::labels`] has them.
    pub labels: u64,
}

/// What the policy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The rule that applies; [`RuleId::IMPLICIT`] where none does.
    pub rule: RuleId,
    /// What to do; of a tentative decision always [`Action::Permit`].
    pub action: Action,
    /// Whether to show the flow to the engine.
    pub inspect: bool,
    /// Whether the rule, or the implicit deny, logs.
    pub session_logging: bool,
    /// The rule names applications and the flow has none yet: it is let through until it has, then judged again.
    pub tentative: bool,
}

/// Why a policy is not compiled: it would be too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// In rules.
    #[error("{found} rules, and a policy takes {limit}")]
    Rules {
        /// In the policy.
        found: usize,
        /// At most.
        limit: usize,
    },
    /// In what its rules list.
    #[error("the rules list {found} addresses and services, those of their groups counted, and a policy takes {limit}")]
    Items {
        /// In the policy.
        found: usize,
        /// At most.
        limit: usize,
    },
    /// In memory.
    #[error("the policy's tables take more than {} MiB: its rules have too many different ranges", limit >> 20)]
    Memory {
        /// Octets at most.
        limit: usize,
    },
}

/// A policy ready for lookups.
#[derive(Debug)]
pub struct Policy {
    source: PolicySource,
    classifier: Classifier,
    /// By place.
    outcomes: Box<[Outcome]>,
    /// By number.
    actions: Box<[Action]>,
    /// Likewise, whether each logs sessions.
    logs: Box<[bool]>,
    /// By number: where the rule translates to.
    pools: Box<[Option<PoolId>]>,
    epoch: u32,
    names_users: bool,
    /// Who is where, as the labels of this policy's rules have it.
    tags: Option<Arc<UserTags>>,
}

/// What a rule decides, in four octets: the rule itself is not looked at.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    rule: RuleId,
    action: Action,
    flags: u8,
}

impl Outcome {
    const NAMES_APPLICATIONS: u8 = 1;
    const INSPECTS: u8 = 2;
    const LOGS: u8 = 4;

    fn new(id: usize, rule: &RuleSource, full_identification: bool) -> Self {
        let names = !rule.application.is_empty();
        let flag = |on: bool, flag: u8| if on { flag } else { 0 };
        let flags = flag(names, Self::NAMES_APPLICATIONS)
            | flag(names || rule.profile || full_identification, Self::INSPECTS)
            | flag(rule.session_logging, Self::LOGS);
        Self { rule: RuleId(id as u16), action: rule.action, flags }
    }

    const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The last epoch given out.
static EPOCH: AtomicU32 = AtomicU32::new(0);

impl Policy {
    /// Rules at most: a rule's number has 16 bits, of which a flow's entry keeps some values to itself.
    pub const RULE_LIMIT: usize = 60_000;
    /// Addresses and services in all rules together at most.
    pub const ITEM_LIMIT: usize = 2_000_000;
    /// Octets that the tables for lookups take at most. 10,000 rules take some MiB; this is for policies that no two rules
    /// of which have a range in common.
    pub const MEMORY_LIMIT: usize = 512 << 20;

    /// Compiles a policy. Each has an epoch of its own, by which a flow knows that it was judged by an older one.
    ///
    /// # Errors
    /// Where it is past one of the limits.
    pub fn build(source: PolicySource) -> Result<Self, TooLarge> {
        let (found, limit) = (source.rules.len(), Self::RULE_LIMIT);
        if found > limit {
            return Err(TooLarge::Rules { found, limit });
        }
        let items = |rule: &RuleSource| rule.source.len() + rule.destination.len() + rule.service.len();
        let (found, limit) = (source.rules.iter().map(items).sum(), Self::ITEM_LIMIT);
        if found > limit {
            return Err(TooLarge::Items { found, limit });
        }
        let classifier = Classifier::compile(&source.rules, Self::MEMORY_LIMIT)?;
        let full = source.full_identification;
        let outcomes = source.rules.iter().enumerate().map(|(id, rule)| Outcome::new(id, rule, full)).collect();
        let actions = source.rules.iter().map(|rule| rule.action).collect();
        let logs = source.rules.iter().map(|rule| rule.session_logging).collect();
        let pools = source.rules.iter().map(|rule| rule.source_nat).collect();
        let epoch = EPOCH.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let names_users = source.rules.iter().any(|rule| rule.users != 0);
        Ok(Self { source, classifier, outcomes, actions, logs, pools, epoch, names_users, tags: None })
    }

    /// [`Self::build`], of a policy that is known to be small.
    ///
    /// # Panics
    /// Where it is not.
    pub fn compile(source: PolicySource) -> Self {
        Self::build(source).expect("a small policy is within all limits")
    }

    /// Gives the rules, in their order, other numbers: a rule that was in an earlier policy keeps the one it had there, so
    /// that what is left of that policy's sessions is told under its name. The implicit deny keeps its own.
    pub fn renumber(&mut self, numbers: impl IntoIterator<Item = RuleId>) {
        for (outcome, number) in self.outcomes.iter_mut().zip(numbers) {
            outcome.rule = number;
        }
        let most = self.outcomes.iter().map(|outcome| usize::from(outcome.rule.0) + 1).max().unwrap_or(0);
        let (mut actions, mut logs, mut pools) = (vec![Action::Deny; most], vec![false; most], vec![None; most]);
        for (outcome, rule) in self.outcomes.iter().zip(&self.source.rules) {
            let number = usize::from(outcome.rule.0);
            actions[number] = outcome.action;
            logs[number] = outcome.flags & Outcome::LOGS != 0;
            pools[number] = rule.source_nat;
        }
        (self.actions, self.logs, self.pools) = (actions.into(), logs.into(), pools.into());
    }

    /// The number of the rule at a place, from 0; the implicit deny's behind the last.
    pub fn number(&self, place: usize) -> RuleId {
        self.outcomes.get(place).map_or(RuleId::IMPLICIT, |outcome| outcome.rule)
    }

    /// Has its rules' users looked up in this table; without one nobody is any of them.
    pub fn look_up_in(&mut self, tags: Arc<UserTags>) {
        self.tags = Some(tags);
    }

    /// Where its rules' users are looked up.
    pub fn tags(&self) -> Option<&Arc<UserTags>> {
        self.tags.as_ref()
    }

    /// Whether a rule names users or groups.
    pub const fn names_users(&self) -> bool {
        self.names_users
    }

    /// Users and groups that are at an address now; none where no rule names any.
    #[inline]
    pub fn labels(&self, realm: Realm, address: Address) -> u64 {
        self.tags.as_ref().map_or(0, |tags| tags.labels(realm, address))
    }

    /// Octets that it takes: the tables for lookups and the rules that they were made from.
    pub fn memory(&self) -> usize {
        let lists = |rule: &RuleSource| {
            size_of_val(&*rule.from)
                + size_of_val(&*rule.to)
                + size_of_val(&*rule.source)
                + size_of_val(&*rule.destination)
                + size_of_val(&*rule.service)
                + size_of_val(&*rule.application)
        };
        let rules = size_of_val(&*self.source.rules) + self.source.rules.iter().map(lists).sum::<usize>();
        self.classifier.memory()
            + size_of_val(&*self.outcomes)
            + size_of_val(&*self.actions)
            + size_of_val(&*self.logs)
            + rules
    }

    /// What it was made from.
    pub fn source(&self) -> &PolicySource {
        &self.source
    }

    /// Its number; no two policies of a process have the same.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The zone of a port; a zone that no configuration names where the port is not configured.
    pub fn zone(&self, port: PortId) -> ZoneId {
        self.source.zones.get(usize::from(port.0)).copied().unwrap_or(ZoneId(u8::MAX))
    }

    /// What a rule does; the implicit rule denies.
    pub fn action(&self, rule: RuleId) -> Action {
        self.actions.get(usize::from(rule.0)).copied().unwrap_or(Action::Deny)
    }

    /// Whether a rule logs sessions.
    pub fn logs(&self, rule: RuleId) -> bool {
        self.logs.get(usize::from(rule.0)).is_some_and(|logs| *logs)
    }

    /// The pool that a rule translates to.
    pub fn source_nat(&self, rule: RuleId) -> Option<PoolId> {
        self.pools.get(usize::from(rule.0)).copied().flatten()
    }

    /// Judges a flow by the first rule that matches.
    ///
    /// A rule that names applications matches only what is named in it. Where the application is undecided and such a
    /// rule matches in everything else before any other rule does, the flow is let through tentatively.
    pub fn decide(&self, query: &Query) -> Decision {
        let first = self.classifier.first(&self.source.rules, query);
        let Some(outcome) = first.and_then(|index| self.outcomes.get(index)) else {
            return Decision {
                rule: RuleId::IMPLICIT,
                action: Action::Deny,
                inspect: false,
                session_logging: self.source.implicit_deny_logging,
                tentative: false,
            };
        };
        let tentative = outcome.has(Outcome::NAMES_APPLICATIONS) && query.application == Application::Undecided;
        Decision {
            rule: outcome.rule,
            action: if tentative { Action::Permit } else { outcome.action },
            inspect: outcome.has(Outcome::INSPECTS),
            session_logging: outcome.has(Outcome::LOGS),
            tentative,
        }
    }
}
