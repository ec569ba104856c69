//! A login on its way through the firewall, and what is done to its packets there.

use std::net::SocketAddr;

use proptest::prelude::*;
use sigdb::AppId;

use super::said::Login;
use crate::appid::InspectionId;
use crate::event::SessionChange;
use crate::guard::{Protection, Screen};
use crate::pipeline::Settings;
use crate::pipeline::tests::any_bytes::signatures;
use crate::pipeline::tests::firewall::{Connection, Firewall, policy, rule, settings};
use crate::policy::{Action, PolicySource, RuleSource};
use crate::wire::build::{Packet, Shim, udp};
use crate::wire::checksum;
use crate::wire::protocol;
use crate::wire::tcp::{ACK, FIN, PSH, RST, SYN, URG};

/// What is done with a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trick {
    /// Octets of it.
    pub(super) size: usize,
    /// By how many others it is late.
    pub(super) late: usize,
    /// Octets before it that it repeats.
    pub(super) back: usize,
    /// It comes twice.
    pub(super) again: bool,
    /// Another content follows it.
    pub(super) forged: bool,
    /// What comes before it that nobody takes.
    pub(super) untaken: Option<Untaken>,
    /// With an urgent pointer into it.
    pub(super) urgent: bool,
    /// Its receiver says at once what it has.
    pub(super) acknowledged: bool,
    /// It comes in fragments.
    pub(super) fragments: Option<Cut>,
}

impl Trick {
    /// Segments of this size, and nothing else.
    pub(super) const fn plain(size: usize) -> Self {
        Self {
            size,
            late: 0,
            back: 0,
            again: false,
            forged: false,
            untaken: None,
            urgent: false,
            acknowledged: false,
            fragments: None,
        }
    }
}

/// What a receiver does not take, with another content where it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untaken {
    /// A wrong checksum.
    Checksum,
    /// Too few hops left to arrive.
    Hops,
    /// Data far outside the window.
    Window,
    /// A RST far outside the window.
    Reset,
    /// A FIN far outside the window.
    Fin,
    /// Fragments that overlap (RFC 5722).
    Overlap,
}

/// How a packet is fragmented.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Octets of each but the last.
    pub(super) size: usize,
    pub(super) order: Order,
    /// Each comes twice.
    pub(super) twice: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Forward,
    Backward,
    /// The second half first.
    Turned,
}

pub(super) fn trick() -> impl Strategy<Value = Trick> {
    let size = prop_oneof![1 => Just(1), 3 => 1..40_usize, 2 => 40..1_400_usize];
    let late = prop_oneof![3 => Just(0), 1 => 1..9_usize];
    let back = prop_oneof![4 => Just(0), 1 => 1..60_usize];
    let untaken = prop::sample::select(vec![
        Untaken::Checksum,
        Untaken::Hops,
        Untaken::Window,
        Untaken::Reset,
        Untaken::Fin,
        Untaken::Overlap,
    ]);
    let order = prop::sample::select(vec![Order::Forward, Order::Backward, Order::Turned]);
    let cut = (1..80_usize, order, prop::bool::weighted(0.2));
    let cut = cut.prop_map(|(units, order, twice)| Cut { size: units * 8, order, twice });
    let rare = prop::bool::weighted(0.1);
    (
        (size, late, back),
        (rare, prop::bool::weighted(0.15), prop::option::weighted(0.2, untaken)),
        (rare, prop::bool::weighted(0.3), prop::option::weighted(0.2, cut)),
    )
        .prop_map(|((size, late, back), (again, forged, untaken), (urgent, acknowledged, fragments))| Trick {
            size,
            late,
            back,
            again,
            forged,
            untaken,
            urgent,
            acknowledged,
            fragments,
        })
}

/// How packets are wrapped.
#[derive(Clone, Debug)]
pub(super) struct Wrapping {
    pub(super) is_v6: bool,
    /// IPv6 extension headers before the transport's, and before a fragment's.
    pub(super) is_extended: bool,
    pub(super) shims: Vec<Shim>,
}

/// All that there are.
pub(super) fn wrappings() -> Vec<Wrapping> {
    let qinq = vec![Shim::Tag(0x88a8, 100), Shim::Tag(0x8100, 10)];
    let both = vec![Shim::Tag(0x8100, 7), Shim::Pppoe(5)];
    let shims = [vec![], vec![Shim::Tag(0x8100, 7)], qinq, vec![Shim::Pppoe(5)], both];
    let family = |shims: &Vec<Shim>| {
        let families = [(false, false), (true, false), (true, true)];
        families.map(|(is_v6, is_extended)| Wrapping { is_v6, is_extended, shims: shims.clone() })
    };
    shims.iter().flat_map(family).collect()
}

/// How a login is played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Whether what contradicts octets that came before is dropped; else the first count.
    pub(super) refuses: bool,
    /// Octets of the client's first words that come with its SYN.
    pub(super) with_syn: usize,
    /// Whether the server takes those.
    pub(super) takes_syn: bool,
}

impl Manner {
    pub(super) const PLAIN: Self = Self { refuses: true, with_syn: 0, takes_syn: false };
}

pub(super) fn manner() -> impl Strategy<Value = Manner> {
    let with_syn = prop_oneof![3 => Just(0), 1 => 1..400_usize];
    (any::<bool>(), with_syn, any::<bool>()).prop_map(|(refuses, with_syn, takes_syn)| Manner {
        refuses,
        with_syn,
        takes_syn,
    })
}

/// What is known in the end: the flow's name, then sightings with their accounts.
pub(super) type Records = Vec<String>;

pub(super) struct Line {
    firewall: Firewall,
    wrapping: Wrapping,
    manner: Manner,
    identification: u16,
    ends: [SocketAddr; 2],
}

impl Line {
    pub(super) fn new(wrapping: &Wrapping, manner: Manner, port: u16) -> Self {
        let logged = RuleSource { session_logging: true, ..rule(Action::Permit) };
        let source = PolicySource { full_identification: true, ..policy(vec![logged]) };
        let mut protection = Protection::default();
        protection.screens.set(Screen::TcpOverlap, manner.refuses);
        let settings = Settings { fragment_slots: 512, protection, ..settings() };
        let (client, server) =
            if wrapping.is_v6 { ("[2001:db8::1]:4000", "[2001:db8:f::1]:1") } else { ("10.0.0.1:4000", "192.0.2.8:1") };
        let mut ends: [SocketAddr; 2] = [client.parse().unwrap(), server.parse().unwrap()];
        ends[1].set_port(port);
        let firewall = Firewall::set_up_shared(settings, source, signatures());
        Self { firewall, wrapping: wrapping.clone(), manner, identification: 0, ends }
    }

    /// Plays a login and gives what was recorded. Asserts that all of it was let through, and nothing that nobody takes.
    pub(super) fn play(mut self, login: &Login, tricks: &[Trick]) -> Records {
        let mut tricks = tricks.iter().cycle().copied();
        if login.is_tcp {
            self.tcp(&login.turns, &mut tricks);
        } else {
            for (from, octets) in &login.turns {
                self.datagram(*from, octets, tricks.next().expect("they are endless"));
            }
        }
        self.records()
    }

    fn datagram(&mut self, from: usize, octets: &[u8], trick: Trick) {
        let datagram = |octets: &[u8]| udp(self.ends[from], self.ends[1 - from], octets);
        let (true_one, other) = (datagram(octets), datagram(&vec![0xee; octets.len()]));
        match trick.untaken {
            Some(Untaken::Checksum) => {
                let mut forged = other;
                forged.transport[6] ^= 0x5a;
                assert!(!self.send(from, forged, None) || !self.is_watched());
            }
            Some(Untaken::Overlap) => self.send_overlapping(from, &other),
            _ => {}
        }
        assert!(self.send(from, true_one, trick.fragments), "a datagram was refused");
    }

    fn tcp(&mut self, turns: &[(usize, Vec<u8>)], tricks: &mut impl Iterator<Item = Trick>) {
        let mut tcp = Connection { client: self.ends[0], server: self.ends[1], next: [1000, 500_000] };
        let mut turns = turns.to_vec();
        let early = match &turns[0] {
            (0, octets) => octets[..self.manner.with_syn.min(octets.len())].to_vec(),
            _ => Vec::new(),
        };
        let syn = tcp.tcp(0, SYN, &early).packet();
        tcp.next[0] += 1;
        if self.manner.takes_syn {
            tcp.next[0] += early.len() as u32;
            turns[0].1.drain(..early.len());
        }
        assert!(self.send(0, syn, None));
        for (from, flags) in [(1, SYN | ACK), (0, ACK)] {
            let packet = if from == 0 { tcp.client(flags, &[]) } else { tcp.server(flags, &[]) };
            assert!(self.send(from, packet, None));
        }
        for (from, octets) in &turns {
            self.turn(&mut tcp, *from, octets, tricks);
        }
    }

    /// What one side says before the other does.
    fn turn(&mut self, tcp: &mut Connection, from: usize, octets: &[u8], tricks: &mut impl Iterator<Item = Trick>) {
        let mut segments = Vec::new();
        let mut at = 0;
        while at < octets.len() {
            let trick = tricks.next().expect("they are endless");
            let end = (at + trick.size).min(octets.len());
            segments.push((segments.len() + trick.late, at.saturating_sub(trick.back), end, trick));
            at = end;
        }
        segments.sort_by_key(|segment| segment.0);
        let mut arrived = vec![false; octets.len()];
        for (_, start, end, trick) in segments {
            let segment = |flags: u8, away: u32, payload: &[u8]| {
                let mut segment = tcp.tcp(from, flags, payload);
                segment.sequence = segment.sequence.wrapping_add(start as u32).wrapping_add(away);
                segment.packet()
            };
            let payload = &octets[start..end];
            let other: Vec<u8> = payload.iter().map(|octet| octet ^ 0x5a).collect();
            // What nobody knows yet is the first that is heard of it: nothing tells that it does not arrive.
            let is_begun = start > 0 && arrived.contains(&true);
            match trick.untaken {
                Some(Untaken::Checksum) => {
                    let mut packet = segment(ACK | PSH, 0, &other);
                    packet.transport[16] ^= 0x5a;
                    assert!(!self.send(from, packet, trick.fragments) || !self.is_watched());
                }
                Some(Untaken::Hops) if is_begun => {
                    let mut packet = segment(ACK | PSH, 0, &other);
                    packet.hop_limit = 9;
                    assert!(!self.send(from, packet, None) || !self.is_watched());
                }
                Some(Untaken::Window) => assert!(!self.send(from, segment(ACK | PSH, FAR, &other), trick.fragments)),
                Some(Untaken::Reset) => assert!(!self.send(from, segment(RST, FAR, &[]), None)),
                Some(Untaken::Fin) => assert!(!self.send(from, segment(ACK | FIN, FAR, &[]), None)),
                Some(Untaken::Overlap) => self.send_overlapping(from, &segment(ACK | PSH, 0, &other)),
                Some(Untaken::Hops) | None => {}
            }
            let packet = segment(ACK | PSH, 0, payload);
            let packet = if trick.urgent { urgent(packet) } else { packet };
            assert!(self.send(from, packet, trick.fragments), "octets {start} to {end} were refused");
            arrived[start..end].fill(true);
            if trick.again {
                assert!(self.send(from, segment(ACK | PSH, 0, payload), None));
            }
            if trick.forged {
                self.send(from, segment(ACK | PSH, 0, &other), trick.fragments);
            }
            if trick.acknowledged {
                let whole = arrived.iter().take_while(|arrived| **arrived).count();
                let mut receiver = tcp.tcp(1 - from, ACK, &[]);
                receiver.acknowledgment = receiver.acknowledgment.wrapping_add(whole as u32);
                self.send(1 - from, receiver.packet(), None);
            }
        }
        tcp.next[from] = tcp.next[from].wrapping_add(octets.len() as u32);
        let packet = tcp.tcp(1 - from, ACK, &[]).packet();
        self.send(1 - from, packet, None);
    }

    /// Sends a packet; true where it was let through.
    fn send(&mut self, from: usize, packet: Packet, cut: Option<Cut>) -> bool {
        let wrapped = self.wrapped(packet);
        let Some(cut) = cut else { return self.out(from, &wrapped).0 };
        // A transport's header is whole in the first fragment, and a datagram has a limit of them.
        let header = if wrapped.protocol == protocol::TCP { 24 } else { 8 };
        let size = cut.size.max(header).max((wrapped.transport.len() / 100).next_multiple_of(8));
        if size >= wrapped.transport.len() {
            return self.out(from, &wrapped).0;
        }
        self.identification += 1;
        let starts: Vec<_> = (0..wrapped.transport.len()).step_by(size).collect();
        let mut order = starts.clone();
        match cut.order {
            Order::Forward => {}
            Order::Backward => order.reverse(),
            Order::Turned => order.rotate_left(starts.len() / 2),
        }
        let mut released = 0;
        for at in order {
            let piece = self.piece(&wrapped, at, at + size);
            for _ in 0..1 + usize::from(cut.twice) {
                released += self.out(from, &piece).1;
            }
        }
        assert!(released == 0 || released == starts.len(), "all of a datagram, or nothing");
        released > 0
    }

    /// Sends fragments of a packet of which two overlap: none of them may leave.
    fn send_overlapping(&mut self, from: usize, packet: &Packet) {
        let wrapped = self.wrapped(packet.clone());
        let length = wrapped.transport.len();
        if length <= 32 {
            return;
        }
        self.identification += 1;
        for (at, end) in [(24, length), (0, 32)] {
            let piece = self.piece(&wrapped, at, end);
            assert_eq!(self.out(from, &piece), (false, 0));
        }
    }

    fn wrapped(&self, packet: Packet) -> Packet {
        let mut packet = packet.within(&self.wrapping.shims);
        if self.wrapping.is_v6 && self.wrapping.is_extended {
            packet.extensions = Some((HOP_BY_HOP, [option(DESTINATION), option(packet.protocol)].concat()));
        }
        packet
    }

    /// A fragment of a packet.
    fn piece(&self, packet: &Packet, at: usize, end: usize) -> Packet {
        let end = end.min(packet.transport.len());
        let more = end < packet.transport.len();
        let mut piece = packet.clone().fragment(self.identification, more, at as u16);
        piece.transport = packet.transport[at..end].to_vec();
        if self.wrapping.is_v6 {
            let mut header = vec![packet.protocol, 0];
            header.extend((at as u16 | u16::from(more)).to_be_bytes());
            header.extend(u32::from(self.identification).to_be_bytes());
            piece.extensions = Some(if self.wrapping.is_extended {
                (HOP_BY_HOP, [option(DESTINATION), option(protocol::FRAGMENT), header].concat())
            } else {
                (protocol::FRAGMENT, header)
            });
        }
        piece
    }

    /// Whether a packet was let through, and how many that had waited.
    fn out(&mut self, from: usize, packet: &Packet) -> (bool, usize) {
        let fate = if from == 0 { self.firewall.out(packet) } else { self.firewall.back(packet) };
        (fate.verdict_is_forward(), fate.sent.len())
    }

    /// Whether the engine still reads the flow, which has the first slot.
    fn is_watched(&self) -> bool {
        !self.firewall.pipeline.inspector.is_settled(InspectionId(0))
    }

    fn records(&mut self) -> Records {
        let name = |application: AppId| signatures().name(application).to_owned();
        let events = self.firewall.session_events();
        let named = events.iter().filter(|event| matches!(event.change, SessionChange::Application(_)));
        let mut records: Records = named.map(|event| name(event.application)).collect();
        for event in self.firewall.sign_ons() {
            let sign_on = event.sign_on;
            let application = name(sign_on.application);
            assert_eq!(Some(&application), records.first(), "of the flow's own application");
            records.push(format!("{:?} {}", sign_on.sighting, sign_on.account.as_str()).trim_end().to_owned());
        }
        records
    }
}

/// Farther than any window.
const FAR: u32 = 0x4000_0000;

const HOP_BY_HOP: u8 = 0;
const DESTINATION: u8 = 60;

/// An extension header that says nothing: a PadN option (RFC 8200, 4.2).
fn option(next: u8) -> Vec<u8> {
    vec![next, 0, 1, 4, 0, 0, 0, 0]
}

/// Has a segment's urgent pointer point behind its first octet.
fn urgent(mut packet: Packet) -> Packet {
    packet.transport[13] |= URG;
    packet.transport[19] = 1;
    let before = u16::from_be_bytes([packet.transport[16], packet.transport[17]]);
    let flags = u16::from(packet.transport[12]) << 8;
    let (old, new) = (flags | u16::from(packet.transport[13] & !URG), flags | u16::from(packet.transport[13]));
    let sum = checksum::replace(checksum::replace(before, old, new), 0, 1);
    packet.transport[16..18].copy_from_slice(&sum.to_be_bytes());
    packet
}
