//! A worker between two ports made of rings, whose other ends are the test's: what it forwards, what it drops because a
//! queue is full, and that it gives everything back when it stops.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::Arc;
use std::thread;

use common::lab::{self, Cable};
use crossbeam::channel::bounded;
use dataplane::command::Command;
use dataplane::counters::Counter;
use dataplane::dpdk::{Clock, PoolConfig};
use dataplane::event::{self, WorkerId};
use dataplane::pipeline::Pipeline;
use dataplane::policy::{Action, RuleSource};
use dataplane::verdict::DropReason;
use dataplane::worker::{Worker, WorkerExit};

#[test]
fn a_full_queue_drops_what_does_not_fit_and_nothing_is_lost_track_of() {
    let eal = common::eal(64);
    let pool = common::pool(&eal, 4095, PoolConfig::DATA_ROOM);
    // The ring towards the server holds 31 frames.
    let (inside, outside) = (Cable::new(&eal, "inside", 256, 256), Cable::new(&eal, "outside", 256, 32));
    let (mut client, mut server) = (inside.peer("inside", &pool), outside.peer("outside", &pool));
    let queues = vec![inside.firewall("inside", &pool), outside.firewall("outside", &pool)];

    let (sender, mut receiver) = event::channel(WorkerId(0), 100, 100);
    let rule = RuleSource { session_logging: true, ..RuleSource::any(Action::Permit) };
    let pipeline = Pipeline::new(lab::settings(0), lab::policy(rule), Arc::default(), sender);
    let counters = Arc::clone(pipeline.counters());
    let (mailbox, commands) = bounded(4);
    let worker = Worker::new(queues, pipeline, commands, Clock::start(&eal), Arc::clone(&pool));
    let thread = lab::on_first_cpu(move || worker.run());

    let wait_for = |packets: u64| {
        while counters.value(Counter::PacketsReceived) < packets {
            thread::yield_now();
        }
    };

    // 40 frames of one flow: 31 fit in the ring, nine do not.
    let question = common::udp([10, 0, 0, 1], [192, 0, 2, 1], (4000, 53), b"question");
    client.send(vec![question.clone(); 40]);
    wait_for(40);
    while counters.drops(DropReason::TxFull) < 9 {
        thread::yield_now();
    }
    assert!(server.receive(31).iter().all(|frame| *frame == question));

    // An answer finds its way back; a damaged frame does not.
    let answer = common::udp([192, 0, 2, 1], [10, 0, 0, 1], (53, 4000), b"answer");
    server.send([answer.clone()]);
    assert_eq!(client.receive(1), [&answer[..]]);
    client.send([question[..30].to_vec()]);
    wait_for(42);

    mailbox.send(Command::Stop).unwrap();
    let exit = thread.join().unwrap();
    assert_eq!(exit, WorkerExit { abandoned: 0 });
    let mut moved = counters.read();
    moved.retain(|&(_, value)| value != 0);
    let expected = [
        ("packets_received", 42),
        ("octets_received", 40 * question.len() as u64 + answer.len() as u64 + 30),
        ("packets_forwarded", 41),
        ("sessions_opened", 1),
        ("sessions_closed", 1),
        ("session_events", 2),
        ("drop_truncated", 1),
        ("drop_tx_full", 9),
    ];
    assert_eq!(moved, expected);
    assert_eq!(std::iter::from_fn(|| receiver.session()).count(), 2);
    drop((client, server));
    assert_eq!(pool.in_use(), 0);
}
