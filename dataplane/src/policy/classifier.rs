//! Finds the first rule that matches among thousands without looking at each: every field of a query names the set of rules
//! that agree with it, and the first rule common to all sets is the answer.
//!
//! A lookup costs one search per field, of a depth that grows with the logarithm of the rules, and a look at the words that
//! the sets' summaries have in common: few, however many rules there are, because rules that match alike are numbered next
//! to each other.

use hashbrown::HashMap;

use super::order::Order;
use super::sets::{Draft, Gathering, SetNumber, Sets};
use super::tree::{Tree, WideTree};
use super::{AddressRange, Application, PortRange, Query, RuleSource, ServiceMatch, TooLarge, ZoneId};
use crate::endpoint::Address;

/// The sets of a policy.
#[derive(Debug)]
pub(super) struct Classifier {
    sets: Sets,
    zones: Zones,
    source: Addresses,
    destination: Addresses,
    services: Services,
    /// Where some rule names applications, a client's port or users.
    further: Option<Further>,
}

/// The fields that few policies use.
#[derive(Debug)]
struct Further {
    client_ports: Ports,
    /// Every rule.
    undecided: SetNumber,
    /// Rules that name no application.
    unknown: SetNumber,
    /// By application, up to the last that is named.
    named: Box<[SetNumber]>,
    /// By place, rules one of whose services names both ports: that these go together is not in the sets.
    correlated: Box<[u64]>,
    /// By place, users and groups that the rule names; empty where no rule does.
    users: Box<[u64]>,
}

impl Classifier {
    /// Compiles rules; what it takes stays within `limit` octets.
    pub(super) fn compile(rules: &[RuleSource], limit: usize) -> Result<Self, TooLarge> {
        let order = Order::of(rules);
        let rules: &[&RuleSource] = &order.sorted(rules);
        let mut sets = Gathering::new(rules.len(), limit);
        let zones = Zones::compile(&mut sets, rules)?;
        let source = Addresses::compile(&mut sets, rules, |rule| &rule.source)?;
        let destination = Addresses::compile(&mut sets, rules, |rule| &rule.destination)?;
        let services = Services::compile(&mut sets, rules)?;
        let further = Further::compile(&mut sets, rules, &order)?;
        let classifier = Self { sets: sets.finish(order), zones, source, destination, services, further };
        if classifier.memory() > limit {
            return Err(TooLarge::Memory { limit });
        }
        Ok(classifier)
    }

    /// The first rule that matches, an undecided application fitting any.
    #[inline]
    pub(super) fn first(&self, rules: &[RuleSource], query: &Query) -> Option<usize> {
        let sets = [
            self.source.set(query.source),
            self.destination.set(query.destination),
            self.services.set(query.protocol, query.destination_port),
            self.zones.set(query.from, query.to),
        ];
        let Some(further) = &self.further else { return self.sets.first(sets, |_| true) };
        let [source, destination, service, zones] = sets;
        let client_port = further.client_ports.set(query.source_port);
        let sets = [source, destination, service, zones, client_port, further.applications(query.application)];
        self.sets.first(sets, |place| {
            let users = further.users.get(place).copied().unwrap_or(0);
            if users != 0 && users & query.labels == 0 {
                return false;
            }
            let correlated = further.correlated.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1);
            !correlated || rules.get(place).is_some_and(|rule| serves(rule, query))
        })
    }

    /// Octets that it takes.
    pub(super) fn memory(&self) -> usize {
        let further = self.further.as_ref().map_or(0, |further| {
            let words = size_of_val(&*further.named) + size_of_val(&*further.correlated) + size_of_val(&*further.users);
            words + further.client_ports.memory()
        });
        let fields = self.zones.memory() + self.source.memory() + self.destination.memory() + self.services.memory();
        self.sets.memory() + fields + further
    }
}

/// Whether one of the rule's services matches in everything at once.
fn serves(rule: &RuleSource, query: &Query) -> bool {
    rule.service.iter().any(|service| {
        service.protocol.is_none_or(|protocol| protocol == query.protocol)
            && service.source.holds(query.source_port)
            && service.destination.holds(query.destination_port)
    })
}

impl PortRange {
    /// Whether a port lies within.
    pub const fn holds(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl AddressRange {
    /// Whether an address lies within. IPv4 and IPv6 do not meet: IPv4 is in its mapped form.
    pub fn holds(&self, address: Address) -> bool {
        self.first <= address && address <= self.last
    }
}

/// Pairs of zones. Zones that the same rules name are one.
#[derive(Debug)]
struct Zones {
    /// By zone.
    from: Box<[u16]>,
    to: Box<[u16]>,
    width: usize,
    pairs: Box<[SetNumber]>,
}

impl Zones {
    fn compile(sets: &mut Gathering, rules: &[&RuleSource]) -> Result<Self, TooLarge> {
        let (from, froms) = zones(sets, rules, |rule| &rule.from)?;
        let (to, tos) = zones(sets, rules, |rule| &rule.to)?;
        let mut pairs = Vec::with_capacity(froms.len() * tos.len());
        for from in &froms {
            for to in &tos {
                pairs.push(sets.number(&mut from.common(to))?);
            }
        }
        Ok(Self { from, to, width: tos.len(), pairs: pairs.into() })
    }

    #[inline]
    fn set(&self, from: ZoneId, to: ZoneId) -> SetNumber {
        let (from, to) = (self.from[usize::from(from.0)], self.to[usize::from(to.0)]);
        self.pairs[usize::from(from) * self.width + usize::from(to)]
    }

    fn memory(&self) -> usize {
        size_of_val(&*self.from) + size_of_val(&*self.to) + size_of_val(&*self.pairs)
    }
}

/// The kind of each zone, and the rules of each kind.
fn zones(
    sets: &mut Gathering,
    rules: &[&RuleSource],
    field: impl Fn(&RuleSource) -> &Vec<ZoneId>,
) -> Result<(Box<[u16]>, Vec<Draft>), TooLarge> {
    let mut any = sets.empty();
    let mut named: HashMap<u8, Vec<usize>> = HashMap::new();
    for (index, rule) in rules.iter().enumerate() {
        if field(rule).is_empty() {
            any.insert(index);
        }
        for zone in field(rule) {
            named.entry(zone.0).or_default().push(index);
        }
    }
    let mut kinds: HashMap<SetNumber, u16> = HashMap::new();
    let mut drafts = Vec::new();
    let mut by_zone = Vec::new();
    for zone in 0..=u8::MAX {
        let mut draft = any.clone();
        for index in named.get(&zone).into_iter().flatten() {
            draft.insert(*index);
        }
        let number = sets.number(&mut draft)?;
        let kind = *kinds.entry(number).or_insert(drafts.len() as u16);
        if usize::from(kind) == drafts.len() {
            drafts.push(draft);
        }
        by_zone.push(kind);
    }
    Ok((by_zone.into(), drafts))
}

/// Addresses, cut where a rule begins or ends to match.
#[derive(Debug)]
struct Addresses {
    v4: Tree<u32, 16>,
    v4_sets: Box<[SetNumber]>,
    v6: WideTree,
    v6_sets: Box<[SetNumber]>,
}

/// The block of RFC 4291, 2.5.5.2 that holds IPv4.
const MAPPED: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

impl Addresses {
    fn compile(
        sets: &mut Gathering,
        rules: &[&RuleSource],
        field: impl Fn(&RuleSource) -> &Vec<AddressRange>,
    ) -> Result<Self, TooLarge> {
        let mut any = sets.empty();
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (index, rule) in rules.iter().enumerate() {
            if field(rule).is_empty() {
                any.insert(index);
            }
            for range in field(rule).iter().filter(|range| range.first <= range.last) {
                let (first, last) = (u128::from_be_bytes(range.first.0), u128::from_be_bytes(range.last.0));
                // A range may reach over all of IPv4, or begin or end within it.
                if first <= MAPPED.1 && MAPPED.0 <= last {
                    v4.push((first.max(MAPPED.0) - MAPPED.0, last.min(MAPPED.1) - MAPPED.0, index as u32));
                }
                if first < MAPPED.0 {
                    v6.push((first, last.min(MAPPED.0 - 1), index as u32));
                }
                if last > MAPPED.1 {
                    v6.push((first.max(MAPPED.1 + 1), last, index as u32));
                }
            }
        }
        let (lasts, v4_sets) = intervals(sets, any.clone(), &v4, u128::from(u32::MAX))?;
        let lasts: Vec<u32> = lasts.into_iter().map(|last| last as u32).collect();
        let v4 = Tree::new(&lasts);
        let (lasts, v6_sets) = intervals(sets, any, &v6, u128::MAX)?;
        Ok(Self { v4, v4_sets, v6: WideTree::new(&lasts), v6_sets })
    }

    #[inline]
    fn set(&self, address: Address) -> SetNumber {
        let value = u128::from_be_bytes(address.0);
        if value >> 32 == MAPPED.0 >> 32 {
            self.v4_sets[self.v4.interval(value as u32)]
        } else {
            self.v6_sets[self.v6.interval(value)]
        }
    }

    fn memory(&self) -> usize {
        let sets = size_of_val(&*self.v4_sets) + size_of_val(&*self.v6_sets);
        self.v4.memory() + self.v6.memory() + sets
    }
}

/// A protocol with its server's ports, whatever the client's.
#[derive(Debug)]
struct Services {
    /// Which of `ports` a protocol uses.
    protocols: Box<[u8]>,
    ports: Vec<Ports>,
}

impl Services {
    /// One table for each protocol that some service names, and one for all others.
    fn compile(sets: &mut Gathering, rules: &[&RuleSource]) -> Result<Self, TooLarge> {
        let services = rules.iter().flat_map(|rule| &rule.service);
        let mut named: Vec<u8> = services.filter_map(|service| service.protocol).collect();
        named.sort_unstable();
        named.dedup();
        // All 256 named leave none for the others.
        let mut protocols = vec![0; 256].into_boxed_slice();
        let mut ports = Vec::new();
        if named.len() < 256 {
            ports.push(Ports::compile(
                sets,
                rules,
                |service| service.protocol.is_none(),
                |service| service.destination,
            )?);
        }
        for protocol in named {
            protocols[usize::from(protocol)] = ports.len() as u8;
            let counts = |service: &ServiceMatch| service.protocol.is_none_or(|number| number == protocol);
            ports.push(Ports::compile(sets, rules, counts, |service| service.destination)?);
        }
        Ok(Self { protocols, ports })
    }

    #[inline]
    fn set(&self, protocol: u8, port: u16) -> SetNumber {
        self.ports[usize::from(self.protocols[usize::from(protocol)])].set(port)
    }

    fn memory(&self) -> usize {
        self.protocols.len() + self.ports.iter().map(Ports::memory).sum::<usize>()
    }
}

/// Ports, cut where a rule begins or ends to match.
#[derive(Debug)]
struct Ports {
    tree: Tree<u16, 32>,
    sets: Box<[SetNumber]>,
}

impl Ports {
    /// Of the services that count; a rule without services matches every port.
    fn compile(
        sets: &mut Gathering,
        rules: &[&RuleSource],
        counts: impl Fn(&ServiceMatch) -> bool,
        field: impl Fn(&ServiceMatch) -> PortRange,
    ) -> Result<Self, TooLarge> {
        let mut any = sets.empty();
        let mut ranges = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            if rule.service.is_empty() {
                any.insert(index);
            }
            for PortRange { first, last } in rule.service.iter().filter(|service| counts(service)).map(&field) {
                if first <= last {
                    ranges.push((u128::from(first), u128::from(last), index as u32));
                }
            }
        }
        let (lasts, sets) = intervals(sets, any, &ranges, u128::from(u16::MAX))?;
        let lasts: Vec<u16> = lasts.into_iter().map(|last| last as u16).collect();
        Ok(Self { tree: Tree::new(&lasts), sets })
    }

    #[inline]
    fn set(&self, port: u16) -> SetNumber {
        self.sets[self.tree.interval(port)]
    }

    fn memory(&self) -> usize {
        self.tree.memory() + size_of_val(&*self.sets)
    }
}

impl Further {
    fn compile(sets: &mut Gathering, rules: &[&RuleSource], order: &Order) -> Result<Option<Self>, TooLarge> {
        let names_client = |service: &ServiceMatch| service.source != PortRange::ANY;
        let wanted = |rule: &&RuleSource| {
            !rule.application.is_empty() || rule.users != 0 || rule.service.iter().any(names_client)
        };
        if !rules.iter().any(wanted) {
            return Ok(None);
        }
        let (mut undecided, mut unknown) = (sets.empty(), sets.empty());
        let mut correlated = vec![0; rules.len().div_ceil(64)];
        let names_users = rules.iter().any(|rule| rule.users != 0);
        let mut users = vec![0; if names_users { rules.len() } else { 0 }];
        let mut named: HashMap<u16, Vec<usize>> = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            undecided.insert(index);
            if rule.application.is_empty() {
                unknown.insert(index);
            }
            for application in &rule.application {
                named.entry(application.0).or_default().push(index);
            }
            let place = usize::from(order.place(index));
            if names_users {
                users[place] = rule.users;
            }
            if rule.service.iter().any(names_client) {
                correlated[place / 64] |= 1 << (place % 64);
            }
        }
        let without = sets.number(&mut unknown)?;
        let mut by_application = vec![without; named.keys().max().map_or(0, |last| usize::from(*last) + 1)];
        for (application, rules) in named {
            let mut draft = unknown.clone();
            rules.into_iter().for_each(|index| draft.insert(index));
            by_application[usize::from(application)] = sets.number(&mut draft)?;
        }
        Ok(Some(Self {
            client_ports: Ports::compile(sets, rules, |_| true, |service| service.source)?,
            undecided: sets.number(&mut undecided)?,
            unknown: without,
            named: by_application.into(),
            correlated: correlated.into(),
            users: users.into(),
        }))
    }

    #[inline]
    fn applications(&self, application: Application) -> SetNumber {
        match application {
            Application::Undecided => self.undecided,
            Application::Unknown => self.unknown,
            Application::Named(application) => *self.named.get(usize::from(application.0)).unwrap_or(&self.unknown),
        }
    }
}

/// Cuts a field's values, up to `most`, where a rule begins or ends to match: the last value of each interval but the last
/// one, and the set of each. `any` matches all values; `ranges` are (first, last, rule).
fn intervals(
    sets: &mut Gathering,
    any: Draft,
    ranges: &[(u128, u128, u32)],
    most: u128,
) -> Result<(Vec<u128>, Box<[SetNumber]>), TooLarge> {
    // A rule may have overlapping ranges, so they are counted rather than put in and taken out.
    let mut changes: Vec<(u128, u32, i32)> = Vec::with_capacity(ranges.len() * 2);
    for &(first, last, rule) in ranges {
        changes.push((first, rule, 1));
        if last < most {
            changes.push((last + 1, rule, -1));
        }
    }
    changes.sort_unstable();
    let mut depth = vec![0; sets.rules()];
    let mut draft = any;
    let mut lasts = Vec::new();
    let mut numbers = vec![sets.number(&mut draft)?];
    for here in changes.chunk_by(|one, next| one.0 == next.0) {
        for &(_, rule, change) in here {
            let rule = rule as usize;
            depth[rule] += change;
            if depth[rule] > 0 {
                draft.insert(rule);
            } else {
                draft.remove(rule);
            }
        }
        let (number, before) = (sets.number(&mut draft)?, numbers.len() - 1);
        if numbers[before] == number {
            continue;
        }
        match here[0].0.checked_sub(1) {
            Some(last) => {
                lasts.push(last);
                numbers.push(number);
            }
            // Nothing is before the lowest value.
            None => numbers[before] = number,
        }
    }
    Ok((lasts, numbers.into()))
}
