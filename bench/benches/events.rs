//! What a session event costs on its way from a worker to control: our queue, and those that it could have been.
//!
//! *same thread*: a burst pushed, then taken. *two cores*: one thread pushes, another takes and does nothing else; given is
//! the time for all to be through, so the slower end counts.

#[path = "common/cycles.rs"]
mod cycles;

use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::queue::ArrayQueue;
use cycles::Cycles;
use dataplane::endpoint::{Address, Endpoint, Tuple};
use dataplane::event::{Header, SessionChange, SessionEvent, SessionId, Volume, WorkerId, channel};
use dataplane::policy::RuleId;
use dataplane::time::Nanos;
use rtrb::RingBuffer;
use sigdb::AppId;

/// Events of one burst: a worker publishes once a burst.
const BURST: usize = 32;
/// As `session-events` is by default.
const CAPACITY: usize = 65_536;

fn event(header: Header, number: u64) -> SessionEvent {
    let client = Endpoint { address: Address::v4((number as u32).to_be_bytes()), port: number as u16 };
    let server = Endpoint { address: Address::v4([192, 0, 2, 1]), port: 443 };
    SessionEvent {
        header,
        session: SessionId(number),
        tuple: Tuple { client, server, protocol: 6, svlan: 0, cvlan: 0 },
        translation: None,
        rule: RuleId(3),
        application: AppId::UNKNOWN,
        ports: (0, 1),
        logged: true,
        change: SessionChange::Create,
        start: header.time,
        to_server: Volume { packets: 1, octets: number },
        to_client: Volume::default(),
    }
}

fn numbered(number: u64) -> SessionEvent {
    event(Header::new(WorkerId(0), number, Nanos(number)), number)
}

fn same_thread(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("event, same thread");
    group.throughput(Throughput::Elements(BURST as u64));
    let mut number = 0;
    let queue = ArrayQueue::new(CAPACITY);
    group.bench_function("crossbeam ArrayQueue", |bencher| {
        bencher.iter(|| {
            for _ in 0..BURST {
                number += 1;
                let _ = black_box(queue.push(numbered(number)));
            }
            while let Some(event) = queue.pop() {
                black_box(&event);
            }
        });
    });
    let (mut push, mut pop) = RingBuffer::new(CAPACITY);
    group.bench_function("rtrb one by one", |bencher| {
        bencher.iter(|| {
            for _ in 0..BURST {
                number += 1;
                let _ = black_box(push.push(numbered(number)));
            }
            while let Ok(event) = pop.pop() {
                black_box(&event);
            }
        });
    });
    let (mut push, mut pop) = RingBuffer::new(CAPACITY);
    group.bench_function("rtrb in chunks", |bencher| {
        bencher.iter(|| {
            if let Ok(chunk) = push.write_chunk_uninit(BURST) {
                black_box(chunk.fill_from_iter((0..BURST as u64).map(|step| numbered(number + step))));
                number += BURST as u64;
            }
            if let Ok(chunk) = pop.read_chunk(pop.slots()) {
                let (older, younger) = chunk.as_slices();
                older.iter().chain(younger).for_each(|event| {
                    black_box(event);
                });
                chunk.commit_all();
            }
        });
    });
    let (mut sender, mut receiver) = channel(WorkerId(0), CAPACITY, 1);
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            for _ in 0..BURST {
                number += 1;
                black_box(sender.session(Nanos(number), |header| event(header, number)));
            }
            sender.publish();
            receiver.sessions(usize::MAX, |event| {
                black_box(event);
            })
        });
    });
    group.finish();
}

/// Runs `take` over and over on another thread while `push` pushes `count` events, and returns the cycles until both are
/// through. `take` returns how many it took.
fn race(count: u64, mut push: impl FnMut(u64), mut take: impl FnMut() -> u64 + Send) -> u64 {
    let ready = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let told = Arc::clone(&ready);
        let reader = scope.spawn(move || {
            told.store(true, Ordering::Release);
            let mut taken = 0;
            while taken < count {
                taken += take();
            }
            dataplane::dpdk::cycles()
        });
        while !ready.load(Ordering::Acquire) {
            spin_loop();
        }
        let from = dataplane::dpdk::cycles();
        (0..count).for_each(&mut push);
        reader.join().expect("the reader only reads") - from
    })
}

fn two_cores(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("event, two cores");
    group.throughput(Throughput::Elements(1));
    group.bench_function("crossbeam ArrayQueue", |bencher| {
        bencher.iter_custom(|count| {
            let queue = ArrayQueue::new(CAPACITY);
            let push = |number| {
                while queue.push(numbered(number)).is_err() {
                    spin_loop();
                }
            };
            race(count, push, || queue.pop().map(|event| black_box(event.header.sequence())).map_or(0, |_| 1))
        });
    });
    group.bench_function("rtrb one by one", |bencher| {
        bencher.iter_custom(|count| {
            let (mut producer, mut consumer) = RingBuffer::new(CAPACITY);
            let push = |number| {
                while producer.push(numbered(number)).is_err() {
                    spin_loop();
                }
            };
            race(count, push, || consumer.pop().map(|event| black_box(event.header.sequence())).map_or(0, |_| 1))
        });
    });
    group.bench_function("ours", |bencher| {
        bencher.iter_custom(|count| {
            let (mut sender, mut receiver) = channel(WorkerId(0), CAPACITY, 1);
            let push = |number: u64| {
                if number.is_multiple_of(BURST as u64) {
                    sender.publish();
                    while sender.session_room() < BURST {
                        spin_loop();
                    }
                }
                sender.session(Nanos(number), |header| event(header, number));
                if number + 1 == count {
                    sender.publish();
                }
            };
            race(count, push, || {
                receiver.sessions(4096, |event| {
                    black_box(event.header.sequence());
                }) as u64
            })
        });
    });
    // What the worker alone pays while the other core reads: events are pushed where there is room, and else given up.
    group.bench_function("ours, the worker's side", |bencher| {
        bencher.iter_custom(|count| {
            let (mut sender, mut receiver) = channel(WorkerId(0), CAPACITY, 1);
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Ordering::Acquire) {
                        receiver.sessions(4096, |event| {
                            black_box(event.header.sequence());
                        });
                    }
                });
                let from = dataplane::dpdk::cycles();
                for number in 0..count {
                    black_box(sender.session(Nanos(number), |header| event(header, number)));
                    if number.is_multiple_of(BURST as u64) {
                        sender.publish();
                    }
                }
                let spent = dataplane::dpdk::cycles() - from;
                done.store(true, Ordering::Release);
                spent
            })
        });
    });
    group.finish();
}

criterion_group! {
    name = events;
    config = Cycles::criterion();
    targets = same_thread, two_cores
}
criterion_main!(events);
