//! The security policy: an ordered list of rules, compiled for lookup and versioned by epoch.

use sigdb::AppId;

use crate::endpoint::Address;

/// A rule's place in the policy, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// A policy ready for lookups.
#[derive(Debug)]
pub struct Policy {
    source: PolicySource,
}

impl Policy {
    /// Compiles a policy. Each has an epoch of its own, by which a flow knows that it was judged by an older one.
    pub fn compile(source: PolicySource) -> Self {
        Self { source }
    }

    /// What it was made from.
    pub fn source(&self) -> &PolicySource {
        &self.source
    }
}
