//! Frames through DPDK as they are: read from a capture file by net_pcap, written to another, buffers of several segments
//! included; and everything is given back at the end.

mod common;

use dataplane::dpdk::{Burst, Clock, Device, Eal, EalConfig, Found, Memory, Queues, SetupError};

#[test]
fn frames_come_out_as_they_went_in_and_every_buffer_comes_back() {
    let scratch = common::Scratch::new("port-pcap");
    let sent = common::frames([60, 61, 64, 128, 1000, 1514, 1518, 4000, 9014]);
    common::write_pcap(&scratch.path("in.pcap"), &sent);

    let eal = common::eal(128);
    let second = EalConfig { file_prefix: "second".to_owned(), memory: Memory::Ordinary { mib: 16 }, nics: vec![] };
    assert_eq!(Eal::start(&second).unwrap_err(), SetupError::StartedBefore);

    // A buffer holds 256 octets, so most frames take several.
    let pool = common::pool(&eal, 4095, 256);
    let (input, output) = (scratch.path("in.pcap"), scratch.path("out.pcap"));
    let device = format!("net_pcap0,rx_pcap={},tx_pcap={}", input.display(), output.display());
    let device: Device = device.parse().unwrap();
    let found = Found::probe(&eal, &device).unwrap();
    assert_eq!(found.driver(), "net_pcap");
    let queues = Queues { pairs: 1, receive: 256, transmit: 256, mtu: 1500 };
    let (port, mut pairs) = found.start(queues, &pool).unwrap();
    assert!(port.link().up);

    let pair = &mut pairs[0];
    assert!(pair.sends_segments());
    let mut burst = Burst::new();
    let mut segments = Vec::new();
    loop {
        pair.receive(&mut burst);
        if burst.is_empty() {
            break;
        }
        for frame in burst.frames() {
            segments.push(frame.segments());
            let expected = &sent[segments.len() - 1];
            assert_eq!(frame.length() as usize, expected.len());
            assert_eq!(frame.bytes(), &expected[..frame.bytes().len()]);
            let mut whole = vec![0; 10_000];
            assert_eq!(frame.copy_to(&mut whole), expected.len());
            assert_eq!(&whole[..expected.len()], &expected[..]);
            let mut start = [0; 300];
            assert_eq!(frame.copy_to(&mut start), expected.len().min(300));
        }
        assert_eq!(pair.send(&mut burst), 0);
        assert!(burst.is_empty());
    }
    assert!(segments[..4].iter().all(|&count| count == 1) && segments[4..].iter().all(|&count| count > 2));
    assert_eq!(segments.len(), sent.len());
    let statistics = port.statistics();
    assert_eq!((statistics.received, statistics.sent, statistics.no_buffer), (9, 9, 0));

    drop((port, pairs));
    assert_eq!(common::read_pcap(&output), sent);
    assert_eq!(pool.in_use(), 0);

    // A frame of our own, and one that does not fit in a buffer.
    let mut frame = pool.allocate().unwrap();
    assert!(frame.append(&sent[0]) && frame.bytes() == sent[0]);
    assert!(!frame.append(&[0; 300]) && frame.bytes() == sent[0]);
    assert_eq!(pool.in_use(), 1);
    drop(frame);

    // Bursts give back what is left in them, whichever way they end.
    let mut burst = Burst::new();
    while burst.push(pool.allocate().unwrap()).is_ok() {}
    assert!(burst.is_full());
    assert_eq!(burst.drain().take(10).count(), 10);
    assert!(burst.is_empty());
    assert!(burst.push(pool.allocate().unwrap()).is_ok());
    drop(burst);
    assert_eq!(pool.in_use(), 0);

    let clock = Clock::start(&eal);
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let (first, second) = (clock.now(), clock.now());
    assert!(first <= second && first.0.abs_diff(wall) < 10_000_000_000);
    clock.discipline();
    assert!(clock.now() >= second);

    let folder = format!("/run/dpdk/ostiary-test-{}", std::process::id());
    drop((pool, eal));
    assert!(!std::path::Path::new(&folder).exists());
}
