//! The dataplane as control starts it, between capture files: what goes in at one end of a wire comes out at the other
//! as it was, frames in several buffers included; what is denied does not; and at the end every buffer is back.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "../../dataplane/tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{frames, ipv4, read_pcap, udp, write_pcap};
use control::runtime::{Dataplane, DataplaneConfig, PortConfig, PortView};
use dataplane::counters::Counter;
use dataplane::dpdk::mbufs_needed;
use dataplane::load::Idle;
use dataplane::pipeline::{Midstream, Timeouts};
use dataplane::policy::{Action, Policy, PolicySource, PortId, PortRange, RuleSource, ServiceMatch, ZoneId};

fn rule(destination_port: u16, protocol: u8, action: Action) -> RuleSource {
    let ports = PortRange { first: destination_port, last: destination_port };
    RuleSource {
        from: vec![ZoneId(0)],
        to: vec![ZoneId(1)],
        source: vec![],
        destination: vec![],
        service: vec![ServiceMatch { protocol: Some(protocol), source: PortRange::ANY, destination: ports }],
        application: vec![],
        users: 0,
        action,
        session_logging: true,
        profile: false,
        source_nat: None,
    }
}

fn config(inside: &str, outside: &str) -> DataplaneConfig {
    let port = |name: &str, device: &str| PortConfig {
        name: name.into(),
        device: device.parse().unwrap(),
        rx_descriptors: 256,
        tx_descriptors: 256,
        mtu: 1500,
    };
    let cpus = rustix::thread::sched_getaffinity(None).unwrap();
    DataplaneConfig {
        ports: vec![port("inside", inside), port("outside", outside)],
        wires: vec![(PortId(0), PortId(1))],
        nat: vec![],
        routing: Default::default(),
        workers: vec![(0..1024).find(|&cpu| cpus.is_set(usize::from(cpu))).unwrap()],
        dispatcher: None,
        idle: Idle::Poll,
        memory: 64,
        hugepages: false,
        file_prefix: "ostiary-test".to_owned(),
        mbufs: None,
        max_sessions: 1000,
        inspection_slots: 10,
        resolved_addresses: 16,
        fragment_slots: 10,
        session_events: 100,
        sign_on_events: 100,
        timeouts: Timeouts::default(),
        midstream: Midstream::Permit,
        protection: Default::default(),
        verify_checksums: true,
    }
}

#[test]
fn frames_cross_the_wire_as_they_are() {
    let scratch = common::Scratch::new("wire");
    let device = |index: u32, name: &str| {
        let (from, to) = (scratch.path(&format!("{name}-in.pcap")), scratch.path(&format!("{name}-out.pcap")));
        format!("net_pcap{index},rx_pcap={},tx_pcap={}", from.display(), to.display())
    };
    let (client, server) = ([10, 0, 0, 1], [192, 0, 2, 1]);

    // Not IP, in one buffer or up to five; then datagrams, one of them in three buffers: permitted.
    let mut passes = frames([60, 64, 1514, 2048, 2049, 4000, 9014]);
    passes.push(udp(client, server, (4000, 53), b"short"));
    passes.push(udp(client, server, (4000, 53), &[7; 5000]));
    // Denied by a rule, by none, and a SYN that is answered by a reset.
    let mut syn = vec![0x0f, 0xa1, 0, 23, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0];
    let checksum = tcp_checksum(client, server, &syn);
    syn[16..18].copy_from_slice(&checksum.to_be_bytes());
    let stays = [
        udp(client, server, (4001, 69), b"denied"),
        udp(client, server, (4001, 99), b""),
        ipv4(client, server, 6, &syn),
    ];
    let sent: Vec<_> = passes.iter().chain(&stays).cloned().collect();
    write_pcap(&scratch.path("inside-in.pcap"), &sent);
    write_pcap(&scratch.path("outside-in.pcap"), &[]);

    let policy = Policy::compile(PolicySource {
        rules: vec![rule(53, 17, Action::Permit), rule(69, 17, Action::Deny), rule(23, 6, Action::Reset)],
        implicit_deny_logging: false,
        full_identification: false,
        zones: vec![ZoneId(0), ZoneId(1)],
    });
    let config = config(&device(0, "inside"), &device(1, "outside"));
    let mut dataplane = Dataplane::start(&config, Arc::new(policy), Arc::default(), Arc::default()).unwrap();
    let mut events = dataplane.take_events();
    let counters = dataplane.counters();
    // Ports are flushed one after the other: the reply on the first may be out before the frames on the second are.
    let all_out = |ports: &[PortView]| ports[0].statistics.sent >= 1 && ports[1].statistics.sent >= passes.len() as u64;
    let deadline = Instant::now() + Duration::from_secs(30);
    while counters[0].value(Counter::PacketsReceived) < sent.len() as u64 || !all_out(&dataplane.ports()) {
        assert!(Instant::now() < deadline, "{:?}", dataplane.ports());
        dataplane.keep_time();
        thread::yield_now();
    }
    let ports = dataplane.ports();
    assert_eq!((&*ports[0].name, ports[0].driver.as_str(), ports[0].link.up), ("inside", "net_pcap", true));
    assert_eq!((ports[0].statistics.received, ports[1].statistics.sent), (12, 9));
    assert_eq!(dataplane.pool().size, mbufs_needed([(256, 256); 2], 1));

    dataplane.begin_stop();
    while !dataplane.has_stopped() {
        thread::yield_now();
    }
    let report = dataplane.stop();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.abandoned, 0);

    assert_eq!(read_pcap(&scratch.path("outside-out.pcap")), passes);
    let replies = read_pcap(&scratch.path("inside-out.pcap"));
    assert_eq!(replies.len(), 1);
    // To the client, from the server's port, RST and ACK.
    assert_eq!((&replies[0][30..34], &replies[0][34..36], replies[0][47]), (&client[..], &[0, 23][..], 0x14));

    let mut moved = counters[0].read();
    moved.retain(|&(name, value)| value != 0 && !name.starts_with("octets"));
    let expected = [
        ("packets_received", 12),
        ("packets_forwarded", 9),
        ("passed_non_ip", 7),
        ("sessions_opened", 1),
        ("sessions_closed", 1),
        ("session_events", 4),
        ("replies", 1),
        ("drop_policy", 1),
        ("drop_policy_reset", 1),
        ("drop_implicit_deny", 1),
    ];
    assert_eq!(moved, expected);
    assert_eq!(std::iter::from_fn(|| events[0].session()).count(), 4);
}

fn tcp_checksum(source: [u8; 4], destination: [u8; 4], segment: &[u8]) -> u16 {
    let pseudo = [&source[..], &destination[..], &[0, 6], &(segment.len() as u16).to_be_bytes(), segment].concat();
    let sum: u32 = pseudo.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}
