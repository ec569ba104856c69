//! Logins whose packets are cut, mixed, repeated, contradicted, forged beside and fragmented, over each kind of link, are
//! told by a replay as those of which nobody meddles with the packets.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bench::pktgen::dice::Dice;
use bench::pktgen::frames::{Ends, Link};
use bench::pktgen::pcap;
use bench::pktgen::script::TimedFrame;
use ostiary_tests::conversation::{self, Conversation, conversations};
use ostiary_tests::disorder::disorder;
use ostiary_tests::policy::Policy;
use ostiary_tests::program::Replay;
use serde_json::Value;

fn links() -> [Link; 4] {
    [Link::plain(), Link::vlan(7), Link::qinq(200, 100), Link::pppoe(5)]
}

/// The client that has a conversation to itself, and its server.
fn ends(is_v6: bool, round: usize, number: usize, port: u16) -> Ends {
    let (client, server) = if is_v6 {
        (format!("[2001:db8:{round}::{number}]:40000"), format!("[2001:db8:ffff::1]:{port}"))
    } else {
        (format!("10.{round}.0.{number}:40000"), format!("192.0.2.1:{port}"))
    };
    Ends { client: client.parse().unwrap(), server: server.parse().unwrap() }
}

/// What is said of each client, its address and times left out; and for what packets were dropped.
fn told(folder: &Path, mut frames: Vec<TimedFrame>, policy: &Path) -> (BTreeMap<SocketAddr, Vec<String>>, Vec<String>) {
    frames.sort_by_key(|frame| frame.at);
    // Hours later, so that whatever is due is told.
    let last = TimedFrame { at: frames.last().unwrap().at + Duration::from_secs(10_000), ..frames[0].clone() };
    frames.push(last);
    let file = folder.join("frames.pcap");
    pcap::write_frames(frames.into_iter(), &mut std::fs::File::create(&file).unwrap()).unwrap();
    let replay = Replay::of(["--config".as_ref(), policy.as_os_str(), file.as_os_str()]);
    assert_eq!(replay.code, 0, "{}", replay.errors);
    let mut told: BTreeMap<SocketAddr, Vec<String>> = BTreeMap::new();
    for event in replay.events.iter().filter(|event| event["event"] == "application" || event["event"] == "signon") {
        let text = |key: &str| match &event[key] {
            Value::Null => String::new(),
            value => format!(" {}", value.as_str().unwrap_or("?")),
        };
        let words = ["application", "action", "result", "reason", "account"].map(text).concat();
        let client = event["client"].as_str().unwrap().parse().unwrap();
        told.entry(client).or_default().push(format!("{}{words}", event["event"].as_str().unwrap()));
    }
    let drops = replay.summary()["drops"].as_object().unwrap().keys().cloned().collect();
    (told, drops)
}

#[test]
fn a_login_is_told_alike_whatever_is_done_to_its_packets() {
    const ROUNDS: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    // With a policy file checksums are verified, as on the wire.
    let mut policy = Policy::new("net_null0", "net_null1").rule("all", "action = \"permit\"\nsession-logging = true\n");
    policy.full = true;
    let signatures = ostiary_tests::policy::signatures(folder.path());
    std::fs::write(&file, policy.text(&folder.path().join("socket"), &signatures)).unwrap();

    let all: Vec<Conversation> = conversations();
    let plain = |ends: Ends, one: &Conversation, size: usize, at: usize| {
        conversation::frames(one, ends, &Link::plain(), Duration::from_secs(1_772_352_000 + at as u64), size)
    };
    let frames = all
        .iter()
        .enumerate()
        .flat_map(|(number, one)| plain(ends(false, 0, number + 1, one.port), one, 1_400, number));
    let (plainly, drops) = told(folder.path(), frames.collect(), &file);
    assert!(drops.is_empty(), "{drops:?}");
    let of = |told: &BTreeMap<SocketAddr, Vec<String>>, ends: Ends| told.get(&ends.client).cloned().unwrap_or_default();
    let expected: Vec<_> =
        all.iter().enumerate().map(|(number, one)| of(&plainly, ends(false, 0, number + 1, one.port))).collect();
    let sign_ons = expected.iter().flatten().filter(|said| said.starts_with("signon")).count();
    assert!(sign_ons >= 10, "{expected:#?}");

    let (mut differences, mut dropped) = (Vec::new(), BTreeSet::new());
    for round in 1..=ROUNDS {
        let ends = |number: usize, port: u16| ends(round % 2 == 0, round, number + 1, port);
        let mut frames = Vec::new();
        for (number, one) in all.iter().enumerate() {
            let mut dice = Dice::named(round as u64, one.name);
            let size = [1, 2, 5, 13, 40, 1_400][dice.between(0, 6) as usize];
            let link = &links()[round / 2 % 4];
            frames.extend(disorder(plain(ends(number, one.port), one, size, 100 * round + number), link, &mut dice));
        }
        // Each round by itself: nobody is at two addresses.
        let (told, drops) = told(folder.path(), frames, &file);
        dropped.extend(drops);
        for (number, one) in all.iter().enumerate() {
            let said = of(&told, ends(number, one.port));
            if said != expected[number] {
                differences.push(format!("{} round {round}: {said:?}, not {:?}", one.name, expected[number]));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    // What was put between did meet who tells it from the rest.
    let dropped: Vec<_> = dropped.iter().map(String::as_str).collect();
    assert_eq!(dropped, ["bad_transport_checksum", "tcp_overlap", "ttl_anomaly"]);
}
