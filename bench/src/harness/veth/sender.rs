//! The sender: frames of 64 octets at a steady rate out of a network device, every so many a probe that carries its time.

use std::sync::Arc;
use std::time::Duration;

use dataplane::dpdk::{Burst, Device, Eal, EalConfig, Found, Memory, Pool, PoolConfig, Queues, WorkerThread};
use rustix::time::{ClockId, clock_gettime};

use super::super::flow::Flow;
use super::{Load, cables};
use crate::harness::Fallible;
use crate::pktgen::frames::{Link, Side, udp_packet};

/// Sends a [`Load`], as JSON, to this Ethernet address out of `g0`. DPDK starts once a process: this is one of its own, in the sender's
/// namespace.
///
/// # Errors
/// Where DPDK or the device refuse.
pub fn send(mac: &str, load: &str) -> Fallible<()> {
    let load: Load = serde_json::from_str(load)?;
    let mut address = [0; 6];
    for (octet, text) in address.iter_mut().zip(mac.split(':')) {
        *octet = u8::from_str_radix(text, 16)?;
    }
    let eal = Eal::start(&EalConfig {
        file_prefix: format!("ostiary-sender-{}", std::process::id()),
        memory: Memory::Ordinary { mib: 128 },
        nics: Vec::new(),
    })?;
    let config = PoolConfig { name: "frames".to_owned(), mbufs: 8191, data_room: PoolConfig::DATA_ROOM, node: None };
    let pool = Pool::create(&eal, &config)?;
    let found = Found::probe(&eal, &DEVICE.parse::<Device>()?)?;
    let (_port, mut queues) = found.start(Queues { pairs: 1, receive: 512, transmit: 512, mtu: 1500 }, &pool)?;
    let _thread = WorkerThread::enter(load.cpu)?;
    let frames = frames(address, load.flows);
    let probe = probe(address);

    let mut burst = Burst::new();
    let (begin, mut sent) = (now(), 0_u64);
    let end = u64::try_from((load.time + LEAD).as_nanos())?;
    loop {
        let passed = now() - begin;
        if passed >= end {
            return Ok(());
        }
        // What is late by more than a burst is not made up for: the device took no more.
        let due = passed * u64::from(load.rate) / 1_000_000_000;
        sent = sent.max(due.saturating_sub(BURST));
        if due < sent + BURST {
            std::hint::spin_loop();
            continue;
        }
        fill(&mut burst, &pool, &frames, &probe, sent);
        sent += BURST;
        queues[0].send(&mut burst);
        burst.clear();
    }
}

fn fill(burst: &mut Burst, pool: &Arc<Pool>, frames: &[Vec<u8>], probe: &[u8], from: u64) {
    for number in from..from + BURST {
        let Some(mut mbuf) = pool.allocate() else { return };
        let is_probe = number % ONE_PROBE_IN == 0;
        let frame = if is_probe { probe } else { &frames[number as usize % frames.len()] };
        if !mbuf.append(frame) {
            return;
        }
        if is_probe && let Some(place) = mbuf.bytes_mut().get_mut(HEADERS..HEADERS + 8) {
            place.copy_from_slice(&now().to_be_bytes());
        }
        if burst.push(mbuf).is_err() {
            return;
        }
    }
}

fn frames(mac: [u8; 6], flows: u32) -> Vec<Vec<u8>> {
    let link = Link { server: mac, ..Link::plain() };
    let frame = |number| {
        let (from, to) = Flow(number).ends().of(Side::Client);
        without_checksum(link.frame(Side::Client, &udp_packet(from, to, 0, &[0; PAYLOAD])))
    };
    (0..flows).map(frame).collect()
}

fn probe(mac: [u8; 6]) -> Vec<u8> {
    let link = Link { server: mac, ..Link::plain() };
    let (from, to) = (
        ([10, 200, 0, 1], PROBES).into(),
        (cables::SINK.parse::<std::net::Ipv4Addr>().expect("an address"), PROBES).into(),
    );
    without_checksum(link.frame(Side::Client, &udp_packet(from, to, 0, &[0; PAYLOAD])))
}

/// UDP allows that in IPv4 (RFC 768); the time is written later.
fn without_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    frame[HEADERS - 2..HEADERS].fill(0);
    frame
}

/// The kernel's monotonic clock, the same in every process.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

const DEVICE: &str = "net_af_packet0,iface=g0,framesz=2048,framecnt=512";
/// UDP port of probes.
pub const PROBES: u16 = 4790;
/// Every so many frames one is a probe.
const ONE_PROBE_IN: u64 = 1009;
const BURST: u64 = 32;
/// Ethernet, IPv4, UDP.
const HEADERS: usize = 42;
const PAYLOAD: usize = 64 - HEADERS;
/// Sent in addition, before and after what is counted.
const LEAD: Duration = Duration::from_secs(3);
