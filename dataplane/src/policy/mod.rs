//! The security policy: an ordered list of rules, compiled for lookup and versioned by epoch.

mod classifier;
#[cfg(test)]
mod reference;

use std::sync::atomic::{AtomicU32, Ordering};

use sigdb::AppId;

use self::classifier::Classifier;
use crate::endpoint::Address;

/// A rule's place in the policy, from 0.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// What to do.
    pub action: Action,
    /// Whether create, close and deny (and a user's sign-ons) are recorded.
    pub session_logging: bool,
    /// Whether the rule has a content profile, which sends its traffic to the engine.
    pub profile: bool,
}

/// A policy as the configuration resolved it.
#[derive(Clone, Debug)]
pub struct PolicySource {
    /// Rules in order; at most 65,000.
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

/// A policy ready for lookups.
#[derive(Debug)]
pub struct Policy {
    source: PolicySource,
    classifier: Classifier,
    epoch: u32,
}

/// The last epoch given out.
static EPOCH: AtomicU32 = AtomicU32::new(0);

impl Policy {
    /// Compiles a policy. Each has an epoch of its own, by which a flow knows that it was judged by an older one.
    pub fn compile(source: PolicySource) -> Self {
        let classifier = Classifier::compile(&source.rules);
        let epoch = EPOCH.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        Self { source, classifier, epoch }
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
        self.source.rules.get(usize::from(rule.0)).map_or(Action::Deny, |rule| rule.action)
    }

    /// Judges a flow by the first rule that matches.
    ///
    /// A rule that names applications matches only what is named in it. Where the application is undecided and such a
    /// rule matches in everything else before any other rule does, the flow is let through tentatively.
    pub fn decide(&self, query: &Query) -> Decision {
        let rules = &self.source.rules;
        self.decision(self.classifier.first(rules, query), query)
    }

    /// The decision that follows from the first rule that matches, an undecided application fitting any.
    fn decision(&self, first: Option<usize>, query: &Query) -> Decision {
        let Some((index, rule)) = first.and_then(|index| Some((index, self.source.rules.get(index)?))) else {
            return Decision {
                rule: RuleId::IMPLICIT,
                action: Action::Deny,
                inspect: false,
                session_logging: self.source.implicit_deny_logging,
                tentative: false,
            };
        };
        let names_applications = !rule.application.is_empty();
        let tentative = names_applications && query.application == Application::Undecided;
        Decision {
            rule: RuleId(index as u16),
            action: if tentative { Action::Permit } else { rule.action },
            inspect: names_applications || rule.profile || self.source.full_identification,
            session_logging: rule.session_logging,
            tentative,
        }
    }
}
