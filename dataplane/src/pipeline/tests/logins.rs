//! A login reads the same however its packets are cut, mixed, repeated, forged beside, fragmented and wrapped.

use std::net::SocketAddr;

use proptest::prelude::*;
use sigdb::{AppId, Sighting};

use super::any_bytes::signatures;
use super::applications::{framed, oicq};
use super::firewall::{Connection, Firewall, policy, rule, settings};
use crate::appid::InspectionId;
use crate::appid::tests::msf;
use crate::event::SessionChange;
use crate::pipeline::Settings;
use crate::policy::{Action, PolicySource};
use crate::wire::build::{Packet, Shim, udp};
use crate::wire::protocol;
use crate::wire::tcp::{ACK, PSH, SYN};

/// Who speaks (the client is 0), and what.
type Turns = Vec<(usize, Vec<u8>)>;

/// What identifies a flow, and a user: the server's port, whether it is TCP, and what is said.
fn logins() -> Vec<(u16, bool, Turns)> {
    let get =
        b"GET /cgi-bin/micromsg-bin/newgetdns?scene=0&uin=20001&net=1 HTTP/1.0\r\nHost: dns.weixin.qq.com\r\n\r\n";
    let found = b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody";
    vec![
        (8000, false, vec![(0, oicq(0x0828)), (1, oicq(0x0828)), (0, oicq(0x0058)), (1, oicq(0x0058))]),
        (8000, true, vec![(0, framed(0x0828)), (1, framed(0x0828)), (0, framed(0x0058)), (1, framed(0x0058))]),
        (
            8080,
            true,
            vec![
                (0, msf(0x0a, 2, true, 30)),
                (1, msf(0x0a, 2, false, 500)),
                (0, msf(0x0a, 1, true, 30)),
                (1, msf(0x0b, 1, false, 60)),
            ],
        ),
        (8080, true, vec![(0, get.to_vec()), (1, found.to_vec())]),
        (443, true, vec![(0, hello(b"web.wechat.com", 1_200)), (1, vec![0x16, 3, 3, 0, 4, 2, 0, 0, 0])]),
    ]
}

/// A ClientHello with a key share of so many octets before the server's name, as those of today are.
fn hello(name: &[u8], share: usize) -> Vec<u8> {
    let part =
        |number: u16, octets: &[u8]| [&number.to_be_bytes()[..], &(octets.len() as u16).to_be_bytes(), octets].concat();
    let name = [&[0][..], &(name.len() as u16).to_be_bytes(), name].concat();
    let names = [&(name.len() as u16).to_be_bytes()[..], &name].concat();
    let extensions = [part(51, &vec![7; share]), part(0, &names)].concat();
    let length = (extensions.len() as u16).to_be_bytes();
    let body = [&[3, 3][..], &[1; 32], &[0, 0, 2, 0x13, 1, 1, 0], &length, &extensions].concat();
    let message = [&[1, 0][..], &(body.len() as u16).to_be_bytes(), &body].concat();
    [&[0x16, 3, 1][..], &(message.len() as u16).to_be_bytes(), &message].concat()
}

/// What is done with a segment.
#[derive(Clone, Copy, Debug)]
struct Trick {
    /// Octets of it.
    size: usize,
    /// By how many others it is late.
    late: usize,
    /// It comes twice.
    again: bool,
    /// Another content follows it.
    forged: bool,
    /// Another content comes before it that nobody takes: with a wrong checksum, or too few hops.
    untaken: Option<bool>,
    /// It comes in fragments of so many octets, the last first.
    fragments: Option<usize>,
}

fn trick() -> impl Strategy<Value = Trick> {
    let size = prop_oneof![1 => Just(1), 3 => 1..40_usize, 2 => 40..1_400_usize];
    let forged = prop::bool::weighted(0.15);
    let fragments = prop::option::weighted(0.2, (3..80_usize).prop_map(|units| units * 8));
    (
        size,
        prop_oneof![3 => Just(0), 1 => 1..9_usize],
        prop::bool::weighted(0.1),
        forged,
        prop::option::weighted(0.1, any::<bool>()),
        fragments,
    )
        .prop_map(|(size, late, again, forged, untaken, fragments)| Trick {
            size,
            late,
            again,
            forged,
            untaken,
            fragments,
        })
}

/// How packets are wrapped.
#[derive(Clone, Debug)]
struct Wrapping {
    is_v6: bool,
    shims: Vec<Shim>,
}

fn wrapping() -> impl Strategy<Value = Wrapping> {
    let qinq = vec![Shim::Tag(0x88a8, 100), Shim::Tag(0x8100, 10)];
    let shims = vec![vec![], vec![Shim::Tag(0x8100, 7)], qinq, vec![Shim::Pppoe(5)]];
    (any::<bool>(), prop::sample::select(shims)).prop_map(|(is_v6, shims)| Wrapping { is_v6, shims })
}

/// What is known in the end: sightings with their accounts, and names of flows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Records {
    sightings: Vec<(AppId, Sighting, String)>,
    names: Vec<AppId>,
}

struct Line {
    firewall: Firewall,
    wrapping: Wrapping,
    identification: u16,
    ends: [SocketAddr; 2],
}

impl Line {
    fn new(wrapping: Wrapping, port: u16) -> Self {
        let source = PolicySource { full_identification: true, ..policy(vec![rule(Action::Permit)]) };
        let logged = crate::policy::RuleSource { session_logging: true, ..rule(Action::Permit) };
        let source = PolicySource { rules: vec![logged], ..source };
        let settings = Settings { fragment_slots: 512, ..settings() };
        let (client, server) =
            if wrapping.is_v6 { ("[2001:db8::1]:4000", "[2001:db8:f::1]:1") } else { ("10.0.0.1:4000", "192.0.2.8:1") };
        let mut ends: [SocketAddr; 2] = [client.parse().unwrap(), server.parse().unwrap()];
        ends[1].set_port(port);
        Self { firewall: Firewall::set_up_shared(settings, source, signatures()), wrapping, identification: 0, ends }
    }

    /// Sends a packet; true where it was let through.
    fn send(&mut self, from: usize, packet: Packet, fragments: Option<usize>) -> bool {
        let packet = packet.within(&self.wrapping.shims);
        let mut out = |packet: &Packet| {
            let fate = if from == 0 { self.firewall.out(packet) } else { self.firewall.back(packet) };
            (fate.verdict_is_forward(), fate.sent.len())
        };
        let Some(size) = fragments.filter(|size| *size < packet.transport.len()) else { return out(&packet).0 };
        self.identification += 1;
        let starts: Vec<_> = (0..packet.transport.len()).step_by(size).collect();
        let mut released = 0;
        for &at in starts.iter().rev() {
            let end = (at + size).min(packet.transport.len());
            let more = end < packet.transport.len();
            let mut piece = packet.clone().fragment(self.identification, more, at as u16);
            piece.transport = packet.transport[at..end].to_vec();
            let mut header = vec![packet.protocol, 0];
            header.extend((at as u16 | u16::from(more)).to_be_bytes());
            header.extend(u32::from(self.identification).to_be_bytes());
            piece.extensions = self.wrapping.is_v6.then_some((protocol::FRAGMENT, header));
            released = out(&piece).1;
        }
        assert!(released == 0 || released == starts.len(), "all of a datagram, or nothing");
        released > 0
    }

    /// Plays a login; false where something of it was refused.
    fn play(&mut self, is_tcp: bool, turns: &Turns, tricks: &[Trick]) -> bool {
        let mut tricks = tricks.iter().cycle().copied();
        if !is_tcp {
            return turns.iter().all(|(from, octets)| {
                let trick = tricks.next().expect("they are endless");
                if trick.untaken.is_some() {
                    let mut forged = self.datagram(*from, &vec![0xee; octets.len()]);
                    forged.transport[6] ^= 0x5a;
                    assert!(!self.send(*from, forged, None));
                }
                self.send(*from, self.datagram(*from, octets), trick.fragments)
            });
        }
        let mut tcp = Connection { client: self.ends[0], server: self.ends[1], next: [1000, 500_000] };
        for (from, flags) in [(0, SYN), (1, SYN | ACK), (0, ACK)] {
            let packet = if from == 0 { tcp.client(flags, &[]) } else { tcp.server(flags, &[]) };
            assert!(self.send(from, packet, None));
        }
        let mut passed = true;
        for (from, octets) in turns {
            let mut segments = Vec::new();
            let mut at = 0;
            while at < octets.len() {
                let trick = tricks.next().expect("they are endless");
                let end = (at + trick.size).min(octets.len());
                segments.push((segments.len() + trick.late, at, end, trick));
                at = end;
            }
            segments.sort_by_key(|segment| segment.0);
            for (number, from_octet, to, trick) in segments {
                let segment = |payload: &[u8]| {
                    let mut tcp = tcp.tcp(*from, ACK | PSH, payload);
                    tcp.sequence = tcp.sequence.wrapping_add(from_octet as u32);
                    tcp.packet()
                };
                let payload = &octets[from_octet..to];
                let other: Vec<u8> = payload.iter().map(|octet| octet ^ 0x5a).collect();
                match trick.untaken {
                    Some(true) => {
                        let mut packet = segment(&other);
                        packet.transport[16] ^= 0x5a;
                        assert!(!self.send(*from, packet, trick.fragments) || !self.is_watched());
                    }
                    // The first of its side tells how many hops there are.
                    Some(false) if number > 0 && from_octet > 0 => {
                        let mut packet = segment(payload);
                        packet.hop_limit = 9;
                        self.send(*from, packet, None);
                    }
                    _ => {}
                }
                passed &= self.send(*from, segment(payload), trick.fragments);
                if trick.again {
                    passed &= self.send(*from, segment(payload), None);
                }
                if trick.forged {
                    self.send(*from, segment(&other), trick.fragments);
                }
            }
            tcp.next[*from] = tcp.next[*from].wrapping_add(octets.len() as u32);
            let packet = tcp.tcp(1 - from, ACK, &[]).packet();
            self.send(1 - from, packet, None);
        }
        passed
    }

    fn datagram(&self, from: usize, octets: &[u8]) -> Packet {
        udp(self.ends[from], self.ends[1 - from], octets)
    }

    /// Whether the engine still reads the flow, which has the first slot.
    fn is_watched(&self) -> bool {
        !self.firewall.pipeline.inspector.is_settled(InspectionId(0))
    }

    fn records(&mut self) -> Records {
        let sign_ons = self.firewall.sign_ons();
        let sightings = sign_ons.iter().map(|event| &event.sign_on);
        let sightings = sightings.map(|it| (it.application, it.sighting, it.account.to_string())).collect();
        let events = self.firewall.session_events();
        let named = events.iter().filter(|event| matches!(event.change, SessionChange::Application(_)));
        Records { sightings, names: named.map(|event| event.application).collect() }
    }
}

/// What a login shows that nobody meddles with.
fn expected(port: u16, is_tcp: bool, turns: &Turns) -> Records {
    const PLAIN: Trick = Trick { size: 1_400, late: 0, again: false, forged: false, untaken: None, fragments: None };
    let mut line = Line::new(Wrapping { is_v6: false, shims: vec![] }, port);
    assert!(line.play(is_tcp, turns, &[PLAIN]));
    line.records()
}

#[test]
fn every_login_shows_something() {
    for (port, is_tcp, turns) in logins() {
        let records = expected(port, is_tcp, &turns);
        assert_eq!(records.names.len(), 1, "{port}");
        assert!(port == 443 || !records.sightings.is_empty(), "{port}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_login_shows_the_same_records(
        which in 0..5_usize,
        wrapping in wrapping(),
        tricks in prop::collection::vec(trick(), 1..40),
    ) {
        let (port, is_tcp, turns) = logins().swap_remove(which);
        let mut line = Line::new(wrapping, port);
        prop_assert!(line.play(is_tcp, &turns, &tricks));
        prop_assert_eq!(line.records(), expected(port, is_tcp, &turns));
    }
}
