//! Where a packet goes: the forwarding table at 100 and 10,000 routes of each family, in cycles of the time-stamp counter for
//! one lookup. Three in four destinations have a route; bench/README.md says how to measure rte_fib beside it.

#[path = "common/cycles.rs"]
mod cycles;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cycles::Cycles;
use dataplane::endpoint::Address;
use dataplane::policy::PortId;
use dataplane::route::{Config, Fib, StaticRoute};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Destinations looked up in turn.
const DESTINATIONS: usize = 8192;

/// A global unicast address: 1.0.0.0 to 126.255.255.255, or of 2000::/3.
fn address(random: &mut SmallRng, is_v4: bool) -> Address {
    if is_v4 {
        return Address::v4(random.random_range(0x0100_0000..0x7f00_0000_u32).to_be_bytes());
    }
    let mut octets: [u8; 16] = random.random();
    octets[0] = 0x20 | octets[0] & 0x1f;
    Address(octets)
}

/// Routes as the Internet has them: most are a /24, or a /48 of IPv6.
fn route(random: &mut SmallRng, is_v4: bool) -> StaticRoute {
    let most = random.random_ratio(3, 5);
    let length = match (is_v4, most) {
        (true, true) => 24,
        (true, false) => random.random_range(12..24),
        (false, true) => 48,
        (false, false) => random.random_range(29..65),
    };
    let network = address(random, is_v4);
    StaticRoute { network, length, via: Some((PortId(0), address(random, is_v4))) }
}

fn lookup(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("fib");
    group.throughput(Throughput::Elements(DESTINATIONS as u64));
    for (family, is_v4) in [("ipv4", true), ("ipv6", false)] {
        for count in [100, 10_000] {
            let mut random = SmallRng::seed_from_u64(7);
            let routes: Vec<StaticRoute> = (0..count).map(|_| route(&mut random, is_v4)).collect();
            let within = |random: &mut SmallRng| match random.random_range(0..4) {
                0 => address(random, is_v4),
                // Random beyond the prefix too.
                _ => routes[random.random_range(0..routes.len())].network,
            };
            let destinations: Vec<Address> = (0..DESTINATIONS).map(|_| within(&mut random)).collect();
            let fib = Fib::new(&Config { routes: routes.clone(), ..Config::default() });
            group.bench_function(BenchmarkId::new(family, count), |bencher| {
                bencher.iter(|| {
                    for destination in &destinations {
                        black_box(fib.find(*destination));
                    }
                });
            });
        }
    }
}

criterion_group! { name = benches; config = Cycles::criterion(); targets = lookup }
criterion_main!(benches);
