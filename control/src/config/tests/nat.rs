//! `[nat.NAME]` and what rules make of it.

use std::time::Duration;

use ::dataplane::endpoint::Address;
use ::dataplane::nat::PoolId;
use ::dataplane::policy::PortRange;

use super::{compiled, refused, warned};

const RULE: &str = "[[rule]]\nname = \"out\"\naction = \"permit\"\nsource-nat = \"outside\"\n";

#[test]
fn a_pool_has_its_addresses_and_every_default() {
    let addition = format!("[nat.outside]\npool = [\"198.51.100.10-198.51.100.20\", \"203.0.113.0/30\"]\n{RULE}");
    let compiled = compiled(&addition);
    let [pool] = &compiled.dataplane.nat[..] else { panic!("one pool") };
    assert_eq!((pool.size(), pool.ports), (15, PortRange { first: 1024, last: 65_535 }));
    assert_eq!(pool.addresses[0].first, Address::v4([198, 51, 100, 10]));
    assert_eq!((pool.ports_per_host, pool.hold), (None, Duration::from_secs(120)));
    assert_eq!(compiled.policy.source().rules[0].source_nat, Some(PoolId(0)));
    assert_eq!(&**compiled.names.pool(PoolId(0)), "outside");
}

#[test]
fn a_pool_has_what_is_written() {
    let keys = "ports = \"5000-5999\"\nports-per-host = 100\nport-hold = \"30 s\"\n";
    let compiled = compiled(&format!("[nat.outside]\npool = [\"198.51.100.10\"]\n{keys}{RULE}"));
    let pool = &compiled.dataplane.nat[0];
    assert_eq!(pool.ports, PortRange { first: 5000, last: 5999 });
    assert_eq!((pool.ports_per_host.unwrap().get(), pool.hold), (100, Duration::from_secs(30)));
}

#[test]
fn pools_are_checked() {
    let pool = "[nat.outside]\npool = [\"198.51.100.10\"]\n";
    refused(&format!("[nat.outside]\n{RULE}"), 1, "nat.outside.pool", "the pool's addresses", "");
    refused(&format!("[nat.outside]\npool = [\"2001:db8::1\"]\n{RULE}"), 1, "nat.outside", "IPv4", "remove");
    refused(&format!("[nat.outside]\npool = [\"10.0.0.0/8\"]\n{RULE}"), 1, "nat.outside", "at most 32768", "smaller");
    refused(&format!("[nat.outside]\npool = [\"spare\"]\n{RULE}"), 2, "nat.outside.pool", "no objects", "themselves");
    for nobodys in ["224.0.0.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "126.255.255.255-127.0.0.0"] {
        let pool = format!("[nat.outside]\npool = [\"{nobodys}\"]\n{RULE}");
        refused(&pool, 1, "nat.outside", "addresses that a host can have", "remove");
    }
    let twice = "[nat.outside]\npool = [\"198.51.100.0/28\", \"198.51.100.10\"]\n";
    refused(&format!("{twice}{RULE}"), 1, "nat.outside", "each address once", "nat.outside");
    for ports in ["\"0-65535\"", "\"80\"", "\"1-70000\"", "80"] {
        refused(&format!("{pool}ports = {ports}\n{RULE}"), 3, "nat.outside.ports", "", "");
    }
    refused(&format!("{pool}ports = \"90-80\"\n{RULE}"), 3, "nat.outside.ports", "lowest", "80-90");
    refused(&format!("{pool}port-hold = \"2 d\"\n{RULE}"), 3, "nat.outside.port-hold", "duration", "");
    refused(&format!("{pool}hairpin = true\n{RULE}"), 3, "nat.outside.hairpin", "known keys", "");
    refused(&format!("{pool}{RULE}[dataplane]\nworkers = [0, 1]\n"), 1, "nat.outside", "one worker", "one core");
}

#[test]
fn a_rule_names_a_pool_and_permits() {
    let pool = "[nat.outside]\npool = [\"198.51.100.10\"]\n";
    let rule = |action: &str, name: &str| {
        format!("{pool}{RULE}[[rule]]\nname = \"b\"\naction = \"{action}\"\nsource-nat = \"{name}\"\n")
    };
    refused(&rule("permit", "outsid"), 10, "rule[b].source-nat", "the name of a pool", "outside");
    refused(&rule("deny", "outside"), 10, "rule[b].source-nat", "permit", "remove");
    warned(pool, 1, "nat.outside", "no rule uses this pool");
}
