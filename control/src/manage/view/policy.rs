//! The rows of `ostiary show policy`: rules as operators write them, groups resolved.

use dataplane::endpoint::Address;
use dataplane::policy::{Action, AddressRange, PortRange, RuleId, RuleSource, ServiceMatch};
use serde::{Deserialize, Serialize};

use super::protocol_text;
use crate::config::Compiled;

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyRow {
    /// Its place, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Zones of the client's side; empty lists match everything, here and below.
    pub from: Vec<String>,
    /// Zones of the server's side.
    pub to: Vec<String>,
    /// The client's addresses, groups resolved.
    pub source: Vec<String>,
    /// The server's addresses.
    pub destination: Vec<String>,
    /// Services.
    pub service: Vec<String>,
    /// Applications.
    pub application: Vec<String>,
    /// Names of the client's user.
    #[serde(default)]
    pub user: Vec<String>,
    /// Groups of which that user is in one. Where there are users as well, either is enough.
    #[serde(default)]
    pub user_group: Vec<String>,
    /// `permit`, `deny` or `reset`.
    pub action: String,
    /// Whether sessions (and their users' sign-ons) are recorded.
    pub session_logging: bool,
    /// Whether a content profile sends its traffic to the engine.
    pub profile: bool,
    /// The pool of source NAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_nat: Option<String>,
}

impl PolicyRow {
    /// The rule of that number, from 0; the number behind the last is the implicit deny.
    pub(crate) fn of(compiled: &Compiled, index: usize) -> Option<Self> {
        let names = &compiled.names;
        let source = compiled.policy.source();
        let Some(rule) = source.rules.get(index) else {
            return (index == source.rules.len()).then(|| Self {
                number: index + 1,
                name: names.rule(RuleId::IMPLICIT).to_string(),
                from: Vec::new(),
                to: Vec::new(),
                source: Vec::new(),
                destination: Vec::new(),
                service: Vec::new(),
                application: Vec::new(),
                user: Vec::new(),
                user_group: Vec::new(),
                action: action_text(Action::Deny).to_owned(),
                session_logging: source.implicit_deny_logging,
                profile: false,
                source_nat: None,
            });
        };
        Some(Self::new(index, compiled.policy.number(index), rule, compiled))
    }

    fn new(index: usize, id: RuleId, rule: &RuleSource, compiled: &Compiled) -> Self {
        let (names, users) = (&compiled.names, &compiled.users);
        let zone = |zone: &dataplane::policy::ZoneId| names.zones[usize::from(zone.0)].to_string();
        Self {
            number: index + 1,
            name: names.rule(id).to_string(),
            from: rule.from.iter().map(zone).collect(),
            to: rule.to.iter().map(zone).collect(),
            source: rule.source.iter().map(address_text).collect(),
            destination: rule.destination.iter().map(address_text).collect(),
            service: rule.service.iter().map(service_text).collect(),
            application: rule.application.iter().map(|id| names.application(*id).to_string()).collect(),
            user: users.users(rule.users),
            user_group: users.groups(rule.users),
            action: action_text(rule.action).to_owned(),
            session_logging: rule.session_logging,
            profile: rule.profile,
            source_nat: rule.source_nat.map(|pool| names.pool(pool).to_string()),
        }
    }
}

fn action_text(action: Action) -> &'static str {
    match action {
        Action::Permit => "permit",
        Action::Deny => "deny",
        Action::Reset => "reset",
    }
}

/// A prefix where the range is one, a single address or a range otherwise.
fn address_text(range: &AddressRange) -> String {
    let value = |address: Address| u128::from_be_bytes(address.0);
    let (first, last) = (value(range.first), value(range.last));
    let bits = if range.first.is_v4() { 32 } else { 128 };
    if first == last {
        return range.first.ip().to_string();
    }
    let free = (first ^ last).count_ones();
    let block = if free == 128 { u128::MAX } else { (1 << free) - 1 };
    if first ^ last == block && first & block == 0 && free <= bits {
        return format!("{}/{}", range.first.ip(), bits - free);
    }
    format!("{}-{}", range.first.ip(), range.last.ip())
}

/// As the configuration writes it.
fn service_text(service: &ServiceMatch) -> String {
    let Some(protocol) = service.protocol else { return "any".to_owned() };
    let ports = |range: PortRange| match (range.first, range.last) {
        (0, u16::MAX) => "any".to_owned(),
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    let name = protocol_text(protocol);
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("ip/{name}") } else { name };
    let (source, destination) = (service.source, service.destination);
    if destination == PortRange::ANY && source == PortRange::ANY {
        return name;
    }
    if protocol == 1 || protocol == 58 {
        let (kind, code) = (destination.first >> 8, destination.first & 0xff);
        return if destination.first == destination.last {
            format!("{name}/{kind}/{code}")
        } else {
            format!("{name}/{kind}")
        };
    }
    if source == PortRange::ANY {
        format!("{name}/{}", ports(destination))
    } else {
        format!("{name}/{}>{}", ports(source), ports(destination))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn range(first: &str, last: &str) -> AddressRange {
        let address = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
        AddressRange { first: address(first), last: address(last) }
    }

    #[test]
    fn ranges_are_written_as_operators_write_them() {
        assert_eq!(address_text(&range("10.0.0.1", "10.0.0.1")), "10.0.0.1");
        assert_eq!(address_text(&range("10.1.0.0", "10.1.255.255")), "10.1.0.0/16");
        assert_eq!(address_text(&range("0.0.0.0", "255.255.255.255")), "0.0.0.0/0");
        assert_eq!(address_text(&range("10.0.0.1", "10.0.0.2")), "10.0.0.1-10.0.0.2");
        assert_eq!(address_text(&range("10.0.0.2", "10.0.0.5")), "10.0.0.2-10.0.0.5");
        assert_eq!(address_text(&range("2001:db8::", "2001:db8::ffff")), "2001:db8::/112");
        assert_eq!(address_text(&range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), "::/0");
    }

    #[test]
    fn services_are_written_as_operators_write_them() {
        let any = PortRange::ANY;
        let port = |first, last| PortRange { first, last };
        let text = |protocol, source, destination| service_text(&ServiceMatch { protocol, source, destination });
        assert_eq!(text(None, any, any), "any");
        assert_eq!(text(Some(6), any, any), "tcp");
        assert_eq!(text(Some(6), any, port(80, 80)), "tcp/80");
        assert_eq!(text(Some(17), any, port(1000, 2000)), "udp/1000-2000");
        assert_eq!(text(Some(17), port(67, 67), port(68, 68)), "udp/67>68");
        assert_eq!(text(Some(17), port(53, 53), any), "udp/53>any");
        assert_eq!(text(Some(1), any, port(0x0800, 0x08ff)), "icmp/8");
        assert_eq!(text(Some(58), any, port(0x8000, 0x8000)), "icmpv6/128/0");
        assert_eq!(text(Some(47), any, any), "ip/47");
    }
}
