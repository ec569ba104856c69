//! A worker between two ports made of rings, whose other ends are the test's: what it forwards, what it drops because a
//! queue is full, and that it gives everything back when it stops.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::Arc;
use std::thread;

use crossbeam::channel::bounded;
use dataplane::command::Command;
use dataplane::counters::Counter;
use dataplane::dpdk::{Burst, Clock, PoolConfig, QueuePair, Queues, Ring, WorkerThread, port_from_rings};
use dataplane::event::{self, WorkerId};
use dataplane::guard::Protection;
use dataplane::pipeline::{Midstream, Pipeline, Settings, Timeouts};
use dataplane::policy::{Action, Policy, PolicySource, PortId, RuleSource, ZoneId};
use dataplane::verdict::DropReason;
use dataplane::worker::{Worker, WorkerExit};

const ONE: Queues = Queues { pairs: 1, receive: 64, transmit: 64, mtu: 1500 };

fn permit_all() -> Policy {
    let rule = RuleSource {
        from: vec![],
        to: vec![],
        source: vec![],
        destination: vec![],
        service: vec![],
        application: vec![],
        action: Action::Permit,
        session_logging: true,
        profile: false,
        source_nat: None,
    };
    Policy::compile(PolicySource {
        rules: vec![rule],
        implicit_deny_logging: false,
        full_identification: false,
        zones: vec![ZoneId(0), ZoneId(1)],
    })
}

fn settings() -> Settings {
    Settings {
        worker: WorkerId(0),
        max_sessions: 1000,
        inspection_slots: 10,
        fragment_slots: 10,
        timeouts: Timeouts::default(),
        wires: vec![(PortId(0), PortId(1))],
        nat: vec![],
        routing: Default::default(),
        midstream: Midstream::Permit,
        verify_checksums: true,
        protection: Protection::default(),
    }
}

#[test]
fn a_full_queue_drops_what_does_not_fit_and_nothing_is_lost_track_of() {
    let eal = common::eal(64);
    let pool = common::pool(&eal, 4095, PoolConfig::DATA_ROOM);
    let start = |name: &str, receive: &Arc<Ring>, transmit: &Arc<Ring>| -> QueuePair {
        port_from_rings(name, receive, transmit).unwrap().start(ONE, &pool).unwrap().1.remove(0)
    };
    // inside ← to_inside, from_inside ← inside; the ring towards the outside's peer holds 31 frames.
    let to_inside = Ring::create(&eal, "to_inside", 256).unwrap();
    let from_inside = Ring::create(&eal, "from_inside", 256).unwrap();
    let to_outside = Ring::create(&eal, "to_outside", 256).unwrap();
    let from_outside = Ring::create(&eal, "from_outside", 32).unwrap();
    let inside = start("inside", &to_inside, &from_inside);
    let outside = start("outside", &to_outside, &from_outside);
    let mut client = start("client", &from_inside, &to_inside);
    let mut server = start("server", &from_outside, &to_outside);

    let (sender, mut receiver) = event::channel(WorkerId(0), 100, 100);
    let pipeline = Pipeline::new(settings(), Arc::new(permit_all()), Arc::default(), sender);
    let counters = Arc::clone(pipeline.counters());
    let (mailbox, commands) = bounded(4);
    let worker = Worker::new(vec![inside, outside], pipeline, commands, Clock::start(&eal), Arc::clone(&pool));
    let run = move || -> WorkerExit {
        let _registered = WorkerThread::enter(first_cpu()).expect("the CPU is ours");
        worker.run()
    };
    let thread = thread::spawn(run);

    let send = |peer: &mut QueuePair, frame: &[u8], count: usize| {
        let mut burst = Burst::new();
        for _ in 0..count {
            let mut mbuf = pool.allocate().unwrap();
            assert!(mbuf.append(frame) && burst.push(mbuf).is_ok());
        }
        assert_eq!(peer.send(&mut burst), 0);
    };
    let wait_for = |packets: u64| {
        while counters.value(Counter::PacketsReceived) < packets {
            thread::yield_now();
        }
    };
    let received = |peer: &mut QueuePair, count: usize| {
        let mut burst = Burst::new();
        while burst.frames().len() < count {
            peer.receive(&mut burst);
            thread::yield_now();
        }
        burst
    };

    // 40 frames of one flow: 31 fit in the ring, nine do not.
    let question = common::udp([10, 0, 0, 1], [192, 0, 2, 1], (4000, 53), b"question");
    send(&mut client, &question, 40);
    wait_for(40);
    while counters.drops(DropReason::TxFull) < 9 {
        thread::yield_now();
    }
    let burst = received(&mut server, 31);
    assert!(burst.frames().iter().all(|frame| frame.bytes() == question));
    drop(burst);

    // An answer finds its way back; a damaged frame does not.
    let answer = common::udp([192, 0, 2, 1], [10, 0, 0, 1], (53, 4000), b"answer");
    send(&mut server, &answer, 1);
    assert_eq!(received(&mut client, 1).frames()[0].bytes(), answer);
    send(&mut client, &question[..30], 1);
    wait_for(42);

    // What a device or a sender left to others is in the octets that leave: a tag taken out, checksums not yet put in.
    let mut tagged = question.clone();
    tagged.splice(12..12, [0x81, 0x00, 0x30, 0x07]);
    let mut bare = question.clone();
    bare[24..26].fill(0);
    bare[40..42].copy_from_slice(&[0xaa, 0xbb]);
    let mut burst = Burst::new();
    for (frame, is_tagged) in [(&tagged, true), (&bare, false)] {
        let mut mbuf = pool.allocate().unwrap();
        assert!(mbuf.append(frame));
        if is_tagged {
            assert!(mbuf.strip_tag() && mbuf.bytes() == question);
        } else {
            mbuf.leave_checksums();
        }
        assert!(burst.push(mbuf).is_ok());
    }
    assert_eq!(client.send(&mut burst), 0);
    let burst = received(&mut server, 2);
    assert_eq!(burst.frames()[0].bytes(), tagged);
    let mut whole = question.clone();
    common::put_udp_checksum(&mut whole);
    assert_eq!(burst.frames()[1].bytes(), whole);
    drop(burst);
    wait_for(44);

    mailbox.send(Command::Stop).unwrap();
    let exit = thread.join().unwrap();
    assert_eq!(exit, WorkerExit { abandoned: 0 });
    let mut moved = counters.read();
    moved.retain(|&(_, value)| value != 0);
    let expected = [
        ("packets_received", 44),
        ("octets_received", 41 * question.len() as u64 + tagged.len() as u64 + answer.len() as u64 + 30),
        ("packets_forwarded", 43),
        ("sessions_opened", 2),
        ("sessions_closed", 2),
        ("session_events", 4),
        ("drop_truncated", 1),
        ("drop_tx_full", 9),
    ];
    assert_eq!(moved, expected);
    assert_eq!(std::iter::from_fn(|| receiver.session()).count(), 4);
    drop((client, server));
    assert_eq!(pool.in_use(), 0);
}

/// A CPU that this process may run on.
fn first_cpu() -> u16 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let digits: String = list.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
