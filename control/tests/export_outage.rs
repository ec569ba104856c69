//! Hosts that stall, die and come back: nobody else waits, and no record is unaccounted for.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use control::export::{Format, HostConfig, HostState, Transport};
use control::record::{Class, LossPlace};
use export_lab::{
    Collector, Pki, Rig, Rsyslog, create, flow_v4, free_port, have, host, login, loopback, messages, parameter, wait,
};

/// The sequence numbers of the records in messages, and how many records of a class they say were lost.
fn account_for(messages: &[String], class: &str) -> (BTreeSet<u64>, u64) {
    let (mut sequences, mut losses) = (BTreeSet::new(), std::collections::BTreeMap::new());
    for message in messages {
        let sequence: u64 = parameter(message, "seq").unwrap().parse().unwrap();
        if parameter(message, "event").as_deref() != Some("log-loss") {
            sequences.insert(sequence);
        } else if parameter(message, "class").as_deref() == Some(class) {
            losses.insert(sequence, parameter(message, "count").unwrap().parse::<u64>().unwrap());
        }
    }
    (sequences, losses.values().sum())
}

fn tcp(name: &str, collector: &Collector) -> HostConfig {
    host(name, collector.address, Transport::Tcp, Format::Syslog)
}

#[test]
fn a_host_that_stalls_holds_up_nobody_and_is_told_what_it_lost() {
    const RECORDS: u64 = 40_000;
    let (well, stalled) = (Collector::listen(loopback(0), true), Collector::listen(loopback(0), false));
    let mut rig = Rig::new(vec![HostConfig { queue: 500, ..tcp("stalled", &stalled) }, tcp("well", &well)]);
    rig.until_up("stalled");
    rig.until_up("well");
    for sequence in 1..=RECORDS {
        rig.push(&create(sequence, flow_v4()));
        if sequence.is_multiple_of(100) {
            rig.turn();
        }
    }
    rig.until_sent("well");
    let counts = rig.counts("stalled", Class::Session);
    assert_eq!((counts.generated, counts.queued - counts.unacknowledged), (RECORDS, 500));
    assert_eq!(counts.sent + counts.dropped(), RECORDS - 500);
    assert!(counts.dropped() > 0, "the kernel's buffers are larger than this test thinks: {counts:?}");
    rig.until("the operator to see it", |rig| rig.status("stalled").state == HostState::Stalled);

    stalled.read_from_now_on();
    rig.until_sent("stalled");
    rig.until("the loss to be said", |rig| rig.counts("stalled", Class::Session).losses_said > 0);
    let left = rig.exporters.drain(Instant::now() + Duration::from_millis(300));
    assert!(left.is_empty());
    let counts = rig.counts("stalled", Class::Session);
    assert_eq!((counts.resent, rig.status("stalled").reconnects), (0, 0));

    let (got, said) = account_for(&messages(&well.end().concat()), "session");
    assert_eq!((got.len() as u64, said), (RECORDS, 0));
    let stream = stalled.end().concat();
    let (got, said) = account_for(&messages(&stream), "session");
    assert_eq!((got.len() as u64, said), (counts.sent, counts.dropped()), "exactly what was lost was said");
    assert_eq!(got.len() as u64 + said, RECORDS);
    let place = messages(&stream).iter().find_map(|message| parameter(message, "place"));
    assert_eq!(place.as_deref(), Some("host:stalled"));
}

#[test]
fn a_host_that_dies_three_times_in_mid_stream_gets_every_record() {
    const EACH: u64 = 4_000;
    let well = Collector::listen(loopback(0), true);
    let mut dying = Collector::listen(loopback(0), true);
    let address = dying.address;
    let mut rig = Rig::new(vec![tcp("dying", &dying), tcp("well", &well)]);
    let (mut got, mut sequence) = (BTreeSet::new(), 0);
    for round in 1..=3 {
        rig.until_up("dying");
        for _ in 0..EACH {
            sequence += 1;
            rig.push(&login(sequence, "10001"));
            if sequence.is_multiple_of(50) {
                rig.turn();
            }
        }
        // With what is in its buffer unread, and perhaps a message half read.
        got.extend(account_for(&messages_of(dying.end()), "im").0);
        rig.until("the loss of the connection", |rig| rig.status("dying").state == HostState::Waiting);
        sequence += 1;
        rig.push(&login(sequence, "10001"));
        rig.until("two refused attempts", |rig| rig.noticed("dying", "refused") >= 2 || round > 1);
        dying = Collector::listen(address, true);
    }
    rig.until_sent("dying");
    rig.until_sent("well");
    let counts = rig.counts("dying", Class::Im);
    assert_eq!((counts.generated, counts.sent, counts.dropped()), (sequence, sequence, 0));
    assert_eq!(rig.status("dying").reconnects, 3);
    assert_eq!((rig.status("well").reconnects, rig.counts("well", Class::Im).resent), (0, 0));
    rig.exporters.drain(Instant::now() + Duration::from_millis(300));
    got.extend(account_for(&messages_of(dying.end()), "im").0);
    assert_eq!(got, (1..=sequence).collect::<BTreeSet<u64>>());
    assert_eq!(account_for(&messages_of(well.end()), "im").0.len() as u64, sequence);
}

/// Of all connections, each of which may end within a message.
fn messages_of(connections: Vec<Vec<u8>>) -> Vec<String> {
    connections.iter().flat_map(|stream| messages(stream)).collect()
}

#[test]
fn rsyslog_killed_three_times_in_a_row_has_every_record() {
    if !have(&["rsyslogd"]) {
        return;
    }
    let pki = Pki::new();
    for (mut collector, transport) in
        [(Rsyslog::tcp(), Transport::Tcp), (Rsyslog::tls(&pki, "server"), Transport::Tls(pki.policy()))]
    {
        let mut rig = Rig::new(vec![host("siem", loopback(collector.port), transport, Format::Syslog)]);
        let mut sequence = 0;
        for _ in 0..3 {
            rig.until_up("siem");
            for _ in 0..200 {
                sequence += 1;
                rig.push(&login(sequence, "10001"));
            }
            rig.until_sent("siem");
            // What a collector has taken and not written down dies with it: plain TCP cannot tell.
            wait("rsyslog to have written them", || collector.sequences().len() as u64 == sequence);
            collector.kill();
            rig.until("the loss of the connection", |rig| rig.status("siem").state != HostState::Up);
            collector.restart();
        }
        rig.until_up("siem");
        rig.until_sent("siem");
        wait("rsyslog to have all", || collector.sequences().len() as u64 == sequence);
        assert_eq!(rig.counts("siem", Class::Im).sent, sequence);
        assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(20)).is_empty());
    }
}

#[test]
fn each_ipfix_connection_is_a_transport_session_of_its_own() {
    let mut collector = Collector::listen(loopback(0), true);
    let address = collector.address;
    let mut rig = Rig::new(vec![host("nms", address, Transport::Tcp, Format::Binary)]);
    for sequence in 1..=3 {
        rig.until_up("nms");
        rig.push(&login(sequence, "10001"));
        rig.until_sent("nms");
        let stream = collector.end().concat();
        // Version 10; sequence 0; it begins with the template of type information.
        assert_eq!((&stream[..2], &stream[8..12], &stream[16..18]), (&[0, 10][..], &[0; 4][..], &[0, 3][..]));
        rig.until("the loss of the connection", |rig| rig.status("nms").state != HostState::Up);
        collector = Collector::listen(address, true);
    }
}

#[test]
fn a_udp_host_that_is_not_there_costs_a_pause_not_its_records() {
    let port = free_port();
    let mut rig = Rig::new(vec![host("siem", loopback(port), Transport::Udp, Format::Syslog)]);
    for sequence in 1..=5 {
        rig.push(&login(sequence, "10001"));
    }
    rig.until("the ICMP error to be said", |rig| rig.noticed("siem", "ICMP") >= 2);
    let socket = UdpSocket::bind(loopback(port)).unwrap();
    rig.push(&login(6, "10001"));
    rig.until_sent("siem");
    let mut buffer = [0; 2_048];
    let octets = socket.recv(&mut buffer).unwrap();
    assert!(String::from_utf8_lossy(&buffer[..octets]).contains(" IM_LOGIN "));
}

#[test]
fn stopping_is_bounded_and_counts_what_is_left() {
    let stalled = Collector::listen(loopback(0), false);
    let absent = host("absent", loopback(free_port()), Transport::Tcp, Format::Syslog);
    let mut rig = Rig::new(vec![HostConfig { queue: 10, ..absent }, tcp("stalled", &stalled)]);
    rig.until_up("stalled");
    rig.until("a refusal", |rig| rig.noticed("absent", "cannot connect") > 0);
    for sequence in 1..=30_000 {
        rig.push(&login(sequence, "10001"));
    }
    rig.until("the socket to be full", |rig| rig.status("stalled").state == HostState::Stalled);
    let queued = rig.counts("stalled", Class::Im).queued;
    assert!(queued > 0);
    let left = rig.exporters.drain(Instant::now() + Duration::from_millis(200));
    let mut left: Vec<(u64, LossPlace)> = left.into_iter().map(|loss| (loss.count, loss.place)).collect();
    left.sort_by_key(|(count, _)| *count);
    let place = LossPlace::Shutdown;
    assert_eq!(
        left,
        [(10, place("absent".into())), (queued, place("stalled".into())), (29_990, LossPlace::Host("absent".into())),]
    );
    for host in ["absent", "stalled"] {
        let counts = rig.counts(host, Class::Im);
        assert_eq!((counts.queued, counts.acknowledged + counts.dropped()), (0, 30_000));
        assert_eq!(rig.status(host).state, HostState::Stopped);
    }
}

#[test]
fn a_host_gets_each_class_in_its_format_and_only_what_it_wants() {
    let (both, im) = (Collector::listen(loopback(0), true), Collector::listen(loopback(0), true));
    let only_im = HostConfig { records: vec![(Class::Im, Format::Syslog)], ..tcp("im", &im) };
    let mixed = vec![(Class::Im, Format::Syslog), (Class::Session, Format::Binary)];
    let mixed = HostConfig { records: mixed, ..tcp("both", &both) };
    let mut rig = Rig::new(vec![mixed, only_im]);
    rig.push(&login(1, "10001"));
    rig.push(&create(2, flow_v4()));
    rig.until_sent("im");
    rig.until("both formats", |rig| {
        let of_both = |status: &control::export::HostStatus| &*status.name == "both";
        rig.exporters.status().iter().filter(|s| of_both(s)).all(|s| s.classes[0].counts.sent == 1)
    });
    assert_eq!(rig.exporters.tokens().len(), 3);
    rig.exporters.drain(Instant::now() + Duration::from_millis(300));
    assert_eq!(messages_of(im.end()).len(), 1);
    let streams = both.end();
    assert_eq!(streams.len(), 2);
    let (binary, syslog): (Vec<_>, Vec<_>) = streams.into_iter().partition(|stream| stream.starts_with(&[0, 10]));
    assert_eq!(binary.len(), 1);
    assert_eq!(account_for(&messages_of(syslog), "im").0, BTreeSet::from([1]));
}
