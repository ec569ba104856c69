//! Finds the first rule that matches among thousands without looking at each: for every field of a query there is the set
//! of rules that agree with it, as bits, and the first bit common to all sets is the answer.
//!
//! A lookup costs one search per field and one pass over the sets' words, 64 rules a word, up to the first match.

use hashbrown::HashMap;

use super::{AddressRange, Application, PortRange, Query, RuleSource, ServiceMatch, ZoneId};
use crate::endpoint::Address;

/// The sets of a policy.
#[derive(Debug)]
pub(super) struct Classifier {
    /// Words of a set.
    words: usize,
    /// All distinct sets, `words` each.
    sets: Box<[u64]>,
    /// Set number for each zone.
    from: Box<[u32]>,
    to: Box<[u32]>,
    source: Intervals<u128>,
    destination: Intervals<u128>,
    /// Which of `services` a protocol uses.
    protocols: Box<[u8]>,
    /// By server port, whatever the client's port: the few rules that name that are looked at in full.
    services: Vec<Intervals<u16>>,
}

/// A field's values cut into intervals, each with its set number.
#[derive(Debug)]
struct Intervals<T> {
    /// First value of each interval but the first, which begins at 0.
    bounds: Box<[T]>,
    /// One more than bounds.
    sets: Box<[u32]>,
}

impl<T: Ord + Copy> Intervals<T> {
    fn set(&self, value: T) -> u32 {
        self.sets[self.bounds.partition_point(|bound| *bound <= value)]
    }
}

impl Classifier {
    pub(super) fn compile(rules: &[RuleSource]) -> Self {
        let mut pool = Pool::new(rules.len());
        let from = zones(&mut pool, rules, |rule| &rule.from);
        let to = zones(&mut pool, rules, |rule| &rule.to);
        let source = addresses(&mut pool, rules, |rule| &rule.source);
        let destination = addresses(&mut pool, rules, |rule| &rule.destination);
        let (protocols, services) = services(&mut pool, rules);
        Self { words: pool.words, sets: pool.sets.into(), from, to, source, destination, protocols, services }
    }

    /// The first rule that matches, an undecided application fitting any.
    pub(super) fn first(&self, rules: &[RuleSource], query: &Query) -> Option<usize> {
        let services = &self.services[usize::from(self.protocols[usize::from(query.protocol)])];
        let fields = [
            self.set(services.set(query.destination_port)),
            self.set(self.source.set(u128::from_be_bytes(query.source.0))),
            self.set(self.destination.set(u128::from_be_bytes(query.destination.0))),
            self.set(self.from[usize::from(query.from.0)]),
            self.set(self.to[usize::from(query.to.0)]),
        ];
        let [a, b, c, d, e] = fields;
        for (word, ((((a, b), c), d), e)) in a.iter().zip(b).zip(c).zip(d).zip(e).enumerate() {
            let mut common = a & b & c & d & e;
            while common != 0 {
                let index = word * 64 + common.trailing_zeros() as usize;
                if rules.get(index).is_some_and(|rule| rest_matches(rule, query)) {
                    return Some(index);
                }
                common &= common - 1;
            }
        }
        None
    }

    fn set(&self, number: u32) -> &[u64] {
        let start = number as usize * self.words;
        &self.sets[start..start + self.words]
    }
}

/// What the sets do not say of a rule: the client's port together with the protocol, and the application.
fn rest_matches(rule: &RuleSource, query: &Query) -> bool {
    let service = rule.service.is_empty()
        || rule.service.iter().any(|service| {
            service.protocol.is_none_or(|protocol| protocol == query.protocol)
                && service.source.holds(query.source_port)
                && service.destination.holds(query.destination_port)
        });
    service
        && match query.application {
            _ if rule.application.is_empty() => true,
            Application::Undecided => true,
            Application::Unknown => false,
            Application::Named(application) => rule.application.contains(&application),
        }
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

/// Collects sets, each distinct one once: most intervals of most fields agree.
struct Pool {
    rules: usize,
    words: usize,
    sets: Vec<u64>,
    numbers: HashMap<Box<[u64]>, u32>,
}

impl Pool {
    fn new(rules: usize) -> Self {
        Self { rules, words: rules.div_ceil(64), sets: Vec::new(), numbers: HashMap::new() }
    }

    fn empty(&self) -> Vec<u64> {
        vec![0; self.words]
    }

    fn number(&mut self, set: &[u64]) -> u32 {
        if let Some(&number) = self.numbers.get(set) {
            return number;
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(set.into(), number);
        self.sets.extend_from_slice(set);
        number
    }

    /// Cuts a field's values where a rule begins or ends to match. `ranges` are (first, one past last, rule).
    fn intervals<T: Ord + Copy + Default>(&mut self, ranges: &[(T, Option<T>, usize)]) -> Intervals<T> {
        // A rule may have overlapping ranges, so they are counted rather than set and cleared.
        let mut changes: Vec<(T, usize, i32)> = Vec::with_capacity(ranges.len() * 2);
        for &(first, past, rule) in ranges {
            changes.push((first, rule, 1));
            changes.extend(past.map(|past| (past, rule, -1)));
        }
        changes.sort_unstable();
        let mut depth = vec![0; self.rules];
        let mut set = self.empty();
        let mut bounds = Vec::new();
        let mut sets = Vec::new();
        let mut rest = changes.as_slice();
        let mut value = T::default();
        loop {
            let here = rest.partition_point(|change| change.0 <= value);
            for &(_, rule, change) in &rest[..here] {
                depth[rule] += change;
                let (word, bit) = (rule / 64, 1 << (rule % 64));
                if depth[rule] > 0 { set[word] |= bit } else { set[word] &= !bit }
            }
            rest = &rest[here..];
            let number = self.number(&set);
            match sets.last() {
                None => sets.push(number),
                Some(&last) if last != number => {
                    bounds.push(value);
                    sets.push(number);
                }
                Some(_) => {}
            }
            match rest.first() {
                Some(next) => value = next.0,
                None => break,
            }
        }
        Intervals { bounds: bounds.into(), sets: sets.into() }
    }
}

fn zones(pool: &mut Pool, rules: &[RuleSource], field: impl Fn(&RuleSource) -> &Vec<ZoneId>) -> Box<[u32]> {
    let mut any = pool.empty();
    let mut named: HashMap<u8, Vec<usize>> = HashMap::new();
    for (index, rule) in rules.iter().enumerate() {
        if field(rule).is_empty() {
            any[index / 64] |= 1 << (index % 64);
        }
        for zone in field(rule) {
            named.entry(zone.0).or_default().push(index);
        }
    }
    (0..=u8::MAX)
        .map(|zone| {
            let mut set = any.clone();
            for index in named.get(&zone).into_iter().flatten() {
                set[index / 64] |= 1 << (index % 64);
            }
            pool.number(&set)
        })
        .collect()
}

fn addresses(
    pool: &mut Pool,
    rules: &[RuleSource],
    field: impl Fn(&RuleSource) -> &Vec<AddressRange>,
) -> Intervals<u128> {
    let mut ranges = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        if field(rule).is_empty() {
            ranges.push((0, None, index));
        }
        for range in field(rule).iter().filter(|range| range.first <= range.last) {
            let first = u128::from_be_bytes(range.first.0);
            ranges.push((first, u128::from_be_bytes(range.last.0).checked_add(1), index));
        }
    }
    pool.intervals(&ranges)
}

/// One table for each protocol that some service names, and one for all others.
fn services(pool: &mut Pool, rules: &[RuleSource]) -> (Box<[u8]>, Vec<Intervals<u16>>) {
    let mut named: Vec<u8> =
        rules.iter().flat_map(|rule| &rule.service).filter_map(|service| service.protocol).collect();
    named.sort_unstable();
    named.dedup();
    // All 256 named leave none for the others.
    let mut protocols = vec![0; 256].into_boxed_slice();
    let mut tables = Vec::new();
    if named.len() < 256 {
        tables.push(ports(pool, rules, |service| service.protocol.is_none()));
    }
    for protocol in named {
        protocols[usize::from(protocol)] = tables.len() as u8;
        tables.push(ports(pool, rules, |service| service.protocol.is_none_or(|number| number == protocol)));
    }
    (protocols, tables)
}

fn ports(pool: &mut Pool, rules: &[RuleSource], counts: impl Fn(&ServiceMatch) -> bool) -> Intervals<u16> {
    let mut ranges = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        if rule.service.is_empty() {
            ranges.push((0, None, index));
        }
        for service in rule.service.iter().filter(|service| counts(service)) {
            let PortRange { first, last } = service.destination;
            if first <= last {
                ranges.push((first, last.checked_add(1), index));
            }
        }
    }
    pool.intervals(&ranges)
}
