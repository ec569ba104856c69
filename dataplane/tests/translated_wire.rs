//! Source NAT in a pipeline as it is in service, without what is compiled into it for its own tests: every packet of
//! a session is translated, not its first only.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use common::lab;
use dataplane::endpoint::Address;
use dataplane::event::{self, WorkerId};
use dataplane::nat::{PoolId, PoolSource};
use dataplane::pipeline::{Frame, Pipeline, Settings};
use dataplane::policy::{AddressRange, PortId, PortRange, RuleSource};
use dataplane::time::Nanos;
use dataplane::verdict::Verdict;

const INSIDE: [u8; 4] = [10, 0, 0, 1];
const OUTSIDE: [u8; 4] = [198, 51, 100, 10];
const SERVER: [u8; 4] = [192, 0, 2, 1];

fn pipeline() -> Pipeline {
    let pool = PoolSource {
        addresses: vec![AddressRange { first: Address::v4(OUTSIDE), last: Address::v4(OUTSIDE) }],
        ports: PortRange { first: 1024, last: 65_535 },
        ports_per_host: None,
        hold: Duration::from_secs(120),
    };
    let settings = Settings { nat: vec![pool], ..lab::settings(0) };
    let policy = lab::policy(RuleSource { source_nat: Some(PoolId(0)), ..lab::outbound() });
    let (sender, _receiver) = event::channel(WorkerId(0), 100, 100);
    Pipeline::new(settings, policy, Arc::default(), sender)
}

/// Sends a datagram; its ends as it leaves.
fn pass(pipeline: &mut Pipeline, from: u16, mut bytes: Vec<u8>) -> ([u8; 6], [u8; 6]) {
    let length = bytes.len() as u32;
    let mut verdicts = ArrayVec::new();
    let mut frames = [Frame::new(PortId(from), &mut bytes, length)];
    pipeline.process(Nanos::from_parts(1_800_000_000, 0), &mut frames, &mut verdicts);
    assert_eq!(verdicts[0], Verdict::Forward(PortId(1 - from)));
    let end = |address: usize, port: usize| {
        let octets: Vec<u8> = bytes[address..address + 4].iter().chain(&bytes[port..port + 2]).copied().collect();
        octets.try_into().unwrap()
    };
    (end(26, 34), end(30, 36))
}

fn end(address: [u8; 4], port: u16) -> [u8; 6] {
    let ([a, b, c, d], [high, low]) = (address, port.to_be_bytes());
    [a, b, c, d, high, low]
}

#[test]
fn every_packet_of_a_session_is_translated() {
    let mut pipeline = pipeline();
    let (client, server) = (end(INSIDE, 4000), end(SERVER, 53));
    let question = common::udp(INSIDE, SERVER, (4000, 53), b"question");
    let (outside, to) = pass(&mut pipeline, 0, question.clone());
    assert_eq!((&outside[..4], to), (&OUTSIDE[..], server));
    let answer = common::udp(SERVER, OUTSIDE, (53, u16::from_be_bytes([outside[4], outside[5]])), b"answer");
    for _ in 0..3 {
        assert_eq!(pass(&mut pipeline, 0, question.clone()), (outside, server));
        assert_eq!(pass(&mut pipeline, 1, answer.clone()), (server, client));
    }
}
