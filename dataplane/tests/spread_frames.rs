//! Frames that are not as usual through a worker: in several segments, the cuts anywhere, also where headers are rewritten
//! there; and frames whose octets a device still owes. What leaves is what would have left of the frame in one piece.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::lab::{self, Cable, Peer, mbuf};
use common::packet::{Packet, TCP, UDP, packet, put_checksums};
use crossbeam::channel::{Sender, bounded};
use dataplane::command::Command;
use dataplane::counters::{Counter, Counters};
use dataplane::dpdk::{Clock, Eal, Mbuf, Pool, PoolConfig, Transport, Work};
use dataplane::endpoint::Address;
use dataplane::event::{self, WorkerId};
use dataplane::nat::{PoolId, PoolSource};
use dataplane::pipeline::{Pipeline, Settings};
use dataplane::policy::{Action, AddressRange, PortId, PortRange, RuleSource, ZoneId};
use dataplane::route::{Arp, Config, Interface, Kind, Mac, Ndp};
use dataplane::worker::{Worker, WorkerExit};

const INSIDE: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [192, 0, 2, 1];
const POOL: [u8; 4] = [198, 51, 100, 10];
const INSIDE_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const SERVER_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A worker between two ports, and their other ends.
struct Line {
    client: Peer,
    server: Peer,
    counters: Arc<Counters>,
    mailbox: Sender<Command>,
    thread: thread::JoinHandle<WorkerExit>,
}

impl Line {
    fn start(name: &str, eal: &Arc<Eal>, pool: &Arc<Pool>, settings: Settings, rule: RuleSource) -> Self {
        let [inside, outside] = ["inside", "outside"].map(|side| format!("{name}_{side}"));
        let [a, b] = [&inside, &outside].map(|name| Cable::new(eal, name, 256, 256));
        let queues = vec![a.firewall(&inside, pool), b.firewall(&outside, pool)];
        let (sender, _receiver) = event::channel(WorkerId(0), 1000, 100);
        let pipeline = Pipeline::new(settings, lab::policy(rule), Arc::default(), sender);
        let counters = Arc::clone(pipeline.counters());
        let (mailbox, commands) = bounded(4);
        let worker = Worker::new(queues, pipeline, commands, Clock::start(eal), Arc::clone(pool));
        let thread = lab::on_first_cpu(move || worker.run());
        Self { client: a.peer(&inside, pool), server: b.peer(&outside, pool), counters, mailbox, thread }
    }

    fn stop(self) {
        self.mailbox.send(Command::Stop).unwrap();
        assert_eq!(self.thread.join().unwrap(), WorkerExit { abandoned: 0 });
    }
}

/// A frame in segments, the first so many octets long, and so on; the last has the rest.
fn cut(pool: &Arc<Pool>, frame: &[u8], lengths: &[usize]) -> Mbuf {
    let mut rest = frame;
    let mut pieces = Vec::new();
    for length in lengths.iter().copied().chain(std::iter::repeat(2048)) {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(mbuf(pool, piece));
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    let mut pieces = pieces.into_iter();
    let mut whole = pieces.next().unwrap();
    pieces.for_each(|piece| assert!(whole.chain(piece).is_ok()));
    assert!(whole.segments() > 1 && whole.length() as usize == frame.len());
    whole
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|octet| (octet * 7 + octet / 251) as u8).collect()
}

/// Where frames are cut: behind the headers, within each of them, one octet at a time.
const CUTS: [&[usize]; 6] =
    [&[2000], &[14, 20], &[31], &[37, 3, 1], &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], &[53, 1]];

#[test]
fn frames_in_segments_and_frames_that_a_device_owes_leave_as_they_ought() {
    let eal = common::eal(128);
    let pool = common::pool(&eal, 8191, PoolConfig::DATA_ROOM);
    jumbo_frames_are_translated(&eal, &pool);
    jumbo_frames_are_routed(&eal, &pool);
    what_devices_owe_is_done(&eal, &pool);
    assert_eq!(pool.in_use(), 0);
}

fn jumbo_frames_are_translated(eal: &Arc<Eal>, pool: &Arc<Pool>) {
    let address = Address::v4(POOL);
    let nat = PoolSource {
        addresses: vec![AddressRange { first: address, last: address }],
        ports: PortRange { first: 1024, last: 65_535 },
        ports_per_host: None,
        hold: Duration::from_secs(120),
    };
    let settings = Settings { nat: vec![nat], ..lab::settings(0) };
    let rule = RuleSource { source_nat: Some(PoolId(0)), ..lab::outbound() };
    let mut line = Line::start("nat", eal, pool, settings, rule);
    let data = payload(8900);
    for protocol in [TCP, UDP] {
        let (ask, answer) = (packet(protocol, [(&INSIDE, 4000), (&SERVER, 443)], 0, &data), payload(8901));
        // Twice each: the session's first packet, and those that follow.
        for cuts in CUTS.iter().flat_map(|cuts| [cuts; 2]) {
            line.client.send_as_they_are([cut(pool, &ask.whole(), cuts)]);
            let left = line.server.receive(1).remove(0);
            let port = u16::from_be_bytes([left[34], left[35]]);
            assert!(left == ask.with(12, &POOL).with(20, &port.to_be_bytes()).whole(), "{protocol} {cuts:?}");
            let back = packet(protocol, [(&SERVER, 443), (&POOL, port)], 0, &answer);
            line.server.send_as_they_are([cut(pool, &back.whole(), cuts)]);
            let arrived = line.client.receive(1).remove(0);
            let expected = packet(protocol, [(&SERVER, 443), (&INSIDE, 4000)], 0, &answer);
            assert!(arrived == expected.whole(), "{protocol} {cuts:?}");
        }
    }
    // A checksum that is still owed, of a frame in segments, is put in before addresses and port are changed.
    let ask = packet(UDP, [(&INSIDE, 4000), (&SERVER, 443)], 0, &data);
    let mut owed = cut(pool, &ask.bare(), &[61, 7]);
    owed.leave(&checksums(&ask, Transport::Udp));
    line.client.send_as_they_are([owed]);
    let mut left = line.server.receive(1).remove(0);
    assert_eq!(left[26..30], POOL);
    let received = left.clone();
    put_checksums(&mut left, 14, 20, UDP);
    assert_eq!((&left[14..42], left == received), (&received[14..42], true));
    assert_eq!(line.counters.value(Counter::SessionsTranslated), 2);
    line.stop();
}

const OURS: [[u8; 6]; 2] = [[2, 0, 0, 0, 1, 0], [2, 0, 0, 0, 1, 1]];
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn jumbo_frames_are_routed(eal: &Arc<Eal>, pool: &Arc<Pool>) {
    let own = [[10, 0, 0, 254], [192, 0, 2, 254]];
    let own_v6 = [INSIDE_V6, SERVER_V6].map(|mut address| {
        address[15] = 0xfe;
        address
    });
    let interface = |port: usize| Interface {
        port: PortId(port as u16),
        mac: Mac(OURS[port]),
        mtu: 9000,
        addresses: vec![(Address::v4(own[port]), 24), (Address(own_v6[port]), 64)],
        reverse_path: true,
    };
    let routing = Config {
        interfaces: vec![interface(0), interface(1)],
        routes: vec![],
        own: Some(PortId(2)),
        management: None,
        neighbours: 64,
    };
    let settings = Settings { wires: vec![], routing, ..lab::settings(0) };
    let mut line = Line::start("route", eal, pool, settings, lab::outbound());
    // Both ends ask for us, and so are known.
    let ends = [(CLIENT_MAC, INSIDE, INSIDE_V6), (SERVER_MAC, SERVER, SERVER_V6)];
    for (port, (peer, (mac, v4, v6))) in [&mut line.client, &mut line.server].into_iter().zip(ends).enumerate() {
        let sender = (Mac(mac), Address::v4(v4));
        let arp = Arp { asks: true, sender, target: (Mac::default(), Address::v4(own[port])) };
        let (source, target) = (Address(v6), Address(own_v6[port]));
        let ndp = Ndp { source, destination: target, target, mac: Some(Mac(mac)), kind: Kind::Solicitation };
        peer.send([arp.frame(Mac::BROADCAST).to_vec(), ndp.frame(Mac(mac), Mac(OURS[port])).to_vec()]);
    }
    while line.counters.value(Counter::Neighbours) < 4 {
        thread::yield_now();
    }
    let data = payload(8900);
    for (protocol, is_v4) in [(TCP, true), (UDP, true), (TCP, false), (UDP, false)] {
        let [client, server]: [&[u8]; 2] = if is_v4 { [&INSIDE, &SERVER] } else { [&INSIDE_V6, &SERVER_V6] };
        let hop_limit = if is_v4 { 8 } else { 7 };
        for cuts in CUTS.iter().flat_map(|cuts| [cuts; 2]) {
            let ask = packet(protocol, [(client, 4000), (server, 443)], 0, &data);
            line.client.send_as_they_are([cut(pool, &ask.between([OURS[0], CLIENT_MAC]).whole(), cuts)]);
            let expected = ask.with(hop_limit, &[63]).between([SERVER_MAC, OURS[1]]);
            assert!(next(&mut line.server) == expected.whole(), "{protocol} {is_v4} {cuts:?}");
            let answer = packet(protocol, [(server, 443), (client, 4000)], 0, &data);
            line.server.send_as_they_are([cut(pool, &answer.between([OURS[1], SERVER_MAC]).whole(), cuts)]);
            let expected = answer.with(hop_limit, &[63]).between([CLIENT_MAC, OURS[0]]);
            assert!(next(&mut line.client) == expected.whole(), "{protocol} {is_v4} {cuts:?}");
        }
    }
    line.stop();
}

/// The next frame that is of TCP or UDP.
fn next(peer: &mut Peer) -> Vec<u8> {
    loop {
        let frame = peer.receive_some().into_iter().find(|frame| match frame[12..14] {
            [0x08, 0x00] => [TCP, UDP].contains(&frame[23]),
            [0x86, 0xdd] => [TCP, UDP].contains(&frame[20]),
            _ => false,
        });
        if let Some(frame) = frame {
            return frame;
        }
        thread::yield_now();
    }
}

fn checksums(packet: &Packet, transport: Transport) -> Work {
    let is_v6 = packet.bare()[packet.link] >> 4 == 6;
    Work {
        link: packet.link as u16,
        network: packet.network as u16,
        transport: if transport == Transport::Tcp { 20 } else { 0 },
        is_v6,
        network_checksum: !is_v6,
        transport_checksum: Some(transport),
        ..Work::default()
    }
}

fn what_devices_owe_is_done(eal: &Arc<Eal>, pool: &Arc<Pool>) {
    let rule = RuleSource { session_logging: true, ..RuleSource::any(Action::Permit) };
    let rule = RuleSource { from: vec![ZoneId(0)], ..rule };
    let mut line = Line::start("owed", eal, pool, lab::settings(0), rule);
    let mut passes = |name: &str, frame: Mbuf, expected: &[u8]| {
        line.client.send_as_they_are([frame]);
        assert!(line.server.receive(1)[0] == expected, "{name}");
    };
    let v4: [(&[u8], u16); 2] = [(&INSIDE, 4000), (&SERVER, 443)];
    let v6: [(&[u8], u16); 2] = [(&INSIDE_V6, 4000), (&SERVER_V6, 443)];
    let (vlan, provider) = ((0x8100, 0x3007), (0x88a8, 0x4009));

    for (protocol, transport) in [(TCP, Transport::Tcp), (UDP, Transport::Udp)] {
        for (ends, extra) in [(v4, 0), (v4, 8), (v6, 0), (v6, 8), (v6, 16)] {
            for length in [33, 8001] {
                let plain = packet(protocol, ends, extra, &payload(length));
                let name = format!("{transport:?} {extra} {length} {}", ends[0].0.len());
                let in_segments = |frame: &[u8]| cut(pool, frame, &[119, 11]);
                let one = |frame: &[u8]| if length < 2000 { mbuf(pool, frame) } else { in_segments(frame) };
                let work = checksums(&plain, transport);

                // Checksums; not over what follows the packet; behind tags that are in the frame.
                for packet in [&plain, &plain.padded(5), &plain.tagged(&[vlan]), &plain.tagged(&[provider, vlan])] {
                    let mut frame = one(&packet.bare());
                    frame.leave(&Work { link: packet.link as u16, ..work });
                    passes(&name, frame, &packet.whole());
                }
                // Tags to be put in, with and without checksums.
                let (tag, outer_tag) = (Some(vlan.1), Some(provider.1));
                let (single, double) = (plain.tagged(&[vlan]).whole(), plain.tagged(&[provider, vlan]).whole());
                for (tags, expected) in [(Work { tag, ..work }, &single), (Work { tag, outer_tag, ..work }, &double)] {
                    let mut frame = one(&plain.bare());
                    frame.leave(&tags);
                    passes(&name, frame, expected);
                    let mut frame = one(&plain.whole());
                    frame.leave(&Work { tag: tags.tag, outer_tag: tags.outer_tag, ..Work::default() });
                    passes(&name, frame, expected);
                }
                // Tags that were taken out: the one; of two, the outer one; both.
                for (tagged, count) in [(&single, 1), (&double, 1), (&double, 2)] {
                    let mut frame = one(tagged);
                    assert!(
                        frame.strip_tags(count) && frame.length() as usize == tagged.len() - 4 * usize::from(count)
                    );
                    passes(&name, frame, tagged);
                }
                // One taken out by the device that received it, the checksum left to that which sends it.
                let mut frame = one(&plain.tagged(&[provider, vlan]).bare());
                assert!(frame.strip_tags(2));
                frame.leave(&work);
                passes(&name, frame, &double);
            }
        }
    }

    // What cannot be done, or is not true of the frame, is dropped by name.
    let forwarded = line.counters.value(Counter::PacketsForwarded);
    let tcp = packet(TCP, v4, 0, &payload(1400));
    let work = checksums(&tcp, Transport::Tcp);
    let refused = [
        Work { cut: Some(500), ..work },
        Work { network: 400, link: 120, ..work },
        Work { network: 16, ..work },
        Work { network: 24, ..work },
        Work { link: 15, ..work },
        Work { is_v6: true, network: 40, ..work },
        Work { is_v6: true, network: 40, network_checksum: false, ..work },
    ];
    let count = refused.len() as u64;
    for work in refused {
        let mut frame = mbuf(pool, &tcp.bare());
        frame.leave(&work);
        line.client.send_as_they_are([frame]);
    }
    let offload = dataplane::verdict::DropReason::OffloadRequested;
    while line.counters.drops(offload) < count {
        thread::yield_now();
    }
    assert_eq!(line.counters.value(Counter::PacketsForwarded), forwarded);
    line.stop();
}
