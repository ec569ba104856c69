//! What the flow table costs a packet, and what a new session and its end cost it; beside hashbrown's map with the same
//! sizes of keys and values.
//!
//! Keys are random ones of those in the table. *batched*: as the packet path does it, in bursts of 64 that ask for lines of
//! the index, then for records, before they look; *one by one*: without that. Every lookup also stores when the packet came
//! and counts it.

#[path = "common/cycles.rs"]
mod cycles;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cycles::Cycles;
use dataplane::endpoint::Direction;
use dataplane::event::WorkerId;
use dataplane::flow::{End, FlowKey, Patience, Realm, Record, Slot, Table};
use dataplane::time::Nanos;
use hashbrown::HashMap;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const BURST: usize = 64;
const SIZES: [u32; 4] = [1_000, 64_000, 1_000_000, 10_000_000];
const PATIENCE: Patience = Patience::from_millis(30_000);

/// The key of a session by its number: UDP from ten million clients to one server.
#[inline(always)]
fn key(number: u32) -> FlowKey {
    let client = (0x0a00_0000 + (number >> 2), 1024 + (number & 3) as u16);
    FlowKey::of_v4(client, (0xc000_0201, 53), 17, Realm::default()).map(|(key, _)| key).unwrap_or_default()
}

fn table(capacity: u32, sessions: u32) -> Table {
    let mut table = Table::new(WorkerId(0), capacity as usize, 1024);
    table.advance(Nanos::from_parts(1_800_000_000, 0));
    (0..sessions).for_each(|number| insert(&mut table, number));
    table
}

fn insert(table: &mut Table, number: u32) {
    let key = key(number);
    let hash = table.hash(&key);
    table.insert(hash, &key, Record::new(&key, End::Low), PATIENCE);
}

/// Numbers of sessions as they come, far more than a cache could learn.
fn arrivals(sessions: u32) -> Vec<u32> {
    let mut random = SmallRng::seed_from_u64(7);
    (0..1 << 23).map(|_| random.random_range(0..sessions)).collect()
}

fn lookup(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("lookup");
    group.throughput(Throughput::Elements(BURST as u64));
    for sessions in SIZES {
        let arrivals = arrivals(sessions);
        let mut bursts = arrivals.chunks_exact(BURST).cycle();
        let mut table = table(sessions, sessions);
        group.bench_function(BenchmarkId::new("batched", sessions), |bencher| {
            bencher.iter(|| batched(&mut table, bursts.next().unwrap_or_default()));
        });
        group.bench_function(BenchmarkId::new("one by one", sessions), |bencher| {
            bencher.iter(|| {
                for number in bursts.next().unwrap_or_default() {
                    let key = key(*number);
                    let slot = table.find(&key, table.hash(&key));
                    account(&mut table, slot);
                }
            });
        });
        drop(table);
        let mut map: HashMap<[u64; 2], [u64; 6]> = (0..sessions).map(|number| (words(number), [0; 6])).collect();
        group.bench_function(BenchmarkId::new("hashbrown", sessions), |bencher| {
            bencher.iter(|| {
                for number in bursts.next().unwrap_or_default() {
                    let Some(value) = map.get_mut(&words(*number)) else { panic!("it is there") };
                    value[0] = 1;
                    value[1] += 1;
                    value[2] += 64;
                }
            });
        });
    }
}

fn words(number: u32) -> [u64; 2] {
    [0x0a00_0000_c000_0201 + (u64::from(number >> 2) << 32), u64::from(1024 + (number & 3)) << 48 | 53 << 32]
}

fn batched(table: &mut Table, numbers: &[u32]) {
    let mut keys = [FlowKey::default(); BURST];
    let mut hashes = [0; BURST];
    let mut guesses = [Slot::default(); BURST];
    for ((key_of, hash), number) in keys.iter_mut().zip(&mut hashes).zip(numbers) {
        *key_of = key(*number);
        *hash = table.hash(key_of);
        table.prefetch_index(*hash);
    }
    for (guess, hash) in guesses.iter_mut().zip(&hashes) {
        *guess = table.prefetch_record(*hash);
    }
    for ((key, hash), guess) in keys.iter().zip(&hashes).zip(&guesses) {
        let guess = Some(*guess).filter(|slot| table.flows().at(*slot, key).is_some());
        let slot = guess.or_else(|| table.find(key, *hash));
        account(table, slot);
    }
}

#[inline(always)]
fn account(table: &mut Table, slot: Option<Slot>) {
    let Some(slot) = slot else { panic!("every session is there") };
    if table.is_silent(slot, PATIENCE) {
        panic!("no time passes");
    }
    table.touch(slot);
    table.count(slot, Direction::ToServer, 64);
}

/// A burst of new sessions, from this number on.
fn open(table: &mut Table, first: u32) {
    let mut keys = [FlowKey::default(); BURST];
    let mut hashes = [0; BURST];
    for ((key_of, hash), number) in keys.iter_mut().zip(&mut hashes).zip(first..) {
        // Random to the index, and not in the order of the slots.
        *key_of = key(number.wrapping_mul(0x9e37_79b1) >> 4);
        *hash = table.hash(key_of);
        table.prefetch_index(*hash);
    }
    for (key, hash) in keys.iter().zip(&hashes) {
        if table.find(key, *hash).is_none() {
            black_box(table.insert(*hash, key, Record::new(key, End::Low), PATIENCE));
        }
    }
}

/// Takes out whatever is over: what expiry does, but for the records that it would send.
fn expire(table: &mut Table) -> usize {
    let mut batch = [Slot::default(); BURST];
    let mut count = 0;
    table.due(8192, |slot| {
        let place = batch.get_mut(count);
        count += usize::from(place.is_some());
        place.map(|place| *place = slot).is_some()
    });
    for slot in &batch[..count] {
        table.prefetch_removal(*slot);
    }
    for slot in &batch[..count] {
        if table.is_silent(*slot, PATIENCE) {
            black_box((table.session(*slot), table.start(*slot), table.volume(*slot, Direction::ToServer)));
            table.remove(*slot);
        } else {
            table.schedule(*slot, PATIENCE);
        }
    }
    count
}

fn sessions(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Elements(BURST as u64));
    for capacity in [1_000_000, 10_000_000] {
        let mut begun = Nanos::from_parts(1_800_000_000, 0);
        let mut empty = table(capacity, 0);
        let mut number = 0;
        group.bench_function(BenchmarkId::new("insert", capacity), |bencher| {
            bencher.iter_custom(|bursts| {
                let mut spent = 0;
                for _ in 0..bursts {
                    if empty.len() + BURST > capacity as usize / 2 {
                        // Emptied while nobody looks at the clock.
                        begun = Nanos(begun.0 + 40_000_000_000);
                        empty.advance(begun);
                        while expire(&mut empty) > 0 {}
                    }
                    let from = dataplane::dpdk::cycles();
                    open(&mut empty, number);
                    spent += dataplane::dpdk::cycles() - from;
                    number = number.wrapping_add(BURST as u32);
                }
                spent
            });
        });
        drop(empty);
        // As many come as go: 30 s at 64 sessions a burst fill half of it.
        let mut steady = table(capacity, 0);
        let per_burst = 30_000_000_000 / (u64::from(capacity) / 2 / BURST as u64);
        let mut now = Nanos::from_parts(1_800_000_000, 0);
        let mut turn = |table: &mut Table| {
            now = Nanos(now.0 + per_burst);
            table.advance(now);
            expire(table);
            open(table, number);
            number = number.wrapping_add(BURST as u32);
        };
        (0..capacity / 64).for_each(|_| turn(&mut steady));
        let mut worst = 0;
        group.bench_function(BenchmarkId::new("insert and expire", capacity), |bencher| {
            bencher.iter_custom(|bursts| {
                let from = dataplane::dpdk::cycles();
                let mut last = from;
                for _ in 0..bursts {
                    turn(&mut steady);
                    let present = dataplane::dpdk::cycles();
                    worst = worst.max(present - last);
                    last = present;
                }
                last - from
            });
        });
        println!("    {} sessions in it; the worst burst took {worst} cycles", steady.len());
    }
}

fn start(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("start");
    group.sample_size(10);
    let capacity = 10_000_000;
    group.bench_function(BenchmarkId::from_parameter(capacity), |bencher| {
        bencher.iter_with_large_drop(|| Table::new(WorkerId(0), capacity, 65_536));
    });
    let table = Table::new(WorkerId(0), capacity, 65_536);
    println!("    {} octets a session, on {:?} pages", table.octets() as f64 / capacity as f64, table.pages());
}

criterion_group! { name = benches; config = Cycles::criterion(); targets = lookup, sessions, start }
criterion_main!(benches);
