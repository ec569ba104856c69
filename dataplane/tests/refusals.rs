//! What cannot be set up is refused with what to do about it, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use dataplane::dpdk::{Device, Eal, Found, NoSpread, Pool, PoolConfig, Queues, SetupError};
use std::sync::Arc;

fn find(eal: &Arc<Eal>, device: &str) -> Result<Found, SetupError> {
    Found::probe(eal, &device.parse::<Device>().unwrap())
}

const ONE: Queues = Queues { pairs: 1, receive: 64, transmit: 64, mtu: 1500 };

#[test]
fn what_cannot_be_set_up_is_refused_by_name() {
    let eal = common::eal(64);

    // A pool that does not fit in the memory that EAL was given.
    let large = PoolConfig { name: "large".to_owned(), mbufs: 100_000, data_room: PoolConfig::DATA_ROOM, node: None };
    let Err(SetupError::Pool { mbufs: 100_000, mib, .. }) = Pool::create(&eal, &large) else {
        panic!("it does not fit")
    };
    assert!(mib > 200);

    // Devices that no driver takes.
    assert!(matches!(find(&eal, "net_nonesuch0"), Err(SetupError::Probe { device, .. }) if device == "net_nonesuch0"));
    assert!(matches!(find(&eal, "net_pcap7,rx_pcap=/nowhere/in.pcap"), Err(SetupError::Probe { .. })));
    assert!(matches!(find(&eal, "0000:ff:1f.7"), Err(SetupError::NoPort { device }) if device == "0000:ff:1f.7"));

    // Software ports that cannot give two workers their share.
    let pool = common::pool(&eal, 2047, PoolConfig::DATA_ROOM);
    let two = Queues { pairs: 2, ..ONE };
    for (device, driver) in [("net_null0", "net_null"), ("net_ring0", "net_ring")] {
        let refused = find(&eal, device).unwrap().start(two, &pool).unwrap_err();
        let expected = SetupError::NoSpread {
            device: device.to_owned(),
            driver: driver.to_owned(),
            workers: 2,
            reason: NoSpread::Software,
        };
        assert_eq!(refused, expected);
    }

    // A packet size that the driver cannot take.
    let giant = Queues { mtu: 40, ..ONE };
    let refused = find(&eal, "net_null1").unwrap().start(giant, &pool).unwrap_err();
    assert!(matches!(refused, SetupError::Mtu { mtu: 40, min: 46, .. }), "{refused}");

    // With one worker such a port runs, and no buffer was lost on the way.
    let running = find(&eal, "net_null2").unwrap().start(ONE, &pool).unwrap();
    drop(running);
    assert_eq!(pool.in_use(), 0);
}
