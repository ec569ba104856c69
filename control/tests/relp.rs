//! RELP towards a server that refuses, ends and keeps silent on demand; towards rsyslog: `export_rsyslog` and the outages.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use control::export::{Cause, Format, HostConfig, HostState, Patience, Transport, WindowLimits};
use control::record::Class;
use export_lab::{Manner, RelpServer, Rig, Seen, host, login, parameter};

fn relp(server: &RelpServer) -> HostConfig {
    host("siem", server.address, Transport::Relp, Format::Syslog)
}

fn push(rig: &mut Rig, sequences: std::ops::RangeInclusive<u64>) {
    sequences.for_each(|sequence| rig.push(&login(sequence, "10001")));
}

/// The records among messages, without those that say a loss.
fn sequences(seen: &Seen) -> Vec<u64> {
    let messages = seen.messages.iter().filter(|(_, message)| message.contains(" IM_LOGIN "));
    messages.map(|(_, message)| parameter(message, "seq").unwrap().parse().unwrap()).collect()
}

fn all(seen: &[Seen]) -> BTreeSet<u64> {
    seen.iter().flat_map(sequences).collect()
}

#[test]
fn every_message_is_answered_and_the_session_ends_in_order() {
    let server = RelpServer::listen(&[Manner::Take]);
    let mut rig = Rig::new(vec![relp(&server)]);
    push(&mut rig, 1..=2_500);
    rig.until_sent("siem");
    let counts = rig.counts("siem", Class::Im);
    assert_eq!((counts.acknowledged, counts.resent, counts.unacknowledged), (2_500, 0, 0));
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(20)).is_empty());
    let seen = server.seen().pop().unwrap();
    assert!(seen.offers.starts_with("relp_version=0\nrelp_software=ostiary,"), "{}", seen.offers);
    assert!(seen.offers.ends_with("\ncommands=syslog"));
    assert_eq!(sequences(&seen), (1..=2_500).collect::<Vec<u64>>());
    assert_eq!((seen.messages[0].0, seen.closed), (2, Some(2_502)));
    assert_eq!(rig.status("siem").state, HostState::Stopped);
}

#[test]
fn what_was_not_answered_when_the_host_ended_is_written_again_and_nothing_else() {
    let server = RelpServer::listen(&[Manner::CloseAfter(30), Manner::CloseAfter(0), Manner::Take]);
    let mut rig = Rig::new(vec![relp(&server)]);
    push(&mut rig, 1..=100);
    rig.until_sent("siem");
    let seen = server.seen();
    assert_eq!(all(&seen), (1..=100).collect::<BTreeSet<u64>>());
    assert_eq!(seen[0].answered, 30);
    assert_eq!(sequences(&seen[2]), (31..=100).collect::<Vec<u64>>(), "what was answered is not written again");
    assert_eq!(rig.counts("siem", Class::Im).acknowledged, 100);
    assert_eq!(rig.noticed("siem", "ended the RELP session"), 2);
}

#[test]
fn a_message_that_the_host_does_not_take_is_written_again() {
    let server = RelpServer::listen(&[Manner::Nak(3)]);
    let mut rig = Rig::new(vec![relp(&server)]);
    push(&mut rig, 1..=10);
    rig.until_sent("siem");
    let seen = server.seen().pop().unwrap();
    assert_eq!((all(std::slice::from_ref(&seen)).len(), seen.messages.len()), (10, 13));
    let counts = rig.counts("siem", Class::Im);
    assert_eq!((counts.refused, counts.resent, counts.acknowledged), (3, 3, 10));
    assert_eq!(rig.status("siem").reconnects, 0);
}

#[test]
fn a_message_that_the_host_never_takes_is_given_up_and_said() {
    let server = RelpServer::listen(&[Manner::Poison("seq=\"4\"")]);
    let mut rig = Rig::new(vec![relp(&server)]);
    push(&mut rig, 1..=10);
    rig.until_sent("siem");
    let counts = rig.counts("siem", Class::Im);
    assert_eq!((counts.refused, counts.dropped_by(Cause::Refused), counts.acknowledged), (5, 1, 9));
    // The record that says so has the lost one's sequence number for its own; this host does not take that either.
    assert_eq!(counts.queued, 0);
}

#[test]
fn a_host_that_answers_nothing_gets_a_window_full_and_then_another_connection() {
    let server = RelpServer::listen(&[Manner::Silent, Manner::Take]);
    let window = WindowLimits { frames: 20, ..WindowLimits::default() };
    let patience =
        Patience { stall: Duration::from_millis(200), answer: Duration::from_secs(2), ..Patience::default() };
    let mut rig = Rig::new(vec![HostConfig { window, patience, ..relp(&server) }]);
    push(&mut rig, 1..=100);
    rig.until("the host to be stalled", |rig| rig.status("siem").state == HostState::Stalled);
    assert_eq!(server.seen()[0].messages.len(), 20);
    rig.until_sent("siem");
    let seen = server.seen();
    assert_eq!((seen[0].messages.len(), seen.len()), (20, 2));
    assert_eq!(all(&seen[1..]), (1..=100).collect::<BTreeSet<u64>>());
    assert_eq!(rig.counts("siem", Class::Im).resent, 20);
}

#[test]
fn a_host_that_opens_no_session_is_told_of_in_words_and_tried_again() {
    let cases: [(&'static [Manner], &str); 5] = [
        (&[Manner::Refuse(b"1 rsp 15 500 not for you\n"), Manner::Take], "refuses the RELP session: 500 not for you"),
        (&[Manner::Refuse(b"HTTP/1.1 400 Bad Request\r\n"), Manner::Take], "does not speak RELP on this port"),
        (&[Manner::Refuse(b"1 rsp 23 200 OK\nrelp_version=0\nx\n"), Manner::Take], "offers no command \"syslog\""),
        (&[Manner::Refuse(b"1 rsp 22 200 OK\ncommands=syslog\n"), Manner::Take], "offers no relp_version"),
        (&[Manner::Refuse(b""), Manner::Take], "in place of opening a RELP session"),
    ];
    for (manners, words) in cases {
        let server = RelpServer::listen(manners);
        let mut rig = Rig::new(vec![relp(&server)]);
        push(&mut rig, 1..=1);
        rig.until_sent("siem");
        assert_eq!(rig.noticed("siem", words), 1, "{words}: {:?}", rig.notices);
        assert_eq!(sequences(&server.seen()[1]), [1]);
    }
}
