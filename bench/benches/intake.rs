//! What the control core pays for a session event: from the worker's queue to a record, and to a log host over UDP.

#[path = "common/cycles.rs"]
mod cycles;

use std::hint::black_box;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use control::export::{Delivery, Exporters, Format, HostConfig, Target, Transport};
use control::presence::access::AccessTable;
use control::record::sequence::Recorder;
use control::record::{BootId, Class};
use control::{config, signatures};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cycles::Cycles;
use dataplane::endpoint::{Address, Endpoint, Tuple};
use dataplane::event::{CloseReason, Header, SessionChange, SessionEvent, SessionId, Volume, WorkerId};
use dataplane::policy::RuleId;
use dataplane::time::Nanos;
use mio::{Poll, Token};
use sigdb::AppId;

/// As the control core takes in one turn.
const TURN: u64 = 4096;

fn close(number: u64) -> SessionEvent {
    let client = Endpoint { address: Address::v4((number as u32).to_be_bytes()), port: number as u16 };
    let server = Endpoint { address: Address::v4([192, 0, 2, 1]), port: 443 };
    SessionEvent {
        header: Header::new(WorkerId(0), number, Nanos(1_700_000_000_000_000_000 + number)),
        session: SessionId(number),
        tuple: Tuple { client, server, protocol: 6, svlan: 0, cvlan: 0 },
        translation: None,
        rule: RuleId(0),
        application: AppId::UNKNOWN,
        ports: (0, 1),
        logged: true,
        change: SessionChange::Close { reason: CloseReason::Fin },
        start: Nanos(1_700_000_000_000_000_000),
        to_server: Volume { packets: 5, octets: 700 },
        to_client: Volume { packets: 6, octets: 6_000 },
    }
}

fn host(format: Format, sink: &UdpSocket) -> HostConfig {
    let target = Target::Address(sink.local_addr().expect("it is bound"));
    HostConfig {
        host_name: "fw1".into(),
        ..HostConfig::new("sink", target, Transport::Udp, vec![(Class::Session, format)])
    }
}

fn intake(criterion: &mut Criterion<Cycles>) {
    let configuration = config::replay_default(signatures::shipped());
    let mut recorder = Recorder::new(BootId(1), &configuration);
    let nobody = AccessTable::new(configuration.access.limits());
    let mut group = criterion.benchmark_group("session event at the control core");
    group.throughput(Throughput::Elements(TURN));
    group.bench_function("to a record", |bencher| {
        bencher.iter(|| (0..TURN).for_each(|number| drop(black_box(recorder.session(&close(number), &nobody)))));
    });
    for (name, format) in [("to an IPFIX host over UDP", Format::Binary), ("to a syslog host over UDP", Format::Syslog)]
    {
        let sink = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let poll = Poll::new().expect("the kernel polls");
        let delivery = Delivery { hosts: vec![host(format, &sink)], ..Delivery::default() };
        let mut exporters = Exporters::new(delivery, BootId(1), poll.registry(), Token(0)).expect("it can be shared");
        exporters.tick(Instant::now());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for number in 0..TURN {
                    if let Some(record) = recorder.session(&close(number), &nobody) {
                        exporters.push(&Arc::new(record));
                    }
                }
                // Until all left: a turn writes a bounded number of messages.
                while exporters.status()[0].classes[0].counts.queued > TURN {
                    exporters.event(Token(0), false, true);
                    exporters.tick(Instant::now());
                }
            });
        });
        assert_eq!(exporters.status()[0].classes[0].counts.dropped(), 0, "every record left");
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Cycles::criterion();
    targets = intake
}
criterion_main!(benches);
