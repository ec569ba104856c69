//! What reading a frame's headers costs, a burst at a time: the frames in the cache, as they are after their first line was
//! asked for at receive.

#[path = "common/cycles.rs"]
mod cycles;

use std::hint::black_box;

use bench::pktgen::frames::{ACK, Link, Segment, Side, tcp_packet, udp_packet};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cycles::Cycles;
use dataplane::guard::Screens;
use dataplane::packet;
use dataplane::pipeline::{BURST, Frame};
use dataplane::policy::PortId;

fn parse(criterion: &mut Criterion<Cycles>) {
    let v4 = ("10.0.0.1:40000".parse().expect("an address"), "198.18.0.1:5001".parse().expect("an address"));
    let v6 = ("[2001:db8::1]:40000".parse().expect("an address"), "[2001:db8::2]:443".parse().expect("an address"));
    let segment = Segment { sequence: 1, acknowledgement: 1, flags: ACK, mss: None, payload: &[0; 10] };
    let frames = [
        ("udp", Link::plain().frame(Side::Client, &udp_packet(v4.0, v4.1, 0, &[0; 22]))),
        ("tcp", Link::plain().frame(Side::Client, &tcp_packet(v4.0, v4.1, 0, segment))),
        ("udp6", Link::plain().frame(Side::Client, &udp_packet(v6.0, v6.1, 0, &[0; 22]))),
        ("udp in two tags", Link::qinq(200, 100).frame(Side::Client, &udp_packet(v4.0, v4.1, 0, &[0; 22]))),
        ("udp in pppoe", Link::pppoe(7).frame(Side::Client, &udp_packet(v4.0, v4.1, 0, &[0; 22]))),
    ];
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(BURST as u64));
    for (name, frame) in frames {
        let mut burst = vec![frame; BURST];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for bytes in &mut burst {
                    let length = bytes.len() as u32;
                    let frame = Frame { port: PortId(0), bytes, length, edited: false };
                    let _ = black_box(packet::parse(black_box(&frame), 0, true, Screens::default()));
                }
            });
        });
    }
}

criterion_group! { name = benches; config = Cycles::criterion(); targets = parse }
criterion_main!(benches);
