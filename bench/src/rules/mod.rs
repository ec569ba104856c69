//! Policies of any size, made up from a seed, with the shapes that people's policies have.
//!
//! The shapes are those that ClassBench (Taylor, Turner: "ClassBench: A Packet Classification Benchmark", INFOCOM 2005)
//! found in filters of its time: few networks that many rules are about, nested; servers named one by one; well-known
//! ports, ranges of ports, and rules that leave either side open. A quarter is of IPv6, one rule in ten uses an object.
//! The last rule permits everything and logs: traffic that no other rule is about passes, after all the others.

mod text;

use dataplane::endpoint::Address;
use dataplane::policy::{
    Action, AddressRange, Application, Policy, PolicySource, PortRange, Query, RuleSource, ServiceMatch, ZoneId,
};

use crate::pktgen::dice::Dice;

/// The zones, in the order of the two ports of a wire.
pub const ZONES: [&str; 2] = ["trust", "untrust"];

/// A policy, as it is written and as it is compiled.
#[derive(Clone, Debug)]
pub struct Rules {
    objects: Vec<Vec<AddressRange>>,
    rules: Vec<Rule>,
}

/// A rule as written.
#[derive(Clone, Debug)]
struct Rule {
    from: Vec<ZoneId>,
    to: Vec<ZoneId>,
    source: Vec<Item>,
    destination: Vec<Item>,
    service: Vec<ServiceMatch>,
    action: Action,
    session_logging: bool,
}

/// What stands in a list of addresses.
#[derive(Clone, Copy, Debug)]
enum Item {
    Range(AddressRange),
    Object(usize),
}

impl Rules {
    /// `count` rules, the last of which permits all.
    pub fn new(seed: u64, count: usize) -> Self {
        let mut maker = Maker::new(seed, count);
        let objects = (0..maker.objects).map(|_| maker.object()).collect();
        let mut rules: Vec<Rule> = (1..count).map(|_| maker.rule()).collect();
        if count > 0 {
            rules.push(Rule { session_logging: true, ..Rule::any(Action::Permit) });
        }
        Self { objects, rules }
    }

    /// The policy, compiled; ports 0 and 1 are in zones 0 and 1.
    ///
    /// # Panics
    /// Beyond [`Policy::RULE_LIMIT`] rules.
    pub fn policy(&self) -> Policy {
        Policy::build(self.source()).expect("fewer rules than a policy takes, each with few ranges")
    }

    /// The policy, resolved.
    pub fn source(&self) -> PolicySource {
        let resolved = |rule: &Rule| RuleSource {
            from: rule.from.clone(),
            to: rule.to.clone(),
            source: self.ranges(&rule.source),
            destination: self.ranges(&rule.destination),
            service: rule.service.clone(),
            session_logging: rule.session_logging,
            ..RuleSource::any(rule.action)
        };
        PolicySource {
            rules: self.rules.iter().map(resolved).collect(),
            implicit_deny_logging: false,
            full_identification: false,
            zones: vec![ZoneId(0), ZoneId(1)],
        }
    }

    /// In the order in which the configuration has them.
    fn ranges(&self, items: &[Item]) -> Vec<AddressRange> {
        let mut ranges = Vec::new();
        for item in items {
            match *item {
                Item::Range(range) => ranges.push(range),
                Item::Object(object) => ranges.extend_from_slice(&self.objects[object]),
            }
        }
        ranges.sort_unstable_by_key(|range| (range.first, range.last));
        ranges.dedup();
        ranges
    }
}

/// First packets for rules: three in four are one that some rule is about, others are of the open Internet.
pub fn queries(rules: &[RuleSource], seed: u64, count: usize) -> Vec<Query> {
    let mut maker = Maker::new(seed, 1);
    (0..count).map(|_| maker.query(rules)).collect()
}

impl Rule {
    const fn any(action: Action) -> Self {
        Self {
            from: Vec::new(),
            to: Vec::new(),
            source: Vec::new(),
            destination: Vec::new(),
            service: Vec::new(),
            action,
            session_logging: false,
        }
    }
}

/// Well-known ports of TCP, often used ones more often.
const TCP_PORTS: [u16; 16] = [443, 443, 443, 80, 80, 22, 25, 53, 110, 143, 389, 993, 1433, 3306, 3389, 8080];
const UDP_PORTS: [u16; 8] = [53, 53, 123, 161, 443, 500, 514, 4500];

struct Maker {
    dice: Dice,
    /// Networks that rules are about, (value, prefix length): sites inside, others outside.
    inside: Vec<(u128, u32)>,
    outside: Vec<(u128, u32)>,
    objects: usize,
}

impl Maker {
    fn new(seed: u64, count: usize) -> Self {
        let mut maker =
            Self { dice: Dice::named(seed, "rules"), inside: Vec::new(), outside: Vec::new(), objects: count / 50 + 1 };
        for _ in 0..count / 40 + 4 {
            let (inside, outside) = (maker.network(true), maker.network(false));
            maker.inside.push(inside);
            maker.outside.push(outside);
        }
        maker
    }

    fn one_in(&mut self, of: u32) -> bool {
        self.dice.between(0, of) == 0
    }

    /// Low numbers more often than high ones: a few networks are what most rules are about.
    fn skewed(&mut self, length: usize) -> usize {
        let one = self.dice.between(0, length as u32);
        self.dice.between(0, one + 1) as usize
    }

    /// A site's network.
    fn network(&mut self, inside: bool) -> (u128, u32) {
        let bits = u128::from(self.dice.word());
        if self.one_in(4) {
            let first = if inside { 0x2001_0db8 << 96 } else { 0x2600 << 112 };
            return (first | (bits & 0xffff) << 80, 48);
        }
        let length = [16, 20, 22, 24][self.dice.between(0, 4) as usize];
        let v4 = if inside { 10 << 24 | bits as u32 & 0x00ff_ffff } else { (bits as u32 % 0xdf00_0000) | 1 << 24 };
        (MAPPED | u128::from(v4) & prefix(32, length), 96 + length)
    }

    /// An address of a site, its prefix some bits longer: a subnet, or a host.
    fn range(&mut self, inside: bool) -> AddressRange {
        let sites = if inside { self.inside.len() } else { self.outside.len() };
        let at = self.skewed(sites);
        let (network, length) = if inside { self.inside[at] } else { self.outside[at] };
        let free = 128 - length;
        let host = u128::from(self.dice.word()) << 64 | u128::from(self.dice.word());
        let host = network | host & !prefix(128, length);
        match self.dice.between(0, 20) {
            0..2 => range(network, network | !prefix(128, length)),
            2..7 => {
                let longer = length + self.dice.between(0, free.min(64) + 1);
                range(host & prefix(128, longer), host | !prefix(128, longer))
            }
            7 => range(host, (host + u128::from(self.dice.between(1, 60))).min(network | !prefix(128, length))),
            _ => range(host, host),
        }
    }

    fn object(&mut self) -> Vec<AddressRange> {
        let inside = self.one_in(2);
        (0..self.dice.between(2, 12)).map(|_| self.range(inside)).collect()
    }

    fn side(&mut self, inside: bool, open: u32) -> Vec<Item> {
        if self.one_in(open) {
            return Vec::new();
        }
        if self.one_in(10) {
            return vec![Item::Object(self.skewed(self.objects))];
        }
        let mut items = vec![Item::Range(self.range(inside))];
        let v4 = matches!(items[0], Item::Range(range) if range.first.is_v4());
        if self.one_in(8) {
            let more = (0..4).map(|_| self.range(inside)).filter(|range| range.first.is_v4() == v4).map(Item::Range);
            items.extend(more.collect::<Vec<_>>());
        }
        items
    }

    fn rule(&mut self) -> Rule {
        let outbound = !self.one_in(3);
        let zones = if outbound { [0, 1] } else { [1, 0] };
        let [from, to] = if self.one_in(10) { [vec![], vec![]] } else { zones.map(|zone| vec![ZoneId(zone)]) };
        // Out: few name where to; in: nearly all name the server, few name who asks.
        let (source, destination) = if outbound {
            (self.side(true, 5), self.side(false, 4))
        } else {
            (self.side(false, 2), self.side(true, 50))
        };
        // Nothing at all named would hide what follows.
        let open = source.is_empty() && destination.is_empty();
        let destination = if open { vec![Item::Range(self.range(!outbound))] } else { destination };
        let services = if self.one_in(9) { 0 } else { self.dice.between(1, 4).min(self.dice.between(1, 4)) };
        let action = [Action::Permit, Action::Permit, Action::Permit, Action::Deny, Action::Reset];
        Rule {
            from,
            to,
            source,
            destination,
            service: (0..services).map(|_| self.service()).collect(),
            action: action[self.dice.between(0, 5) as usize],
            session_logging: self.one_in(2),
        }
    }

    fn service(&mut self) -> ServiceMatch {
        let (protocol, known): (u8, &[u16]) = if self.one_in(4) { (17, &UDP_PORTS) } else { (6, &TCP_PORTS) };
        let port = known[self.dice.between(0, known.len() as u32) as usize];
        let other = self.dice.between(1024, 60_000) as u16;
        let destination = match self.dice.between(0, 20) {
            0..11 => PortRange { first: port, last: port },
            11..15 => PortRange { first: other, last: other },
            15..18 => PortRange { first: other, last: other + self.dice.between(1, 2000) as u16 },
            18 => PortRange { first: 1024, last: u16::MAX },
            _ => PortRange::ANY,
        };
        ServiceMatch { protocol: Some(protocol), source: PortRange::ANY, destination }
    }

    fn query(&mut self, rules: &[RuleSource]) -> Query {
        let rule = rules.get(self.dice.between(0, rules.len().max(1) as u32) as usize);
        let about = if self.one_in(4) { None } else { rule };
        let zone = |zones: Option<&Vec<ZoneId>>, otherwise| {
            zones.and_then(|zones| zones.first().copied()).unwrap_or(ZoneId(otherwise))
        };
        let (from, to) = (zone(about.map(|rule| &rule.from), 0), zone(about.map(|rule| &rule.to), 1));
        let source = self.within(about.map_or(&[], |rule| &rule.source));
        let destination = self.within(about.map_or(&[], |rule| &rule.destination));
        // Both ends are of one family; which, a rule says that names one of them.
        let family = source.or(destination).map_or_else(|| !self.one_in(4), Address::is_v4);
        let [source, destination] = [source, destination]
            .map(|end| end.filter(|end| end.is_v4() == family).unwrap_or_else(|| self.far(family)));
        let service = about.and_then(|rule| rule.service.first().copied());
        let service = service.unwrap_or_else(|| self.service());
        Query {
            from,
            to,
            source,
            destination,
            protocol: service.protocol.unwrap_or(6),
            source_port: self.dice.between(32_768, 61_000) as u16,
            destination_port: service.destination.first,
            application: Application::Undecided,
            labels: 0,
        }
    }

    fn within(&mut self, ranges: &[AddressRange]) -> Option<Address> {
        let range = ranges.get(self.dice.between(0, ranges.len().max(1) as u32) as usize)?;
        let (first, last) = (u128::from_be_bytes(range.first.0), u128::from_be_bytes(range.last.0));
        let span = (last - first).saturating_add(1);
        Some(address(first + u128::from(self.dice.word()) % span))
    }

    fn far(&mut self, v4: bool) -> Address {
        let value = if v4 { MAPPED | u128::from(self.dice.half()) } else { u128::from(self.dice.word()) << 64 };
        address(value)
    }
}

/// The block of RFC 4291, 2.5.5.2 that holds IPv4.
const MAPPED: u128 = 0xffff_0000_0000;

/// The upper `length` bits of the last `bits`, and all above those.
fn prefix(bits: u32, length: u32) -> u128 {
    if length == bits { u128::MAX } else { u128::MAX << (bits - length) }
}

fn range(first: u128, last: u128) -> AddressRange {
    AddressRange { first: address(first), last: address(last) }
}

fn address(value: u128) -> Address {
    Address(value.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_makes_one_policy() {
        let text = Rules::new(7, 200).text();
        assert_eq!(text, Rules::new(7, 200).text());
        assert_ne!(text, Rules::new(8, 200).text());
    }

    #[test]
    fn first_packets_meet_many_rules_and_many_fall_through_to_the_last() {
        let policy = Rules::new(7, 1000).policy();
        let mut rules: Vec<u16> =
            queries(&policy.source().rules, 1, 4000).iter().map(|query| policy.decide(query).rule.0).collect();
        let last = rules.iter().filter(|rule| **rule == 999).count();
        assert!((400..2400).contains(&last), "{last}");
        rules.sort_unstable();
        rules.dedup();
        assert!(rules.len() > 300, "{}", rules.len());
    }

    #[test]
    fn what_is_written_is_what_is_compiled() {
        let rules = Rules::new(7, 1000);
        let ports = "[[port]]\nname = \"a\"\ndevice = \"net_null0\"\nzone = \"trust\"\n\
            [[port]]\nname = \"b\"\ndevice = \"net_null1\"\nzone = \"untrust\"\n[[wire]]\nports = [\"a\", \"b\"]\n";
        let file = std::env::temp_dir().join(format!("ostiary-rules-{}.toml", std::process::id()));
        std::fs::write(&file, format!("{ports}{}", rules.text())).unwrap();
        let loaded = control::config::load(&file, control::config::Purpose::Replay);
        std::fs::remove_file(&file).unwrap();
        let read = loaded.unwrap().0.policy;
        let compiled = rules.policy();
        assert_eq!(read.source().zones, compiled.source().zones);
        let lines = |policy: &Policy| policy.source().rules.iter().map(line).collect::<Vec<_>>();
        assert_eq!(lines(&read), lines(&compiled));
        for query in queries(&compiled.source().rules, 2, 4000) {
            assert_eq!(read.decide(&query), compiled.decide(&query), "{query:?}");
        }
    }

    /// A rule, its services in order.
    fn line(rule: &RuleSource) -> String {
        let mut rule = rule.clone();
        rule.service.sort_by_key(|one| (one.protocol, one.destination.first, one.destination.last));
        rule.service.dedup();
        format!("{rule:?}")
    }
}
