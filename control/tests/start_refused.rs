//! A dataplane that cannot start says which port is at fault, and leaves nothing running.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::path::PathBuf;
use std::sync::Arc;

use control::runtime::{Dataplane, DataplaneConfig, PortConfig, StartError};
use dataplane::dpdk::{NoSpread, SetupError};
use dataplane::load::Idle;
use dataplane::pipeline::{Midstream, Timeouts};
use dataplane::policy::{Policy, PolicySource, PortId, ZoneId};

#[test]
fn what_cannot_start_is_refused_and_leaves_nothing_running() {
    let cpus = rustix::thread::sched_getaffinity(None).unwrap();
    let cpus: Vec<u16> = (0..1024).filter(|&cpu| cpus.is_set(usize::from(cpu))).take(2).collect();
    let port = |name: &str, device: &str| PortConfig {
        name: name.into(),
        device: device.parse().unwrap(),
        rx_descriptors: 64,
        tx_descriptors: 64,
        mtu: 1500,
    };
    let config = DataplaneConfig {
        ports: vec![port("inside", "net_null0"), port("outside", "net_null1")],
        wires: vec![(PortId(0), PortId(1))],
        nat: vec![],
        routing: Default::default(),
        workers: cpus,
        dispatcher: None,
        idle: Idle::Poll,
        memory: 64,
        hugepages: false,
        file_prefix: "ostiary-refused".to_owned(),
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
    };
    if config.workers.len() < 2 {
        eprintln!("skipped: this process may run on one CPU only");
        return;
    }
    let policy = || {
        Arc::new(Policy::compile(PolicySource {
            rules: vec![],
            implicit_deny_logging: false,
            full_identification: false,
            zones: vec![ZoneId(0), ZoneId(1)],
        }))
    };

    // Found before DPDK starts …
    let mut small = config.clone();
    small.mbufs = Some(1024);
    let refused = Dataplane::start(&small, policy(), Arc::default(), Arc::default()).unwrap_err();
    assert!(matches!(refused, StartError::PoolTooSmall { have: 1024, .. }), "{refused}");

    let refused = Dataplane::start(&config, policy(), Arc::default(), Arc::default()).unwrap_err();
    let error = SetupError::NoSpread {
        device: "net_null0".to_owned(),
        driver: "net_null".to_owned(),
        workers: 2,
        reason: NoSpread::Software,
    };
    assert_eq!(refused, StartError::Port { port: "inside".into(), error });

    // … and by it: no driver has that name.
    let mut unknown = config.clone();
    unknown.workers.truncate(1);
    unknown.ports[1] = port("outside", "net_bogus0");
    let refused = Dataplane::start(&unknown, policy(), Arc::default(), Arc::default()).unwrap_err();
    assert!(matches!(&refused, StartError::Port { port, .. } if &**port == "outside"), "{refused}");

    let runtime = format!("dpdk/ostiary-refused-{}", std::process::id());
    assert!(["/run", "/tmp"].iter().all(|folder| !PathBuf::from(folder).join(&runtime).exists()));
    // DPDK starts once in a process.
    let again = Dataplane::start(&unknown, policy(), Arc::default(), Arc::default()).unwrap_err();
    assert_eq!(again, StartError::Setup(SetupError::StartedBefore));
}
