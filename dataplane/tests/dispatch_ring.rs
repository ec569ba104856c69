//! A dispatcher and two workers between two ports of one queue each: every flow stays with one worker, both ways and in
//! its order, with its fragments and ICMP errors; nothing is lost, and everything is given back when they stop.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use common::lab::{self, Cable};
use crossbeam::channel::bounded;
use dataplane::command::{Command, Retired};
use dataplane::counters::{Counter, Counters};
use dataplane::dispatcher::Dispatcher;
use dataplane::dpdk::{Clock, PoolConfig, Queues, mbufs_needed_dispatched, port_from_rings};
use dataplane::event::{self, WorkerId};
use dataplane::load::Idle;
use dataplane::pipeline::Pipeline;
use dataplane::worker::{Worker, WorkerExit};

const WORKERS: u16 = 2;
const RING: u16 = 1024;
const SHARED: Queues = Queues { pairs: WORKERS, receive: RING, transmit: RING, mtu: 1500 };
const FLOWS: u16 = 60;
const ROUNDS: u8 = 10;
const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [192, 0, 2, 1];

#[test]
fn flows_stay_with_their_worker_in_order_and_nothing_is_lost() {
    let eal = common::eal(128);
    let mbufs = mbufs_needed_dispatched([(RING, RING); 2], WORKERS) + 4 * u32::from(RING);
    let pool = common::pool(&eal, mbufs, PoolConfig::DATA_ROOM);
    let [inside_cable, outside_cable] = ["inside", "outside"].map(|name| Cable::new(&eal, name, RING, RING));
    let shared = |name: &str, cable: &Cable| {
        let port = port_from_rings(name, &cable.receive, &cable.transmit).unwrap();
        let (_, dispatched, pairs) = port.start_dispatched(SHARED, &pool).unwrap();
        (dispatched, pairs)
    };
    let (inside, inside_pairs) = shared("inside", &inside_cable);
    let (outside, outside_pairs) = shared("outside", &outside_cable);
    let (mut client, mut server) = (inside_cable.peer("inside", &pool), outside_cable.peer("outside", &pool));

    let policy = lab::policy(lab::outbound());
    let clock = Clock::start(&eal);
    let (mut counters, mut mailboxes, mut threads, mut receivers) = (vec![], vec![], vec![], vec![]);
    for (number, pairs) in inside_pairs.into_iter().zip(outside_pairs).enumerate() {
        let (sender, receiver) = event::channel(WorkerId(number as u16), 1000, 10);
        let (mailbox, commands) = bounded(4);
        let pipeline = Pipeline::new(lab::settings(number as u16), Arc::clone(&policy), Arc::default(), sender);
        counters.push(Arc::clone(pipeline.counters()));
        let worker = Worker::new(vec![pairs.0, pairs.1], pipeline, commands, clock.clone(), Arc::clone(&pool));
        threads.push(lab::on_first_cpu(move || worker.idling(Idle::BackOff).run()));
        mailboxes.push(mailbox);
        receivers.push(receiver);
    }
    let (stop, commands) = bounded(4);
    let dispatched = Arc::new(Counters::default());
    let ports = vec![inside, outside];
    let dispatcher = Dispatcher::new(ports, WORKERS, Arc::clone(&dispatched), Idle::BackOff, clock, commands);
    let dispatcher = lab::on_first_cpu(move || dispatcher.run());

    let question = |port: u16, round: u8| common::udp(CLIENT, SERVER, (port, 53), &[round; 40]);
    let answer = |port: u16, round: u8| common::udp(SERVER, CLIENT, (53, port), &[round; 60]);
    for round in 0..ROUNDS {
        client.send((0..FLOWS).map(|flow| question(1000 + flow, round)));
    }
    check(&server.receive(usize::from(FLOWS) * usize::from(ROUNDS)), 34);
    for round in 0..ROUNDS {
        server.send((0..FLOWS).map(|flow| answer(1000 + flow, round)));
    }
    check(&client.receive(usize::from(FLOWS) * usize::from(ROUNDS)), 36);

    // A datagram in two pieces, of which with every other flow the second overtakes the first, and an error about each flow by a router on the way, whose address no flow has.
    for flow in 0..FLOWS {
        let whole = question(1000 + flow, ROUNDS);
        let mut pieces = [fragment(&whole, flow, 0..24, true), fragment(&whole, flow, 24..48, false)];
        if flow % 2 == 1 {
            pieces.reverse();
        }
        client.send(pieces);
        server.send([unreachable(&whole)]);
    }
    assert_eq!(server.receive(2 * usize::from(FLOWS)).len(), 2 * usize::from(FLOWS));
    assert_eq!(client.receive(usize::from(FLOWS)).len(), usize::from(FLOWS));

    // A policy reaches every worker, and what it had comes back.
    let (retired, back) = bounded(2);
    for mailbox in &mailboxes {
        let policy = lab::policy(lab::outbound());
        mailbox.send(Command::Policy { policy, database: None, retired: retired.clone() }).unwrap();
    }
    assert!((0..WORKERS).all(|_| matches!(back.recv().unwrap(), Retired::Policy(old) if Arc::ptr_eq(&old, &policy))));
    // A dump has every worker's sessions: the numbers of the workers stand in the sessions' numbers.
    let (rows, dump) = bounded(usize::from(FLOWS));
    for mailbox in &mailboxes {
        mailbox.send(Command::Dump(rows.clone())).unwrap();
    }
    drop(rows);
    let mut shares = [0; WORKERS as usize];
    dump.iter().for_each(|view| shares[(view.session.0 >> 48) as usize] += 1);
    assert!(shares.iter().all(|&share| share > 0), "both have flows: {shares:?}");
    assert_eq!(shares.iter().sum::<u16>(), FLOWS, "every flow is one worker's");

    for mailbox in &mailboxes {
        mailbox.send(Command::Stop).unwrap();
    }
    for thread in threads {
        assert_eq!(thread.join().unwrap(), WorkerExit { abandoned: 0 });
    }
    // What is handed to workers that are gone is told of, not just freed.
    let before = dispatched.value(Counter::FramesDispatched);
    client.send((0..FLOWS).map(|flow| question(1000 + flow, 0)));
    while dispatched.value(Counter::FramesDispatched) < before + u64::from(FLOWS) {
        thread::yield_now();
    }
    stop.send(Command::Stop).unwrap();
    assert_eq!(dispatcher.join().unwrap(), WorkerExit { abandoned: u64::from(FLOWS) });
    let mut sum: HashMap<&str, u64> = HashMap::new();
    for (name, value) in counters.iter().chain([&dispatched]).flat_map(|counters| counters.read()) {
        *sum.entry(name).or_default() += value;
    }
    sum.retain(|&name, value| *value != 0 && name != "octets_received");
    let (flows, rounds) = (u64::from(FLOWS), u64::from(ROUNDS));
    let packets = flows * (2 * rounds + 3);
    let expected = HashMap::from([
        ("frames_dispatched", packets + flows),
        ("packets_received", packets),
        ("packets_forwarded", packets - 2 * flows),
        ("packets_taken", 2 * flows),
        ("fragments", 2 * flows),
        ("fragments_held", flows),
        ("icmp_errors", flows),
        ("sessions_opened", flows),
        ("sessions_closed", flows),
        ("session_events", 2 * flows),
    ]);
    assert_eq!(sum, expected);
    for counters in counters.iter().chain([&dispatched]) {
        assert!(counters.load().0 > 0 && counters.load().1 > 0 && counters.take_longest_turn() > 0);
    }
    // Numbered without a gap, each worker for itself.
    for receiver in &mut receivers {
        let mut next = 1;
        receiver.sessions(usize::MAX, |event| {
            assert_eq!((event.header.sequence(), event.session.0 >> 48), (next, u64::from(event.header.worker().0)));
            next += 1;
        });
        assert_eq!(next - 1, counters[usize::from(receiver.worker().0)].value(Counter::SessionEvents));
    }
    drop((client, server));
    assert_eq!(pool.in_use(), 0);
}

/// Every flow's frames are there, in their order; `port` is the offset of the client's port.
fn check(frames: &[Vec<u8>], port: usize) {
    let mut next: HashMap<[u8; 2], u8> = HashMap::new();
    for frame in frames {
        let round = next.entry([frame[port], frame[port + 1]]).or_default();
        assert_eq!(frame[42], *round, "the order within a flow");
        *round += 1;
    }
    assert_eq!(next.len(), usize::from(FLOWS));
    assert!(next.values().all(|&rounds| rounds == ROUNDS));
}

/// Octets of an IP packet's payload as a fragment of it.
fn fragment(frame: &[u8], identification: u16, range: std::ops::Range<usize>, more: bool) -> Vec<u8> {
    let mut piece = common::ipv4(CLIENT, SERVER, 17, &frame[34..][range.clone()]);
    piece[18..20].copy_from_slice(&(identification + 1).to_be_bytes());
    let flags = u16::from(more) << 13 | (range.start / 8) as u16;
    piece[20..22].copy_from_slice(&flags.to_be_bytes());
    piece[24..26].fill(0);
    let sum: u32 = piece[14..34].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    piece[24..26].copy_from_slice(&checksum.to_be_bytes());
    piece
}

/// Port unreachable, of a router, to the client.
fn unreachable(about: &[u8]) -> Vec<u8> {
    let mut message = vec![3, 3, 0, 0, 0, 0, 0, 0];
    message.extend(&about[14..14 + 28]);
    common::ipv4([198, 51, 100, 7], CLIENT, 1, &message)
}
