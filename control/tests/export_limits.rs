//! Rate limits: what is above them is given up, counted, and said to the host.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::time::{Duration, Instant};

use control::export::{Cause, Format, HostConfig, Transport};
use control::record::Class;
use export_lab::{Collector, Rig, create, flow_v4, host, login, loopback, messages, parameter};

#[test]
fn what_a_rate_limit_suppressed_is_said_with_how_many() {
    const RECORDS: u64 = 500;
    let (limited, free) = (Collector::listen(loopback(0), true), Collector::listen(loopback(0), true));
    let config = host("limited", limited.address, Transport::Tcp, Format::Syslog);
    let mut rig = Rig::new(vec![
        HostConfig { limits: vec![(Class::Session, 40)], ..config },
        host("free", free.address, Transport::Tcp, Format::Syslog),
    ]);
    rig.until_up("limited");
    rig.until_up("free");
    for sequence in 1..=RECORDS {
        rig.push(&create(2 * sequence - 1, flow_v4()));
        rig.push(&login(2 * sequence, "10001"));
    }
    rig.until_sent("limited");
    rig.until_sent("free");
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(20)).is_empty());
    let (session, im) = (rig.counts("limited", Class::Session), rig.counts("limited", Class::Im));
    let suppressed = session.dropped_by(Cause::Suppressed);
    assert_eq!((session.generated, session.acknowledged + suppressed), (RECORDS, RECORDS));
    assert!(session.acknowledged >= 40 && suppressed > 0, "{session:?}");
    assert_eq!((im.acknowledged, im.dropped()), (RECORDS, 0), "another class");
    assert_eq!(rig.counts("free", Class::Session).acknowledged, RECORDS, "another host");

    let said: Vec<String> = messages(&limited.end().concat());
    let losses: Vec<&String> = said.iter().filter(|message| parameter(message, "count").is_some()).collect();
    let told: u64 = losses.iter().map(|loss| parameter(loss, "count").unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(told, suppressed, "{losses:?}");
    let places = losses.iter().filter_map(|loss| parameter(loss, "place"));
    assert!(places.into_iter().all(|place| place == "rate:limited"));
    assert_eq!(said.len() - losses.len(), (session.acknowledged + RECORDS) as usize);
}
