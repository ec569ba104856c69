//! The pools of source NAT, and the rules that use them.

use dataplane::endpoint::Address;
use dataplane::nat::{PoolId, PoolSource};
use dataplane::policy::{Action, AddressRange};

use super::document::Notes;
use super::group::{Groups, quoted};
use super::near;
use super::schema::Source;
use super::schema::nat::NatPool;
use super::schema::rules::Rule;

/// Pools at most.
const POOLS: usize = 255;

/// Resolves all pools. What cannot be is noted: addresses that are not IPv4's or in two pools, several workers.
pub(super) fn pools(source: &Source, addresses: &Groups<AddressRange>, notes: &mut Notes) -> Vec<PoolSource> {
    let pools: Vec<PoolSource> = source.nat.iter().map(|pool| resolve(pool, addresses, notes)).collect();
    let Some(first) = source.nat.first() else { return pools };
    if let Some(pool) = source.nat.get(POOLS) {
        let found = Some(format!("{} pools", pools.len()));
        notes.fault(&pool.name.place, found, format!("at most {POOLS} pools"), "join some of them");
    }
    let size: u64 = pools.iter().map(PoolSource::size).sum();
    if size > PoolSource::ADDRESSES as u64 {
        let expected = format!("at most {} addresses in all pools", PoolSource::ADDRESSES);
        notes.fault(&first.name.place, Some(format!("{size} addresses")), expected, "make the pools smaller");
    }
    shared_addresses(source, &pools, notes);
    taken_addresses(source, &pools, notes);
    let workers = source.dataplane.worker_cores().len();
    if workers > 1 {
        let expected =
            "one worker where there is source NAT: the NIC would give answers to another worker than questions";
        let advice = "set [dataplane] workers to one core, or remove the pool";
        notes.fault(&first.name.place, Some(format!("{workers} workers")), expected, advice);
    }
    for pool in &source.nat {
        let is_used = |rule: &Rule| rule.source_nat.as_ref().is_some_and(|name| name.value == pool.name.value);
        if !source.rules.iter().any(is_used) {
            notes.warn(&pool.name.place, "no rule uses this pool", "name it in a rule's source-nat, or remove it");
        }
    }
    pools
}

/// The pool of a rule. That it does not exist, or that the rule permits nothing, is noted.
pub(super) fn pool_of(rule: &Rule, pools: &[NatPool], notes: &mut Notes) -> Option<PoolId> {
    let name = rule.source_nat.as_ref()?;
    if rule.action.as_ref().is_some_and(|action| action.value != Action::Permit) {
        let expected = "action = \"permit\" where sessions are to be translated";
        notes.fault(&name.place, Some(quoted(&name.value)), expected, "remove source-nat, or permit");
    }
    let Some(index) = pools.iter().position(|pool| pool.name.value == name.value) else {
        let known = pools.iter().map(|pool| pool.name.value.as_str());
        let advice = near::suggest(&name.value, known, "define it as [nat.NAME]");
        notes.fault(&name.place, Some(quoted(&name.value)), "the name of a pool", advice);
        return None;
    };
    u8::try_from(index).ok().map(PoolId)
}

fn resolve(pool: &NatPool, addresses: &Groups<AddressRange>, notes: &mut Notes) -> PoolSource {
    // Objects may change while running; a pool does not.
    let is_name = |text: &str| text.trim().starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains([':', '/']);
    let (names, literals): (Vec<_>, Vec<_>) = pool.pool.iter().cloned().partition(|item| is_name(&item.value));
    for item in names {
        let expected = "addresses, prefixes and ranges FIRST-LAST; no objects, which may change while running";
        notes.fault(&item.place, Some(quoted(&item.value)), expected, "write the addresses themselves");
    }
    let ranges = addresses.look_up(&literals, notes);
    if ranges.iter().any(|range| !range.first.is_v4()) {
        let expected = "IPv4 addresses: source NAT is for IPv4, IPv6 needs none";
        notes.fault(&pool.name.place, Some("IPv6 addresses".to_owned()), expected, "remove them from the pool");
    }
    if let Some(range) = ranges.iter().find(|range| range.first.is_v4() && has_reserved(range)) {
        let found = Some(format!("{}-{}", range.first.ip(), range.last.ip()));
        let expected = "addresses that a host can have: none of 0.0.0.0/8, 127.0.0.0/8 and 224.0.0.0/3";
        notes.fault(&pool.name.place, found, expected, "remove them from the pool");
    }
    PoolSource {
        addresses: ranges.into_iter().filter(|range| range.first.is_v4()).collect(),
        ports: pool.ports,
        ports_per_host: pool.ports_per_host,
        hold: pool.hold,
    }
}

/// The address of an interface is the firewall's own, that of a next hop its neighbour's.
fn taken_addresses(source: &Source, pools: &[PoolSource], notes: &mut Notes) {
    let own = source.interfaces.iter().flat_map(|interface| &interface.addresses);
    let own = own.map(|located| (located.value.0, "an interface", &located.place));
    let hops = source.routes.iter().filter_map(|route| route.via.as_ref());
    let hops = hops.map(|via| (via.value, "a next hop", &via.place));
    for (ip, whose, place) in own.chain(hops) {
        let address = Address::from(ip);
        let has = |pool: &PoolSource| pool.addresses.iter().any(|range| (range.first..=range.last).contains(&address));
        let Some(at) = pools.iter().position(has) else { continue };
        let found = Some(format!("{ip}, which is that of {whose} on line {}", place.line));
        let advice = "choose others: routed to the firewall, or free on a connected network";
        notes.fault(&source.nat[at].name.place, found, "addresses that nobody else has", advice);
    }
}

/// Whether an IPv4 range has addresses of this network, loopback, multicast or class E: nobody answers them.
fn has_reserved(range: &AddressRange) -> bool {
    let (first, last) = (range.first.0[12], range.last.0[12]);
    first == 0 || last >= 224 || (first <= 127 && last >= 127)
}

/// An address in two places could be given out twice.
fn shared_addresses(source: &Source, pools: &[PoolSource], notes: &mut Notes) {
    let mut ranges: Vec<(AddressRange, usize)> =
        pools.iter().enumerate().flat_map(|(at, pool)| pool.addresses.iter().map(move |range| (*range, at))).collect();
    ranges.sort_unstable_by_key(|(range, _)| range.first);
    for pair in ranges.windows(2) {
        let [(low, one), (high, other)] = pair else { continue };
        if low.last < high.first {
            continue;
        }
        let (one, other) = (&source.nat[*one].name, &source.nat[*other].name);
        let found = Some(format!("{} twice", high.first.ip()));
        let advice = format!("it is in [nat.{}] already: remove it from one", one.value);
        notes.fault(&other.place, found, "each address once", advice);
        return;
    }
}
