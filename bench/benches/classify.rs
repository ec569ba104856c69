//! What the decision about a first packet costs, with policies of 10 to 10,000 made-up rules; and what a policy costs to
//! compile, from the text of its file on.

#[path = "common/cycles.rs"]
mod cycles;

use std::hint::black_box;

use bench::rules::{Rules, queries};
use control::config::{self, Purpose};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use cycles::Cycles;
use dataplane::policy::{Policy, Query};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Enough that no query is remembered by the branch predictor, few enough to stay in the second level cache.
const QUERIES: usize = 8192;
const SEED: u64 = 3;

fn decide(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("decide");
    for size in SIZES {
        let policy = Rules::new(SEED, size).policy();
        eprintln!("{size} rules: {} KiB", policy.memory() >> 10);
        let queries = queries(&policy.source().rules, SEED, QUERIES);
        let (v4, v6): (Vec<Query>, Vec<Query>) = queries.into_iter().partition(|query| query.source.is_v4());
        for (family, queries) in [("IPv4", v4), ("IPv6", v6)] {
            group.throughput(Throughput::Elements(queries.len() as u64));
            group.bench_function(format!("{family}, {size} rules"), |bencher| {
                bencher.iter(|| {
                    for query in &queries {
                        black_box(policy.decide(black_box(query)));
                    }
                });
            });
        }
    }
    group.finish();
}

fn compile(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for size in [1_000, 10_000] {
        let rules = Rules::new(SEED, size);
        let source = rules.source();
        group.bench_function(format!("tables, {size} rules"), |bencher| {
            bencher.iter_batched(|| source.clone(), Policy::build, BatchSize::PerIteration);
        });
        let folder = std::env::temp_dir().join(format!("ostiary-classify-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written to");
        let file = folder.join("policy.toml");
        std::fs::write(&file, format!("{PORTS}{}", rules.text())).expect("so can a file in it");
        group.bench_function(format!("file to tables, {size} rules"), |bencher| {
            bencher.iter(|| config::load(&file, Purpose::Replay).map(|(compiled, _)| compiled.policy.memory()));
        });
        // Left behind, it would only take room.
        let _ = std::fs::remove_dir_all(&folder);
    }
    group.finish();
}

const PORTS: &str = "
[[port]]
name = \"inside\"
device = \"net_null0\"
zone = \"trust\"

[[port]]
name = \"outside\"
device = \"net_null1\"
zone = \"untrust\"

[[wire]]
ports = [\"inside\", \"outside\"]

";

criterion_group! {
    name = classify;
    config = Cycles::criterion();
    targets = decide, compile
}
criterion_main!(classify);
